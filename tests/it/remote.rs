//! Chromes that were started by another program: `--browser-url`, and `[[browser]]` in the file.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    browsers::Browser,
    client::{Client, Page},
    proxy::{Proxy, eventually},
    reload::Configured,
    rest::{is_problem, ok},
    site::Site,
};

/// A Chrome with a debugging port. Dropping it ends it.
pub(crate) struct RealBrowser {
    child: Child,
    pub(crate) url: String,
    _profile: tempfile::TempDir,
}

impl RealBrowser {
    pub(crate) async fn start(browser: &Browser) -> Self {
        Self::start_at(browser, 0).await
    }

    /// Starts one at this port; 0 is any.
    async fn start_at(browser: &Browser, port: u16) -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(&browser.path)
            .args(["--headless", "--no-sandbox", "--no-first-run", "--disable-gpu"])
            .arg(format!("--remote-debugging-port={port}"))
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

impl RealBrowser {
    /// Host and port.
    fn address(&self) -> SocketAddr {
        let authority = self.url.trim_start_matches("ws://").split('/').next();
        authority.and_then(|authority| authority.parse().ok()).expect("an address")
    }

    /// A client that comes past ghostmux.
    async fn connect(&self) -> Client {
        let path = self.url.split_once(&self.address().to_string()).expect("its address").1;
        Client::connect(&self.address().to_string(), path).await.expect("it accepts")
    }

    /// The contexts in it, whoever has made them.
    async fn contexts(&self) -> Value {
        self.connect().await.ok(None, "Target.getBrowserContexts", json!({})).await["browserContextIds"].clone()
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
    let browser = Browser::any();
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

/// The way to a remote browser, which can be cut and mended.
struct Way {
    from: SocketAddr,
    to: SocketAddr,
    running: Option<JoinSet<()>>,
}

impl Way {
    /// A way that is cut.
    async fn to(to: SocketAddr) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        Self { from: free, to, running: None }
    }

    /// Lets connections through.
    async fn mend(&mut self) {
        let (listener, to) = (TcpListener::bind(self.from).await.expect("its port"), self.to);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut far = TcpStream::connect(to).await.expect("it accepts");
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        self.running = Some(running);
    }

    /// Breaks all connections, and accepts none.
    async fn cut(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.shutdown().await;
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.from)
    }
}

fn table(url: &str) -> String {
    format!("\n[[browser]]\nurl = '{url}'\n")
}

/// Waits until this many browsers accept sessions.
async fn ready(proxy: &Proxy, number: u64) {
    eventually(&format!("{number} browsers"), async || proxy.figure("browsers").await == number).await;
}

async fn browsers(proxy: &Proxy) -> Vec<Value> {
    let browsers = ok(proxy, "GET", "/v1/browsers", Value::Null).await;
    browsers["browsers"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn local_and_remote_browsers_share_the_sessions() {
    let real = RealBrowser::start(&Browser::any()).await;
    let url = format!("http://{}", real.address());
    let configured = Configured::start(&format!("browsers = 1\n{}", table(&url))).await;
    let proxy = &configured.proxy;
    ready(proxy, 2).await;
    let mut clients = Vec::new();
    for number in 0..4 {
        let client = proxy.connect().await;
        let page = client.page().await;
        assert_eq!(client.evaluate(&page.session, &format!("{number} + 1")).await, number + 1);
        clients.push(client);
    }
    let shown = browsers(proxy).await;
    let of = |kind: &str| shown.iter().find(|browser| browser["kind"] == kind).expect("one of each kind").clone();
    let (local, remote) = (of("local"), of("remote"));
    assert_eq!((&local["sessions"], &remote["sessions"]), (&json!(2), &json!(2)), "the least loaded one is chosen");
    assert_eq!((&remote["url"], &remote["pid"], &remote["state"]), (&json!(url), &Value::Null, &json!("ready")));
    assert!(local["url"].is_null() && local["pid"].is_u64(), "{local}");
    let path = format!("/v1/browsers/{}/recycle", remote["id"]);
    is_problem(&proxy.http("POST", &path, &[], "").await, 409, "remote-browser", &url);
    assert_eq!(ok(proxy, "GET", "/v1/status", Value::Null).await["unreachable"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_link_ends_its_sessions_alone_and_is_made_again() {
    let real = RealBrowser::start(&Browser::any()).await;
    let mut way = Way::to(real.address()).await;
    way.mend().await;
    let configured = Configured::start(&format!("browsers = 1\n{}", table(&way.url()))).await;
    let proxy = &configured.proxy;
    ready(proxy, 2).await;
    let (first, second) = (proxy.connect().await, proxy.connect().await);
    let (of_first, of_second) = (first.page().await, second.page().await);
    let contexts = async || real.contexts().await.as_array().map(Vec::len);
    assert_eq!(contexts().await, Some(1), "one of them is there");
    way.cut().await;
    ready(proxy, 1).await;
    let lost = |client: &Client| client.closed().is_some();
    eventually("the end of a session", async || lost(&first) || lost(&second)).await;
    let (gone, kept, page) = if lost(&first) { (&first, &second, &of_second) } else { (&second, &first, &of_first) };
    let reason = gone.end().await;
    assert!(reason.contains("1011") && reason.contains("browser is lost"), "{reason}");
    assert_eq!(kept.evaluate(&page.session, "6 * 7").await, 42, "the other one is in the local browser");
    // What the session had there goes with its link.
    eventually("an empty remote browser", async || contexts().await == Some(0)).await;

    let unreachable = async || ok(proxy, "GET", "/v1/status", Value::Null).await["unreachable"].clone();
    eventually("an attempt", async || unreachable().await.to_string().contains("refused")).await;
    let said = unreachable().await.to_string();
    assert!(said.contains(&way.url()), "{said}");
    assert_eq!(proxy.http("GET", "/readyz", &[], "").await.status, 200, "there is another browser");
    way.mend().await;
    ready(proxy, 2).await;
    assert_eq!(unreachable().await, json!([]));
    let again = proxy.connect().await;
    again.page().await;
    assert_eq!(contexts().await, Some(1), "a new session is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_browser_that_does_not_answer_is_given_up() {
    let browser = Browser::any();
    let real = RealBrowser::start(&browser).await;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(real.child.id()).expect("a pid"));
    let flags = ["--browser-url", &format!("http://{}", real.address()), "--browser-stall", "1s", "--codec", "auto"];
    let proxy = Proxy::start_with(browser, &flags).await;
    let client = proxy.connect().await;
    client.page().await;
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).expect("it runs");
    let reason = client.end().await;
    assert!(reason.contains("1011") && reason.contains("browser_stall"), "{reason}");
    let unready = proxy.http("GET", "/readyz", &[], "").await;
    assert!(unready.status == 503 && unready.body.contains(&real.address().to_string()), "{unready:?}");
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).expect("it runs");
    ready(&proxy, 1).await;
    proxy.connect().await.page().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chrome_that_was_killed_and_started_anew_is_found_and_saved_sessions_are_restored_in_it() {
    let (browser, site) = (Browser::any(), Site::start().await);
    let real = RealBrowser::start(&browser).await;
    let address = real.address();
    let flags = ["--browser-url", &format!("http://{address}"), "--warm", "0", "--hibernate-after", "200ms"];
    let proxy = Proxy::start_with(browser, &flags).await;
    // One hibernates, one is saved while it runs, and one is in the browser alone.
    let begin = async |path: &str, url: &str| {
        let client = proxy.connect_to(path).await;
        client.page_at(url).await;
        client
    };
    let (asleep, saved) = (site.url("/page?asleep"), site.url("/page?saved"));
    drop(begin("/s/asleep?keep_alive=10m", &asleep).await);
    eventually("it hibernates", async || proxy.figure("sessions_hibernated_total").await == 1).await;
    let running = begin("/s/saved?autosave=1s", &saved).await;
    let before = proxy.figure("sessions_autosaved_total").await;
    eventually("two saves", async || proxy.figure("sessions_autosaved_total").await >= before + 2).await;
    let unsaved = begin("/", "about:blank").await;

    drop(real);
    for client in [&running, &unsaved] {
        let reason = client.end().await;
        assert!(reason.contains("1011") && reason.contains("browser is lost"), "{reason}");
    }
    let _real = RealBrowser::start_at(&proxy.browser, address.port()).await;
    ready(&proxy, 1).await;
    for (path, url) in [("/s/asleep", asleep), ("/s/saved", saved)] {
        let client = proxy.connect_to(path).await;
        let targets = client.ok(None, "Target.getTargets", json!({})).await;
        assert!(targets.to_string().contains(&url), "{path}: {targets}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_programs_have_in_a_remote_browser_is_left_alone() {
    let browser = Browser::any();
    let real = RealBrowser::start(&browser).await;
    let other = real.connect().await;
    let context = other.ok(None, "Target.createBrowserContext", json!({})).await["browserContextId"].clone();
    let page = async || other.page_in(context.as_str(), "data:text/html,foreign").await;
    let is_well = async |page: &Page| other.evaluate(&page.session, "6 * 7").await == 42;
    let before = page().await;
    let flags = ["--warm", "1", "--reconcile-interval", "500ms"];
    let start = async || Proxy::start_remote(browser.clone(), &real.url, &flags).await;
    let mut proxy = start().await;
    let client = proxy.connect().await;
    let own = client.page().await;
    // The proxy's watchers pause it when it starts, and let it go on.
    let during = page().await;
    assert!(is_well(&during).await);
    // A session ends, and the records are compared.
    drop(proxy.connect().await);
    proxy.compared(1).await;
    assert_eq!(proxy.differences().await, Vec::<String>::new());
    let seen = client.ok(None, "Target.getTargets", json!({})).await.to_string();
    assert!(seen.contains(&own.target) && !seen.contains("foreign"), "{seen}");
    assert!(client.frames().iter().all(|frame| frame.sent || !frame.text.contains("foreign")), "no event of it either");
    let refused = client.call("Target.disposeBrowserContext", json!({ "browserContextId": context })).await;
    assert!(refused.is_err(), "{refused:?}");

    // Of a proxy that is killed nothing stays, because Chrome ends what belongs to the link.
    assert!(real.contexts().await.as_array().is_some_and(|contexts| contexts.len() >= 2));
    proxy.kill();
    eventually("the end of its contexts", async || real.contexts().await == json!([context])).await;
    // And another one that comes and goes in order takes nothing with it.
    let proxy = start().await;
    proxy.connect().await.page().await;
    proxy.compared(1).await;
    drop(proxy);
    eventually("the end of its contexts", async || real.contexts().await == json!([context])).await;
    for page in [&before, &during] {
        assert!(is_well(page).await);
    }
}

/// Exit code and errors of a server that does not start.
async fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ghostmux"));
    let output = command.args(["serve", "--listen", "127.0.0.1:0"]).args(flags).env_remove("GHOSTMUX_CONFIG").output();
    let output = output.await.expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn server_does_not_start_without_any_browser_that_can_be_reached() {
    let nobody = Way::to(([127, 0, 0, 1], 1).into()).await;
    let url = format!("http://user:s3cret@{}", nobody.from);
    let (code, said) = refused(&["--browser-url", &url]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&nobody.url()) && said.contains("refused") && !said.contains("s3cret"), "{said}");

    // Something else listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answers = async {
        loop {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let _ = socket.read(&mut [0; 1024]).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
            let _ = socket.write_all(answer).await;
        }
    };
    let flags = ["--browser-url", &url];
    let (code, said) = tokio::select! {
        refused = refused(&flags) => refused,
        () = answers => unreachable!("it never ends"),
    };
    assert!(code == Some(3) && said.contains("is not that of a Chrome: hello"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_remote_browser_beside_another_is_tried_until_it_is_there() {
    let real = RealBrowser::start(&Browser::any()).await;
    let mut way = Way::to(real.address()).await;
    let configured = Configured::start(&format!("browsers = 1\n{}", table(&way.url()))).await;
    let proxy = &configured.proxy;
    proxy.connect().await.page().await;
    eventually("attempts", async || proxy.log().matches("browser did not start").count() >= 3).await;
    let status = ok(proxy, "GET", "/v1/status", Value::Null).await;
    assert!(status["unreachable"][0].as_str().is_some_and(|why| why.contains(&way.url())), "{status}");
    assert_eq!(browsers(proxy).await.len(), 2, "it keeps its place: {:?}", browsers(proxy).await);
    way.mend().await;
    ready(proxy, 2).await;
}
