//! How many browsers run on this machine. PURE: from figures to a decision that carries its evidence.
//!
//! Remote browsers have places too, but none of them is started or drained.
//!
//! A browser is started before a queue forms: when the sessions that are there, those that wait and those that will
//! come while a browser starts do not fit into the places of the browsers. One is drained when for some time one fewer
//! was enough.

use std::time::{Duration, Instant};

use super::decision::{Decision, Evidence, Figures, Rules, Stage, What};

/// Memory that a browser takes before it has sessions, in bytes. *Measured*: some 100 MiB in headless shell, 150 in full Chrome.
pub(super) const BROWSER: u64 = 150 << 20;
/// Memory that a session takes, in bytes. *Measured*: a small page takes 21 MiB in headless shell, 28 in full Chrome.
const SESSION: u64 = 28 << 20;
/// Most browsers of one server.
const MOST: usize = 64;
/// Time in which requests count for the rate of arrivals.
const RECENT: f64 = 10.0;
/// A rate below this, per second, is none: the last request is too long ago to expect another.
const NO_RATE: f64 = 0.02;

/// What the machine has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Processors that the process may use.
    pub(super) cpus: usize,
    /// Memory that it may use, in bytes, if it is known.
    pub(super) memory: Option<u64>,
}

/// How many browsers this machine carries, with the name of what limits them.
pub(super) fn carried_by(capacity: Capacity, min: usize, sessions_per_browser: i64) -> (usize, &'static str) {
    let sessions = u64::try_from(sessions_per_browser).unwrap_or(u64::MAX);
    let one = BROWSER.saturating_add(SESSION.saturating_mul(sessions));
    let by_memory = capacity.memory.map(|memory| usize::try_from(memory / one).unwrap_or(usize::MAX));
    let limits = [
        // One thread of a browser does the work that its sessions share.
        (capacity.cpus, "the processors"),
        (by_memory.unwrap_or(usize::MAX), "the memory"),
        (MOST, "the most that one server runs"),
    ];
    let (most, by) = limits.into_iter().min_by_key(|(most, _)| *most).unwrap_or((1, "nothing"));
    if most < min { (min, "min_browsers") } else { (most, by) }
}

/// How many browsers fit into this memory without any session.
pub(super) fn fit_empty(memory: u64) -> usize {
    usize::try_from(memory / BROWSER).unwrap_or(usize::MAX)
}

/// Which numbers of sessions need more memory than there is, although their pages are small; a sentence for each.
pub(super) fn doubts(capacity: Capacity, sessions_per_browser: i64, max_sessions: Option<u32>) -> Vec<String> {
    let Some(memory) = capacity.memory else { return Vec::new() };
    let numbers = [
        ("sessions_per_browser", u64::try_from(sessions_per_browser).ok()),
        ("max_sessions", max_sessions.map(u64::from)),
    ];
    let doubt = |(setting, sessions): (&str, Option<u64>)| {
        let needed = BROWSER.saturating_add(SESSION.saturating_mul(sessions?));
        let (needs, has) = (needed >> 20, memory >> 20);
        (needed > memory).then(|| {
            format!(
                "{setting} {}: so many sessions with a small page each need {needs} MiB of memory, and this machine has \
                 {has} MiB; lower it",
                sessions.unwrap_or_default()
            )
        })
    };
    numbers.into_iter().filter_map(doubt).collect()
}

/// The rate at which sessions are requested: an average that forgets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrivals {
    per_second: f64,
    at: Instant,
}

impl Arrivals {
    /// No requests so far.
    pub(super) fn new(now: Instant) -> Self {
        Self { per_second: 0.0, at: now }
    }

    /// A session is requested.
    pub(super) fn count(&mut self, now: Instant) {
        self.per_second = self.rate(now) + 1.0 / RECENT;
        self.at = now;
    }

    /// Requests per second, lately.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        let rate = self.per_second * (-now.saturating_duration_since(self.at).as_secs_f64() / RECENT).exp();
        if rate < NO_RATE { 0.0 } else { rate }
    }
}

/// How long a browser takes to start: an average of the last ones.
pub(super) fn average(before: Duration, last: Duration) -> Duration {
    (before * 3 + last) / 4
}

/// Sessions that will be requested before a browser that is started now accepts them.
fn expected(figures: &Figures) -> i64 {
    let sessions = (figures.arrivals * figures.start_time.as_secs_f64()).ceil();
    #[allow(clippy::cast_possible_truncation, reason = "a float is cut to the limits of the integer")]
    let sessions = sessions as i64;
    sessions
}

/// The demand beside the number of places, which `fewer` browsers would not have.
fn demand(figures: &Figures, rules: &Rules, fewer: usize) -> (i64, i64, i64) {
    // Whether a remote one that is being connected to can be reached is not known.
    let with_places = figures
        .browsers
        .iter()
        .filter(|browser| browser.stage == Stage::Ready || browser.stage == Stage::Starting && !browser.is_remote);
    let (mut sessions, mut browsers) = (0, 0_i64);
    for browser in with_places {
        // One that a session has for itself has no places.
        if !browser.is_exclusive {
            sessions += browser.sessions;
            browsers += 1;
        }
    }
    let browsers = browsers.saturating_sub(i64::try_from(fewer).unwrap_or(i64::MAX)).max(0);
    (sessions, expected(figures), browsers.saturating_mul(rules.sessions_per_browser))
}

/// Whether one browser fewer would be enough now.
pub(super) fn is_surplus(figures: &Figures, rules: &Rules) -> bool {
    let (sessions, expected, places) = demand(figures, rules, 1);
    let is_settled = figures.local().all(|browser| browser.stage != Stage::Starting);
    figures.running() > rules.min
        && is_settled
        && !is_replacing(figures)
        && figures.apart == 0
        && sessions + figures.waiting + expected <= places
}

/// Whether there is one browser more because another one is being replaced.
fn is_replacing(figures: &Figures) -> bool {
    figures.at(|stage| stage == Stage::Ready).any(|browser| browser.replaced_by.is_some())
}

/// Whether a browser is started, drained or taken back.
pub(super) fn decide(figures: &Figures, rules: &Rules) -> Option<Decision> {
    let (running, alive) = (figures.running(), figures.local().count());
    let back = figures.at(|stage| stage == Stage::Surplus).max_by_key(|browser| browser.browser);
    if running < rules.min {
        let why = Evidence::BelowMinimum { browsers: running, min: rules.min };
        if let Some(back) = back {
            return Some(Decision { what: What::TakeBack(back.browser), why });
        }
        // One more than the maximum while one that is replaced waits for its sessions.
        let may_start = figures.may_start() && alive <= rules.max;
        return may_start.then_some(Decision { what: What::Start, why });
    }
    // The one with the fewest sessions; of several, the oldest, which has grown most.
    let ready = figures.local().filter(|browser| browser.stage == Stage::Ready);
    let least = ready.min_by_key(|browser| (browser.sessions, browser.browser));
    if running > rules.max && !is_replacing(figures) {
        let why = Evidence::AboveMaximum { browsers: running, max: rules.max };
        return least.map(|least| Decision { what: What::Drain(least.browser), why });
    }
    let (sessions, expected, places) = demand(figures, rules, 0);
    let starting = figures.at(|stage| stage == Stage::Starting).count();
    let starting = i64::try_from(starting).unwrap_or(i64::MAX);
    let is_full = sessions + figures.waiting + expected > places;
    if is_full || figures.apart > starting {
        let why = if is_full {
            Evidence::Demand { sessions, waiting: figures.waiting, expected, places }
        } else {
            Evidence::Apart { waiting: figures.apart, starting }
        };
        if let Some(back) = back.filter(|_| running < rules.max) {
            return Some(Decision { what: What::TakeBack(back.browser), why });
        }
        if alive >= rules.max {
            return Some(Decision { what: What::Hold, why: Evidence::AtMaximum { browsers: alive, max: rules.max } });
        }
        if let Some(why) = figures.shortage(rules) {
            return Some(Decision { what: What::Hold, why });
        }
        return figures.may_start().then_some(Decision { what: What::Start, why });
    }
    let since = figures.surplus_since.filter(|_| is_surplus(figures, rules))?;
    let idle = figures.now.saturating_duration_since(since);
    if idle < rules.idle {
        return None;
    }
    let why = Evidence::Surplus { idle, browsers: running, sessions };
    least.map(|least| Decision { what: What::Drain(least.browser), why })
}

#[cfg(test)]
mod tests;
