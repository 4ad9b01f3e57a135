//! Why the service does not do what it is asked: one list, with what each means for HTTP and for CDP.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::session::tombstone::Tombstone;
use crate::{
    api_types::Bad,
    cdp::error::CdpError,
    pool::NoLease,
    snapshot::{ContentError, SnapshotError, repository::RepositoryError},
    store::StoreError,
};

/// What can be said of an id that nothing is remembered of. How a session ended that its own clients left is not kept.
const NEVER_OR_LEFT: &str = "there was none, or its last client left it or closed it";

/// Why the service does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No session of the caller's has this id, and none can be opened under it.
    #[error("no such session {id}; {}", .ended.as_ref().map_or_else(|| NEVER_OR_LEFT.to_owned(), |ended| {
        format!("it ended {} s ago: {}", ended.ago().as_secs(), ended.why)
    }))]
    NoSession {
        /// The id.
        id: String,
        /// What became of it, if it was the caller's.
        ended: Option<Tombstone>,
    },
    /// No session of the caller's shows this target.
    #[error("no such target id: {0}")]
    NoTarget(String),
    /// Somebody is connected to it.
    #[error(
        "session {0} has a client already; close that one first, say takeover=true to close it, or connect without an id for a session of your own"
    )]
    Taken(String),
    /// A session has or had this id.
    #[error("the id {0} is or was a session's; choose another one, or none")]
    IdInUse(String),
    /// The session waits for a place in a browser itself.
    #[error("session {0} waits for a place in a browser; try again when it has one")]
    Queued(String),
    /// A value that cannot be used.
    #[error("Invalid parameters: {0}")]
    Bad(#[from] Bad),
    /// The caller has all that one owner may have.
    #[error("{most} sessions are open, and one owner may not have more ({limit}); close one, or park none")]
    TooMany {
        /// The setting.
        limit: &'static str,
        /// Its value.
        most: u32,
    },
    /// There is no place, and too many wait for one.
    #[error(
        "all {most} sessions are taken ({limit}), and {waiting} wait for one ({queue} may: queue); try again later"
    )]
    QueueFull {
        /// The setting that says how many there are.
        limit: &'static str,
        /// Its value.
        most: u32,
        /// How many wait.
        waiting: usize,
        /// How many may.
        queue: usize,
    },
    /// No place became free in time.
    #[error(
        "all {most} sessions are taken ({limit}), and none became free in {} ms (queue_timeout); {position} was the place in the line, of {waiting}; try again later", .waited.as_millis()
    )]
    QueueTimeout {
        /// The setting that says how many there are.
        limit: &'static str,
        /// Its value.
        most: u32,
        /// How long it was waited.
        waited: Duration,
        /// The place in the line, from 1.
        position: usize,
        /// How many wait.
        waiting: usize,
    },
    /// Too many snapshots are imported or exported already, and none was done in time.
    #[error(
        "{most} snapshots are being imported, exported or cloned (snapshot_transfers, snapshot_memory), and {waiting} wait for \
         that (queue, queue_timeout); try again later"
    )]
    Crowded {
        /// How many may be.
        most: usize,
        /// How many wait.
        waiting: usize,
    },
    /// No browser has a place.
    #[error(transparent)]
    NoPlace(#[from] NoLease),
    /// The browser would not do it.
    #[error("the browser would not do it: {0}")]
    Browser(String),
    /// No snapshot of the caller's has this id.
    #[error("no such snapshot {0}")]
    NoSnapshot(String),
    /// The session sleeps.
    #[error("session {0} hibernates; connect to it, and it is restored")]
    Asleep(String),
    /// Another client is using the session.
    #[error(
        "session {0} has a client, and only that client may restore into it: by ghost.restoreSnapshot on its own connection; park the session first, or begin a new one with the snapshot"
    )]
    InUse(String),
    /// Another snapshot is being written into it.
    #[error("a snapshot is being restored into session {0}; try again when that is done")]
    Restoring(String),
    /// Something about a snapshot.
    #[error(transparent)]
    Snapshot(RepositoryError),
    /// It was ended while it waited for a place, or the process is shutting down.
    #[error("the session was closed while it waited")]
    Closing,
}

impl ServiceError {
    /// HTTP status, the last part of the problem's type, and the code of a CDP error.
    fn parts(&self) -> (u16, &'static str, i32) {
        match self {
            Self::NoSession { .. } => (404, "no-session", -32000),
            Self::NoTarget(_) => (404, "no-target", -32000),
            Self::Taken(_) => (409, "taken", -32000),
            Self::IdInUse(_) => (409, "id-in-use", -32000),
            Self::Queued(_) => (409, "queued", -32000),
            Self::Closing => (409, "closing", -32000),
            Self::Bad(_) => (400, "bad-value", -32602),
            Self::TooMany { .. } => (429, "too-many", -32000),
            Self::QueueFull { .. } => (503, "queue-full", -32000),
            Self::QueueTimeout { .. } => (503, "queue-timeout", -32000),
            Self::Crowded { .. } => (503, "snapshots-busy", -32000),
            Self::NoSnapshot(_) => (404, "no-snapshot", -32000),
            Self::Asleep(_) => (409, "hibernated", -32000),
            Self::InUse(_) => (409, "in-use", -32000),
            Self::Restoring(_) => (409, "restoring", -32000),
            Self::Snapshot(why) => of_snapshot(why),
            Self::NoPlace(NoLease::Call(_)) | Self::Browser(_) => (503, "browser", -32000),
            Self::NoPlace(_) => (503, "no-place", -32000),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.parts().0
    }

    /// One word for it: the last part of the problem's type.
    pub fn kind(&self) -> &'static str {
        self.parts().1
    }

    /// In how many seconds it may be worth trying again, if it may.
    pub fn retry_after(&self) -> Option<u32> {
        match self.status() {
            429 => Some(5),
            503 => Some(1),
            _ => None,
        }
    }

    /// Further members of the problem, for programs.
    pub fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::NoSession { ended: Some(ended), .. } => {
                json!({ "endedAgo": millis(ended.ago()), "reason": ended.why })
            }
            Self::Bad(bad) => json!({ "field": bad.field }),
            Self::TooMany { limit, most } => json!({ "limit": limit, "most": most }),
            Self::QueueFull { limit, most, waiting, queue } => {
                json!({ "limit": limit, "most": most, "waiting": waiting, "queue": queue })
            }
            Self::Crowded { most, waiting } => json!({ "most": most, "waiting": waiting }),
            Self::QueueTimeout { limit, most, waited, position, waiting } => json!({
                "limit": limit, "most": most, "waited": millis(*waited), "position": position, "waiting": waiting,
            }),
            _ => Value::Null,
        };
        match details {
            Value::Object(details) => details,
            _ => Map::new(),
        }
    }

    /// What a client gets for its command.
    pub fn cdp(&self) -> CdpError {
        let (.., code) = self.parts();
        CdpError { code, message: self.to_string().into(), data: None }
    }
}

/// As [`ServiceError::parts`].
fn of_snapshot(why: &RepositoryError) -> (u16, &'static str, i32) {
    match why {
        RepositoryError::Store(why) => match why {
            StoreError::Missing { .. } => (404, "no-snapshot", -32000),
            StoreError::TooLarge { .. } => (413, "snapshot-too-large", -32000),
            StoreError::Quota { .. } => (507, "snapshot-quota", -32000),
            StoreError::Invalid { .. } | StoreError::BadOwner(_) | StoreError::BadSnapshotId(_) => {
                (400, "bad-value", -32602)
            }
            StoreError::UnknownKey { .. } | StoreError::WrongKey { .. } => (422, "snapshot-key", -32000),
            StoreError::Corrupt { .. } => (422, "snapshot-damaged", -32000),
            StoreError::Newer { .. } => (422, "snapshot-newer", -32000),
            StoreError::UnreadableSession { .. } => (422, "session-unreadable", -32000),
            StoreError::Abandoned | StoreError::InUse { .. } | StoreError::Unavailable { .. } => (503, "store", -32000),
        },
        RepositoryError::TooLarge { .. } | RepositoryError::NoMemory { .. } => (413, "snapshot-too-large", -32000),
        RepositoryError::Snapshot(SnapshotError::Content(ContentError::TooLong { .. })) => {
            (413, "snapshot-line", -32000)
        }
        RepositoryError::Snapshot(SnapshotError::Browser(_)) => (503, "browser", -32000),
        RepositoryError::Snapshot(SnapshotError::Content(ContentError::Newer(_))) => (422, "snapshot-newer", -32000),
        RepositoryError::Snapshot(SnapshotError::Content(_)) => (422, "snapshot-damaged", -32000),
        RepositoryError::Snapshot(SnapshotError::Write(_)) => (503, "store", -32000),
        RepositoryError::Import(_) | RepositoryError::Base64(_) => (422, "no-snapshot-content", -32602),
        RepositoryError::Cut(_) => (400, "bad-body", -32000),
    }
}

impl From<StoreError> for ServiceError {
    fn from(why: StoreError) -> Self {
        Self::Snapshot(why.into())
    }
}

impl From<RepositoryError> for ServiceError {
    fn from(why: RepositoryError) -> Self {
        Self::Snapshot(why)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
