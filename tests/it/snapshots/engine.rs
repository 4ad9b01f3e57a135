//! Capture and restore, without a proxy around them.

use std::time::Duration;

use ghostmux::snapshot::{Mode, Parts, Reopen, playwright};
use serde_json::{Value, json};

use super::stage::{Stage, patient};
use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    site::Site,
};

async fn all_that_was_stored_comes_back_in_another_browser(browser: Browser) {
    let (one, two, three) = (Site::start().await, Site::start().await, Site::start().await);
    let stage = Stage::start(&browser).await;
    let mut session = stage.session().await;
    let frames = [two.url_at("b.localhost", "/storage"), three.url_at("a.localhost", "/storage")];
    let url = one.url_at("a.localhost", &format!("/storage?frames={}", frames.join(",")));

    // One origin is visited and left.
    let tab = session.open(&one.url_at("left.localhost", "/storage")).await;
    assert_eq!(session.evaluate(&tab, "fill()").await, json!([]));
    session.go(&tab, &one.url_at("a.localhost", "/cookies")).await;
    session.go(&tab, &url).await;
    assert_eq!(session.evaluate(&tab, "fill()").await, json!([]));
    assert_eq!(session.evaluate(&tab, "check()").await, json!([]), "the checker itself");
    let registered =
        "navigator.serviceWorker.register('/service.js').then(() => navigator.serviceWorker.ready).then(() => true)";
    assert_eq!(session.evaluate(&tab, registered).await, true);
    session.evaluate(&tab, "scrollTo(0, 1234), document.querySelector('[name=text]').value = 'typed'").await;
    let cookies = session.cookies().await;
    assert!(cookies.as_array().expect("a list").len() >= 5, "{cookies}");

    let (mut parts, how) = patient();
    parts.fields = true;
    session.heard();
    let before = [&one, &two, &three].map(|site| site.requests().len());
    let (bytes, report) = session.save(&parts).await;
    assert_eq!([&one, &two, &three].map(|site| site.requests().len()), before, "a site was contacted");
    assert_eq!(session.heard(), [""; 0], "the client was told something");
    assert!(report.complete, "{report:?}");
    let lost: Vec<&str> = report.lost.iter().map(|lost| lost.what.as_str()).collect();
    assert_eq!(lost, ["serviceWorker"], "{report:?}");
    assert_eq!(session.evaluate(&tab, "check()").await, json!([]), "after it was saved");
    let pages = session.pages(0).await;
    let history = session.history(&tab).await;
    stage.end().await;

    let stage = Stage::start(&browser).await;
    let session = stage.session().await;
    let restored = session.restore(&how, &bytes).await;
    assert_eq!(restored.lost, [], "{restored:?}");
    assert_eq!(session.cookies().await, cookies);
    // The blank page that this session began with has gone, that of the other one has come.
    let urls: Vec<String> = pages.into_iter().map(|(_, url)| url).collect();
    let again = session.pages_at(0, &urls).await;
    let tab = session.attach(again[1].0.clone()).await;
    assert_eq!(session.evaluate(&tab, "check()").await, json!([]));
    let seen = session.evaluate(&tab, "[scrollY, document.querySelector('[name=text]').value]").await;
    assert_eq!(seen, json!([1234, "typed"]));
    assert_eq!(session.history(&tab).await, history);
    let left = session.open(&one.url_at("left.localhost", "/storage")).await;
    // Another page has a sessionStorage of its own.
    assert_eq!(session.evaluate(&left, "check('no session')").await, json!([]));
    stage.end().await;
}
in_each_browser!(all_that_was_stored_comes_back_in_another_browser);

async fn a_page_goes_back_and_forward_as_before(browser: Browser) {
    let site = Site::start().await;
    let stage = Stage::start(&browser).await;
    let session = stage.session().await;
    let tab = session.open(&site.url("/?one")).await;
    session.go(&tab, &site.url_at("b.localhost", "/?two")).await;
    session.go(&tab, &site.url("/?three#here")).await;
    session.walk(&tab, "/?two").await;
    let history = session.history(&tab).await;
    let (parts, how) = patient();
    let (bytes, report) = session.save(&parts).await;
    assert_eq!(report.lost, [], "{report:?}");

    let session = stage.session().await;
    let report = session.restore(&how, &bytes).await;
    assert_eq!(report.lost, [], "{report:?}");
    let urls = ["about:blank".to_owned(), site.url_at("b.localhost", "/?two")];
    let tab = session.attach(session.pages_at(0, &urls).await[1].0.clone()).await;
    assert_eq!(session.history(&tab).await, history);
    // What is at the other entries now is the site's, not what stood in for it.
    for (url, title) in [("/?three#here", "title-three"), ("/?one", "title-one"), ("/?two", "title-two")] {
        session.walk(&tab, url).await;
        assert_eq!(session.evaluate(&tab, "document.title").await, title);
    }
    stage.end().await;
}
in_each_browser!(a_page_goes_back_and_forward_as_before);

async fn contexts_are_kept_apart_and_what_was_there_before_goes_or_stays(browser: Browser) {
    let site = Site::start().await;
    let (one, two) = (site.url_at("one.localhost", "/"), site.url_at("two.localhost", "/"));
    let stage = Stage::start(&browser).await;
    let store = |text: &str| format!("localStorage.where = document.cookie = '{text}'");
    let stored = "localStorage.where ?? null";

    let saved = stage.session().await;
    let tab = saved.open(&one).await;
    saved.evaluate(&tab, &store("default")).await;
    let context = saved.place.new_context().await.expect("a context");
    let tab = saved.open_in(&context, &one).await;
    saved.evaluate(&tab, &store("second")).await;
    let (parts, how) = patient();
    let (bytes, report) = saved.save(&parts).await;
    assert_eq!((report.counts.contexts, report.counts.origins, report.counts.pages), (2, 2, 3), "{report:?}");
    drop(saved);

    let session = stage.session().await;
    let tab = session.open(&two).await;
    session.evaluate(&tab, &store("before")).await;
    for (mode, before) in [(Mode::Merge, json!("before")), (Mode::Replace, json!(null))] {
        let report = session.restore(&Reopen { mode, ..how.clone() }, &bytes).await;
        assert_eq!(report.lost, [], "{mode:?}");
        let page = |contexts: std::ops::Range<usize>, url: String| {
            let session = &session;
            async move {
                let mut pages = Vec::new();
                for context in contexts {
                    pages.extend(session.pages(context).await);
                }
                let page = pages.iter().rfind(|(_, is)| *is == url);
                session.attach(page.unwrap_or_else(|| panic!("no {url}: {pages:?}")).0.clone()).await
            }
        };
        assert_eq!(session.evaluate(&page(0..1, one.clone()).await, stored).await, "default", "{mode:?}");
        assert_eq!(session.evaluate(&page(1..3, one.clone()).await, stored).await, "second", "{mode:?}");
        let tab = session.open(&two).await;
        assert_eq!(session.evaluate(&tab, stored).await, before, "{mode:?}");
        let cookies = session.cookies().await;
        let cookies: Vec<&str> =
            cookies.as_array().expect("a list").iter().filter_map(|c| c["value"].as_str()).collect();
        assert_eq!(cookies.contains(&"before"), before != json!(null), "{mode:?}: {cookies:?}");
        assert!(cookies.contains(&"default") && !cookies.contains(&"second"), "{mode:?}: {cookies:?}");
        session.call(None, "Target.closeTarget", json!({ "targetId": tab.target.as_str() })).await;
    }
    stage.end().await;
}
in_browser!(Shell: contexts_are_kept_apart_and_what_was_there_before_goes_or_stays);

async fn a_state_of_playwright_goes_through_a_browser(browser: Browser) {
    let wanted: Value = serde_json::from_str(include_str!("../../../fixtures/storage-state.json")).expect("JSON");
    let mut bytes = Vec::new();
    let imported = playwright::import(&wanted.to_string(), &mut bytes).await.expect("a snapshot");
    assert_eq!(imported.lost, []);
    let stage = Stage::start(&browser).await;
    let session = stage.session().await;
    let (parts, how) = patient();
    let report = session.restore(&how, &bytes).await;
    assert_eq!(report.lost, []);
    // No page was ever there: what was restored is found all the same.
    let (bytes, report) = session.save(&Parts { pages: false, ..parts }).await;
    assert_eq!(report.lost, []);
    let (json, report) = playwright::export(bytes.as_slice()).await.expect("a state");
    assert_eq!(report.lost, []);
    let sorted = |mut state: Value| {
        for list in ["cookies", "origins"] {
            state[list].as_array_mut().expect("a list").sort_by_key(ToString::to_string);
        }
        for origin in state["origins"].as_array_mut().expect("a list") {
            for list in ["localStorage", "indexedDB"] {
                origin[list].as_array_mut().expect("a list").sort_by_key(ToString::to_string);
            }
        }
        state
    };
    let back = serde_json::from_str(&json).expect("JSON");
    assert_eq!(sorted(back), sorted(wanted));
    stage.end().await;
}
in_browser!(Shell: a_state_of_playwright_goes_through_a_browser);

async fn a_page_that_hangs_costs_only_itself(browser: Browser) {
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
    // Its URL is known all the same, and what it stored is read elsewhere.
    assert_eq!((report.counts.pages, report.counts.session_storage), (3, 1), "{report:?}");
    let text = String::from_utf8(bytes).expect("text");
    assert!(text.contains(&format!(r#""url":"{hung}""#)) && text.contains(r#"[["where","hung"]]"#), "{text}");
    stage.end().await;
}
in_browser!(Shell: a_page_that_hangs_costs_only_itself);
