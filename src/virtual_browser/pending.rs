//! The commands that are sent under ids of the proxy, and the handling of their replies.

use super::{
    Action, VirtualBrowser,
    pictures::{Drawing, Picture},
};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, ContextId, TargetId},
        json_object::JsonObject,
    },
    port::{Call, Reply, Settle, Tag},
};

/// How the reply to a command under an id of the proxy is handled.
#[derive(Debug)]
pub(super) enum Pending {
    /// Forwarded to the client, unchanged.
    Forward(CdpSessionId, CallId),
    /// The client's reply to `Target.getTargetInfo`, with the `TargetInfo` as it may see it.
    Target(CdpSessionId, CallId),
    /// As [`Pending::Target`], with several `TargetInfo`s.
    Targets(CdpSessionId, CallId),
    /// The reply names a new context of the session.
    CreateContext(CdpSessionId, CallId),
    /// The reply confirms that the context was disposed of.
    DisposeContext(CdpSessionId, CallId, ContextId),
    /// An attach; Chrome sends its event before the reply.
    Attach(CdpSessionId, CallId),
    /// The window of a target; the CDP session that was attached only for this question is detached.
    Window(CdpSessionId, CallId, Option<CdpSessionId>),
    /// The reply names a CDP session of the proxy on a page, to ask for its window.
    WindowAttach(CdpSessionId, CallId),
    /// The client's reply to `SystemInfo.getInfo`.
    SystemInfo(CdpSessionId, CallId),
    /// The path of an extension is being looked for; with the params that name it.
    Extension(CdpSessionId, CallId, String),
    /// The client's reply to `Extensions.loadUnpacked`, with the path of the extension.
    Installed(CdpSessionId, CallId, String),
    /// The client's reply to `Extensions.uninstall`, with the id of the extension.
    Uninstalled(CdpSessionId, CallId, String),
    /// The client's reply to `Extensions.getExtensions`.
    Extensions(CdpSessionId, CallId),
    /// A trace that starts once the browser is reserved; with its params.
    Trace(CdpSessionId, CallId, String),
    /// `Tracing.start`: unless it failed, the trace runs.
    TraceStart(CdpSessionId, CallId),
    /// The file of the download with this guid is being moved.
    Moved(String),
    /// The files that a client named are being checked; with method and params.
    Files(CdpSessionId, CallId, String, String),
    /// A liveness check of a page for this command: the page is alive unless it failed.
    Alive(CdpSessionId, CallId, TargetId),
    /// The client's reply; then the next command that needs this page alive is sent.
    LivenessCheck(CdpSessionId, CallId, TargetId),
    /// The size of a page, for this screenshot.
    Picture(Picture),
    /// A screenshot that waits for a permit for this many device pixels.
    Permit(Picture, u64),
    /// The client's reply to this screenshot, which Chrome draws.
    Taken(Picture, Drawing),
    /// The client's reply; unless it is an error, the CDP session has this device pixel ratio.
    Scale(CdpSessionId, CallId, f64),
    /// The reply names the CDP session of a dialog guard for this page.
    DialogGuard(TargetId),
    /// A command that ends the effects of a client that has left.
    Leaving,
    /// The reply is ignored.
    Nobody,
}

impl Pending {
    /// The client's command that is answered with the reply, and its CDP session.
    fn asked(&self) -> Option<(&CdpSessionId, CallId)> {
        match self {
            Self::Forward(on, id)
            | Self::Target(on, id)
            | Self::Targets(on, id)
            | Self::CreateContext(on, id)
            | Self::DisposeContext(on, id, _)
            | Self::Attach(on, id)
            | Self::Window(on, id, _)
            | Self::WindowAttach(on, id)
            | Self::SystemInfo(on, id)
            | Self::Extension(on, id, _)
            | Self::Extensions(on, id)
            | Self::Installed(on, id, _)
            | Self::Uninstalled(on, id, _)
            | Self::Trace(on, id, _)
            | Self::TraceStart(on, id)
            | Self::Picture(Picture { on, id, .. })
            | Self::Permit(Picture { on, id, .. }, _)
            | Self::Taken(Picture { on, id, .. }, _)
            | Self::Scale(on, id, _)
            | Self::Files(on, id, ..) => Some((on, *id)),
            // `liveness_check` marks these commands as in flight itself, from when the client sent them.
            Self::Alive(..)
            | Self::LivenessCheck(..)
            | Self::Moved(_)
            | Self::DialogGuard(_)
            | Self::Leaving
            | Self::Nobody => None,
        }
    }
}

/// An attach command of a client whose event has not arrived yet.
#[derive(Debug)]
pub(super) struct Attaching {
    pub(super) tag: Tag,
    pub(super) on: CdpSessionId,
    pub(super) target: TargetId,
    pub(super) flat: bool,
}

impl VirtualBrowser {
    /// Sends a client's command under an id of the proxy to the CDP session `to`, and forwards the reply.
    pub(super) fn forward(&mut self, on: &CdpSessionId, to: CdpSessionId, id: CallId, method: &str, params: String) {
        self.call(to, method, params, Settle::Plain, Pending::Forward(on.clone(), id));
    }

    pub(super) fn call(&mut self, to: CdpSessionId, method: &str, params: String, settle: Settle, pending: Pending) {
        let tag = self.expect(pending);
        let call = Call { on: Some(to), method: method.to_owned().into(), params, settle };
        self.actions.push(Action::Call(tag, call));
    }

    /// Attaches to a target through the base, hidden from clients.
    pub(super) fn attach(&mut self, target: TargetId, pending: Pending) {
        let tag = self.expect(pending);
        self.actions.push(Action::Call(tag, Call::attach(Some(self.base.clone()), target)));
    }

    /// Makes a number for a coming reply, which is handled as `pending` says.
    pub(super) fn expect(&mut self, pending: Pending) -> Tag {
        self.last_tag += 1;
        if let Some((on, id)) = pending.asked() {
            let on = on.clone();
            self.sent(&on, id);
        }
        self.pending.insert(self.last_tag, pending);
        self.last_tag
    }

    /// Removes the entry of a reply. The client's command is not in flight any more.
    pub(super) fn settled(&mut self, tag: Tag) -> Option<Pending> {
        let pending = self.pending.remove(&tag)?;
        if let Some((on, id)) = pending.asked()
            && let Some(cdp) = self.scope.sessions.get_mut(on)
        {
            cdp.in_flight.answered(id);
        }
        Some(pending)
    }

    pub(super) fn on_reply(&mut self, tag: Tag, reply: Reply) {
        let Some(pending) = self.settled(tag) else { return };
        // The event of an attach comes before its reply, or not at all.
        if let Some(at) = self.attaching.iter().position(|attach| attach.tag == tag) {
            self.attaching.remove(at);
        }
        let result = match reply {
            Reply::Result(result) => result,
            Reply::Error(error) => return self.on_error_reply(tag, pending, &error),
        };
        match pending {
            Pending::Forward(on, id) | Pending::Attach(on, id) | Pending::TraceStart(on, id) => {
                self.scope.reply(&on, id, &result);
            }
            Pending::Taken(Picture { on, id, .. }, drawing) => {
                drawing.done();
                self.scope.reply(&on, id, &result);
            }
            Pending::Target(on, id) => self.on_target_info(&on, id, &result),
            Pending::Targets(on, id) => self.on_target_infos(&on, id, &result),
            Pending::CreateContext(on, id) => {
                if let Some(context) = JsonObject::read(&result).and_then(|result| result.string("browserContextId")) {
                    self.scope.contexts.push(context.into());
                }
                self.scope.reply(&on, id, &result);
            }
            Pending::DisposeContext(on, id, context) => {
                self.scope.forget_context(&context);
                self.files.forget(&context);
                self.scope.reply(&on, id, &result);
            }
            Pending::Window(on, id, attached) => self.on_window(&on, id, &result, attached),
            Pending::WindowAttach(on, id) => self.on_window_attached(&on, id, &result),
            Pending::SystemInfo(on, id) => self.on_system_info(&on, id, &result),
            Pending::Extensions(on, id) => self.on_extensions(&on, id, &result),
            Pending::Installed(on, id, path) => self.on_installed(&on, id, path, &result),
            Pending::Uninstalled(on, id, extension) => self.on_uninstalled(&on, id, extension, &result),
            Pending::Alive(_, _, page) => self.on_alive(&page),
            Pending::LivenessCheck(on, id, page) => {
                if self.on_careful(page, &on, id) {
                    self.scope.reply(&on, id, &result);
                }
            }
            Pending::Picture(picture) => self.on_measured(picture, &result),
            Pending::Scale(on, id, scale) => {
                self.scaled(&on, Some(scale));
                self.scope.reply(&on, id, &result);
            }
            Pending::DialogGuard(page) => self.on_guard_attached(tag, &page, Some(&result)),
            Pending::Leaving => self.settle_leaving(tag),
            Pending::Trace(..)
            | Pending::Moved(_)
            | Pending::Files(..)
            | Pending::Extension(..)
            | Pending::Permit(..)
            | Pending::Nobody => {}
        }
    }

    fn on_error_reply(&mut self, tag: Tag, pending: Pending, error: &CdpError) {
        match pending {
            Pending::TraceStart(on, id) => {
                self.tracing = None;
                self.actions.push(Action::Unclaim);
                self.scope.fail(&on, id, error);
            }
            Pending::Window(on, id, attached) => {
                self.detach_own(attached);
                self.scope.fail(&on, id, error);
            }
            Pending::Alive(on, id, page) | Pending::LivenessCheck(on, id, page) => {
                if self.on_careful(page, &on, id) {
                    self.scope.fail(&on, id, error);
                }
            }
            Pending::Scale(on, id, _) => {
                self.scaled(&on, None);
                self.scope.fail(&on, id, error);
            }
            Pending::Picture(picture) => self.on_unmeasured(picture, error),
            Pending::Taken(picture, drawing) => self.on_untaken(picture, drawing, error),
            Pending::Forward(on, id)
            | Pending::Attach(on, id)
            | Pending::Target(on, id)
            | Pending::Targets(on, id)
            | Pending::CreateContext(on, id)
            | Pending::DisposeContext(on, id, _)
            | Pending::WindowAttach(on, id)
            | Pending::SystemInfo(on, id)
            | Pending::Extensions(on, id)
            | Pending::Installed(on, id, _) => self.scope.fail(&on, id, error),
            // Chrome removes only those that a command of this session has loaded; the next session does not have it.
            Pending::Uninstalled(on, id, extension) => {
                self.actions.push(Action::KeepExtension(extension, None));
                self.scope.fail(&on, id, error);
            }
            Pending::DialogGuard(page) => self.on_guard_attached(tag, &page, None),
            Pending::Leaving => self.settle_leaving(tag),
            Pending::Trace(..)
            | Pending::Moved(_)
            | Pending::Files(..)
            | Pending::Extension(..)
            | Pending::Permit(..)
            | Pending::Nobody => {}
        }
    }
}
