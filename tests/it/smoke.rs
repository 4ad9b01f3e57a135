//! The nouns themselves: what every other test stands on.

use serde_json::json;

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::Proxy,
    site::Site,
};

async fn a_client_opens_a_page_and_all_is_gone_afterwards(browser: Browser) {
    let proxy = Proxy::start(browser, &["--strict"]).await;
    let site = Site::start().await;
    let client = proxy.connect().await;
    let page = client.page_at(&site.url("/page?smoke")).await;
    assert_eq!(client.evaluate(&page.session, "document.cookie").await, "marker=smoke");
    assert_eq!(client.evaluate(&page.session, "document.title").await, "title-smoke");
    assert!(!proxy.browser_processes().is_empty());
    let version = proxy.http("GET", "/json/version", &[], "").await;
    assert_eq!(version.status, 200, "{version:?}");
    assert!(client.call("Nope.nope", json!({})).await.is_err());
    let other = proxy.connect().await;
    drop(client);
    other.ok(None, "Browser.close", json!({})).await;
    assert!(other.end().await.starts_with("1000"), "{:?}", other.closed());
}

in_each_browser!(a_client_opens_a_page_and_all_is_gone_afterwards);
