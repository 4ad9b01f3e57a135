//! The task of one slot: it starts the browser, keeps warm leases in it, and replaces it when it ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::Notify;

use super::{
    BrowserKind, Pool,
    slot::{DeadReason, DrainReason, Slot},
    warm_pool::{Next, WarmPool},
};
use crate::{
    browser::{self, Browser, CallError, Lease, Source, Started},
    port::BrowserId,
};

/// The first pause after a browser did not start; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Pool {
    /// Keeps a browser in the slot, beginning with `first`, until the pool closes.
    pub(super) async fn supervise(self, source: Source, first: Started) {
        let mut started = first;
        loop {
            let id = started.browser.id();
            let why = self.serve(started).await;
            self.inner.slots.transition(id, Slot::Dead { why: why.clone() });
            match self.replace(id, &source, why).await {
                Some(next) => started = next,
                None => return,
            }
        }
    }

    /// Lets a browser accept sessions until it ends.
    async fn serve(&self, started: Started) -> DeadReason {
        let Started { browser, mut link } = started;
        let id = browser.id();
        let refill = Arc::new(Notify::new());
        refill.notify_one();
        let cap = self.inner.plan.max_sessions.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let warm = WarmPool::new(self.inner.plan.warm, cap, Instant::now());
        let (kind, to_refill) = (BrowserKind::SHARED, refill.clone());
        self.inner.slots.transition(id, Slot::Ready { browser: browser.clone(), kind, warm, refill: to_refill });
        let end = tokio::select! {
            end = &mut link => end,
            () = self.warm_up(&browser, &refill) => link.await,
            () = self.inner.closing.cancelled() => {
                self.inner.slots.transition(id, Slot::Draining { why: DrainReason::Closing });
                browser.close();
                link.await
            }
        };
        match end {
            Ok(end) if end.wanted => DeadReason::Closed { why: end.why },
            Ok(end) => DeadReason::Lost { why: end.why, last_words: end.lines },
            Err(panic) => DeadReason::Lost { why: panic.to_string().into(), last_words: Vec::new() },
        }
    }

    /// Starts a browser for a slot, with retries; `None` when the pool closes.
    async fn replace(&self, id: BrowserId, source: &Source, mut after: DeadReason) -> Option<Started> {
        let mut pause = FIRST_PAUSE;
        loop {
            if self.inner.closing.is_cancelled() {
                return None;
            }
            self.inner.slots.transition(id, Slot::Starting { after: Some(after) });
            // Closing does not interrupt this: the future owns a half-started browser, and ends with it within its
            // deadline.
            let shares = self.inner.plan.shares;
            match browser::start(id, source, shares, self.inner.metrics.clone()).await {
                Ok(started) => return Some(started),
                Err(error) => after = DeadReason::NotStarted { error: Arc::new(error), retry_in: pause },
            }
            self.inner.slots.transition(id, Slot::Dead { why: after.clone() });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.inner.closing.cancelled() => return None,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Keeps warm leases in a browser until the browser ends.
    async fn warm_up(&self, browser: &Browser, refill: &Notify) {
        let id = browser.id();
        let mut making = FuturesUnordered::new();
        loop {
            let next = self.with_warm(id, |warm| warm.poll_next(Instant::now(), browser.is_busy()));
            let Some(next) = next else { return };
            let until = match next {
                Next::Make => {
                    making.push(browser.warm_lease());
                    continue;
                }
                Next::Drop(lease) => {
                    drop(lease);
                    continue;
                }
                Next::Wait(until) => until,
            };
            tokio::select! {
                () = refill.notified() => {}
                () = tokio::time::sleep_until(until.unwrap_or_else(Instant::now).into()), if until.is_some() => {}
                Some(made) = making.next() => match made {
                    Ok(lease) => {
                        self.with_warm(id, |warm| warm.put(lease));
                    }
                    Err(CallError::Gone) => return,
                    Err(error) => {
                        tracing::warn!(browser = id.0, %error, "no warm lease");
                        self.with_warm(id, |warm| warm.failed(Instant::now() + FIRST_PAUSE));
                    }
                },
            }
        }
    }

    /// Runs a function on the warm leases of a slot, if its browser accepts sessions.
    fn with_warm<T>(&self, id: BrowserId, act: impl FnOnce(&mut WarmPool<Lease>) -> T) -> Option<T> {
        match self.inner.slots.lock().get_mut(&id) {
            Some(Slot::Ready { warm, .. }) => Some(act(warm)),
            _ => None,
        }
    }
}
