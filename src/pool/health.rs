//! Whether a browser is well, and when one that did not start is tried again. PURE: the clock is an argument.

use std::time::{Duration, Instant};

/// The first pause after a browser did not start or ended early; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A browser that lived for less than this counts as one that did not start.
const EARLY: Duration = Duration::from_secs(60);
/// The part of the time limit after which a browser that is well is asked again.
const ASKS: u32 = 10;

/// What is known of a browser that is asked whether it is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    /// When it was asked; it owes the answer.
    pub(super) asked: Instant,
    /// When it last sent a byte, or took one.
    pub(super) last_byte: Instant,
    /// How long it may do neither.
    pub(super) limit: Duration,
}

impl Signs {
    /// For how long it has been silent, if that is too long. One that sends or takes a large message is not: its bytes
    /// come.
    pub(super) fn too_long(&self, now: Instant) -> Option<Duration> {
        let silent = now.saturating_duration_since(self.asked.max(self.last_byte));
        (silent >= self.limit).then_some(silent)
    }

    /// When it will be silent for too long.
    pub(super) fn due(&self) -> Instant {
        self.asked.max(self.last_byte) + self.limit
    }
}

/// The pause between two questions to a browser that may be silent for `limit`.
pub(super) fn pause(limit: Duration) -> Duration {
    limit / ASKS
}

/// When browsers of one source may be started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff {
    /// Starts that failed since the last one that did not.
    failed: u32,
    /// Browsers that ended early, one after another.
    early: u32,
    until: Option<Instant>,
}

impl BackOff {
    /// A browser did not start. Returns the pause before the next attempt.
    pub(super) fn failed(&mut self, now: Instant) -> Duration {
        self.failed = self.failed.saturating_add(1);
        self.wait(self.failed, now)
    }

    /// A browser has started.
    pub(super) fn started(&mut self) {
        self.failed = 0;
        self.until = None;
    }

    /// A browser ended at this age without being asked to. One is replaced at once; if several in a row end early, the
    /// pauses grow as for those that do not start.
    pub(super) fn lost(&mut self, age: Duration, now: Instant) {
        if age >= EARLY {
            self.early = 0;
            return;
        }
        if self.early > 0 {
            self.wait(self.early, now);
        }
        self.early = self.early.saturating_add(1);
    }

    /// No start before this time.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    fn wait(&mut self, times: u32, now: Instant) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << (times - 1).min(16)).min(LONGEST_PAUSE);
        self.until = now.checked_add(pause);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn only_silence_with_an_answer_owed_is_illness() {
        let start = Instant::now();
        let now = start + SECOND * 1000;
        let signs = |asked: u32, byte: u32| Signs {
            asked: start + SECOND * (1000 - asked),
            last_byte: start + SECOND * (1000 - byte),
            limit: SECOND * 30,
        };
        assert_eq!(signs(29, 300).too_long(now), None, "not asked for long enough");
        assert_eq!(signs(30, 300).too_long(now), Some(SECOND * 30));
        assert_eq!(signs(300, 29).too_long(now), None, "a large reply is on its way");
        assert_eq!(signs(300, 31).too_long(now), Some(SECOND * 31));
        assert_eq!(signs(10, 300).due(), now + SECOND * 20);
        assert_eq!(signs(10, 1).due(), now + SECOND * 29);
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let (mut back_off, now) = (BackOff::default(), Instant::now());
        assert_eq!(back_off.until(), None);
        let pauses: Vec<_> = (0..10).map(|_| back_off.failed(now).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        assert_eq!(back_off.until(), Some(now + LONGEST_PAUSE));
    }

    #[test]
    fn a_browser_that_started_ends_the_series_of_failures() {
        let (mut back_off, now) = (BackOff::default(), Instant::now());
        back_off.failed(now);
        back_off.failed(now);
        back_off.started();
        assert_eq!(back_off.until(), None);
        assert_eq!(back_off.failed(now), FIRST_PAUSE);
    }

    #[test]
    fn browsers_that_end_early_again_and_again_are_started_less_often() {
        let (mut back_off, now) = (BackOff::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..4 {
            back_off.started();
            back_off.lost(SECOND, now);
            pauses.push(back_off.until().map(|until| (until - now).as_millis()));
        }
        assert_eq!(pauses, [None, Some(200), Some(400), Some(800)], "the first is replaced at once");
        back_off.started();
        back_off.lost(EARLY, now);
        back_off.lost(SECOND, now);
        assert_eq!(back_off.until(), None, "one that lived long ends the series");
    }
}
