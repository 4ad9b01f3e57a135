//! Capture and restore without a proxy.

use ghostmux::{
    cdp::permission::Ruling,
    snapshot::{
        Mode, Parts, Reopen,
        ndjson::Writer,
        record::{Context, Record},
    },
};
use serde_json::{Value, json};

use super::stage::{Stage, patient};
use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    site::Site,
};

/// The lines of a snapshot.
fn records(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A snapshot of an empty session.
async fn empty() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, "").await.expect("written");
    writer.write(&Record::Context(Context::default())).await.expect("written");
    writer.end(true).await.expect("written");
    bytes
}

async fn storage_is_restored_in_another_browser(browser: Browser) {
    let (one, two, three) = (Site::start().await, Site::start().await, Site::start().await);
    let stage = Stage::start(&browser).await;
    let mut session = stage.session().await;
    let frames = [two.url_at("b.localhost", "/storage"), three.url_at("a.localhost", "/storage")];
    let url = one.url_at("a.localhost", &format!("/storage?frames={}", frames.join(",")));

    // One origin is visited and left again.
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
    session.take_messages();
    let before = [&one, &two, &three].map(|site| site.requests().len());
    let (bytes, report) = session.save(&parts).await;
    assert_eq!([&one, &two, &three].map(|site| site.requests().len()), before, "a site was contacted");
    assert_eq!(session.take_messages(), [""; 0], "the client was told something");
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
    // The session's first, blank page has become the restored one.
    let urls: Vec<String> = pages.into_iter().map(|(_, url)| url).collect();
    let again = session.pages_at(0, &urls).await;
    let tab = session.attach(again[1].0.clone()).await;
    assert_eq!(session.evaluate(&tab, "check()").await, json!([]));
    let seen = session.evaluate(&tab, "[scrollY, document.querySelector('[name=text]').value]").await;
    assert_eq!(seen, json!([1234, "typed"]));
    assert_eq!(session.history(&tab).await, history);
    let left = session.open(&one.url_at("left.localhost", "/storage")).await;
    // The other page has a sessionStorage of its own.
    assert_eq!(session.evaluate(&left, "check('no session')").await, json!([]));
    stage.end().await;
}
in_each_browser!(storage_is_restored_in_another_browser);

async fn session_history_is_restored(browser: Browser) {
    let site = Site::start().await;
    let stage = Stage::start(&browser).await;
    let session = stage.session().await;
    // The session's first page.
    let tab = session.attach(session.pages(0).await[0].0.clone()).await;
    session.go(&tab, &site.url("/?one")).await;
    session.go(&tab, &site.url_at("b.localhost", "/?two")).await;
    session.go(&tab, &site.url("/?three#here")).await;
    session.walk(&tab, "/?two").await;
    session.evaluate(&tab, "sessionStorage.where = localStorage.where = 'two'").await;
    let history = session.history(&tab).await;
    let (parts, how) = patient();
    let (bytes, report) = session.save(&parts).await;
    assert_eq!(report.lost, [], "{report:?}");

    let session = stage.session().await;
    let report = session.restore(&how, &bytes).await;
    assert_eq!(report.lost, [], "{report:?}");
    let urls = [site.url_at("b.localhost", "/?two")];
    let tab = session.attach(session.pages_at(0, &urls).await[0].0.clone()).await;
    assert_eq!(session.history(&tab).await, history);
    let stored = session.evaluate(&tab, "[sessionStorage.where, localStorage.where]").await;
    assert_eq!(stored, json!(["two", "two"]));
    // The other history entries now show the site, not the placeholder page.
    for (url, title) in [("/?three#here", "title-three"), ("/?one", "title-one"), ("/?two", "title-two")] {
        session.walk(&tab, url).await;
        assert_eq!(session.evaluate(&tab, "document.title").await, title);
    }
    stage.end().await;
}
in_each_browser!(session_history_is_restored);

async fn contexts_are_restored_separately_and_cleared_on_request(browser: Browser) {
    let site = Site::start().await;
    let (one, two) = (site.url_at("one.localhost", "/"), site.url_at("two.localhost", "/"));
    let stage = Stage::start(&browser).await;
    let store = |text: &str| format!("localStorage.where = document.cookie = '{text}'");
    let stored = "localStorage.where ?? null";

    let saved = stage.session().await;
    let tab = saved.open(&one).await;
    saved.evaluate(&tab, &store("default")).await;
    let context = saved.place.new_context(None).await.expect("a context");
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
in_browser!(Shell: contexts_are_restored_separately_and_cleared_on_request);

async fn page_titles_and_form_fields_are_restored(browser: Browser) {
    let site = Site::start().await;
    let stage = Stage::start(&browser).await;
    let session = stage.session().await;
    let (form, popup) = (site.url_at("a.localhost", "/storage"), site.url_at("b.localhost", "/?popup"));
    let tab = session.open(&form).await;
    let fill = "const field = name => document.querySelector(`[name=${name}]`); \
                field('text').value = 'typed \\ud83d\\ude00'; field('box').checked = true; \
                field('area').value = 'two\\nlines'; field('choice').selectedIndex = 1; \
                history.replaceState(null, '', '/storage#here'); document.title = 'renamed';";
    session.evaluate(&tab, &format!("{{ {fill} }}")).await;
    session.evaluate(&tab, &format!("void open({})", json!(popup))).await;
    let form = format!("{form}#here");
    let pages = session.pages_at(0, &["about:blank".to_owned(), form.clone(), popup.clone()]).await;
    let loaded = session.attach(pages[2].0.clone()).await;
    session.ready(&loaded).await;
    session.call(None, "Target.activateTarget", json!({ "targetId": tab.target.as_str() })).await;

    let (parts, how) = patient();
    let (bytes, _) = session.save(&parts).await;
    assert!(!String::from_utf8(bytes).expect("text").contains("typed"), "form fields were not requested");
    let (bytes, report) = session.save(&Parts { fields: true, ..parts }).await;
    assert_eq!(report.lost, []);
    let records = records(&bytes);
    let pages: Vec<&Value> = records.iter().filter_map(|record| record.get("page")).collect();
    assert_eq!((&pages[1]["title"], &pages[2]["title"]), (&json!("renamed"), &json!("title-popup")));
    assert_eq!((&pages[1]["front"], pages[2].get("opener")), (&json!(true), Some(&json!(1))), "{pages:?}");

    let session = stage.session().await;
    let report = session.restore(&how, &bytes).await;
    let [lost] = report.lost.as_slice() else { panic!("{report:?}") };
    assert_eq!((lost.what.as_str(), &lost.place), ("opener", &popup));
    let pages = session.pages_at(0, &["about:blank".to_owned(), form, popup]).await;
    let tab = session.attach(pages[1].0.clone()).await;
    let seen = "[...document.querySelectorAll('[name]')].map(field => field.type === 'checkbox' ? field.checked : field.value)";
    assert_eq!(session.evaluate(&tab, seen).await, json!(["typed \u{1f600}", true, "two\nlines", "two"]));
    let front = "document.visibilityState === 'visible' && document.hasFocus()";
    assert_eq!(session.evaluate(&tab, front).await, true);
    stage.end().await;
}
in_each_browser!(page_titles_and_form_fields_are_restored);

async fn permissions_are_restored(browser: Browser) {
    let site = Site::start().await;
    let stage = Stage::start(&browser).await;
    let session = stage.session().await;
    let (one, two) = (site.url_at("one.localhost", "/"), site.url_at("two.localhost", "/"));
    let asked = "Promise.all(['geolocation', 'notifications', 'midi'].map(name => \
                 navigator.permissions.query({ name }).then(({ state }) => state)))";
    let grant = json!({ "origin": one.trim_end_matches('/'), "permissions": ["geolocation"] });
    let deny = json!({ "permission": { "name": "notifications" }, "setting": "denied" });
    for (method, params) in [("Browser.grantPermissions", &grant), ("Browser.setPermission", &deny)] {
        let ruling = Ruling::read(method, &params.to_string()).expect("a ruling");
        session.place.rule(session.place.context(), ruling).await.expect("done");
    }
    let mut wanted = Vec::new();
    for url in [&one, &two] {
        let tab = session.open(url).await;
        wanted.push(session.evaluate(&tab, asked).await);
    }
    assert!(wanted[0] != wanted[1] && wanted[0][0] == "granted", "{wanted:?}");
    let (parts, how) = patient();
    let (mut bytes, report) = session.save(&Parts { pages: false, ..parts.clone() }).await;
    assert_eq!(report.lost, []);

    // A restored session saves them again. What a snapshot may not set is reported.
    for round in 0..2 {
        let session = stage.session().await;
        let report = session.restore(&how, &bytes).await;
        assert_eq!(report.lost, [], "{round}");
        for (url, wanted) in [&one, &two].into_iter().zip(&wanted) {
            let tab = session.open(url).await;
            assert_eq!(session.evaluate(&tab, asked).await, *wanted, "{round} {url}");
        }
        bytes = session.save(&Parts { pages: false, ..parts.clone() }).await.0;
        let cleared = session.restore(&Reopen { mode: Mode::Replace, ..how.clone() }, &empty().await).await;
        assert_eq!(cleared.lost, []);
        let tab = session.open(&one).await;
        assert_ne!(session.evaluate(&tab, asked).await, wanted[0], "{round}: reset");
    }
    stage.end().await;
}
in_each_browser!(permissions_are_restored);
