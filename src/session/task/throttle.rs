//! Delays the frames of a session's clients as its tenant's limits per second say.
//!
//! A frame that may not pass yet is held. Sockets are read on meanwhile, up to a limit, so that a ping is answered and a
//! close is seen; frames keep their order. A frame that is held for too long disconnects its client.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    close_reason::CloseReason,
    tenant::{Limits, Pace},
    virtual_browser::ViewId,
};

/// Longest delay of a frame; then its client is disconnected.
const LONGEST: Duration = Duration::from_secs(5);
/// Frames that are read while one is held; sockets are not read beyond that.
const AHEAD: usize = 256;
/// Bytes of these.
const AHEAD_BYTES: usize = 1 << 20;

/// The frames of one session that wait.
#[derive(Debug)]
pub(super) struct Throttle {
    pace: Pace,
    limits: Limits,
    held: VecDeque<(ViewId, Bytes)>,
    bytes: usize,
    /// Since when the first one waits, and when to look at it again.
    first: Option<(Instant, Instant)>,
    /// Frames that were delayed, since the last call of [`Throttle::take_delayed`].
    delayed: u64,
}

impl Throttle {
    /// Delays frames at this pace. `limits` are those of the tenant.
    pub(super) fn new(pace: Pace, limits: Limits) -> Self {
        Self { pace, limits, held: VecDeque::new(), bytes: 0, first: None, delayed: 0 }
    }

    /// A client sent a frame: returns it if it passes now, otherwise it is held.
    pub(super) fn on_frame(&mut self, view: ViewId, text: Bytes, now: Instant) -> Option<Bytes> {
        if self.held.is_empty() && self.pace.passes(text.len(), now) {
            return Some(text);
        }
        self.delayed += 1;
        self.bytes += text.len();
        self.held.push_back((view, text));
        if self.first.is_none() {
            self.first = Some((now, now));
        }
        None
    }

    /// The first frame that is held, if it passes now.
    pub(super) fn poll_frame(&mut self, now: Instant) -> Option<(ViewId, Bytes)> {
        let (since, look) = self.first?;
        if now < look {
            return None;
        }
        if let Err(again) = self.pace.poll_paid(now) {
            self.first = Some((since, again));
            return None;
        }
        let (view, text) = self.held.pop_front()?;
        self.bytes -= text.len();
        self.next(now);
        Some((view, text))
    }

    /// The next frame begins to wait, unless it passes at once.
    fn next(&mut self, now: Instant) {
        self.first = self.held.front().map(|(_, text)| {
            self.pace.passes(text.len(), now);
            (now, now)
        });
    }

    /// Whether no more is to be read from sockets.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= AHEAD || self.bytes >= AHEAD_BYTES
    }

    /// Whether a frame is held.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// When to look at the first frame again.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.first.map(|(since, look)| look.min(since + LONGEST))
    }

    /// The client whose frame waits for too long.
    pub(super) fn poll_late(&self, now: Instant) -> Option<(ViewId, CloseReason)> {
        let (since, _) = self.first?;
        let (view, _) = self.held.front()?;
        if now < since + LONGEST {
            return None;
        }
        let limit = self.pace.limit()?;
        let most = self.limits.per_second(limit)?;
        Some((*view, CloseReason::TooFast { limit: limit.name(), most, waited: LONGEST }))
    }

    /// A client has gone: its frames are given up.
    pub(super) fn forget(&mut self, view: ViewId, now: Instant) {
        let was_first = self.held.front().is_some_and(|(of, _)| *of == view);
        self.held.retain(|(of, _)| *of != view);
        self.bytes = self.held.iter().map(|(_, text)| text.len()).sum();
        if was_first {
            self.pace.cancel(now);
            self.next(now);
        }
    }

    /// The number of frames that were delayed since the last call.
    pub(super) fn take_delayed(&mut self) -> u64 {
        std::mem::take(&mut self.delayed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api_types::Owner, tenant::LimitBook};

    const ONE: ViewId = ViewId(1);
    const TWO: ViewId = ViewId(2);

    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn throttle(per_second: u32) -> Throttle {
        let limits = Limits { commands_per_second: Some(per_second), ..Limits::default() };
        let pace = LimitBook::local().pace(&Owner::local(), &limits, now()).expect("a limit");
        Throttle::new(pace, limits)
    }

    fn text(number: usize) -> Bytes {
        number.to_string().into()
    }

    /// All frames that pass until none is held, with the time of each since the beginning.
    async fn drained(throttle: &mut Throttle) -> Vec<(ViewId, Bytes, Duration)> {
        let (begun, mut passed) = (now(), Vec::new());
        while let Some(at) = throttle.next_timeout() {
            tokio::time::sleep_until(at.into()).await;
            while let Some((view, text)) = throttle.poll_frame(now()) {
                passed.push((view, text, now() - begun));
            }
        }
        passed
    }

    #[tokio::test(start_paused = true)]
    async fn held_frames_pass_in_order_and_at_the_rate() {
        let mut throttle = throttle(10);
        let passed = (0..30).filter(|n| throttle.on_frame(ONE, text(*n), now()).is_some()).count();
        assert_eq!((passed, throttle.take_delayed()), (10, 20));
        // Another client of the session does not overtake.
        assert_eq!(throttle.on_frame(TWO, text(30), now()), None);
        let passed = drained(&mut throttle).await;
        let numbers: Vec<_> = passed.iter().map(|(_, text, _)| text.clone()).collect();
        assert_eq!(numbers, (10..=30).map(text).collect::<Vec<_>>());
        let last = passed.last().expect("some").2;
        assert!(last >= Duration::from_millis(2100) && last < Duration::from_millis(2300), "{last:?}");
        assert!(!throttle.is_holding());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_frame_waits_too_long_is_named_with_its_limit() {
        let limits = Limits { bytes_per_second: Some(10), ..Limits::default() };
        let pace = LimitBook::local().pace(&Owner::local(), &limits, now()).expect("a limit");
        let mut throttle = Throttle::new(pace, limits);
        assert_eq!(throttle.on_frame(TWO, Bytes::from_static(&[b'x'; 1000]), now()), None);
        assert_eq!(throttle.on_frame(ONE, text(1), now()), None);
        tokio::time::advance(LONGEST.saturating_sub(Duration::from_millis(1))).await;
        assert!(throttle.poll_late(now()).is_none() && throttle.poll_frame(now()).is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        let too_fast = CloseReason::TooFast { limit: "bytes_per_second", most: 10, waited: LONGEST };
        assert_eq!(throttle.poll_late(now()), Some((TWO, too_fast)));
        // Its frame is given up; the other client's takes its turn.
        throttle.forget(TWO, now());
        assert!(throttle.poll_late(now()).is_none());
        let passed = drained(&mut throttle).await;
        assert_eq!(passed.iter().map(|(view, ..)| *view).collect::<Vec<_>>(), [ONE]);
        assert!(passed[0].2 <= Duration::from_millis(200), "{:?}", passed[0].2);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_read_ahead_up_to_a_limit() {
        let mut throttle = throttle(1);
        let mut sent = 0;
        while !throttle.is_full() {
            throttle.on_frame(ONE, text(sent), now());
            sent += 1;
        }
        assert_eq!(sent, AHEAD + 1);
        throttle.forget(ONE, now());
        assert!(!throttle.is_full() && !throttle.is_holding() && throttle.next_timeout().is_none());
        throttle.on_frame(ONE, vec![b'x'; AHEAD_BYTES].into(), now());
        assert!(throttle.is_full());
    }
}
