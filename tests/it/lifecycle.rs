//! Sessions, processes, directories and table entries are removed again, also when a client or the
//! proxy ends without notice.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use nix::sys::signal::{Signal, kill};
use serde_json::json;

use crate::{
    browsers::Browser,
    definition::is_of,
    proxy::{ChromeProcess, Proxy, eventually, size},
    site::Site,
};

/// The gauges of `/metrics`.
async fn gauges(proxy: &Proxy) -> HashMap<String, u64> {
    let answer = proxy.http("GET", "/metrics", &[], "").await;
    assert_eq!(answer.status, 200);
    let line = |line: &str| Some((line.split(' ').next()?.to_owned(), line.split(' ').nth(1)?.parse().ok()?));
    answer.body.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

/// The gauges that must return to their first values.
async fn tables(proxy: &Proxy) -> [u64; 6] {
    let gauges = gauges(proxy).await;
    ["sessions", "views", "contexts", "targets", "cdp_sessions", "calls"]
        .map(|name| gauges[&format!("ghostmux_{name}")])
}

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnected_clients_leave_nothing() {
    let proxy = Proxy::start(Browser::any(), &["--warm", "2"]).await;
    let site = Site::start().await;
    eventually("the warm leases", async || gauges(&proxy).await["ghostmux_sessions_warm"] == 2).await;
    let before = tables(&proxy).await;
    // One client first, so that processes and files that are created at first use exist.
    drop(proxy.connect().await.page_at(&site.url("/")).await);
    eventually("the same tables as before the first client", async || tables(&proxy).await == before).await;
    let kinds = || proxy.chrome_processes().iter().map(ChromeProcess::kind).collect::<Vec<_>>();
    let (files, processes) = (open_files(proxy.pid()), kinds());

    for _ in 0..size(3, 20) {
        let comers = (0..10).map(async |one| {
            let client = proxy.connect().await;
            client
                .ok(
                    None,
                    "Target.setAutoAttach",
                    json!({"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true}),
                )
                .await;
            if one % 2 == 0 {
                let page = client.page().await;
                assert_eq!(client.evaluate(&page.session, "1 + 1").await, 2);
            } else {
                // During a navigation, with a page that is held for a client that does not resume
                // it.
                client.start(None, "Target.createTarget", json!({"url": site.url("/slow")})).await;
                client.start(None, "Target.createTarget", json!({"url": site.url("/")})).await;
                client.event("Target.attachedToTarget").await;
            }
        });
        futures_util::future::join_all(comers).await;
    }

    let back = async || {
        let now = tables(&proxy).await;
        if now == before { Ok(()) } else { Err(now) }
    };
    let since = Instant::now();
    while let Err(now) = back().await {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "sessions, views, contexts, targets, CDP sessions, calls: {now:?}, before {before:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually("the same open files", async || open_files(proxy.pid()) <= files).await;
    let since = Instant::now();
    while kinds().len() > processes.len() {
        assert!(since.elapsed() < Duration::from_secs(60), "processes: {:?}, before {processes:?}", kinds());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_pool_grows_to_the_size_of_the_last_burst() {
    let proxy = Proxy::start(Browser::any(), &["--warm", "1"]).await;
    let warm = async || gauges(&proxy).await["ghostmux_sessions_warm"];
    eventually("the warm lease", async || warm().await == 1).await;
    let burst = futures_util::future::join_all((0..6).map(async |_| proxy.connect().await)).await;
    // One client found a lease and five did not: the pool should have six for the next six, or
    // fewer if a slow machine admitted them one after the other.
    eventually("more leases than the setting says", async || warm().await >= 3).await;
    drop(burst);
    eventually("one again, without new clients", async || warm().await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_proxy_leaves_no_chrome_and_no_directory() {
    let mut proxy = Proxy::start(Browser::any(), &["--browsers", "2"]).await;
    let client = proxy.connect().await;
    client.page().await;
    assert!(proxy.browser_processes().len() >= 2);
    proxy.kill();
    eventually("no process of a browser", async || proxy.browser_processes().is_empty()).await;
    eventually("no file", async || std::fs::read_dir(proxy.session_dir()).is_ok_and(|mut left| left.next().is_none()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_chrome_ends_only_its_sessions_and_is_replaced() {
    let proxy = Proxy::start(Browser::any(), &["--browsers", "2", "--warm", "1"]).await;
    // The least loaded browser is chosen first, so these two are in two browsers.
    let (one, other) = (proxy.connect().await, proxy.connect().await);
    let page = other.page().await;
    one.page().await;
    for client in [&one, &other] {
        client.ok(None, "ghost.enable", json!({})).await;
    }
    kill(proxy.browsers()[0], Signal::SIGKILL).expect("it runs");
    let (hit, other_lives) = tokio::select! {
        closed = one.end() => (closed, true),
        closed = other.end() => (closed, false),
    };
    assert!(hit.contains("1011") && hit.contains("browser is lost"), "{hit}");
    let told = if other_lives { &one } else { &other }.event("ghost.browserLost").await;
    is_of("ghost.browserLost", &told["params"]);
    if other_lives {
        assert_eq!(other.evaluate(&page.session, "6 * 7").await, 42);
    } else {
        one.ok(None, "Target.getTargets", json!({})).await;
    }
    eventually("both browsers", async || gauges(&proxy).await["ghostmux_browsers"] == 2).await;
    for _ in 0..4 {
        proxy.connect().await.page().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_sends_clients_a_close_reason() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let client = proxy.connect().await;
    client.page().await;
    proxy.terminate();
    let closed = client.end().await;
    assert!(closed.contains("1001") && closed.contains("shutting down"), "{closed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_close_ends_the_session_but_not_chrome() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let page = other.page().await;
    assert_eq!(client.ok(None, "Browser.close", json!({})).await, json!({}));
    assert!(client.end().await.contains("1000"));
    assert_eq!(other.evaluate(&page.session, "1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_distributed_over_browsers() {
    let proxy = Proxy::start(Browser::any(), &["--browsers", "2", "--max-sessions", "2", "--queue", "0"]).await;
    let both = (proxy.connect().await, proxy.connect().await);
    let refused = proxy.refusal("/").await;
    assert!(refused.contains("503"), "{refused}");
    drop(both);
    eventually("a place that is free again", async || proxy.try_connect_to("/").await.is_ok()).await;
}
