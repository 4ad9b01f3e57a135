//! Dedicated browsers: how a session waits for one, and what the controller knows of them.
//!
//! One that is started like all others may be a spare one, and the session that waits longest takes it. One with launch
//! options is started for the session that asked, and handed to it alone.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, oneshot};

use super::{
    NoLease, Pool, WAIT,
    health::BackOff,
    placement::BrowserKind,
    slot::{DeadReason, Slot, Slots, State},
    spares::{self, Dedicated, Ticket},
};
use crate::{
    browser::{BrowserError, Lease, Source},
    port::{BrowserId, LaunchSpec},
};

/// Sets of launch options with which a browser did not start, of which so many are remembered.
const FAILED_KEPT: usize = 64;

/// The sessions that wait for a dedicated browser.
#[derive(Debug, Default)]
pub(super) struct Queue {
    // Guards who waits; held for a look-up. Locked after the slots, if both are.
    waiting: std::sync::Mutex<Waiting>,
    // Held by the one that gets the next browser that is started like all others; the rest have their turns in the order in
    // which they came.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: Ticket,
    /// In the order in which they came; with what a browser must be started for.
    by_ticket: BTreeMap<Ticket, Option<Request>>,
}

/// A session that waits for a browser with launch options.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) launch: LaunchSpec,
    pub(super) reply: Requester,
}

/// Where the lease of a browser with launch options goes, or the reason why there is none. Dropping the other end, or a
/// lease in it, ends the browser.
pub(super) type Requester = oneshot::Sender<Result<Lease, NoLease>>;

/// A session's place in the queue. Dropping it leaves the queue.
struct InLine<'a>(&'a Queue, Ticket);

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, request: Option<Request>) -> InLine<'_> {
        let mut waiting = self.lock();
        waiting.last += 1;
        let ticket = waiting.last;
        waiting.by_ticket.insert(ticket, request);
        InLine(self, ticket)
    }

    /// The session that waits longest for a browser with launch options: one is being started for it.
    pub(super) fn take_special(&self) -> Option<Request> {
        let mut waiting = self.lock();
        let ticket = waiting.special()?;
        waiting.by_ticket.remove(&ticket)?
    }
}

impl Waiting {
    fn special(&self) -> Option<Ticket> {
        self.by_ticket.iter().find(|(_, request)| request.is_some()).map(|(ticket, _)| *ticket)
    }

    fn plain(&self) -> Vec<Ticket> {
        self.by_ticket.iter().filter(|(_, request)| request.is_none()).map(|(ticket, _)| *ticket).collect()
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.lock().by_ticket.remove(&self.1);
    }
}

/// The launch options with which a browser did not start lately, the latest last.
#[derive(Debug, Default)]
pub(super) struct FailedLaunches(VecDeque<(LaunchSpec, BackOff, Arc<BrowserError>)>);

impl FailedLaunches {
    /// A browser did not start with these options. Returns the pause before the next attempt.
    pub(super) fn failed(&mut self, launch: &LaunchSpec, error: Arc<BrowserError>, now: Instant) -> Duration {
        let mut back_off = self.remove(launch).unwrap_or_default();
        let pause = back_off.failed(now);
        self.0.push_back((launch.clone(), back_off, error));
        if self.0.len() > FAILED_KEPT {
            self.0.pop_front();
        }
        pause
    }

    /// A browser has started with these options.
    pub(super) fn started(&mut self, launch: &LaunchSpec) {
        self.remove(launch);
    }

    /// Why none is started with these options now, and when one is tried again.
    fn refusal(&self, launch: &LaunchSpec, now: Instant) -> Option<NoLease> {
        let (_, back_off, error) = self.0.iter().find(|(failed, ..)| failed == launch)?;
        let retry_in = back_off.until()?.checked_duration_since(now).filter(|pause| !pause.is_zero())?;
        Some(NoLease::NotStarted { error: error.clone(), retry_in })
    }

    fn remove(&mut self, launch: &LaunchSpec) -> Option<BackOff> {
        let at = self.0.iter().position(|(failed, ..)| failed == launch)?;
        self.0.remove(at).map(|(_, back_off, _)| back_off)
    }
}

impl Pool {
    /// Hands out the lease of a dedicated browser, after a wait if none is ready. The browser ends with the lease.
    pub(super) async fn lease_dedicated(&self, launch: LaunchSpec) -> Result<Lease, NoLease> {
        if self.limits().rules.dedicated == 0 {
            return Err(NoLease::NeverDedicated { why: "max_dedicated is 0" });
        }
        let Some(Source::Local(local)) = self.local_source().and_then(|at| self.inner.sources.get(at)) else {
            return Err(NoLease::NeverDedicated { why: "all its browsers run elsewhere (browser_url)" });
        };
        if launch.screen().is_some() {
            local.can_have_screens().map_err(|why| NoLease::NeverHeadful { why })?;
        }
        let (asked, is_special) = (Instant::now(), !launch.is_plain());
        let leased = async {
            if is_special { self.lease_special(launch, asked).await } else { Ok(self.lease_plain(asked).await) }
        };
        let lease = tokio::select! {
            lease = leased => lease?,
            () = self.inner.closing.cancelled() => return Err(NoLease::Closing),
            () = tokio::time::sleep_until((asked + WAIT).into()) => {
                let seconds = WAIT.as_secs();
                return Err(NoLease::NoDedicated { seconds, why: self.lacks_dedicated(asked, is_special) });
            }
        };
        self.inner.wake.notify_one();
        tracing::debug!(browser = lease.browser().id().0, waited = ?asked.elapsed(), "dedicated browser taken");
        Ok(lease)
    }

    /// Waits for the lease of a browser that is started like all others.
    async fn lease_plain(&self, asked: Instant) -> Lease {
        let queue = &self.inner.dedicated;
        self.books().dedicated_at = Some(asked);
        let mut waiting = Some(queue.join(None));
        self.inner.wake.notify_one();
        let _turn = queue.turn.lock().await;
        loop {
            let changed = self.inner.slots.changed();
            // The next spare browser is started only for those that still wait.
            if let Some(lease) = self.inner.slots.take_spare(|| waiting = None) {
                return lease;
            }
            changed.await;
        }
    }

    /// Waits for the lease of a browser that is started for this session.
    async fn lease_special(&self, launch: LaunchSpec, asked: Instant) -> Result<Lease, NoLease> {
        if let Some(refusal) = self.books().failed_launches.refusal(&launch, asked) {
            return Err(refusal);
        }
        let (reply, answer) = oneshot::channel();
        let _waiting = self.inner.dedicated.join(Some(Request { launch, reply }));
        self.inner.wake.notify_one();
        answer.await.unwrap_or(Err(NoLease::Closing))
    }

    /// Why a session that waits since then has no dedicated browser.
    fn lacks_dedicated(&self, since: Instant, is_special: bool) -> String {
        let slots = self.inner.slots.lock();
        let failed = slots.values().rev().find_map(|slot| match &slot.state {
            State::Dead { why: why @ DeadReason::NotStarted { .. } }
                if slot.since >= since && slot.kind.special().is_none() && !is_special =>
            {
                Some(why.to_string())
            }
            _ => None,
        });
        drop(slots);
        let lacks = || spares::lacks(&self.dedicated(Instant::now()), &self.limits().rules, is_special);
        failed.unwrap_or_else(lacks)
    }

    /// The dedicated browsers, and those who wait for one.
    pub(super) fn dedicated(&self, now: Instant) -> Dedicated {
        let retry_at = self.retry_at(now);
        let slots = self.inner.slots.lock();
        let figures = |is_wanted: fn(&BrowserKind) -> bool| {
            let all = slots.iter().filter(move |(_, slot)| is_wanted(&slot.kind));
            all.filter_map(|(id, slot): (_, &Slot)| slot.figures(*id, false)).collect()
        };
        let browsers = figures(BrowserKind::is_plain_dedicated);
        let special = figures(|kind| kind.special().is_some());
        // With the slots: a session takes a browser and waits no more in one step.
        let queue = self.inner.dedicated.lock();
        let (waiting, special_waiting) = (queue.plain(), queue.special());
        drop(queue);
        drop(slots);
        let books = self.books();
        Dedicated {
            now,
            browsers,
            special,
            waiting,
            special_waiting,
            asked_at: books.dedicated_at,
            retry_at,
            memory: books.load.memory,
            cpu: books.load.cpu,
        }
    }
}

impl Slot {
    /// The lease of a dedicated browser that no session has taken. It is taken once.
    fn take_spare(&mut self) -> Option<Lease> {
        let State::Ready(serving) = &mut self.state else { return None };
        if serving.browser.is_alive() { serving.spare.take() } else { None }
    }
}

impl Slots {
    /// Takes the lease of the oldest dedicated browser that no session has taken: from now on the browser belongs to the
    /// session that gets it.
    ///
    /// `taken` is called before anybody else sees the slots: the session does not wait any more.
    pub(super) fn take_spare(&self, taken: impl FnOnce()) -> Option<Lease> {
        let mut slots = self.lock();
        let lease = slots.values_mut().find_map(Slot::take_spare)?.counted();
        taken();
        self.show(&slots);
        Some(lease)
    }

    /// Withdraws the lease of this dedicated browser, unless a session has taken it: then no session gets it any more.
    pub(super) fn withdraw_spare(&self, id: BrowserId) -> Option<Lease> {
        self.lock().get_mut(&id).and_then(Slot::take_spare)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(arg: &str) -> LaunchSpec {
        LaunchSpec::new(vec![arg.to_owned()])
    }

    #[test]
    fn launch_options_that_fail_are_tried_again_after_a_pause_of_their_own() {
        let (mut failed, now) = (FailedLaunches::default(), Instant::now());
        let error = Arc::new(BrowserError::Silent);
        let first = failed.failed(&launch("--a"), error.clone(), now);
        let refused = failed.refusal(&launch("--a"), now).expect("it has just failed").to_string();
        assert!(refused.contains("did not answer") && refused.contains("200 ms"), "{refused}");
        assert!(failed.refusal(&launch("--b"), now).is_none(), "other options have not failed");
        assert!(failed.refusal(&launch("--a"), now + first).is_none(), "it may be tried again");
        let second = failed.failed(&launch("--a"), error.clone(), now + first);
        assert!(second > first, "{second:?}");
        failed.started(&launch("--a"));
        assert!(failed.refusal(&launch("--a"), now + first).is_none());
        for number in 0..=FAILED_KEPT {
            failed.failed(&launch(&format!("--{number}")), error.clone(), now);
        }
        assert_eq!(failed.0.len(), FAILED_KEPT);
        assert!(failed.refusal(&launch("--0"), now).is_none(), "the oldest is forgotten");
    }

    #[test]
    fn sessions_wait_in_the_order_in_which_they_came_until_they_leave() {
        let queue = Queue::default();
        let special = |arg| {
            let (reply, answer) = oneshot::channel();
            drop(answer);
            queue.join(Some(Request { launch: launch(arg), reply }))
        };
        let (first, second, third) = (queue.join(None), special("--a"), special("--b"));
        assert_eq!(queue.lock().plain(), [1]);
        assert_eq!(queue.lock().special(), Some(2));
        drop(second);
        let next = queue.take_special().expect("one waits");
        assert_eq!(next.launch, launch("--b"));
        assert!(queue.take_special().is_none());
        drop((first, third));
        assert!(queue.lock().by_ticket.is_empty());
    }
}
