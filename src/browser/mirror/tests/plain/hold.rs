//! Which CDP sessions hold a new target paused: first the watchers', then those of clients to which
//! these are handed over; and when the target is resumed.

use std::time::Instant;

use super::{Effect, Expected, FLAVOURS, HOLD, LeaseId, Plain, Resume, Root, shown_kind};
use crate::{
    cdp::{
        ids::{CdpSessionId, TargetId},
        target::{Kind, TargetInfo},
    },
    port::{Flavour, Told},
};

impl Plain {
    /// A client's `Runtime.runIfWaitingForDebugger` on one of its CDP sessions. `children` says
    /// whether it auto-attaches to targets below that one.
    pub(in crate::browser::mirror::tests) fn on_resume(&mut self, on: &CdpSessionId, children: bool) -> Resume {
        let Some(id) = self.attachments.get(on).map(|attachment| attachment.target.clone()) else {
            return Resume::Pass;
        };
        let Some(target) = self.targets.get_mut(&id) else { return Resume::Pass };
        let asked = target.waiters.iter().position(|waiter| waiter == on).map(|at| target.waiters.remove(at)).is_some();
        let starts_at_once = target.kind == Some(Kind::Page) && target.has_opener && target.can_access_opener;
        let holds = target.handed.iter().flatten().any(|handed| handed == on);
        if self.is_waited_for(&id) {
            // By its own word a client ends only what it holds; others asked to wait for them too. A page that can reach
            // its opener is started by any resume on it (*measured*).
            return if asked || holds || starts_at_once { Resume::KeepBack } else { Resume::Pass };
        }
        // The last one to resume: the watchers' CDP sessions that were handed to others still hold
        // the target.
        for handed in self.take_handed(&id) {
            if handed != *on {
                self.resume(handed);
            }
        }
        match self.targets.get(&id).map(|target| (target.kind, target.page.clone())) {
            Some((Some(Kind::Tab), page)) => {
                self.release_hold(Flavour::Tab, &id);
                if let Some(page) = page.filter(|_| !children) {
                    self.release_hold(Flavour::Page, &page);
                }
            }
            _ => self.release_holds(&id),
        }
        Resume::Pass
    }

    fn take_handed(&mut self, id: &TargetId) -> Vec<CdpSessionId> {
        let handed = self.targets.get_mut(id).map(|target| std::mem::take(&mut target.handed));
        handed.into_iter().flatten().flatten().collect()
    }

    /// Whether a client asked to wait on its CDP session for this target, and has not resumed it.
    pub(in crate::browser::mirror::tests) fn is_waited_for(&self, id: &TargetId) -> bool {
        self.targets.get(id).is_some_and(|target| !target.waiters.is_empty())
            || self.expected.iter().any(|expected| expected.waiting && expected.target == *id)
    }

    /// A root does not wait for a target any more. If it was the last one, the target is resumed.
    pub(in crate::browser::mirror::tests) fn settle(&mut self, id: &TargetId) {
        if self.is_waited_for(id) {
            return;
        }
        for handed in self.take_handed(id) {
            self.resume(handed);
        }
        // The watcher holds it again, because the client to which it was handed over has detached.
        let held = self.targets.get(id).map(|target| (target.held.clone(), target.deadline.is_some()));
        if let Some(([Some(_), _] | [_, Some(_)], false)) = held {
            self.release_holds(id);
        }
    }

    /// Checks the holds whose deadline has passed.
    pub(in crate::browser::mirror::tests) fn on_timeout(&mut self, now: Instant) {
        while self.holds.front().is_some_and(|(at, _)| *at <= now) {
            let Some((at, id)) = self.holds.pop_front() else { return };
            if self.targets.get(&id).is_none_or(|target| target.deadline != Some(at)) {
                continue;
            }
            let wanted = self.has_client(&id);
            let Some(target) = self.targets.get_mut(&id) else { continue };
            target.deadline = None;
            // With an opener and a child session plain Chrome waits for ever, as at a breakpoint;
            // so does the proxy.
            if !(wanted && target.can_access_opener) {
                self.expired_holds += 1;
                self.release_hold(Flavour::Page, &id);
            }
        }
    }

    /// A tab and its page are paired: the tab is shown, and handed over to the root that waits for
    /// it.
    pub(in crate::browser::mirror::tests) fn pair(&mut self, tab: &TargetId, page: TargetId, now: Instant) {
        let Some(target) = self.targets.get_mut(tab) else { return };
        target.page = Some(page);
        target.presentable = true;
        let held = target.held[Flavour::Tab as usize].clone();
        let info = target.info.clone();
        self.tell_created(tab);
        if let Some(child) = held {
            self.decide(Flavour::Tab, tab, &child, &info, now);
        }
    }

    pub(in crate::browser::mirror::tests) fn on_watched(
        &mut self,
        flavour: Flavour,
        child: &CdpSessionId,
        info: &TargetInfo,
        json: &str,
        now: Instant,
    ) {
        let target = self.targets.entry(info.id.clone()).or_default();
        if target.kind.is_none() {
            target.kind = Some(shown_kind(info));
            target.chromes_kind = Some(info.kind);
            target.context.clone_from(&info.context);
            json.clone_into(&mut target.info);
        }
        target.reported[flavour as usize] = true;
        if flavour == Flavour::Page && info.kind == Kind::Page && info.can_access_opener {
            target.opener.clone_from(&info.opener);
        }
        target.held[flavour as usize] = Some(child.clone());
        let unpaired_tab = target.kind == Some(Kind::Tab) && !target.presentable;
        let waits_for_page = unpaired_tab && self.wanted_by(flavour, &info.id).next().is_some();
        if !waits_for_page {
            self.decide(flavour, &info.id, child, json, now);
        }
    }

    /// The roots that auto-attach to a target, in the order in which they asked.
    pub(super) fn wanted_by(&self, flavour: Flavour, id: &TargetId) -> impl Iterator<Item = &Root> {
        let target = self.targets.get(id);
        let lease = target.and_then(|target| self.context_owner(target.context.as_ref()));
        let kind = target.and_then(|target| target.kind).unwrap_or(Kind::Other);
        self.roots.iter().filter(move |root| {
            Some(root.lease) == lease
                && root.interest.flavour == flavour
                && kind.is_ordinary()
                && !self.own_pages.contains(id)
                && root.interest.filter.matches(kind)
        })
    }

    fn decide(&mut self, flavour: Flavour, id: &TargetId, child: &CdpSessionId, json: &str, now: Instant) {
        let wanted: Vec<(CdpSessionId, LeaseId, bool)> =
            self.wanted_by(flavour, id).map(|root| (root.id.clone(), root.lease, root.interest.wait)).collect();
        let Some(((first, lease, wait), others)) = wanted.split_first() else {
            if flavour == Flavour::Page && self.follows_a_tab(id) {
                if let Some(target) = self.targets.get_mut(id) {
                    target.deadline = Some(now + HOLD);
                    self.holds.push_back((now + HOLD, id.clone()));
                }
            } else {
                self.release_hold(flavour, id);
            }
            return;
        };
        let Some(target) = self.targets.get_mut(id) else { return };
        target.held[flavour as usize] = None;
        let somebody_waits = wanted.iter().any(|(_, _, wait)| *wait);
        if somebody_waits {
            target.handed[flavour as usize] = Some(child.clone());
        }
        if *wait {
            target.waiters.push(child.clone());
        }
        if let Some(attachment) = self.attachments.get_mut(child) {
            attachment.lease = Some(*lease);
            attachment.shown_on = Some(first.clone());
            attachment.auto = true;
        }
        let told = Told::Attached {
            parent: first.clone(),
            child: child.clone(),
            target: id.clone(),
            info: json.to_owned(),
            waiting: *wait,
        };
        self.effects.push_back(Effect::Deliver(*lease, told));
        for (root, lease, wait) in others {
            let (root, target) = (root.clone(), id.clone());
            self.effects.push_back(Effect::Attach { lease: *lease, root: root.clone(), target: target.clone() });
            self.expected.push(Expected { root, target, waiting: *wait, unwanted: false });
        }
        if !somebody_waits {
            self.resume(child.clone());
        }
    }

    /// Whether the page watcher's hold on this target is for a client that will attach through its
    /// tab.
    pub(in crate::browser::mirror::tests) fn follows_a_tab(&self, id: &TargetId) -> bool {
        let Some(target) = self.targets.get(id) else { return false };
        let lease = self.context_owner(target.context.as_ref());
        target.kind == Some(Kind::Page)
            && target.has_opener
            && self.roots.iter().any(|root| {
                Some(root.lease) == lease
                    && root.interest.flavour == Flavour::Tab
                    && root.interest.wait
                    && root.interest.filter.matches(Kind::Tab)
            })
    }

    pub(in crate::browser::mirror::tests) fn release_holds(&mut self, id: &TargetId) {
        for flavour in FLAVOURS {
            self.release_hold(flavour, id);
        }
    }

    /// Resumes and *then* detaches, without waiting for the reply, which may come only after every
    /// holder has resumed. But a shared worker whose holder detaches before the reply never starts,
    /// and a service worker often does not (*measured*, shell and full, 156): for these the reply
    /// is waited for.
    pub(in crate::browser::mirror::tests) fn release_hold(&mut self, flavour: Flavour, id: &TargetId) {
        let Some(target) = self.targets.get_mut(id) else { return };
        target.deadline = None;
        let Some(child) = target.held[flavour as usize].take() else { return };
        // After the commands that the target's client has already sent for execution before it
        // runs.
        let context = target.context.clone();
        let waits_for_reply = target.chromes_kind.is_some_and(Kind::is_worker);
        let lease = self.context_owner(context.as_ref());
        let on = self.watchers[flavour as usize].clone();
        if waits_for_reply {
            self.effects.push_back(Effect::ResumeThenDetach { lease, session: child, on });
            return;
        }
        let params = format!(r#"{{"sessionId":"{child}"}}"#);
        self.resume_for(lease, child);
        self.effects.push_back(Effect::Send { lease, on, method: "Target.detachFromTarget", params });
    }

    pub(in crate::browser::mirror::tests) fn resume(&mut self, on: CdpSessionId) {
        self.resume_for(self.lease_of(on.as_str()), on);
    }

    fn resume_for(&mut self, lease: Option<LeaseId>, on: CdpSessionId) {
        self.effects.push_back(Effect::Send {
            lease,
            on,
            method: "Runtime.runIfWaitingForDebugger",
            params: "{}".to_owned(),
        });
    }
}
