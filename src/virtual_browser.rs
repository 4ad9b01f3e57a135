//! The judgement: what a session's clients may see and do. PURE, sans-IO: frames and messages in, [`Action`]s out.
//!
//! `scope` is what is ours, `outbox` makes the frames for clients. `policy` decides about each method, `dispatch` calls
//! the handler that it names: in `target`, `browser`, `files` or `ghost`; `arguments` has the rules for arguments.
//! `pending` is what the proxy
//! itself asked of Chrome, `dialog_guard` how a client leaves, `emulation` what its pages pretend, `liveness_check`
//! what must not reach a page that has crashed, `network_buffers` what Chrome keeps for clients. No socket, clock or task here.

pub mod arguments;
mod browser;
mod dialog_guard;
mod dispatch;
mod emulation;
mod files;
mod ghost;
mod in_flight;
mod liveness_check;
mod network_buffers;
mod outbox;
mod pending;
pub mod policy;
mod scope;
mod screenshot;
mod target;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;

use self::{
    dialog_guard::DialogGuards,
    emulation::Emulators,
    files::Files,
    ghost::Listeners,
    liveness_check::LivenessChecks,
    pending::{Attaching, Pending},
    scope::{Cdp, Scope},
    screenshot::Pictures,
};
pub use self::{files::Move, outbox::ToClient};
use crate::{
    api_types::Request,
    api_types::capability::{CdpSessionLimits, Granted},
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, ContextId, TargetId},
        message::{Command, Malformed},
        target::Kind,
    },
    close_reason::CloseReason,
    port::{Call, FromBrowser, Identity, Interest, ResumeAs, Tag, Told},
};

/// One client's socket on a session, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewId(pub u64);

/// What is behind a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKind {
    /// A client's socket. The client sees and answers the dialogs of the session's pages.
    Client,
    /// Calls of the proxy's own interfaces: nobody sees a dialog there.
    Calls,
}

impl ViewKind {
    /// Whether pages need no dialog guard while such a view is open.
    pub fn tends_pages(self) -> bool {
        self == Self::Client
    }
}

/// What the live session must do. No I/O has happened yet.
#[derive(Debug)]
pub enum Action {
    /// A frame for a client.
    ToClient(ViewId, ToClient),
    /// A frame of a client for its page-level CDP session, as it is.
    Pass(Bytes),
    /// A command under an id of the link's; its reply comes to [`VirtualBrowser::on_browser`].
    Call(Tag, Call),
    /// A client resumes a target.
    Resume(CdpSessionId, bool, ResumeAs),
    /// A root's auto-attach changes.
    AutoAttach(Tag, CdpSessionId, Option<Interest>),
    /// All pages of the session ignore certificate errors from now on, or do so no more.
    IgnoreCertificateErrors(Tag, bool),
    /// A CDP session is to be detached through its true parent.
    Detach(Tag, CdpSessionId),
    /// Downloads are written into this directory, which must be there before the command after this goes up.
    Directory(PathBuf),
    /// A client wants to hear of downloads.
    Listen,
    /// A file that is whole goes to where its client expects it; then [`VirtualBrowser::on_moved`].
    Move(Tag, Move),
    /// Host files that a client names: are they in this directory? Then [`VirtualBrowser::on_files`].
    CheckFiles(Tag, PathBuf, Vec<String>),
    /// The browser is to be this session's alone; then [`VirtualBrowser::on_claimed`].
    Claim(Tag),
    /// It need not be any more.
    Unclaim,
    /// After a while, [`VirtualBrowser::settle_leaving`]: its answer is not worth waiting for.
    Remind(Tag),
    /// A screenshot of so many device pixels is to be taken when the browser has room for it; then
    /// [`VirtualBrowser::on_permit`].
    Permit(Tag, u64),
    /// A client asks about sessions; the answer comes to [`VirtualBrowser::on_browser`] like a reply.
    Ghost(Tag, ViewId, Box<Request>),
    /// A client's socket is to be closed, because of what the session saw.
    Close(ViewId, CloseReason),
    /// The session is over: a client said `Browser.close`.
    End,
}

/// A virtual browser: one session's judgement.
#[derive(Debug)]
pub struct VirtualBrowser {
    granted: Granted,
    limits: CdpSessionLimits,
    identity: Arc<Identity>,
    /// The CDP session that owns contexts, permissions and downloads; no client ever sees it.
    base: CdpSessionId,
    scope: Scope,
    /// The root that each view came with, which may not be its home.
    roots: HashMap<ViewId, (CdpSessionId, ViewKind)>,
    files: Files,
    pending: HashMap<Tag, Pending>,
    last_tag: Tag,
    /// Attaches under way, in order.
    attaching: VecDeque<Attaching>,
    /// The CDP session whose trace runs.
    tracing: Option<CdpSessionId>,
    /// The roots that want certificate errors of all pages ignored.
    ignoring_certificates: HashSet<CdpSessionId>,
    /// The roots on which `ghost` is enabled.
    listeners: Listeners,
    dialog_guards: DialogGuards,
    emulators: Emulators,
    liveness_checks: LivenessChecks,
    pictures: Pictures,
    pages_most: u32,
    actions: Vec<Action>,
    /// Frames that could not be read, and commands refused, since last asked.
    pub malformed: u64,
    /// As above.
    pub refused: u64,
}

impl VirtualBrowser {
    /// `browser` is the id of the virtual browser target, `directory` the session's own for files.
    pub fn new(
        granted: Granted,
        identity: Arc<Identity>,
        base: CdpSessionId,
        context: ContextId,
        browser: TargetId,
        directory: PathBuf,
    ) -> Self {
        Self {
            granted,
            limits: CdpSessionLimits::default(),
            identity,
            base,
            scope: Scope::new(context, browser),
            roots: HashMap::new(),
            files: Files::new(directory),
            pending: HashMap::new(),
            last_tag: 0,
            attaching: VecDeque::new(),
            tracing: None,
            ignoring_certificates: HashSet::new(),
            listeners: Listeners::default(),
            dialog_guards: DialogGuards::default(),
            emulators: Emulators::default(),
            liveness_checks: LivenessChecks::default(),
            pictures: Pictures::default(),
            pages_most: 0,
            actions: Vec::new(),
            malformed: 0,
            refused: 0,
        }
    }

    /// How many CDP sessions its clients may have from now on.
    pub fn limit(&mut self, limits: CdpSessionLimits) {
        self.limits = limits;
    }

    /// How many screenshots may wait for their turn from now on.
    pub fn limit_screenshots(&mut self, most_waiting: usize) {
        self.pictures.limit(most_waiting);
    }

    /// A view is opened, with a browser-level CDP session of its own.
    pub fn open_view(&mut self, view: ViewId, root: CdpSessionId, kind: ViewKind) {
        let browser = self.scope.browser.clone();
        self.scope.sessions.announce(root.clone(), view, Cdp::new(None, browser, Kind::Browser, true));
        self.scope.sessions.set_home(view, root.clone());
        self.roots.insert(view, (root, kind));
        if kind.tends_pages() {
            self.dialog_guards.only_old();
        }
    }

    /// The view's client speaks to this page: `page` is a CDP session on it, attached through the view's root.
    pub fn set_page(&mut self, view: ViewId, page: CdpSessionId, target: &TargetId) {
        let Some((root, _)) = self.roots.get(&view).cloned() else { return };
        let kind = self.scope.targets.get(target).map_or(Kind::Page, |seen| seen.kind);
        self.scope.sessions.announce(page.clone(), view, Cdp::new(Some(root), target.clone(), kind, true));
        self.scope.sessions.set_home(view, page);
        self.scope.mark_attached(target);
        if !self.has_browser_level_view() {
            self.dialog_guards.also_new();
        }
    }

    /// The contexts its clients made.
    pub fn contexts(&self) -> &[ContextId] {
        &self.scope.contexts
    }

    /// Its pages, oldest first.
    pub fn pages(&self) -> Vec<TargetId> {
        self.scope.of_kind(Kind::Page)
    }

    /// The most pages it ever had at a time.
    pub fn pages_most(&self) -> u32 {
        self.pages_most
    }

    /// Whether a target is one of this session's and may be shown.
    pub fn shows(&self, target: &TargetId) -> bool {
        self.scope.targets.contains_key(target)
    }

    /// What there is to do, in order.
    pub fn actions(&mut self) -> Vec<Action> {
        self.settle_frames();
        std::mem::take(&mut self.actions)
    }

    /// A text frame of a client.
    pub fn on_client(&mut self, view: ViewId, text: Bytes) {
        match Command::read(text) {
            Ok(command) => {
                let named = command.session();
                let found = match named {
                    None => self.scope.sessions.home(view).cloned(),
                    Some(id) => {
                        self.scope.sessions.find(view, id).filter(|(_, cdp)| cdp.flat).map(|(id, _)| id.clone())
                    }
                };
                match found {
                    Some(on) => {
                        let as_it_is = named.is_some();
                        self.on_command(&on, &command, as_it_is);
                    }
                    None => self.scope.sessions.no_session(view, command.id()),
                }
            }
            Err(malformed) => {
                self.malformed += 1;
                self.scope.sessions.malformed(view, &malformed);
            }
        }
    }

    /// A text frame that the proxy does not take: an error in its stead, and the connection lives.
    pub fn on_too_large(&mut self, view: ViewId, size: usize, limit: usize) {
        self.malformed += 1;
        let words = format!("Message of {size} bytes is above max_client_frame, which is {limit} bytes");
        self.scope.sessions.malformed(view, &Malformed { id: None, code: -32600, message: words.into() });
    }

    /// An [`Action::Pass`] that was not sent: its sender is answered instead.
    pub fn on_unsent(&mut self, text: Bytes, error: &CdpError) {
        let Ok(command) = Command::read(text) else { return };
        let Some(on) = command.session().map(CdpSessionId::from) else { return };
        // What its CDP session had in flight when it ended has been answered.
        if self.scope.sessions.get_mut(&on).is_some_and(|cdp| cdp.in_flight.answered(command.id())) {
            self.refuse(&on, command.id(), error);
        }
    }

    fn sent(&mut self, on: &CdpSessionId, id: CallId) {
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.in_flight.push(id);
        }
    }

    fn refuse(&mut self, on: &CdpSessionId, id: CallId, error: &CdpError) {
        self.refused += 1;
        self.scope.fail(on, id, error);
    }

    /// One more CDP session that is to be told of everything would be one too many.
    fn refuse_listener(&mut self, on: &CdpSessionId, id: CallId, method: &str) {
        let most = scope::MOST_LISTENERS;
        let error = format!("'{method}' is refused: {most} CDP sessions of this session have it on, and no more may");
        self.refuse(on, id, &CdpError::server(error));
    }

    /// Something arrived from the browser.
    pub fn on_browser(&mut self, from: FromBrowser) {
        match from {
            FromBrowser::Message { on, id, body_end, text } => self.on_message(&on, id, body_end, text),
            FromBrowser::Reply { tag, reply } => self.on_reply(tag, reply),
            FromBrowser::Told(told) => self.on_told(told),
            FromBrowser::Download { method, params } => self.on_download(method, &params),
            FromBrowser::Introduced | FromBrowser::Room | FromBrowser::Lost(_) => {}
        }
    }

    fn on_message(&mut self, on: &CdpSessionId, id: Option<CallId>, body_end: usize, text: Bytes) {
        let Some(cdp) = self.scope.sessions.get_mut(on) else { return self.on_kept_page(on, &text) };
        if let Some(id) = id {
            // A reply to nothing this client has asked is not its own.
            if !cdp.in_flight.answered(id) {
                return;
            }
        } else if cdp.is_root() {
            if !self.on_root_event(on, &text) {
                return;
            }
        } else {
            if self.tracing.is_some() {
                self.on_page_event(on, &text);
            }
            if !self.on_page_download(on, &text, body_end) {
                return;
            }
        }
        self.scope.sessions.admit(on, text, body_end);
    }

    fn on_told(&mut self, told: Told) {
        match told {
            Told::Context { context } => {
                if !self.scope.owns_context(context.as_str()) {
                    self.scope.contexts.push(context);
                }
            }
            Told::Created { target, info } => {
                self.scope.see(&target, &info);
                let pages = u32::try_from(self.scope.count(Kind::Page)).unwrap_or(u32::MAX);
                self.pages_most = self.pages_most.max(pages);
                self.keep_new(&target);
            }
            Told::Changed { target, info } => self.scope.see(&target, &info),
            Told::Destroyed { target } => {
                self.dialog_guards.forget(&target);
                self.emulators.forget(&target);
                self.forget_liveness_check(&target);
                self.pictures.page_is_gone(&target);
                self.scope.lose(&target);
            }
            Told::Crashed { target, params } => {
                self.forget_liveness_check(&target);
                self.pictures.page_is_gone(&target);
                self.scope.crashed(&target, &params);
            }
            Told::Emulated { target, by, what } => self.emulators.note(target, by, what),
            Told::Attached { parent, child, target, info, waiting } => {
                self.on_attached(&parent, child, &target, &info, waiting);
            }
            Told::Detached { parent, child, target, below } => self.on_detached(&parent, &child, &target, &below),
        }
    }

    /// Frames that were made meanwhile become actions; their order among themselves is what matters.
    fn settle_frames(&mut self) {
        let frames = self.scope.sessions.take_frames();
        self.actions.extend(frames.into_iter().map(|(view, frame)| Action::ToClient(view, frame)));
        while let Some(view) = self.scope.sessions.take_overgrown() {
            self.actions.push(Action::Close(view, CloseReason::Overgrown));
        }
    }
}

#[cfg(test)]
mod tests;
