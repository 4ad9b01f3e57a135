//! Reads the storage under the storage keys of a context. Several pages of the proxy read at the same time. The results
//! are written in the order of the keys; results that cannot be written yet wait, in a few pieces of about a megabyte.

use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::Scene;
use crate::{
    browser::{CallError, by_deadline, commands::commands},
    cdp::{ids::ContextId, json_string::JsonString},
    snapshot::{
        Problem,
        record::{Database, Index, Lost, ObjectStore, Raw, Record, Rows, Storage},
        storage_key::StorageKey,
        storage_page::StoragePage,
    },
};

/// Pages of the proxy that read at the same time; Chrome's own thread does one step after another.
const TOGETHER: usize = 3;
/// Pieces of a key that wait to be written.
const AHEAD: usize = 2;

/// An item that was found under a key, or a loss.
pub(super) enum Found {
    Record(Record),
    Lost(Lost),
    Failed(&'static str, String, Problem),
}

/// The storage pages that read.
pub(super) struct Readers<'a> {
    scene: &'a Scene<'a>,
    context: &'a ContextId,
    // Guards the pages that are idle; held for one look.
    free: Mutex<Vec<StoragePage>>,
}

commands! {
    "IndexedDB.getMetadata" = GetMetadata<'a> {
        storage_key: &'a str,
        database_name: &'a RawValue,
        object_store_name: &'a RawValue,
    } -> Metadata;
}

/// The result of `IndexedDB.getMetadata`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    key_generator_value: f64,
}

#[derive(Deserialize)]
struct Listed {
    name: JsonString,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    version: u64,
    stores: Vec<SchemaStore>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaStore {
    name: JsonString,
    key_path: Raw,
    auto_increment: bool,
    indexes: Vec<Index>,
}

#[derive(Deserialize)]
struct Batch {
    batches: Vec<Rows>,
    lost: Vec<(usize, String, String)>,
    more: bool,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<(JsonString, JsonString)>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Others {
    workers: Vec<String>,
    caches: Vec<String>,
    files: Vec<String>,
}

impl<'a> Readers<'a> {
    /// The readers, with a page that is already open, if there is one.
    pub(super) fn new(scene: &'a Scene<'a>, context: &'a ContextId, first: Option<StoragePage>) -> Self {
        Self { scene, context, free: Mutex::new(first.into_iter().collect()) }
    }

    /// Reads the storage under each key. `to` gets the results of one key after the other.
    pub(super) async fn read<'k>(
        &self,
        keys: impl Iterator<Item = &'k StorageKey>,
        to: mpsc::UnboundedSender<mpsc::Receiver<Found>>,
    ) {
        let read = |key: &'k StorageKey| {
            let (finder, found) = mpsc::channel(AHEAD);
            // The channel has room for all keys.
            let _ = to.send(found);
            let head = Record::Storage(Storage { key: key.text.clone() });
            self.key(key, Finder { to: finder, head: Some(head) })
        };
        let reads: Vec<_> = keys.map(read).collect();
        drop(to);
        stream::iter(reads).buffer_unordered(TOGETHER).collect::<Vec<()>>().await;
    }

    async fn key(&self, key: &StorageKey, mut finder: Finder) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let storage_page = match free {
            Some(storage_page) => Ok(storage_page),
            None => by_deadline(self.scene.step(), StoragePage::new(&self.scene.root, self.context)).await,
        };
        let mut storage_page = match storage_page {
            Ok(storage_page) => storage_page,
            Err(problem) => return finder.fail("storage", &key.text, problem).await,
        };
        match by_deadline(self.scene.step(), storage_page.visit(key)).await {
            Ok(()) => self.all(&mut storage_page, key, &mut finder).await,
            Err(problem) => finder.fail("storage", &key.text, problem).await,
        }
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(storage_page);
    }

    /// Reads everything under one storage key.
    async fn all(&self, storage_page: &mut StoragePage, key: &StorageKey, finder: &mut Finder) {
        let parts = self.scene.parts;
        let mut from = parts.local_storage.then_some(0);
        while let Some(at) = from.take() {
            match by_deadline(self.scene.step(), storage_page.run::<Items>("local", &format!(r#"{{"from":{at}}}"#)))
                .await
            {
                Ok(Items { items, next }) => {
                    if !items.is_empty() {
                        finder.find(Record::LocalStorage(items)).await;
                    }
                    from = next;
                }
                Err(problem) => finder.fail("localStorage", &key.text, problem).await,
            }
        }
        if parts.indexed_db {
            match by_deadline(self.scene.step(), storage_page.run::<Vec<Listed>>("databases", "")).await {
                Ok(listed) => {
                    for Listed { name } in listed {
                        let place = format!("{} {}", key.text, name.get());
                        if let Err(problem) = self.database(storage_page, key, name, &place, finder).await {
                            finder.fail("database", &place, problem).await;
                        }
                    }
                }
                Err(problem) => finder.fail("IndexedDB", &key.text, problem).await,
            }
        }
        if finder.head.is_none() {
            // The frames of this key may be gone when the session is saved again.
            self.scene.place.remember(self.context, key.memory());
        }
        if let Ok(Others { workers, caches, files }) =
            by_deadline(self.scene.step(), storage_page.run("others", "")).await
        {
            for scope in workers {
                finder.lose("serviceWorker", &scope, "the site registers it again when it is opened").await;
            }
            if !caches.is_empty() {
                finder.lose("cacheStorage", &key.text, "it is not part of snapshots").await;
            }
            if !files.is_empty() {
                finder.lose("fileSystem", &key.text, "the origin's private files are not part of snapshots").await;
            }
        }
    }

    async fn database(
        &self,
        storage_page: &mut StoragePage,
        key: &StorageKey,
        name: JsonString,
        place: &str,
        finder: &mut Finder,
    ) -> Result<(), Problem> {
        let open = format!(r#"{{"name":{}}}"#, name.get());
        let opened = by_deadline(self.scene.step(), storage_page.run::<Schema>("open", &open)).await;
        // Its existence is recorded even if it cannot be read.
        finder.begin().await;
        let schema = opened?;
        let mut stores = Vec::new();
        for store in schema.stores {
            let next_key = if store.auto_increment {
                by_deadline(self.scene.step(), next_key(storage_page, key, &name, &store.name)).await.ok()
            } else {
                None
            };
            if store.auto_increment && next_key.is_none() {
                let place = format!("{place} {}", store.name.get());
                finder.lose("keyGenerator", &place, "Chrome did not report its state").await;
            }
            let SchemaStore { name, key_path, auto_increment, indexes } = store;
            stores.push(ObjectStore { name, key_path, auto_increment, next_key, indexes });
        }
        let names: Vec<String> = stores.iter().map(|store| store.name.get().to_owned()).collect();
        finder.find(Record::Database(Database { name, version: schema.version, stores })).await;
        loop {
            let Batch { batches, lost, more } = by_deadline(self.scene.step(), storage_page.run("rows", "")).await?;
            for rows in batches {
                finder.find(Record::Rows(rows)).await;
            }
            for (store, row, why) in lost {
                let store = names.get(store).map_or("", String::as_str);
                finder.lose("row", &format!("{place} {store} {row}"), &why).await;
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// Sends what was found under a key: the key itself first, and only if there is anything.
struct Finder {
    to: mpsc::Sender<Found>,
    head: Option<Record>,
}

impl Finder {
    async fn begin(&mut self) {
        if let Some(head) = self.head.take() {
            self.say(Found::Record(head)).await;
        }
    }

    async fn find(&mut self, record: Record) {
        self.begin().await;
        self.say(Found::Record(record)).await;
    }

    async fn lose(&mut self, what: &str, place: &str, why: &str) {
        self.say(Found::Lost(Lost { what: what.to_owned(), place: place.to_owned(), why: why.to_owned() })).await;
    }

    async fn fail(&mut self, what: &'static str, place: &str, problem: Problem) {
        self.say(Found::Failed(what, place.to_owned(), problem)).await;
    }

    async fn say(&mut self, found: Found) {
        // If the writer is gone, all of this is about to be dropped.
        let _ = self.to.send(found).await;
    }
}

/// The next key that a store will generate; scripts cannot read it, CDP can.
async fn next_key(
    storage_page: &mut StoragePage,
    key: &StorageKey,
    db: &RawValue,
    store: &RawValue,
) -> Result<f64, CallError> {
    let metadata = GetMetadata { storage_key: &key.text, database_name: db, object_store_name: store };
    Ok(storage_page.ask_inside(&metadata).await?.key_generator_value)
}
