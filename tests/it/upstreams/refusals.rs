//! Proxies that cannot be used, and texts that name none.

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use super::helper::Upstream;
use crate::{
    browsers::Browser,
    client::text,
    proxy::Proxy,
    rest::{JSON, is_problem},
    site::Site,
};

/// A proxy that answers every connection with these bytes, and then waits.
async fn saying(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        let mut all = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(bytes).await;
            all.push(stream);
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_that_refuse_hang_or_lie_are_told_with_the_reason_and_nothing_leaves_without_them() {
    let (server, site) = (Proxy::start(Browser::any(), &[]).await, Site::start().await);
    let (http, socks) = tokio::join!(Upstream::http("u", "right", &site), Upstream::socks("u", "right", &site));
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let (lying, silent) = (saying(b"220 smtp.test ESMTP\r\n").await, saying(b"").await);
    let rows = [
        (http.url_as("u", "wrong"), "a.test", "upstream-credentials"),
        (socks.url_as("u", "wrong"), "a.test", "upstream-credentials"),
        (socks.address(), "a.test", "upstream-credentials"),
        (http.url(), "refused.test", "upstream-refused"),
        (socks.url(), "refused.test", "upstream-refused"),
        (format!("http://u:p@{gone}"), "a.test", "upstream-unreachable"),
        (format!("socks5://{gone}"), "a.test", "upstream-unreachable"),
        (format!("socks5://u:p@{lying}"), "a.test", "upstream-protocol"),
        (format!("http://{lying}"), "a.test", "upstream-protocol"),
        (format!("http://u:p@{}", server.address()), "a.test", "upstream-address"),
    ];
    for (proxy, host, reason) in rows {
        let client = server.connect_to(&format!("/?proxy={}", proxy.replace('@', "%40"))).await;
        client.ok(None, "ghost.enable", json!({})).await;
        let page = client.page().await;
        let params = json!({ "url": site.url_at(host, "/?page") });
        let done = client.ok(Some(&page.session), "Page.navigate", params).await;
        assert!(text(&done, "errorText").starts_with("net::ERR_"), "{proxy}: {done}");
        let told = client.event("ghost.egressFailed").await["params"].clone();
        assert_eq!((&told["host"], &told["reason"]), (&json!(host), &json!(reason)), "{proxy}: {told}");
        assert!(!told.to_string().contains("right") && !told.to_string().contains("wrong"), "{told}");
        let account = client.ok(None, "ghost.getEgress", json!({})).await["egress"].clone();
        assert!(account["failed"].as_u64().is_some_and(|failed| failed > 0), "{account}");
    }
    // One that hangs keeps its own page waiting, in which Chrome evaluates nothing before the navigation ends, and no other.
    let client = server.connect_to(&format!("/?proxy=http://u:p%40{silent}")).await;
    let page = client.page().await;
    client.start(Some(&page.session), "Page.navigate", json!({ "url": site.url_at("a.test", "/") })).await;
    let other = client.page().await;
    assert_eq!(client.evaluate(&other.session, "6 * 7").await, 42);
    let paths: Vec<String> = site.requests().into_iter().map(|request| request.path).collect();
    assert!(paths.is_empty(), "{paths:?}");
}

#[tokio::test]
async fn texts_that_name_no_proxy_are_refused_with_option_and_rule() {
    let server = Proxy::start(Browser::any(), &[]).await;
    let client = server.connect().await;
    for (proxy, rule) in [
        ("socks4://u:hidden@h:1", "SOCKS4 is not supported"),
        ("https://u:hidden@h:1", "through TLS"),
        ("pac+http://hidden/x.pac", "PAC"),
        ("http://u:hidden@h:1,direct://", "a list of proxies"),
        ("ftp://u:hidden@h:1", "the scheme"),
        ("http://u:hidden@h:0", "the host or the port"),
        ("http://h:80:u:hidden", "the host or the port"),
        ("http://:hidden@h:1", "the user of a proxy"),
    ] {
        let refused = server.refusal(&format!("/?proxy={}", proxy.replace('@', "%40"))).await;
        assert!(refused.starts_with("400") && refused.contains(rule), "{proxy}: {refused}");
        let answer = server.http("POST", "/v1/sessions", &[JSON], &json!({ "proxy": proxy }).to_string()).await;
        is_problem(&answer, 400, "bad-value", rule);
        let (code, why) = client.call("ghost.createSession", json!({ "proxy": proxy })).await.expect_err(proxy);
        assert!(code == -32602 && why.contains("proxy") && why.contains(rule), "{proxy}: {code} {why}");
        for shown in [refused, answer.body, why] {
            assert!(!shown.contains("hidden"), "{shown}");
        }
        let of_context = client.call("Target.createBrowserContext", json!({ "proxyServer": proxy })).await;
        assert!(of_context.is_err_and(|(_, why)| why.contains(rule) && !why.contains("hidden")), "{proxy}");
    }
    for (query, field) in [
        ("proxy=residential", "proxy"),
        ("proxyBypass=a.test", "proxyBypass"),
        ("proxy=http://h:1&proxyBypass=http://x", "proxy"),
        ("--proxy-server=socks4://h:1", "--proxy-server"),
        ("--proxy-pac-url=http://h/x", "--proxy-pac-url"),
        ("--no-proxy-server", "--no-proxy-server"),
        ("launch={\"proxy\":{\"server\":\"a:1;b:2\"}}", "launch.proxy"),
    ] {
        let query = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let refused = server.refusal(&format!("/?{query}")).await;
        assert!(refused.starts_with("400") && refused.contains(field), "{query}: {refused}");
    }
    assert_eq!(client.ok(None, "ghost.listSessions", json!({})).await["sessions"].as_array().map(Vec::len), Some(1));
    let version = client.ok(None, "Browser.getVersion", Value::Null).await;
    assert!(version["product"].is_string(), "{version}");
}
