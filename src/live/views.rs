//! The sockets of a session: how they come, go, and are sent away.

use std::time::Instant;

use super::{Ends, FAREWELL, Live, View};
use crate::{
    cdp::ids::{CdpSessionId, TargetId},
    client::Client,
    error::CloseReason,
    session::ViewId,
};

impl Live {
    pub(super) fn add_view(&mut self, client: Client, root: CdpSessionId, page: Option<(TargetId, CdpSessionId)>) {
        self.last_view += 1;
        let id = ViewId(self.last_view);
        self.session.open_view(id, root);
        if let Some((target, session)) = page {
            self.session.set_page(id, session, &target);
        }
        self.views.push(View { id, client, leaving: None });
        self.terms.metrics.views.inc();
        self.perform();
    }

    /// A client has gone, or is sent away with a reason.
    pub(super) fn leave(&mut self, id: ViewId, reason: Option<&CloseReason>) {
        self.used = Instant::now();
        let Some(at) = self.views.iter().position(|view| view.id == id) else { return };
        if let Some(reason) = reason {
            return self.send_away(id, reason);
        }
        let view = self.views.remove(at);
        self.terms.metrics.views.dec();
        if view.leaving.is_none() {
            self.close_view(view.id);
        }
    }

    /// Closes a socket with a reason; it is gone when its client has read that, or does not.
    pub(super) fn send_away(&mut self, id: ViewId, reason: &CloseReason) {
        let Some(view) = self.views.iter_mut().find(|view| view.id == id && view.leaving.is_none()) else { return };
        tracing::debug!(session = %self.name, code = reason.code(), %reason, "client sent away");
        view.client.close(reason);
        view.leaving = Some(Instant::now() + FAREWELL);
        self.close_view(id);
    }

    pub(super) fn cut(&mut self, id: ViewId, waiting: usize, limit: usize) {
        self.terms.metrics.clients_too_slow.inc();
        tracing::warn!(session = %self.name, waiting, limit, "client cut off: it does not read");
        self.send_away(id, &CloseReason::TooSlow { waiting, limit });
    }

    fn close_view(&mut self, id: ViewId) {
        if let Some(root) = self.session.close_view(id) {
            // What was held paused is resumed before its CDP session goes.
            self.perform();
            self.lease.browser().close_root(&root);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let queue = self.terms.queue;
        let slow = self.views.iter().filter(|view| view.leaving.is_none() && view.client.queued() > queue.soft);
        let leaving = self.views.iter().filter_map(|view| view.leaving);
        let unused = match self.ends {
            Ends::WhenUnused(after) if self.views.is_empty() => Some(self.used + after),
            _ => None,
        };
        slow.map(|view| view.client.progress() + queue.stall).chain(leaving).chain(unused).min()
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        let queue = self.terms.queue;
        let late: Vec<(ViewId, usize)> = self
            .views
            .iter()
            .filter(|view| {
                view.leaving.is_none()
                    && view.client.queued() > queue.soft
                    && view.client.progress() + queue.stall <= now
            })
            .map(|view| (view.id, view.client.queued()))
            .collect();
        for (id, waiting) in late {
            self.cut(id, waiting, queue.soft);
        }
        let before = self.views.len();
        self.views.retain(|view| view.leaving.is_none_or(|until| until > now));
        self.terms.metrics.views.dec_by((before - self.views.len()).try_into().unwrap_or(0));
        if let Ends::WhenUnused(after) = self.ends
            && self.views.is_empty()
            && self.used + after <= now
        {
            self.over = Some(CloseReason::Bye("nobody used the session any more"));
        }
    }
}
