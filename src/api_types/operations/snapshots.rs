//! Operations on snapshots, and those that save, restore and clone sessions. An operation is performed in
//! `session/manager/snapshots.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    super::{
        Bad, COPIES_MOST, Cloned, Copies, Exported, Importing, Label, Metadata, Millis, NAME_MOST, NAME_PATTERN,
        Nothing, Options, RestoreMode, Restoring, Saved, Secret, Snapshot, SnapshotFormat, SnapshotPart,
        SnapshotReport, Snapshots, StorageState, WantedProxy, given,
    },
    CommandResult::{Member, Output},
    Errors, Operation, PAGE_MOST, Rest, RestAnswer, RestInput, Row, Verb, operations,
};

operations! {
    /// A request about snapshots.
    Snapshot, SnapshotRequest:
        SaveSnapshot, RestoreSnapshot, CloneSession, ListSnapshots, GetSnapshot, DeleteSnapshot, ImportSnapshot,
        ExportSnapshot,
}

/// An endpoint that shows one snapshot.
const OF_ONE: Rest = Rest {
    verb: Verb::Get,
    path: "/v1/snapshots/{id}",
    id: Some("snapshot"),
    second: None,
    input: RestInput::Path,
    answer: RestAnswer::Output,
    says: "The snapshot.",
    tag: "snapshots",
    errors: &[Errors::Snapshot],
};

/// An endpoint that does something with one session.
const OF_A_SESSION: Rest = Rest { verb: Verb::Post, id: Some("id"), ..OF_ONE };

/// Saves the state of a session. Its clients and pages do not notice.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SaveSnapshot {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
    /// What the snapshot contains; all but `formFields` if absent.
    #[serde(deserialize_with = "given")]
    pub parts: Option<Vec<SnapshotPart>>,
    /// The name of the snapshot. At most 200 characters.
    #[serde(deserialize_with = "given")]
    #[schemars(length(max = NAME_MOST), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// What to store with it.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// How long it is kept; with 0 it is kept until it is deleted. If absent, as the server is configured.
    #[serde(deserialize_with = "given")]
    pub ttl: Option<Millis>,
}

impl SaveSnapshot {
    /// The session, what is saved, and the label of the snapshot.
    pub fn divide(self) -> (Option<String>, Vec<SnapshotPart>, Label) {
        let Self { id, parts, name, metadata, ttl } = self;
        (id, usual(parts), Label { name, metadata, ttl })
    }
}

impl Operation for SaveSnapshot {
    type Output = Saved;
    const ROW: Row = Row {
        name: "saveSnapshot",
        ghost: Some(Output),
        rest: Some(Rest {
            path: "/v1/sessions/{id}/snapshots",
            input: RestInput::Body("Saving"),
            answer: RestAnswer::CreatedOne,
            says: "The snapshot, and what was carried.",
            errors: &[Errors::Session, Errors::Body, Errors::Content],
            ..OF_A_SESSION
        }),
    };

    fn created(saved: &Saved) -> Option<String> {
        Some(path_of(saved))
    }
}

/// Writes a snapshot into a running session: first the storage, then its pages are opened. If the session has a client,
/// only that client can do it, over its own connection.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreSnapshot {
    /// The session; that of this connection if absent.
    #[serde(default, deserialize_with = "given")]
    pub id: Option<String>,
    /// The snapshot.
    pub snapshot: String,
    /// What happens to the state that the session has; `replace` if absent.
    #[serde(default)]
    pub mode: RestoreMode,
    /// Whether the pages of the snapshot are opened; `true` if absent.
    #[serde(default, deserialize_with = "given")]
    pub pages: Option<bool>,
}

impl RestoreSnapshot {
    /// The session, and how the snapshot is restored.
    pub fn divide(self) -> (Option<String>, Restoring) {
        let Self { id, snapshot, mode, pages } = self;
        (id, Restoring { snapshot, mode, pages: pages.unwrap_or(true) })
    }
}

impl Operation for RestoreSnapshot {
    type Output = SnapshotReport;
    const ROW: Row = Row {
        name: "restoreSnapshot",
        ghost: Some(Member("report")),
        rest: Some(Rest {
            path: "/v1/sessions/{id}/restore",
            input: RestInput::NeededBody("Restoring"),
            says: "What was carried.",
            errors: &[Errors::Session, Errors::Body, Errors::Snapshot],
            ..OF_A_SESSION
        }),
    };
}

/// Creates new sessions in the state of this one, isolated from it and from each other, and parked until a client
/// connects. The source runs on. All are created, or none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CloneSession {
    /// The session; that of this connection if absent.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
    /// Number of clones, 1 to 100; 1 if absent.
    #[serde(deserialize_with = "count")]
    #[schemars(range(min = 1, max = COPIES_MOST))]
    pub count: Option<u32>,
    /// What is copied; all but `formFields` if absent.
    #[serde(deserialize_with = "given")]
    pub parts: Option<Vec<SnapshotPart>>,
    /// The name of each clone.
    #[serde(deserialize_with = "given")]
    #[schemars(length(max = NAME_MOST), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// What to store with each clone.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// Limit of the time since a clone started.
    #[serde(deserialize_with = "given")]
    pub timeout: Option<Millis>,
    /// Limit of the time since a client last sent a frame.
    #[serde(deserialize_with = "given")]
    pub idle_timeout: Option<Millis>,
    /// How long a clone waits for a client. If absent, the server's default for such sessions.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("minimum" = 1))]
    pub keep_alive: Option<Millis>,
    /// How long a clone is parked before it is hibernated.
    #[serde(deserialize_with = "given")]
    pub hibernate_after: Option<Millis>,
    /// How often a clone is saved: at least 1000, or 0.
    #[serde(deserialize_with = "given")]
    pub autosave: Option<Millis>,
    /// How long the files of a clone can be fetched after its end. It begins without files.
    #[serde(deserialize_with = "given")]
    pub keep_files: Option<Millis>,
    /// The proxy through which the pages of each clone leave: `http://USER:PASSWORD@HOST:PORT`, `socks5://…`, or `direct://`
    /// for none; that of the session if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub proxy: Option<Secret>,
    /// The hosts that are connected to without `proxy`, with commas between them.
    #[serde(deserialize_with = "given")]
    pub proxy_bypass: Option<String>,
}

impl CloneSession {
    /// The session, and how it is cloned.
    pub fn divide(self) -> Result<(Option<String>, Copies), Bad> {
        let Self {
            id,
            count,
            parts,
            name,
            metadata,
            timeout,
            idle_timeout,
            keep_alive,
            hibernate_after,
            autosave,
            keep_files,
            proxy,
            proxy_bypass,
        } = self;
        let options =
            Options { name, metadata, timeout, idle_timeout, keep_alive, hibernate_after, autosave, keep_files };
        let proxy = WantedProxy::of(proxy, proxy_bypass)?;
        Ok((id, Copies { count: count.unwrap_or(1), options, parts: usual(parts), proxy }))
    }
}

impl Operation for CloneSession {
    type Output = Cloned;
    const ROW: Row = Row {
        name: "cloneSession",
        ghost: Some(Output),
        rest: Some(Rest {
            path: "/v1/sessions/{id}/clone",
            input: RestInput::Body("Cloning"),
            answer: RestAnswer::CreatedSeveral,
            says: "The new sessions, and what was carried.",
            errors: &[Errors::Session, Errors::Body, Errors::Beginning],
            ..OF_A_SESSION
        }),
    };
}

/// Lists the snapshots of this owner, newest first, one page at a time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ListSnapshots {
    /// Only snapshots with this in their name, in upper or lower case.
    #[serde(deserialize_with = "given")]
    pub name: Option<String>,
    /// Only snapshots that have all these members with these values.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// Most snapshots on the page, 1 to 1000; 100 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    #[schemars(regex(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"))]
    pub cursor: Option<String>,
}

impl Operation for ListSnapshots {
    type Output = Snapshots;
    const ROW: Row = Row {
        name: "listSnapshots",
        ghost: Some(Output),
        rest: Some(Rest {
            path: "/v1/snapshots",
            id: None,
            input: RestInput::Query,
            says: "A page of snapshots.",
            errors: &[Errors::Filter],
            ..OF_ONE
        }),
    };
}

/// Shows a snapshot's metadata.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetSnapshot {
    /// The snapshot.
    pub snapshot: String,
}

impl Operation for GetSnapshot {
    type Output = Snapshot;
    const ROW: Row = Row { name: "getSnapshot", ghost: Some(Member("snapshot")), rest: Some(OF_ONE) };
}

/// Deletes a snapshot. Sessions that were started from it are not affected.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteSnapshot {
    /// The snapshot.
    pub snapshot: String,
}

impl Operation for DeleteSnapshot {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "deleteSnapshot",
        ghost: Some(Output),
        rest: Some(Rest {
            verb: Verb::Delete,
            answer: RestAnswer::Nothing,
            says: "The snapshot is deleted.",
            ..OF_ONE
        }),
    };
}

/// Creates a snapshot from Playwright's `storageState`, or from what `exportSnapshot` answered in the format `ghostmux`.
/// Over REST the latter is read as a stream; `name`, `ttl` and `metadata.KEY` are then members of the query.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ImportSnapshot {
    /// Give either this or `data`.
    #[serde(deserialize_with = "given")]
    pub storage_state: Option<StorageState>,
    /// The `data` of `exportSnapshot`.
    #[serde(deserialize_with = "given")]
    pub data: Option<String>,
    /// The name of the snapshot. At most 200 characters.
    #[serde(deserialize_with = "given")]
    #[schemars(length(max = NAME_MOST), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// What to store with it.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// How long it is kept; with 0 it is kept until it is deleted. If absent, as the server is configured.
    #[serde(deserialize_with = "given")]
    pub ttl: Option<Millis>,
}

impl ImportSnapshot {
    /// The members of which one, and only one, must be there.
    pub const EITHER: [&str; 2] = ["storageState", "data"];

    /// What the snapshot is made of, and its label.
    pub fn divide(self) -> Result<(Importing, Label), Bad> {
        let Self { storage_state, data, name, metadata, ttl } = self;
        let from = match (storage_state, data) {
            (Some(StorageState(state)), None) => Importing::StorageState(Box::<str>::from(state).into()),
            (None, Some(data)) => Importing::Data(data),
            (None, None) => return Err(Bad::new("storageState", "is missing, and so is data; give one of them")),
            (Some(_), Some(_)) => return Err(Bad::new("data", "is there beside storageState; give one of them")),
        };
        Ok((from, Label { name, metadata, ttl }))
    }
}

impl Operation for ImportSnapshot {
    type Output = Saved;
    const ROW: Row = Row {
        name: "importSnapshot",
        ghost: Some(Output),
        rest: Some(Rest {
            verb: Verb::Post,
            path: "/v1/snapshots",
            id: None,
            input: RestInput::Upload("Importing"),
            answer: RestAnswer::CreatedOne,
            says: "The snapshot, and what was carried.",
            errors: &[Errors::Body, Errors::Content, Errors::Import],
            ..OF_ONE
        }),
    };

    fn created(saved: &Saved) -> Option<String> {
        Some(path_of(saved))
    }
}

/// Gives the content of a snapshot. Whoever has it can log in as the session. The `ghost` domain gives up to 64 MiB;
/// larger contents are at `GET /v1/snapshots/{id}/content`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportSnapshot {
    /// The snapshot.
    pub snapshot: String,
    /// `playwright` if absent.
    #[serde(default)]
    pub format: SnapshotFormat,
}

impl Operation for ExportSnapshot {
    type Output = Exported;
    const ROW: Row = Row {
        name: "exportSnapshot",
        ghost: Some(Output),
        rest: Some(Rest {
            path: "/v1/snapshots/{id}/content",
            input: RestInput::Query,
            answer: RestAnswer::Download,
            says: "The content.",
            ..OF_ONE
        }),
    };
}

fn usual(parts: Option<Vec<SnapshotPart>>) -> Vec<SnapshotPart> {
    parts.unwrap_or_else(|| SnapshotPart::USUAL.to_vec())
}

fn path_of(saved: &Saved) -> String {
    format!("/v1/snapshots/{}", saved.snapshot.id)
}

/// A number of clones. JSON has one kind of number: 2.0 is a number of clones too.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let given = f64::deserialize(deserializer)?;
    let count = (1..=COPIES_MOST).find(|count| f64::from(*count).total_cmp(&given).is_eq());
    count.map(Some).ok_or_else(|| D::Error::custom(format!("{given} is not between 1 and {COPIES_MOST}")))
}
