//! The CDP sessions on targets: which client attached, which roots auto-attach, and how CDP
//! sessions end.

use std::time::Instant;

use super::{Attachment, Deferred, Effect, Expected, FLAVOURS, LeaseId, Plain, Root, Way};
use crate::{
    cdp::{
        ids::{CallId, CdpSessionId, TargetId},
        target::{Kind, TargetInfo},
    },
    port::{Flavour, Interest, Told},
};

impl Plain {
    /// `Target.attachedToTarget` on any CDP session; `None` is the root connection.
    pub(in crate::browser::mirror::tests) fn on_attached(
        &mut self,
        on: Option<&CdpSessionId>,
        child: CdpSessionId,
        json: &str,
        waiting: bool,
        now: Instant,
    ) {
        let Some(info) = TargetInfo::read(json) else { return };
        // Its parent has already ended, and so has this one.
        if on.is_some_and(|on| !self.attachments.contains_key(on)) {
            return;
        }
        let lease = on.and_then(|on| self.lease_of(on.as_str()));
        let mut attachment = Attachment::new(lease, info.id.clone(), on.cloned());
        attachment.hidden = on.and_then(|on| self.attachments.get(on)).is_some_and(|parent| parent.hidden);
        self.attachments.insert(child.clone(), attachment);
        let Some(on) = on else { return };
        if let Some(parent) = self.attachments.get_mut(on) {
            parent.children.push(child.clone());
        }
        if let Some(flavour) = FLAVOURS.into_iter().find(|flavour| self.watchers[*flavour as usize] == *on) {
            if self.defer(&info, || Deferred::Watched(flavour, child.clone(), json.to_owned())) {
                return;
            }
            self.on_watched(flavour, &child, &info, json, now);
        } else if let Some(lease) = lease {
            let expected = self.expected.iter().position(|expected| expected.root == *on && expected.target == info.id);
            let mut waiting = waiting;
            if let Some(expected) = expected.map(|at| self.expected.remove(at)) {
                if expected.unwanted {
                    return self.reject(&child, on, lease);
                }
                if let Some(attachment) = self.attachments.get_mut(&child) {
                    attachment.auto = true;
                }
                if expected.waiting
                    && let Some(target) = self.targets.get_mut(&info.id)
                {
                    waiting = true;
                    target.waiters.push(child.clone());
                }
            }
            let told = Told::Attached { parent: on.clone(), child, target: info.id, info: json.to_owned(), waiting };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    /// `Target.detachedFromTarget` on any CDP session.
    pub(in crate::browser::mirror::tests) fn on_detached(&mut self, child: &str) {
        let Some((child, attachment)) = self.attachments.remove_entry(child) else { return };
        if let Some(parent) = attachment.parent.as_ref().and_then(|parent| self.attachments.get_mut(parent)) {
            parent.children.retain(|other| *other != child);
        }
        let mut below = Vec::new();
        self.forget_children(&attachment, &mut below);
        let handed = self.forget_handed(&child, &below);
        for (gone, target) in below.iter().map(|(id, target)| (id, target)).chain([(&child, &attachment.target)]) {
            self.on_gone(gone, target, attachment.lease.is_some());
        }
        if let (Some(lease), Some(parent)) = (attachment.lease, attachment.told_on().cloned()) {
            let below = handed.into_iter().chain(below.into_iter().map(|(id, _)| id)).collect();
            self.effects
                .push_back(Effect::Deliver(lease, Told::Detached { parent, child, target: attachment.target, below }));
        }
    }

    /// Chrome refused an attach for a root that auto-attaches.
    pub(in crate::browser::mirror::tests) fn on_attach_refused(&mut self, root: &CdpSessionId, target: &str) {
        let of = |expected: &Expected| expected.root == *root && expected.target.as_str() == target;
        if let Some(at) = self.expected.iter().position(of) {
            let Expected { target, .. } = self.expected.remove(at);
            self.settle(&target);
        }
    }

    /// A reply names a target: it is withheld until the target, or its tab, is announced to the root that asked.
    pub(in crate::browser::mirror::tests) fn withhold(
        &mut self,
        root: &CdpSessionId,
        target: &str,
        reply: CallId,
    ) -> bool {
        let target = TargetId::from(target);
        let tab = self.targets.iter().find(|(_, tab)| tab.page.as_ref() == Some(&target)).map(|(id, _)| id.clone());
        for announced in [Some(target), tab].into_iter().flatten() {
            let is_it = |other: &Expected| other.root == *root && other.target == announced && !other.unwanted;
            if self.expected.iter().any(is_it) {
                self.withheld.push((root.clone(), announced, reply));
                return true;
            }
        }
        false
    }

    /// A root's auto-attach changed. Returns the targets that exist for it and are to be attached explicitly.
    pub(in crate::browser::mirror::tests) fn auto_attach(
        &mut self,
        root: &CdpSessionId,
        interest: Option<Interest>,
    ) -> Vec<TargetId> {
        self.set_interest(root, interest);
        let Some(asked) = self.roots.iter().find(|other| other.id == *root) else { return Vec::new() };
        let flavour = asked.interest.flavour as usize;
        let mut wanted: Vec<TargetId> = self
            .targets
            .iter()
            .filter(|(_, target)| {
                target.presentable
                    && target.reported[flavour]
                    && target.kind.is_some_and(|kind| asked.interest.filter.matches(kind))
                    && self.context_owner(target.context.as_ref()) == Some(asked.lease)
            })
            .map(|(id, _)| id.clone())
            .filter(|id| !self.is_attached(root, id))
            .collect();
        wanted.sort_unstable();
        for target in &wanted {
            let (root, target) = (root.clone(), target.clone());
            self.expected.push(Expected { root, target, waiting: false, unwanted: false });
        }
        wanted
    }

    /// The CDP sessions that a root's auto-attach made, to be detached for `autoAttach:false`.
    pub(in crate::browser::mirror::tests) fn attached_by(&self, root: &CdpSessionId) -> Vec<CdpSessionId> {
        let mine = |attachment: &Attachment| attachment.auto && attachment.told_on() == Some(root);
        self.attachments.iter().filter(|(_, attachment)| mine(attachment)).map(|(id, _)| id.clone()).collect()
    }

    /// A client's `Target.detachFromTarget` of this CDP session. A target that it holds paused is
    /// resumed first: a popup with an opener would stay paused for ever (*measured*). If others
    /// asked to wait for it too, it stays paused for them.
    pub(in crate::browser::mirror::tests) fn detach(&mut self, session: &CdpSessionId) -> Way {
        let of_a_lease = |attachment: &&Attachment| attachment.lease.is_some();
        let Some(attachment) = self.attachments.get(session).filter(of_a_lease) else { return Way::Unknown };
        let (shown_on, target) = (attachment.shown_on.clone(), attachment.target.clone());
        let (lease, below) = (attachment.lease, self.below(session));
        match self.loosen(session) {
            Some(parent) => Way::Through(parent),
            None if shown_on.is_none() => Way::Unknown,
            None => {
                if let (Some(lease), Some(parent)) = (lease, shown_on) {
                    let told = Told::Detached { parent, child: session.clone(), target, below };
                    self.effects.push_back(Effect::Deliver(lease, told));
                }
                Way::Done
            }
        }
    }

    /// Ends the hold of a client's CDP session. Returns the CDP session through which it is to be
    /// detached, unless the watcher keeps it because others wait.
    fn loosen(&mut self, session: &CdpSessionId) -> Option<CdpSessionId> {
        let attachment = self.attachments.get(session)?;
        let (parent, id) = (attachment.parent.clone(), attachment.target.clone());
        let Some(target) = self.targets.get_mut(&id) else { return parent };
        target.waiters.retain(|waiter| waiter != session);
        let held = target.handed.iter().position(|handed| handed.as_ref() == Some(session));
        if !self.is_waited_for(&id) {
            if let (Some(target), Some(flavour)) = (self.targets.get_mut(&id), held) {
                target.handed[flavour] = None;
            }
            self.resume(session.clone());
            self.settle(&id);
            return parent;
        }
        let (Some(flavour), Some(target)) = (held, self.targets.get_mut(&id)) else { return parent };
        target.held[flavour] = target.handed[flavour].take();
        if let Some(attachment) = self.attachments.get_mut(session) {
            (attachment.lease, attachment.shown_on, attachment.auto) = (None, None, false);
        }
        // Its client is told that all below it has ended, though Chrome keeps that until the
        // watcher detaches.
        for below in self.below(session) {
            let Some(attachment) = self.attachments.get_mut(&below) else { continue };
            attachment.lease = None;
            let target = attachment.target.clone();
            self.on_gone(&below, &target, true);
        }
        None
    }

    /// As [`Plain::detach`], but not requested by a client, and no client is told.
    pub(in crate::browser::mirror::tests) fn let_loose(&mut self, session: &CdpSessionId) {
        let lease = self.lease_of(session.as_str());
        if let Some(on) = self.loosen(session) {
            let params = format!(r#"{{"sessionId":"{session}"}}"#);
            self.effects.push_back(Effect::Send { lease, on, method: "Target.detachFromTarget", params });
        }
    }

    /// Detaches a CDP session that was just attached and is not wanted any more.
    fn reject(&mut self, child: &CdpSessionId, on: &CdpSessionId, lease: LeaseId) {
        if let Some(attachment) = self.attachments.get_mut(child) {
            attachment.lease = None;
        }
        let params = format!(r#"{{"sessionId":"{child}"}}"#);
        let on = on.clone();
        self.effects.push_back(Effect::Send { lease: Some(lease), on, method: "Target.detachFromTarget", params });
    }

    fn is_attached(&self, root: &CdpSessionId, target: &TargetId) -> bool {
        let expects = |expected: &Expected| !expected.unwanted && expected.root == *root && expected.target == *target;
        self.expected.iter().any(expects)
            || self
                .attachments
                .values()
                .any(|attachment| attachment.auto && attachment.target == *target && attachment.told_on() == Some(root))
    }

    fn set_interest(&mut self, root: &CdpSessionId, interest: Option<Interest>) {
        let Some(lease) = self.lease_of(root.as_str()) else { return };
        match (self.roots.iter().position(|other| other.id == *root), interest) {
            (Some(at), Some(interest)) => self.roots[at].interest = interest,
            (None, Some(interest)) => self.roots.push(Root { id: root.clone(), lease, interest }),
            (Some(at), None) => {
                self.roots.remove(at);
                self.expect_no_more(root);
            }
            (None, None) => {}
        }
        // Holds that no client can end any more.
        let mut stale: Vec<TargetId> = self
            .targets
            .iter()
            .filter(|(id, target)| {
                target.deadline.is_some()
                    && self.context_owner(target.context.as_ref()) == Some(lease)
                    && !self.follows_a_tab(id)
            })
            .map(|(id, _)| id.clone())
            .collect();
        stale.sort_unstable();
        for id in stale {
            self.release_hold(Flavour::Page, &id);
        }
    }

    /// Attaches that a root's auto-attach has requested and Chrome has not announced are not wanted
    /// any more.
    fn expect_no_more(&mut self, root: &CdpSessionId) {
        let mut waited = Vec::new();
        for expected in self.expected.iter_mut().filter(|expected| expected.root == *root) {
            expected.unwanted = true;
            if std::mem::take(&mut expected.waiting) {
                waited.push(expected.target.clone());
            }
        }
        for id in waited {
            self.settle(&id);
        }
    }

    /// Removes everything below a CDP session, deepest first.
    fn forget_children(&mut self, attachment: &Attachment, gone: &mut Vec<(CdpSessionId, TargetId)>) {
        for child in &attachment.children {
            if let Some(below) = self.attachments.remove(child) {
                self.forget_children(&below, gone);
                gone.push((child.clone(), below.target));
            }
        }
    }

    /// CDP sessions that were handed over to roots that have ended end with them, as if these had
    /// attached them. Returns those and all below them, deepest first.
    fn forget_handed(&mut self, root: &CdpSessionId, below: &[(CdpSessionId, TargetId)]) -> Vec<CdpSessionId> {
        let is_gone = |on: &CdpSessionId| on == root || below.iter().any(|(id, _)| id == on);
        let mut handed: Vec<CdpSessionId> = self
            .attachments
            .iter()
            .filter(|(_, attachment)| attachment.lease.is_some() && attachment.shown_on.as_ref().is_some_and(is_gone))
            .map(|(id, _)| id.clone())
            .collect();
        handed.sort_unstable();
        let mut gone = Vec::new();
        for session in handed {
            gone.extend(self.below(&session));
            self.let_loose(&session);
            gone.push(session);
        }
        gone
    }

    /// A CDP session has ended: targets that waited for it or were held by it continue.
    fn on_gone(&mut self, session: &CdpSessionId, id: &TargetId, of_a_client: bool) {
        self.roots.retain(|root| root.id != *session);
        self.expect_no_more(session);
        self.expected.retain(|expected| expected.root != *session);
        let Some(target) = self.targets.get_mut(id) else { return };
        target.held.iter_mut().for_each(|held| {
            held.take_if(|held| held == session);
        });
        let was_handed = target.handed.iter_mut().any(|handed| handed.take_if(|handed| handed == session).is_some());
        let asked = target.waiters.len();
        target.waiters.retain(|waiter| waiter != session);
        if was_handed || target.waiters.len() < asked {
            self.settle(id);
        }
        // A tab-flavour client had its last CDP session on this page: the page must not wait for
        // it.
        if of_a_client && !self.has_client(id) {
            self.release_hold(Flavour::Page, id);
        }
    }

    /// Whether there is a CDP session on a target.
    pub(in crate::browser::mirror::tests) fn is_held(&self, id: &TargetId) -> bool {
        self.attached_to(id).next().is_some()
    }

    /// Whether a target is a shared worker.
    pub(in crate::browser::mirror::tests) fn is_shared_worker(&self, id: &TargetId) -> bool {
        self.targets.get(id).is_some_and(|target| target.kind == Some(Kind::SharedWorker))
    }

    /// Whether a client has a CDP session on a target.
    pub(in crate::browser::mirror::tests) fn has_client(&self, id: &TargetId) -> bool {
        self.attached_to(id).any(|attachment| attachment.lease.is_some() && !attachment.hidden)
    }

    fn attached_to(&self, id: &TargetId) -> impl Iterator<Item = &Attachment> {
        self.attachments.values().filter(move |attachment| attachment.target == *id)
    }
}
