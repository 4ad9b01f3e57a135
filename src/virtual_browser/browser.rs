//! Browser-level commands other than `Target.*`: versions, permissions, cookies, windows, streams, traces.

use super::{Action, Pending, VirtualBrowser, arguments, policy::Refusal, scope::Cdp};
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

/// Chrome's error for a context that is not there.
pub(super) fn no_context(id: &str) -> CdpError {
    CdpError::params(format!("Failed to find browser context for id {id}"))
}

impl VirtualBrowser {
    /// Answers a browser-level command; false if it is none that this file knows.
    pub(super) fn on_browser_command(&mut self, on: &CdpSessionId, command: &Command) -> bool {
        let (id, method) = (command.id(), command.method());
        let Some((kind, root)) = self.scope.sessions.get(on).map(|cdp| (cdp.kind, cdp.is_root())) else { return true };
        match method {
            "Browser.getVersion" => {
                let version = self.identity.version.clone();
                self.scope.reply(on, id, &version);
            }
            "Browser.close" => {
                self.scope.reply(on, id, "{}");
                self.settle_frames();
                self.actions.push(Action::End);
            }
            "Browser.getHistograms" => self.scope.reply(on, id, r#"{"histograms":[]}"#),
            "SystemInfo.getProcessInfo" => self.scope.reply(on, id, r#"{"processInfo":[]}"#),
            "Browser.setDockTile" | "Runtime.runIfWaitingForDebugger" => self.scope.reply(on, id, "{}"),
            "Schema.getDomains" => self.scope.fail(on, id, &CdpError::no_method(method)),
            "Browser.grantPermissions" | "Browser.setPermission" | "Browser.resetPermissions" => {
                self.on_permission(on, command);
            }
            "Storage.getCookies" | "Storage.setCookies" | "Storage.clearCookies" => self.in_context(on, command),
            "Browser.getWindowForTarget" => self.get_window_for_target(on, kind, command),
            "Browser.getWindowBounds" | "Browser.setWindowBounds" | "Browser.setContentsSize" => {
                self.on_window_command(on, command);
            }
            // Chrome keeps one table of streams per CDP session of a browser, and one per page: both are one's own.
            "IO.read" | "IO.close" | "IO.resolveBlob" if root => {
                self.forward(on, on.clone(), id, method, command.params().to_owned());
            }
            "IO.read" | "IO.close" | "IO.resolveBlob" => self.pass_with(on, id, method, command.params()),
            "Security.setIgnoreCertificateErrors" if root => {
                let error = "'Security.setIgnoreCertificateErrors' is refused on a browser: it would hold for every session; send it to your pages";
                self.refuse(on, id, &CdpError::server(error));
            }
            _ => return false,
        }
        true
    }

    /// A command that names a context, or means the default one: it goes up on the lease with a context of this
    /// session.
    fn in_context(&mut self, on: &CdpSessionId, command: &Command) {
        let (id, method) = (command.id(), command.method());
        if let Some((_, params)) = self.with_context(on, command) {
            self.forward(on, self.base.clone(), id, method, params);
        }
    }

    /// The context that a command is for, and its params with it; `None` if it was answered with an error.
    fn with_context(&mut self, on: &CdpSessionId, command: &Command) -> Option<(ContextId, String)> {
        let id = command.id();
        let Some(mut params) = JsonObject::read(command.params()) else {
            self.scope.fail(on, id, &CdpError::INVALID);
            return None;
        };
        // What is no string Chrome refuses itself.
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

    /// What Chrome agrees to is noted: it does not tell later what was granted.
    fn on_permission(&mut self, on: &CdpSessionId, command: &Command) {
        let (id, method) = (command.id(), command.method());
        let ruling = Ruling::read(method, command.params());
        let opens = ruling.as_ref().and_then(Ruling::opens_clipboard);
        let (Some(ruling), Some(opens)) = (ruling, opens) else { return self.scope.fail(on, id, &CdpError::INVALID) };
        if opens && !self.caps.dedicated {
            let error = format!(
                "'{method}' is refused for the clipboard, which all sessions of a browser share: it needs the capability {}",
                Capability::Dedicated
            );
            return self.refuse(on, id, &CdpError::server(error));
        }
        if let Some((context, params)) = self.with_context(on, command) {
            let (base, pending) = (self.base.clone(), Pending::Forward(on.clone(), id));
            self.call(base, method, params, Settle::Rule(context, ruling), pending);
        }
    }

    // ---- Windows. Their ids are small numbers and guessed, not stolen: only what this session was told counts.

    fn get_window_for_target(&mut self, on: &CdpSessionId, kind: Kind, command: &Command) {
        let id = command.id();
        let Some(params) = JsonObject::read(command.params()) else {
            return self.scope.fail(on, id, &CdpError::INVALID);
        };
        if !params.has("targetId") {
            // A tab or page answers for itself, a root in Chrome's words that there is none.
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
        // Never sent up with a target id: one of nothing, or of a page just closed, ends the shell (*measured*). A CDP
        // session on that page is asked without one instead.
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

    /// Detaches a CDP session that the proxy made for a question of its own.
    pub(super) fn detach_own(&mut self, session: Option<CdpSessionId>) {
        if let Some(session) = session {
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Detach(tag, session));
        }
    }

    fn on_window_command(&mut self, on: &CdpSessionId, command: &Command) {
        let id = command.id();
        let Some(mut params) = JsonObject::read(command.params()) else {
            return self.scope.fail(on, id, &CdpError::INVALID);
        };
        let window = params.read_as::<f64>("windowId");
        // What Chrome would read as this number: 7.0 is 7.
        if window
            .is_some_and(|window| !self.scope.windows.iter().any(|own| (f64::from(*own) - window).abs() < f64::EPSILON))
        {
            return self.scope.fail(on, id, &NO_WINDOW);
        }
        match command.method() {
            "Browser.setContentsSize" => {
                arguments::limit_window(&mut params, &self.caps);
            }
            "Browser.setWindowBounds" => {
                if let Err(why) = arguments::check_bounds(&mut params, &self.caps) {
                    return self.refuse(on, id, &CdpError::params(why));
                }
            }
            _ => {}
        }
        self.forward(on, on.clone(), id, command.method(), params.to_string());
    }

    // ---- Refusals, and what a capability makes of them.

    pub(super) fn on_refused(&mut self, on: &CdpSessionId, command: &Command, refusal: Refusal) {
        let (id, method) = (command.id(), command.method());
        if refusal.needs == Some(Capability::Tracing) && self.caps.tracing {
            return self.on_trace_command(on, command);
        }
        self.refuse(on, id, &CdpError::server(refusal.message(method)));
    }

    /// A trace shows every session of the browser, so it needs the browser alone.
    fn on_trace_command(&mut self, on: &CdpSessionId, command: &Command) {
        let (id, method) = (command.id(), command.method());
        if method == "Tracing.start" && self.tracing.is_none() {
            let tag = self.expect(Pending::Trace(on.clone(), id, command.params().to_owned()));
            self.actions.push(Action::Claim(tag));
        } else if self.tracing.is_some() || method == "Tracing.end" {
            // Alone in the browser, or to hear from Chrome that nothing is being traced.
            self.forward(on, on.clone(), id, method, command.params().to_owned());
        } else {
            self.refuse(
                on,
                id,
                &CdpError::server(format!("'{method}' is refused: it needs a trace that runs in this session")),
            );
        }
    }

    /// Whether the browser could be had alone.
    pub fn on_claimed(&mut self, tag: u64, alone: bool) {
        let Some(Pending::Trace(on, id, params)) = self.settled(tag) else { return };
        if alone && self.scope.sessions.contains_key(&on) {
            self.tracing = Some(on.clone());
            self.call(on.clone(), "Tracing.start", params, Settle::Plain, Pending::TraceStart(on, id));
        } else {
            if alone {
                self.actions.push(Action::Unclaim);
            }
            let error = "'Tracing.start' is refused: a trace shows every session of the browser, and others are there; it needs isolation=dedicated";
            self.refuse(&on, id, &CdpError::server(error));
        }
    }

    /// What a root may hear from Chrome itself: of its own trace, and nothing else.
    pub(super) fn on_root_event(&mut self, on: &CdpSessionId, text: &[u8]) -> bool {
        let message::Head::Event(method) = message::route(text).head else { return false };
        if !method.starts_with("Tracing.") || self.tracing.as_ref() != Some(on) {
            return false;
        }
        self.on_trace_event(method);
        true
    }

    /// An event on a page while somebody traces: the trace may be over, and others may come.
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

    /// The context a CDP session's target lives in.
    pub(super) fn context_of(&self, on: &CdpSessionId) -> Option<String> {
        let Cdp { target, .. } = self.scope.sessions.get(on)?;
        self.scope.targets.get(target)?.context.as_ref().map(ToString::to_string)
    }
}
