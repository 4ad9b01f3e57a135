//! The store of snapshots and hibernated sessions.
//!
//! A snapshot is an opaque stream of bytes here; `snapshot` knows its content. It is cut into chunks, each compressed
//! and encrypted ([`seal`]), so that a large snapshot is written and read with little memory ([`Writer`], [`Reader`]).
//! It is listed only when it is complete: its chunks, its metadata, its owner's quota and its expiry are committed
//! together, by the embedded file ([`Embedded`]) or by [`Redis`]. Both are a [`Backend`].
//!
//! Every object belongs to an [`Owner`]. An object of another owner is answered as one that does not exist.
//!
//! Nothing is created before the first snapshot: a server without snapshots needs no directory and no Redis.

mod backend;
mod embedded;
mod error;
mod ids;
mod janitor;
mod profile_lease;
mod record;
mod redis;
pub mod seal;
mod sealed_text;
mod stream;

use std::sync::Arc;

pub use self::{
    backend::{Backend, Commit, Listed, Reply},
    embedded::Embedded,
    error::StoreError,
    ids::{BadSnapshotId, BlobId, SnapshotId},
    janitor::Rekeyed,
    profile_lease::{LEASE, LeaseStep, Leased, Leaseholder, ProfileLease},
    record::{
        Expires, KeyName, Meta, New, Page, Query, SessionEntry, SessionRecord, StoreUsage, Timestamp,
        UnreadableSession, UnreadableSnapshot, expiry_of,
    },
    redis::Redis,
    sealed_text::{BadSealedText, SealedText},
    stream::{Reader, Writer},
};
use crate::api_types::Owner;
use crate::config::{StoreKeys, StoreLimits, StorePlace, StoreSettings};

/// Most snapshots on one page of a list.
const LARGEST_PAGE: usize = 1000;
/// Number of snapshots read at a time where all are read.
const BATCH: usize = 200;

/// A store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Box<dyn Backend>,
    is_shared: bool,
    keys: StoreKeys,
    ttl: Option<std::time::Duration>,
    limits: StoreLimits,
}

impl Store {
    /// The store of these settings. Does not yet touch a file or the network.
    pub fn new(settings: &StoreSettings) -> Self {
        let backend: Box<dyn Backend> = match &settings.place {
            StorePlace::File(path) => Box::new(Embedded::new(path.clone())),
            StorePlace::Redis(url) => Box::new(Redis::new(url.clone())),
        };
        let is_shared = matches!(settings.place, StorePlace::Redis(_));
        let (keys, ttl, limits) = (settings.keys.clone(), settings.ttl, settings.limits);
        Self(Arc::new(Inner { backend, is_shared, keys, ttl, limits }))
    }

    /// The place of the store, for people.
    pub fn place(&self) -> String {
        self.0.backend.place()
    }

    /// Whether other processes may use the store at the same time.
    pub fn is_shared(&self) -> bool {
        self.0.is_shared
    }

    /// Whether snapshots are encrypted.
    pub fn is_sealed(&self) -> bool {
        self.0.keys.sealing().is_some()
    }

    /// Starts a snapshot. It exists once its writer has committed.
    pub async fn put(&self, new: New) -> Result<Writer, StoreError> {
        new.check()?;
        Writer::begin(self, new).await
    }

    /// Opens a snapshot for reading.
    pub async fn get(&self, owner: &Owner, id: SnapshotId) -> Result<Reader, StoreError> {
        Reader::of(self, self.meta(owner, id).await?)
    }

    /// The metadata of a snapshot.
    pub async fn meta(&self, owner: &Owner, id: SnapshotId) -> Result<Meta, StoreError> {
        let meta = self.0.backend.meta(owner, id).await?;
        meta.filter(|meta| !meta.is_expired(Timestamp::now())).ok_or(StoreError::Missing { id })
    }

    /// An owner's snapshots, newest first.
    pub async fn list(&self, owner: &Owner, query: &Query) -> Result<Page, StoreError> {
        let limit = query.limit.clamp(1, LARGEST_PAGE);
        let wanted = query.name.as_deref().map(str::to_lowercase);
        let fits = |meta: &Meta| {
            let has = |wanted: &String| meta.name.as_deref().is_some_and(|name| name.to_lowercase().contains(wanted));
            wanted.as_ref().is_none_or(has)
        };
        let now = Timestamp::now();
        let mut page = Page { next: query.before, ..Page::default() };
        loop {
            // Without a search nearly every snapshot matches, so no more are requested than are wanted.
            let batch = if wanted.is_some() { BATCH } else { limit };
            let found = self.0.backend.list(owner, page.next, batch).await?;
            let is_end = found.len() < batch;
            for one in found {
                match one {
                    Ok(meta) => {
                        page.next = Some(meta.id);
                        if fits(&meta) && !meta.is_expired(now) {
                            page.snapshots.push(meta);
                        }
                    }
                    Err(unreadable) => {
                        page.next = Some(unreadable.id);
                        if wanted.is_none() {
                            page.unreadable.push(unreadable);
                        }
                    }
                }
                if page.snapshots.len() + page.unreadable.len() == limit {
                    return Ok(page);
                }
            }
            if is_end {
                page.next = None;
                return Ok(page);
            }
        }
    }

    /// The metadata of the state of a profile of this owner.
    pub async fn profile(&self, owner: &Owner, name: &str) -> Result<Option<Meta>, StoreError> {
        let mut looked_at = None;
        while let Some(id) = self.0.backend.profile(owner, name).await?.filter(|id| Some(*id) != looked_at) {
            match self.meta(owner, id).await {
                // Expired or deleted; or the profile was saved again meanwhile, and has another snapshot now.
                Err(StoreError::Missing { .. }) => looked_at = Some(id),
                meta => return meta.map(Some),
            }
        }
        Ok(None)
    }

    /// Opens the state of a profile of this owner for reading.
    pub async fn get_profile(&self, owner: &Owner, name: &str) -> Result<Option<Reader>, StoreError> {
        self.profile(owner, name).await?.map(|meta| Reader::of(self, meta)).transpose()
    }

    /// Deletes a profile of this owner, readable or not; `false` if there is none.
    pub async fn remove_profile(&self, owner: &Owner, name: &str) -> Result<bool, StoreError> {
        match self.0.backend.profile(owner, name).await? {
            Some(id) => self.0.backend.remove(owner, id).await,
            None => Ok(false),
        }
    }

    /// Up to `limit` profiles of this owner, by name; only those after `after` if it is given. One whose state has expired
    /// may be among them.
    pub async fn profiles(
        &self,
        owner: &Owner,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, SnapshotId)>, StoreError> {
        self.0.backend.profiles(owner, after, limit.clamp(1, LARGEST_PAGE)).await
    }

    /// Deletes a snapshot.
    pub async fn remove(&self, owner: &Owner, id: SnapshotId) -> Result<(), StoreError> {
        // An expired snapshot counts as deleted; the sweep deletes it. An unreadable one can be deleted.
        match self.meta(owner, id).await {
            Ok(_) | Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        if self.0.backend.remove(owner, id).await? { Ok(()) } else { Err(StoreError::Missing { id }) }
    }

    /// Changes when a snapshot expires.
    pub async fn set_expiry(&self, owner: &Owner, id: SnapshotId, expires: Expires) -> Result<(), StoreError> {
        self.meta(owner, id).await?;
        let expires = self.expiry(expires);
        if self.0.backend.set_expiry(owner, id, expires).await? { Ok(()) } else { Err(StoreError::Missing { id }) }
    }

    /// The bytes and snapshots of an owner.
    pub async fn usage(&self, owner: &Owner) -> Result<StoreUsage, StoreError> {
        self.0.backend.usage(owner).await
    }

    /// Every owner that has or had a snapshot.
    pub async fn owners(&self) -> Result<Vec<Owner>, StoreError> {
        self.0.backend.owners().await
    }

    /// Stores the record of a session that is not live; replaces its former record.
    pub async fn put_session(&self, record: SessionRecord) -> Result<(), StoreError> {
        record::check_size("the state of a session", &record.state)?;
        self.0.backend.put_session(record).await
    }

    /// The record of a session of this owner.
    pub async fn session(&self, owner: &Owner, id: &str) -> Result<Option<SessionEntry>, StoreError> {
        self.0.backend.session(&record::session_key(owner, id)).await
    }

    /// Removes the record of a session and returns it. Of several concurrent callers, here or on other nodes, one gets
    /// it: a process that restores or ends a session takes its record first. [`StoreError::UnreadableSession`] if it
    /// cannot be read; the record then stays.
    pub async fn take_session(&self, owner: &Owner, id: &str) -> Result<Option<SessionRecord>, StoreError> {
        self.0.backend.take_session(&record::session_key(owner, id)).await
    }

    /// Removes the record of a session, readable or not. Returns whether there was one.
    pub async fn remove_session(&self, owner: &Owner, id: &str) -> Result<bool, StoreError> {
        self.0.backend.remove_session(&record::session_key(owner, id)).await
    }

    /// The number of sessions that are not live, without reading their records.
    pub async fn count_sessions(&self) -> Result<u64, StoreError> {
        self.0.backend.count_sessions().await
    }

    /// The records of all sessions that are not live.
    pub async fn sessions(&self) -> Result<Vec<SessionEntry>, StoreError> {
        self.0.backend.sessions().await
    }

    fn expiry(&self, expires: Expires) -> Option<Timestamp> {
        match expires {
            Expires::ByDefault => self.0.ttl.map(|ttl| Timestamp::now().after(ttl)),
            Expires::Never => None,
            Expires::At(time) => Some(time),
        }
    }
}
