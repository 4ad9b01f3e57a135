//! The views of a session: opens and closes them, and disconnects clients.

use std::time::Instant;

use super::{Caller, FAREWELL, SessionTask, now, pending_calls::PendingCalls};
use crate::session::lifecycle::Event;
use crate::{
    api_types,
    cdp::ids::{CdpSessionId, TargetId},
    close_reason::CloseReason,
    session::client::Client,
    virtual_browser::ViewId,
};

/// After this many pings in a row without an answer a client counts as gone: a network does not report a lost client.
const UNANSWERED: u32 = 10;

/// A receiver of the session's frames.
pub(super) struct View {
    pub(super) id: ViewId,
    pub(super) sink: Sink,
}

/// The destination of a view's frames.
pub(super) enum Sink {
    /// A client's socket.
    Socket(Box<Socket>),
    /// The calls of REST and of the proxy's other interfaces, which wait for their replies.
    Rpc(PendingCalls),
}

impl Sink {
    /// Whether a client sees and answers the dialogs of the session's pages, so that they need no dialog guard.
    fn tends_pages(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Rpc(_) => false,
        }
    }
}

/// The views of a session, in the order in which they were opened.
#[derive(Default)]
pub(super) struct Views(Vec<View>);

impl Views {
    /// A view, by its number.
    pub(super) fn get_mut(&mut self, id: ViewId) -> Option<&mut View> {
        self.0.iter_mut().find(|view| view.id == id)
    }

    /// The number of views of any sink.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The socket of the view at a position.
    pub(super) fn socket_at(&mut self, at: usize) -> Option<&mut Socket> {
        self.0.get_mut(at).and_then(View::socket_mut)
    }

    /// The sockets.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.0.iter().filter_map(|view| match &view.sink {
            Sink::Socket(socket) => Some(&**socket),
            Sink::Rpc(_) => None,
        })
    }

    /// As [`Views::sockets`], mutable.
    pub(super) fn sockets_mut(&mut self) -> impl Iterator<Item = &mut Socket> {
        self.0.iter_mut().filter_map(View::socket_mut)
    }

    /// Removes the sockets that match; returns their number.
    fn remove_sockets(&mut self, matches: impl Fn(&Socket) -> bool) -> usize {
        self.0.extract_if(.., |view| view.socket_mut().is_some_and(|socket| matches(socket))).count()
    }
}

impl View {
    fn socket_mut(&mut self) -> Option<&mut Socket> {
        match &mut self.sink {
            Sink::Socket(socket) => Some(socket),
            Sink::Rpc(_) => None,
        }
    }
}

/// A client's socket.
pub(super) struct Socket {
    pub(super) id: ViewId,
    pub(super) client: Client,
    pub(super) caller: Caller,
    /// The page of a page-level client; `None` for a browser-level one.
    page: Option<TargetId>,
    /// Whether no other browser-level client may connect while this one stays.
    pub(super) exclusive: bool,
    /// If it is being disconnected, the time at which the socket is dropped.
    pub(super) leaving: Option<Instant>,
    connected_at: u64,
    /// The time of the next ping, if the client sends nothing before.
    ping_at: Instant,
    unanswered: u32,
}

impl Socket {
    /// Whether the client is connected to the whole session, not only to a page, and is not being disconnected.
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
        let (page, attached) = page.unzip();
        let now = now();
        let (connected_at, ping_at) = (self.record.session_info().since_epoch(now), now + self.terms.ping_interval);
        let socket =
            Socket { id, client, caller, page, exclusive, leaving: None, connected_at, ping_at, unanswered: 0 };
        let (shown, page) = (socket.shown(), socket.page.clone());
        let is_revoked = socket.caller.access.is_revoked();
        self.open_view(id, root, Sink::Socket(Box::new(socket)));
        if let (Some(target), Some(session)) = (&page, attached) {
            self.session.set_page(id, session, target);
        }
        self.record.session_info().add_client(shown.clone());
        self.terms.metrics.views.inc();
        // At the time of its arrival: a session that begins with a client is not younger than it.
        self.step_at(Event::Came, now);
        self.tell_of_arrival(shown);
        self.perform();
        if is_revoked {
            // While it waited for its place.
            self.send_away(id, &CloseReason::Revoked);
        }
    }

    /// Opens a view with a browser-level CDP session of its own.
    pub(super) fn open_view(&mut self, id: ViewId, root: CdpSessionId, sink: Sink) {
        self.session.open_view(id, root, sink.tends_pages());
        self.views.0.push(View { id, sink });
    }

    /// Removes a client that has closed its socket, or disconnects it with a reason.
    pub(super) fn leave(&mut self, id: ViewId, reason: Option<&CloseReason>) {
        if let Some(reason) = reason {
            return self.send_away(id, reason);
        }
        let Some(socket) = self.views.sockets().find(|socket| socket.id == id) else { return };
        let gone = socket.leaving.is_none().then(|| socket.shown());
        self.views.remove_sockets(|socket| socket.id == id);
        self.terms.metrics.views.dec();
        if let Some(shown) = gone {
            self.on_gone(id, shown, None);
        }
    }

    /// Closes a socket with a reason. The view is removed once the client has read the reason, or at the deadline.
    pub(super) fn send_away(&mut self, id: ViewId, reason: &CloseReason) {
        let found = self.views.sockets_mut().find(|view| view.id == id && view.leaving.is_none());
        let Some(view) = found else { return };
        tracing::debug!(session = &**self.record.id(), code = reason.code(), %reason, "client disconnected");
        view.client.close(reason);
        view.leaving = Some(now() + FAREWELL);
        let shown = view.shown();
        self.on_gone(id, shown, Some(reason));
    }

    pub(super) fn cut(&mut self, id: ViewId, waiting: usize, limit: usize) {
        self.terms.metrics.clients_too_slow.inc();
        tracing::warn!(session = &**self.record.id(), waiting, limit, "client disconnected: it does not read");
        self.send_away(id, &CloseReason::TooSlow { waiting, limit });
    }

    /// Disconnects a client whose frame was delayed for too long.
    fn cut_too_fast(&mut self, now: Instant) {
        let Some(throttle) = &mut self.throttle else { return };
        self.terms.metrics.frames_delayed.inc_by(throttle.take_delayed());
        if throttle.is_holding() {
            // A client that is delayed is not idle.
            self.record.hear(now);
        }
        if let Some((id, reason)) = throttle.poll_late(now) {
            self.terms.metrics.clients_too_fast.inc();
            tracing::warn!(session = &**self.record.id(), %reason, "client disconnected");
            self.send_away(id, &reason);
        }
    }

    fn on_gone(&mut self, id: ViewId, shown: api_types::Client, reason: Option<&CloseReason>) {
        self.record.session_info().remove_client(id.0);
        self.step(Event::Went);
        // The views of a session that ends are dropped together.
        if self.over.is_some() {
            return;
        }
        if let Some(throttle) = &mut self.throttle {
            throttle.forget(id, now());
        }
        if let Some(slow_mo) = &mut self.slow_mo {
            slow_mo.forget(id);
        }
        self.tell_of_departure(shown, reason);
        self.session.close_view(id);
        self.perform();
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let queue = self.terms.queue;
        let slow = self.views.sockets().filter(|view| view.leaving.is_none() && view.client.queued() > queue.soft);
        let slow = slow.map(|view| view.client.progress() + queue.stall);
        let leaving = self.views.sockets().filter_map(|view| view.leaving);
        let pings = self.views.sockets().filter(|view| view.leaving.is_none()).map(|view| view.ping_at);
        let pings = pings.filter(|_| !self.terms.ping_interval.is_zero());
        let ends = self.record.life().next_timeout();
        let notice = self.session.next_ghost_notice(ends);
        // Frames do not pass while Chrome has much to do for the session; that it has not wakes this task.
        let held = self.throttle.as_ref().filter(|_| self.lease.has_room());
        let held = held.and_then(|throttle| throttle.next_timeout());
        let slowed = self.slow_mo.as_ref().filter(|_| self.lease.has_room());
        let held = held.into_iter().chain(slowed.and_then(|slow_mo| slow_mo.next_timeout()));
        let ends = ends.map(|(at, _)| at);
        slow.chain(leaving).chain(pings).chain(ends).chain(notice).chain(self.save_at()).chain(held).min()
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        self.cut_too_fast(now);
        if let Some(reason) = self.record.life().poll_end(now) {
            self.over = Some(reason);
            return;
        }
        self.save_if_due(now);
        self.session.on_ghost_time(now, self.record.life().next_timeout());
        self.perform();
        let queue = self.terms.queue;
        let late: Vec<(ViewId, usize)> = self
            .views
            .sockets()
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
        let cut = self.views.remove_sockets(|socket| socket.leaving.is_some_and(|until| until <= now));
        self.terms.metrics.views.dec_by(cut.try_into().unwrap_or(0));
    }

    /// Pings clients that have sent nothing for a while.
    fn ping(&mut self, now: Instant) {
        let interval = self.terms.ping_interval;
        if interval.is_zero() {
            return;
        }
        let mut silent = Vec::new();
        for view in self.views.sockets_mut().filter(|view| view.leaving.is_none() && view.ping_at <= now) {
            view.ping_at = now + interval;
            // A client that is not read, because of its queues or its tenant's limits, counts as one that has answered.
            let is_heard = view.client.take_heard()
                || !self.lease.has_room()
                || view.client.queued() > self.terms.queue.soft
                || self.throttle.as_ref().is_some_and(|throttle| throttle.is_holding());
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
