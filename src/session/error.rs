//! Why the session service refuses a request: one list, with the meaning of each error for HTTP and for CDP.

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

/// Used for an id of which nothing is remembered. The end of a session that its own clients left is not stored.
const NEVER_OR_LEFT: &str = "there was none, or its last client left it or closed it";

/// Why the service refuses a request.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The caller has no session with this id, and none can be opened under it.
    #[error("no such session {id}; {}", .ended.as_ref().map_or_else(|| NEVER_OR_LEFT.to_owned(), |ended| {
        format!("it ended {} s ago: {}", ended.ago().as_secs(), ended.why)
    }))]
    NoSession {
        /// The id.
        id: String,
        /// How it ended, if it was the caller's.
        ended: Option<Tombstone>,
    },
    /// No session of the caller has this target.
    #[error("no such target id: {0}")]
    NoTarget(String),
    /// The client wants the session exclusively, and other clients are connected.
    #[error(
        "session {0} has a client already, and exclusive=true allows no other; use takeover=true to close those that are connected, or connect without an id for a new session"
    )]
    Taken(String),
    /// A client has the session exclusively.
    #[error(
        "session {0} has a client that connected with exclusive=true; wait until it has gone, use takeover=true to close it, or connect without an id for a new session"
    )]
    Exclusive(String),
    /// The session has as many clients as it may.
    #[error(
        "session {id} has {most} clients, the most that max_clients_per_session allows; close one, use takeover=true to close them, or connect without an id for a new session"
    )]
    ManyClients {
        /// The session.
        id: String,
        /// Value of the setting.
        most: usize,
    },
    /// The id is or was in use.
    #[error("the id {0} is in use or was used before; choose another one, or none")]
    IdInUse(String),
    /// The session waits for a place in a browser.
    #[error("session {0} waits for a place in a browser; try again when it has one")]
    Queued(String),
    /// A value is invalid.
    #[error("Invalid parameters: {0}")]
    Bad(#[from] Bad),
    /// The owner has as many sessions as it may have.
    #[error("this owner has {most} sessions, the most that {limit} allows, parked ones included; close one first")]
    TooMany {
        /// Name of the setting.
        limit: &'static str,
        /// Value of the setting.
        most: u32,
    },
    /// There is no place, and the queue is full.
    #[error(
        "all {most} sessions are taken ({limit}), and {waiting} requests wait, of at most {queue} (queue); try again later"
    )]
    QueueFull {
        /// Name of the setting that limits the number of places.
        limit: &'static str,
        /// Value of the setting.
        most: u32,
        /// Requests that wait.
        waiting: usize,
        /// Most requests that may wait.
        queue: usize,
    },
    /// No place became free in time.
    #[error(
        "all {most} sessions are taken ({limit}), and none became free in {} ms (queue_timeout); this request was number {position} of {waiting} in the queue; try again later", .waited.as_millis()
    )]
    QueueTimeout {
        /// Name of the setting that limits the number of places.
        limit: &'static str,
        /// Value of the setting.
        most: u32,
        /// Time waited.
        waited: Duration,
        /// Position in the queue, from 1.
        position: usize,
        /// Requests that wait.
        waiting: usize,
    },
    /// Too many snapshots are being imported, exported or cloned, and none was done in time.
    #[error(
        "{most} snapshots are being imported, exported or cloned (snapshot_transfers, snapshot_memory), and {waiting} wait for \
         that (queue, queue_timeout); try again later"
    )]
    Crowded {
        /// Most that may run at a time.
        most: usize,
        /// Requests that wait.
        waiting: usize,
    },
    /// No browser has a place.
    #[error(transparent)]
    NoPlace(#[from] NoLease),
    /// The browser refused a command.
    #[error("the browser refused the command: {0}")]
    Browser(String),
    /// The caller has no snapshot with this id.
    #[error("no such snapshot {0}")]
    NoSnapshot(String),
    /// The session is hibernated.
    #[error("session {0} is hibernated; connect to it to restore it")]
    Asleep(String),
    /// Another client is connected to the session.
    #[error(
        "session {0} has a client, and only that client may restore into it, with ghost.restoreSnapshot on its own connection; park the session first, or start a new one from the snapshot"
    )]
    InUse(String),
    /// Another snapshot is being written into the session.
    #[error("a snapshot is being restored into session {0}; try again when that is done")]
    Restoring(String),
    /// An error of the snapshot repository.
    #[error(transparent)]
    Snapshot(RepositoryError),
    /// The session was ended while it waited for a place, or the process is shutting down.
    #[error("the session was closed while it waited")]
    Closing,
}

impl ServiceError {
    /// HTTP status, the last part of the problem's type, and the code of a CDP error.
    fn parts(&self) -> (u16, &'static str, i32) {
        match self {
            Self::NoSession { .. } => (404, "no-session", -32000),
            Self::NoTarget(_) => (404, "no-target", -32000),
            Self::Taken(_) | Self::Exclusive(_) => (409, "taken", -32000),
            Self::ManyClients { .. } => (409, "many-clients", -32000),
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

    /// The last part of the problem's type: one word.
    pub fn kind(&self) -> &'static str {
        self.parts().1
    }

    /// Seconds after which a new attempt may succeed, if it may.
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
            Self::ManyClients { most, .. } => json!({ "limit": "max_clients_per_session", "most": most }),
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

    /// The error as the answer to a CDP command.
    pub fn cdp(&self) -> CdpError {
        let (.., code) = self.parts();
        CdpError { code, message: self.to_string().into(), data: None }
    }
}

/// HTTP status, problem type and CDP code of a snapshot error, like [`ServiceError::parts`].
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
