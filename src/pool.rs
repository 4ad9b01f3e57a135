//! The pool: the browsers, and the choice of the browser that serves the next session.
//!
//! `slot` is the place of one browser and its states. `controller` is the task that starts, drains and replaces browsers;
//! `supervisor` runs one browser from its start to its end, and keeps warm leases in it. What is decided is decided by
//! pure functions, from figures to a decision that says why: `placement` chooses the browser of a session, `scaling` the
//! number of browsers, `recycling` which is replaced (`policy` says which of them decides first), `spares` how many dedicated
//! browsers there are, `health` which is ill, `warm_pool` how many warm leases a browser holds, `reconcile` in what the records and a browser differ. `machine` reads how much memory and processor time is in use,
//! `system` what the browsers take and leave.

mod controller;
mod decision;
mod dedicated;
mod health;
mod machine;
mod placement;
mod policy;
mod reconcile;
mod recycling;
mod report;
mod scaling;
#[cfg(test)]
mod simulation;
mod slot;
mod spares;
mod supervisor;
mod system;
mod warm_pool;

use std::{
    collections::HashSet,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    controller::NotReplaced,
    machine::Load,
    placement::{BrowserKind, Company},
    report::BrowserReport,
};
use self::{
    controller::{Books, Waiting},
    decision::Rules,
    machine::Machine,
    placement::{Decision, Wanted},
    slot::{Slot, Slots, State},
};
use crate::{
    browser::{Browser, BrowserError, CallError, Lease, Shares, Source},
    config::{BrowserLimits, PoolSettings, RecycleSettings},
    metrics::{DifferenceLabels, Metrics},
    port::{BrowserId, egress::GateFront},
};

/// How long a session waits for a browser that is being started or replaced.
const WAIT: Duration = Duration::from_secs(30);

/// The parts of a pool.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the browsers come from: at most one local source, and one remote source for each browser that runs elsewhere.
    /// All are of the kind [`BrowserKind::Shared`]: a session may be placed in any of them.
    pub sources: Vec<Source>,
    /// Number of warm leases kept ready in each browser; more while clients come in bursts.
    pub warm: usize,
    /// Limits that the sessions of one browser share.
    pub shares: Shares,
    /// How many browsers there are, and when one is replaced.
    pub settings: PoolSettings,
    /// Whether sessions may only be in browsers with gates. Remote ones have none, and then take no session.
    pub is_gated: bool,
}

impl Plan {
    /// One browser of the local source, and the remote ones, which are never replaced while they are well; no warm leases.
    pub fn fixed(sources: Vec<Source>) -> Self {
        let never = RecycleSettings {
            age: None,
            sessions: None,
            growth: None,
            disk: None,
            memory: None,
            most_disk: None,
            deadline: Duration::from_secs(3600),
        };
        let settings = PoolSettings {
            min_browsers: usize::from(sources.iter().any(|source| !source.is_remote())),
            max_browsers: Some(1),
            sessions_per_browser: 20,
            max_dedicated: 0,
            dedicated_spares: 0,
            idle: Duration::from_secs(300),
            memory_limit: None,
            cpu_limit: None,
            stall: Duration::from_secs(30),
            reconcile: Duration::from_secs(60),
            recycle: never,
            browser: BrowserLimits::default(),
        };
        Self { sources, warm: 0, shares: Shares::default(), settings, is_gated: false }
    }
}

/// A limit of the pool that this machine cannot carry.
#[derive(Debug, thiserror::Error)]
pub enum TooMuch {
    /// There may be more browsers than fit.
    #[error(
        "{setting} {browsers}: not even the browsers without any session fit into the {mib} MiB of memory of this \
         machine; lower it to {most}, or set max_browsers to 0 for as many as it carries"
    )]
    Browsers {
        /// Key of the setting.
        setting: &'static str,
        /// Value of the setting.
        browsers: usize,
        /// Memory of the machine, or of the control group.
        mib: u64,
        /// How many fit.
        most: usize,
    },
    /// A browser may have less memory than it takes without a session.
    #[error(
        "browser_memory {limit} MiB: a browser takes up to {least} MiB before it has a session, so each would be ended at \
         once; raise it, or write 0 for no limit"
    )]
    TooLittle {
        /// Value of the setting.
        limit: u64,
        /// Memory of a browser without a session.
        least: u64,
    },
    /// A browser may have more memory than there is.
    #[error("browser_memory {limit} MiB: this machine has {mib} MiB of memory; lower it")]
    Memory {
        /// Value of the setting.
        limit: u64,
        /// Memory of the machine, or of the control group.
        mib: u64,
    },
}

/// The requirements of a session for the browser of its lease.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// The browser is of this kind.
    pub kind: BrowserKind,
    /// The sessions that may be in the browser at the same time.
    pub company: Company,
    /// What the control group of the browser limits as long as it has these sessions; the settings for what is not said.
    pub limits: BrowserLimits,
    /// The front of the gates of its contexts, if they are to have others than all in such a browser.
    pub gate: Option<GateFront>,
}

/// Why no lease was given.
#[derive(Debug, thiserror::Error)]
pub enum NoLease {
    /// In every browser that there may be, a session traced for as long as this one waited.
    #[error(
        "a session traces in each browser and needs it alone, and none has ended its trace within {seconds} s; try again later, or raise max_browsers"
    )]
    Exclusive {
        /// Seconds waited.
        seconds: u64,
    },
    /// The session must not meet those of any browser, and there may be no further one.
    #[error(
        "in every browser are sessions that this one must not meet (sharing), and no more browsers may be started (max_browsers); try again later"
    )]
    Apart,
    /// No browser became ready in time.
    #[error("no browser became ready within {seconds} s: {why}")]
    NoBrowser {
        /// Seconds waited.
        seconds: u64,
        /// The state of the browsers.
        why: String,
    },
    /// No dedicated browser became free or ready in time.
    #[error("no browser of its own for the session (isolation=dedicated) within {seconds} s: {why}")]
    NoDedicated {
        /// Seconds waited.
        seconds: u64,
        /// What it lacks.
        why: String,
    },
    /// The browser that was started for the session, with its launch options, did not start.
    #[error(
        "the browser did not start with these launch options: {error}; it is tried again for a request that comes \
         {} ms later", retry_in.as_millis()
    )]
    NotStarted {
        /// The error.
        error: Arc<BrowserError>,
        /// The pause before the next attempt.
        retry_in: Duration,
    },
    /// This server has no dedicated browsers.
    #[error("isolation=dedicated is not offered by this server: {why}")]
    NeverDedicated {
        /// The reason.
        why: &'static str,
    },
    /// This server has no dedicated browsers with windows.
    #[error(
        "launch.headless is refused: this server cannot start a browser with windows: {why}; leave it out, or give true"
    )]
    NeverHeadful {
        /// The reason.
        why: &'static str,
    },
    /// No browser of this server has gates, and its sessions need some, or this one does for its proxy.
    #[error(
        "no browser of this server can limit what a session connects to (egress), or have a proxy for it: all run elsewhere \
         (browser_url); the operator must say how many are started here (max_browsers), or let sessions connect to everything \
         (egress=open)"
    )]
    NoGate,
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
    /// Where the browsers come from.
    sources: Vec<Source>,
    shares: Shares,
    is_gated: bool,
    // Guards the versions of browsers that have proven that nothing gets around their gates, by source; held for a look-up.
    proven: std::sync::Mutex<HashSet<(usize, String)>>,
    // Guards the limits, which a reload changes; held to copy them.
    limits: std::sync::Mutex<Limits>,
    slots: Slots,
    books: std::sync::Mutex<Books>,
    /// Requests that wait for a browser.
    waiting: AtomicI64,
    /// Those of them that only a browser without sessions can take.
    apart: AtomicI64,
    dedicated: dedicated::Queue,
    /// Notified when there may be something to decide.
    wake: Notify,
    /// Notified when the parked sessions of a browser are to be hibernated.
    overdue: Notify,
    closing: CancellationToken,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
}

/// The limits that a reload of the configuration can change.
#[derive(Clone, Copy, Debug)]
struct Limits {
    rules: Rules,
    /// How long a browser may send nothing while it owes an answer.
    stall: Duration,
    /// How often the records are compared with the browsers.
    reconcile: Duration,
    /// What the control group of a browser limits.
    browser: BrowserLimits,
}

impl Limits {
    fn new(settings: &PoolSettings, machine: &Machine) -> Self {
        let PoolSettings { stall, reconcile, browser, .. } = *settings;
        Self { rules: rules(settings, machine), stall, reconcile, browser }
    }

    /// Most warm leases of a browser, whatever the demand.
    fn most_warm(&self) -> usize {
        usize::try_from(self.rules.sessions_per_browser).unwrap_or(usize::MAX)
    }
}

impl Pool {
    /// Checks the limits of a plan against what this machine has.
    pub fn check(settings: &PoolSettings) -> Result<(), TooMuch> {
        let (limit, least) = (settings.recycle.memory, scaling::BROWSER);
        if let Some(limit) = limit.filter(|limit| *limit < least) {
            return Err(TooMuch::TooLittle { limit: limit >> 20, least: least >> 20 });
        }
        let Some(memory) = Machine::new().capacity().memory else { return Ok(()) };
        let (most, mib) = (scaling::fit_empty(memory), memory >> 20);
        for (setting, number) in
            [("min_browsers", Some(settings.min_browsers)), ("max_browsers", settings.max_browsers)]
        {
            if let Some(browsers) = number.filter(|browsers| *browsers > most) {
                return Err(TooMuch::Browsers { setting, browsers, mib, most });
            }
        }
        match limit.filter(|limit| *limit > memory) {
            Some(limit) => Err(TooMuch::Memory { limit: limit >> 20, mib }),
            None => Ok(()),
        }
    }

    /// What limits of a plan this machine can hardly carry, a sentence for each. `max_sessions` are those of the server.
    pub fn doubts(settings: &PoolSettings, max_sessions: Option<u32>) -> Vec<String> {
        scaling::doubts(Machine::new().capacity(), i64::from(settings.sessions_per_browser), max_sessions)
    }

    /// Starts the fewest browsers of the plan. Returns the error of the first that cannot be started.
    pub async fn start(plan: Plan, metrics: Arc<Metrics>) -> Result<Self, BrowserError> {
        let (machine, now) = (Machine::new(), Instant::now());
        let Plan { sources, warm, shares, settings, is_gated } = plan;
        let limits = Limits::new(&settings, &machine);
        let slots = Slots::new((warm, limits.most_warm()), metrics.clone());
        let books = Books::new(sources.len(), now).into();
        for kind in reconcile::LABELS {
            // Shown as 0 from the beginning, so that the first one is seen as an increase.
            metrics.pool_differences.get_or_create(&DifferenceLabels { kind }).inc_by(0);
        }
        let pool = Self {
            inner: Arc::new(Inner {
                sources,
                shares,
                is_gated,
                proven: std::sync::Mutex::default(),
                limits: limits.into(),
                slots,
                books,
                waiting: AtomicI64::new(0),
                apart: AtomicI64::new(0),
                dedicated: dedicated::Queue::default(),
                wake: Notify::new(),
                overdue: Notify::new(),
                closing: CancellationToken::new(),
                tasks: TaskTracker::new(),
                metrics,
            }),
        };
        if let Err(error) = pool.first_browsers().await {
            pool.close().await;
            return Err(error);
        }
        let tasks = pool.inner.tasks.clone();
        tasks.spawn({
            let pool = pool.clone();
            async move { pool.control(machine).await }
        });
        Ok(pool)
    }

    /// From now on these settings hold, with `warm` warm leases in each browser. Browsers that run go on: those that are too
    /// many take no new sessions, and are closed when their last one has ended.
    pub fn reconfigure(&self, settings: &PoolSettings, warm: usize) {
        let limits = Limits::new(settings, &Machine::new());
        *self.inner.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        self.inner.slots.set_warm((warm, limits.most_warm()));
        self.inner.wake.notify_one();
    }

    fn limits(&self) -> Limits {
        *self.inner.limits.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The browsers that run, those that accept no new sessions included.
    pub fn running(&self) -> Vec<Browser> {
        let slots = self.inner.slots.lock();
        slots.values().filter_map(Slot::serving).map(|serving| serving.browser.clone()).collect()
    }

    /// Number of warm leases that no session has taken yet.
    pub fn idle(&self) -> usize {
        self.inner.slots.lock().values().map(Slot::warm).sum()
    }

    /// How much of the machine, or of the control group, is in use. It is read once a second.
    pub fn load(&self) -> Load {
        self.books().load
    }

    /// Why no browser accepts sessions; `None` if one does.
    pub fn lacks(&self) -> Option<String> {
        let slots = self.inner.slots.lock();
        let serves = |slot: &Slot| slot.browser().is_some_and(Browser::is_alive) && self.may_serve(slot, None);
        if slots.values().any(serves) {
            return None;
        }
        if self.has_no_gates() {
            return Some(NoLease::NoGate.to_string());
        }
        // One with launch options tells nothing of the others.
        let all = || slots.iter().filter(|(_, slot)| slot.kind.special().is_none());
        let newest_dead = all().rfind(|(_, slot)| matches!(slot.state, State::Dead { .. })).map(|(id, _)| *id);
        let tells = |(id, slot): &(&BrowserId, &Slot)| {
            !matches!(slot.state, State::Dead { .. })
                || newest_dead == Some(**id)
                || self.inner.sources[slot.source].is_remote() && slot.was_not_reached(slot.source)
        };
        let whys = all().filter(tells).filter_map(|(id, slot)| {
            let place = self.inner.sources[slot.source].remote().map(|url| format!(" at {url}")).unwrap_or_default();
            Some(format!("browser {id}{place}: {}", slot.lacks()?))
        });
        Some(whys.collect::<Vec<_>>().join("; "))
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

    /// Hands out a lease in the least loaded shared browser, a warm one if there is one; or that of a dedicated browser.
    pub async fn lease(&self, request: LeaseRequest) -> Result<Lease, NoLease> {
        if let BrowserKind::Dedicated(launch) = request.kind {
            return self.lease_dedicated(launch).await;
        }
        if self.has_no_gates() || request.gate.is_some() && self.local_source().is_none() {
            return Err(NoLease::NoGate);
        }
        let until = Instant::now() + WAIT;
        self.books().arrivals.count(Instant::now());
        let (mut waiting, mut apart) = (None, None);
        loop {
            let changed = self.inner.slots.changed();
            let choice = self.choose(&request, apart.is_some());
            let is_exclusive = matches!(choice, Choice::Exclusive);
            match choice {
                Choice::Warm(lease) => return Ok(lease),
                Choice::Cold(reservation) => match reservation.browser.lease(request.gate).await {
                    // From here on the lease counts itself.
                    Ok(lease) => return Ok(lease.counted()),
                    // The browser has just died: try another one, or the one that replaces it.
                    Err(_) if !reservation.browser.is_alive() && Instant::now() < until => {}
                    Err(error) => return Err(error.into()),
                },
                Choice::Apart if !self.can_grow() => return Err(NoLease::Apart),
                Choice::Exclusive | Choice::Apart | Choice::NoneReady => {
                    waiting.get_or_insert_with(|| Waiting::new(&self.inner.waiting));
                    if matches!(choice, Choice::Apart) {
                        apart.get_or_insert_with(|| Waiting::new(&self.inner.apart));
                    }
                    self.inner.wake.notify_one();
                    let changed = async {
                        tokio::select! {
                            () = changed => {}
                            () = self.untraced(), if is_exclusive => {}
                        }
                    };
                    self.wait(changed, until).await.map_err(|error| match error {
                        NoLease::NoBrowser { seconds, .. } if is_exclusive => NoLease::Exclusive { seconds },
                        error => error,
                    })?;
                }
            }
        }
    }

    /// Whether sessions need gates, and there is no browser with some.
    fn has_no_gates(&self) -> bool {
        self.inner.is_gated && self.local_source().is_none()
    }

    /// Whether a session that needs this gate may be in the browser of this slot.
    fn may_serve(&self, slot: &Slot, gate: Option<GateFront>) -> bool {
        !self.inner.is_gated && gate.is_none() || !self.inner.sources[slot.source].is_remote()
    }

    /// Waits until a trace ends in one of the browsers in which one runs; not at all if none runs.
    async fn untraced(&self) {
        let traced = self.browsers().into_iter().filter(Browser::is_exclusive);
        let mut traced: FuturesUnordered<_> = traced.map(|browser| async move { browser.shareable().await }).collect();
        traced.next().await;
    }

    async fn wait(&self, changed: impl Future<Output = ()>, until: Instant) -> Result<(), NoLease> {
        tokio::select! {
            () = changed => Ok(()),
            () = self.inner.closing.cancelled() => Err(NoLease::Closing),
            () = tokio::time::sleep_until(until.into()) => {
                let why = self.lacks().unwrap_or_else(|| "none was free".to_owned());
                Err(NoLease::NoBrowser { seconds: WAIT.as_secs(), why })
            }
        }
    }

    fn choose(&self, request: &LeaseRequest, is_apart: bool) -> Choice<'_> {
        let LeaseRequest { kind, company, .. } = request;
        let spares_empty = self.inner.apart.load(Ordering::Relaxed) > i64::from(is_apart);
        let sessions_per_browser = self.limits().rules.sessions_per_browser;
        let wanted = Wanted { kind, company, spares_empty, sessions_per_browser };
        let mut slots = self.inner.slots.lock();
        let ready = slots.iter().filter(|(_, slot)| self.may_serve(slot, request.gate));
        let ready = ready.filter_map(|(id, slot)| slot.placing(*id));
        let decision = placement::place(wanted, ready);
        let choice = match &decision {
            Decision::Place { browser, .. } => {
                slots.get_mut(browser).map_or(Choice::NoneReady, |slot| self.take(slot, request))
            }
            Decision::Apart { .. } => Choice::Apart,
            Decision::Exclusive { .. } => Choice::Exclusive,
            Decision::NoneReady => Choice::NoneReady,
        };
        drop(slots);
        // The next one may need another browser.
        self.inner.wake.notify_one();
        tracing::debug!(%decision, "browser chosen for a session");
        choice
    }

    /// Reserves a place in the browser of a slot.
    fn take(&self, slot: &mut Slot, request: &LeaseRequest) -> Choice<'_> {
        let State::Ready(serving) = &mut slot.state else { return Choice::NoneReady };
        slot.company.clone_from(&request.company);
        serving.browser.limit(request.limits.or(self.limits().browser));
        serving.refill.notify_one();
        if request.gate.is_some() {
            // The context of a warm lease exists already, with the gate of all others.
            serving.warm.pass(Instant::now());
        } else if let Some(lease) = serving.warm.take(Instant::now()) {
            return Choice::Warm(lease.counted());
        }
        serving.browser.count(1);
        Choice::Cold(Reservation { slots: &self.inner.slots, browser: serving.browser.clone() })
    }
}

/// The rules of the pool, with as many browsers as this machine carries if the settings do not say how many.
fn rules(settings: &PoolSettings, machine: &Machine) -> Rules {
    let PoolSettings { min_browsers: min, sessions_per_browser, recycle, .. } = *settings;
    let sessions_per_browser = i64::from(sessions_per_browser);
    let (max, limited_by) = match settings.max_browsers {
        Some(max) => (max, "max_browsers"),
        None => scaling::carried_by(machine.capacity(), min, sessions_per_browser),
    };
    tracing::info!(min_browsers = min, max_browsers = max, limited_by, sessions_per_browser, "number of browsers");
    Rules {
        min,
        max,
        sessions_per_browser,
        dedicated: settings.max_dedicated,
        spares: settings.dedicated_spares,
        idle: settings.idle,
        memory_limit: settings.memory_limit,
        cpu_limit: settings.cpu_limit,
        recycle_age: recycle.age,
        recycle_sessions: recycle.sessions.map(u64::from),
        recycle_growth: recycle.growth,
        recycle_disk: recycle.disk,
        browser_memory: recycle.memory,
        browser_disk: recycle.most_disk,
        recycle_deadline: recycle.deadline,
    }
}

/// The outcome of a choice of a browser for a lease.
enum Choice<'a> {
    Warm(Lease),
    Cold(Reservation<'a>),
    Exclusive,
    Apart,
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
        if let Some(serving) = self.slots.lock().get_mut(&self.browser.id()).and_then(Slot::serving_mut) {
            serving.warm.served(Instant::now());
            serving.refill.notify_one();
        }
    }
}
