//! Hibernation: a parked session gives its place back, and is there again for whoever comes to it.

use serde_json::{Value, json};

use super::faces::{mark, marks, page_at};
use crate::{
    browsers::{Browser, in_each_browser},
    definition::is_a,
    proxy::{Proxy, eventually},
    rest::{JSON, connect, create, id_of, is_problem, ok},
    site::Site,
};

/// How many contexts sessions and warm leases have.
async fn contexts(proxy: &Proxy) -> u64 {
    let answer = proxy.http("GET", "/metrics", &[], "").await;
    let line = answer.body.lines().find_map(|line| line.strip_prefix("ghostmux_contexts "));
    line.expect("a gauge").parse().expect("a number")
}

async fn state_of(proxy: &Proxy, id: &str) -> String {
    let answer = proxy.http("GET", &format!("/v1/sessions/{id}"), &[], "").await;
    let session: Value = serde_json::from_str(&answer.body).expect("JSON");
    session["state"].as_str().map_or_else(|| answer.body.clone(), str::to_owned)
}

async fn a_parked_session_sleeps_and_wakes_up(browser: Browser) {
    let flags = ["--hibernate-after", "200ms", "--warm", "0"];
    let (proxy, site) = (Proxy::start(browser, &flags).await, Site::start().await);
    let asked = json!({ "name": "sleeper", "metadata": { "a": "b" }, "keepAlive": 600_000, "timeout": 3_600_000 });
    let session = create(&proxy, asked).await;
    let (id, url) = (id_of(&session).to_owned(), site.url("/?slept"));
    let client = connect(&proxy, &session).await;
    let page = client.page_at(&url).await;
    mark(&client, &page, "kept").await;
    drop(client);
    eventually("a session that hibernates", async || state_of(&proxy, &id).await == "hibernated").await;
    // Its place in the browser is free, and so is its memory.
    eventually("no context of a session", async || contexts(&proxy).await == 0).await;
    let path = format!("/v1/sessions/{id}");
    let asleep = ok(&proxy, "GET", &path, Value::Null).await;
    is_a("Session", &asleep);
    for key in ["name", "metadata", "keepAlive", "timeout", "createdAt", "webSocketDebuggerUrl"] {
        assert_eq!(asleep[key], session[key], "{key}");
    }
    for query in ["", "state=hibernated", "name=sleeper", "metadata.a=b"] {
        let listed = ok(&proxy, "GET", &format!("/v1/sessions?{query}"), Value::Null).await;
        assert_eq!(listed["sessions"], json!([asleep]), "{query}");
    }
    assert_eq!(ok(&proxy, "GET", "/v1/sessions?state=parked", Value::Null).await["sessions"], json!([]));
    // What it sleeps in is nobody's to list.
    assert_eq!(ok(&proxy, "GET", "/v1/snapshots", Value::Null).await["snapshots"], json!([]));
    let refused = proxy.http("POST", &format!("{path}/snapshots"), &[JSON], "{}").await;
    is_problem(&refused, 409, "hibernated", "connect");

    let client = connect(&proxy, &session).await;
    assert_eq!(marks(&client, &page_at(&client, &url).await).await, json!(["mark=kept", "kept", "kept", "kept7"]));
    let awake = ok(&proxy, "GET", &path, Value::Null).await;
    assert_eq!((&awake["state"], &awake["timeout"]), (&json!("active"), &session["timeout"]), "{awake}");
    // Its hard deadline counts from where it counted before.
    let later = |what: &Value| what["createdAt"].as_f64().expect("a time");
    assert!((later(&awake) - later(&session)).abs() < 50.0, "{awake}, not {session}");
    // And once more, to its end.
    drop(client);
    eventually("a session that hibernates", async || state_of(&proxy, &id).await == "hibernated").await;
    assert_eq!(proxy.http("DELETE", &path, &[], "").await.status, 204);
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-session", "in its sleep");
    assert!(proxy.refusal(&format!("/devtools/browser/{id}")).await.contains(&id));
}
in_each_browser!(a_parked_session_sleeps_and_wakes_up);

#[tokio::test(flavor = "multi_thread")]
async fn parked_sessions_are_there_after_a_restart() {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    let store = directory.path().join("store.redb").display().to_string();
    let flags = ["--hibernate-after", "1h", "--store", &store];
    let proxy = Proxy::start(Browser::any().await, &flags).await;
    let session = create(&proxy, json!({ "id": "over-the-restart", "keepAlive": 600_000 })).await;
    let (id, url) = (id_of(&session).to_owned(), site.url("/?restarted"));
    let client = connect(&proxy, &session).await;
    let page = client.page_at(&url).await;
    mark(&client, &page, "kept").await;
    drop(client);
    eventually("a parked session", async || state_of(&proxy, &id).await == "parked").await;
    drop(proxy);

    let proxy = Proxy::start(Browser::any().await, &flags).await;
    assert_eq!(state_of(&proxy, &id).await, "hibernated");
    let taken = proxy.http("POST", "/v1/sessions", &[JSON], &json!({ "id": id }).to_string()).await;
    is_problem(&taken, 409, "id-in-use", &id);
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    assert_eq!(marks(&client, &page_at(&client, &url).await).await, json!(["mark=kept", "kept", "kept", "kept7"]));
    // Once awake it is nobody else's to wake.
    assert!(proxy.refusal(&format!("/devtools/browser/{id}")).await.contains("has a client already"));
}
