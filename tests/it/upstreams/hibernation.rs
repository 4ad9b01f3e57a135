//! The proxy of a session is kept: when it hibernates, and in its clones.

use serde_json::{Value, json};

use super::helper::{Upstream, title};
use crate::{
    browsers::Browser,
    client::text,
    proxy::{Proxy, eventually},
    site::Site,
    store::test_store::{KEY_ONE, TestStore},
};

async fn is_hibernated(server: &Proxy, name: &str) {
    let listed = format!("/v1/sessions?name={name}&state=hibernated");
    eventually("a session that hibernates", async || {
        let answer = server.http("GET", &listed, &[], "").await;
        serde_json::from_str::<Value>(&answer.body)
            .is_ok_and(|all| all["sessions"].as_array().is_some_and(|all| !all.is_empty()))
    })
    .await;
}

/// What the file of a store has.
fn has(store: &TestStore, text: &str) -> bool {
    let bytes = std::fs::read(store.file()).expect("the store");
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_keep_their_proxy_while_they_hibernate_and_in_clones() {
    let (store, site) = (TestStore::embedded(), Site::start().await);
    let (file, keys) = (store.argument(), store.beside("keys"));
    std::fs::write(&keys, KEY_ONE).expect("written");
    let flags = ["--store", &file, "--store-key", keys.to_str().expect("text"), "--hibernate-after", "200ms"];
    let server = Proxy::start(Browser::any(), &flags).await;
    let (one, two) =
        tokio::join!(Upstream::http("alice-*", "pass-one", &site), Upstream::socks("bob", "pass-two", &site));
    let sticky = one.url_as("alice-{session}", "pass-one").replace('@', "%40").replace('{', "%7B").replace('}', "%7D");
    let path = format!("/s/kept?keep_alive=1m&proxy={sticky}");
    let client = server.connect_to(&path).await;
    client.page_at(&site.url_at("before.test", "/?page")).await;
    let users = one.users();
    assert!(users.len() == 1 && users[0].len() == "alice-".len() + 16, "{users:?}");

    // Clones leave by the same proxy with a user of their own, or by another one.
    for (given, upstream) in [(json!({}), &one), (json!({ "proxy": two.url() }), &two)] {
        let cloned = client.ok(None, "ghost.cloneSession", given).await;
        let url = text(&cloned["sessions"][0], "webSocketDebuggerUrl");
        let clone = server.connect_to(url.split_once(server.address()).expect("our own address").1).await;
        clone.page_at(&site.url_at("clone.test", "/?page")).await;
        assert_eq!(upstream.hosts().pop().as_deref(), Some("clone.test"));
    }
    let of_clone = one.users();
    assert!(of_clone.len() > users.len() && of_clone[0] == users[0], "{of_clone:?}");
    let (code, why) = client.call("ghost.cloneSession", json!({ "proxy": "socks4://h:1" })).await.expect_err("SOCKS4");
    assert!(code == -32602 && why.contains("SOCKS4"), "{code} {why}");

    // A context with a proxy of its own has a user for each session too.
    let params = json!({ "proxyServer": one.url_as("alice-context-{session}", "pass-one") });
    let context = text(&client.ok(None, "Target.createBrowserContext", params).await, "browserContextId");
    let in_context = site.url_at("context.test", "/?page");
    client.page_in(Some(&context), &in_context).await;
    let of_context = one.users_of("context.test");
    assert_eq!(of_context, [users[0].replace("alice-", "alice-context-")]);
    let asked = || site.requests().iter().filter(|request| request.head.contains("context.test")).count();
    let before = asked();

    drop(client);
    is_hibernated(&server, "kept").await;
    assert!(
        !has(&store, "pass-one") && has(&store, &one.address().replace("://", "://***@")),
        "the store has the address and not the password"
    );
    let refused = server.refusal(&format!("/s/kept?proxy={}", two.escaped())).await;
    assert!(refused.starts_with("409") && refused.contains("option proxy"), "{refused}");
    let client = server.connect_to(&path).await;
    let page = client.page_at(&site.url_at("after.test", "/?page")).await;
    assert_eq!(
        (title(&client, &page).await, one.hosts().pop().as_deref()),
        ("title-page".to_owned(), Some("after.test"))
    );
    assert_eq!(one.users_of("after.test"), users, "the exit of the session stays");
    // The page of the context is loaded again, through the proxy of the context and as its user.
    eventually("the page of the context", async || asked() > before).await;
    assert_eq!(one.users_of("context.test"), of_context);
    let targets = client.ok(None, "Target.getTargets", json!({})).await;
    let restored = |target: &Value| target["url"] == in_context && target["browserContextId"] != context;
    assert!(targets["targetInfos"].as_array().is_some_and(|all| all.iter().any(restored)), "{targets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_not_restored_without_their_proxy() {
    let (store, site) = (TestStore::embedded(), Site::start().await);
    let file = store.argument();
    let server = Proxy::start(Browser::any(), &["--store", &file, "--hibernate-after", "200ms"]).await;
    let one = Upstream::socks("bob", "pass-one", &site).await;
    let path = format!("/s/kept?keep_alive=1m&proxy={}", one.escaped());
    let client = server.connect_to(&path).await;
    client.page_at(&site.url_at("before.test", "/?page")).await;
    let context = client.ok(None, "Target.createBrowserContext", json!({ "proxyServer": one.url() })).await;
    client.page_in(Some(&text(&context, "browserContextId")), &site.url_at("context.test", "/?page")).await;
    drop(client);
    is_hibernated(&server, "kept").await;
    assert!(!has(&store, "pass-one"), "the store has no key");
    let loads_before = site.requests().iter().filter(|request| request.head.contains("context.test")).count();
    let before = site.requests().len();
    let refused = server.refusal("/s/kept").await;
    assert!(refused.starts_with("409") && refused.contains("proxy-needed"), "{refused}");
    assert!(refused.contains(&one.address().replace("://", "://***@")) && refused.contains("store_key"), "{refused}");
    assert_eq!(site.requests().len(), before, "E11: it has left without its proxy");
    let client = server.connect_to(&path).await;
    let page = client.page_at(&site.url_at("after.test", "/?page")).await;
    assert_eq!(
        (title(&client, &page).await, one.hosts().pop().as_deref()),
        ("title-page".to_owned(), Some("after.test"))
    );
    // The proxy of a context cannot be given again: its pages are not loaded without it.
    let targets = client.ok(None, "Target.getTargets", json!({})).await.to_string();
    assert!(!targets.contains("context.test"), "{targets}");
    let loads = site.requests().iter().filter(|request| request.head.contains("context.test")).count();
    assert_eq!(loads, loads_before, "E11: a context has left without its proxy");
}
