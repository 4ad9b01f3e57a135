//! Tells of the end of a certificate's validity: in the metrics, and in the log when it comes close.

use std::path::Path;

use jiff::Timestamp;

use crate::{
    config::{Expiry, ExpiryStage},
    metrics::Metrics,
};

/// Shows the end in the metrics, from where the status has it too.
pub(super) fn show(metrics: &Metrics, end: Option<Timestamp>) {
    metrics.tls_certificate_expiry.set(end.map_or(0, Timestamp::as_second));
}

/// What has been logged of a certificate.
#[derive(Debug, Default)]
pub(super) struct ExpiryWatch {
    told: Option<(Timestamp, ExpiryStage)>,
}

impl ExpiryWatch {
    /// Warns once at each stage of each certificate; returns whether it did. `file` is where the certificate comes from.
    pub(super) fn look(&mut self, end: Option<Timestamp>, now: Timestamp, file: &Path) -> bool {
        let Some(end) = end else { return false };
        let expiry = Expiry::new(end, now);
        let stage = expiry.stage();
        if self.told.replace((end, stage)) == Some((end, stage)) {
            return false;
        }
        match stage {
            ExpiryStage::Far => return false,
            ExpiryStage::Close | ExpiryStage::VeryClose => {
                tracing::warn!(file = %file.display(), "the certificate {expiry}; put a new one into its file");
            }
            ExpiryStage::Past => {
                tracing::error!(
                    file = %file.display(),
                    "the certificate {expiry}: clients refuse it; put a new one into its file"
                );
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn each_stage_of_a_certificate_is_logged_once() {
        let end = Timestamp::from_second(2_000_000_000).expect("a time");
        let mut watch = ExpiryWatch::default();
        let mut logged = |end: Timestamp, days: i64| {
            let now = Timestamp::from_second(2_000_000_000).expect("a time") - SignedDuration::from_hours(24 * days);
            watch.look(Some(end), now, Path::new("cert.pem"))
        };
        for (days, is_logged) in [(40, false), (30, true), (29, false), (7, true), (6, false), (-1, true), (-2, false)]
        {
            assert_eq!(logged(end, days), is_logged, "{days} days before");
        }
        let renewed = end + SignedDuration::from_hours(24 * 20);
        assert!(logged(renewed, -2) && !logged(renewed, -3), "another certificate that expires within a month");
        assert!(!watch.look(None, end, Path::new("cert.pem")));
    }
}
