//! Redis only: behaviour during an outage.

use std::time::{Duration, Instant};

use ghostmux::{
    config::{Config, RawConfig},
    store::{Store, StoreError},
};

use super::{named, owner, save, test_store::TestStore};
use crate::proxy::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_used_again_after_an_outage() {
    let mut test_store = TestStore::redis();
    let store = test_store.open();
    save(&store, named("local", "x"), b"x").await.expect("saved");
    test_store.stop_redis();
    let since = Instant::now();
    let said = save(&store, named("local", "x"), b"x").await;
    assert!(matches!(said, Err(StoreError::Unavailable { .. })), "{said:?}");
    assert!(since.elapsed() < Duration::from_secs(20), "it took {:?}", since.elapsed());
    test_store.start_redis();
    eventually("it is used again", async || save(&store, named("local", "x"), b"x").await.is_ok()).await;
}

#[tokio::test]
async fn error_names_an_unreachable_redis_without_its_password() {
    let url = ("GHOSTMUX_STORE".to_owned(), "redis://user:s3cret@127.0.0.1:1/2".to_owned());
    let config = Config::load(RawConfig::default(), [url]).expect("settings");
    assert!(!format!("{config:?}").contains("s3cret"));
    let error = Store::new(&config.store_settings())
        .usage(&owner("local"))
        .await
        .expect_err("nothing listens there")
        .to_string();
    assert!(error.contains("redis://127.0.0.1:1/2") && !error.contains("s3cret"), "{error}");
}
