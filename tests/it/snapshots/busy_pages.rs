//! Captures while pages of the session are busy, blocked or unresponsive.

use std::time::{Duration, Instant};

use ghostmux::snapshot::Parts;
use serde_json::json;

use super::stage::{Stage, patient};
use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    site::Site,
};

async fn hanging_pages_do_not_affect_the_rest_of_a_snapshot(browser: Browser) {
    let site = Site::start().await;
    let stage = Stage::start(&browser).await;
    let session = stage.session().await;
    let (hung, good) = (site.url_at("hung.localhost", "/?hung"), site.url_at("good.localhost", "/?good"));
    let tab = session.open(&good).await;
    session.evaluate(&tab, "sessionStorage.where = localStorage.where = 'good'").await;
    let tab = session.open(&hung).await;
    session
        .evaluate(&tab, "sessionStorage.where = localStorage.where = 'hung', setTimeout(() => { for (;;); }), ''")
        .await;
    let parts = Parts { page_deadline: Duration::from_secs(4), ..patient().0 };
    let (bytes, report) = session.save(&parts).await;
    let [lost] = report.lost.as_slice() else { panic!("{report:?}") };
    assert_eq!((lost.what.as_str(), lost.place.as_str()), ("page", hung.as_str()));
    assert!(!report.complete, "{report:?}");
    // Its URL is known, and its storage is read in another way.
    assert_eq!((report.counts.pages, report.counts.session_storage), (3, 1), "{report:?}");
    let text = String::from_utf8(bytes).expect("text");
    assert!(text.contains(&format!(r#""url":"{hung}""#)) && text.contains(r#"[["where","hung"]]"#), "{text}");

    // The whole capture ends at its deadline, and the result is a snapshot.
    let since = Instant::now();
    let parts = Parts { deadline: Duration::from_secs(2), page_deadline: Duration::from_secs(60), ..Parts::default() };
    let (bytes, report) = session.save(&parts).await;
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    assert!(!report.complete && report.counts.pages == 3, "{report:?}");
    let trailer = ghostmux::snapshot::check(bytes.as_slice()).await.expect("a snapshot");
    assert!(!trailer.complete);
    stage.end().await;
}
in_each_browser!(hanging_pages_do_not_affect_the_rest_of_a_snapshot);

async fn capture_is_invisible_to_clients_of_busy_pages(browser: Browser) {
    let site = Site::start().await;
    let stage = Stage::start(&browser).await;
    let mut session = stage.session().await;
    let url = |name: &str| site.url_at(&format!("{name}.localhost"), &format!("/?{name}"));

    // One page shows a dialog and waits for the client's answer.
    let asking = session.open(&url("asking")).await;
    session.call(Some(&asking.session), "Page.enable", json!({})).await;
    session.evaluate(&asking, "localStorage.a = 1, setTimeout(() => globalThis.answer = confirm('Well?')), ''").await;
    session.event(&asking, "Page.javascriptDialogOpening").await;
    // One page has a request that the client has paused.
    let held = session.open(&url("held")).await;
    session.call(Some(&held.session), "Fetch.enable", json!({})).await;
    let fetch = "localStorage.a = 2, fetch('/?wanted').then(got => got.text()).then(text => globalThis.got = text), ''";
    session.evaluate(&held, fetch).await;
    let request = session.event(&held, "Fetch.requestPaused").await["requestId"].clone();
    // One page is navigating.
    let leaving = session.open(&url("leaving")).await;
    session.evaluate(&leaving, "localStorage.a = 3, setTimeout(() => location.href = '/late?there'), ''").await;
    site.arrived("/late?there").await;
    // One page runs an endless loop.
    let working = session.open(&url("working")).await;
    session
        .evaluate(&working, "localStorage.a = 4, setInterval(() => globalThis.worked = performance.now(), 1), ''")
        .await;

    session.take_messages();
    let asked = || -> Vec<String> { site.requests().into_iter().map(|request| request.path).collect() };
    let before = asked();
    let (parts, how) = patient();
    let (bytes, report) = session.save(&Parts { page_deadline: Duration::from_secs(5), ..parts }).await;
    assert_eq!(session.take_messages(), [""; 0], "the client was told something");
    assert_eq!(asked(), before, "a site was contacted");
    assert_eq!((report.counts.pages, report.counts.local_storage), (5, 4), "{report:?}");
    // Chrome does not answer commands to a page that waits for a dialog or is navigating.
    let lost: Vec<&str> = report.lost.iter().map(|lost| lost.place.as_str()).collect();
    assert_eq!(lost, [url("asking"), url("leaving")], "{report:?}");

    // Every page continues where it was.
    let text = "globalThis.got ?? new Promise(done => setInterval(() => globalThis.got && done(got), 10))";
    session.call(Some(&held.session), "Fetch.continueRequest", json!({ "requestId": request })).await;
    assert!(session.evaluate(&held, text).await.as_str().is_some_and(|text| text.contains("body-wanted")));
    session.call(Some(&asking.session), "Page.handleJavaScriptDialog", json!({ "accept": true })).await;
    let answer =
        "globalThis.answer ?? new Promise(done => setInterval(() => 'answer' in globalThis && done(answer), 10))";
    assert_eq!(session.evaluate(&asking, answer).await, true);
    site.release();
    let there = site.url_at("leaving.localhost", "/late?there");
    let urls = ["about:blank".to_owned(), url("asking"), url("held"), there, url("working")];
    session.pages_at(0, &urls).await;
    let worked = "new Promise(done => { const before = worked; setInterval(() => worked > before && done(true), 5); })";
    assert_eq!(session.evaluate(&working, worked).await, true);

    // All of it can be restored.
    let session = stage.session().await;
    let report = session.restore(&how, &bytes).await;
    assert!(report.lost.is_empty(), "{report:?}");
    stage.end().await;
}
in_each_browser!(capture_is_invisible_to_clients_of_busy_pages);

async fn capture_leaves_paused_frames_paused(browser: Browser) {
    let site = Site::start().await;
    let stage = Stage::start(&browser).await;
    let mut session = stage.session().await;
    let tab = session.open(&site.url("/?page")).await;
    let on = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
    session.call(Some(&tab.session), "Target.setAutoAttach", on).await;
    let frame = format!(
        "const frame = document.createElement('iframe'); frame.src = '{}'; \
         globalThis.framed = new Promise(done => frame.onload = () => done('loaded')); document.body.append(frame), ''",
        site.url_at("other.localhost", "/?frame")
    );
    session.evaluate(&tab, &frame).await;
    // In another process, at whose beginning its page's client has paused it.
    let child = session.attached(&tab).await;
    session.take_messages();
    let (bytes, report) = session.save(&patient().0).await;
    let messages = session.take_messages();
    assert!(!messages.iter().any(|message| message.contains("Detached")), "the client has lost it: {messages:?}");
    assert!(report.complete && !bytes.is_empty(), "{report:?}");
    session.call(Some(&child), "Runtime.runIfWaitingForDebugger", json!({})).await;
    assert_eq!(session.evaluate(&tab, "framed").await, "loaded");
    stage.end().await;
}
in_browser!(Full: capture_leaves_paused_frames_paused);
