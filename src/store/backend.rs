//! The interface of a storage backend. The embedded file and Redis implement it with the same meaning.

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{
    BlobId, LeaseStep, Leased, Leaseholder, Meta, Owner, ProfileLease, SessionEntry, SessionRecord, SnapshotId,
    StoreError, StoreUsage, Timestamp, UnreadableSnapshot,
};
use crate::config::StoreLimits;

/// The future answer of a backend.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A storage backend. It gets encrypted chunks, and never a key.
///
/// Each call is one transaction: done completely and durably, or not at all. A dropped reply may have been done or not.
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// The place of the store, for people; without secrets.
    fn place(&self) -> String;

    /// Prepares a blob for chunks that are invisible before [`Backend::commit`].
    fn begin(&self, blob: BlobId) -> Reply<'_, ()>;

    /// Adds chunk `number` of a blob that was begun; [`StoreError::Abandoned`] if it is not, or no longer.
    fn append(&self, blob: BlobId, number: u32, chunk: Vec<u8>) -> Reply<'_, ()>;

    /// Lists a snapshot whose chunks are all stored, if its owner has the room. If it is the state of a profile, the
    /// profile has it from then on, and its former state is deleted.
    fn commit(&self, commit: Commit) -> Reply<'_, ()>;

    /// Frees the chunks of a blob that was begun and not committed; every other blob is left alone.
    fn abandon(&self, blob: BlobId) -> Reply<'_, ()>;

    /// A chunk of a blob.
    fn chunk(&self, blob: BlobId, number: u32) -> Reply<'_, Option<Vec<u8>>>;

    /// A snapshot of this owner, expired or not.
    fn meta<'a>(&'a self, owner: &'a Owner, id: SnapshotId) -> Reply<'a, Option<Meta>>;

    /// Up to `limit` snapshots of this owner, expired or not, newest first; only those older than `before` if it is
    /// given. Snapshots whose record cannot be read are included.
    fn list<'a>(&'a self, owner: &'a Owner, before: Option<SnapshotId>, limit: usize) -> Reply<'a, Vec<Listed>>;

    /// The snapshot that a profile of this owner has. It may be deleted or expired: a lookup of it decides.
    fn profile<'a>(&'a self, owner: &'a Owner, name: &'a str) -> Reply<'a, Option<SnapshotId>>;

    /// Up to `limit` profiles of this owner, by name; only those after `after` if it is given.
    fn profiles<'a>(
        &'a self,
        owner: &'a Owner,
        after: Option<&'a str>,
        limit: usize,
    ) -> Reply<'a, Vec<(String, SnapshotId)>>;

    /// Takes, renews or ends the lease of a profile. A store that no other process can open grants all of them.
    fn lease_profile<'a>(&'a self, lease: &'a ProfileLease, step: LeaseStep) -> Reply<'a, Leased> {
        let _ = (lease, step);
        std::future::ready(Ok(Leased::Done)).boxed()
    }

    /// The session that has the lease of a profile; of a store that no other process can open, none.
    fn leaseholder<'a>(&'a self, owner: &'a Owner, profile: &'a str) -> Reply<'a, Option<Leaseholder>> {
        let _ = (owner, profile);
        std::future::ready(Ok(None)).boxed()
    }

    /// Every owner that has or had a snapshot.
    fn owners(&self) -> Reply<'_, Vec<Owner>>;

    /// Deletes a snapshot, readable or not; `false` if there is none.
    fn remove<'a>(&'a self, owner: &'a Owner, id: SnapshotId) -> Reply<'a, bool>;

    /// Changes when a snapshot expires; `false` if there is none.
    fn set_expiry<'a>(&'a self, owner: &'a Owner, id: SnapshotId, expires: Option<Timestamp>) -> Reply<'a, bool>;

    /// Deletes expired snapshots. Returns their number.
    fn sweep(&self, now: Timestamp) -> Reply<'_, u64>;

    /// The bytes and snapshots of this owner, expired or not.
    fn usage<'a>(&'a self, owner: &'a Owner) -> Reply<'a, StoreUsage>;

    /// Writes a session record under its key, replacing one of the same key.
    fn put_session(&self, record: SessionRecord) -> Reply<'_, ()>;

    /// A session record.
    fn session<'a>(&'a self, key: &'a str) -> Reply<'a, Option<SessionEntry>>;

    /// Deletes a session record and returns it: of several concurrent callers one gets it. An unreadable record stays.
    fn take_session<'a>(&'a self, key: &'a str) -> Reply<'a, Option<SessionRecord>>;

    /// Deletes a session record, readable or not; `false` if there is none.
    fn remove_session<'a>(&'a self, key: &'a str) -> Reply<'a, bool>;

    /// Number of session records, without reading them.
    fn count_sessions(&self) -> Reply<'_, u64>;

    /// All session records.
    fn sessions(&self) -> Reply<'_, Vec<SessionEntry>>;
}

/// An entry in a list of snapshots.
pub type Listed = Result<Meta, UnreadableSnapshot>;

/// Turns a blob into a snapshot.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The snapshot's metadata.
    pub meta: Meta,
    /// The owner's snapshot that it replaces. Need not exist, unless it is this snapshot itself.
    pub replaces: Option<SnapshotId>,
    /// The owner's limits, this snapshot included.
    pub limits: StoreLimits,
    /// The lease of the profile whose state it is; it must still be in force.
    pub lease: Option<Arc<ProfileLease>>,
}

impl Commit {
    /// The owner's usage with this snapshot, if there is room beside the `others`.
    pub(super) fn fits(&self, others: StoreUsage) -> Result<StoreUsage, StoreError> {
        let after = StoreUsage { bytes: others.bytes.saturating_add(self.meta.stored), count: others.count + 1 };
        if after.bytes > self.limits.bytes {
            return Err(self.over_bytes());
        }
        if after.count > self.limits.count {
            return Err(self.over_count());
        }
        Ok(after)
    }

    pub(super) fn over_bytes(&self) -> StoreError {
        let (owner, limit) = (self.meta.owner.clone(), self.limits.bytes);
        StoreError::Quota { owner, limit, what: "bytes", setting: "snapshot_quota" }
    }

    pub(super) fn over_count(&self) -> StoreError {
        let (owner, limit) = (self.meta.owner.clone(), self.limits.count);
        StoreError::Quota { owner, limit, what: "snapshots", setting: "snapshot_count" }
    }
}
