//! What a place to store in must be able to do: the embedded file and Redis do it with the same meaning.

use futures_util::future::BoxFuture;

use super::{
    BlobId, Meta, Owner, SessionEntry, SessionRecord, SnapshotId, StoreError, StoreUsage, Timestamp, UnreadableSnapshot,
};
use crate::config::StoreLimits;

/// The answer of a backend, in its time.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A place to store in. It sees chunks as they are sealed, and never a key.
///
/// Each call is one transaction: done entirely and for good, or not at all. A reply that is dropped may be done or not.
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// Where it is, for people; without secrets.
    fn place(&self) -> String;

    /// Makes room for chunks that nobody sees before [`Backend::commit`].
    fn begin(&self, blob: BlobId) -> Reply<'_, ()>;

    /// Adds chunk `number` of a blob that was begun; [`StoreError::Abandoned`] if it is not, or no longer.
    fn append(&self, blob: BlobId, number: u32, chunk: Vec<u8>) -> Reply<'_, ()>;

    /// Lists a snapshot whose chunks are all there, if its owner has the room.
    fn commit(&self, commit: Commit) -> Reply<'_, ()>;

    /// Frees the chunks of a blob that was begun and is not committed; any other is left alone.
    fn abandon(&self, blob: BlobId) -> Reply<'_, ()>;

    /// One chunk of a blob.
    fn chunk(&self, blob: BlobId, number: u32) -> Reply<'_, Option<Vec<u8>>>;

    /// A snapshot of this owner, expired or not.
    fn meta<'a>(&'a self, owner: &'a Owner, id: SnapshotId) -> Reply<'a, Option<Meta>>;

    /// Up to `limit` snapshots of this owner, expired or not, the newest first; those older than `before` if it is
    /// given. One whose record cannot be read is among them.
    fn list<'a>(&'a self, owner: &'a Owner, before: Option<SnapshotId>, limit: usize) -> Reply<'a, Vec<Listed>>;

    /// Everybody who has or had a snapshot.
    fn owners(&self) -> Reply<'_, Vec<Owner>>;

    /// Deletes a snapshot, whether its record can be read or not; `false` if there is none.
    fn remove<'a>(&'a self, owner: &'a Owner, id: SnapshotId) -> Reply<'a, bool>;

    /// Changes when a snapshot goes by itself; `false` if there is none.
    fn set_expiry<'a>(&'a self, owner: &'a Owner, id: SnapshotId, expires: Option<Timestamp>) -> Reply<'a, bool>;

    /// Deletes what has expired by now; how many these were.
    fn sweep(&self, now: Timestamp) -> Reply<'_, u64>;

    /// What this owner has, expired or not.
    fn usage<'a>(&'a self, owner: &'a Owner) -> Reply<'a, StoreUsage>;

    /// Writes a session record, over one of the same id.
    fn put_session(&self, record: SessionRecord) -> Reply<'_, ()>;

    /// A session record.
    fn session<'a>(&'a self, id: &'a str) -> Reply<'a, Option<SessionEntry>>;

    /// Deletes a session record and returns it: of several who ask at once, one gets it. One that cannot be read stays.
    fn take_session<'a>(&'a self, id: &'a str) -> Reply<'a, Option<SessionRecord>>;

    /// Deletes a session record, whether it can be read or not; `false` if there is none.
    fn remove_session<'a>(&'a self, id: &'a str) -> Reply<'a, bool>;

    /// All session records.
    fn sessions(&self) -> Reply<'_, Vec<SessionEntry>>;
}

/// What a list has of one snapshot.
pub type Listed = Result<Meta, UnreadableSnapshot>;

/// What makes a snapshot of a blob.
#[derive(Debug, Clone)]
pub struct Commit {
    /// All about it.
    pub meta: Meta,
    /// The owner's snapshot that it takes the place of. Need not exist, unless it is this snapshot itself.
    pub replaces: Option<SnapshotId>,
    /// What its owner may have, this snapshot included.
    pub limits: StoreLimits,
}

impl Commit {
    /// What the owner has with it, if there is room beside the `others`.
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
