//! Pages that are closed while they navigate.

use std::time::Duration;

use serde_json::json;

use crate::{
    browsers::Browser,
    client::{DEADLINE, Page, text},
    proxy::Proxy,
    site::Site,
};

/// Of 100 pages that are closed in the first 20 ms of a navigation, the headless shell forgets 20 to
/// close by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_closed_while_it_navigates_ends() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let site = Site::start().await;
    let clients = futures_util::future::join_all((0..4).map(|_| proxy.connect())).await;
    let closed = clients.iter().map(async |client| {
        for after in 0..15 {
            let Page { target, session } = client.page_at(&site.url("/")).await;
            client.start(Some(&session), "Page.navigate", json!({ "url": site.url("/?next") })).await;
            // Different phases of the navigation.
            tokio::time::sleep(Duration::from_millis(after)).await;
            client.ok(None, "Target.closeTarget", json!({ "targetId": target })).await;
            let ends = |event: &serde_json::Value| {
                event["method"] == "Target.detachedFromTarget" && text(&event["params"], "sessionId") == session
            };
            client.wait("the end of the page", DEADLINE, ends).await;
        }
    });
    futures_util::future::join_all(closed).await;
}
