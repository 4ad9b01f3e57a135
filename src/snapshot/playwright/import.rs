//! Converts a `storageState` to records.

use std::ops::Deref;

use serde_json::value::RawValue;
use tokio::io::AsyncWrite;

use super::{
    raw,
    state::{Origin, State, StateCookie, StateRow},
    value,
};
use crate::{
    runtime,
    snapshot::{
        Report, SnapshotError,
        ndjson::Writer,
        record::{Context, Cookie, Database, Index, Lost, ObjectStore, PartitionKey, Raw, Record, Rows, Storage},
        storage_key::is_web,
    },
};

/// Approximate bytes of one record: as many as a record read from a browser has.
const PIECE: usize = 1024 * 1024;

/// Why a document is not a valid `storageState`.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It has another shape.
    #[error("this is not a storageState of Playwright: {0}")]
    Shape(String),
    /// The records could not be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Parses a document; the error says where its shape is wrong.
fn read(json: &str) -> Result<State, ImportError> {
    let mut document = serde_json::Deserializer::from_str(json);
    let state: State = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let place = error.path().to_string();
        ImportError::Shape(if place == "." { error.into_inner().to_string() } else { error.to_string() })
    })?;
    document.end().map_err(|error| ImportError::Shape(error.to_string()))?;
    // Every other document lacks both: an empty state has empty lists.
    if state.cookies.is_none() && state.origins.is_none() {
        return Err(ImportError::Shape("it has neither cookies nor origins".to_owned()));
    }
    Ok(state)
}

/// Converts a `storageState` to a snapshot, and reports what that cannot hold.
pub async fn import<W: AsyncWrite + Unpin>(json: &str, to: W) -> Result<Report, ImportError> {
    let mut report = Report { complete: true, ..Report::default() };
    // Everything is parsed before anything is written.
    let records = runtime::aside(json.len(), || records_of(json, &mut report))?;
    let lost: Vec<Record> = report.lost.iter().cloned().map(Record::Lost).collect();
    let write = async {
        let mut writer = Writer::new(to, "").await?;
        for record in records.into_iter().chain(lost) {
            writer.write(&record).await?;
        }
        writer.end(true).await
    };
    report.counts = write.await.map_err(SnapshotError::Write)?;
    Ok(report)
}

fn records_of(json: &str, report: &mut Report) -> Result<Vec<Record>, ImportError> {
    let state = read(json)?;
    let mut records = vec![Record::Context(Context::default())];
    let cookies = state.cookies.unwrap_or_default().into_iter().map(cookie_in);
    let size = |cookie: &Cookie| cookie.name.len() + cookie.value.len() + cookie.domain.len() + cookie.path.len() + 200;
    records.extend(pieces(cookies, size).map(Record::Cookies));
    for origin in state.origins.unwrap_or_default() {
        origin_in(origin, &mut records, report)?;
    }
    Ok(records)
}

/// Cuts a list into records of about [`PIECE`] bytes; `size` returns the bytes of an item.
fn pieces<T>(items: impl Iterator<Item = T>, size: impl Fn(&T) -> usize) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.peekable();
    std::iter::from_fn(move || {
        items.peek()?;
        let (mut piece, mut bytes) = (Vec::new(), 0);
        while bytes < PIECE
            && let Some(item) = items.next()
        {
            bytes += size(&item);
            piece.push(item);
        }
        Some(piece)
    })
}

/// The bytes of a pair of JSON texts.
fn pair_size<T: Deref<Target = RawValue>>((key, value): &(T, T)) -> usize {
    key.get().len() + value.get().len() + 4
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
        return Err(ImportError::Shape(format!("{:?} is not an origin", origin.url)));
    }
    let key = format!("{}/", origin.url);
    if !origin.opfs.is_empty() {
        let why = "the origin's private files are not part of snapshots".to_owned();
        report.lose(Lost { what: "fileSystem".to_owned(), place: key.clone(), why });
    }
    records.push(Record::Storage(Storage { key: key.clone() }));
    let items = origin.local_storage.into_iter().map(|item| (item.name, item.value));
    records.extend(pieces(items, pair_size).map(Record::LocalStorage));
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
            all_rows.extend(pieces(rows.into_iter(), pair_size).map(|rows| Record::Rows(Rows { store: number, rows })));
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
            stores.push(ObjectStore {
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
        // The value contains the key.
        (None, None) => "null".to_owned(),
    };
    let value = match (row.value, row.value_encoded) {
        (Some(value), _) => reader.plain(&value)?,
        (None, Some(value)) => reader.encoded(&value)?,
        (None, None) => return Err("it has no value".to_owned()),
    };
    Ok((raw(key)?, raw(value)?))
}
