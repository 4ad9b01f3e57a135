//! The task that owns one browser's connection: it writes what the leases say, routes what Chrome says, and keeps the
//! mirror of targets true. It never waits for a client and never looks at what a client may do.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicIsize, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Census, Heard, Order, ROOM,
    codec::{Received, Writer},
    disposal::Disposals,
    downloads::{Downloads, Verdict},
    inbox::Parcel,
    process::Process,
    targets::{Effect, LeaseId, Resume, Targets, Way},
    transport::Transport,
    upstream::Upstream,
};
use crate::{
    cdp::{
        cbor::{Decoder, Malformed},
        error::CdpError,
        ids::{CallId, CdpSessionId, ContextId, TargetId},
        lease::{Call, FromBrowser, Interest, Reply, ResumeAs, Settle, Tag, Told},
        message::{self, Head, Outcome, Route},
        object::{Object, quote},
    },
    metrics::Metrics,
};

/// How many bytes are handed to the transport before it is flushed.
const BATCH: usize = 256 * 1024;
/// How many orders or messages are taken before the other side has its turn.
const TURN: usize = 256;

/// Whose a command under one of our ids is.
#[derive(Debug)]
enum Pending {
    /// Nobody waits for the reply.
    Nobody,
    /// The proxy itself, perhaps making or serving a lease.
    Own(Option<LeaseId>, oneshot::Sender<Reply>),
    /// A lease, under its own number.
    Lease(LeaseId, Tag),
    /// One of several that a lease waits for together.
    Group(LeaseId, Tag),
    /// With the reply, this CDP session is detached on the other.
    Detach(CdpSessionId, CdpSessionId),
    /// A CDP session on a page of this lease, to ask it for the frame that started a download.
    FrameAttach(LeaseId, Asked),
    /// The frames of that page.
    FrameTree(LeaseId, Asked, CdpSessionId),
}

/// A download and the frame that started it.
#[derive(Clone, Debug)]
struct Asked {
    guid: String,
    frame: String,
}

impl Pending {
    /// Whether nobody is there any more to take the reply.
    fn is_abandoned(&self) -> bool {
        matches!(self, Self::Own(_, to) if to.is_closed())
    }

    fn lease(&self) -> Option<LeaseId> {
        match self {
            Self::Nobody | Self::Detach(..) | Self::FrameAttach(..) | Self::FrameTree(..) => None,
            Self::Own(lease, _) => *lease,
            Self::Lease(lease, _) | Self::Group(lease, _) => Some(*lease),
        }
    }
}

#[derive(Debug)]
struct Waiting {
    who: Pending,
    /// The CDP session it went to: with that it is settled as gone.
    on: Option<CdpSessionId>,
    settle: Settle,
}

#[derive(Debug)]
struct Inbox {
    to: mpsc::UnboundedSender<Parcel>,
    queued: Arc<AtomicIsize>,
}

/// The task's state.
pub(super) struct Link {
    transport: Transport,
    process: Option<Process>,
    orders: mpsc::UnboundedReceiver<Order>,
    close: CancellationToken,
    upstream: Upstream,
    targets: Targets,
    downloads: Downloads,
    disposals: Disposals,
    inboxes: HashMap<LeaseId, Inbox>,
    waiting: HashMap<CallId, Waiting>,
    groups: HashMap<(LeaseId, Tag), usize>,
    /// Who hears what comes on CDP sessions of the proxy's own.
    hearers: HashMap<CdpSessionId, mpsc::UnboundedSender<Heard>>,
    last_id: i32,
    writer: Writer,
    decoder: Decoder,
    /// What Chrome wrote is no message.
    broken: Option<Malformed>,
    metrics: Arc<Metrics>,
}

/// Why the task ended.
#[derive(Debug)]
pub(super) struct End {
    /// In words, for clients and logs.
    pub(super) why: Arc<str>,
    /// Chrome's last words.
    pub(super) lines: Vec<String>,
    /// Whether the proxy wanted it.
    pub(super) wanted: bool,
}

impl Link {
    pub(super) fn new(
        transport: Transport,
        process: Option<Process>,
        orders: mpsc::UnboundedReceiver<Order>,
        close: CancellationToken,
        targets: Targets,
        downloads: Downloads,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            writer: Writer::new(transport.codec()),
            decoder: Decoder::default(),
            broken: None,
            transport,
            process,
            orders,
            close,
            upstream: Upstream::default(),
            targets,
            downloads,
            disposals: Disposals::default(),
            inboxes: HashMap::new(),
            waiting: HashMap::new(),
            groups: HashMap::new(),
            hearers: HashMap::new(),
            // The handshake used the first few.
            last_id: -1000,
            metrics,
        }
    }

    /// Runs until the connection ends or the browser is closed; then every lease knows, and the process is gone.
    pub(super) async fn run(mut self) -> End {
        let (why, wanted): (Arc<str>, bool) = tokio::select! {
            biased;
            () = self.close.clone().cancelled_owned() => ("the browser was closed".into(), true),
            why = self.drive() => (why.into(), false),
        };
        let Self { transport, process, inboxes, orders, .. } = self;
        // Closing the pipe is what makes Chrome leave.
        drop(transport);
        let mut lines = Vec::new();
        let mut why = why;
        if let Some(process) = process {
            let (how, last) = process.end().await;
            lines = last;
            if !wanted {
                why = format!("{why} ({how})").into();
            }
        }
        // Only now, so that whoever hears of the end finds no orders taken that nobody will answer.
        drop(orders);
        for inbox in inboxes.into_values() {
            let _ = inbox.to.send(Parcel::Plain(FromBrowser::Lost(why.clone())));
        }
        End { why, lines, wanted }
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
                    self.metrics.holds_expired.inc_by(std::mem::take(&mut self.targets.expired_holds));
                    self.downloads.on_timeout(now);
                    self.dispose(now);
                    self.after();
                }
                match self.poll(cx) {
                    // Something was heard that has a deadline now, or none any more.
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
        [self.targets.next_timeout(), self.downloads.next_timeout(), self.disposals.next_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// One turn of each direction. Ready with the reason when the connection has ended, with `None` after a full turn,
    /// so that the timer is looked at and other tasks get theirs.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let mut full = false;
        for turn in 0.. {
            match self.orders.poll_recv(cx) {
                Poll::Ready(Some(order)) => self.on_order(order),
                Poll::Ready(None) => return Poll::Ready(Some("nobody uses the browser any more".to_owned())),
                Poll::Pending => break,
            }
            if turn == TURN {
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
            return Poll::Ready(Some(format!("Chrome wrote what is no message: {error}")));
        }
        if let Err(error) = self.write(cx) {
            return Poll::Ready(Some(format!("the connection to Chrome broke: {error}")));
        }
        if full { Poll::Ready(None) } else { Poll::Pending }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        loop {
            while self.transport.queued() < BATCH {
                let Some((key, message)) = self.upstream.pop() else { break };
                if let Some(inbox) = key.and_then(|lease| self.inboxes.get(&lease)) {
                    let size = message.len().cast_signed();
                    let before = inbox.queued.fetch_sub(size, Ordering::Relaxed);
                    if before >= ROOM && before - size < ROOM {
                        let _ = inbox.to.send(Parcel::Plain(FromBrowser::Room));
                    }
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

    fn on_order(&mut self, order: Order) {
        if !self.disposals.is_empty() && order.is_clients() {
            self.disposals.on_client(Instant::now());
        }
        match order {
            Order::Pass { lease, message } => self.upstream.push(Some(lease), None, message),
            Order::Call { lease, tag, call } => self.call(Some(lease), call, Pending::Lease(lease, tag)),
            Order::Own { call, lease, reply } => self.on_own(call, lease, reply),
            Order::Hear { session, to } => {
                self.hearers.insert(session, to);
            }
            Order::Survey { lease, reply } => {
                let _ = reply.send(self.targets.survey(lease));
            }
            Order::Remember { context, origin } => self.targets.remember_origin(&context, &origin),
            Order::Reveal { page } => self.targets.reveal(&page),
            Order::Resume { lease, on, children, how } => self.on_resume(lease, &on, children, how),
            Order::AutoAttach { lease, tag, root, interest } => self.on_auto_attach(lease, tag, &root, interest),
            Order::Detach { lease, tag, session } => self.on_detach(lease, tag, &session),
            Order::Open { lease, inbox, queued } => {
                self.inboxes.insert(lease, Inbox { to: inbox, queued });
                self.targets.introduce(lease);
                self.flush_effects();
                self.deliver(lease, FromBrowser::Introduced);
            }
            Order::Owner { target, reply } => {
                let _ = reply.send(self.targets.owner(target.as_str()));
            }
            Order::Census { reply } => {
                let (contexts, targets, cdp_sessions) = self.targets.census();
                let _ = reply.send(Census {
                    contexts,
                    targets,
                    cdp_sessions,
                    calls: self.waiting.len(),
                    leases: self.inboxes.len(),
                });
            }
            Order::Directory { lease, path } => self.downloads.directory(lease, path),
            Order::Listen { lease } => self.downloads.listen(lease),
            Order::Broken(error) => self.broken = Some(error),
            Order::Release { lease, base } => self.on_release(lease, base),
        }
        self.after();
    }

    fn on_own(&mut self, call: Call, lease: Option<LeaseId>, reply: oneshot::Sender<Reply>) {
        if let Settle::Conceal(context) = &call.settle
            && !self.targets.conceal(context)
        {
            let busy = "a page of the proxy's own is being made in this context already";
            let _ = reply.send(Reply::Error(CdpError::server(busy)));
            return;
        }
        self.call(None, call, Pending::Own(lease, reply));
    }

    fn on_resume(&mut self, lease: LeaseId, on: &CdpSessionId, children: bool, how: ResumeAs) {
        let resume = self.targets.on_resume(on, children);
        match (resume, how) {
            (Resume::Pass, ResumeAs::Frame { text, .. }) => {
                let Ok(message) = self.writer.wire(text) else { return };
                self.account(lease, message.len());
                self.upstream.push(Some(lease), None, message);
            }
            (Resume::Pass, ResumeAs::Call(tag)) => {
                let method = "Runtime.runIfWaitingForDebugger".into();
                let call = Call { on: Some(on.clone()), method, params: "{}".to_owned(), settle: Settle::Plain };
                self.call(Some(lease), call, Pending::Lease(lease, tag));
            }
            (Resume::KeepBack, ResumeAs::Frame { id, .. }) => {
                let text = Bytes::from(message::reply(id, "{}", Some(on.as_str())));
                let body_end = message::route(&text).body_end;
                self.deliver(lease, FromBrowser::Message { on: on.clone(), id: Some(id), body_end, text });
            }
            (Resume::KeepBack, ResumeAs::Call(tag)) => {
                self.deliver(lease, FromBrowser::Reply { tag, reply: Reply::Result("{}".to_owned()) });
            }
        }
    }

    fn on_auto_attach(&mut self, lease: LeaseId, tag: Tag, root: &CdpSessionId, interest: Option<Interest>) {
        let off = interest.is_none();
        let attach = self.targets.auto_attach(root, interest);
        let detach = if off { self.targets.attached_by(root) } else { Vec::new() };
        self.groups.insert((lease, tag), attach.len() + detach.len() + 1);
        for target in attach {
            self.call(Some(lease), attach_to(root.clone(), target), Pending::Group(lease, tag));
        }
        for session in detach {
            self.detach(lease, &session, Pending::Group(lease, tag));
        }
        // One more than there are calls, so that none at all is answered too.
        self.count_down(lease, tag);
    }

    fn on_detach(&mut self, lease: LeaseId, tag: Tag, session: &CdpSessionId) {
        self.detach(lease, session, Pending::Lease(lease, tag));
    }

    fn detach(&mut self, lease: LeaseId, session: &CdpSessionId, who: Pending) {
        let way = self.targets.detach(session);
        // What it holds paused is resumed first.
        self.flush_effects();
        let on = match way {
            Way::Through(parent) => Some(parent),
            Way::Unknown => None,
            Way::Done => return self.answer(who, Reply::Result("{}".to_owned())),
        };
        let params = format!(r#"{{"sessionId":"{session}"}}"#);
        let call = Call { on, method: "Target.detachFromTarget".into(), params, settle: Settle::Plain };
        self.call(Some(lease), call, who);
    }

    fn on_release(&mut self, lease: LeaseId, base: CdpSessionId) {
        self.inboxes.remove(&lease);
        for id in self.upstream.forget(lease) {
            self.waiting.remove(&id);
        }
        self.groups.retain(|(owner, _), _| *owner != lease);
        for waiting in self.waiting.values_mut() {
            if matches!(waiting.who, Pending::Lease(owner, _) | Pending::Group(owner, _) if owner == lease) {
                waiting.who = Pending::Nobody;
            }
        }
        if self.downloads.release(lease) {
            // The directory goes before the contexts do.
            for context in self.targets.contexts_of(lease) {
                let (on, method) = (Some(base.clone()), "Browser.setDownloadBehavior".into());
                let params = format!(r#"{{"behavior":"deny","browserContextId":"{context}"}}"#);
                self.call(None, Call { on, method, params, settle: Settle::Plain }, Pending::Nobody);
            }
        }
        for root in self.targets.release(lease) {
            if root != base {
                self.detach_root(root.as_str());
            }
        }
        self.disposals.push(base, Instant::now());
    }

    fn dispose(&mut self, now: Instant) {
        while let Some(base) = self.disposals.due(now) {
            self.detach_root(base.as_str());
        }
    }

    fn detach_root(&mut self, root: &str) {
        let params = format!(r#"{{"sessionId":"{root}"}}"#);
        let call = Call { on: None, method: "Target.detachFromTarget".into(), params, settle: Settle::Plain };
        self.call(None, call, Pending::Nobody);
    }

    fn call(&mut self, key: Option<LeaseId>, call: Call, who: Pending) {
        // Chrome takes any int32; two thousand million calls later the ids begin again, and the first are long answered.
        self.last_id = if self.last_id == i32::MIN { -1 } else { self.last_id - 1 };
        let id = CallId(self.last_id);
        let text = Bytes::from(message::envelope(id, &call.method, &call.params, call.on.as_ref()));
        let Ok(message) = self.writer.wire(text) else {
            return self.answer(who, Reply::Error(CdpError::server("the command could not be written")));
        };
        if let Some(lease) = key {
            self.account(lease, message.len());
        }
        self.waiting.insert(id, Waiting { who, on: call.on, settle: call.settle });
        self.upstream.push(key, Some(id), message);
    }

    fn account(&self, lease: LeaseId, bytes: usize) {
        if let Some(inbox) = self.inboxes.get(&lease) {
            inbox.queued.fetch_add(bytes.cast_signed(), Ordering::Relaxed);
        }
    }

    fn on_message(&mut self, message: &Received, now: &mut Option<Instant>) -> Result<(), Malformed> {
        let route = message.route()?;
        match route.head {
            Head::Reply(id) if id.is_ours() => {
                let text = message.text(&mut self.decoder)?;
                self.on_reply(id, &text);
                self.after();
            }
            Head::Reply(id) => self.route(&route, Some(id), message)?,
            Head::Event(method) => {
                if self.on_event(method, route.session, message, now)? {
                    self.route(&route, None, message)?;
                }
            }
            // An error without an id: nothing the proxy sends is answered so.
            Head::Other => {
                self.metrics.unowned.inc();
                let text = message.text(&mut self.decoder)?;
                tracing::debug!(text = %String::from_utf8_lossy(&text[..text.len().min(200)]), "a message of no owner");
            }
        }
        Ok(())
    }

    /// A message on a CDP session goes to the lease that owns it. What has no owner is dropped and counted.
    fn route(&mut self, route: &Route<'_>, id: Option<CallId>, message: &Received) -> Result<(), Malformed> {
        let owner = route.session.and_then(|session| self.targets.session(session));
        match owner {
            Some((on, Some(lease))) => {
                let Some(inbox) = self.inboxes.get(&lease) else { return Ok(()) };
                let on = on.clone();
                let parcel = match message {
                    Received::Json(text) => {
                        let (body_end, text) = (route.body_end, text.clone());
                        Parcel::Plain(FromBrowser::Message { on, id, body_end, text })
                    }
                    Received::Cbor(message) => Parcel::Cbor { on, id, message: message.clone() },
                };
                let _ = inbox.to.send(parcel);
            }
            // Ours: the watchers' own events, and pages being made ready.
            Some((on, None)) if self.hearers.contains_key(on) => {
                let text = message.text(&mut self.decoder)?;
                self.tell_hearer(on.as_str(), &text);
            }
            Some((_, None)) => {}
            None => {
                self.metrics.unowned.inc();
            }
        }
        Ok(())
    }

    /// An event on a CDP session of the proxy's own, if somebody listens there.
    fn tell_hearer(&self, on: &str, text: &Bytes) {
        if let (Some(to), Head::Event(method)) = (self.hearers.get(on), message::route(text).head) {
            let params = message::params_of(text).unwrap_or("{}").to_owned();
            let _ = to.send(Heard { on: on.into(), method: method.to_owned(), params });
        }
    }

    /// Events that the mirror must see first. True if the event is to be routed as well.
    fn on_event(
        &mut self,
        method: &str,
        session: Option<&str>,
        message: &Received,
        now: &mut Option<Instant>,
    ) -> Result<bool, Malformed> {
        let Some(name) = method.strip_prefix("Target.") else {
            return self.on_download_event(method, session, message, now);
        };
        let at = *now.get_or_insert_with(Instant::now);
        let text = message.text(&mut self.decoder)?;
        let params = message::params_of(&text).unwrap_or("{}");
        match (name, session) {
            ("attachedToTarget", _) => {
                self.on_attached(session, params, at);
                if let Some(session) = session {
                    self.tell_hearer(session, &text);
                }
            }
            ("detachedFromTarget", _) => {
                if let Some(child) = Object::read(params).and_then(|params| params.string("sessionId")) {
                    self.on_detached(&child);
                }
            }
            ("targetCreated" | "targetInfoChanged", None) => {
                let info = Object::read(params).and_then(|params| params.get("targetInfo").map(str::to_owned));
                if let Some(info) = info {
                    if name == "targetCreated" {
                        self.targets.on_created(&info, at);
                    } else {
                        self.targets.on_changed(&info);
                    }
                }
            }
            ("targetDestroyed" | "targetCrashed", None) => {
                if let Some(target) = Object::read(params).and_then(|params| params.string("targetId")) {
                    if name == "targetDestroyed" {
                        self.targets.on_destroyed(&target);
                    } else {
                        self.targets.on_crashed(&target, params);
                    }
                }
            }
            // `receivedMessageFromTarget` and whatever a newer Chrome adds: nobody asked for it.
            _ => {}
        }
        self.after();
        Ok(false)
    }

    fn on_attached(&mut self, on: Option<&str>, params: &str, now: Instant) {
        let Some(params) = Object::read(params) else { return };
        let on = on.map(CdpSessionId::from);
        if let (Some(child), Some(info)) = (params.string("sessionId"), params.get("targetInfo")) {
            let waiting = params.get("waitingForDebugger") == Some("true");
            self.targets.on_attached(on.as_ref(), child.into(), info, waiting, now);
        }
    }

    fn on_detached(&mut self, child: &str) {
        let child = CdpSessionId::from(child);
        let mut gone = self.targets.below(&child);
        gone.push(child.clone());
        self.hearers.retain(|session, to| !gone.contains(session) && !to.is_closed());
        self.targets.on_detached(child.as_str());
        // The event comes first, then the answers that Chrome will not give any more.
        self.flush_effects();
        let lost: Vec<CallId> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.on.as_ref().is_some_and(|on| gone.contains(on)))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            if let Some(waiting) = self.waiting.remove(&id) {
                if let Settle::Conceal(context) = &waiting.settle {
                    self.targets.concealed(context, None, Instant::now());
                    self.flush_effects();
                }
                self.answer(waiting.who, Reply::Error(CdpError::NO_SESSION));
            }
        }
    }

    fn on_reply(&mut self, id: CallId, text: &[u8]) {
        let Some(waiting) = self.waiting.remove(&id) else {
            self.metrics.unowned.inc();
            return;
        };
        let reply = match message::result_or_error(text) {
            Some(Outcome::Result(result)) => Reply::Result(result.to_owned()),
            Some(Outcome::Error(error)) => Reply::Error(error.into()),
            None => Reply::Error(CdpError::server("Chrome's answer could not be read")),
        };
        if let (Reply::Error(_), Settle::Attach(target), Some(root)) = (&reply, &waiting.settle, &waiting.on) {
            self.targets.on_attach_refused(root, target.as_str());
        }
        if let (Reply::Error(_), Settle::Conceal(context)) = (&reply, &waiting.settle) {
            self.targets.concealed(context, None, Instant::now());
        }
        if let Reply::Result(result) = &reply {
            let member = |name| Object::read(result).and_then(|result| result.string(name));
            match (waiting.settle, waiting.who.lease()) {
                (Settle::Bind, Some(lease)) => {
                    // Of a lease that has been given up meanwhile it goes with that one's CDP session.
                    if let Some(context) = member("browserContextId").filter(|_| !waiting.who.is_abandoned()) {
                        let context = ContextId::from(context);
                        self.targets.bind(context.clone(), lease);
                        // A client's own command tells its session by its reply.
                        if matches!(waiting.who, Pending::Own(..)) {
                            self.deliver(lease, FromBrowser::Told(Told::Context { context }));
                        }
                    }
                }
                (settle @ (Settle::Root | Settle::Base), Some(lease)) => {
                    if let Some(session) = member("sessionId") {
                        match settle {
                            Settle::Base => self.targets.base(&CdpSessionId::from(session.as_str()), lease),
                            _ => self.targets.root(CdpSessionId::from(session.as_str()), Some(lease)),
                        }
                        // Whoever asked has given up meanwhile: nobody would ever detach it.
                        if waiting.who.is_abandoned() {
                            self.detach_root(&session);
                        }
                    }
                }
                (Settle::Root, None) if waiting.who.is_abandoned() => {
                    if let Some(session) = member("sessionId") {
                        self.detach_root(&session);
                    }
                }
                (Settle::Rule(context, ruling), _) => self.targets.rule(&context, ruling),
                (Settle::Unbind(context), _) => self.targets.unbind(context.as_str()),
                (Settle::Conceal(context), _) => {
                    let target = member("targetId");
                    if let Some(target) = target.as_deref().filter(|_| waiting.who.is_abandoned()) {
                        let params = format!(r#"{{"targetId":{}}}"#, quote(target));
                        let method = "Target.closeTarget".into();
                        let call = Call { on: None, method, params, settle: Settle::Plain };
                        self.call(None, call, Pending::Nobody);
                    }
                    self.targets.concealed(&context, target.map(TargetId::from), Instant::now());
                }
                _ => {}
            }
        }
        self.answer(waiting.who, reply);
    }

    fn answer(&mut self, who: Pending, reply: Reply) {
        match who {
            Pending::Nobody => {}
            Pending::Detach(session, on) => {
                if self.targets.session(session.as_str()).is_some() {
                    let params = format!(r#"{{"sessionId":"{session}"}}"#);
                    let method = "Target.detachFromTarget".into();
                    let call = Call { on: Some(on), method, params, settle: Settle::Plain };
                    self.call(None, call, Pending::Nobody);
                }
            }
            Pending::Own(_, to) => {
                let _ = to.send(reply);
            }
            Pending::Lease(lease, tag) => self.deliver(lease, FromBrowser::Reply { tag, reply }),
            Pending::Group(lease, tag) => self.count_down(lease, tag),
            Pending::FrameAttach(lease, asked) => self.on_frame_attached(lease, asked, &reply),
            Pending::FrameTree(lease, asked, session) => self.on_frame_tree(lease, &asked, &session, &reply),
        }
    }

    fn count_down(&mut self, lease: LeaseId, tag: Tag) {
        let Some(left) = self.groups.get_mut(&(lease, tag)) else { return };
        *left -= 1;
        if *left == 0 {
            self.groups.remove(&(lease, tag));
            self.deliver(lease, FromBrowser::Reply { tag, reply: Reply::Result("{}".to_owned()) });
        }
    }

    fn on_download_event(
        &mut self,
        method: &str,
        session: Option<&str>,
        message: &Received,
        now: &mut Option<Instant>,
    ) -> Result<bool, Malformed> {
        let at = |now: &mut Option<Instant>| *now.get_or_insert_with(Instant::now);
        match (method, session) {
            ("Page.downloadWillBegin", Some(session)) => {
                if let Some(lease) = self.targets.lease_of(session) {
                    let text = message.text(&mut self.decoder)?;
                    self.downloads.on_page_event(lease, message::params_of(&text).unwrap_or("{}"));
                }
                Ok(true)
            }
            ("Browser.downloadWillBegin" | "Browser.downloadProgress", Some(session))
                if self.downloads.is_on(session) =>
            {
                let at = at(now);
                let begin = method == "Browser.downloadWillBegin";
                let text = message.text(&mut self.decoder)?;
                let params = message::params_of(&text).unwrap_or("{}").to_owned();
                let owner = |target: &str| self.targets.owner(target);
                self.downloads.on_event(begin, params, owner, at);
                self.after();
                Ok(false)
            }
            // On a client's own CDP session they never are on: clients' requests go out without events.
            ("Browser.downloadWillBegin" | "Browser.downloadProgress", _) => {
                self.metrics.unowned.inc();
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// Performs what the pure parts decided.
    fn after(&mut self) {
        self.flush_effects();
        while let Some(verdict) = self.downloads.poll() {
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

    /// The last resort for a download of a child frame: the pages of those who listen are asked for their frames, on CDP
    /// sessions of the proxy's own.
    fn ask_for_frame(&mut self, asked: &Asked, leases: &[LeaseId]) {
        for (page, lease) in self.targets.pages_of(leases) {
            let on = Some(self.downloads.session().clone());
            let params = format!(r#"{{"targetId":"{page}","flatten":true}}"#);
            let call = Call { on, method: "Target.attachToTarget".into(), params, settle: Settle::Plain };
            self.call(None, call, Pending::FrameAttach(lease, asked.clone()));
        }
    }

    fn on_frame_attached(&mut self, lease: LeaseId, asked: Asked, reply: &Reply) {
        let Reply::Result(result) = reply else { return };
        let Some(session) = Object::read(result).and_then(|result| result.string("sessionId")) else { return };
        let session = CdpSessionId::from(session);
        let (on, method) = (Some(session.clone()), "Page.getFrameTree".into());
        let call = Call { on, method, params: "{}".to_owned(), settle: Settle::Plain };
        self.call(None, call, Pending::FrameTree(lease, asked, session));
    }

    fn on_frame_tree(&mut self, lease: LeaseId, asked: &Asked, session: &CdpSessionId, reply: &Reply) {
        let named = format!(r#""id":{}"#, quote(&asked.frame));
        if matches!(reply, Reply::Result(tree) if tree.contains(&named)) {
            self.downloads.own(&asked.guid, lease);
        }
        let params = format!(r#"{{"sessionId":"{session}"}}"#);
        let on = Some(self.downloads.session().clone());
        let call = Call { on, method: "Target.detachFromTarget".into(), params, settle: Settle::Plain };
        self.call(None, call, Pending::Nobody);
    }

    fn flush_effects(&mut self) {
        while let Some(effect) = self.targets.poll_effect() {
            match effect {
                Effect::Deliver(lease, told) => self.deliver(lease, FromBrowser::Told(told)),
                Effect::Attach { lease, root, target } => {
                    self.call(Some(lease), attach_to(root, target), Pending::Nobody);
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
        // A lease without an inbox is warm, or its session has just ended: nobody is there to be told.
        if let Some(inbox) = self.inboxes.get(&lease) {
            let _ = inbox.to.send(Parcel::Plain(what));
        }
    }
}

/// What a root's auto-attach asks for explicitly.
fn attach_to(root: CdpSessionId, target: TargetId) -> Call {
    let params = format!(r#"{{"targetId":"{target}","flatten":true}}"#);
    Call { on: Some(root), method: "Target.attachToTarget".into(), params, settle: Settle::Attach(target) }
}
