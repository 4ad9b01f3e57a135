//! Allows one CDP session per shared worker.
//!
//! *Measured, 156:* Chrome keeps a shared worker that has ended as long as a CDP session is
//! attached to it, and crashes (SIGSEGV) when another one attaches then. The proxy cannot see that
//! it has ended; but without a CDP session the worker would be gone, and attaching would be an
//! error.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Link, calls::Pending};
use crate::{
    browser::mirror::LeaseId,
    cdp::{error::CdpError, ids::TargetId},
    port::{Call, Reply, Settle},
};

/// The attaches to shared workers.
#[derive(Debug, Default)]
pub(super) struct SharedWorkerLocks {
    /// Workers that are being attached to.
    under_way: HashSet<TargetId>,
    /// Attaches that wait until the proxy has detached from a worker that has just started.
    waiting: HashMap<TargetId, VecDeque<(Option<LeaseId>, Call, Pending)>>,
}

impl SharedWorkerLocks {
    /// Chrome has replied to an attach.
    pub(super) fn over(&mut self, target: &TargetId) {
        self.under_way.remove(target);
    }

    /// Whether an attach waits for this worker.
    pub(super) fn is_waited_for(&self, target: &TargetId) -> bool {
        self.waiting.contains_key(target)
    }
}

impl Link {
    /// Returns a command that may be sent now. An attach to a shared worker may wait or be refused.
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

    /// The CDP sessions of a worker have changed, or it has ended: a waiting attach may continue.
    pub(super) fn next_turn(&mut self, target: &TargetId) {
        for (key, call, who) in self.turns.waiting.remove(target).into_iter().flatten() {
            // The lease of the waiting command may have ended meanwhile.
            if key.is_none_or(|lease| self.inboxes.contains_key(&lease)) {
                self.call(key, call, who);
            }
        }
    }
}

/// The error for a client whose attach is refused.
fn taken() -> CdpError {
    CdpError::server(
        "'Target.attachToTarget' is refused for a shared worker that has a CDP session already: should the worker have \
         ended, Chrome would end with it. Detach from it first",
    )
}
