//! Pages on which certificate errors are ignored because their session's clients want that of all its pages. PURE.
//!
//! In Chrome the browser-level command holds for every context, the page-level one for as long as the CDP session that
//! sent it. So the proxy keeps a CDP session on each page of such a session: the page watcher's, which had the page
//! paused when it began, or one attached for that.

use std::collections::{HashMap, HashSet};

use super::{CdpSessionId, Effect, Flavour, LeaseId, Mirror};
use crate::cdp::{ids::TargetId, target::Kind};

/// The command, page-level.
const METHOD: &str = "Security.setIgnoreCertificateErrors";

/// Which sessions want it, and the CDP sessions by which the proxy does it.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    leases: HashSet<LeaseId>,
    keepers: HashMap<TargetId, CdpSessionId>,
}

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

    /// Whether the proxy ignores the errors of a page by this CDP session.
    pub(super) fn keeps(&self, page: &TargetId, session: &CdpSessionId) -> bool {
        self.keepers.get(page) == Some(session)
    }
}

#[cfg(test)]
impl Certificates {
    pub(super) fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.keepers.is_empty()
    }
}

impl Mirror {
    /// A session ignores certificate errors from now on, or does so no more. Returns the pages of it that the link is to
    /// attach to for [`Mirror::ignore_on`].
    pub(crate) fn ignore_certificate_errors(&mut self, lease: LeaseId, ignore: bool) -> Vec<TargetId> {
        let pages: Vec<TargetId> = self.targets.of_lease(lease).map(|(page, _)| page.clone()).collect();
        if ignore {
            self.certificates.leases.insert(lease);
            return pages.into_iter().filter(|page| self.lacks_keeper(page) && !self.keep_held(page)).collect();
        }
        self.certificates.leases.remove(&lease);
        for page in pages {
            let Some(session) = self.certificates.keepers.remove(&page) else { continue };
            if self.holds(&page) == Some(&session) {
                self.send_ignore(lease, &session, false);
            } else {
                self.detach_keeper(lease, &session);
            }
        }
        Vec::new()
    }

    /// Ignores the certificate errors of a page by a CDP session that the link attached for that. False if they are not
    /// to be ignored any more, or are already: the CDP session is detached.
    pub(crate) fn ignore_on(&mut self, lease: LeaseId, page: &TargetId, session: &CdpSessionId) -> bool {
        if self.targets.owner(page.as_str()) != Some(lease) || !self.lacks_keeper(page) {
            self.detach_keeper(lease, session);
            return false;
        }
        self.certificates.keepers.insert(page.clone(), session.clone());
        true
    }

    /// A new page that the page watcher holds paused: if its session ignores certificate errors, so does the page from
    /// its first request.
    pub(super) fn keep_held(&mut self, page: &TargetId) -> bool {
        if !self.lacks_keeper(page) {
            return false;
        }
        let (Some(session), Some(lease)) = (self.holds(page).cloned(), self.targets.owner(page.as_str())) else {
            return false;
        };
        self.send_ignore(lease, &session, true);
        self.certificates.keepers.insert(page.clone(), session);
        true
    }

    /// A hidden page has become one of its session's.
    pub(super) fn keep_revealed(&mut self, page: &TargetId) {
        if let Some(lease) = self.targets.owner(page.as_str()).filter(|_| self.lacks_keeper(page)) {
            self.effects.push_back(Effect::IgnoreCertificateErrors { lease, page: page.clone() });
        }
    }

    /// A lease is over.
    pub(super) fn release_keepers(&mut self, lease: LeaseId, targets: &[TargetId]) {
        if self.certificates.leases.remove(&lease) {
            for target in targets {
                self.certificates.forget(target);
            }
        }
    }

    /// Whether a page's certificate errors are to be ignored, and are not yet.
    fn lacks_keeper(&self, page: &TargetId) -> bool {
        let Some(target) = self.targets.get(page.as_str()) else { return false };
        let wants =
            self.targets.owner_of(target.context()).is_some_and(|lease| self.certificates.leases.contains(&lease));
        wants
            && target.kind == Some(Kind::Page)
            && !self.own_pages.contains(page)
            && !self.certificates.keepers.contains_key(page)
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
