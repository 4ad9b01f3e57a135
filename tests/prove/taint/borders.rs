//! What users of a server with tenants do beside CDP: they look at their sessions and snapshots as the server knows them,
//! and try to reach those of other tenants, by command and by request.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    checker::Reader,
    user::{Stage, User},
};
use crate::{proxy::Proxy, random::Random, wire::Wire};

/// Commands whose reply shows what all sessions of a tenant have.
pub(crate) const LISTS: [&str; 2] = ["ghost.listSessions", "ghost.listSnapshots"];
/// The number of snapshots of a client.
const SNAPSHOTS: usize = 3;
/// A name that users of all tenants give to their sessions and snapshots.
const SAME_NAME: &str = "the same for all";

/// One act: a legitimate one, or an attack.
pub(crate) async fn act(user: &mut User) {
    if user.random.once_in(2) {
        return attack(user).await;
    }
    let name = if user.random.once_in(2) { user.marker.clone() } else { SAME_NAME.to_owned() };
    let mark = json!({ "mark": user.marker });
    match user.random.below(8) {
        0 => user.send(None, "ghost.enable", json!({})).await,
        1 => user.send(None, "ghost.getSession", json!({})).await,
        2 => user.send(None, "ghost.getUsage", json!({})).await,
        3 => user.send(None, "ghost.listSessions", json!({})).await,
        4 => user.send(None, "ghost.listSnapshots", json!({ "name": SAME_NAME })).await,
        5 => user.send(None, "ghost.updateSession", json!({ "name": name, "metadata": mark })).await,
        6 if user.snapshots.len() < SNAPSHOTS => {
            user.send(None, "ghost.saveSnapshot", json!({ "name": name, "metadata": mark })).await;
        }
        6 => {
            let oldest = user.snapshots.remove(0);
            user.send(None, "ghost.deleteSnapshot", json!({ "snapshot": oldest })).await;
        }
        _ => {
            let Some(newest) = user.snapshots.last().cloned() else { return };
            user.send(None, "ghost.getSnapshot", json!({ "snapshot": newest })).await;
            user.send(None, "ghost.exportSnapshot", json!({ "snapshot": newest })).await;
            user.send(None, "ghost.restoreSnapshot", json!({ "snapshot": newest, "pages": false })).await;
        }
    }
}

/// A command with the id of a session or snapshot of another tenant.
async fn attack(user: &mut User) {
    type Params = fn(&str) -> Value;
    const ATTACKS: [(&str, &str, Params); 12] = [
        ("owned session", "ghost.getSession", |id| json!({ "id": id })),
        ("owned session", "ghost.updateSession", |id| json!({ "id": id, "name": "taken" })),
        ("owned session", "ghost.closeSession", |id| json!({ "id": id })),
        ("owned session", "ghost.park", |id| json!({ "id": id })),
        ("owned session", "ghost.getUsage", |id| json!({ "id": id })),
        ("owned session", "ghost.saveSnapshot", |id| json!({ "id": id })),
        ("owned session", "ghost.cloneSession", |id| json!({ "id": id })),
        ("snapshot", "ghost.getSnapshot", |id| json!({ "snapshot": id })),
        ("snapshot", "ghost.deleteSnapshot", |id| json!({ "snapshot": id })),
        ("snapshot", "ghost.exportSnapshot", |id| json!({ "snapshot": id })),
        ("snapshot", "ghost.restoreSnapshot", |id| json!({ "snapshot": id })),
        ("snapshot", "ghost.createSession", |id| json!({ "snapshot": id })),
    ];
    let (kind, method, params) = *user.random.pick(&ATTACKS);
    let (stage, tenant) = (user.stage.clone(), user.tenant());
    let foreign = stage.board.foreign(kind, &mut user.random, |of| stage.checker.tenant_of(of.0) != tenant);
    if let Some(id) = foreign {
        user.attack(None, method, params(&id)).await;
    }
}

/// The lists of a tenant, and a request with an id of another tenant, which must be answered as one that never was.
pub(crate) async fn request(proxy: &Proxy, stage: &Stage, tenant: usize, random: &mut Random) {
    const ATTACKS: [(&str, &str, &str); 19] = [
        ("owned session", "GET", "/v1/sessions/ID"),
        ("owned session", "PATCH", "/v1/sessions/ID"),
        ("owned session", "DELETE", "/v1/sessions/ID"),
        ("owned session", "POST", "/v1/sessions/ID/park"),
        ("owned session", "GET", "/v1/sessions/ID/usage"),
        ("owned session", "GET", "/v1/sessions/ID/pages"),
        ("owned session", "POST", "/v1/sessions/ID/snapshots"),
        ("owned session", "POST", "/v1/sessions/ID/clone"),
        ("owned session", "GET", "/kill/ID"),
        ("owned session", "UPGRADE", "/devtools/browser/ID"),
        ("snapshot", "GET", "/v1/snapshots/ID"),
        ("snapshot", "DELETE", "/v1/snapshots/ID"),
        ("snapshot", "GET", "/v1/snapshots/ID/content?format=ghostmux"),
        ("snapshot", "GET", "/v1/snapshots/ID/content?format=playwright"),
        ("target", "GET", "/json/close/ID"),
        ("target", "GET", "/json/activate/ID"),
        ("target", "UPGRADE", "/devtools/page/ID"),
        ("context", "UPGRADE", "/devtools/page/ID"),
        ("session", "UPGRADE", "/devtools/page/ID"),
    ];
    let nothing = HashSet::new();
    for path in ["/v1/sessions", "/v1/snapshots", "/sessions", "/v1/usage"] {
        let answer = proxy.http("GET", path, &stage.tenants.headers(tenant), "").await;
        stage.checker.received(Reader::Tenant(tenant), &answer.body, &nothing);
        if answer.status != 200 {
            stage.fault(format!("tenant {tenant}: {path} was answered {} {}", answer.status, answer.body));
        }
    }
    let (kind, method, path) = *random.pick(&ATTACKS);
    let foreign = stage.board.foreign(kind, random, |of| stage.checker.tenant_of(of.0) != tenant);
    let Some(id) = foreign else { return };
    *stage.attacks.lock().expect("no panic").entry(path).or_default() += 1;
    let at = path.replace("ID", &id);
    let said = if method == "UPGRADE" {
        match Wire::connect(proxy.address(), &stage.tenants.path(tenant, &at)).await {
            Ok(_) => "101".to_owned(),
            Err(refusal) => refusal,
        }
    } else {
        let body = if matches!(method, "POST" | "PATCH") { "{}" } else { "" };
        let headers = [stage.tenants.headers(tenant), vec![("content-type", "application/json")]].concat();
        let answer = proxy.http(method, &at, &headers, body).await;
        format!("{} {}", answer.status, answer.body)
    };
    stage.checker.received(Reader::Tenant(tenant), &said, &HashSet::from([id]));
    if !said.starts_with("404") {
        stage.fault(format!("tenant {tenant}: {method} {at} of another tenant was answered {said}"));
    }
}
