//! Commands that look harmless and end a bare Chrome. None needs a foreign id.

use serde_json::json;
use tokio::{io::AsyncReadExt as _, net::TcpListener};

use super::stage::{EVERYWHERE, On, Says, Stage, says};
use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
};

/// Z01 to Z06: their arguments are checked, and all sessions continue.
async fn crashing_arguments_do_not_reach_the_browser(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let attacker = &stage.attacker;
    let no_path = || says(-32602, "downloadPath not provided");
    for behavior in ["allow", "allowAndName"] {
        for params in [json!({ "behavior": behavior }), json!({ "behavior": behavior, "downloadPath": "" })] {
            stage.attack("Z01", &EVERYWHERE, "Browser.setDownloadBehavior", params.clone(), no_path()).await;
            stage.attack("Z01", &[On::Page], "Page.setDownloadBehavior", params, no_path()).await;
        }
    }

    attacker.ok(On::Root, "Target.setDiscoverTargets", json!({ "discover": true })).await;
    let closed = attacker.client.page().await;
    attacker.ok(On::Root, "Target.closeTarget", json!({ "targetId": closed.target })).await;
    // At once, and again when the close is known.
    let named = json!({ "targetId": closed.target });
    let early = attacker.call(On::Root, "Browser.getWindowForTarget", named.clone()).await;
    assert!(early.is_err() || early.as_ref().is_ok_and(|found| found.get("windowId").is_some()), "Z02: {early:?}");
    // Its CDP session ends before the target: in between, Chrome itself answers that the session
    // does not exist.
    let gone = |params: &serde_json::Value| params["targetId"] == closed.target.as_str();
    attacker.client.event_where("Target.targetDestroyed", gone).await;
    attacker.ok(On::Root, "Target.setDiscoverTargets", json!({ "discover": false })).await;
    for target in [closed.target.as_str(), "none", "", "00000000000000000000000000000000"] {
        let named = json!({ "targetId": target });
        let nothing = says(-32602, "No target with given id");
        stage.attack("Z02", &EVERYWHERE, "Browser.getWindowForTarget", named, nothing).await;
    }
    // During the close: the order does not matter, there is one answer and the browser lives.
    for _ in 0..10 {
        let page = attacker.client.page().await;
        let named = json!({ "targetId": page.target });
        let first = attacker.client.start(None, "Target.closeTarget", named.clone()).await;
        let second = attacker.client.start(None, "Browser.getWindowForTarget", named).await;
        let third = attacker.client.start(Some(&page.session), "Browser.getWindowForTarget", json!({})).await;
        for id in [first, second, third] {
            attacker.client.reply_to(id).await;
        }
    }
    stage.unharmed("Z02").await;

    let features = json!({ "features": [] });
    for result in stage.answers("Z03", &[On::Page], "Emulation.setDisplayFeaturesOverride", features).await {
        assert_eq!(result, json!({}), "Z03");
    }
    for step in [json!(0), json!(-1), json!(0.0), json!(-2_147_483_648_i64)] {
        let params = json!({ "everyNthFrame": step });
        let positive = says(-32602, "everyNthFrame must be a positive integer");
        stage.attack("Z04", &[On::Page], "Page.startScreencast", params, positive).await;
    }
    let cookies = json!({ "cookies": [{ "name": "a", "value": "b", "url": stage.site.origin() }] });
    let workers = [On::Worker, On::Shared, On::Service];
    stage.attack("Z05", &workers, "Network.setCookies", cookies, Says::Refused).await;
    for origin in ["https://x.test", "https://example.com"] {
        let params = json!({ "api": "BiddingAndAuctionServices", "coordinatorOrigin": origin, "keyConfig": "{}" });
        let method = "Browser.addPrivacySandboxCoordinatorKeyConfig";
        stage.attack("Z06", &EVERYWHERE, method, params, Says::Refused).await;
    }
    stage.unharmed("Z01 Z02 Z03 Z04 Z05 Z06").await;
}

in_each_browser!(crashing_arguments_do_not_reach_the_browser);

/// A proxy that reads the beginning of each request, and closes.
async fn closing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    address
}

/// Z13: a context goes while its page has just failed to load.
async fn contexts_may_go_at_once_after_a_page_failed_to_load(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let proxy = format!("http://{}", closing().await);
    for round in 0..6 {
        let client = stage.proxy.connect().await;
        let params = json!({ "proxyServer": proxy });
        let context = text(&client.ok(None, "Target.createBrowserContext", params).await, "browserContextId");
        let page = client.page_in(Some(&context), "about:blank").await;
        let params = json!({ "url": "http://example.com/" });
        let failed = client.ok(Some(&page.session), "Page.navigate", params).await;
        assert_eq!(failed["errorText"], "net::ERR_EMPTY_RESPONSE", "Z13");
        if round % 2 == 0 {
            client.ok(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await;
        }
    }
    stage.unharmed("Z13").await;
}

in_each_browser!(contexts_may_go_at_once_after_a_page_failed_to_load);
