//! Commands that go up under ids of ours, and what becomes of their replies.

use super::{
    Action, VirtualBrowser,
    screenshot::{Drawing, Picture},
};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, ContextId, TargetId},
        json_object::JsonObject,
    },
    port::{Call, Reply, Settle, Tag},
};

/// What becomes of a reply to a command of ours.
#[derive(Debug)]
pub(super) enum Pending {
    /// It is the client's reply, word for word.
    Forward(CdpSessionId, CallId),
    /// The client's reply, with the `TargetInfo`s as it may see them.
    Target(CdpSessionId, CallId),
    /// As [`Pending::Target`], many.
    Targets(CdpSessionId, CallId),
    /// A context of this session's.
    CreateContext(CdpSessionId, CallId),
    /// A context that is gone once this is answered.
    DisposeContext(CdpSessionId, CallId, ContextId),
    /// An attach, which announces itself before it is answered.
    Attach(CdpSessionId, CallId),
    /// A window; what is attached only to ask for it is detached again.
    Window(CdpSessionId, CallId, Option<CdpSessionId>),
    /// A CDP session of ours on a page, to ask it for its window.
    WindowAttach(CdpSessionId, CallId),
    /// A trace that may begin.
    Trace(CdpSessionId, CallId, String),
    /// A trace that has begun if this is no error.
    TraceStart(CdpSessionId, CallId),
    /// The file of this download is on its way.
    Moved(String),
    /// Files a client named are being looked at.
    Files(CdpSessionId, CallId, String, String),
    /// The page of this command is alive if this is no error.
    Alive(CdpSessionId, CallId, TargetId),
    /// The client's reply, and the next command that wants this page alive has its turn.
    LivenessCheck(CdpSessionId, CallId, TargetId),
    /// A picture of a page that says how large it is.
    Picture(Picture),
    /// A picture that waits until the browser has room for so many device pixels.
    Permit(Picture, u64),
    /// The client's reply: a picture has been taken, and the next one may be.
    Taken(CdpSessionId, CallId, Drawing),
    /// The client's reply; if it is no error, the CDP session makes so many device pixels of a CSS pixel.
    Scale(CdpSessionId, CallId, f64),
    /// A dialog guard for this page.
    DialogGuard(TargetId),
    /// A client that has gone holds this up no more.
    Leaving,
    /// Nobody asked.
    Nobody,
}

impl Pending {
    /// The client's command that this answers, and the CDP session it was sent on.
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
            | Self::Trace(on, id, _)
            | Self::TraceStart(on, id)
            | Self::Picture(Picture { on, id, .. })
            | Self::Permit(Picture { on, id, .. }, _)
            | Self::Taken(on, id, _)
            | Self::Scale(on, id, _)
            | Self::Files(on, id, ..) => Some((on, *id)),
            // What wants its page alive is in flight from when it was sent, its turn included: `liveness_check` sees to
            // that.
            Self::Alive(..)
            | Self::LivenessCheck(..)
            | Self::Moved(_)
            | Self::DialogGuard(_)
            | Self::Leaving
            | Self::Nobody => None,
        }
    }
}

/// An attach that a client asked for and that was not announced yet.
#[derive(Debug)]
pub(super) struct Attaching {
    pub(super) tag: Tag,
    pub(super) on: CdpSessionId,
    pub(super) target: TargetId,
    pub(super) flat: bool,
}

impl VirtualBrowser {
    /// Sends a command under an id of ours to the CDP session `to`; its reply is the client's.
    pub(super) fn forward(&mut self, on: &CdpSessionId, to: CdpSessionId, id: CallId, method: &str, params: String) {
        self.call(to, method, params, Settle::Plain, Pending::Forward(on.clone(), id));
    }

    pub(super) fn call(&mut self, to: CdpSessionId, method: &str, params: String, settle: Settle, pending: Pending) {
        let tag = self.expect(pending);
        let call = Call { on: Some(to), method: method.to_owned().into(), params, settle };
        self.actions.push(Action::Call(tag, call));
    }

    /// Attaches to a target on the base, where no client sees it.
    pub(super) fn attach(&mut self, target: TargetId, pending: Pending) {
        let tag = self.expect(pending);
        self.actions.push(Action::Call(tag, Call::attach(Some(self.base.clone()), target)));
    }

    /// A number for what is to come, of which `pending` says what becomes of it.
    pub(super) fn expect(&mut self, pending: Pending) -> Tag {
        self.last_tag += 1;
        if let Some((on, id)) = pending.asked() {
            let on = on.clone();
            self.sent(&on, id);
        }
        self.pending.insert(self.last_tag, pending);
        self.last_tag
    }

    /// What waited for this answer. The client's command is not in flight any more.
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
        // Announced before it was answered, or not at all.
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
            Pending::Taken(on, id, drawing) => {
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
            Pending::DialogGuard(page) => self.on_keeper(tag, &page, Some(&result)),
            Pending::Leaving => self.settle_leaving(tag),
            Pending::Trace(..) | Pending::Moved(_) | Pending::Files(..) | Pending::Permit(..) | Pending::Nobody => {}
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
            Pending::Taken(on, id, drawing) => {
                self.pictures.failed(drawing, error);
                self.scope.fail(&on, id, error);
            }
            Pending::Forward(on, id)
            | Pending::Attach(on, id)
            | Pending::Target(on, id)
            | Pending::Targets(on, id)
            | Pending::CreateContext(on, id)
            | Pending::DisposeContext(on, id, _)
            | Pending::WindowAttach(on, id) => self.scope.fail(&on, id, error),
            Pending::DialogGuard(page) => self.on_keeper(tag, &page, None),
            Pending::Leaving => self.settle_leaving(tag),
            Pending::Trace(..) | Pending::Moved(_) | Pending::Files(..) | Pending::Permit(..) | Pending::Nobody => {}
        }
    }
}
