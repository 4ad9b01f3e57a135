//! Playwright's `storageState` JSON, with its `indexedDB` part: to records and back.
//!
//! It holds cookies, localStorage and databases of one context, and nothing else. What one format has and the other lacks
//! is reported, never left out silently. A state is one JSON document, so it is held in memory whole.

mod date;
mod value;

use serde::{Deserialize, Serialize};
use serde_json::{Number, value::RawValue};
use tokio::io::{AsyncBufRead, AsyncWrite};

use super::{
    Report, SnapshotError,
    key::is_web,
    lines::{ContentError, Reader, Writer},
    record::{Context, Cookie, Database, Index, Lost, PartitionKey, Raw, Record, Rows, Storage, Store},
};

/// Why a document is no `storageState`.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It has another shape.
    #[error("this is no storageState of Playwright: {0}")]
    Shape(String),
    /// The records could not be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "an object with cookies and origins")]
struct State {
    cookies: Option<Vec<StateCookie>>,
    origins: Option<Vec<Origin>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateCookie {
    name: String,
    value: String,
    domain: String,
    path: String,
    expires: Number,
    http_only: bool,
    secure: bool,
    same_site: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition_key: Option<String>,
    #[serde(default, rename = "_crHasCrossSiteAncestor", skip_serializing_if = "Option::is_none")]
    has_cross_site_ancestor: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Origin {
    #[serde(rename = "origin")]
    url: String,
    #[serde(default)]
    local_storage: Vec<Item>,
    #[serde(default, rename = "indexedDB", skip_serializing_if = "Vec::is_empty")]
    indexed_db: Vec<StateDatabase>,
    /// Files of the origin's own: no part of a snapshot.
    #[serde(default, skip_serializing)]
    opfs: Vec<Raw>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    name: Raw,
    value: Raw,
}

#[derive(Serialize, Deserialize)]
struct StateDatabase {
    name: Raw,
    version: u64,
    stores: Vec<StateStore>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateStore {
    name: Raw,
    auto_increment: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_path: Option<Raw>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_path_array: Option<Raw>,
    records: Vec<StateRow>,
    indexes: Vec<StateIndex>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateRow {
    // `null` is a value of its own here, not an absent one.
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    key: Option<Raw>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_encoded: Option<Raw>,
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    value: Option<Raw>,
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    value_encoded: Option<Raw>,
}

fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Raw>, D::Error> {
    Raw::deserialize(from).map(Some)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateIndex {
    name: Raw,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_path: Option<Raw>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_path_array: Option<Raw>,
    multi_entry: bool,
    unique: bool,
}

/// Turns a snapshot into a `storageState`, and says what that cannot hold.
pub async fn export<R: AsyncBufRead + Unpin>(from: R) -> Result<(String, Report), ContentError> {
    let mut reader = Reader::new(from).await?;
    let mut export = Export {
        cookies: Vec::new(),
        origins: Vec::new(),
        contexts: 0,
        key: String::new(),
        at: At::Nothing,
        report: Report::default(),
    };
    while let Some(record) = reader.next().await? {
        export.record(record);
    }
    let mut report = export.report;
    report.counts = reader.counts().clone();
    report.complete = reader.trailer().is_some_and(|trailer| trailer.complete);
    let state = State { cookies: Some(export.cookies), origins: Some(export.origins) };
    Ok((serde_json::to_string(&state).unwrap_or_default(), report))
}

/// To what the next record belongs.
#[derive(PartialEq, Eq)]
enum At {
    Nothing,
    Origin,
    Database,
}

struct Export {
    cookies: Vec<StateCookie>,
    origins: Vec<Origin>,
    contexts: usize,
    key: String,
    at: At,
    report: Report,
}

impl Export {
    fn lose(&mut self, what: &str, place: &str, why: &str) {
        self.report.lose(Lost { what: what.to_owned(), place: place.to_owned(), why: why.to_owned() });
    }

    fn record(&mut self, record: Record) {
        match record {
            Record::Context(_) => {
                self.contexts += 1;
                self.at = At::Nothing;
                if self.contexts == 2 {
                    self.lose("context", "", "Playwright's format holds one context, the default one");
                }
            }
            _ if self.contexts > 1 => {}
            Record::Header(_) | Record::End(_) => {}
            Record::Lost(lost) => self.report.lose(lost),
            Record::Permissions(_) => self.lose("permissions", "", "Playwright's format holds no permissions"),
            Record::Cookies(cookies) => self.cookies.extend(cookies.into_iter().map(cookie_out)),
            Record::Storage(storage) => {
                if let Some(origin) = storage.key.strip_suffix('/').filter(|origin| is_web(origin)) {
                    let (url, local_storage, indexed_db) = (origin.to_owned(), Vec::new(), Vec::new());
                    self.origins.push(Origin { url, local_storage, indexed_db, opfs: Vec::new() });
                    self.key.clone_from(&storage.key);
                    self.at = At::Origin;
                } else {
                    self.at = At::Nothing;
                    self.lose("storage", &storage.key, "Playwright's format holds no partitioned storage");
                }
            }
            Record::Page(page) => {
                self.lose("page", &page.url, "Playwright's format holds no pages and no sessionStorage");
            }
            _ if self.at == At::Nothing => {}
            Record::LocalStorage(items) => {
                if let Some(origin) = self.origins.last_mut() {
                    origin.local_storage.extend(items.into_iter().map(|(name, value)| Item { name, value }));
                }
            }
            Record::Database(database) => {
                if let Some(origin) = self.origins.last_mut() {
                    origin.indexed_db.push(database_out(database));
                    self.at = At::Database;
                }
            }
            Record::Rows(rows) => self.rows(&rows),
        }
    }

    fn rows(&mut self, rows: &Rows) {
        if self.at != At::Database {
            return;
        }
        let database = self.origins.last_mut().and_then(|origin| origin.indexed_db.last_mut());
        let Some(database) = database else { return };
        let name = database.name.get().to_owned();
        let Some(store) = database.stores.get_mut(rows.store) else { return };
        let place = format!("{} {name} {}", self.key, store.name.get());
        let own_key = store.key_path.is_none() && store.key_path_array.is_none();
        for (key, value) in &rows.rows {
            match row_out(own_key, key, value) {
                Ok(row) => store.records.push(row),
                Err(why) => {
                    let key: String = key.get().chars().take(100).collect();
                    let why = format!("Playwright's format has nothing for {why}");
                    self.report.lose(Lost { what: "row".to_owned(), place: format!("{place} {key}"), why });
                }
            }
        }
    }
}

fn row_out(own_key: bool, key: &RawValue, value: &RawValue) -> Result<StateRow, String> {
    let mut row = StateRow::default();
    let mut writer = value::ToPlaywright::default();
    match writer.write(key)? {
        _ if !own_key => {}
        value::Written::Plain(json) => row.key = Some(raw(json)?),
        value::Written::Encoded(json) => row.key_encoded = Some(raw(json)?),
    }
    match writer.write(value)? {
        value::Written::Plain(json) => row.value = Some(raw(json)?),
        value::Written::Encoded(json) => row.value_encoded = Some(raw(json)?),
    }
    Ok(row)
}

fn raw(json: String) -> Result<Raw, String> {
    RawValue::from_string(json).map_err(|error| error.to_string())
}

fn cookie_out(cookie: Cookie) -> StateCookie {
    let (partition_key, has_cross_site_ancestor) =
        cookie.partition_key.map(|key| (key.top_level_site, key.has_cross_site_ancestor)).unzip();
    StateCookie {
        name: cookie.name,
        value: cookie.value,
        domain: cookie.domain,
        path: cookie.path,
        expires: seconds(cookie.expires),
        http_only: cookie.http_only,
        secure: cookie.secure,
        // As Playwright does with a site that did not say.
        same_site: cookie.same_site.unwrap_or_else(|| "Lax".to_owned()),
        partition_key,
        has_cross_site_ancestor,
    }
}

/// As Playwright writes it: -1 for a cookie that ends with the browser, and no fraction that is none.
fn seconds(expires: Option<f64>) -> Number {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of seconds")]
    let whole = |seconds: f64| (seconds.fract() == 0.0 && seconds.abs() < 1e15).then_some(seconds as i64);
    match expires {
        None => Number::from(-1),
        Some(expires) => whole(expires).map(Number::from).or(Number::from_f64(expires)).unwrap_or(Number::from(-1)),
    }
}

/// A key path is either a string, or an array, or none.
fn split_path(path: Raw) -> (Option<Raw>, Option<Raw>) {
    match path.get().as_bytes().first() {
        Some(b'"') => (Some(path), None),
        Some(b'[') => (None, Some(path)),
        _ => (None, None),
    }
}

fn database_out(database: Database) -> StateDatabase {
    let stores = database.stores.into_iter().map(|store| {
        let (key_path, key_path_array) = split_path(store.key_path);
        let indexes = store.indexes.into_iter().map(|index| {
            let (key_path, key_path_array) = split_path(index.key_path);
            StateIndex {
                name: index.name,
                key_path,
                key_path_array,
                multi_entry: index.multi_entry,
                unique: index.unique,
            }
        });
        StateStore {
            name: store.name,
            auto_increment: store.auto_increment,
            key_path,
            key_path_array,
            records: Vec::new(),
            indexes: indexes.collect(),
        }
    });
    StateDatabase { name: database.name, version: database.version, stores: stores.collect() }
}

/// Reads a document, and says where it has another shape.
fn read(json: &str) -> Result<State, ImportError> {
    let mut document = serde_json::Deserializer::from_str(json);
    let state: State = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let place = error.path().to_string();
        ImportError::Shape(if place == "." { error.into_inner().to_string() } else { error.to_string() })
    })?;
    document.end().map_err(|error| ImportError::Shape(error.to_string()))?;
    // Any other document lacks both: an empty state has empty lists.
    if state.cookies.is_none() && state.origins.is_none() {
        return Err(ImportError::Shape("it has neither cookies nor origins".to_owned()));
    }
    Ok(state)
}

/// Turns a `storageState` into a snapshot, and says what that cannot hold.
pub async fn import<W: AsyncWrite + Unpin>(json: &str, to: W) -> Result<Report, ImportError> {
    let state = read(json)?;
    // All of it is understood before anything is written.
    let mut report = Report { complete: true, ..Report::default() };
    let mut records = vec![Record::Context(Context::default())];
    let cookies = state.cookies.unwrap_or_default();
    if !cookies.is_empty() {
        records.push(Record::Cookies(cookies.into_iter().map(cookie_in).collect()));
    }
    for origin in state.origins.unwrap_or_default() {
        origin_in(origin, &mut records, &mut report)?;
    }
    let lost: Vec<Record> = report.lost.iter().cloned().map(Record::Lost).collect();
    let write = async {
        let mut writer = Writer::new(to, "").await?;
        for record in records.iter().chain(&lost) {
            writer.write(record).await?;
        }
        writer.end(true).await
    };
    report.counts = write.await.map_err(SnapshotError::Write)?;
    Ok(report)
}

fn cookie_in(cookie: StateCookie) -> Cookie {
    let partition_key = cookie.partition_key.map(|top_level_site| PartitionKey {
        top_level_site,
        has_cross_site_ancestor: cookie.has_cross_site_ancestor.unwrap_or(true),
    });
    Cookie {
        name: cookie.name,
        value: cookie.value,
        domain: cookie.domain,
        path: cookie.path,
        expires: cookie.expires.as_f64().filter(|expires| *expires >= 0.0),
        http_only: cookie.http_only,
        secure: cookie.secure,
        same_site: Some(cookie.same_site),
        priority: None,
        source_scheme: None,
        source_port: None,
        partition_key,
    }
}

fn origin_in(origin: Origin, records: &mut Vec<Record>, report: &mut Report) -> Result<(), ImportError> {
    if !is_web(&origin.url) {
        return Err(ImportError::Shape(format!("{:?} is no origin", origin.url)));
    }
    let key = format!("{}/", origin.url);
    if !origin.opfs.is_empty() {
        let why = "the origin's private files are not part of snapshots".to_owned();
        report.lose(Lost { what: "fileSystem".to_owned(), place: key.clone(), why });
    }
    records.push(Record::Storage(Storage { key: key.clone() }));
    if !origin.local_storage.is_empty() {
        let items = origin.local_storage.into_iter().map(|item| (item.name, item.value));
        records.push(Record::LocalStorage(items.collect()));
    }
    let nothing = || raw("null".to_owned()).map_err(ImportError::Shape);
    for database in origin.indexed_db {
        let place = format!("{key} {}", database.name.get());
        let mut stores = Vec::new();
        let mut all_rows = Vec::new();
        for (number, store) in database.stores.into_iter().enumerate() {
            let mut rows = Vec::new();
            for row in store.records {
                match row_in(row) {
                    Ok(row) => rows.push(row),
                    Err(why) => {
                        let place = format!("{place} {}", store.name.get());
                        report.lose(Lost { what: "row".to_owned(), place, why });
                    }
                }
            }
            if !rows.is_empty() {
                all_rows.push(Record::Rows(Rows { store: number, rows }));
            }
            let mut indexes = Vec::new();
            for index in store.indexes {
                let Some(key_path) = index.key_path_array.or(index.key_path) else {
                    let name = index.name.get();
                    return Err(ImportError::Shape(format!("{place}: the index {name} has no key path")));
                };
                indexes.push(Index {
                    name: index.name,
                    key_path,
                    unique: index.unique,
                    multi_entry: index.multi_entry,
                });
            }
            let key_path = match store.key_path_array.or(store.key_path) {
                Some(path) => path,
                None => nothing()?,
            };
            stores.push(Store {
                name: store.name,
                key_path,
                auto_increment: store.auto_increment,
                next_key: None,
                indexes,
            });
        }
        records.push(Record::Database(Database { name: database.name, version: database.version, stores }));
        records.append(&mut all_rows);
    }
    Ok(())
}

fn row_in(row: StateRow) -> Result<(Raw, Raw), String> {
    let mut reader = value::FromPlaywright::default();
    let key = match (row.key, row.key_encoded) {
        (Some(key), _) => reader.plain(&key)?,
        (None, Some(key)) => reader.encoded(&key)?,
        // The value holds it.
        (None, None) => "null".to_owned(),
    };
    let value = match (row.value, row.value_encoded) {
        (Some(value), _) => reader.plain(&value)?,
        (None, Some(value)) => reader.encoded(&value)?,
        (None, None) => return Err("it has no value".to_owned()),
    };
    Ok((raw(key)?, raw(value)?))
}

#[cfg(test)]
mod tests;
