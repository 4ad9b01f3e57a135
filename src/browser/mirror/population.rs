//! The targets of a browser and the leases of their contexts, with indexes by context, lease, page
//! and parent. PURE.
//!
//! Only this file changes indexed fields, so that no index can become stale.

use std::{collections::BTreeSet, time::Instant};

use super::{LeaseId, index::Index};
use crate::cdp::{
    emulation::Overrides,
    ids::{CdpSessionId, ContextId, IdMap, TargetId},
    target::Kind,
};

/// One target.
#[derive(Debug, Default)]
pub(super) struct Target {
    pub(super) info: String,
    /// The kind that decides whether it is shown.
    pub(super) kind: Option<Kind>,
    /// The kind that Chrome says, also if it is not shown.
    pub(super) chromes_kind: Option<Kind>,
    context: Option<ContextId>,
    /// For a tab: its page was announced and is an ordinary one. True for all other targets that
    /// may be shown.
    pub(super) presentable: bool,
    pub(super) has_opener: bool,
    pub(super) can_access_opener: bool,
    /// The page of a tab.
    page: Option<TargetId>,
    /// The target of which it is a child.
    parent: Option<TargetId>,
    /// The emulation that clients have set.
    pub(super) overrides: Overrides,
    /// Per flavour, whether the watcher has reported it: only then it exists for auto-attach.
    pub(super) reported: [bool; 2],
    /// The watchers' CDP sessions that still hold it.
    pub(super) held: [Option<CdpSessionId>; 2],
    /// The watchers' CDP sessions that were handed over to clients and not resumed yet.
    pub(super) handed: [Option<CdpSessionId>; 2],
    /// The clients' CDP sessions that asked to wait and have not resumed: at most one per root.
    pub(super) waiters: Vec<CdpSessionId>,
    /// When the hold for a tab-flavour client is checked again.
    pub(super) deadline: Option<Instant>,
    /// Its number in order of announcement.
    pub(super) number: u64,
}

impl Target {
    pub(super) fn context(&self) -> Option<&ContextId> {
        self.context.as_ref()
    }

    /// The page of a tab.
    pub(super) fn page(&self) -> Option<&TargetId> {
        self.page.as_ref()
    }

    /// The target of which it is a child.
    pub(super) fn parent(&self) -> Option<&TargetId> {
        self.parent.as_ref()
    }
}

/// All targets, and the owners of their contexts.
#[derive(Debug, Default)]
pub(super) struct Population {
    all: IdMap<TargetId, Target>,
    in_context: Index<ContextId, TargetId>,
    /// Tabs, by their page.
    tabs: Index<TargetId, TargetId>,
    /// Child targets, by their parent.
    parts: Index<TargetId, TargetId>,
    owners: IdMap<ContextId, LeaseId>,
    contexts: Index<LeaseId, ContextId>,
}

impl Population {
    /// The number of contexts that belong to a lease, and of targets.
    pub(super) fn census(&self) -> (usize, usize) {
        (self.owners.len(), self.all.len())
    }

    /// All targets.
    pub(super) fn all(&self) -> impl Iterator<Item = (&TargetId, &Target)> {
        self.all.iter()
    }

    /// The contexts of leases.
    pub(super) fn owners(&self) -> &IdMap<ContextId, LeaseId> {
        &self.owners
    }

    pub(super) fn get(&self, id: &str) -> Option<&Target> {
        self.all.get(id)
    }

    pub(super) fn get_key_value(&self, id: &str) -> Option<(&TargetId, &Target)> {
        self.all.get_key_value(id)
    }

    pub(super) fn get_mut(&mut self, id: &TargetId) -> Option<&mut Target> {
        self.all.get_mut(id)
    }

    pub(super) fn contains(&self, id: &TargetId) -> bool {
        self.all.contains_key(id)
    }

    /// A target; it is added if it is new.
    pub(super) fn entry(&mut self, id: &TargetId) -> &mut Target {
        self.all.entry(id.clone()).or_default()
    }

    /// Sets the context and the parent of a target; it is added if it is new.
    pub(super) fn place(
        &mut self,
        id: &TargetId,
        context: Option<&ContextId>,
        parent: Option<&TargetId>,
    ) -> &mut Target {
        let target = self.all.entry(id.clone()).or_default();
        if let Some(old) = std::mem::replace(&mut target.context, context.cloned()) {
            self.in_context.remove(&old, id);
        }
        if let Some(old) = std::mem::replace(&mut target.parent, parent.cloned()) {
            self.parts.remove(&old, id);
        }
        if let Some(context) = context {
            self.in_context.insert(context.clone(), id.clone());
        }
        if let Some(parent) = parent {
            self.parts.insert(parent.clone(), id.clone());
        }
        target
    }

    /// Sets the page of a tab.
    pub(super) fn set_page(&mut self, tab: &TargetId, page: TargetId) {
        let Some(target) = self.all.get_mut(tab) else { return };
        if let Some(old) = target.page.replace(page.clone()) {
            self.tabs.remove(&old, tab);
        }
        self.tabs.insert(page, tab.clone());
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<(TargetId, Target)> {
        let (id, target) = self.all.remove_entry(id)?;
        if let Some(context) = &target.context {
            self.in_context.remove(context, &id);
        }
        if let Some(page) = &target.page {
            self.tabs.remove(page, &id);
        }
        if let Some(parent) = &target.parent {
            self.parts.remove(parent, &id);
        }
        Some((id, target))
    }

    /// The targets in a context.
    pub(super) fn in_context(&self, context: &ContextId) -> impl Iterator<Item = (&TargetId, &Target)> {
        self.in_context.get(context).filter_map(|id| self.all.get_key_value(id))
    }

    /// The targets in the contexts of a lease.
    pub(super) fn of_lease(&self, lease: LeaseId) -> impl Iterator<Item = (&TargetId, &Target)> {
        self.contexts_of(lease).flat_map(|context| self.in_context(context))
    }

    /// The tab of a page.
    pub(super) fn tab_of(&self, page: &TargetId) -> Option<&TargetId> {
        self.tabs.get(page).next()
    }

    /// The child targets of this one.
    pub(super) fn parts_of(&self, id: &TargetId) -> impl Iterator<Item = &TargetId> {
        self.parts.get(id)
    }

    // ---- The owners of contexts.

    /// The lease that owns a target.
    pub(super) fn owner(&self, id: &str) -> Option<LeaseId> {
        self.owner_of(self.all.get(id)?.context.as_ref())
    }

    /// The lease that owns a context.
    pub(super) fn owner_of(&self, context: Option<&ContextId>) -> Option<LeaseId> {
        self.owners.get(context?).copied()
    }

    /// The contexts of a lease.
    pub(super) fn contexts_of(&self, lease: LeaseId) -> impl Iterator<Item = &ContextId> {
        self.contexts.get(&lease)
    }

    /// Sets the owner of a context.
    pub(super) fn bind(&mut self, context: ContextId, lease: LeaseId) {
        self.unbind(context.as_str());
        self.contexts.insert(lease, context.clone());
        self.owners.insert(context, lease);
    }

    /// Removes the owner of a context.
    pub(super) fn unbind(&mut self, context: &str) {
        if let Some((context, lease)) = self.owners.remove_entry(context) {
            self.contexts.remove(&lease, &context);
        }
    }

    /// Removes the owner of all contexts of a lease. Returns the contexts.
    pub(super) fn release(&mut self, lease: LeaseId) -> BTreeSet<ContextId> {
        let contexts = self.contexts.take(&lease);
        for context in &contexts {
            self.owners.remove(context);
        }
        contexts
    }
}

#[cfg(test)]
impl Population {
    /// Each index must equal the result of a scan.
    pub(super) fn check(&self) {
        let all = || self.all.iter();
        let pairs: BTreeSet<_> = all().filter_map(|(id, of)| Some((of.context.clone()?, id.clone()))).collect();
        assert_eq!(self.in_context.pairs(), pairs);
        let pairs: BTreeSet<_> = all().filter_map(|(id, of)| Some((of.page.clone()?, id.clone()))).collect();
        assert_eq!(self.tabs.pairs(), pairs);
        let pairs: BTreeSet<_> = all().filter_map(|(id, of)| Some((of.parent.clone()?, id.clone()))).collect();
        assert_eq!(self.parts.pairs(), pairs);
        let pairs: BTreeSet<_> = self.owners.iter().map(|(context, lease)| (*lease, context.clone())).collect();
        assert_eq!(self.contexts.pairs(), pairs);
    }
}
