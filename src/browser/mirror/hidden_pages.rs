//! Pages of the proxy's own in a session's context, which clients do not see, and other state of a
//! session's contexts: visited origins, permissions, emulation. PURE.
//!
//! Chrome announces a page before the reply that names it. So while a `createTarget` of the proxy
//! is pending, new pages of the context without an opener wait: [`Mirror::concealed`] tells which
//! one is hidden, and the others are then handled as if just announced.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{CdpSessionId, ContextId, Effect, FLAVOURS, Flavour, Instant, LeaseId, Mirror};
use crate::{
    cdp::{
        emulation::{Change, Overrides},
        ids::{IdMap, TargetId},
        permission::Ruling,
        target::{Kind, TargetInfo},
    },
    port::Told,
};

/// The number of origins that are remembered per context; the oldest is forgotten.
const REMEMBERED: usize = 256;

/// Events of a page that wait until it is known whether the page is hidden.
#[derive(Debug)]
pub(super) enum Deferred {
    Created(String),
    Changed(String),
    Crashed(TargetId, String),
    Destroyed(TargetId),
    Watched(Flavour, CdpSessionId, String),
}

/// The waiting events in contexts where a page of the proxy's own is being created.
#[derive(Debug, Default)]
pub(super) struct Concealing {
    contexts: IdMap<ContextId, Vec<Deferred>>,
    /// The targets with waiting events, and their contexts.
    targets: IdMap<TargetId, ContextId>,
}

impl Concealing {
    pub(super) fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }

    /// The targets with waiting events.
    pub(super) fn targets(&self) -> impl Iterator<Item = &TargetId> {
        self.targets.keys()
    }

    /// Defers an event if a page is being created in this context.
    fn defer(&mut self, context: &ContextId, target: TargetId, event: impl FnOnce() -> Deferred) -> bool {
        let Some(deferred) = self.contexts.get_mut(context) else { return false };
        deferred.push(event());
        self.targets.insert(target, context.clone());
        true
    }

    /// Defers an event if another event of the same target already waits.
    fn defer_for(&mut self, target: &str, event: impl FnOnce(TargetId) -> Deferred) -> bool {
        let Some((target, context)) = self.targets.get_key_value(target) else { return false };
        let Some(deferred) = self.contexts.get_mut(context) else { return false };
        deferred.push(event(target.clone()));
        true
    }

    /// No page is being created in this context any more: returns its waiting events, in order.
    fn end(&mut self, context: &ContextId) -> Vec<Deferred> {
        let deferred = self.contexts.remove(context).unwrap_or_default();
        for event in &deferred {
            if let Some(target) = event.target() {
                self.targets.remove(&target);
            }
        }
        deferred
    }
}

impl Deferred {
    fn target(&self) -> Option<TargetId> {
        match self {
            Self::Created(json) | Self::Changed(json) | Self::Watched(_, _, json) => {
                TargetInfo::read(json).map(|info| info.id)
            }
            Self::Crashed(id, _) | Self::Destroyed(id) => Some(id.clone()),
        }
    }
}

/// One context of a lease.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The context.
    pub context: ContextId,
    /// Its targets that may be shown, in order of announcement: kind and Chrome's `TargetInfo`.
    pub targets: Vec<(TargetId, Kind, String)>,
    /// The web origins that its pages visited, the oldest first; and storage keys that were found
    /// to have data.
    pub origins: Vec<String>,
    /// The permissions set in it, in order.
    pub rulings: Vec<Ruling>,
    /// The emulation of its pages.
    pub overrides: HashMap<TargetId, Overrides>,
}

impl Mirror {
    /// A hidden page is about to be created in a context. Returns false if another one is being
    /// created there; this one then waits.
    pub(crate) fn conceal(&mut self, context: &ContextId) -> bool {
        let free = !self.concealing.contexts.contains_key(context);
        if free {
            self.concealing.contexts.insert(context.clone(), Vec::new());
        }
        free
    }

    /// Chrome's reply to the `createTarget` of a hidden page; no target if it refused.
    pub(crate) fn concealed(&mut self, context: &ContextId, target: Option<TargetId>, now: Instant) {
        let deferred = self.concealing.end(context);
        self.own_pages.extend(target);
        for event in deferred {
            match event {
                Deferred::Created(json) => self.on_created(&json, now),
                Deferred::Changed(json) => self.on_changed(&json),
                Deferred::Crashed(id, params) => self.on_crashed(id.as_str(), &params),
                Deferred::Destroyed(id) => self.on_destroyed(id.as_str()),
                Deferred::Watched(flavour, child, json) => {
                    // The watcher may have lost its CDP session meanwhile.
                    if let Some(info) = TargetInfo::read(&json).filter(|_| self.attachments.contains(&child)) {
                        self.on_watched(flavour, &child, &info, &json, now);
                    }
                }
            }
        }
    }

    /// A hidden page becomes a page of the session: it is shown like others, and attached for the
    /// roots that auto-attach. First the session is told its emulation.
    pub(crate) fn reveal(&mut self, page: &TargetId, emulated: Option<(CdpSessionId, Vec<Change>)>) {
        let owner = self.targets.owner(page.as_str());
        if let (Some(lease), Some((by, what))) = (owner, emulated) {
            let target = page.clone();
            self.effects.push_back(Effect::Deliver(lease, Told::Emulated { target, by, what }));
        }
        if !self.own_pages.contains(page) {
            return;
        }
        let tab = self.targets.tab_of(page).cloned();
        let mut whole: Vec<TargetId> = tab.into_iter().chain([page.clone()]).collect();
        let mut seen: HashSet<TargetId> = whole.iter().cloned().collect();
        let mut at = 0;
        while let Some(id) = whole.get(at).cloned() {
            at += 1;
            whole.extend(self.targets.parts_of(&id).filter(|part| seen.insert((*part).clone())).cloned());
        }
        for id in whole {
            self.own_pages.remove(&id);
            let Some(target) = self.targets.get_mut(&id) else { continue };
            target.presentable = target.kind.is_some_and(Kind::is_ordinary);
            self.tell_created(&id);
            self.keep_revealed(&id);
            for flavour in FLAVOURS {
                let reported = self.targets.get(id.as_str()).is_some_and(|target| target.reported[flavour as usize]);
                let wanted: Vec<(CdpSessionId, LeaseId)> =
                    self.wanted_by(flavour, &id).map(|root| (root.id.clone(), root.lease)).collect();
                for (root, lease) in wanted.into_iter().filter(|_| reported) {
                    let target = id.clone();
                    self.effects.push_back(Effect::Attach { lease, root: root.clone(), target: target.clone() });
                    self.expected.push(root, target, false);
                }
            }
        }
    }

    /// The contexts of a lease, with their present and past content.
    pub(crate) fn survey(&self, lease: LeaseId) -> Vec<Surveyed> {
        let surveyed = self.targets.contexts_of(lease).map(|context| {
            let mut targets: Vec<_> =
                self.targets.in_context(context).filter(|(_, target)| target.presentable).collect();
            targets.sort_unstable_by_key(|(_, target)| target.number);
            let shown = |kind: Option<Kind>| kind.unwrap_or(Kind::Other);
            Surveyed {
                context: context.clone(),
                overrides: targets
                    .iter()
                    .filter(|(_, target)| !target.overrides.is_empty())
                    .map(|(id, target)| ((*id).clone(), target.overrides.clone()))
                    .collect(),
                targets: targets
                    .into_iter()
                    .map(|(id, target)| (id.clone(), shown(target.kind), target.info.clone()))
                    .collect(),
                origins: self.origins.get(context).into_iter().flatten().cloned().collect(),
                rulings: self.rulings.get(context).map(|rulings| rulings.all().to_vec()).unwrap_or_default(),
            }
        });
        surveyed.collect()
    }

    /// Records where a target is. Hidden pages visit any origin, which is not recorded for the
    /// session.
    pub(super) fn remember(&mut self, info: &TargetInfo) {
        let owned = |context: &&ContextId| self.targets.owner_of(Some(context)).is_some();
        let Some(context) = info.context.as_ref().filter(owned) else { return };
        if let Some(origin) = origin_of(&info.url).filter(|_| !self.own_pages.contains(&info.id)) {
            let context = context.clone();
            self.remember_origin(&context, origin);
        }
    }

    /// Records an origin, or the storage key of a partition of one, where a session has stored
    /// data.
    pub(crate) fn remember_origin(&mut self, context: &ContextId, origin: &str) {
        if self.targets.owner_of(Some(context)).is_none() {
            return;
        }
        let seen: &mut VecDeque<String> = self.origins.entry(context.clone()).or_default();
        if seen.back().is_some_and(|last| last == origin) {
            return;
        }
        seen.retain(|other| other != origin);
        seen.push_back(origin.to_owned());
        if seen.len() > REMEMBERED {
            seen.pop_front();
        }
    }

    /// Permissions of a context were granted, denied or reset.
    pub(crate) fn rule(&mut self, context: &ContextId, ruling: Ruling) {
        if self.targets.owner_of(Some(context)).is_some() {
            self.rulings.entry(context.clone()).or_default().note(ruling);
        }
    }

    /// A page's emulation was set or cleared.
    pub(crate) fn emulate(&mut self, page: &TargetId, change: Change) {
        if let Some(target) = self.targets.get_mut(page) {
            target.overrides.note(change);
        }
    }

    /// Defers an event that may be about a hidden page. Only pages without an opener are hidden,
    /// and their tabs.
    pub(super) fn defer(&mut self, info: &TargetInfo, event: impl FnOnce() -> Deferred) -> bool {
        if self.concealing.is_empty() || info.opener.is_some() || self.targets.contains(&info.id) {
            return false;
        }
        let is_page = matches!(self.extensions.kind_of(info), Kind::Tab | Kind::Page | Kind::Other);
        let Some(context) = info.context.as_ref().filter(|_| is_page) else { return false };
        self.concealing.defer(context, info.id.clone(), event)
    }

    /// As [`Mirror::defer`], for an event with nothing but the id of its target.
    pub(super) fn defer_for(&mut self, id: &str, event: impl FnOnce(TargetId) -> Deferred) -> bool {
        self.concealing.defer_for(id, event)
    }
}

/// The origin of a URL in Chrome's spelling in a `TargetInfo`; `None` for a URL that is not on the
/// web.
fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty() && !host.contains('@'))?;
    matches!(scheme, "http" | "https").then(|| &url[..scheme.len() + 3 + host.len()])
}
