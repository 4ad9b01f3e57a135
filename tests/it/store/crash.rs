//! `kill -9` while snapshots are saved: the store opens, and every listed snapshot is complete, old
//! or new.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use ghostmux::store::{Expires, New, Query, SessionRecord, SnapshotId, Store, seal::CHUNK};
use serde_json::json;

use super::{content, owner, read, save, test_store::TestStore};

/// The variable that turns [`child_process_that_saves_until_killed`] into the child process; its
/// value is the store.
const CHILD: &str = "GHOSTMUX_TEST_STORE_CHILD";
/// `full` for hundreds of rounds.
const ROUNDS: &str = "GHOSTMUX_TEST_STORE";
/// The number of snapshots that are saved repeatedly, each replacing its predecessor.
const SLOTS: u64 = 3;

fn rounds() -> u64 {
    if std::env::var(ROUNDS).is_ok_and(|said| said == "full") { 300 } else { 30 }
}

fn bytes_of(seed: u64) -> usize {
    // From empty to several chunks.
    usize::try_from(seed.wrapping_mul(2_654_435_761) % (3 * CHUNK as u64)).expect("it fits")
}

/// Not a test by itself: the tests below start it in a child process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process for the tests of this file"]
#[allow(clippy::print_stdout, reason = "it tells its parent what is committed")]
async fn child_process_that_saves_until_killed() {
    let Ok(argument) = std::env::var(CHILD) else { return };
    let variables = [("GHOSTMUX_STORE".to_owned(), argument)];
    let config = ghostmux::config::Config::load(ghostmux::config::RawConfig::default(), variables).expect("settings");
    let store = Store::new(&config.store_settings());
    let mut seed = u64::from(std::process::id()) << 20;
    let listed = store.list(&owner("local"), &ALL).await.expect("a list").snapshots;
    let mut slots: BTreeMap<u64, SnapshotId> = listed.iter().map(|meta| (slot(meta), meta.id)).collect();
    println!("ready");
    loop {
        seed += 1;
        let slot = seed % SLOTS;
        let mut new = New { expires: Expires::Never, replaces: slots.get(&slot).copied(), ..New::of(owner("local")) };
        new.metadata.insert("slot".into(), slot.into());
        new.metadata.insert("seed".into(), seed.into());
        let id = save(&store, new, &content(seed, bytes_of(seed))).await.expect("saved");
        let state = json!({"seed": seed});
        let record = SessionRecord { id: slot.to_string(), owner: owner("local"), snapshot: Some(id), state };
        println!("saved {slot} {id}");
        store.put_session(record).await.expect("kept");
        slots.insert(slot, id);
    }
}

const ALL: Query = Query { name: None, before: None, limit: 1000 };

fn slot(meta: &ghostmux::store::Meta) -> u64 {
    meta.metadata["slot"].as_u64().expect("a slot")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_while_saving_to_the_file_leaves_every_snapshot_whole() {
    survive(&TestStore::embedded(), rounds()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_while_saving_to_redis_leaves_every_snapshot_whole() {
    survive(&TestStore::redis(), rounds() / 3).await;
}

async fn survive(test_store: &TestStore, rounds: u64) {
    let mut committed: BTreeMap<u64, SnapshotId> = BTreeMap::new();
    let mut saves = 0;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "store::crash::child_process_that_saves_until_killed", "--ignored", "--nocapture"])
            .env(CHILD, test_store.argument())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut heard = |line: &str| {
            // The last line may be incomplete.
            let mut words = line.trim_end().split(' ').skip_while(|word| *word != "saved").skip(1);
            let slot = words.next().and_then(|slot| slot.parse().ok());
            let Some((slot, Ok(id))) = slot.zip(words.next().map(str::parse)) else { return false };
            committed.insert(slot, id);
            saves += 1;
            true
        };
        let (mut line, mut ready) = (String::new(), Instant::now());
        while !heard(&line) {
            if line.starts_with("ready") {
                ready = Instant::now();
            }
            line.clear();
            assert_ne!(said.read_line(&mut line).expect("it talks"), 0, "round {round}: it ended before it had saved");
        }
        // A random delay is what this test varies: on any machine, it ends during one of the next
        // saves, seldom during the first of them.
        let span = 4 * u64::try_from(ready.elapsed().as_micros()).expect("short");
        let moment = Duration::from_micros(u64::from(uuid::Uuid::new_v4().as_fields().0) % span);
        tokio::time::sleep(moment).await;
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        for line in said.lines().map_while(Result::ok) {
            heard(&line);
        }
        check(test_store, &committed, round).await;
    }
    assert!(saves > rounds, "only {saves} snapshots were saved in {rounds} rounds");
}

async fn check(test_store: &TestStore, committed: &BTreeMap<u64, SnapshotId>, round: u64) {
    let store = test_store.open();
    let listed = store.list(&owner("local"), &ALL).await.expect("it opens").snapshots;
    let mut chunks = 0;
    for meta in &listed {
        let seed = meta.metadata["seed"].as_u64().expect("a seed");
        let whole = read(&store, "local", meta.id).await.expect("it is whole") == content(seed, bytes_of(seed));
        assert!(whole, "round {round}: {} is not what was saved", meta.id);
        chunks += u64::from(meta.chunks);
        // Each reported commit is there, or a later one that replaced it.
        let last = committed.get(&slot(meta));
        assert!(last.is_none_or(|last| meta.id >= *last), "round {round}: {} came back", meta.id);
    }
    let slots: std::collections::BTreeSet<_> = listed.iter().map(slot).collect();
    assert_eq!(slots.len(), listed.len(), "round {round}: an old one and the one that replaced it are both there");
    for slot in committed.keys() {
        assert!(slots.contains(slot), "round {round}: what was committed to {slot} is lost");
    }
    let usage = store.usage(&owner("local")).await.expect("it is counted");
    assert_eq!(usage.bytes, listed.iter().map(|meta| meta.stored).sum::<u64>(), "round {round}");
    assert_eq!(usage.count, listed.len() as u64, "round {round}");
    assert!(store.sessions().await.expect("they are read").len() <= usize::try_from(SLOTS).expect("small"));
    let is_file = test_store.file().exists();
    drop(store);
    // In Redis, the chunks of incomplete snapshots expire later.
    if is_file {
        assert_eq!(test_store.chunks(), chunks, "round {round}: unreachable chunks");
    }
}
