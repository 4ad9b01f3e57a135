//! How much a tenant may use. [`Limits`] are the numbers that the operator gives; [`LimitBook`] says whether a tenant may
//! use more now.
//!
//! `rate` limits session starts (GCRA), `pace` delays commands and bytes, `shared` counts over all processes of a
//! deployment through Redis, `refusal` names the limits. Sessions at once are counted where they are admitted
//! (`session/admission`), pages and CDP sessions in the virtual browser, snapshots in the store.

mod book;
pub mod pace;
mod rate;
pub mod refusal;
mod shared;

use std::{ops::RangeInclusive, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use self::pace::Rates;
pub use self::{
    book::{LimitBook, NoStart, Pace, StartPermit},
    refusal::{LimitName, Refusal},
    shared::{Periods, SharedPlace},
};
pub use crate::api_types::Sharing;
use crate::config::BrowserLimits;

/// The values of `cpu.weight`.
const WEIGHTS: RangeInclusive<u32> = 1..=10_000;
/// The least `memory.max` of a browser, in bytes.
const BROWSER_LEAST: u64 = 256 << 20;

/// The limits of one tenant. A limit that is absent does not limit beyond the settings of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most sessions at a time, parked ones included.
    pub max_sessions: Option<u32>,
    /// Most sessions that start within a minute.
    pub sessions_per_minute: Option<u32>,
    /// Most places of the queue that its requests may take, in percent.
    pub queue_share: Option<u32>,
    /// Most pages of one session at a time.
    pub pages_per_session: Option<u32>,
    /// Most CDP sessions of the clients of one session at a time.
    pub cdp_sessions_per_session: Option<u32>,
    /// Most commands of its clients in a second, all sessions together.
    pub commands_per_second: Option<u32>,
    /// Most bytes from its clients in a second, all sessions together.
    #[serde(deserialize_with = "bytes")]
    pub bytes_per_second: Option<u64>,
    /// Most snapshots that it may keep.
    pub max_snapshots: Option<u64>,
    /// Most bytes of disk that the files of its sessions may take together.
    #[serde(deserialize_with = "bytes")]
    pub max_file_bytes: Option<u64>,
    /// Most bytes that the pages of one session may send and load together.
    #[serde(deserialize_with = "bytes")]
    pub egress_bytes_per_session: Option<u64>,
    /// Most bytes that the pages of all its sessions may send and load together on a day (UTC).
    #[serde(deserialize_with = "bytes")]
    pub egress_bytes_per_day: Option<u64>,
    /// Longest time that a session may last.
    #[serde(deserialize_with = "time")]
    pub max_session_time: Option<Duration>,
    /// Whose sessions may be in the same Chrome as those of this tenant.
    pub sharing: Sharing,
    /// Share of processor time of its browsers, 1 to 10000; for a tenant that does not share them.
    pub cpu_weight: Option<u32>,
    /// Most bytes of memory of each of its browsers; for a tenant that does not share them.
    #[serde(deserialize_with = "bytes")]
    pub browser_memory_max: Option<u64>,
}

impl Limits {
    /// Whether the start of a session is limited by what other processes know.
    fn is_shared(&self) -> bool {
        self.max_sessions.is_some() || self.sessions_per_minute.is_some()
    }

    /// What the control groups of its browsers limit: those in which are sessions of this tenant alone.
    pub fn browser(&self) -> BrowserLimits {
        BrowserLimits { cpu_weight: self.cpu_weight, memory: self.browser_memory_max }
    }

    /// Checks the limits against each other. The error has the key and what to write instead.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let of_browser =
            [("cpu_weight", self.cpu_weight.is_some()), ("browser_memory_max", self.browser_memory_max.is_some())];
        let given = of_browser.into_iter().find_map(|(key, is_given)| is_given.then_some(key));
        match given {
            Some(key) if self.sharing == Sharing::All => {
                Err((key, "is for a tenant with browsers of its own; set sharing to tenant or session too".to_owned()))
            }
            _ if self.cpu_weight.is_some_and(|weight| !WEIGHTS.contains(&weight)) => {
                Err(("cpu_weight", format!("must be from {} to {}", WEIGHTS.start(), WEIGHTS.end())))
            }
            _ if self.browser_memory_max.is_some_and(|bytes| bytes < BROWSER_LEAST) => Err((
                "browser_memory_max",
                format!("must be at least {} MiB, or no page could be opened", BROWSER_LEAST >> 20),
            )),
            _ => Ok(()),
        }
    }

    /// The tenant's places in a queue of this length.
    pub fn places_of(&self, queue: usize) -> Option<usize> {
        let percent = usize::try_from(self.queue_share?).unwrap_or(usize::MAX);
        Some(queue.saturating_mul(percent).div_ceil(100))
    }

    /// The value of a limit per second, over all processes.
    pub fn per_second(&self, limit: LimitName) -> Option<u64> {
        match limit {
            LimitName::CommandsPerSecond => self.commands_per_second.map(Into::into),
            LimitName::BytesPerSecond => self.bytes_per_second,
            LimitName::Sessions | LimitName::StartsPerMinute | LimitName::Queue => None,
        }
    }

    /// The rates of one of `nodes` processes.
    #[allow(clippy::cast_precision_loss, reason = "rates of bytes need not be exact to the byte")]
    fn rates(&self, nodes: u32) -> Rates {
        // A rate of nothing would keep a frame for ever: the first one passes, and the client of the next is disconnected.
        let share = |rate: f64| (rate / f64::from(nodes.max(1))).max(f64::MIN_POSITIVE);
        Rates {
            commands: self.commands_per_second.map(|rate| share(f64::from(rate))),
            bytes: self.bytes_per_second.map(|rate| share(rate as f64)),
        }
    }
}

/// A size as in the settings: a number of bytes, or text such as `16MiB`.
fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number of bytes, or a size such as \"16MiB\"")]
    enum Size {
        Number(u64),
        Text(String),
    }

    match Size::deserialize(from)? {
        Size::Number(number) => Ok(Some(number)),
        Size::Text(text) => crate::config::bytes(&text).map(Some).map_err(D::Error::custom),
    }
}

/// A duration as in the settings: `30s`, `5m`, `2h`.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    crate::config::time(&String::deserialize(from)?).map(Some).map_err(D::Error::custom)
}
