//! Sends the disposals that are due.

use std::time::Instant;

use super::{
    Link,
    calls::{Pending, detach_from},
};
use crate::{
    browser::context_reaper::Disposal,
    cdp::ids::CallId,
    port::{Call, Settle},
};

impl Link {
    pub(super) fn dispose(&mut self, now: Instant) {
        let Some(disposal) = self.disposals.poll_due(now) else { return };
        match disposal {
            Disposal::Page(page) => {
                let params = format!(r#"{{"targetId":"{page}"}}"#);
                let method = "Target.closeTarget".into();
                self.call(None, Call { on: None, method, params, settle: Settle::Plain }, Pending::Nobody);
            }
            Disposal::Context { context, base } => {
                let params = format!(r#"{{"browserContextId":"{context}"}}"#);
                let method = "Target.disposeBrowserContext".into();
                self.call(None, Call { on: Some(base), method, params, settle: Settle::Plain }, Pending::Nobody);
            }
            Disposal::Base(base) => self.call(None, detach_from(None, base.as_str()), Pending::Nobody),
            Disposal::Asked { lease, tag, call } => self.call(Some(lease), call, Pending::Lease(lease, tag)),
        }
        self.disposals.started(CallId(self.last_id), now);
    }

    /// A command has its reply, or will have none: it may be a disposal.
    pub(super) fn disposed(&mut self, id: CallId) {
        if self.disposals.is_under_way(id) {
            self.disposals.ended(id, Instant::now());
        }
    }
}
