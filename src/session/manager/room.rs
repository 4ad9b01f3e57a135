//! Limits how many large documents are read or written at a time, and the memory that they take together.
//!
//! Tenants that wait take turns. An import arrives as fast as its client sends it; so that a tenant which sends slowly does
//! not keep the others waiting, its room is taken back after a while if a tenant that has less needs it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::session::{
    error::ServiceError,
    fair_queue::{FairQueue, Ticket},
};
use crate::{
    api_types::Owner,
    config::{Admission, SnapshotLimits},
    snapshot::repository::{HELD_MOST, RepositoryError},
    tenant::{
        Limits,
        limits::{LimitName, Refusal},
    },
};

/// The room for documents: a number of them, and their memory. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Rooms(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: SnapshotLimits,
    // Guards who has room and who waits; held for one look at each of these.
    state: Mutex<State>,
    /// Told when room was given back.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    admission: Admission,
    held: HashMap<u64, Held>,
    line: FairQueue<Owner, Waiting>,
    last: u64,
}

/// Room that somebody has.
#[derive(Debug)]
struct Held {
    owner: Owner,
    bytes: usize,
    /// Since when its document arrives; `None` while it does not.
    arriving: Option<Instant>,
    /// Cancelled when its document is to arrive no more.
    taken_back: CancellationToken,
}

#[derive(Debug)]
struct Waiting {
    owner: Owner,
    bytes: usize,
    room: oneshot::Sender<Room>,
}

/// Room for one document; dropping it frees it.
#[derive(Debug)]
#[must_use]
pub struct Room {
    rooms: Rooms,
    number: u64,
    taken_back: CancellationToken,
}

impl Rooms {
    /// Room within these limits. Requests wait as those for a place in a browser do.
    pub(super) fn new(limits: SnapshotLimits, admission: Admission) -> Self {
        let state = State { admission, held: HashMap::new(), line: FairQueue::default(), last: 0 };
        Self(Arc::new(Inner { limits, state: state.into(), freed: Notify::new() }))
    }

    /// From now on requests wait as these limits say.
    pub(super) fn set_admission(&self, admission: Admission) {
        self.state().admission = admission;
    }

    /// Waits, within the tenant's limits, for room for a document of which `bytes` are parsed at once.
    pub(super) async fn take(&self, owner: &Owner, limits: &Limits, bytes: usize) -> Result<Room, ServiceError> {
        let needed = bytes.saturating_mul(SnapshotLimits::TIMES);
        if needed > self.0.limits.memory {
            let most = self.0.limits.memory / SnapshotLimits::TIMES;
            return Err(RepositoryError::NoMemory { most }.into());
        }
        self.take_bytes(owner, limits, needed).await
    }

    /// Waits for room for a session's state of any size, which is held until it has been copied.
    pub(super) async fn take_to_hold(&self, owner: &Owner, limits: &Limits) -> Result<Room, ServiceError> {
        self.take_bytes(owner, limits, HELD_MOST.min(self.0.limits.memory)).await
    }

    async fn take_bytes(&self, owner: &Owner, limits: &Limits, bytes: usize) -> Result<Room, ServiceError> {
        let (_waiter, mut room, timeout) = {
            let mut state = self.state();
            let waiting = state.line.len();
            if waiting == 0 && state.fits(&self.0.limits, bytes) {
                return Ok(self.give(&mut state, owner.clone(), bytes));
            }
            let Admission { queue, timeout, .. } = state.admission;
            if waiting >= queue {
                return Err(self.crowded(&state));
            }
            let of_tenant = state.line.of_owner(owner);
            if let Some(most) = limits.places_of(queue).filter(|most| of_tenant >= *most) {
                return Err(Refusal::of_count(LimitName::Queue, most as u64).into());
            }
            let (sender, room) = oneshot::channel();
            let ticket = state.line.push(owner.clone(), Waiting { owner: owner.clone(), bytes, room: sender });
            (Waiter { rooms: self, ticket }, room, timeout)
        };
        let mut too_late = std::pin::pin!(tokio::time::sleep(timeout));
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            // From here on it hears what is freed, also before it is polled.
            freed.as_mut().enable();
            let next = self.take_back(owner);
            tokio::select! {
                biased;
                room = &mut room => return room.map_err(|_| ServiceError::Closing),
                () = &mut too_late => return Err(self.crowded(&self.state())),
                () = freed => {}
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    /// Ends the oldest import that has had its time and belongs to an owner that has more than this one, for which one
    /// waits. Returns when another one will have had its time.
    fn take_back(&self, waits: &Owner) -> Option<Instant> {
        let (state, now) = (self.state(), Instant::now());
        let number_of = |owner: &Owner| state.held.values().filter(|held| held.owner == *owner).count();
        let own = number_of(waits);
        if state.held.values().any(|held| held.taken_back.is_cancelled()) {
            // Room comes at once; whether it is enough shows then.
            return None;
        }
        let arriving = state.held.values().filter(|held| number_of(&held.owner) > own);
        let arriving = arriving.filter_map(|held| Some((held.arriving? + self.0.limits.upload, held)));
        let (end, held) = arriving.min_by_key(|(end, _)| *end)?;
        if end > now {
            return Some(end);
        }
        held.taken_back.cancel();
        None
    }

    /// Gives room to those that wait, as far as there is any.
    fn serve(&self) {
        loop {
            let mut state = self.state();
            let Some(bytes) = state.line.peek().map(|next| next.bytes) else { return };
            // Nobody overtakes one that needs much, or it would never get it.
            if !state.fits(&self.0.limits, bytes) {
                return;
            }
            let Some(Waiting { owner, bytes, room }) = state.line.poll_next() else { return };
            let given = self.give(&mut state, owner, bytes);
            // Sent outside the lock: if the receiver is gone, the room is dropped, and its drop takes the lock.
            drop(state);
            drop(room.send(given));
        }
    }

    fn give(&self, state: &mut State, owner: Owner, bytes: usize) -> Room {
        state.last += 1;
        let (number, taken_back) = (state.last, CancellationToken::new());
        state.held.insert(number, Held { owner, bytes, arriving: None, taken_back: taken_back.clone() });
        Room { rooms: self.clone(), number, taken_back }
    }

    fn crowded(&self, state: &State) -> ServiceError {
        ServiceError::Crowded { most: self.0.limits.transfers, waiting: state.line.len() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether there is room for a document that takes these bytes of memory.
    fn fits(&self, limits: &SnapshotLimits, bytes: usize) -> bool {
        let taken: usize = self.held.values().map(|held| held.bytes).sum();
        self.held.len() < limits.transfers && bytes <= limits.memory - taken
    }
}

impl Room {
    /// Reads what a client sends at its own pace. If it takes longer than `snapshot_upload_time` while the room is needed
    /// for another tenant, fails, and the rest is not read.
    pub async fn while_arriving<T>(&self, upload: impl Future<Output = T>) -> Result<T, ServiceError> {
        let set = |since| {
            if let Some(held) = self.rooms.state().held.get_mut(&self.number) {
                held.arriving = since;
            }
        };
        set(Some(Instant::now()));
        // Those that wait learn that this one may be ended.
        self.rooms.0.freed.notify_waiters();
        let arrived = tokio::select! {
            biased;
            arrived = upload => Ok(arrived),
            () = self.taken_back.cancelled() => Err(ServiceError::SlowImport { most: self.rooms.0.limits.upload }),
        };
        set(None);
        arrived
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.rooms.state().held.remove(&self.number));
        self.rooms.serve();
        self.rooms.0.freed.notify_waiters();
    }
}

/// A request in the queue.
struct Waiter<'a> {
    rooms: &'a Rooms,
    ticket: Ticket,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // Its sender is dropped outside the lock. It may have kept those behind it waiting that need less.
        let left = self.rooms.state().line.remove(self.ticket);
        if left.is_some() {
            self.rooms.serve();
        }
    }
}

#[cfg(test)]
mod tests;
