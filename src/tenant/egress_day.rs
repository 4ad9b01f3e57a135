//! The bytes that the pages of one tenant have transferred on a day, for its limit.

use std::sync::{Mutex, PoisonError};

use jiff::{Timestamp, civil::Date, tz::Offset};

/// The bytes of a tenant on the day of the last one. Days are those of UTC.
#[derive(Debug)]
pub struct EgressDay {
    // Guards day and bytes; held to add to them.
    state: Mutex<(Date, u64)>,
}

impl EgressDay {
    /// So many bytes on the day of this moment.
    pub fn new(bytes: u64, now: Timestamp) -> Self {
        Self { state: Mutex::new((day(now), bytes)) }
    }

    /// Adds bytes; returns those of the day so far.
    pub fn add(&self, bytes: u64, now: Timestamp) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let today = day(now);
        if state.0 != today {
            *state = (today, 0);
        }
        state.1 = state.1.saturating_add(bytes);
        state.1
    }
}

/// The day of a moment, in UTC.
pub(super) fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_for_their_day() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let bytes = EgressDay::new(5, at("2026-11-28T12:00:00Z"));
        assert_eq!(bytes.add(7, at("2026-11-28T23:59:59Z")), 12);
        assert_eq!(bytes.add(0, at("2026-11-29T00:00:00Z")), 0);
        assert_eq!(bytes.add(u64::MAX, at("2026-11-29T00:00:01Z")), u64::MAX);
        assert_eq!(bytes.add(1, at("2026-11-29T00:00:02Z")), u64::MAX);
    }
}
