//! Gates whose connections go through an upstream proxy.

use http_body_util::Empty;
use hyper::body::Bytes;

use super::{
    proxies,
    upstream::{HttpConnection, connect_request, unanswered},
    *,
};
use crate::port::egress::{Bypass, Host, NamedBy};

fn limits() -> EgressLimits {
    EgressLimits { connect_time: Duration::from_secs(3), ..EgressLimits::default() }
}

fn upstream(scheme: &str, user: &str, address: SocketAddr) -> UpstreamProxy {
    UpstreamProxy::parse(&format!("{scheme}://{user}{address}"), NamedBy::Operator).expect("a proxy")
}

async fn fixture(rules: EgressRules, upstream: UpstreamProxy) -> Fixture {
    let front = upstream.front();
    Fixture::with(rules, Some(upstream), front, limits()).await
}

#[tokio::test]
async fn known_credentials_are_given_to_an_http_proxy() {
    let (proxy, asked) = proxies::http(echo().await).await;
    let fixture = fixture(internet(), upstream("http", "user:pass@", proxy)).await;
    assert!(fixture.gate.proxy_server().starts_with("socks5://"));
    let mut stream = fixture.connect("Site.test", 443).await.expect("a connection");
    let mut early = [0; 5];
    stream.read_exact(&mut early).await.expect("bytes");
    assert_eq!(&early, b"early");
    assert!(is_echoed(&mut stream, b"hello").await);
    let asked = asked.lock().expect("no panic").clone();
    assert_eq!(asked, [("CONNECT site.test:443 HTTP/1.1".to_owned(), "Basic dXNlcjpwYXNz".to_owned())]);
    assert_eq!(fixture.dns.asked(), Vec::<String>::new(), "the proxy looks names up");
}

#[tokio::test]
async fn known_credentials_are_given_to_a_socks_proxy() {
    let (proxy, asked) = proxies::socks(echo().await).await;
    let fixture = fixture(internet(), upstream("socks5", "user:pass@", proxy)).await;
    let mut stream = fixture.connect("site.test", 443).await.expect("a connection");
    assert!(is_echoed(&mut stream, b"hello").await);
    assert_eq!(*asked.lock().expect("no panic"), [("site.test".to_owned(), "user:pass".to_owned())]);
    assert_eq!(fixture.dns.asked(), Vec::<String>::new(), "the proxy looks names up");
}

#[tokio::test]
async fn proxies_that_refuse_hang_or_lie_are_told_apart() {
    let server = echo().await;
    let (http, _) = proxies::http(server).await;
    let (socks, _) = proxies::socks(server).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a listener").local_addr().expect("an address");
    let silent = proxies::saying(b"").await;
    let lying = proxies::saying(b"220 smtp.example ESMTP\r\n").await;
    for (proxy, host, code) in [
        (upstream("http", "user:wrong@", http), "a.test", "upstream-credentials"),
        (upstream("socks5", "user:wrong@", socks), "a.test", "upstream-credentials"),
        (upstream("socks5", "", socks), "a.test", "upstream-credentials"),
        (upstream("http", "user:pass@", http), "refused.test", "upstream-refused"),
        (upstream("socks5", "user:pass@", socks), "refused.test", "upstream-refused"),
        (upstream("http", "u:p@", gone), "a.test", "upstream-unreachable"),
        (upstream("socks5", "u:p@", silent), "a.test", "upstream-unreachable"),
        (upstream("http", "u:p@", silent), "a.test", "upstream-unreachable"),
        (upstream("http", "u:p@", lying), "a.test", "upstream-protocol"),
        (upstream("socks5", "u:p@", lying), "a.test", "upstream-protocol"),
    ] {
        let shown = format!("{proxy:?} {host}");
        let fixture = fixture(internet(), proxy).await;
        assert!(fixture.connect(host, 443).await.is_none(), "{shown}");
        let failures = fixture.report.failures.lock().expect("no panic").clone();
        assert_eq!(
            failures.iter().map(|failure| failure.why.code()).collect::<Vec<_>>(),
            [code],
            "{shown}: {failures:?}"
        );
        assert!(!format!("{failures:?}").contains("wrong"), "{failures:?}");
    }
}

/// With one thread, the connection finds these bytes before it has written the request.
#[tokio::test]
async fn a_proxy_that_speaks_before_it_is_asked_breaks_the_protocol() {
    let lying = proxies::saying(b"220 smtp.example ESMTP\r\n").await;
    for (proxy, lies) in [(lying, true), (proxies::closing().await, false)] {
        let stream = tokio::net::TcpStream::connect(proxy).await.expect("a connection");
        stream.readable().await.expect("bytes, or the end");
        let mut connection = HttpConnection::new(stream).await.expect("a connection");
        let request = connect_request(&Host::parse("a.test").expect("a host"), 443, None, Empty::<Bytes>::new());
        let error = connection.send(request.expect("a request")).await.expect_err("no answer");
        let code = if lies { "upstream-protocol" } else { "upstream-unreachable" };
        assert_eq!(unanswered(&error).code(), code, "{error:?}");
    }
}

#[tokio::test]
async fn the_rules_hold_in_front_of_an_upstream() {
    let (proxy, asked) = proxies::socks(echo().await).await;
    let deny = vec!["*.denied.test".parse().expect("a pattern")];
    let rules = EgressRules { lists: vec![HostLists { allow: None, deny }], ports: Ports::web(), ..internet() };
    let fixture = fixture(rules, upstream("socks5", "user:pass@", proxy)).await;
    for (host, port) in [
        ("127.0.0.1", 80),
        ("0x7f.1", 80),
        ("localhost", 80),
        ("redis", 80),
        ("a.internal", 80),
        ("x.denied.test", 80),
        ("a.test", 22),
    ] {
        assert!(fixture.connect(host, port).await.is_none(), "{host}:{port}");
    }
    let private = ["private-network"; 5].into_iter().chain(["denied", "port"]).collect::<Vec<_>>();
    assert_eq!(fixture.report.codes(), private);
    assert!(asked.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_tenant_cannot_name_a_private_address_as_its_proxy() {
    let (proxy, asked) = proxies::http(echo().await).await;
    let named =
        |by| UpstreamProxy::parse(&format!("http://user:pass@proxy.test:{}", proxy.port()), by).expect("a proxy");
    let fixture = fixture(internet(), named(NamedBy::Tenant)).await;
    fixture.dns.answer("proxy.test", &[&[[127, 0, 0, 1]]]);
    assert!(fixture.connect("a.test", 443).await.is_none());
    assert_eq!(fixture.report.codes(), ["upstream-address"]);
    assert!(asked.lock().expect("no panic").is_empty());
    fixture.bind(internet(), Some(named(NamedBy::Operator)));
    assert!(fixture.connect("a.test", 443).await.is_some());
    // But never ghostmux itself.
    fixture.gates.add_listener(proxy);
    assert!(fixture.connect("a.test", 443).await.is_none());
    assert_eq!(fixture.report.codes(), ["upstream-address"; 2]);
}

#[tokio::test]
async fn bypassed_hosts_are_connected_to_directly_and_judged() {
    let server = echo().await;
    let (proxy, asked) = proxies::socks(server).await;
    let bypass = Bypass::parse("*.direct.test, 127.0.0.1").expect("a list");
    let proxy = upstream("socks5", "user:pass@", proxy).with_bypass(bypass);
    let fixture = fixture(everything(), proxy.clone()).await;
    fixture.dns.answer("a.direct.test", &[&[[127, 0, 0, 1]]]);
    for host in ["a.direct.test", "127.0.0.1"] {
        assert!(fixture.connect(host, server.port()).await.is_some(), "{host}");
    }
    fixture.bind(internet(), Some(proxy));
    for host in ["a.direct.test", "127.0.0.1"] {
        assert!(fixture.connect(host, server.port()).await.is_none(), "{host}");
    }
    assert_eq!(fixture.report.codes(), ["private-network"; 2]);
    assert!(asked.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn what_a_client_leaves_out_goes_through_the_proxy_of_the_operator() {
    let server = echo().await;
    let (of_client, client_asked) = proxies::socks(server).await;
    let (of_operator, operator_asked) = proxies::http(server).await;
    let of_operator = upstream("http", "user:pass@", of_operator);
    let bypass = Bypass::parse("*").expect("a list");
    let of_client = upstream("socks5", "user:pass@", of_client).with_bypass(bypass);
    let fixture = fixture(internet(), of_operator.clone()).await;
    for (upstream, host) in [(Some(of_client), "bypassed.test"), (None, "usual.test")] {
        fixture.bind_for_tenant(internet(), upstream, Some(of_operator.clone()));
        assert!(fixture.connect(host, 443).await.is_some(), "{host}");
        let line = operator_asked.lock().expect("no panic").last().expect("a request").0.clone();
        assert_eq!(line, format!("CONNECT {host}:443 HTTP/1.1"));
    }
    assert!(client_asked.lock().expect("no panic").is_empty());
}

/// Sends a request to a gate that speaks HTTP, on a connection of its own, and returns what comes back until it ends.
async fn exchange(stream: &mut TcpStream, request: &str, until: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("a connection");
    let mut all = Vec::new();
    let mut buffer = [0; 1024];
    let read = async {
        while !String::from_utf8_lossy(&all).contains(until) {
            match stream.read(&mut buffer).await {
                Ok(length @ 1..) => all.extend_from_slice(&buffer[..length]),
                _ => break,
            }
        }
    };
    timeout(SOON, read).await.expect("an answer");
    String::from_utf8_lossy(&all).into_owned()
}

const AUTHORIZED: &str = "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n";

#[tokio::test]
async fn a_client_authenticates_itself_to_an_http_proxy() {
    let (proxy, asked) = proxies::http(echo().await).await;
    let fixture = fixture(internet(), upstream("http", "", proxy)).await;
    assert!(fixture.gate.proxy_server().starts_with("http://"));
    let mut stream = TcpStream::connect(address_of(fixture.gate.proxy_server())).await.expect("a gate");
    let connect = |header: &str| format!("CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\n{header}\r\n");

    let challenge = exchange(&mut stream, &connect(""), "\r\n\r\n").await;
    assert!(
        challenge.starts_with("HTTP/1.1 407") && challenge.to_lowercase().contains("basic realm=\"x\""),
        "{challenge}"
    );
    assert!(!challenge.contains("body"), "{challenge}");
    let connected = exchange(&mut stream, &connect(AUTHORIZED), "early").await;
    assert!(connected.starts_with("HTTP/1.1 200"), "{connected}");
    assert!(is_echoed(&mut stream, b"hello").await);
    assert_eq!(asked.lock().expect("no panic").len(), 2);
    assert_eq!(fixture.report.codes(), Vec::<&str>::new(), "a challenge is no failure");
}

#[tokio::test]
async fn plain_requests_pass_with_their_credentials() {
    let (proxy, asked) = proxies::http(echo().await).await;
    let fixture = fixture(internet(), upstream("http", "", proxy)).await;
    let mut stream = TcpStream::connect(address_of(fixture.gate.proxy_server())).await.expect("a gate");
    let get = |header: &str| {
        format!("GET http://site.test/x?y HTTP/1.1\r\nHost: site.test\r\nProxy-Connection: keep-alive\r\n{header}\r\n")
    };
    let challenge = exchange(&mut stream, &get(""), "body").await;
    assert!(challenge.starts_with("HTTP/1.1 407"), "{challenge}");
    let answer = exchange(&mut stream, &get(AUTHORIZED), "plain").await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.to_lowercase().contains("keep-alive: x"), "{answer}");
    let asked = asked.lock().expect("no panic").clone();
    assert_eq!(asked[1], ("GET http://site.test/x?y HTTP/1.1".to_owned(), "Basic dXNlcjpwYXNz".to_owned()));
}

#[tokio::test]
async fn a_gate_that_speaks_http_refuses_by_closing() {
    let (proxy, asked) = proxies::http(echo().await).await;
    let fixture = fixture(internet(), upstream("http", "", proxy)).await;
    for target in
        ["CONNECT 127.0.0.1:80", "CONNECT localhost:80", "GET http://[::1]/", "GET http://0x7f.1/", "CONNECT redis:443"]
    {
        let mut stream = TcpStream::connect(address_of(fixture.gate.proxy_server())).await.expect("a gate");
        let request = format!("{target} HTTP/1.1\r\nHost: a\r\n{AUTHORIZED}\r\n");
        assert_eq!(exchange(&mut stream, &request, "\0").await, "", "{target}");
    }
    assert_eq!(fixture.report.codes(), ["private-network"; 5]);
    // What is no request to a proxy, and what the proxy refuses.
    for target in ["GET /", "CONNECT refused.test:443"] {
        let mut stream = TcpStream::connect(address_of(fixture.gate.proxy_server())).await.expect("a gate");
        let request = format!("{target} HTTP/1.1\r\nHost: a\r\n{AUTHORIZED}\r\n");
        assert_eq!(exchange(&mut stream, &request, "\0").await, "", "{target}");
    }
    assert_eq!(fixture.report.codes().last(), Some(&"upstream-refused"));
    assert_eq!(asked.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn bypassed_requests_are_sent_directly_without_the_proxys_credentials() {
    let (server, asked) = proxies::http(echo().await).await;
    let bypass = Bypass::parse("127.0.0.1").expect("a list");
    let proxy = upstream("http", "", "127.0.0.1:9".parse().expect("an address")).with_bypass(bypass);
    let fixture = fixture(everything(), proxy).await;
    let mut stream = TcpStream::connect(address_of(fixture.gate.proxy_server())).await.expect("a gate");
    let get = format!("GET http://{server}/x HTTP/1.1\r\nHost: {server}\r\n{AUTHORIZED}\r\n");
    exchange(&mut stream, &get, "body").await;
    assert_eq!(*asked.lock().expect("no panic"), [("GET /x HTTP/1.1".to_owned(), String::new())]);
}
