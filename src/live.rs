//! A live session: one task that owns the lease, the judgement and the sockets of its clients.
//!
//! It polls the sockets itself, so there is no task and no channel between a frame and the judgement on it. It never
//! awaits a flush: what a client does not take waits in that client's queue, and nobody else notices.

mod face;
mod views;

use std::{
    future::poll_fn,
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot};

use self::face::{FACE, Face, FaceCall};
use crate::{
    browser::{CallError, Lease},
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, TargetId},
        lease::{FromBrowser, Tag},
    },
    client::{Client, Incoming, Ledger},
    config::{Capabilities, ClientQueue},
    error::CloseReason,
    files,
    metrics::Metrics,
    session::{Action, Session, ViewId},
};

/// How many frames of one client, and how many messages of the browser, are taken before others have their turn.
const TURN: usize = 128;
/// How long a closing client gets to take its last frames.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a live session can be asked to do.
#[derive(Debug)]
pub enum Control {
    /// A client's socket is handed over; for a page of the session, or for the whole.
    Join(Box<Client>, Option<TargetId>),
    /// A browser-level command of an HTTP call.
    Call {
        /// The method.
        method: &'static str,
        /// Its params, as JSON.
        params: String,
        /// For the result.
        reply: oneshot::Sender<Result<String, CdpError>>,
    },
    /// Whether a target is shown by this session.
    Shows(TargetId, oneshot::Sender<bool>),
    /// The session is to end.
    End(CloseReason),
}

/// When a session without clients ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// With its last client.
    WithItsClients,
    /// When nobody has used it for this long.
    WhenUnused(Duration),
}

/// What is the same for every session of the process.
#[derive(Debug)]
pub struct Terms {
    /// What its tenant may do.
    pub caps: Capabilities,
    /// Largest frame taken from a client, in bytes.
    pub max_client_frame: usize,
    /// Limits of a client's outbound queue.
    pub queue: ClientQueue,
    /// What waits for all clients.
    pub ledger: Arc<Ledger>,
    /// Where sessions keep their files.
    pub directory: PathBuf,
    /// The process's figures.
    pub metrics: Arc<Metrics>,
}

struct View {
    id: ViewId,
    client: Client,
    /// It is being sent away; when that must be over.
    leaving: Option<Instant>,
}

/// What was waited for outside the loop.
enum Done {
    Rooted {
        client: Box<Client>,
        page: Option<TargetId>,
        root: Result<(CdpSessionId, Option<CdpSessionId>), CallError>,
    },
    Faced(Result<CdpSessionId, CallError>),
    Moved(Tag, Option<PathBuf>),
    Checked(Tag, bool),
}

/// The task's state.
pub struct Live {
    name: Arc<str>,
    terms: Arc<Terms>,
    session: Session,
    lease: Lease,
    inbox: mpsc::UnboundedReceiver<FromBrowser>,
    control: mpsc::Receiver<Control>,
    /// Whether the session knows the targets it began with; nobody is listened to before.
    introduced: bool,
    views: Vec<View>,
    last_view: u64,
    ends: Ends,
    used: Instant,
    /// The root of HTTP calls, and what waits for answers there.
    face: Face,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    joining: usize,
    directory: files::Directory,
    over: Option<CloseReason>,
}

impl Live {
    /// A session in a lease, with the judgement on it ready for views.
    pub fn new(
        name: Arc<str>,
        terms: Arc<Terms>,
        mut lease: Lease,
        browser: TargetId,
        ends: Ends,
        control: mpsc::Receiver<Control>,
    ) -> Self {
        let inbox = lease.open();
        let directory = files::Directory::new(terms.directory.join(&*name));
        let identity = Arc::new(lease.browser().identity().clone());
        let session = Session::new(
            terms.caps,
            identity,
            lease.base().clone(),
            lease.context().clone(),
            browser,
            directory.path().to_owned(),
        );
        terms.metrics.sessions_opened.inc();
        terms.metrics.sessions.inc();
        tracing::info!(session = %name, browser = lease.browser().number(), "session opened");
        Self {
            name,
            terms,
            session,
            lease,
            inbox,
            control,
            introduced: false,
            views: Vec::new(),
            last_view: FACE.0,
            ends,
            used: Instant::now(),
            face: Face::None,
            jobs: FuturesUnordered::new(),
            joining: 0,
            directory,
            over: None,
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

    /// Takes a socket whose root is attached already.
    pub fn seat(&mut self, client: Client, root: CdpSessionId) {
        self.add_view(client, root, None);
    }

    /// Runs the session to its end; then its lease, its files and its sockets are gone.
    pub async fn run(mut self) {
        let mut timer = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let mut armed = None;
        while self.over.is_none() {
            let next = self.next_timeout();
            if next != armed {
                armed = next;
                if let Some(at) = next {
                    timer.as_mut().reset(at.into());
                }
            }
            poll_fn(|cx| {
                let fired = armed.is_some() && timer.as_mut().poll(cx).is_ready();
                if fired {
                    armed = None;
                    self.on_timeout(Instant::now());
                }
                let more = self.poll(cx);
                if fired || more || self.over.is_some() || self.next_timeout() != armed {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
        self.end().await;
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
        // A client that is faster than the link's word of what is there would find nothing there.
        if self.introduced {
            while let Poll::Ready(Some(control)) = self.control.poll_recv(cx) {
                self.on_control(control);
            }
            more |= self.read(cx);
        }
        // Behind all that may begin one: a job that is not polled once wakes nobody. What it brings has its turn next.
        while let Poll::Ready(Some(done)) = self.jobs.poll_next_unpin(cx) {
            self.on_done(done);
            more = true;
        }
        self.flush(cx);
        if self.over.is_none() && self.views.is_empty() && self.joining == 0 && self.ends == Ends::WithItsClients {
            self.over = Some(CloseReason::Bye("the last client has gone"));
        }
        more
    }

    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let mut more = false;
        let mut gone = Vec::new();
        for at in 0..self.views.len() {
            for turn in 0.. {
                let view = &mut self.views[at];
                // A client whose commands pile up on the way to Chrome, or who does not read, is not listened to.
                if view.leaving.is_some() || !self.lease.has_room() || view.client.queued() > self.terms.queue.soft {
                    break;
                }
                match view.client.poll_frame(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Incoming::Text(text)) => {
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
        for (id, reason) in gone {
            self.leave(id, reason.as_ref());
        }
        more
    }

    fn on_frame(&mut self, view: ViewId, text: Bytes) {
        if text.len() > self.terms.max_client_frame {
            self.session.on_too_large(view, text.len(), self.terms.max_client_frame);
        } else {
            self.session.on_client(view, text);
        }
        self.perform();
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        let now = Instant::now();
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

    fn perform(&mut self) {
        loop {
            let actions = self.session.actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.act(action);
            }
        }
        let metrics = &self.terms.metrics;
        metrics.frames_malformed.inc_by(std::mem::take(&mut self.session.malformed));
        metrics.commands_refused.inc_by(std::mem::take(&mut self.session.refused));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::ToClient(FACE, frame) => self.on_face_frame(frame),
            Action::ToClient(to, frame) => {
                if let Some(view) = self.views.iter_mut().find(|view| view.id == to && view.leaving.is_none()) {
                    view.client.queue(frame, Instant::now());
                    let (queued, queue) = (view.client.queued(), self.terms.queue);
                    if queued > queue.hard && !view.client.is_one_message() {
                        self.cut(to, queued, queue.hard);
                    } else if view.client.is_condemned() {
                        self.cut(to, queued, queue.total);
                    }
                }
            }
            Action::Pass(text) => self.lease.pass(text),
            Action::Call(tag, call) => self.lease.call(tag, call),
            Action::Resume(on, children, how) => self.lease.resume(on, children, how),
            Action::AutoAttach(tag, root, interest) => self.lease.auto_attach(tag, root, interest),
            Action::Detach(tag, session) => self.lease.detach(tag, session),
            Action::Directory(path) => match self.directory.make(&path) {
                Ok(()) => self.lease.directory(path),
                Err(error) => {
                    tracing::error!(session = %self.name, %error, path = %path.display(), "no directory for downloads");
                }
            },
            Action::Listen => self.lease.listen(),
            Action::Move(tag, wish) => {
                self.jobs.push(async move { Done::Moved(tag, files::move_first(wish.ways).await) }.boxed());
            }
            Action::CheckFiles(tag, directory, paths) => {
                self.jobs.push(async move { Done::Checked(tag, files::all_inside(directory, paths).await) }.boxed());
            }
            Action::Claim(tag) => {
                let alone = self.lease.claim();
                self.session.on_claimed(tag, alone);
            }
            Action::Unclaim => self.lease.unclaim(),
            Action::Close(view, why) => self.send_away(view, &CloseReason::Bye(why)),
            Action::End => self.over = Some(CloseReason::Bye("the client closed its browser")),
        }
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Rooted { mut client, page, root } => {
                self.joining -= 1;
                match root {
                    Ok((root, attached)) => self.add_view(*client, root, page.zip(attached)),
                    Err(error) => {
                        // The page went while its socket came.
                        tracing::debug!(session = %self.name, %error, "a client could not join");
                        client.close(&CloseReason::Bye("the page is gone"));
                    }
                }
            }
            Done::Faced(root) => self.on_faced(root),
            Done::Moved(tag, to) => self.session.on_moved(tag, to),
            Done::Checked(tag, inside) => self.session.on_files(tag, inside),
        }
        self.perform();
    }

    fn on_control(&mut self, control: Control) {
        self.used = Instant::now();
        match control {
            Control::Join(client, page) => {
                self.joining += 1;
                let (browser, lease) = (self.lease.browser().clone(), self.lease.id());
                let join = async move {
                    let root = match browser.root(lease).await {
                        Ok(root) => browser.attach_page(root, page.as_ref()).await,
                        Err(error) => Err(error),
                    };
                    Done::Rooted { client, page, root }
                };
                self.jobs.push(join.boxed());
            }
            Control::Call { method, params, reply } => self.on_face_call(FaceCall { method, params, reply }),
            Control::Shows(target, reply) => {
                let _ = reply.send(self.session.shows(&target));
            }
            Control::End(reason) => self.over = Some(reason),
        }
    }

    /// Says good-bye to every client, then lets go of everything.
    async fn end(mut self) {
        let reason = self.over.take().unwrap_or(CloseReason::Bye("over"));
        tracing::info!(session = %self.name, code = reason.code(), %reason, "session ended");
        for view in self.views.iter_mut().filter(|view| view.leaving.is_none()) {
            view.client.close(&reason);
        }
        // The place in the browser is free at once; a client that takes its time to hang up holds nothing but its socket.
        let Self { mut views, lease, directory, terms, .. } = self;
        drop(lease);
        let farewell = async {
            for view in &mut views {
                poll_fn(|cx| view.client.poll_closed(cx)).await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        terms.metrics.views.dec_by(views.len().try_into().unwrap_or(0));
        terms.metrics.sessions.dec();
        drop(directory);
    }
}
