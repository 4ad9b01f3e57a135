//! Commands that end, inspect or change the whole browser.

use std::time::Duration;

use serde_json::json;

use super::{
    indirect_routes::Tls,
    rows::{Arena, rows_in_each_browser},
    stage::{Attacker, EVERYWHERE, On, Says, Stage},
};
use crate::{
    browsers::{Browser, in_each_browser},
    client::{Client, Page},
    proxy::Proxy,
};

/// B01 to B04, X02: `Browser.close` ends only the own session, from every kind of CDP session.
async fn browser_close_ends_only_the_own_session(arena: Arena) {
    let stage = Stage::strict(arena).await;
    for on in EVERYWHERE {
        let attacker = Attacker::start(&stage.proxy, &stage.site).await;
        attacker.client.start(attacker.session(on), "Browser.close", json!({})).await;
        let why = attacker.client.end().await;
        assert!(why.starts_with("1000"), "B01 @{on:?}: {why}");
        stage.undisturbed(&format!("B01 B02 B03 B04 X02 @{on:?}")).await;
    }
    stage.unharmed("B01 B02 B03 B04 X02").await;
}

/// B05 to B17, X02, X03: commands on the whole process are refused on every kind of CDP session.
async fn commands_on_the_whole_browser_are_refused(arena: Arena) {
    let stage = Stage::strict(arena).await;
    for (row, method, params) in [
        ("B05", "Browser.crash", json!({})),
        ("B06", "Browser.crashGpuProcess", json!({})),
        ("B07", "Tracing.start", json!({ "transferMode": "ReportEvents", "categories": "netlog,loading" })),
        ("B07", "Tracing.end", json!({})),
        ("B07", "Tracing.requestMemoryDump", json!({})),
        ("B08", "Browser.getHistogram", json!({ "name": "Memory.Browser" })),
        ("B09", "Memory.simulatePressureNotification", json!({ "level": "critical" })),
        ("B09", "Memory.setPressureNotificationsSuppressed", json!({ "suppressed": true })),
        ("B10", "SystemInfo.getInfo", json!({})),
        ("B10", "Browser.getBrowserCommandLine", json!({})),
        ("B11", "Emulation.addScreen", json!({ "left": 0, "top": 0, "width": 1111, "height": 777 })),
        ("B11", "Emulation.updateScreen", json!({ "screenId": "1", "width": 1111, "height": 777 })),
        ("B11", "Emulation.removeScreen", json!({ "screenId": "1" })),
        ("B11", "Emulation.setPrimaryScreen", json!({ "screenId": "1" })),
        ("B14", "Browser.addMockCamera", json!({ "deviceId": "mock", "label": "mock" })),
        ("B15", "Tethering.bind", json!({ "port": 0 })),
        ("B16", "Browser.addPrivacySandboxEnrollmentOverride", json!({ "url": "https://x.test" })),
        ("B16", "Browser.executeBrowserCommand", json!({ "commandId": "openTabSearch" })),
        ("B16", "Cast.enable", json!({})),
        ("B16", "Cast.setSinkToUse", json!({ "sinkName": "x" })),
        ("B17", "Extensions.loadUnpacked", json!({ "path": "/tmp", "enableInIncognito": true })),
        ("X02", "Target.setRemoteLocations", json!({ "locations": [{ "host": "127.0.0.1", "port": 1 }] })),
        ("X02", "Target.openDevTools", json!({ "targetId": stage.attacker.page.target })),
        ("X03", "Memory.getBrowserSamplingProfile", json!({})),
    ] {
        stage.attack(row, &EVERYWHERE, method, params, Says::RefusedOrUnknown).await;
    }
    let roots = [On::Root, On::Browser];
    stage.attack("B13", &roots, "Fetch.enable", json!({ "patterns": [{}] }), Says::Refused).await;
    for result in stage.answers("B08", &EVERYWHERE, "Browser.getHistograms", json!({})).await {
        assert_eq!(result, json!({ "histograms": [] }), "B08: figures of the whole process");
    }
    for _ in 0..8 {
        let crash = stage.attacker.call(On::Page, "Browser.crashGpuProcess", json!({})).await;
        assert!(crash.is_err(), "B06: {crash:?}");
    }
    stage.unharmed("B06").await;
}

/// B12: a session ignores certificate errors only on its own pages.
async fn certificate_errors_are_ignored_only_on_own_pages(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let attacker = &stage.attacker;
    let bystander = Attacker::start(&stage.proxy, &stage.site).await;
    let tls = Tls::start(&[stage.site.url("/issuer")]);
    let error = async |client: &Client, page: &Page| {
        let url = format!("https://{}/", tls.address);
        let went = client.ok(Some(&page.session), "Page.navigate", json!({ "url": url })).await;
        went["errorText"].as_str().map(str::to_owned)
    };
    let refused = Some("net::ERR_CERT_AUTHORITY_INVALID".to_owned());
    let own = attacker.client.page().await;
    for on in [On::Root, On::Browser] {
        assert_eq!(error(&attacker.client, &own).await, refused, "B12: it is an error at first");
        attacker.ok(on, "Security.setIgnoreCertificateErrors", json!({ "ignore": true })).await;
        assert_eq!(error(&attacker.client, &own).await, None, "B12: a page that is there");
        assert_eq!(error(&attacker.client, &attacker.client.page().await).await, None, "B12: a new page");
        assert_eq!(error(&bystander.client, &bystander.page).await, refused, "B12: another's page");
        assert_eq!(error(&bystander.client, &bystander.client.page().await).await, refused, "B12: another's new page");
        attacker.ok(on, "Security.setIgnoreCertificateErrors", json!({ "ignore": false })).await;
    }
    assert_eq!(error(&attacker.client, &own).await, refused, "B12: it is an error again");
    stage.unharmed("B12").await;
}

/// B13: intercepting requests of one's own page does not intercept others.
async fn requests_of_other_sessions_are_not_intercepted(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    attacker.ok(On::Page, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*" }] })).await;
    let fetched = format!("fetch('/page?{}').then(answer => answer.status)", victim.marker);
    assert_eq!(victim.client.evaluate(&victim.page.session, &fetched).await, 200, "B13");
    // A request of the own page is intercepted, so interception was on.
    attacker
        .client
        .start(Some(&attacker.page.session), "Runtime.evaluate", json!({ "expression": "fetch('/own')" }))
        .await;
    let paused = attacker.client.event("Fetch.requestPaused").await;
    assert!(paused["params"]["request"]["url"].as_str().is_some_and(|url| url.ends_with("/own")), "B13: {paused}");
    stage.unharmed("B13").await;
}

/// B07: tracing needs a browser without other sessions.
async fn tracing_is_refused_in_a_shared_browser(browser: Browser) {
    let stage = Stage::with(browser, &["--browsers", "1"]).await;
    let params =
        json!({ "transferMode": "ReportEvents", "traceConfig": { "includedCategories": ["netlog", "loading"] } });
    stage.attack("B07", &[On::Root, On::Page], "Tracing.start", params.clone(), Says::Refused).await;
    let (_, refused) = stage.attacker.call(On::Root, "Tracing.start", params).await.expect_err("B07");
    assert!(refused.contains("connect with isolation=dedicated"), "B07: {refused}");
    let ended = stage.attacker.call(On::Page, "Tracing.end", json!({})).await;
    assert!(ended.is_err(), "B07: a trace ran: {ended:?}");
    let traced =
        stage.attacker.client.wait_or_close(Duration::ZERO, |frame| frame["method"] == "Tracing.dataCollected");
    assert!(traced.await.is_err(), "B07");
    stage.unharmed("B07").await;
}

in_each_browser!(tracing_is_refused_in_a_shared_browser);

/// The remedy that the refusal names works.
async fn a_session_alone_in_its_browser_can_trace(browser: Browser) {
    let proxy = Proxy::start(browser, &["--max-sessions=1"]).await;
    let client = proxy.connect().await;
    let categories = json!({ "includedCategories": ["blink.user_timing"] });
    client.ok(None, "Tracing.start", json!({ "transferMode": "ReportEvents", "traceConfig": categories })).await;
    client.ok(None, "Tracing.end", json!({})).await;
    client.event("Tracing.tracingComplete").await;
}

in_each_browser!(a_session_alone_in_its_browser_can_trace);

rows_in_each_browser! {
    browser_close_ends_only_the_own_session,
    commands_on_the_whole_browser_are_refused,
    certificate_errors_are_ignored_only_on_own_pages,
    requests_of_other_sessions_are_not_intercepted,
}
