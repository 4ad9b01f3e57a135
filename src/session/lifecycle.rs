//! Where a session is in its life, and when a deadline ends it. PURE: events and `now` in, the next phase out.
//!
//! There is no other way from one phase to another than [`Lifecycle::on`]. What a change means for logs, figures and
//! clients is `record.rs`'s.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use crate::{
    api_types::{Deadline, SessionState},
    close_reason::CloseReason,
};

/// Where a session is in its life. A session that is put to sleep in a snapshot will be one more, beside `Parked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a place in a browser.
    Queued,
    /// It has so many sockets.
    Active(NonZeroU32),
    /// It has none since then.
    Parked(Instant),
    /// It is over, and stays so.
    Closed(CloseReason),
}

impl Phase {
    /// As its owner is told.
    pub fn state(&self) -> SessionState {
        match self {
            Self::Queued => SessionState::Queued,
            Self::Active(_) => SessionState::Active,
            Self::Parked(_) => SessionState::Parked,
            Self::Closed(_) => SessionState::Closed,
        }
    }
}

/// What happens to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has a place, and nobody is connected.
    Placed,
    /// A socket is on its way; it will be followed by `Came` or `Missed`.
    Coming,
    /// A socket that was on its way never came.
    Missed,
    /// A socket is there. The first one of a session that was queued needs no `Placed`.
    Came,
    /// A socket has gone.
    Went,
    /// Somebody used it without a socket: its `keep_alive` begins anew.
    Used,
    /// It ends.
    Over(CloseReason),
}

/// When a session ends by itself; see [`crate::config::Deadlines`] for what zero means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// From the beginning.
    pub timeout: Duration,
    /// Since a client last sent a frame, while one is connected.
    pub idle_timeout: Duration,
    /// Since the last socket went.
    pub keep_alive: Duration,
}

/// A session's phase and all that its deadlines count from.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    phase: Phase,
    /// When it got its place; until then, when it was asked for. Earlier by its age, if it slept.
    began: Instant,
    /// When it had begun before it slept, if it did.
    before: Option<Instant>,
    /// When a client last sent a frame, or came.
    heard: Instant,
    /// Sockets on their way: while there are any, `keep_alive` does not run.
    coming: u32,
    /// When it ends by itself.
    pub deadlines: Deadlines,
}

impl Lifecycle {
    /// A session that was just asked for.
    pub fn new(deadlines: Deadlines, now: Instant) -> Self {
        Self { phase: Phase::Queued, began: now, before: None, heard: now, coming: 0, deadlines }
    }

    /// Where it is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// When it began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// It slept, and had begun so long before. A machine that was started after that has no word for the time.
    pub fn is_old(&mut self, age: Duration, now: Instant) {
        self.before = now.checked_sub(age);
    }

    /// When a client last sent something.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Sockets connected.
    pub fn clients(&self) -> u32 {
        match self.phase {
            Phase::Active(clients) => clients.get(),
            _ => 0,
        }
    }

    /// A client sent a frame.
    pub fn hear(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
    }

    /// The one way from one phase to another. Returns the phase before, if this is another one.
    pub fn on(&mut self, event: Event, now: Instant) -> Option<Phase> {
        let next = match (&self.phase, event) {
            (Phase::Closed(_), _) => return None,
            (_, Event::Over(reason)) => Phase::Closed(reason),
            (Phase::Queued, Event::Placed) => {
                self.begin(now);
                Phase::Parked(now)
            }
            (phase, Event::Came) => {
                self.coming = self.coming.saturating_sub(1);
                self.heard = now;
                if *phase == Phase::Queued {
                    self.begin(now);
                }
                Phase::Active(NonZeroU32::MIN.saturating_add(self.clients()))
            }
            (Phase::Active(clients), Event::Went) => match NonZeroU32::new(clients.get() - 1) {
                Some(left) => Phase::Active(left),
                None => self.alone(now),
            },
            (_, Event::Coming) => {
                self.coming += 1;
                return None;
            }
            (phase, Event::Missed) => {
                self.coming = self.coming.saturating_sub(1);
                match phase {
                    // Whoever said that he was coming had his chance: the wait begins anew.
                    Phase::Parked(_) if self.coming == 0 => self.alone(now),
                    _ => return None,
                }
            }
            (Phase::Parked(_), Event::Used) => Phase::Parked(now),
            (_, Event::Used | Event::Placed | Event::Went) => return None,
        };
        (next != self.phase).then(|| std::mem::replace(&mut self.phase, next))
    }

    fn begin(&mut self, now: Instant) {
        self.began = self.before.unwrap_or(now);
    }

    /// The last socket has gone.
    fn alone(&self, now: Instant) -> Phase {
        if self.deadlines.keep_alive.is_zero() && self.coming == 0 {
            Phase::Closed(CloseReason::LastClientLeft)
        } else {
            Phase::Parked(now)
        }
    }

    /// When it will have been parked for so long, if it is and nobody is on the way.
    pub fn parked_for(&self, span: Duration) -> Option<Instant> {
        match self.phase {
            Phase::Parked(since) if self.coming == 0 => since.checked_add(span),
            _ => None,
        }
    }

    /// The deadline that ends it first, of those that run now.
    pub fn next(&self) -> Option<(Instant, Deadline)> {
        let Deadlines { timeout, idle_timeout, keep_alive } = self.deadlines;
        let limited = |from: Instant, span: Duration| from.checked_add(span).filter(|_| !span.is_zero());
        let timeout = |began| Some((limited(began, timeout)?, Deadline::Timeout));
        match self.phase {
            Phase::Queued | Phase::Closed(_) => None,
            Phase::Active(_) => {
                let idle = limited(self.heard, idle_timeout).map(|at| (at, Deadline::IdleTimeout));
                [timeout(self.began), idle].into_iter().flatten().min_by_key(|(at, _)| *at)
            }
            Phase::Parked(since) => {
                let kept = since.checked_add(keep_alive).filter(|_| self.coming == 0);
                let kept = kept.map(|at| (at, Deadline::KeepAlive));
                [timeout(self.began), kept].into_iter().flatten().min_by_key(|(at, _)| *at)
            }
        }
    }

    /// Why it ends now, if a deadline has passed.
    pub fn due(&self, now: Instant) -> Option<CloseReason> {
        let (_, deadline) = self.next().filter(|(at, _)| *at <= now)?;
        Some(match deadline {
            Deadline::Timeout => CloseReason::Expired(self.deadlines.timeout),
            Deadline::IdleTimeout => CloseReason::Idle(self.deadlines.idle_timeout),
            Deadline::KeepAlive => CloseReason::Forgotten(self.deadlines.keep_alive),
        })
    }
}

#[cfg(test)]
mod tests;
