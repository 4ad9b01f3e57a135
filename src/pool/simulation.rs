//! The decisions about browsers under a simulated clock: whatever happens, no session is cut, there are never more
//! browsers than allowed, and everything comes to an end.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    decision::{BrowserFigures, Evidence, Figures, Rules, Stage, What},
    health::BackOff,
    placement::{self, BrowserKind, Company},
    policy,
    scaling::{self, Arrivals},
};
use crate::port::BrowserId;

const STEP: Duration = Duration::from_millis(100);
const START: Duration = Duration::from_millis(300);

/// A browser, with the ends of its sessions.
#[derive(Debug)]
struct Browser {
    figures: BrowserFigures,
    ready: Instant,
    ends: Vec<Instant>,
}

/// A pool whose browsers are numbers.
struct World {
    now: Instant,
    rules: Rules,
    browsers: Vec<Browser>,
    queue: VecDeque<Duration>,
    last: u32,
    arrivals: Arrivals,
    back_off: BackOff,
    surplus_since: Option<Instant>,
    memory: u32,
    fails: bool,
    /// Sessions that lost their browser although nothing was wrong with it.
    cut: usize,
}

/// What happens from outside.
#[derive(Clone, Debug)]
enum Event {
    /// So many sessions are requested; each lasts so many steps.
    Come(usize, u32),
    /// So many steps pass.
    Pass(u32),
    /// So many percent of the memory are in use.
    Memory(u32),
    /// Browsers do not start, or do so again.
    Fail(bool),
    /// An operator wants all browsers replaced.
    RecycleAll,
    /// A browser has grown by so many bytes.
    Grow(usize, u64),
    /// A browser dies.
    Die(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (1..30_usize, 1..400_u32).prop_map(|(sessions, steps)| Event::Come(sessions, steps)),
        (1..200_u32).prop_map(Event::Pass),
        (0..100_u32).prop_map(Event::Memory),
        any::<bool>().prop_map(Event::Fail),
        Just(Event::RecycleAll),
        (0..4_usize, 0..4_u64 << 30).prop_map(|(browser, bytes)| Event::Grow(browser, bytes)),
        (0..4_usize).prop_map(Event::Die),
    ]
}

impl World {
    fn new(rules: Rules) -> Self {
        let now = Instant::now();
        Self {
            now,
            rules,
            browsers: Vec::new(),
            queue: VecDeque::new(),
            last: 0,
            arrivals: Arrivals::new(now),
            back_off: BackOff::default(),
            surplus_since: None,
            memory: 50,
            fails: false,
            cut: 0,
        }
    }

    fn figures(&mut self) -> Figures {
        for browser in &mut self.browsers {
            browser.figures.sessions = browser.ends.len().try_into().expect("few");
        }
        let mut figures = Figures {
            now: self.now,
            browsers: self.browsers.iter().map(|browser| browser.figures.clone()).collect(),
            waiting: self.queue.len().try_into().expect("few"),
            apart: 0,
            arrivals: self.arrivals.rate(self.now),
            start_time: START,
            surplus_since: self.surplus_since,
            retry_at: self.back_off.until(),
            unconnected: None,
            memory: Some(self.memory),
            cpu: None,
        };
        let is_surplus = scaling::is_surplus(&figures, &self.rules);
        self.surplus_since = is_surplus.then(|| self.surplus_since.unwrap_or(self.now));
        figures.surplus_since = self.surplus_since;
        figures
    }

    fn of(&mut self, id: BrowserId) -> &mut Browser {
        self.browsers.iter_mut().find(|browser| browser.figures.browser == id).expect("it is decided about a browser")
    }

    fn start(&mut self) -> BrowserId {
        self.last += 1;
        let (now, browser) = (self.now, BrowserId(self.last));
        let figures = BrowserFigures {
            browser,
            is_remote: false,
            stage: Stage::Starting,
            sessions: 0,
            is_exclusive: false,
            ready_at: now,
            served: 0,
            resident: None,
            growth: None,
            disk: None,
            is_asked: false,
            replaced_by: None,
        };
        self.browsers.push(Browser { figures, ready: now + START, ends: Vec::new() });
        browser
    }

    fn decide(&mut self) {
        for _ in 0..1000 {
            let figures = self.figures();
            let Some(decision) = policy::decide(&figures, &self.rules) else { return };
            let now = self.now;
            match decision.what {
                What::Hold => return,
                What::StartDedicated | What::StartSpecial | What::CloseSpare(_) => {
                    panic!("these rules know no dedicated browsers")
                }
                What::Connect(source) => panic!("there is no remote browser {source}"),
                What::Start => {
                    self.start();
                }
                What::Replace(id, why) => {
                    let by = self.start();
                    self.of(id).figures.replaced_by = Some((by, why));
                }
                What::TakeBack(id) => {
                    assert_eq!(self.of(id).figures.stage, Stage::Surplus);
                    self.of(id).figures.stage = Stage::Ready;
                }
                What::Drain(id) => {
                    assert_eq!(self.of(id).figures.stage, Stage::Ready);
                    self.of(id).figures.stage = Stage::Surplus;
                }
                What::Recycle(id, _) => {
                    self.of(id).figures.stage = Stage::Recycled { since: now, is_overdue: false };
                }
                What::Hibernate(id) => {
                    let Stage::Recycled { since, .. } = self.of(id).figures.stage else { panic!("{decision:?}") };
                    self.of(id).figures.stage = Stage::Recycled { since, is_overdue: true };
                }
                What::Close(id) => {
                    self.cut += self.of(id).ends.len();
                    self.browsers.retain(|browser| browser.figures.browser != id);
                }
                What::Kill(id) => {
                    assert!(matches!(decision.why, Evidence::TooLarge { .. }), "{decision:?}");
                    self.browsers.retain(|browser| browser.figures.browser != id);
                }
            }
            let alive = self.browsers.len();
            assert!(alive <= self.rules.max + 1, "{alive} browsers after {decision:?}");
            let is_recycled = |browser: &&Browser| match browser.figures.stage {
                Stage::Recycled { .. } => true,
                Stage::Ready => browser.figures.replaced_by.is_some(),
                _ => false,
            };
            let recycled = self.browsers.iter().filter(is_recycled).count();
            assert!(recycled <= 1, "{recycled} are replaced at a time after {decision:?}");
        }
        panic!("the decisions do not come to an end: {:?}", self.browsers);
    }

    fn place(&mut self) {
        while let Some(length) = self.queue.pop_front() {
            let ready = self.browsers.iter().filter(|browser| browser.figures.stage == Stage::Ready);
            let ready = ready.map(|browser| placement::Figures {
                browser: browser.figures.browser,
                kind: &BrowserKind::Shared,
                sessions: browser.ends.len().try_into().expect("few"),
                is_exclusive: false,
                company: (!browser.ends.is_empty()).then_some(&Company::Anyone),
            });
            let wanted = placement::Wanted {
                kind: &BrowserKind::Shared,
                company: &Company::Anyone,
                spares_empty: false,
                sessions_per_browser: self.rules.sessions_per_browser,
            };
            let placement::Decision::Place { browser, .. } = placement::place(wanted, ready) else {
                return self.queue.push_front(length);
            };
            let end = self.now + length;
            let browser = self.of(browser);
            browser.ends.push(end);
            browser.figures.served += 1;
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        let (now, fails) = (self.now, self.fails);
        let starts = |browser: &Browser| browser.figures.stage == Stage::Starting && browser.ready <= now;
        if fails && self.browsers.iter().any(starts) {
            self.browsers.retain(|browser| !starts(browser));
            self.back_off.failed(now);
        }
        for browser in &mut self.browsers {
            browser.ends.retain(|end| *end > now);
            if starts(browser) {
                browser.figures.stage = Stage::Ready;
                browser.figures.ready_at = now;
                self.back_off.started();
            }
        }
        self.place();
        self.decide();
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Come(sessions, steps) => {
                for _ in 0..sessions {
                    self.arrivals.count(self.now);
                    self.queue.push_back(STEP * steps);
                }
                self.place();
                self.decide();
            }
            Event::Pass(steps) => (0..steps).for_each(|_| self.step()),
            Event::Memory(percent) => self.memory = percent,
            Event::Fail(fails) => self.fails = fails,
            Event::RecycleAll => {
                for browser in self.browsers.iter_mut().filter(|browser| browser.figures.stage == Stage::Ready) {
                    browser.figures.is_asked = true;
                }
            }
            Event::Grow(at, bytes) => {
                if let Some(browser) = self.browsers.get_mut(at) {
                    (browser.figures.resident, browser.figures.growth) = (Some(bytes), Some(bytes));
                }
            }
            Event::Die(at) => {
                if at < self.browsers.len() {
                    let age = self.now.saturating_duration_since(self.browsers.remove(at).figures.ready_at);
                    self.back_off.lost(age, self.now);
                }
            }
        }
    }
}

fn rules(min: usize, more: usize, sessions: i64) -> Rules {
    Rules {
        min,
        max: min + more,
        sessions_per_browser: sessions,
        idle: Duration::from_secs(20),
        recycle_age: Some(Duration::from_secs(3600)),
        recycle_sessions: Some(100),
        recycle_growth: Some(1 << 30),
        browser_memory: Some(3 << 30),
        recycle_deadline: Duration::from_secs(10),
        ..Rules::of_tests()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn sessions_are_never_cut_browsers_stay_few_and_all_comes_to_an_end(
        min in 1..4_usize,
        more in 0..3_usize,
        sessions in 1..20_i64,
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new(rules(min, more, sessions));
        world.decide();
        for event in &events {
            world.happens(event);
        }
        prop_assert_eq!(world.cut, 0);
        // From here on nothing bad happens, and nobody comes any more.
        world.happens(&Event::Fail(false));
        world.happens(&Event::Memory(50));
        let asked: Vec<BrowserId> = world.browsers.iter().filter(|browser| browser.figures.is_asked).map(|browser| browser.figures.browser).collect();
        (0..2400).for_each(|_| world.step());
        prop_assert!(world.queue.is_empty(), "{} wait for ever: {:?}", world.queue.len(), world.browsers);
        prop_assert_eq!(world.cut, 0);
        prop_assert_eq!(world.browsers.len(), min, "{:?}", world.browsers);
        for browser in &world.browsers {
            prop_assert_eq!(browser.figures.stage, Stage::Ready);
            prop_assert!(!asked.contains(&browser.figures.browser), "{:?} was to be replaced", browser);
        }
    }

    /// With enough places allowed, nobody waits longer than a browser takes to start, and no browser stays above its target.
    #[test]
    fn a_ramp_is_followed_by_browsers(per_second in 1..20_usize) {
        let mut world = World::new(Rules { recycle_sessions: None, ..rules(1, 63, 10) });
        world.decide();
        (0..5).for_each(|_| world.step());
        for _ in 0..10 {
            world.happens(&Event::Come(per_second, 10_000));
            (0..10).for_each(|_| world.step());
            prop_assert!(world.queue.is_empty());
            let ready = world.browsers.iter().filter(|browser| browser.figures.stage == Stage::Ready).count();
            let all: usize = world.browsers.iter().map(|browser| browser.ends.len()).sum();
            prop_assert!(ready * 10 >= all, "{all} sessions in {ready} browsers");
        }
    }
}
