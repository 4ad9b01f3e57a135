//! The task that owns one browser's connection: it writes the messages of the leases, routes the
//! messages from Chrome, and updates the mirror of targets. It never waits for a client, and the
//! policy is not applied here.
//!
//! `requests` handles the leases' requests, `calls` the commands under ids of the proxy and their
//! replies, `messages` the messages from Chrome, `mending` what is done when Chrome has something else than is on
//! record.

mod calls;
mod disposals;
mod mending;
mod messages;
mod navigations;
mod replies;
mod requests;
mod shared_worker_lock;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    future::poll_fn,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::{
    calls::{Asked, Keeping, Pending, Waiting, attach_to},
    navigations::HeldNavigations,
    shared_worker_lock::SharedWorkerLocks,
};
use super::{
    InternalEvent, LinkRequest,
    account::Account,
    closings::Closings,
    codec::Writer,
    context_reaper::ContextReaper,
    downloads::{Downloads, Verdict},
    egress::BrowserEgress,
    inbox::Parcel,
    mirror::{Effect, LeaseId, Mirror},
    process::Process,
    transport::Transport,
    write_queue::WriteQueue,
};
use crate::{
    cdp::{
        cbor::{Decoder, MalformedCbor},
        ids::{CallId, CdpSessionId, ContextId},
        message,
    },
    metrics::Metrics,
    port::{Call, FromBrowser, Reply, Settle, Tag, Told, egress::EgressGate},
};

/// How long a Chrome whose user data are kept may take to close itself.
const CLOSE: Duration = Duration::from_secs(10);
/// The number of bytes that are passed to the transport before it is flushed.
const BATCH: usize = 256 * 1024;
/// How much work of requests, or how many messages, one direction may do before the other has its
/// turn.
const TURN: usize = 256;

#[derive(Debug)]
struct Inbox {
    to: mpsc::UnboundedSender<Parcel>,
    account: Arc<Account>,
    /// Groups of calls that are waited for together, by number, with the count of pending calls.
    groups: HashMap<Tag, usize>,
}

/// The task's state.
pub(super) struct Link {
    transport: Transport,
    process: Option<Process>,
    /// Its gates, which are open until its processes have ended.
    egress: Option<BrowserEgress>,
    /// The gate of each context, until Chrome has disposed of the context.
    gates: HashMap<ContextId, Arc<dyn EgressGate>>,
    orders: mpsc::UnboundedReceiver<LinkRequest>,
    stop: Stop,
    upstream: WriteQueue,
    targets: Mirror,
    downloads: Downloads,
    disposals: ContextReaper,
    closings: Closings,
    navigations: HeldNavigations,
    inboxes: HashMap<LeaseId, Inbox>,
    waiting: HashMap<CallId, Waiting>,
    /// The pending calls by their CDP session: the end of any CDP session must not scan all calls
    /// of a client.
    waiting_on: BTreeSet<(CdpSessionId, CallId)>,
    /// Withheld replies, which name a target that was not announced to their client yet; the mirror releases them.
    withheld: HashMap<CallId, (Pending, Reply)>,
    /// The locks for attaching to shared workers.
    turns: SharedWorkerLocks,
    /// Pages of the proxy's own that wait until the one before, in the same context, was created.
    unmade: HashMap<ContextId, VecDeque<(Call, oneshot::Sender<Reply>)>>,
    /// The subscribers to events on CDP sessions of the proxy's own.
    hearers: HashMap<CdpSessionId, mpsc::UnboundedSender<InternalEvent>>,
    last_id: i32,
    writer: Writer,
    decoder: Decoder,
    /// Chrome has sent an invalid message.
    broken: Option<MalformedCbor>,
    metrics: Arc<Metrics>,
}

/// How others end the browser.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) close: CancellationToken,
    /// Whether its processes are killed when it is closed: it belongs to one lease, and nothing of it is kept.
    pub(super) at_once: Arc<AtomicBool>,
    /// Why it is killed instead of closed.
    pub(super) killed: Arc<OnceLock<Arc<str>>>,
}

/// Why the task ended.
#[derive(Debug)]
pub(crate) struct End {
    /// The reason as text, for clients and logs.
    pub(crate) why: Arc<str>,
    /// The last lines of Chrome's output.
    pub(crate) lines: Vec<String>,
    /// Whether the proxy ended it.
    pub(crate) wanted: bool,
}

impl Link {
    pub(super) fn new(
        transport: Transport,
        process: Option<Process>,
        orders: mpsc::UnboundedReceiver<LinkRequest>,
        stop: Stop,
        targets: Mirror,
        downloads: Downloads,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            writer: Writer::new(transport.framing()),
            decoder: Decoder::default(),
            broken: None,
            transport,
            process,
            egress: None,
            gates: HashMap::new(),
            orders,
            stop,
            upstream: WriteQueue::default(),
            targets,
            downloads,
            disposals: ContextReaper::default(),
            closings: Closings::default(),
            navigations: HeldNavigations::default(),
            inboxes: HashMap::new(),
            waiting: HashMap::new(),
            waiting_on: BTreeSet::new(),
            withheld: HashMap::new(),
            turns: SharedWorkerLocks::default(),
            unmade: HashMap::new(),
            hearers: HashMap::new(),
            // The start of the browser used the first ids.
            last_id: -1000,
            metrics,
        }
    }

    /// As this one, of a browser with these gates.
    pub(super) fn with(self, egress: Option<BrowserEgress>) -> Self {
        Self { egress, ..self }
    }

    /// Runs until the connection ends or the browser is closed; then every lease is told, and the
    /// process has ended.
    pub(super) async fn run(mut self) -> End {
        let why = tokio::select! {
            biased;
            () = self.stop.close.clone().cancelled_owned() => None,
            why = self.drive() => Some(why),
        };
        let keeps = self.process.as_ref().is_some_and(Process::keeps_user_data) && self.stop.killed.get().is_none();
        if keeps && why.is_none() {
            self.close_gracefully().await;
        }
        let Self { transport, process, egress, gates, inboxes, orders, stop, .. } = self;
        // Chrome exits when its pipe closes.
        drop(transport);
        let (mut lines, mut ended) = (Vec::new(), String::new());
        let killed = stop.killed.get();
        if let Some(process) = process {
            if killed.is_some() || !keeps && stop.at_once.load(Ordering::Acquire) {
                process.kill_group();
            }
            let (how, last) = process.end().await;
            lines = last;
            ended = format!(" ({how})");
        }
        // Nothing is left that could connect to them, nor to others at their addresses.
        drop((gates, egress));
        let wanted = why.is_none() && killed.is_none();
        let why: Arc<str> = match (why, killed) {
            (_, Some(why)) => why.clone(),
            (Some(why), None) => format!("{why}{ended}").into(),
            (None, None) => "the browser was closed".into(),
        };
        // Dropped only now: after the end is visible, no request may be accepted that is not answered.
        drop(orders);
        for inbox in inboxes.into_values() {
            let _ = inbox.to.send(Parcel::Plain(FromBrowser::Lost(why.clone())));
        }
        End { why, lines, wanted }
    }

    /// Lets Chrome close itself, so that it writes its user data first. Returns when it has closed the connection, or at the
    /// deadline.
    async fn close_gracefully(&mut self) {
        let command = message::envelope(CallId(self.last_id - 1), "Browser.close", "{}", None);
        let Ok(command) = self.writer.wire(&command.into()) else { return };
        self.transport.queue(command);
        let closed = poll_fn(|cx| {
            if let Poll::Ready(Err(_)) = self.transport.poll_flush(cx) {
                return Poll::Ready(());
            }
            loop {
                match self.transport.poll_message(cx) {
                    Poll::Ready(Ok(Some(_))) => {}
                    Poll::Ready(Ok(None) | Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        if tokio::time::timeout(CLOSE, closed).await.is_err() {
            tracing::warn!("a browser did not close itself within {CLOSE:?}: its user data may lack its last changes");
        }
    }

    async fn drive(&mut self) -> String {
        let mut timer = std::pin::pin!(tokio::time::sleep(std::time::Duration::ZERO));
        let mut armed: Option<Instant> = None;
        loop {
            let next = self.next_timeout();
            if next != armed {
                armed = next;
                if let Some(at) = next {
                    timer.as_mut().reset(at.into());
                }
            }
            let ended = poll_fn(|cx| {
                if armed.is_some() && timer.as_mut().poll(cx).is_ready() {
                    armed = None;
                    let now = Instant::now();
                    self.targets.on_timeout(now);
                    self.metrics.holds_expired.inc_by(self.targets.poll_expired_holds());
                    self.downloads.on_timeout(now);
                    self.dispose(now);
                    self.close_again(now);
                    self.after();
                }
                match self.poll(cx) {
                    // A message may have set or cleared a deadline.
                    Poll::Pending if self.next_timeout() != armed => Poll::Ready(None),
                    polled => polled,
                }
            });
            match ended.await {
                Some(why) => return why,
                None => tokio::task::yield_now().await,
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        [
            self.targets.next_timeout(),
            self.downloads.next_timeout(),
            self.disposals.next_timeout(),
            self.closings.next_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// One turn in each direction. Ready with the reason when the connection has ended; with `None`
    /// after a full turn, so that the timer is checked and other tasks run.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let mut full = false;
        let mut work = 0;
        loop {
            match self.orders.poll_recv(cx) {
                Poll::Ready(Some(order)) => {
                    work += order.work();
                    self.on_order(order);
                }
                Poll::Ready(None) => return Poll::Ready(Some("no session uses the browser any more".to_owned())),
                Poll::Pending => break,
            }
            if work > TURN {
                full = true;
                break;
            }
        }
        let mut now = None;
        for turn in 0.. {
            match self.transport.poll_message(cx) {
                Poll::Ready(Ok(Some(message))) => {
                    if let Err(error) = self.on_message(&message, &mut now) {
                        self.broken = Some(error);
                        break;
                    }
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(Some("the connection to Chrome ended".to_owned())),
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Some(format!("the connection to Chrome broke: {error}")));
                }
                Poll::Pending => break,
            }
            if turn == TURN {
                full = true;
                break;
            }
        }
        if let Some(error) = self.broken {
            return Poll::Ready(Some(format!("Chrome sent an invalid message: {error}")));
        }
        if let Err(error) = self.write(cx) {
            return Poll::Ready(Some(format!("the connection to Chrome broke: {error}")));
        }
        if full { Poll::Ready(None) } else { Poll::Pending }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        loop {
            while self.transport.queued() < BATCH {
                let Some((key, message)) = self.upstream.poll_next() else { break };
                if let Some(lease) = key {
                    self.make_room(lease, message.len());
                }
                self.transport.queue(message);
            }
            if self.transport.queued() == 0 {
                return Ok(());
            }
            match self.transport.poll_flush(cx) {
                Poll::Ready(done) => done?,
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// This many bytes of a lease are not pending any more.
    fn make_room(&self, lease: LeaseId, bytes: usize) {
        let Some(inbox) = self.inboxes.get(&lease) else { return };
        if inbox.account.take(bytes) {
            let _ = inbox.to.send(Parcel::Plain(FromBrowser::Room));
        }
    }

    /// Performs the actions that the pure parts have decided.
    fn after(&mut self) {
        self.flush_effects();
        self.send_navigations();
        while let Some(verdict) = self.downloads.poll_verdict() {
            match verdict {
                Verdict::Deliver { lease, method, params } => {
                    self.deliver(lease, FromBrowser::Download { method, params });
                }
                Verdict::Dropped => {
                    self.metrics.unowned.inc();
                }
                Verdict::Ask { guid, frame, leases } => self.ask_for_frame(&Asked { guid, frame }, &leases),
            }
        }
    }

    fn flush_effects(&mut self) {
        while let Some(effect) = self.targets.poll_effect() {
            match effect {
                Effect::Deliver(lease, told) => {
                    let attached = match &told {
                        Told::Attached { target, .. } if self.turns.is_waited_for(target) => Some(target.clone()),
                        _ => None,
                    };
                    self.deliver(lease, FromBrowser::Told(told));
                    // The attach commands that waited for the lock get no event.
                    if let Some(target) = attached {
                        self.next_turn(&target);
                    }
                }
                Effect::Attach { lease, root, target } => {
                    self.call(Some(lease), attach_to(root, target), Pending::Nobody);
                }
                Effect::KeepOn { lease, page } => self.attach_keeper(lease, page, Keeping::Nobody),
                Effect::Answer(id) => {
                    if let Some((who, reply)) = self.withheld.remove(&id) {
                        self.answer(who, reply);
                    }
                }
                Effect::Send { lease, on, method, params } => {
                    let call = Call { on: Some(on), method: method.into(), params, settle: Settle::Plain };
                    self.call(lease, call, Pending::Nobody);
                }
                Effect::ResumeThenDetach { lease, session, on } => {
                    let method = "Runtime.runIfWaitingForDebugger".into();
                    let params = "{}".to_owned();
                    let call = Call { on: Some(session.clone()), method, params, settle: Settle::Plain };
                    self.call(lease, call, Pending::Detach(session, on));
                }
            }
        }
    }

    fn deliver(&self, lease: LeaseId, what: FromBrowser) {
        // A lease without an inbox is warm, or its session has just ended: there is no receiver.
        if let Some(inbox) = self.inboxes.get(&lease) {
            let _ = inbox.to.send(Parcel::Plain(what));
        }
    }
}
