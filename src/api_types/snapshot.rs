//! Snapshots: the saved state of a session, which a new session can start from. PURE: types only.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Metadata, Millis, Options, Session, Unreadable, WantedProxy};

/// Most copies that one command makes of a session.
pub const COPIES_MOST: u32 = 100;

/// A part of a session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SnapshotPart {
    /// cookies with all their attributes.
    Cookies,
    /// localStorage of every origin of the session.
    LocalStorage,
    /// `IndexedDB` of every origin of the session.
    #[serde(rename = "indexedDB")]
    IndexedDb,
    /// the open pages, each with its sessionStorage, history, scroll position and emulation.
    Pages,
    /// what clients granted to sites by `Browser.grantPermissions` and `Browser.setPermission`.
    Permissions,
    /// the values of form fields of the pages, passwords included.
    FormFields,
}

impl SnapshotPart {
    /// What a profile has: what makes a user known to a site.
    pub const PROFILE: [Self; 3] = [Self::Cookies, Self::LocalStorage, Self::IndexedDb];
    /// What a snapshot has unless its maker says otherwise.
    pub const USUAL: [Self; 5] = [Self::Cookies, Self::LocalStorage, Self::IndexedDb, Self::Pages, Self::Permissions];
}

/// What happens to the state that a session has when a snapshot is restored into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestoreMode {
    /// the pages of the session are closed, and its cookies and storage are cleared first.
    #[default]
    Replace,
    /// what the snapshot does not name stays.
    Merge,
}

/// The format of a snapshot's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SnapshotFormat {
    /// the `storageState` of Playwright, which holds cookies, localStorage and `IndexedDB` of one context.
    #[default]
    Playwright,
    /// everything, one JSON record per line.
    Ghostmux,
}

/// The `storageState` of Playwright, as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StorageState(pub Box<RawValue>);

impl JsonSchema for StorageState {
    fn schema_name() -> Cow<'static, str> {
        "StorageState".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What `context.storageState()` of Playwright returns and \
                `browser.newContext({ storageState })` takes.",
            "type": "object",
        })
    }
}

impl Clone for StorageState {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl PartialEq for StorageState {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// The saved state of a session. It belongs to the owner of the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The id; the ids of later snapshots sort after it.
    pub id: String,
    /// The name that the owner chose; need not be unique.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// What the owner stores with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Metadata>,
    /// When it was saved, in milliseconds since 1970-01-01 UTC.
    pub created_at: u64,
    /// When it is deleted automatically, in milliseconds since 1970-01-01 UTC; absent if it is kept until a client
    /// deletes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<u64>,
    /// The session it was saved from; absent if it was imported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_id: Option<String>,
    /// Bytes of its content.
    pub size: u64,
    /// Bytes it takes in the store, compressed.
    pub stored_size: u64,
    /// The parts that it was to contain.
    pub parts: Vec<SnapshotPart>,
    /// Number of cookies in it.
    #[schemars(with = "u32")]
    pub cookies: u64,
    /// Number of origins, or partitions of one, that have something in it.
    #[schemars(with = "u32")]
    pub origins: u64,
    /// Number of databases in it.
    #[schemars(with = "u32")]
    pub databases: u64,
    /// Number of pages in it.
    #[schemars(with = "u32")]
    pub pages: u64,
    /// Whether a deadline ended the reading before everything was read.
    pub partial: bool,
}

/// Something that was not carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Omission {
    /// The kind of thing, and its name; never its value.
    pub what: String,
    /// The origin, URL or context it belongs to; empty if it belongs to none.
    pub place: String,
    /// Why it was not carried.
    pub reason: String,
}

/// What saving, restoring or converting carried, and what it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReport {
    /// Number of cookies carried.
    #[schemars(with = "u32")]
    pub cookies: u64,
    /// Number of origins, or partitions of one, that had something.
    #[schemars(with = "u32")]
    pub origins: u64,
    /// Number of databases carried.
    #[schemars(with = "u32")]
    pub databases: u64,
    /// Number of rows of these databases.
    #[schemars(with = "u32")]
    pub rows: u64,
    /// Number of pages carried.
    #[schemars(with = "u32")]
    pub pages: u64,
    /// Bytes of the content.
    pub bytes: u64,
    /// How long it took.
    pub took: Millis,
    /// Whether a deadline ended the reading before everything was read.
    pub partial: bool,
    /// What was not carried: the first 200 items.
    pub omitted: Vec<Omission>,
    /// Number of items that were not carried.
    #[schemars(with = "u32")]
    pub omitted_count: u64,
}

/// A snapshot, and the report on how it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Saved {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What was carried, and what was not.
    pub report: SnapshotReport,
}

/// The clones of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cloned {
    /// The new sessions.
    pub sessions: Vec<Session>,
    /// What was carried, and what was not.
    pub report: SnapshotReport,
}

/// A page of a list of snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshots {
    /// Newest first.
    pub snapshots: Vec<Snapshot>,
    /// Snapshots whose record in the store cannot be read; absent if there are none, and if the list is filtered by name
    /// or metadata.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unreadable: Vec<Unreadable>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// Name, metadata and lifetime of a new snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// Its name.
    pub name: Option<String>,
    /// What the owner stores with it.
    pub metadata: Option<Metadata>,
    /// How long it is kept; 0 is until it is deleted.
    pub ttl: Option<Millis>,
}

/// What a new session begins with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beginning {
    /// The snapshot.
    pub snapshot: String,
    /// Whether its pages are opened.
    pub pages: bool,
}

/// How a snapshot is restored.
#[derive(Clone, Debug, PartialEq)]
pub struct Restoring {
    /// The snapshot.
    pub snapshot: String,
    /// What happens to the state that is there.
    pub mode: RestoreMode,
    /// Whether its pages are opened.
    pub pages: bool,
}

/// How a session is cloned.
#[derive(Clone, Debug, PartialEq)]
pub struct Copies {
    /// Number of clones.
    pub count: u32,
    /// Settings of each clone.
    pub options: Options,
    /// What is copied.
    pub parts: Vec<SnapshotPart>,
    /// The proxy of each clone, instead of that of the session.
    pub proxy: Option<WantedProxy>,
}

/// The content of a snapshot in one document.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exported {
    /// The content in the format `playwright`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_state: Option<StorageState>,
    /// The content in the format `ghostmux`, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What the format cannot hold.
    pub report: SnapshotReport,
}

/// What a snapshot is made of.
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
        let state = self.storage_state.as_ref().map_or(0, |state| state.0.get().len());
        state + self.data.as_ref().map_or(0, String::len)
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
