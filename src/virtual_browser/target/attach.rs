//! Attaches clients to targets, within the limits of a session, and tells them of CDP sessions that begin or end.

use super::{Asked, NO_TARGET};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, TargetId},
        json_object::JsonObject,
        target::Kind,
    },
    close_reason::CloseReason,
    port::Settle,
    virtual_browser::{Action, Attaching, Pending, VirtualBrowser, cdp_session::Cdp},
};

/// Deepest nesting of CDP sessions, each attached on the one before. They end recursively, in Chrome and in the proxy.
const MOST_DEEP: usize = 32;

impl VirtualBrowser {
    /// Whether one more CDP session may be attached; if not, the client gets an error.
    fn may_attach(&mut self, asked: &Asked<'_>, method: &str) -> bool {
        if self.is_deepest(asked.on) {
            let error = format!(
                "'{method}' is refused: CDP sessions may be attached {MOST_DEEP} deep, each on the one before; attach on another one"
            );
            self.refuse(asked.on, asked.id, &CdpError::server(error));
            return false;
        }
        if self.is_full() {
            self.refuse_full(asked, method);
            return false;
        }
        true
    }

    pub(in crate::virtual_browser) fn attach_to_target(&mut self, mut asked: Asked<'_>) {
        if !self.may_attach(&asked, "Target.attachToTarget") {
            return;
        }
        let Some(target) = asked.params.string("targetId") else {
            return self.let_chrome_refuse(&asked, "Target.attachToTarget");
        };
        if target == self.scope.browser.as_str() {
            return self.attach_to_browser(&asked);
        }
        let Some((target, _)) = self.scope.targets.get_key_value(target.as_str()) else {
            return self.scope.fail(asked.on, asked.id, &NO_TARGET);
        };
        let target = target.clone();
        let flatten = asked.params.get("flatten").map(str::to_owned);
        let flat = flatten.as_deref() == Some("true");
        if flatten.is_none_or(|json| json == "false") {
            asked.params.set_raw("flatten", "true");
        }
        let pending = Pending::Attach(asked.on.clone(), asked.id);
        let settle = Settle::Attach(target.clone());
        self.attaching.push_back(Attaching { tag: self.last_tag + 1, on: asked.on.clone(), target, flat });
        self.call(asked.on.clone(), "Target.attachToTarget", asked.params.to_string(), settle, pending);
    }

    pub(in crate::virtual_browser) fn attach_to_browser_target(&mut self, asked: &Asked<'_>) {
        if !self.may_attach(asked, "Target.attachToBrowserTarget") {
            return;
        }
        if !asked.root {
            return self.scope.fail(asked.on, asked.id, &CdpError::NOT_ALLOWED);
        }
        self.attach_to_browser(asked);
    }

    /// A further virtual root: a browser-level CDP session below the view's own.
    fn attach_to_browser(&mut self, asked: &Asked<'_>) {
        let Some(to) = self.root_of(asked.on) else { return };
        let is_root = |target: &TargetId| *target == self.scope.browser;
        let coming = self.attaching.iter().filter(|attach| is_root(&attach.target)).count();
        if coming + self.scope.sessions.iter().filter(|(_, cdp)| cdp.is_root()).count() >= self.limits.roots {
            let error = format!(
                "'Target.attachToBrowserTarget' is refused: this session has {} CDP sessions on the browser, which is all that \
                 max_roots allows; detach from one first",
                self.limits.roots
            );
            return self.refuse(asked.on, asked.id, &CdpError::server(error));
        }
        let target = self.scope.browser.clone();
        self.attaching.push_back(Attaching { tag: self.last_tag + 1, on: asked.on.clone(), target, flat: true });
        if asked.root {
            self.forward(asked.on, asked.on.clone(), asked.id, "Target.attachToBrowserTarget", "{}".to_owned());
        } else {
            // For a page's `attachToTarget`: the new CDP session is announced on the root, through which it is attached.
            self.forward(asked.on, to, asked.id, "Target.attachToBrowserTarget", "{}".to_owned());
        }
    }

    /// The number of CDP sessions, including those that are being attached.
    pub(super) fn cdp_sessions(&self) -> usize {
        self.scope.sessions.len() + self.attaching.len()
    }

    fn is_full(&self) -> bool {
        self.cdp_sessions() >= self.limits.all
    }

    pub(super) fn refuse_full(&mut self, asked: &Asked<'_>, method: &str) {
        let most = self.limits.all;
        let error = format!(
            "'{method}' is refused: this session has {} CDP sessions, and {} allows {most}; detach from some first",
            self.cdp_sessions(),
            self.limits.all_named
        );
        self.refuse(asked.on, asked.id, &CdpError::server(error));
    }

    /// Whether this CDP session is at the deepest level, so that nothing may be attached on it.
    fn is_deepest(&self, on: &CdpSessionId) -> bool {
        let above = |cdp: &&Cdp| cdp.parent.as_ref().and_then(|parent| self.scope.sessions.get(parent));
        std::iter::successors(self.scope.sessions.get(on), above).count() > MOST_DEEP
    }

    pub(in crate::virtual_browser) fn on_attached(
        &mut self,
        parent: &CdpSessionId,
        child: CdpSessionId,
        target: &TargetId,
        info: &str,
        waiting: bool,
    ) {
        let (Some(view), Some(above)) = (self.scope.sessions.view(parent), self.scope.sessions.get(parent)) else {
            // The parent was never announced: it belongs to a client that has left, or to the proxy.
            return self.on_attached_below(parent, child);
        };
        // The page of a page socket is known already; its client gets no event.
        if self.scope.sessions.contains_key(&child) {
            return;
        }
        let (inherits, on_root) = (above.children_not_flat, above.is_root());
        let kind = Kind::from_type(&JsonObject::read(info).and_then(|info| info.string("type")).unwrap_or_default());
        if kind == Kind::Browser {
            let browser = self.scope.browser.clone();
            let cdp = Cdp::new(Some(parent.clone()), browser, Kind::Browser, true);
            self.scope.sessions.announce(child.clone(), view, cdp);
            let info = self.scope.browser_info();
            return self.announce(parent, &child, &info, waiting);
        }
        let asked = self.attaching.iter().position(|attach| attach.on == *parent && attach.target == *target);
        let below = asked.is_none() && !on_root;
        let flat = asked.and_then(|at| self.attaching.remove(at)).map_or(!inherits, |attach| attach.flat);
        if !self.scope.targets.contains_key(target) || self.scope.sessions.len() >= self.limits.all {
            // The target is hidden, or the number of CDP sessions is above the limit: it is detached, and the target runs.
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Detach(tag, child));
            return;
        }
        let mut cdp = Cdp::new(Some(parent.clone()), target.clone(), kind, flat);
        cdp.below = below;
        cdp.of_calls = self.is_of_calls(view);
        let of_calls = cdp.of_calls;
        self.scope.sessions.announce(child.clone(), view, cdp);
        if !of_calls {
            // As in Chrome, the target's info changes before the attach event.
            self.scope.mark_attached(target);
        }
        self.announce(parent, &child, info, waiting);
    }

    fn announce(&mut self, parent: &CdpSessionId, child: &CdpSessionId, info: &str, waiting: bool) {
        let params = format!(r#"{{"sessionId":"{child}","targetInfo":{info},"waitingForDebugger":{waiting}}}"#);
        self.scope.event(parent, "Target.attachedToTarget", &params);
    }

    pub(in crate::virtual_browser) fn on_detached(
        &mut self,
        parent: &CdpSessionId,
        child: &CdpSessionId,
        target: &TargetId,
        below: &[CdpSessionId],
    ) {
        // No client was told that it began.
        if !self.scope.sessions.contains_key(child) {
            self.dialog_guards.lost(child);
            self.emulators.lost(child);
            return;
        }
        let params = format!(r#"{{"sessionId":"{child}","targetId":"{target}"}}"#);
        self.scope.event(parent, "Target.detachedFromTarget", &params);
        for gone in below.iter().chain([child]) {
            // Every command of a client gets a reply.
            let in_flight = self.scope.sessions.get_mut(gone).map(|cdp| cdp.in_flight.take()).unwrap_or_default();
            for id in in_flight {
                self.scope.fail(gone, id, &CdpError::NO_SESSION);
            }
            let (Some(view), Some(cdp)) = (self.scope.sessions.view(gone), self.scope.sessions.get(gone)) else {
                continue;
            };
            let target = cdp.target.clone();
            let was_home = self.scope.sessions.home(view) == Some(gone);
            self.scope.sessions.withdraw(gone);
            self.listeners.forget(gone);
            self.emulators.lost(gone);
            self.forget_certificates(gone);
            if self.tracing.as_ref() == Some(gone) {
                self.tracing = None;
                self.actions.push(Action::Unclaim);
            }
            self.scope.tell(&target);
            if was_home {
                self.settle_frames();
                self.actions.push(Action::Close(view, CloseReason::Bye("the page is gone")));
            }
        }
    }
}
