//! Handles a client that leaves a session which continues, and guards pages without a client against dialogs.
//!
//! The client's pauses and interceptions must not block a page. They end with its CDP sessions, if paused targets are
//! resumed before, and no new target is paused meanwhile. The proxy waits for the replies: a worker whose resume is in
//! flight when the CDP session of its page ends stays paused for ever in most cases (*measured*).
//! Interceptions are disabled first, because Chrome answers a page's `Target.setAutoAttach` only when an intercepted
//! navigation has continued (*measured* with Puppeteer: 20 ms instead of 5 s, after which the proxy stopped waiting).
//! In a full Chrome, a page with an open dialog and without a CDP session hangs (*measured*). So the client's dialogs are
//! dismissed on its CDP sessions. Before these are detached, each page without another client gets a dialog guard: a CDP
//! session of the proxy that dismisses dialogs until a client enables `Page` there.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Action, Pending, View, ViewId, VirtualBrowser, cdp_session::Cdp};
use crate::{
    cdp::{
        ids::{CdpSessionId, TargetId},
        json_object::JsonObject,
        message,
        target::Kind,
    },
    port::{ResumeAs, Settle, Tag},
};

const DISMISS: &str = r#"{"accept":false}"#;

/// New targets are attached as before, but not paused.
const PAUSE_NOTHING: &str = r#"{"autoAttach":true,"waitForDebuggerOnStart":false,"flatten":true}"#;

/// The dialog guards of pages, and the clients that leave once these exist.
#[derive(Debug, Default)]
pub(super) struct DialogGuards {
    /// Whether new pages get a guard, because no browser-level client is connected.
    all: bool,
    pages: HashMap<TargetId, Option<CdpSessionId>>,
    /// The pages whose dialogs somebody else answers for the proxy: their guards do nothing.
    held: HashMap<TargetId, Held>,
    leaving: Vec<Leaving>,
}

/// Who answers the dialogs of a page in place of its guard.
#[derive(Debug, Default)]
struct Held {
    /// How many do.
    by: usize,
    /// Whether the guard knows of a dialog that is open.
    is_open: bool,
}

/// A client that has left, and whose CDP sessions are not detached yet.
#[derive(Debug)]
struct Leaving {
    root: CdpSessionId,
    /// In the order of their ids.
    sessions: Vec<(CdpSessionId, Cdp)>,
    then: Then,
    /// The replies to wait for before the next step.
    waits_for: BTreeSet<Tag>,
}

/// The next step for a client that has left.
#[derive(Debug)]
enum Then {
    /// Resume targets and disable interceptions on its CDP sessions.
    Ease,
    /// Detach its CDP sessions.
    Detach,
}

impl DialogGuards {
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// A browser-level client is connected: new pages get no guard.
    pub(super) fn only_old(&mut self) {
        self.all = false;
    }

    /// No browser-level client is connected: new pages get a guard.
    pub(super) fn also_new(&mut self) {
        self.all = true;
    }

    /// A page was destroyed.
    pub(super) fn forget(&mut self, page: &TargetId) {
        self.pages.remove(page);
    }

    /// The CDP session of a dialog guard has ended, for whatever reason.
    pub(super) fn lost(&mut self, dialog_guard: &CdpSessionId) {
        self.pages.retain(|_, session| session.as_ref() != Some(dialog_guard));
    }

    /// The page that a CDP session guards.
    fn page_of(&self, session: &CdpSessionId) -> Option<&TargetId> {
        self.pages.iter().find(|(_, guard)| guard.as_ref() == Some(session)).map(|(page, _)| page)
    }
}

impl VirtualBrowser {
    /// A client has left, and the session continues: its pauses and interceptions end, and its pages run on.
    pub fn close_view(&mut self, view: ViewId) {
        let mut gone = self.scope.sessions.withdraw_view(view);
        gone.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let Some(View { root, .. }) = self.views.remove(&view) else { return };
        for (id, _) in &gone {
            self.listeners.forget(id);
            self.forget_certificates(id);
            if self.tracing.as_ref() == Some(id) {
                self.tracing = None;
                self.actions.push(Action::Unclaim);
            }
        }
        let ids: HashSet<&CdpSessionId> = gone.iter().map(|(id, _)| id).collect();
        self.attaching.retain(|attach| !ids.contains(&attach.on));
        for (_, cdp) in &gone {
            self.scope.tell(&cdp.target);
        }
        self.dialog_guards.all = !self.has_browser_level_view();
        // While other clients are connected, a page without a client is as in a plain Chrome.
        let waits_for = if self.dialog_guards.all { self.keep_all() } else { BTreeSet::new() };
        self.go_on(Leaving { root, sessions: gone, then: Then::Ease, waits_for });
    }

    /// Whether a client is connected to the whole session, not only to a page.
    pub(super) fn has_browser_level_view(&self) -> bool {
        let is_one =
            |(id, view): (&ViewId, &View)| view.tends_pages && self.scope.sessions.home(*id) == Some(&view.root);
        self.views.iter().any(is_one)
    }

    /// Performs the next step of a client that has left, once all replies have arrived.
    fn go_on(&mut self, leaving: Leaving) {
        if !leaving.waits_for.is_empty() {
            return self.dialog_guards.leaving.push(leaving);
        }
        match leaving.then {
            Then::Ease => self.ease(leaving),
            Then::Detach => self.let_leave(&leaving),
        }
    }

    /// A reply is not waited for any more: it has arrived, or its time limit has passed.
    pub fn settle_leaving(&mut self, tag: Tag) {
        for leaving in &mut self.dialog_guards.leaving {
            leaving.waits_for.remove(&tag);
        }
        for leaving in
            self.dialog_guards.leaving.extract_if(.., |leaving| leaving.waits_for.is_empty()).collect::<Vec<_>>()
        {
            self.go_on(leaving);
        }
    }

    /// Its dialog guards exist: disables interceptions and resumes targets on its CDP sessions.
    fn ease(&mut self, mut leaving: Leaving) {
        let Leaving { sessions, waits_for, .. } = &mut leaving;
        let roots = roots(sessions);
        for (id, cdp) in sessions.iter().filter(|(_, cdp)| !cdp.is_root()) {
            if matches!(cdp.kind, Kind::Page | Kind::Iframe) {
                self.call(id.clone(), "Fetch.disable", "{}".to_owned(), Settle::Plain, Pending::Nobody);
            }
            // A dialog on a page that another client is attached to is left to that client.
            if cdp.kind == Kind::Page && !self.scope.is_attached(&cdp.target) {
                // Without a dialog Chrome replies with an error, which is ignored.
                let params = DISMISS.to_owned();
                self.call(id.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
            }
            if cdp.auto_attach {
                let params = PAUSE_NOTHING.to_owned();
                self.call(id.clone(), "Target.setAutoAttach", params, Settle::Plain, Pending::Leaving);
                waits_for.insert(self.last_tag);
            }
            // A CDP session below a page ends with that page's; but a paused target would stay paused for ever.
            if !is_direct(cdp, &roots) {
                self.let_run(id.clone());
                waits_for.insert(self.last_tag);
            }
        }
        // A page whose script never ends does not reply.
        self.actions.extend(waits_for.iter().map(|tag| Action::Remind(*tag)));
        leaving.then = Then::Detach;
        self.go_on(leaving);
    }

    fn let_run(&mut self, waiting: CdpSessionId) {
        let tag = self.expect(Pending::Leaving);
        self.actions.push(Action::Resume(waiting, false, ResumeAs::Call(tag)));
    }

    /// A target was attached below a CDP session without a client: if the client is leaving, the target is resumed.
    pub(super) fn on_attached_below(&mut self, parent: &CdpSessionId, child: CdpSessionId) {
        let of_this = |leaving: &Leaving| leaving.sessions.binary_search_by(|(id, _)| id.cmp(parent)).is_ok();
        if let Some(at) = self.dialog_guards.leaving.iter().position(of_this) {
            self.let_run(child);
            self.dialog_guards.leaving[at].waits_for.insert(self.last_tag);
            self.actions.push(Action::Remind(self.last_tag));
        }
    }

    /// Nothing is paused or intercepted by its CDP sessions any more: detaches them.
    fn let_leave(&mut self, leaving: &Leaving) {
        // The mirror resumes handed targets before it detaches their CDP sessions. The root is the last one.
        let roots = roots(&leaving.sessions);
        let direct = leaving.sessions.iter().filter(|(_, cdp)| !cdp.is_root() && is_direct(cdp, &roots));
        for id in direct.map(|(id, _)| id).chain([&leaving.root]) {
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Detach(tag, id.clone()));
        }
    }

    /// Attaches a dialog guard to each page without a CDP session. Returns the tags of the attach commands.
    fn keep_all(&mut self) -> BTreeSet<Tag> {
        let pages = self.scope.of_kind(Kind::Page);
        let alone: Vec<TargetId> = pages.into_iter().filter(|page| !self.scope.is_attached(page)).collect();
        alone.iter().filter_map(|page| self.keep(page)).collect()
    }

    /// A page was created: attaches a guard if no browser-level client is connected.
    pub(super) fn keep_new(&mut self, page: &TargetId) {
        let is_page = self.scope.targets.get(page).is_some_and(|seen| seen.kind == Kind::Page);
        if is_page && self.dialog_guards.all {
            self.keep(page);
        }
    }

    fn keep(&mut self, page: &TargetId) -> Option<Tag> {
        if self.dialog_guards.pages.contains_key(page) {
            return None;
        }
        self.dialog_guards.pages.insert(page.clone(), None);
        self.attach(page.clone(), Pending::DialogGuard(page.clone()));
        Some(self.last_tag)
    }

    /// The reply to the attach command of a dialog guard; `None` if the page has gone.
    pub(super) fn on_guard_attached(&mut self, tag: Tag, page: &TargetId, result: Option<&str>) {
        let session = result.and_then(|result| JsonObject::read(result)?.string("sessionId")).map(CdpSessionId::from);
        match (session, self.dialog_guards.pages.get_mut(page)) {
            (Some(session), Some(dialog_guard)) => {
                *dialog_guard = Some(session.clone());
                // The reply comes only when an open dialog is closed, so it is not waited for.
                self.call(session, "Page.enable", "{}".to_owned(), Settle::Plain, Pending::Nobody);
            }
            // A client has enabled `Page` meanwhile, or the page has gone.
            (Some(session), None) => self.detach_own(Some(session)),
            (None, _) => self.dialog_guards.forget(page),
        }
        self.settle_leaving(tag);
    }

    /// A message on a CDP session without a client: a dialog guard dismisses a dialog.
    pub(super) fn on_guarded_page(&mut self, on: &CdpSessionId, text: &[u8]) {
        let opens = match message::route(text).head {
            message::Head::Event("Page.javascriptDialogOpening") => true,
            message::Head::Event("Page.javascriptDialogClosed") => false,
            _ => return,
        };
        let Some(page) = self.dialog_guards.page_of(on).cloned() else { return };
        if let Some(held) = self.dialog_guards.held.get_mut(&page) {
            held.is_open = opens;
        } else if opens {
            let params = DISMISS.to_owned();
            self.call(on.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
        }
    }

    /// Leaves the dialogs of a page to the caller, until [`VirtualBrowser::release_dialogs`]. Returns false if a client has
    /// enabled `Page` there: then the dialogs are the client's.
    pub fn hold_dialogs(&mut self, page: &TargetId) -> bool {
        if self.scope.sessions.iter().any(|(_, cdp)| cdp.handles_dialogs && cdp.target == *page) {
            return false;
        }
        self.dialog_guards.held.entry(page.clone()).or_default().by += 1;
        true
    }

    /// The caller of [`VirtualBrowser::hold_dialogs`] does not answer dialogs any more: the guard dismisses one that is open.
    pub fn release_dialogs(&mut self, page: &TargetId) {
        let Some(held) = self.dialog_guards.held.get_mut(page) else { return };
        held.by = held.by.saturating_sub(1);
        if held.by > 0 {
            return;
        }
        let is_open = self.dialog_guards.held.remove(page).is_some_and(|held| held.is_open);
        if let Some(Some(guard)) = self.dialog_guards.pages.get(page).filter(|_| is_open) {
            let (guard, params) = (guard.clone(), DISMISS.to_owned());
            self.call(guard, "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
        }
    }

    /// A client handles the dialogs of a page itself: removes the dialog guard.
    pub(super) fn relieve(&mut self, on: &CdpSessionId) {
        let Some(page) = self.scope.sessions.get(on).map(|cdp| cdp.target.clone()) else { return };
        if let Some(Some(dialog_guard)) = self.dialog_guards.pages.remove(&page) {
            // A dialog that opened before the client enabled `Page` would stay open.
            let params = DISMISS.to_owned();
            self.call(dialog_guard.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
            self.detach_own(Some(dialog_guard));
        }
    }
}

/// The roots among these CDP sessions.
fn roots(sessions: &[(CdpSessionId, Cdp)]) -> HashSet<CdpSessionId> {
    sessions.iter().filter(|(_, cdp)| cdp.is_root()).map(|(id, _)| id.clone()).collect()
}

/// Whether a CDP session was attached on one of these roots.
fn is_direct(cdp: &Cdp, roots: &HashSet<CdpSessionId>) -> bool {
    cdp.parent.as_ref().is_some_and(|parent| roots.contains(parent))
}
