//! Proxies that clients and operators name for sessions and contexts: real ones, which want a user and a password.

mod helper;
mod hibernation;
mod of_tenants;
mod refusals;

use serde_json::{Value, json};

use self::helper::{Upstream, challenged, title};
use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    proxy::Proxy,
    rest::{JSON, body_of},
    site::Site,
};

/// Each session leaves by its own proxy, known credentials or not, and so does each context; all in one browser at once, on a
/// server that limits nothing. No page resolves a name here.
async fn sessions_and_contexts_leave_by_their_own_proxies(browser: Browser) {
    let (server, site) = (Proxy::start(browser, &["--max-browsers", "1", "--log", "debug"]).await, Site::start().await);
    let (one, two, three) = tokio::join!(
        Upstream::http("alice", "pass-one", &site),
        Upstream::socks("bob", "pass:two", &site),
        Upstream::http("carol", "pass-three", &site),
    );
    let url = |host: &str| site.url_at(host, "/?page");
    let paths = [format!("/?proxy={}", one.escaped()), format!("/?proxy={}&proxyBypass=127.0.0.1", two.escaped())];
    let (alice, bob) = tokio::join!(server.connect_to(&paths[0]), server.connect_to(&paths[1]));
    let plain = server.connect().await;
    // Their pages are open at the same time.
    let urls = ["alice.test", "bob.test", "127.0.0.1"].map(url);
    let (of_alice, of_bob, of_none) =
        tokio::join!(alice.page_at(&urls[0]), bob.page_at(&urls[1]), plain.page_at(&urls[2]));
    for (client, page) in [(&alice, &of_alice), (&bob, &of_bob), (&plain, &of_none)] {
        assert_eq!(title(client, page).await, "title-page");
    }
    assert_eq!(one.asked_by_others(), Vec::<String>::new());
    assert_eq!((one.hosts(), two.hosts()), (vec!["alice.test".to_owned()], vec!["bob.test".to_owned()]));
    // What the bypass list names is connected to directly; what it does not, is not, loopback included.
    bob.open(&of_bob, &url("127.0.0.1")).await;
    assert_eq!(two.hosts(), ["bob.test"]);
    alice.open(&of_alice, &url("localhost")).await;
    assert_eq!(one.hosts(), ["alice.test", "localhost"]);

    // The client of a context has the credentials, and answers the challenge of the proxy.
    for (client, name) in [(&plain, "carol-plain.test"), (&alice, "carol-alice.test")] {
        let params = json!({ "proxyServer": three.address(), "proxyBypassList": "*.direct.test;<-loopback>" });
        let context = text(&client.ok(None, "Target.createBrowserContext", params).await, "browserContextId");
        let page = client.page_in(Some(&context), "about:blank").await;
        let done = challenged(client, &page, &url(name), ("carol", "pass-three")).await;
        assert_eq!(done["errorText"], Value::Null, "{done}");
        assert_eq!(title(client, &page).await, "title-page");
        assert!(three.hosts().contains(&name.to_owned()), "{:?}", three.hosts());
        // Credentials in the URL of a context, and one without a proxy of its own.
        let params = json!({ "proxyServer": two.url() });
        let context = text(&client.ok(None, "Target.createBrowserContext", params).await, "browserContextId");
        let page = client.page_in(Some(&context), &url(&format!("bob.{name}"))).await;
        assert_eq!(title(client, &page).await, "title-page");
        assert!(two.hosts().contains(&format!("bob.{name}")), "{:?}", two.hosts());
    }
    // A context without a proxy leaves as its session does.
    let context = text(&alice.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
    let page = alice.page_in(Some(&context), &url("second.test")).await;
    assert_eq!(
        (title(&alice, &page).await, one.hosts().pop()),
        ("title-page".to_owned(), Some("second.test".to_owned()))
    );

    // By REST and by `ghost.createSession`, by the launch options of libraries, and in a browser of its own.
    let body = json!({ "session": "by-rest", "proxy": one.url(), "proxyBypass": "*.direct.test" });
    let made = server.http("POST", "/v1/sessions", &[JSON], &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let by_ghost = json!({ "session": "by-ghost", "launch": { "proxy": { "server": two.address(), "username": "bob", "password": "pass:two" } } });
    let by_ghost = plain.ok(None, "ghost.createSession", by_ghost).await;
    let flags = format!("/?--proxy-server={}&--proxy-bypass-list=%3C-loopback%3E&isolation=dedicated", one.escaped());
    for (path, upstream) in [("/s/by-rest", &one), ("/s/by-ghost", &two), (flags.as_str(), &one)] {
        let client = server.connect_to(path).await;
        let page = client.page_at(&url("localhost")).await;
        assert_eq!(title(&client, &page).await, "title-page", "{path}");
        assert_eq!(upstream.hosts().pop().as_deref(), Some("localhost"), "{path}");
    }
    // A client joins a session with the same proxy, and none with another.
    let joined = server.connect_to(&format!("/s/by-rest?proxy={}&proxyBypass=*.direct.test", one.escaped())).await;
    let refused = server.refusal(&format!("/s/by-rest?proxy={}", two.escaped())).await;
    assert!(refused.starts_with("409") && refused.contains("option proxy"), "{refused}");

    // Nothing shows a password: no answer, no URL that is handed out, no log, no list of processes.
    let version = server.http("GET", &format!("/json/version?proxy={}", one.escaped()), &[], "").await;
    let handed_out = text(&body_of(&version), "webSocketDebuggerUrl");
    let path = handed_out.split_once(server.address()).expect("our own address").1.to_owned();
    let by_url = server.connect_to(&path).await;
    let page = by_url.page_at(&url("handed-out.test")).await;
    assert_eq!(
        (title(&by_url, &page).await, one.hosts().pop().as_deref()),
        ("title-page".to_owned(), Some("handed-out.test"))
    );
    let mut shown = vec![handed_out, by_ghost.to_string(), made.body];
    for path in ["/v1/sessions", "/json/list", "/sessions", "/metrics", "/v1/browsers"] {
        shown.push(server.http("GET", path, &[], "").await.body);
    }
    shown.push(joined.ok(None, "ghost.getEgress", json!({})).await.to_string());
    shown.push(joined.ok(None, "ghost.getSession", json!({})).await.to_string());
    shown.extend([server.log(), helper::command_lines()]);
    for secret in ["pass-one", "pass:two", "pass%3Atwo", "pass-three"] {
        for text in &shown {
            let at = text.find(secret).map(|at| text[at.saturating_sub(200)..(at + 40).min(text.len())].to_owned());
            assert_eq!(at, None, "E10: {secret} is shown");
        }
    }
}

in_each_browser!(sessions_and_contexts_leave_by_their_own_proxies);
