//! The files of all sessions: how much of the disk each owner takes, and the files that outlive their session.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{FileLimits, SessionFiles};
use crate::{api_types::Owner, session::id::SessionId};

/// The bytes of disk that the files of one owner take.
#[derive(Debug, Default)]
pub(super) struct Account(AtomicU64);

impl Account {
    /// Takes more, if no more than `most` are then taken. The error is what is taken now.
    pub(super) fn take(&self, more: u64, most: u64) -> Result<(), u64> {
        let grow = |taken: u64| taken.checked_add(more).filter(|sum| *sum <= most);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, grow).map(drop)
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// The files of all sessions of the process.
#[derive(Debug)]
pub struct FilesBook {
    base: PathBuf,
    // Guards the maps; held for a look-up.
    inner: Mutex<Inner>,
    /// Woken when a deadline was added.
    kept: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// There is one account for each owner that ever had a session: as many as the operator has configured.
    accounts: HashMap<Owner, Arc<Account>>,
    /// Files whose session does not run, until when they are kept.
    kept: HashMap<SessionId, (Instant, Arc<SessionFiles>)>,
    number: u64,
}

impl FilesBook {
    /// Below this directory.
    pub fn new(base: PathBuf) -> Self {
        Self { base, inner: Mutex::default(), kept: Notify::new() }
    }

    /// The files of a session that begins: those that were kept while it was hibernated, or none.
    pub fn open(&self, id: &SessionId, limits: FileLimits) -> Arc<SessionFiles> {
        let mut inner = self.inner();
        if let Some((_, files)) = inner.kept.remove(id) {
            if files.is_of_hibernated() {
                return files;
            }
            // Those of an earlier session of this id.
            files.close();
        }
        inner.number += 1;
        let account = inner.accounts.entry(id.owner().clone()).or_default().clone();
        // An id may be used again while the files of its last session are being removed.
        let path = self.base.join(format!("{}@{}.{}", id.owner(), id.as_str(), inner.number));
        Arc::new(SessionFiles::new(path, limits, account))
    }

    /// The files of a session that has ended, or is hibernated.
    pub fn of(&self, id: &SessionId) -> Option<Arc<SessionFiles>> {
        self.inner().kept.get(id).map(|(_, files)| files.clone())
    }

    /// A session does not run any more: keeps its files for this time, or removes them.
    pub fn ended(&self, id: &SessionId, files: &Arc<SessionFiles>, time: Duration, is_hibernated: bool) {
        if time.is_zero() || files.is_empty() {
            return files.close();
        }
        files.settle(is_hibernated);
        let until = Instant::now() + time;
        let before = self.inner().kept.insert(id.clone(), (until, files.clone()));
        if let Some((_, before)) = before.filter(|(_, before)| !Arc::ptr_eq(before, files)) {
            before.close();
        }
        self.kept.notify_one();
    }

    /// A hibernated session has ended: removes its files.
    pub fn forget(&self, id: &SessionId) {
        if let Some((_, files)) = self.inner().kept.remove(id) {
            files.close();
        }
    }

    /// Removes files that were kept for long enough, in an endless loop.
    pub async fn keep_clean(&self) {
        loop {
            let next = self.inner().kept.values().map(|(until, _)| *until).min();
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.kept.notified() => {}
            }
            let now = Instant::now();
            let over: Vec<_> = self.inner().kept.extract_if(|_, (until, _)| *until <= now).collect();
            for (_, (_, files)) in over {
                files.close();
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn files_are_kept_for_their_time_and_belong_to_one_session() {
        let directory = tempfile::tempdir().expect("a directory");
        let book = Arc::new(FilesBook::new(directory.path().to_owned()));
        let owner: Owner = "acme".parse().expect("an owner");
        let (one, other) = (SessionId::new(&owner, "one"), SessionId::new(&owner, "other"));
        let limits = FileLimits { session: 10 << 20, owner: 10 << 20, count: 10 };
        let files = book.open(&one, limits);
        files.put_now("a.txt", b"text");
        book.ended(&one, &files, Duration::from_secs(60), false);
        assert!(book.of(&other).is_none());
        assert_eq!(book.of(&one).expect("kept").list_files().files.len(), 1);
        assert!(files.path().join("files/a.txt").exists());
        // A new session of this id does not get them.
        let next = book.open(&one, limits);
        assert!(next.path() != files.path() && next.list_files().files.is_empty() && book.of(&one).is_none());
        // One that was hibernated does.
        next.put_now("b.txt", b"text");
        book.ended(&one, &next, Duration::from_secs(60), true);
        assert_eq!(book.open(&one, limits).path(), next.path());
        book.ended(&one, &next, Duration::from_secs(60), false);
        let cleaning = tokio::spawn({
            let book = book.clone();
            async move { book.keep_clean().await }
        });
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(book.of(&one).is_none());
        cleaning.abort();
        assert_eq!(book.open(&one, limits).size(), 0);
        book.inner().accounts.values().for_each(|account| assert_eq!(account.0.load(Ordering::Acquire), 0));
    }
}
