//! Servers whose tenants are in a real Redis: changes reach all of them, and what holds while it is away or its text wrong.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use ghostmux::tenant::token::TokenHash;
use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    client::{Client, text},
    proxy::{Answer, Proxy, eventually},
    rest::{JSON, body_of, is_problem},
    store::test_store::TestStore,
    tenants::{Tenant, file_of},
};

/// The key that has the text.
const KEY: &str = "ghostmux:tenants";

fn admin() -> Tenant {
    Tenant::with("ops", "capabilities = [\"admin\"] # those who are on call")
}

/// A Redis with these tenants.
fn redis_with(tenants: &[&Tenant]) -> TestStore {
    let redis = TestStore::redis();
    put(&redis, &file_of(tenants));
    redis
}

fn put(redis: &TestStore, text: &str) {
    redis.ask::<()>(redis::cmd("SET").arg(KEY).arg(text));
}

fn present(redis: &TestStore) -> String {
    redis.ask(redis::cmd("GET").arg(KEY))
}

async fn serve(redis: &TestStore, flags: &[&str]) -> Proxy {
    let place = redis.argument();
    Proxy::start(Browser::any(), &[&["--tenants", place.as_str()], flags].concat()).await
}

async fn ask(proxy: &Proxy, tenant: &Tenant, method: &str, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    proxy.http(method, path, &[("x-api-key", tenant.text()), JSON], &body).await
}

/// The status of a request with this token.
async fn status(proxy: &Proxy, token: &str) -> u16 {
    proxy.http("GET", "/v1/sessions", &[("x-api-key", token)], "").await.status
}

async fn connect(proxy: &Proxy, tenant: &Tenant) -> Client {
    proxy.connect_to(&format!("/?token={}", tenant.text())).await
}

/// What `ghostmux token` prints.
fn token(redis: &TestStore, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_ghostmux"))
        .arg("token")
        .args(arguments)
        .env("GHOSTMUX_TENANTS", redis.argument())
        .output()
        .expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_redis_is_in_force_on_every_server() {
    let redis = TestStore::redis();
    // The first command makes the text.
    let first = token(&redis, &["new", "--tenant", "acme", "--name", "ci"]).expect("made");
    let ops = admin();
    put(&redis, &format!("{}{}", file_of(&[&ops]), present(&redis)));
    let (one, two) = (serve(&redis, &[]).await, serve(&redis, &[]).await);
    let path = format!("/?token={first}");
    let (client, other) = (two.connect_to(&path).await, connect(&two, &ops).await);
    assert_eq!(status(&one, &first).await, 200);

    // One server revokes, the other one ends the connection.
    let number = TokenHash::of(&first).number().to_string();
    let since = Instant::now();
    let revoked = ask(&one, &ops, "DELETE", &format!("/v1/tenants/acme/tokens/{number}"), Value::Null).await;
    assert_eq!(revoked.status, 204, "{}", revoked.body);
    assert_eq!(status(&one, &first).await, 401, "it holds from the answer on");
    assert!(client.end().await.starts_with("4003"), "{:?}", client.closed());
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(status(&two, &first).await, 401);
    other.ok(None, "Browser.getVersion", json!({})).await;

    // A command is seen by both, and a tenant that one has added by the other.
    let second = token(&redis, &["new", "--tenant", "acme", "--name", "second"]).expect("made");
    for proxy in [&one, &two] {
        eventually("the token is accepted", async || status(proxy, &second).await == 200).await;
    }
    assert_eq!(ask(&two, &ops, "PUT", "/v1/tenants/new", json!({})).await.status, 201);
    let knows = async || ask(&one, &ops, "GET", "/v1/tenants/new", Value::Null).await.status == 200;
    eventually("the other server knows the tenant", knows).await;
    let listed = token(&redis, &["ls", "--tenant", "acme"]).expect("listed");
    assert!(listed.contains("second") && !listed.contains(&number), "{listed}");
    assert_eq!(token(&redis, &["revoke", "--tenant", "acme", "second"]), Ok(String::new()));
    eventually("the command's revocation holds", async || status(&two, &second).await == 401).await;
    assert!(present(&redis).contains("# those who are on call"), "{}", present(&redis));
    for shown in [one.log(), two.log(), present(&redis)] {
        assert!(!shown.contains(&first) && !shown.contains(&second), "a token is in {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_trusted_for_a_time_while_redis_is_away() {
    const TRUSTED: Duration = Duration::from_secs(4);
    let (ops, acme) = (admin(), Tenant::new("acme"));
    let mut redis = redis_with(&[&ops, &acme]);
    redis.save_redis();
    let proxy = serve(&redis, &["--tenants-max-stale", "4s", "--metrics-tokens", "none"]).await;
    let client = connect(&proxy, &acme).await;
    let page = client.page().await;
    let is_fresh = async || proxy.figure("tenants_age_seconds").await == 0;
    eventually("the copy is fresh", is_fresh).await;
    let shown = body_of(&ask(&proxy, &ops, "GET", "/v1/status", Value::Null).await);
    assert!(shown["tenantsAge"].is_u64(), "{shown}");

    redis.stop_redis();
    let since = Instant::now();
    let away = || proxy.log().contains("cannot ask the Redis of the tenants");
    eventually("the log says that it is away", async || away()).await;
    if since.elapsed() < TRUSTED / 2 {
        assert_eq!(status(&proxy, acme.text()).await, 200, "what was read last is trusted");
        let refused = ask(&proxy, &ops, "PUT", "/v1/tenants/new", json!({})).await;
        is_problem(&refused, 503, "tenants-unavailable", "cannot ask the Redis of the tenants");
        is_problem(&ask(&proxy, &ops, "POST", "/v1/reload", Value::Null).await, 503, "tenants-unavailable", "Redis");
    }
    eventually("the copy is too old", async || status(&proxy, acme.text()).await == 503).await;
    assert!(since.elapsed() + Duration::from_secs(1) >= TRUSTED, "{:?}", since.elapsed());
    let refused = ask(&proxy, &acme, "GET", "/v1/sessions", Value::Null).await;
    is_problem(&refused, 503, "tenants-unavailable", "tenants_max_stale");
    assert!(refused.header("retry-after").is_some() && !refused.body.contains("redis.sock"), "{refused:?}");
    assert_eq!(status(&proxy, "gmx_unknown").await, 503, "nobody is told which tokens there are");
    assert_eq!(proxy.http("GET", "/v1/sessions", &[], "").await.status, 401);
    let refusal = proxy.refusal(&format!("/?token={}", acme.text())).await;
    assert!(refusal.contains("503") && refusal.contains("tenants_max_stale"), "{refusal}");
    is_problem(&proxy.http("GET", "/readyz", &[], "").await, 503, "not-ready", "tenants_max_stale");
    assert!(proxy.figure("tenants_age_seconds").await >= TRUSTED.as_secs());
    eventually("the log says so", async || proxy.log().contains("requests with tokens are refused")).await;
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42, "sessions go on");

    redis.start_redis();
    eventually("it is asked again", async || status(&proxy, acme.text()).await == 200).await;
    assert_eq!(proxy.http("GET", "/readyz", &[], "").await.status, 200);
    eventually("the copy is fresh", is_fresh).await;
    assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42);
    // Changes are seen as before, also by who was connected all the time.
    put(&redis, &file_of(&[&ops]));
    assert!(client.end().await.starts_with("4003"), "{:?}", client.closed());

    // A Redis that hangs is one that is away.
    redis.pause_redis(true);
    eventually("the copy is too old", async || status(&proxy, ops.text()).await == 503).await;
    redis.pause_redis(false);
    eventually("it answers again", async || status(&proxy, ops.text()).await == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_text_in_redis_leaves_the_old_one_in_force() {
    let (ops, acme) = (admin(), Tenant::new("acme"));
    let redis = redis_with(&[&ops, &acme]);
    let proxy = serve(&redis, &["--tenants-max-stale", "2s"]).await;
    let client = connect(&proxy, &acme).await;
    let good = present(&redis);
    let times = |word: &str| proxy.log().lines().filter(|line| line.contains(word)).count();

    put(&redis, &format!("{good}colour = 1\n"));
    eventually("the error is logged", async || times("colour") == 1).await;
    let line = good.lines().count() + 1;
    assert!(proxy.log().contains(&format!("{KEY}): line {line}: tenants.acme.tokens")), "{}", proxy.log());
    is_problem(&ask(&proxy, &ops, "POST", "/v1/reload", Value::Null).await, 422, "configuration", "colour");
    is_problem(&ask(&proxy, &ops, "PUT", "/v1/tenants/new", json!({})).await, 422, "configuration", "colour");
    assert!(token(&redis, &["ls"]).is_err_and(|why| why.contains("colour")));

    // A text that is gone, such as that of a Redis which was started without its data, ends no session.
    redis.ask::<()>(redis::cmd("DEL").arg(KEY));
    eventually("the loss is logged", async || times("there is no such key") == 1).await;
    is_problem(&ask(&proxy, &ops, "POST", "/v1/reload", Value::Null).await, 422, "configuration", "no such key");
    is_problem(&ask(&proxy, &ops, "DELETE", "/v1/tenants/acme", Value::Null).await, 503, "tenants-file", "no such key");
    assert!(!redis.ask::<bool>(redis::cmd("EXISTS").arg(KEY)), "a text without the other tenants is not made");
    // Too large, and no text at all.
    put(&redis, &"#".repeat((4 << 20) + 1));
    eventually("the size is logged", async || times("it is larger than") == 1).await;
    redis.ask::<()>(redis::cmd("SET").arg(KEY).arg(&b"\xff"[..]));
    eventually("the text is refused", async || times("not UTF-8") == 1).await;
    // Redis answers, so what was read last is not too old, however long that was ago.
    let before = Instant::now();
    while before.elapsed() < Duration::from_secs(3) {
        assert_eq!(status(&proxy, acme.text()).await, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(times("the tenants cannot be read; those"), 4, "each is told once: {}", proxy.log());
    client.ok(None, "Browser.getVersion", json!({})).await;

    put(&redis, &file_of(&[&ops]));
    assert!(client.end().await.starts_with("4003"), "{:?}", client.closed());
    assert_eq!(status(&proxy, acme.text()).await, 401);
}

/// Two servers and commands at once: each edits the text that the others have written.
#[tokio::test(flavor = "multi_thread")]
async fn changes_on_several_servers_at_once_lose_none() {
    const EACH: usize = 6;
    let (ops, acme) = (admin(), Tenant::new("acme"));
    let redis = redis_with(&[&ops, &acme]);
    let (one, two) = (serve(&redis, &[]).await, serve(&redis, &[]).await);
    let by_request = async |proxy: &Proxy, name: String| {
        let issued = ask(proxy, &ops, "POST", "/v1/tenants/acme/tokens", json!({ "name": name })).await;
        assert_eq!(issued.status, 201, "{}", issued.body);
        let secret = text(&body_of(&issued), "token");
        assert_eq!(status(proxy, &secret).await, 200, "it is accepted when the answer comes");
    };
    let by_command = |number: usize| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghostmux"));
        command.args(["token", "new", "--tenant", "acme", "--name", &format!("command-{number}")]);
        command.env("GHOSTMUX_TENANTS", redis.argument());
        async move {
            let output =
                tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    tokio::join!(
        join_all((0..EACH).map(|number| by_request(&one, format!("one-{number}")))),
        join_all((0..EACH).map(|number| by_request(&two, format!("two-{number}")))),
        join_all((0..EACH).map(by_command)),
    );
    let listed = token(&redis, &["ls", "--tenant", "acme", "--json"]).expect("listed");
    assert_eq!(listed.lines().count(), 3 * EACH + 1, "{listed}");
    for proxy in [&one, &two] {
        let has_all = async || {
            let listed = body_of(&ask(proxy, &ops, "GET", "/v1/tenants/acme/tokens", Value::Null).await);
            listed["tokens"].as_array().map(Vec::len) == Some(3 * EACH + 1)
        };
        eventually("the server has all tokens", has_all).await;
    }
}

#[tokio::test]
async fn a_redis_without_tenants_or_that_does_not_answer_prevents_the_start() {
    let serve = |place: String| {
        let output = Command::new(env!("CARGO_BIN_EXE_ghostmux"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("GHOSTMUX_TENANTS", place)
            .output()
            .expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let redis = TestStore::redis();
    let (code, said) = serve(redis.argument());
    assert!(code == Some(2) && said.contains(KEY) && said.contains("ghostmux token new"), "{said}");
    put(&redis, "[tenants.acme]\ncapabilities = [\"root\"]\n");
    let (code, said) = serve(redis.argument());
    assert!(code == Some(2) && said.contains("line 2: tenants.acme.capabilities"), "{said}");
    // It may answer at the next attempt, so this is no mistake in the settings.
    let (code, said) = serve("redis://user:s3cret@127.0.0.1:1/2".to_owned());
    assert!(code == Some(1) && said.contains("redis://127.0.0.1:1/2") && !said.contains("s3cret"), "{said}");
}
