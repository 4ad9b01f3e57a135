//! The roots that auto-attach, by lease. PURE.

use super::LeaseId;
use crate::{
    cdp::ids::{CdpSessionId, IdMap},
    port::Interest,
};

/// A root that auto-attaches.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) id: CdpSessionId,
    pub(super) lease: LeaseId,
    pub(super) interest: Interest,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// The roots of each lease, in the order in which they asked.
    of_lease: IdMap<LeaseId, Vec<Root>>,
    leases: IdMap<CdpSessionId, LeaseId>,
}

impl Roots {
    /// The roots of a lease that auto-attach, in the order in which they asked.
    pub(super) fn of(&self, lease: Option<LeaseId>) -> &[Root] {
        lease.and_then(|lease| self.of_lease.get(&lease)).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn get(&self, id: &CdpSessionId) -> Option<&Root> {
        self.of(self.leases.get(id).copied()).iter().find(|root| root.id == *id)
    }

    /// A root starts to auto-attach, or changes how.
    pub(super) fn set(&mut self, id: &CdpSessionId, lease: LeaseId, interest: Interest) {
        let lease = *self.leases.entry(id.clone()).or_insert(lease);
        let roots = self.of_lease.entry(lease).or_default();
        match roots.iter_mut().find(|root| root.id == *id) {
            Some(root) => root.interest = interest,
            None => roots.push(Root { id: id.clone(), lease, interest }),
        }
    }

    /// A root stops to auto-attach. Returns whether it did before.
    pub(super) fn remove(&mut self, id: &CdpSessionId) -> bool {
        let Some(lease) = self.leases.remove(id) else { return false };
        if let Some(roots) = self.of_lease.get_mut(&lease) {
            roots.retain(|root| root.id != *id);
            if roots.is_empty() {
                self.of_lease.remove(&lease);
            }
        }
        true
    }

    /// A lease has ended.
    pub(super) fn release(&mut self, lease: LeaseId) {
        for root in self.of_lease.remove(&lease).unwrap_or_default() {
            self.leases.remove(&root.id);
        }
    }
}

#[cfg(test)]
impl Roots {
    pub(super) fn is_empty(&self) -> bool {
        self.of_lease.is_empty() && self.leases.is_empty()
    }

    /// Each index must equal the result of a scan.
    pub(super) fn check(&self) {
        let roots = || self.of_lease.iter().flat_map(|(lease, roots)| roots.iter().map(move |root| (*lease, root)));
        assert!(roots().all(|(lease, root)| lease == root.lease));
        let leases: IdMap<_, _> = roots().map(|(lease, root)| (root.id.clone(), lease)).collect();
        assert_eq!(self.leases, leases);
        assert!(self.of_lease.values().all(|roots| !roots.is_empty()));
    }
}
