//! The emulation of pages. In Chrome an emulation belongs to the CDP session that set it; the mirror records it for
//! snapshots.
//!
//! For a page that was restored from a snapshot, a CDP session of the proxy sets the saved emulation; another one may set
//! that of the launch options. Chrome refuses a second time zone or locale, and a client's viewport replaces another's (*measured*): so before a client sets or clears
//! an emulation, the proxy clears its own.

use std::collections::HashMap;

use super::{
    Pending, VirtualBrowser,
    claims::{Claim, of_change},
};
use crate::{
    cdp::{
        emulation::{Aspect, Change},
        ids::{CallId, CdpSessionId, TargetId},
        target::Kind,
    },
    port::Settle,
};

/// The CDP sessions on which the proxy has set an emulation. No two on one page have set the same aspect.
#[derive(Debug, Default)]
pub(super) struct Emulators(HashMap<TargetId, Vec<Emulator>>);

#[derive(Debug)]
struct Emulator {
    session: CdpSessionId,
    what: Vec<Change>,
    /// Whether the CDP session is kept when nothing of it is left.
    stays: bool,
}

impl Emulators {
    pub(super) fn note(&mut self, page: TargetId, session: CdpSessionId, what: Vec<Change>, stays: bool) {
        self.0.entry(page).or_default().push(Emulator { session, what, stays });
    }

    /// A call of REST sets an aspect on its CDP session, which stays.
    pub(super) fn keep(&mut self, page: TargetId, session: &CdpSessionId, change: Change) {
        let emulators = self.0.entry(page).or_default();
        match emulators.iter_mut().find(|emulator| emulator.session == *session) {
            Some(emulator) => emulator.what.push(change),
            None => emulators.push(Emulator { session: session.clone(), what: vec![change], stays: true }),
        }
    }

    /// The device pixel ratio that they have set for a page.
    pub(super) fn device_scale(&self, page: &TargetId) -> Option<f64> {
        self.0.get(page)?.iter().flat_map(|emulator| &emulator.what).find_map(Change::device_scale)
    }

    /// The CDP session on which the proxy has set an aspect of a page.
    pub(super) fn of(&self, page: &TargetId, what: Aspect) -> Option<&CdpSessionId> {
        let has_set = |emulator: &&Emulator| emulator.what.iter().any(|own| own.aspect() == what);
        self.0.get(page)?.iter().find(has_set).map(|emulator| &emulator.session)
    }

    /// A page was destroyed.
    pub(super) fn forget(&mut self, page: &TargetId) {
        self.0.remove(page);
    }

    /// One of the CDP sessions has ended, for whatever reason.
    pub(super) fn lost(&mut self, session: &CdpSessionId) {
        self.0.retain(|_, emulators| {
            emulators.retain(|emulator| emulator.session != *session);
            !emulators.is_empty()
        });
    }
}

#[cfg(test)]
impl Emulators {
    pub(super) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

impl VirtualBrowser {
    /// Sends a client's command that changes the emulation of a page, so that the change is recorded. Returns false if the
    /// command is none.
    pub(super) fn emulate(&mut self, on: &CdpSessionId, id: CallId, method: &str, params: &str) -> bool {
        let Some(change) = Change::read(method, params) else { return false };
        let Some(cdp) = self.scope.sessions.get_mut(on) else { return false };
        let scale = change.device_scale();
        if let Some(scale) = scale {
            cdp.device_scale.ask(scale);
            self.pictures.on_resizing();
        }
        if cdp.kind != Kind::Page {
            return false;
        }
        let page = cdp.target.clone();
        let of_calls = cdp.of_calls;
        self.give_up(&page, change.aspect());
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            let (claim, has) = of_change(&change);
            cdp.claims.set(claim, has);
        }
        if of_calls && change.is_set() {
            self.emulators.keep(page.clone(), on, change.clone());
        }
        let pending = match scale {
            Some(scale) => Pending::Scale(on.clone(), id, scale),
            None => Pending::Forward(on.clone(), id),
        };
        self.call(on.clone(), method, params.to_owned(), Settle::Emulate(page, change), pending);
        true
    }

    /// Clears an emulation that the proxy has set.
    fn give_up(&mut self, page: &TargetId, what: Aspect) {
        let Some(emulators) = self.emulators.0.get_mut(page) else { return };
        let find = |emulator: &Emulator| emulator.what.iter().position(|own| own.aspect() == what);
        let Some((at, emulator)) = emulators.iter_mut().find_map(|emulator| Some((find(emulator)?, emulator))) else {
            return;
        };
        emulator.what.swap_remove(at);
        let (session, over) = (emulator.session.clone(), emulator.what.is_empty());
        let detaches = over && !emulator.stays;
        let cdp = self.scope.sessions.get_mut(&session);
        let is_of_calls = cdp.is_some_and(|cdp| {
            cdp.claims.set(Claim::Emulation(what), false);
            cdp.of_calls
        });
        let (method, params) = match what {
            // Its domain has other uses there.
            Aspect::Headers if is_of_calls => (what.method(), r#"{"headers":{}}"#),
            _ => what.end(),
        };
        self.call(session.clone(), method, params.to_owned(), Settle::Plain, Pending::Nobody);
        if over {
            self.emulators.lost(&session);
        }
        if detaches {
            self.detach_own(Some(session));
        }
    }
}
