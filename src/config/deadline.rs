//! The deadlines of sessions: what holds when a client says nothing, and the most it may say.

use std::time::Duration;

use super::{
    ConfigError,
    layers::{Layers, Source},
    value::duration,
};

/// When sessions end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the beginning; zero is no limit.
    pub timeout: Limit,
    /// Since a client last sent a frame; zero is no limit.
    pub idle_timeout: Limit,
    /// Since the last socket went; zero is at once.
    pub keep_alive: Limit,
    /// The `keep_alive` of a session that is to be there without a socket and was given none.
    pub park_keep_alive: Duration,
    /// How long a session is parked before it is saved and gives its place back; zero is for ever.
    pub hibernate_after: Duration,
    /// How often a session is saved while it is used; zero is never.
    pub autosave: Duration,
}

/// One deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// If the client says nothing.
    pub default: Duration,
    /// The most it may say, if there is a most.
    pub most: Option<Duration>,
    /// Whether zero means without limit.
    pub zero_is_endless: bool,
}

impl Limit {
    /// Whether a client may ask for this; if not, why.
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

/// The least there may be between two saves of one session.
const AUTOSAVE_LEAST: Duration = Duration::from_secs(1);

/// Whether a session may be saved so often; if not, why.
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
                // Nobody said that there is no limit: then it is the most there may be.
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
            return Err(parked.wrong("would end a session before anybody could come; say 1m, or raise keep_alive_max"));
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

/// A span of time in a URL: a bare number is milliseconds, as with browserless; or with a unit, as in settings.
pub fn span(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(millis) => Ok(Duration::from_millis(millis)),
        Err(_) => duration(Duration::ZERO)(text)
            .map_err(|_| format!("{text:?} is no length of time; write milliseconds, or a number and ms, s, m or h")),
    }
}
