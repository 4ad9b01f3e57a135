//! The messages that wait to be written to Chrome: one queue per lease, round-robin per message,
//! small messages first. PURE.
//!
//! A message in progress cannot be interrupted, and a command of 50 MB delays all other leases by a
//! second and a half (*measured*); so a large message is written only when no small one waits, or
//! after a number of small ones.

use std::collections::{HashMap, VecDeque};

use super::{codec::Wire, mirror::LeaseId};
use crate::cdp::ids::CallId;

/// Up to this size a message counts as small.
const SMALL: usize = 64 * 1024;
/// The number of small messages that may overtake a large one.
const PATIENCE: usize = 64;

/// The owner of a queue: the proxy itself, or a lease.
type Key = Option<LeaseId>;

/// A message, with its id if it is a command under one of our ids.
type Waits = (Option<CallId>, Wire);

/// The queues.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    queues: HashMap<Key, VecDeque<Waits>>,
    /// Keys whose first message is small, in round-robin order.
    small: VecDeque<Key>,
    /// Keys whose first message is large, in round-robin order.
    large: VecDeque<Key>,
    overtaken: usize,
}

impl WriteQueue {
    /// Appends a message to its queue.
    pub(super) fn push(&mut self, key: Key, id: Option<CallId>, message: Wire) {
        let queue = self.queues.entry(key).or_default();
        queue.push_back((id, message));
        if queue.len() == 1 {
            self.line_up(key);
        }
    }

    /// The next message to write, and its owner.
    pub(super) fn poll_next(&mut self) -> Option<(Key, Wire)> {
        let large_first = !self.large.is_empty() && (self.small.is_empty() || self.overtaken >= PATIENCE);
        let key = if large_first {
            self.overtaken = 0;
            self.large.pop_front()?
        } else {
            self.overtaken += usize::from(!self.large.is_empty());
            self.small.pop_front()?
        };
        let (_, message) = self.queues.get_mut(&key)?.pop_front()?;
        self.line_up(key);
        Some((key, message))
    }

    /// Drops the waiting messages of an ended lease. Returns the commands that will have no reply.
    pub(super) fn forget(&mut self, lease: LeaseId) -> impl Iterator<Item = CallId> + use<> {
        self.small.retain(|key| *key != Some(lease));
        self.large.retain(|key| *key != Some(lease));
        self.queues.remove(&Some(lease)).unwrap_or_default().into_iter().filter_map(|(id, _)| id)
    }

    fn line_up(&mut self, key: Key) {
        match self.queues.get(&key).and_then(VecDeque::front) {
            Some((_, first)) if first.len() <= SMALL => self.small.push_back(key),
            Some(_) => self.large.push_back(key),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn order(mut upstream: WriteQueue) -> Vec<(u64, usize)> {
        std::iter::from_fn(|| upstream.poll_next())
            .map(|(key, text)| (key.map_or(0, |lease| lease.0), text.len()))
            .collect()
    }

    #[test]
    fn one_lease_does_not_block_another() {
        let mut upstream = WriteQueue::default();
        for _ in 0..3 {
            upstream.push(Some(LeaseId(1)), None, Bytes::from_static(b"a").into());
        }
        upstream.push(Some(LeaseId(2)), None, Bytes::from_static(b"bb").into());
        assert_eq!(order(upstream), [(1, 1), (2, 2), (1, 1), (1, 1)]);
    }

    #[test]
    fn small_messages_overtake_a_large_one_a_limited_number_of_times() {
        let mut upstream = WriteQueue::default();
        upstream.push(Some(LeaseId(1)), None, Bytes::from(vec![0; SMALL + 1]).into());
        for _ in 0..=PATIENCE {
            upstream.push(Some(LeaseId(2)), None, Bytes::from_static(b"b").into());
        }
        let order = order(upstream);
        assert_eq!(order.iter().position(|(lease, _)| *lease == 1), Some(PATIENCE));
    }

    #[test]
    fn messages_of_one_lease_keep_their_order() {
        let mut upstream = WriteQueue::default();
        for size in [1, SMALL + 1, 2] {
            upstream.push(Some(LeaseId(1)), None, Bytes::from(vec![0; size]).into());
        }
        assert_eq!(order(upstream), [(1, 1), (1, SMALL + 1), (1, 2)]);
    }

    #[test]
    fn released_leases_leave_no_waiting_command() {
        let mut upstream = WriteQueue::default();
        upstream.push(Some(LeaseId(1)), Some(CallId(-7)), Bytes::from_static(b"a").into());
        upstream.push(Some(LeaseId(1)), None, Bytes::from_static(b"b").into());
        upstream.push(Some(LeaseId(2)), None, Bytes::from_static(b"c").into());
        assert_eq!(upstream.forget(LeaseId(1)).collect::<Vec<_>>(), [CallId(-7)]);
        assert_eq!(order(upstream), [(2, 1)]);
    }
}
