//! Work that many clients, or one, cause in Chrome at once. As in [`super::greed`], the victim's
//! page is timed.

use std::cell::Cell;

use futures_util::future::join_all;
use serde_json::json;

use super::{
    greed::{LONG, meanwhile},
    stage::Stage,
};
use crate::{
    browsers::{Browser, in_each_browser},
    proxy::{eventually, size},
};

/// R15: many sessions end at once, one with many contexts, one with many pages; clients dispose of
/// many contexts at once.
async fn many_sessions_ending_at_once_do_not_block_the_victim(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let mut clients = Vec::new();
    for _ in 0..size(20, 100) {
        let client = stage.proxy.connect().await;
        client.page_at("about:blank").await;
        clients.push(client);
    }
    let [contexts, pages] = [stage.proxy.connect().await, stage.proxy.connect().await];
    let mut own = Vec::new();
    for at in 0..size(10, 100) {
        pages.page_at("about:blank").await;
        for client in [&contexts, &stage.attacker.client] {
            let context = client.ok(None, "Target.createBrowserContext", json!({})).await;
            let params = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
            if at % 2 == 0 {
                client.ok(None, "Target.createTarget", params).await;
            }
            own.push(context);
        }
    }
    let own = own.into_iter().skip(1).step_by(2);
    meanwhile(&stage, "R15", async {
        clients.push(contexts);
        clients.push(pages);
        drop(clients);
        let client = &stage.attacker.client;
        let dispose = |context| client.call_in(None, "Target.disposeBrowserContext", context, LONG);
        for disposed in join_all(own.map(dispose)).await {
            disposed.expect("R15");
        }
        // A new client does not wait until all contexts are disposed of.
        stage.proxy.connect().await.ok(None, "Browser.getVersion", json!({})).await;
        eventually("every context is disposed of", async || stage.proxy.figure("disposals").await == 0).await;
    })
    .await;
    stage.unharmed("R15").await;
}

in_each_browser!(many_sessions_ending_at_once_do_not_block_the_victim);

/// R16: ten large screenshots at once. A small screenshot of another session does not wait for all
/// of them.
async fn large_screenshots_do_not_delay_small_ones(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let neighbour = stage.proxy.connect().await;
    let page = neighbour.page_at("about:blank").await;
    meanwhile(&stage, "R16", async {
        let side = size(5_000, 10_000);
        let clip = json!({ "clip": { "x": 0, "y": 0, "width": side, "height": side, "scale": 1 } });
        let taken = Cell::new(0);
        let attack = join_all((0..10).map(|_| async {
            let session = Some(stage.attacker.page.session.as_str());
            let shot = stage.attacker.client.call_in(session, "Page.captureScreenshot", clip.clone(), LONG).await;
            assert!(shot.is_ok_and(|shot| shot["data"].is_string()), "R16: no picture");
            taken.set(taken.get() + 1);
        }));
        let small = async {
            let large_ones_wait = async || stage.proxy.figure("screenshots_waiting").await > 0;
            eventually("large screenshots wait", large_ones_wait).await;
            neighbour.call_in(Some(&page.session), "Page.captureScreenshot", json!({}), LONG).await.expect("R16");
            assert!(taken.get() < 10, "R16: a small screenshot waited for all of the large ones");
        };
        tokio::join!(attack, small);
    })
    .await;
    assert_eq!(stage.proxy.figure("screenshots_waiting").await, 0, "R16");
    stage.unharmed("R16").await;
}

in_each_browser!(large_screenshots_do_not_delay_small_ones);
