//! What the mirror has on record, as a whole, to be compared with what Chrome says. These functions look at everything,
//! so they are called once in a while, never for a message.

use std::collections::{BTreeMap, BTreeSet};

use super::{CdpSessionId, ContextId, LeaseId, Mirror, TargetId};
use crate::cdp::target::Kind;

/// The contexts, targets and CDP sessions on record.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The leases that have a context or a CDP session.
    pub(crate) leases: BTreeSet<LeaseId>,
    /// The contexts of leases.
    pub(crate) contexts: BTreeMap<ContextId, LeaseId>,
    /// The targets that Chrome has announced, without the uncertain ones and those of the browser
    /// itself, and the number of CDP sessions on each.
    pub(crate) targets: BTreeMap<TargetId, usize>,
    /// Targets that were announced and that Chrome may list or not: its own user interface, and pages whose events wait
    /// because a hidden page is being created in their context.
    pub(crate) uncertain: BTreeSet<TargetId>,
}

impl Mirror {
    /// The contexts, targets and CDP sessions on record.
    pub(crate) fn recorded(&self) -> Recorded {
        // A target without a number was not announced: it is known from a CDP session alone.
        let announced =
            self.targets.all().filter(|(_, target)| target.number > 0 && target.kind != Some(Kind::Browser));
        let (mut targets, mut uncertain) =
            (BTreeMap::new(), self.concealing.targets().cloned().collect::<BTreeSet<_>>());
        for (id, target) in announced {
            let is_unpaired = target.kind == Some(Kind::Tab) && target.page().is_none();
            if is_unpaired || target.kind == Some(Kind::Other) {
                uncertain.insert(id.clone());
            } else {
                targets.insert(id.clone(), self.attachments.on_target(id).count());
            }
        }
        let leases = self.attachments.all().filter_map(|(_, attachment)| attachment.lease);
        Recorded {
            leases: self.targets.owners().values().copied().chain(leases).collect::<BTreeSet<_>>(),
            contexts: self.targets.owners().iter().map(|(context, lease)| (context.clone(), *lease)).collect(),
            targets,
            uncertain,
        }
    }

    /// The CDP sessions on a target.
    pub(crate) fn sessions_on(&self, target: &TargetId) -> Vec<CdpSessionId> {
        self.attachments.on_target(target).map(|(session, _)| session.clone()).collect()
    }

    /// The CDP session that owns the contexts of a lease.
    pub(crate) fn base_of(&self, lease: LeaseId) -> Option<CdpSessionId> {
        let mut roots = self.attachments.of_lease(lease).filter(|id| {
            self.attachments.get(id.as_str()).is_some_and(|attachment| attachment.hidden && attachment.parent.is_none())
        });
        roots.next().cloned()
    }

    /// The watchers, which auto-attach to everything.
    pub(crate) fn watchers(&self) -> &[CdpSessionId; 2] {
        &self.watchers
    }
}
