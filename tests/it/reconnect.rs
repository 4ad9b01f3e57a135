//! A session outlives its socket: a client that reconnects finds the pages as they were, and none
//! of them blocked by something the client before had begun.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Page, text},
    proxy::{Proxy, eventually},
    site::Site,
};

/// Time limit for a restored state, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// The id of a client's session.
pub(crate) async fn id_of(client: &Client) -> String {
    text(&client.ok(None, "ghost.getSession", json!({})).await["session"], "id")
}

/// A session as another client sees it.
pub(crate) async fn session(by: &Client, id: &str) -> Value {
    by.ok(None, "ghost.getSession", json!({ "id": id })).await["session"].clone()
}

/// Waits until a session is parked.
pub(crate) async fn parked(by: &Client, id: &str) {
    eventually("the session is parked", async || session(by, id).await["state"] == "parked").await;
}

/// Reconnects to a session and attaches to one of its pages.
async fn reconnect(proxy: &Proxy, id: &str, page: &Page) -> (Client, Page) {
    let client = proxy.connect_to(&format!("/devtools/browser/{id}")).await;
    let session = client.attach(None, &page.target).await;
    (client, Page { target: page.target.clone(), session })
}

async fn reconnecting_client_finds_pages_contexts_and_heap(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let site = Site::start().await;
    let observer = proxy.connect().await;
    let client = proxy.connect_to("/?keep_alive=60s&name=crawl").await;
    let id = id_of(&client).await;
    let page = client.page_at(&site.url("/page?back")).await;
    client.evaluate(&page.session, "globalThis.kept = { n: 41 }; document.body.append('more')").await;
    let context = text(
        &client.ok(None, "Target.createBrowserContext", json!({"disposeOnDetach": true})).await,
        "browserContextId",
    );
    let other = client.page_in(Some(&context), &site.url("/page?other")).await;
    let url = format!("ws://{}/devtools/browser/{id}", proxy.address());
    assert_eq!(session(&client, &id).await["webSocketDebuggerUrl"], url);
    // A killed client sends no close frame.
    drop(client);
    parked(&observer, &id).await;
    let seen = session(&observer, &id).await;
    assert_eq!(
        (&seen["clients"], &seen["expiresBy"], &seen["name"]),
        (&json!(0), &json!("keepAlive"), &json!("crawl"))
    );

    let (client, page) = reconnect(&proxy, &id, &page).await;
    assert_eq!(client.evaluate(&page.session, "++kept.n").await, 42);
    assert_eq!(client.evaluate(&page.session, "document.body.innerText").await, "body-backmore");
    assert_eq!(client.evaluate(&page.session, "document.cookie").await, "marker=back");
    let contexts = client.ok(None, "Target.getBrowserContexts", json!({})).await;
    assert_eq!(contexts["browserContextIds"], json!([context]));
    let other = client.attach(None, &other.target).await;
    assert_eq!(client.evaluate(&other, "document.cookie").await, "marker=other");
    assert_eq!(session(&observer, &id).await["state"], "active");
    // The client does not see what the proxy does during the restore.
    let attached: Vec<_> =
        client.events().iter().filter(|event| event["method"] == "Target.attachedToTarget").cloned().collect();
    assert_eq!(attached.len(), 2, "{attached:?}");
}

in_each_browser!(reconnecting_client_finds_pages_contexts_and_heap);

/// Ways in which a lost client can leave a page blocked, and the expression that shows that the
/// page is free.
async fn block_page(client: &Client, site: &Site, how: &str) -> Page {
    let page = client.page_at(&site.url("/page?stuck")).await;
    let on = Some(page.session.as_str());
    let start = async |expression: &str| {
        client.start(on, "Runtime.evaluate", json!({ "expression": expression, "userGesture": true })).await;
    };
    match how {
        "dialog" => {
            start("alert('one'); globalThis.after = 'dialog'").await;
            client.event_on(&page.session, "Page.javascriptDialogOpening").await;
        }
        "dialogs" => {
            start("for (let n = 0; n < 40; n++) confirm('again'); globalThis.after = 'dialogs'").await;
            client.event_on(&page.session, "Page.javascriptDialogOpening").await;
        }
        "later dialog" => {
            client
                .evaluate(
                    &page.session,
                    "setTimeout(() => { alert('late'); globalThis.after = 'later dialog' }, 700); 1",
                )
                .await;
        }
        "debugger" => {
            client.ok(on, "Debugger.enable", json!({})).await;
            start("debugger; globalThis.after = 'debugger'").await;
            client.event_on(&page.session, "Debugger.paused").await;
        }
        "fetch" => {
            client.ok(on, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*" }] })).await;
            start("fetch('/page?fetched').then(() => globalThis.after = 'fetch')").await;
            client.event_on(&page.session, "Fetch.requestPaused").await;
        }
        "worker" => {
            let wait = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
            client.ok(on, "Target.setAutoAttach", wait).await;
            start("new Worker('/worker.js').onmessage = () => 0; const w = new Worker('/worker.js'); w.onmessage = () => globalThis.after = 'worker'; w.postMessage(1)").await;
            // The second worker may still be starting when its client disconnects.
            client.event_on(&page.session, "Target.attachedToTarget").await;
        }
        "popup" => {
            let wait = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
            client.ok(None, "Target.setAutoAttach", wait).await;
            client.forget_events("Target.attachedToTarget");
            start("new BroadcastChannel('loaded').onmessage = () => globalThis.after = 'popup'; window.open('/page?popup')").await;
            let waits = |params: &Value| params["waitingForDebugger"] == true;
            client.event_where("Target.attachedToTarget", waits).await;
        }
        "tab" => {
            let filter = json!([{ "type": "page", "exclude": true }, {}]);
            let wait = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": filter });
            client.ok(None, "Target.setAutoAttach", wait).await;
            client.forget_events("Target.attachedToTarget");
            start(
                "new BroadcastChannel('loaded').onmessage = () => globalThis.after = 'tab'; window.open('/page?popup')",
            )
            .await;
            let waits = |params: &Value| params["targetInfo"]["type"] == "tab" && params["waitingForDebugger"] == true;
            client.event_where("Target.attachedToTarget", waits).await;
        }
        _ => unreachable!("{how}"),
    }
    page
}

async fn lost_clients_leave_no_page_blocked(browser: Browser) {
    let proxy = Proxy::start(browser, &["--warm", "4"]).await;
    let site = Site::start().await;
    let observer = proxy.connect().await;
    let all = ["dialog", "dialogs", "later dialog", "debugger", "fetch", "worker", "popup", "tab"];
    let one = async |how: &str| {
        let client = proxy.connect_to("/?keep_alive=2m").await;
        let id = id_of(&client).await;
        let page = block_page(&client, &site, how).await;
        drop(client);
        parked(&observer, &id).await;
        let (client, page) = reconnect(&proxy, &id, &page).await;
        let free = format!(
            "new Promise(done => {{ const look = () => globalThis.after === '{how}' ? done('free') : setTimeout(look, 20); look() }})"
        );
        assert_eq!(client.evaluate_in(&page.session, &free, PATIENCE).await, "free", "{how}");
    };
    for how in all {
        one(how).await;
    }
}

in_each_browser!(lost_clients_leave_no_page_blocked);

async fn pages_of_parked_sessions_are_not_blocked_by_dialogs(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let site = Site::start().await;
    let client = proxy.connect_to("/?keep_alive=2m").await;
    let id = id_of(&client).await;
    let page = client.page_at(&site.url("/page?alone")).await;
    let ticks = "globalThis.ticks = 0; setInterval(() => { confirm('still there?'); ticks++ }, 20); 1";
    client.evaluate(&page.session, ticks).await;
    let observer = proxy.connect().await;
    client.ok(None, "ghost.park", json!({})).await;
    parked(&observer, &id).await;
    let (client, page) = reconnect(&proxy, &id, &page).await;
    // Also with a client that has not enabled dialog events.
    let more = "new Promise(done => { const until = ticks + 5; const look = () => ticks > until ? done('runs') : setTimeout(look, 20); look() })";
    assert_eq!(client.evaluate_in(&page.session, more, PATIENCE).await, "runs");
    // A client that has enabled them receives the dialog, and only its answer counts.
    client.start(Some(&page.session), "Page.enable", json!({})).await;
    client.event_on(&page.session, "Page.javascriptDialogOpening").await;
    eventually("its dialog waits for it", async || {
        client.call_on(&page.session, "Page.handleJavaScriptDialog", json!({ "accept": true })).await.is_ok()
    })
    .await;
}

in_each_browser!(pages_of_parked_sessions_are_not_blocked_by_dialogs);
