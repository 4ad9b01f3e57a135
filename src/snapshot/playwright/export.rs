//! Converts records to a `storageState`.

use serde_json::{Number, value::RawValue};
use tokio::io::AsyncBufRead;

use super::{
    raw,
    state::{Item, Origin, State, StateCookie, StateDatabase, StateIndex, StateRow, StateStore},
    value,
};
use crate::{
    runtime,
    snapshot::{
        Report,
        ndjson::{ContentError, Reader},
        record::{Cookie, Database, Lost, Raw, Record, Rows},
        storage_key::is_web,
    },
};

/// Converts a snapshot to a `storageState`, and reports what that cannot hold.
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
    let mut before = 0;
    while let Some(record) = reader.next().await? {
        let size = usize::try_from(reader.counts().bytes - before).unwrap_or(usize::MAX);
        before = reader.counts().bytes;
        runtime::aside(size, || export.record(record));
    }
    let mut report = export.report;
    report.counts = reader.counts().clone();
    report.complete = reader.trailer().is_some_and(|trailer| trailer.complete);
    let size = usize::try_from(report.counts.bytes).unwrap_or(usize::MAX);
    let state = runtime::aside(size, || {
        let state = State { cookies: Some(export.cookies), origins: Some(export.origins) };
        serde_json::to_string(&state).unwrap_or_default()
    });
    Ok((state, report))
}

/// The object to which the next record belongs.
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
                let place = format!("{} {}", self.key, database.name.get());
                let (database, without_path) = database_out(database);
                for index in without_path {
                    self.lose("index", &format!("{place} {index}"), "it has no key path");
                }
                if let Some(origin) = self.origins.last_mut() {
                    origin.indexed_db.push(database);
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
        let Some(store) = database.stores.get_mut(rows.store) else {
            let place = format!("{} {name} {}", self.key, rows.store);
            return self.lose("rows", &place, "their store does not exist");
        };
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
        // As Playwright does for a cookie without the attribute.
        same_site: cookie.same_site.unwrap_or_else(|| "Lax".to_owned()),
        partition_key,
        has_cross_site_ancestor,
    }
}

/// As Playwright writes it: -1 for a session cookie, and no fraction for a whole number.
fn seconds(expires: Option<f64>) -> Number {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of seconds")]
    let whole = |seconds: f64| (seconds.fract() == 0.0 && seconds.abs() < 1e15).then_some(seconds as i64);
    match expires {
        None => Number::from(-1),
        Some(expires) => whole(expires).map(Number::from).or(Number::from_f64(expires)).unwrap_or(Number::from(-1)),
    }
}

/// A key path is a string, an array, or absent.
fn split_path(path: Raw) -> (Option<Raw>, Option<Raw>) {
    match path.get().as_bytes().first() {
        Some(b'"') => (Some(path), None),
        Some(b'[') => (None, Some(path)),
        _ => (None, None),
    }
}

/// The database, and its indexes without a key path, which the format cannot hold: names of store and index.
fn database_out(database: Database) -> (StateDatabase, Vec<String>) {
    let mut without_path = Vec::new();
    let mut stores = Vec::new();
    for store in database.stores {
        let (key_path, key_path_array) = split_path(store.key_path);
        let mut indexes = Vec::new();
        for index in store.indexes {
            let (key_path, key_path_array) = split_path(index.key_path);
            if key_path.is_none() && key_path_array.is_none() {
                without_path.push(format!("{} {}", store.name.get(), index.name.get()));
                continue;
            }
            indexes.push(StateIndex {
                name: index.name,
                key_path,
                key_path_array,
                multi_entry: index.multi_entry,
                unique: index.unique,
            });
        }
        stores.push(StateStore {
            name: store.name,
            auto_increment: store.auto_increment,
            key_path,
            key_path_array,
            records: Vec::new(),
            indexes,
        });
    }
    (StateDatabase { name: database.name, version: database.version, stores }, without_path)
}
