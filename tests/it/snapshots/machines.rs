//! A session moves to another browser and another machine: two processes with one Redis.

use std::time::Duration;

use serde_json::{Value, json};

use super::apis::page_at;
use crate::{
    browsers::{Browser, in_browser},
    client::Client,
    proxy::Proxy,
    rest::id_of,
    site::Site,
    store::test_store::{KEY_ONE, TestStore},
};

/// Time limit for slow steps on a busy machine: filling and reading three origins.
const PATIENCE: Duration = Duration::from_secs(60);

async fn cookies(client: &Client) -> Value {
    let mut cookies = client.ok(None, "Storage.getCookies", json!({})).await["cookies"].take();
    cookies.as_array_mut().expect("a list").sort_by_key(ToString::to_string);
    cookies
}

async fn history(client: &Client, session: &str) -> Vec<String> {
    let history = client.ok(Some(session), "Page.getNavigationHistory", json!({})).await;
    let entries = history["entries"].as_array().expect("a list");
    entries.iter().map(|entry| entry["url"].as_str().expect("a URL").to_owned()).collect()
}

async fn a_session_moves_to_another_machine_through_redis(browser: Browser) {
    let (one, two, three) = (Site::start().await, Site::start().await, Site::start().await);
    let test_store = TestStore::redis();
    let (store, keys) = (test_store.argument(), test_store.beside("keys"));
    std::fs::write(&keys, KEY_ONE).expect("written");
    let flags = ["--store", &store, "--store-key", keys.to_str().expect("text")];
    let (here, there) = tokio::join!(Proxy::start(browser.clone(), &flags), Proxy::start(browser, &flags));

    let client = here.connect().await;
    // One origin is visited and left, two are in frames, one has a partitioned cookie and a service
    // worker.
    let left = one.url_at("left.localhost", "/storage");
    let frames = [two.url_at("b.localhost", "/storage"), three.url_at("a.localhost", "/storage")];
    let url = one.url_at("a.localhost", &format!("/storage?frames={}", frames.join(",")));
    let page = client.page_at(&left).await;
    assert_eq!(client.evaluate_in(&page.session, "fill()", PATIENCE).await, json!([]));
    client.open(&page, &one.url_at("a.localhost", "/cookies")).await;
    client.open(&page, &url).await;
    assert_eq!(client.evaluate_in(&page.session, "fill()", PATIENCE).await, json!([]));
    let registered =
        "navigator.serviceWorker.register('/service.js').then(() => navigator.serviceWorker.ready).then(() => true)";
    assert_eq!(client.evaluate(&page.session, registered).await, true);
    client.evaluate(&page.session, "scrollTo(0, 1234), document.querySelector('[name=text]').value = 'typed'").await;
    let (had, was_at) = (cookies(&client).await, history(&client, &page.session).await);
    assert!(had.as_array().is_some_and(|all| all.iter().any(|cookie| cookie.get("partitionKey").is_some())), "{had}");

    let parts = ["cookies", "localStorage", "indexedDB", "pages", "permissions", "formFields"];
    let saved = client.call_in(None, "ghost.saveSnapshot", json!({ "parts": parts }), PATIENCE).await.expect("saved");
    let report = &saved["report"];
    let omitted = report["omitted"].as_array().expect("a list").iter().map(|lost| &lost["what"]);
    assert_eq!(omitted.collect::<Vec<_>>(), ["serviceWorker"], "{report}");
    let id = id_of(&saved["snapshot"]);
    here.lose_browser();
    let why = client.end().await;
    assert!(why.contains("1011"), "{why}");

    for proxy in [&here, &there] {
        let client = proxy.connect_to(&format!("/?snapshot={id}")).await;
        assert_eq!(cookies(&client).await, had);
        let session = page_at(&client, &url).await;
        assert_eq!(client.evaluate_in(&session, "check()", PATIENCE).await, json!([]));
        let seen = client.evaluate(&session, "[scrollY, document.querySelector('[name=text]').value]").await;
        assert_eq!(seen, json!([1234, "typed"]));
        assert_eq!(history(&client, &session).await, was_at);
        let other = client.page_at(&left).await;
        // The other page has a sessionStorage of its own.
        assert_eq!(client.evaluate_in(&other.session, "check('no session')", PATIENCE).await, json!([]));
    }
}
in_browser!(Shell: a_session_moves_to_another_machine_through_redis);
