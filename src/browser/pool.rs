//! The browsers, and which of them serves the next session.
//!
//! Each slot is one task that owns one browser: it starts it, keeps warm leases in it, and replaces it when it dies.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use super::start::{BrowserError, OLDEST, Shares, Source};
use super::{
    Browser, CallError, Lease, start,
    warm_pool::{Next, WarmPool},
};
use crate::metrics::Metrics;

/// How long a session waits for a browser that is being started or replaced.
const WAIT: Duration = Duration::from_secs(30);
/// The first pause after a browser that would not start; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a pool is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One entry per browser.
    pub sources: Vec<Source>,
    /// Warm leases kept ready in each browser; more while clients come in bursts.
    pub warm: usize,
    /// Most sessions in one browser.
    pub max_sessions: Option<i64>,
    /// What the sessions of one browser share out among them.
    pub shares: Shares,
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
    // Guards the slots' states; held for a few instructions, never across an await.
    slots: Mutex<Vec<Slot>>,
    /// A slot became ready or dead.
    changed: Notify,
    closing: CancellationToken,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
}

/// The state of one place for a browser.
#[derive(Debug)]
enum Slot {
    /// A browser is being started here for the first time or again.
    Starting {
        /// Why the one before is gone, or why it would not start.
        why: String,
    },
    /// It takes sessions.
    Ready { browser: Browser, warm: WarmPool<Lease>, refill: Arc<Notify> },
}

impl Pool {
    /// Starts every browser of the plan; the first that cannot be had is the error.
    pub async fn start(plan: Plan, metrics: Arc<Metrics>) -> Result<Self, BrowserError> {
        let slots = plan.sources.iter().map(|_| Slot::Starting { why: "it is being started".to_owned() }).collect();
        let inner = Inner {
            plan,
            slots: Mutex::new(slots),
            changed: Notify::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            metrics,
        };
        let pool = Self { inner: Arc::new(inner) };
        let mut firsts = Vec::new();
        for (number, source) in pool.inner.plan.sources.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            firsts.push(tokio::spawn({
                let (source, metrics) = (source.clone(), pool.inner.metrics.clone());
                let shares = pool.inner.plan.shares;
                async move { start::start(number, &source, shares, metrics).await }
            }));
        }
        let mut failed = None;
        for (at, first) in firsts.into_iter().enumerate() {
            match first.await {
                Ok(Ok(started)) => {
                    let pool = pool.clone();
                    pool.inner.tasks.clone().spawn(async move { pool.keep(at, started).await });
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
        let ready = |slot: &Slot| match slot {
            Slot::Ready { browser, .. } => Some(browser.clone()),
            Slot::Starting { .. } => None,
        };
        self.slots().iter().filter_map(ready).collect()
    }

    /// Warm leases that nobody has taken yet.
    pub fn idle(&self) -> usize {
        let ready = |slot: &Slot| match slot {
            Slot::Ready { warm, .. } => warm.len(),
            Slot::Starting { .. } => 0,
        };
        self.slots().iter().map(ready).sum()
    }

    /// Any browser that is ready, or waits for one: what the browsers say of themselves is the same for all.
    pub async fn any(&self) -> Result<Browser, NoLease> {
        let until = Instant::now() + WAIT;
        loop {
            let changed = self.inner.changed.notified();
            if let Some(browser) = self.browsers().into_iter().next() {
                return Ok(browser);
            }
            self.wait(changed, until).await?;
        }
    }

    /// Hands out a place in the least loaded browser: a warm one if there is one.
    pub async fn lease(&self) -> Result<Lease, NoLease> {
        let until = Instant::now() + WAIT;
        loop {
            let changed = self.inner.changed.notified();
            let choice = self.choose();
            match choice {
                Choice::Warm(lease) => return Ok(lease),
                Choice::Cold(at, browser) => {
                    let seat = Seat { pool: self, at, browser };
                    match seat.browser.lease().await {
                        // The lease counts itself from here on.
                        Ok(lease) => return Ok(lease.counted()),
                        // It has just died: another one, or the one that takes its place.
                        Err(_) if !seat.browser.is_alive() && Instant::now() < until => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Choice::Full(most) => return Err(NoLease::Full(most)),
                Choice::Exclusive => return Err(NoLease::Exclusive),
                Choice::None => self.wait(changed, until).await?,
            }
        }
    }

    async fn wait(&self, changed: impl Future<Output = ()>, until: Instant) -> Result<(), NoLease> {
        tokio::select! {
            () = changed => Ok(()),
            () = self.inner.closing.cancelled() => Err(NoLease::Closing),
            () = tokio::time::sleep_until(until.into()) => {
                let whys = self.slots().iter().filter_map(|slot| match slot {
                    Slot::Starting { why } => Some(why.clone()),
                    Slot::Ready { .. } => None,
                }).collect::<Vec<_>>();
                Err(NoLease::NoBrowser { seconds: WAIT.as_secs(), why: whys.join("; ") })
            }
        }
    }

    fn choose(&self) -> Choice {
        let mut slots = self.slots();
        let mut exclusive = false;
        let mut full = None;
        let mut best: Option<(i64, usize)> = None;
        for (at, slot) in slots.iter().enumerate() {
            let Slot::Ready { browser, .. } = slot else { continue };
            let live = browser.live();
            if !browser.is_alive() {
                continue;
            }
            if browser.is_exclusive() {
                exclusive = true;
            } else if let Some(most) = self.inner.plan.max_sessions.filter(|most| live >= *most) {
                full = Some(most);
            } else if best.is_none_or(|(least, _)| live < least) {
                best = Some((live, at));
            }
        }
        match best.and_then(|(_, at)| Some((at, slots.get_mut(at)?))) {
            Some((at, Slot::Ready { browser, warm, refill })) => {
                refill.notify_one();
                if let Some(lease) = warm.take(Instant::now()) {
                    Choice::Warm(lease.counted())
                } else {
                    browser.count(1);
                    Choice::Cold(at, browser.clone())
                }
            }
            _ => match (full, exclusive) {
                (Some(most), _) => Choice::Full(most),
                (None, true) => Choice::Exclusive,
                (None, false) => Choice::None,
            },
        }
    }

    /// Keeps one slot alive until the pool closes.
    async fn keep(self, at: usize, first: start::Started) {
        let mut started = first;
        loop {
            let number = started.browser.number();
            let mut link = started.link;
            self.inner.metrics.browsers_started.inc();
            tracing::info!(
                browser = number,
                product = started.browser.identity().product,
                pid = started.browser.pid(),
                "browser ready"
            );
            let refill = Arc::new(Notify::new());
            refill.notify_one();
            let cap = self.inner.plan.max_sessions.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
            let warm = WarmPool::new(self.inner.plan.warm, cap, Instant::now());
            self.transition(at, Slot::Ready { browser: started.browser.clone(), warm, refill: refill.clone() });
            let end = tokio::select! {
                end = &mut link => end,
                () = self.warm_up(at, &started.browser, &refill) => link.await,
                () = self.inner.closing.cancelled() => {
                    self.transition(at, Slot::Starting { why: "ghostmux is shutting down".to_owned() });
                    started.browser.close();
                    link.await
                }
            };
            let why = end.map_or_else(
                |panic| panic.to_string(),
                |end| {
                    if !end.wanted {
                        self.inner.metrics.browsers_lost.inc();
                        tracing::error!(browser = number, why = %end.why, last_words = ?end.lines, "browser lost; it is replaced");
                    }
                    end.why.to_string()
                },
            );
            self.transition(at, Slot::Starting { why });
            match self.replace(at, number).await {
                Some(next) => started = next,
                None => return,
            }
        }
    }

    /// Starts a browser for a slot, again and again; `None` when the pool closes.
    async fn replace(&self, at: usize, number: u32) -> Option<start::Started> {
        let mut pause = FIRST_PAUSE;
        loop {
            if self.inner.closing.is_cancelled() {
                return None;
            }
            let source = self.inner.plan.sources.get(at)?;
            // Not cut short by closing: what is half started is owned by the future, and ends with it in good time.
            let shares = self.inner.plan.shares;
            match start::start(number, source, shares, self.inner.metrics.clone()).await {
                Ok(started) => return Some(started),
                Err(error) => {
                    tracing::error!(browser = number, %error, retry_in = ?pause, "browser did not start");
                    self.transition(at, Slot::Starting { why: error.to_string() });
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.inner.closing.cancelled() => return None,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Keeps warm leases in a browser; ends only when the browser does.
    async fn warm_up(&self, at: usize, browser: &Browser, refill: &Notify) {
        let mut making = FuturesUnordered::new();
        loop {
            let Some(next) = self.with_stock(at, |stock| stock.next(Instant::now(), browser.is_busy())) else { return };
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
                        self.with_stock(at, |stock| stock.put(lease));
                    }
                    Err(CallError::Gone) => return,
                    Err(error) => {
                        tracing::warn!(browser = browser.number(), %error, "no warm lease");
                        self.with_stock(at, |stock| stock.failed(Instant::now() + FIRST_PAUSE));
                    }
                },
            }
        }
    }

    fn with_stock<T>(&self, at: usize, act: impl FnOnce(&mut WarmPool<Lease>) -> T) -> Option<T> {
        match self.slots().get_mut(at) {
            Some(Slot::Ready { warm, .. }) => Some(act(warm)),
            _ => None,
        }
    }

    fn transition(&self, at: usize, next: Slot) {
        let before = self.slots().get_mut(at).map(|slot| std::mem::replace(slot, next));
        self.inner.changed.notify_waiters();
        // Warm leases are dropped without the lock: their end sends orders.
        drop(before);
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Choice {
    Warm(Lease),
    Cold(usize, Browser),
    Full(i64),
    Exclusive,
    None,
}

/// A place taken before the lease exists, so that several at once do not all choose the same browser.
struct Seat<'a> {
    pool: &'a Pool,
    at: usize,
    browser: Browser,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.browser.count(-1);
        let mut slots = self.pool.slots();
        // The slot may hold another browser by now, which never knew of this client.
        if let Some(Slot::Ready { browser, warm, refill }) = slots.get_mut(self.at)
            && browser.is(&self.browser)
        {
            warm.served(Instant::now());
            refill.notify_one();
        }
    }
}
