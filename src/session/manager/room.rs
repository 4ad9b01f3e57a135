//! Limits how many large documents are read or written at a time, and the memory that they take together.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::session::error::ServiceError;
use crate::{
    config::{Admission, SnapshotLimits},
    snapshot::repository::{HELD_MOST, RepositoryError},
};

/// Bytes per permit of the memory.
const UNIT: usize = 1024;

/// The room for documents: a number of them, and their memory.
#[derive(Debug)]
pub(super) struct Rooms {
    limits: SnapshotLimits,
    // Guards the limits of waiting; held to copy them.
    admission: Mutex<Admission>,
    places: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Room for one document; dropping it frees it.
#[derive(Debug)]
#[must_use]
pub struct Room {
    _place: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

impl Rooms {
    /// Room within these limits. Requests wait as those for a place in a browser do.
    pub(super) fn new(limits: SnapshotLimits, admission: Admission) -> Self {
        let units = (limits.memory / UNIT).min(Semaphore::MAX_PERMITS);
        let (places, memory) = (Semaphore::new(limits.transfers).into(), Semaphore::new(units).into());
        Self { limits, admission: admission.into(), places, memory, waiting: AtomicUsize::new(0) }
    }

    /// From now on requests wait as these limits say.
    pub(super) fn set_admission(&self, admission: Admission) {
        *self.admission.lock().unwrap_or_else(PoisonError::into_inner) = admission;
    }

    /// Waits for room for a document of which `bytes` are parsed at once.
    pub(super) async fn take(&self, bytes: usize) -> Result<Room, ServiceError> {
        let needed = bytes.saturating_mul(SnapshotLimits::TIMES).div_ceil(UNIT);
        if needed > self.limits.memory / UNIT {
            let most = self.limits.memory / SnapshotLimits::TIMES;
            return Err(RepositoryError::NoMemory { most }.into());
        }
        self.take_units(needed).await
    }

    /// Waits for room for a session's state of any size, which is held until it has been copied.
    pub(super) async fn take_to_hold(&self) -> Result<Room, ServiceError> {
        self.take_units(HELD_MOST.min(self.limits.memory) / UNIT).await
    }

    async fn take_units(&self, needed: usize) -> Result<Room, ServiceError> {
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        let both = async {
            let place = self.places.clone().acquire_owned().await;
            let memory = self.memory.clone().acquire_many_owned(needed).await;
            place.and_then(|place| Ok(Room { _place: place, _memory: memory? })).map_err(|_| ServiceError::Closing)
        };
        let mut both = std::pin::pin!(both);
        // Room that is free is taken without counting as a waiter.
        if let Some(room) = futures_util::FutureExt::now_or_never(&mut both) {
            return room;
        }
        let Admission { queue, timeout, .. } = *self.admission.lock().unwrap_or_else(PoisonError::into_inner);
        let _waiting = Waiting::new(&self.waiting, queue).ok_or_else(|| self.crowded())?;
        tokio::time::timeout(timeout, both).await.unwrap_or_else(|_| Err(self.crowded()))
    }

    fn crowded(&self) -> ServiceError {
        ServiceError::Crowded { most: self.limits.transfers, waiting: self.waiting.load(Ordering::Relaxed) }
    }
}

/// Counts one waiter.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(all: &'a AtomicUsize, most: usize) -> Option<Self> {
        let more = |waiting| (waiting < most).then_some(waiting + 1);
        all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(all))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rooms(queue: usize) -> Rooms {
        let limits = SnapshotLimits { line: 1 << 20, transfers: 2, memory: 120 << 20, fields: 1 };
        Rooms::new(limits, Admission { total: None, per_owner: None, queue, timeout: Duration::from_secs(30) })
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_documents_are_limited() {
        let rooms = rooms(1);
        let (first, _second) = (rooms.take(1).await.expect("room"), rooms.take(1).await.expect("room"));
        let late = rooms.take(1).await.expect_err("no room");
        assert!(matches!(late, ServiceError::Crowded { most: 2, .. }), "{late}");
        let third = rooms.take(1);
        let (third, ()) = tokio::join!(third, async { drop(first) });
        drop(third.expect("room that was freed"));
    }

    #[tokio::test(start_paused = true)]
    async fn document_memory_is_limited() {
        let rooms = rooms(1);
        let large = rooms.take(6 << 20).await.expect("room");
        rooms.take(6 << 20).await.expect_err("both need more than there is");
        drop(large);
        drop(rooms.take(10 << 20).await.expect("all of it"));
        let never = rooms.take((10 << 20) + UNIT).await.expect_err("more than there ever is");
        assert!(matches!(never, ServiceError::Snapshot(RepositoryError::NoMemory { .. })), "{never}");
    }

    #[tokio::test(start_paused = true)]
    async fn copied_session_states_count_as_documents() {
        let rooms = rooms(1);
        let copied = rooms.take_to_hold().await.expect("room");
        rooms.take(6 << 20).await.expect_err("both need more than there is");
        drop(copied);
        drop(rooms.take(6 << 20).await.expect("room"));
        let _both = (rooms.take_to_hold().await.expect("room"), rooms.take(1).await.expect("room"));
        let late = rooms.take_to_hold().await.expect_err("there is no third place");
        assert!(matches!(late, ServiceError::Crowded { most: 2, .. }), "{late}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_documents_are_limited() {
        let rooms = rooms(0);
        let _both = (rooms.take(1).await.expect("room"), rooms.take(1).await.expect("room"));
        let since = tokio::time::Instant::now();
        rooms.take(1).await.expect_err("nobody may wait");
        assert_eq!(since.elapsed(), Duration::ZERO);
    }
}
