//! Promises of the embedded store about its file.

use std::{fs, os::unix::fs::PermissionsExt as _};

use ghostmux::store::{Query, StoreError};

use super::{named, owner, save, test_store::TestStore};

#[tokio::test]
async fn store_file_is_created_with_the_first_snapshot() {
    let test_store = TestStore::embedded();
    let store = test_store.open();
    let me = owner("local");
    assert!(store.list(&me, &Query { limit: 9, ..Query::default() }).await.expect("a list").snapshots.is_empty());
    assert_eq!(store.sweep().await, Ok(0));
    assert_eq!(store.sessions().await, Ok(vec![]));
    assert_eq!(store.take_session(&owner("local"), "s").await, Ok(None));
    assert_eq!(store.owners().await, Ok(vec![]));
    assert!(!test_store.file().exists() && !test_store.file().parent().expect("a parent").exists());

    save(&store, named("local", "first"), b"x").await.expect("saved");
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&test_store.file()), 0o600, "others could log in as the sessions did");
    assert_eq!(mode(test_store.file().parent().expect("a parent")), 0o700);
}

#[tokio::test]
async fn error_names_a_store_file_in_use_and_its_user() {
    let test_store = TestStore::embedded();
    let store = test_store.open();
    save(&store, named("local", "first"), b"x").await.expect("saved");
    let error = test_store.open().usage(&owner("local")).await.expect_err("it is in use").to_string();
    let pid = format!("process {}", std::process::id());
    assert!(error.contains(&test_store.file().display().to_string()) && error.contains(&pid), "{error}");
    // Once the file is free it can be opened, also by a process that was refused before.
    let waiting = test_store.open();
    assert!(waiting.usage(&owner("local")).await.is_err());
    drop(store);
    assert_eq!(waiting.usage(&owner("local")).await.map(|usage| usage.count), Ok(1));
}

#[tokio::test]
async fn files_that_are_not_a_store_are_not_changed() {
    let test_store = TestStore::embedded();
    fs::create_dir_all(test_store.file().parent().expect("a parent")).expect("a directory");
    for text in ["not a store, and important to its user".to_owned(), "x".repeat(100_000)] {
        fs::write(test_store.file(), &text).expect("a file");
        let said = save(&test_store.open(), named("local", "x"), b"x").await;
        assert!(matches!(said, Err(StoreError::Unavailable { .. })), "{said:?}");
        assert_eq!(fs::read_to_string(test_store.file()).expect("it is there"), text);
    }
}

#[tokio::test]
async fn store_files_of_a_newer_version_are_not_changed() {
    let test_store = TestStore::embedded();
    save(&test_store.open(), named("local", "x"), b"x").await.expect("saved");
    let table = redb::TableDefinition::<&str, u64>::new("format");
    let file = redb::Database::open(test_store.file()).expect("it opens");
    let transaction = file.begin_write().expect("it can be written");
    transaction.open_table(table).expect("the table").insert("layout", 2).expect("written");
    transaction.commit().expect("committed");
    drop(file);
    let error = test_store.open().usage(&owner("local")).await.expect_err("it is newer");
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains(&test_store.file().display().to_string()), "{error}");
}
