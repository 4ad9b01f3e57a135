//! Playwright's `storageState`, with Playwright and a plain Chrome at both ends.

use std::{path::Path, process::Stdio, time::Duration};

use ghostmux::snapshot::{Parts, playwright};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::stage::{Stage, patient};
use crate::{
    browsers::{Browser, in_browser},
    site::Site,
};

/// The output of `tests/clients/storage-state.mjs`.
#[derive(Deserialize)]
struct Said {
    /// Exactly as Playwright wrote it: a site can observe the order of an object's members.
    state: Box<RawValue>,
    seen: Value,
}

impl Said {
    fn state(&self) -> Value {
        serde_json::from_str(self.state.get()).expect("JSON")
    }
}

/// Runs `tests/clients/storage-state.mjs`; with a state, starting from it.
async fn plain_playwright(browser: &Browser, state: Option<&str>, urls: &[String]) -> Said {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let mut node = Command::new("node")
        .current_dir(clients)
        .arg("storage-state.mjs")
        .arg(if state.is_some() { "load" } else { "save" })
        .args(urls)
        .env("GHOSTMUX_BROWSER", &browser.path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts; scripts/setup.sh test installs it");
    let mut stdin = node.stdin.take().expect("a pipe");
    stdin.write_all(state.unwrap_or_default().as_bytes()).await.expect("written");
    drop(stdin);
    let ended = tokio::time::timeout(Duration::from_secs(120), node.wait_with_output()).await;
    let output = ended.expect("node ends").expect("node ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A state whose cookies, origins and contents are sorted, for comparison.
fn sorted(state: &Value) -> Value {
    let mut state = state.clone();
    let sort = |list: &mut Value| {
        if let Some(list) = list.as_array_mut() {
            list.sort_by_key(ToString::to_string);
        }
    };
    for origin in state["origins"].as_array_mut().expect("a list") {
        for list in ["localStorage", "indexedDB"] {
            sort(&mut origin[list]);
        }
    }
    for list in ["cookies", "origins"] {
        sort(&mut state[list]);
    }
    state
}

async fn playwright_state_survives_import_and_export(browser: Browser) {
    let site = Site::start().await;
    // Both hosts have the cookies that `/cookies` sets: plain, HTTP-only, partitioned and unusual
    // ones.
    let urls = ["a.localhost", "b.localhost"].map(|host| site.url_at(host, "/cookies"));
    let saved = plain_playwright(&browser, None, &urls).await;
    let wanted = &saved.state();
    assert_eq!(wanted["origins"].as_array().map(Vec::len), Some(2), "{wanted}");

    let mut bytes = Vec::new();
    let report = playwright::import(saved.state.get(), &mut bytes).await.expect("a snapshot");
    assert_eq!(report.lost, []);
    let (json, report) = playwright::export(bytes.as_slice()).await.expect("a state");
    assert_eq!(report.lost, []);
    assert_eq!(serde_json::from_str::<Value>(&json).expect("JSON"), *wanted, "imported and exported");

    let stage = Stage::start(&browser).await;
    let session = stage.session().await;
    let (parts, how) = patient();
    let report = session.restore(&how, &bytes).await;
    assert_eq!(report.lost, []);
    // The page that was used for the import is unchanged.
    let page = session.attach(session.pages_at(0, &["about:blank".to_owned()]).await[0].0.clone()).await;
    assert_eq!(session.history(&page).await, (vec!["about:blank".to_owned()], 0));
    // No page was open at these origins; their restored data is found all the same.
    let (bytes, report) = session.save(&Parts { pages: false, ..parts }).await;
    assert_eq!(report.lost, []);
    let (json, report) = playwright::export(bytes.as_slice()).await.expect("a state");
    assert_eq!(report.lost, []);
    assert_eq!(sorted(&serde_json::from_str(&json).expect("JSON")), sorted(wanted), "through a session");
    stage.end().await;

    // A page that sets no cookie of its own.
    let urls = ["a.localhost", "b.localhost"].map(|host| site.url_at(host, "/"));
    let loaded = plain_playwright(&browser, Some(&json), &urls).await;
    assert_eq!(sorted(&loaded.state()), sorted(wanted), "loaded by Playwright");
    assert_eq!(loaded.seen, saved.seen, "what the sites' scripts find");
    assert_ne!(loaded.seen[0], json!([]));
}
in_browser!(Shell: playwright_state_survives_import_and_export);
