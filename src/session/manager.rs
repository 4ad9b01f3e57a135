//! The session manager: finds sessions by id, starts them, connects sockets to them, and ends them.
//!
//! `access` says what a caller may do at all. `service` has the operations on sessions, `list` their list, `snapshots`
//! those on their saved state, `server` those that show the server and its browsers, `profiles` and `user_data` those on
//! profiles, `files` those on the files of sessions, `control` those that change them. `registration` is a session's entry
//! here and its removal, `place` says in which browsers a session may be, `extensions` from where it may load some,
//! `http_session` the session in which HTTP calls act. `named` finds or creates a session by a name, `page` finds the session
//! of a page, `page_actions` has what is done in pages, `brief` the sessions of one action, `jobs` has requests whose callers
//! do not wait, `secrets` what pages are given and callers do not see, `hibernation` restores hibernated sessions and saves
//! live ones, `room` limits large documents, `agents` has the sessions of agents. `handle` is a session as all of these know it.

mod access;
mod agents;
mod brief;
mod control;
mod files;
mod handle;
mod hibernation;
mod http_session;
mod jobs;
mod list;
mod named;
mod page;
mod page_actions;
mod place;
mod profiles;
mod registration;
mod room;
mod secrets;
mod server;
mod service;
mod snapshots;
mod tenants;
mod user_data;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use dashmap::DashMap;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub use self::{brief::BriefSession, control::Reloading, jobs::Explain, service::Pressure};
use self::{
    handle::Handle,
    http_session::HttpSessionOf,
    place::Place,
    registration::{Leaving, Registration},
    room::Rooms,
};
pub use crate::session::task::{BaseUrl, Caller, Scheme};
use crate::session::{
    admission::AdmissionControl,
    directory::{Directory, NodeId},
    id::Mint,
    job_book::JobBook,
    pages::PageService,
    persistence::Persistence,
    profile_holders::ProfileHolders,
    proxy,
    secret_book::SecretBook,
    session_files::FilesBook,
    tombstone::Tombstones,
};
pub use crate::session::{connect_options::ConnectOptions, error::ServiceError, id::SessionId, tombstone::Tombstone};
use crate::{
    api_types::{Initial, Options, Owner, ProfileKind, SessionState},
    cdp::ids::{CdpSessionId, TargetId},
    close_reason::CloseReason,
    config::{Admission, HttpSession},
    pool::Pool,
    session::{
        client::{Client, Ledger},
        task::{self, Control, Join, Record, Seat, SessionTask, Start, Terms, Unseated},
    },
    store::Store,
    tenant::{LimitBook, audit::Event as AuditEvent},
};

/// A session that was admitted and waits for its socket. Dropping it frees its place.
#[must_use]
pub struct Admitted(Kind);

enum Kind {
    /// A session that starts with this socket.
    Begins {
        live: Box<SessionTask>,
        root: CdpSessionId,
        entry: Box<Registration>,
        caller: Box<Caller>,
        exclusive: bool,
    },
    /// A session that exists already.
    Joins(Seat),
}

impl Admitted {
    /// Starts the session with this socket, or connects the socket to it.
    pub fn seat(self, client: Client) {
        match self.0 {
            Kind::Begins { mut live, root, entry, caller, exclusive } => {
                live.seat(client, root, *caller, exclusive);
                entry.run(live);
            }
            Kind::Joins(seat) => seat.take(client),
        }
    }
}

/// All sessions of the process; cheap to clone.
#[derive(Clone)]
pub struct SessionManager {
    inner: Arc<Inner>,
}

struct Inner {
    /// When the server started.
    started: Instant,
    /// This process, in the directory and in the records of sessions.
    node: NodeId,
    directory: Arc<dyn Directory>,
    pool: Pool,
    store: Store,
    persistence: Persistence,
    /// Who drives pages; unset while the server starts.
    pages: OnceLock<Arc<dyn PageService>>,
    /// How errors are described in results; unset while the server starts.
    explain: OnceLock<Explain>,
    jobs: JobBook,
    secrets: SecretBook,
    profile_holders: Arc<ProfileHolders>,
    files: FilesBook,
    // Guards which terms the next session gets; held to copy the pointer.
    terms: RwLock<Arc<Terms>>,
    /// The place of the callers that ask for a reload, and where the server hears them.
    reloads: (mpsc::Sender<Reloading>, tokio::sync::Mutex<mpsc::Receiver<Reloading>>),
    http_session: HttpSession,
    mint: Mint,
    admission_control: AdmissionControl,
    limits: LimitBook,
    rooms: Rooms,
    live: DashMap<SessionId, Handle>,
    last_number: AtomicU64,
    // Guards the memory of ended sessions; held for one look-up.
    ended: Mutex<Tombstones>,
    // Guards the map of owners; held for one look-up.
    http: Mutex<HashMap<Owner, Arc<HttpSessionOf>>>,
    /// Cancelled when the server is to take no more sessions.
    draining: CancellationToken,
    tasks: TaskTracker,
}

impl SessionManager {
    /// An empty manager over a pool and a store. `directory` says on which node a session lives.
    pub fn new(
        pool: Pool,
        store: Store,
        directory: Arc<dyn Directory>,
        terms: Terms,
        http_session: HttpSession,
        admission: Admission,
        limits: LimitBook,
    ) -> Self {
        let tasks = TaskTracker::new();
        let (reload, reloads) = mpsc::channel(1);
        let park_keep_alive = terms.deadlines.park_keep_alive;
        let (node, metrics) = (NodeId(Uuid::new_v4()), terms.metrics.clone());
        let (of_store, of_snapshots) = (store.clone(), terms.snapshots);
        let inner = Inner {
            started: Instant::now(),
            node,
            directory,
            pool,
            persistence: Persistence::new(of_store, node, park_keep_alive, of_snapshots, metrics, tasks.clone()),
            pages: OnceLock::new(),
            explain: OnceLock::new(),
            jobs: JobBook::default(),
            secrets: SecretBook::default(),
            profile_holders: Arc::default(),
            files: FilesBook::new(terms.directory.clone()),
            store,
            rooms: Rooms::new(terms.snapshots, admission),
            admission_control: AdmissionControl::new(admission, limits.clone(), terms.metrics.clone()),
            limits,
            terms: RwLock::new(Arc::new(terms)),
            reloads: (reload, reloads.into()),
            http_session,
            mint: Mint::new(),
            live: DashMap::new(),
            last_number: AtomicU64::new(0),
            ended: Mutex::default(),
            http: Mutex::default(),
            draining: CancellationToken::new(),
            tasks,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The browsers.
    pub fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    /// The account of the bytes that wait for all clients.
    pub fn ledger(&self) -> Arc<Ledger> {
        self.inner.terms().ledger.clone()
    }

    /// Number of sessions that are live or wait for a place.
    pub fn len(&self) -> usize {
        self.inner.live.len()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.inner.live.is_empty()
    }

    /// An id for `/json/version`. Creates nothing; the first connection to it opens the session.
    pub fn mint(&self, caller: &Caller) -> SessionId {
        self.inner.mint.id(caller.owner())
    }

    /// A new session for a client that named none.
    pub async fn begin(&self, caller: &Caller, wish: ConnectOptions) -> Result<Admitted, ServiceError> {
        access::whole(caller, "connect")?;
        let (live, entry) = self.open(caller, SessionId::random(caller.owner()), wish.options, wish.initial).await?;
        entry.admit(live, caller, wish.exclusive).await
    }

    /// The session with this id: an existing one, or a new one that the id may open.
    pub async fn connect(&self, caller: &Caller, id: &str, wish: ConnectOptions) -> Result<Admitted, ServiceError> {
        self.connect_to(caller, &SessionId::new(caller.owner(), id), None, wish).await
    }

    /// Whether a new session may have this id: it was minted, and no session of this id has ended.
    fn may_open(&self, id: &SessionId) -> bool {
        self.inner.mint.made(id).is_some_and(|made| {
            let ended = self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.of(id).is_none() && !ended.is_doubtful(made)
        })
    }

    /// Ends every session and waits until all have ended. Sessions that may be hibernated, and those with `autosave`,
    /// are saved first.
    pub async fn shut_down(&self, reason: CloseReason) {
        self.inner.jobs.stop();
        let all: Vec<Handle> = self.inner.live.iter().map(|entry| entry.value().clone()).collect();
        self.hibernate_all(&all).await;
        for handle in all {
            let _ = handle.control.send(Box::new(Control::End(reason.clone()))).await;
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// A new session, ready to run.
    async fn open(
        &self,
        caller: &Caller,
        id: SessionId,
        options: Options,
        initial: Initial,
    ) -> Result<(SessionTask, Registration), ServiceError> {
        let since = Instant::now();
        let place = Place::of(caller, initial.isolation, initial.launch.as_ref(), &self.inner.terms().launch).await?;
        let place = place.with_proxy(initial.proxy.as_ref().map(proxy::read).transpose()?.flatten());
        if let Some(profile) = initial.profile {
            if profile.kind == ProfileKind::UserData {
                return Box::pin(self.open_on_user_data(caller, id, options, place, profile)).await;
            }
            return Box::pin(self.open_with_profile(caller, id, options, place, profile)).await;
        }
        let begins = self.beginning(caller, initial.begins.clone()).await?;
        let (mut live, entry) = self.make(caller, id, options, place, false).await?;
        if let Some(asked) = initial.begins {
            entry.checkpoint().set_beginning(asked);
        }
        self.begin_with(&mut live, begins).await?;
        self.inner.terms().metrics.connect_time.observe("all", since.elapsed());
        Ok((live, entry))
    }

    async fn join(
        &self,
        caller: &Caller,
        handle: &Handle,
        page: Option<TargetId>,
        wish: ConnectOptions,
    ) -> Result<Admitted, ServiceError> {
        let id = handle.session_info.id.to_string();
        self.begun(handle).await?;
        // What an active session needs it gets; one without a client would be active again.
        if self.inner.draining.is_cancelled() && handle.session_info.state() != SessionState::Active {
            return Err(ServiceError::Draining);
        }
        let ConnectOptions { options, takeover, exclusive, initial, .. } = wish;
        let instead = "use ghost.restoreSnapshot to write it into this one";
        named::is_as_asked(handle, &initial, instead)?;
        let target = page.as_ref().map(ToString::to_string);
        self.inner.terms().audit.write(Self::event("session-joined", caller, &id));
        let join = |reply| Control::Join(Join { caller: caller.clone(), page, takeover, exclusive, options, reply });
        match (self.ask_live(handle, join).await?, target) {
            (Ok(seat), _) => Ok(Admitted(Kind::Joins(seat))),
            (Err(Unseated::Taken), _) => Err(ServiceError::Taken(id)),
            (Err(Unseated::Exclusive), _) => Err(ServiceError::Exclusive(id)),
            (Err(Unseated::Many(most)), _) => Err(ServiceError::ManyClients { id, most }),
            (Err(Unseated::Bad(bad)), _) => Err(bad.into()),
            // The page was closed while its socket connected.
            (Err(Unseated::Call(_)), Some(target)) => Err(ServiceError::NoTarget(target)),
            (Err(Unseated::Call(error)), None) => Err(ServiceError::Call(error)),
        }
    }

    /// Makes a session with a place of its own, after a wait if there is none. Until it runs, dropping it leaves no
    /// trace.
    async fn make(
        &self,
        caller: &Caller,
        id: SessionId,
        options: Options,
        place: Place,
        is_shared: bool,
    ) -> Result<(SessionTask, Registration), ServiceError> {
        let (inner, owner, of_tenant) = (&self.inner, caller.owner(), caller.tenant.limits());
        let number = inner.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let terms = inner.terms();
        let (limits, metrics) = (&terms.deadlines.within(of_tenant.max_session_time), terms.metrics.clone());
        let mut record = Record::new(id.text().clone(), owner.clone(), place.isolation, options, limits, metrics)?;
        // Bounded: a caller waits for the session's answer, and a session never waits for a caller.
        let (control, mut asked) = mpsc::channel(32);
        let (session_info, placed, files) = (record.session_info().clone(), Arc::default(), Arc::default());
        let (begun, gone) = (CancellationToken::new(), CancellationToken::new());
        let checkpoint = inner.persistence.checkpoint(owner);
        place.note(&checkpoint, &id);
        let handle = Handle {
            control,
            session_info: session_info.clone(),
            place: Arc::clone(&placed),
            files: Arc::clone(&files),
            typed: Arc::default(),
            agent: Arc::default(),
            restoring: Arc::default(),
            checkpoint: checkpoint.clone(),
            joining: Arc::new(Semaphore::new(terms.clients_per_session)),
            begun: begun.clone(),
            gone: gone.clone(),
        };
        // Two clients may connect under one minted id at the same time: one is first.
        match inner.live.entry(id.clone()) {
            dashmap::Entry::Occupied(_) => return Err(ServiceError::IdInUse(id.to_string())),
            dashmap::Entry::Vacant(place) => drop(place.insert(handle)),
        }
        let mut leaving = Leaving::new(self.clone(), id.clone(), gone.drop_guard());
        let wanted = place::wanted(caller, &place, terms.launch.is_gated);
        let Place { pages, slow_mo, proxy, .. } = place;
        let place = async {
            if terms.audit.must_refuse() {
                return Err(ServiceError::NoAudit);
            }
            let wanted = wanted?;
            leaving.claim(number).await?;
            let since = Instant::now();
            let place = inner.admission_control.enter(owner, &of_tenant).await?;
            let admitted = Instant::now();
            terms.metrics.connect_time.observe("queue", admitted - since);
            let lease = inner.pool.lease(wanted).await?;
            terms.metrics.connect_time.observe("lease", admitted.elapsed());
            Ok::<_, ServiceError>((place, lease))
        };
        let placed_or_not = tokio::select! {
            place = place => place,
            () = task::attend(&mut record, &mut asked, limits) => return Err(ServiceError::Closing),
        };
        let (place, lease) = placed_or_not.inspect_err(|why| {
            terms.usage.refused(owner, jiff::Timestamp::now());
            terms.audit.write(Self::event("refused", caller, &session_info.id).why(why));
        })?;
        terms.audit.write(Self::event("session-opened", caller, &session_info.id));
        let _ = placed.set((lease.browser().id(), lease.id()));
        let own = inner.files.open(&id, terms.files.within(of_tenant.max_file_bytes));
        let _ = files.set(own.clone());
        let entry = Registration::new(leaving, session_info, checkpoint, begun, place, own.clone());
        let (tenant, sessions) = (caller.tenant.clone(), service::as_sessions(self));
        let rate = inner.limits.pace(owner, &of_tenant, task::now());
        let start = Start {
            record,
            lease,
            tenant,
            pace: rate,
            slow_mo,
            proxy,
            is_shared,
            control: asked,
            sessions,
            files: own,
        };
        let browser = TargetId::from(Uuid::new_v4().to_string());
        let mut live = SessionTask::new(terms, browser, start);
        if !pages.is_empty() {
            let place = live.place();
            live.before(place.set_up(pages)).await.ok_or(ServiceError::Closing)?;
        }
        Ok((live, entry))
    }

    /// An event of the audit log about a session of this caller.
    fn event(event: &'static str, caller: &Caller, id: &str) -> AuditEvent {
        AuditEvent::new(event).of(&caller.tenant).by(&caller.access).session(id)
    }

    fn handle(&self, id: &SessionId) -> Option<Handle> {
        // Cloned, because the map's guard must not be held across an await.
        self.inner.live.get(id).map(|handle| handle.clone())
    }

    /// Stores how a session ended, for clients that come back to it.
    fn remember(&self, id: &SessionId, why: String) {
        let tombstone = Tombstone { at: Instant::now(), why };
        let mut ended = self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.remember(id, self.inner.mint.made(id), tombstone);
    }

    /// Forgets how an earlier session of this id ended, because this one has ended as its clients wanted.
    fn forget(&self, id: &SessionId) {
        self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner).forget(id);
    }

    fn tombstone(&self, id: &SessionId) -> Option<Tombstone> {
        self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner).of(id).cloned()
    }
}
