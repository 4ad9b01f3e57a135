//! The limits of tenants as clients see them, on real servers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    proxy::eventually,
    rest::{JSON, body_of},
    store::test_store::TestStore,
    tenants::{Server, Tenant},
};

fn path_of(tenant: &Tenant) -> String {
    format!("/?token={}", tenant.text())
}

#[tokio::test]
async fn refusals_name_the_limit_and_say_when_to_come_again() {
    let few = Tenant::with("few", "limits = { max_sessions = 1, sessions_per_minute = 2 }");
    let other = Tenant::new("other");
    let server = Server::start(&[&few, &other], &[]).await;
    let (proxy, path) = (&server.proxy, path_of(&few));
    let create = async || proxy.http("POST", "/v1/sessions", &[("x-api-key", few.text()), JSON], "{}").await;

    let client = proxy.connect_to(&path).await;
    let asked = Instant::now();
    let refused = proxy.refusal(&path).await;
    assert!(refused.contains("429") && refused.contains("max_sessions"), "{refused}");
    let answer = create().await;
    assert!(asked.elapsed() >= Duration::from_millis(200), "refusals are given at leisure: {:?}", asked.elapsed());
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("5")), "{answer:?}");
    assert_eq!(answer.header("ratelimit-policy"), Some(r#""max_sessions";q=1"#));
    let body = body_of(&answer);
    assert_eq!(
        (&body["type"], &body["limit"], &body["most"]),
        (&json!("urn:ghostmux:too-many"), &json!("max_sessions"), &json!(1))
    );
    let _other = proxy.connect_to(&path_of(&other)).await;

    // What was refused did not count as a start; the second one does.
    drop(client);
    eventually("its place is free", async || proxy.try_connect_to(&path).await.is_ok()).await;
    let is_by_rate = |why: String| why.contains("429") && why.contains("sessions_per_minute");
    eventually("its starts are limited", async || proxy.try_connect_to(&path).await.is_err_and(is_by_rate)).await;
    let answer = create().await;
    let after: u32 = answer.header("retry-after").and_then(|after| after.parse().ok()).expect("seconds");
    assert!(answer.status == 429 && (1..=30).contains(&after), "{answer:?}");
    assert_eq!(answer.header("ratelimit-policy"), Some(r#""sessions_per_minute";q=2;w=60"#));
    let body = body_of(&answer);
    assert_eq!((&body["type"], &body["limit"]), (&json!("urn:ghostmux:too-fast"), &json!("sessions_per_minute")));
}

#[tokio::test]
async fn commands_beyond_the_limit_are_delayed_and_other_tenants_are_not() {
    const AT_ONCE: usize = 80;
    let slow = Tenant::with("slow", "limits = { commands_per_second = 20 }");
    let other = Tenant::new("other");
    let server = Server::start(&[&slow, &other], &[]).await;
    let (client, free) =
        (server.proxy.connect_to(&path_of(&slow)).await, server.proxy.connect_to(&path_of(&other)).await);
    let page = free.page().await;
    let since = Instant::now();
    let mut last = 0;
    for _ in 0..AT_ONCE {
        last = client.start(None, "Browser.getVersion", json!({})).await;
    }
    // A second's worth at once, the others at 20 per second.
    let shortest = Duration::from_secs(3);
    for _ in 0..10 {
        assert_eq!(free.evaluate(&page.session, "6 * 7").await, 42);
    }
    let is_last = |frame: &Value| frame["id"] == last;
    let early = client.wait_or_close(Duration::ZERO, is_last).await;
    assert!(early.is_err() || since.elapsed() > shortest, "the last of the commands is not delayed");
    client.wait("the last reply", Duration::from_secs(30), is_last).await;
    assert!(since.elapsed() >= shortest, "{AT_ONCE} commands took {:?}", since.elapsed());
}

#[tokio::test]
async fn two_servers_with_one_redis_share_the_limits() {
    let mut redis = TestStore::redis();
    let acme = Tenant::with("acme", "limits = { max_sessions = 2 }");
    let store = redis.argument();
    let flags = ["--store", store.as_str(), "--shared-limits", "fail-closed"];
    let (one, two) = (Server::start(&[&acme], &flags).await, Server::start(&[&acme], &flags).await);
    let path = path_of(&acme);
    // Nobody starts before all that may be there have said what they have.
    let mut first = None;
    eventually("a session starts", async || {
        first = one.proxy.try_connect_to(&path).await.ok();
        first.is_some()
    })
    .await;
    let _second = two.proxy.connect_to(&path).await;
    for server in [&one, &two] {
        let refused = server.proxy.refusal(&path).await;
        assert!(refused.contains("429") && refused.contains("max_sessions"), "{refused}");
    }
    drop(first);
    let mut third = None;
    eventually("the place is free for the other server", async || {
        third = two.proxy.try_connect_to(&path).await.ok();
        third.is_some()
    })
    .await;
    redis.stop_redis();
    let refused = one.proxy.refusal(&path).await;
    assert!(refused.contains("503") && refused.contains("shared_limits"), "{refused}");
    // Where the Redis is concerns the operator alone.
    assert!(!refused.contains("redis.sock") && one.proxy.log().contains("redis.sock"), "{refused}");
    // This one has both sessions itself, so it needs nobody's word.
    let refused = two.proxy.refusal(&path).await;
    assert!(refused.contains("429") && refused.contains("max_sessions"), "{refused}");
    let third = third.expect("connected");
    third.ok(None, "Browser.getVersion", json!({})).await;
}
