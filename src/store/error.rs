//! What a store says when it cannot do what was asked.

use super::ids::{BadSnapshotId, SnapshotId};
use crate::api_types::{BadOwner, Owner};

/// Why a store did not do what was asked. Whatever it is, what the store held before it still holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It never was, is deleted or expired, or belongs to another owner: nobody is told which.
    #[error("no such snapshot {id}")]
    Missing {
        /// What was asked for.
        id: SnapshotId,
    },
    /// More bytes than one snapshot may have.
    #[error("the snapshot is larger than {limit} bytes, the most that snapshot_max allows")]
    TooLarge {
        /// The limit, in bytes before compression.
        limit: u64,
    },
    /// The owner has no room left.
    #[error("no room: the snapshots of {owner} may take {limit} {what}; delete some, or raise {setting}")]
    Quota {
        /// Whose quota.
        owner: Owner,
        /// The limit.
        limit: u64,
        /// What is counted: bytes or snapshots.
        what: &'static str,
        /// The setting that says so.
        setting: &'static str,
    },
    /// The name of an owner that cannot be one.
    #[error(transparent)]
    BadOwner(#[from] BadOwner),
    /// What is no id of a snapshot.
    #[error(transparent)]
    BadSnapshotId(#[from] BadSnapshotId),
    /// A name or metadata that cannot be stored.
    #[error("{what} {problem}")]
    Invalid {
        /// What cannot be stored.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Sealed with a key that this process does not have.
    #[error("snapshot {id} is sealed with the key {key}, which store_key does not have")]
    UnknownKey {
        /// The snapshot.
        id: SnapshotId,
        /// The key's name.
        key: String,
    },
    /// The key of this name is another than the one that sealed.
    #[error("snapshot {id} was sealed with another key than the one that store_key calls {key}")]
    WrongKey {
        /// The snapshot.
        id: SnapshotId,
        /// The key's name.
        key: String,
    },
    /// What is stored is not what was written.
    #[error("snapshot {id} is damaged: {what}")]
    Corrupt {
        /// The snapshot.
        id: SnapshotId,
        /// What is wrong with it.
        what: String,
    },
    /// What is stored of a session is not what this ghostmux writes.
    #[error(
        "session {id} is in the store and cannot be read: {why}; delete it, or use the version of ghostmux that wrote it"
    )]
    UnreadableSession {
        /// The session.
        id: String,
        /// What is wrong with its record.
        why: String,
    },
    /// Written by a newer ghostmux.
    #[error("{what} has format {found}, and this ghostmux knows up to {known}; use a newer one")]
    Newer {
        /// What was written so.
        what: String,
        /// The format found.
        found: u64,
        /// The newest format known here.
        known: u64,
    },
    /// The writer was given up, here or by a sweep, before it was done.
    #[error("the snapshot was given up before it was whole")]
    Abandoned,
    /// Another process has the file.
    #[error("the store {path} is in use by {by}; one process at a time can have it{hint}")]
    InUse {
        /// The file.
        path: String,
        /// The process, as far as the system tells.
        by: String,
        /// What to do instead.
        hint: &'static str,
    },
    /// The file cannot be used or the server does not answer.
    #[error("the store {place} cannot be used: {why}")]
    Unavailable {
        /// The file, or the server without its password.
        place: String,
        /// What the system or the server said.
        why: String,
    },
}
