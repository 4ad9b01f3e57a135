//! Commands of CDP on pages that do not come through a client's socket: `/v1/sessions/ID/pages/PAGE/cdp` and the actions
//! that set the state of a page. They run on a CDP session of the view of calls (`rpc`), one for each page, so the policy
//! decides about them as it does about a client's frames. It ends with the page.

use std::collections::HashMap;

use futures_util::FutureExt as _;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::{SessionTask, jobs::Done, rpc::RpcCall};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, TargetId},
    },
    session::pages::PageError,
};

/// A command on a page.
pub struct PageCall {
    /// The page.
    pub page: TargetId,
    /// The method.
    pub method: String,
    /// The params, as JSON.
    pub params: String,
    /// Receives the result.
    pub reply: oneshot::Sender<Result<String, PageError>>,
}

/// The CDP sessions of the calls, by their pages.
#[derive(Default)]
pub(super) struct PageSessions(HashMap<TargetId, PageSession>);

enum PageSession {
    /// It is being attached; these commands wait for it.
    Attaching(Vec<PageCall>),
    Attached(CdpSessionId),
}

impl SessionTask {
    pub(super) fn on_page_call(&mut self, call: PageCall) {
        // The CDP sessions of pages that are closed have ended.
        let session = &self.session;
        self.page_sessions.0.retain(|page, _| session.shows(page));
        if !self.session.shows(&call.page) {
            let _ = call.reply.send(Err(PageError::Closed));
            return;
        }
        match self.page_sessions.0.get_mut(&call.page) {
            Some(PageSession::Attached(on)) if self.session.has_cdp_session(on) => {
                let on = on.clone();
                self.send_page_call(on, call);
            }
            Some(PageSession::Attaching(waiting)) => waiting.push(call),
            // There is none, or the page has detached it, as `Target.detachFromTarget` can.
            _ => {
                let page = call.page.clone();
                self.page_sessions.0.insert(page.clone(), PageSession::Attaching(vec![call]));
                let (reply, attached) = oneshot::channel();
                let params = json!({ "targetId": page.as_str(), "flatten": true }).to_string();
                self.on_rpc_call(RpcCall { on: None, method: "Target.attachToTarget".into(), params, reply });
                let gone = || CdpError::server("the page was closed meanwhile");
                let job = async move { Done::PageAttached(page, attached.await.unwrap_or_else(|_| Err(gone()))) };
                self.jobs.push(job.boxed());
            }
        }
    }

    pub(super) fn on_page_attached(&mut self, page: &TargetId, attached: Result<String, CdpError>) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Attached {
            session_id: String,
        }

        let Some(PageSession::Attaching(waiting)) = self.page_sessions.0.remove(page) else { return };
        let unreadable = |error: serde_json::Error| CdpError::server(error.to_string());
        match attached.and_then(|result| serde_json::from_str::<Attached>(&result).map_err(unreadable)) {
            Ok(Attached { session_id }) => {
                let on = CdpSessionId::from(session_id.as_str());
                self.page_sessions.0.insert(page.clone(), PageSession::Attached(on.clone()));
                for call in waiting {
                    self.send_page_call(on.clone(), call);
                }
            }
            Err(error) => {
                for PageCall { reply, .. } in waiting {
                    let (method, error) = ("Target.attachToTarget".to_owned(), error.clone());
                    let _ = reply.send(Err(PageError::Refused { method, error }));
                }
            }
        }
    }

    fn send_page_call(&mut self, on: CdpSessionId, call: PageCall) {
        let PageCall { page, method, params, mut reply } = call;
        if let Some(claim) = self.session.conflict(&page, &method, &params) {
            let _ = reply.send(Err(PageError::ClientOwns { what: claim.name() }));
            return;
        }
        let (to, answer) = oneshot::channel();
        self.on_rpc_call(RpcCall { on: Some(on), method: method.clone().into(), params, reply: to });
        let job = async move {
            let result = tokio::select! {
                result = answer => result,
                // The caller has given up: a script may never end.
                () = reply.closed() => return Done::Nothing,
            };
            let result = result.map_err(|_| PageError::Closed);
            let _ = reply.send(result.and_then(|result| result.map_err(|error| PageError::Refused { method, error })));
            Done::Nothing
        };
        self.jobs.push(job.boxed());
    }
}
