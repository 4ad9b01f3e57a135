//! The pool looks after itself: it starts and stops browsers, and replaces those that end, hang or do not start.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{
    browsers::Browser,
    client::{Client, DEADLINE},
    proxy::{Proxy, eventually},
    rest::{JSON, connect, create, id_of, ok, send},
};

/// The records are compared with the browsers as often as is allowed.
const OFTEN_COMPARED: &[&str] = &["--reconcile-interval", "500ms"];

/// Waits until the proxy has this many browsers that accept sessions.
async fn browsers(proxy: &Proxy, number: u64) {
    eventually(&format!("{number} browsers"), async || proxy.figure("browsers").await == number).await;
}

/// Waits until the proxy has another browser than this one.
async fn replaced(proxy: &Proxy, old: Pid) {
    let is_new = async || proxy.browsers().iter().any(|pid| *pid != old) && proxy.figure("browsers").await == 1;
    eventually("another browser", is_new).await;
}

/// The children of the proxy that have ended and were not waited for.
fn zombies(proxy: &Proxy) -> Vec<String> {
    let stats = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let is_one = |stat: &String| {
        let words: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        words.first() == Some(&"Z") && words.get(1) == Some(&proxy.pid().to_string().as_str())
    };
    stats.filter(is_one).collect()
}

/// None of these processes is left, and none that nobody waited for.
async fn are_gone(proxy: &Proxy, old: &BTreeSet<u32>) {
    eventually("the end of the old processes", async || {
        !proxy.browser_processes().iter().any(|pid| old.contains(pid)) && zombies(proxy).is_empty()
    })
    .await;
}

fn processes(proxy: &Proxy) -> BTreeSet<u32> {
    proxy.browser_processes().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_browser_is_replaced_within_two_seconds() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let client = proxy.connect().await;
    client.page().await;
    let (old, all) = (proxy.browsers()[0], processes(&proxy));
    let since = Instant::now();
    kill(old, Signal::SIGKILL).expect("it runs");
    replaced(&proxy, old).await;
    let took = since.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    let closed = client.end().await;
    assert!(closed.contains("1011") && closed.contains("browser is lost"), "{closed}");
    proxy.connect().await.page().await;
    are_gone(&proxy, &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_browser_is_killed_and_replaced() {
    let proxy = Proxy::start(Browser::any(), &["--browser-stall", "2s"]).await;
    let client = proxy.connect().await;
    client.page().await;
    let (old, all) = (proxy.browsers()[0], processes(&proxy));
    let since = Instant::now();
    kill(old, Signal::SIGSTOP).expect("it runs");
    let closed = client.end().await;
    assert!(closed.contains("1011") && closed.contains("browser_stall"), "{closed}");
    replaced(&proxy, old).await;
    let took = since.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(5), "it took {took:?}");
    proxy.connect().await.page().await;
    are_gone(&proxy, &all).await;
}

/// Commands behind a large reply wait for longer than a browser may be silent, while its bytes come.
#[tokio::test(flavor = "multi_thread")]
async fn browser_that_sends_a_large_reply_is_not_ill() {
    let proxy = Proxy::start(Browser::any(), &["--browser-stall", "500ms", "--client-queue-hard", "1GiB"]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    let old = proxy.browsers();
    let large = json!({ "expression": "'x'.repeat(90e6)", "returnByValue": true });
    let result = client.ok(Some(&page.session), "Runtime.evaluate", large).await;
    assert_eq!(result["result"]["value"].as_str().map(str::len), Some(90_000_000));
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
    assert_eq!(proxy.browsers(), old);
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_of_a_renderer_is_the_business_of_its_page() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let (one, other) = (proxy.connect().await, proxy.connect().await);
    let (page, neighbour) = (one.page().await, other.page().await);
    let old = proxy.browsers();
    one.start(Some(&page.session), "Page.crash", json!({})).await;
    one.event("Inspector.targetCrashed").await;
    assert_eq!(other.evaluate(&neighbour.session, "6 * 7").await, 42);
    let again = one.page().await;
    assert_eq!(one.evaluate(&again.session, "6 * 7").await, 42);
    assert_eq!((proxy.browsers(), proxy.figure("browsers_lost_total").await), (old, 0));
}

/// The processes of the proxy's Chromes that are of this type.
fn of_type(proxy: &Proxy, kind: &str) -> BTreeSet<i32> {
    let all = proxy.chrome_processes();
    all.iter().filter(|process| process.is_of_type(kind)).map(|process| process.pid.as_raw()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_renderer_ends_its_page_and_killed_gpu_process_nothing() {
    let proxy = Proxy::start(Browser::any(), OFTEN_COMPARED).await;
    let (one, other) = (proxy.connect().await, proxy.connect().await);
    let neighbour = other.page().await;
    other.evaluate(&neighbour.session, "1").await;
    let before = of_type(&proxy, "renderer");
    let page = one.page().await;
    one.evaluate(&page.session, "1").await;
    let (old, new) = (proxy.browsers(), of_type(&proxy, "renderer"));
    let own: Vec<i32> = new.difference(&before).copied().collect();
    assert!(!own.is_empty(), "{before:?} and {new:?}");
    for pid in own {
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
    }
    one.event("Inspector.targetCrashed").await;
    assert_eq!(other.evaluate(&neighbour.session, "6 * 7").await, 42);
    let again = one.page().await;
    assert_eq!(one.evaluate(&again.session, "6 * 7").await, 42);

    let gpu = of_type(&proxy, "gpu-process");
    assert!(!gpu.is_empty());
    for pid in &gpu {
        kill(Pid::from_raw(*pid), Signal::SIGKILL).expect("it runs");
    }
    eventually("another GPU process", async || {
        let now = of_type(&proxy, "gpu-process");
        !now.is_empty() && now.is_disjoint(&gpu)
    })
    .await;
    for (client, page) in [(&one, &again), (&other, &neighbour)] {
        client.ok(Some(&page.session), "Page.captureScreenshot", json!({})).await;
    }
    assert_eq!((proxy.browsers(), proxy.figure("browsers_lost_total").await), (old, 0));
    proxy.compared(1).await;
    assert_eq!(proxy.differences().await, [""; 0], "{}", proxy.log());
}

/// A browser that reads nothing, so that what is written to it waits in the pipe and in the proxy.
#[tokio::test(flavor = "multi_thread")]
async fn stalled_pipe_ends_only_the_sessions_of_its_browser() {
    let flags = [OFTEN_COMPARED, &["--browsers", "2", "--browser-stall", "1s"]].concat();
    let proxy = Proxy::start(Browser::any(), &flags).await;
    // The least loaded browser is chosen first, so these two are in two browsers.
    let (hit, other) = (proxy.connect().await, proxy.connect().await);
    let (page, neighbour) = (hit.page().await, other.page().await);
    let id = crate::reconnect::id_of(&hit).await;
    let session = ok(&proxy, "GET", &format!("/v1/sessions/{id}"), Value::Null).await;
    let browser = ok(&proxy, "GET", &format!("/v1/browsers/{}", session["browser"]), Value::Null).await;
    let old = Pid::from_raw(browser["pid"].as_i64().and_then(|pid| pid.try_into().ok()).expect("a pid"));
    let since = Instant::now();
    kill(old, Signal::SIGSTOP).expect("it runs");
    let large = json!({ "expression": format!("'{}'.length", "x".repeat(8 << 20)) });
    hit.start(Some(&page.session), "Runtime.evaluate", large).await;
    assert_eq!(other.evaluate(&neighbour.session, "6 * 7").await, 42);
    let closed = hit.end().await;
    assert!(closed.contains("1011") && closed.contains("browser_stall"), "{closed}");
    assert_eq!(other.evaluate(&neighbour.session, "6 * 7").await, 42);
    eventually("both browsers", async || {
        let there = proxy.browsers();
        there.len() == 2 && !there.contains(&old) && proxy.figure("browsers").await == 2
    })
    .await;
    let took = since.elapsed();
    assert!(took < Duration::from_secs(6), "it took {took:?}");
    assert!(zombies(&proxy).is_empty());
    proxy.compared(2).await;
    assert_eq!(proxy.differences().await, [""; 0], "{}", proxy.log());
}

/// A directory with the browser in it, whose program can be replaced.
fn movable(browser: &Browser, to: &Path) -> Browser {
    let from = browser.path.parent().expect("a directory");
    let name = browser.path.file_name().expect("a name");
    for entry in fs::read_dir(from).expect("readable").flatten() {
        if entry.file_name() != name {
            symlink(entry.path(), to.join(entry.file_name())).expect("linked");
        }
    }
    let path = to.join(name);
    if fs::hard_link(&browser.path, &path).is_err() {
        fs::copy(&browser.path, &path).expect("copied");
    }
    Browser { path }
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_that_does_not_start_is_tried_less_and_less_often_and_readyz_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let browser = movable(&Browser::any(), directory.path());
    let path = browser.path.clone();
    let proxy = Proxy::start(browser, &[]).await;
    let ready = proxy.http("GET", "/readyz", &[], "").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, r#"{"status":"ready"}"#));

    let good = directory.path().join("good");
    fs::rename(&path, &good).expect("moved");
    fs::write(&path, "#!/bin/sh\necho 'FATAL: no disk' >&2\nexit 7\n").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    proxy.lose_browser();
    let attempts = || proxy.log().matches("browser did not start").count();
    eventually("several attempts", async || attempts() >= 4).await;
    let unready = proxy.http("GET", "/readyz", &[], "").await;
    assert_eq!(unready.status, 503, "{unready:?}");
    for reason in ["not-ready", "exit status: 7", "FATAL: no disk", "next attempt"] {
        assert!(unready.body.contains(reason), "{reason}: {}", unready.body);
    }
    assert_eq!(proxy.http("GET", "/healthz", &[], "").await.status, 200);
    let log = proxy.log();
    for pause in ["200ms", "400ms", "800ms", "1.6s"] {
        assert!(log.contains(pause), "no pause of {pause}: {log}");
    }

    fs::rename(&good, &path).expect("moved back");
    browsers(&proxy, 1).await;
    assert_eq!(proxy.http("GET", "/readyz", &[], "").await.status, 200);
    proxy.connect().await.page().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_started_under_a_ramp_and_stopped_after_it() {
    let flags = [
        "--max-browsers=3",
        "--sessions-per-browser=2",
        "--browser-idle=1s",
        "--cpu-limit=0",
        "--memory-limit=0",
        "--min-browsers",
        "1",
    ];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    assert_eq!(proxy.browsers().len(), 1);
    let mut clients = Vec::new();
    for _ in 0..6 {
        let client = proxy.connect().await;
        client.page().await;
        clients.push(client);
    }
    browsers(&proxy, 3).await;
    // Above the target of all of them: nobody is refused, and there is no fourth browser.
    clients.extend(join_all((0..4).map(async |_| proxy.connect().await)).await);
    assert_eq!(proxy.browsers().len(), 3);
    let decisions = proxy.http("GET", "/metrics", &[], "").await.body;
    assert!(decisions.contains(r#"pool_decisions_total{decision="start",reason="demand"} 2"#), "{decisions}");
    assert!(decisions.contains(r#"pool_decisions_total{decision="hold",reason="at_maximum"}"#), "{decisions}");

    let kept = clients.pop().expect("a client");
    let page = kept.page().await;
    drop(clients);
    browsers(&proxy, 1).await;
    // The browser of the last session is drained perhaps, but not ended.
    assert_eq!(kept.evaluate(&page.session, "6 * 7").await, 42);
    drop(kept);
    eventually("one browser", async || proxy.browsers().len() == 1 && zombies(&proxy).is_empty()).await;
    proxy.connect().await.page().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_above_what_the_machine_has_are_refused_at_start() {
    let run = async |flags: &[&str]| {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_ghostmux"))
            .arg("serve")
            .env("GHOSTMUX_LISTEN", "127.0.0.1:0")
            .args(flags)
            .output();
        let output = output.await.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&["--browser-memory", "1000000GiB"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("browser_memory 1024000000 MiB: this machine has"), "{said}");
    let (code, said) = run(&["--browser-memory", "10MiB"]).await;
    assert!(code == Some(2) && said.contains("browser_memory 10 MiB: a browser takes up to"), "{said}");
    // The port is in use, so it ends after the check.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let listener = std::net::TcpListener::bind(taken).expect("the port");
    let (_, said) = run(&["--listen", &taken.to_string(), "--max-sessions", "1000000"]).await;
    assert!(said.contains("max_sessions 1000000: so many sessions"), "{said}");
    drop(listener);
}

/// The browsers that the proxy will replace.
async fn recycled(proxy: &Proxy, path: &str) -> Value {
    ok(proxy, "POST", path, Value::Null).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_recycle_under_load_drops_no_session() {
    let flags = ["--browsers", "2", "--warm", "1", "--memory-limit", "0", "--reconcile-interval", "500ms"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let old = processes(&proxy);
    let mut long = Vec::new();
    for number in 0..4 {
        let client = proxy.connect().await;
        let page = client.page().await;
        client.evaluate(&page.session, &format!("globalThis.kept = {number}")).await;
        long.push((number, client, page));
    }
    let is_over = AtomicBool::new(false);
    // Each comes, works and goes; one that is refused or cut off fails the test.
    let load = async || {
        let mut served = 0;
        while !is_over.load(Ordering::Relaxed) {
            let client = proxy.connect().await;
            let page = client.page().await;
            assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
            served += 1;
        }
        served
    };
    let roll = async {
        assert_eq!(recycled(&proxy, "/v1/browsers/recycle").await, json!({ "browsers": [1, 2] }));
        // The first is replaced and waits for its sessions; the second has its turn after it.
        eventually("a third browser", async || {
            proxy.log().contains("replacement_ready") || proxy.browsers().len() == 3
        })
        .await;
        for (number, client, page) in &long {
            assert_eq!(client.evaluate(&page.session, "globalThis.kept").await, *number);
        }
        assert!(proxy.browsers().len() <= 3);
        drop(long);
        are_gone(&proxy, &old).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let (one, other, ()) = futures_util::join!(load(), load(), roll);
    assert!(one > 0 && other > 0, "{one} and {other} served");
    browsers(&proxy, 2).await;
    assert_eq!(proxy.figure("browsers_lost_total").await, 0);
    proxy.compared(2).await;
    assert_eq!(proxy.differences().await, [""; 0], "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_sessions_of_an_overdue_browser_hibernate_and_active_ones_go_on() {
    let flags = ["--recycle-deadline", "500ms", "--memory-limit", "0"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let old = processes(&proxy);
    let active = proxy.connect().await;
    let page = active.page().await;
    let session = create(&proxy, json!({ "name": "parked" })).await;
    let path = format!("/v1/sessions/{}", id_of(&session));
    assert_eq!(recycled(&proxy, "/v1/browsers/1/recycle").await, json!({ "browsers": [1] }));
    eventually("hibernation", async || send(&proxy, "GET", &path, Value::Null).await.1["state"] == "hibernated").await;
    assert_eq!(active.evaluate(&page.session, "6 * 7").await, 42);
    let back = connect(&proxy, &session).await;
    back.page().await;
    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await["browser"], 2);
    drop(active);
    are_gone(&proxy, &old).await;
    for browser in ["1", "99", "x"] {
        let answer = send(&proxy, "POST", &format!("/v1/browsers/{browser}/recycle"), Value::Null).await;
        assert_eq!(answer.0, 404, "{browser}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_that_has_served_its_sessions_is_replaced() {
    let proxy = Proxy::start(Browser::any(), &["--recycle-sessions", "3", "--memory-limit", "0"]).await;
    let (old, all) = (proxy.browsers()[0], processes(&proxy));
    for _ in 0..3 {
        proxy.connect().await.page().await;
    }
    replaced(&proxy, old).await;
    are_gone(&proxy, &all).await;
    assert_eq!(proxy.figure("browsers_lost_total").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_limit_of_memory_cuts_sessions_and_says_so() {
    let proxy = Proxy::start(Browser::any(), &["--browser-memory", "500MiB"]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    let grow = json!({ "expression": "globalThis.kept = new Uint8Array(900e6).fill(1); 1" });
    client.start(Some(&page.session), "Runtime.evaluate", grow).await;
    let closed = client.end().await;
    assert!(closed.contains("1011") && closed.contains("browser_memory is 500 MiB"), "{closed}");
    browsers(&proxy, 1).await;
    proxy.connect().await.page().await;
}

/// Nothing listens at the proxy's address any more.
async fn ended(proxy: &Proxy) {
    eventually("the end of the server", async || TcpStream::connect(proxy.address()).await.is_err()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_refuses_new_sessions_and_waits_for_active_ones() {
    let proxy = Proxy::start(Browser::any(), &["--drain", "60s"]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    let parked = create(&proxy, json!({})).await;
    proxy.terminate();
    eventually("not ready", async || proxy.http("GET", "/readyz", &[], "").await.status == 503).await;
    let unready = proxy.http("GET", "/readyz", &[], "").await;
    assert!(unready.body.contains("drains"), "{}", unready.body);
    let refused = proxy.refusal("/").await;
    assert!(refused.contains("503") && refused.contains("drains"), "{refused}");
    let answer = proxy.http("POST", "/v1/sessions", &[JSON], "{}").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    let refused = proxy.refusal(&format!("/devtools/browser/{}", id_of(&parked))).await;
    assert!(refused.contains("503"), "a session without a client stays so: {refused}");
    // The session that has a client gets all it needs.
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
    let again = client.page().await;
    assert_eq!(client.evaluate(&again.session, "1").await, 1);
    drop(client);
    ended(&proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_closes_sessions_at_its_deadline() {
    let proxy = Proxy::start(Browser::any(), &["--drain", "1s"]).await;
    let client = proxy.connect().await;
    client.page().await;
    let since = Instant::now();
    assert_eq!(ok(&proxy, "POST", "/v1/drain", Value::Null).await, json!({ "mode": "draining", "active": 1 }));
    assert_eq!(send(&proxy, "POST", "/v1/resume", Value::Null).await.0, 503, "there is no way back");
    let closed = client.end().await;
    assert!(since.elapsed() >= Duration::from_secs(1));
    assert!(closed.contains("1001") && closed.contains("shutting down"), "{closed}");
    ended(&proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_signal_ends_at_once() {
    let proxy = Proxy::start(Browser::any(), &["--drain", "60s"]).await;
    let client = proxy.connect().await;
    client.page().await;
    proxy.terminate();
    eventually("not ready", async || proxy.http("GET", "/readyz", &[], "").await.status == 503).await;
    proxy.terminate();
    client.end().await;
    ended(&proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_server_lets_new_sessions_wait() {
    let proxy = Proxy::start(Browser::any(), &["--queue", "1"]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    assert_eq!(ok(&proxy, "POST", "/v1/pause", Value::Null).await, json!({ "mode": "paused", "active": 1 }));
    let ready = proxy.http("GET", "/readyz", &[], "").await;
    assert!(ready.status == 503 && ready.body.contains("paused"), "{ready:?}");
    let newcomer = async { proxy.connect().await.page().await };
    let operator = async {
        eventually("the newcomer in the queue", async || proxy.figure("sessions_queued").await == 1).await;
        let refused = proxy.refusal("/").await;
        assert!(refused.contains("503") && refused.contains("paused"), "the queue is full: {refused}");
        assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
        assert_eq!(ok(&proxy, "POST", "/v1/resume", Value::Null).await["mode"], "open");
    };
    futures_util::join!(newcomer, operator);
    assert_eq!(proxy.http("GET", "/readyz", &[], "").await.status, 200);
}

/// Starts a trace, in which the events of nothing are.
async fn trace(client: &Client) {
    let categories = json!({ "includedCategories": ["blink.user_timing"] });
    let params = json!({ "transferMode": "ReportEvents", "traceConfig": categories });
    // Chrome waits for its processes to begin; 10 s for one that is just ending.
    let started = client.call_in(None, "Tracing.start", params, DEADLINE * 2).await;
    assert!(started.is_ok(), "{started:?}");
}

async fn end_trace(client: &Client) {
    client.ok(None, "Tracing.end", json!({})).await;
    client.event("Tracing.tracingComplete").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_session_of_another_client_forbids_traces_until_it_hibernates() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let parked = create(&proxy, json!({})).await;
    let tracer = proxy.connect().await;
    let (_, refused) = tracer.call("Tracing.start", json!({})).await.expect_err("somebody else is there");
    assert!(refused.contains("without a client") && refused.contains("--hibernate-after"), "{refused}");
    let path = format!("/v1/sessions/{}", id_of(&parked));
    assert_eq!(ok(&proxy, "GET", &path, Value::Null).await["state"], "parked");
    ok(&proxy, "PATCH", &path, json!({ "hibernateAfter": 1 })).await;
    eventually("it hibernates", async || ok(&proxy, "GET", &path, Value::Null).await["state"] == "hibernated").await;
    trace(&tracer).await;
    end_trace(&tracer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomer_waits_until_the_trace_in_the_only_browser_ends() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let tracer = proxy.connect().await;
    trace(&tracer).await;
    let newcomer = async { proxy.connect().await.page().await };
    let ends = async {
        eventually("the newcomer waits", async || {
            let sessions = ok(&proxy, "GET", "/v1/sessions", Value::Null).await["sessions"].clone();
            sessions.as_array().is_some_and(|all| all.iter().any(|session| session.get("browser").is_none()))
        })
        .await;
        end_trace(&tracer).await;
        Instant::now()
    };
    let (_, ended) = futures_util::join!(newcomer, ends);
    assert!(ended.elapsed() < Duration::from_secs(10), "it was not told of the end: {:?}", ended.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomer_gets_another_browser_while_a_session_traces() {
    let flags = ["--max-browsers=2", "--cpu-limit=0", "--memory-limit=0", "--min-browsers", "1"];
    let proxy = Proxy::start(Browser::any(), &flags).await;
    let tracer = proxy.connect().await;
    trace(&tracer).await;
    let newcomer = proxy.connect().await;
    let page = newcomer.page().await;
    assert_eq!(newcomer.evaluate(&page.session, "6 * 7").await, 42);
    assert_eq!(proxy.browsers().len(), 2);
    end_trace(&tracer).await;
}
