//! What only the embedded store promises: about its file.

use std::{fs, os::unix::fs::PermissionsExt as _};

use ghostmux::store::{Query, StoreError};

use super::{named, owner, place::Place, save};

#[tokio::test]
async fn nothing_is_made_before_the_first_snapshot() {
    let place = Place::embedded();
    let store = place.open();
    let me = owner("local");
    assert!(store.list(&me, &Query { limit: 9, ..Query::default() }).await.expect("a list").snapshots.is_empty());
    assert_eq!(store.sweep().await, Ok(0));
    assert_eq!(store.sessions().await, Ok(vec![]));
    assert_eq!(store.take_session("s").await, Ok(None));
    assert_eq!(store.owners().await, Ok(vec![]));
    assert!(!place.file().exists() && !place.file().parent().expect("a parent").exists());

    save(&store, named("local", "first"), b"x").await.expect("saved");
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&place.file()), 0o600, "others could log in as the sessions did");
    assert_eq!(mode(place.file().parent().expect("a parent")), 0o700);
}

#[tokio::test]
async fn a_file_in_use_is_named_with_its_user() {
    let place = Place::embedded();
    let store = place.open();
    save(&store, named("local", "first"), b"x").await.expect("saved");
    let error = place.open().usage(&owner("local")).await.expect_err("it is in use").to_string();
    let pid = format!("process {}", std::process::id());
    assert!(error.contains(&place.file().display().to_string()) && error.contains(&pid), "{error}");
    // As soon as it is free it can be had, by one who asked before, too.
    let waiting = place.open();
    assert!(waiting.usage(&owner("local")).await.is_err());
    drop(store);
    assert_eq!(waiting.usage(&owner("local")).await.map(|usage| usage.count), Ok(1));
}

#[tokio::test]
async fn a_file_that_is_no_store_is_left_as_it_is() {
    let place = Place::embedded();
    fs::create_dir_all(place.file().parent().expect("a parent")).expect("a directory");
    for text in ["not a store, and dear to somebody".to_owned(), "x".repeat(100_000)] {
        fs::write(place.file(), &text).expect("a file");
        let said = save(&place.open(), named("local", "x"), b"x").await;
        assert!(matches!(said, Err(StoreError::Unavailable { .. })), "{said:?}");
        assert_eq!(fs::read_to_string(place.file()).expect("it is there"), text);
    }
}

#[tokio::test]
async fn a_file_of_a_newer_ghostmux_is_left_as_it_is() {
    let place = Place::embedded();
    save(&place.open(), named("local", "x"), b"x").await.expect("saved");
    let table = redb::TableDefinition::<&str, u64>::new("format");
    let file = redb::Database::open(place.file()).expect("it opens");
    let transaction = file.begin_write().expect("it can be written");
    transaction.open_table(table).expect("the table").insert("layout", 2).expect("written");
    transaction.commit().expect("committed");
    drop(file);
    let error = place.open().usage(&owner("local")).await.expect_err("it is newer");
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains(&place.file().display().to_string()), "{error}");
}
