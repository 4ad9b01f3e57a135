//! The test fixtures themselves, on which all other tests depend.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::Proxy,
    raw::Raw,
    site::Site,
};

async fn a_client_opens_a_page_and_leaves_nothing(browser: Browser) {
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

in_each_browser!(a_client_opens_a_page_and_leaves_nothing);

/// A command that is sent with the handshake must wait until the session knows its first page. Once
/// such a client was told of a browser without pages, if it was faster than the link's event about
/// that page.
#[tokio::test]
async fn pipelined_commands_see_the_first_page() {
    for (warm, rounds) in [("0", 5), ("2", 15)] {
        let proxy = Proxy::start(Browser::any(), &["--warm", warm]).await;
        for round in 0..rounds {
            let hurried = r#"{"id":1,"method":"Target.setDiscoverTargets","params":{"discover":true}}"#;
            let mut client = Raw::connect_with(&proxy, &[hurried]).await;
            let mut told = Vec::new();
            loop {
                let text = client.next().await;
                let message: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{round}: {text}"));
                if message["id"] == 1 {
                    assert_eq!(message["result"], json!({}), "{round}");
                    break;
                }
                told.push(message["params"]["targetInfo"].clone());
            }
            let pages: Vec<_> = told.iter().filter(|info| info["type"] == "page").collect();
            assert_eq!(pages.len(), 1, "{warm} warm, round {round}: before the reply it was told of {told:?}");
            assert_eq!(pages[0]["url"], "about:blank", "{warm} warm, round {round}");
        }
    }
}
