//! A large snapshot needs no more memory than a small one.

use std::process::Command;

use ghostmux::store::{New, Store};

use super::{
    content, owner,
    test_store::{KEY_ONE, TestStore},
};

const CHILD: &str = "GHOSTMUX_TEST_STORE_MEMORY";

/// Bytes of the snapshot; 200 MB in long runs.
fn size() -> usize {
    if std::env::var("GHOSTMUX_TEST_STORE").is_ok_and(|said| said == "full") { 200_000_000 } else { 50_000_000 }
}

/// The peak memory use of this process, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Not a test by itself: the tests below start it in a child process and measure its memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process for the tests of this file"]
#[allow(clippy::print_stdout, reason = "it tells its parent what it took")]
async fn child_process_that_saves_and_reads() {
    let Ok(argument) = std::env::var(CHILD) else { return };
    let variables = [("GHOSTMUX_STORE".to_owned(), argument), ("GHOSTMUX_STORE_KEY".to_owned(), KEY_ONE.to_owned())];
    let config = ghostmux::config::Config::load(ghostmux::config::RawConfig::default(), variables).expect("settings");
    let store = Store::new(&config.store_settings());
    let piece = content(1, 1_000_000);
    let mut before = 0;
    let mut writer = store.put(New::of(owner("local"))).await.expect("begun");
    for number in 0..size() / piece.len() {
        writer.write(&piece).await.expect("written");
        // The memory that any snapshot needs is in use by now.
        if number == 8 {
            before = peak();
        }
    }
    let meta = writer.commit(serde_json::json!(null)).await.expect("committed");
    let mut reader = store.get(&owner("local"), meta.id).await.expect("it is there");
    let mut read = 0;
    while let Some(bytes) = reader.next().await.expect("it is whole") {
        read += bytes.len();
    }
    assert_eq!(read, size());
    println!("grew {} peak {} stored {}", peak() - before, peak(), meta.stored);
}

fn grew(test_store: &TestStore) -> u64 {
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "store::memory::child_process_that_saves_and_reads", "--ignored", "--nocapture"])
        .env(CHILD, test_store.argument())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    eprintln!("{}", said.lines().find(|line| line.contains("grew")).unwrap_or_default());
    let grew = said.split("grew ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    grew.unwrap_or_else(|| panic!("it did not get far: {said}\n{}", String::from_utf8_lossy(&child.stderr)))
}

/// Far less than the content, and enough for redb's cache of 16 MiB and a few chunks in transit.
const MOST: u64 = 30_000_000;

#[test]
fn large_snapshots_use_little_memory_with_the_file() {
    let grew = grew(&TestStore::embedded());
    assert!(grew < MOST, "memory grew by {grew} bytes while {} were saved and read", size());
}

#[test]
fn large_snapshots_use_little_memory_with_redis() {
    let grew = grew(&TestStore::redis());
    assert!(grew < MOST, "memory grew by {grew} bytes while {} were saved and read", size());
}
