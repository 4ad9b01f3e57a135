//! The phases of a session, and the deadlines that end it. PURE: events and `now` in, the next phase out.
//!
//! Only [`Lifecycle::on`] changes the phase. The session's task handles the effects on logs, metrics and clients.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use crate::{
    api_types::{Deadline, SessionState},
    close_reason::CloseReason,
};

/// The phase of a session. A hibernated session has no `Lifecycle`; see `session::persistence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The session waits for a place in a browser.
    Queued,
    /// The session has this number of sockets.
    Active(NonZeroU32),
    /// The session has had no socket since then.
    Parked(Instant),
    /// The session has ended, for good.
    Closed(CloseReason),
}

impl Phase {
    /// The state as it is shown to the owner.
    pub fn state(&self) -> SessionState {
        match self {
            Self::Queued => SessionState::Queued,
            Self::Active(_) => SessionState::Active,
            Self::Parked(_) => SessionState::Parked,
            Self::Closed(_) => SessionState::Closed,
        }
    }
}

/// An event in a session's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The session has a place, and no client is connected.
    Placed,
    /// A socket is about to connect; `Came` or `Missed` follows.
    Coming,
    /// A socket that was about to connect did not.
    Missed,
    /// A socket connected. The first socket of a queued session needs no `Placed` before.
    Came,
    /// A socket disconnected.
    Went,
    /// The session was used without a socket: its `keep_alive` starts again.
    Used,
    /// The session ends.
    Over(CloseReason),
}

/// The deadlines of a session; see [`crate::config::Deadlines`] for the meaning of zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// Counts from the start.
    pub timeout: Duration,
    /// Counts from the last frame of a client, while one is connected.
    pub idle_timeout: Duration,
    /// Counts from the moment the last socket disconnected.
    pub keep_alive: Duration,
}

/// A session's phase, and the moments from which its deadlines count.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    phase: Phase,
    /// When the session got its place, or was requested if it has none yet. For a restored session, earlier by its age.
    began: Instant,
    /// For a restored session, when it started before it was hibernated.
    before: Option<Instant>,
    /// When a client last sent a frame, or connected.
    heard: Instant,
    /// Sockets that are about to connect: while there are any, `keep_alive` does not run.
    coming: u32,
    /// The deadlines that end the session.
    pub deadlines: Deadlines,
}

impl Lifecycle {
    /// A session that was just requested.
    pub fn new(deadlines: Deadlines, now: Instant) -> Self {
        Self { phase: Phase::Queued, began: now, before: None, heard: now, coming: 0, deadlines }
    }

    /// The current phase.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// When the session started.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Marks the session as restored, with its age. The age is ignored if it is before this machine's start.
    pub fn is_old(&mut self, age: Duration, now: Instant) {
        self.before = now.checked_sub(age);
    }

    /// When a client last sent a frame.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Number of sockets connected.
    pub fn clients(&self) -> u32 {
        match self.phase {
            Phase::Active(clients) => clients.get(),
            _ => 0,
        }
    }

    /// Records that a client sent a frame.
    pub fn hear(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
    }

    /// Handles an event. Returns the previous phase if the phase has changed.
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
                    // The announced socket did not come: the wait starts again.
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

    /// The phase after the last socket has gone.
    fn alone(&self, now: Instant) -> Phase {
        if self.deadlines.keep_alive.is_zero() && self.coming == 0 {
            Phase::Closed(CloseReason::LastClientLeft)
        } else {
            Phase::Parked(now)
        }
    }

    /// When the session will have been parked for `span`, if it is parked and no socket is about to connect.
    pub fn parked_for(&self, span: Duration) -> Option<Instant> {
        match self.phase {
            Phase::Parked(since) if self.coming == 0 => since.checked_add(span),
            _ => None,
        }
    }

    /// The first deadline that is running now.
    pub fn next_timeout(&self) -> Option<(Instant, Deadline)> {
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

    /// The reason to end now, if a deadline has passed.
    pub fn poll_end(&self, now: Instant) -> Option<CloseReason> {
        let (_, deadline) = self.next_timeout().filter(|(at, _)| *at <= now)?;
        Some(match deadline {
            Deadline::Timeout => CloseReason::Expired(self.deadlines.timeout),
            Deadline::IdleTimeout => CloseReason::Idle(self.deadlines.idle_timeout),
            Deadline::KeepAlive => CloseReason::Forgotten(self.deadlines.keep_alive),
        })
    }
}

#[cfg(test)]
mod tests;
