//! Browser-level commands other than `Target.*`: versions, permissions, cookies, windows, streams, traces.

use super::{Action, Pending, VirtualBrowser, arguments, cdp_session::Cdp, policy};
use crate::{
    api_types::capability::Capability,
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, ContextId},
        json_object::JsonObject,
        message::{self, Command},
        permission::Ruling,
        target::Kind,
    },
    port::Settle,
};

const NO_WINDOW: CdpError = CdpError::new(-32000, "Browser window not found");
const NO_TARGET: CdpError = CdpError::new(-32602, "No target with given id");
const NO_PAGE: CdpError = CdpError::new(-32000, "No web contents for the given target id");

/// The domains whose events reach the root of a dedicated browser, beside those of a trace. The proxy itself makes the
/// events of `Target` and of downloads.
const ROOT_EVENTS: [&str; 3] = ["BluetoothEmulation.", "Fetch.", "Security."];

/// Chrome's error for an unknown context.
pub(super) fn no_context(id: &str) -> CdpError {
    CdpError::params(format!("Failed to find browser context for id {id}"))
}

impl VirtualBrowser {
    pub(super) fn get_version(&mut self, on: &CdpSessionId, id: CallId) {
        let version = self.identity.version.clone();
        self.scope.reply(on, id, &version);
    }

    pub(super) fn close_browser(&mut self, on: &CdpSessionId, id: CallId) {
        self.scope.reply(on, id, "{}");
        self.settle_frames();
        self.actions.push(Action::End);
    }

    /// `SystemInfo.getInfo`, in a dedicated browser.
    pub(super) fn system_info(&mut self, on: &CdpSessionId, command: &Command) {
        let pending = Pending::SystemInfo(on.clone(), command.id());
        self.call(on.clone(), command.method(), command.params().to_owned(), Settle::Plain, pending);
    }

    /// The command line has paths of the host, and flags that may hold secrets of the operator.
    pub(super) fn on_system_info(&mut self, on: &CdpSessionId, id: CallId, result: &str) {
        let Some(mut info) = JsonObject::read(result) else {
            return self.scope.fail(on, id, &CdpError::server("Chrome's answer could not be read"));
        };
        info.set_string("commandLine", "");
        self.scope.reply(on, id, &info.to_string());
    }

    /// `Security.setIgnoreCertificateErrors` on a root. Chrome would ignore the errors of every session; the proxy ignores
    /// those of all present and future pages of this session, until each root has turned it off or has ended.
    pub(super) fn certificate_errors(&mut self, on: &CdpSessionId, command: &Command) {
        let id = command.id();
        match JsonObject::read(command.params()).and_then(|params| params.read_as::<bool>("ignore")) {
            Some(true) => {
                self.ignoring_certificates.insert(on.clone());
                self.ignore_certificates(true, Pending::Forward(on.clone(), id));
            }
            Some(false) if self.ignoring_certificates.remove(on) && self.ignoring_certificates.is_empty() => {
                self.ignore_certificates(false, Pending::Forward(on.clone(), id));
            }
            Some(false) => self.scope.reply(on, id, "{}"),
            None => self.scope.fail(on, id, &CdpError::INVALID),
        }
    }

    /// A CDP session has ended: its `Security.setIgnoreCertificateErrors` ends with it.
    pub(super) fn forget_certificates(&mut self, gone: &CdpSessionId) {
        if self.ignoring_certificates.remove(gone) && self.ignoring_certificates.is_empty() {
            self.ignore_certificates(false, Pending::Nobody);
        }
    }

    fn ignore_certificates(&mut self, ignore: bool, pending: Pending) {
        let tag = self.expect(pending);
        self.actions.push(Action::IgnoreCertificateErrors(tag, ignore));
    }

    /// A command that names a context, or the default one if it names none: it is sent on the base with a context of this
    /// session.
    pub(super) fn in_context(&mut self, on: &CdpSessionId, command: &Command) {
        let (id, method) = (command.id(), command.method());
        if let Some((_, params)) = self.with_context(on, command) {
            self.forward(on, self.base.clone(), id, method, params);
        }
    }

    /// The context of a command, and its params with this context; `None` if the client got an error.
    fn with_context(&mut self, on: &CdpSessionId, command: &Command) -> Option<(ContextId, String)> {
        let id = command.id();
        let Some(mut params) = JsonObject::read(command.params()) else {
            self.scope.fail(on, id, &CdpError::INVALID);
            return None;
        };
        // Chrome refuses a value that is not a string.
        let mut context = self.scope.default_context.clone();
        if !params.has("browserContextId") {
            params.set_string("browserContextId", context.as_str());
        } else if let Some(named) = params.string("browserContextId") {
            if !self.scope.owns_context(&named) {
                self.scope.fail(on, id, &no_context(&named));
                return None;
            }
            context = named.into();
        }
        Some((context, params.to_string()))
    }

    /// Records the permissions that Chrome accepts, because it cannot be asked for them later.
    pub(super) fn on_permission(&mut self, on: &CdpSessionId, command: &Command) {
        let (id, method) = (command.id(), command.method());
        let ruling = Ruling::read(method, command.params());
        let opens = ruling.as_ref().and_then(Ruling::opens_clipboard);
        let (Some(ruling), Some(opens)) = (ruling, opens) else { return self.scope.fail(on, id, &CdpError::INVALID) };
        if !opens.is_empty() && !self.granted.has(Capability::Clipboard) && !self.granted.has(Capability::Dedicated) {
            let error = format!(
                "'{method}' is refused for the clipboard, which all sessions of a browser share: leave out {} \
                 (clipboard-read of Playwright, clipboard-read and clipboard-write of Puppeteer); it needs the capability {} \
                 or {}",
                opens.join(" and "),
                Capability::Clipboard,
                policy::OWN_BROWSER
            );
            return self.refuse(on, id, &CdpError::server(error));
        }
        if let Some((context, params)) = self.with_context(on, command) {
            let (base, pending) = (self.base.clone(), Pending::Forward(on.clone(), id));
            self.call(base, method, params, Settle::Rule(context, ruling), pending);
        }
    }

    // ---- Windows. Their ids are small numbers that can be guessed: only ids that Chrome reported to this session count.

    pub(super) fn get_window_for_target(&mut self, on: &CdpSessionId, command: &Command) {
        let id = command.id();
        let Some(kind) = self.scope.sessions.get(on).map(|cdp| cdp.kind) else { return };
        let Some(params) = JsonObject::read(command.params()) else {
            return self.scope.fail(on, id, &CdpError::INVALID);
        };
        if !params.has("targetId") {
            // On a tab or page, Chrome returns its window; on a root, its error.
            return self.call_for_window(on.clone(), on, id, None);
        }
        let Some(target) = params.string("targetId") else {
            let pending = Pending::Forward(on.clone(), id);
            return self.call(on.clone(), "Browser.getWindowForTarget", params.to_string(), Settle::Plain, pending);
        };
        let Some((target, seen)) = self.scope.targets.get_key_value(target.as_str()) else {
            return self.scope.fail(on, id, &NO_TARGET);
        };
        if !matches!(seen.kind, Kind::Page | Kind::Tab) || kind.is_worker() {
            return self.scope.fail(on, id, &NO_PAGE);
        }
        // The target id is never sent to Chrome: that of an unknown or just closed page ends headless shell (*measured*).
        // The command is sent without it, on a CDP session of that page.
        let target = target.clone();
        let there =
            self.scope.sessions.iter().find(|(_, cdp)| cdp.target == target).map(|(session, _)| session.clone());
        if let Some(session) = there {
            self.call_for_window(session, on, id, None);
        } else {
            self.attach(target, Pending::WindowAttach(on.clone(), id));
        }
    }

    fn call_for_window(&mut self, ask: CdpSessionId, on: &CdpSessionId, id: CallId, attached: Option<CdpSessionId>) {
        let pending = Pending::Window(on.clone(), id, attached);
        self.call(ask, "Browser.getWindowForTarget", "{}".to_owned(), Settle::Plain, pending);
    }

    pub(super) fn on_window_attached(&mut self, on: &CdpSessionId, id: CallId, result: &str) {
        match JsonObject::read(result).and_then(|result| result.string("sessionId")).map(CdpSessionId::from) {
            Some(session) => self.call_for_window(session.clone(), on, id, Some(session)),
            None => self.scope.fail(on, id, &NO_TARGET),
        }
    }

    pub(super) fn on_window(&mut self, on: &CdpSessionId, id: CallId, result: &str, attached: Option<CdpSessionId>) {
        self.detach_own(attached);
        if let Some(window) = JsonObject::read(result).and_then(|result| result.read_as("windowId")) {
            self.scope.windows.insert(window);
        }
        self.scope.reply(on, id, result);
    }

    /// Detaches a CDP session that the proxy made for a command of its own.
    pub(super) fn detach_own(&mut self, session: Option<CdpSessionId>) {
        if let Some(session) = session {
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Detach(tag, session));
        }
    }

    /// The params of a command on a window of this session; `None` if the client got an error.
    fn own_window<'a>(&mut self, on: &CdpSessionId, command: &'a Command) -> Option<JsonObject<'a>> {
        let id = command.id();
        let Some(params) = JsonObject::read(command.params()) else {
            self.scope.fail(on, id, &CdpError::INVALID);
            return None;
        };
        let window = params.read_as::<f64>("windowId");
        // As Chrome reads numbers: 7.0 is 7.
        if window
            .is_some_and(|window| !self.scope.windows.iter().any(|own| (f64::from(*own) - window).abs() < f64::EPSILON))
        {
            self.scope.fail(on, id, &NO_WINDOW);
            return None;
        }
        Some(params)
    }

    pub(super) fn get_window_bounds(&mut self, on: &CdpSessionId, command: &Command) {
        let Some(params) = self.own_window(on, command) else { return };
        self.forward(on, on.clone(), command.id(), command.method(), params.to_string());
    }

    pub(super) fn set_window_bounds(&mut self, on: &CdpSessionId, command: &Command) {
        self.pictures.on_resizing();
        let Some(mut params) = self.own_window(on, command) else { return };
        if let Err(why) = arguments::check_bounds(&mut params, self.granted) {
            return self.refuse(on, command.id(), &CdpError::params(why));
        }
        self.forward(on, on.clone(), command.id(), command.method(), params.to_string());
    }

    pub(super) fn set_contents_size(&mut self, on: &CdpSessionId, command: &Command) {
        self.pictures.on_resizing();
        let Some(mut params) = self.own_window(on, command) else { return };
        arguments::limit_window(&mut params, self.granted);
        self.forward(on, on.clone(), command.id(), command.method(), params.to_string());
    }

    // ---- Traces. A trace shows every session of the browser, so its session must be alone there.

    pub(super) fn start_trace(&mut self, on: &CdpSessionId, command: &Command) {
        if self.tracing.is_some() {
            return self.forward_as_it_is(on, command);
        }
        let tag = self.expect(Pending::Trace(on.clone(), command.id(), command.params().to_owned()));
        self.actions.push(Action::Claim(tag));
    }

    pub(super) fn during_trace(&mut self, on: &CdpSessionId, command: &Command) {
        if self.tracing.is_some() {
            return self.forward_as_it_is(on, command);
        }
        let error = format!("'{}' is refused: it needs a trace that runs in this session", command.method());
        self.refuse(on, command.id(), &CdpError::server(error));
    }

    /// The browser was reserved for this session (`alone`), or other sessions use it.
    pub fn on_claimed(&mut self, tag: u64, alone: bool) {
        let Some(Pending::Trace(on, id, params)) = self.settled(tag) else { return };
        if alone && self.scope.sessions.contains_key(&on) {
            self.tracing = Some(on.clone());
            self.call(on.clone(), "Tracing.start", params, Settle::Plain, Pending::TraceStart(on, id));
        } else {
            if alone {
                self.actions.push(Action::Unclaim);
            }
            let error = "'Tracing.start' is refused: a trace shows every session of the browser, and others are there, with or without a client; start it when they have ended or hibernate (--hibernate-after), or connect with isolation=dedicated for a browser of its own; a session is also alone by --max-sessions 1, and as one of a tenant with `sharing = \"session\"`";
            self.refuse(&on, id, &CdpError::server(error));
        }
    }

    /// Whether an event of Chrome on a root is delivered: those of its own trace are, and in a dedicated browser those of
    /// [`ROOT_EVENTS`].
    pub(super) fn on_root_event(&mut self, on: &CdpSessionId, text: &[u8]) -> bool {
        let message::Head::Event(method) = message::route(text).head else { return false };
        if method.starts_with("Tracing.") {
            let is_own = self.tracing.as_ref() == Some(on);
            if is_own {
                self.on_trace_event(method);
            }
            return is_own;
        }
        // In a dedicated browser what a command on the root has turned on concerns this session alone.
        self.granted.has(Capability::Dedicated) && ROOT_EVENTS.iter().any(|domain| method.starts_with(domain))
    }

    /// An event on a page while a trace runs: if the trace has ended, the reservation of the browser ends.
    pub(super) fn on_page_event(&mut self, on: &CdpSessionId, text: &[u8]) {
        if self.tracing.as_ref() == Some(on)
            && let message::Head::Event(method) = message::route(text).head
        {
            self.on_trace_event(method);
        }
    }

    fn on_trace_event(&mut self, method: &str) {
        if method == "Tracing.tracingComplete" {
            self.tracing = None;
            self.actions.push(Action::Unclaim);
        }
    }

    /// The context of a CDP session's target.
    pub(super) fn context_of(&self, on: &CdpSessionId) -> Option<String> {
        let Cdp { target, .. } = self.scope.sessions.get(on)?;
        self.scope.targets.get(target)?.context.as_ref().map(ToString::to_string)
    }
}
