//! The commands of one CDP session, under its client's ids, that wait for a reply.

use std::collections::HashMap;

use crate::cdp::ids::CallId;

/// Up to this many ids are searched one by one, more are found by hash: if the first commands of a client are never
/// answered, the search for later replies must not become long, because other sessions use the same thread.
const FEW: usize = 64;

/// The ids in flight; a client may use an id several times.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    few: Vec<CallId>,
    many: HashMap<CallId, u32>,
}

impl InFlight {
    /// A command was sent.
    pub(super) fn push(&mut self, id: CallId) {
        if self.few.len() < FEW {
            self.few.push(id);
        } else {
            *self.many.entry(id).or_default() += 1;
        }
    }

    /// Removes a command that was answered. Returns false if no command with this id is in flight.
    pub(super) fn answered(&mut self, id: CallId) -> bool {
        if let Some(at) = self.few.iter().position(|sent| *sent == id) {
            self.few.remove(at);
            return true;
        }
        let Some(count) = self.many.get_mut(&id) else { return false };
        *count -= 1;
        if *count == 0 {
            self.many.remove(&id);
            if self.many.is_empty() {
                self.many = HashMap::new();
            }
        }
        true
    }

    /// Removes and returns all ids.
    pub(super) fn take(&mut self) -> Vec<CallId> {
        let Self { mut few, many } = std::mem::take(self);
        let mut many: Vec<CallId> =
            many.into_iter().flat_map(|(id, count)| std::iter::repeat_n(id, count as usize)).collect();
        many.sort_unstable();
        few.append(&mut many);
        few
    }

    /// Whether no command is in flight.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_flight_are_answered_once() {
        for count in [3, 10_000] {
            let mut flight = InFlight::default();
            let ids = || (0..count).map(CallId);
            ids().chain(ids()).for_each(|id| flight.push(id));
            assert!(ids().rev().all(|id| flight.answered(id)), "{count}");
            assert!(ids().all(|id| flight.answered(id)), "{count}");
            assert!(ids().all(|id| !flight.answered(id)) && flight.is_empty(), "{count}");
            ids().chain([CallId(1)]).for_each(|id| flight.push(id));
            let mut taken = flight.take();
            assert!(flight.is_empty());
            taken.sort_unstable();
            let once: Vec<CallId> = [CallId(0), CallId(1)].into_iter().chain((1..count).map(CallId)).collect();
            assert_eq!(taken, once, "{count}");
        }
    }
}
