//! Windows that a page opens by a command, and that page's next navigation.

use std::time::Duration;

use serde_json::json;

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    proxy::Proxy,
    site::Site,
};

/// On a plain Chrome both pages crash: the opener's process handles the navigation inside `window.open`.
async fn a_page_goes_to_another_site_while_its_window_waits(browser: Browser) {
    let site = Site::start().await;
    let proxy = Proxy::start(browser, &[]).await;
    let client = proxy.connect().await;
    client.ok(None, "Target.setDiscoverTargets", json!({ "discover": true })).await;
    let (here, other) = (site.url("/page?opener"), site.url_at("localhost", "/page?other"));
    let history = "Page.navigateToHistoryEntry";
    for method in ["Page.navigate", history] {
        let page = client.page_at(&other).await;
        client.open(&page, &here).await;
        let session = Some(page.session.as_str());
        client.ok(session, "Runtime.enable", json!({})).await;
        let wait = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
        client.ok(None, "Target.setAutoAttach", wait).await;
        let script =
            json!({ "expression": "!!window.open('/page?window')", "userGesture": true, "returnByValue": true });
        let opened = client.start(session, "Runtime.evaluate", script).await;
        let is_new = |told: &serde_json::Value| told["waitingForDebugger"] == true;
        let window = text(&client.event_where("Target.attachedToTarget", is_new).await, "sessionId");
        let params = if method == history {
            let history = client.ok(session, "Page.getNavigationHistory", json!({})).await;
            json!({ "entryId": history["entries"][0]["id"] })
        } else {
            json!({ "url": other })
        };
        let left = client.start(session, method, params).await;
        // As long as it takes a navigation on a plain Chrome to crash both.
        let crash = |frame: &serde_json::Value| frame["method"] == "Target.targetCrashed";
        let crashed = client.wait_or_close(Duration::from_millis(400), crash).await;
        assert!(crashed.is_err(), "{method}: {crashed:?}");
        client.ok(Some(&window), "Runtime.runIfWaitingForDebugger", json!({})).await;
        // It may also be overtaken by the navigation, as on a plain Chrome.
        let reply = client.reply_to(opened).await;
        let overtaken = reply["error"]["message"] == "Inspected target navigated or closed";
        assert!(overtaken || reply["result"]["result"]["value"] == true, "{method}: {reply}");
        let reply = client.reply_to(left).await;
        assert!(reply["result"].is_object() && reply["result"]["errorText"].is_null(), "{method}: {reply}");
        client
            .wait("the other site", crate::client::DEADLINE, |frame| {
                frame["method"] == "Target.targetInfoChanged"
                    && frame["params"]["targetInfo"]["targetId"] == page.target.as_str()
                    && frame["params"]["targetInfo"]["url"] == other.as_str()
            })
            .await;
        for session in [&page.session, &window] {
            assert_eq!(client.evaluate(session, "6 * 7").await, 42, "{method}");
        }
        client
            .ok(
                None,
                "Target.setAutoAttach",
                json!({ "autoAttach": false, "waitForDebuggerOnStart": false, "flatten": true }),
            )
            .await;
        client.forget_events("Target.attachedToTarget");
        client.forget_events("Target.targetInfoChanged");
    }
}
in_each_browser!(a_page_goes_to_another_site_while_its_window_waits);
