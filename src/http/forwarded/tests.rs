use axum::extract::Request;

use super::*;
use crate::config::RawConfig;

const SECRET_TEXT: &str = "0123456789abcdef0123456789abcdef";

/// A server with these settings, whose proxies have a secret or not.
fn front(settings: &[(&str, &str)], with_secret: bool) -> Front {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("secret");
    std::fs::write(&file, SECRET_TEXT).expect("written");
    let mut raw = RawConfig::default();
    for (key, text) in settings {
        raw = raw.with(key, [(*text).to_owned()]);
    }
    if with_secret {
        raw = raw.with("proxy_secret", [file.to_string_lossy().into_owned()]);
    }
    Front::new(&Config::load(raw, []).expect("settings"))
}

/// Trusts one network.
fn trusting() -> Front {
    front(&[("trusted_proxy", "10.0.0.0/24")], false)
}

/// A request from this address, and what of it those behind see: the client, the URL of the server, and the path.
fn arrive(
    front: &Front,
    from: &str,
    uri: &str,
    headers: &[(&'static str, &str)],
) -> Result<(String, String, String), Wrong> {
    let mut request = Request::builder().uri(uri).header("host", "127.0.0.1:9222");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    let from: IpAddr = from.parse().expect("an address");
    let to = "10.0.9.9:9222".parse().expect("an address");
    parts.extensions.insert(Ends { from: SocketAddr::new(from, 40_000), to, is_tls: false, is_forwarded: false });
    let arrival = front.arrival(&mut parts).map_err(|(wrong, _)| wrong)?;
    assert!(!is_forwarded(&parts.headers) && !parts.headers.contains_key(SECRET), "{:?}", parts.headers);
    let ends = parts.extensions.get::<Ends>().expect("they stay");
    assert_eq!(ends.is_forwarded, ends.from.ip() != from, "{ends:?}");
    let host = parts.headers[header::HOST].to_str().expect("text");
    let base = arrival.base(host).at(crate::session::manager::Scheme::Ws, "");
    Ok((ends.from.ip().to_string(), base, parts.uri.to_string()))
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with a result")]
fn seen(client: &str, base: &str, path: &str) -> Result<(String, String, String), Wrong> {
    Ok((client.to_owned(), base.to_owned(), path.to_owned()))
}

#[test]
fn headers_of_a_trusted_proxy_give_client_scheme_host_and_prefix() {
    let usual = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "example.com:8443"),
        ("x-forwarded-prefix", "/pool/"),
    ];
    let standard = ("forwarded", "for=\"203.0.113.9:4711\";proto=https;host=\"example.com:8443\"");
    for path in ["/json/version?x=1", "/pool/json/version?x=1"] {
        let found = arrive(&trusting(), "10.0.0.5", path, &usual);
        assert_eq!(found, seen("203.0.113.9", "wss://example.com:8443/pool", "/json/version?x=1"), "{path}");
    }
    let found = arrive(&trusting(), "10.0.0.5", "/json/version", &[standard]);
    assert_eq!(found, seen("203.0.113.9", "wss://example.com:8443", "/json/version"));
    let found = arrive(&trusting(), "::ffff:10.0.0.5", "/", &[standard, usual[3]]);
    assert_eq!(found, seen("203.0.113.9", "wss://example.com:8443/pool", "/"));
    // What is not said is as the proxy asks.
    let found =
        arrive(&trusting(), "10.0.0.5", "/", &[("x-forwarded-for", "2001:db8::1"), ("x-forwarded-proto", "ws")]);
    assert_eq!(found, seen("2001:db8::1", "ws://127.0.0.1:9222", "/"));
}

#[test]
fn headers_of_anybody_else_have_no_effect() {
    let forged = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-prefix", "/json"),
        ("forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
        (SECRET, SECRET_TEXT),
    ];
    for from in ["10.0.1.5", "203.0.113.9", "127.0.0.1", "::1", "10.0.9.9"] {
        let found = arrive(&trusting(), from, "/json/version", &forged);
        assert_eq!(found, seen(from, "ws://127.0.0.1:9222", "/json/version"), "{from}");
        let found = arrive(&Front::default(), from, "/json/version", &forged);
        assert_eq!(found, seen(from, "ws://127.0.0.1:9222", "/json/version"), "{from}");
    }
}

#[test]
fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
    for (chain, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("nonsense, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("203.0.113.9:80, 10.0.0.7:81 , 10.0.0.8", "203.0.113.9"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("10.0.0.7, 10.0.0.8", "10.0.0.7"),
    ] {
        let found = arrive(&trusting(), "10.0.0.5", "/", &[("x-forwarded-for", chain)]);
        assert_eq!(found, seen(client, "ws://127.0.0.1:9222", "/"), "{chain}");
        let elements: Vec<_> = chain.split(',').map(|node| format!("for=\"{}\"", node.trim())).collect();
        let found = arrive(&trusting(), "10.0.0.5", "/", &[("forwarded", &elements.join(", "))]);
        assert_eq!(found, seen(client, "ws://127.0.0.1:9222", "/"), "{chain}");
    }
    let two = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(arrive(&trusting(), "10.0.0.5", "/", &two), seen("203.0.113.9", "ws://127.0.0.1:9222", "/"));
    // Scheme and host are those of the client's own connection.
    let chain = "for=127.0.0.1;host=forged, for=203.0.113.9;proto=https;host=a.example, for=10.0.0.7;proto=http;host=b";
    assert_eq!(
        arrive(&trusting(), "10.0.0.5", "/", &[("forwarded", chain)]),
        seen("203.0.113.9", "wss://a.example", "/")
    );
}

#[test]
fn headers_of_a_trusted_proxy_that_cannot_be_used_are_an_error() {
    for headers in [
        &[("x-forwarded-for", "203.0.113.9, unknown")][..],
        &[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "gopher")],
        &[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-prefix", "pool")],
        &[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-prefix", "/a/../b")],
        &[("forwarded", "for=_hidden")],
        &[("forwarded", "for=\"203.0.113.9")],
        &[("forwarded", "for")],
        &[("forwarded", "for=203.0.113.9;proto=gopher")],
    ] {
        let found = arrive(&trusting(), "10.0.0.5", "/", headers);
        assert!(matches!(found, Err(Wrong::Unreadable(..))), "{headers:?}: {found:?}");
    }
    for headers in [&[("x-forwarded-proto", "https")][..], &[("forwarded", "proto=https;host=a.example")]] {
        assert_eq!(arrive(&trusting(), "10.0.0.5", "/", headers), Err(Wrong::NoClient), "{headers:?}");
    }
    // The proxy writes one of them, and passes on the other.
    let both =
        |standard| arrive(&trusting(), "10.0.0.5", "/", &[("x-forwarded-for", "203.0.113.9"), ("forwarded", standard)]);
    assert_eq!(both("for=127.0.0.1"), Err(Wrong::Disagree));
    assert_eq!(both("for=203.0.113.9"), seen("203.0.113.9", "ws://127.0.0.1:9222", "/"));
    // A client of a trusted network that is no proxy.
    assert_eq!(arrive(&trusting(), "10.0.0.5", "/", &[]), seen("10.0.0.5", "ws://127.0.0.1:9222", "/"));
}

#[test]
fn a_proxy_on_this_machine_needs_the_secret() {
    let front = front(&[("trusted_proxy", "127.0.0.0/8 10.0.9.9")], true);
    let client = ("x-forwarded-for", "203.0.113.9");
    for from in ["127.0.0.1", "10.0.9.9"] {
        let found = arrive(&front, from, "/", &[client, (SECRET, SECRET_TEXT)]);
        assert_eq!(found, seen("203.0.113.9", "ws://127.0.0.1:9222", "/"));
        for headers in
            [&[client][..], &[client, (SECRET, "wrong")], &[(SECRET, "wrong")], &[("forwarded", "for=1.2.3.4")]]
        {
            assert_eq!(arrive(&front, from, "/", headers), Err(Wrong::NoSecret), "{headers:?}");
        }
        assert_eq!(arrive(&front, from, "/", &[]), seen(from, "ws://127.0.0.1:9222", "/"), "a client of this machine");
        assert_eq!(arrive(&front, from, "/", &[(SECRET, SECRET_TEXT)]), Err(Wrong::NoClient));
    }
}

#[test]
fn without_a_secret_headers_from_this_machine_have_no_effect() {
    // A network that this machine is in, at 10.0.9.9: pages of its browsers connect from there too.
    let front = front(&[("trusted_proxy", "10.0.9.0/24")], false);
    let headers = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-prefix", "/x")];
    assert_eq!(arrive(&front, "10.0.9.9", "/", &headers), seen("10.0.9.9", "ws://127.0.0.1:9222", "/"));
    assert_eq!(arrive(&front, "10.0.9.8", "/", &headers), seen("203.0.113.9", "ws://127.0.0.1:9222/x", "/"));
}

#[test]
fn with_a_public_url_that_alone_is_handed_out() {
    let front = front(&[("public_url", "https://example.com/pool"), ("trusted_proxy", "10.0.0.0/24")], false);
    assert!(front.is_public(&Host::parse("example.com").expect("a host")));
    assert!(!front.is_public(&Host::parse("www.example.com").expect("a host")));
    let headers =
        [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-host", "other.example"), ("x-forwarded-prefix", "/x")];
    for (path, rest) in [
        ("/json/version", "/json/version"),
        ("/pool/json/version?token=t", "/json/version?token=t"),
        ("/pool/t/TOKEN/s/a", "/t/TOKEN/s/a"),
        ("/pool", "/"),
        ("/pool/", "/"),
        ("/pool?session=a", "/?session=a"),
        ("/pools/x", "/pools/x"),
        ("/x/json", "/x/json"),
        ("/", "/"),
    ] {
        assert_eq!(
            arrive(&front, "10.0.0.5", path, &headers),
            seen("203.0.113.9", "wss://example.com/pool", rest),
            "{path}"
        );
        assert_eq!(arrive(&front, "10.1.1.1", path, &[]), seen("10.1.1.1", "wss://example.com/pool", rest), "{path}");
    }
}

#[test]
fn no_path_of_this_server_is_taken_for_a_prefix() {
    for path in ["/json/version", "/devtools/browser/x", "/v1/sessions", "/s/a", "/t/TOKEN/", "/kill/x", "/health"] {
        let first = path.split('/').nth(1).expect("a segment");
        let prefix = format!("/{first}");
        let headers = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-prefix", prefix.as_str())];
        let base = format!("ws://127.0.0.1:9222/{first}");
        assert_eq!(arrive(&trusting(), "10.0.0.5", path, &headers), seen("203.0.113.9", &base, path), "{path}");
    }
}
