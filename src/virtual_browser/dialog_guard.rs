//! How a client leaves a session that goes on, and who looks after its pages then.
//!
//! What the client held must not leave a page stuck. Its pauses and interceptions end with its CDP sessions, if it is
//! resumed first what waits for that, and nothing more is paused meanwhile. All of it is waited for: a worker whose
//! resume is still on its way when the CDP session of its page goes waits for ever, more often than not (*measured*).
//! Interceptions end before that: Chrome answers a page's `Target.setAutoAttach` only when a navigation that is held back
//! has gone on (*measured*: 5 s with Puppeteer, until the proxy gave up waiting; 20 ms so).
//! Dialogs are another matter: in a full Chrome a page with an open dialog and nobody attached hangs (*measured*). So
//! the leaving client's dialogs are dismissed on its own CDP sessions, and before these go, each page that nobody else
//! is attached to gets a dialog guard: a CDP session of the proxy's that dismisses what opens, until a client enables
//! `Page` there.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Action, Pending, ViewId, ViewKind, VirtualBrowser, scope::Cdp};
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

/// What starts is attached to as before, and is not paused.
const PAUSE_NOTHING: &str = r#"{"autoAttach":true,"waitForDebuggerOnStart":false,"flatten":true}"#;

/// The CDP sessions that look after pages, and the clients that wait for them to be there.
#[derive(Debug, Default)]
pub(super) struct DialogGuards {
    /// The last browser-level client has gone: pages that open from now on get a guard, too.
    all: bool,
    pages: HashMap<TargetId, Option<CdpSessionId>>,
    leaving: Vec<Leaving>,
}

/// A client that has gone, and whose CDP sessions are still there.
#[derive(Debug)]
struct Leaving {
    root: CdpSessionId,
    /// By their ids.
    sessions: Vec<(CdpSessionId, Cdp)>,
    then: Then,
    /// Before that, these must be answered.
    waits_for: BTreeSet<Tag>,
}

/// What is next for a client that has gone.
#[derive(Debug)]
enum Then {
    /// Its CDP sessions let everything run.
    Ease,
    /// They are detached.
    Detach,
}

impl DialogGuards {
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// A client is there, and looks after what opens.
    pub(super) fn only_old(&mut self) {
        self.all = false;
    }

    /// No browser-level client is connected: pages that open from now on get a guard, too.
    pub(super) fn also_new(&mut self) {
        self.all = true;
    }

    /// A page is gone.
    pub(super) fn forget(&mut self, page: &TargetId) {
        self.pages.remove(page);
    }

    /// A dialog guard has been detached by whatever cause.
    pub(super) fn lost(&mut self, dialog_guard: &CdpSessionId) {
        self.pages.retain(|_, session| session.as_ref() != Some(dialog_guard));
    }

    fn is_one(&self, session: &CdpSessionId) -> bool {
        self.pages.values().flatten().any(|dialog_guard| dialog_guard == session)
    }
}

impl VirtualBrowser {
    /// A client has gone, and the session goes on. What it held ends, and its pages run on.
    pub fn close_view(&mut self, view: ViewId) {
        let mut gone = self.scope.sessions.withdraw_view(view);
        gone.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let Some((root, _)) = self.roots.remove(&view) else { return };
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
        let is_one = |(view, (root, kind)): (&ViewId, &(CdpSessionId, ViewKind))| {
            kind.tends_pages() && self.scope.sessions.home(*view) == Some(root)
        };
        self.roots.iter().any(is_one)
    }

    /// The next step of a client that has gone, once there is nothing to wait for.
    fn go_on(&mut self, leaving: Leaving) {
        if !leaving.waits_for.is_empty() {
            return self.dialog_guards.leaving.push(leaving);
        }
        match leaving.then {
            Then::Ease => self.ease(leaving),
            Then::Detach => self.let_leave(&leaving),
        }
    }

    /// This is not waited for any more: it has come, or has had its time.
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

    /// Its dialog guards are there: now its CDP sessions let go of what they hold.
    fn ease(&mut self, mut leaving: Leaving) {
        let Leaving { sessions, waits_for, .. } = &mut leaving;
        let roots = roots(sessions);
        // A dialog on a page that another client is attached to is left to that client.
        let others: HashSet<TargetId> = self.scope.sessions.values().map(|cdp| cdp.target.clone()).collect();
        for (id, cdp) in sessions.iter().filter(|(_, cdp)| !cdp.is_root()) {
            if matches!(cdp.kind, Kind::Page | Kind::Iframe) {
                self.call(id.clone(), "Fetch.disable", "{}".to_owned(), Settle::Plain, Pending::Nobody);
            }
            if cdp.kind == Kind::Page && !others.contains(&cdp.target) {
                // Without a dialog that is an error, which nobody minds.
                let params = DISMISS.to_owned();
                self.call(id.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
            }
            if cdp.auto_attach {
                let params = PAUSE_NOTHING.to_owned();
                self.call(id.clone(), "Target.setAutoAttach", params, Settle::Plain, Pending::Leaving);
                waits_for.insert(self.last_tag);
            }
            // What was announced below a page goes with that; but what waits there would wait for ever.
            if !is_direct(cdp, &roots) {
                self.let_run(id.clone());
                waits_for.insert(self.last_tag);
            }
        }
        // A page that is busy without end never answers.
        self.actions.extend(waits_for.iter().map(|tag| Action::Remind(*tag)));
        leaving.then = Then::Detach;
        self.go_on(leaving);
    }

    fn let_run(&mut self, waiting: CdpSessionId) {
        let tag = self.expect(Pending::Leaving);
        self.actions.push(Action::Resume(waiting, false, ResumeAs::Call(tag)));
    }

    /// Something started below a CDP session that no client has: if the client has just gone, it runs on.
    pub(super) fn on_attached_below(&mut self, parent: &CdpSessionId, child: CdpSessionId) {
        let of_this = |leaving: &Leaving| leaving.sessions.binary_search_by(|(id, _)| id.cmp(parent)).is_ok();
        if let Some(at) = self.dialog_guards.leaving.iter().position(of_this) {
            self.let_run(child);
            self.dialog_guards.leaving[at].waits_for.insert(self.last_tag);
            self.actions.push(Action::Remind(self.last_tag));
        }
    }

    /// Its CDP sessions hold nothing: now they go.
    fn let_leave(&mut self, leaving: &Leaving) {
        // The mirror resumes what was handed before it detaches it. The root goes the same way, behind all that.
        let roots = roots(&leaving.sessions);
        let direct = leaving.sessions.iter().filter(|(_, cdp)| !cdp.is_root() && is_direct(cdp, &roots));
        for id in direct.map(|(id, _)| id).chain([&leaving.root]) {
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Detach(tag, id.clone()));
        }
    }

    /// A dialog guard for each page that nobody is attached to; those that are not there yet.
    fn keep_all(&mut self) -> BTreeSet<Tag> {
        let pages = self.scope.of_kind(Kind::Page);
        let alone: Vec<TargetId> = pages.into_iter().filter(|page| !self.scope.is_attached(page)).collect();
        alone.iter().filter_map(|page| self.keep(page)).collect()
    }

    /// A page that came while nobody was there.
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

    /// A dialog guard is there, or cannot be had because its page has gone.
    pub(super) fn on_keeper(&mut self, tag: Tag, page: &TargetId, result: Option<&str>) {
        let session = result.and_then(|result| JsonObject::read(result)?.string("sessionId")).map(CdpSessionId::from);
        match (session, self.dialog_guards.pages.get_mut(page)) {
            (Some(session), Some(dialog_guard)) => {
                *dialog_guard = Some(session.clone());
                // Its reply comes only once a dialog that is open now is closed: it is not waited for.
                self.call(session, "Page.enable", "{}".to_owned(), Settle::Plain, Pending::Nobody);
            }
            // A client was faster, or the page has gone.
            (Some(session), None) => self.detach_own(Some(session)),
            (None, _) => self.dialog_guards.forget(page),
        }
        self.settle_leaving(tag);
    }

    /// A message on a CDP session that no client has: perhaps one of a dialog guard's.
    pub(super) fn on_kept_page(&mut self, on: &CdpSessionId, text: &[u8]) {
        if self.dialog_guards.is_one(on)
            && matches!(message::route(text).head, message::Head::Event("Page.javascriptDialogOpening"))
        {
            let params = DISMISS.to_owned();
            self.call(on.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
        }
    }

    /// A client looks after a page itself.
    pub(super) fn relieve(&mut self, on: &CdpSessionId) {
        let Some(page) = self.scope.sessions.get(on).map(|cdp| cdp.target.clone()) else { return };
        if let Some(Some(dialog_guard)) = self.dialog_guards.pages.remove(&page) {
            // What opened before the client had its word would be nobody's, and hang.
            let params = DISMISS.to_owned();
            self.call(dialog_guard.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
            self.detach_own(Some(dialog_guard));
        }
    }
}

/// The roots among these.
fn roots(sessions: &[(CdpSessionId, Cdp)]) -> HashSet<CdpSessionId> {
    sessions.iter().filter(|(_, cdp)| cdp.is_root()).map(|(id, _)| id.clone()).collect()
}

/// Whether a CDP session was attached on one of these roots.
fn is_direct(cdp: &Cdp, roots: &HashSet<CdpSessionId>) -> bool {
    cdp.parent.as_ref().is_some_and(|parent| roots.contains(parent))
}
