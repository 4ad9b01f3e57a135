//! The task of one browser: it starts the browser, asks whether it is well, keeps warm leases in it, compares it with
//! what is on record, and ends with it.

use std::{
    fmt,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::Notify;

use super::{
    BrowserKind, NoLease, Pool,
    dedicated::Requester,
    health::{self, Signs},
    reconcile::{self, Rounds},
    recycling::Growth,
    scaling,
    slot::{DeadReason, DrainReason, Next as Change, Serving, Slot},
    warm_pool::{Next, WarmPool},
};
use crate::{
    browser::{self, Browser, BrowserError, CallError, Lease, Started, books::Mend},
    metrics::DifferenceLabels,
    port::{BrowserId, egress::Strays},
    runtime,
};

/// A browser with its lease. If that cannot be made, the browser is ended.
async fn dedicated(started: Started) -> Result<(Started, Option<Lease>), BrowserError> {
    match started.browser.dedicate().await {
        Ok(lease) => Ok((started, Some(lease))),
        Err(error) => {
            started.browser.close();
            let _ = started.link.await;
            Err(error.into())
        }
    }
}

/// How many bytes a target is in the work of a comparison, see [`runtime::aside`].
const TARGET_BYTES: usize = 256;
/// The pause after a warm lease could not be made.
const PAUSE: Duration = Duration::from_millis(200);

impl Pool {
    /// Starts the browser of a slot, and runs it as a task of its own. If it does not start, the slot is dead. One with
    /// launch options is for the session that gets `reply`.
    pub(super) async fn launch(
        self,
        id: BrowserId,
        source: usize,
        kind: BrowserKind,
        reply: Option<Requester>,
    ) -> Result<(), Arc<BrowserError>> {
        let (inner, since) = (self.inner.clone(), Instant::now());
        let Some(from) = inner.sources.get(source) else { return Ok(()) };
        let starting = async {
            let special = kind.special().cloned().unwrap_or_default();
            let has_native = matches!(kind, BrowserKind::Dedicated(_));
            let started = browser::start(id, from, &special, has_native, inner.shares, inner.metrics.clone()).await?;
            let started = self.proven(source, started).await?;
            match &kind {
                BrowserKind::Shared => Ok((started, None)),
                BrowserKind::Dedicated(_) => dedicated(started).await,
            }
        };
        let started = tokio::select! {
            started = starting => started,
            // A local one is not interrupted: the future owns a half-started process, and ends with it within its deadline.
            () = inner.closing.cancelled(), if from.is_remote() => return Ok(()),
        };
        let now = Instant::now();
        match started {
            Ok((started, lease)) => {
                {
                    let mut books = self.books();
                    if let Some(launch) = kind.special() {
                        // How long it took, and that it started, says nothing of others.
                        books.failed_launches.started(launch);
                    } else {
                        books.start_time = scaling::average(books.start_time, now - since);
                        books.back_off(source).started();
                    }
                }
                inner.tasks.spawn(async move { self.run(started, lease, reply, source).await });
                Ok(())
            }
            Err(error) => {
                let error = Arc::new(error);
                let retry_in = match kind.special() {
                    // Its launch options are to blame: others are started as before.
                    Some(launch) => self.books().failed_launches.failed(launch, error.clone(), now),
                    None => self.books().back_off(source).failed(now),
                };
                self.change(id, Change::Dead(DeadReason::NotStarted { error: error.clone(), retry_in }));
                if let Some(reply) = reply {
                    let _ = reply.send(Err(NoLease::NotStarted { error: error.clone(), retry_in }));
                }
                Err(error)
            }
        }
    }

    /// A browser, once it has proven that nothing gets around its gates, if it has some and no browser of its version has
    /// proven it before. Otherwise it is ended.
    async fn proven(&self, source: usize, started: Started) -> Result<Started, BrowserError> {
        let version = (source, started.browser.identity().product.clone());
        let proven = || self.inner.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if !started.browser.is_gated() || proven().contains(&version) {
            return Ok(started);
        }
        let since = Instant::now();
        match started.browser.prove().await {
            Ok(()) => {
                tracing::info!(product = version.1, took = ?since.elapsed(), "it sends everything through its gates");
                proven().insert(version);
                Ok(started)
            }
            Err(why) => {
                started.browser.close();
                let _ = started.link.await;
                Err(why.into())
            }
        }
    }

    /// Lets a browser accept sessions until it ends. A dedicated one has its lease, which the session gets at once that
    /// waits for this browser, or the next one.
    async fn run(self, started: Started, lease: Option<Lease>, reply: Option<Requester>, source: usize) {
        let Started { browser, mut link } = started;
        let (spare, taken) = match (lease, reply) {
            (Some(lease), Some(reply)) => (None, Some((lease.counted(), reply))),
            (lease, _) => (lease, None),
        };
        let (id, ready_at) = (browser.id(), Instant::now());
        let refill = Arc::new(Notify::new());
        refill.notify_one();
        browser.limit(self.limits().browser);
        self.change(
            id,
            Change::Ready(Serving {
                browser: browser.clone(),
                spare,
                // The change limits it as the settings say at that moment.
                warm: WarmPool::new(0, 0, ready_at),
                refill: refill.clone(),
                ready_at,
                resident: None,
                growth: Growth::default(),
                cpu: None,
                disk: None,
                is_overdue: false,
                differences: 0,
                strays: Strays::default(),
            }),
        );
        if let Some((lease, reply)) = taken {
            // If the session has left, the browser ends with the lease.
            let _ = reply.send(Ok(lease));
        }
        let end = tokio::select! {
            end = &mut link => end,
            () = self.warm_up(&browser, &refill) => link.await,
            () = self.reconcile(&browser, &refill) => link.await,
            silent = self.watch(&browser) => {
                let why = format!("it sent nothing for {} ms and owes an answer (browser_stall)", silent.as_millis());
                self.kill(&browser, why.into());
                link.await
            }
            () = self.inner.closing.cancelled() => {
                self.change(id, Change::Drain(DrainReason::Closing));
                browser.close();
                link.await
            }
        };
        let why = match end {
            Ok(end) if end.wanted => DeadReason::Closed { why: end.why },
            Ok(end) => DeadReason::Lost { why: end.why, last_words: end.lines },
            Err(panic) => DeadReason::Lost { why: panic.to_string().into(), last_words: Vec::new() },
        };
        self.departed(&browser);
        // The session of a dedicated browser may end it as often as it likes: others do not wait for that.
        if matches!(why, DeadReason::Lost { .. }) && !browser.is_dedicated() {
            let now = Instant::now();
            self.books().back_off(source).lost(now - ready_at, now);
        }
        self.change(id, Change::Dead(why));
    }

    /// Changes the state of a slot, and lets the controller see it.
    pub(super) fn change(&self, id: BrowserId, to: Change) -> bool {
        let is_changed = self.inner.slots.transition(id, to, Instant::now());
        self.inner.wake.notify_one();
        is_changed
    }

    /// Ends a browser at once, with its sessions, which are told why.
    pub(super) fn kill(&self, browser: &Browser, why: Arc<str>) {
        tracing::error!(browser = browser.id().0, %why, "browser killed");
        self.change(browser.id(), Change::Drain(DrainReason::Killed(why.clone())));
        browser.kill(why);
    }

    /// Asks a browser again and again whether it is well. Returns for how long it has been silent, once that is too long.
    async fn watch(&self, browser: &Browser) -> Duration {
        loop {
            let limit = self.limits().stall;
            let pause = health::pause(limit);
            tokio::time::sleep(pause).await;
            let asked = Instant::now();
            let mut answer = std::pin::pin!(browser.probe());
            let (mut bytes, mut signs) = (browser.bytes(), Signs { asked, last_byte: asked, limit });
            loop {
                let check = signs.due().min(Instant::now() + pause);
                tokio::select! {
                    () = &mut answer => break,
                    () = tokio::time::sleep_until(check.into()) => {}
                }
                let now = Instant::now();
                if std::mem::replace(&mut bytes, browser.bytes()) != bytes {
                    signs.last_byte = now;
                }
                if let Some(silent) = signs.too_long(now) {
                    return silent;
                }
            }
        }
    }

    /// Compares what is on record of a browser with what Chrome says, again and again, and mends what differs. Returns
    /// when the browser has ended.
    async fn reconcile(&self, browser: &Browser, refill: &Notify) {
        let (mut rounds, is_shared) = (Rounds::default(), browser.pid().is_none());
        loop {
            tokio::time::sleep(self.limits().reconcile).await;
            let said = match browser.inventory().await {
                Ok(said) => said,
                Err(CallError::Gone) => return,
                // One that does not answer is the business of `watch`.
                Err(error) => {
                    tracing::debug!(browser = browser.id().0, %error, "the browser does not say what it has");
                    continue;
                }
            };
            let Some(books) = browser.books().await else { return };
            let found =
                runtime::aside(said.targets.len() * TARGET_BYTES, || reconcile::differences(&books, &said, is_shared));
            self.inner.metrics.pool_comparisons.inc();
            for (difference, is_new) in rounds.on_round(found) {
                if is_new {
                    self.count(browser.id(), difference.label(), &difference);
                }
                match difference.mend(&said) {
                    Some(Mend::EndSession(lease, why)) => {
                        let unused = self.with_warm(browser.id(), |warm| warm.discard(|of: &Lease| of.id() == lease));
                        if unused.flatten().is_none() {
                            browser.mend(Mend::EndSession(lease, why));
                        }
                        refill.notify_one();
                    }
                    Some(mend) => browser.mend(mend),
                    None => {}
                }
            }
        }
    }

    /// Counts and logs a difference.
    pub(super) fn count(&self, browser: BrowserId, kind: &'static str, what: &dyn fmt::Display) {
        tracing::warn!(browser = browser.0, kind, %what, "the records and the browser differed; mended");
        self.inner.metrics.pool_differences.get_or_create(&DifferenceLabels { kind }).inc();
        if let Some(serving) = self.inner.slots.lock().get_mut(&browser).and_then(Slot::serving_mut) {
            serving.differences += 1;
        }
    }

    /// Keeps warm leases in a browser until the browser ends.
    async fn warm_up(&self, browser: &Browser, refill: &Notify) {
        if self.inner.is_gated && !browser.is_gated() {
            // It takes no sessions.
            return std::future::pending().await;
        }
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
                        self.with_warm(id, |warm| warm.failed(Instant::now() + PAUSE));
                    }
                },
            }
        }
    }

    /// Runs a function on the warm leases of a slot, if its browser runs.
    fn with_warm<T>(&self, id: BrowserId, act: impl FnOnce(&mut WarmPool<Lease>) -> T) -> Option<T> {
        let mut slots = self.inner.slots.lock();
        slots.get_mut(&id).and_then(Slot::serving_mut).map(|serving| act(&mut serving.warm))
    }
}
