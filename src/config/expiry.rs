//! How far away the end of a certificate is.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// Time before the end of a certificate at which it is called close.
const CLOSE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Time before the end of a certificate at which it is called very close.
const VERY_CLOSE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The end of validity of a certificate. It displays as a sentence without subject: `expires at …, in 12 days`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The last second in which the certificate is valid.
    pub at: Timestamp,
    now: Timestamp,
}

/// How far away the end of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryStage {
    /// More than 30 days.
    Far,
    /// At most 30 days.
    Close,
    /// At most 7 days.
    VeryClose,
    /// It is over.
    Past,
}

impl Expiry {
    /// The end at that time, seen from now.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }

    /// How far away it is.
    pub fn stage(self) -> ExpiryStage {
        let left = self.at.duration_since(self.now);
        match () {
            () if left.is_negative() => ExpiryStage::Past,
            () if left <= VERY_CLOSE => ExpiryStage::VeryClose,
            () if left <= CLOSE => ExpiryStage::Close,
            () => ExpiryStage::Far,
        }
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.at.duration_since(self.now);
        let span = match (left.abs().as_hours() / 24, left.abs().as_hours()) {
            (1, _) => "1 day".to_owned(),
            (0, 1) => "1 hour".to_owned(),
            (0, hours) => format!("{hours} hours"),
            (days, _) => format!("{days} days"),
        };
        if left.is_negative() {
            write!(out, "expired at {}, {span} ago", self.at)
        } else {
            write!(out, "expires at {}, in {span}", self.at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_validity_comes_in_stages() {
        let at = Timestamp::from_second(2_000_000_000).expect("a time");
        let before = |seconds: i64| Expiry::new(at, at - SignedDuration::from_secs(seconds));
        let day = 24 * 3600;
        for (seconds, stage, words) in [
            (31 * day, ExpiryStage::Far, "in 31 days"),
            (30 * day + 1, ExpiryStage::Far, "in 30 days"),
            (30 * day, ExpiryStage::Close, "in 30 days"),
            (7 * day + 1, ExpiryStage::Close, "in 7 days"),
            (7 * day, ExpiryStage::VeryClose, "in 7 days"),
            (day, ExpiryStage::VeryClose, "in 1 day"),
            (3601, ExpiryStage::VeryClose, "in 1 hour"),
            (0, ExpiryStage::VeryClose, "in 0 hours"),
            (-1, ExpiryStage::Past, "0 hours ago"),
            (-9 * day, ExpiryStage::Past, "9 days ago"),
        ] {
            let expiry = before(seconds);
            assert_eq!(expiry.stage(), stage, "{seconds}");
            assert!(expiry.to_string().ends_with(words), "{expiry}");
            assert!(expiry.to_string().contains("2033-05-18T03:33:20Z"), "{expiry}");
        }
    }
}
