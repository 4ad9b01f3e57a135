//! Hibernation: a parked session releases its place in the browser, and is restored when a client
//! connects.

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use super::apis::{mark, marks, page_at};
use crate::{
    browsers::{Browser, in_each_browser},
    definition::{is_a, is_of},
    proxy::{Proxy, eventually},
    rest::{JSON, connect, create, id_of, is_problem, ok},
    site::Site,
};

/// Waits until the current state of a running session was saved.
async fn is_saved(proxy: &Proxy) {
    let saves = async || proxy.figure("sessions_autosaved_total").await;
    let before = saves().await;
    // A save may have begun before.
    eventually("two more saves", async || saves().await >= before + 2).await;
}

async fn state_of(proxy: &Proxy, id: &str) -> String {
    let answer = proxy.http("GET", &format!("/v1/sessions/{id}"), &[], "").await;
    let session: Value = serde_json::from_str(&answer.body).expect("JSON");
    session["state"].as_str().map_or_else(|| answer.body.clone(), str::to_owned)
}

async fn parked_sessions_are_hibernated_and_restored(browser: Browser) {
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
    // Its place and its memory in the browser are free.
    eventually("no context of a session", async || proxy.figure("contexts").await == 0).await;
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
    // The snapshot of a hibernated session is not listed.
    assert_eq!(ok(&proxy, "GET", "/v1/snapshots", Value::Null).await["snapshots"], json!([]));
    let refused = proxy.http("POST", &format!("{path}/snapshots"), &[JSON], "{}").await;
    is_problem(&refused, 409, "hibernated", "connect");

    let client = connect(&proxy, &session).await;
    assert_eq!(marks(&client, &page_at(&client, &url).await).await, json!(["mark=kept", "kept", "kept", "kept7"]));
    let awake = ok(&proxy, "GET", &path, Value::Null).await;
    assert_eq!((&awake["state"], &awake["timeout"]), (&json!("active"), &session["timeout"]), "{awake}");
    // The restored session keeps its creation time, from which its hard deadline counts.
    let later = |what: &Value| what["createdAt"].as_f64().expect("a time");
    assert!((later(&awake) - later(&session)).abs() < 50.0, "{awake}, not {session}");
    // Hibernated again, and then ended.
    drop(client);
    eventually("a session that hibernates", async || state_of(&proxy, &id).await == "hibernated").await;
    assert_eq!(proxy.http("DELETE", &path, &[], "").await.status, 204);
    is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-session", "while hibernated");
    assert!(proxy.refusal(&format!("/devtools/browser/{id}")).await.contains(&id));
}
in_each_browser!(parked_sessions_are_hibernated_and_restored);

#[tokio::test(flavor = "multi_thread")]
async fn parked_sessions_survive_a_restart() {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    let store = directory.path().join("store.redb").display().to_string();
    let flags = ["--hibernate-after", "1h", "--store", &store];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let session = create(&proxy, json!({ "id": "over-the-restart", "keepAlive": 600_000 })).await;
    let (id, url) = (id_of(&session).to_owned(), site.url("/?restarted"));
    let client = connect(&proxy, &session).await;
    let page = client.page_at(&url).await;
    mark(&client, &page, "kept").await;
    drop(client);
    eventually("a parked session", async || state_of(&proxy, &id).await == "parked").await;
    drop(proxy);

    let proxy = Proxy::start(Browser::any(), &flags).await;
    assert_eq!(state_of(&proxy, &id).await, "hibernated");
    let taken = proxy.http("POST", "/v1/sessions", &[JSON], &json!({ "id": id }).to_string()).await;
    is_problem(&taken, 409, "id-in-use", &id);
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    assert_eq!(marks(&client, &page_at(&client, &url).await).await, json!(["mark=kept", "kept", "kept", "kept7"]));
    // A second client joins the restored session.
    let other = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    assert_eq!(marks(&other, &page_at(&other, &url).await).await, json!(["mark=kept", "kept", "kept", "kept7"]));
}

async fn saved_sessions_survive_a_browser_crash(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &["--warm", "0"]).await, Site::start().await);
    // No keep_alive: without autosave it would end with its socket.
    let client = proxy.connect_to("/?autosave=1s&name=survivor").await;
    client.ok(None, "ghost.enable", json!({})).await;
    let session = client.ok(None, "ghost.getSession", json!({})).await["session"].clone();
    is_a("Session", &session);
    assert_eq!((&session["autosave"], &session["keepAlive"]), (&json!(1000), &json!(0)));
    let (id, url) = (id_of(&session).to_owned(), site.url("/?outlives"));
    // A session that is not saved ends with the browser.
    let unsaved = proxy.connect().await;
    let unsaved_id = id_of(&unsaved.ok(None, "ghost.getSession", json!({})).await["session"]).to_owned();
    let page = client.page_at(&url).await;
    mark(&client, &page, "kept").await;
    is_saved(&proxy).await;
    assert_eq!(client.evaluate(&page.session, "document.hasFocus() && document.visibilityState").await, "visible");
    // It is saved in one snapshot, which is not listed.
    assert_eq!(ok(&proxy, "GET", "/v1/snapshots", Value::Null).await["snapshots"], json!([]));
    proxy.lose_browser();
    let lost = client.event("ghost.browserLost").await["params"].clone();
    is_of("ghost.browserLost", &lost);
    assert!(lost["savedAgo"].as_f64().is_some_and(|ago| ago < 60_000.0), "{lost}");
    let closed = client.end().await;
    assert!(closed.contains("1011") && closed.contains("connect again"), "{closed}");

    // At once, whatever the state of the replacement browser.
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    assert_eq!(marks(&client, &page_at(&client, &url).await).await, json!(["mark=kept", "kept", "kept", "kept7"]));
    let back = client.ok(None, "ghost.getSession", json!({})).await["session"].clone();
    for key in ["id", "name", "autosave", "keepAlive"] {
        assert_eq!(back[key], session[key], "{key}");
    }
    is_problem(&proxy.http("GET", &format!("/v1/sessions/{unsaved_id}"), &[], "").await, 404, "no-session", "lost");
    // It survives a second crash that comes before it was saved again.
    proxy.lose_browser();
    client.end().await;
    eventually("a hibernated session", async || state_of(&proxy, &id).await == "hibernated").await;
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    assert_eq!(marks(&client, &page_at(&client, &url).await).await, json!(["mark=kept", "kept", "kept", "kept7"]));
    // It ends as every other session, and leaves nothing.
    drop(client);
    eventually("a session that ended", async || state_of(&proxy, &id).await.contains("no-session")).await;
    let taken = proxy.refusal(&format!("/devtools/browser/{id}")).await;
    assert!(taken.contains("404") && taken.contains("its last client left it"), "{taken}");
}
in_each_browser!(saved_sessions_survive_a_browser_crash);

#[tokio::test(flavor = "multi_thread")]
async fn saved_sessions_survive_a_killed_proxy() {
    let (site, directory) = (Site::start().await, tempfile::tempdir().expect("a directory"));
    let store = directory.path().join("store.redb").display().to_string();
    let flags = ["--store", &store];
    let mut proxy = Proxy::start(Browser::any(), &flags).await;
    let client = proxy.connect_to("/?autosave=1s").await;
    let session = client.ok(None, "ghost.getSession", json!({})).await["session"].clone();
    let (id, url) = (id_of(&session).to_owned(), site.url("/?killed"));
    let page = client.page_at(&url).await;
    mark(&client, &page, "kept").await;
    is_saved(&proxy).await;
    proxy.kill();
    drop((client, proxy));

    let proxy = Proxy::start(Browser::any(), &flags).await;
    assert_eq!(state_of(&proxy, &id).await, "hibernated");
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    assert_eq!(marks(&client, &page_at(&client, &url).await).await, json!(["mark=kept", "kept", "kept", "kept7"]));
    // And a proxy that is stopped while the session is used.
    proxy.terminate();
    let closed = client.end().await;
    assert!(closed.contains("1001"), "{closed}");
    drop((client, proxy));
    let proxy = Proxy::start(Browser::any(), &flags).await;
    assert_eq!(state_of(&proxy, &id).await, "hibernated");
    assert_eq!(proxy.http("DELETE", &format!("/v1/sessions/{id}"), &[], "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_control_when_a_session_is_saved() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let session = create(&proxy, json!({ "hibernateAfter": 3_600_000 })).await;
    assert_eq!((&session["hibernateAfter"], &session["autosave"]), (&json!(3_600_000), &json!(0)));
    let path = format!("/v1/sessions/{}", id_of(&session));
    for (method, path) in [("PATCH", path.as_str()), ("POST", "/v1/sessions")] {
        let refused = proxy.http(method, path, &[JSON], r#"{"autosave":999}"#).await;
        is_problem(&refused, 400, "bad-value", "at least 1000 ms");
    }
    assert!(proxy.refusal("/?autosave=5").await.contains("autosave"));
    // Parked all the time, and with a shorter limit from now on.
    let changed = ok(&proxy, "PATCH", &path, json!({ "hibernateAfter": 1 })).await;
    assert_eq!(changed["hibernateAfter"], 1);
    let id = id_of(&session).to_owned();
    eventually("a session that hibernates", async || state_of(&proxy, &id).await == "hibernated").await;
    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await["hibernateAfter"], 1);
}

/// The end of a session is its end in every state, also while it is restored.
#[tokio::test(flavor = "multi_thread")]
async fn session_that_is_ended_while_it_is_restored_is_gone() {
    let proxy = Proxy::start(Browser::any(), &["--hibernate-after", "1ms", "--warm", "0"]).await;
    let session = create(&proxy, json!({ "keepAlive": 600_000 })).await;
    let (id, path) = (id_of(&session).to_owned(), format!("/v1/sessions/{}", id_of(&session)));
    eventually("a session that hibernates", async || state_of(&proxy, &id).await == "hibernated").await;
    let browser = proxy.browsers()[0];
    // It cannot be restored before it is ended.
    kill(browser, Signal::SIGSTOP).expect("it runs");
    let ended = async {
        eventually("a session that is restored", async || state_of(&proxy, &id).await != "hibernated").await;
        assert_eq!(proxy.http("DELETE", &path, &[], "").await.status, 204);
        is_problem(&proxy.http("GET", &path, &[], "").await, 404, "no-session", "ended");
    };
    let at = format!("/devtools/browser/{id}");
    let (refused, ()) = futures_util::join!(proxy.try_connect_to(&at), ended);
    kill(browser, Signal::SIGCONT).expect("it runs");
    assert!(refused.is_err(), "it was restored");
    assert_eq!(ok(&proxy, "GET", "/v1/sessions", Value::Null).await["sessions"], json!([]));
}
