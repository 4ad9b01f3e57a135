//! HTTP calls, as one more view of a session: what they ask goes through the same judgement as a client's frames.

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::{SessionTask, jobs::Done};
use crate::{
    browser::CallError,
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId},
        message::{self, Outcome},
    },
    virtual_browser::{ToClient, ViewId, ViewKind},
};

/// HTTP calls as one more view of the session.
#[derive(Default)]
pub(super) enum RpcCaller {
    #[default]
    None,
    /// Its root is on its way; these calls wait for it.
    Coming(Vec<RpcCall>),
    There {
        waiting: Vec<(CallId, oneshot::Sender<Result<String, CdpError>>)>,
        last: i32,
    },
}

pub(super) struct RpcCall {
    pub(super) method: &'static str,
    pub(super) params: String,
    pub(super) reply: oneshot::Sender<Result<String, CdpError>>,
}

/// The view of HTTP calls; those of clients are numbered from 1.
pub(super) const RPC: ViewId = ViewId(0);

impl SessionTask {
    pub(super) fn on_face_call(&mut self, call: RpcCall) {
        match &mut self.face {
            RpcCaller::None => {
                self.face = RpcCaller::Coming(vec![call]);
                let (browser, lease) = (self.lease.browser().clone(), self.lease.id());
                self.jobs.push(async move { Done::Faced(browser.root(lease).await) }.boxed());
            }
            RpcCaller::Coming(calls) => calls.push(call),
            RpcCaller::There { waiting, last } => {
                *last += 1;
                let id = CallId(*last);
                waiting.push((id, call.reply));
                let text = message::envelope(id, call.method, &call.params, None);
                self.session.on_client(RPC, text.into());
                self.perform();
            }
        }
    }

    pub(super) fn on_faced(&mut self, root: Result<CdpSessionId, CallError>) {
        let RpcCaller::Coming(calls) = std::mem::take(&mut self.face) else { return };
        match root {
            Ok(root) => {
                self.session.open_view(RPC, root, ViewKind::Calls);
                self.face = RpcCaller::There { waiting: Vec::new(), last: 0 };
                for call in calls {
                    self.on_face_call(call);
                }
            }
            Err(error) => {
                for call in calls {
                    let _ = call.reply.send(Err(CdpError::server(error.to_string())));
                }
            }
        }
    }

    pub(super) fn on_face_frame(&mut self, frame: ToClient) {
        let RpcCaller::There { waiting, .. } = &mut self.face else { return };
        let (text, end) = frame.parts();
        let text = [&text[..], end.as_bytes()].concat();
        let message::Head::Reply(id) = message::route(&text).head else { return };
        let Some(at) = waiting.iter().position(|(waits, _)| *waits == id) else { return };
        let (_, reply) = waiting.swap_remove(at);
        let _ = reply.send(match message::result_or_error(&text) {
            Some(Outcome::Result(result)) => Ok(result.to_owned()),
            Some(Outcome::Error(error)) => Err(error.into()),
            None => Err(CdpError::server("no answer")),
        });
    }
}
