//! When a browser is replaced, and when one that accepts no sessions is closed. PURE: from figures to a decision that
//! carries its evidence.
//!
//! One browser at a time is replaced. Another one is started first, if the memory allows; only when that accepts sessions
//! does the old one stop to do so, and it is closed when its last session has ended. No session is cut, except by the
//! limits of a browser's memory and disk.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::decision::{BrowserFigures, Decision, Evidence, Figures, RecycleReason, Rules, Stage, What};

/// Memory that each target may take before a browser counts as grown, in bytes. A page is two targets: the page and its tab.
const PER_TARGET: u64 = 50 << 20;
/// How long a browser must have grown. The processes of pages that were closed take memory for a while.
pub(super) const GROWTH_LASTS: Duration = Duration::from_secs(60);

/// How far the memory of one browser has been above what it may take.
#[derive(Clone, Debug, Default)]
pub(super) struct Growth {
    when_new: Option<u64>,
    /// When it was measured, and the excess in bytes: the latest one that is as old as [`GROWTH_LASTS`], and all later ones.
    measured: VecDeque<(Instant, u64)>,
}

impl Growth {
    /// Notes the memory in bytes of a browser that has this many targets. Those of sessions that have ended count until
    /// Chrome has disposed of their contexts, which it does one after another.
    pub(super) fn measured(&mut self, resident: u64, targets: usize, now: Instant) {
        let when_new = *self.when_new.get_or_insert(resident);
        let targets = u64::try_from(targets).unwrap_or(u64::MAX);
        let allowed = when_new.saturating_add(PER_TARGET.saturating_mul(targets));
        self.measured.push_back((now, resident.saturating_sub(allowed)));
        let is_old = |at: Instant| now.saturating_duration_since(at) >= GROWTH_LASTS;
        while self.measured.get(1).is_some_and(|(at, _)| is_old(*at)) {
            self.measured.pop_front();
        }
    }

    /// The growth that has lasted, in bytes; `None` if it has not been measured for that long.
    pub(super) fn lasting(&self) -> Option<u64> {
        let ((first, _), (last, _)) = self.measured.front().zip(self.measured.back())?;
        let is_long = last.saturating_duration_since(*first) >= GROWTH_LASTS;
        is_long.then(|| self.measured.iter().map(|(_, growth)| *growth).min())?
    }
}

/// Whether a browser is to end now.
pub(super) fn end(figures: &Figures, rules: &Rules) -> Option<Decision> {
    for browser in &figures.browsers {
        if browser.stage != Stage::Closing
            && let Some(why) = excess(browser, rules)
        {
            return Some(Decision { what: What::Kill(browser.browser), why });
        }
        if matches!(browser.stage, Stage::Surplus | Stage::Recycled { .. }) && browser.sessions <= 0 {
            return Some(Decision { what: What::Close(browser.browser), why: Evidence::Empty });
        }
    }
    None
}

/// Which of its limits a browser exceeds.
pub(super) fn excess(browser: &BrowserFigures, rules: &Rules) -> Option<Evidence> {
    let above = |value: Option<u64>, limit: Option<u64>| value.zip(limit).filter(|(value, limit)| value > limit);
    let memory = above(browser.resident, rules.browser_memory);
    let memory = memory.map(|(resident, limit)| Evidence::TooLarge { resident, limit });
    let disk = || above(browser.disk, rules.browser_disk);
    memory.or_else(|| disk().map(|(disk, limit)| Evidence::TooMuchDisk { disk, limit }))
}

/// Whether a browser is to be replaced.
pub(super) fn decide(figures: &Figures, rules: &Rules) -> Option<Decision> {
    let being_recycled = figures.at(|stage| matches!(stage, Stage::Recycled { .. }));
    if let Some(browser) = being_recycled.min_by_key(|browser| browser.browser) {
        return overdue(browser, figures, rules.recycle_deadline);
    }
    let accepts = figures.at(|stage| stage == Stage::Ready);
    for browser in accepts {
        let Some((by, why)) = browser.replaced_by else { continue };
        let replacement = figures.browsers.iter().find(|other| other.browser == by);
        match replacement.map(|replacement| replacement.stage) {
            Some(Stage::Ready) => {
                let (what, why) = (What::Recycle(browser.browser, why), Evidence::ReplacementReady { by });
                return Some(Decision { what, why });
            }
            Some(Stage::Starting) => return None,
            // It has ended before it was of use: another one is started.
            _ => return begin(browser, why, figures, rules),
        }
    }
    // Those that an operator wants replaced come first, then the oldest.
    let due = |browser: &&BrowserFigures| reason(browser, figures, rules).is_some();
    let ready = figures.at(|stage| stage == Stage::Ready);
    let next = ready.filter(due).min_by_key(|browser| (!browser.is_asked, browser.browser))?;
    begin(next, reason(next, figures, rules)?, figures, rules)
}

/// Begins to replace a browser.
fn begin(browser: &BrowserFigures, why: RecycleReason, figures: &Figures, rules: &Rules) -> Option<Decision> {
    let (id, alive) = (browser.browser, figures.local().count());
    let shortage = figures.shortage(rules).filter(|why| matches!(why, Evidence::Memory { .. }));
    if alive <= rules.max && shortage.is_none() {
        let replace = Decision { what: What::Replace(id, why), why: Evidence::Recycling(why) };
        return figures.may_start().then_some(replace);
    }
    // Without room for one more, it goes first, if newcomers have another one.
    let has_other = figures.at(|stage| stage == Stage::Ready).any(|other| other.browser != id && !other.is_exclusive);
    if has_other || browser.sessions <= 0 {
        return Some(Decision { what: What::Recycle(id, why), why: Evidence::Recycling(why) });
    }
    let why = shortage.unwrap_or(Evidence::AtMaximum { browsers: alive, max: rules.max });
    Some(Decision { what: What::Hold, why })
}

/// Why a browser is to be replaced, if it is.
fn reason(browser: &BrowserFigures, figures: &Figures, rules: &Rules) -> Option<RecycleReason> {
    if browser.is_remote {
        return None;
    }
    if browser.is_asked {
        return Some(RecycleReason::Asked);
    }
    let age = figures.now.saturating_duration_since(browser.ready_at);
    if rules.recycle_age.is_some_and(|most| age >= most) {
        return Some(RecycleReason::Age(age));
    }
    if rules.recycle_sessions.is_some_and(|most| browser.served >= most) {
        return Some(RecycleReason::Served(browser.served));
    }
    if let (Some(disk), Some(most)) = (browser.disk, rules.recycle_disk)
        && disk >= most
    {
        return Some(RecycleReason::Disk(disk));
    }
    let growth = browser.growth?;
    rules.recycle_growth.is_some_and(|most| growth >= most).then_some(RecycleReason::Growth(growth))
}

/// Whether the parked sessions of a browser that is replaced are to be hibernated.
fn overdue(browser: &BrowserFigures, figures: &Figures, deadline: Duration) -> Option<Decision> {
    let Stage::Recycled { since, is_overdue: false } = browser.stage else { return None };
    let after = figures.now.saturating_duration_since(since);
    let why = Evidence::Overdue { after, sessions: browser.sessions };
    (after >= deadline).then_some(Decision { what: What::Hibernate(browser.browser), why })
}

#[cfg(test)]
mod tests;
