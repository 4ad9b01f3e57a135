//! Makes the contexts of sessions. No other code does: a context must not exist without what guards it.

use super::{Browser, CallError, LeaseId, member};
use crate::{
    cdp::{
        ids::{CdpSessionId, ContextId},
        json_object::quote,
    },
    port::{Call, NewContext, Settle},
};

const METHOD: &str = "Target.createBrowserContext";

/// The command that makes a context. `base` is the CDP session that owns the contexts of its lease.
pub(super) fn create(base: &CdpSessionId, new: &NewContext) -> Call {
    let mut params = r#"{"disposeOnDetach":true"#.to_owned();
    if let Some(proxy) = &new.proxy {
        params += &format!(r#","proxyServer":{}"#, quote(&proxy.server));
        if let Some(bypass) = &proxy.bypass {
            params += &format!(r#","proxyBypassList":{}"#, quote(bypass));
        }
    }
    params.push('}');
    Call { on: Some(base.clone()), method: METHOD.into(), params, settle: Settle::Bind }
}

impl Browser {
    /// Makes a context for a lease, and returns its id.
    pub(super) async fn new_context(&self, lease: LeaseId, base: &CdpSessionId) -> Result<ContextId, CallError> {
        let call = create(base, &NewContext::default());
        let result = self.own_call(METHOD, call, Some(lease)).await?;
        member(&result, METHOD, "browserContextId").map(ContextId::from)
    }
}
