//! Makes the contexts of sessions. No other code does: in a browser with gates, none may be without one.

use std::fmt::Write as _;

use super::{
    Browser, CallError, LeaseId,
    egress::{LeaseEgress, NO_BYPASS},
    member,
};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, ContextId},
        json_object::quote,
    },
    port::{Call, ContextProxy, NewContext, Settle},
};

const METHOD: &str = "Target.createBrowserContext";

/// The command that makes a context. `base` is the CDP session that owns the contexts of its lease. With a gate, Chrome gets
/// that as its proxy, and no bypass rule of anybody. Fails if no gate can be opened.
pub(super) fn create(base: &CdpSessionId, egress: &LeaseEgress, new: &NewContext) -> Result<Call, CdpError> {
    let upstream = match &new.proxy {
        ContextProxy::UpstreamProxy(upstream) => Some(upstream),
        ContextProxy::None | ContextProxy::AsWritten { .. } => None,
    };
    let gate = egress.open(upstream).map_err(|error| {
        tracing::error!(%error, "no gate could be opened for a context");
        CdpError::server(format!(
            "the context was not created: no gate (egress), behind which its proxy is, could be opened: {error}"
        ))
    })?;
    let proxy = match (&gate, &new.proxy) {
        (Some(opened), _) => Some((opened.gate.proxy_server(), Some(NO_BYPASS))),
        (None, ContextProxy::AsWritten { server, bypass }) => Some((server.as_str(), bypass.as_deref())),
        (None, ContextProxy::None | ContextProxy::UpstreamProxy(_)) => None,
    };
    let mut params = r#"{"disposeOnDetach":true"#.to_owned();
    if let Some((server, bypass)) = proxy {
        let _ = write!(params, r#","proxyServer":{}"#, quote(server));
        if let Some(bypass) = bypass {
            let _ = write!(params, r#","proxyBypassList":{}"#, quote(bypass));
        }
    }
    params.push('}');
    Ok(Call { on: Some(base.clone()), method: METHOD.into(), params, settle: Settle::Bind(gate) })
}

impl Browser {
    /// Makes a context for a lease, and returns its id.
    pub(super) async fn new_context(
        &self,
        lease: LeaseId,
        base: &CdpSessionId,
        egress: &LeaseEgress,
        new: &NewContext,
    ) -> Result<ContextId, CallError> {
        let call = create(base, egress, new);
        let call = call.map_err(|error| CallError::Refused { method: METHOD, error })?;
        let result = self.own_call(METHOD, call, Some(lease)).await?;
        member(&result, METHOD, "browserContextId").map(ContextId::from)
    }
}
