//! The CDP sessions of a browser, with indexes by target, by lease and by the CDP session on which
//! their client knows them. PURE.
//!
//! Only this file changes indexed fields, so that no index can become stale.

use std::collections::BTreeMap;

use super::{LeaseId, index::Index};
use crate::cdp::ids::{CdpSessionId, IdMap, TargetId};

/// One CDP session.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) lease: Option<LeaseId>,
    pub(super) target: TargetId,
    /// The CDP session that attached: the only one through which it can be detached.
    pub(super) parent: Option<CdpSessionId>,
    /// The CDP session on which a client knows it, if that is not `parent`.
    pub(super) shown_on: Option<CdpSessionId>,
    /// Made by a browser-level auto-attach, and ended with it.
    pub(super) auto: bool,
    /// Unknown to clients: a lease's base, and what the proxy attaches through it. It keeps no
    /// target waiting.
    pub(super) hidden: bool,
    /// The CDP sessions attached through it, in order.
    children: BTreeMap<u64, CdpSessionId>,
    /// Its position among its parent's children.
    number: u64,
}

impl Attachment {
    pub(super) fn new(lease: Option<LeaseId>, target: TargetId, parent: Option<CdpSessionId>) -> Self {
        let (shown_on, auto, hidden, children, number) = (None, false, false, BTreeMap::new(), 0);
        Self { lease, target, parent, shown_on, auto, hidden, children, number }
    }

    /// The CDP session on which a client is told of it.
    pub(super) fn told_on(&self) -> Option<&CdpSessionId> {
        self.shown_on.as_ref().or(self.parent.as_ref())
    }

    /// The CDP sessions attached through it, in order.
    pub(super) fn children(&self) -> impl Iterator<Item = &CdpSessionId> {
        self.children.values()
    }

    fn is_clients(&self) -> bool {
        self.lease.is_some() && !self.hidden
    }
}

/// All of them. Entries can be changed only by [`Attachments::change`].
#[derive(Debug, Default)]
pub(super) struct Attachments {
    all: IdMap<CdpSessionId, Attachment>,
    on_target: Index<TargetId, CdpSessionId>,
    /// The number of CDP sessions on a target that clients know.
    clients: IdMap<TargetId, usize>,
    of_lease: Index<LeaseId, CdpSessionId>,
    /// By `shown_on`.
    shown_on: Index<CdpSessionId, CdpSessionId>,
    /// Those that auto-attach made, by the CDP session on which a client is told of them.
    auto: Index<CdpSessionId, CdpSessionId>,
    /// The number of those on a target.
    auto_on_target: IdMap<(CdpSessionId, TargetId), usize>,
    number: u64,
}

impl Attachments {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&CdpSessionId, &Attachment)> {
        self.all.iter()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Attachment> {
        self.all.get(id)
    }

    pub(super) fn get_key_value(&self, id: &str) -> Option<(&CdpSessionId, &Attachment)> {
        self.all.get_key_value(id)
    }

    pub(super) fn contains(&self, id: &CdpSessionId) -> bool {
        self.all.contains_key(id)
    }

    /// Adds one, as the last child of its parent.
    pub(super) fn insert(&mut self, id: CdpSessionId, mut attachment: Attachment) {
        self.remove(id.as_str());
        self.number += 1;
        attachment.number = self.number;
        if let Some(parent) = attachment.parent.as_ref().and_then(|parent| self.all.get_mut(parent)) {
            parent.children.insert(self.number, id.clone());
        }
        self.index(&id, &attachment);
        self.all.insert(id, attachment);
    }

    /// Removes one; those below it stay.
    pub(super) fn remove(&mut self, id: &str) -> Option<(CdpSessionId, Attachment)> {
        let (id, attachment) = self.all.remove_entry(id)?;
        if let Some(parent) = attachment.parent.as_ref().and_then(|parent| self.all.get_mut(parent)) {
            parent.children.remove(&attachment.number);
        }
        self.unindex(&id, &attachment);
        Some((id, attachment))
    }

    /// Changes its owner and where it is shown. Returns whether it exists.
    pub(super) fn change(&mut self, id: &CdpSessionId, change: impl FnOnce(&mut Attachment)) -> bool {
        let Some((id, mut attachment)) = self.all.remove_entry(id) else { return false };
        self.unindex(&id, &attachment);
        change(&mut attachment);
        self.index(&id, &attachment);
        self.all.insert(id, attachment);
        true
    }

    /// The CDP sessions on a target.
    pub(super) fn on_target(&self, target: &TargetId) -> impl Iterator<Item = (&CdpSessionId, &Attachment)> {
        self.on_target.get(target).filter_map(|id| self.all.get_key_value(id))
    }

    /// Whether there is one on a target.
    pub(super) fn is_on(&self, target: &TargetId) -> bool {
        self.on_target.contains(target)
    }

    /// Whether a client has one on a target.
    pub(super) fn has_client(&self, target: &TargetId) -> bool {
        self.clients.contains_key(target)
    }

    /// The CDP sessions of a lease.
    pub(super) fn of_lease(&self, lease: LeaseId) -> impl Iterator<Item = &CdpSessionId> {
        self.of_lease.get(&lease)
    }

    /// The clients' CDP sessions that were handed over to this root.
    pub(super) fn handed_on(&self, root: &CdpSessionId) -> impl Iterator<Item = &CdpSessionId> {
        let is_clients = |id: &&CdpSessionId| self.all.get(*id).is_some_and(|attachment| attachment.lease.is_some());
        self.shown_on.get(root).filter(is_clients)
    }

    /// Those that this root's auto-attach made.
    pub(super) fn auto_on(&self, root: &CdpSessionId) -> impl Iterator<Item = &CdpSessionId> {
        self.auto.get(root)
    }

    /// Whether this root's auto-attach made one on this target.
    pub(super) fn is_auto(&self, root: &CdpSessionId, target: &TargetId) -> bool {
        self.auto_on_target.contains_key(&(root.clone(), target.clone()))
    }

    fn index(&mut self, id: &CdpSessionId, attachment: &Attachment) {
        self.on_target.insert(attachment.target.clone(), id.clone());
        if let Some(lease) = attachment.lease {
            self.of_lease.insert(lease, id.clone());
        }
        if attachment.is_clients() {
            *self.clients.entry(attachment.target.clone()).or_default() += 1;
        }
        if let Some(on) = &attachment.shown_on {
            self.shown_on.insert(on.clone(), id.clone());
        }
        if let Some(on) = attachment.told_on().filter(|_| attachment.auto) {
            self.auto.insert(on.clone(), id.clone());
            *self.auto_on_target.entry((on.clone(), attachment.target.clone())).or_default() += 1;
        }
    }

    fn unindex(&mut self, id: &CdpSessionId, attachment: &Attachment) {
        self.on_target.remove(&attachment.target, id);
        if let Some(lease) = attachment.lease {
            self.of_lease.remove(&lease, id);
        }
        if attachment.is_clients() {
            count_down(&mut self.clients, &attachment.target);
        }
        if let Some(on) = &attachment.shown_on {
            self.shown_on.remove(on, id);
        }
        if let Some(on) = attachment.told_on().filter(|_| attachment.auto) {
            self.auto.remove(on, id);
            count_down(&mut self.auto_on_target, &(on.clone(), attachment.target.clone()));
        }
    }
}

/// Decrements a count; a count of zero is removed.
pub(super) fn count_down<K: Eq + std::hash::Hash>(counts: &mut IdMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
impl Attachments {
    /// Each index must equal the result of a scan.
    pub(super) fn check(&self) {
        use std::collections::BTreeSet;
        let all = || self.all.iter();
        let pairs: BTreeSet<_> = all().map(|(id, of)| (of.target.clone(), id.clone())).collect();
        assert_eq!(self.on_target.pairs(), pairs);
        let pairs: BTreeSet<_> = all().filter_map(|(id, of)| Some((of.lease?, id.clone()))).collect();
        assert_eq!(self.of_lease.pairs(), pairs);
        let pairs: BTreeSet<_> = all().filter_map(|(id, of)| Some((of.shown_on.clone()?, id.clone()))).collect();
        assert_eq!(self.shown_on.pairs(), pairs);
        let auto = || all().filter(|(_, of)| of.auto);
        let pairs: BTreeSet<_> = auto().filter_map(|(id, of)| Some((of.told_on()?.clone(), id.clone()))).collect();
        assert_eq!(self.auto.pairs(), pairs);
        let (mut clients, mut auto_on_target) = (IdMap::default(), IdMap::default());
        all().filter(|(_, of)| of.is_clients()).for_each(|(_, of)| *clients.entry(of.target.clone()).or_default() += 1);
        for (_, of) in auto() {
            let Some(on) = of.told_on() else { continue };
            *auto_on_target.entry((on.clone(), of.target.clone())).or_default() += 1;
        }
        assert_eq!(self.clients, clients);
        assert_eq!(self.auto_on_target, auto_on_target);
        for (id, of) in all() {
            let children: BTreeMap<u64, CdpSessionId> = all()
                .filter(|(_, child)| child.parent.as_ref() == Some(id))
                .map(|(child, of)| (of.number, child.clone()))
                .collect();
            assert_eq!(of.children, children, "children of {id}");
        }
    }
}
