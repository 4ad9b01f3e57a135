//! A running session: one task that owns the lease, the virtual browser and the sockets of its clients.
//!
//! The task polls the sockets itself, so there is no task and no channel between a frame and the decision on it. It never
//! waits for a flush: frames that a client does not read wait in the queue of that client, and other clients are not
//! delayed. A parked session is the same task without a view.
//!
//! `record` publishes the session's state, which `lifecycle` (pure) defines; `saving` decides when the session is saved.
//! `throttle` delays frames as the tenant's limits say, `slow_mo` as the launch options say. `control` handles the requests of other tasks, `views` has the sockets, `act` performs the actions of the virtual
//! browser, `egress` binds its gates, `jobs` lists the futures that the task awaits beside its loop, `ghost` answers the `ghost` domain, `rpc` the
//! calls of REST, `page_calls` those on its pages, `usage` measures the session; `terms` has the settings that all share.

mod act;
mod control;
mod egress;
mod end;
mod ghost;
mod jobs;
mod latency;
mod page_calls;
mod pending_calls;
mod record;
mod rpc;
mod saving;
mod slow_mo;
mod terms;
mod throttle;
mod usage;
mod views;

use std::{
    future::poll_fn,
    path::Path,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::mpsc;

pub use self::{
    control::{Control, Drive, Driven, Join, Seat, Unseated, attend},
    ghost::SessionService,
    page_calls::PageCall,
    record::{Record, Saves, SessionInfo},
    terms::{LaunchTerms, Terms},
};
use self::{
    egress::Egress, jobs::Done, latency::LatencySample, page_calls::PageSessions, rpc::RpcCaller, saving::Saving,
    slow_mo::SlowMo, throttle::Throttle, views::Views,
};
pub use crate::session::caller::{BaseUrl, Caller, Scheme};
use crate::session::lifecycle::{Event, Phase};
use crate::{
    browser::{CallError, ContextHandle, Inbox, Lease},
    cdp::ids::{CdpSessionId, TargetId},
    close_reason::CloseReason,
    config::Deadlines,
    port::{FromBrowser, egress::UpstreamProxy},
    session::{
        client::{Client, Incoming},
        profile_holders::ProfileHold,
        session_files::SessionFiles,
    },
    tenant::{Pace, Tenant},
    virtual_browser::{ViewId, VirtualBrowser},
};

/// Most frames of one client, or messages of the browser, that are handled before the others have their turn.
const TURN: usize = 128;
/// Time limit for a client to read its last frames when its socket is closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// The parts from which a session starts.
pub struct Start {
    /// The record of the session so far.
    pub record: Record,
    /// The session's place in a browser.
    pub lease: Lease,
    /// The tenant whose session it is.
    pub tenant: Arc<Tenant>,
    /// The commands and bytes per second of the tenant, if they are limited.
    pub pace: Option<Pace>,
    /// The pause before each frame of its clients, in milliseconds.
    pub slow_mo: u64,
    /// The proxy by which its pages leave.
    pub proxy: Option<UpstreamProxy>,
    /// Whether all clients and HTTP calls of an owner share it (`http_session`): then it is not saved by itself.
    pub is_shared: bool,
    /// The requests of other tasks.
    pub control: mpsc::Receiver<Box<Control>>,
    /// The other sessions, for `ghost.*`.
    pub sessions: Arc<dyn SessionService>,
    /// The files of the session.
    pub files: Arc<SessionFiles>,
}

/// The task's state.
pub struct SessionTask {
    record: Record,
    tenant: Arc<Tenant>,
    terms: Arc<Terms>,
    /// The deadlines that its clients may set.
    deadlines: Deadlines,
    sessions: Arc<dyn SessionService>,
    session: VirtualBrowser,
    /// Its network access, if its requests pass gates.
    egress: Option<Egress>,
    lease: Lease,
    inbox: Inbox,
    control: mpsc::Receiver<Box<Control>>,
    /// Whether the initial targets were reported; clients are not read before.
    introduced: bool,
    views: Views,
    /// The number of the last view. A client's view is numbered before its socket exists.
    last_view: u64,
    /// Browser-level clients that are about to connect, and whether each wants the session exclusively.
    arriving: Vec<(ViewId, bool)>,
    /// Whether it was logged that several clients share the session.
    sharing_logged: bool,
    /// The last browser-level client that took the session over; those announced before it were disconnected.
    taken_over: Option<ViewId>,
    is_shared: bool,
    /// The view of calls that do not come through a client's socket.
    rpc: RpcCaller,
    page_sessions: PageSessions,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    files: Arc<SessionFiles>,
    saving: Saving,
    /// Its profile, if it saves one when it ends.
    profile: Option<ProfileHold>,
    latency: LatencySample,
    /// Delays frames; `None` if the tenant has no limit per second.
    throttle: Option<Box<Throttle>>,
    /// Delays frames before that; `None` if the launch options do not say so.
    slow_mo: Option<Box<SlowMo>>,
    over: Option<CloseReason>,
}

impl SessionTask {
    /// A session in a lease. `browser` is the id of its virtual browser target.
    pub fn new(terms: Arc<Terms>, browser: TargetId, start: Start) -> Self {
        let Start { mut record, mut lease, tenant, pace, slow_mo, proxy, is_shared, control, sessions, files } = start;
        let limits = tenant.limits();
        let inbox = lease.open();
        let granted = control::granted(&tenant, &lease);
        let mut session = VirtualBrowser::new(
            granted,
            Arc::new(lease.browser().identity().clone()),
            lease.base().clone(),
            lease.context().clone(),
            browser,
            files.path().to_owned(),
        );
        let egress = Egress::bind(&lease, &tenant, &terms, proxy, record.session_info(), &mut session);
        session.limit(terms.cdp_sessions.within(limits.cdp_sessions_per_session));
        session.limit_pages(limits.pages_per_session);
        session.limit_screenshots(terms.screenshot_queue);
        session.load_extensions_from(terms.launch.extensions_for(tenant.capabilities()).map(Path::to_owned));
        session.show_extensions(&lease.shown_extensions());
        record.place(lease.browser().id());
        record.grant(granted);
        Self {
            record,
            tenant,
            deadlines: terms.deadlines.within(limits.max_session_time),
            terms,
            sessions,
            session,
            egress,
            lease,
            inbox,
            control,
            introduced: false,
            views: Views::default(),
            last_view: 0,
            arriving: Vec::new(),
            sharing_logged: false,
            taken_over: None,
            is_shared,
            rpc: RpcCaller::None,
            page_sessions: PageSessions::default(),
            jobs: FuturesUnordered::new(),
            files,
            saving: Saving::default(),
            profile: None,
            latency: LatencySample::default(),
            throttle: pace.map(|pace| Box::new(Throttle::new(pace, limits))),
            slow_mo: SlowMo::new(slow_mo),
            over: None,
        }
    }

    /// The id of the session.
    pub fn id(&self) -> &str {
        self.record.id()
    }

    /// The location of the session, for work that its clients do not see.
    pub fn place(&self) -> ContextHandle {
        self.lease.place()
    }

    /// The session saves its state as a profile when it ends.
    pub(super) fn will_save(&mut self, profile: ProfileHold) {
        self.profile = Some(profile);
    }

    /// The state for other tasks.
    pub fn session_info(&self) -> &Arc<SessionInfo> {
        self.record.session_info()
    }

    /// Waits for a job before the session runs, and handles requests of other tasks meanwhile. `None` if one of them ends
    /// the session.
    pub async fn before<T>(&mut self, job: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = job => Some(done),
            () = attend(&mut self.record, &mut self.control, &self.deadlines) => None,
        }
    }

    /// Makes the root for the first client, before its upgrade is answered.
    pub fn root(&mut self) -> impl Future<Output = Result<CdpSessionId, CallError>> + Send + use<> {
        let (spare, browser, lease) = (self.lease.take_root(), self.lease.browser().clone(), self.lease.id());
        async move {
            match spare {
                Some(root) => Ok(root),
                None => browser.root(lease).await,
            }
        }
    }

    /// Adds the socket of the first client, whose root exists already.
    pub fn seat(&mut self, client: Client, root: CdpSessionId, caller: Caller, exclusive: bool) {
        let view = self.next_view();
        self.add_view(view, client, root, None, caller, exclusive);
    }

    /// The number of a new view. Numbers are not used again.
    fn next_view(&mut self) -> ViewId {
        self.last_view += 1;
        ViewId(self.last_view)
    }

    /// Starts the session without a client.
    pub fn park(&mut self) {
        self.step(Event::Placed);
    }

    /// Runs the session to its end. Calls `gone` with the reason once the place in the browser is free; then closes the
    /// sockets and removes the files. Boxed, so that the future does not contain the session twice.
    pub async fn run(mut self: Box<Self>, gone: impl FnOnce(&CloseReason)) {
        let mut timer = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let mut armed: Option<Instant> = None;
        self.on_tenant_changed();
        while self.over.is_none() {
            // A deadline that moved back, as the idle timeout does with each frame, is checked at the old time: this is
            // cheaper than to reset the timer for each frame.
            if let Some(at) = self.next_timeout()
                && armed.is_none_or(|armed| at < armed)
            {
                armed = Some(at);
                timer.as_mut().reset(at.into());
            }
            poll_fn(|cx| {
                let fired = armed.is_some() && timer.as_mut().poll(cx).is_ready();
                if fired {
                    armed = None;
                    self.on_timeout(now());
                }
                let more = self.poll(cx);
                let sooner = self.next_timeout().is_some_and(|at| armed.is_none_or(|armed| at < armed));
                if fired || more || sooner || self.over.is_some() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        self.end(gone).await;
    }

    /// One turn of all inputs. Returns true if more may be ready.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut more = false;
        for turn in 0.. {
            match self.inbox.poll_recv(cx) {
                Poll::Ready(Some(FromBrowser::Lost(why))) => self.over = Some(CloseReason::BrowserLost(why)),
                Poll::Ready(Some(message)) => {
                    self.introduced |= matches!(message, FromBrowser::Introduced);
                    self.session.on_browser(message);
                    self.perform();
                }
                Poll::Ready(None) => {
                    self.over = self.over.take().or(Some(CloseReason::BrowserLost("its connection ended".into())));
                }
                Poll::Pending => break,
            }
            if turn == TURN || self.over.is_some() {
                more = true;
                break;
            }
        }
        let now = now();
        // Before the initial targets were reported, a client would find none.
        if self.introduced {
            // Sockets are read first: a client that reconnects at once must not find its former socket still open.
            more |= self.read(cx, now);
            while let Poll::Ready(Some(control)) = self.control.poll_recv(cx) {
                self.on_control(*control);
            }
        }
        more |= self.poll_egress(cx);
        // After everything that can start a job, because a job must be polled once to wake the task.
        while let Poll::Ready(Some(done)) = self.jobs.poll_next_unpin(cx) {
            self.on_done(done);
            more = true;
        }
        // With a profile, clients are told of the end only once other servers know that it is being saved: see `end`.
        if self.over.is_none() || self.profile.is_none() {
            self.flush(cx, now);
        }
        more
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let (mut more, mut heard) = (false, false);
        let mut gone = Vec::new();
        // The frames that were delayed, before those that are read now.
        while self.lease.has_room()
            && let Some((id, text)) = self.throttle.as_mut().and_then(|throttle| throttle.poll_frame(now))
        {
            heard = true;
            self.on_frame(id, text);
        }
        while self.lease.has_room()
            && !self.throttle.as_ref().is_some_and(|throttle| throttle.is_full())
            && let Some((id, text)) = self.slow_mo.as_mut().and_then(|slow_mo| slow_mo.poll_frame(now))
        {
            heard = true;
            self.on_paced(id, text, now);
        }
        for at in 0..self.views.len() {
            for turn in 0.. {
                let Some(view) = self.views.socket_at(at) else { break };
                // A client with much pending work for Chrome, or that does not read, is not read from.
                if view.leaving.is_some()
                    || !self.lease.has_room()
                    || view.client.queued() > self.terms.queue.soft
                    || self.throttle.as_ref().is_some_and(|throttle| throttle.is_full())
                    || self.slow_mo.as_ref().is_some_and(|slow_mo| slow_mo.is_full())
                {
                    break;
                }
                match view.client.poll_frame(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Incoming::Text(text)) => {
                        heard = true;
                        let id = view.id;
                        match &mut self.slow_mo {
                            None => self.on_paced(id, text, now),
                            Some(slow_mo) => slow_mo.on_frame(id, text, now),
                        }
                    }
                    Poll::Ready(Incoming::Over(reason)) => {
                        gone.push((view.id, reason));
                        break;
                    }
                }
                if turn == TURN {
                    more = true;
                    break;
                }
            }
        }
        if heard {
            self.record.hear(now);
        }
        for (id, reason) in gone {
            self.leave(id, reason.as_ref());
        }
        more
    }

    /// A frame of a client, which passes at once or when the tenant's limits allow it.
    fn on_paced(&mut self, id: ViewId, text: Bytes, now: Instant) {
        let passes = match &mut self.throttle {
            None => Some(text),
            Some(throttle) => throttle.on_frame(id, text, now),
        };
        if let Some(text) = passes {
            self.on_frame(id, text);
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) {
        let mut gone = Vec::new();
        for view in self.views.sockets_mut() {
            if view.leaving.is_some() {
                if view.client.poll_closed(cx).is_ready() {
                    gone.push(view.id);
                }
            } else if let Poll::Ready(Err(_)) = view.client.poll_flush(cx, now) {
                gone.push(view.id);
            }
        }
        for id in gone {
            self.leave(id, None);
        }
    }

    /// Applies an event to the lifecycle. The phase changes only here.
    fn step(&mut self, event: Event) {
        self.step_at(event, now());
    }

    fn step_at(&mut self, event: Event, now: Instant) {
        self.record.traffic.pages_most = self.session.pages_most();
        if self.record.on(event, now) {
            self.tell_of_change();
        }
        if let Phase::Closed(reason) = self.record.life().phase() {
            self.over = Some(reason.clone());
        }
    }
}

/// The clock of the runtime's timers.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests;
