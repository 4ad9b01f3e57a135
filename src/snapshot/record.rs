//! The records of a snapshot's content, one JSON object per line. `ndjson` reads and writes them.
//!
//! The first record is the [`Header`], the last the [`Trailer`]. A record in between belongs to the last context,
//! storage key and database before it. `docs/snapshot-content.md` is the reference. Strings that a page chose stay JSON
//! ([`JsonString`]), because JavaScript strings need not be valid Unicode.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    cdp::{emulation::Override, json_string::JsonString, permission::Ruling},
    port::egress::UpstreamProxy,
};

/// The version that this program writes. It reads this one and every older one.
pub const VERSION: u32 = 1;

/// A piece of JSON as Chrome or a page wrote it.
pub type Raw = Box<RawValue>;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Record {
    /// The header; the first record.
    Header(Header),
    /// A context starts; the first one is the session's default.
    Context(Context),
    /// Permissions that clients set in this context, in order.
    Permissions(Vec<Ruling>),
    /// Cookies of this context.
    Cookies(Vec<Cookie>),
    /// A storage key of this context starts.
    Storage(Storage),
    /// Items of this storage key's localStorage: `[key, value]`.
    LocalStorage(Vec<(JsonString, JsonString)>),
    /// A database of this storage key starts.
    Database(Database),
    /// Rows of this database.
    Rows(Rows),
    /// An open page of this context.
    Page(Box<Page>),
    /// An item that could not be carried.
    Lost(Lost),
    /// The counts; the last record.
    End(Trailer),
}

/// The header of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The content's version.
    pub version: u32,
    /// The browser's product, for example `HeadlessChrome/156.0.8078.79`; empty for an import.
    pub browser: String,
}

/// A context.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// Whether a client created it; otherwise it is the session's default context.
    pub made_by_client: bool,
    /// The proxy that its client named for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proxy: Option<KeptProxy>,
}

/// The proxy of a context. `Debug` shows no password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptProxy {
    /// Its URL without user and password, for people.
    pub server: String,
    /// URL and bypass list, one a line. `None` if user and password may not be in the snapshot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub whole: Option<String>,
}

impl fmt::Debug for KeptProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptProxy({})", self.server)
    }
}

impl KeptProxy {
    /// A proxy; user and password are kept if `with_credentials`.
    pub fn new(proxy: &UpstreamProxy, with_credentials: bool) -> Self {
        let whole = Some(proxy.to_text().reveal().clone()).filter(|_| with_credentials || proxy.credentials.is_none());
        Self { server: proxy.to_string(), whole }
    }

    /// The proxy, if all of it is there.
    pub fn open(&self) -> Option<UpstreamProxy> {
        UpstreamProxy::of_text(self.whole.as_deref()?)
    }
}

/// A cookie with every attribute that Chrome reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// A host, or a domain with a leading dot.
    pub domain: String,
    /// Its path.
    pub path: String,
    /// Seconds since the epoch; absent for a session cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<f64>,
    /// Whether scripts cannot read it.
    #[serde(default)]
    pub http_only: bool,
    /// Whether it is sent on secure connections only.
    #[serde(default)]
    pub secure: bool,
    /// `Strict`, `Lax` or `None`; absent if the site set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_site: Option<String>,
    /// `Low`, `Medium` or `High`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// `Unset`, `NonSecure` or `Secure`: the scheme of the page that set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_scheme: Option<String>,
    /// The port of the server that set it; -1 if Chrome does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<i32>,
    /// The partition of a `Partitioned` cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<PartitionKey>,
}

/// CDP's `Network.CookiePartitionKey`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionKey {
    /// The site of the top-level page.
    pub top_level_site: String,
    /// Whether a frame of another site was in between.
    pub has_cross_site_ancestor: bool,
}

/// A storage key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// In Chrome's spelling: `https://a.test/`, or with its partition `https://a.test/^0https://top.test`.
    pub key: String,
}

/// A database of `IndexedDB`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Its name.
    pub name: JsonString,
    /// Its version.
    pub version: u64,
    /// Its object stores.
    pub stores: Vec<ObjectStore>,
}

/// An object store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStore {
    /// Its name.
    pub name: JsonString,
    /// A JSON string, an array of them, or null.
    pub key_path: Raw,
    /// Whether the store generates keys.
    pub auto_increment: bool,
    /// The next key that it will generate; absent if it generates none or Chrome did not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<f64>,
    /// Its indexes.
    pub indexes: Vec<Index>,
}

/// An index.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Its name.
    pub name: JsonString,
    /// A JSON string or an array of them.
    pub key_path: Raw,
    /// Whether each key may occur only once.
    pub unique: bool,
    /// Whether an array adds a key for each of its items.
    pub multi_entry: bool,
}

/// Rows of an object store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    /// The store's index in [`Database::stores`].
    pub store: usize,
    /// Key and value in the encoding of `docs/snapshot-content.md`.
    pub rows: Vec<(Raw, Raw)>,
}

/// An open page.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The page's URL.
    pub url: String,
    /// Its title.
    pub title: JsonString,
    /// Its session history, oldest first; empty if unknown.
    #[serde(default)]
    pub history: Vec<Entry>,
    /// The index of the current entry.
    #[serde(default)]
    pub current: usize,
    /// The scroll position, in CSS pixels.
    #[serde(default)]
    pub scroll: (f64, f64),
    /// The index of the page that opened it, among this context's pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opener: Option<usize>,
    /// Whether the page was in front.
    #[serde(default)]
    pub front: bool,
    /// Its sessionStorage.
    #[serde(default)]
    pub session_storage: Vec<SessionStorage>,
    /// The contents of its form fields, if they were requested.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// The emulation that its clients set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emulation: Vec<Override>,
}

/// An entry of a page's session history.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its URL.
    pub url: String,
    /// Its title.
    pub title: JsonString,
}

/// A page's sessionStorage of one storage key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStorage {
    /// In Chrome's spelling.
    pub key: String,
    /// `[key, value]`.
    pub items: Vec<(JsonString, JsonString)>,
}

/// A form field of a page's own document that differs from what the site sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// The index of the field among the document's fields, in tree order.
    pub number: usize,
    /// The element's name in capitals, to check that the page has not changed.
    pub tag: String,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<JsonString>,
    /// Whether it is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<bool>,
    /// Whether the option is selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<bool>,
}

/// An item that could not be carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// The kind of item: `cookie`, `localStorage`, `database`, `row`, `page`, …
    pub what: String,
    /// The place of the item: a storage key, a URL, a database's name.
    pub place: String,
    /// Why it could not be carried.
    pub why: String,
}

/// Counts of a snapshot's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Contexts.
    pub contexts: u64,
    /// Cookies.
    pub cookies: u64,
    /// Storage keys with any content.
    pub origins: u64,
    /// Items of localStorage.
    pub local_storage: u64,
    /// Items of sessionStorage.
    pub session_storage: u64,
    /// Databases.
    pub databases: u64,
    /// Rows in their stores.
    pub rows: u64,
    /// Open pages.
    pub pages: u64,
    /// Bytes of all records.
    pub bytes: u64,
}

impl Counts {
    /// Counts one more record, except its bytes.
    pub(super) fn add(&mut self, record: &Record) {
        let count = |length: usize| length as u64;
        match record {
            Record::Context(_) => self.contexts += 1,
            Record::Cookies(cookies) => self.cookies += count(cookies.len()),
            Record::Storage(_) => self.origins += 1,
            Record::LocalStorage(items) => self.local_storage += count(items.len()),
            Record::Database(_) => self.databases += 1,
            Record::Rows(rows) => self.rows += count(rows.rows.len()),
            Record::Page(page) => {
                self.pages += 1;
                self.session_storage += page.session_storage.iter().map(|area| count(area.items.len())).sum::<u64>();
            }
            Record::Header(_) | Record::Permissions(_) | Record::Lost(_) | Record::End(_) => {}
        }
    }
}

/// The end of a snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trailer {
    /// Counts of the records before it; a difference means that the snapshot was cut.
    pub counts: Counts,
    /// False if a deadline passed first: the parts that had not been read by then are among the losses.
    pub complete: bool,
}
