//! Who owns what of a page when its clients and calls of REST meet.
//!
//! Of some things Chrome has one per page: the last viewport counts, a second time zone is refused, a request that is
//! intercepted twice waits twice. What a client has set is the client's: a call that would change it is refused. What a call
//! has set is cleared as soon as a client sets its own (here and in `emulation.rs`), as if the call had never been.

use super::{
    Pending, ViewId, VirtualBrowser,
    cdp_session::Cdp,
    claims::{Claim, Claims, changes},
};
use crate::{
    cdp::{
        emulation::Aspect,
        ids::{CdpSessionId, TargetId},
        message::Command,
    },
    port::Settle,
};

impl VirtualBrowser {
    /// Sends a command that claims a part of the page for its sender.
    pub(super) fn claim(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) {
        let changes = changes(command.method(), command.params());
        let Some(cdp) = self.scope.sessions.get_mut(on) else { return };
        for (claim, has) in &changes {
            cdp.claims.set(*claim, *has);
        }
        if !cdp.of_calls {
            let page = cdp.target.clone();
            for (claim, _) in changes {
                self.take_from_calls(&page, claim);
            }
        }
        self.pass(on, command, as_it_is);
    }

    /// A client changes what a call may have set: that ends.
    fn take_from_calls(&mut self, page: &TargetId, claim: Claim) {
        let Some((method, params)) = claim.end() else { return };
        let is_it = |cdp: &Cdp| cdp.of_calls && cdp.target == *page && cdp.claims.has(claim);
        let Some(of_calls) = self.scope.sessions.iter().find(|(_, cdp)| is_it(cdp)).map(|(on, _)| on.clone()) else {
            return;
        };
        if let Some(cdp) = self.scope.sessions.get_mut(&of_calls) {
            cdp.claims.set(claim, false);
        }
        self.call(of_calls, method, params.to_owned(), Settle::Plain, Pending::Nobody);
    }

    /// Whether a view has no client: it is that of calls.
    pub(super) fn is_of_calls(&self, view: ViewId) -> bool {
        self.views.get(&view).is_some_and(|view| !view.tends_pages)
    }

    /// Whether this CDP session is announced to a view.
    pub fn has_cdp_session(&self, on: &CdpSessionId) -> bool {
        self.scope.sessions.contains_key(on)
    }

    /// What the clients of a page have claimed.
    pub fn claims(&self, page: &TargetId) -> Claims {
        let of_clients = self.scope.sessions.iter().filter(|(_, cdp)| cdp.target == *page && !cdp.of_calls);
        of_clients.fold(Claims::default(), |all, (_, cdp)| all.and(cdp.claims))
    }

    /// What a call would change with this command although a client has claimed it.
    pub fn conflict(&self, page: &TargetId, method: &str, params: &str) -> Option<Claim> {
        let emulation = Aspect::of(method).map(Claim::Emulation);
        let wanted: Vec<Claim> =
            emulation.into_iter().chain(changes(method, params).into_iter().map(|(claim, _)| claim)).collect();
        if wanted.is_empty() {
            return None;
        }
        let claims = self.claims(page);
        wanted.into_iter().find(|claim| claims.has(*claim))
    }
}
