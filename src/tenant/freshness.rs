//! How old the copy of tenants is that are kept on another machine.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How old a copy is, and how old it may be.
#[derive(Debug)]
pub struct Freshness {
    most: Duration,
    // Guards the time of the last answer; held for a copy.
    since: Mutex<Instant>,
}

impl Freshness {
    /// A copy that was made now, and is trusted for so long.
    pub fn new(most: Duration) -> Self {
        Self { most, since: Mutex::new(Instant::now()) }
    }

    /// Where the original is has answered now.
    pub(super) fn confirm(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Time since the last answer.
    pub fn age(&self) -> Duration {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// How old the copy may be.
    pub fn most(&self) -> Duration {
        self.most
    }

    /// Whether it is too old to be trusted.
    pub fn is_stale(&self) -> bool {
        self.age() > self.most
    }
}
