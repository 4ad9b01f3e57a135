//! Calls that do not come through a client's socket, for example from REST. They have a view of their own: the policy
//! decides about them as it does about a client's frames.

use std::borrow::Cow;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::{SessionTask, jobs::Done, pending_calls::PendingCalls, views::Sink};
use crate::{
    browser::CallError,
    cdp::{error::CdpError, ids::CdpSessionId, message},
    virtual_browser::ViewId,
};

/// The view of calls, which is opened for the first one.
#[derive(Default)]
pub(super) enum RpcCaller {
    /// There was no call yet.
    #[default]
    None,
    /// The root of the view is being made; these calls wait for it.
    Opening(Vec<RpcCall>),
    /// The view is open.
    Open(ViewId),
}

/// A call of a command on the session's browser.
pub(super) struct RpcCall {
    /// A CDP session of the view; `None` is its root.
    pub(super) on: Option<CdpSessionId>,
    pub(super) method: Cow<'static, str>,
    pub(super) params: String,
    pub(super) reply: oneshot::Sender<Result<String, CdpError>>,
}

impl SessionTask {
    pub(super) fn on_rpc_call(&mut self, call: RpcCall) {
        match &mut self.rpc {
            RpcCaller::None => {
                self.rpc = RpcCaller::Opening(vec![call]);
                let (browser, lease) = (self.lease.browser().clone(), self.lease.id());
                self.jobs.push(async move { Done::RpcRoot(browser.root(lease).await) }.boxed());
            }
            RpcCaller::Opening(calls) => calls.push(call),
            RpcCaller::Open(view) => {
                let view = *view;
                let Some(Sink::Rpc(calls)) = self.views.get_mut(view).map(|view| &mut view.sink) else { return };
                let text = message::envelope(calls.push(call.reply), &call.method, &call.params, call.on.as_ref());
                self.session.on_client(view, text.into());
                self.perform();
            }
        }
    }

    pub(super) fn on_rpc_root(&mut self, root: Result<CdpSessionId, CallError>) {
        let RpcCaller::Opening(calls) = std::mem::take(&mut self.rpc) else { return };
        match root {
            Ok(root) => {
                let view = self.next_view();
                self.open_view(view, root, Sink::Rpc(PendingCalls::default()));
                self.rpc = RpcCaller::Open(view);
                for call in calls {
                    self.on_rpc_call(call);
                }
            }
            Err(error) => {
                for call in calls {
                    let _ = call.reply.send(Err(CdpError::server(error.to_string())));
                }
            }
        }
    }
}
