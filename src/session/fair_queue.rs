//! The fair queue: first come, first served within an owner, and the owners in turn. PURE.

use std::collections::VecDeque;

/// The position of one waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// The queue. Many waiters of one owner delay another owner's first waiter by one turn at most.
#[derive(Debug)]
pub(super) struct FairQueue<K, T> {
    owners: VecDeque<(K, VecDeque<(Ticket, T)>)>,
    last: u64,
    len: usize,
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self { owners: VecDeque::new(), last: 0, len: 0 }
    }
}

impl<K: PartialEq, T> FairQueue<K, T> {
    /// Number of waiters.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Number of waiters of an owner.
    pub(super) fn of_owner(&self, owner: &K) -> usize {
        self.owners.iter().find(|(other, _)| other == owner).map_or(0, |(_, waiting)| waiting.len())
    }

    /// Adds a waiter.
    pub(super) fn push(&mut self, owner: K, what: T) -> Ticket {
        self.last += 1;
        self.len += 1;
        let ticket = Ticket(self.last);
        match self.owners.iter_mut().find(|(other, _)| *other == owner) {
            Some((_, waiting)) => waiting.push_back((ticket, what)),
            None => self.owners.push_back((owner, VecDeque::from([(ticket, what)]))),
        }
        ticket
    }

    /// The next waiter.
    pub(super) fn peek(&self) -> Option<&T> {
        let (_, waiting) = self.owners.front()?;
        waiting.front().map(|(_, what)| what)
    }

    /// Removes and returns the next waiter.
    pub(super) fn poll_next(&mut self) -> Option<T> {
        let (owner, mut waiting) = self.owners.pop_front()?;
        let (_, next) = waiting.pop_front()?;
        self.len -= 1;
        if !waiting.is_empty() {
            self.owners.push_back((owner, waiting));
        }
        Some(next)
    }

    /// Removes a waiter that does not wait any more.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        for (_, waiting) in &mut self.owners {
            let Some(at) = waiting.iter().position(|(other, _)| *other == ticket) else { continue };
            let (_, gone) = waiting.remove(at)?;
            self.len -= 1;
            self.owners.retain(|(_, waiting)| !waiting.is_empty());
            return Some(gone);
        }
        None
    }

    /// Number of waiters served before this one.
    pub(super) fn ahead_of(&self, ticket: Ticket) -> Option<usize> {
        let mut owners = self.owners.iter().enumerate();
        let (rank, round) = owners
            .find_map(|(rank, (_, waiting))| Some((rank, waiting.iter().position(|(other, _)| *other == ticket)?)))?;
        let before = |(at, (_, waiting)): (usize, &(K, VecDeque<_>))| waiting.len().min(round + usize::from(at < rank));
        Some(self.owners.iter().enumerate().map(before).sum())
    }

    /// All waiters, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.owners.iter().flat_map(|(_, waiting)| waiting.iter().map(|(_, what)| what))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn owners_take_turns_and_keep_their_order() {
        let mut line = FairQueue::default();
        for (owner, what) in [("a", 1), ("a", 2), ("a", 3), ("b", 10), ("b", 20), ("c", 100)] {
            line.push(owner, what);
        }
        let order: Vec<_> = std::iter::from_fn(|| line.poll_next()).collect();
        assert_eq!(order, [1, 10, 100, 2, 20, 3]);
        assert_eq!(line.len(), 0);
    }

    proptest! {
        /// Whatever comes and goes: who waits is served after exactly as many as were said to be ahead.
        #[test]
        fn the_number_ahead_is_the_number_served_before(
            acts in prop::collection::vec((0_u8..4, 0_u8..8), 1..60)
        ) {
            let mut line = FairQueue::default();
            let mut waiting = Vec::new();
            for (act, by) in acts {
                match act {
                    0 if !waiting.is_empty() => {
                        let ticket: Ticket = waiting.remove(usize::from(by) % waiting.len());
                        prop_assert!(line.remove(ticket).is_some());
                    }
                    1 => {
                        let next = line.peek().copied();
                        prop_assert_eq!(next, line.poll_next());
                        if let Some(served) = next {
                            waiting.retain(|ticket| ticket.0 != served);
                        }
                    }
                    _ => {
                        let number = line.last + 1;
                        waiting.push(line.push(by % 3, number));
                    }
                }
                prop_assert_eq!(line.len(), waiting.len());
                prop_assert_eq!(line.iter().count(), waiting.len());
            }
            let said: Vec<_> = waiting.iter().map(|ticket| (ticket.0, line.ahead_of(*ticket))).collect();
            let order: Vec<_> = std::iter::from_fn(|| line.poll_next()).collect();
            for (ticket, ahead) in said {
                prop_assert_eq!(ahead, order.iter().position(|served| *served == ticket));
            }
            prop_assert_eq!(line.len(), 0);
        }
    }
}
