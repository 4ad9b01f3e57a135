//! Delays the commands of a session's clients as its launch options say (`slowMo`): each passes so long after the one before.
//!
//! Sockets are read on meanwhile, up to a limit, so that a ping is answered and a close is seen; frames keep their order.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::virtual_browser::ViewId;

/// Frames that wait; sockets are not read beyond that.
const AHEAD: usize = 256;
/// Bytes of these.
const AHEAD_BYTES: usize = 1 << 20;

/// The frames of one session that wait.
#[derive(Debug)]
pub(super) struct SlowMo {
    pause: Duration,
    held: VecDeque<(ViewId, Bytes)>,
    bytes: usize,
    /// When the first one passes; `None` if none waits.
    next: Option<Instant>,
}

impl SlowMo {
    /// Delays frames by so many milliseconds; `None` for 0.
    pub(super) fn new(millis: u64) -> Option<Box<Self>> {
        let pause = Duration::from_millis(millis);
        (!pause.is_zero()).then(|| Box::new(Self { pause, held: VecDeque::new(), bytes: 0, next: None }))
    }

    /// A client sent a frame.
    pub(super) fn on_frame(&mut self, view: ViewId, text: Bytes, now: Instant) {
        self.bytes += text.len();
        self.held.push_back((view, text));
        self.next.get_or_insert(now + self.pause);
    }

    /// The first frame, if it passes now.
    pub(super) fn poll_frame(&mut self, now: Instant) -> Option<(ViewId, Bytes)> {
        self.next.filter(|next| *next <= now)?;
        let (view, text) = self.held.pop_front()?;
        self.bytes -= text.len();
        self.next = (!self.held.is_empty()).then(|| now + self.pause);
        Some((view, text))
    }

    /// Whether no more is to be read from sockets.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= AHEAD || self.bytes >= AHEAD_BYTES
    }

    /// When the first frame passes.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// A client has gone: its frames are given up.
    pub(super) fn forget(&mut self, view: ViewId) {
        self.held.retain(|(of, _)| *of != view);
        self.bytes = self.held.iter().map(|(_, text)| text.len()).sum();
        if self.held.is_empty() {
            self.next = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ViewId = ViewId(1);
    const TWO: ViewId = ViewId(2);

    #[test]
    fn frames_pass_in_order_with_the_pause_before_each() {
        assert!(SlowMo::new(0).is_none());
        let (mut slow, begun) = (SlowMo::new(100).expect("a pause"), Instant::now());
        let at = |millis| begun + Duration::from_millis(millis);
        for (view, text) in [(ONE, "a"), (TWO, "b"), (ONE, "c")] {
            slow.on_frame(view, text.into(), begun);
        }
        assert_eq!(slow.next_timeout(), Some(at(100)));
        assert_eq!(slow.poll_frame(at(99)), None);
        assert_eq!(slow.poll_frame(at(100)), Some((ONE, "a".into())));
        assert_eq!(slow.poll_frame(at(100)), None, "each has a pause of its own");
        slow.forget(TWO);
        assert_eq!(slow.poll_frame(at(200)), Some((ONE, "c".into())));
        assert_eq!(slow.next_timeout(), None);
        slow.on_frame(ONE, "d".into(), at(500));
        assert_eq!(slow.next_timeout(), Some(at(600)));
        slow.forget(ONE);
        assert_eq!(slow.next_timeout(), None);
    }

    #[test]
    fn sockets_are_read_ahead_up_to_a_limit() {
        let (mut slow, now) = (SlowMo::new(1).expect("a pause"), Instant::now());
        for _ in 0..AHEAD {
            assert!(!slow.is_full());
            slow.on_frame(ONE, "x".into(), now);
        }
        assert!(slow.is_full());
        slow.forget(ONE);
        slow.on_frame(ONE, vec![b'x'; AHEAD_BYTES].into(), now);
        assert!(slow.is_full());
    }
}
