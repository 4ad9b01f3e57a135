//! Ways to what other callers keep on the server: jobs, answers under idempotency keys, values and references of pages.

use serde_json::{Value, json};

use crate::{
    client::text,
    proxy::Answer,
    rest::{JSON, body_of, is_problem},
    tenants::{Server, Tenant},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_others_keep_is_unknown() {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::new("attacker"));
    let server = Server::start(&[&victim, &attacker], &[]).await;
    let ask = async |who: &str, headers: &[(&str, &str)], method: &str, path: &str, body: Value| -> Answer {
        let headers = [&[JSON, ("x-api-key", who)], headers].concat();
        server.proxy.http(method, path, &headers, &body.to_string()).await
    };
    let page_of = async |who: &str| {
        let session = body_of(&ask(who, &[], "POST", "/v1/sessions", json!({})).await);
        let path = format!("/v1/sessions/{}/pages", text(&session, "id"));
        let page = body_of(&ask(who, &[], "POST", &path, json!({ "url": "data:text/html,<button>Buy" })).await);
        format!("{path}/{}", text(&page, "targetId"))
    };
    let (theirs, own) = (page_of(victim.text()).await, page_of(attacker.text()).await);
    let of_page = async |who: &str, page: &str, action: &str, body: Value| {
        ask(who, &[], "POST", &format!("{page}/{action}"), body).await
    };

    // V30: a job of another tenant, by its id and in the list; and of the same tenant, with the key of another session.
    let prefer = [("Prefer", "respond-async")];
    let path = format!("{theirs}/evaluate");
    let job = body_of(&ask(victim.text(), &prefer, "POST", &path, json!({ "expression": "'secret'" })).await);
    let path = format!("/v1/jobs/{}", text(&job, "id"));
    let done = ask(victim.text(), &[], "GET", &format!("{path}?wait=10s"), Value::Null).await;
    assert_eq!(body_of(&done)["result"]["value"], "secret");
    for method in ["GET", "DELETE"] {
        is_problem(&ask(attacker.text(), &[], method, &path, Value::Null).await, 404, "no-job", "");
    }
    let listed = body_of(&ask(attacker.text(), &[], "GET", "/v1/jobs", Value::Null).await);
    assert_eq!(listed, json!({ "jobs": [] }), "V30");
    let other = body_of(&ask(victim.text(), &[], "POST", "/v1/sessions", json!({})).await);
    let url = text(&other, "webSocketDebuggerUrl");
    let key = url.split_once("key=").expect("a key").1;
    let (key, id) = (key.split('&').next().unwrap_or_default(), text(&other, "id"));
    let answer = server.proxy.http("GET", &format!("{path}?key={key}.{id}"), &[], "").await;
    assert!(matches!(answer.status, 401 | 404), "V30: {answer:?}");
    assert!(!answer.body.contains("secret"), "V30");
    assert_eq!(ask(victim.text(), &[], "GET", &path, Value::Null).await.status, 200, "V30: it is still there");

    // V31: the key of a request of another tenant, with the same path and body.
    let with_key = [("Idempotency-Key", "the-same-key")];
    let made = ask(victim.text(), &with_key, "POST", "/v1/sessions", json!({ "name": "mine" })).await;
    let answer = ask(attacker.text(), &with_key, "POST", "/v1/sessions", json!({ "name": "mine" })).await;
    assert_eq!((made.status, answer.status, answer.header("idempotency-replayed")), (201, 201, None), "V31");
    assert_ne!(body_of(&made)["id"], body_of(&answer)["id"], "V31");

    // V32: a value that another tenant keeps in its page, by the name of its handle.
    let kept =
        of_page(victim.text(), &theirs, "evaluate", json!({ "expression": "({ secret: 1 })", "handle": true })).await;
    let read = json!({ "function": "it => it", "args": [{ "$handle": body_of(&kept)["handle"] }] });
    is_problem(&of_page(attacker.text(), &own, "evaluate", read.clone()).await, 409, "stale-handle", "");
    let answer = of_page(attacker.text(), &theirs, "evaluate", read.clone()).await;
    is_problem(&answer, 404, "no-session", "");
    let answer = ask(attacker.text(), &[], "DELETE", &format!("{theirs}/handles"), Value::Null).await;
    is_problem(&answer, 404, "no-session", "");
    let still = of_page(victim.text(), &theirs, "evaluate", read).await;
    assert_eq!(body_of(&still)["value"], json!({ "secret": 1 }), "V32: it is still there");

    // V33: references, and versions of snapshots, of another page.
    let taken = body_of(&of_page(victim.text(), &theirs, "snapshot", json!({})).await);
    let snapshot = text(&taken, "snapshot");
    let of_ref = snapshot.split_once("[ref=").and_then(|(_, rest)| rest.split_once(']')).expect("a ref").0;
    let answer = of_page(attacker.text(), &own, "click", json!({ "ref": of_ref })).await;
    is_problem(&answer, 409, "stale-ref", "");
    let since = body_of(&of_page(attacker.text(), &own, "snapshot", json!({ "since": taken["version"] })).await);
    assert!(since.get("since").is_none(), "V33: {since}");

    // V34: a list of actions that names another page or session in one of them.
    for member in ["id", "page"] {
        let target = if member == "id" { theirs.split('/').nth(3) } else { theirs.rsplit('/').next() };
        let list = json!({ "actions": [{ "action": "text", member: target }] });
        let answer = of_page(attacker.text(), &own, "actions", list).await;
        is_problem(&answer, 400, "bad-value", "belongs to the list");
        assert!(!answer.body.contains("Buy"), "V34");
    }

    // V46: a secret of another tenant: in the list, replaced, removed, and typed by its name.
    let secret = json!({ "value": "victims own", "origins": ["http://127.0.0.1"] });
    let stored = ask(victim.text(), &[], "PUT", "/v1/secrets/login", secret.clone()).await;
    assert_eq!(stored.status, 200, "V46: {stored:?}");
    let listed = ask(attacker.text(), &[], "GET", "/v1/secrets", Value::Null).await;
    assert_eq!(body_of(&listed), json!({ "secrets": [] }), "V46");
    is_problem(&ask(attacker.text(), &[], "DELETE", "/v1/secrets/login", Value::Null).await, 404, "no-secret", "");
    let fill = json!({ "selector": "button", "secret": "login", "force": true });
    is_problem(&of_page(attacker.text(), &own, "fill", fill).await, 404, "no-secret", "");
    let theirs_too = json!({ "value": "attackers own", "origins": ["http://127.0.0.1"] });
    assert_eq!(ask(attacker.text(), &[], "PUT", "/v1/secrets/login", theirs_too).await.status, 200, "V46");
    let still = body_of(&ask(victim.text(), &[], "GET", "/v1/secrets", Value::Null).await);
    assert_eq!(still["secrets"][0], body_of(&stored), "V46: it is still there");

    // V35: what is kept of a revoked token's requests: a job is stopped, and its result shown to nobody by that token.
    let endless = json!({ "function": "() => false" });
    let path = format!("{own}/wait");
    let job = body_of(&ask(attacker.text(), &prefer, "POST", &path, endless).await);
    let path = format!("/v1/jobs/{}", text(&job, "id"));
    assert_eq!(body_of(&ask(attacker.text(), &[], "GET", &path, Value::Null).await)["state"], "running", "V35");
    server.set(&crate::tenants::file_of(&[&victim]));
    crate::proxy::eventually("the end of its token", async || {
        ask(attacker.text(), &[], "GET", &path, Value::Null).await.status == 401
    })
    .await;
    let ended = ask(victim.text(), &[], "GET", &path, Value::Null).await;
    is_problem(&ended, 404, "no-job", "");
}
