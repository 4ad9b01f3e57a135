//! The place of one browser in the pool, and its states. Only one function changes the state.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    placement::{BrowserKind, Figures},
    warm_pool::WarmPool,
};
use crate::{
    browser::{Browser, BrowserError, Lease},
    metrics::Metrics,
    port::BrowserId,
};

/// The state of one slot.
#[derive(Debug)]
pub(super) enum Slot {
    /// A browser is being started, for the first time or to replace the previous one.
    Starting {
        /// Why the previous browser is gone.
        after: Option<DeadReason>,
    },
    /// The browser accepts sessions.
    Ready {
        browser: Browser,
        kind: BrowserKind,
        warm: WarmPool<Lease>,
        /// Notified when the warm leases have changed.
        refill: Arc<Notify>,
    },
    /// The browser is ending and accepts no sessions.
    Draining { why: DrainReason },
    /// There is no browser.
    Dead { why: DeadReason },
}

/// Why a browser accepts no more sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DrainReason {
    /// The pool is closed.
    Closing,
}

/// Why a slot has no browser.
#[derive(Clone, Debug)]
pub(super) enum DeadReason {
    /// The pool ended the browser.
    Closed { why: Arc<str> },
    /// The browser ended without being asked to.
    Lost { why: Arc<str>, last_words: Vec<String> },
    /// The browser could not be started. The next attempt follows after a pause.
    NotStarted { error: Arc<BrowserError>, retry_in: Duration },
}

impl fmt::Display for DrainReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closing => f.write_str("ghostmux is shutting down"),
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { why } | Self::Lost { why, .. } => f.write_str(why),
            Self::NotStarted { error, .. } => error.fmt(f),
        }
    }
}

impl Slot {
    /// The browser, if it accepts sessions.
    pub(super) fn browser(&self) -> Option<&Browser> {
        match self {
            Self::Ready { browser, .. } => Some(browser),
            Self::Starting { .. } | Self::Draining { .. } | Self::Dead { .. } => None,
        }
    }

    /// Number of warm leases that no session has taken.
    pub(super) fn warm(&self) -> usize {
        match self {
            Self::Ready { warm, .. } => warm.len(),
            Self::Starting { .. } | Self::Draining { .. } | Self::Dead { .. } => 0,
        }
    }

    /// Why the slot accepts no sessions; `None` if it accepts them.
    pub(super) fn lacks(&self) -> Option<String> {
        match self {
            Self::Starting { after: None } => Some("it is being started".to_owned()),
            Self::Starting { after: Some(why) } | Self::Dead { why } => Some(why.to_string()),
            Self::Draining { why } => Some(why.to_string()),
            Self::Ready { .. } => None,
        }
    }

    /// The figures for placement, if the slot accepts sessions.
    pub(super) fn figures(&self, id: BrowserId) -> Option<Figures<'_>> {
        let Self::Ready { browser, kind, .. } = self else { return None };
        let figures = || Figures { browser: id, kind, sessions: browser.live(), is_exclusive: browser.is_exclusive() };
        // The browser's end is visible here before the slot's task has handled it.
        browser.is_alive().then(figures)
    }

    /// Logs the new state of a slot.
    fn log(&self, id: BrowserId) {
        let browser = id.0;
        match self {
            Self::Starting { .. } => tracing::debug!(browser, "browser starting"),
            Self::Ready { browser: of, .. } => {
                tracing::info!(browser, product = of.identity().product, pid = of.pid(), "browser ready");
            }
            Self::Draining { why } => tracing::debug!(browser, %why, "browser draining"),
            Self::Dead { why: DeadReason::Closed { why } } => tracing::debug!(browser, %why, "browser closed"),
            Self::Dead { why: DeadReason::Lost { why, last_words } } => {
                tracing::error!(browser, %why, ?last_words, "browser lost; it is replaced");
            }
            Self::Dead { why: DeadReason::NotStarted { error, retry_in } } => {
                tracing::error!(browser, %error, ?retry_in, "browser did not start");
            }
        }
    }
}

/// The slots by the ids of their browsers.
#[derive(Debug)]
pub(super) struct Slots {
    // Guards the states; held for a few instructions, never across an await.
    by_id: Mutex<BTreeMap<BrowserId, Slot>>,
    changed: Notify,
    metrics: Arc<Metrics>,
}

impl Slots {
    /// One slot for each id; its browser is being started.
    pub(super) fn new(ids: impl Iterator<Item = BrowserId>, metrics: Arc<Metrics>) -> Self {
        let by_id = ids.map(|id| (id, Slot::Starting { after: None })).collect();
        Self { by_id: Mutex::new(by_id), changed: Notify::new(), metrics }
    }

    /// The states, for reading. [`Slots::transition`] changes them.
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<BrowserId, Slot>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes at the next change of a state after this call.
    pub(super) fn changed(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }

    /// Changes the state of a slot. Only this function does; it also updates the metrics, writes the log, and wakes the
    /// requests that wait for a browser.
    pub(super) fn transition(&self, id: BrowserId, next: Slot) {
        next.log(id);
        match &next {
            Slot::Ready { .. } => {
                self.metrics.browsers_started.inc();
            }
            Slot::Dead { why: DeadReason::Lost { .. } } => {
                self.metrics.browsers_lost.inc();
            }
            Slot::Starting { .. } | Slot::Draining { .. } | Slot::Dead { .. } => {}
        }
        let before = {
            let mut slots = self.lock();
            let before = slots.insert(id, next);
            let ready = slots.values().filter(|slot| slot.browser().is_some()).count();
            self.metrics.browsers.set(i64::try_from(ready).unwrap_or(i64::MAX));
            before
        };
        self.changed.notify_waiters();
        // Warm leases are dropped outside the lock, because their end sends requests.
        drop(before);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::browser::fake;

    fn ready(lease: &Lease) -> Slot {
        Slot::Ready {
            browser: lease.browser().clone(),
            kind: BrowserKind::SHARED,
            warm: WarmPool::new(0, 1, Instant::now()),
            refill: Arc::default(),
        }
    }

    fn lost() -> DeadReason {
        DeadReason::Lost { why: "it was killed".into(), last_words: Vec::new() }
    }

    #[tokio::test]
    async fn the_gauge_counts_the_browsers_that_are_ready() {
        let metrics = Arc::new(Metrics::default());
        let slots = Slots::new([BrowserId(0), BrowserId(1)].into_iter(), metrics.clone());
        let (lease, _) = fake::lease();
        let figures = || (metrics.browsers.get(), metrics.browsers_started.get(), metrics.browsers_lost.get());
        slots.transition(BrowserId(0), ready(&lease));
        assert_eq!(figures(), (1, 1, 0));
        slots.transition(BrowserId(1), ready(&lease));
        assert_eq!(figures(), (2, 2, 0));
        slots.transition(BrowserId(0), Slot::Dead { why: lost() });
        assert_eq!(figures(), (1, 2, 1));
        slots.transition(BrowserId(0), Slot::Starting { after: Some(lost()) });
        slots.transition(BrowserId(1), Slot::Draining { why: DrainReason::Closing });
        assert_eq!(figures(), (0, 2, 1));
        slots.transition(BrowserId(1), Slot::Dead { why: DeadReason::Closed { why: "it was closed".into() } });
        assert_eq!(figures(), (0, 2, 1), "a browser that was closed is not lost");
    }

    #[tokio::test]
    async fn waiters_are_notified_of_changes_and_shortage() {
        let slots = Slots::new([BrowserId(0)].into_iter(), Arc::default());
        let lacks = || slots.lock().values().find_map(Slot::lacks);
        assert_eq!(lacks().as_deref(), Some("it is being started"));
        let changed = slots.changed();
        slots.transition(BrowserId(0), Slot::Starting { after: Some(lost()) });
        changed.await;
        assert_eq!(lacks().as_deref(), Some("it was killed"));
        let (lease, _) = fake::lease();
        slots.transition(BrowserId(0), ready(&lease));
        assert_eq!(lacks(), None);
    }
}
