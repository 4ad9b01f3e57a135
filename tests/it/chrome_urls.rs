//! Chrome's own URLs and invalid URLs: both kinds of browser answer as headless shell does. And how Chrome parses URLs.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    proxy::Proxy,
};

/// Checks the result of the failed navigation and the network events of its request.
async fn navigation_to_a_chrome_url_fails_as_in_headless_shell(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let neighbour = other.page().await;
    let page = client.page().await;
    let session = Some(page.session.as_str());
    for domain in ["Page.enable", "Network.enable"] {
        client.ok(session, domain, json!({})).await;
    }
    // On a bare browser the second URL ends a headless shell if opened twice, and the third ends
    // full Chrome.
    for url in ["chrome://newtab/", "chrome://gpu", "chrome://settings", "about:version"] {
        for method in ["Network.requestWillBeSent", "Network.loadingFailed"] {
            client.forget_events(method);
        }
        let went = client.ok(session, "Page.navigate", json!({ "url": url })).await;
        assert_eq!((&went["frameId"], &went["errorText"]), (&json!(page.target), &json!("net::ERR_INVALID_URL")));
        let sent = client.event_where("Network.requestWillBeSent", |event| event["type"] == "Document").await;
        assert_eq!(sent["loaderId"], went["loaderId"], "{url}: {sent}");
        assert!(sent["request"]["url"].as_str().is_some_and(|said| said.ends_with(url)), "{url}: {sent}");
        let failed = client.event_where("Network.loadingFailed", |event| event["requestId"] == sent["requestId"]).await;
        assert_eq!(failed["errorText"], "net::ERR_INVALID_URL", "{url}: {failed}");
    }
    client.open(&page, "data:text/html,<body>there").await;
    assert_eq!(client.evaluate(&page.session, "document.body.textContent").await, "there");
    assert_eq!(other.evaluate(&neighbour.session, "1").await, 1);
}

async fn new_pages_at_invalid_urls_are_blank(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let client = proxy.connect().await;
    for url in ["chrome://newtab/", "chrome://settings", "example.test", "about:srcdoc", "localhost:1"] {
        let made = client.ok(None, "Target.createTarget", json!({ "url": url })).await;
        let session = client.attach(None, &text(&made, "targetId")).await;
        assert_eq!(client.evaluate(&session, "location.href").await, "about:blank", "{url}");
        client.ok(None, "Target.closeTarget", made).await;
        let made = proxy.http("PUT", &format!("/json/new?{url}"), &[], "").await;
        assert_eq!(made.status, 200, "{url}: {}", made.body);
        let made: Value = serde_json::from_str(&made.body).expect("a page");
        assert_eq!((&made["type"], &made["url"]), (&json!("page"), &json!("about:blank")), "{url}");
    }
}

/// The page crashes as with `Page.crash`; other pages do not.
async fn navigation_to_chrome_crash_crashes_only_that_page(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let (client, other) = (proxy.connect().await, proxy.connect().await);
    let neighbour = other.page().await;
    let (page, second) = (client.page().await, client.page().await);
    for domain in ["Page.enable", "Inspector.enable"] {
        client.ok(Some(&page.session), domain, json!({})).await;
    }
    let went = client.ok(Some(&page.session), "Page.navigate", json!({ "url": "chrome://crash" })).await;
    assert_eq!(went, json!({ "frameId": page.target, "errorText": "net::ERR_ABORTED" }));
    client.event_on(&page.session, "Inspector.targetCrashed").await;
    client.forget_events("Page.loadEventFired");
    client.ok(Some(&page.session), "Page.navigate", json!({ "url": "data:text/html,<body>back" })).await;
    client.event_on(&page.session, "Page.loadEventFired").await;
    assert_eq!(client.evaluate(&page.session, "document.body.textContent").await, "back");
    assert_eq!(client.evaluate(&second.session, "1").await, 1);
    assert_eq!(other.evaluate(&neighbour.session, "1").await, 1);
}

/// The rules for private addresses parse URLs with the crate `url`.
async fn chrome_parses_hosts_as_the_url_rules_do(browser: Browser) {
    const SPELLINGS: &[&str] = &[
        "http://127.0.0.1:80/",
        "http:127.0.0.1",
        "http:\\127.0.0.1",
        "http:///127.0.0.1/",
        "http:\\\\127.0.0.1\\@example.com/",
        "http://0x7f.1/",
        "http://0X7F.0.0.1/",
        "http://2130706433",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://0x/",
        "http://127.1",
        "http://127.0.0.1.",
        "http://127.0.0.1..",
        "http://127.0.0x0001",
        "http://1.2.3.256",
        "http://1.2.3.4.5",
        "http://1.2.3.09",
        "http://4294967296",
        "http://0x00000000000000000000007f000001",
        "http://%31%32%37.0.0.1/",
        "http://127%2e0%2E0.1/",
        "http://%6C%6f%63alhost/",
        "http://%00127.0.0.1/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://①②⑦.0.0.1/",
        "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/",
        "http://ｌｏｃａｌｈｏｓｔ/",
        "http://loc\u{ad}alhost/",
        "http://localhost%E3%80%82/",
        "http://münchen.de/",
        "http://x:y@127.0.0.1/",
        "http://@@127.0.0.1/",
        "http://example.com:80@127.0.0.1:80/",
        "http://127.0.0.1:80@example.com:8080/",
        "http://example.com\\@127.0.0.1:8080@localhost/..//",
        "http://127.0.0.1#@example.com",
        "http://127.0.0.1?@example.com",
        "http://example.com/@127.0.0.1",
        "http://1\t27.0.0\n.1/",
        "ht\rtp:/\n/lo\tcalhost",
        "\u{0}\u{1f} http://127.0.0.1\u{0}",
        "http://LOCALHOST.:80/",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:ffff:7f00:1]",
        "http://[::127.0.0.1]",
        "http://[fe80::1%25eth0]",
        "http://[::1",
        "http://::1/",
        "http://a_b.example.com",
        "http://010.example.com",
        "http://x:99999@10.0.0.1:65535",
        "http://example.com:99999/",
        "http://:80/",
    ];
    let proxy = Proxy::start(browser, &[]).await;
    let client = proxy.connect().await;
    let page = client.page().await;
    let read = format!(
        "{}.map(text => {{ try {{ return new URL(text).hostname }} catch {{ return null }} }})",
        json!(SPELLINGS)
    );
    let hosts = client.evaluate(&page.session, &format!("JSON.stringify({read})")).await;
    let hosts: Vec<Option<String>> = serde_json::from_str(hosts.as_str().expect("text")).expect("hosts");
    for (spelling, host) in SPELLINGS.iter().zip(hosts) {
        let ours = url::Url::parse(spelling).ok().and_then(|url| url.host_str().map(str::to_owned));
        assert_eq!(ours, host, "{spelling:?}");
    }
}

in_each_browser!(chrome_parses_hosts_as_the_url_rules_do);
in_each_browser!(navigation_to_a_chrome_url_fails_as_in_headless_shell);
in_each_browser!(new_pages_at_invalid_urls_are_blank);
in_each_browser!(navigation_to_chrome_crash_crashes_only_that_page);
