//! `kill -9` of ghostmux while it saves sessions: the store opens, listed snapshots are complete,
//! and no Chrome is left.

use std::time::{Duration, Instant};

use ghostmux::{
    snapshot::repository,
    store::{Query, SnapshotId},
};
use serde_json::json;

use super::apis::{mark, marks, page_at};
use crate::{
    browsers::Browser,
    client::Client,
    proxy::{Proxy, eventually},
    site::Site,
    store::{owner, test_store::TestStore},
};

/// `full` for many rounds.
const ROUNDS: &str = "GHOSTMUX_TEST_STORE";
/// Concurrent saves.
const SAVES: u32 = 3;
const ALL: Query = Query { name: None, before: None, limit: 1000 };

fn rounds() -> u32 {
    if std::env::var(ROUNDS).is_ok_and(|said| said == "full") { 100 } else { 2 }
}

/// The snapshots that the server reported as saved.
fn saved(client: &Client) -> Vec<SnapshotId> {
    let frames = client.frames();
    let replies = frames.iter().filter_map(|frame| frame.received()?["result"]["snapshot"]["id"].as_str());
    replies.map(|id| id.parse().expect("an id")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_while_sessions_are_saved_leaves_every_snapshot_whole_and_no_chrome() {
    let (site, test_store) = (Site::start().await, TestStore::embedded());
    let (url, argument) = (site.url("/?killed"), test_store.argument());
    let mut newest: Option<(String, String)> = None;
    for round in 0..=rounds() {
        let mut proxy = Proxy::start(Browser::any(), &["--store", &argument]).await;
        if let Some((id, mark)) = newest.take() {
            let client = proxy.connect_to(&format!("/?snapshot={id}")).await;
            let found = marks(&client, &page_at(&client, &url).await).await;
            assert_eq!(found, json!([format!("mark={mark}"), mark, mark, format!("{mark}7")]), "round {round}");
        }
        if round == rounds() {
            break;
        }
        let (client, name) = (proxy.connect().await, format!("round{round}"));
        let page = client.page_at(&url).await;
        mark(&client, &page, &name).await;
        // Enough data for several chunks.
        let much =
            "localStorage.much = Array.from({ length: 20_000 }, () => crypto.randomUUID()).join().slice(0, 2_000_000)";
        client.evaluate(&page.session, &format!("{much}, true")).await;
        let since = Instant::now();
        client.ok(None, "ghost.saveSnapshot", json!({ "name": name })).await;
        for _ in 0..SAVES {
            client.start(None, "ghost.saveSnapshot", json!({ "name": name })).await;
        }
        // A random delay is what this test varies: on any machine, it ends during one of the saves.
        let span = u64::from(SAVES) * u64::try_from(since.elapsed().as_micros()).expect("short");
        let moment = Duration::from_micros(u64::from(uuid::Uuid::new_v4().as_fields().0) % span);
        tokio::time::sleep(moment).await;
        proxy.kill();
        client.end().await;
        eventually("no process of a browser", async || proxy.browser_processes().is_empty()).await;

        let (store, owner) = (test_store.open(), owner("local"));
        let listed = store.list(&owner, &ALL).await.expect("it opens").snapshots;
        for meta in &listed {
            let whole = repository::verify(&store, &owner, meta.id).await;
            whole.unwrap_or_else(|error| panic!("round {round}: {} is not whole: {error}", meta.id));
        }
        let saved = saved(&client);
        assert!(!saved.is_empty(), "round {round}");
        for id in saved {
            assert!(listed.iter().any(|meta| meta.id == id), "round {round}: {id} was saved and is lost");
        }
        newest = listed.first().map(|meta| (meta.id.to_string(), meta.name.clone().expect("a name")));
        for meta in listed.iter().skip(1) {
            store.remove(&owner, meta.id).await.expect("removed");
        }
    }
}
