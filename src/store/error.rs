//! The errors of the store.

use super::ids::{BadSnapshotId, SnapshotId};
use crate::api_types::{BadOwner, Owner};

/// Why a store refused an operation. The content of the store is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The snapshot never existed, is deleted or expired, or belongs to another owner. The caller is not told which.
    #[error("no such snapshot {id}")]
    Missing {
        /// The id that was requested.
        id: SnapshotId,
    },
    /// The snapshot is larger than one snapshot may be.
    #[error("the snapshot is larger than {limit} bytes, the most that snapshot_max allows")]
    TooLarge {
        /// The limit, in bytes before compression.
        limit: u64,
    },
    /// The owner's quota is used up.
    #[error("no room: the snapshots of {owner} may take {limit} {what}; delete some, or raise {setting}")]
    Quota {
        /// The owner of the quota.
        owner: Owner,
        /// The limit.
        limit: u64,
        /// The unit that is counted: bytes or snapshots.
        what: &'static str,
        /// Name of the setting.
        setting: &'static str,
    },
    /// The name of the owner is invalid.
    #[error(transparent)]
    BadOwner(#[from] BadOwner),
    /// The text is not the id of a snapshot.
    #[error(transparent)]
    BadSnapshotId(#[from] BadSnapshotId),
    /// A name or metadata is invalid.
    #[error("{what} {problem}")]
    Invalid {
        /// The invalid part.
        what: &'static str,
        /// The problem.
        problem: String,
    },
    /// The snapshot is encrypted with a key that this process does not have.
    #[error("snapshot {id} is sealed with the key {key}, which store_key does not have")]
    UnknownKey {
        /// The snapshot.
        id: SnapshotId,
        /// The key's name.
        key: String,
    },
    /// The key with this name is not the one that encrypted the snapshot.
    #[error("snapshot {id} was sealed with another key than the one that store_key calls {key}")]
    WrongKey {
        /// The snapshot.
        id: SnapshotId,
        /// The key's name.
        key: String,
    },
    /// The stored bytes are not those that were written.
    #[error("snapshot {id} is damaged: {what}")]
    Corrupt {
        /// The snapshot.
        id: SnapshotId,
        /// The problem.
        what: String,
    },
    /// The record of the session was not written by this version of ghostmux, or is damaged.
    #[error(
        "session {id} is in the store and cannot be read: {why}; delete it, or use the version of ghostmux that wrote it"
    )]
    UnreadableSession {
        /// The session.
        id: String,
        /// The problem with the record.
        why: String,
    },
    /// A newer ghostmux wrote this.
    #[error("{what} has format {found}, and this ghostmux knows up to {known}; use a newer one")]
    Newer {
        /// The object in the newer format.
        what: String,
        /// The format found.
        found: u64,
        /// The newest format known here.
        known: u64,
    },
    /// The disk of the store is full.
    #[error("the disk with the store {place} is full; make room there, or delete snapshots")]
    DiskFull {
        /// The file.
        place: String,
    },
    /// The writer was abandoned, by its user or by a sweep, before it was done.
    #[error("the snapshot was abandoned before it was complete")]
    Abandoned,
    /// Another session may have saved the profile meanwhile.
    #[error(
        "another server has the profile {profile} by now, because this one did not renew its lease in time; begin again \
         with what is saved"
    )]
    ProfileLost {
        /// The name of the profile.
        profile: String,
    },
    /// Another process has the file open.
    #[error("the store {path} is in use by {by}; only one process at a time can use it{hint}")]
    InUse {
        /// The file.
        path: String,
        /// The process, as far as the system tells.
        by: String,
        /// Advice on what to do instead.
        hint: &'static str,
    },
    /// The file cannot be used, or the server does not answer.
    #[error("the store {place} cannot be used: {why}")]
    Unavailable {
        /// The file, or the server without its password.
        place: String,
        /// The message of the system or the server.
        why: String,
    },
}
