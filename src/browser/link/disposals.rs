//! Sends the disposals that are due, and closes again the pages that stayed.

use std::time::Instant;

use super::{
    Link,
    calls::{Pending, detach_from},
};
use crate::{
    browser::context_reaper::Disposal,
    cdp::{
        ids::{CallId, CdpSessionId, ContextId},
        json_object::quote,
    },
    port::{Call, Settle},
};

impl Link {
    pub(super) fn dispose(&mut self, now: Instant) {
        let Some(disposal) = self.disposals.poll_due(now) else { return };
        match disposal {
            Disposal::Page(page) => self.call(None, Call::close(None, page), Pending::Nobody),
            Disposal::Context { context, base } => self.dispose_of(Some(base), &context),
            Disposal::Orphan(context) => self.dispose_of(None, &context),
            Disposal::Base { base, .. } => self.call(None, detach_from(None, base.as_str()), Pending::Nobody),
            Disposal::Asked { lease, tag, call } => self.call(Some(lease), call, Pending::Lease(lease, tag)),
        }
        self.disposals.started(CallId(self.last_id), now);
    }

    pub(super) fn close_again(&mut self, now: Instant) {
        while let Some(page) = self.closings.poll_due(now) {
            tracing::debug!(target_id = page.as_str(), "Chrome has not closed a page: it is told again");
            self.call(None, Call::close(None, page), Pending::Nobody);
        }
    }

    fn dispose_of(&mut self, on: Option<CdpSessionId>, context: &ContextId) {
        let params = format!(r#"{{"browserContextId":{}}}"#, quote(context.as_str()));
        let method = "Target.disposeBrowserContext".into();
        // The reply of the root comes also when the CDP session that owned the context ends meanwhile.
        let (on, settle) = if self.gates.contains_key(context) {
            (None, Settle::Unbind(context.clone()))
        } else {
            (on, Settle::Plain)
        };
        self.call(None, Call { on, method, params, settle }, Pending::Nobody);
    }

    /// Chrome has no such context any more.
    pub(super) fn is_gone(&mut self, context: &ContextId) {
        self.targets.unbind(context.as_str());
        self.gates.remove(context);
    }

    /// A command has its reply, or will have none: it may be a disposal.
    pub(super) fn disposed(&mut self, id: CallId) {
        self.disposals.ended(id, Instant::now);
    }
}
