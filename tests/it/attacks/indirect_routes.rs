//! Ways from a page to the control port on which Chrome does not mark the request as a page's, or
//! makes it itself: certificates, a forwarder, and a host name that the operator allowed.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{
    from_pages::{CanaryPage, try_to_read_and_change},
    stage::Stage,
};
use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    client::text,
};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A session; if it ends, an attack was successful.
async fn session(stage: &Stage) -> String {
    let made = stage.proxy.http("POST", "/v1/sessions", &[JSON], "{}").await;
    text(&serde_json::from_str::<Value>(&made.body).expect("JSON"), "id")
}

async fn still_runs(stage: &Stage, id: &str, how: &str) {
    let found = stage.proxy.http("GET", &format!("/v1/sessions/{id}"), &[], "").await;
    assert_eq!(found.status, 200, "{how}: a page ended a session: {found:?}");
}

/// A server with a certificate whose issuer is said to be at these URLs.
pub(super) struct Tls {
    server: Child,
    pub(super) address: String,
    _directory: tempfile::TempDir,
}

impl Tls {
    pub(super) fn start(issuers: &[String]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let openssl = |arguments: &[&str]| {
            let mut command = Command::new("openssl");
            command.args(arguments).current_dir(directory.path()).stdin(Stdio::null()).stderr(Stdio::null());
            command
        };
        let run = |arguments: &str| {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let status = openssl(&arguments).status().expect("this test needs openssl (apt install openssl)");
            assert!(status.success(), "openssl {arguments:?}: {status}");
        };
        let places: Vec<String> = issuers.iter().map(|url| format!("caIssuers;URI:{url}")).collect();
        let extensions = format!("subjectAltName=IP:127.0.0.1\nauthorityInfoAccess={}\n", places.join(","));
        std::fs::write(directory.path().join("extensions"), extensions).expect("written");
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        run(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=nobody"));
        run(&format!("req {key} -keyout leaf.key -out leaf.csr -subj /CN=leaf"));
        run("x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 2 -extfile extensions -out leaf.pem");
        let arguments = ["s_server", "-accept", "127.0.0.1:0", "-key", "leaf.key", "-cert", "leaf.pem", "-www"];
        let mut server = openssl(&arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned));
        Self { server, address: address.expect("an address"), _directory: directory }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// J16: for a certificate without its issuer, Chrome fetches the issuer from the URL in the
/// certificate. The request is Chrome's own, with the headers of chromedriver's; it closes nothing,
/// whatever ids the page knows.
async fn certificate_issuer_urls_give_no_access(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let canary = CanaryPage::create(&stage).await;
    let session = session(&stage).await;
    let url = stage.proxy.url();
    // The first and the last show that all of them are fetched.
    let tls = Tls::start(&[
        stage.site.url("/issuer?first"),
        format!("{url}/json/close/{}", canary.id),
        format!("{url}/kill/{session}"),
        format!("{url}/json/list"),
        stage.site.url("/issuer?last"),
    ]);
    let client = &stage.attacker.client;
    let page = client.page_at(&stage.site.url("/page?attacker")).await;
    // The user agent is chromedriver's too.
    for method in ["Network.setUserAgentOverride", "Emulation.setUserAgentOverride"] {
        client.ok(Some(&page.session), method, json!({ "userAgent": "chromedriver" })).await;
    }
    let went =
        client.call_on(&page.session, "Page.navigate", json!({ "url": format!("https://{}/", tls.address) })).await;
    assert!(went.as_ref().is_ok_and(|went| went["errorText"] == "net::ERR_CERT_AUTHORITY_INVALID"), "J16: {went:?}");
    stage.site.arrived("/issuer?first").await;
    stage.site.arrived("/issuer?last").await;
    let asked = stage.site.requests().into_iter().find(|request| request.path.ends_with("?last")).expect("it arrived");
    for mark in ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"] {
        assert!(asked.head.contains(mark), "J16: Chrome does not ask as measured any more: {}", asked.head);
    }
    canary.is_untouched(&stage, "J16").await;
    still_runs(&stage, &session, "J16").await;
    // Chromedriver's requests are answered as before.
    let chromedriver = [
        ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Mode", "no-cors"),
        ("Sec-Fetch-Dest", "empty"),
        ("User-Agent", "chromedriver"),
    ];
    let list = stage.proxy.http("GET", "/json/list", &chromedriver, "").await;
    assert!(list.status == 200 && list.body.contains(&canary.id), "J16: {list:?}");
    let closed = stage.proxy.http("GET", &format!("/json/close/{}", canary.id), &chromedriver, "").await;
    assert_eq!(closed.status, 200, "J16: {closed:?}");
    stage.unharmed("J16").await;
}

in_each_browser!(certificate_issuer_urls_give_no_access);

/// A forwarder on this machine, like that of a published container port or of `ssh -L`.
async fn forwarder(listen: &str, to: &str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind(listen).await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let to = to.to_owned();
    let task = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let to = to.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.expect("it listens");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, task)
}

/// A page can neither read nor end anything through this origin.
async fn gives_no_access(stage: &Stage, origin: &str, row: &str) {
    let canary = CanaryPage::create(stage).await;
    let session = session(stage).await;
    let client = &stage.attacker.client;
    let page = client.page_at(&stage.site.url("/page?attacker")).await;
    let ends = format!(
        "new Promise(done => {{ const i = new Image(); i.onload = i.onerror = () => done(0); i.src = '{origin}/kill/{session}' }})"
    );
    client.evaluate(&page.session, &ends).await;
    still_runs(stage, &session, row).await;
    for path in ["/v1/sessions", "/sessions", "/json/list"] {
        client.call_on(&page.session, "Page.navigate", json!({ "url": format!("{origin}{path}") })).await.ok();
        let shown = client.evaluate(&page.session, "document.documentElement.innerText").await.to_string();
        assert!(!shown.contains(&session) && !shown.contains(&canary.id), "{row}: {origin}{path} was read: {shown}");
    }
    client.evaluate(&page.session, &format!("fetch('{origin}/kill/{session}').then(a => a.status, e => e.name)")).await;
    still_runs(stage, &session, row).await;
    client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
    let page = client.page_at(&stage.site.url("/page?attacker")).await;
    try_to_read_and_change(stage, &page, origin, &canary, row).await;
    stage.unharmed(row).await;
}

/// J17: through a forwarder's address, which is not ours. Chrome does not trust it, and the
/// connection to us comes from the forwarder.
async fn pages_cannot_reach_the_port_through_a_forwarder(browser: Browser) {
    // Nothing is sent: the system only selects the source address.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let Ok(outward) = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) else {
        eprintln!("skipped: this machine has no address but loopback");
        return;
    };
    let stage = Stage::strict(browser).await;
    let (address, task) = forwarder(&format!("{}:0", outward.ip()), stage.proxy.address()).await;
    gives_no_access(&stage, &format!("http://{address}"), "J17").await;
    let refused = stage.proxy.http("GET", "/json/version", &[("Host", &address)], "").await;
    let told = refused.body.contains(&format!("--allow-host {}", outward.ip()));
    assert!(refused.status == 403 && told, "J17: it is not said what to do: {refused:?}");
    task.abort();
}

in_each_browser!(pages_cannot_reach_the_port_through_a_forwarder);

/// J18: through a name that the operator allowed. Chrome does not mark a page's request there, but
/// a required header that a page cannot send does.
async fn pages_cannot_use_the_port_by_an_allowed_host(browser: Browser) {
    let config = tempfile::NamedTempFile::new().expect("a file");
    let arguments = "browser_args = ['--host-resolver-rules=MAP box.test 127.0.0.1']";
    std::fs::write(config.path(), arguments).expect("written");
    let config = config.path().to_string_lossy().into_owned();
    let stage = Stage::with(browser, &["--strict", "--config", &config, "--allow-host", "box.test"]).await;
    let origin = stage.proxy.url().replace("127.0.0.1", "box.test");
    gives_no_access(&stage, &origin, "J18").await;
}

in_each_browser!(pages_cannot_use_the_port_by_an_allowed_host);

/// J18: clients that use an allowed name are served: discovery and WebSockets without, everything
/// else with a header.
async fn clients_can_use_an_allowed_host(browser: Browser) {
    let stage = Stage::with(browser, &["--strict", "--allow-host", "box.test"]).await;
    let session = session(&stage).await;
    let host = stage.proxy.address().replace("127.0.0.1", "box.test");
    let host = ("Host", host.as_str());
    for path in ["/json/version", "/json/version/", "/health", "/metrics", "/pressure", "/v1/openapi.json"] {
        let answer = stage.proxy.http("GET", path, &[host], "").await;
        assert!(answer.status == 200 && !answer.body.contains(&session), "J18: {path}: {answer:?}");
    }
    let upgrade = [
        host,
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let page = [&upgrade[..], &[("Origin", "http://box.test")]].concat();
    assert_eq!(stage.proxy.http("GET", "/", &page, "").await.status, 403, "J18");
    for path in ["/json/list", "/v1/sessions", "/sessions", "/json/close/x", "/kill/x"] {
        let refused = stage.proxy.http("GET", path, &[host], "").await;
        assert!(refused.status == 403 && refused.body.contains("X-Ghostmux: 1"), "J18: {path}: {refused:?}");
        for header in [("X-Ghostmux", "1"), ("Authorization", "Bearer x")] {
            let answer = stage.proxy.http("GET", path, &[host, header], "").await;
            assert_ne!(answer.status, 403, "J18: {path} with {header:?}: {answer:?}");
        }
    }
    let ended = stage.proxy.http("DELETE", &format!("/v1/sessions/{session}"), &[host], "").await;
    assert_eq!(ended.status, 204, "J18: {ended:?}");
    stage.unharmed("J18").await;
}

in_browser!(Shell: clients_can_use_an_allowed_host);
