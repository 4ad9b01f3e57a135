//! One session's view of Chrome: decides which targets its clients see and which commands they may send. PURE, sans-IO:
//! frames and messages are the input, [`Action`]s the output. No socket, clock or task here.
//!
//! `scope` has the contexts and targets of the session, `outbox` makes the frames for clients. `policy` decides about
//! each method; `dispatch` calls the handler, which is in `target`, `browser`, `files`, `extensions` or `ghost`. `arguments` has the
//! rules for arguments. `pending` has the commands that the proxy sent to Chrome and handles their replies.
//! `dialog_guard` handles clients that leave, `emulation` records the emulation of pages, `liveness_check` delays
//! commands that crash Chrome if their page has crashed, `crashed_pages` holds those for a crashed page, `network_buffers`
//! limits the response bodies that Chrome keeps, `screenshot` limits screenshots, `page_limit` pages.
//!
//! Outputs are taken with [`VirtualBrowser::poll_actions`].

pub mod arguments;
mod browser;
mod cdp_session;
mod claims;
mod crashed_pages;
mod dialog_guard;
mod dispatch;
mod emulation;
mod extensions;
mod files;
mod ghost;
mod in_flight;
mod liveness_check;
mod network_buffers;
mod on_targets;
mod outbox;
mod ownership;
mod page_limit;
mod pending;
mod pictures;
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
    cdp_session::Cdp,
    crashed_pages::CrashedPages,
    dialog_guard::DialogGuards,
    emulation::Emulators,
    extensions::Extensions,
    files::Files,
    ghost::Listeners,
    liveness_check::LivenessChecks,
    network_buffers::AllBodies,
    pending::{Attaching, Pending},
    pictures::Pictures,
    scope::Scope,
};
pub use self::{
    claims::{Claim, Claims},
    files::{DownloadNote, Move},
    outbox::ToClient,
};
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
    port::{Call, FromBrowser, Identity, Interest, NewContext, ResumeAs, Tag, Told},
};

/// The number of a view. A view is one of the receivers of a session's frames, for example a client's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewId(pub u64);

/// An open view.
#[derive(Debug)]
struct View {
    /// The browser-level CDP session that it was opened with. A view of a page has another home.
    root: CdpSessionId,
    /// Whether its client handles the dialogs of the pages, so that they need no dialog guard.
    tends_pages: bool,
}

/// An action for the session task to perform. No I/O has happened yet.
#[derive(Debug)]
pub enum Action {
    /// A frame for a client.
    ToClient(ViewId, ToClient),
    /// A frame of a client for its page-level CDP session, unchanged.
    Pass(Bytes),
    /// As [`Action::Pass`], for a frame that navigates its page.
    Navigate(CdpSessionId, Bytes),
    /// A command under an id of the link; the caller passes its reply to [`VirtualBrowser::on_browser`].
    Call(Tag, Call),
    /// Makes a context of the session; the caller passes the reply to [`VirtualBrowser::on_browser`].
    NewContext(Tag, NewContext),
    /// A client resumes a target.
    Resume(CdpSessionId, bool, ResumeAs),
    /// A root's auto-attach changes.
    AutoAttach(Tag, CdpSessionId, Option<Interest>),
    /// All pages of the session ignore certificate errors from now on (true), or report them again.
    IgnoreCertificateErrors(Tag, bool),
    /// Detaches a CDP session through its real parent.
    Detach(Tag, CdpSessionId),
    /// The directory of downloads. It must exist before the next action is performed.
    Directory(PathBuf),
    /// A client enables download events.
    Listen,
    /// Notes an event of a download.
    Note(DownloadNote),
    /// Puts a completed download at the path that its client expects too; then [`VirtualBrowser::on_moved`] is called.
    Move(Tag, Move),
    /// Checks whether the host files that a client names are in this directory; then [`VirtualBrowser::on_files`] is called.
    CheckFiles(Tag, PathBuf, Vec<String>),
    /// Looks for an unpacked extension at this path below this directory; then [`VirtualBrowser::on_extension`] is called.
    FindExtension(Tag, PathBuf, String),
    /// Shows the targets of this extension.
    ShowExtension(String),
    /// An extension was installed from this path, or removed (`None`); by its id.
    KeepExtension(String, Option<String>),
    /// Reserves the browser for this session alone; then [`VirtualBrowser::on_claimed`] is called.
    Claim(Tag),
    /// Ends the reservation of [`Action::Claim`].
    Unclaim,
    /// Starts a timer, after which [`VirtualBrowser::settle_leaving`] is called: a page may never reply.
    Remind(Tag),
    /// Waits for a permit for a screenshot of this many device pixels; then [`VirtualBrowser::on_permit`] is called.
    Permit(Tag, u64),
    /// A client's command of the `ghost` domain; the caller passes its result to [`VirtualBrowser::on_browser`], as a
    /// reply.
    Ghost(Tag, ViewId, Box<Request>),
    /// Closes a client's socket.
    Close(ViewId, CloseReason),
    /// Ends the session: a client sent `Browser.close`.
    End,
}

/// One session's view of Chrome.
#[derive(Debug)]
pub struct VirtualBrowser {
    granted: Granted,
    limits: CdpSessionLimits,
    /// Most pages at once; `None` is no limit.
    most_pages: Option<u32>,
    identity: Arc<Identity>,
    /// The CDP session that owns the contexts, permissions and downloads; clients do not see it.
    base: CdpSessionId,
    /// Whether a context can have a gate: then no proxy that a client names reaches Chrome.
    has_gates: bool,
    scope: Scope,
    views: HashMap<ViewId, View>,
    files: Files,
    extensions: Extensions,
    bodies: AllBodies,
    pending: HashMap<Tag, Pending>,
    last_tag: Tag,
    /// The attach commands that wait for a reply, in order.
    attaching: VecDeque<Attaching>,
    /// The CDP session that runs a trace.
    tracing: Option<CdpSessionId>,
    /// The roots on which certificate errors of all pages are ignored.
    ignoring_certificates: HashSet<CdpSessionId>,
    /// The roots on which `ghost` is enabled.
    listeners: Listeners,
    dialog_guards: DialogGuards,
    emulators: Emulators,
    liveness_checks: LivenessChecks,
    crashed_pages: CrashedPages,
    pictures: Pictures,
    pages_most: u32,
    actions: Vec<Action>,
    /// Frames that could not be parsed. The caller takes the count.
    pub malformed: u64,
    /// Commands that were refused. The caller takes the count.
    pub refused: u64,
}

impl VirtualBrowser {
    /// `base` is the CDP session that owns the contexts, `context` the default context, `browser` the id of the virtual
    /// browser target, `directory` the directory of the session's files.
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
            most_pages: None,
            identity,
            base,
            has_gates: false,
            scope: Scope::new(context, browser),
            views: HashMap::new(),
            files: Files::new(directory),
            extensions: Extensions::default(),
            bodies: AllBodies::default(),
            pending: HashMap::new(),
            last_tag: 0,
            attaching: VecDeque::new(),
            tracing: None,
            ignoring_certificates: HashSet::new(),
            listeners: Listeners::default(),
            dialog_guards: DialogGuards::default(),
            emulators: Emulators::default(),
            liveness_checks: LivenessChecks::default(),
            crashed_pages: CrashedPages::default(),
            pictures: Pictures::default(),
            pages_most: 0,
            actions: Vec::new(),
            malformed: 0,
            refused: 0,
        }
    }

    /// Sets how many CDP sessions the clients may have.
    pub fn limit(&mut self, limits: CdpSessionLimits) {
        self.limits = limits;
    }

    /// Sets that contexts of the session can have a gate: its clients must not get around it, and it uses the proxies that they
    /// name.
    pub fn set_gated(&mut self) {
        self.has_gates = true;
    }

    /// Changes what the session may do, from the next command on.
    pub fn grant(&mut self, granted: Granted) {
        self.granted = granted;
    }

    /// Sets how many screenshots may wait for their turn.
    pub fn limit_screenshots(&mut self, most_waiting: usize) {
        self.pictures.limit(most_waiting);
    }

    /// Opens a view with a browser-level CDP session of its own. `tends_pages` says whether its client sees and answers
    /// the dialogs of the session's pages.
    pub fn open_view(&mut self, view: ViewId, root: CdpSessionId, tends_pages: bool) {
        let browser = self.scope.browser.clone();
        self.scope.sessions.announce(root.clone(), view, Cdp::new(None, browser, Kind::Browser, true));
        self.scope.sessions.set_home(view, root.clone());
        self.views.insert(view, View { root, tends_pages });
        if tends_pages {
            self.dialog_guards.only_old();
        }
    }

    /// Makes a page the home of a view: its client sends commands without a `sessionId` to it. `page` is a CDP session on
    /// the page, attached through the view's root.
    pub fn set_page(&mut self, view: ViewId, page: CdpSessionId, target: &TargetId) {
        let Some(root) = self.views.get(&view).map(|view| view.root.clone()) else { return };
        let kind = self.scope.targets.get(target).map_or(Kind::Page, |seen| seen.kind);
        self.scope.sessions.announce(page.clone(), view, Cdp::new(Some(root), target.clone(), kind, true));
        self.scope.sessions.set_home(view, page);
        self.scope.mark_attached(target);
        if !self.has_browser_level_view() {
            self.dialog_guards.also_new();
        }
    }

    /// The contexts that clients created.
    pub fn contexts(&self) -> &[ContextId] {
        &self.scope.contexts
    }

    /// The pages, the oldest first.
    pub fn pages(&self) -> Vec<TargetId> {
        self.scope.of_kind(Kind::Page)
    }

    /// The highest number of pages at the same time so far.
    pub fn pages_most(&self) -> u32 {
        self.pages_most
    }

    /// Whether a target is one of this session's and may be shown.
    pub fn shows(&self, target: &TargetId) -> bool {
        self.scope.targets.contains_key(target)
    }

    /// The actions to perform, in order.
    pub fn poll_actions(&mut self) -> Vec<Action> {
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

    /// A text frame above the limit: its sender gets an error, and the connection stays open.
    pub fn on_too_large(&mut self, view: ViewId, size: usize, limit: usize) {
        self.malformed += 1;
        let words = format!("Message of {size} bytes is above max_client_frame, which is {limit} bytes");
        self.scope.sessions.malformed(view, &Malformed { id: None, code: -32600, message: words.into() });
    }

    /// An [`Action::Pass`] could not be sent: its sender gets this error.
    pub fn on_unsent(&mut self, text: Bytes, error: &CdpError) {
        let Ok(command) = Command::read(text) else { return };
        let Some(on) = command.session().map(CdpSessionId::from) else { return };
        // If the CDP session has ended, its commands in flight were answered then.
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

    /// Refuses a command that would make one more CDP session receive all events of a kind.
    fn refuse_listener(&mut self, on: &CdpSessionId, id: CallId, method: &str) {
        let most = scope::MOST_LISTENERS;
        let error = format!("'{method}' is refused: {most} CDP sessions of this session have it on, and no more may");
        self.refuse(on, id, &CdpError::server(error));
    }

    /// A message from the browser.
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
        let Some(cdp) = self.scope.sessions.get_mut(on) else { return self.on_guarded_page(on, &text) };
        if let Some(id) = id {
            // A reply without a pending command of this client is not delivered.
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
                let pages = self.scope.count(Kind::Page);
                self.pages_most = self.pages_most.max(u32::try_from(pages).unwrap_or(u32::MAX));
                self.close_if_beyond(&target, pages);
                self.keep_new(&target);
            }
            Told::Changed { target, info } => {
                self.scope.see(&target, &info);
                self.release_held(&target);
            }
            Told::Destroyed { target } => {
                self.dialog_guards.forget(&target);
                self.emulators.forget(&target);
                self.forget_liveness_check(&target);
                self.forget_crash(&target);
                self.pictures.page_is_gone(&target);
                self.scope.lose(&target);
            }
            Told::Crashed { target, params } => {
                self.forget_liveness_check(&target);
                self.note_crash(&target);
                self.pictures.page_is_gone(&target);
                self.scope.crashed(&target, &params);
            }
            Told::Emulated { target, by, what } => self.emulators.note(target, by, what, false),
            Told::SetUp { target, by, what } => self.emulators.note(target, by, what, true),
            Told::Attached { parent, child, target, info, waiting } => {
                self.on_attached(&parent, child, &target, &info, waiting);
            }
            Told::Detached { parent, child, target, below } => self.on_detached(&parent, &child, &target, &below),
        }
    }

    /// Turns the frames that were made since the last call into actions, in their order.
    fn settle_frames(&mut self) {
        let frames = self.scope.sessions.poll_frames();
        self.actions.extend(frames.into_iter().map(|(view, frame)| Action::ToClient(view, frame)));
        while let Some(view) = self.scope.sessions.poll_overgrown() {
            self.actions.push(Action::Close(view, CloseReason::Overgrown));
        }
    }
}

#[cfg(test)]
mod tests;
