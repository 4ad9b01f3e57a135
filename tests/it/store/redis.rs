//! What only Redis is asked: what happens while it is away.

use std::time::{Duration, Instant};

use ghostmux::{
    config::{Config, RawConfig},
    store::{Store, StoreError},
};

use super::{named, owner, place::Place, save};
use crate::proxy::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_goes_is_an_error_and_one_that_comes_back_is_used_again() {
    let mut place = Place::redis();
    let store = place.open();
    save(&store, named("local", "x"), b"x").await.expect("saved");
    place.stop_redis();
    let since = Instant::now();
    let said = save(&store, named("local", "x"), b"x").await;
    assert!(matches!(said, Err(StoreError::Unavailable { .. })), "{said:?}");
    assert!(since.elapsed() < Duration::from_secs(20), "it took {:?}", since.elapsed());
    place.start_redis();
    eventually("it is used again", async || save(&store, named("local", "x"), b"x").await.is_ok()).await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_named_without_its_password() {
    let url = ("GHOSTMUX_STORE".to_owned(), "redis://user:s3cret@127.0.0.1:1/2".to_owned());
    let config = Config::load(RawConfig::default(), [url]).expect("settings");
    assert!(!format!("{config:?}").contains("s3cret"));
    let error = Store::new(&config.store).usage(&owner("local")).await.expect_err("nothing listens there").to_string();
    assert!(error.contains("redis://127.0.0.1:1/2") && !error.contains("s3cret"), "{error}");
}
