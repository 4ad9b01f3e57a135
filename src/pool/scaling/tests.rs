use super::*;
use crate::{
    pool::decision::{BrowserFigures, RecycleReason},
    port::BrowserId,
};

const SECOND: Duration = Duration::from_secs(1);

/// From 1 to 3 browsers of 10 sessions each, with 300 s until one too many is drained.
fn rules() -> Rules {
    Rules { max: 3, ..Rules::of_tests() }
}

fn browser(number: u32, stage: Stage, sessions: i64) -> BrowserFigures {
    BrowserFigures {
        browser: BrowserId(number),
        is_remote: false,
        stage,
        sessions,
        is_exclusive: false,
        ready_at: Instant::now(),
        served: 0,
        resident: None,
        growth: None,
        disk: None,
        is_asked: false,
        replaced_by: None,
    }
}

/// Ready browsers with so many sessions, numbered from 1; nothing is going on.
fn ready<const N: usize>(sessions: [i64; N]) -> Figures {
    let browsers = (1..).zip(sessions).map(|(number, sessions)| browser(number, Stage::Ready, sessions));
    Figures {
        now: Instant::now(),
        browsers: browsers.collect(),
        waiting: 0,
        apart: 0,
        arrivals: 0.0,
        start_time: SECOND / 2,
        surplus_since: None,
        retry_at: None,
        unconnected: None,
        memory: Some(50),
        cpu: Some(50),
    }
}

fn decided(figures: &Figures) -> Option<(What, &'static str)> {
    decide(figures, &rules()).map(|decision| (decision.what, decision.why.label()))
}

#[test]
fn the_fewest_browsers_are_started_whatever_the_load() {
    let mut figures = ready([]);
    figures.memory = Some(99);
    assert_eq!(decided(&figures), Some((What::Start, "below_minimum")));
    figures.browsers.push(browser(1, Stage::Starting, 0));
    assert_eq!(decided(&figures), None, "one is being started");
}

#[test]
fn a_browser_is_started_before_a_queue_forms() {
    assert_eq!(decided(&ready([10])), None, "all are in, and nobody comes");
    let mut figures = ready([7]);
    figures.arrivals = 8.0;
    assert_eq!(decided(&figures), Some((What::Start, "demand")), "4 will come while it starts");
    figures.start_time = SECOND / 4;
    assert_eq!(decided(&figures), None, "2 will");
    figures.waiting = 2;
    assert_eq!(decided(&figures), Some((What::Start, "demand")));
    figures.browsers.push(browser(2, Stage::Starting, 0));
    assert_eq!(decided(&figures), None, "its places count");
    assert_eq!(decided(&ready([11])), Some((What::Start, "demand")));
}

#[test]
fn no_browser_is_started_above_the_maximum_or_without_memory_or_processors() {
    let full = ready([20, 20]);
    assert_eq!(decided(&full), Some((What::Start, "demand")));
    assert_eq!(decided(&ready([20, 20, 20])), Some((What::Hold, "at_maximum")));
    assert_eq!(decided(&Figures { memory: Some(90), ..full.clone() }), Some((What::Hold, "memory")));
    assert_eq!(decided(&Figures { cpu: Some(97), ..full.clone() }), Some((What::Hold, "cpu")));
    assert_eq!(decided(&Figures { memory: None, cpu: None, ..full.clone() }), Some((What::Start, "demand")));
    let later = Figures { retry_at: Some(full.now + SECOND), ..full.clone() };
    assert_eq!(decided(&later), None, "the last one did not start");
    assert_eq!(decided(&Figures { now: full.now + SECOND, ..later }), Some((What::Start, "demand")));
    let mut draining = ready([20, 20]);
    draining.browsers.push(browser(3, Stage::Recycled { since: full.now, is_overdue: false }, 1));
    assert_eq!(decided(&draining), Some((What::Hold, "at_maximum")), "one that is drained still needs its memory");
}

#[test]
fn a_browser_that_a_session_has_for_itself_has_no_places() {
    let mut figures = ready([1]);
    figures.browsers[0].is_exclusive = true;
    assert_eq!(decided(&figures), None);
    figures.waiting = 1;
    assert_eq!(decided(&figures), Some((What::Start, "demand")));
}

#[test]
fn a_browser_is_started_for_each_session_that_must_not_meet_the_others() {
    let mut figures = ready([1]);
    (figures.waiting, figures.apart) = (2, 2);
    assert_eq!(decided(&figures), Some((What::Start, "apart")));
    figures.browsers.push(browser(2, Stage::Starting, 0));
    assert_eq!(decided(&figures), Some((What::Start, "apart")));
    figures.browsers.push(browser(3, Stage::Starting, 0));
    assert_eq!(decided(&figures), None);
    figures.apart = 3;
    assert_eq!(decided(&figures), Some((What::Hold, "at_maximum")));
}

#[test]
fn the_emptiest_browser_is_drained_when_one_fewer_was_enough_for_a_while() {
    let mut figures = ready([6, 3, 9]);
    assert!(is_surplus(&figures, &rules()));
    let now = figures.now;
    let at = |seconds: u32| Some(now.checked_sub(SECOND * seconds).expect("a time"));
    figures.surplus_since = at(299);
    assert_eq!(decided(&figures), None);
    figures.surplus_since = at(300);
    assert_eq!(decided(&figures), Some((What::Drain(BrowserId(2)), "surplus")));
    figures.browsers[0].replaced_by = Some((BrowserId(3), RecycleReason::Asked));
    assert!(!is_surplus(&figures, &rules()), "one of them replaces another");
    for not in [ready([10, 5, 6]), ready([3])] {
        assert!(!is_surplus(&not, &rules()), "{not:?}");
        assert_eq!(decided(&Figures { surplus_since: at(1000), ..not }), None);
    }
}

#[test]
fn demand_takes_back_a_browser_that_was_drained_as_surplus() {
    let mut figures = ready([11]);
    figures.browsers.push(browser(2, Stage::Surplus, 1));
    figures.memory = Some(99);
    assert_eq!(decided(&figures), Some((What::TakeBack(BrowserId(2)), "demand")));
}

#[test]
fn arrivals_are_forgotten() {
    let now = Instant::now();
    let mut arrivals = Arrivals::new(now);
    assert_eq!(arrivals.rate(now).to_bits(), 0.0_f64.to_bits());
    for _ in 0..20 {
        arrivals.count(now);
    }
    assert!((arrivals.rate(now) - 2.0).abs() < 0.001);
    assert!((arrivals.rate(now + SECOND * 10) - 0.735).abs() < 0.01);
    assert_eq!(arrivals.rate(now + SECOND * 60).to_bits(), 0.0_f64.to_bits());
}

#[test]
fn as_many_browsers_as_the_machine_carries() {
    let machine = |cpus, gib: u64| Capacity { cpus, memory: Some(gib << 30) };
    // 710 MiB for a browser with 20 sessions.
    assert_eq!(carried_by(machine(16, 4), 1, 20), (5, "the memory"));
    assert_eq!(carried_by(machine(2, 64), 1, 20), (2, "the processors"));
    assert_eq!(carried_by(machine(1, 1), 3, 20), (3, "min_browsers"));
    assert_eq!(carried_by(machine(128, 512), 1, 20), (64, "the most that one server runs"));
    assert_eq!(carried_by(Capacity { cpus: 4, memory: None }, 1, i64::MAX), (4, "the processors"));
    assert_eq!(fit_empty(1 << 30), 6);
}

#[test]
fn browsers_above_a_maximum_that_was_lowered_take_no_new_sessions() {
    let lowered = Rules { max: 2, ..rules() };
    let decided = |figures: &Figures| decide(figures, &lowered).map(|decision| (decision.what, decision.why.label()));
    let mut figures = ready([12, 8, 15]);
    assert_eq!(
        decided(&figures),
        Some((What::Drain(BrowserId(2)), "above_maximum")),
        "the one with the fewest sessions"
    );
    figures.browsers[1].stage = Stage::Surplus;
    assert_eq!(decided(&figures), Some((What::Hold, "at_maximum")), "it is not taken back");
    let mut replacing = ready([1, 1, 0]);
    replacing.browsers[0].replaced_by = Some((BrowserId(3), RecycleReason::Asked));
    assert_eq!(decided(&replacing), None, "the third replaces the first");
}

#[test]
fn remote_browsers_have_places_and_are_neither_started_nor_drained() {
    let remote = |number, stage, sessions| BrowserFigures { is_remote: true, ..browser(number, stage, sessions) };
    let mut figures = ready([10]);
    figures.waiting = 5;
    assert_eq!(decided(&figures), Some((What::Start, "demand")));
    figures.browsers.push(remote(2, Stage::Starting, 0));
    assert_eq!(decided(&figures), Some((What::Start, "demand")), "it may not be reached");
    figures.browsers[1].stage = Stage::Ready;
    assert_eq!(decided(&figures), None, "it has places for them");
    let mut above = ready([4, 0, 0, 0]);
    above.browsers[1].is_remote = true;
    assert_eq!(decided(&above), None, "three local ones are not above the maximum");
    let mut surplus = ready([1, 0]);
    surplus.browsers.push(remote(3, Stage::Ready, 0));
    (surplus.surplus_since, surplus.now) = (Some(surplus.now), surplus.now + SECOND * 300);
    assert_eq!(decided(&surplus), Some((What::Drain(BrowserId(2)), "surplus")));
    surplus.browsers.remove(1);
    assert_eq!(decided(&surplus), None, "the last local one stays");
    // Only remote ones: there is no minimum here.
    let none = Rules { min: 0, max: 0, ..rules() };
    let only = Figures { browsers: vec![remote(1, Stage::Ready, 40)], ..ready([]) };
    assert_eq!(decide(&only, &none).map(|decision| decision.what), Some(What::Hold));
}

#[test]
fn numbers_of_sessions_that_need_more_memory_than_there_is_are_doubted() {
    let doubts = |mib: u64, most| doubts(Capacity { cpus: 2, memory: Some(mib << 20) }, 20, most);
    assert_eq!(doubts(4096, Some(100)), Vec::<String>::new());
    let said = doubts(4096, Some(200));
    assert!(said.len() == 1 && said[0].starts_with("max_sessions 200: ") && said[0].contains("5750 MiB"), "{said:?}");
    assert!(doubts(512, None)[0].starts_with("sessions_per_browser 20: "));
}
