//! The commands of one CDP session that are on their way under its client's own ids.

use std::collections::HashMap;

use crate::cdp::ids::CallId;

/// So many are looked through one by one. More are found by hash: a client whose first commands are never answered must
/// not make every later answer a long search, on a thread that other sessions need.
const FEW: usize = 64;

/// Ids in flight; one may be there several times.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    few: Vec<CallId>,
    many: HashMap<CallId, u32>,
}

impl InFlight {
    /// A command has been sent.
    pub(super) fn push(&mut self, id: CallId) {
        if self.few.len() < FEW {
            self.few.push(id);
        } else {
            *self.many.entry(id).or_default() += 1;
        }
    }

    /// A command has its answer; false if there was none of this id.
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

    /// All of them: none is in flight any more.
    pub(super) fn take(&mut self) -> Vec<CallId> {
        let Self { mut few, many } = std::mem::take(self);
        let mut many: Vec<CallId> =
            many.into_iter().flat_map(|(id, count)| std::iter::repeat_n(id, count as usize)).collect();
        many.sort_unstable();
        few.append(&mut many);
        few
    }

    /// Whether there is none.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_answered_once_however_many_there_are() {
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
