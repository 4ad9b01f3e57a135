//! Pages of the proxy's own in a session's context, which clients do not see, and other state of a
//! session's contexts: visited origins, permissions, emulation. PURE.
//!
//! Chrome announces a page before the reply that names it. So while a `createTarget` of the proxy
//! is pending, new pages of the context without an opener wait: [`Plain::concealed`] tells which
//! one is hidden, and the others are then handled as if just announced.

use std::collections::VecDeque;

use super::{
    CdpSessionId, ContextId, Effect, Expected, FLAVOURS, Flavour, Instant, LeaseId, Plain, Surveyed, shown_kind,
};
use crate::{
    cdp::{
        emulation::Change,
        ids::TargetId,
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

impl Plain {
    /// A hidden page is about to be created in a context. Returns false if another one is being
    /// created there; this one then waits.
    pub(in crate::browser::mirror::tests) fn conceal(&mut self, context: &ContextId) -> bool {
        let free = !self.concealing.contains_key(context);
        if free {
            self.concealing.insert(context.clone(), Vec::new());
        }
        free
    }

    /// Chrome's reply to the `createTarget` of a hidden page; no target if it refused.
    pub(in crate::browser::mirror::tests) fn concealed(
        &mut self,
        context: &ContextId,
        target: Option<TargetId>,
        now: Instant,
    ) {
        let deferred = self.concealing.remove(context).unwrap_or_default();
        self.own_pages.extend(target);
        for event in deferred {
            match event {
                Deferred::Created(json) => self.on_created(&json, now),
                Deferred::Changed(json) => self.on_changed(&json),
                Deferred::Crashed(id, params) => self.on_crashed(id.as_str(), &params),
                Deferred::Destroyed(id) => self.on_destroyed(id.as_str()),
                Deferred::Watched(flavour, child, json) => {
                    // The watcher may have lost its CDP session meanwhile.
                    if let Some(info) = TargetInfo::read(&json).filter(|_| self.attachments.contains_key(&child)) {
                        self.on_watched(flavour, &child, &info, &json, now);
                    }
                }
            }
        }
    }

    /// A hidden page becomes a page of the session: it is shown like others, and attached for the
    /// roots that auto-attach. First the session is told its emulation.
    pub(in crate::browser::mirror::tests) fn reveal(
        &mut self,
        page: &TargetId,
        emulated: Option<(CdpSessionId, Vec<Change>)>,
    ) {
        let owner = self.targets.get(page).and_then(|target| self.context_owner(target.context.as_ref()));
        if let (Some(lease), Some((by, what))) = (owner, emulated) {
            let target = page.clone();
            self.effects.push_back(Effect::Deliver(lease, Told::Emulated { target, by, what }));
        }
        if !self.own_pages.contains(page) {
            return;
        }
        let tab = self.targets.iter().find(|(_, target)| target.page.as_ref() == Some(page)).map(|(id, _)| id.clone());
        let mut whole: Vec<TargetId> = tab.into_iter().chain([page.clone()]).collect();
        let mut at = 0;
        while let Some(id) = whole.get(at).cloned() {
            at += 1;
            let mut parts: Vec<TargetId> = self
                .targets
                .iter()
                .filter(|(part, target)| target.parent.as_ref() == Some(&id) && !whole.contains(part))
                .map(|(part, _)| part.clone())
                .collect();
            parts.sort_unstable();
            whole.extend(parts);
        }
        for id in whole {
            self.own_pages.remove(&id);
            let Some(target) = self.targets.get_mut(&id) else { continue };
            target.presentable = target.kind.is_some_and(Kind::is_ordinary);
            self.tell_created(&id);
            for flavour in FLAVOURS {
                let reported = self.targets.get(&id).is_some_and(|target| target.reported[flavour as usize]);
                let wanted: Vec<(CdpSessionId, LeaseId)> =
                    self.wanted_by(flavour, &id).map(|root| (root.id.clone(), root.lease)).collect();
                for (root, lease) in wanted.into_iter().filter(|_| reported) {
                    let target = id.clone();
                    self.effects.push_back(Effect::Attach { lease, root: root.clone(), target: target.clone() });
                    self.expected.push(Expected { root, target, waiting: false, unwanted: false });
                }
            }
        }
    }

    /// The contexts of a lease, with their present and past content.
    pub(in crate::browser::mirror::tests) fn survey(&self, lease: LeaseId) -> Vec<Surveyed> {
        let mut contexts: Vec<&ContextId> =
            self.contexts.iter().filter(|(_, owner)| **owner == lease).map(|(context, _)| context).collect();
        contexts.sort_unstable();
        let surveyed = contexts.into_iter().map(|context| {
            let mut targets: Vec<_> = self
                .targets
                .iter()
                .filter(|(_, target)| target.presentable && target.context.as_ref() == Some(context))
                .collect();
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
    pub(in crate::browser::mirror::tests) fn remember(&mut self, info: &TargetInfo) {
        let Some(context) = info.context.as_ref().filter(|context| self.contexts.contains_key(*context)) else {
            return;
        };
        if let Some(origin) = origin_of(&info.url).filter(|_| !self.own_pages.contains(&info.id)) {
            let context = context.clone();
            self.remember_origin(&context, origin);
        }
    }

    /// Records an origin, or the storage key of a partition of one, where a session has stored
    /// data.
    pub(in crate::browser::mirror::tests) fn remember_origin(&mut self, context: &ContextId, origin: &str) {
        if !self.contexts.contains_key(context) {
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

    /// Defers an event that may be about a hidden page. Only pages without an opener are hidden,
    /// and their tabs.
    pub(super) fn defer(&mut self, info: &TargetInfo, event: impl FnOnce() -> Deferred) -> bool {
        if self.concealing.is_empty() || info.opener.is_some() || self.targets.contains_key(&info.id) {
            return false;
        }
        let is_page = matches!(shown_kind(info), Kind::Tab | Kind::Page | Kind::Other);
        match info.context.as_ref().and_then(|context| self.concealing.get_mut(context)) {
            Some(deferred) if is_page => deferred.push(event()),
            _ => return false,
        }
        true
    }

    /// As [`Plain::defer`], for an event with nothing but the id of its target.
    pub(super) fn defer_for(&mut self, id: &str, event: impl FnOnce(TargetId) -> Deferred) -> bool {
        for deferred in self.concealing.values_mut() {
            if let Some(known) = deferred.iter().filter_map(Deferred::target).find(|known| known.as_str() == id) {
                deferred.push(event(known));
                return true;
            }
        }
        false
    }
}

/// The origin of a URL in Chrome's spelling in a `TargetInfo`; `None` for a URL that is not on the
/// web.
fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty() && !host.contains('@'))?;
    matches!(scheme, "http" | "https").then(|| &url[..scheme.len() + 3 + host.len()])
}
