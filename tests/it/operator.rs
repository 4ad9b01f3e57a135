//! What an operator sees: the status, the browsers, the metrics, and the subcommands that show them.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    proxy::{Proxy, eventually},
};

async fn get(proxy: &Proxy, path: &str) -> Value {
    let answer = proxy.http("GET", path, &[], "").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", answer.body))
}

/// Runs a subcommand on this proxy; its exit code, output and error output.
async fn ghostmux(proxy: &Proxy, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ghostmux"));
    command.args(arguments).args(["--server", &proxy.url()]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn status_counts_sessions_and_browsers() {
    let proxy = Proxy::start(Browser::any(), &["--max-sessions", "7"]).await;
    let status = get(&proxy, "/v1/status").await;
    assert_eq!((&status["sessions"]["active"], &status["activeUsers"]), (&json!(0), &json!(0)), "{status}");
    let _client = proxy.connect().await;
    let parked = proxy.http("POST", "/v1/sessions", &[("content-type", "application/json")], "{}").await;
    assert_eq!(parked.status, 201, "{}", parked.body);
    let status = get(&proxy, "/v1/status").await;
    let sessions = json!({ "queued": 0, "active": 1, "parked": 1, "hibernated": 0 });
    assert_eq!((&status["sessions"], &status["activeUsers"]), (&sessions, &json!(1)), "{status}");
    assert_eq!(
        status["browsers"],
        json!({ "starting": 0, "ready": 1, "draining": 0, "dead": 0, "dedicated": 0, "spare": 0 }),
        "{status}"
    );
    assert_eq!((&status["queue"]["maxSessions"], &status["isAvailable"]), (&json!(7), &json!(true)), "{status}");
    assert!(status["memory"].as_u64() > Some(10 << 20) && status["uptime"].as_u64() > Some(0), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_shown_with_the_figures_of_their_processes() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    let browsers = get(&proxy, "/v1/browsers").await;
    let [browser] = &browsers["browsers"].as_array().expect("a list")[..] else { panic!("one runs: {browsers}") };
    let pid = proxy.browsers()[0].as_raw();
    assert_eq!((&browser["state"], &browser["pid"]), (&json!("ready"), &json!(pid)), "{browser}");
    assert_eq!((&browser["sessions"], &browser["sessionsServed"]), (&json!(1), &json!(1)), "{browser}");
    assert!(browser["product"].as_str().is_some_and(|product| product.contains("Chrome/")), "{browser}");
    assert!(browser["processes"].as_u64() > Some(2) && browser["memory"].as_u64() > Some(10 << 20), "{browser}");
    let time = async || get(&proxy, "/v1/browsers").await["browsers"][0]["cpuTime"].as_u64().expect("milliseconds");
    let before = time().await;
    let spin = "for (const until = performance.now() + 100; performance.now() < until;);";
    eventually("the processor time of the page", async || {
        client.evaluate(&page.session, spin).await;
        time().await >= before + 300
    })
    .await;
    assert!(browser["targets"].as_u64() >= Some(2) && browser["contexts"].as_u64() >= Some(1), "{browser}");
    let one = get(&proxy, &format!("/v1/browsers/{}", browser["id"])).await;
    assert_eq!(one["pid"], browser["pid"]);
    for unknown in ["99", "x", "-1"] {
        let answer = proxy.http("GET", &format!("/v1/browsers/{unknown}"), &[], "").await;
        assert!(answer.status == 404 && answer.body.contains("urn:ghostmux:no-browser"), "{}", answer.body);
    }
    drop(client);
    eventually("the session has left", async || get(&proxy, "/v1/browsers").await["browsers"][0]["sessions"] == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subcommands_show_the_sessions_browsers_and_status_of_a_server() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let headers = [("content-type", "application/json")];
    let made = proxy.http("POST", "/v1/sessions", &headers, r#"{"name":"nightly"}"#).await;
    let made: Value = serde_json::from_str(&made.body).expect("JSON");
    let id = made["id"].as_str().expect("an id");

    let (code, table, _) = ghostmux(&proxy, &["ls"]).await;
    let lines: Vec<&str> = table.lines().collect();
    assert!(code == Some(0) && lines.len() == 2 && lines[0].starts_with("ID "), "{table}");
    assert!(lines[1].starts_with(id) && lines[1].contains("parked") && lines[1].ends_with("nightly"), "{table}");
    let (_, listed, _) = ghostmux(&proxy, &["ls", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).expect("a line of JSON");
    assert_eq!((&listed["id"], &listed["name"]), (&made["id"], &json!("nightly")));

    let pid = proxy.browsers()[0].to_string();
    let (code, table, _) = ghostmux(&proxy, &["browsers"]).await;
    assert!(code == Some(0) && table.contains(" ready ") && table.contains(&pid), "{table}");
    let (_, shown, _) = ghostmux(&proxy, &["browsers", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["browsers"][0]["pid"].to_string(), pid);

    let (code, text, _) = ghostmux(&proxy, &["status"]).await;
    assert!(code == Some(0) && text.contains("0 active, 1 parked") && text.contains("1 ready"), "{text}");
    let (_, status, _) = ghostmux(&proxy, &["status", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&status).expect("JSON")["sessions"]["parked"], 1);

    let _dedicated = proxy.connect_to("/?isolation=dedicated").await;
    let (_, table, _) = ghostmux(&proxy, &["browsers"]).await;
    let is_shown =
        |words: &str| table.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").contains(words));
    assert!(is_shown("ready shared") && is_shown("ready dedicated"), "{table}");
}

#[test]
fn subcommands_say_why_there_is_no_answer() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let run = |server: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_ghostmux")).args(["status", "--server", server]).output();
        let output = output.expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let server = format!("http://{free}");
    let (code, said) = run(&server);
    assert!(code == Some(1) && said.contains(&server) && said.contains("--server"), "{said}");
    let (code, said) = run("ftp://name");
    assert!(code == Some(2) && said.contains("ftp://name") && said.contains("http://"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_follow_the_naming_rules_of_prometheus() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    client.evaluate(&page.session, "1").await;
    let metrics = proxy.http("GET", "/metrics", &[], "").await.body;
    for measured in [r#"ghostmux_connect_seconds_count{phase="all"} 1"#, "ghostmux_command_seconds_count 1"] {
        assert!(metrics.contains(measured), "no {measured} in {metrics}");
    }
    let output = tokio::task::spawn_blocking(move || {
        let checks = ["check", "metrics"];
        let mut promtool =
            Command::new("promtool").args(checks).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = promtool.stdin.take().expect("piped");
        std::io::Write::write_all(&mut stdin, metrics.as_bytes())?;
        drop(stdin);
        promtool.wait_with_output()
    });
    let output = output.await.expect("no panic").expect("promtool starts; scripts/setup.sh test installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Every metric is explained to an operator, and the page explains no other.
#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_in_the_documentation() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    drop(proxy.connect().await);
    assert_eq!(proxy.http("POST", "/v1/browsers/recycle", &[], "").await.status, 200);
    // Metrics with labels are there once they have been counted.
    let mut metrics = String::new();
    eventually("a session has ended, and the pool has decided", async || {
        metrics = proxy.http("GET", "/metrics", &[], "").await.body;
        ["sessions_ended_total", "pool_decisions_total"]
            .iter()
            .all(|name| metrics.contains(&format!("ghostmux_{name}{{")))
    })
    .await;
    let names = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let names: std::collections::BTreeSet<String> = names.map(str::to_owned).collect();
    let page = include_str!("../../docs/operating.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `ghostmux_"));
    let rows = rows.filter_map(|row| Some(format!("ghostmux_{}", row.split(['`', '{']).next()?)));
    let documented: std::collections::BTreeSet<String> = rows.collect();
    assert_eq!(documented, names, "left: docs/operating.md; right: /metrics");
}

/// A Prometheus that is killed when the test ends.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_scrapes_the_metrics() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let _client = proxy.connect().await;
    let directory = tempfile::tempdir().expect("a directory");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let config = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n- job_name: ghostmux\n  static_configs:\n  - targets: ['{}']\n",
        proxy.address()
    );
    let file = directory.path().join("prometheus.yml");
    std::fs::write(&file, config).expect("a file");
    let started = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
        .arg(format!("--web.listen-address={free}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Prometheus(started.expect("prometheus starts; scripts/setup.sh test installs it"));
    let ask = async |query: &str| -> Option<Value> {
        let mut socket = tokio::net::TcpStream::connect(free).await.ok()?;
        let request = format!("GET /api/v1/query?query={query} HTTP/1.0\r\nHost: {free}\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut socket, &mut answer).await.ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    };
    let value = async |query: &str| ask(query).await.map(|answer| answer["data"]["result"][0]["value"][1].clone());
    eventually("Prometheus has scraped", async || value("up").await == Some(json!("1"))).await;
    eventually("the counter is there", async || value("ghostmux_sessions_opened_total").await == Some(json!("1")))
        .await;
    // A histogram arrives as one: a quantile can be computed.
    let quantile = "histogram_quantile(0.5,ghostmux_connect_seconds_bucket%7Bphase=%22all%22%7D)";
    let quantile = value(quantile).await.and_then(|value| value.as_str()?.parse::<f64>().ok());
    assert!(quantile.is_some_and(|quantile| quantile > 0.0), "{quantile:?}");
}
