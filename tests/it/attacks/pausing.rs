//! Auto-attach that pauses targets must pause and report only own targets.

use serde_json::{Value, json};

use super::{
    rows::{Arena, rows_in_each_browser},
    stage::{On, Stage},
    victim::learned_nothing,
};
use crate::client::{Client, Page, text};

/// Opens everything that can be paused: popups with and without an opener, and workers of three
/// kinds.
const STARTS: &str = "new Promise((done, fail) => {
    const heard = new Set(), all = ['opener', 'noopener', 'worker', 'shared', 'service']
    const hear = what => { heard.add(what); if (all.every(one => heard.has(one))) done('all run') }
    setTimeout(() => fail(new Error('only these run: ' + [...heard])), 8000)
    new BroadcastChannel('loaded').onmessage = event => hear(event.data.split('-').pop())
    window.open('/page?MARKER-opener')
    window.open('/page?MARKER-noopener', '_blank', 'noopener')
    const worker = new Worker('/worker.js')
    worker.onmessage = () => hear('worker')
    worker.postMessage(0)
    const shared = new SharedWorker('/shared.js?NAME').port
    shared.onmessage = () => hear('shared')
    shared.postMessage(0)
    navigator.serviceWorker.register('/service.js?NAME').then(() => navigator.serviceWorker.ready).then(() => hear('service'))
})";

/// Another client with a secret, which opens targets while the attacker waits for debuggers.
async fn other_client_opens_targets(stage: &Stage, name: &str) -> (Client, Page) {
    let client = stage.proxy.connect().await;
    let page = client.page_at(&stage.site.url(&format!("/page?{}-{name}", stage.victim.marker))).await;
    let all_run = open_targets(&client, &page, &stage.victim.marker, name).await;
    assert_eq!(all_run, "all run", "{name}");
    (client, page)
}

async fn open_targets(client: &Client, page: &Page, marker: &str, name: &str) -> Value {
    client.evaluate(&page.session, &STARTS.replace("MARKER", marker).replace("NAME", name)).await
}

/// A01, A02, A03, A05: auto-attach, with and without waiting, reports own targets only; others run
/// on.
async fn waiting_for_a_debugger_pauses_only_own_targets(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let puppeteer = json!([{ "type": "page", "exclude": true }, {}]);
    for (row, wait, filter) in [("A01", true, None), ("A02", true, Some(puppeteer)), ("A03", false, None)] {
        let attacker = stage.proxy.connect().await;
        let mut params = json!({ "autoAttach": true, "waitForDebuggerOnStart": wait, "flatten": true });
        if let Some(filter) = filter {
            params["filter"] = filter;
        }
        attacker.ok(None, "Target.setAutoAttach", params).await;
        let other = other_client_opens_targets(&stage, row).await;
        // An own target is reported and paused, so a foreign one would have been too.
        let created =
            text(&attacker.ok(None, "Target.createTarget", json!({ "url": "about:blank" })).await, "targetId");
        let own = |params: &Value| params["waitingForDebugger"] == wait;
        attacker.event_where("Target.attachedToTarget", own).await;
        let named = json!({ "targetId": created });
        let info = attacker.ok(None, "Target.getTargetInfo", named).await;
        assert_eq!(info["targetInfo"]["type"], "page", "{row}: {info}");
        let context = &info["targetInfo"]["browserContextId"];
        for event in attacker.events().iter().filter(|event| event["method"] == "Target.attachedToTarget") {
            assert_eq!(event["params"]["targetInfo"]["browserContextId"], *context, "{row}: {event}");
        }
        learned_nothing(&attacker, &stage.victim, row, 0);
        stage.unharmed(row).await;
        drop(other);
    }
    // Below a page, workers of its site are reported only if they are in the own context.
    let wait = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
    for on in [On::Page, On::Tab, On::Worker, On::Shared, On::Service] {
        let _ = stage.attacker.call(on, "Target.setAutoAttach", wait.clone()).await;
    }
    let other = other_client_opens_targets(&stage, "A05").await;
    stage.unharmed("A05").await;
    drop(other);
}

/// A04: a client that disconnects while others open targets leaves nothing paused.
async fn a_disconnected_client_leaves_no_target_paused(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let wait = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
    let attacker = stage.proxy.connect().await;
    attacker.ok(None, "Target.setAutoAttach", wait.clone()).await;
    let bystander = stage.proxy.connect().await;
    let page = bystander.page_at(&stage.site.url(&format!("/page?{}-A04", stage.victim.marker))).await;
    let leave = async {
        stage.site.arrived("-opener").await;
        drop(attacker);
    };
    let (all_run, ()) = tokio::join!(open_targets(&bystander, &page, &stage.victim.marker, "A04"), leave);
    assert_eq!(all_run, "all run", "A04");
    stage.unharmed("A04").await;
}

/// As A04 within one session: a second root of the client waits and is then detached.
async fn a_detached_root_leaves_no_target_paused(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let client = stage.proxy.connect().await;
    let page = client.page_at(&stage.site.url("/page?first")).await;
    let root = text(&client.ok(None, "Target.attachToBrowserTarget", json!({})).await, "sessionId");
    let wait = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
    client.ok(Some(&root), "Target.setAutoAttach", wait).await;
    let opened = "{ const popup = window.open('/page?second'); new Promise(done => popup.onload = () => done('ran')) }";
    let params = json!({ "expression": opened, "awaitPromise": true, "userGesture": true, "returnByValue": true });
    let id = client.start(Some(&page.session), "Runtime.evaluate", params).await;
    let popup = |params: &Value| params["waitingForDebugger"] == true && params["targetInfo"]["type"] == "page";
    client.event_where("Target.attachedToTarget", popup).await;
    client.ok(None, "Target.detachFromTarget", json!({ "sessionId": root })).await;
    let reply = client.reply_to(id).await;
    assert_eq!(reply["result"]["result"]["value"], "ran", "A04: {reply}");
    stage.unharmed("A04").await;
}

rows_in_each_browser! {
    waiting_for_a_debugger_pauses_only_own_targets,
    a_disconnected_client_leaves_no_target_paused,
    a_detached_root_leaves_no_target_paused,
}
