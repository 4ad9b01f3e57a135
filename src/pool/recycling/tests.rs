use std::time::Instant;

use super::*;
use crate::port::BrowserId;

const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

fn rules() -> Rules {
    Rules {
        recycle_age: Some(SECOND * 1000),
        recycle_sessions: Some(50),
        recycle_growth: Some(500 * MIB),
        recycle_disk: Some(1000 * MIB),
        browser_memory: Some(2000 * MIB),
        browser_disk: Some(3000 * MIB),
        recycle_deadline: SECOND * 60,
        ..Rules::of_tests()
    }
}

/// A moment late enough for every age.
fn now() -> Instant {
    Instant::now() + SECOND * 10_000
}

fn ago(now: Instant, seconds: u32) -> Instant {
    now.checked_sub(SECOND * seconds).expect("a time")
}

/// A young browser with two sessions.
fn browser(number: u32, now: Instant) -> BrowserFigures {
    BrowserFigures {
        browser: BrowserId(number),
        is_remote: false,
        stage: Stage::Ready,
        sessions: 2,
        is_exclusive: false,
        ready_at: now,
        served: 2,
        resident: Some(300 * MIB),
        growth: None,
        disk: None,
        is_asked: false,
        replaced_by: None,
    }
}

fn figures(browsers: Vec<BrowserFigures>, now: Instant) -> Figures {
    Figures {
        now,
        browsers,
        waiting: 0,
        apart: 0,
        arrivals: 0.0,
        start_time: SECOND,
        surplus_since: None,
        retry_at: None,
        unconnected: None,
        memory: Some(50),
        cpu: Some(100),
    }
}

fn decided(figures: &Figures) -> Option<(What, &'static str)> {
    let decision = end(figures, &rules()).or_else(|| decide(figures, &rules()));
    decision.map(|decision| (decision.what, decision.why.label()))
}

#[test]
fn browsers_are_replaced_by_age_sessions_growth_and_request() {
    let now = now();
    let young = browser(1, now);
    let of = |browser: BrowserFigures| decided(&figures(vec![browser], now));
    assert_eq!(of(young.clone()), None);
    let replace = |why, label| Some((What::Replace(BrowserId(1), why), label));
    let old = BrowserFigures { ready_at: ago(now, 1000), ..young.clone() };
    assert_eq!(of(old), replace(RecycleReason::Age(SECOND * 1000), "recycle_age"));
    let used = BrowserFigures { served: 50, ..young.clone() };
    assert_eq!(of(used), replace(RecycleReason::Served(50), "recycle_sessions"));
    let grown = |mib| BrowserFigures { growth: Some(mib * MIB), ..young.clone() };
    assert_eq!(of(grown(499)), None);
    assert_eq!(of(grown(500)), replace(RecycleReason::Growth(500 * MIB), "recycle_growth"));
    let full = |mib| BrowserFigures { disk: Some(mib * MIB), ..young.clone() };
    assert_eq!(of(full(999)), None);
    assert_eq!(of(full(1000)), replace(RecycleReason::Disk(1000 * MIB), "recycle_disk"));
    let asked = BrowserFigures { is_asked: true, ..young };
    assert_eq!(of(asked), replace(RecycleReason::Asked, "recycle_asked"));
}

#[test]
fn the_replacement_is_ready_first_and_one_is_replaced_at_a_time() {
    let now = now();
    let asked = |number| BrowserFigures { is_asked: true, ..browser(number, now) };
    let mut of = figures(vec![asked(1), asked(2)], now);
    assert_eq!(decided(&of), Some((What::Replace(BrowserId(1), RecycleReason::Asked), "recycle_asked")));
    of.browsers[0].replaced_by = Some((BrowserId(3), RecycleReason::Asked));
    of.browsers.push(BrowserFigures { stage: Stage::Starting, ..browser(3, now) });
    assert_eq!(decided(&of), None, "the replacement is being started");
    of.browsers[2].stage = Stage::Ready;
    assert_eq!(decided(&of), Some((What::Recycle(BrowserId(1), RecycleReason::Asked), "replacement_ready")));
    of.browsers[0].stage = Stage::Recycled { since: now, is_overdue: false };
    assert_eq!(decided(&of), None, "its sessions go on, and the other waits");
    of.browsers[0].sessions = 0;
    assert_eq!(decided(&of), Some((What::Close(BrowserId(1)), "empty")));
    of.browsers.remove(0);
    assert_eq!(decided(&of), Some((What::Replace(BrowserId(2), RecycleReason::Asked), "recycle_asked")));
}

#[test]
fn a_replacement_that_ended_early_is_replaced_itself() {
    let now = now();
    let mut of = figures(vec![browser(1, now)], now);
    of.browsers[0].replaced_by = Some((BrowserId(2), RecycleReason::Asked));
    assert_eq!(decided(&of), Some((What::Replace(BrowserId(1), RecycleReason::Asked), "recycle_asked")));
    of.retry_at = Some(now + SECOND);
    assert_eq!(decided(&of), None, "none can be started");
}

#[test]
fn without_memory_for_one_more_a_browser_goes_first_if_newcomers_have_another() {
    let now = now();
    let asked = BrowserFigures { is_asked: true, ..browser(1, now) };
    let mut of = figures(vec![asked, browser(2, now)], now);
    of.memory = Some(95);
    assert_eq!(decided(&of), Some((What::Recycle(BrowserId(1), RecycleReason::Asked), "recycle_asked")));
    of.browsers.pop();
    assert_eq!(decided(&of), Some((What::Hold, "memory")));
    of.browsers[0].sessions = 0;
    assert_eq!(decided(&of), Some((What::Recycle(BrowserId(1), RecycleReason::Asked), "recycle_asked")));
}

#[test]
fn parked_sessions_of_an_overdue_browser_are_hibernated_once() {
    let now = now();
    let mut of = figures(vec![browser(1, now), browser(2, now)], now);
    let recycled = |seconds: u32, is_overdue| Stage::Recycled { since: ago(now, seconds), is_overdue };
    of.browsers[0].stage = recycled(59, false);
    assert_eq!(decided(&of), None);
    of.browsers[0].stage = recycled(60, false);
    assert_eq!(decided(&of), Some((What::Hibernate(BrowserId(1)), "overdue")));
    of.browsers[0].stage = recycled(6000, true);
    assert_eq!(decided(&of), None, "what goes on is not cut");
}

#[test]
fn only_the_limits_of_memory_and_disk_cut_sessions() {
    let now = now();
    for (resident, disk, why) in [(2001, 0, "browser_memory"), (0, 3001, "browser_disk")] {
        let mut of = figures(vec![browser(1, now)], now);
        (of.browsers[0].resident, of.browsers[0].disk) = (Some(resident * MIB), Some(disk * MIB));
        assert_eq!(decided(&of), Some((What::Kill(BrowserId(1)), why)));
        of.browsers[0].stage = Stage::Closing;
        assert_eq!(decided(&of), None, "it is killed already");
    }
}

#[test]
fn remote_browsers_are_never_replaced() {
    let rules = Rules { recycle_sessions: Some(1), ..rules() };
    let now = now();
    let mut figures = figures(vec![browser(1, now)], now);
    assert!(decide(&figures, &rules).is_some());
    figures.browsers[0].is_remote = true;
    assert_eq!(decide(&figures, &rules), None);
}

/// Pages that were closed leave their memory for a while: that is not growth. What stays is. Pages that are there explain
/// their memory, however few sessions they belong to.
#[test]
fn growth_counts_when_it_has_lasted() {
    let (mut growth, start) = (Growth::default(), now());
    let mut at = |second: u32, mib: u64, targets| {
        growth.measured(mib * MIB, targets, start + SECOND * second);
        growth.lasting()
    };
    assert_eq!(at(0, 100, 0), None);
    assert_eq!(at(10, 2000, 20), None);
    assert_eq!(at(20, 2000, 0), None, "they have just ended");
    assert_eq!(at(30, 150, 0), None);
    assert_eq!(at(60, 2100, 0), Some(0), "a minute ago it was new");
    assert_eq!(at(90, 900, 4), Some(50 * MIB), "half a minute ago there was more, and less before");
    assert_eq!(at(120, 2000, 0), Some(600 * MIB), "in the last minute");
    assert_eq!(at(170, 2000, 20), Some(600 * MIB));
    assert_eq!(at(180, 1000, 20), Some(0));
}
