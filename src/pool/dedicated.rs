//! Dedicated browsers: how a session waits for one, and what the controller knows of them.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
};

use tokio::sync::Mutex;

use super::{
    NoLease, Pool, WAIT,
    controller::Waiting,
    placement::BrowserKind,
    slot::{DeadReason, Slot, Slots, State},
    spares::{self, Dedicated},
};
use crate::{browser::Lease, port::BrowserId};

/// The sessions that wait for a dedicated browser.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// How many there are.
    waiting: AtomicI64,
    // Held by the one that gets the next browser; the others have their turns in the order in which they came.
    turn: Mutex<()>,
}

impl Pool {
    /// Hands out the lease of a dedicated browser, after a wait if none is ready. The browser ends with the lease.
    pub(super) async fn lease_dedicated(&self) -> Result<Lease, NoLease> {
        if self.limits().rules.dedicated == 0 {
            return Err(NoLease::NeverDedicated { why: "max_dedicated is 0" });
        }
        if self.local_source().is_none() {
            return Err(NoLease::NeverDedicated { why: "all its browsers run elsewhere (browser_url)" });
        }
        let (asked, queue) = (Instant::now(), &self.inner.dedicated);
        self.books().dedicated_at = Some(asked);
        let mut waiting = Some(Waiting::new(&queue.waiting));
        self.inner.wake.notify_one();
        let leased = async {
            let _turn = queue.turn.lock().await;
            loop {
                let changed = self.inner.slots.changed();
                // The next spare browser is started only for those that still wait.
                if let Some(lease) = self.inner.slots.take_spare(|| waiting = None) {
                    return lease;
                }
                changed.await;
            }
        };
        let lease = tokio::select! {
            lease = leased => lease,
            () = self.inner.closing.cancelled() => return Err(NoLease::Closing),
            () = tokio::time::sleep_until((asked + WAIT).into()) => {
                let seconds = WAIT.as_secs();
                return Err(NoLease::NoDedicated { seconds, why: self.lacks_dedicated(asked) });
            }
        };
        self.inner.wake.notify_one();
        tracing::debug!(browser = lease.browser().id().0, waited = ?asked.elapsed(), "dedicated browser taken");
        Ok(lease)
    }

    /// Why a session that waits since then has no dedicated browser.
    fn lacks_dedicated(&self, since: Instant) -> String {
        let slots = self.inner.slots.lock();
        let failed = slots.values().rev().find_map(|slot| match &slot.state {
            State::Dead { why: why @ DeadReason::NotStarted { .. } } if slot.since >= since => Some(why.to_string()),
            _ => None,
        });
        drop(slots);
        failed.unwrap_or_else(|| spares::lacks(&self.dedicated(Instant::now()), &self.limits().rules))
    }

    /// The dedicated browsers, and those who wait for one.
    pub(super) fn dedicated(&self, now: Instant) -> Dedicated {
        let retry_at = self.retry_at(now);
        let slots = self.inner.slots.lock();
        let all = slots.iter().filter(|(_, slot)| slot.kind == BrowserKind::Dedicated);
        let browsers = all.filter_map(|(id, slot): (_, &Slot)| slot.figures(*id, false)).collect();
        // With the slots: a session takes a browser and waits no more in one step.
        let waiting = self.inner.dedicated.waiting.load(Ordering::Relaxed);
        drop(slots);
        let books = self.books();
        Dedicated {
            now,
            browsers,
            waiting: usize::try_from(waiting).unwrap_or(0),
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
