//! The limits of what is kept of requests: answers by their idempotency key, and jobs.

use std::time::Duration;

use super::Config;

/// Limits of what is kept of the requests of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Answers by their `Idempotency-Key`.
    pub keys: KeptLimits,
    /// Jobs.
    pub jobs: KeptLimits,
    /// Most secrets.
    pub secrets: usize,
}

/// Limits of what is kept of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptLimits {
    /// How long one is kept after its end.
    pub time: Duration,
    /// Most of them.
    pub count: usize,
    /// Bytes that they may take together.
    pub bytes: usize,
}

impl Config {
    /// Limits of what is kept of requests.
    pub fn request_limits(&self) -> RequestLimits {
        RequestLimits {
            keys: KeptLimits {
                time: self.idempotency_time,
                count: self.idempotency_keys,
                bytes: self.idempotency_bytes,
            },
            jobs: KeptLimits { time: self.jobs_time, count: self.jobs, bytes: self.jobs_bytes },
            secrets: self.secrets,
        }
    }
}
