//! Profiles of servers that share a Redis: of all of them, one session at a time saves a profile.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ghostmux::store::{LEASE, LeaseStep, Leased, Leaseholder, New, ProfileLease, Store, StoreError};
use serde_json::{Value, json};

use crate::{
    browsers::Browser,
    client::Client,
    definition::is_of,
    proxy::{Proxy, eventually},
    reconnect::id_of,
    rest::{is_problem, ok},
    sessions::problem,
    site::Site,
    snapshots::apis::{mark, marks},
    store::{owner, test_store::TestStore},
};

const SAVES: &str = "/?profile=shop&persist=true";
/// The lease of the profile of these tests.
const KEY: &str = "ghostmux:profile-lease:local@shop";

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("short")
}

async fn serve(redis: &TestStore) -> Proxy {
    Proxy::start(Browser::any(), &["--store", &redis.argument()]).await
}

async fn put_mark(client: &Client, site: &Site, name: &str) {
    let page = client.page_at(&site.url("/?lease")).await;
    mark(client, &page, name).await;
}

/// The mark that a session finds in its localStorage.
async fn found(client: &Client, site: &Site) -> Value {
    let page = client.page_at(&site.url("/?lease")).await;
    marks(client, &page.session).await[1].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_of_all_servers_saves_a_profile() {
    let (redis, site) = (TestStore::redis(), Site::start().await);
    let (one, two) = (serve(&redis).await, serve(&redis).await);
    let client = one.connect_to(SAVES).await;
    let holder = id_of(&client).await;
    put_mark(&client, &site, "first").await;
    let (status, refused) = problem(&two.refusal(SAVES).await);
    assert_eq!((status, &refused["type"]), (409, &json!("urn:ghostmux:profile-in-use")), "{refused}");
    assert_eq!(refused["holder"], json!(holder), "{refused}");
    is_problem(&two.http("DELETE", "/v1/profiles/shop", &[], "").await, 409, "profile-in-use", &holder);
    // Renewed by its holder: it lasts longer than it did.
    redis.ask::<()>(redis::cmd("PEXPIRE").arg(KEY).arg(millis(LEASE / 2)));
    eventually("it is renewed", async || redis.ask::<u64>(redis::cmd("PTTL").arg(KEY)) > millis(LEASE / 2)).await;
    client.ok(None, "ghost.closeSession", json!({})).await;
    // At once: the other server waits until it is saved.
    let client = two.connect_to(SAVES).await;
    assert_eq!(found(&client, &site).await, "first");
    let listed = ok(&one, "GET", "/v1/profiles", Value::Null).await;
    assert_eq!(listed["profiles"][0]["holder"], json!(id_of(&client).await), "{listed}");
    // Any number begin with it meanwhile, on either server.
    let reader = one.connect_to("/?profile=shop").await;
    assert_eq!(found(&reader, &site).await, "first");
    put_mark(&client, &site, "second").await;
    client.ok(None, "ghost.closeSession", json!({})).await;
    // A reader on the other server waits for it too.
    let reader = one.connect_to("/?profile=shop").await;
    assert_eq!(found(&reader, &site).await, "second");
    // The client is told of the end only when the other server knows of it, or after a second where Redis does not answer.
    let client = two.connect_to(SAVES).await;
    redis.pause_redis(true);
    let since = Instant::now();
    let _ = client.call("ghost.closeSession", json!({})).await;
    assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
    client.end().await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    redis.pause_redis(false);
    assert_eq!(one.http("DELETE", "/v1/profiles/shop", &[], "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_lost_its_profile_is_told_and_saves_nothing() {
    let (redis, site) = (TestStore::redis(), Site::start().await);
    let (one, two) = (serve(&redis).await, serve(&redis).await);
    let (told, unaware) = (one.connect_to(SAVES).await, one.connect_to("/?profile=other&persist=true").await);
    told.ok(None, "ghost.enable", json!({})).await;
    put_mark(&told, &site, "lost").await;
    put_mark(&unaware, &site, "lost").await;
    // As if they had not been renewed for too long.
    redis.ask::<()>(redis::cmd("DEL").arg(KEY).arg("ghostmux:profile-lease:local@other"));
    let winner = two.connect_to(SAVES).await;
    let other = two.connect_to("/?profile=other&persist=true").await;
    put_mark(&winner, &site, "won").await;
    put_mark(&other, &site, "won").await;
    for client in [&winner, &other] {
        client.ok(None, "ghost.closeSession", json!({})).await;
    }
    eventually("both are saved", async || two.figure("profiles_saved_total").await == 2).await;
    unaware.ok(None, "ghost.closeSession", json!({})).await;
    let event = told.event("ghost.profileLost").await;
    is_of("ghost.profileLost", &event["params"]);
    assert_eq!(event["params"]["profile"], "shop", "{event}");
    // It runs on.
    assert_eq!(found(&told, &site).await, "lost");
    told.ok(None, "ghost.closeSession", json!({})).await;
    eventually("neither is saved", async || one.figure("profiles_not_saved_total").await == 2).await;
    assert_eq!(one.figure("profiles_saved_total").await, 0);
    for profile in ["shop", "other"] {
        let reader = one.connect_to(&format!("/?profile={profile}")).await;
        assert_eq!(found(&reader, &site).await, "won", "{profile}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_of_a_killed_server_is_free_when_its_lease_has_expired() {
    let (redis, site) = (TestStore::redis(), Site::start().await);
    let (mut one, two) = (serve(&redis).await, serve(&redis).await);
    let client = one.connect_to(SAVES).await;
    put_mark(&client, &site, "never saved").await;
    one.kill();
    client.end().await;
    assert!(two.refusal(SAVES).await.contains("409"), "it may still live");
    let remaining: u64 = redis.ask(redis::cmd("PTTL").arg(KEY));
    assert!(remaining <= millis(LEASE), "{remaining}");
    // As if that time had passed.
    redis.ask::<()>(redis::cmd("PEXPIRE").arg(KEY).arg(1));
    eventually("it has expired", async || redis.ask::<u64>(redis::cmd("EXISTS").arg(KEY)) == 0).await;
    let client = two.connect_to(SAVES).await;
    assert_eq!(found(&client, &site).await, Value::Null);
    // A server that ends orderly frees it at once.
    let since = Instant::now();
    two.terminate();
    client.end().await;
    eventually("it is free", async || redis.ask::<u64>(redis::cmd("EXISTS").arg(KEY)) == 0).await;
    assert!(since.elapsed() < LEASE / 2, "it has expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_committed_only_under_a_lease_that_is_in_force() {
    let redis = TestStore::redis();
    let (one, two) = (redis.open(), redis.open());
    let lease = |session: &str| Arc::new(ProfileLease::new(owner("local"), "shop".to_owned(), session.into()));
    let (first, second) = (lease("a"), lease("b"));
    let save = async |store: &Store, lease: &Arc<ProfileLease>| {
        let new = New { profile: Some("shop".to_owned()), lease: Some(lease.clone()), ..New::of(owner("local")) };
        let mut writer = store.put(new).await?;
        writer.write(b"state").await?;
        writer.commit(Value::Null).await
    };
    let step = async |lease: &ProfileLease, step| one.lease_profile(lease, step).await.expect("an answer");
    assert!(matches!(save(&one, &first).await, Err(StoreError::ProfileLost { .. })), "it was never taken");
    assert_eq!(step(&first, LeaseStep::Take).await, Leased::Done);
    let by = |session: &str, is_saving| Leaseholder { session: session.to_owned(), is_saving };
    assert_eq!(two.lease_profile(&second, LeaseStep::Take).await, Ok(Leased::By(by("a", false))));
    assert_eq!(step(&first, LeaseStep::Renew { saving: true }).await, Leased::Done);
    assert_eq!(two.leaseholder(&owner("local"), "shop").await, Ok(Some(by("a", true))));
    assert_eq!(two.leaseholder(&owner("acme"), "shop").await, Ok(None), "that of another owner is another profile");
    save(&one, &first).await.expect("it is in force");
    // Whoever has not got it cannot end or renew it.
    assert_eq!(step(&second, LeaseStep::Release).await, Leased::Lost);
    assert_eq!(step(&first, LeaseStep::Release).await, Leased::Done);
    assert_eq!(step(&second, LeaseStep::Take).await, Leased::Done);
    assert_eq!(step(&first, LeaseStep::Renew { saving: false }).await, Leased::Lost);
    assert!(matches!(save(&one, &first).await, Err(StoreError::ProfileLost { .. })));
    save(&two, &second).await.expect("it is in force");
}
