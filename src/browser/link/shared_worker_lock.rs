//! A shared worker has one CDP session at a time.
//!
//! *Measured, 156:* Chrome keeps a shared worker that has ended for as long as somebody is attached to it, and dies of
//! whoever attaches to it then (SIGSEGV). Nobody can know from outside that it has ended; but with nobody attached it
//! is gone by then, and attaching to it is an error.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Link, calls::Pending};
use crate::{
    browser::mirror::LeaseId,
    cdp::{error::CdpError, ids::TargetId},
    port::{Call, Reply, Settle},
};

/// Attaches to shared workers.
#[derive(Debug, Default)]
pub(super) struct SharedWorkerLocks {
    /// These are being attached to.
    under_way: HashSet<TargetId>,
    /// These wait until the proxy itself has let go of a worker that has just begun.
    waiting: HashMap<TargetId, VecDeque<(Option<LeaseId>, Call, Pending)>>,
}

impl SharedWorkerLocks {
    /// Chrome has answered.
    pub(super) fn over(&mut self, target: &TargetId) {
        self.under_way.remove(target);
    }

    /// Whether somebody waits for this worker.
    pub(super) fn is_waited_for(&self, target: &TargetId) -> bool {
        self.waiting.contains_key(target)
    }
}

impl Link {
    /// Gives a command back that may go up now. An attach to a shared worker waits, or is refused.
    pub(super) fn take_turn(&mut self, key: Option<LeaseId>, call: Call, who: Pending) -> Option<(Call, Pending)> {
        let (Settle::Attach(target) | Settle::AutoAttach(target)) = &call.settle else { return Some((call, who)) };
        if !self.targets.is_shared_worker(target) {
            return Some((call, who));
        }
        if self.targets.has_client(target) || self.turns.under_way.contains(target) {
            if let (Settle::AutoAttach(target), Some(root)) = (&call.settle, &call.on) {
                self.targets.on_attach_refused(root, target.as_str());
            }
            self.answer(who, Reply::Error(taken()));
            return None;
        }
        let target = target.clone();
        if self.targets.is_held(&target) {
            self.turns.waiting.entry(target).or_default().push_back((key, call, who));
            return None;
        }
        self.turns.under_way.insert(target);
        Some((call, who))
    }

    /// Who is attached to a worker has changed, or it has gone: perhaps somebody waited for that.
    pub(super) fn next_turn(&mut self, target: &TargetId) {
        for (key, call, who) in self.turns.waiting.remove(target).into_iter().flatten() {
            // Whoever waited may be over meanwhile.
            if key.is_none_or(|lease| self.inboxes.contains_key(&lease)) {
                self.call(key, call, who);
            }
        }
    }
}

/// What a client is told that is not let attach.
fn taken() -> CdpError {
    CdpError::server(
        "'Target.attachToTarget' is refused for a shared worker that has a CDP session already: should the worker have \
         ended, Chrome would end with it. Detach from it first",
    )
}
