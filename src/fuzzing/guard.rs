//! No request of a page, and none for another host, comes through the guard to what shows sessions.

use std::{convert::Infallible, net::SocketAddr, sync::LazyLock};

use futures_util::FutureExt as _;
use http_body_util::Empty;
use hyper::{HeaderMap, Method, Request, Response, body::Bytes, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use url::{Host, Url};

use crate::{
    http::{Ends, Guard, Shows, shows},
    session::manager::ConnectOptions,
};

/// What an operator may allow.
static ALLOWING: LazyLock<Guard> = LazyLock::new(|| Guard {
    allow_host: ["box.lan", "[fd00::7]"].into_iter().filter_map(|host| Host::parse(host).ok()).collect(),
    allow_origin: vec!["http://tool.example".to_owned()],
    ..Guard::default()
});

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let request =
        |line: &str, headers: &[&str]| format!("{line} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n")).into_bytes();
    let page = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"];
    let driver =
        ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty", "User-Agent: chromedriver"];
    let link = ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    let mut seeds = Vec::new();
    for host in [
        "127.0.0.1:9222",
        "localhost",
        "a.localhost:1",
        "[::1]:9222",
        "10.0.0.5:9222",
        "box.lan",
        "[fd00::7]:1",
        "0.0.0.0:9222",
        "[::ffff:127.0.0.1]",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost:x",
    ] {
        let host = format!("Host: {host}");
        seeds.push(request("GET /json/list", &[&host]));
        for more in [&page[..], &driver, &link, &["Origin: http://evil.example"], &["Origin: http://tool.example"]] {
            let headers: Vec<&str> = [host.as_str()].into_iter().chain(more.iter().copied()).collect();
            seeds.push(request("GET /json/list", &headers));
            seeds.push(request("GET /json/version", &headers));
        }
        seeds.push(request("PUT /json/new?http://x/", &[&host, "X-Ghostmux: 1"]));
    }
    seeds.push(request("GET http://evil.example/json/list", &["Host: localhost"]));
    seeds.push(request("CONNECT evil.example:443", &["Host: evil.example:443"]));
    seeds.push(request("GET /s/a/json/version?keep_alive=5m&session=x&takeover", &["Host: localhost", "Host: evil"]));
    seeds.push(request(
        "GET /devtools/browser/x?timeout=5s&exclusive=1",
        &[
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Authorization: x",
        ],
    ));
    seeds
}

/// The bytes of a connection, as hyper reads them.
pub(super) fn run(input: &[u8]) {
    let answer = service_fn(|request| {
        checked(&request);
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let stream = TokioIo::new(tokio::io::join(input, tokio::io::sink()));
    // Requests that are not HTTP end the connection.
    let _ = http1::Builder::new().header_read_timeout(None).serve_connection(stream, answer).now_or_never();
}

/// One request, on connections of every kind.
fn checked<B>(request: &Request<B>) {
    let path = request.uri().path();
    let _ = ConnectOptions::read(request.uri().query().unwrap_or_default());
    let outward: SocketAddr = ([10, 0, 0, 5], 9222).into();
    let local: SocketAddr = ([127, 0, 0, 1], 9222).into();
    for (from, to) in [
        (SocketAddr::from(([127, 0, 0, 1], 40_000)), local),
        (SocketAddr::from(([10, 0, 0, 9], 40_000)), outward),
        (SocketAddr::from(([10, 0, 0, 5], 40_000)), outward),
    ] {
        for guard in [&Guard::default(), &*ALLOWING] {
            for shows in [shows(path), Shows::Sessions] {
                for (upgrade, is_forwarded) in [(false, false), (true, false), (false, true), (true, true)] {
                    let ends = Ends { from, to, is_tls: false, is_forwarded };
                    match guard.check(request, ends, shows, upgrade) {
                        Ok(()) => let_through(guard, request, ends, shows, upgrade),
                        Err(refused) => assert!(
                            [false, true].iter().all(|of_chrome| !refused.answer(*of_chrome).status().is_success())
                        ),
                    }
                }
            }
        }
    }
}

/// What must be true of a request that the guard let through.
fn let_through<B>(guard: &Guard, request: &Request<B>, ends: Ends, shows: Shows, upgrade: bool) {
    let headers = request.headers();
    assert!(request.uri().authority().is_none(), "a request to a proxy");
    let hosts: Vec<_> = headers.get_all(header::HOST).iter().collect();
    let [host] = hosts.as_slice() else { panic!("{} hosts", hosts.len()) };
    let host = host.to_str().expect("a host is ASCII");

    // The host is the server, as a browser reads it; what no browser reads is no page's.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let Ok(url) = Url::parse(&format!("http://{host}/")) else {
        assert!(host.bytes().all(is_name), "Host {host:?} is no name");
        return;
    };
    assert!(url.path() == "/" && url.username().is_empty() && url.password().is_none(), "Host {host:?} is {url}");
    let host = url.host().expect("an http: URL has a host");
    let is_marked = match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let is_own = url.host_str().is_some_and(|name| name.trim_matches(['[', ']']) == ends.to.ip().to_string());
    let is_allowed = guard.allow_host.contains(&host.to_owned());
    assert!(is_marked || is_own || is_allowed, "Host {host} is foreign");

    // No header says that it comes from a page.
    let origins: Vec<_> = headers.get_all(header::ORIGIN).iter().collect();
    let is_of_tool = |origin: &&header::HeaderValue| {
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        guard.allow_origin.contains(&origin)
    };
    assert!(origins.iter().all(is_of_tool), "{origins:?} came through");
    if origins.is_empty() {
        for site in headers.get_all("sec-fetch-site") {
            assert!(is_no_page(headers, site.as_bytes(), shows), "{headers:?} came through to {shows:?}");
        }
    }
    let is_roundabout = ends.from.ip() == ends.to.ip() && !ends.from.ip().is_loopback();
    let by_page = matches!(*request.method(), Method::GET | Method::HEAD) && !upgrade;
    if by_page && shows == Shows::Sessions && (ends.is_forwarded || !is_marked && (is_roundabout || !is_own)) {
        let says = headers.contains_key("x-ghostmux") || headers.contains_key(header::AUTHORIZATION);
        assert!(says, "{headers:?} came through, and a page can send it");
    }
}

/// Whether this `Sec-Fetch-Site` is that of a person, a link of the port's own page, or chromedriver.
fn is_no_page(headers: &HeaderMap, site: &[u8], shows: Shows) -> bool {
    let only = |name: &str, wanted: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().is_some_and(|value| value == wanted) && values.all(|value| value == wanted)
    };
    match site {
        b"none" if shows == Shows::Nothing => true,
        b"none" => {
            only("user-agent", "chromedriver") && only("sec-fetch-mode", "no-cors") && only("sec-fetch-dest", "empty")
        }
        b"same-origin" => {
            shows == Shows::Nothing && only("sec-fetch-mode", "navigate") && only("sec-fetch-dest", "document")
        }
        _ => false,
    }
}
