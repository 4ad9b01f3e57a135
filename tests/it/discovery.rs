//! `/json/*` and the WebSocket URLs, compared with Chrome's.

use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    client::Client,
    proxy::{Answer, Proxy, eventually},
    reconnect::id_of,
};

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

async fn get(proxy: &Proxy, path: &str) -> Answer {
    proxy.http("GET", path, &[], "").await
}

fn path_of(url: &Value) -> String {
    let url = url.as_str().expect("a URL");
    format!("/{}", url.splitn(4, '/').nth(3).expect("a path"))
}

#[tokio::test(flavor = "multi_thread")]
async fn json_version_matches_chrome_and_its_url_opens_one_session() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    for path in ["/json/version", "/json/version/"] {
        let version = json_of(&get(&proxy, path).await);
        for key in ["Browser", "Protocol-Version", "User-Agent", "V8-Version", "WebKit-Version", "webSocketDebuggerUrl"]
        {
            assert!(version[key].is_string(), "{key} in {version}");
        }
    }
    // Any case of method names; the URL has the client's own host and keeps its query.
    let answer = proxy.http("get", "/json/version?token=abc", &[("Host", "localhost:4711")], "").await;
    let url = json_of(&answer)["webSocketDebuggerUrl"].clone();
    assert!(
        url.as_str()
            .is_some_and(|url| url.starts_with("ws://localhost:4711/devtools/browser/") && url.ends_with("?token=abc")),
        "{url}"
    );

    let path = path_of(&json_of(&get(&proxy, "/json/version").await)["webSocketDebuggerUrl"]);
    let client = proxy.connect_to(&path).await;
    let beside = proxy.connect_to(&path).await;
    assert_eq!(id_of(&beside).await, id_of(&client).await, "a second client joins");
    drop((client, beside));
    // As at a Chrome's address: a client that reconnects after the last one left or closed finds a
    // new browser.
    let again = connect_again(&proxy, &path).await;
    again.page().await;
    again.ok(None, "Browser.close", json!({})).await;
    let third = connect_again(&proxy, &path).await;
    assert_eq!(pages_of(&third).await, 1, "nothing is left of the session before");
    third.ok(None, "ghost.closeSession", json!({})).await;
    drop(connect_again(&proxy, &path).await);
    let mut forged = path.clone();
    forged.pop();
    forged.push(if path.ends_with('0') { '1' } else { '0' });
    for wrong in
        [forged.as_str(), "/devtools/browser/made-up", "/devtools/browser/5269804a-cdec-49f7-8a6a-a8aa1b34f55b"]
    {
        let refused = proxy.refusal(wrong).await;
        assert!(refused.contains("404"), "{wrong}: {refused}");
    }
}

/// Sessions that ended against their client's will: a reconnecting client gets the reason, and no
/// new empty session.
#[tokio::test(flavor = "multi_thread")]
async fn url_of_a_forcibly_ended_session_stays_refused() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let session_path = |path: &str| path.replace("/devtools/browser/", "/v1/sessions/");
    let begin = async |proxy: &Proxy, query: &str| {
        let path = path_of(&json_of(&get(proxy, "/json/version").await)["webSocketDebuggerUrl"]);
        let client = proxy.connect_to(&format!("{path}{query}")).await;
        (path, client)
    };
    let stays_refused = async |proxy: &Proxy, path: &str, client: Client, why: &str| {
        client.end().await;
        eventually("the end of the session", async || {
            proxy.http("GET", &session_path(path), &[], "").await.status == 404
        })
        .await;
        for _ in 0..2 {
            let refused = proxy.refusal(path).await;
            assert!(refused.contains("404") && refused.contains(why), "{refused}, not {why}");
        }
    };
    let (path, client) = begin(&proxy, "").await;
    let killed = proxy.http("GET", &path.replace("/devtools/browser/", "/kill/"), &[], "").await;
    assert_eq!(killed.status, 204, "{killed:?}");
    stays_refused(&proxy, &path, client, "ended by an operator").await;
    let (path, client) = begin(&proxy, "").await;
    assert_eq!(proxy.http("DELETE", &session_path(&path), &[], "").await.status, 204);
    stays_refused(&proxy, &path, client, "DELETE").await;
    let (path, client) = begin(&proxy, "?timeout=1").await;
    stays_refused(&proxy, &path, client, "timeout").await;
    let (path, client) = begin(&proxy, "").await;
    client.ok(None, "ghost.park", json!({ "keepAlive": 1 })).await;
    stays_refused(&proxy, &path, client, "keep_alive").await;
    let (path, client) = begin(&proxy, "").await;
    proxy.lose_browser();
    stays_refused(&proxy, &path, client, "the browser is lost").await;
}

/// Connects once the session before has ended; until then the answer is that it has a client.
async fn connect_again(proxy: &Proxy, path: &str) -> Client {
    let mut client = None;
    eventually("the URL is free", async || {
        client = proxy.try_connect_to(path).await.ok();
        client.is_some()
    })
    .await;
    client.expect("connected")
}

async fn pages_of(client: &Client) -> usize {
    let targets = client.ok(None, "Target.getTargets", json!({})).await;
    targets["targetInfos"].as_array().expect("targets").iter().filter(|target| target["type"] == "page").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_version_opens_no_session() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    for _ in 0..50 {
        get(&proxy, "/json/version").await;
    }
    assert!(get(&proxy, "/metrics").await.body.contains("ghostmux_sessions_opened_total 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_endpoints_manage_pages_of_the_http_session() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let stranger = proxy.connect().await;
    let other = stranger.page().await;

    let list = json_of(&get(&proxy, "/json/list").await);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "one blank page: {list}");
    assert_eq!(list[0].get("devtoolsFrontendUrl"), None, "there is no front end: {list}");
    assert_eq!((&list[0]["type"], &list[0]["url"]), (&json!("page"), &json!("about:blank")));
    let refused = get(&proxy, "/json/new?about:blank").await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("PUT")));
    assert!(
        refused.body.contains("Using unsafe HTTP verb GET to invoke /json/new. This action supports only PUT verb.")
    );
    let page = json_of(&proxy.http("PUT", "/json/new?data:text/html,%3Ctitle%3Ehello%3C/title%3E", &[], "").await);
    assert_eq!(page["url"], "data:text/html,<title>hello</title>", "{page}");
    let id = page["id"].as_str().expect("an id");
    assert_eq!(json_of(&get(&proxy, "/json").await).as_array().map(Vec::len), Some(2));

    let client = proxy.connect_to(&path_of(&page["webSocketDebuggerUrl"])).await;
    eventually("its title", async || {
        let title = client.ok(None, "Runtime.evaluate", json!({"expression": "document.title"})).await;
        title["result"]["value"] == "hello"
    })
    .await;
    // A page socket is a view of its session, not of the browser.
    let targets = client.ok(None, "Target.getTargets", json!({})).await;
    assert_eq!(targets["targetInfos"].as_array().map(Vec::len), Some(2), "{targets}");

    assert_eq!(get(&proxy, &format!("/json/activate/{id}")).await.status, 200);
    let closing = get(&proxy, &format!("/json/close/{id}")).await;
    assert_eq!((closing.status, closing.body.as_str()), (200, "Target is closing"));
    client.end().await;
    for path in ["/json/close/", "/json/activate/"] {
        for wrong in ["BAD", id, &other.target] {
            let answer = get(&proxy, &format!("{path}{wrong}")).await;
            assert_eq!((answer.status, answer.body), (404, format!("No such target id: {wrong}")));
        }
    }
    assert_eq!(stranger.evaluate(&other.session, "1").await, 1);
    for path in ["/json/", "/json/nothing", "/nothing"] {
        assert_eq!(get(&proxy, path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_protocol_has_the_browsers_and_the_ghost_domains() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let protocol = json_of(&get(&proxy, "/json/protocol").await);
    let domains = protocol["domains"].as_array().expect("domains");
    assert!(domains.iter().any(|domain| domain["domain"] == "Target") && domains.len() > 40);
    let ghost: Value = serde_json::from_str(ghostmux::api_types::DEFINITION).expect("a domain");
    assert_eq!(domains.iter().filter(|domain| domain["domain"] == "ghost").collect::<Vec<_>>(), [&ghost]);
    assert!(protocol["version"]["major"].is_string(), "{}", protocol["version"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_version_leads_to_the_shared_http_session() {
    let proxy = Proxy::start(Browser::any(), &["--http-session", "shared"]).await;
    let path = path_of(&json_of(&get(&proxy, "/json/version").await)["webSocketDebuggerUrl"]);
    assert_eq!(path_of(&json_of(&get(&proxy, "/json/version").await)["webSocketDebuggerUrl"]), path);
    let (one, other) = (proxy.connect_to(&path).await, proxy.connect_to(&path).await);
    let page = one.page().await;
    let targets = other.ok(None, "Target.getTargets", json!({})).await;
    assert!(targets.to_string().contains(&page.target), "{targets}");
    assert!(get(&proxy, "/json/list").await.body.contains(&page.target));
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_options_are_refused_by_name() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    for (option, name) in [
        ("launch=%7B%22executablePath%22:%22/x%22%7D", "launch.executablePath"),
        ("--proxy-pac-url=x", "--proxy-pac-url"),
        ("stealth", "stealth"),
    ] {
        let refused = proxy.refusal(&format!("/?{option}")).await;
        assert!(refused.contains("400") && refused.contains(name), "{refused}");
    }
    // Unknown query parameters belong to the client and are ignored.
    proxy.connect_to("/chromium?token=x&name-of-mine=1").await.page().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_websocket_paths_open_a_session() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    for (path, status, right) in [
        ("/v1/sessions/some-session/liv", "404", "/devtools/browser/ID"),
        ("/chromium/playwright", "400", "connectOverCDP"),
        ("/firefox/playwright", "400", "connectOverCDP"),
        ("/edge", "400", "Chromes"),
        ("/any/path?token=x", "404", "connect to /"),
    ] {
        let refused = proxy.refusal(path).await;
        assert!(refused.contains(status) && refused.contains(right), "{path}: {refused}");
    }
    assert_eq!(proxy.figure("sessions_opened_total").await, 0);
    for path in ["/", "/devtools/browser", "/devtools/browser/", "/chromium", "/chrome"] {
        proxy.connect_to(path).await.page().await;
    }
    assert_eq!(proxy.figure("sessions_opened_total").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_with_a_reason() {
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let host = format!("Host: {}\r\n", proxy.address());
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    let good = format!("GET /nowhere HTTP/1.1\r\n{host}{upgrade}{KEY}\r\n");
    let answer = proxy.bytes(good.as_bytes()).await;
    let line = answer.lines().next().unwrap_or_default();
    assert!(line.starts_with("HTTP/1.1 404 there is no WebSocket at /nowhere: "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\nghostmux-error: there is no websocket at"), "{answer}");
    for (what, request) in [
        ("Host headers", "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned()),
        ("Host headers", format!("GET /health HTTP/1.1\r\n{host}{host}Connection: close\r\n\r\n")),
        ("Host headers", format!("GET / HTTP/1.1\r\n{host}Host: localhost\r\n{upgrade}{KEY}\r\n")),
        ("HTTP/1.1", format!("GET / HTTP/1.0\r\n{host}{upgrade}{KEY}\r\n")),
        ("Sec-WebSocket-Key", format!("GET / HTTP/1.1\r\n{host}{upgrade}\r\n")),
        ("Sec-WebSocket-Key", format!("GET / HTTP/1.1\r\n{host}{upgrade}Sec-WebSocket-Key: x\r\n\r\n")),
        ("Sec-WebSocket-Key", format!("GET / HTTP/1.1\r\n{host}{upgrade}{KEY}{KEY}\r\n")),
        ("body", format!("GET / HTTP/1.1\r\n{host}{upgrade}{KEY}Content-Length: 2\r\n\r\n{{}}")),
        ("body", format!("GET / HTTP/1.1\r\n{host}{upgrade}{KEY}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
    ] {
        let answer = proxy.bytes(request.as_bytes()).await;
        let line = answer.lines().next().unwrap_or_default();
        assert!(line.contains(" 400 ") && answer.contains(what), "{request:?}: {answer}");
    }
    assert_eq!(proxy.figure("sessions_opened_total").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn root_path_explains_how_to_connect() {
    let proxy = Proxy::start(Browser::any(), &[]).await;
    let url = format!("http://{}", proxy.address());
    let told = get(&proxy, "/").await;
    assert!(told.status == 200 && told.body.contains(&format!("ws://{}", proxy.address())), "{told:?}");
    // In a browser: every link of the page works, and none shows sessions.
    let client = proxy.connect().await;
    let page = client.page_at(&format!("{url}/")).await;
    let text = client.evaluate(&page.session, "document.body.innerText").await;
    let text = text.as_str().expect("text");
    assert!(text.contains(&format!("browserURL: '{url}'")), "{text}");
    let links = client.evaluate(&page.session, "[...document.links].map(link => link.href)").await;
    let links = links.as_array().expect("links");
    assert!(links.len() >= 4, "{links:?}");
    for link in links {
        client.open(&page, &format!("{url}/")).await;
        client.forget_events("Page.loadEventFired");
        let follow = format!("[...document.links].find(link => link.href === {link}).click(); 0");
        client.evaluate(&page.session, &follow).await;
        client.event_on(&page.session, "Page.loadEventFired").await;
        let status = "performance.getEntriesByType('navigation')[0].responseStatus";
        assert_eq!(client.evaluate(&page.session, status).await, 200, "{link}");
        assert_eq!(&client.evaluate(&page.session, "location.href").await, link);
    }
}
