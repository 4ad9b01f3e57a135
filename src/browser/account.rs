//! What a lease has waiting, and what its orders cost the link, whose task all leases share: whoever wants much done is read
//! more slowly, and what a lease still wanted at its end is not done.

use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use super::{LeaseId, LinkRequest};
use crate::port::ResumeAs;

/// Bytes a lease may have waiting for Chrome before its clients are not read any more.
const ROOM: isize = 1024 * 1024;
/// Bytes that a piece of work of the link's counts as: see [`LinkRequest::work`].
const WORK: usize = 1024;

/// What a lease has waiting: messages for Chrome, in bytes, and orders that the link has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Account {
    queued: AtomicIsize,
    over: AtomicBool,
}

impl Account {
    pub(super) fn add(&self, bytes: usize) {
        self.queued.fetch_add(bytes.cast_signed(), Ordering::Relaxed);
    }

    /// Returns whether there is room again by this.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let bytes = bytes.cast_signed();
        let before = self.queued.fetch_sub(bytes, Ordering::Relaxed);
        before >= ROOM && before - bytes < ROOM
    }

    pub(super) fn has_room(&self) -> bool {
        self.queued.load(Ordering::Relaxed) < ROOM
    }

    /// The lease has been dropped.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl LinkRequest {
    /// What it costs the link, in commands that only pass.
    pub(super) fn work(&self) -> usize {
        match self {
            // Every target of the lease is looked at, and perhaps attached to or detached from.
            Self::AutoAttach { .. } => 32,
            Self::Detach { .. } => 4,
            _ => 1,
        }
    }

    /// The lease whose client wants this done, and how many bytes it counts as until the link has taken it. What it makes
    /// the link write counts after that; a command that passes counts from the beginning.
    pub(super) fn paid(&self) -> Option<(LeaseId, usize)> {
        let (lease, bytes) = match self {
            Self::Pass { lease, .. } => return Some((*lease, 0)),
            Self::Call { lease, call, .. } => (lease, call.params.len()),
            Self::Resume { lease, how: ResumeAs::Frame { text, .. }, .. } => (lease, text.len()),
            Self::Resume { lease, .. } | Self::AutoAttach { lease, .. } | Self::Detach { lease, .. } => (lease, 0),
            _ => return None,
        };
        Some((*lease, bytes + self.work() * WORK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cdp::ids::{CdpSessionId, TargetId},
        port::Call,
    };

    fn auto_attach() -> LinkRequest {
        LinkRequest::AutoAttach { lease: LeaseId(1), tag: 1, root: CdpSessionId::from("R"), interest: None }
    }

    #[test]
    fn clients_with_much_pending_work_are_not_read() {
        let account = Account::default();
        let (_, bytes) = auto_attach().paid().expect("a client's");
        let mut queued = 0;
        while account.has_room() {
            account.add(bytes);
            queued += 1;
        }
        assert!(queued < 100, "{queued} at once");
        assert!(account.take(bytes), "there is room again, and nobody is told");
        assert!(account.has_room() && !account.take(bytes), "told twice");
    }

    #[test]
    fn every_client_request_has_a_cost() {
        let detach = LinkRequest::Detach { lease: LeaseId(1), tag: 1, session: CdpSessionId::from("S") };
        let call = Call::attach(None, TargetId::from("T"));
        let length = call.params.len();
        let call = LinkRequest::Call { lease: LeaseId(1), tag: 1, call };
        let cost = |order: &LinkRequest| order.paid().expect("a client's").1;
        assert!(cost(&call) > length && cost(&detach) > cost(&call) - length && cost(&auto_attach()) > cost(&detach));
        let resume = LinkRequest::Resume { lease: LeaseId(1), on: "S".into(), children: false, how: ResumeAs::Call(1) };
        assert!(cost(&resume) > 0);
    }
}
