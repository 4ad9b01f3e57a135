//! The pool: the browsers, and the choice of the browser that serves the next session.
//!
//! `slot` is the place of one browser and its states. `supervisor` is the task that starts the browser of a slot, keeps
//! warm leases in it and replaces it. `placement` chooses a browser, `warm_pool` decides how many warm leases a browser
//! holds; both are pure.

mod placement;
mod report;
mod slot;
mod supervisor;
mod warm_pool;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{placement::BrowserKind, report::BrowserReport};
use self::{
    placement::Decision,
    slot::{Slot, Slots},
};
use crate::{
    browser::{self, Browser, BrowserError, CallError, Lease, Shares, Source},
    metrics::Metrics,
    port::BrowserId,
};

/// How long a session waits for a browser that is being started or replaced.
const WAIT: Duration = Duration::from_secs(30);

/// The parts of a pool.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One entry per browser. All are of the kind [`BrowserKind::SHARED`].
    pub sources: Vec<Source>,
    /// Number of warm leases kept ready in each browser; more while clients come in bursts.
    pub warm: usize,
    /// Most sessions in one browser.
    pub max_sessions: Option<i64>,
    /// Limits that the sessions of one browser share.
    pub shares: Shares,
}

/// The requirements of a session for the browser of its lease.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// The browser is of this kind.
    pub kind: BrowserKind,
}

/// Why no lease was given.
#[derive(Debug, thiserror::Error)]
pub enum NoLease {
    /// Every browser is at its cap.
    #[error("every browser has {0} sessions, the most that max_sessions allows; try again when a session has ended")]
    Full(i64),
    /// A session traces in the only browser.
    #[error("a session is tracing and needs the browser alone; try again when it has ended")]
    Exclusive,
    /// No browser became ready in time.
    #[error("no browser became ready within {seconds} s: {why}")]
    NoBrowser {
        /// Seconds waited.
        seconds: u64,
        /// The state of each slot.
        why: String,
    },
    /// The proxy is shutting down.
    #[error("ghostmux is shutting down")]
    Closing,
    /// The browser did not make a lease.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The browsers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    plan: Plan,
    slots: Slots,
    closing: CancellationToken,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
}

impl Pool {
    /// Starts every browser of the plan. Returns the error of the first that cannot be started.
    pub async fn start(plan: Plan, metrics: Arc<Metrics>) -> Result<Self, BrowserError> {
        let numbered = (0..).map(BrowserId).zip(plan.sources.iter().cloned());
        let sources: Vec<(BrowserId, Source)> = numbered.collect();
        let slots = Slots::new(sources.iter().map(|(id, _)| *id), metrics.clone());
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        let pool = Self { inner: Arc::new(Inner { plan, slots, closing, tasks, metrics }) };
        let mut firsts = Vec::new();
        for (id, source) in sources {
            let (metrics, shares) = (pool.inner.metrics.clone(), pool.inner.plan.shares);
            let first = tokio::spawn({
                let source = source.clone();
                async move { browser::start(id, &source, shares, metrics).await }
            });
            firsts.push((source, first));
        }
        let mut failed = None;
        for (source, first) in firsts {
            match first.await {
                Ok(Ok(started)) => {
                    let pool = pool.clone();
                    pool.inner.tasks.clone().spawn(async move { pool.supervise(source, started).await });
                }
                Ok(Err(error)) => failed = failed.or(Some(error)),
                Err(panic) => failed = failed.or(Some(BrowserError::Odd(panic.to_string()))),
            }
        }
        if let Some(error) = failed {
            pool.close().await;
            return Err(error);
        }
        Ok(pool)
    }

    /// Ends every browser and waits until their processes are gone.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// The browsers that accept sessions now.
    pub fn browsers(&self) -> Vec<Browser> {
        self.inner.slots.lock().values().filter_map(Slot::browser).cloned().collect()
    }

    /// Number of warm leases that no session has taken yet.
    pub fn idle(&self) -> usize {
        self.inner.slots.lock().values().map(Slot::warm).sum()
    }

    /// Any ready browser, after a wait if there is none: version and protocol are the same for all.
    pub async fn any(&self) -> Result<Browser, NoLease> {
        let until = Instant::now() + WAIT;
        loop {
            let changed = self.inner.slots.changed();
            if let Some(browser) = self.browsers().into_iter().next() {
                return Ok(browser);
            }
            self.wait(changed, until).await?;
        }
    }

    /// Hands out a lease in the least loaded browser of the kind: a warm one if there is one.
    pub async fn lease(&self, request: LeaseRequest) -> Result<Lease, NoLease> {
        let until = Instant::now() + WAIT;
        loop {
            let changed = self.inner.slots.changed();
            let choice = self.choose(&request.kind);
            match choice {
                Choice::Warm(lease) => return Ok(lease),
                Choice::Cold(reservation) => match reservation.browser.lease().await {
                    // From here on the lease counts itself.
                    Ok(lease) => return Ok(lease.counted()),
                    // The browser has just died: try another one, or the one that replaces it.
                    Err(_) if !reservation.browser.is_alive() && Instant::now() < until => {}
                    Err(error) => return Err(error.into()),
                },
                Choice::Refused(error) => return Err(error),
                Choice::NoneReady => self.wait(changed, until).await?,
            }
        }
    }

    async fn wait(&self, changed: impl Future<Output = ()>, until: Instant) -> Result<(), NoLease> {
        tokio::select! {
            () = changed => Ok(()),
            () = self.inner.closing.cancelled() => Err(NoLease::Closing),
            () = tokio::time::sleep_until(until.into()) => {
                let whys: Vec<_> = self.inner.slots.lock().values().filter_map(Slot::lacks).collect();
                Err(NoLease::NoBrowser { seconds: WAIT.as_secs(), why: whys.join("; ") })
            }
        }
    }

    fn choose(&self, kind: &BrowserKind) -> Choice<'_> {
        let mut slots = self.inner.slots.lock();
        let figures = slots.iter().filter_map(|(id, slot)| slot.figures(*id));
        let decision = placement::place(kind, figures, self.inner.plan.max_sessions);
        let choice = match &decision {
            Decision::Place { browser, .. } => slots.get_mut(browser).map_or(Choice::NoneReady, |slot| self.take(slot)),
            Decision::Full { max_sessions, .. } => Choice::Refused(NoLease::Full(*max_sessions)),
            Decision::Exclusive { .. } => Choice::Refused(NoLease::Exclusive),
            Decision::NoneReady => Choice::NoneReady,
        };
        drop(slots);
        tracing::debug!(%decision, "browser chosen for a session");
        choice
    }

    /// Reserves a place in the browser of a slot.
    fn take(&self, slot: &mut Slot) -> Choice<'_> {
        let Slot::Ready { browser, warm, refill, .. } = slot else { return Choice::NoneReady };
        refill.notify_one();
        if let Some(lease) = warm.take(Instant::now()) {
            return Choice::Warm(lease.counted());
        }
        browser.count(1);
        Choice::Cold(Reservation { slots: &self.inner.slots, browser: browser.clone() })
    }
}

/// The outcome of a choice of a browser for a lease.
enum Choice<'a> {
    Warm(Lease),
    Cold(Reservation<'a>),
    Refused(NoLease),
    NoneReady,
}

/// A reservation made before the lease exists, so that concurrent requests do not all choose the same browser.
struct Reservation<'a> {
    slots: &'a Slots,
    browser: Browser,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.browser.count(-1);
        // By now the slot may hold another browser, which does not know this client.
        if let Some(Slot::Ready { browser, warm, refill, .. }) = self.slots.lock().get_mut(&self.browser.id())
            && browser.is(&self.browser)
        {
            warm.served(Instant::now());
            refill.notify_one();
        }
    }
}
