//! The errors of a store for damaged snapshots; others are not affected.

use ghostmux::store::{Meta, SnapshotId, StoreError, seal::CHUNK};

use super::{
    content, named, owner, read, save,
    test_store::{KEY_ONE, KEY_TWO, TestStore},
};

/// Saves two snapshots, lets `harm` change the first, and returns the result of reading it; the
/// second must be readable.
async fn read_after_harm(test_store: &TestStore, harm: impl FnOnce(&Meta, &Meta)) -> Result<Vec<u8>, StoreError> {
    let store = test_store.open();
    let (first, second) = (content(1, 3 * CHUNK), content(2, 3 * CHUNK));
    let id = save(&store, named("local", "harmed"), &first).await.expect("saved");
    let other = save(&store, named("local", "well"), &second).await.expect("saved");
    let meta = async |id: SnapshotId| store.meta(&owner("local"), id).await.expect("it is there");
    let (harmed, well) = (meta(id).await, meta(other).await);
    drop(store);
    harm(&harmed, &well);
    let store = test_store.open();
    let said = read(&store, "local", id).await;
    assert_eq!(read(&store, "local", other).await, Ok(second));
    // An unreadable snapshot can be deleted.
    store.remove(&owner("local"), id).await.expect("deleted");
    assert_eq!(store.usage(&owner("local")).await.map(|usage| usage.bytes), Ok(well.stored));
    store.remove(&owner("local"), other).await.expect("deleted");
    drop(store);
    assert_eq!(test_store.chunks(), 0);
    said
}

/// One store without a key and one with a key. The tests of `seal` have both kinds of store with
/// both.
fn test_stores() -> [TestStore; 2] {
    let mut sealed = TestStore::redis();
    sealed.use_keys(KEY_ONE);
    [TestStore::embedded(), sealed]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_snapshots_are_reported_as_damaged() {
    for test_store in test_stores() {
        let said = read_after_harm(&test_store, |meta, _| {
            test_store.change_chunk(meta, 1, |mut chunk| {
                let at = chunk.len() / 2;
                chunk[at] ^= 1;
                Some(chunk)
            });
        })
        .await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "a changed byte: {said:?}");

        let said = read_after_harm(&test_store, |meta, _| test_store.change_chunk(meta, 2, |_| None)).await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "a missing chunk: {said:?}");

        let said = read_after_harm(&test_store, |meta, _| {
            test_store.change_meta(meta, |meta| {
                meta["chunks"] = 2.into();
                meta["raw"] = (2 * CHUNK).into();
            });
        })
        .await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "cut off: {said:?}");

        let said = read_after_harm(&test_store, |meta, other| {
            let mut taken = None;
            test_store.change_chunk(other, 1, |chunk| {
                taken = Some(chunk.clone());
                Some(chunk)
            });
            test_store.change_chunk(meta, 1, |_| taken);
        })
        .await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "a chunk of another snapshot: {said:?}");

        let said = read_after_harm(&test_store, |meta, _| {
            let mut first = None;
            test_store.change_chunk(meta, 0, |chunk| {
                first = Some(chunk.clone());
                Some(chunk)
            });
            test_store.change_chunk(meta, 1, |_| first);
        })
        .await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "a chunk at another place: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_of_a_newer_version_are_refused() {
    for test_store in test_stores() {
        let said =
            read_after_harm(&test_store, |meta, _| test_store.change_meta(meta, |meta| meta["format"] = 2.into()))
                .await;
        let error = said.expect_err("it is not read");
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_and_wrong_keys_have_different_errors() {
    for mut test_store in [TestStore::embedded(), TestStore::redis()] {
        test_store.use_keys(KEY_ONE);
        let store = test_store.open();
        let id = save(&store, named("local", "sealed"), b"a token").await.expect("saved");
        drop(store);
        for keys in ["", KEY_TWO] {
            test_store.use_keys(keys);
            let said = read(&test_store.open(), "local", id).await;
            assert_eq!(said, Err(StoreError::UnknownKey { id, key: "one".into() }));
            let said = test_store.open().rekey().await;
            assert_eq!(said, Err(StoreError::UnknownKey { id, key: "one".into() }));
        }
        test_store.keys = KEY_ONE.replace('1', "3");
        assert_eq!(read(&test_store.open(), "local", id).await, Err(StoreError::WrongKey { id, key: "one".into() }));
        // The attempts lost nothing.
        test_store.keys = [KEY_TWO, KEY_ONE].join("\n");
        assert_eq!(read(&test_store.open(), "local", id).await, Ok(b"a token".to_vec()));
    }
}
