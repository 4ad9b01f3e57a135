//! The deadlines of sessions: their defaults, and the maxima for what clients request.

use std::time::Duration;

use super::{
    ConfigError,
    layers::{Layers, Source},
    value::duration,
};

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

impl Deadlines {
    pub(super) fn check(layers: &Layers) -> Result<Self, ConfigError> {
        let endless = |key, key_max| {
            let (said, said_max) = (layers.text(key), layers.text(key_max));
            let most = Some(said_max.read(duration(Duration::ZERO))?).filter(|most| !most.is_zero());
            let limit = Limit { default: said.read(duration(Duration::ZERO))?, most, zero_is_endless: true };
            match (limit.allows(limit.default), most) {
                // No limit was requested explicitly, so the maximum is the default.
                (Err(_), Some(most)) if limit.default.is_zero() && said.source == Source::Default => {
                    Ok(Limit { default: most, ..limit })
                }
                (Err(why), _) => Err(said.wrong(&format!("{why} ({})", said_max.setting()))),
                (Ok(()), _) => Ok(limit),
            }
        };
        let most_said = layers.text("keep_alive_max");
        let most = most_said.read(duration(Duration::ZERO))?;
        let kept = |key| {
            let said = layers.text(key);
            let limit =
                Limit { default: said.read(duration(Duration::ZERO))?, most: Some(most), zero_is_endless: false };
            limit.allows(limit.default).map_err(|why| said.wrong(&format!("{why} ({})", most_said.setting())))?;
            Ok(limit)
        };
        let parked = layers.text("park_keep_alive");
        let park_keep_alive = match parked.source {
            Source::Default => parked.read(duration(Duration::ZERO))?.min(most),
            _ => kept("park_keep_alive")?.default,
        };
        if park_keep_alive.is_zero() {
            return Err(
                parked.wrong("would end a session before a client could connect; write 1m, or raise keep_alive_max")
            );
        }
        Ok(Self {
            timeout: endless("timeout", "timeout_max")?,
            idle_timeout: endless("idle_timeout", "idle_timeout_max")?,
            keep_alive: kept("keep_alive")?,
            park_keep_alive,
            hibernate_after: layers.text("hibernate_after").read(duration(Duration::ZERO))?,
            autosave: {
                let said = layers.text("autosave");
                let often = said.read(duration(Duration::ZERO))?;
                may_save(often).map_err(|why| said.wrong(&why))?;
                often
            },
        })
    }
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
