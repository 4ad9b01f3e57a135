//! Ways out of a browser of one's own, and into that of another.

use futures_util::future::join_all;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    client::{Client, text},
    proxy::Proxy,
    rest::ok,
    site::Site,
};

const OWN: &str = "/?isolation=dedicated";

async fn ids(client: &Client) -> Vec<String> {
    let infos = client.ok(None, "Target.getTargets", json!({ "filter": [{}] })).await["targetInfos"].take();
    infos.as_array().into_iter().flatten().map(|info| text(info, "targetId")).collect()
}

/// O01: a session that may do everything in its own browser reaches neither the shared one nor that of another.
#[tokio::test(flavor = "multi_thread")]
async fn an_own_browser_reaches_no_other_session() {
    let proxy = Proxy::start(Browser::any(), &["--dedicated-spares", "1"]).await;
    let site = Site::start().await;
    let (shared, alone) = (proxy.connect().await, proxy.connect_to(OWN).await);
    let attacker = proxy.connect_to(OWN).await;
    let mut victims = Vec::new();
    for victim in [&shared, &alone] {
        let page = victim.page_at(&site.url("/secret-of-a-victim")).await;
        victim.evaluate(&page.session, "document.cookie = 'secret=yes'; globalThis.kept = 41; 0").await;
        let contexts = victim.ok(None, "Target.getBrowserContexts", json!({})).await;
        victims.push((victim, page, text(&contexts, "defaultBrowserContextId")));
    }
    let own = attacker.page_at(&site.url("/attacker")).await;
    let everything = json!({ "patterns": [{ "urlPattern": "*" }] });
    attacker.ok(None, "Fetch.enable", everything).await;
    let how = json!({ "transferMode": "ReportEvents", "traceConfig": { "includedCategories": ["netlog", "loading"] } });
    attacker.ok(None, "Tracing.start", how).await;
    for (victim, page, context) in &victims {
        assert!(!ids(&attacker).await.contains(&page.target), "O01: it sees the page of a victim");
        for (method, params) in [
            ("Target.getTargetInfo", json!({ "targetId": page.target })),
            ("Target.attachToTarget", json!({ "targetId": page.target, "flatten": true })),
            ("Target.closeTarget", json!({ "targetId": page.target })),
            ("Target.createTarget", json!({ "url": "about:blank", "browserContextId": context })),
            ("Target.disposeBrowserContext", json!({ "browserContextId": context })),
            ("Storage.getCookies", json!({ "browserContextId": context })),
            ("Storage.clearCookies", json!({ "browserContextId": context })),
            ("Browser.grantPermissions", json!({ "permissions": ["clipboardReadWrite"], "browserContextId": context })),
        ] {
            let done = attacker.call(method, params).await;
            assert!(done.is_err(), "O01: {method}: {done:?}");
        }
        let on_theirs = attacker.call_on(&page.session, "Runtime.evaluate", json!({ "expression": "1" })).await;
        assert!(on_theirs.is_err(), "O01: {on_theirs:?}");
        // Their requests are not paused, and are in no trace of the attacker.
        let fetched = victim.evaluate(&page.session, "fetch('/secret-request').then(answer => answer.status)").await;
        assert_eq!(fetched, 200, "O01");
    }
    attacker.ok(None, "Tracing.end", json!({})).await;
    let traced = attacker.wait("the trace", crate::client::DEADLINE, |frame| {
        assert!(!frame.to_string().contains("secret"), "O01: it holds what a victim did: {frame}");
        frame["method"] == "Tracing.tracingComplete"
    });
    traced.await;
    drop(own);
    for (victim, page, _) in &victims {
        assert_eq!(victim.evaluate(&page.session, "globalThis.kept + 1").await, 42, "O01");
    }
}

/// O02: a session that ends its own browser again and again delays nobody, and no browser is left.
#[tokio::test(flavor = "multi_thread")]
async fn own_browsers_that_crash_delay_nobody() {
    let proxy = Proxy::start(Browser::any(), &["--browsers", "1", "--dedicated-spares", "0"]).await;
    let victim = proxy.connect().await;
    let page = victim.page().await;
    for time in 0..12 {
        // If such ends counted as failures of Chrome, the pauses before the next start would grow to half a minute.
        let attacker = proxy.connect_to(OWN).await;
        if time == 0 {
            attacker.start(None, "Browser.crash", json!({})).await;
        } else {
            // The same, without the seconds that Chrome takes to print where it crashed.
            let all = ok(&proxy, "GET", "/v1/browsers", Value::Null).await;
            let own = all["browsers"].as_array().into_iter().flatten().find(|browser| browser["session"].is_string());
            let pid = own.and_then(|browser| browser["pid"].as_i64()).and_then(|pid| i32::try_from(pid).ok());
            kill(Pid::from_raw(pid.expect("its process")), Signal::SIGKILL).expect("it runs");
        }
        let closed = attacker.end().await;
        assert!(closed.contains("1011"), "O02: {closed}");
    }
    assert_eq!(victim.evaluate(&page.session, "6 * 7").await, 42, "O02");
    let next = join_all(["/", OWN].map(|path| proxy.connect_to(path))).await;
    for client in &next {
        client.page().await;
    }
    let status = ok(&proxy, "GET", "/v1/status", Value::Null).await;
    assert_eq!(
        (&status["browsers"]["ready"], &status["browsers"]["dedicated"]),
        (&json!(1), &json!(1)),
        "O02: {status}"
    );
}
