//! Accounts for the pending work of a lease: its commands for Chrome, and the cost of its requests
//! to the link's task, which all leases share. Clients of a lease with much pending work are read
//! more slowly. Pending work of a lease that ends is dropped.

use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use super::{LeaseId, LinkRequest};
use crate::port::ResumeAs;

/// Bytes that a lease may have waiting for Chrome before its clients are not read any more.
const ROOM: isize = 1024 * 1024;
/// Bytes that a unit of the link's work counts as: see [`LinkRequest::work`].
const WORK: usize = 1024;

/// The pending work of a lease: messages for Chrome, in bytes, and requests that the link has not
/// taken yet.
#[derive(Debug, Default)]
pub(super) struct Account {
    queued: AtomicIsize,
    over: AtomicBool,
}

impl Account {
    pub(super) fn add(&self, bytes: usize) {
        self.queued.fetch_add(bytes.cast_signed(), Ordering::Relaxed);
    }

    /// Returns whether this made room again.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let bytes = bytes.cast_signed();
        let before = self.queued.fetch_sub(bytes, Ordering::Relaxed);
        before >= ROOM && before - bytes < ROOM
    }

    pub(super) fn has_room(&self) -> bool {
        self.queued.load(Ordering::Relaxed) < ROOM
    }

    /// The lease was dropped.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl LinkRequest {
    /// The cost for the link, as a number of plain commands.
    pub(super) fn work(&self) -> usize {
        match self {
            // Every target of the lease is checked, and may be attached or detached.
            Self::AutoAttach { .. } | Self::IgnoreCertificateErrors { .. } => 32,
            Self::Detach { .. } => 4,
            _ => 1,
        }
    }

    /// The lease whose client causes this request, and the bytes it counts as until the link takes
    /// it. What the link writes because of it is counted after that; a plain command is counted
    /// from the beginning.
    pub(super) fn paid(&self) -> Option<(LeaseId, usize)> {
        let (lease, bytes) = match self {
            Self::Pass { lease, .. } | Self::Navigate { lease, .. } => return Some((*lease, 0)),
            Self::Call { lease, call, .. } => (lease, call.params.len()),
            Self::Resume { lease, how: ResumeAs::Frame { text, .. }, .. } => (lease, text.len()),
            Self::Resume { lease, .. }
            | Self::AutoAttach { lease, .. }
            | Self::IgnoreCertificateErrors { lease, .. }
            | Self::Detach { lease, .. } => (lease, 0),
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
