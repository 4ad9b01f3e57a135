//! What the proxy itself sets for the pages of a session: certificate errors that are ignored because its clients want that
//! of all its pages, and what its launch options say (the page setup). PURE.
//!
//! In Chrome the browser-level command for certificates holds for every context; the page-level one, and an emulation, for
//! as long as the CDP session that sent it. So the proxy keeps a CDP session on each page of such a session: the page
//! watcher's, which had the page paused when it began, or one attached for that.

use std::{collections::HashSet, sync::Arc};

use super::{CdpSessionId, Effect, Flavour, LeaseId, Mirror};
use crate::{
    cdp::{
        emulation::Change,
        ids::{IdMap, TargetId},
        target::Kind,
    },
    port::{PageSetup, Told},
};

/// The command for certificates, page-level.
const METHOD: &str = "Security.setIgnoreCertificateErrors";

/// Which sessions want it, and the CDP sessions by which the proxy does it.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    leases: HashSet<LeaseId>,
    setups: IdMap<LeaseId, Arc<PageSetup>>,
    keepers: IdMap<TargetId, CdpSessionId>,
}

/// A command that is sent on the CDP session that the proxy keeps on a page.
pub(crate) type Command = (&'static str, String);

impl Certificates {
    /// A page is gone.
    pub(super) fn forget(&mut self, page: &TargetId) {
        self.keepers.remove(page);
    }

    /// A CDP session on a page is gone.
    pub(super) fn lost(&mut self, page: &TargetId, session: &CdpSessionId) {
        if self.keepers.get(page) == Some(session) {
            self.keepers.remove(page);
        }
    }

    /// Whether the proxy keeps this CDP session on a page.
    pub(super) fn keeps(&self, page: &TargetId, session: &CdpSessionId) -> bool {
        self.keepers.get(page) == Some(session)
    }

    /// Whether a session's launch options say that certificate errors are ignored.
    fn always_ignores(&self, lease: LeaseId) -> bool {
        self.setups.get(&lease).is_some_and(|setup| setup.ignore_certificate_errors)
    }
}

#[cfg(test)]
impl Certificates {
    pub(super) fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.setups.is_empty() && self.keepers.is_empty()
    }
}

impl Mirror {
    /// Each page of a session is set up like this from now on, before it runs. Returns the pages of it that the link is to
    /// attach to for [`Mirror::keep_on`]. Called once for a session, before it has clients.
    pub(crate) fn set_up(&mut self, lease: LeaseId, setup: Arc<PageSetup>) -> Vec<TargetId> {
        self.certificates.setups.insert(lease, setup);
        self.lacking(lease)
    }

    /// A session ignores certificate errors from now on, or does so no more. Returns the pages of it that the link is to
    /// attach to for [`Mirror::keep_on`].
    pub(crate) fn ignore_certificate_errors(&mut self, lease: LeaseId, ignore: bool) -> Vec<TargetId> {
        let leases = &mut self.certificates.leases;
        let is_new = if ignore { leases.insert(lease) } else { leases.remove(&lease) };
        if self.certificates.setups.contains_key(&lease) {
            // Each page has a CDP session, which stays.
            if is_new && !self.certificates.always_ignores(lease) {
                for session in self.kept(lease).into_iter().map(|(_, session)| session) {
                    self.send_ignore(lease, &session, ignore);
                }
            }
            return if ignore { self.lacking(lease) } else { Vec::new() };
        }
        if ignore {
            return self.lacking(lease);
        }
        for (page, session) in self.kept(lease) {
            self.certificates.keepers.remove(&page);
            if self.holds(&page) == Some(&session) {
                self.send_ignore(lease, &session, false);
            } else {
                self.detach_keeper(lease, &session);
            }
        }
        Vec::new()
    }

    /// Keeps a CDP session on a page that the link attached for that. Returns the commands that are sent on it; none if it
    /// is not needed any more, or there is one already: then it is detached.
    pub(crate) fn keep_on(&mut self, lease: LeaseId, page: &TargetId, session: &CdpSessionId) -> Vec<Command> {
        if self.targets.owner(page.as_str()) != Some(lease) || !self.lacks_keeper(page) {
            self.detach_keeper(lease, session);
            return Vec::new();
        }
        self.keep(lease, page, session)
    }

    /// A new page that the page watcher holds paused: it is set up before its first request.
    pub(super) fn keep_held(&mut self, page: &TargetId) -> bool {
        if !self.lacks_keeper(page) {
            return false;
        }
        let (Some(session), Some(lease)) = (self.holds(page).cloned(), self.targets.owner(page.as_str())) else {
            return false;
        };
        for (method, params) in self.keep(lease, page, &session) {
            self.effects.push_back(Effect::Send { lease: Some(lease), on: session.clone(), method, params });
        }
        true
    }

    /// A hidden page has become one of its session's.
    pub(super) fn keep_revealed(&mut self, page: &TargetId) {
        if let Some(lease) = self.targets.owner(page.as_str()).filter(|_| self.lacks_keeper(page)) {
            self.effects.push_back(Effect::KeepOn { lease, page: page.clone() });
        }
    }

    /// A lease is over.
    pub(super) fn release_keepers(&mut self, lease: LeaseId, targets: &[TargetId]) {
        let (ignores, has_setup) =
            (self.certificates.leases.remove(&lease), self.certificates.setups.remove(&lease).is_some());
        if ignores || has_setup {
            for target in targets {
                self.certificates.forget(target);
            }
        }
    }

    /// The pages of a session that have a CDP session of the proxy's, with it.
    fn kept(&self, lease: LeaseId) -> Vec<(TargetId, CdpSessionId)> {
        let keeper = |page: &TargetId| Some((page.clone(), self.certificates.keepers.get(page)?.clone()));
        let mut kept: Vec<_> = self.targets.of_lease(lease).filter_map(|(page, _)| keeper(page)).collect();
        kept.sort_unstable();
        kept
    }

    /// The pages of a session that the link is to attach to; those that are held are set up at once.
    fn lacking(&mut self, lease: LeaseId) -> Vec<TargetId> {
        let pages: Vec<TargetId> = self.targets.of_lease(lease).map(|(page, _)| page.clone()).collect();
        pages.into_iter().filter(|page| self.lacks_keeper(page) && !self.keep_held(page)).collect()
    }

    /// Whether a page is to have a CDP session of the proxy's, and has none yet.
    fn lacks_keeper(&self, page: &TargetId) -> bool {
        let Some(target) = self.targets.get(page.as_str()) else { return false };
        let wants =
            self.targets.owner_of(target.context()).is_some_and(|lease| self.certificates.leases.contains(&lease));
        let has_setup =
            self.targets.owner_of(target.context()).is_some_and(|lease| self.certificates.setups.contains_key(&lease));
        (wants || has_setup)
            && target.kind == Some(Kind::Page)
            && !self.own_pages.contains(page)
            && !self.certificates.keepers.contains_key(page)
    }

    /// Notes the CDP session that is kept on a page. Returns the commands that are sent on it.
    fn keep(&mut self, lease: LeaseId, page: &TargetId, session: &CdpSessionId) -> Vec<Command> {
        self.certificates.keepers.insert(page.clone(), session.clone());
        let ignores = self.certificates.leases.contains(&lease) || self.certificates.always_ignores(lease);
        let mut commands: Vec<Command> =
            ignores.then(|| (METHOD, r#"{"ignore":true}"#.to_owned())).into_iter().collect();
        let Some(setup) = self.certificates.setups.get(&lease) else { return commands };
        // What a restored page has already is that of its clients.
        let has = |one: &Change| self.targets.get(page.as_str()).is_some_and(|page| page.overrides.has(one.aspect()));
        let mut what = Vec::new();
        for one in &setup.emulation {
            let change = Change::from(one.clone());
            if let Ok(params) = one.params()
                && !has(&change)
            {
                commands.push((one.aspect().method(), params.to_owned()));
                what.push(change);
            }
        }
        if !what.is_empty() {
            let told = Told::SetUp { target: page.clone(), by: session.clone(), what };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
        commands
    }

    /// The page watcher's CDP session that holds a page.
    fn holds(&self, page: &TargetId) -> Option<&CdpSessionId> {
        self.targets.get(page.as_str())?.held[Flavour::Page as usize].as_ref()
    }

    fn send_ignore(&mut self, lease: LeaseId, on: &CdpSessionId, ignore: bool) {
        let params = format!(r#"{{"ignore":{ignore}}}"#);
        self.effects.push_back(Effect::Send { lease: Some(lease), on: on.clone(), method: METHOD, params });
    }

    fn detach_keeper(&mut self, lease: LeaseId, session: &CdpSessionId) {
        let parent = self.attachments.get(session.as_str()).and_then(|attachment| attachment.parent.clone());
        let Some(on) = parent else { return };
        let params = format!(r#"{{"sessionId":"{session}"}}"#);
        self.effects.push_back(Effect::Send { lease: Some(lease), on, method: "Target.detachFromTarget", params });
    }
}
