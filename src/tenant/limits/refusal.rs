//! The limits of a tenant by name, and the refusal of what exceeds one. PURE: values only.

use std::{fmt, time::Duration};

/// A limit of one tenant. Its name is the key in the tenant's settings, in the body of a refusal and in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitName {
    /// Sessions at once, those that wait for a place and parked ones included.
    Sessions,
    /// Session starts per minute.
    StartsPerMinute,
    /// Requests that wait for a place at once.
    Queue,
    /// Commands per second, over all sessions.
    CommandsPerSecond,
    /// Bytes per second from clients, over all sessions.
    BytesPerSecond,
}

impl LimitName {
    /// The name of the limit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sessions => "max_sessions",
            Self::StartsPerMinute => "sessions_per_minute",
            Self::Queue => "queue_share",
            Self::CommandsPerSecond => "commands_per_second",
            Self::BytesPerSecond => "bytes_per_second",
        }
    }

    /// The period of a rate; `None` for a count.
    pub fn window(self) -> Option<Duration> {
        match self {
            Self::StartsPerMinute => Some(Duration::from_secs(60)),
            Self::CommandsPerSecond | Self::BytesPerSecond => Some(Duration::from_secs(1)),
            Self::Sessions | Self::Queue => None,
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request exceeds a limit of its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limit.
    pub limit: LimitName,
    /// Its value.
    pub most: u64,
    /// When a new attempt may succeed. For a count that nobody can foresee, a short pause.
    pub retry_after: Duration,
}

/// The pause before a new attempt where a place must become free first.
pub(super) const FOR_A_PLACE: Duration = Duration::from_secs(5);

impl Refusal {
    /// A count is at its limit.
    pub fn of_count(limit: LimitName, most: u64) -> Self {
        Self { limit, most, retry_after: FOR_A_PLACE }
    }

    /// A rate is at its limit, until then.
    pub fn of_rate(limit: LimitName, most: u64, retry_after: Duration) -> Self {
        Self { limit, most, retry_after }
    }

    /// Whole seconds to wait, at least 1.
    pub fn retry_seconds(&self) -> u32 {
        let whole = self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0);
        u32::try_from(whole).unwrap_or(u32::MAX).max(1)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, most, .. } = self;
        let seconds = self.retry_seconds();
        match limit {
            LimitName::Sessions => write!(
                f,
                "this tenant has {most} sessions, the most that its limit {limit} allows, parked ones included; close one first"
            ),
            LimitName::StartsPerMinute => write!(
                f,
                "this tenant starts more sessions than the {most} that its limit {limit} allows; try again in {seconds} s"
            ),
            LimitName::Queue => write!(
                f,
                "{most} requests of this tenant wait for a place already, the most that its limit {limit} allows; try again later"
            ),
            LimitName::CommandsPerSecond | LimitName::BytesPerSecond => {
                write!(f, "this tenant sends more than the {most} that its limit {limit} allows; send fewer")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_to_wait_are_rounded_up_and_never_zero() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            let refusal = Refusal::of_rate(LimitName::StartsPerMinute, 1, Duration::from_millis(millis));
            assert_eq!(refusal.retry_seconds(), seconds, "{millis} ms");
        }
    }

    #[test]
    fn refusals_name_their_limit_and_its_value() {
        for limit in [
            LimitName::Sessions,
            LimitName::StartsPerMinute,
            LimitName::Queue,
            LimitName::CommandsPerSecond,
            LimitName::BytesPerSecond,
        ] {
            let text = Refusal::of_count(limit, 47).to_string();
            assert!(text.contains(limit.name()) && text.contains("47"), "{text}");
        }
    }
}
