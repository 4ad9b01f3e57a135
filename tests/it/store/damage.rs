//! What a store says of snapshots that it cannot give back, and that this harms no other.

use ghostmux::store::{Meta, SnapshotId, StoreError, seal::CHUNK};

use super::{
    content, named, owner,
    place::{KEY_ONE, KEY_TWO, Place},
    read, save,
};

/// Saves two snapshots, lets `harm` at the first, and returns what reading that one says; the other must still read
/// well.
async fn harmed(place: &Place, harm: impl FnOnce(&Meta, &Meta)) -> Result<Vec<u8>, StoreError> {
    let store = place.open();
    let (first, second) = (content(1, 3 * CHUNK), content(2, 3 * CHUNK));
    let id = save(&store, named("local", "harmed"), &first).await.expect("saved");
    let other = save(&store, named("local", "well"), &second).await.expect("saved");
    let meta = async |id: SnapshotId| store.meta(&owner("local"), id).await.expect("it is there");
    let (harmed, well) = (meta(id).await, meta(other).await);
    drop(store);
    harm(&harmed, &well);
    let store = place.open();
    let said = read(&store, "local", id).await;
    assert_eq!(read(&store, "local", other).await, Ok(second));
    // What cannot be read can be deleted.
    store.remove(&owner("local"), id).await.expect("deleted");
    assert_eq!(store.usage(&owner("local")).await.map(|usage| usage.bytes), Ok(well.stored));
    store.remove(&owner("local"), other).await.expect("deleted");
    drop(store);
    assert_eq!(place.chunks(), 0);
    said
}

/// Without a key and with one: `seal`'s own tests have both for both.
fn places() -> [Place; 2] {
    let mut sealed = Place::redis();
    sealed.use_keys(KEY_ONE);
    [Place::embedded(), sealed]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_not_what_was_written_is_damaged() {
    for place in places() {
        let said = harmed(&place, |meta, _| {
            place.change_chunk(meta, 1, |mut chunk| {
                let at = chunk.len() / 2;
                chunk[at] ^= 1;
                Some(chunk)
            });
        })
        .await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "a changed byte: {said:?}");

        let said = harmed(&place, |meta, _| place.change_chunk(meta, 2, |_| None)).await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "a missing chunk: {said:?}");

        let said = harmed(&place, |meta, _| {
            place.change_meta(meta, |meta| {
                meta["chunks"] = 2.into();
                meta["raw"] = (2 * CHUNK).into();
            });
        })
        .await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "cut off: {said:?}");

        let said = harmed(&place, |meta, other| {
            let mut taken = None;
            place.change_chunk(other, 1, |chunk| {
                taken = Some(chunk.clone());
                Some(chunk)
            });
            place.change_chunk(meta, 1, |_| taken);
        })
        .await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "a chunk of another snapshot: {said:?}");

        let said = harmed(&place, |meta, _| {
            let mut first = None;
            place.change_chunk(meta, 0, |chunk| {
                first = Some(chunk.clone());
                Some(chunk)
            });
            place.change_chunk(meta, 1, |_| first);
        })
        .await;
        assert!(matches!(said, Err(StoreError::Corrupt { .. })), "a chunk at another place: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_a_newer_ghostmux_is_not_guessed_at() {
    for place in places() {
        let said = harmed(&place, |meta, _| place.change_meta(meta, |meta| meta["format"] = 2.into())).await;
        let error = said.expect_err("it is not read");
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_missing_is_told_from_one_that_is_wrong() {
    for mut place in [Place::embedded(), Place::redis()] {
        place.use_keys(KEY_ONE);
        let store = place.open();
        let id = save(&store, named("local", "sealed"), b"a token").await.expect("saved");
        drop(store);
        for keys in ["", KEY_TWO] {
            place.use_keys(keys);
            let said = read(&place.open(), "local", id).await;
            assert_eq!(said, Err(StoreError::UnknownKey { id, key: "one".into() }));
            let said = place.open().rekey().await;
            assert_eq!(said, Err(StoreError::UnknownKey { id, key: "one".into() }));
        }
        place.keys = KEY_ONE.replace('1', "3");
        assert_eq!(read(&place.open(), "local", id).await, Err(StoreError::WrongKey { id, key: "one".into() }));
        // Nothing was lost by trying.
        place.keys = [KEY_TWO, KEY_ONE].join("\n");
        assert_eq!(read(&place.open(), "local", id).await, Ok(b"a token".to_vec()));
    }
}
