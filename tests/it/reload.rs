//! Settings that change while the server runs, with clients that stay connected.

use std::{fs, path::PathBuf};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    proxy::{Proxy, eventually},
    rest::{is_problem, ok},
};

/// A configuration file, and the proxy that was started with it.
pub(crate) struct Configured {
    pub(crate) file: PathBuf,
    pub(crate) proxy: Proxy,
    _directory: tempfile::TempDir,
}

impl Configured {
    pub(crate) async fn start(settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("ghostmux.toml");
        fs::write(&file, settings).expect("written");
        let proxy = Proxy::start(Browser::any(), &["--config", &file.to_string_lossy()]).await;
        Self { file, proxy, _directory: directory }
    }

    pub(crate) fn write(&self, settings: &str) {
        fs::write(&self.file, settings).expect("written");
    }

    pub(crate) async fn reload(&self) -> Value {
        ok(&self.proxy, "POST", "/v1/reload", Value::Null).await
    }
}

fn change(setting: &str, old: &str, new: &str) -> Value {
    json!({ "setting": setting, "old": old, "new": new })
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_change_while_clients_stay_connected() {
    let configured = Configured::start("browsers = 1\nmax_sessions = 1\nkeep_alive = '1s'").await;
    let proxy = &configured.proxy;
    let client = proxy.connect().await;
    let page = client.page().await;
    client.evaluate(&page.session, "globalThis.kept = 7").await;
    let newcomer = async { proxy.connect().await };
    let operator = async {
        eventually("a client in the queue", async || proxy.figure("sessions_queued").await == 1).await;
        configured.write("browsers = 1\nmax_sessions = 3\nkeep_alive = '2s'\nlog_format = 'json'");
        configured.reload().await
    };
    let (newcomer, report) = futures_util::join!(newcomer, operator);
    assert_eq!(report["file"], json!(configured.file), "{report}");
    assert_eq!(report["changed"], json!([change("keep_alive", "1s", "2s"), change("max_sessions", "1", "3")]));
    assert_eq!(report["needsRestart"], json!([change("log_format", "text", "json")]));
    let page_of_newcomer = newcomer.page().await;
    assert_eq!(newcomer.evaluate(&page_of_newcomer.session, "6 * 7").await, 42);
    assert_eq!(client.evaluate(&page.session, "globalThis.kept").await, 7);
    let _third = proxy.connect().await;
    let sessions = ok(proxy, "GET", "/v1/sessions", Value::Null).await;
    let kept: Vec<&Value> =
        sessions["sessions"].as_array().expect("a list").iter().map(|session| &session["keepAlive"]).collect();
    assert_eq!(kept, [1000, 1000, 2000], "the first two sessions began before: {sessions}");
    assert_eq!(ok(proxy, "GET", "/v1/status", Value::Null).await["queue"]["maxSessions"], 3);
    assert_eq!(configured.reload().await["changed"], json!([]), "the same file again");
    let log = proxy.log();
    assert!(log.contains("setting changed") && log.contains("max_sessions"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_file_leaves_all_settings_in_force() {
    let configured = Configured::start("browsers = 1\nmax_sessions = 1").await;
    let proxy = &configured.proxy;
    let client = proxy.connect().await;
    let page = client.page().await;
    let place = |line: u32| format!("{}:{line}", configured.file.display());
    for (settings, line, word) in [
        ("browsers = 1\nmax_sessions = 2\nqueue = 'many'", 3, "queue in "),
        ("browsers = 1\nmax_session = 2", 2, "unknown setting `max_session`"),
        ("browsers = 1\nmax_sessions = ", 2, ""),
        ("min_browsers = 3\nmax_sessions = 2\nmax_browsers = 2", 3, "below min_browsers in "),
    ] {
        configured.write(settings);
        let answer = proxy.http("POST", "/v1/reload", &[], "").await;
        is_problem(&answer, 422, "configuration", word);
        assert!(answer.body.contains(&place(line)) && answer.body.contains("old settings stay"), "{}", answer.body);
        assert_eq!(ok(proxy, "GET", "/v1/status", Value::Null).await["queue"]["maxSessions"], 1, "{settings}");
    }
    configured.write("browsers = 1\nbrowser_memory = '1000000GiB'");
    is_problem(&proxy.http("POST", "/v1/reload", &[], "").await, 422, "configuration", "browser_memory");
    fs::remove_file(&configured.file).expect("removed");
    is_problem(&proxy.http("POST", "/v1/reload", &[], "").await, 422, "configuration", "cannot read");

    // By a signal nobody gets the answer: the log has it.
    configured.write("max_sessions = -1");
    let logged = proxy.log().len();
    proxy.signal(Signal::SIGHUP);
    eventually("the error in the log", async || proxy.log()[logged..].contains("max_sessions in")).await;
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
    configured.write("browsers = 1\nmax_sessions = 9");
    proxy.signal(Signal::SIGHUP);
    let most = async || ok(proxy, "GET", "/v1/status", Value::Null).await["queue"]["maxSessions"].clone();
    eventually("the new limit", async || most().await == 9).await;
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn number_of_browsers_follows_a_reload_without_the_end_of_a_session() {
    let configured = Configured::start("browsers = 1").await;
    let proxy = &configured.proxy;
    let client = proxy.connect().await;
    let page = client.page().await;
    configured.write("browsers = 2");
    configured.reload().await;
    eventually("two browsers", async || proxy.figure("browsers").await == 2).await;
    let second = proxy.connect().await;
    let other = second.page().await;
    configured.write("browsers = 1");
    configured.reload().await;
    eventually("one accepts sessions", async || proxy.figure("browsers").await == 1).await;
    assert_eq!(proxy.browsers().len(), 2, "each has a session");
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
    assert_eq!(second.evaluate(&other.session, "6 * 7").await, 42);
    drop((client, second));
    eventually("the other one is closed", async || proxy.browsers().len() == 1).await;
    let metrics = proxy.http("GET", "/metrics", &[], "").await.body;
    assert!(metrics.contains(r#"pool_decisions_total{decision="drain",reason="above_maximum"} 1"#), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_the_log_follow_a_reload_and_a_subcommand_prints_what_changed() {
    let configured = Configured::start("browsers = 1").await;
    let proxy = &configured.proxy;
    let by_name = async || proxy.http("GET", "/json/version", &[("Host", "chrome.lan")], "").await.status;
    assert_eq!(by_name().await, 500, "as Chrome answers a name that may not call it");
    configured.write("browsers = 1\nallow_host = 'chrome.lan'\nlog = 'ghostmux=debug'\nlisten = '127.0.0.1:1'");
    let run = async || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ghostmux"));
        let output = command.args(["reload", "--server", &proxy.url()]).output().await.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = run().await;
    assert_eq!(code, Some(0), "{said}");
    for line in ["changed: allow_host, from none to chrome.lan", "changed: log, from info to ghostmux=debug"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains("listen"), "the flag of the test wins over the file: {said}");
    assert_eq!(by_name().await, 200);
    proxy.connect().await.page().await;
    assert!(proxy.log().contains("browser chosen for a session"), "a line of the level debug: {}", proxy.log());
    assert!(run().await.1.contains("nothing has changed"));
    configured.write("wram = 1");
    let (code, said) = run().await;
    assert!(code == Some(1) && said.contains("422") && said.contains("unknown setting `wram`"), "{said}");
}
