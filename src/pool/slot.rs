//! The place of one browser in the pool, and its states. Only one function changes the state.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    decision::{BrowserFigures, RecycleReason, Stage},
    placement::{BrowserKind, Company, Figures},
    recycling::Growth,
    warm_pool::WarmPool,
};
use crate::{
    browser::{Browser, BrowserError, Lease},
    metrics::Metrics,
    port::{BrowserId, egress::Strays},
};

/// Slots of dead browsers that are kept, to show why they ended.
const DEAD_KEPT: usize = 16;

/// The place of one browser, from its start to its end.
#[derive(Debug)]
pub(super) struct Slot {
    /// The index of the source in the plan.
    pub(super) source: usize,
    pub(super) kind: BrowserKind,
    pub(super) state: State,
    /// When it entered the state.
    pub(super) since: Instant,
    /// An operator wants the browser replaced.
    pub(super) is_asked: bool,
    /// The browser that was started to replace it, and why.
    pub(super) replaced_by: Option<(BrowserId, RecycleReason)>,
    /// The company that its sessions accept, as long as it has some.
    pub(super) company: Company,
    /// Why the last attempt to connect failed: a remote browser that cannot be reached keeps its slot.
    pub(super) failed: Option<Arc<BrowserError>>,
}

/// The state of one slot.
#[derive(Debug)]
pub(super) enum State {
    /// The browser is being started.
    Starting,
    /// The browser accepts sessions.
    Ready(Serving),
    /// The browser runs and accepts no sessions.
    Draining { why: DrainReason, serving: Serving },
    /// There is no browser any more.
    Dead { why: DeadReason },
}

/// A browser that runs.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) browser: Browser,
    /// The lease of a dedicated browser, until a session takes it.
    pub(super) spare: Option<Lease>,
    pub(super) warm: WarmPool<Lease>,
    /// Notified when the warm leases have changed.
    pub(super) refill: Arc<Notify>,
    pub(super) ready_at: Instant,
    /// Memory of the process tree, in bytes, as it was measured last.
    pub(super) resident: Option<u64>,
    pub(super) growth: Growth,
    /// Processor time of the process tree, as it was measured last.
    pub(super) cpu: Option<Duration>,
    /// Bytes of disk that its profile and temporary files take.
    pub(super) disk: Option<u64>,
    /// Its parked sessions are being hibernated, because it is overdue.
    pub(super) is_overdue: bool,
    /// Differences between the records and the browser that were found in it.
    pub(super) differences: u64,
    /// What has come to its gates that no session asked for, as far as it was counted.
    pub(super) strays: Strays,
}

/// Why a browser accepts no more sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DrainReason {
    /// There is one browser more than needed.
    Surplus,
    /// It is replaced.
    Recycled(RecycleReason),
    /// Its last session has ended, and it is closed.
    Empty,
    /// It is a spare dedicated browser that no session needs, and it is closed.
    Unused,
    /// It is killed, for this reason.
    Killed(Arc<str>),
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

/// A change of the state of a slot.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each change of a browser, which is not kept")]
pub(super) enum Next {
    /// A new browser is being started.
    Start { source: usize, kind: BrowserKind },
    /// The browser accepts sessions.
    Ready(Serving),
    /// The browser, which had been drained, accepts sessions again.
    TakeBack,
    /// The browser accepts no more sessions.
    Drain(DrainReason),
    /// The browser has ended, or did not start.
    Dead(DeadReason),
}

impl fmt::Display for DrainReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Surplus => f.write_str("there are more browsers than needed"),
            Self::Recycled(why) => write!(f, "it is recycled: {why}"),
            Self::Empty => f.write_str("its last session has ended"),
            Self::Unused => f.write_str("no session needs it"),
            Self::Killed(why) => f.write_str(why),
            Self::Closing => f.write_str("ghostmux is shutting down"),
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { why } | Self::Lost { why, .. } => f.write_str(why),
            Self::NotStarted { error, retry_in } => {
                write!(f, "{error}; the next attempt comes {} ms after this one", retry_in.as_millis())
            }
        }
    }
}

impl Slot {
    /// The slot of a browser that is being started, or connected to again after this error.
    fn starting(source: usize, kind: BrowserKind, failed: Option<Arc<BrowserError>>, now: Instant) -> Self {
        let (state, company) = (State::Starting, Company::Anyone);
        Self { source, kind, state, since: now, is_asked: false, replaced_by: None, company, failed }
    }

    /// The browser, if any session may be placed in it.
    pub(super) fn browser(&self) -> Option<&Browser> {
        match &self.state {
            State::Ready(serving) if self.kind == BrowserKind::Shared => Some(&serving.browser),
            State::Ready(_) | State::Starting | State::Draining { .. } | State::Dead { .. } => None,
        }
    }

    /// Whether it is a dedicated browser that runs or is being started.
    pub(super) fn is_dedicated(&self) -> bool {
        matches!(self.kind, BrowserKind::Dedicated(_)) && !matches!(self.state, State::Dead { .. })
    }

    /// The browser that runs, if one does.
    pub(super) fn serving(&self) -> Option<&Serving> {
        match &self.state {
            State::Ready(serving) | State::Draining { serving, .. } => Some(serving),
            State::Starting | State::Dead { .. } => None,
        }
    }

    /// The browser that runs, if one does.
    pub(super) fn serving_mut(&mut self) -> Option<&mut Serving> {
        match &mut self.state {
            State::Ready(serving) | State::Draining { serving, .. } => Some(serving),
            State::Starting | State::Dead { .. } => None,
        }
    }

    /// Number of warm leases that no session has taken.
    pub(super) fn warm(&self) -> usize {
        self.serving().map_or(0, |serving| serving.warm.len())
    }

    /// Why the slot accepts no sessions; `None` if it accepts them.
    pub(super) fn lacks(&self) -> Option<String> {
        match &self.state {
            State::Starting => Some(match &self.failed {
                Some(error) => format!("it is being connected to again, because {error}"),
                None => "it is being started".to_owned(),
            }),
            State::Dead { why } => Some(why.to_string()),
            State::Draining { why, .. } => Some(why.to_string()),
            State::Ready(Serving { spare: None, .. }) if self.is_dedicated() => {
                Some("it belongs to one session".to_owned())
            }
            State::Ready(_) => None,
        }
    }

    /// The figures for placement, if the slot accepts sessions.
    pub(super) fn placing(&self, id: BrowserId) -> Option<Figures<'_>> {
        let State::Ready(Serving { browser, .. }) = &self.state else { return None };
        let kind = &self.kind;
        let sessions = browser.live();
        let company = (sessions > 0).then_some(&self.company);
        let figures = || Figures { browser: id, kind, sessions, is_exclusive: browser.is_exclusive(), company };
        // The browser's end is visible here before the slot's task has handled it.
        browser.is_alive().then(figures)
    }

    /// Whether a session has the browser for itself, now.
    fn is_exclusive(&self, browser: &Browser) -> bool {
        browser.is_exclusive() || self.company == Company::Nobody && browser.live() > 0
    }

    /// Whether it is dead because the browser of this source was not reached.
    pub(super) fn was_not_reached(&self, source: usize) -> bool {
        self.source == source && matches!(self.state, State::Dead { why: DeadReason::NotStarted { .. } })
    }

    /// The figures for the decisions about browsers; `None` if the browser is dead.
    pub(super) fn figures(&self, id: BrowserId, is_remote: bool) -> Option<BrowserFigures> {
        let (stage, serving) = match &self.state {
            State::Dead { .. } => return None,
            State::Starting => (Stage::Starting, None),
            State::Ready(serving) if serving.browser.is_alive() => (Stage::Ready, Some(serving)),
            State::Draining { why: DrainReason::Surplus, serving } => (Stage::Surplus, Some(serving)),
            State::Draining { why: DrainReason::Recycled(_), serving } => {
                (Stage::Recycled { since: self.since, is_overdue: serving.is_overdue }, Some(serving))
            }
            State::Ready(serving) | State::Draining { serving, .. } => (Stage::Closing, Some(serving)),
        };
        Some(BrowserFigures {
            browser: id,
            is_remote,
            stage,
            sessions: serving.map_or(0, |serving| serving.browser.live()),
            is_exclusive: serving.is_some_and(|serving| self.is_exclusive(&serving.browser)),
            ready_at: serving.map_or(self.since, |serving| serving.ready_at),
            served: serving.map_or(0, |serving| serving.browser.served()),
            resident: serving.and_then(|serving| serving.resident),
            growth: serving.and_then(|serving| serving.growth.lasting()),
            disk: serving.and_then(|serving| serving.disk),
            is_asked: self.is_asked,
            replaced_by: self.replaced_by,
        })
    }

    /// Logs the state.
    fn log(&self, id: BrowserId) {
        let browser = id.0;
        match &self.state {
            State::Starting => tracing::debug!(browser, "browser starting"),
            State::Ready(Serving { browser: of, .. }) => {
                tracing::info!(browser, product = of.identity().product, pid = of.pid(), "browser ready");
            }
            State::Draining { why, .. } => tracing::debug!(browser, %why, "browser draining"),
            State::Dead { why: DeadReason::Closed { why } } => tracing::info!(browser, %why, "browser closed"),
            State::Dead { why: DeadReason::Lost { why, last_words } } => {
                tracing::error!(browser, %why, ?last_words, "browser lost");
            }
            // The session that asked for it is told; its launch options are to blame, not the server.
            State::Dead { why: DeadReason::NotStarted { error, .. } } if self.kind.special().is_some() => {
                tracing::warn!(browser, %error, "browser did not start with the launch options of its session");
            }
            State::Dead { why: DeadReason::NotStarted { error, retry_in } } => {
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
    /// Warm leases of each browser that accepts sessions: how many, and the most. Changed only while `by_id` is locked.
    warm: Mutex<(usize, usize)>,
    metrics: Arc<Metrics>,
}

impl Slots {
    /// No slots. `warm` is the number of warm leases of each browser that accepts sessions, and the most.
    pub(super) fn new(warm: (usize, usize), metrics: Arc<Metrics>) -> Self {
        Self { by_id: Mutex::default(), changed: Notify::new(), warm: warm.into(), metrics }
    }

    /// The warm leases of a browser of this kind. A dedicated one has one lease, which is not among them.
    fn warm_in(&self, kind: &BrowserKind) -> (usize, usize) {
        match kind {
            BrowserKind::Shared => self.warm(),
            BrowserKind::Dedicated(_) => (0, 0),
        }
    }

    fn warm(&self) -> (usize, usize) {
        *self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the number of warm leases, and the most.
    pub(super) fn set_warm(&self, (least, most): (usize, usize)) {
        let mut slots = self.lock();
        *self.warm.lock().unwrap_or_else(PoisonError::into_inner) = (least, most);
        for slot in slots.values_mut().filter(|slot| slot.kind == BrowserKind::Shared) {
            if let State::Ready(serving) = &mut slot.state {
                serving.warm.limit(least, most);
                serving.refill.notify_one();
            }
        }
    }

    /// The slots, for reading, and for changes of what is not their state: [`Slots::transition`] changes that.
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<BrowserId, Slot>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes at the next change of a state after this call.
    pub(super) fn changed(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }

    /// Updates the gauges.
    pub(super) fn show(&self, slots: &BTreeMap<BrowserId, Slot>) {
        let (mut ready, mut dedicated, mut spare) = (0, 0, 0);
        for slot in slots.values() {
            ready += i64::from(slot.browser().is_some());
            match slot.serving().filter(|_| slot.is_dedicated()) {
                Some(Serving { spare: Some(_), .. }) => spare += 1,
                Some(_) => dedicated += 1,
                None => {}
            }
        }
        self.metrics.browsers.set(ready);
        self.metrics.browsers_dedicated.set(dedicated);
        self.metrics.browsers_spare.set(spare);
    }

    /// Changes the state of a slot. Only this function does; it also updates the metrics, writes the log, and wakes the
    /// requests that wait for a browser. A change that the state does not allow has no effect: another was faster.
    pub(super) fn transition(&self, id: BrowserId, next: Next, now: Instant) -> bool {
        let mut slots = self.lock();
        let is_started = matches!(next, Next::Ready(_));
        let before = match (slots.remove(&id), next) {
            (None, Next::Start { source, kind }) => {
                slots.insert(id, Slot::starting(source, kind, None, now));
                None
            }
            (
                Some(Slot { source: of, state: State::Dead { why: DeadReason::NotStarted { error, .. } }, .. }),
                Next::Start { source, kind },
            ) if of == source => {
                slots.insert(id, Slot::starting(source, kind, Some(error), now));
                None
            }
            (Some(slot), next) => match changed(slot.state, next, self.warm_in(&slot.kind)) {
                Ok((state, before)) => {
                    slots.insert(id, Slot { state, since: now, ..slot });
                    before
                }
                Err(state) => {
                    slots.insert(id, Slot { state, ..slot });
                    return false;
                }
            },
            (None, _) => return false,
        };
        if let Some(slot) = slots.get(&id) {
            slot.log(id);
            match &slot.state {
                State::Ready(_) if is_started => {
                    self.metrics.browsers_started.inc();
                }
                State::Dead { why: DeadReason::Lost { .. } } => {
                    self.metrics.browsers_lost.inc();
                }
                _ => {}
            }
        }
        self.show(&slots);
        let dead: Vec<BrowserId> =
            slots.iter().filter(|(_, slot)| matches!(slot.state, State::Dead { .. })).map(|(id, _)| *id).collect();
        for oldest in dead.iter().take(dead.len().saturating_sub(DEAD_KEPT)) {
            slots.remove(oldest);
        }
        drop(slots);
        self.changed.notify_waiters();
        // A browser's warm leases are dropped outside the lock, because their end sends requests.
        drop(before);
        true
    }
}

/// The state after a change, and what is left of the one before; the state itself if the change is not allowed.
#[expect(clippy::result_large_err, reason = "it is the value that came in")]
fn changed(state: State, next: Next, (least, most): (usize, usize)) -> Result<(State, Option<Serving>), State> {
    Ok(match (state, next) {
        (State::Starting, Next::Ready(mut serving)) => {
            serving.warm.limit(least, most);
            (State::Ready(serving), None)
        }
        (State::Draining { why: DrainReason::Surplus, mut serving }, Next::TakeBack) => {
            serving.warm.limit(least, most);
            serving.refill.notify_one();
            (State::Ready(serving), None)
        }
        // One that is being closed stays so.
        (
            state @ State::Draining {
                why: DrainReason::Empty | DrainReason::Unused | DrainReason::Killed(_) | DrainReason::Closing,
                ..
            },
            Next::Drain(_),
        ) => {
            return Err(state);
        }
        (State::Ready(mut serving) | State::Draining { mut serving, .. }, Next::Drain(why)) => {
            serving.warm.limit(0, 0);
            serving.refill.notify_one();
            (State::Draining { why, serving }, None)
        }
        (State::Ready(serving) | State::Draining { serving, .. }, Next::Dead(why)) => {
            (State::Dead { why }, Some(serving))
        }
        (State::Starting, Next::Dead(why)) => (State::Dead { why }, None),
        (state, _) => return Err(state),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{browser::fake, port::LaunchSpec};

    const ONE: BrowserId = BrowserId(1);
    const TWO: BrowserId = BrowserId(2);

    fn start(source: usize) -> Next {
        Next::Start { source, kind: BrowserKind::Shared }
    }

    fn ready(lease: &Lease) -> Next {
        let now = Instant::now();
        Next::Ready(Serving {
            browser: lease.browser().clone(),
            spare: None,
            warm: WarmPool::new(0, 1, now),
            refill: Arc::default(),
            ready_at: now,
            resident: None,
            growth: Growth::default(),
            cpu: None,
            disk: None,
            is_overdue: false,
            differences: 0,
            strays: Strays::default(),
        })
    }

    fn lost() -> Next {
        Next::Dead(DeadReason::Lost { why: "it was killed".into(), last_words: Vec::new() })
    }

    fn slots() -> (Slots, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::default());
        (Slots::new((2, 20), metrics.clone()), metrics)
    }

    #[tokio::test]
    async fn the_gauge_counts_the_browsers_that_are_ready() {
        let (slots, metrics) = slots();
        let (lease, _) = fake::lease();
        let figures = || (metrics.browsers.get(), metrics.browsers_started.get(), metrics.browsers_lost.get());
        let to = |id, next| slots.transition(id, next, Instant::now());
        assert!(to(ONE, start(0)) && to(TWO, start(0)));
        assert!(to(ONE, ready(&lease)));
        assert_eq!(figures(), (1, 1, 0));
        assert!(to(TWO, ready(&lease)));
        assert_eq!(figures(), (2, 2, 0));
        assert!(to(ONE, lost()));
        assert_eq!(figures(), (1, 2, 1));
        assert!(to(TWO, Next::Drain(DrainReason::Closing)));
        assert_eq!(figures(), (0, 2, 1));
        assert!(to(TWO, Next::Dead(DeadReason::Closed { why: "it was closed".into() })));
        assert_eq!(figures(), (0, 2, 1), "a browser that was closed is not lost");
    }

    #[tokio::test]
    async fn only_changes_that_the_state_allows_are_made() {
        let (slots, _) = slots();
        let (lease, _) = fake::lease();
        let to = |next| slots.transition(ONE, next, Instant::now());
        assert!(!to(ready(&lease)), "an unknown browser");
        assert!(to(start(0)));
        assert!(!to(start(0)), "an id is used once");
        assert!(!to(Next::Drain(DrainReason::Surplus)) && !to(Next::TakeBack));
        assert!(to(ready(&lease)));
        assert!(!to(Next::TakeBack), "it is ready");
        assert!(to(Next::Drain(DrainReason::Surplus)));
        assert!(to(Next::TakeBack));
        assert!(to(Next::Drain(DrainReason::Recycled(RecycleReason::Asked))));
        assert!(!to(Next::TakeBack), "one that is recycled must end");
        assert!(to(Next::Drain(DrainReason::Empty)));
        assert!(!to(Next::Drain(DrainReason::Surplus)), "it is being closed");
        assert!(to(lost()));
        assert!(!to(ready(&lease)) && !to(lost()) && !to(start(0)), "the dead stay dead");
    }

    #[tokio::test]
    async fn a_remote_browser_keeps_its_slot_until_it_is_reached() {
        let (slots, _) = slots();
        let to = |next| slots.transition(ONE, next, Instant::now());
        let lacks = || slots.lock().values().find_map(Slot::lacks).expect("a reason");
        for _ in 0..2 {
            assert!(to(start(3)));
            let error = Arc::new(BrowserError::Odd("nonsense".to_owned()));
            assert!(to(Next::Dead(DeadReason::NotStarted { error, retry_in: Duration::from_millis(200) })));
            assert!(lacks().contains("nonsense") && lacks().contains("200 ms"), "{}", lacks());
        }
        assert!(!to(start(4)), "that is another one");
        assert!(to(start(3)));
        assert!(lacks().contains("connected to again") && lacks().contains("nonsense"), "{}", lacks());
        let (lease, _) = fake::lease();
        assert!(to(ready(&lease)));
        assert_eq!(slots.lock().values().find_map(Slot::lacks), None);
    }

    #[tokio::test]
    async fn waiters_are_notified_of_changes_and_shortage() {
        let (slots, _) = slots();
        let lacks = || slots.lock().values().find_map(Slot::lacks);
        slots.transition(ONE, start(0), Instant::now());
        assert_eq!(lacks().as_deref(), Some("it is being started"));
        let changed = slots.changed();
        let (lease, _) = fake::lease();
        slots.transition(ONE, ready(&lease), Instant::now());
        changed.await;
        assert_eq!(lacks(), None);
        slots.transition(ONE, lost(), Instant::now());
        assert_eq!(lacks().as_deref(), Some("it was killed"));
    }

    #[tokio::test]
    async fn only_the_last_dead_browsers_are_kept() {
        let (slots, _) = slots();
        for id in 0..40 {
            slots.transition(BrowserId(id), start(0), Instant::now());
            slots.transition(BrowserId(id), lost(), Instant::now());
        }
        let kept: Vec<u32> = slots.lock().keys().map(|id| id.0).collect();
        assert_eq!(kept, (24..40).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn the_lease_of_a_dedicated_browser_is_taken_once_and_nobody_else_is_placed_there() {
        let (slots, metrics) = slots();
        let ((lease, _), (own, _)) = (fake::lease(), fake::lease());
        let figures = || (metrics.browsers.get(), metrics.browsers_dedicated.get(), metrics.browsers_spare.get());
        let to = |next| slots.transition(ONE, next, Instant::now());
        let never = || panic!("nothing is taken");
        let plain = BrowserKind::Dedicated(LaunchSpec::default());
        assert!(to(Next::Start { source: 0, kind: plain.clone() }));
        assert!(slots.take_spare(never).is_none(), "it is being started");
        let Next::Ready(serving) = ready(&lease) else { panic!("a browser that runs") };
        assert!(to(Next::Ready(Serving { spare: Some(own), ..serving })));
        assert_eq!(figures(), (0, 0, 1));
        slots.set_warm((5, 20));
        let is_for_all = |slot: &Slot| slot.browser().is_some() || slot.warm() > 0;
        assert!(!slots.lock().values().any(is_for_all));
        let kind = slots.lock().values().find_map(|slot| Some(slot.placing(ONE)?.kind.clone()));
        assert_eq!(kind, Some(plain), "placement takes only browsers of the kind that is wanted");
        let taken = slots.take_spare(|| ()).expect("its lease");
        assert!(slots.take_spare(never).is_none(), "it is taken");
        assert_eq!(figures(), (0, 1, 0));
        assert!(slots.withdraw_spare(ONE).is_none(), "the browser of a session is not closed as unused");
        drop(taken);
        assert!(slots.take_spare(never).is_none(), "its session has ended");
        assert!(to(lost()));
        assert_eq!(figures(), (0, 0, 0));
    }
}
