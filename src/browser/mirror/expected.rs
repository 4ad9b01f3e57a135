//! Attaches that auto-attach has requested explicitly and Chrome has not announced yet, by root and
//! by target. PURE.

use std::collections::{BTreeMap, BTreeSet};

use super::{attachments::count_down, index::Index};
use crate::cdp::ids::{CallId, CdpSessionId, IdMap, TargetId};

/// An expected attach.
#[derive(Debug)]
pub(super) struct Expected {
    root: CdpSessionId,
    target: TargetId,
    /// The target is paused and this root asked to wait; Chrome's `waitingForDebugger` does not
    /// show that.
    pub(super) waiting: bool,
    /// Auto-attach was turned off meanwhile: it is detached as soon as it is announced, and no
    /// client is told.
    pub(super) unwanted: bool,
}

/// All of them by number, in the order of the requests.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    all: BTreeMap<u64, Expected>,
    on_root: Index<CdpSessionId, u64>,
    on_target: Index<TargetId, u64>,
    both: Index<(CdpSessionId, TargetId), u64>,
    /// The wanted ones, by root, and by root and target.
    wanted: Index<CdpSessionId, u64>,
    wanted_both: Index<(CdpSessionId, TargetId), u64>,
    /// The number of roots that wait for a target.
    waiting: IdMap<TargetId, usize>,
    /// Withheld replies, by their root and the target that was not announced to it yet.
    withheld: IdMap<(CdpSessionId, TargetId), Vec<CallId>>,
    /// Withheld replies that can now be delivered.
    released: BTreeSet<CallId>,
    number: u64,
}

impl Expectations {
    pub(super) fn push(&mut self, root: CdpSessionId, target: TargetId, waiting: bool) {
        self.number += 1;
        let (both, number) = ((root.clone(), target.clone()), self.number);
        self.on_root.insert(root.clone(), number);
        self.on_target.insert(target.clone(), number);
        self.wanted.insert(root.clone(), number);
        self.wanted_both.insert(both.clone(), number);
        self.both.insert(both, number);
        if waiting {
            *self.waiting.entry(target.clone()).or_default() += 1;
        }
        self.all.insert(number, Expected { root, target, waiting, unwanted: false });
    }

    /// Removes the oldest that this root expects on this target.
    pub(super) fn take(&mut self, root: &CdpSessionId, target: &TargetId) -> Option<Expected> {
        let number = *self.both.get(&(root.clone(), target.clone())).next()?;
        self.remove(number)
    }

    /// Whether this root still wants one on this target.
    pub(super) fn is_wanted(&self, root: &CdpSessionId, target: &TargetId) -> bool {
        self.wanted_both.contains(&(root.clone(), target.clone()))
    }

    /// Withholds a reply until this target is announced to this root, or cannot be any more.
    /// Returns false if it need not wait.
    pub(super) fn withhold(&mut self, root: &CdpSessionId, target: &TargetId, reply: CallId) -> bool {
        let is_wanted = self.is_wanted(root, target);
        if is_wanted {
            self.withheld.entry((root.clone(), target.clone())).or_default().push(reply);
        }
        is_wanted
    }

    /// The next withheld reply that can be delivered.
    pub(super) fn poll_released(&mut self) -> Option<CallId> {
        self.released.pop_first()
    }

    /// Releases the replies that wait for this announcement, unless another one is outstanding.
    fn release(&mut self, both: &(CdpSessionId, TargetId)) {
        if !self.wanted_both.contains(both)
            && let Some(replies) = self.withheld.remove(both)
        {
            self.released.extend(replies);
        }
    }

    /// Whether a client waits for a target.
    pub(super) fn is_waited_for(&self, target: &TargetId) -> bool {
        self.waiting.contains_key(target)
    }

    /// No root waits for a target any more.
    pub(super) fn wait_no_more(&mut self, target: &TargetId) {
        if self.waiting.remove(target).is_some() {
            for number in self.on_target.get(target) {
                if let Some(expected) = self.all.get_mut(number) {
                    expected.waiting = false;
                }
            }
        }
    }

    /// A root's expected attaches are not wanted any more. Returns the targets that were waited
    /// for, in order.
    pub(super) fn unwant(&mut self, root: &CdpSessionId) -> Vec<TargetId> {
        let mut waited = Vec::new();
        for number in self.wanted.take(root) {
            let Some(expected) = self.all.get_mut(&number) else { continue };
            expected.unwanted = true;
            let (target, waiting) = (expected.target.clone(), std::mem::take(&mut expected.waiting));
            let both = (root.clone(), target.clone());
            self.wanted_both.remove(&both, &number);
            self.release(&both);
            if waiting {
                count_down(&mut self.waiting, &target);
                waited.push(target);
            }
        }
        waited
    }

    /// A root has ended.
    pub(super) fn forget_root(&mut self, root: &CdpSessionId) {
        for number in self.on_root.take(root) {
            self.remove(number);
        }
    }

    /// A target has ended.
    pub(super) fn forget_target(&mut self, target: &TargetId) {
        for number in self.on_target.take(target) {
            self.remove(number);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Expected> {
        let expected = self.all.remove(&number)?;
        let Expected { root, target, .. } = &expected;
        let both = (root.clone(), target.clone());
        self.on_root.remove(root, &number);
        self.on_target.remove(target, &number);
        self.wanted.remove(root, &number);
        self.wanted_both.remove(&both, &number);
        self.both.remove(&both, &number);
        self.release(&both);
        if expected.waiting {
            count_down(&mut self.waiting, target);
        }
        Some(expected)
    }
}

#[cfg(test)]
impl Expectations {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.withheld.is_empty() && self.released.is_empty()
    }

    /// Each index must equal the result of a scan.
    pub(super) fn check(&self) {
        let all = || self.all.iter().map(|(number, of)| (*number, of));
        let wanted = || all().filter(|(_, of)| !of.unwanted);
        let both = |of: &Expected| (of.root.clone(), of.target.clone());
        assert_eq!(self.on_root.pairs(), all().map(|(at, of)| (of.root.clone(), at)).collect::<BTreeSet<_>>());
        assert_eq!(self.on_target.pairs(), all().map(|(at, of)| (of.target.clone(), at)).collect::<BTreeSet<_>>());
        assert_eq!(self.both.pairs(), all().map(|(at, of)| (both(of), at)).collect::<BTreeSet<_>>());
        assert_eq!(self.wanted.pairs(), wanted().map(|(at, of)| (of.root.clone(), at)).collect::<BTreeSet<_>>());
        assert_eq!(self.wanted_both.pairs(), wanted().map(|(at, of)| (both(of), at)).collect::<BTreeSet<_>>());
        let mut waiting = IdMap::default();
        all().filter(|(_, of)| of.waiting).for_each(|(_, of)| *waiting.entry(of.target.clone()).or_default() += 1);
        assert_eq!(self.waiting, waiting);
        assert!(self.withheld.keys().all(|both| self.wanted_both.contains(both)));
    }
}
