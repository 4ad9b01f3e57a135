//! Admission: limits the number of sessions, and queues the requests for a place.
//!
//! A [`Permit`] is a session's right to exist. Dropping it admits the next session. A waiting request is a future;
//! dropping it leaves the queue.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use crate::session::{
    error::ServiceError,
    fair_queue::{FairQueue, Ticket},
};
use crate::{
    api_types::{Mode, Owner},
    config::Admission,
    metrics::{LimitLabels, Metrics},
    tenant::{
        LimitBook, Limits,
        limits::{LimitName, Refusal, SharedPlace},
    },
};

/// Period that counts as recent for [`Fullness`].
const RECENT: Duration = Duration::from_secs(60);

/// Name of the setting that limits the number of places.
const LIMIT: &str = "max_sessions";

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct AdmissionControl {
    inner: Arc<Inner>,
}

struct Inner {
    /// The rates of the tenants, and what they have in other processes.
    limits: LimitBook,
    // Guards the rules, the admitted and the waiting; held for a few instructions, never while a permit is dropped.
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

struct State {
    rules: Admission,
    /// Whether places are given away.
    mode: Mode,
    taken: u32,
    /// Sessions of each owner, admitted or waiting.
    of_owner: HashMap<Owner, u32>,
    line: FairQueue<Owner, Waiting>,
    rejected: VecDeque<Instant>,
}

struct Waiting {
    since: Instant,
    place: oneshot::Sender<Taken>,
}

/// The load of the admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fullness {
    pub(super) taken: u32,
    pub(super) waiting: usize,
    pub(super) longest_wait: Duration,
    pub(super) recently_rejected: usize,
    pub(super) most: Option<u32>,
    pub(super) queue: usize,
}

/// A session's right to exist.
#[must_use]
pub(super) struct Permit {
    _taken: Taken,
    _of_owner: OfOwner,
}

/// One of all places.
struct Taken(AdmissionControl);

/// One of the places of an owner.
struct OfOwner {
    admission_control: AdmissionControl,
    owner: Owner,
    /// The same among all processes that share the limits.
    shared: Option<Box<SharedPlace>>,
}

/// A request in the queue.
struct Waiter {
    admission_control: AdmissionControl,
    ticket: Ticket,
}

impl AdmissionControl {
    /// Admits as the rules say.
    pub(super) fn new(rules: Admission, limits: LimitBook, metrics: Arc<Metrics>) -> Self {
        for limit in [LimitName::Sessions, LimitName::StartsPerMinute, LimitName::Queue] {
            metrics.limit_refusals.get_or_create(&LimitLabels { limit: limit.name() }).inc_by(0);
        }
        let state = State {
            rules,
            mode: Mode::default(),
            taken: 0,
            of_owner: HashMap::new(),
            line: FairQueue::default(),
            rejected: VecDeque::new(),
        };
        Self { inner: Arc::new(Inner { limits, state: state.into(), metrics }) }
    }

    /// From now on these rules hold. If there are more sessions than they allow, none is ended; those that wait are
    /// admitted as far as there are places, and wait for as long as the rules said when they came.
    pub(super) fn set_rules(&self, rules: Admission) {
        self.state().rules = rules;
        self.serve();
    }

    /// Waits for a place and returns the permit.
    pub(super) async fn enter(&self, owner: &Owner, limits: &Limits) -> Result<Permit, ServiceError> {
        let done = self.wait(owner, limits).await;
        if let Err(why) = &done {
            self.inner.metrics.sessions_rejected.inc();
            if let ServiceError::Limited(Refusal { limit, .. }) = why {
                self.inner.metrics.limit_refusals.get_or_create(&LimitLabels { limit: limit.name() }).inc();
            }
            let (mut state, now) = (self.state(), Instant::now());
            state.rejected.push_back(now);
            state.forget(now);
        }
        done
    }

    async fn wait(&self, owner: &Owner, limits: &Limits) -> Result<Permit, ServiceError> {
        let since = Instant::now();
        let mut of_owner = self.count(owner, limits)?;
        let start = self.inner.limits.start(owner, limits).await?;
        if let Some(most) = start.sessions {
            of_owner.check(most)?;
        }
        of_owner.shared = start.place;
        let (waiter, mut place, timeout) = {
            let mut state = self.state();
            let rules = state.rules;
            let waiting = state.line.len();
            match state.mode {
                Mode::Draining => return Err(ServiceError::Draining),
                Mode::Paused if waiting >= rules.queue => return Err(ServiceError::Paused { waiting }),
                Mode::Paused => {}
                Mode::Open => {
                    let most = rules.total.map(std::num::NonZero::get).filter(|most| state.taken >= *most);
                    let Some(most) = most else {
                        state.taken += 1;
                        drop(state);
                        return Ok(Permit { _taken: Taken(self.clone()), _of_owner: of_owner });
                    };
                    if waiting >= rules.queue {
                        return Err(ServiceError::QueueFull { limit: LIMIT, most, waiting, queue: rules.queue });
                    }
                }
            }
            let of_tenant = state.line.of_owner(owner);
            if let Some(most) = limits.places_of(rules.queue).filter(|most| of_tenant >= *most) {
                return Err(Refusal::of_count(LimitName::Queue, most as u64).into());
            }
            let (sender, place) = oneshot::channel();
            let ticket = state.line.push(owner.clone(), Waiting { since, place: sender });
            (Waiter { admission_control: self.clone(), ticket }, place, rules.timeout)
        };
        match tokio::time::timeout(timeout, &mut place).await {
            Ok(Ok(taken)) => Ok(Permit { _taken: taken, _of_owner: of_owner }),
            // Only a drain sends those away that wait.
            Ok(Err(_)) => Err(ServiceError::Draining),
            Err(_) => {
                // A permit may have arrived at this moment.
                if let Ok(taken) = place.try_recv() {
                    return Ok(Permit { _taken: taken, _of_owner: of_owner });
                }
                let state = self.state();
                if state.mode == Mode::Paused {
                    return Err(ServiceError::Paused { waiting: state.line.len() });
                }
                Err(ServiceError::QueueTimeout {
                    limit: LIMIT,
                    most: state.rules.total.map_or(0, std::num::NonZero::get),
                    waited: since.elapsed(),
                    position: state.line.ahead_of(waiter.ticket).map_or(1, |ahead| ahead + 1),
                    waiting: state.line.len(),
                })
            }
        }
    }

    /// Whether places are given away.
    pub(super) fn mode(&self) -> Mode {
        self.state().mode
    }

    /// From now on all requests wait, until [`AdmissionControl::resume`].
    pub(super) fn pause(&self) -> Result<(), ServiceError> {
        self.change(Mode::Paused)
    }

    /// Ends a pause: those that wait are admitted, as far as there are places.
    pub(super) fn resume(&self) -> Result<(), ServiceError> {
        self.change(Mode::Open)?;
        self.serve();
        Ok(())
    }

    /// From now on nobody is admitted, and those that wait are refused. There is no way back.
    pub(super) fn drain(&self) {
        let refused = {
            let mut state = self.state();
            state.mode = Mode::Draining;
            std::mem::take(&mut state.line)
        };
        // Outside the lock: whoever is refused takes it.
        drop(refused);
    }

    fn change(&self, mode: Mode) -> Result<(), ServiceError> {
        let mut state = self.state();
        if state.mode == Mode::Draining {
            return Err(ServiceError::Draining);
        }
        state.mode = mode;
        Ok(())
    }

    /// The current load.
    pub(super) fn fullness(&self) -> Fullness {
        let (mut state, now) = (self.state(), Instant::now());
        state.forget(now);
        Fullness {
            taken: state.taken,
            waiting: state.line.len(),
            longest_wait: state.line.iter().map(|waiting| now - waiting.since).max().unwrap_or_default(),
            recently_rejected: state.rejected.len(),
            most: state.rules.total.map(std::num::NonZero::get),
            queue: state.rules.queue,
        }
    }

    fn count(&self, owner: &Owner, limits: &Limits) -> Result<OfOwner, ServiceError> {
        let mut state = self.state();
        let has = state.of_owner.get(owner).copied().unwrap_or_default();
        if let Some(most) = state.rules.per_owner.map(std::num::NonZero::get).filter(|most| has >= *most) {
            return Err(ServiceError::TooMany { limit: "max_owner_sessions", most });
        }
        if let Some(most) = limits.max_sessions.filter(|most| has >= *most) {
            return Err(Refusal::of_count(LimitName::Sessions, most.into()).into());
        }
        state.of_owner.insert(owner.clone(), has + 1);
        Ok(OfOwner { admission_control: self.clone(), owner: owner.clone(), shared: None })
    }

    /// Admits waiting requests as long as there are places.
    fn serve(&self) {
        loop {
            let mut state = self.state();
            let is_full = state.rules.total.is_some_and(|most| state.taken >= most.get());
            if is_full || state.mode != Mode::Open {
                return;
            }
            let Some(next) = state.line.poll_next() else { return };
            state.taken += 1;
            // Sent outside the lock: if the receiver is gone, the permit is dropped, and its drop takes the lock.
            drop(state);
            drop(next.place.send(Taken(self.clone())));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, now: Instant) {
        while self.rejected.front().is_some_and(|at| now - *at > RECENT) {
            self.rejected.pop_front();
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.state().taken -= 1;
        self.0.serve();
    }
}

impl OfOwner {
    /// Checks the number of the owner's sessions, this one included.
    fn check(&self, most: u32) -> Result<(), ServiceError> {
        let has = self.admission_control.state().of_owner.get(&self.owner).copied().unwrap_or_default();
        if has > most {
            return Err(Refusal::of_count(LimitName::Sessions, most.into()).into());
        }
        Ok(())
    }
}

impl Drop for OfOwner {
    fn drop(&mut self) {
        let mut state = self.admission_control.state();
        if let Some(has) = state.of_owner.get_mut(&self.owner) {
            *has -= 1;
            if *has == 0 {
                state.of_owner.remove(&self.owner);
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Removed first, so that its sender is dropped outside the lock.
        let left = self.admission_control.state().line.remove(self.ticket);
        drop(left);
    }
}

#[cfg(test)]
mod tests;
