//! How a client leaves a session that goes on, and who looks after its pages then.
//!
//! What the client held must not leave a page stuck. Its pauses and interceptions end with its CDP sessions, if it is
//! resumed first what waits for that. Dialogs are another matter: in a full Chrome a page with an open dialog and nobody
//! attached hangs (*measured*). So the leaving client's dialogs are dismissed on its own CDP sessions, and before these go,
//! each page that nobody else is attached to gets a keeper: a CDP session of the proxy's that dismisses what opens, until a
//! client enables `Page` there.

use std::collections::HashMap;

use super::{Action, Pending, Session, ViewId, scope::Cdp};
use crate::cdp::{
    ids::{CdpSessionId, TargetId},
    lease::{ResumeAs, Settle, Tag},
    message,
    object::Object,
    target::Kind,
};

const DISMISS: &str = r#"{"accept":false}"#;

/// The CDP sessions that look after pages, and the clients that wait for them to be there.
#[derive(Debug, Default)]
pub(super) struct Keepers {
    /// The last client has gone: what opens now is looked after, too.
    all: bool,
    pages: HashMap<TargetId, Option<CdpSessionId>>,
    leaving: Vec<Leaving>,
}

/// A client that has gone, and whose CDP sessions are still there.
#[derive(Debug)]
struct Leaving {
    root: CdpSessionId,
    sessions: Vec<(CdpSessionId, Cdp)>,
    waits_for: Vec<Tag>,
}

impl Keepers {
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// A client is there, and looks after what opens.
    pub(super) fn only_old(&mut self) {
        self.all = false;
    }

    /// A page is gone.
    pub(super) fn forget(&mut self, page: &TargetId) {
        self.pages.remove(page);
    }

    /// A keeper has been detached by whatever cause.
    pub(super) fn lost(&mut self, keeper: &CdpSessionId) {
        self.pages.retain(|_, session| session.as_ref() != Some(keeper));
    }

    fn is_one(&self, session: &CdpSessionId) -> bool {
        self.pages.values().flatten().any(|keeper| keeper == session)
    }
}

impl Session {
    /// A client has gone, and the session goes on. What it held ends, and its pages run on.
    pub fn close_view(&mut self, view: ViewId) {
        let gone = self.scope.forget_view(view);
        let Some(root) = self.roots.remove(&view) else { return };
        for (id, _) in &gone {
            self.listeners.forget(id);
            if self.tracing.as_ref() == Some(id) {
                self.tracing = None;
                self.actions.push(Action::Unclaim);
            }
        }
        self.attaching.retain(|attach| gone.iter().all(|(id, _)| *id != attach.on));
        for (_, cdp) in &gone {
            self.scope.tell(&cdp.target);
        }
        self.keepers.all = self.roots.keys().all(|view| *view == ViewId::FACE);
        let waits_for = self.keep_all();
        let leaving = Leaving { root, sessions: gone, waits_for };
        if leaving.waits_for.is_empty() {
            self.let_leave(leaving);
        } else {
            self.keepers.leaving.push(leaving);
        }
    }

    /// Its keepers are there: now its CDP sessions go.
    fn let_leave(&mut self, leaving: Leaving) {
        let Leaving { root, mut sessions, .. } = leaving;
        sessions.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let (roots, others): (Vec<_>, Vec<_>) = sessions.into_iter().partition(|(_, cdp)| cdp.is_root());
        let is_direct = |cdp: &Cdp| roots.iter().any(|(root, _)| cdp.parent.as_ref() == Some(root));
        for (id, _) in others.iter().filter(|(_, cdp)| cdp.kind == Kind::Page) {
            // Without a dialog that is an error, which nobody minds.
            let params = DISMISS.to_owned();
            self.call(id.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
        }
        // What was announced below a page goes with that; but what waits there would wait for ever.
        for (id, _) in others.iter().filter(|(_, cdp)| !is_direct(cdp)) {
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Resume(id.clone(), false, ResumeAs::Call(tag)));
        }
        // The mirror resumes what was handed before it detaches it. The root goes the same way, behind all that.
        let direct = others.iter().filter(|(_, cdp)| is_direct(cdp)).map(|(id, _)| id);
        for id in direct.chain([&root]) {
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Detach(tag, id.clone()));
        }
    }

    /// A keeper for each page that nobody is attached to; those that are not there yet.
    fn keep_all(&mut self) -> Vec<Tag> {
        let pages = self.scope.of_kind(Kind::Page);
        let alone: Vec<TargetId> = pages.into_iter().filter(|page| !self.scope.is_attached(page)).collect();
        alone.iter().filter_map(|page| self.keep(page)).collect()
    }

    /// A page that came while nobody was there.
    pub(super) fn keep_new(&mut self, page: &TargetId) {
        let is_page = self.scope.targets.get(page).is_some_and(|seen| seen.kind == Kind::Page);
        if is_page && self.keepers.all {
            self.keep(page);
        }
    }

    fn keep(&mut self, page: &TargetId) -> Option<Tag> {
        if self.keepers.pages.contains_key(page) {
            return None;
        }
        self.keepers.pages.insert(page.clone(), None);
        let params = format!(r#"{{"targetId":"{page}","flatten":true}}"#);
        let pending = Pending::Keeper(page.clone());
        self.call(self.base.clone(), "Target.attachToTarget", params, Settle::Plain, pending);
        Some(self.last_tag)
    }

    /// A keeper is there, or cannot be had because its page has gone.
    pub(super) fn on_keeper(&mut self, tag: Tag, page: &TargetId, result: Option<&str>) {
        let session = result.and_then(|result| Object::read(result)?.string("sessionId")).map(CdpSessionId::from);
        match (session, self.keepers.pages.get_mut(page)) {
            (Some(session), Some(keeper)) => {
                *keeper = Some(session.clone());
                // Its reply comes only once a dialog that is open now is closed: it is not waited for.
                self.call(session, "Page.enable", "{}".to_owned(), Settle::Plain, Pending::Nobody);
            }
            // A client was faster, or the page has gone.
            (Some(session), None) => self.detach_own(Some(session)),
            (None, _) => self.keepers.forget(page),
        }
        for leaving in &mut self.keepers.leaving {
            leaving.waits_for.retain(|other| *other != tag);
        }
        for leaving in self.keepers.leaving.extract_if(.., |leaving| leaving.waits_for.is_empty()).collect::<Vec<_>>() {
            self.let_leave(leaving);
        }
    }

    /// A message on a CDP session that no client has: perhaps one of a keeper's.
    pub(super) fn on_kept_page(&mut self, on: &CdpSessionId, text: &[u8]) {
        if self.keepers.is_one(on)
            && matches!(message::route(text).head, message::Head::Event("Page.javascriptDialogOpening"))
        {
            let params = DISMISS.to_owned();
            self.call(on.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
        }
    }

    /// A client looks after a page itself.
    pub(super) fn relieve(&mut self, on: &CdpSessionId) {
        let Some(page) = self.scope.sessions.get(on).map(|cdp| cdp.target.clone()) else { return };
        if let Some(Some(keeper)) = self.keepers.pages.remove(&page) {
            // What opened before the client had its word would be nobody's, and hang.
            let params = DISMISS.to_owned();
            self.call(keeper.clone(), "Page.handleJavaScriptDialog", params, Settle::Plain, Pending::Nobody);
            self.detach_own(Some(keeper));
        }
    }
}
