//! Chrome's own URLs and invalid URLs: both kinds of browser answer as headless shell does.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    proxy::Proxy,
};

/// Checks the result of the failed navigation and the network events of its request.
async fn navigation_to_a_chrome_url_fails_as_in_headless_shell(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let neighbour = other.page().await;
    let page = client.page().await;
    let session = Some(page.session.as_str());
    for domain in ["Page.enable", "Network.enable"] {
        client.ok(session, domain, json!({})).await;
    }
    // On a bare browser the second URL ends a headless shell if opened twice, and the third ends
    // full Chrome.
    for url in ["chrome://newtab/", "chrome://gpu", "chrome://settings", "about:version"] {
        for method in ["Network.requestWillBeSent", "Network.loadingFailed"] {
            client.forget_events(method);
        }
        let went = client.ok(session, "Page.navigate", json!({ "url": url })).await;
        assert_eq!((&went["frameId"], &went["errorText"]), (&json!(page.target), &json!("net::ERR_INVALID_URL")));
        let sent = client.event_where("Network.requestWillBeSent", |event| event["type"] == "Document").await;
        assert_eq!(sent["loaderId"], went["loaderId"], "{url}: {sent}");
        assert!(sent["request"]["url"].as_str().is_some_and(|said| said.ends_with(url)), "{url}: {sent}");
        let failed = client.event_where("Network.loadingFailed", |event| event["requestId"] == sent["requestId"]).await;
        assert_eq!(failed["errorText"], "net::ERR_INVALID_URL", "{url}: {failed}");
    }
    client.open(&page, "data:text/html,<body>there").await;
    assert_eq!(client.evaluate(&page.session, "document.body.textContent").await, "there");
    assert_eq!(other.evaluate(&neighbour.session, "1").await, 1);
}

async fn new_pages_at_invalid_urls_are_blank(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let client = proxy.connect().await;
    for url in ["chrome://newtab/", "chrome://settings", "example.test", "about:srcdoc", "localhost:1"] {
        let made = client.ok(None, "Target.createTarget", json!({ "url": url })).await;
        let session = client.attach(None, &text(&made, "targetId")).await;
        assert_eq!(client.evaluate(&session, "location.href").await, "about:blank", "{url}");
        client.ok(None, "Target.closeTarget", made).await;
        let made = proxy.http("PUT", &format!("/json/new?{url}"), &[], "").await;
        assert_eq!(made.status, 200, "{url}: {}", made.body);
        let made: Value = serde_json::from_str(&made.body).expect("a page");
        assert_eq!((&made["type"], &made["url"]), (&json!("page"), &json!("about:blank")), "{url}");
    }
}

/// The page crashes as with `Page.crash`; other pages do not.
async fn navigation_to_chrome_crash_crashes_only_that_page(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let neighbour = other.page().await;
    let (page, second) = (client.page().await, client.page().await);
    for domain in ["Page.enable", "Inspector.enable"] {
        client.ok(Some(&page.session), domain, json!({})).await;
    }
    let went = client.ok(Some(&page.session), "Page.navigate", json!({ "url": "chrome://crash" })).await;
    assert_eq!(went, json!({ "frameId": page.target, "errorText": "net::ERR_ABORTED" }));
    client.event_on(&page.session, "Inspector.targetCrashed").await;
    client.forget_events("Page.loadEventFired");
    client.ok(Some(&page.session), "Page.navigate", json!({ "url": "data:text/html,<body>back" })).await;
    client.event_on(&page.session, "Page.loadEventFired").await;
    assert_eq!(client.evaluate(&page.session, "document.body.textContent").await, "back");
    assert_eq!(client.evaluate(&second.session, "1").await, 1);
    assert_eq!(other.evaluate(&neighbour.session, "1").await, 1);
}

in_each_browser!(navigation_to_a_chrome_url_fails_as_in_headless_shell);
in_each_browser!(new_pages_at_invalid_urls_are_blank);
in_each_browser!(navigation_to_chrome_crash_crashes_only_that_page);
