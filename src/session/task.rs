//! A live session: one task that owns the lease, the judgement and the sockets of its clients.
//!
//! It polls the sockets itself, so there is no task and no channel between a frame and the judgement on it. It never
//! awaits a flush: what a client does not take waits in that client's queue, and nobody else notices. A parked session
//! is the same task without a view.
//!
//! `lifecycle` says where a session is in its life (pure), `record` what follows from that, `saving` when it is saved
//! by itself; `control` is what others may ask of the task, `views` its sockets, `act` what the judgement wants done,
//! `jobs` what the task waits for outside of its loop, `ghost` what clients ask about sessions.

mod act;
mod control;
mod ghost;
mod jobs;
mod latency;
mod record;
mod rpc;
mod saving;
mod usage;
mod views;

use std::{
    future::poll_fn,
    path::{Path, PathBuf},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::mpsc;

pub use self::{
    control::{Control, Join, Seat, Unseated, attend},
    ghost::SessionService,
    record::{Record, Saves, SessionInfo},
};
use self::{
    jobs::Done,
    latency::LatencySample,
    rpc::{RPC, RpcCaller},
    saving::Saving,
    views::View,
};
pub use crate::session::caller::Caller;
use crate::session::lifecycle::{Event, Phase};
use crate::{
    browser::{CallError, ContextHandle, Inbox, Lease},
    cdp::ids::{CdpSessionId, TargetId},
    close_reason::CloseReason,
    config::{Capabilities, CdpSessionLimits, ClientQueue, Config, Deadlines, Granted, SnapshotLimits},
    metrics::Metrics,
    port::FromBrowser,
    session::{
        client::{Client, Incoming, Ledger},
        session_files,
    },
    virtual_browser::{ViewId, VirtualBrowser},
};

/// How many frames of one client, and how many messages of the browser, are taken before others have their turn.
const TURN: usize = 128;
/// How long a closing client gets to take its last frames.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is the same for every session of the process.
#[derive(Debug)]
pub struct Terms {
    /// How many CDP sessions its clients may have.
    pub cdp_sessions: CdpSessionLimits,
    /// Most browser-level clients of the session at once.
    pub clients_per_session: usize,
    /// How many of its screenshots may wait for their turn.
    pub screenshot_queue: usize,
    /// Largest frame taken from a client, in bytes.
    pub max_client_frame: usize,
    /// Limits of a client's outbound queue.
    pub queue: ClientQueue,
    /// What clients may ask for as deadlines.
    pub deadlines: Deadlines,
    /// How often a silent client is pinged; zero is never.
    pub ping_interval: Duration,
    /// What waits for all clients.
    pub ledger: Arc<Ledger>,
    /// How much work and memory snapshots may take.
    pub snapshots: SnapshotLimits,
    /// Where sessions keep their files.
    pub directory: PathBuf,
    /// The process's figures.
    pub metrics: Arc<Metrics>,
}

impl Terms {
    /// As the settings say. Sessions keep their files below `directory`.
    pub fn new(config: &Config, directory: &Path, metrics: Arc<Metrics>) -> Self {
        Self {
            cdp_sessions: config.cdp_session_limits(),
            clients_per_session: config.max_clients_per_session,
            screenshot_queue: config.screenshot_queue,
            max_client_frame: config.max_client_frame,
            queue: config.client_queues(),
            deadlines: config.deadlines(),
            ping_interval: config.ping_interval,
            ledger: Ledger::new(config.client_queue_total),
            snapshots: config.snapshot_limits(),
            directory: directory.join("sessions"),
            metrics,
        }
    }
}

/// How a session comes to be.
pub struct Start {
    /// What is known of it so far.
    pub record: Record,
    /// Its place.
    pub lease: Lease,
    /// What its tenant may do.
    pub capabilities: Capabilities,
    /// It is the one that all clients and HTTP calls of an owner share (`http_session`): it is not saved by itself.
    pub is_shared: bool,
    /// What it is asked.
    pub control: mpsc::Receiver<Box<Control>>,
    /// The other sessions, for `ghost.*`.
    pub sessions: Arc<dyn SessionService>,
}

/// The task's state.
pub struct SessionTask {
    record: Record,
    terms: Arc<Terms>,
    sessions: Arc<dyn SessionService>,
    session: VirtualBrowser,
    lease: Lease,
    inbox: Inbox,
    control: mpsc::Receiver<Box<Control>>,
    /// Whether the session knows the targets it began with; nobody is listened to before.
    introduced: bool,
    views: Vec<View>,
    /// Views are numbered when they are announced, before their sockets are there.
    last_view: u64,
    /// Browser-level clients that are about to connect, and whether each wants the session exclusively.
    arriving: Vec<(ViewId, bool)>,
    /// Whether it was logged that several clients share the session.
    sharing_logged: bool,
    /// Browser-level clients announced before this one were taken over.
    taken_over: ViewId,
    is_shared: bool,
    /// The root of HTTP calls, and what waits for answers there.
    face: RpcCaller,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    directory: session_files::Directory,
    saving: Saving,
    latency: LatencySample,
    over: Option<CloseReason>,
}

impl SessionTask {
    /// A session in a lease, with the judgement on it ready for views. `browser` is its virtual browser target.
    pub fn new(terms: Arc<Terms>, browser: TargetId, start: Start) -> Self {
        let Start { mut record, mut lease, capabilities, is_shared, control, sessions } = start;
        let inbox = lease.open();
        let directory = session_files::Directory::new(terms.directory.join(&**record.id()));
        let identity = Arc::new(lease.browser().identity().clone());
        let mut session = VirtualBrowser::new(
            // Others are in its browser.
            Granted::new(capabilities, Capabilities::of_shared_browser()),
            identity,
            lease.base().clone(),
            lease.context().clone(),
            browser,
            directory.path().to_owned(),
        );
        session.limit(terms.cdp_sessions);
        session.limit_screenshots(terms.screenshot_queue);
        record.place(lease.browser().id());
        Self {
            record,
            terms,
            sessions,
            session,
            lease,
            inbox,
            control,
            introduced: false,
            views: Vec::new(),
            last_view: RPC.0,
            arriving: Vec::new(),
            sharing_logged: false,
            taken_over: RPC,
            is_shared,
            face: RpcCaller::None,
            jobs: FuturesUnordered::new(),
            directory,
            saving: Saving::default(),
            latency: LatencySample::default(),
            over: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.record.id()
    }

    /// Where it is, for what is done there out of its clients' sight.
    pub fn place(&self) -> ContextHandle {
        self.lease.place()
    }

    /// Does something before the session begins. `None` if it was told to end meanwhile.
    pub async fn before<T>(&mut self, job: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = job => Some(done),
            () = attend(&mut self.record, &mut self.control, &self.terms.deadlines) => None,
        }
    }

    /// A root for the first client, there before it is told that it may come.
    pub fn root(&mut self) -> impl Future<Output = Result<CdpSessionId, CallError>> + Send + use<> {
        let (spare, browser, lease) = (self.lease.take_root(), self.lease.browser().clone(), self.lease.id());
        async move {
            match spare {
                Some(root) => Ok(root),
                None => browser.root(lease).await,
            }
        }
    }

    /// The first client is there: its root is attached already.
    pub fn seat(&mut self, client: Client, root: CdpSessionId, caller: Caller, exclusive: bool) {
        self.last_view += 1;
        self.add_view(ViewId(self.last_view), client, root, None, caller, exclusive);
    }

    /// It begins without a client.
    pub fn park(&mut self) {
        self.step(Event::Placed);
    }

    /// Runs the session to its end. Once its place in the browser is free, `gone` is told why; then its sockets and its
    /// files go. Boxed, so that the task does not hold the session twice.
    pub async fn run(mut self: Box<Self>, gone: impl FnOnce(&CloseReason)) {
        let mut timer = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let mut armed: Option<Instant> = None;
        while self.over.is_none() {
            // A deadline that moved back, as the idle one does with each frame, is looked at when it would have passed:
            // cheaper than setting the timer anew for each frame.
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

    /// One turn of everything. True if something may be left to do.
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
                    self.over = self.over.take().or(Some(CloseReason::BrowserLost("its connection is gone".into())));
                }
                Poll::Pending => break,
            }
            if turn == TURN || self.over.is_some() {
                more = true;
                break;
            }
        }
        let now = now();
        // A client that is faster than the link's word of what is there would find nothing there.
        if self.introduced {
            // Who comes back at once must not be told that the client before is still there.
            more |= self.read(cx, now);
            while let Poll::Ready(Some(control)) = self.control.poll_recv(cx) {
                self.on_control(*control);
            }
        }
        // Behind all that may begin one: a job that is not polled once wakes nobody. What it brings has its turn next.
        while let Poll::Ready(Some(done)) = self.jobs.poll_next_unpin(cx) {
            self.on_done(done);
            more = true;
        }
        self.flush(cx, now);
        more
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let (mut more, mut heard) = (false, false);
        let mut gone = Vec::new();
        for at in 0..self.views.len() {
            for turn in 0.. {
                let Some(view) = self.views.get_mut(at) else { break };
                // A client whose commands pile up on the way to Chrome, or who does not read, is not listened to.
                if view.leaving.is_some() || !self.lease.has_room() || view.client.queued() > self.terms.queue.soft {
                    break;
                }
                match view.client.poll_frame(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Incoming::Text(text)) => {
                        heard = true;
                        let id = view.id;
                        self.on_frame(id, text);
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

    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) {
        let mut gone = Vec::new();
        for view in &mut self.views {
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

    /// Something happened to the session: the one way by which its phase changes.
    fn step(&mut self, event: Event) {
        self.record.traffic.pages_most = self.session.pages_most();
        if self.record.on(event, now()) {
            self.tell_of_change();
        }
        if let Phase::Closed(reason) = self.record.life().phase() {
            self.over = Some(reason.clone());
        }
    }

    /// Says good-bye to every client, then lets go of everything.
    async fn end(mut self: Box<Self>, gone: impl FnOnce(&CloseReason)) {
        let mut reason = self.over.take().unwrap_or(CloseReason::Bye("over"));
        if let CloseReason::BrowserLost(why) = &mut reason {
            self.tell_of_loss(why);
        }
        self.step(Event::Over(reason.clone()));
        for view in self.views.iter_mut().filter(|view| view.leaving.is_none()) {
            view.client.close(&reason);
        }
        // The place in the browser is free at once; a client that takes its time to hang up holds nothing but its
        // socket.
        let Self { mut views, lease, directory, terms, record, jobs, control, .. } = *self;
        drop((jobs, lease, record));
        gone(&reason);
        // Whoever waits for the end waits for this.
        drop(control);
        let farewell = async {
            for view in &mut views {
                poll_fn(|cx| view.client.poll_closed(cx)).await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        terms.metrics.views.dec_by(views.len().try_into().unwrap_or(0));
        drop(directory);
    }
}

/// The clock that the runtime's timers run by.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests;
