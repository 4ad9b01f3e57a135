//! Snapshots, in the words of the domain: what is saved of a session, and what a new one begins with. PURE: shapes
//! only.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Metadata, Millis, Session, Unreadable, given};

/// Most copies that one command makes of a session.
pub const COPIES_MOST: u32 = 100;

/// `ghost.SnapshotPart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SnapshotPart {
    /// Cookies.
    Cookies,
    /// localStorage.
    LocalStorage,
    /// `IndexedDB`.
    #[serde(rename = "indexedDB")]
    IndexedDb,
    /// Open pages with their sessionStorage, history and scroll position.
    Pages,
    /// What clients granted to sites by CDP.
    Permissions,
    /// What stands in form fields, passwords included.
    FormFields,
}

impl SnapshotPart {
    /// What a snapshot has unless its maker says otherwise.
    pub const USUAL: [Self; 5] = [Self::Cookies, Self::LocalStorage, Self::IndexedDb, Self::Pages, Self::Permissions];
}

/// `ghost.RestoreMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestoreMode {
    /// What is in the session goes first.
    #[default]
    Replace,
    /// What the snapshot does not name stays.
    Merge,
}

/// `ghost.SnapshotFormat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SnapshotFormat {
    /// Playwright's `storageState`.
    #[default]
    Playwright,
    /// All of it, as `docs/snapshot-content.md` says.
    Ghostmux,
}

/// `ghost.Snapshot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// As its owner calls it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// What its owner wants to remember.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Metadata>,
    /// When it was made, in milliseconds since the epoch.
    pub created_at: u64,
    /// When it goes by itself, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<u64>,
    /// The session it is of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_id: Option<String>,
    /// Bytes of its content.
    pub size: u64,
    /// Bytes it takes in the store.
    pub stored_size: u64,
    /// What it was to have.
    pub parts: Vec<SnapshotPart>,
    /// Cookies in it.
    pub cookies: u64,
    /// Origins, or partitions of one, that have something in it.
    pub origins: u64,
    /// Databases in it.
    pub databases: u64,
    /// Pages in it.
    pub pages: u64,
    /// Whether a deadline came before all was read.
    pub partial: bool,
}

/// `ghost.Omission`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Omission {
    /// What was not carried.
    pub what: String,
    /// Where it is.
    pub place: String,
    /// Why it was not.
    pub reason: String,
}

/// `ghost.SnapshotReport`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReport {
    /// Cookies carried.
    pub cookies: u64,
    /// Origins, or partitions of one, carried.
    pub origins: u64,
    /// Databases carried.
    pub databases: u64,
    /// Rows of these databases.
    pub rows: u64,
    /// Pages carried.
    pub pages: u64,
    /// Bytes of the content.
    pub bytes: u64,
    /// How long it took.
    pub took: Millis,
    /// Whether a deadline came before all was read.
    pub partial: bool,
    /// What was not carried, the first of it.
    pub omitted: Vec<Omission>,
    /// How much was not.
    pub omitted_count: u64,
}

/// A snapshot and how it came about: the answer of `ghost.saveSnapshot` and `ghost.importSnapshot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What was carried, and what was not.
    pub report: SnapshotReport,
}

/// The answer of `ghost.cloneSession`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cloned {
    /// The new sessions.
    pub sessions: Vec<Session>,
    /// What was carried, and what was not.
    pub report: SnapshotReport,
}

/// A page of snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshots {
    /// The newest first.
    pub snapshots: Vec<Snapshot>,
    /// Those whose record in the store cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unreadable: Vec<Unreadable>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// What a snapshot is to be called, and how long it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Label {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub name: Option<String>,
    /// What to remember.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// How long it is kept; 0 is until it is deleted.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub ttl: Option<Millis>,
}

/// What a new session begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Beginning {
    /// The snapshot.
    pub snapshot: String,
    /// Whether its pages are opened.
    pub pages: bool,
}

/// What `ghost.restoreSnapshot` takes beside the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restoring {
    /// Which snapshot.
    pub snapshot: String,
    /// What becomes of what is there.
    #[serde(default)]
    pub mode: RestoreMode,
    /// Whether its pages are opened.
    #[serde(default = "yes")]
    pub pages: bool,
}

/// Which snapshots `ghost.listSnapshots` and `GET /v1/snapshots` give.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WantedSnapshots {
    /// With this in their name, in whatever case.
    #[serde(deserialize_with = "given")]
    pub name: Option<String>,
    /// That have all of this.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// At most so many, 1 to 1000.
    #[serde(deserialize_with = "given")]
    pub limit: Option<u32>,
    /// Where the page before this one ended.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

/// What `ghost.exportSnapshot` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exporting {
    /// Which snapshot.
    pub snapshot: String,
    /// As what.
    #[serde(default)]
    pub format: SnapshotFormat,
}

/// What `ghost.exportSnapshot` answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exported {
    /// Playwright's document, if that was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_state: Option<Box<RawValue>>,
    /// The whole content in base64, if that was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What the format has no room for.
    pub report: SnapshotReport,
}

/// What `ghost.importSnapshot` makes a snapshot of.
#[derive(Clone, Debug, PartialEq)]
pub enum Importing {
    /// Playwright's document, as JSON.
    StorageState(String),
    /// What was exported as [`SnapshotFormat::Ghostmux`], in base64.
    Data(String),
}

impl Importing {
    /// How large it is, in bytes.
    pub fn len(&self) -> usize {
        let (Self::StorageState(text) | Self::Data(text)) = self;
        text.len()
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Exported {
    /// How large it is, in bytes.
    pub fn len(&self) -> usize {
        let state = self.storage_state.as_ref().map_or(0, |state| state.get().len());
        state + self.data.as_ref().map_or(0, String::len)
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn yes() -> bool {
    true
}
