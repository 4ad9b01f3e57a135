//! Targets that have ended while a CDP session still holds them: commands that make Chrome look up
//! their process must not reach it.

use serde_json::{Value, json};

use super::{
    rows::{Arena, rows_in_each_browser},
    stage::{On, Says, Stage, says},
};
use crate::client::text;

fn of_kind(kind: &str) -> impl Fn(&Value) -> bool {
    move |params| params["targetInfo"]["type"] == kind
}

/// Z07: a second attach to a shared worker that has ended while a CDP session is attached ends
/// Chrome.
async fn a_shared_worker_has_one_cdp_session_at_a_time(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let client = &stage.attacker.client;
    client.ok(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await;
    for round in 0..8 {
        let page = client.page_at(&stage.site.url("/attacker?shared")).await;
        client.forget_events("Target.targetCreated");
        client.evaluate(&page.session, &format!("window.own = new SharedWorker('/shared.js?{round}'); 0")).await;
        let created = client.event_where("Target.targetCreated", of_kind("shared_worker")).await;
        let worker = json!({ "targetId": created["targetInfo"]["targetId"], "flatten": true });
        // Also right after its creation, when the proxy has just attached to it itself.
        let first = text(&client.ok(None, "Target.attachToTarget", worker.clone()).await, "sessionId");
        let attach = || client.call("Target.attachToTarget", worker.clone());
        let refused = attach().await.expect_err("a CDP session is attached");
        assert!(refused.1.contains("refused for a shared worker"), "Z07: {refused:?}");
        client.start(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
        for _ in 0..40 {
            assert!(attach().await.is_err(), "Z07: the first CDP session is still there");
        }
        client.ok(None, "Target.detachFromTarget", json!({ "sessionId": first })).await;
        // The worker may live a moment longer: then this CDP session is the only one.
        let _ = attach().await;
    }
    stage.unharmed("Z07").await;
}

/// Z08: a response body requested from a worker that has ended.
async fn response_bodies_of_ended_workers_are_refused(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, client) = (&stage.attacker, &stage.attacker.client);
    let body = json!({ "requestId": "1" });
    stage.attack("Z08", &[On::Shared, On::Service], "Network.getResponseBody", body.clone(), Says::Refused).await;
    let bucket = json!({ "bucket": { "storageKey": stage.site.url("/"), "name": "" } });
    stage.attack("Z08", &[On::Shared, On::Service], "Storage.deleteStorageBucket", bucket, Says::Refused).await;
    let url = stage.site.url("/x");
    let resource = json!({ "url": url, "options": { "disableCache": true, "includeCredentials": true } });
    stage.attack("Z08", &[On::Shared, On::Service], "Network.loadNetworkResource", resource, Says::Refused).await;
    // A dedicated worker whose page does not auto-attach to it.
    client.ok(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await;
    let page = client.page_at(&stage.site.url("/attacker?dedicated")).await;
    client.forget_events("Target.targetCreated");
    client.evaluate(&page.session, "window.own = new Worker('/worker.js'); 0").await;
    let created = client.event_where("Target.targetCreated", of_kind("worker")).await;
    let worker = text(&created["targetInfo"], "targetId");
    for on in [None, Some(page.session.as_str())] {
        let session = client.attach(on, &worker).await;
        let refused = client.call_on(&session, "Network.getResponseBody", body.clone()).await.expect_err("refused");
        assert!(refused.1.contains("refused"), "Z08: {refused:?}");
    }
    // A worker that its page auto-attaches to may be asked, until it ends and after.
    let own = attacker.session(On::Worker).expect("a worker");
    let unknown = says(-32000, "No resource with given identifier found");
    stage.attack("Z08", &[On::Worker], "Network.getResponseBody", body.clone(), unknown).await;
    attacker.evaluate("window.own.terminate(); 0").await;
    for _ in 0..40 {
        assert!(client.call_on(own, "Network.getResponseBody", body.clone()).await.is_err(), "Z08");
    }
    stage.unharmed("Z08").await;
}

/// Z09 and Z10: synthesized gestures on a page that has crashed, and screen recording.
async fn gestures_on_crashed_pages_are_refused(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, client) = (&stage.attacker, &stage.attacker.client);
    attacker.evaluate("document.body.style.height = '9000px'; 0").await;
    let scroll = json!({ "x": 50, "y": 50, "yDistance": -300 });
    client.ok(Some(&attacker.page.session), "Input.synthesizeScrollGesture", scroll.clone()).await;
    let scrolled = "new Promise(done => { const look = () => scrollY ? done(scrollY > 0) : requestAnimationFrame(look); look(); })";
    assert_eq!(attacker.evaluate(scrolled).await, true, "a wheel turns instead");

    let page = client.page_at(&stage.site.url("/attacker?crashes")).await;
    client.start(Some(&page.session), "Page.crash", json!({})).await;
    client.event_on(&page.session, "Inspector.targetCrashed").await;
    for (method, params) in [
        ("Input.synthesizeTapGesture", json!({ "x": 1, "y": 1 })),
        ("Input.synthesizePinchGesture", json!({ "x": 1, "y": 1, "scaleFactor": 2 })),
    ] {
        let refused = client.call_on(&page.session, method, params).await.expect_err("refused");
        assert!(refused.1.contains("refused"), "Z09: {refused:?}");
    }
    client.start(Some(&page.session), "Input.synthesizeScrollGesture", scroll).await;

    // Recording is refused on every page: stopping it before it has begun ends the browser.
    for method in ["Page.startScreenRecording", "Page.stopScreenRecording"] {
        stage.attack("Z10", &[On::Page], method, json!({}), Says::Refused).await;
    }

    // A page is printed after it has answered, so a crashed page is not; a working one is, also
    // several times at once.
    for _ in 0..3 {
        client.start(Some(&page.session), "Page.printToPDF", json!({})).await;
    }
    let own = Some(attacker.page.session.as_str());
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(client.start(own, "Page.printToPDF", json!({})).await);
    }
    for id in asked {
        let printed = client.reply_to(id).await;
        assert!(printed["result"]["data"].is_string(), "Z09: {printed}");
    }
    stage.unharmed("Z09").await;
}

/// Z12: scripts in the empty document of a page that has crashed and whose next navigation came to nothing.
async fn commands_wait_until_a_crashed_page_has_a_document(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let client = &stage.attacker.client;
    for ends in ["stopped", "a download"] {
        let page = client.page_at(&stage.site.url("/attacker?crashes")).await;
        let session = Some(page.session.as_str());
        client.ok(session, "Page.enable", json!({})).await;
        client.start(session, "Page.crash", json!({})).await;
        client.event_on(&page.session, "Inspector.targetCrashed").await;
        let path = if ends == "stopped" { "/late" } else { "/slow?file" };
        client.start(session, "Page.navigate", json!({ "url": stage.site.url(path) })).await;
        stage.site.arrived(path).await;
        if ends == "stopped" {
            client.start(session, "Page.stopLoading", json!({})).await;
        }
        client.event_on(&page.session, "Page.frameStoppedLoading").await;
        let mut waiting = Vec::new();
        for script in ["document.documentElement.append(document.createElement('iframe')); 1", "!!open('about:blank')"]
        {
            let params = json!({ "expression": script, "userGesture": true, "returnByValue": true });
            waiting.push(client.start(session, "Runtime.evaluate", params).await);
        }
        let html = json!({ "frameId": page.target, "html": "<iframe></iframe>" });
        waiting.push(client.start(session, "Page.setDocumentContent", html).await);
        stage.unharmed(&format!("Z12 {ends}")).await;
        // They run in the page's next document.
        client.ok(session, "Page.navigate", json!({ "url": stage.site.url("/attacker?again") })).await;
        for id in waiting {
            let done = client.reply_to(id).await;
            assert!(done.get("result").is_some(), "Z12 {ends}: {done}");
        }
        client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
        stage.site.release();
    }
    stage.attack("Z12", &[On::Worker, On::Shared, On::Service], "Page.crash", json!({}), Says::Refused).await;
    stage.unharmed("Z12").await;
}

/// Z11: what Chrome knows of a worker only when its script has arrived, asked before.
async fn isolation_of_starting_workers_is_not_asked(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let client = &stage.attacker.client;
    client.ok(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await;
    let page = client.page_at(&stage.site.url("/attacker?starting")).await;
    client.forget_events("Target.targetCreated");
    client.evaluate(&page.session, "window.own = new Worker('/late?dedicated'); 0").await;
    let created = client.event_where("Target.targetCreated", of_kind("worker")).await;
    for on in [None, Some(page.session.as_str())] {
        let session = client.attach(on, &text(&created["targetInfo"], "targetId")).await;
        let asked = client.call_on(&session, "Network.getSecurityIsolationStatus", json!({})).await;
        let refused = asked.expect_err("refused");
        assert!(refused.1.contains("refused on a worker"), "Z11: {refused:?}");
    }
    let every = [On::Worker, On::Shared, On::Service];
    stage.attack("Z11", &every, "Network.getSecurityIsolationStatus", json!({}), Says::Refused).await;
    stage.unharmed("Z11").await;
}

rows_in_each_browser! {
    isolation_of_starting_workers_is_not_asked,
    a_shared_worker_has_one_cdp_session_at_a_time,
    response_bodies_of_ended_workers_are_refused,
    gestures_on_crashed_pages_are_refused,
    commands_wait_until_a_crashed_page_has_a_document,
}
