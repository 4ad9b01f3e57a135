//! Several clients on one session, as on one Chrome: which pages each sees, the order of events,
//! disconnects, and admission.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Frame, Page, text},
    proxy::{Proxy, eventually},
    reconnect::{id_of, parked, session},
    sessions::problem,
    site::Site,
};

/// Auto-attaches to present and future targets, as Playwright does.
async fn attach_to_all(client: &Client) {
    let wanted = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
    client.ok(None, "Target.setAutoAttach", wanted).await;
}

/// The CDP session of a client's auto-attach on a target, resumed.
async fn resumed(client: &Client, target: &str) -> String {
    let attached = client.event_where("Target.attachedToTarget", |told| told["targetInfo"]["targetId"] == target).await;
    let on = text(&attached, "sessionId");
    client.ok(Some(&on), "Runtime.runIfWaitingForDebugger", json!({})).await;
    on
}

/// Creates a page; fails if the reply came before the client's `attachedToTarget`.
async fn create(client: &Client) -> String {
    let created = client.ok(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
    let target = text(&created, "targetId");
    let frames: Vec<Value> = client.frames().iter().filter_map(Frame::received).cloned().collect();
    let told = |frame: &Value| {
        frame["method"] == "Target.attachedToTarget" && frame["params"]["targetInfo"]["targetId"] == target.as_str()
    };
    let (told, answered) =
        (frames.iter().position(told), frames.iter().position(|frame| frame["result"]["targetId"] == target.as_str()));
    assert!(told.is_some() && told < answered, "{target} was answered before it was attached to");
    target
}

async fn clients_share_a_session_as_they_share_a_chrome(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &[]).await, Site::start().await);
    let observer = proxy.connect().await;
    let one = proxy.connect_to("/?keep_alive=1m").await;
    let id = id_of(&one).await;
    let other = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    // An answer shows that the session has the client; the handshake alone does not.
    assert_eq!(id_of(&other).await, id);
    assert_eq!(session(&observer, &id).await["clients"], 2);
    for client in [&one, &other] {
        attach_to_all(client).await;
    }
    // The page is announced to its creator before the reply, and the other client sees the same page.
    for (maker, watcher) in [(&one, &other), (&other, &one), (&other, &one)] {
        let target = create(maker).await;
        let (mine, theirs) = (resumed(maker, &target).await, resumed(watcher, &target).await);
        assert_ne!(mine, theirs);
        maker.evaluate(&mine, "globalThis.n = 1").await;
        assert_eq!(watcher.evaluate(&theirs, "++n").await, 2);
        // A CDP session belongs to one client.
        assert!(watcher.call_on(&mine, "Runtime.evaluate", json!({ "expression": "n" })).await.is_err());
    }
    let target = create(&one).await;
    let (mine, theirs) = (resumed(&one, &target).await, resumed(&other, &target).await);
    // One client pauses a request and disconnects: the request continues, and the other client has
    // the page and its dialog.
    other.open(&Page { target, session: theirs.clone() }, &site.url("/page?shared")).await;
    one.ok(Some(&mine), "Fetch.enable", json!({})).await;
    other.evaluate(&theirs, "globalThis.done = fetch('/page?held').then(got => got.status); 0").await;
    one.event_on(&mine, "Fetch.requestPaused").await;
    let asks = json!({ "expression": "setTimeout(() => { globalThis.said = confirm('?') }); 0" });
    other.ok(Some(&theirs), "Runtime.evaluate", asks).await;
    other.event_on(&theirs, "Page.javascriptDialogOpening").await;
    drop(one);
    eventually("one has gone", async || session(&observer, &id).await["clients"] == 1).await;
    other.ok(Some(&theirs), "Page.handleJavaScriptDialog", json!({ "accept": true })).await;
    assert_eq!(other.evaluate(&theirs, "globalThis.done.then(got => [got, said].join())").await, "200,true");
    // A page that only one client held paused continues without it.
    let leaver = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    attach_to_all(&leaver).await;
    let target = create(&other).await;
    leaver.event_where("Target.attachedToTarget", |told| told["targetInfo"]["targetId"] == target.as_str()).await;
    drop(leaver);
    let theirs = resumed(&other, &target).await;
    assert_eq!(other.evaluate(&theirs, "6 * 7").await, 42);
    drop(other);
    parked(&observer, &id).await;
}
in_each_browser!(clients_share_a_session_as_they_share_a_chrome);

#[tokio::test(flavor = "multi_thread")]
async fn browser_close_disconnects_all_clients() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let one = proxy.connect_to("/?keep_alive=1m").await;
    let other = proxy.connect_to(&format!("/devtools/browser/{}", id_of(&one).await)).await;
    assert_eq!(id_of(&other).await, id_of(&one).await);
    one.ok(None, "Browser.close", json!({})).await;
    for client in [&one, &other] {
        assert!(client.end().await.starts_with("1000 "), "{:?}", client.closed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_clients_of_one_url_share_its_session() {
    let proxy = Proxy::start(Browser::any(), &["--max-clients-per-session", "6"]).await;
    let observer = proxy.connect().await;
    let version: Value = serde_json::from_str(&proxy.http("GET", "/json/version", &[], "").await.body).expect("JSON");
    let url = text(&version, "webSocketDebuggerUrl");
    let path = url.strip_prefix(&format!("ws://{}", proxy.address())).expect("its own address");
    let clients = futures_util::future::join_all((0..6).map(|_| proxy.connect_to(path))).await;
    let mut ids = Vec::new();
    for client in &clients {
        ids.push(id_of(client).await);
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(session(&observer, &ids[0]).await["clients"], 6);
    let told = || proxy.log().lines().filter(|line| line.contains("several clients share a session")).count();
    eventually("it is logged that they share", async || told() > 0).await;
    assert_eq!(told(), 1, "{}", proxy.log());

    let (status, refused) = problem(&proxy.refusal(path).await);
    assert_eq!((status, &refused["type"], &refused["most"]), (409, &json!("urn:ghostmux:many-clients"), &json!(6)));
    assert!(text(&refused, "detail").contains("max_clients_per_session"), "{refused}");
    // Page-level clients do not count, and a takeover is accepted.
    let page = clients[0].page().await;
    let on_page = proxy.connect_to(&format!("/devtools/page/{}", page.target)).await;
    on_page.ok(None, "Runtime.evaluate", json!({ "expression": "1" })).await;
    // All clients are listed, over CDP and HTTP.
    let seen = session(&observer, &ids[0]).await;
    let listed = seen["clientList"].as_array().expect("a list");
    let speaks_to_page = |client: &&Value| client["targetId"] == page.target.as_str();
    assert_eq!((seen["clients"].as_u64(), listed.len(), listed.iter().filter(speaks_to_page).count()), (Some(7), 7, 1));
    let first = |key: &str| listed[0][key].clone();
    assert_eq!((first("id"), first("targetId"), first("exclusive")), (json!(1), Value::Null, json!(false)));
    assert!(first("connectedAt").as_u64() >= seen["createdAt"].as_u64(), "{seen}");
    let by_http = proxy.http("GET", &format!("/v1/sessions/{}", ids[0]), &[], "").await;
    let by_http: Value = serde_json::from_str(&by_http.body).expect("JSON");
    assert_eq!(by_http["clientList"], seen["clientList"]);
    let last = proxy.connect_to(&format!("{path}?takeover=true")).await;
    assert_eq!(id_of(&last).await, ids[0]);
    let seen = session(&observer, &ids[0]).await;
    assert_eq!(seen["clientList"].as_array().map(Vec::len), Some(2), "those that were sent away are gone: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusive_clients_exclude_others() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let observer = proxy.connect().await;
    let alone = proxy.connect_to("/?keep_alive=1m&exclusive=true").await;
    let id = id_of(&alone).await;
    assert_eq!(session(&observer, &id).await["clientList"][0]["exclusive"], true);
    let path = format!("/devtools/browser/{id}");
    let is_refused = async |path: &str, named: &str| {
        let (status, refused) = problem(&proxy.refusal(path).await);
        assert_eq!((status, &refused["type"]), (409, &json!("urn:ghostmux:taken")));
        assert!(text(&refused, "detail").contains(named), "{refused}");
    };
    for query in ["", "?exclusive=true"] {
        is_refused(&format!("{path}{query}"), "connected with exclusive=true").await;
    }
    drop(alone);
    parked(&observer, &id).await;
    let one = proxy.connect_to(&path).await;
    is_refused(&format!("{path}?exclusive=true"), "allows no other").await;
    let other = proxy.connect_to(&path).await;
    let alone = proxy.connect_to(&format!("{path}?exclusive=true&takeover=true")).await;
    for gone in [&one, &other] {
        assert!(gone.end().await.starts_with("4009 taken over"), "{:?}", gone.closed());
    }
    is_refused(&path, "connected with exclusive=true").await;
    let page = alone.page().await;
    let (status, refused) = problem(&proxy.refusal(&format!("/devtools/page/{}?exclusive=true", page.target)).await);
    assert_eq!((status, &refused["field"]), (400, &json!("exclusive")));
    proxy.connect_to(&format!("/devtools/page/{}", page.target)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takeover_disconnects_all_browser_level_clients() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let first = proxy.connect_to("/?keep_alive=1m").await;
    let id = id_of(&first).await;
    let page = first.page().await;
    first.evaluate(&page.session, "globalThis.n = 1").await;
    first.ok(None, "ghost.enable", json!({})).await;

    let path = format!("/devtools/browser/{id}");
    let also = proxy.connect_to(&path).await;
    first.event("ghost.clientAttached").await;
    let beside = proxy.connect_to(&format!("/devtools/page/{}", page.target)).await;
    let attached = first.event("ghost.clientAttached").await;
    assert_eq!(attached["params"]["client"]["targetId"], json!(page.target));
    let evaluate = json!({ "expression": "++n" });
    assert_eq!(beside.ok(None, "Runtime.evaluate", evaluate.clone()).await["result"]["value"], 2);
    // On a page there is no such domain.
    let (code, words) = beside.call("ghost.getSession", json!({})).await.expect_err("a page");
    assert_eq!((code, words.as_str()), (-32601, "'ghost.getSession' wasn't found"));

    let second = proxy.connect_to(&format!("{path}?takeover=true&name=second")).await;
    for gone in [&first, &also] {
        assert!(gone.end().await.starts_with("4009 taken over"), "{:?}", gone.closed());
    }
    assert_eq!(session(&second, &id).await["name"], "second");
    let session_of_page = second.attach(None, &page.target).await;
    assert_eq!(second.evaluate(&session_of_page, "++n").await, 3);
    assert_eq!(beside.ok(None, "Runtime.evaluate", evaluate).await["result"]["value"], 4);
    assert_eq!(session(&second, &id).await["clients"], 2);
    second.ok(None, "ghost.enable", json!({})).await;
    drop(beside);
    second.event("ghost.clientDetached").await;
}
