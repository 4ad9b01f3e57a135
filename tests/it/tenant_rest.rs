//! Tenants and tokens over REST: what an admin can do with them, and that nothing of it is lost or shown.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use ghostmux::tenant::{
    Secret,
    token::{self, TokenHash},
};
use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    client::text,
    proxy::{Proxy, eventually},
    rest::{JSON, body_of, is_problem, send},
    tenants::{Server, Tenant},
};

fn admin() -> Tenant {
    Tenant::with("ops", "capabilities = [\"admin\"] # those who are on call")
}

/// The status of a request with this token.
async fn status(server: &Server, token: &str) -> u16 {
    server.proxy.http("GET", "/v1/sessions", &[("x-api-key", token)], "").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_manage_tenants_and_tokens_over_rest() {
    let ops = admin();
    let old = Tenant::with_token("old", "expires = 2020-01-01");
    let directory = tempfile::tempdir().expect("a directory");
    let audit = directory.path().join("audit.log").to_string_lossy().into_owned();
    let server = Server::start(&[&ops, &old], &["--audit", &audit, "--log", "debug"]).await;

    // A tenant is added, and in force when the answer comes.
    let wanted = json!({ "capabilities": ["tracing"], "limits": { "maxSessions": 1, "maxSessionTime": 60_000 } });
    let made = server.ask(&ops, "PUT", "/v1/tenants/acme", wanted.clone()).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/v1/tenants/acme")), "{}", made.body);
    let shown = json!({
        "name": "acme",
        "capabilities": ["tracing"],
        "limits": { "maxSessions": 1, "maxSessionTime": 60_000, "sharing": "all" },
        "egress": { "deny": [] },
    });
    assert_eq!(body_of(&made), shown);
    assert_eq!(server.ask(&ops, "PUT", "/v1/tenants/acme", wanted).await.status, 200, "it is there already");
    let first = server.ok(&ops, "GET", "/v1/tenants?limit=1", Value::Null).await;
    assert_eq!((&first["tenants"], &first["next"]), (&json!([shown]), &json!("acme")), "{first}");
    let rest = server.ok(&ops, "GET", "/v1/tenants?cursor=acme", Value::Null).await;
    let names: Vec<_> = rest["tenants"].as_array().expect("a list").iter().map(|one| text(one, "name")).collect();
    assert_eq!((names.join(" ").as_str(), rest.get("next")), ("old ops", None), "{rest}");

    // A token is accepted at once, and shown this one time.
    let wanted = json!({ "name": "ci", "expires": "2999-01-01T00:00:00Z", "from": ["127.0.0.1"] });
    let made = server.ask(&ops, "POST", "/v1/tenants/acme/tokens", wanted.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let issued = body_of(&made);
    let (secret, info) = (text(&issued, "token"), issued["info"].clone());
    let hash = TokenHash::of(&secret);
    assert_eq!(token::form(&secret), token::Form::Token);
    let path = format!("/v1/tenants/acme/tokens/{}", text(&info, "id"));
    assert_eq!((made.header("location"), text(&info, "id")), (Some(path.as_str()), hash.number().to_string()));
    assert_eq!((&info["from"], &info["isExpired"]), (&json!(["127.0.0.1/32"]), &json!(false)), "{info}");
    let acme = Tenant { token: Secret::new(secret.clone()), ..Tenant::new("acme") };
    let client = server.proxy.connect_to(&format!("/?token={secret}")).await;
    is_problem(&server.ask(&acme, "POST", "/v1/sessions", json!({})).await, 429, "too-many", "max_sessions");
    let again = server.ask(&ops, "POST", "/v1/tenants/acme/tokens", wanted).await;
    is_problem(&again, 409, "token-name-in-use", "\"ci\"");
    let listed = server.ok(&ops, "GET", "/v1/tenants/acme/tokens", Value::Null).await;
    assert_eq!(listed, json!({ "tokens": [info] }));
    assert_eq!(server.ok(&ops, "GET", &path, Value::Null).await, info);
    let expired = server.ok(&ops, "GET", "/v1/tenants/old/tokens", Value::Null).await;
    assert_eq!(expired["tokens"][0]["isExpired"], json!(true), "{expired}");

    // The text of a token in place of its id is refused, and not repeated.
    for (method, field) in [("GET", "token"), ("DELETE", "token"), ("PUT", "tenant")] {
        let path = if field == "token" {
            format!("/v1/tenants/acme/tokens/{secret}")
        } else {
            format!("/v1/tenants/{secret}")
        };
        let refused = server.ask(&ops, method, &path, if method == "PUT" { json!({}) } else { Value::Null }).await;
        is_problem(&refused, 400, "bad-value", "a secret");
        assert!(!refused.body.contains(&secret), "{}", refused.body);
    }
    let unknown = server.ask(&ops, "GET", &format!("/v1/tenants/{secret}"), Value::Null).await;
    assert!(unknown.status == 404 && !unknown.body.contains(&secret), "{}", unknown.body);

    // Revoked: its connections end within a second, and it is not accepted from the answer on.
    let revoked = server.ask(&ops, "DELETE", &path, Value::Null).await;
    let since = Instant::now();
    assert_eq!(revoked.status, 204, "{}", revoked.body);
    assert!(client.end().await.starts_with("4003"), "{:?}", client.closed());
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(status(&server, &secret).await, 401);
    is_problem(&server.ask(&ops, "DELETE", &path, Value::Null).await, 404, "no-token", &text(&info, "id"));
    assert_eq!(server.ask(&ops, "DELETE", "/v1/tenants/acme", Value::Null).await.status, 204);
    for (method, path) in
        [("GET", "/v1/tenants/acme"), ("DELETE", "/v1/tenants/acme"), ("POST", "/v1/tenants/acme/tokens")]
    {
        let body = if method == "POST" { json!({}) } else { Value::Null };
        is_problem(&server.ask(&ops, method, path, body).await, 404, "no-tenant", "acme");
    }

    // What the operator wrote stays, and nothing has the token or its hash.
    let file = fs::read_to_string(server.file()).expect("a file");
    assert!(file.contains("# those who are on call") && !file.contains("acme"), "{file}");
    let lines = || fs::read_to_string(&audit).expect("a file");
    eventually("the removal is recorded", async || lines().contains("tenant-removed")).await;
    let recorded: Vec<Value> = lines().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (number, own) = (hash.number().to_string(), TokenHash::of(ops.text()).number().to_string());
    for (event, tenant, what) in [
        ("tenant-added", "acme", None),
        ("token-issued", "acme", Some(number.clone())),
        ("token-revoked", "acme", Some(number.clone())),
        ("tenant-removed", "acme", None),
        ("performed", "ops", Some("putTenant acme".to_owned())),
        ("performed", "ops", Some("createToken acme".to_owned())),
        ("performed", "ops", Some(format!("revokeToken acme/{number}"))),
        ("performed", "ops", Some("deleteTenant acme".to_owned())),
    ] {
        let is_it = |line: &&Value| {
            line["event"] == event
                && line["tenant"] == tenant
                && what.as_ref().is_none_or(|what| line["what"] == what.as_str())
                && (event != "performed" || line["token"] == own.as_str())
        };
        assert!(recorded.iter().any(|line| is_it(&line)), "{event} {what:?}: {recorded:?}");
    }
    for shown in [server.proxy.log(), lines(), listed.to_string()] {
        assert!(!shown.contains(&secret) && !shown.contains(&hash.to_hex()), "a token or its hash is in {shown}");
    }
}

/// Several requests and commands at once: each edits the file that the others have written.
#[tokio::test(flavor = "multi_thread")]
async fn changes_by_requests_and_commands_at_once_lose_none() {
    const EACH: usize = 6;
    let (ops, acme) = (admin(), Tenant::new("acme"));
    let server = Server::start(&[&ops, &acme], &[]).await;
    let by_request = async |number: usize| {
        let body = json!({ "name": format!("request-{number}") });
        let issued = server.ok(&ops, "POST", "/v1/tenants/acme/tokens", body).await;
        let secret = text(&issued, "token");
        assert_eq!(status(&server, &secret).await, 200, "it is accepted when the answer comes");
        let definition = json!({ "limits": { "maxSessions": number } });
        assert_eq!(server.ask(&ops, "PUT", &format!("/v1/tenants/t{number}"), definition).await.status, 201);
    };
    let by_command = |number: usize| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghostmux"));
        command.args(["token", "new", "--tenant", "acme", "--name", &format!("command-{number}"), "--tenants"]);
        command.arg(server.file());
        async move {
            let output =
                tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    tokio::join!(join_all((0..EACH).map(by_request)), join_all((0..EACH).map(by_command)));
    let names = async || {
        let listed = server.ok(&ops, "GET", "/v1/tenants/acme/tokens", Value::Null).await;
        listed["tokens"].as_array().expect("a list").iter().map(|token| text(token, "name")).collect::<Vec<_>>()
    };
    // The server sees the last command a moment later.
    eventually("all tokens are there", async || names().await.len() == 2 * EACH + 1).await;
    let tenants = server.ok(&ops, "GET", "/v1/tenants", Value::Null).await;
    assert_eq!(tenants["tenants"].as_array().map(Vec::len), Some(EACH + 2), "{tenants}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_that_cannot_be_changed_are_answered_with_the_reason() {
    // A server without tenants.
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let (_, listed) = send(&proxy, "GET", "/v1/tenants", Value::Null).await;
    assert_eq!((listed["tenants"].as_array().map(Vec::len), &listed["tenants"][0]["name"]), (Some(1), &json!("local")));
    for (method, path, body) in [
        ("PUT", "/v1/tenants/acme", "{}"),
        ("DELETE", "/v1/tenants/local", ""),
        ("POST", "/v1/tenants/local/tokens", "{}"),
        ("DELETE", "/v1/tenants/local/tokens/x", ""),
    ] {
        let answer = proxy.http(method, path, &[JSON], body).await;
        is_problem(&answer, 409, "no-tenants-file", "--tenants");
    }
    drop(proxy);

    // Values that are wrong, a file that is wrong, and one that is gone: nothing changes.
    let (ops, acme) = (admin(), Tenant::new("acme"));
    let server = Server::start(&[&ops, &acme], &[]).await;
    let good = fs::read_to_string(server.file()).expect("a file");
    for (method, path, body, kind, word) in [
        ("PUT", "/v1/tenants/acme", json!({ "capabilities": ["root"] }), "bad-value", "capabilities"),
        ("PUT", "/v1/tenants/acme", json!({ "limits": { "maxSessions": -1 } }), "bad-value", "maxSessions"),
        ("PUT", "/v1/tenants/acme", json!({ "colour": 1 }), "bad-value", "colour"),
        ("PUT", "/v1/tenants/acme", Value::Null, "no-body", "body"),
        ("POST", "/v1/tenants/acme/tokens", json!({ "name": "a b" }), "bad-value", "name"),
        ("POST", "/v1/tenants/acme/tokens", json!({ "expires": "soon" }), "bad-value", "expires"),
        ("POST", "/v1/tenants/acme/tokens", json!({ "expires": "2020-01-01T00:00:00Z" }), "bad-value", "past"),
        ("POST", "/v1/tenants/acme/tokens", json!({ "scope": "write" }), "bad-value", "scope"),
        ("POST", "/v1/tenants/acme/tokens", json!({ "from": ["10.0.0.0/99"] }), "bad-value", "from"),
    ] {
        is_problem(&server.ask(&ops, method, path, body).await, 400, kind, word);
    }
    let together = json!({ "limits": { "cpuWeight": 50 } });
    let refused = server.ask(&ops, "PUT", "/v1/tenants/acme", together).await;
    is_problem(&refused, 422, "contradiction", "limits.cpuWeight");
    assert_eq!(fs::read_to_string(server.file()).expect("a file"), good);
    let wrong = format!("{good}colour = 1\n");
    server.set(&wrong);
    let refused = server.ask(&ops, "PUT", "/v1/tenants/new", json!({})).await;
    is_problem(&refused, 422, "configuration", "colour");
    assert_eq!(fs::read_to_string(server.file()).expect("a file"), wrong);
    fs::remove_file(server.file()).expect("removed");
    let refused = server.ask(&ops, "DELETE", "/v1/tenants/acme", Value::Null).await;
    is_problem(&refused, 503, "tenants-file", "tenants.toml");
    assert!(!server.file().exists(), "a file without the other tenants is not made");
    assert_eq!(status(&server, acme.text()).await, 200, "what was read before stays in force");
    server.set(&good);

    // An admin may revoke the token with which it asks, and is told that it did.
    let own = format!("/v1/tenants/ops/tokens/{}", TokenHash::of(ops.text()).number());
    assert_eq!(server.ask(&ops, "DELETE", &own, Value::Null).await.status, 204);
    assert_eq!(status(&server, ops.text()).await, 401);
}
