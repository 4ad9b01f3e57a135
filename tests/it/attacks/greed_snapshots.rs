//! Clients that save, import and restore as much as they can. See [`super::greed`] for the timing
//! of the victim and for the sizes.

use std::{cell::Cell, fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::{
    frames::resident,
    greed::{LONG, meanwhile},
    stage::Stage,
};
use crate::{
    browsers::{Browser, in_browser},
    proxy::{eventually, size},
    rest::{JSON, body_of, is_problem},
};

const LINES: (&str, &str) = ("Content-Type", "application/x-ndjson");

/// A snapshot whose fourth line has about this many bytes, in the smallest possible items.
fn content(bytes: usize) -> String {
    let head = "{\"header\":{\"version\":1,\"browser\":\"\"}}\n{\"context\":{\"madeByClient\":false}}\n\
                {\"storage\":{\"key\":\"https://a.test/\"}}\n{\"localStorage\":[";
    let items = vec!["[\"k\",\"v\"]"; bytes / 10];
    format!("{head}{}]}}\n", items.join(","))
}

/// R12: snapshots of one huge line, and states of many small rows, several at once.
async fn huge_imports_use_limited_memory(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let before = resident(stage.proxy.pid());
    let (line, rows) = (content(size(40_000_000, 190_000_000)), state(size(4_000_000, 60_000_000)));
    let most = std::sync::atomic::AtomicUsize::new(before);
    meanwhile(&stage, "R12", async {
        let import = || stage.proxy.http("POST", "/v1/snapshots", &[LINES], &line);
        let imports = async { tokio::join!(import(), import(), import()) };
        let (first, second, third) = Box::pin(peak(&stage, &most, imports)).await;
        for refused in [first, second, third] {
            is_problem(&refused, 413, "snapshot-line", "line 4 is longer than 8388608 bytes");
        }
        let import = || stage.proxy.http("POST", "/v1/snapshots", &[JSON], &rows);
        let imports = async { tokio::join!(import(), import()) };
        let (first, second) = Box::pin(peak(&stage, &most, imports)).await;
        for made in [first, second] {
            assert_eq!(made.status, 201, "R12: {}", made.body);
            assert!(body_of(&made)["report"]["rows"].as_u64() > Some(10), "R12: {}", made.body);
        }
    })
    .await;
    let grown = most.into_inner().saturating_sub(before) >> 20;
    let bound = size(400, 900);
    assert!(grown < bound, "R12: the proxy grew by {grown} MiB");
    stage.unharmed("R12").await;
}

in_browser!(Shell: huge_imports_use_limited_memory);

/// A `storageState` of about this many bytes, most of them rows of a database.
fn state(bytes: usize) -> String {
    let rows = vec!["{\"key\":1,\"value\":1}"; bytes / 20].join(",");
    let store = format!("{{\"name\":\"s\",\"autoIncrement\":false,\"indexes\":[],\"records\":[{rows}]}}");
    format!(
        "{{\"storageState\":{{\"cookies\":[],\"origins\":[{{\"origin\":\"https://a.test\",\"localStorage\":[],\
         \"indexedDB\":[{{\"name\":\"d\",\"version\":1,\"stores\":[{store}]}}]}}]}}}}"
    )
}

/// Records the largest memory use of the proxy during the work.
async fn peak<T>(stage: &Stage, most: &std::sync::atomic::AtomicUsize, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        let look = tokio::time::timeout(std::time::Duration::from_millis(5), &mut work).await;
        most.fetch_max(resident(stage.proxy.pid()), std::sync::atomic::Ordering::Relaxed);
        if let Ok(done) = look {
            return done;
        }
    }
}

/// A snapshot of this many pages at this URL.
fn pages(count: usize, url: &str) -> String {
    let head = "{\"header\":{\"version\":1,\"browser\":\"\"}}\n{\"context\":{\"madeByClient\":false}}\n";
    let pages = json!({ "page": { "url": url, "title": "\"\"" } }).to_string() + "\n";
    let mut counts = json!({ "contexts": 1, "pages": count, "bytes": head.len() + pages.len() * count });
    for none in ["cookies", "origins", "localStorage", "sessionStorage", "databases", "rows"] {
        counts[none] = json!(0);
    }
    let end = json!({ "end": { "counts": counts, "complete": true } });
    format!("{head}{}{end}\n", pages.repeat(count))
}

/// R14: two sessions with many pages each are restored at once, and a third client disconnects
/// before its pages are there. Another client restores a few pages and does not wait for all
/// others.
async fn restoring_many_pages_does_not_block_others(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let save = async |count| {
        let content = pages(count, &stage.site.url("/"));
        let saved = stage.proxy.http("POST", "/v1/snapshots", &[LINES], &content).await;
        assert_eq!(saved.status, 201, "R14: {}", saved.body);
        body_of(&saved)["snapshot"]["id"].as_str().map(|id| format!("/?snapshot={id}")).expect("an id")
    };
    let count = size(25, 300);
    let (many, few) = (save(count).await, save(3).await);
    meanwhile(&stage, "R14", async {
        let opened = Cell::new(0);
        let greedy = async || {
            let client = stage.proxy.connect_to(&many).await;
            let targets = client.call_in(None, "Target.getTargets", json!({}), LONG).await.expect("R14");
            let pages = targets["targetInfos"].as_array().expect("a list").len();
            assert_eq!(pages, count, "R14: pages of the snapshot");
            opened.set(opened.get() + 1);
            client
        };
        let hangs_up = async {
            let gone = tokio::time::timeout(Duration::from_secs(1), stage.proxy.try_connect_to(&many)).await;
            assert!(gone.is_err(), "R14: so many pages take longer");
        };
        let modest = async {
            eventually("pages are being opened", async || !stage.site.requests().is_empty()).await;
            let client = stage.proxy.connect_to(&few).await;
            client.ok(None, "Target.getTargets", json!({})).await;
            assert_eq!(opened.get(), 0, "R14: a session of few pages waited for those of many");
        };
        let all = async { tokio::join!(greedy(), greedy(), hangs_up, modest) };
        drop(Box::pin(all).await);
        eventually("every page is closed", async || stage.proxy.figure("disposals").await == 0).await;
    })
    .await;
    stage.unharmed("R14").await;
}

in_browser!(Shell: restoring_many_pages_does_not_block_others);

/// R13: a page with very many form fields, all of which are to be saved.
async fn saved_form_fields_are_limited(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let client = &stage.attacker.client;
    // A page is read for five seconds at most: on a busy machine the short form must take less.
    let many = size(15_000, 120_000);
    let fill = format!("document.body.innerHTML = '<input type=checkbox checked>'.repeat({many}); 0");
    client.evaluate_in(&stage.attacker.page.session, &fill, LONG).await;
    let saved = meanwhile(&stage, "R13", async {
        let save = json!({ "parts": ["pages", "formFields"] });
        client.call_in(None, "ghost.saveSnapshot", save, LONG).await.expect("R13")
    })
    .await;
    let omitted = saved["report"]["omitted"].as_array().expect("a list");
    let more = omitted.iter().find(|one| one["what"] == "formField").map(|one| one["reason"].clone());
    let mut reason = String::new();
    let _ = write!(reason, "{} more than are saved of one page: 10000 (snapshot_fields)", many - 10_000);
    assert_eq!(more, Some(Value::from(reason)), "R13: {}", saved["report"]);
    stage.unharmed("R13").await;
}

in_browser!(Shell: saved_form_fields_are_limited);
