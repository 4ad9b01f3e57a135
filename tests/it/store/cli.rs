//! `ghostmux snapshot …`: the store on the command line.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use ghostmux::{
    snapshot::{
        ndjson::Writer,
        record::{Context, Lost, Record},
    },
    store::seal::CHUNK,
};

use super::{
    named, read, save,
    test_store::{KEY_ONE, KEY_TWO, TestStore},
};

/// Exit code, standard output and standard error.
fn run(test_store: &TestStore, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ghostmux"))
        .arg("snapshot")
        .args(arguments)
        .env_remove("GHOSTMUX_CONFIG")
        .env("GHOSTMUX_STORE", test_store.argument())
        .env("GHOSTMUX_STORE_KEY", &test_store.keys)
        .output()
        .expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn said(test_store: &TestStore, arguments: &[&str]) -> String {
    let (code, out, error) = run(test_store, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {error}");
    out
}

/// A complete snapshot of two chunks.
async fn written() -> Vec<u8> {
    let mut content = Vec::new();
    let mut writer = Writer::new(&mut content, "of a test").await.expect("written");
    writer.write(&Record::Context(Context::default())).await.expect("written");
    let why = "x".repeat(CHUNK / 4);
    for place in 0..8 {
        let lost = Lost { what: "nothing".to_owned(), place: place.to_string(), why: why.clone() };
        writer.write(&Record::Lost(lost)).await.expect("written");
    }
    writer.end(true).await.expect("written");
    content
}

#[tokio::test]
async fn imported_snapshots_are_shown_and_exported_for_playwright() {
    let test_store = TestStore::embedded();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("state.json");
    let path = file.to_str().expect("text");
    let state = r#"{"cookies":[],"origins":[{"origin":"https://a.test","localStorage":[{"name":"k","value":"v"}]}]}"#;
    fs::write(&file, state).expect("written");
    let id = said(&test_store, &["import", path, "--format", "playwright"]);
    let back: serde_json::Value =
        serde_json::from_str(&said(&test_store, &["export", id.trim(), "--format", "playwright"])).expect("JSON");
    assert_eq!(back, serde_json::from_str::<serde_json::Value>(state).expect("JSON"));
    let whole = written().await;
    for (bytes, word) in [(state.as_bytes(), "line 1"), (&whole[..whole.len() - 9], "cut off"), (b"", "cut off")] {
        fs::write(&file, bytes).expect("written");
        let (code, _, error) = run(&test_store, &["import", path]);
        assert!(code == Some(1) && error.contains(word), "{word}: {error}");
    }
    assert_eq!(said(&test_store, &["ls"]).lines().count(), 2, "the heading and the first one");
}

#[tokio::test]
async fn snapshots_are_exported_and_imported_in_another_store() {
    let (mut from, to) = (TestStore::embedded(), TestStore::redis());
    from.use_keys(KEY_ONE);
    let directory = tempfile::tempdir().expect("a directory");
    let (file, out) = (directory.path().join("in"), directory.path().join("out"));
    let (file, out) = (file.to_str().expect("text"), out.to_str().expect("text"));
    let content = written().await;
    fs::write(file, &content).expect("written");

    assert_eq!(said(&from, &["ls"]).lines().count(), 1, "only the heading");
    let id = said(&from, &["import", file, "--name", "shop"]);
    let id = id.trim();
    let listed = said(&from, &["ls", "SHO"]);
    let line = listed.lines().nth(1).expect("one snapshot");
    assert!(line.starts_with(id) && line.contains("one") && line.ends_with("shop"), "{listed}");
    assert_eq!(said(&from, &["ls", "mail"]).lines().count(), 1);
    assert_eq!(said(&from, &["ls", "--owner", "other"]).lines().count(), 1);
    let json: serde_json::Value = serde_json::from_str(&said(&from, &["ls", "--json"])).expect("one document");
    assert_eq!((json["id"].as_str(), json["raw"].as_u64()), (Some(id), Some(content.len() as u64)));

    said(&from, &["export", id, out]);
    assert_eq!(fs::read(out).expect("it is there"), content);
    assert_eq!(fs::metadata(out).expect("it is there").permissions().mode() & 0o777, 0o600);
    // Existing files are not overwritten.
    let (code, _, error) = run(&from, &["export", id, out]);
    assert!(code == Some(1) && error.contains(out), "{error}");

    let copy = said(&to, &["import", out, "--keep"]);
    assert!(said(&to, &["ls"]).contains("never"));
    assert_eq!(said(&to, &["export", copy.trim()]).into_bytes(), said(&from, &["export", id]).into_bytes());

    said(&from, &["rm", id]);
    let (code, _, error) = run(&from, &["rm", id]);
    assert!(code == Some(1) && error.contains(&format!("no such snapshot {id}")), "{error}");
    let (code, _, error) = run(&from, &["rm", "shop"]);
    assert!(code == Some(1) && error.contains("\"shop\""), "{error}");
}

#[tokio::test]
async fn error_names_a_store_in_use_and_the_alternative() {
    let test_store = TestStore::embedded();
    let store = test_store.open();
    let id = save(&store, named("local", "x"), b"x").await.expect("saved");
    let (code, _, error) = run(&test_store, &["ls"]);
    let pid = format!("process {}", std::process::id());
    assert!(code == Some(1) && error.contains(&pid) && error.contains("/v1/snapshots"), "{error}");
    assert_eq!(read(&store, "local", id).await, Ok(b"x".to_vec()));
}

#[tokio::test]
async fn rekey_reports_its_result() {
    let mut test_store = TestStore::embedded();
    let store = test_store.open();
    let id = save(&store, named("local", "x"), b"a token").await.expect("saved");
    drop(store);
    test_store.use_keys(KEY_ONE);
    assert!(said(&test_store, &["rekey"]).starts_with("1 sealed with the first key, 0"));
    test_store.use_keys(KEY_TWO);
    let (code, _, error) = run(&test_store, &["rekey"]);
    assert!(code == Some(1) && error.contains("the key one") && !error.contains("2222"), "{error}");
    test_store.keys = [KEY_TWO, KEY_ONE].join("\n");
    assert!(said(&test_store, &["rekey"]).starts_with("1 sealed with the first key, 0"));
    assert!(said(&test_store, &["rekey"]).starts_with("0 sealed with the first key, 1"));
    test_store.use_keys(KEY_TWO);
    assert_eq!(read(&test_store.open(), "local", id).await, Ok(b"a token".to_vec()));
}
