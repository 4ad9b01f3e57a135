//! Calls the handler that the policy names for a command.

use bytes::Bytes;

use super::{
    Action, VirtualBrowser, arguments,
    pending::Pending,
    policy::{self, Check, Handler, Level, Refusal},
};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId},
        json_object::quote,
        message::{self, Command},
    },
    port::{ResumeAs, Settle},
};

impl VirtualBrowser {
    /// Handles a command on one of the session's CDP sessions. `as_it_is` says whether its text can be sent to Chrome
    /// unchanged, because it names the CDP session.
    pub(super) fn on_command(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) {
        let Some(cdp) = self.scope.sessions.get(on) else { return };
        let level = if cdp.is_root() { Level::Browser } else { Level::Page };
        let (id, method) = (command.id(), command.method());
        if level == Level::Page && self.hold_for_crashed(on, command, as_it_is) {
            return;
        }
        match policy::decide(method, level, self.granted).handler {
            Handler::Pass | Handler::IoStream if level == Level::Browser => self.forward_as_it_is(on, command),
            Handler::Pass => self.pass(on, command, as_it_is),
            Handler::Emulate => self.pass_emulation(on, command, as_it_is),
            Handler::Claim => self.claim(on, command, as_it_is),
            Handler::Navigate => self.navigate(on, id, method, command.params()),
            Handler::PageEnable => self.enable_page(on, command, as_it_is),
            Handler::NetworkDisable => self.disable_network(on, command, as_it_is),
            Handler::Resume => self.resume(on, command),
            Handler::Check(rule) => self.check_arguments(on, command, rule),
            Handler::NotFound => self.scope.fail(on, id, &CdpError::no_method(method)),
            Handler::Refuse(refusal) => self.refuse_method(on, command, refusal),

            Handler::Acknowledge => self.scope.reply(on, id, "{}"),
            Handler::NoHistograms => self.scope.reply(on, id, r#"{"histograms":[]}"#),
            Handler::NoProcesses => self.scope.reply(on, id, r#"{"processInfo":[]}"#),
            Handler::GetVersion => self.get_version(on, id),
            Handler::CloseBrowser => self.close_browser(on, id),
            Handler::SystemInfo => self.system_info(on, command),
            Handler::LoadExtension => self.load_extension(on, command),
            Handler::UninstallExtension => self.uninstall_extension(on, command),
            Handler::GetExtensions => self.get_extensions(on, command),
            Handler::Permission => self.on_permission(on, command),
            Handler::InContext => self.in_context(on, command),
            Handler::GetWindowForTarget => self.get_window_for_target(on, command),
            Handler::GetWindowBounds => self.get_window_bounds(on, command),
            Handler::SetWindowBounds => self.set_window_bounds(on, command),
            Handler::SetContentsSize => self.set_contents_size(on, command),
            Handler::IoStream => self.pass_with(on, id, method, command.params()),
            Handler::CertificateErrors => self.certificate_errors(on, command),
            Handler::StartTrace => self.start_trace(on, command),
            Handler::EndTrace => self.forward_as_it_is(on, command),
            Handler::DuringTrace => self.during_trace(on, command),

            Handler::DownloadBehavior => self.set_download_behavior(on, command, false),
            Handler::PageDownloadBehavior => self.set_download_behavior(on, command, true),
            Handler::CancelDownload => self.cancel_download(on, command),

            Handler::GetTargets => self.ask_target(on, command, |this, asked| this.get_targets(&asked)),
            Handler::GetTargetInfo => self.ask_target(on, command, |this, asked| this.get_target_info(&asked)),
            Handler::SetDiscoverTargets => {
                self.ask_target(on, command, |this, asked| this.set_discover_targets(&asked));
            }
            Handler::SetAutoAttach => self.ask_target(on, command, |this, asked| this.set_auto_attach(&asked)),
            Handler::SetAutoAttachBelow => self.ask_target(on, command, Self::set_auto_attach_below),
            Handler::AutoAttachRelated => {
                self.ask_target(on, command, |this, asked| this.on_own_target(&asked, method, true));
            }
            Handler::AttachToTarget => self.ask_target(on, command, Self::attach_to_target),
            Handler::AttachToBrowserTarget => {
                self.ask_target(on, command, |this, asked| this.attach_to_browser_target(&asked));
            }
            Handler::NotAllowedOnPage => {
                self.ask_target(on, command, |this, asked| this.scope.fail(on, asked.id, &CdpError::NOT_ALLOWED));
            }
            Handler::GetBrowserContexts => {
                self.ask_target(on, command, |this, asked| this.get_browser_contexts(&asked));
            }
            Handler::CreateBrowserContext => {
                self.ask_target(on, command, |this, asked| this.create_browser_context(&asked, command));
            }
            Handler::DisposeBrowserContext => {
                self.ask_target(on, command, |this, asked| this.dispose_browser_context(&asked));
            }
            Handler::CreateTarget => self.ask_target(on, command, Self::create_target),
            Handler::OwnTarget => {
                self.ask_target(on, command, |this, asked| this.on_own_target(&asked, method, false));
            }
            Handler::DetachFromTarget => self.ask_target(on, command, |this, asked| this.detach_from_target(&asked)),
            Handler::SendMessageToTarget => {
                self.ask_target(on, command, |this, asked| this.send_message_to_target(&asked));
            }
            Handler::GetDevToolsTarget => {
                self.ask_target(on, command, |this, asked| this.get_dev_tools_target(&asked));
            }

            Handler::GhostEnable => self.enable_ghost(on, command),
            Handler::GhostDisable => self.disable_ghost(on, command),
            Handler::GhostAsk => self.ask_ghost(on, command),
        }
    }

    fn refuse_method(&mut self, on: &CdpSessionId, command: &Command, refusal: Refusal) {
        self.refuse(on, command.id(), &CdpError::server(refusal.message(command.method())));
    }

    /// Sends a command under an id of the proxy, on the CDP session that the client named.
    pub(super) fn forward_as_it_is(&mut self, on: &CdpSessionId, command: &Command) {
        self.forward(on, on.clone(), command.id(), command.method(), command.params().to_owned());
    }

    /// Sends a page-level command unchanged.
    pub(super) fn pass(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) {
        let id = command.id();
        if !as_it_is || id.is_ours() {
            return self.send_up(on, id, command.method(), command.params());
        }
        self.sent(on, id);
        self.actions.push(Action::Pass(command.text().clone()));
    }

    /// As [`VirtualBrowser::pass`], for a command that may change the emulation of a page.
    fn pass_emulation(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) {
        if !self.emulate(on, command.id(), command.method(), command.params()) {
            self.pass(on, command, as_it_is);
        }
    }

    /// `Page.enable`: from now on the client handles the dialogs of the page.
    fn enable_page(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) {
        self.pass(on, command, as_it_is);
        let of_calls = self.scope.sessions.get(on).is_some_and(|cdp| cdp.of_calls);
        if command.id().is_ours() || of_calls {
            return;
        }
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.handles_dialogs = true;
        }
        if !self.dialog_guards.is_empty() {
            self.relieve(on);
        }
    }

    /// As [`VirtualBrowser::pass`], with new params.
    pub(super) fn pass_with(&mut self, on: &CdpSessionId, id: CallId, method: &str, params: &str) {
        if !self.emulate(on, id, method, params) {
            self.send_up(on, id, method, params);
        }
    }

    /// Sends a page-level command with a text that the proxy has written.
    fn send_up(&mut self, on: &CdpSessionId, id: CallId, method: &str, params: &str) {
        if id.is_ours() {
            return self.forward(on, on.clone(), id, method, params.to_owned());
        }
        self.sent(on, id);
        self.actions.push(Action::Pass(Bytes::from(message::envelope(id, method, params, Some(on)))));
    }

    /// Sends a command that navigates its page.
    fn navigate(&mut self, on: &CdpSessionId, id: CallId, method: &str, params: &str) {
        if id.is_ours() {
            return self.forward(on, on.clone(), id, method, params.to_owned());
        }
        self.sent(on, id);
        let text = Bytes::from(message::envelope(id, method, params, Some(on)));
        self.actions.push(Action::Navigate(on.clone(), text));
    }

    fn resume(&mut self, on: &CdpSessionId, command: &Command) {
        let children = self.scope.sessions.get(on).is_some_and(|cdp| cdp.auto_attach);
        let id = command.id();
        let how = if id.is_ours() {
            ResumeAs::Call(self.expect(Pending::Forward(on.clone(), id)))
        } else {
            self.sent(on, id);
            // It needs no params. The client's are dropped, because the link, which all sessions share, would write them.
            ResumeAs::Frame { text: Bytes::from(message::envelope(id, command.method(), "{}", Some(on))), id }
        };
        self.actions.push(Action::Resume(on.clone(), children, how));
    }

    /// `chrome://crash`: the reply of headless shell, and `Page.crash`, which ends only the process of the page.
    fn crash_page(&mut self, on: &CdpSessionId, id: CallId, frame: Option<&str>) {
        let Some(cdp) = self.scope.sessions.get(on) else { return };
        let page = cdp.target.clone();
        let frame = quote(frame.unwrap_or(page.as_str()));
        self.scope.reply(on, id, &format!(r#"{{"frameId":{frame},"errorText":"net::ERR_ABORTED"}}"#));
        self.call(on.clone(), "Page.crash", "{}".to_owned(), Settle::Plain, Pending::Nobody);
        self.note_crash(&page);
    }

    /// Checks the arguments of a page-level command.
    fn check_arguments(&mut self, on: &CdpSessionId, command: &Command, rule: Check) {
        let Some(cdp) = self.scope.sessions.get(on) else { return };
        let to = arguments::On { kind: cdp.kind, below: cdp.below };
        let (id, method) = (command.id(), command.method());
        if rule == Check::VisibleSize {
            self.pictures.on_resizing();
        }
        let is_navigation = rule == Check::Navigate;
        if is_navigation && let Some(params) = self.to_extension(command.params()) {
            return self.navigate(on, id, method, &params);
        }
        match arguments::check(rule, method, command.params(), to, self.granted) {
            arguments::Checked::AsIs if is_navigation => self.navigate(on, id, method, command.params()),
            arguments::Checked::Rewritten(params) if is_navigation => self.navigate(on, id, method, &params),
            arguments::Checked::AsIs => self.pass_with(on, id, method, command.params()),
            arguments::Checked::Rewritten(params) => self.pass_with(on, id, method, &params),
            arguments::Checked::Another { method, params } => self.pass_with(on, id, method, &params),
            arguments::Checked::Picture(part) => self.take_picture(on, id, command.params(), part),
            arguments::Checked::Buffers { beyond } => self.keep_bodies(on, command, beyond),
            arguments::Checked::OnceAlive => self.send_to_living(on, id, method, command.params()),
            arguments::Checked::Crash(frame) => self.crash_page(on, id, frame.as_deref()),
            arguments::Checked::Crashes => {
                let page = cdp.target.clone();
                self.pass_with(on, id, method, command.params());
                self.note_crash(&page);
            }
            arguments::Checked::Answer(result) => self.scope.reply(on, id, &result),
            arguments::Checked::Refused { code, message } => {
                self.refuse(on, id, &CdpError { code, message: message.into(), data: None });
            }
            arguments::Checked::Files { paths } => self.check_files(on, command, paths),
        }
    }
}
