//! The deadlines of sessions: their defaults, and the maxima for what clients request.

use std::time::Duration;

use super::value::duration;

/// The deadlines of sessions, and their maxima.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Counts from the start of the session; zero is no limit.
    pub timeout: Limit,
    /// Counts from the last frame of a client; zero is no limit.
    pub idle_timeout: Limit,
    /// Counts from the moment the last socket closed; zero ends the session at once.
    pub keep_alive: Limit,
    /// The `keep_alive` of a session that is created or parked without a socket and was given none.
    pub park_keep_alive: Duration,
    /// How long a session is parked before it is hibernated; zero is never.
    pub hibernate_after: Duration,
    /// Interval at which a running session is saved; zero is never.
    pub autosave: Duration,
    /// How long files are kept after the end of their session.
    pub keep_files: Limit,
}

impl Deadlines {
    /// These deadlines, for sessions that may last this long.
    #[must_use]
    pub fn within(self, longest: Option<Duration>) -> Self {
        let Some(longest) = longest else { return self };
        let shorter = |time: Duration| if time.is_zero() { longest } else { time.min(longest) };
        let Limit { default, most, zero_is_endless } = self.timeout;
        let timeout = Limit { default: shorter(default), most: most.map(shorter).or(Some(longest)), zero_is_endless };
        Self { timeout, ..self }
    }
}

/// One deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The value if the client requests none.
    pub default: Duration,
    /// The most that a client may request; `None` is no limit.
    pub most: Option<Duration>,
    /// Whether zero means no limit.
    pub zero_is_endless: bool,
}

impl Limit {
    /// Checks a value that a client requests. The error says why it is refused.
    pub fn allows(self, asked: Duration) -> Result<(), String> {
        let Some(most) = self.most else { return Ok(()) };
        if asked > most {
            return Err(format!("{} ms is above the maximum of {} ms", asked.as_millis(), most.as_millis()));
        }
        if asked.is_zero() && self.zero_is_endless {
            return Err(format!("0 means without limit, and the maximum is {} ms", most.as_millis()));
        }
        Ok(())
    }
}

/// The shortest interval between two saves of one session.
const AUTOSAVE_LEAST: Duration = Duration::from_secs(1);

/// Checks the interval of saves. The error says why it is refused.
pub fn may_save(often: Duration) -> Result<(), String> {
    if often.is_zero() || often >= AUTOSAVE_LEAST {
        return Ok(());
    }
    Err(format!("{} ms is too often; at least {} ms, or 0 for never", often.as_millis(), AUTOSAVE_LEAST.as_millis()))
}

/// The interval of saves.
pub(super) fn autosave(text: &str) -> Result<Duration, String> {
    let often = duration(Duration::ZERO)(text)?;
    may_save(often).map(|()| often)
}

/// Parses a duration in a URL: a number alone is milliseconds, as with browserless; or a number with a unit, as in
/// settings.
pub fn span(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(millis) => Ok(Duration::from_millis(millis)),
        Err(_) => duration(Duration::ZERO)(text)
            .map_err(|_| format!("{text:?} is no length of time; write milliseconds, or a number and ms, s, m or h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_of_the_session_time_counts() {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        let deadlines = |default, most| Deadlines {
            timeout: Limit { default, most, zero_is_endless: true },
            idle_timeout: Limit { default: Duration::ZERO, most: None, zero_is_endless: true },
            keep_alive: Limit { default: Duration::ZERO, most: None, zero_is_endless: false },
            park_keep_alive: minute,
            hibernate_after: Duration::ZERO,
            autosave: Duration::ZERO,
            keep_files: Limit { default: Duration::ZERO, most: None, zero_is_endless: false },
        };
        for (default, most, longest, expected) in [
            (Duration::ZERO, None, None, (Duration::ZERO, None)),
            (Duration::ZERO, None, Some(minute), (minute, Some(minute))),
            (minute, Some(hour), Some(hour), (minute, Some(hour))),
            (hour, Some(hour), Some(minute), (minute, Some(minute))),
            (minute, Some(minute), Some(hour), (minute, Some(minute))),
        ] {
            let timeout = deadlines(default, most).within(longest).timeout;
            assert_eq!((timeout.default, timeout.most), expected, "{default:?} {most:?} {longest:?}");
            assert!(timeout.allows(timeout.default).is_ok());
        }
    }
}
