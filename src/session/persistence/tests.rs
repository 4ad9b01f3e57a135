//! Records in the store that expire.

use serde_json::{Value, json};

use super::*;
use crate::{
    config::{StoreKeys, StoreLimits, StorePlace, StoreSettings},
    store::SessionRecord,
};

const DAY: u64 = 24 * 3600 * 1000;

#[tokio::test]
async fn records_that_cannot_be_read_expire_a_day_after_their_deadline() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = StorePlace::File(directory.path().join("store.redb"));
    let limits = StoreLimits { snapshot: 1 << 20, bytes: 1 << 20, count: 9 };
    let store = Store::new(&StoreSettings { place, keys: StoreKeys::default(), ttl: None, limits });
    let put = async |id: &str, state: Value| {
        let record = SessionRecord { id: id.to_owned(), owner: Owner::local(), snapshot: None, state };
        store.put_session(record).await.expect("written");
    };
    let now = Timestamp::now().0;
    put("over", json!({ "expiresAt": now - DAY - 1000 })).await;
    put("just-over", json!({ "expiresAt": now - 1000 })).await;
    put("later", json!({ "expiresAt": now + DAY })).await;
    put("undated", json!({ "id": 7 })).await;
    let limits =
        SnapshotLimits { line: 1024, transfers: 1, memory: 1 << 20, fields: 1, upload: Duration::from_secs(1) };
    let node = NodeId(Uuid::new_v4());
    let persistence = Persistence::new(store.clone(), node, Duration::ZERO, limits, Arc::default(), TaskTracker::new());
    let left = async || {
        persistence.remove_expired(|_, _| false).await.expect("the store answers");
        let all = store.sessions().await.expect("the store answers");
        let mut ids: Vec<String> = all.into_iter().map(|entry| entry.map_or_else(|one| one.id, |one| one.id)).collect();
        ids.sort();
        ids
    };
    assert_eq!(left().await, ["just-over", "later", "undated"]);
    let first = |seen: u64| {
        let mut undated = persistence.inner.undated.lock().expect("no panic");
        undated.insert("local@undated".to_owned(), Timestamp(seen)).expect("it was noted")
    };
    let kept = u64::try_from(UNREADABLE_KEPT.as_millis()).expect("milliseconds");
    first(now - kept + DAY);
    assert_eq!(left().await, ["just-over", "later", "undated"]);
    first(now - kept - 1000);
    assert_eq!(left().await, ["just-over", "later"]);
    assert!(persistence.inner.undated.lock().expect("no panic").is_empty());
}
