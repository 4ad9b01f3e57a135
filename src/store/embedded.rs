//! The default store: one redb file, used by one process at a time.
//!
//! The first snapshot creates the file; it is opened when it is first needed. Its calls block, so they run on threads
//! of their own. Chunks are written without waiting for the disk, and their blob is marked as pending. The commit
//! removes the mark and waits for the disk. Blobs that are still marked when the file is opened belong to a process
//! that ended while writing, and are deleted.

mod open;
mod tables;

use std::{
    path::PathBuf,
    sync::{Arc, RwLock},
};

use futures_util::FutureExt as _;
use redb::{Database, Durability, ReadableDatabase as _, WriteTransaction};

use self::tables::Tables;
use super::{
    Backend, BlobId, Commit, Listed, Meta, Owner, Reply, SessionEntry, SessionRecord, SnapshotId, StoreError,
    StoreUsage, Timestamp,
};
use crate::api_types::BadOwner;

/// A store in one redb file.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    /// The file, once it is open. Work on it holds the lock for reading, those who open or close it for writing.
    file: Arc<RwLock<Option<Database>>>,
}

/// An error of the file, or of the operation.
enum Fault {
    Store(StoreError),
    File(Box<redb::Error>),
}

impl From<BadOwner> for Fault {
    fn from(error: BadOwner) -> Self {
        Self::Store(error.into())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::File(Box::new(error.into()))
            }
        }
    )*};
}
from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::SetDurabilityError,
    redb::DatabaseError,
    redb::CompactionError
);

impl Embedded {
    /// The store in this file, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: Arc::default() }
    }

    /// Runs a read. A file that does not exist is empty, and is not created.
    fn read<T: Default + Send + 'static>(
        &self,
        read: impl FnOnce(&Tables<redb::ReadTransaction>) -> Result<T, Fault> + Send + 'static,
    ) -> Reply<'static, T> {
        self.run(false, |file| match file {
            Some(file) => read(&Tables(file.begin_read()?)),
            None => Ok(T::default()),
        })
    }

    /// Runs a change that creates nothing.
    fn change<T: Default + Send + 'static>(
        &self,
        change: impl FnOnce(&Tables<WriteTransaction>) -> Result<T, Fault> + Send + 'static,
    ) -> Reply<'static, T> {
        self.run(false, |file| match file {
            Some(file) => write(file, Durability::Immediate, change),
            None => Ok(T::default()),
        })
    }

    fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        change: impl FnOnce(&Tables<WriteTransaction>) -> Result<T, Fault> + Send + 'static,
    ) -> Reply<'static, T> {
        self.run(true, move |file| match file {
            Some(file) => write(file, durability, change),
            None => Err(StoreError::Abandoned.into()),
        })
    }

    fn run<T: Send + 'static>(
        &self,
        make: bool,
        work: impl FnOnce(Option<&Database>) -> Result<T, Fault> + Send + 'static,
    ) -> Reply<'static, T> {
        let (path, file) = (self.path.clone(), self.file.clone());
        let place = self.place();
        let work = tokio::task::spawn_blocking(move || {
            let opened = open::file(&path, &file, make)?;
            let done = work(opened.as_ref());
            drop(opened);
            done.map_err(|fault| match fault {
                Fault::Store(error) => error,
                Fault::File(error) => {
                    open::close_after(&error, &file);
                    open::unavailable(&path, &error)
                }
            })
        });
        // redb may panic on a file that another program has written to. That fails this call, not the process.
        let damaged = || StoreError::Unavailable { place, why: "the file is damaged".to_owned() };
        async move { work.await.unwrap_or_else(|_| Err(damaged())) }.boxed()
    }
}

fn write<T>(
    file: &Database,
    durability: Durability,
    change: impl FnOnce(&Tables<WriteTransaction>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut transaction = file.begin_write()?;
    transaction.set_durability(durability)?;
    // Otherwise a large file would be read completely after a crash.
    transaction.set_quick_repair(matches!(durability, Durability::Immediate));
    let tables = Tables(transaction);
    let done = change(&tables)?;
    tables.0.commit()?;
    Ok(done)
}

impl Backend for Embedded {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn begin(&self, blob: BlobId) -> Reply<'_, ()> {
        self.write(Durability::None, move |tables| tables.begin(blob))
    }

    fn append(&self, blob: BlobId, number: u32, chunk: Vec<u8>) -> Reply<'_, ()> {
        self.write(Durability::None, move |tables| tables.append(blob, number, &chunk))
    }

    fn commit(&self, commit: Commit) -> Reply<'_, ()> {
        self.write(Durability::Immediate, move |tables| tables.commit(&commit))
    }

    fn abandon(&self, blob: BlobId) -> Reply<'_, ()> {
        self.change(move |tables| tables.abandon(blob))
    }

    fn chunk(&self, blob: BlobId, number: u32) -> Reply<'_, Option<Vec<u8>>> {
        self.read(move |tables| tables.chunk(blob, number))
    }

    fn meta<'a>(&'a self, owner: &'a Owner, id: SnapshotId) -> Reply<'a, Option<Meta>> {
        let owner = owner.clone();
        self.read(move |tables| tables.meta(&owner, id))
    }

    fn list<'a>(&'a self, owner: &'a Owner, before: Option<SnapshotId>, limit: usize) -> Reply<'a, Vec<Listed>> {
        let owner = owner.clone();
        self.read(move |tables| tables.list(&owner, before, limit))
    }

    fn profile<'a>(&'a self, owner: &'a Owner, name: &'a str) -> Reply<'a, Option<SnapshotId>> {
        let (owner, name) = (owner.clone(), name.to_owned());
        self.read(move |tables| tables.profile(&owner, &name))
    }

    fn profiles<'a>(
        &'a self,
        owner: &'a Owner,
        after: Option<&'a str>,
        limit: usize,
    ) -> Reply<'a, Vec<(String, SnapshotId)>> {
        let (owner, after) = (owner.clone(), after.unwrap_or_default().to_owned());
        self.read(move |tables| tables.profiles(&owner, &after, limit))
    }

    fn owners(&self) -> Reply<'_, Vec<Owner>> {
        self.read(Tables::owners)
    }

    fn remove<'a>(&'a self, owner: &'a Owner, id: SnapshotId) -> Reply<'a, bool> {
        let owner = owner.clone();
        self.change(move |tables| tables.remove(&owner, id))
    }

    fn set_expiry<'a>(&'a self, owner: &'a Owner, id: SnapshotId, expires: Option<Timestamp>) -> Reply<'a, bool> {
        let owner = owner.clone();
        self.change(move |tables| tables.set_expiry(&owner, id, expires))
    }

    fn sweep(&self, now: Timestamp) -> Reply<'_, u64> {
        let expired = self.read(move |tables| tables.expired(now));
        async move {
            // Usually nothing has expired, and then nothing is written.
            let expired = expired.await?;
            if expired.is_empty() {
                return Ok(0);
            }
            self.change(move |tables| tables.remove_expired(&expired, now)).await
        }
        .boxed()
    }

    fn usage<'a>(&'a self, owner: &'a Owner) -> Reply<'a, StoreUsage> {
        let owner = owner.clone();
        self.read(move |tables| tables.usage(&owner))
    }

    fn put_session(&self, record: SessionRecord) -> Reply<'_, ()> {
        self.write(Durability::Immediate, move |tables| tables.put_session(&record))
    }

    fn session<'a>(&'a self, id: &'a str) -> Reply<'a, Option<SessionEntry>> {
        let id = id.to_owned();
        self.read(move |tables| tables.session(&id))
    }

    fn take_session<'a>(&'a self, id: &'a str) -> Reply<'a, Option<SessionRecord>> {
        let id = id.to_owned();
        self.change(move |tables| tables.take_session(&id))
    }

    fn remove_session<'a>(&'a self, id: &'a str) -> Reply<'a, bool> {
        let id = id.to_owned();
        self.change(move |tables| tables.remove_session(&id))
    }

    fn count_sessions(&self) -> Reply<'_, u64> {
        self.read(Tables::count_sessions)
    }

    fn sessions(&self) -> Reply<'_, Vec<SessionEntry>> {
        self.read(Tables::sessions)
    }
}
