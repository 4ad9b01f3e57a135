//! Files of the browsers: each has its own directory, of a limited size, and none is left behind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_browser},
    proxy::{Proxy, eventually},
    rest::ok,
};

/// The profile directories of a proxy's browsers.
fn profiles(proxy: &Proxy) -> Vec<PathBuf> {
    let entries = fs::read_dir(proxy.own_directory()).into_iter().flatten().flatten();
    let is_profile = |path: &PathBuf| path.is_dir() && !path.ends_with("sessions");
    entries.map(|entry| entry.path()).filter(is_profile).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_browser_has_a_profile_and_temporary_directory_of_its_own() {
    let proxy = Proxy::start(Browser::any(), &["--browsers", "2"]).await;
    proxy.connect().await.page().await;
    let profiles = profiles(&proxy);
    assert_eq!(profiles.len(), 2, "{profiles:?}");
    for pid in proxy.browsers() {
        let variables = fs::read(format!("/proc/{pid}/environ")).expect("it runs");
        let variables = String::from_utf8_lossy(&variables).into_owned();
        let temporary = variables.split('\0').find_map(|line| line.strip_prefix("TMPDIR=")).expect("set").to_owned();
        let line = fs::read(format!("/proc/{pid}/cmdline")).expect("it runs");
        let line = String::from_utf8_lossy(&line).into_owned();
        let profile = line.split('\0').find_map(|flag| flag.strip_prefix("--user-data-dir=")).expect("set").to_owned();
        assert_eq!(temporary, profile);
        assert!(profiles.contains(&PathBuf::from(profile)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_whose_files_take_too_much_disk_is_recycled_without_the_end_of_a_session() {
    let proxy = Proxy::start(Browser::any(), &["--recycle-disk", "200MiB", "--memory-limit", "0"]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    let old = profiles(&proxy);
    fs::write(old[0].join("grown"), vec![1; 250 << 20]).expect("written");
    let by_disk = async || {
        let metrics = proxy.http("GET", "/metrics", &[], "").await.body;
        metrics.contains(r#"pool_decisions_total{decision="recycle",reason="replacement_ready"} 1"#)
            && metrics.contains(r#"pool_decisions_total{decision="replace",reason="recycle_disk"} 1"#)
    };
    eventually("the replacement", by_disk).await;
    let browsers = ok(&proxy, "GET", "/v1/browsers", Value::Null).await;
    let [old_one, new_one] = &browsers["browsers"].as_array().expect("a list")[..] else { panic!("{browsers}") };
    assert!(old_one["why"].as_str().is_some_and(|why| why.contains("temporary files take 2")), "{browsers}");
    assert!(old_one["disk"].as_u64() > Some(250 << 20) && new_one["state"] == "ready", "{browsers}");
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
    drop(client);
    eventually("the end of the old one and of its files", async || !old[0].exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_whose_files_are_about_to_fill_the_disk_is_ended_with_its_sessions_and_its_files() {
    let proxy = Proxy::start(Browser::any(), &["--recycle-disk", "0", "--browser-disk", "200MiB"]).await;
    let client = proxy.connect().await;
    let old = profiles(&proxy);
    fs::write(old[0].join("grown"), vec![1; 250 << 20]).expect("written");
    let reason = client.end().await;
    assert!(reason.contains("1011") && reason.contains("browser_disk is 200 MiB"), "{reason}");
    eventually("the end of its files", async || !old[0].exists()).await;
    proxy.connect().await.page().await;
}

/// The files below a directory whose names end so.
fn below(directory: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let ends = files.into_iter().filter(|path| path.to_string_lossy().ends_with(end));
    ends.chain(directories.iter().flat_map(|directory| below(directory, end))).collect()
}

/// The dump of a crash has memory of the page: it is in the browser's directory, which ends with it.
async fn dump_of_a_crashed_page_ends_with_its_browser(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    client.start(Some(&page.session), "Page.crash", json!({})).await;
    let own = proxy.own_directory();
    eventually("the dump", async || !below(&own, ".dmp").is_empty()).await;
    for pid in proxy.browsers() {
        kill(pid, Signal::SIGKILL).expect("it runs");
    }
    eventually("its end with the browser's", async || below(&own, ".dmp").is_empty()).await;
}
in_browser!(Full: dump_of_a_crashed_page_ends_with_its_browser);

/// The shells that clean up after a killed proxy.
fn cleaners(proxy: &Proxy) -> Vec<Pid> {
    let own = proxy.own_directory().display().to_string();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_one = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("ghostmux-cleanup") && line.contains(&own)
    };
    pids.filter(is_one).map(Pid::from_raw).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn next_start_removes_what_a_killed_proxy_left_and_nothing_of_one_that_runs() {
    let shared = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
    let flags = ["--session-dir", &shared.path().to_string_lossy()];
    let start = async || Proxy::start(Browser::any(), &flags).await;
    let (mut killed, running) = (start().await, start().await);
    let client = running.connect().await;
    let page = client.page().await;
    // Nothing cleans up after it, as when a whole container is killed.
    for pid in cleaners(&killed) {
        kill(pid, Signal::SIGKILL).expect("it runs");
    }
    let left = killed.own_directory();
    let is_its = |pid: &Pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*left.to_string_lossy())
    };
    let chromes: Vec<Pid> = killed.browsers().into_iter().filter(is_its).collect();
    assert_eq!(chromes.len(), 1);
    killed.kill();
    eventually("the end of its Chrome", async || !is_its(&chromes[0])).await;
    assert!(left.join("lock").exists(), "nobody has removed it");

    let next = start().await;
    eventually("the removal", async || !left.exists()).await;
    assert!(next.log().contains("left behind"), "{}", next.log());
    for proxy in [&running, &next] {
        assert_eq!(profiles(proxy).len(), 1, "{}", proxy.own_directory().display());
    }
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
    next.connect().await.page().await;
}
