//! The pool: the browsers, and which of them serves the next session.
//!
//! `slot` is the place of one browser and its states, `supervisor` the task that starts the browser of a slot, keeps
//! warm leases in it and replaces it. `placement` chooses a browser, `warm_pool` says how many warm leases a browser
//! holds; both are pure.

mod placement;
mod slot;
mod supervisor;
mod warm_pool;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::placement::BrowserKind;
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

/// What a pool is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One entry per browser. All are of the kind [`BrowserKind::SHARED`].
    pub sources: Vec<Source>,
    /// Warm leases kept ready in each browser; more while clients come in bursts.
    pub warm: usize,
    /// Most sessions in one browser.
    pub max_sessions: Option<i64>,
    /// What the sessions of one browser share out among them.
    pub shares: Shares,
}

/// What a session needs of the browser that it gets a lease in.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// The browser is of this kind.
    pub kind: BrowserKind,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum NoLease {
    /// Every browser is at its cap.
    #[error("every browser has its {0} sessions (max_sessions); try again when one has ended")]
    Full(i64),
    /// A session traces in the only browser.
    #[error("a session is tracing, for which it needs the browser alone; try again when it has ended")]
    Exclusive,
    /// No browser became ready in time.
    #[error("no browser became ready within {seconds} s: {why}")]
    NoBrowser {
        /// How long it was waited.
        seconds: u64,
        /// What each slot lacks.
        why: String,
    },
    /// The proxy is shutting down.
    #[error("ghostmux is shutting down")]
    Closing,
    /// The browser would not make one.
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
    /// Starts every browser of the plan; the first that cannot be had is the error.
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

    /// The browsers that take sessions now.
    pub fn browsers(&self) -> Vec<Browser> {
        self.inner.slots.lock().values().filter_map(Slot::browser).cloned().collect()
    }

    /// Warm leases that nobody has taken yet.
    pub fn idle(&self) -> usize {
        self.inner.slots.lock().values().map(Slot::warm).sum()
    }

    /// Any browser that is ready, or waits for one: what the browsers say of themselves is the same for all.
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
                    // The lease counts itself from here on.
                    Ok(lease) => return Ok(lease.counted()),
                    // It has just died: another one, or the one that takes its place.
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

    /// Takes a place in the browser of a slot.
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

/// Where the next session gets its lease.
enum Choice<'a> {
    Warm(Lease),
    Cold(Reservation<'a>),
    Refused(NoLease),
    NoneReady,
}

/// A place taken before the lease exists, so that several at once do not all choose the same browser.
struct Reservation<'a> {
    slots: &'a Slots,
    browser: Browser,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.browser.count(-1);
        // The slot may hold another browser by now, which never knew of this client.
        if let Some(Slot::Ready { browser, warm, refill, .. }) = self.slots.lock().get_mut(&self.browser.id())
            && browser.is(&self.browser)
        {
            warm.served(Instant::now());
            refill.notify_one();
        }
    }
}
