//! Clients that use as many resources as they can. The victim's page is timed during each attack:
//! it may answer at most three seconds later than without it.
//!
//! The sizes are small enough for every run; with `GHOSTMUX_TEST_LONG` they are those measured on a
//! bare Chrome.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    frames::resident,
    stage::{On, Stage},
};
use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    client::{Client, DEADLINE},
    proxy::{Proxy, eventually, size},
};

/// How much longer the victim may wait than without the attack.
const MORE: Duration = Duration::from_secs(3);
/// Time limit of an attack.
pub(super) const LONG: Duration = Duration::from_secs(120);

/// Times the victim's page while the attack runs.
pub(super) async fn meanwhile<T>(stage: &Stage, row: &str, attack: impl Future<Output = T>) -> T {
    let mut alone = Duration::ZERO;
    for _ in 0..20 {
        alone = alone.max(stage.victim.round_trip(DEADLINE).await);
    }
    let over = Cell::new(false);
    let since = Instant::now();
    let attack = async {
        let done = tokio::time::timeout(LONG, attack).await;
        over.set(true);
        done.unwrap_or_else(|_| panic!("{row}: the attack took more than {LONG:?}"))
    };
    let watch = async {
        let mut worst = Duration::ZERO;
        loop {
            worst = worst.max(stage.victim.round_trip(LONG).await);
            if over.get() {
                return worst;
            }
            // The pause between samples; nothing waits for it.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (done, worst) = tokio::join!(attack, watch);
    eprintln!("{row}: the victim waited {worst:?} at most, {alone:?} alone; it took {:?}", since.elapsed());
    assert!(worst < alone + MORE, "{row}: the victim waited {worst:?}, alone {alone:?}");
    done
}

/// R01: viewports and screenshots larger than the machine's memory.
async fn huge_screenshots_are_refused(browser: Browser) {
    let stage = Stage::strict(browser).await;
    meanwhile(&stage, "R01", async {
        let side = 10_000_000;
        let metrics = json!({ "width": side, "height": side, "deviceScaleFactor": 1, "mobile": false });
        let clip = json!({ "clip": { "x": 0, "y": 0, "width": side, "height": side, "scale": 1 } });
        for (method, params) in [
            ("Emulation.setDeviceMetricsOverride", metrics.clone()),
            ("Page.setDeviceMetricsOverride", metrics),
            ("Page.captureScreenshot", clip),
        ] {
            let done = stage.attacker.call(On::Page, method, params).await;
            assert!(done.as_ref().is_err_and(|error| error.0 == -32602), "R01: {method} was answered {done:?}");
        }
        let shot = stage.attacker.call(On::Page, "Page.captureScreenshot", json!({ "format": "jpeg" })).await;
        assert!(shot.is_ok_and(|shot| shot["data"].is_string()), "R01: no picture at all");
    })
    .await;
    stage.unharmed("R01").await;
}

in_each_browser!(huge_screenshots_are_refused);

/// R10: a screenshot of a whole page that is larger than the machine's memory, and one that a high
/// device pixel ratio makes so.
async fn screenshots_of_huge_pages_are_refused(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let attacker = &stage.attacker;
    meanwhile(&stage, "R10", async {
        let whole = json!({ "format": "jpeg", "captureBeyondViewport": true });
        for (pixels, fits) in [("1500", true), ("30000", false)] {
            let style = format!("width:{pixels}px;height:{pixels}px");
            attacker.evaluate(&format!("document.body.style = '{style}'; 0")).await;
            let shot = attacker.call(On::Page, "Page.captureScreenshot", whole.clone()).await;
            assert_eq!(shot.is_ok(), fits, "R10: {pixels} was answered {shot:?}");
        }
        // The viewport has the limit of a window.
        let visible = json!({ "width": 30_000, "height": 30_000 });
        attacker.ok(On::Page, "Emulation.setVisibleSize", visible).await;
        let shot = attacker.call(On::Page, "Page.captureScreenshot", json!({ "format": "jpeg" })).await;
        assert!(shot.is_ok_and(|shot| shot["data"].is_string()), "R10: no picture at all");
        let metrics = json!({ "width": 0, "height": 0, "deviceScaleFactor": 1000, "mobile": false });
        let set = attacker.call(On::Page, "Emulation.setDeviceMetricsOverride", metrics).await;
        assert!(set.as_ref().is_err_and(|error| error.0 == -32602), "R10: answered {set:?}");
        let metrics = json!({ "width": 800, "height": 600, "deviceScaleFactor": 4, "mobile": false });
        attacker.ok(On::Page, "Emulation.setDeviceMetricsOverride", metrics).await;
        let clip = json!({ "clip": { "x": 0, "y": 0, "width": 5000, "height": 5000, "scale": 1 } });
        let shot = attacker.call(On::Page, "Page.captureScreenshot", clip).await;
        assert!(shot.as_ref().is_err_and(|error| error.0 == -32602), "R10: answered {shot:?}");
    })
    .await;
    stage.unharmed("R10").await;
}

in_each_browser!(screenshots_of_huge_pages_are_refused);

/// R02: hundreds of contexts and pages.
async fn many_contexts_and_pages_do_not_block_the_victim(browser: Browser) {
    let stage = Stage::strict(browser).await;
    meanwhile(&stage, "R02", async {
        let client = &stage.attacker.client;
        let (contexts, pages) = (size(60, 300), size(12, 60));
        for at in 0..contexts {
            let made = client.call_in(None, "Target.createBrowserContext", json!({}), LONG).await;
            let Ok(context) = made else { continue };
            if at < pages {
                let params = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
                let _ = client.call_in(None, "Target.createTarget", params, LONG).await;
            }
        }
    })
    .await;
    stage.unharmed("R02").await;
}

in_browser!(Shell: many_contexts_and_pages_do_not_block_the_victim);

/// R03: a client that does not read its page's events is disconnected; memory stays limited.
async fn a_client_that_does_not_read_is_disconnected(browser: Browser) {
    let flags = ["--strict", "--client-queue", "1MiB", "--client-queue-hard", "64MiB", "--stall", "2s"];
    let stage = Stage::with(browser, &flags).await;
    let before = resident(stage.proxy.pid());
    let client = &stage.attacker.client;
    client.ok(Some(&stage.attacker.page.session), "Runtime.enable", json!({})).await;
    let cut = meanwhile(&stage, "R03", async {
        client.read(false);
        let flood = format!(
            "{{ const line = 'x'.repeat(20000); let left = {}
                const some = () => {{ for (let i = 0; i < 20; i++) console.log(line); if (--left > 0) setTimeout(some) }}
                some() }}",
            size(250, 5000)
        );
        let params = json!({ "expression": flood });
        client.start(Some(&stage.attacker.page.session), "Runtime.evaluate", params).await;
        let is_cut = async || stage.proxy.figure("clients_too_slow_total").await > 0;
        eventually("a client that does not read is cut", is_cut).await;
        client.read(true);
        client.end().await
    })
    .await;
    // Data sent before the disconnect may be lost with the socket.
    assert!(cut.starts_with("4008") || cut.contains("reset"), "R03: {cut}");
    let grown = resident(stage.proxy.pid()).saturating_sub(before) >> 20;
    assert!(grown < 200, "R03: the proxy grew by {grown} MiB");
    stage.others_unharmed("R03").await;
}

in_browser!(Shell: a_client_that_does_not_read_is_disconnected);

/// R04: one very large result.
async fn a_huge_result_does_not_block_the_victim(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let length = size(40_000_000, 200_000_000);
    meanwhile(&stage, "R04", async {
        let params = json!({ "expression": format!("'x'.repeat({length})"), "returnByValue": true });
        let session = Some(stage.attacker.page.session.as_str());
        let result = stage.attacker.client.call_in(session, "Runtime.evaluate", params, LONG).await.expect("R04");
        assert_eq!(result["result"]["value"].as_str().map(str::len), Some(length), "R04");
    })
    .await;
    stage.unharmed("R04").await;
}

in_browser!(Shell: a_huge_result_does_not_block_the_victim);

/// R05: more commands at once than the proxy reads ahead; all are answered without error.
async fn a_flood_of_commands_is_answered(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let client = &stage.attacker.client;
    meanwhile(&stage, "R05", async {
        let many = size(10_000, 60_000);
        let mut last = 0;
        for _ in 0..many {
            last = client
                .start(Some(&stage.attacker.page.session), "Runtime.evaluate", json!({ "expression": "1" }))
                .await;
        }
        client.wait("the last answer", LONG, |frame| frame["id"] == last).await;
        let replies = client.frames();
        let replies = replies.iter().filter_map(|frame| frame.received()).filter(|frame| frame["id"].is_i64());
        let right = replies.filter(|reply| reply["result"]["result"]["value"] == 1).count();
        assert_eq!(right, many, "R05: answered with errors, or not at all");
    })
    .await;
    stage.unharmed("R05").await;
}

in_browser!(Shell: a_flood_of_commands_is_answered);

/// R09: commands that are never answered, under the client's and the proxy's ids, while CDP
/// sessions are attached and detached: none of these scans all pending commands.
async fn unanswered_commands_do_not_slow_the_link(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let (client, page) = (&stage.attacker.client, &stage.attacker.page);
    meanwhile(&stage, "R09", async {
        let many = size(5_000, 200_000);
        let never = json!({ "expression": "new Promise(() => {})", "awaitPromise": true });
        for at in 0..many {
            client.start(Some(&page.session), "Runtime.evaluate", never.clone()).await;
            let method = "Runtime.evaluate";
            let ours = json!({ "id": -2 - i64::try_from(at).expect("small"), "method": method, "params": never, "sessionId": page.session });
            client.send_raw(&ours.to_string()).await;
        }
        client.evaluate_in(&page.session, "6 * 7", LONG).await;
        for _ in 0..size(100, 2_000) {
            let session = client.attach(None, &page.target).await;
            client.ok(Some(&session), "Runtime.evaluate", json!({ "expression": "1" })).await;
            client.ok(None, "Target.detachFromTarget", json!({ "sessionId": session })).await;
        }
        let mut last = 0;
        for _ in 0..size(1_000, 20_000) {
            last = client.start(Some(&page.session), "Runtime.evaluate", json!({ "expression": "1" })).await;
        }
        client.wait("the last answer", LONG, |frame| frame["id"] == last).await;
    })
    .await;
    stage.unharmed("R09").await;
}

in_browser!(Shell: unanswered_commands_do_not_slow_the_link);

/// R11: many pages, more CDP sessions on one page than a session may have, then repeated
/// auto-attach, which checks all of them; also after the client has disconnected.
async fn repeated_auto_attach_does_not_block_the_victim(browser: Browser) {
    // The default limit is less than 12,000; the test lowers it so that short runs reach it too.
    let limit = size(1_000, 10_000).to_string();
    let stage = Stage::with(browser, &["--strict", "--max-cdp-sessions", &limit]).await;
    let (client, target) = (&stage.attacker.client, &stage.attacker.page.target);
    let on = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
    let again = size(500, 5_000);
    meanwhile(&stage, "R11", async {
        let pages = size(25, 250);
        for _ in 0..pages {
            client.ok(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
        }
        let mut first = Vec::new();
        for _ in 0..3 * pages {
            first.push(client.attach(None, target).await);
        }
        let mut last = 0;
        for _ in 0..size(1_200, 12_000) {
            last = client.start(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        }
        let refused = client.wait("the last answer", LONG, |frame| frame["id"] == last).await;
        assert_eq!(refused["error"]["code"], -32000, "R11: answered {refused}");
        let words = refused["error"]["message"].to_string();
        assert!(words.contains("max_cdp_sessions allows") && words.contains(&limit), "R11: {words}");
        let full = client.call("Target.setAutoAttach", on.clone()).await;
        assert!(full.as_ref().is_err_and(|error| error.0 == -32000), "R11: answered {full:?}");
        // There is room again for a CDP session on each page.
        for session in first {
            client.ok(None, "Target.detachFromTarget", json!({ "sessionId": session })).await;
        }
        for _ in 0..again {
            last = client.start(None, "Target.setAutoAttach", on.clone()).await;
        }
        let reply = client.wait("the last answer", LONG, |frame| frame["id"] == last).await;
        assert_eq!(reply["result"], json!({}), "R11: answered {reply}");
    })
    .await;
    stage.unharmed("R11").await;
    // The pending work of a client that disconnects is dropped.
    let greedy = stage.proxy.connect().await;
    let page = greedy.page_at("about:blank").await;
    meanwhile(&stage, "R11, hung up", async {
        for _ in 0..size(900, 9_000) {
            let params = json!({ "targetId": page.target, "flatten": true });
            greedy.start(None, "Target.attachToTarget", params).await;
        }
        for _ in 0..again {
            greedy.start(None, "Target.setAutoAttach", on.clone()).await;
        }
        drop(greedy);
        // Samples after the attack; nothing waits for them.
        tokio::time::sleep(Duration::from_secs(3)).await;
    })
    .await;
    stage.unharmed("R11").await;
}

in_browser!(Shell: repeated_auto_attach_does_not_block_the_victim);

/// R06: commands so large that they would block all others.
async fn huge_commands_do_not_block_the_victim(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let client = &stage.attacker.client;
    meanwhile(&stage, "R06", async {
        let filling = "x".repeat(size(10 << 20, 40 << 20));
        let mut ids = Vec::new();
        for _ in 0..5 {
            let params = json!({ "expression": format!("/*{filling}*/ 1") });
            ids.push(client.start(Some(&stage.attacker.page.session), "Runtime.evaluate", params).await);
        }
        for id in ids {
            let reply = client.wait("an answer", LONG, |frame| frame["id"] == id).await;
            assert_eq!(reply["result"]["result"]["value"], 1, "R06");
        }
    })
    .await;
    stage.unharmed("R06").await;
}

in_browser!(Shell: huge_commands_do_not_block_the_victim);

/// R07: clients that connect, create pages and disconnect without closing them.
async fn clients_that_hang_up_leave_nothing(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let before = at_rest(&stage.proxy).await;
    meanwhile(&stage, "R07", async {
        for at in 0..size(20, 60) {
            let client = stage.proxy.connect().await;
            let context = client.ok(None, "Target.createBrowserContext", json!({})).await;
            let params =
                json!({ "url": stage.site.url("/page?left"), "browserContextId": context["browserContextId"] });
            // Some disconnect while their page is being created.
            if at % 3 == 0 {
                client.start(None, "Target.createTarget", params).await;
            } else {
                client.ok(None, "Target.createTarget", params).await;
            }
        }
    })
    .await;
    eventually("nothing is left of those who hung up", async || census(&stage.proxy).await == before).await;
    stage.unharmed("R07").await;
}

in_each_browser!(clients_that_hang_up_leave_nothing);

/// R08: pages with endless loops and unanswered dialogs end with their session.
async fn busy_pages_end_with_their_session(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let before = at_rest(&stage.proxy).await;
    let greedy = stage.proxy.connect().await;
    meanwhile(&stage, "R08", async {
        let loops = ["while (true);", "alert(1)", "print()", "for (;;) document.title += 'x'", "prompt('?')"];
        for expression in loops {
            busy(&greedy, &stage, expression).await;
        }
        let unload = busy(&greedy, &stage, "onbeforeunload = event => event.preventDefault(); 0").await;
        greedy.start(Some(&unload), "Page.reload", json!({})).await;
        // Long enough for the loops to take effect.
        tokio::time::sleep(Duration::from_secs(2)).await;
    })
    .await;
    drop(greedy);
    eventually("the pages end with their session", async || census(&stage.proxy).await == before).await;
    stage.unharmed("R08").await;
}

in_each_browser!(busy_pages_end_with_their_session);

/// Evaluates an expression in a new page, which may never answer; returns the CDP session.
async fn busy(client: &Client, stage: &Stage, expression: &str) -> String {
    let page = client.page_at(&stage.site.url("/page?busy")).await;
    let params = json!({ "expression": expression, "userGesture": true });
    client.start(Some(&page.session), "Runtime.evaluate", params).await;
    page.session
}

/// As [`census`], once only the sessions' own contexts and the victim's second one are left.
async fn at_rest(proxy: &Proxy) -> [u64; 2] {
    let mut now = [0; 2];
    eventually("no session or context is being disposed of", async || {
        now = census(proxy).await;
        now[1] == now[0] + 1
    })
    .await;
    now
}

/// The numbers of sessions and contexts in the proxy.
async fn census(proxy: &Proxy) -> [u64; 2] {
    [proxy.figure("sessions").await, proxy.figure("contexts").await]
}
