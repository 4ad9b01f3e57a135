//! The task that starts, drains, replaces and ends browsers, as the pure parts decide; and what an operator asks of it.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{
    Pool,
    decision::{Decision, Figures, What},
    dedicated::{FailedLaunches, Request, Requester},
    health::BackOff,
    machine::{Load, Machine},
    placement::BrowserKind,
    policy,
    reconcile::{Departed, Rounds},
    scaling::{self, Arrivals},
    slot::{DrainReason, Next, Slot, State},
    spares,
};
use crate::{
    browser::{Browser, BrowserError},
    metrics::DecisionLabels,
    port::{BrowserId, LaunchSpec},
};

/// How often the figures are looked at when nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// How often the memory of the browsers is read, and the size of their files. Each time takes about 10 µs for each process
/// of the machine and for each file.
const MEASURE: Duration = Duration::from_secs(5);
/// How long a browser takes to start, until one has been measured.
const START_TIME: Duration = Duration::from_millis(500);

/// Why a browser cannot be replaced.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// There is no such browser, or it does not run.
    #[error("no browser {0} runs; GET /v1/browsers lists them")]
    NoBrowser(BrowserId),
    /// It belongs to one session.
    #[error(
        "browser {0} belongs to one session, and ends with it; close that session instead (GET /v1/browsers/{0} names it)"
    )]
    Dedicated(BrowserId),
    /// It runs elsewhere.
    #[error("browser {browser} runs elsewhere ({url}); start it again there, and ghostmux connects to it by itself")]
    Remote {
        /// The browser.
        browser: BrowserId,
        /// Where it runs, without credentials.
        url: String,
    },
}

/// What the pool has counted and measured.
#[derive(Debug)]
pub(super) struct Books {
    last_id: u32,
    pub(super) arrivals: Arrivals,
    pub(super) start_time: Duration,
    surplus_since: Option<Instant>,
    /// When a session last asked for a dedicated browser.
    pub(super) dedicated_at: Option<Instant>,
    /// By source.
    back_offs: Vec<BackOff>,
    pub(super) failed_launches: FailedLaunches,
    pub(super) load: Load,
    /// What was held back, and why: it is logged and counted once.
    held: Option<&'static str>,
    /// The local browsers that have ended and may have left processes.
    pub(super) departed: VecDeque<Departed>,
}

impl Books {
    pub(super) fn new(sources: usize, now: Instant) -> Self {
        Self {
            last_id: 0,
            arrivals: Arrivals::new(now),
            start_time: START_TIME,
            surplus_since: None,
            dedicated_at: None,
            back_offs: vec![BackOff::default(); sources.max(1)],
            failed_launches: FailedLaunches::default(),
            load: Load::default(),
            held: None,
            departed: VecDeque::new(),
        }
    }

    /// When browsers of this source may be started.
    pub(super) fn back_off(&mut self, source: usize) -> &mut BackOff {
        let last = self.back_offs.len() - 1;
        &mut self.back_offs[source.min(last)]
    }
}

/// A request that waits for a browser, in the number of those.
pub(super) struct Waiting<'a>(&'a AtomicI64);

impl<'a> Waiting<'a> {
    pub(super) fn new(all: &'a AtomicI64) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    /// Replaces a browser. Another one is started first, if the memory allows; this one is closed when its last session
    /// has ended.
    pub fn recycle(&self, id: BrowserId) -> Result<(), NotReplaced> {
        let mut slots = self.inner.slots.lock();
        let slot = slots.get_mut(&id).filter(|slot| slot.serving().is_some()).ok_or(NotReplaced::NoBrowser(id))?;
        if let Some(url) = self.inner.sources[slot.source].remote() {
            return Err(NotReplaced::Remote { browser: id, url: url.to_string() });
        }
        if slot.is_dedicated() {
            return Err(NotReplaced::Dedicated(id));
        }
        slot.is_asked = true;
        drop(slots);
        self.inner.wake.notify_one();
        Ok(())
    }

    /// Replaces all browsers of this machine that run now, one after the other. Returns their ids.
    pub fn recycle_all(&self) -> Vec<BrowserId> {
        let mut slots = self.inner.slots.lock();
        let mut all = Vec::new();
        for (id, slot) in slots.iter_mut() {
            if slot.browser().is_some() && !self.inner.sources[slot.source].is_remote() {
                slot.is_asked = true;
                all.push(*id);
            }
        }
        drop(slots);
        self.inner.wake.notify_one();
        all
    }

    /// The browsers whose parked sessions are to be hibernated, after a wait until there is one.
    pub async fn overdue(&self) -> Vec<BrowserId> {
        loop {
            let told = self.inner.overdue.notified();
            let overdue = self.overdue_now();
            if !overdue.is_empty() {
                return overdue;
            }
            told.await;
        }
    }

    fn overdue_now(&self) -> Vec<BrowserId> {
        let is_overdue = |slot: &Slot| slot.serving().is_some_and(|serving| serving.is_overdue);
        let slots = self.inner.slots.lock();
        slots.iter().filter(|(_, slot)| is_overdue(slot)).map(|(id, _)| *id).collect()
    }

    /// Starts the fewest browsers, and connects to the remote ones. Fails if one of this machine does not start, or if there
    /// are none and no remote one is reached; beside others, one that is not reached is tried again and again.
    pub(super) async fn first_browsers(&self) -> Result<(), BrowserError> {
        let (mut local, mut remote) = (FuturesUnordered::new(), FuturesUnordered::new());
        let sources = &self.inner.sources;
        let of = |is_remote: bool| (0..sources.len()).filter(move |at| sources[*at].is_remote() == is_remote);
        let here = of(false).next().map(|source| std::iter::repeat_n(source, self.limits().rules.min));
        for source in here.into_iter().flatten() {
            local.push(self.start_of(source));
        }
        for source in of(true) {
            remote.push(self.start_of(source));
        }
        let mut failed = None;
        while let Some(started) = local.next().await {
            failed = failed.or(started.err());
        }
        if of(false).next().is_none() {
            // The others go on in the background.
            while let Some(started) = remote.next().await {
                match started {
                    Ok(()) => return Ok(()),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => {
                // A dead slot holds it too, to show it.
                self.inner.slots.lock().clear();
                Err(Arc::try_unwrap(error).unwrap_or_else(|error| BrowserError::Odd(error.to_string())))
            }
        }
    }

    /// Starts a browser of a source as a task of its own, and waits for it.
    fn start_of(&self, source: usize) -> impl Future<Output = Result<(), Arc<BrowserError>>> + use<> {
        let (id, kind) = (self.next_id(), BrowserKind::Shared);
        self.change(id, Next::Start { source, kind: kind.clone() });
        let start = self.inner.tasks.spawn(self.clone().launch(id, source, kind, None));
        async move { start.await.unwrap_or_else(|panic| Err(Arc::new(BrowserError::Odd(panic.to_string())))) }
    }

    /// Decides, and carries out what was decided, until the pool closes.
    pub(super) async fn control(self, mut machine: Machine) {
        let (mut measured, mut looked) = (Instant::now(), Instant::now());
        let interval = self.limits().reconcile;
        let (mut reconciled, mut rounds) = (Instant::now() + interval, Rounds::default());
        loop {
            let now = Instant::now();
            // Every session that comes wakes this task; the files of the system are not read for each.
            if looked <= now {
                let load = machine.load(now);
                self.books().load = load;
                looked = now + TICK;
            }
            if measured <= now {
                self.measure().await;
                self.measure_disk().await;
                measured = now + MEASURE;
            }
            if reconciled <= now {
                self.reconcile_processes(&mut rounds).await;
                reconciled = now + interval;
            }
            if self.inner.closing.is_cancelled() {
                return;
            }
            self.decide();
            let retry = self.next_attempt(Instant::now());
            let next = retry.map_or(TICK, |at| at.saturating_duration_since(Instant::now()).min(TICK));
            tokio::select! {
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(next) => {}
                () = self.inner.closing.cancelled() => return,
            }
        }
    }

    /// Makes decisions, and carries them out, until there is none left to make.
    fn decide(&self) {
        loop {
            let figures = self.figures(Instant::now());
            if let Some(decision) = spares::decide(&self.dedicated(figures.now), &self.limits().rules) {
                if !self.perform(&decision, figures.now) {
                    return;
                }
                self.record(&decision);
                continue;
            }
            let Some(decision) = policy::decide(&figures, &self.limits().rules) else {
                self.books().held = None;
                return;
            };
            if decision.what == What::Hold {
                if self.books().held.replace(decision.why.label()) != Some(decision.why.label()) {
                    self.record(&decision);
                }
                return;
            }
            if !self.perform(&decision, figures.now) {
                // The state has changed meanwhile; that wakes this task.
                return;
            }
            self.record(&decision);
        }
    }

    fn record(&self, Decision { what, why }: &Decision) {
        let labels = DecisionLabels { decision: what.label(), reason: why.label() };
        self.inner.metrics.pool_decisions.get_or_create(&labels).inc();
        let browser = what.browser().map(|browser| browser.0);
        tracing::info!(decision = what.label(), browser, %why, "pool");
    }

    /// Carries out a decision. Returns whether anything changed.
    fn perform(&self, Decision { what, why }: &Decision, now: Instant) -> bool {
        match *what {
            What::Start => self.begin(now, BrowserKind::Shared).is_some(),
            What::StartDedicated => self.begin(now, BrowserKind::Dedicated(LaunchSpec::default())).is_some(),
            What::StartSpecial => {
                let Some(source) = self.local_source() else { return false };
                let Some(Request { launch, reply }) = self.inner.dedicated.take_special() else {
                    // It has just left; others wait.
                    self.inner.wake.notify_one();
                    return false;
                };
                self.begin_at(source, BrowserKind::Dedicated(launch), Some(reply)).is_some()
            }
            What::Connect(source) => self.begin_at(source, BrowserKind::Shared, None).is_some(),
            What::Replace(browser, reason) => {
                let Some(by) = self.begin(now, BrowserKind::Shared) else { return false };
                if let Some(slot) = self.inner.slots.lock().get_mut(&browser) {
                    slot.replaced_by = Some((by, reason));
                }
                true
            }
            What::TakeBack(browser) => self.change(browser, Next::TakeBack),
            What::Drain(browser) => self.change(browser, Next::Drain(DrainReason::Surplus)),
            What::Recycle(browser, reason) => self.change(browser, Next::Drain(DrainReason::Recycled(reason))),
            What::Hibernate(browser) => {
                if let Some(serving) = self.inner.slots.lock().get_mut(&browser).and_then(Slot::serving_mut) {
                    serving.is_overdue = true;
                }
                self.inner.overdue.notify_waiters();
                true
            }
            What::Close(id) => {
                let browser = self.serving(id);
                let is_changed = self.change(id, Next::Drain(DrainReason::Empty));
                if let Some(browser) = browser.filter(|_| is_changed) {
                    browser.close();
                }
                is_changed
            }
            What::CloseSpare(id) => {
                // A session may have taken it meanwhile.
                let Some(lease) = self.inner.slots.withdraw_spare(id) else { return false };
                self.change(id, Next::Drain(DrainReason::Unused));
                // The browser ends with it.
                drop(lease);
                true
            }
            What::Kill(id) => {
                let Some(browser) = self.serving(id) else { return false };
                self.kill(&browser, why.to_string().into());
                true
            }
            What::Hold => false,
        }
    }

    /// Starts a browser on this machine.
    fn begin(&self, now: Instant, kind: BrowserKind) -> Option<BrowserId> {
        let source = self.local_source()?;
        let until = self.books().back_off(source).until();
        if until.is_none_or(|until| until <= now) { self.begin_at(source, kind, None) } else { None }
    }

    /// Starts a browser of this source, or connects to it. One with launch options is for the session that gets `reply`.
    fn begin_at(&self, source: usize, kind: BrowserKind, reply: Option<Requester>) -> Option<BrowserId> {
        let is_remote = self.inner.sources.get(source)?.is_remote();
        let not_reached = || {
            let slots = self.inner.slots.lock();
            slots.iter().find(|(_, slot)| slot.was_not_reached(source)).map(|(id, _)| *id)
        };
        let id = is_remote.then(not_reached).flatten().unwrap_or_else(|| self.next_id());
        if !self.change(id, Next::Start { source, kind: kind.clone() }) {
            return None;
        }
        let pool = self.clone();
        self.inner.tasks.spawn(async move { drop(pool.launch(id, source, kind, reply).await) });
        Some(id)
    }

    fn serving(&self, id: BrowserId) -> Option<Browser> {
        self.inner.slots.lock().get(&id).and_then(Slot::serving).map(|serving| serving.browser.clone())
    }

    /// The source of the browsers of this machine, if there are any.
    pub(super) fn local_source(&self) -> Option<usize> {
        self.inner.sources.iter().position(|source| !source.is_remote())
    }

    /// The sources whose remote browser has no link and is not being connected to.
    fn unconnected(&self) -> Vec<usize> {
        let slots = self.inner.slots.lock();
        let alive = slots.values().filter(|slot| !matches!(slot.state, State::Dead { .. }));
        let used: HashSet<usize> = alive.map(|slot| slot.source).collect();
        let sources = self.inner.sources.iter().enumerate();
        sources.filter(|(at, source)| source.is_remote() && !used.contains(at)).map(|(at, _)| at).collect()
    }

    /// When a browser can be started on this machine; `None` is at any time.
    pub(super) fn retry_at(&self, now: Instant) -> Option<Instant> {
        self.books().back_off(self.local_source()?).until().filter(|until| *until > now)
    }

    /// When a browser can be started or connected to that cannot be now.
    fn next_attempt(&self, now: Instant) -> Option<Instant> {
        let unconnected = self.unconnected();
        let mut books = self.books();
        let remote = unconnected.into_iter().filter_map(|source| books.back_off(source).until());
        let remote = remote.filter(|until| *until > now).min();
        drop(books);
        self.retry_at(now).into_iter().chain(remote).min()
    }

    /// Whether there may be more browsers than there are.
    pub(super) fn can_grow(&self) -> bool {
        let slots = self.inner.slots.lock();
        let local = slots.values().filter(|slot| slot.kind == BrowserKind::Shared);
        let local = local.filter(|slot| !self.inner.sources[slot.source].is_remote());
        let alive: Vec<_> = local.filter(|slot| !matches!(slot.state, State::Dead { .. })).collect();
        let starts = alive.iter().any(|slot| matches!(slot.state, State::Starting));
        starts || alive.len() < self.limits().rules.max
    }

    fn figures(&self, now: Instant) -> Figures {
        let retry_at = self.retry_at(now);
        let unconnected = self.unconnected();
        let slots = self.inner.slots.lock();
        let is_remote = |slot: &Slot| self.inner.sources[slot.source].is_remote();
        let shared = slots.iter().filter(|(_, slot)| slot.kind == BrowserKind::Shared && self.may_serve(slot, None));
        let browsers = shared.filter_map(|(id, slot)| slot.figures(*id, is_remote(slot))).collect::<Vec<_>>();
        drop(slots);
        let mut books = self.books();
        let mut figures = Figures {
            now,
            browsers,
            waiting: self.inner.waiting.load(Ordering::Relaxed),
            apart: self.inner.apart.load(Ordering::Relaxed),
            arrivals: books.arrivals.rate(now),
            start_time: books.start_time,
            surplus_since: books.surplus_since,
            retry_at,
            unconnected: unconnected
                .into_iter()
                .find(|source| books.back_off(*source).until().is_none_or(|until| until <= now)),
            memory: books.load.memory,
            cpu: books.load.cpu,
        };
        let is_surplus = scaling::is_surplus(&figures, &self.limits().rules);
        figures.surplus_since = is_surplus.then(|| books.surplus_since.unwrap_or(now));
        books.surplus_since = figures.surplus_since;
        figures
    }

    fn next_id(&self) -> BrowserId {
        let mut books = self.books();
        books.last_id += 1;
        BrowserId(books.last_id)
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.inner.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
