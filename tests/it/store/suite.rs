//! What both kinds of store promise.

use std::time::Duration;

use ghostmux::store::{Expires, New, Query, SessionRecord, SnapshotId, StoreError, StoreUsage, Timestamp, seal::CHUNK};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    content, named, owner, read, save,
    test_store::{KEY_ONE, KEY_TWO, TestStore},
};
use crate::proxy::eventually;

macro_rules! on_both {
    ($($promise:ident),* $(,)?) => {
        mod embedded {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(super::TestStore::embedded()).await;
            }
        )*}
        mod redis {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(super::TestStore::redis()).await;
            }
        )*}
    };
}

on_both!(
    written_snapshots_can_be_read,
    content_is_streamed,
    list_is_sorted_filtered_and_paged,
    snapshots_of_other_owners_are_not_found,
    quota_holds_for_concurrent_commits,
    snapshots_with_invalid_size_or_name_are_refused,
    expired_snapshots_disappear_and_free_quota,
    dropped_writers_leave_nothing,
    snapshots_are_replaced_atomically,
    a_profile_has_its_newest_complete_state,
    reading_a_deleted_snapshot_reports_it_missing,
    a_session_record_is_claimed_once,
    records_survive_a_restart,
    rekey_changes_only_the_key,
    unreadable_session_records_do_not_hide_others,
    unreadable_snapshot_records_do_not_hide_others,
);

const ALL: Query = Query { name: None, before: None, limit: 1000 };

fn missing(id: SnapshotId) -> StoreError {
    StoreError::Missing { id }
}

async fn written_snapshots_can_be_read(mut test_store: TestStore) {
    for keys in ["", KEY_ONE] {
        test_store.use_keys(keys);
        let store = test_store.open();
        for bytes in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17] {
            let content = content(bytes as u64, bytes);
            let mut new = named("local", "logged in");
            new.metadata.insert("site".into(), json!({"url": "https://example.org", "empty": {}, "none": []}));
            let before = Timestamp::now();
            let id = save(&store, new.clone(), &content).await.expect("saved");
            assert_eq!(read(&store, "local", id).await, Ok(content), "{bytes} bytes");

            let meta = store.meta(&owner("local"), id).await.expect("it is there");
            assert_eq!((meta.name, meta.metadata, meta.counts), (new.name, new.metadata, json!({"bytes": bytes})));
            assert_eq!(
                (meta.raw, meta.key.map(|key| key.id)),
                (bytes as u64, test_store.keys.get(..3).map(str::to_owned))
            );
            assert!(meta.created >= before && meta.created <= Timestamp::now());
            let ttl = Duration::from_secs(30 * 86_400);
            assert!(meta.expires >= Some(before.after(ttl)) && meta.expires <= Some(Timestamp::now().after(ttl)));
        }
    }
}

async fn content_is_streamed(mut test_store: TestStore) {
    let store = test_store.open();
    let content = content(1, 2 * CHUNK + 9);
    let mut writer = store.put(named("local", "x")).await.expect("begun");
    let made = writer.fill(async |mut to| to.write_all(&content).await.map(|()| "made")).await;
    assert!(matches!(made, Ok(Ok("made"))), "{made:?}");
    let id = writer.commit(json!(null)).await.expect("committed").id;
    let mut read = Vec::new();
    let reader = store.get(&owner("local"), id).await.expect("it is there");
    reader.into_read().read_to_end(&mut read).await.expect("it is whole");
    assert!(read == content);
    drop(store);

    // The producer of the stream learns that it can stop.
    test_store.limits.snapshot = 1 << 20;
    let store = test_store.open();
    let mut writer = store.put(named("local", "x")).await.expect("begun");
    let refused = writer.fill(async |mut to| to.write_all(&content).await.expect_err("it is too large")).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
}

async fn list_is_sorted_filtered_and_paged(test_store: TestStore) {
    let store = test_store.open();
    let me = owner("local");
    let mut ids = Vec::new();
    for number in 0..7 {
        let name = if number % 2 == 0 { "Shop" } else { "mail" };
        ids.insert(0, save(&store, named("local", &format!("{name} {number}")), b"x").await.expect("saved"));
    }
    let all = store.list(&me, &ALL).await.expect("a list");
    assert_eq!(all.snapshots.iter().map(|meta| meta.id).collect::<Vec<_>>(), ids);
    assert_eq!(all.next, None);

    let (mut paged, mut query) = (Vec::new(), Query { limit: 3, ..ALL });
    loop {
        let page = store.list(&me, &query).await.expect("a page");
        assert!(page.snapshots.len() <= 3);
        paged.extend(page.snapshots.iter().map(|meta| meta.id));
        match page.next {
            Some(next) => query.before = Some(next),
            None => break,
        }
    }
    assert_eq!(paged, ids);

    let search = |name: &str, limit| Query { name: Some(name.to_owned()), before: None, limit };
    let found = store.list(&me, &search("sHOP", 1000)).await.expect("a list");
    let names: Vec<_> = found.snapshots.iter().filter_map(|meta| meta.name.as_deref()).collect();
    assert_eq!(names, ["Shop 6", "Shop 4", "Shop 2", "Shop 0"]);
    let found = store.list(&me, &search("shop", 2)).await.expect("a page");
    let rest = store.list(&me, &Query { before: found.next, ..search("shop", 9) }).await.expect("a page");
    assert_eq!((found.snapshots.len(), rest.snapshots.len(), rest.next), (2, 2, None));
    assert!(store.list(&me, &search("nothing", 9)).await.expect("a list").snapshots.is_empty());
}

async fn snapshots_of_other_owners_are_not_found(test_store: TestStore) {
    let store = test_store.open();
    let (mine, other) = (owner("mine"), owner("other"));
    let id = save(&store, named("mine", "secret"), b"a token").await.expect("saved");
    let unknown: SnapshotId = "0192f5a0-0000-7000-8000-000000000000".parse().expect("an id");
    for id in [id, unknown] {
        assert_eq!(store.meta(&other, id).await, Err(missing(id)));
        assert_eq!(store.get(&other, id).await.map(drop), Err(missing(id)));
        assert_eq!(store.remove(&other, id).await, Err(missing(id)));
        assert_eq!(store.set_expiry(&other, id, Expires::Never).await, Err(missing(id)));
    }
    assert!(store.list(&other, &ALL).await.expect("a list").snapshots.is_empty());
    assert_eq!(store.usage(&other).await, Ok(StoreUsage::default()));
    // A replacement is stored as a new snapshot beside the old one.
    let new = New { replaces: Some(id), ..New::of(other.clone()) };
    save(&store, new, b"x").await.expect("saved");
    assert_eq!(read(&store, "mine", id).await, Ok(b"a token".to_vec()));
    assert_eq!(store.usage(&mine).await.map(|usage| usage.count), Ok(1));
}

async fn quota_holds_for_concurrent_commits(mut test_store: TestStore) {
    test_store.limits.count = 3;
    let store = test_store.open();
    let mut writers = Vec::new();
    for _ in 0..8 {
        let mut writer = store.put(New::of(owner("local"))).await.expect("begun");
        writer.write(b"x").await.expect("written");
        writers.push(writer);
    }
    let commits: Vec<_> = writers.into_iter().map(|writer| tokio::spawn(writer.commit(json!(null)))).collect();
    let mut refusals = Vec::new();
    for commit in commits {
        refusals.extend(commit.await.expect("no panic").err());
    }
    assert_eq!(refusals.len(), 5, "{refusals:?}");
    assert!(refusals[0].to_string().contains("snapshot_count"), "{}", refusals[0]);
    let listed = store.list(&owner("local"), &ALL).await.expect("a list").snapshots;
    let stored = listed.iter().map(|meta| meta.stored).sum();
    assert_eq!(store.usage(&owner("local")).await, Ok(StoreUsage { bytes: stored, count: 3 }));
    // Each owner has a quota of its own.
    save(&store, New::of(owner("other")), b"x").await.expect("saved");
    store.remove(&owner("local"), listed[0].id).await.expect("deleted");
    save(&store, New::of(owner("local")), b"x").await.expect("there is room again");
    drop(store);

    test_store.limits.count = 100;
    test_store.limits.bytes = 1 << 20;
    let store = test_store.open();
    let before = store.usage(&owner("local")).await;
    // Refused during the write, long before the end of the content, and at its end.
    let mut writer = store.put(New::of(owner("local"))).await.expect("begun");
    let noise: Vec<u8> = (0..8 * CHUNK)
        .scan(1_u32, |state, _| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(state.to_be_bytes()[0])
        })
        .collect();
    let refused = writer.write(&noise).await;
    assert!(matches!(refused, Err(StoreError::Quota { limit: 0x10_0000, .. })), "{refused:?}");
    assert_eq!(writer.commit(json!(null)).await, Err(StoreError::Abandoned));
    let refused = save(&store, New::of(owner("local")), &noise[..2 * CHUNK]).await;
    assert!(matches!(refused, Err(StoreError::Quota { .. })), "{refused:?}");
    assert_eq!(store.usage(&owner("local")).await, before);
    assert!(save(&store, New::of(owner("local")), &noise[..CHUNK / 2]).await.is_ok());
}

async fn snapshots_with_invalid_size_or_name_are_refused(mut test_store: TestStore) {
    test_store.limits.snapshot = 100_000;
    let store = test_store.open();
    let refused = save(&store, named("local", "large"), &content(1, 100_001)).await;
    assert_eq!(refused, Err(StoreError::TooLarge { limit: 100_000 }));
    save(&store, named("local", "just so"), &content(1, 100_000)).await.expect("saved");

    for name in ["x".repeat(201), "two\nlines".to_owned()] {
        let refused = save(&store, named("local", &name), b"x").await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
    let mut new = named("local", "metadata");
    new.metadata.insert("large".into(), json!("x".repeat(17_000)));
    let refused = save(&store, new, b"x").await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    assert_eq!(store.usage(&owner("local")).await.map(|usage| usage.count), Ok(1));
}

async fn expired_snapshots_disappear_and_free_quota(mut test_store: TestStore) {
    test_store.limits.count = 2;
    let store = test_store.open();
    let me = owner("local");
    let past = Expires::At(Timestamp(1));
    let old =
        save(&store, New { expires: past, ..named("local", "old") }, &content(1, 3 * CHUNK)).await.expect("saved");
    let kept = save(&store, New { expires: Expires::Never, ..named("local", "kept") }, b"x").await.expect("saved");
    assert_eq!(store.meta(&me, old).await, Err(missing(old)));
    assert_eq!(store.remove(&me, old).await, Err(missing(old)));
    assert_eq!(store.set_expiry(&me, old, Expires::Never).await, Err(missing(old)), "it does not come back");
    let listed = store.list(&me, &ALL).await.expect("a list").snapshots;
    assert_eq!(listed.iter().map(|meta| meta.id).collect::<Vec<_>>(), [kept]);

    // An expired snapshot counts until it is swept, but not against an owner that needs the room.
    assert_eq!(store.usage(&me).await.map(|usage| usage.count), Ok(2));
    let soon = save(&store, named("local", "new"), b"x").await.expect("there is room");
    assert_eq!(store.usage(&me).await.map(|usage| usage.count), Ok(2));

    store.set_expiry(&me, soon, past).await.expect("changed");
    store.set_expiry(&me, kept, past).await.expect("changed");
    assert_eq!(store.sweep().await, Ok(2));
    assert_eq!(store.sweep().await, Ok(0));
    assert_eq!(store.usage(&me).await, Ok(StoreUsage::default()));
    // A snapshot whose expiry was extended is not swept at its first expiry.
    let long =
        New { expires: Expires::At(Timestamp::now().after(Duration::from_secs(3600))), ..named("local", "long") };
    let long = save(&store, long, b"x").await.expect("saved");
    store.set_expiry(&me, long, Expires::Never).await.expect("changed");
    assert_eq!(store.meta(&me, long).await.map(|meta| meta.expires), Ok(None));
    drop(store);
    assert_eq!(test_store.chunks(), 1);
}

async fn dropped_writers_leave_nothing(test_store: TestStore) {
    let store = test_store.open();
    save(&store, named("local", "kept"), b"x").await.expect("saved");
    let mut writer = store.put(named("local", "dropped")).await.expect("begun");
    writer.write(&content(1, 5 * CHUNK)).await.expect("written");
    drop(writer);
    // Dropped during a write, and during the commit.
    let mut writer = store.put(named("local", "dropped")).await.expect("begun");
    let long = content(2, 5 * CHUNK);
    let _ = tokio::time::timeout(Duration::from_millis(1), writer.write(&long)).await;
    drop(writer);
    assert_eq!(store.usage(&owner("local")).await.map(|usage| usage.count), Ok(1));
    let listed = store.list(&owner("local"), &ALL).await.expect("a list").snapshots;
    assert_eq!(listed.len(), 1);
    drop(store);
    eventually("only chunks of listed snapshots are left", async || {
        // The cleanup task may still hold the file.
        let free = ghostmux::store::Store::new(&test_store.settings()).usage(&owner("local")).await.is_ok();
        free && test_store.chunks() == 1
    })
    .await;
}

async fn snapshots_are_replaced_atomically(mut test_store: TestStore) {
    test_store.limits.count = 1;
    let store = test_store.open();
    let me = owner("local");
    let first = save(&store, named("local", "auto"), &content(1, 2 * CHUNK)).await.expect("saved");
    let second = New { replaces: Some(first), ..named("local", "auto") };
    // The old snapshot exists until the new one is complete.
    let mut writer = store.put(second.clone()).await.expect("begun");
    writer.write(&content(2, CHUNK)).await.expect("written");
    assert_eq!(read(&store, "local", first).await, Ok(content(1, 2 * CHUNK)));
    let second = writer.commit(json!(null)).await.expect("there is room, for the old one goes").id;
    assert_eq!(store.meta(&me, first).await, Err(missing(first)));
    assert_eq!(read(&store, "local", second).await, Ok(content(2, CHUNK)));
    store.remove(&me, second).await.expect("deleted");
    // The snapshot to be replaced may already be gone.
    let third = New { replaces: Some(second), ..named("local", "auto") };
    save(&store, third, b"x").await.expect("saved");
    assert_eq!(store.usage(&me).await.map(|usage| usage.count), Ok(1));
    drop(store);
    assert_eq!(test_store.chunks(), 1);
}

async fn reading_a_deleted_snapshot_reports_it_missing(test_store: TestStore) {
    let store = test_store.open();
    let id = save(&store, named("local", "x"), &content(1, 3 * CHUNK)).await.expect("saved");
    let mut reader = store.get(&owner("local"), id).await.expect("it is there");
    reader.next().await.expect("the first chunk");
    store.remove(&owner("local"), id).await.expect("deleted");
    assert_eq!(reader.next().await, Err(missing(id)));
}

async fn a_session_record_is_claimed_once(test_store: TestStore) {
    let store = test_store.open();
    let record = |id: &str, idle: u64| SessionRecord {
        id: id.to_owned(),
        owner: owner("local"),
        snapshot: None,
        state: json!({"idle": idle}),
    };
    assert_eq!(store.sessions().await, Ok(vec![]));
    store.put_session(record("a", 1)).await.expect("kept");
    store.put_session(record("b", 2)).await.expect("kept");
    store.put_session(record("a", 3)).await.expect("kept");
    assert_eq!(store.session(&owner("local"), "a").await, Ok(Some(Ok(record("a", 3)))));
    let mut all = store.sessions().await.expect("a list");
    all.sort_by_key(|one| one.as_ref().map(|record| record.id.clone()).ok());
    assert_eq!(all, [Ok(record("a", 3)), Ok(record("b", 2))]);

    let takers: Vec<_> = (0..6)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.take_session(&owner("local"), "a").await })
        })
        .collect();
    let mut taken = Vec::new();
    for taker in takers {
        taken.extend(taker.await.expect("no panic").expect("an answer"));
    }
    assert_eq!(taken, [record("a", 3)]);
    assert_eq!(store.session(&owner("local"), "a").await, Ok(None));
    let large = SessionRecord { state: json!("x".repeat(17_000)), ..record("c", 0) };
    assert!(matches!(store.put_session(large).await, Err(StoreError::Invalid { .. })));
}

async fn a_profile_has_its_newest_complete_state(test_store: TestStore) {
    let (store, local, other) = (test_store.open(), owner("local"), owner("other"));
    let new = |owner: &str, name: &str| New { profile: Some(name.to_owned()), ..named(owner, name) };
    let ids = async |owner| store.profiles(owner, None, 10).await.expect("a list");
    assert_eq!((store.profile(&local, "shop").await, ids(&local).await), (Ok(None), vec![]));
    let first = save(&store, new("local", "shop"), &content(1, 2 * CHUNK)).await.expect("saved");
    let theirs = save(&store, new("other", "shop"), &content(2, CHUNK)).await.expect("saved");
    let bank = save(&store, new("local", "bank"), &content(3, CHUNK)).await.expect("saved");
    // What is not complete changes nothing.
    let mut writer = store.put(new("local", "shop")).await.expect("begun");
    writer.write(&content(4, 2 * CHUNK)).await.expect("written");
    drop(writer);
    assert_eq!(store.profile(&local, "shop").await.expect("an answer").map(|meta| meta.id), Some(first));
    let second = save(&store, new("local", "shop"), &content(5, CHUNK)).await.expect("saved");
    assert_eq!(read(&store, "local", second).await, Ok(content(5, CHUNK)));
    assert_eq!(store.meta(&local, first).await, Err(missing(first)), "the former state is deleted");
    assert_eq!(ids(&local).await, [("bank".to_owned(), bank), ("shop".to_owned(), second)]);
    assert_eq!(store.profiles(&local, Some("bank"), 10).await, Ok(vec![("shop".to_owned(), second)]));
    assert_eq!(store.profiles(&local, None, 1).await, Ok(vec![("bank".to_owned(), bank)]));
    assert_eq!(ids(&other).await, [("shop".to_owned(), theirs)], "of each owner its own");
    let listed = store.list(&local, &ALL).await.expect("a list").snapshots;
    let usage = StoreUsage { bytes: listed.iter().map(|meta| meta.stored).sum(), count: 2 };
    assert_eq!(store.usage(&local).await, Ok(usage));
    // A profile that takes the place of its former state needs no further place.
    let most = |most| New { most: Some(most), ..new("local", "shop") };
    let third = save(&store, most(2), &content(6, CHUNK)).await.expect("it takes a place that is free then");
    assert!(matches!(save(&store, most(1), &content(7, CHUNK)).await, Err(StoreError::Quota { .. })));
    assert_eq!(store.profile(&local, "shop").await.expect("an answer").map(|meta| meta.id), Some(third));
    store.remove(&local, third).await.expect("deleted");
    store.set_expiry(&local, bank, Expires::At(Timestamp(1))).await.expect("set");
    assert_eq!((store.profile(&local, "shop").await, store.profile(&local, "bank").await), (Ok(None), Ok(None)));
    assert_eq!(store.sweep().await, Ok(1));
    assert_eq!(ids(&local).await, []);
}

async fn records_survive_a_restart(mut test_store: TestStore) {
    test_store.use_keys(KEY_ONE);
    let store = test_store.open();
    let content = content(1, 2 * CHUNK);
    let id = save(&store, named("local", "kept"), &content).await.expect("saved");
    let session = SessionRecord { id: "s".into(), owner: owner("local"), snapshot: Some(id), state: json!({}) };
    store.put_session(session.clone()).await.expect("kept");
    let (meta, usage) = (store.meta(&owner("local"), id).await, store.usage(&owner("local")).await);
    drop(store);
    let store = test_store.open();
    assert_eq!(store.meta(&owner("local"), id).await, meta);
    assert_eq!(store.usage(&owner("local")).await, usage);
    assert_eq!(store.session(&owner("local"), "s").await, Ok(Some(Ok(session))));
    assert_eq!(read(&store, "local", id).await, Ok(content));
    assert_eq!(store.owners().await, Ok(vec![owner("local")]));
}

async fn rekey_changes_only_the_key(mut test_store: TestStore) {
    let mut saved = Vec::new();
    let whose = ["local", "other", "local"];
    for (number, keys) in ["", KEY_ONE, KEY_TWO].into_iter().enumerate() {
        test_store.use_keys(keys);
        let store = test_store.open();
        let content = content(number as u64, CHUNK + number);
        let new = New { expires: Expires::Never, ..named(whose[number], &format!("{number}")) };
        saved.push((save(&store, new, &content).await.expect("saved"), content, number));
    }
    test_store.keys = [KEY_TWO, KEY_ONE].join("\n");
    let store = test_store.open();
    let meta = async |number: usize| store.meta(&owner(whose[number]), saved[number].0).await.expect("there");
    let before = [meta(0).await, meta(1).await, meta(2).await];
    // A quota that was lowered since the save does not prevent it.
    let done = store.rekey().await.expect("done");
    assert_eq!((done.sealed, done.kept), (2, 1));
    for (number, before) in before.into_iter().enumerate() {
        let after = meta(number).await;
        assert_eq!(after.key.as_ref().map(|key| key.id.as_str()), Some("two"));
        let same = ghostmux::store::Meta { key: before.key, blob: before.blob, stored: before.stored, ..after.clone() };
        assert_eq!(
            (same.id, same.name, same.created, same.expires, same.raw, same.counts),
            (before.id, before.name, before.created, before.expires, before.raw, before.counts)
        );
        assert_eq!(after.chunks, before.chunks);
    }
    for who in ["local", "other"] {
        let listed = store.list(&owner(who), &ALL).await.expect("a list").snapshots;
        let usage = StoreUsage { bytes: listed.iter().map(|meta| meta.stored).sum(), count: listed.len() as u64 };
        assert_eq!(store.usage(&owner(who)).await, Ok(usage));
    }
    drop(store);
    assert_eq!(test_store.chunks(), 5, "two for each of two, one for the one of a chunk");
    test_store.use_keys(KEY_TWO);
    let store = test_store.open();
    for (id, content, number) in saved {
        assert_eq!(read(&store, whose[number], id).await, Ok(content));
    }
}

async fn unreadable_session_records_do_not_hide_others(test_store: TestStore) {
    let id = "0192f5a0-0000-7000-8000-000000000000".parse().expect("an id");
    let good =
        SessionRecord { id: "good".to_owned(), owner: owner("local"), snapshot: Some(id), state: json!({"idle": 1}) };
    test_store.open().put_session(good.clone()).await.expect("kept");
    let newer = json!({"id": "newer", "owner": "mine", "snapshot": id, "body": {}}).to_string();
    test_store.write_session("no-json", "\u{1}not JSON");
    test_store.write_session("newer", &newer);
    test_store.write_session("moved", &serde_json::to_string(&good).expect("JSON"));

    let store = test_store.open();
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for entry in store.sessions().await.expect("a list") {
        match entry {
            Ok(record) => records.push(record),
            Err(one) => unreadable.push((one.id, one.owner, one.snapshot, one.why)),
        }
    }
    unreadable.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(records, [good]);
    let [moved, newer, no_json] = &unreadable[..] else { panic!("{unreadable:?}") };
    assert_eq!((&*moved.0, &moved.1), ("moved", &Some(owner("local"))));
    assert_eq!((&*newer.0, &newer.1, newer.2), ("newer", &Some(owner("mine")), Some(id)));
    assert!(newer.3.contains("state") && no_json.3.contains("not JSON"), "{} and {}", newer.3, no_json.3);
    assert_eq!((&*no_json.0, &no_json.1, no_json.2), ("no-json", &None, None));
    for (id, ..) in &unreadable {
        // A session that would be restored from it keeps it.
        let taken = store.take_session(&owner("local"), id).await;
        assert!(matches!(&taken, Err(StoreError::UnreadableSession { id: named, .. }) if named == id), "{taken:?}");
        assert!(matches!(store.session(&owner("local"), id).await, Ok(Some(Err(_)))));
        assert_eq!(store.remove_session(&owner("local"), id).await, Ok(true));
        assert_eq!(store.remove_session(&owner("local"), id).await, Ok(false));
    }
    assert_eq!(store.sessions().await.map(|all| all.len()), Ok(1));
}

async fn unreadable_snapshot_records_do_not_hide_others(test_store: TestStore) {
    let (store, me) = (test_store.open(), owner("local"));
    let save_one = async |name: &str| {
        let id = save(&store, named("local", name), &content(1, 2 * CHUNK)).await.expect("saved");
        store.meta(&me, id).await.expect("it is there")
    };
    let (first, no_json, newer, last) =
        (save_one("first").await, save_one("shop").await, save_one("shop").await, save_one("last").await);
    // One with an expiry.
    let soon = Timestamp::now().after(Duration::from_millis(1));
    let expiring = save_one("expiring").await;
    store.set_expiry(&me, expiring.id, Expires::At(soon)).await.expect("changed");
    drop(store);
    test_store.write_meta(&no_json, "not JSON");
    test_store.write_meta(&expiring, "not JSON");
    test_store.change_meta(&newer, |meta| {
        meta.as_object_mut().expect("an object").remove("counts");
    });

    let store = test_store.open();
    eventually("expired snapshots are removed", async || store.sweep().await == Ok(1)).await;
    let page = store.list(&me, &ALL).await.expect("a list");
    assert_eq!(page.snapshots, [last.clone(), first.clone()]);
    let unreadable: Vec<_> = page.unreadable.iter().map(|one| one.id).collect();
    assert_eq!(unreadable, [newer.id, no_json.id]);
    assert!(page.unreadable[0].why.contains("counts"), "{:?}", page.unreadable);
    // They take their place on a page of the list, and match no name.
    let pages = [(None, vec![last.id], vec![newer.id]), (Some(newer.id), vec![first.id], vec![no_json.id])];
    for (before, snapshots, unreadable) in pages {
        let page = store.list(&me, &Query { before, limit: 2, ..ALL }).await.expect("a page");
        assert_eq!(page.snapshots.iter().map(|meta| meta.id).collect::<Vec<_>>(), snapshots);
        assert_eq!(page.unreadable.iter().map(|one| one.id).collect::<Vec<_>>(), unreadable);
    }
    let searched = store.list(&me, &Query { name: Some("shop".into()), ..ALL }).await.expect("a page");
    assert_eq!((searched.snapshots, searched.unreadable), (vec![], vec![]));
    assert!(store.list(&owner("other"), &ALL).await.expect("a list").unreadable.is_empty());
    for id in [newer.id, no_json.id] {
        assert!(matches!(store.get(&me, id).await.map(drop), Err(StoreError::Corrupt { .. })));
        assert!(matches!(store.set_expiry(&me, id, Expires::Never).await, Err(StoreError::Corrupt { .. })));
        assert_eq!(store.remove(&owner("other"), id).await, Err(missing(id)));
        store.remove(&me, id).await.expect("deleted");
        assert_eq!(store.remove(&me, id).await, Err(missing(id)));
    }
    // Their quota is free again, as far as their records said where their chunks are.
    assert_eq!(store.usage(&me).await, Ok(StoreUsage { bytes: first.stored + last.stored, count: 2 }));
    drop(store);
    assert_eq!(test_store.chunks(), u64::from(first.chunks + last.chunks + no_json.chunks + expiring.chunks));
}
