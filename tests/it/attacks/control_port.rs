//! The control port: pages of tenants run beside it, and any program can connect to it.

use std::time::Duration;

use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::stage::{On, Says, Stage};
use crate::{
    browsers::{Browser, in_browser, in_each_browser},
    client::DEADLINE,
    proxy::Answer,
    rest::is_problem,
};

/// J01, J02, J09: HTTP calls neither read nor change a client's session.
async fn http_calls_do_not_reach_client_sessions(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let victim = &stage.victim;
    for path in ["/json", "/json/list", "/json/list?for_tab", "/json/", "/json/version", "/json/protocol"] {
        let answer = stage.proxy.http("GET", path, &[], "").await;
        for secret in victim.secrets() {
            assert!(!answer.body.contains(secret), "J01: {path} shows {secret}: {}", answer.body);
        }
    }
    for target in [&victim.page.target, &victim.tab, &victim.shared_worker] {
        for command in ["close", "activate"] {
            let answer = stage.proxy.http("GET", &format!("/json/{command}/{target}"), &[], "").await;
            let must = (404, format!("No such target id: {target}"));
            assert_eq!((answer.status, answer.body), must, "J02: /json/{command}");
            stage.undisturbed("J02").await;
        }
    }
    for host in [
        "127.0.0.1",
        "localhost",
        "a.localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127.0.0.1.",
        "1\t27.0.0.1",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "①②⑦。0.0.1",
        "example.com@127.0.0.1",
        "example.com:1@127.0.0.1",
        "\\127.0.0.1",
    ] {
        let url = stage.proxy.url().replace("127.0.0.1", host) + "/json/list";
        let params = json!({ "frameId": stage.attacker.page.target, "url": url,
            "options": { "disableCache": true, "includeCredentials": false } });
        stage.attack("J09", &[On::Page], "Network.loadNetworkResource", params, Says::Refused).await;
    }
    stage.unharmed("J02 J09").await;
}

in_each_browser!(http_calls_do_not_reach_client_sessions);

/// J03: the socket of a page. Today all clients are one tenant, `local`, and some clients (pydoll)
/// open a second socket on their own page: it is accepted, and the first client keeps its session.
/// Between tenants it becomes a 404.
async fn a_page_socket_joins_the_session_of_its_page(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let victim = &stage.victim;
    let second = stage.proxy.connect_to(&format!("/devtools/page/{}", victim.page.target)).await;
    let params = json!({ "expression": "document.cookie", "returnByValue": true });
    let read = second.call("Runtime.evaluate", params).await.expect("J03: one tenant, one page");
    assert!(read.to_string().contains(&victim.marker), "J03: {read}");
    drop(second);
    stage.unharmed("J03").await;
    for target in ["none", "../browser", "%2e%2e/browser/x"] {
        let refused = stage.proxy.try_connect_to(&format!("/devtools/page/{target}")).await;
        assert!(refused.is_err_and(|why| why.starts_with("404")), "J03: {target:?} was let in");
    }
    stage.unharmed("J03").await;
}

in_browser!(Shell: a_page_socket_joins_the_session_of_its_page);

/// J04 to J07: a web page can neither read nor change anything here, and can open no socket.
async fn web_pages_cannot_use_the_control_port(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let (attacker, proxy) = (&stage.attacker, &stage.proxy);
    let own = proxy.http("PUT", "/json/new?about:blank", &[], "").await;
    let id =
        serde_json::from_str::<serde_json::Value>(&own.body).expect("JSON")["id"].as_str().expect("an id").to_owned();
    let alive = async || proxy.http("GET", "/json/list", &[], "").await.body.contains(&id);
    assert!(alive().await, "J04: {}", own.body);
    let url = proxy.url();
    for (path, how) in [
        (format!("/json/close/{id}"), "{ mode: 'no-cors' }"),
        (format!("/json/close/{id}"), "{ mode: 'no-cors', method: 'POST' }"),
        ("/json/new?about:blank".to_owned(), "{ mode: 'no-cors', method: 'POST' }"),
        ("/json/list".to_owned(), "{ mode: 'no-cors' }"),
    ] {
        let fetched = attacker.evaluate(&format!("fetch('{url}{path}', {how}).then(a => a.type, e => e.name)")).await;
        assert!(fetched == "opaque" || fetched == "TypeError", "J04: {path} was answered {fetched}");
    }
    let image = format!(
        "new Promise(done => {{ const i = new Image(); i.onload = i.onerror = () => done(0); i.src = '{url}/json/close/{id}' }})"
    );
    attacker.evaluate(&image).await;
    assert!(alive().await, "J04: a page closed a page");
    for header in [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "none"),
    ] {
        for path in ["/json/list", "/json", &format!("/json/close/{id}"), &format!("/json/activate/{id}")] {
            let answer = proxy.http("GET", path, &[header], "").await;
            assert_eq!(answer.status, 403, "J04 J05: {path} with {header:?}: {answer:?}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "J05: {path} with {header:?}");
        }
        let answer = proxy.http("PUT", "/json/new?about:blank", &[header], "").await;
        assert_eq!(answer.status, 403, "J04 J05: {header:?}");
    }
    assert!(alive().await, "J04");

    // A page on the control port's own origin: pages for people contain no ids of existing
    // sessions.
    attacker.ok(On::Page, "Page.navigate", json!({ "url": format!("{url}/json/list") })).await;
    let shown = attacker.shown().await;
    assert!(!shown.contains(&id) && !shown.contains("webSocketDebuggerUrl"), "J05: {shown}");
    let version = proxy.http("GET", "/json/version", &[], "").await;
    let endpoint =
        serde_json::from_str::<serde_json::Value>(&version.body).expect("JSON")["webSocketDebuggerUrl"].clone();
    for origin in [format!("{url}/json/version"), stage.site.url("/page?elsewhere")] {
        attacker.client.open(&attacker.page, &origin).await;
        for socket in [
            endpoint.as_str().expect("a URL").to_owned(),
            format!("ws://{}/devtools/browser", proxy.address()),
            format!("ws://{}/devtools/page/{id}", proxy.address()),
            format!("ws://{}/", proxy.address()),
        ] {
            let tried = format!(
                "new Promise(done => {{ const s = new WebSocket('{socket}'); s.onopen = () => done('open'); s.onerror = () => done('refused') }})"
            );
            assert_eq!(attacker.evaluate(&tried).await, "refused", "J06 J07: {socket} from {origin}");
        }
    }
    stage.unharmed("J04 J05 J06 J07").await;
}

in_each_browser!(web_pages_cannot_use_the_control_port);

/// J08: `Host` may name a site that was made to resolve to this machine.
async fn unknown_host_headers_are_refused(browser: Browser) {
    let stage = Stage::strict(browser).await;
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:9222",
        "localhost.evil.example",
        "[evil]",
        "127.0.0.1@evil",
    ] {
        for path in ["/json/list", "/json/version", "/json/protocol", "/json/new", "/json", "/devtools/x"] {
            let answer = stage.proxy.http("GET", path, &[("Host", host)], "").await;
            let Answer { status, body, .. } = &answer;
            assert_eq!(*status, 500, "J08: {path} of {host}: {answer:?}");
            assert_eq!(body, "Host header is specified and is not an IP address or localhost.", "J08");
        }
        // Chrome does not have these; the Model Context Protocol wants 4xx of its servers.
        for (method, path) in [("GET", "/health"), ("GET", "/v1/sessions"), ("POST", "/mcp"), ("POST", "/screenshot")] {
            is_problem(&stage.proxy.http(method, path, &[("Host", host)], "").await, 403, "host", "--allow-host");
        }
        let upgrade = [
            ("Host", host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for path in ["/", "/devtools/browser", &format!("/devtools/page/{}", stage.victim.page.target)] {
            assert_eq!(stage.proxy.http("GET", path, &upgrade, "").await.status, 500, "J08: {path} of {host}");
        }
    }
    stage.unharmed("J08").await;
}

in_browser!(Shell: unknown_host_headers_are_refused);

/// J11: idle, oversized and malformed connections do not delay others.
async fn malformed_connections_do_not_slow_other_clients(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let address = stage.proxy.address();
    let unfinished = format!("GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    let mut sockets = Vec::new();
    for at in 0..200 {
        let mut socket = TcpStream::connect(address).await.expect("J11: it accepts");
        match at % 4 {
            0 => {}
            1 => socket.write_all(unfinished.as_bytes()).await.expect("written"),
            2 => socket.write_all(b"GET /json HTTP/1.1\r\nX: ").await.expect("written"),
            _ => socket.write_all(&[0; 1000]).await.expect("written"),
        }
        sockets.push(socket);
    }
    let long = "x".repeat(1 << 20);
    let answer =
        stage.proxy.bytes(format!("GET /json HTTP/1.1\r\nHost: {address}\r\nX: {long}\r\n\r\n").as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "J11: {}",
        answer.lines().next().unwrap_or_default()
    );
    let slowest = stage.victim.round_trip(DEADLINE).await;
    assert!(slowest < Duration::from_secs(3), "J11: the victim waited {slowest:?}");
    stage.unharmed("J11").await;
    drop(sockets);
}

in_browser!(Shell: malformed_connections_do_not_slow_other_clients);
