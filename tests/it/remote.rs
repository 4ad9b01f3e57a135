//! A Chrome that was started by another program, by `--browser-url`.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::json;

use crate::{browsers::Browser, proxy::Proxy};

/// A Chrome with a debugging port. Dropping it ends it.
pub(crate) struct RealBrowser {
    child: Child,
    pub(crate) url: String,
    _profile: tempfile::TempDir,
}

impl RealBrowser {
    pub(crate) async fn start(browser: &Browser) -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(&browser.path)
            .args(["--headless", "--no-sandbox", "--no-first-run", "--disable-gpu", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stderr = child.stderr.take().expect("piped");
        let (url, child) = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
            let url = lines.find_map(|line| Some(line.split_once("DevTools listening on ")?.1.trim().to_owned()));
            // Chrome goes on writing, so its output must be read.
            std::thread::spawn(move || lines.for_each(drop));
            (url, child)
        })
        .await
        .expect("no panic");
        Self { child, url: url.expect("its URL"), _profile: profile }
    }
}

impl Drop for RealBrowser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_chrome_sessions_are_isolated() {
    let browser = Browser::any().await;
    let real = RealBrowser::start(&browser).await;
    let proxy = Proxy::start_remote(browser, &real.url, &[]).await;
    let (one, other) = (proxy.connect().await, proxy.connect().await);
    let page = one.page().await;
    other.page().await;
    for client in [&one, &other] {
        // The page that existed before belongs to no session of ghostmux.
        let targets = client.ok(None, "Target.getTargets", json!({})).await;
        assert_eq!(targets["targetInfos"].as_array().map(Vec::len), Some(2), "{targets}");
    }
    // More data than the socket buffers hold, in both directions.
    let long = "x".repeat(8 << 20);
    assert_eq!(one.evaluate(&page.session, &format!("'{long}'.length")).await, 8 << 20);
    assert_eq!(one.evaluate(&page.session, "'y'.repeat(8 << 20)").await.as_str().map(str::len), Some(8 << 20));
    let protocol = proxy.http("GET", "/json/protocol", &[], "").await;
    assert_eq!(protocol.status, 200);
    drop(real);
    assert!(one.end().await.contains("1011"));
}
