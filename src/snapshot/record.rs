//! What a snapshot's content is made of: records, one JSON object a line. How they are read and written is in `ndjson`.
//!
//! The first record is the [`Header`], the last the [`Trailer`]; what is between belongs to the context, the storage key
//! and the database named last. `docs/snapshot-content.md` is the reference. Strings that a page chose stay raw JSON:
//! JavaScript's may hold what is no Unicode.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cdp::{emulation::Override, permission::Ruling};

/// The version this program writes; it reads it and every older one.
pub const VERSION: u32 = 1;

/// A piece of JSON as Chrome or a page wrote it.
pub type Raw = Box<RawValue>;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Record {
    /// What this is; the first.
    Header(Header),
    /// A context begins; the first one is the session's default.
    Context(Context),
    /// What its clients ruled on permissions of this context, in order.
    Permissions(Vec<Ruling>),
    /// Cookies of this context.
    Cookies(Vec<Cookie>),
    /// A storage key of this context begins.
    Storage(Storage),
    /// Items of this storage key's localStorage: `[key, value]`, both JSON strings.
    LocalStorage(Vec<(Raw, Raw)>),
    /// A database of this storage key begins.
    Database(Database),
    /// Rows of this database.
    Rows(Rows),
    /// An open page of this context.
    Page(Box<Page>),
    /// Something that could not be carried.
    Lost(Lost),
    /// How much there was; the last.
    End(Trailer),
}

/// What a snapshot is of.
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
    /// Whether a client made it; otherwise it is the session's default.
    pub made_by_client: bool,
}

/// A cookie with every attribute that Chrome tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Host, or with a dot in front a domain.
    pub domain: String,
    /// Its path.
    pub path: String,
    /// Seconds since the epoch; absent for one that ends with the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<f64>,
    /// Hidden from scripts.
    #[serde(default)]
    pub http_only: bool,
    /// For secure connections only.
    #[serde(default)]
    pub secure: bool,
    /// `Strict`, `Lax` or `None`; absent if the site did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_site: Option<String>,
    /// `Low`, `Medium` or `High`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// `Unset`, `NonSecure` or `Secure`: how it was set.
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
    /// Whether a frame of another site was between.
    pub has_cross_site_ancestor: bool,
}

/// A storage key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// As Chrome spells it: `https://a.test/`, or with its partition `https://a.test/^0https://top.test`.
    pub key: String,
}

/// A database of `IndexedDB`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Its name, a JSON string.
    pub name: Raw,
    /// Its version.
    pub version: u64,
    /// Its object stores.
    pub stores: Vec<ObjectStore>,
}

/// An object store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStore {
    /// Its name, a JSON string.
    pub name: Raw,
    /// A JSON string, an array of them, or null.
    pub key_path: Raw,
    /// Whether it makes keys itself.
    pub auto_increment: bool,
    /// The next key it will make; absent if it makes none or Chrome did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<f64>,
    /// Its indexes.
    pub indexes: Vec<Index>,
}

/// An index.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Its name, a JSON string.
    pub name: Raw,
    /// A JSON string or an array of them.
    pub key_path: Raw,
    /// Whether a key may stand only once.
    pub unique: bool,
    /// Whether an array gives a key for each of its items.
    pub multi_entry: bool,
}

/// Rows of an object store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    /// The store's place in [`Database::stores`].
    pub store: usize,
    /// Key and value in the encoding of `docs/snapshot-content.md`.
    pub rows: Vec<(Raw, Raw)>,
}

/// An open page.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Where it was.
    pub url: String,
    /// Its title, a JSON string.
    pub title: Raw,
    /// Its session history, the oldest first; empty if it is not known.
    #[serde(default)]
    pub history: Vec<Entry>,
    /// The place of the current entry.
    #[serde(default)]
    pub current: usize,
    /// How far it was scrolled, in CSS pixels.
    #[serde(default)]
    pub scroll: (f64, f64),
    /// The page that opened it, by its place among this context's pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opener: Option<usize>,
    /// Whether it was in front.
    #[serde(default)]
    pub front: bool,
    /// Its sessionStorage.
    #[serde(default)]
    pub session_storage: Vec<SessionStorage>,
    /// What stood in its form fields, if that was asked for.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// What its clients had it pretend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emulation: Vec<Override>,
}

/// An entry of a page's session history.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its URL.
    pub url: String,
    /// Its title, a JSON string.
    pub title: Raw,
}

/// A page's sessionStorage of one storage key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStorage {
    /// As Chrome spells it.
    pub key: String,
    /// `[key, value]`, both JSON strings.
    pub items: Vec<(Raw, Raw)>,
}

/// A form field of a page's own document that is not as the site sent it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// Which of the document's fields, in tree order, counted from 0.
    pub number: usize,
    /// Its element's name in capitals, to tell whether the page is still the same.
    pub tag: String,
    /// Its text, a JSON string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Raw>,
    /// Whether it is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<bool>,
    /// Whether it, an option, is selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<bool>,
}

/// Something that could not be carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// What it is: `cookie`, `localStorage`, `database`, `row`, `page`, …
    pub what: String,
    /// Where it is: a storage key, a URL, a database's name.
    pub place: String,
    /// Why it could not be carried.
    pub why: String,
}

/// How much a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Contexts.
    pub contexts: u64,
    /// Cookies.
    pub cookies: u64,
    /// Storage keys that hold anything.
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
    /// Counts one more record, but for its bytes.
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
    /// How much came before it; less is a snapshot that was cut.
    pub counts: Counts,
    /// False if a deadline came first: what had not been read by then is among what was lost.
    pub complete: bool,
}
