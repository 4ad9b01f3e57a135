//! How a parked session falls asleep: it is saved while it goes on, and ends only if nothing has happened meanwhile.

use std::{
    fmt,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;

use super::{Live, act::Done, phase::Phase};
use crate::{
    cdp::ghost::{Bad, Options},
    error::CloseReason,
};

/// A session that was saved under its id. Dropped, it takes that back.
pub struct Slept(Option<Box<dyn FnOnce() + Send>>);

impl Slept {
    /// `undo` takes it back.
    pub fn new(undo: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(undo)))
    }

    /// What was saved stays.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Slept {
    fn drop(&mut self) {
        if let Some(undo) = self.0.take() {
            undo();
        }
    }
}

impl fmt::Debug for Slept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slept")
    }
}

/// Whether a session is about to fall asleep.
#[derive(Debug, Default)]
pub(super) struct Doze {
    /// It is being saved.
    is_on: bool,
    /// Not before this time, after it could not be saved.
    again: Option<Instant>,
}

impl Live {
    /// When it is to be saved, if it is to be.
    pub(super) fn doze_at(&self) -> Option<Instant> {
        let after = self.terms.deadlines.hibernate_after.filter(|_| !self.doze.is_on && !self.is_shared)?;
        let at = self.record.life().parked_for(after)?;
        Some(self.doze.again.map_or(at, |again| at.max(again)))
    }

    /// Saves it, if it is time to.
    pub(super) fn doze_if_due(&mut self, now: Instant) {
        let Phase::Parked(since) = *self.record.life().phase() else { return };
        if self.doze_at().is_none_or(|at| at > now) {
            return;
        }
        self.doze.is_on = true;
        let saved = self.sessions.hibernate(self.record.card().clone(), self.place());
        self.jobs.push(saved.map(move |saved| Done::Slept(since, saved)).boxed());
    }

    /// It was saved as it was when nobody had been there since then.
    pub(super) fn on_slept(&mut self, since: Instant, saved: Result<Slept, String>) {
        self.doze.is_on = false;
        match saved {
            // Nobody came, nobody used it, nobody is about to.
            Ok(slept) if self.over.is_none() && self.record.life().parked_for(Duration::ZERO) == Some(since) => {
                slept.keep();
                self.over = Some(CloseReason::Hibernated);
            }
            Ok(slept) => drop(slept),
            Err(why) => {
                let after = self.terms.deadlines.hibernate_after.unwrap_or_default();
                self.doze.again = super::now().checked_add(after.max(Duration::from_secs(1)));
                tracing::warn!(session = &**self.record.id(), why, "the session could not be saved, and stays awake");
            }
        }
    }

    /// It was asleep, and is that old; what its client wants comes on top of what it had.
    pub fn wakes(&mut self, age: Duration, wanted: Options) -> Result<(), Bad> {
        self.record.is_old(age);
        self.update(wanted)
    }
}
