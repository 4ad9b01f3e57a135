//! The task that starts, drains, replaces and ends browsers, as the pure parts decide; and what an operator asks of it.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{
    Pool,
    decision::{Decision, Figures, What},
    health::BackOff,
    machine::{Load, Machine},
    policy,
    reconcile::{self, Departed, OrphanProcess, Process, Rounds},
    scaling::{self, Arrivals},
    slot::{DrainReason, Next, Slot, State},
};
use crate::{
    browser::{
        Browser, BrowserError,
        process_tree::{Member, ProcessTable, clock_ticks},
    },
    metrics::DecisionLabels,
    port::BrowserId,
};

/// How often the figures are looked at when nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// How often the memory of the browsers is read. Each time takes about 10 µs for each process of the machine.
const MEASURE: Duration = Duration::from_secs(5);
/// Browsers that have ended and may have left processes, of which so many are remembered.
const DEPARTED_KEPT: usize = 256;
/// How long a browser takes to start, until one has been measured.
const START_TIME: Duration = Duration::from_millis(500);

/// There is no such browser, or it does not run.
#[derive(Debug, thiserror::Error)]
#[error("no browser {0} runs; GET /v1/browsers lists them")]
pub struct NoBrowser(pub BrowserId);

/// What the pool has counted and measured.
#[derive(Debug)]
pub(super) struct Books {
    last_id: u32,
    pub(super) arrivals: Arrivals,
    pub(super) start_time: Duration,
    surplus_since: Option<Instant>,
    /// By source.
    back_offs: Vec<BackOff>,
    pub(super) load: Load,
    /// What was held back, and why: it is logged and counted once.
    held: Option<&'static str>,
    /// The local browsers that have ended and may have left processes.
    departed: VecDeque<Departed>,
}

impl Books {
    pub(super) fn new(sources: usize, now: Instant) -> Self {
        Self {
            last_id: 0,
            arrivals: Arrivals::new(now),
            start_time: START_TIME,
            surplus_since: None,
            back_offs: vec![BackOff::default(); sources.max(1)],
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
    pub fn recycle(&self, id: BrowserId) -> Result<(), NoBrowser> {
        let mut slots = self.inner.slots.lock();
        let slot = slots.get_mut(&id).filter(|slot| slot.serving().is_some()).ok_or(NoBrowser(id))?;
        slot.is_asked = true;
        drop(slots);
        self.inner.wake.notify_one();
        Ok(())
    }

    /// Replaces all browsers that run now, one after the other. Returns their ids.
    pub fn recycle_all(&self) -> Vec<BrowserId> {
        let mut slots = self.inner.slots.lock();
        let mut all = Vec::new();
        for (id, slot) in slots.iter_mut() {
            if slot.browser().is_some() {
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

    /// Starts the fewest browsers.
    pub(super) async fn first_browsers(&self) -> Result<(), BrowserError> {
        let mut starts = Vec::new();
        for at in 0..self.limits().rules.min {
            let source = at.min(self.inner.sources.len().saturating_sub(1));
            let id = self.next_id();
            self.change(id, Next::Start { source });
            starts.push(tokio::spawn(self.clone().launch(id, source)));
        }
        let mut failed = None;
        for start in join_all(starts).await {
            match start {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed = failed.or(Some(error)),
                Err(panic) => failed = failed.or(Some(Arc::new(BrowserError::Odd(panic.to_string())))),
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
                measured = now + MEASURE;
            }
            if reconciled <= now {
                self.reconcile_processes(&mut rounds).await;
                reconciled = now + interval;
            }
            self.decide();
            let retry = self.retry_at(Instant::now());
            let next = retry.map_or(TICK, |at| at.saturating_duration_since(Instant::now()).min(TICK));
            tokio::select! {
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(next) => {}
                () = self.inner.closing.cancelled() => return,
            }
        }
    }

    /// Reads how much memory and processor time the browsers use.
    async fn measure(&self) {
        let pids: Vec<u32> = self.running().iter().filter_map(Browser::pid).collect();
        let table = match ProcessTable::read(pids).await {
            Ok(table) => table,
            Err(error) => {
                tracing::debug!(%error, "the memory of the browsers cannot be read");
                return;
            }
        };
        for serving in self.inner.slots.lock().values_mut().filter_map(Slot::serving_mut) {
            let figures = serving.browser.pid().and_then(|pid| table.of(pid));
            serving.resident = figures.map(|figures| figures.memory);
            serving.cpu = figures.map(|figures| figures.cpu);
            serving.resident_when_new = serving.resident_when_new.or(serving.resident);
        }
    }

    /// A browser has ended, with all its processes if everything is in order.
    pub(super) fn departed(&self, browser: &Browser) {
        let (Some(group), Some(at)) = (browser.pid(), clock_ticks()) else { return };
        let mut books = self.books();
        books.departed.push_back(Departed { browser: browser.id(), group, at });
        if books.departed.len() > DEPARTED_KEPT {
            books.departed.pop_front();
        }
    }

    /// Kills the processes of browsers that have ended.
    async fn reconcile_processes(&self, rounds: &mut Rounds<OrphanProcess>) {
        let departed: Vec<Departed> = self.books().departed.iter().copied().collect();
        let members = match Member::of_groups(departed.iter().map(|departed| departed.group).collect()).await {
            Ok(members) => members,
            Err(error) => {
                tracing::debug!(%error, "the processes of the system cannot be read");
                return;
            }
        };
        let process = |member: &Member| Process { pid: member.pid, group: member.group, started: member.started };
        let processes: Vec<Process> = members.iter().map(process).collect();
        // A group without processes is over.
        let is_over =
            |of: &Departed| departed.contains(of) && !processes.iter().any(|process| process.group == of.group);
        self.books().departed.retain(|of| !is_over(of));
        for (orphan, is_new) in rounds.on_round(reconcile::orphan_processes(&departed, &processes)) {
            if is_new {
                self.count(orphan.browser, OrphanProcess::LABEL, &orphan);
            }
            let is_it = |member: &&Member| member.pid == orphan.pid && member.started == orphan.started;
            if let Some(member) = members.iter().find(is_it) {
                member.kill();
            }
        }
    }

    /// Makes decisions, and carries them out, until there is none left to make.
    fn decide(&self) {
        loop {
            let figures = self.figures(Instant::now());
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
            What::Start => self.begin(now).is_some(),
            What::Replace(browser, reason) => {
                let Some(by) = self.begin(now) else { return false };
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
            What::Kill(id) => {
                let Some(browser) = self.serving(id) else { return false };
                self.kill(&browser, why.to_string().into());
                true
            }
            What::Hold => false,
        }
    }

    /// Starts a browser.
    fn begin(&self, now: Instant) -> Option<BrowserId> {
        let source = self
            .free_sources()
            .into_iter()
            .find(|source| self.books().back_off(*source).until().is_none_or(|until| until <= now))?;
        let id = self.next_id();
        if !self.change(id, Next::Start { source }) {
            return None;
        }
        let pool = self.clone();
        self.inner.tasks.spawn(async move { drop(pool.launch(id, source).await) });
        Some(id)
    }

    fn serving(&self, id: BrowserId) -> Option<Browser> {
        self.inner.slots.lock().get(&id).and_then(Slot::serving).map(|serving| serving.browser.clone())
    }

    /// The sources of which a browser can be started: a local one, or a remote one that has none.
    fn free_sources(&self) -> Vec<usize> {
        let sources = &self.inner.sources;
        let slots = self.inner.slots.lock();
        let alive = slots.values().filter(|slot| !matches!(slot.state, State::Dead { .. }));
        let used: HashSet<usize> = alive.map(|slot| slot.source).collect();
        let is_free = |at: &usize| !sources[*at].is_remote() || !used.contains(at);
        (0..sources.len()).filter(is_free).collect()
    }

    /// When a browser can be started; `None` is at any time.
    fn retry_at(&self, now: Instant) -> Option<Instant> {
        let free = self.free_sources();
        let mut books = self.books();
        let waits: Vec<Instant> =
            free.iter().map_while(|source| books.back_off(*source).until().filter(|until| *until > now)).collect();
        if waits.len() < free.len() { None } else { waits.into_iter().min() }
    }

    /// Whether there may be more browsers than there are.
    pub(super) fn can_grow(&self) -> bool {
        let slots = self.inner.slots.lock();
        let alive = slots.values().filter(|slot| !matches!(slot.state, State::Dead { .. })).count();
        let starts = slots.values().any(|slot| matches!(slot.state, State::Starting));
        starts || alive < self.limits().rules.max
    }

    fn figures(&self, now: Instant) -> Figures {
        let retry_at = self.retry_at(now);
        let browsers = self.inner.slots.lock().iter().filter_map(|(id, slot)| slot.figures(*id)).collect::<Vec<_>>();
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
