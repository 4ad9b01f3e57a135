//! The CDP sessions on targets: which client attached, which roots auto-attach, and how CDP
//! sessions end.

use std::time::Instant;

use super::{Attachment, Deferred, Effect, FLAVOURS, LeaseId, Mirror, Way};
use crate::{
    cdp::{
        ids::{CallId, CdpSessionId, TargetId},
        target::{Kind, TargetInfo},
    },
    port::{Flavour, Interest, Told},
};

impl Mirror {
    /// `Target.attachedToTarget` on any CDP session; `None` is the root connection.
    pub(crate) fn on_attached(
        &mut self,
        on: Option<&CdpSessionId>,
        child: CdpSessionId,
        json: &str,
        waiting: bool,
        now: Instant,
    ) {
        let Some(info) = TargetInfo::read(json) else { return };
        // Its parent has already ended, and so has this one.
        if on.is_some_and(|on| !self.attachments.contains(on)) {
            return;
        }
        let lease = on.and_then(|on| self.lease_of(on.as_str()));
        let mut attachment = Attachment::new(lease, info.id.clone(), on.cloned());
        attachment.hidden = on.and_then(|on| self.attachments.get(on.as_str())).is_some_and(|parent| parent.hidden);
        self.attachments.insert(child.clone(), attachment);
        let Some(on) = on else { return };
        if let Some(flavour) = FLAVOURS.into_iter().find(|flavour| self.watchers[*flavour as usize] == *on) {
            if self.defer(&info, || Deferred::Watched(flavour, child.clone(), json.to_owned())) {
                return;
            }
            self.on_watched(flavour, &child, &info, json, now);
        } else if let Some(lease) = lease {
            let mut waiting = waiting;
            if let Some(expected) = self.expected.take(on, &info.id) {
                if expected.unwanted {
                    return self.reject(&child, on, lease);
                }
                self.attachments.change(&child, |attachment| attachment.auto = true);
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
    pub(crate) fn on_detached(&mut self, child: &str) {
        let Some((child, attachment)) = self.attachments.remove(child) else { return };
        self.certificates.lost(&attachment.target, &child);
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
    pub(crate) fn on_attach_refused(&mut self, root: &CdpSessionId, target: &str) {
        let target = TargetId::from(target);
        if self.expected.take(root, &target).is_some() {
            self.settle(&target);
        }
    }

    /// Withholds a reply that names a target until the root that asked was told of the target, or of its tab
    /// ([`Effect::Answer`]): a Chrome sends `attachedToTarget` before it answers. False if the reply need not wait.
    pub(crate) fn withhold(&mut self, root: &CdpSessionId, target: &str, reply: CallId) -> bool {
        let target = TargetId::from(target);
        let tab = self.targets.tab_of(&target).cloned();
        self.expected.withhold(root, &target, reply) || tab.is_some_and(|tab| self.expected.withhold(root, &tab, reply))
    }

    /// A root's auto-attach changed. Returns the targets that exist for it and are to be attached explicitly.
    pub(crate) fn auto_attach(&mut self, root: &CdpSessionId, interest: Option<Interest>) -> Vec<TargetId> {
        self.set_interest(root, interest);
        let Some(asked) = self.roots.get(root) else { return Vec::new() };
        let flavour = asked.interest.flavour as usize;
        let mut wanted: Vec<TargetId> = self
            .targets
            .of_lease(asked.lease)
            .filter(|(_, target)| {
                target.presentable
                    && target.reported[flavour]
                    && target.kind.is_some_and(|kind| asked.interest.filter.matches(kind))
            })
            .map(|(id, _)| id.clone())
            .filter(|id| !self.is_attached(root, id))
            .collect();
        wanted.sort_unstable();
        for target in &wanted {
            self.expected.push(root.clone(), target.clone(), false);
        }
        wanted
    }

    /// The CDP sessions that a root's auto-attach made, to be detached for `autoAttach:false`.
    pub(crate) fn attached_by(&self, root: &CdpSessionId) -> Vec<CdpSessionId> {
        self.attachments.auto_on(root).cloned().collect()
    }

    /// A client's `Target.detachFromTarget` of this CDP session. A target that it holds paused is
    /// resumed first: a popup with an opener would stay paused for ever (*measured*). If others
    /// asked to wait for it too, it stays paused for them.
    pub(crate) fn detach(&mut self, session: &CdpSessionId) -> Way {
        let of_a_lease = |attachment: &&Attachment| attachment.lease.is_some();
        let Some(attachment) = self.attachments.get(session.as_str()).filter(of_a_lease) else { return Way::Unknown };
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
        let attachment = self.attachments.get(session.as_str())?;
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
        self.attachments.change(session, |attachment| {
            (attachment.lease, attachment.shown_on, attachment.auto) = (None, None, false);
        });
        // Its client is told that all below it has ended, though Chrome keeps that until the
        // watcher detaches.
        for below in self.below(session) {
            self.attachments.change(&below, |attachment| attachment.lease = None);
            let Some(attachment) = self.attachments.get(below.as_str()) else { continue };
            let target = attachment.target.clone();
            self.on_gone(&below, &target, true);
        }
        None
    }

    /// As [`Mirror::detach`], but not requested by a client, and no client is told.
    pub(super) fn let_loose(&mut self, session: &CdpSessionId) {
        let lease = self.lease_of(session.as_str());
        if let Some(on) = self.loosen(session) {
            let params = format!(r#"{{"sessionId":"{session}"}}"#);
            self.effects.push_back(Effect::Send { lease, on, method: "Target.detachFromTarget", params });
        }
    }

    /// Detaches a CDP session that was just attached and is not wanted any more.
    fn reject(&mut self, child: &CdpSessionId, on: &CdpSessionId, lease: LeaseId) {
        self.attachments.change(child, |attachment| attachment.lease = None);
        let params = format!(r#"{{"sessionId":"{child}"}}"#);
        let on = on.clone();
        self.effects.push_back(Effect::Send { lease: Some(lease), on, method: "Target.detachFromTarget", params });
    }

    fn is_attached(&self, root: &CdpSessionId, target: &TargetId) -> bool {
        self.expected.is_wanted(root, target) || self.attachments.is_auto(root, target)
    }

    fn set_interest(&mut self, root: &CdpSessionId, interest: Option<Interest>) {
        let Some(lease) = self.lease_of(root.as_str()) else { return };
        match interest {
            Some(interest) => self.roots.set(root, lease, interest),
            None if self.roots.remove(root) => self.expect_no_more(root),
            None => {}
        }
        // Holds that no client can end any more.
        let mut stale: Vec<TargetId> = self
            .targets
            .of_lease(lease)
            .filter(|(id, target)| target.deadline.is_some() && !self.follows_a_tab(id))
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
        for id in self.expected.unwant(root) {
            self.settle(&id);
        }
    }

    /// Removes everything below a CDP session, deepest first.
    fn forget_children(&mut self, attachment: &Attachment, gone: &mut Vec<(CdpSessionId, TargetId)>) {
        for child in attachment.children() {
            if let Some((_, below)) = self.attachments.remove(child.as_str()) {
                self.forget_children(&below, gone);
                gone.push((child.clone(), below.target));
            }
        }
    }

    /// CDP sessions that were handed over to roots that have ended end with them, as if these had
    /// attached them. Returns those and all below them, deepest first.
    fn forget_handed(&mut self, root: &CdpSessionId, below: &[(CdpSessionId, TargetId)]) -> Vec<CdpSessionId> {
        let gone = below.iter().map(|(id, _)| id).chain([root]);
        let mut handed: Vec<CdpSessionId> = gone.flat_map(|on| self.attachments.handed_on(on)).cloned().collect();
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
        self.roots.remove(session);
        self.expect_no_more(session);
        self.expected.forget_root(session);
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
        self.release_opener(id);
    }

    /// Whether there is a CDP session on a target.
    pub(crate) fn is_held(&self, id: &TargetId) -> bool {
        self.attachments.is_on(id)
    }

    /// Whether a target is a shared worker.
    pub(crate) fn is_shared_worker(&self, id: &TargetId) -> bool {
        self.targets.get(id.as_str()).is_some_and(|target| target.kind == Some(Kind::SharedWorker))
    }

    /// Whether a client has a CDP session on a target.
    pub(crate) fn has_client(&self, id: &TargetId) -> bool {
        self.attachments.has_client(id)
    }
}
