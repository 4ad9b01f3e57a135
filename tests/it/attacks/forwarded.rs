//! What headers of proxies change, and for whom.

use std::fs;

use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    proxy::{Proxy, eventually},
    rest::{JSON, is_problem},
    tenants::{Server, Tenant},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const FAR: (&str, &str) = ("x-forwarded-for", "203.0.113.9");

/// The value of a member in a JSON text.
fn member(text: &str, name: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_addresses_count_for_tokens_and_the_audit_log_from_the_proxy_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    fs::write(path("secret"), SECRET).expect("written");
    let far = Tenant::with_token("far", "from = [\"203.0.113.0/24\"]");
    let settings = ["--trusted-proxy", "127.0.0.1", "--proxy-secret", &path("secret"), "--audit", &path("audit.log")];
    let server = Server::start(&[&far], &settings).await;
    let token = ("x-api-key", far.text());
    let get = async |headers: &[(&str, &str)]| {
        server.proxy.http("GET", "/json/version", &[&[token], headers].concat(), "").await
    };
    // Without the proxy, the address is that of the connection.
    assert_eq!(get(&[]).await.status, 401, "U05");
    for forged in [FAR, ("forwarded", "for=203.0.113.9"), ("x-ghostmux-proxy", "guess")] {
        is_problem(&get(&[forged]).await, 403, "proxy", "X-Ghostmux-Proxy");
        is_problem(&get(&[forged, ("x-ghostmux-proxy", "guess")]).await, 403, "proxy", "X-Ghostmux-Proxy");
    }
    let proxy = ("x-ghostmux-proxy", SECRET);
    let answer = get(&[FAR, proxy]).await;
    assert_eq!(answer.status, 200, "U05: {}", answer.body);
    assert_eq!(
        get(&[("x-forwarded-for", "203.0.113.9, 198.51.100.7"), proxy]).await.status,
        401,
        "the client is the last"
    );
    is_problem(&get(&[proxy]).await, 400, "proxy", "X-Forwarded-For");
    is_problem(&get(&[FAR, ("forwarded", "for=127.0.0.1"), proxy]).await, 400, "proxy", "different clients");
    eventually("the address of the client in the audit log", async || {
        fs::read_to_string(path("audit.log")).is_ok_and(|log| log.contains("198.51.100.7"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_headers_of_a_stranger_have_no_effect() {
    let proxy = Proxy::start(Browser::any(), &["--trusted-proxy", "203.0.113.0/24"]).await;
    let forged = [
        FAR,
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/json"),
        ("forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
    ];
    let answer = proxy.http("GET", "/json/version", &forged, "").await;
    let url = member(&answer.body, "webSocketDebuggerUrl");
    assert!(url.starts_with(&format!("ws://{}/devtools/browser/", proxy.address())), "J19: {url}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_ended_by_get_only_for_clients_of_this_machine() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("secret");
    fs::write(&file, SECRET).expect("written");
    let settings = ["--trusted-proxy", "127.0.0.1", "--proxy-secret", &file.to_string_lossy()];
    let proxy = Proxy::start(Browser::any(), &settings).await;
    let made = proxy.http("POST", "/v1/sessions", &[JSON], &json!({ "keepAlive": 60_000 }).to_string()).await;
    let path = format!("/kill/{}", member(&made.body, "id"));
    let no_page = ("x-ghostmux", "1");
    let through = [("x-ghostmux-proxy", SECRET), no_page];
    is_problem(&proxy.http("GET", &path, &[&through[..], &[FAR]].concat(), "").await, 403, "not-by-get", "DELETE");
    // A page comes to the proxy by an address to which Chrome may not have marked its request.
    let as_page = [through[0], ("x-forwarded-for", "127.0.0.1")];
    is_problem(&proxy.http("GET", &path, &as_page, "").await, 403, "from-a-page", "X-Ghostmux");
    assert_eq!(proxy.http("GET", &path, &[], "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_url_begins_with_the_public_one() {
    let proxy = Proxy::start(Browser::any(), &["--public-url", "https://example.com:8443/pool"]).await;
    for (path, host) in
        [("/json/version", None), ("/pool/json/version", None), ("/pool/s/a/json/version", Some("example.com:8443"))]
    {
        let headers: Vec<_> = host.into_iter().map(|host| ("host", host)).collect();
        let answer = proxy.http("GET", path, &headers, "").await;
        let url = member(&answer.body, "webSocketDebuggerUrl");
        assert!(url.starts_with("wss://example.com:8443/pool/"), "{path}: {url}");
    }
    let made = proxy.http("POST", "/pool/v1/sessions", &[JSON], "{}").await;
    let location = made.header("location").expect("a location");
    assert!(location.starts_with("/pool/v1/sessions/"), "{location}");
    assert_eq!(proxy.http("GET", location, &[], "").await.status, 200);
    assert_eq!(proxy.http("GET", "/json/version", &[("host", "www.example.com")], "").await.status, 500);
}
