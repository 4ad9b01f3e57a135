//! Which CDP sessions hold a new target paused: first the watchers', then those of clients to which
//! these are handed over; and when the target is resumed.

use std::time::Instant;

use super::{Effect, FLAVOURS, HOLD, LeaseId, Mirror, Resume, roots::Root};
use crate::{
    cdp::{
        ids::{CdpSessionId, TargetId},
        target::{Kind, TargetInfo},
    },
    port::{Flavour, Told},
};

impl Mirror {
    /// A client's `Runtime.runIfWaitingForDebugger` on one of its CDP sessions. `children` says
    /// whether it auto-attaches to targets below that one.
    pub(crate) fn on_resume(&mut self, on: &CdpSessionId, children: bool) -> Resume {
        let Some(id) = self.attachments.get(on.as_str()).map(|attachment| attachment.target.clone()) else {
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
        match self.targets.get(id.as_str()).map(|target| (target.kind, target.page().cloned())) {
            Some((Some(Kind::Tab), page)) => {
                self.release_hold(Flavour::Tab, &id);
                if let Some(page) = page.filter(|_| !children) {
                    self.release_hold(Flavour::Page, &page);
                }
            }
            _ => self.release_holds(&id),
        }
        self.release_opener(&id);
        Resume::Pass
    }

    fn take_handed(&mut self, id: &TargetId) -> Vec<CdpSessionId> {
        let handed = self.targets.get_mut(id).map(|target| std::mem::take(&mut target.handed));
        handed.into_iter().flatten().flatten().collect()
    }

    /// Whether a client asked to wait on its CDP session for this target, and has not resumed it.
    pub(super) fn is_waited_for(&self, id: &TargetId) -> bool {
        self.targets.get(id.as_str()).is_some_and(|target| !target.waiters.is_empty())
            || self.expected.is_waited_for(id)
    }

    /// A root does not wait for a target any more. If it was the last one, the target is resumed.
    pub(super) fn settle(&mut self, id: &TargetId) {
        if self.is_waited_for(id) {
            return;
        }
        for handed in self.take_handed(id) {
            self.resume(handed);
        }
        // The watcher holds it again, because the client to which it was handed over has detached.
        let held = self.targets.get(id.as_str()).map(|target| (target.held.clone(), target.deadline.is_some()));
        if let Some(([Some(_), _] | [_, Some(_)], false)) = held {
            self.release_holds(id);
        }
        self.release_opener(id);
    }

    /// Checks the holds whose deadline has passed.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        while self.holds.front().is_some_and(|(at, _)| *at <= now) {
            let Some((at, id)) = self.holds.pop_front() else { return };
            if self.targets.get(id.as_str()).is_none_or(|target| target.deadline != Some(at)) {
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
    pub(super) fn pair(&mut self, tab: &TargetId, page: TargetId, now: Instant) {
        self.targets.set_page(tab, page);
        let Some(target) = self.targets.get_mut(tab) else { return };
        target.presentable = true;
        let held = target.held[Flavour::Tab as usize].clone();
        let info = target.info.clone();
        self.tell_created(tab);
        if let Some(child) = held {
            self.decide(Flavour::Tab, tab, &child, &info, now);
        }
    }

    pub(super) fn on_watched(
        &mut self,
        flavour: Flavour,
        child: &CdpSessionId,
        info: &TargetInfo,
        json: &str,
        now: Instant,
    ) {
        if self.targets.get(info.id.as_str()).is_none_or(|target| target.kind.is_none()) {
            let kind = self.extensions.kind_of(info);
            let target = self.targets.place(&info.id, info.context.as_ref(), None);
            target.kind = Some(kind);
            target.chromes_kind = Some(info.kind);
            json.clone_into(&mut target.info);
        }
        let target = self.targets.entry(&info.id);
        target.reported[flavour as usize] = true;
        target.held[flavour as usize] = Some(child.clone());
        if flavour == Flavour::Page {
            self.hold_opener(info);
        }
        let Some(target) = self.targets.get(info.id.as_str()) else { return };
        let unpaired_tab = target.kind == Some(Kind::Tab) && !target.presentable;
        let waits_for_page = unpaired_tab && self.wanted_by(flavour, &info.id).next().is_some();
        if !waits_for_page {
            self.decide(flavour, &info.id, child, json, now);
        }
    }

    /// The roots that auto-attach to a target, in the order in which they asked.
    pub(super) fn wanted_by(&self, flavour: Flavour, id: &TargetId) -> impl Iterator<Item = &Root> {
        let target = self.targets.get(id.as_str());
        let lease = target.and_then(|target| self.targets.owner_of(target.context()));
        let kind = target.and_then(|target| target.kind).unwrap_or(Kind::Other);
        self.roots.of(lease).iter().filter(move |root| {
            root.interest.flavour == flavour
                && kind.is_ordinary()
                && !self.own_pages.contains(id)
                && root.interest.filter.matches(kind)
        })
    }

    fn decide(&mut self, flavour: Flavour, id: &TargetId, child: &CdpSessionId, json: &str, now: Instant) {
        let keeps = flavour == Flavour::Page && self.keep_held(id);
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
        let somebody_waits = wanted.iter().any(|(_, _, wait)| *wait);
        if keeps {
            // The watcher keeps its CDP session: it is not handed to a client.
            self.expect_all(id, &wanted);
            if !somebody_waits {
                self.release_hold(flavour, id);
            }
            return;
        }
        let Some(target) = self.targets.get_mut(id) else { return };
        target.held[flavour as usize] = None;
        if somebody_waits {
            target.handed[flavour as usize] = Some(child.clone());
        }
        if *wait {
            target.waiters.push(child.clone());
        }
        self.attachments.change(child, |attachment| {
            attachment.lease = Some(*lease);
            attachment.shown_on = Some(first.clone());
            attachment.auto = true;
        });
        let told = Told::Attached {
            parent: first.clone(),
            child: child.clone(),
            target: id.clone(),
            info: json.to_owned(),
            waiting: *wait,
        };
        self.effects.push_back(Effect::Deliver(*lease, told));
        self.expect_all(id, others);
        if !somebody_waits {
            self.resume(child.clone());
        }
    }

    /// These roots attach to a target explicitly, each waiting for its CDP session or not.
    fn expect_all(&mut self, id: &TargetId, roots: &[(CdpSessionId, LeaseId, bool)]) {
        for (root, lease, wait) in roots {
            let (root, target) = (root.clone(), id.clone());
            self.effects.push_back(Effect::Attach { lease: *lease, root: root.clone(), target: target.clone() });
            self.expected.push(root, target, *wait);
        }
    }

    /// Whether the page watcher's hold on this target is for a client that will attach through its
    /// tab.
    pub(super) fn follows_a_tab(&self, id: &TargetId) -> bool {
        let Some(target) = self.targets.get(id.as_str()) else { return false };
        let lease = self.targets.owner_of(target.context());
        target.kind == Some(Kind::Page)
            && target.has_opener
            && self.roots.of(lease).iter().any(|root| {
                root.interest.flavour == Flavour::Tab && root.interest.wait && root.interest.filter.matches(Kind::Tab)
            })
    }

    pub(super) fn release_holds(&mut self, id: &TargetId) {
        for flavour in FLAVOURS {
            self.release_hold(flavour, id);
        }
    }

    /// Resumes and *then* detaches, without waiting for the reply, which may come only after every
    /// holder has resumed. But a shared worker whose holder detaches before the reply never starts,
    /// and a service worker often does not (*measured*, shell and full, 156): for these the reply
    /// is waited for, also for those of extensions that are not shown.
    pub(super) fn release_hold(&mut self, flavour: Flavour, id: &TargetId) {
        let Some(target) = self.targets.get_mut(id) else { return };
        target.deadline = None;
        let Some(child) = target.held[flavour as usize].take() else { return };
        // After the commands that the target's client has already sent for execution before it
        // runs.
        let waits_for_reply = target.chromes_kind.is_some_and(Kind::is_worker);
        let lease = self.targets.owner(id.as_str());
        let on = self.watchers[flavour as usize].clone();
        if waits_for_reply {
            self.effects.push_back(Effect::ResumeThenDetach { lease, session: child, on });
            return;
        }
        if self.certificates.keeps(id, &child) {
            return self.resume_for(lease, child);
        }
        let params = format!(r#"{{"sessionId":"{child}"}}"#);
        self.resume_for(lease, child);
        self.effects.push_back(Effect::Send { lease, on, method: "Target.detachFromTarget", params });
    }

    pub(super) fn resume(&mut self, on: CdpSessionId) {
        self.resume_for(self.lease_of(on.as_str()), on);
    }

    fn resume_for(&mut self, lease: Option<LeaseId>, on: CdpSessionId) {
        let target = self.target_of(&on).cloned();
        self.effects.push_back(Effect::Send {
            lease,
            on,
            method: "Runtime.runIfWaitingForDebugger",
            params: "{}".to_owned(),
        });
        if let Some(target) = target {
            self.release_opener(&target);
        }
    }
}
