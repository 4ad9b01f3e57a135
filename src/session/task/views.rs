//! The sockets of a session: how they come, go, and are sent away.

use std::time::Instant;

use super::{Caller, FAREWELL, SessionTask, now};
use crate::session::lifecycle::Event;
use crate::{
    api_types,
    cdp::ids::{CdpSessionId, TargetId},
    close_reason::CloseReason,
    session::client::Client,
    virtual_browser::{ViewId, ViewKind},
};

/// So many pings in a row that nothing follows, and the client has gone: a network that lost it says nothing by itself.
const UNANSWERED: u32 = 10;

/// One client's socket.
pub(super) struct View {
    pub(super) id: ViewId,
    pub(super) client: Client,
    pub(super) caller: Caller,
    /// The page it speaks to, if it is no browser-level client.
    page: Option<TargetId>,
    /// Whether no other browser-level client may connect while this one stays.
    pub(super) exclusive: bool,
    /// It is being sent away; when that must be over.
    pub(super) leaving: Option<Instant>,
    connected_at: u64,
    /// When it is pinged next, if it has sent nothing until then.
    ping_at: Instant,
    unanswered: u32,
}

impl View {
    /// Whether it has the session's browser, not only a page of it; a client on its way out has nothing.
    pub(super) fn is_browser_level(&self) -> bool {
        self.page.is_none() && self.leaving.is_none()
    }

    fn shown(&self) -> api_types::Client {
        let target_id = self.page.as_ref().map(ToString::to_string);
        api_types::Client { id: self.id.0, target_id, connected_at: self.connected_at, exclusive: self.exclusive }
    }
}

impl SessionTask {
    pub(super) fn add_view(
        &mut self,
        id: ViewId,
        client: Client,
        root: CdpSessionId,
        page: Option<(TargetId, CdpSessionId)>,
        caller: Caller,
        exclusive: bool,
    ) {
        self.session.open_view(id, root, ViewKind::Client);
        let (page, attached) = page.unzip();
        if let (Some(target), Some(session)) = (&page, attached) {
            self.session.set_page(id, session, target);
        }
        let now = now();
        let (connected_at, ping_at) = (self.record.session_info().since_epoch(now), now + self.terms.ping_interval);
        let view = View { id, client, caller, page, exclusive, leaving: None, connected_at, ping_at, unanswered: 0 };
        let shown = view.shown();
        self.views.push(view);
        self.record.session_info().add_client(shown.clone());
        self.terms.metrics.views.inc();
        self.step(Event::Came);
        self.tell_of_arrival(shown);
        self.perform();
    }

    /// A client has gone, or is sent away with a reason.
    pub(super) fn leave(&mut self, id: ViewId, reason: Option<&CloseReason>) {
        if let Some(reason) = reason {
            return self.send_away(id, reason);
        }
        let Some(at) = self.views.iter().position(|view| view.id == id) else { return };
        let view = self.views.remove(at);
        self.terms.metrics.views.dec();
        if view.leaving.is_none() {
            self.on_gone(id, view.shown(), None);
        }
    }

    /// Closes a socket with a reason; it is gone when its client has read that, or does not.
    pub(super) fn send_away(&mut self, id: ViewId, reason: &CloseReason) {
        let Some(view) = self.views.iter_mut().find(|view| view.id == id && view.leaving.is_none()) else { return };
        tracing::debug!(session = &**self.record.id(), code = reason.code(), %reason, "client sent away");
        view.client.close(reason);
        view.leaving = Some(now() + FAREWELL);
        let shown = view.shown();
        self.on_gone(id, shown, Some(reason));
    }

    pub(super) fn cut(&mut self, id: ViewId, waiting: usize, limit: usize) {
        self.terms.metrics.clients_too_slow.inc();
        tracing::warn!(session = &**self.record.id(), waiting, limit, "client cut off: it does not read");
        self.send_away(id, &CloseReason::TooSlow { waiting, limit });
    }

    fn on_gone(&mut self, id: ViewId, shown: api_types::Client, reason: Option<&CloseReason>) {
        self.record.session_info().remove_client(id.0);
        self.step(Event::Went);
        // All goes at once with a session that is over.
        if self.over.is_some() {
            return;
        }
        self.tell_of_departure(shown, reason);
        self.session.close_view(id);
        self.perform();
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let queue = self.terms.queue;
        let slow = self.views.iter().filter(|view| view.leaving.is_none() && view.client.queued() > queue.soft);
        let slow = slow.map(|view| view.client.progress() + queue.stall);
        let leaving = self.views.iter().filter_map(|view| view.leaving);
        let pings = self.views.iter().filter(|view| view.leaving.is_none()).map(|view| view.ping_at);
        let pings = pings.filter(|_| !self.terms.ping_interval.is_zero());
        let ends = self.record.life().next();
        let notice = self.session.next_ghost_notice(ends);
        slow.chain(leaving).chain(pings).chain(ends.map(|(at, _)| at)).chain(notice).chain(self.save_at()).min()
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        if let Some(reason) = self.record.life().due(now) {
            self.over = Some(reason);
            return;
        }
        self.save_if_due(now);
        self.session.on_ghost_time(now, self.record.life().next());
        self.perform();
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
        self.ping(now);
        let before = self.views.len();
        self.views.retain(|view| view.leaving.is_none_or(|until| until > now));
        self.terms.metrics.views.dec_by((before - self.views.len()).try_into().unwrap_or(0));
    }

    /// Asks clients that have sent nothing for a while whether they are there.
    fn ping(&mut self, now: Instant) {
        let interval = self.terms.ping_interval;
        if interval.is_zero() {
            return;
        }
        let mut silent = Vec::new();
        for view in self.views.iter_mut().filter(|view| view.leaving.is_none() && view.ping_at <= now) {
            view.ping_at = now + interval;
            // Who is not listened to, because of what waits on the way to it or from it, cannot be heard.
            let is_heard =
                view.client.take_heard() || !self.lease.has_room() || view.client.queued() > self.terms.queue.soft;
            view.unanswered = if is_heard { 0 } else { view.unanswered + 1 };
            if view.unanswered > UNANSWERED {
                silent.push(view.id);
            } else if view.unanswered > 0 {
                view.client.ping();
            }
        }
        for id in silent {
            self.send_away(id, &CloseReason::Silent(interval * UNANSWERED));
        }
    }
}
