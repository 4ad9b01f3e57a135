//! How many dedicated browsers run: one for each session that has or wants one, and spare ones. PURE: from figures to a
//! decision that carries its evidence.
//!
//! Every dedicated browser starts as a spare one, and the session that waits longest takes it. So a client that leaves
//! meanwhile leaves a spare browser behind, and none without an owner. A spare browser takes some 90 MiB (*measured* in
//! headless shell), so there are none before the first session asks for one, and none once nobody has asked for a while.
//!
//! A browser with launch options is never a spare one: it is started for the session that waits for it.

use std::time::{Duration, Instant};

use super::{
    decision::{BrowserFigures, Decision, Evidence, Rules, Stage, What},
    recycling,
};

/// The number of a session that waits; those that came earlier have smaller ones.
pub(super) type Ticket = u64;

/// The dedicated browsers at one moment.
#[derive(Clone, Debug)]
pub(super) struct Dedicated {
    pub(super) now: Instant,
    /// Those started like all others that are not dead, in the order of their start.
    pub(super) browsers: Vec<BrowserFigures>,
    /// Those with launch options that are not dead.
    pub(super) special: Vec<BrowserFigures>,
    /// The sessions that wait for one that is started like all others, the earliest first.
    pub(super) waiting: Vec<Ticket>,
    /// The session that waits longest for one with launch options, which is not yet being started.
    pub(super) special_waiting: Option<Ticket>,
    /// When a session last asked for one.
    pub(super) asked_at: Option<Instant>,
    /// Before this moment no browser is started here, because the last one did not start.
    pub(super) retry_at: Option<Instant>,
    /// Memory in use, in percent.
    pub(super) memory: Option<u32>,
    /// Processor time in use, in percent.
    pub(super) cpu: Option<u32>,
}

impl Dedicated {
    /// The browsers that no session has taken yet.
    fn spares(&self) -> impl Iterator<Item = &BrowserFigures> {
        self.browsers.iter().filter(|browser| browser.stage == Stage::Ready && browser.served == 0)
    }

    /// Spare browsers, those included that are being started.
    fn there(&self) -> usize {
        let starting = self.browsers.iter().filter(|browser| browser.stage == Stage::Starting);
        starting.count() + self.spares().count()
    }

    /// How many there are of all, those included that are being started.
    fn all(&self) -> usize {
        self.browsers.len() + self.special.len()
    }

    fn is_quiet(&self) -> bool {
        self.asked_at.is_none_or(|asked| self.now.saturating_duration_since(asked) >= QUIET)
    }

    /// Spare browsers that are wanted beyond those for which sessions wait.
    fn wanted(&self, rules: &Rules) -> usize {
        let is_recent = |asked: Instant| self.now.saturating_duration_since(asked) < rules.idle.max(LEAST_IDLE);
        if self.asked_at.is_some_and(is_recent) { rules.spares } else { 0 }
    }
}

/// A spare browser is kept at least so long after the last request, whatever the settings say: otherwise the next session
/// of a loop would never find one.
const LEAST_IDLE: Duration = Duration::from_secs(1);

/// No spare browser is started so soon after a session has asked: its start would take the processor from a client that
/// has just come.
const QUIET: Duration = Duration::from_millis(500);

/// The next decision; `None` if there is nothing to decide.
pub(super) fn decide(figures: &Dedicated, rules: &Rules) -> Option<Decision> {
    let too_large = |browser: &BrowserFigures| {
        let why = recycling::excess(browser, rules).filter(|_| browser.stage != Stage::Closing)?;
        Some(Decision { what: What::Kill(browser.browser), why })
    };
    if let Some(end) = figures.browsers.iter().chain(&figures.special).find_map(too_large) {
        return Some(end);
    }
    let (there, spares, waiting) = (figures.there(), figures.wanted(rules), figures.waiting.len());
    let (needed, all) = (waiting + spares, figures.all());
    // A spare one makes room for a session that cannot use it.
    let is_in_the_way = figures.special_waiting.is_some() && all >= rules.dedicated && there > waiting;
    if there > needed || (all > rules.dedicated || is_in_the_way) && there > 0 {
        let needed = if is_in_the_way { waiting } else { needed.min(rules.dedicated) };
        let why = Evidence::UnusedSpare { there, needed };
        return figures.spares().next().map(|spare| Decision { what: What::CloseSpare(spare.browser), why });
    }
    let has_room = all < rules.dedicated && rules.memory_shortage(figures.memory).is_none();
    let can_start = has_room && figures.retry_at.is_none_or(|at| at <= figures.now);
    if let Some(special) = figures.special_waiting.filter(|_| has_room) {
        // In the order in which they came; but one does not wait for browsers that do not start.
        let next = figures.waiting.get(there).filter(|_| can_start);
        if next.is_none_or(|next| special < *next) {
            return Some(Decision { what: What::StartSpecial, why: Evidence::LaunchOptions { all } });
        }
    }
    let may_start = can_start
        // A spare one can wait for a quieter moment, a session cannot.
        && (there < waiting || figures.is_quiet() && rules.cpu_shortage(figures.cpu).is_none());
    let why = Evidence::Dedicated { waiting, spares, there };
    (there < needed && may_start).then_some(Decision { what: What::StartDedicated, why })
}

/// Why a session that waits gets no dedicated browser now: one with launch options (`is_special`), or another.
pub(super) fn lacks(figures: &Dedicated, rules: &Rules, is_special: bool) -> String {
    if let Some(shortage) = rules.memory_shortage(figures.memory) {
        return shortage.to_string();
    }
    let none_starts =
        if is_special { figures.special_waiting.is_some() } else { figures.there() < figures.waiting.len() };
    if none_starts && figures.all() >= rules.dedicated {
        return format!(
            "all {} dedicated browsers are in use, as many as max_dedicated allows; end a session that has one, or raise \
             max_dedicated",
            figures.all()
        );
    }
    "it is being started".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::BrowserId;

    const SECOND: Duration = Duration::from_secs(1);

    fn rules() -> Rules {
        Rules {
            dedicated: 3,
            spares: 1,
            recycle_age: Some(SECOND),
            recycle_sessions: Some(1),
            recycle_growth: Some(1),
            recycle_disk: Some(1),
            browser_memory: Some(1000),
            ..Rules::of_tests()
        }
    }

    fn browser(number: u32, stage: Stage, served: u64) -> BrowserFigures {
        BrowserFigures {
            browser: BrowserId(number),
            is_remote: false,
            stage,
            sessions: i64::try_from(served).expect("few"),
            is_exclusive: false,
            ready_at: Instant::now(),
            served,
            resident: Some(100),
            growth: Some(99),
            disk: Some(100),
            is_asked: false,
            replaced_by: None,
        }
    }

    fn spare(number: u32) -> BrowserFigures {
        browser(number, Stage::Ready, 0)
    }

    fn taken(number: u32) -> BrowserFigures {
        browser(number, Stage::Ready, 1)
    }

    /// So many sessions wait, and one has asked a second ago.
    fn figures(browsers: Vec<BrowserFigures>, waiting: usize) -> Dedicated {
        let now = Instant::now() + SECOND * 1000;
        Dedicated {
            now,
            browsers,
            special: Vec::new(),
            waiting: (10..).take(waiting).collect(),
            special_waiting: None,
            asked_at: now.checked_sub(SECOND),
            retry_at: None,
            memory: Some(50),
            cpu: Some(50),
        }
    }

    fn what(figures: &Dedicated) -> Option<What> {
        decide(figures, &rules()).map(|decision| decision.what)
    }

    const START: Option<What> = Some(What::StartDedicated);

    #[test]
    fn a_browser_starts_for_each_session_that_waits_and_one_to_spare() {
        assert_eq!(what(&figures(vec![], 1)), START);
        assert_eq!(what(&figures(vec![spare(1)], 1)), START, "the next session is to find one");
        assert_eq!(what(&figures(vec![browser(1, Stage::Starting, 0), spare(2)], 1)), None);
        assert_eq!(what(&figures(vec![taken(1)], 0)), START);
        assert_eq!(what(&figures(vec![taken(1), spare(2)], 0)), None);
    }

    #[test]
    fn a_spare_browser_does_not_start_in_the_moment_in_which_a_session_takes_the_last_one() {
        let at_once = |waiting| {
            let figures = figures(vec![taken(1)], waiting);
            what(&Dedicated { asked_at: Some(figures.now), ..figures })
        };
        assert_eq!((at_once(0), at_once(1)), (None, START));
    }

    #[test]
    fn no_spare_browser_runs_before_a_session_asks_and_after_none_has_for_a_while() {
        let never = Dedicated { asked_at: None, ..figures(vec![], 0) };
        assert_eq!(what(&never), None);
        let now = never.now;
        let ago =
            |seconds| Dedicated { asked_at: now.checked_sub(SECOND * seconds), now, ..figures(vec![spare(4)], 0) };
        assert_eq!(what(&ago(299)), None);
        assert_eq!(what(&ago(300)), Some(What::CloseSpare(BrowserId(4))));
        let in_use = Dedicated { asked_at: now.checked_sub(SECOND * 900), now, ..figures(vec![taken(4)], 0) };
        assert_eq!(what(&in_use), None, "the browser of a session stays");
    }

    #[test]
    fn there_are_never_more_than_the_limit() {
        assert_eq!(what(&figures(vec![taken(1), taken(2), taken(3)], 1)), None);
        let why = lacks(&figures(vec![taken(1), taken(2), taken(3)], 1), &rules(), false);
        assert!(why.contains("all 3") && why.contains("max_dedicated"), "{why}");
        let lowered = Rules { dedicated: 1, ..rules() };
        let found = decide(&figures(vec![taken(1), spare(2)], 0), &lowered).map(|decision| decision.what);
        assert_eq!(found, Some(What::CloseSpare(BrowserId(2))));
        let found = decide(&figures(vec![taken(1), taken(2)], 0), &lowered);
        assert_eq!(found, None, "a session is not cut");
    }

    #[test]
    fn a_session_waits_for_memory_and_a_spare_browser_for_the_processor_too() {
        let full = |waiting| Dedicated { memory: Some(90), ..figures(vec![], waiting) };
        assert_eq!((what(&full(1)), what(&full(0))), (None, None));
        assert!(lacks(&full(1), &rules(), false).contains("memory_limit is 90 %"));
        let busy = |waiting| Dedicated { cpu: Some(99), ..figures(vec![], waiting) };
        assert_eq!((what(&busy(1)), what(&busy(0))), (START, None));
        let failed = figures(vec![], 1);
        let failed = Dedicated { retry_at: Some(failed.now + SECOND), ..failed };
        assert_eq!(what(&failed), None, "the last one did not start");
    }

    #[test]
    fn dedicated_browsers_are_not_recycled_but_ended_above_the_memory_limit() {
        let grown = BrowserFigures { resident: Some(2000), ..taken(1) };
        assert_eq!(what(&figures(vec![spare(2), grown.clone()], 0)), Some(What::Kill(BrowserId(1))));
        let ending = BrowserFigures { stage: Stage::Closing, ..grown };
        assert_eq!(what(&figures(vec![spare(2), ending], 0)), None);
        let old = BrowserFigures { served: 1, resident: Some(900), disk: Some(900), is_asked: true, ..taken(1) };
        assert_eq!(what(&figures(vec![spare(2), old], 0)), None);
    }

    #[test]
    fn session_with_launch_options_gets_a_browser_in_its_turn_and_spare_ones_make_room() {
        let special =
            |browsers, ticket, waiting| Dedicated { special_waiting: Some(ticket), ..figures(browsers, waiting) };
        let own = Some(What::StartSpecial);
        assert_eq!(what(&special(vec![spare(1)], 11, 0)), own, "a spare one is not what it asks for");
        assert_eq!(what(&special(vec![], 9, 1)), own, "it has come first");
        assert_eq!(what(&special(vec![], 11, 1)), START, "the other one has come first");
        assert_eq!(what(&special(vec![browser(1, Stage::Starting, 0)], 11, 1)), own, "that one has its browser");
        let full = special(vec![taken(1), taken(2), spare(3)], 11, 0);
        assert_eq!(what(&full), Some(What::CloseSpare(BrowserId(3))));
        let full = special(vec![taken(1), taken(2), taken(3)], 11, 0);
        assert_eq!(what(&full), None);
        assert!(lacks(&full, &rules(), true).contains("all 3"));
        let failing = special(vec![], 11, 1);
        let failing = Dedicated { retry_at: Some(failing.now + SECOND), ..failing };
        assert_eq!(what(&failing), own, "that others do not start does not concern it");
        let no_memory = Dedicated { memory: Some(90), ..special(vec![], 11, 0) };
        assert_eq!(what(&no_memory), None);
    }

    #[test]
    fn browsers_with_launch_options_count_and_are_no_spare_ones() {
        let with = |browsers, special| Dedicated { special, ..figures(browsers, 0) };
        assert_eq!(what(&with(vec![], vec![spare(1)])), START, "the next session without options cannot take it");
        assert_eq!(what(&with(vec![], vec![taken(1), taken(2), browser(3, Stage::Starting, 0)])), None);
        let grown = BrowserFigures { resident: Some(2000), ..taken(4) };
        assert_eq!(what(&with(vec![], vec![grown])), Some(What::Kill(BrowserId(4))));
    }
}
