//! The calls of a view without a socket that wait for a reply.

use tokio::sync::oneshot;

use crate::{
    cdp::{
        error::CdpError,
        ids::CallId,
        message::{self, Outcome},
    },
    virtual_browser::ToClient,
};

/// The calls that wait for a reply.
#[derive(Default)]
pub(super) struct PendingCalls {
    waiting: Vec<(CallId, oneshot::Sender<Result<String, CdpError>>)>,
    last: i32,
}

impl PendingCalls {
    /// Adds a call; returns the id of its command.
    pub(super) fn push(&mut self, reply: oneshot::Sender<Result<String, CdpError>>) -> CallId {
        // Of a command that Chrome never answers, nothing is left once its caller has gone.
        self.waiting.retain(|(_, reply)| !reply.is_closed());
        self.last += 1;
        let id = CallId(self.last);
        self.waiting.push((id, reply));
        id
    }

    /// Completes the call that a frame replies to. Events are dropped.
    pub(super) fn on_frame(&mut self, frame: ToClient) {
        let (text, end) = frame.parts();
        let text = [&text[..], end.as_bytes()].concat();
        let message::Head::Reply(id) = message::route(&text).head else { return };
        let Some(at) = self.waiting.iter().position(|(waits, _)| *waits == id) else { return };
        let (_, reply) = self.waiting.swap_remove(at);
        let _ = reply.send(match message::result_or_error(&text) {
            Some(Outcome::Result(result)) => Ok(result.to_owned()),
            Some(Outcome::Error(error)) => Err(error.into()),
            None => Err(CdpError::server("no answer")),
        });
    }
}
