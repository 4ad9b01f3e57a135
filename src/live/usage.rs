//! What is done on a session's lease beside its clients, and out of their sight: asking its pages what they use, and
//! whatever a [`Job`] wants.

use futures_util::future::BoxFuture;

use super::Live;
use crate::{
    browser::{Browser, LeaseId},
    cdp::{
        ghost::{Millis, Usage},
        ids::{CdpSessionId, ContextId, TargetId},
    },
};

/// Something that is done on a session's lease. It is dropped with the session, and nothing of it may outlive that.
pub type Job = Box<dyn FnOnce(Site) -> BoxFuture<'static, ()> + Send>;

/// Where a session is in its browser, as of now. What is attached through `base` no client ever sees.
#[derive(Clone, Debug)]
pub struct Site {
    /// The browser.
    pub browser: Browser,
    /// The lease in it.
    pub lease: LeaseId,
    /// The browser-level CDP session that owns all of the session's.
    pub base: CdpSessionId,
    /// Its contexts, the default one first.
    pub contexts: Vec<ContextId>,
    /// Its pages, oldest first.
    pub pages: Vec<TargetId>,
}

impl Live {
    /// Where it is now.
    pub(super) fn site(&self) -> Site {
        let mut contexts = vec![self.lease.context().clone()];
        contexts.extend(self.session.contexts().iter().cloned());
        Site {
            browser: self.lease.browser().clone(),
            lease: self.lease.id(),
            base: self.lease.base().clone(),
            contexts,
            pages: self.session.pages(),
        }
    }

    /// What the session has used; the pages are asked without its clients noticing.
    pub(super) fn usage(&self) -> impl Future<Output = Usage> + Send + use<> {
        let (traffic, site) = (self.record.traffic, self.site());
        let most = self.session.pages_most();
        let wall_time = Millis(super::now().saturating_duration_since(self.record.life().began()));
        async move {
            Usage {
                wall_time,
                frames_in: traffic.frames_in,
                frames_out: traffic.frames_out,
                bytes_in: traffic.bytes_in,
                bytes_out: traffic.bytes_out,
                commands: traffic.frames_in - traffic.malformed,
                events: traffic.events,
                pages: u32::try_from(site.pages.len()).unwrap_or(u32::MAX),
                pages_most: most,
                ..Usage::default()
            }
        }
    }
}
