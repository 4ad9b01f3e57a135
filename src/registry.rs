//! The live sessions by id: open one, hand it a socket, ask it something, end them all.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use dashmap::DashMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    browser::{
        LeaseId,
        pool::{NoLease, Pool},
    },
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, TargetId},
    },
    client::{Client, Ledger},
    config::HttpSession,
    error::CloseReason,
    live::{Control, Ends, Live, Terms},
};

/// How long an id from `/json/version` can be used to open a session, and an ended one is remembered as such.
const VALID: Duration = Duration::from_secs(24 * 3600);
/// How long the session of HTTP calls stays when nobody uses it.
const UNUSED: Duration = Duration::from_secs(60);

/// The id of a session of ours: a random part, and a mac over it if it may be used to open a session.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// As it stands in URLs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a session could not be joined or asked.
#[derive(Debug, thiserror::Error)]
pub enum NotThere {
    /// No session has this id, and none can be opened under it.
    #[error("no such session {0}")]
    Session(String),
    /// No session shows this target.
    #[error("no such target id: {0}")]
    Target(String),
    /// Somebody else is connected to it.
    #[error(
        "session {0} has a client already; close that one first, or connect without an id for a session of your own"
    )]
    Taken(SessionId),
    /// There is no place for it.
    #[error(transparent)]
    NoLease(#[from] NoLease),
    /// It ended while it was asked.
    #[error("the session ended meanwhile")]
    Ended,
}

/// A session that was admitted and waits for its socket. Dropping it frees its place.
#[must_use]
pub struct Admitted(Kind);

enum Kind {
    /// A session that begins with this socket.
    Begins { live: Box<Live>, root: CdpSessionId, entry: Entry },
    /// A session that is there.
    Joins { control: mpsc::Sender<Control>, page: Option<TargetId> },
}

impl Admitted {
    /// The socket is there: the session begins, or gets it.
    pub async fn seat(self, client: Client) {
        match self.0 {
            Kind::Begins { mut live, root, entry } => {
                live.seat(client, root);
                entry.run(*live);
            }
            Kind::Joins { control, page } => {
                // A session that ended meanwhile drops the socket, which its client sees.
                let _ = control.send(Control::Join(Box::new(client), page)).await;
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Handle {
    control: mpsc::Sender<Control>,
    browser: u32,
    lease: LeaseId,
}

/// All sessions of the process; cheap to clone.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    terms: Arc<Terms>,
    http_session: HttpSession,
    key: [u8; 32],
    live: DashMap<SessionId, Handle>,
    // Guards the memory of ids that cannot be used again; held for a look.
    ended: Mutex<Ended>,
    // Guards which session HTTP calls act in; held across its opening, so that only one begins.
    http: tokio::sync::Mutex<Option<SessionId>>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Ended {
    ids: HashSet<SessionId>,
    since: VecDeque<(Instant, SessionId)>,
}

/// A place in the registry; leaving it is what makes room for the next.
struct Entry {
    registry: Registry,
    id: SessionId,
    once: bool,
}

impl Entry {
    /// Runs the session as a task of its own; the entry goes with it, also when it panics.
    fn run(self, live: Live) {
        let tasks = self.registry.inner.tasks.clone();
        tasks.spawn(async move {
            let _entry = self;
            live.run().await;
        });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.inner.live.remove(&self.id);
        if self.once {
            self.registry.remember(&self.id);
        }
    }
}

impl Registry {
    /// An empty registry over a pool.
    pub fn new(pool: Pool, terms: Terms, http_session: HttpSession) -> Self {
        let mut key = [0; 32];
        let (left, right) = key.split_at_mut(16);
        left.copy_from_slice(Uuid::new_v4().as_bytes());
        right.copy_from_slice(Uuid::new_v4().as_bytes());
        let inner = Inner {
            pool,
            terms: Arc::new(terms),
            http_session,
            key,
            live: DashMap::new(),
            ended: Mutex::default(),
            http: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The browsers.
    pub fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    /// What waits for all clients.
    pub fn ledger(&self) -> Arc<Ledger> {
        self.inner.terms.ledger.clone()
    }

    /// How many sessions are live.
    pub fn len(&self) -> usize {
        self.inner.live.len()
    }

    /// Whether there is no session at all.
    pub fn is_empty(&self) -> bool {
        self.inner.live.is_empty()
    }

    /// An id for `/json/version`: it creates nothing, and the first connect opens the session under it.
    pub fn mint(&self) -> SessionId {
        let random = Uuid::new_v4().simple().to_string();
        let since = seconds_since_epoch();
        let text = format!("{random}-{since:x}");
        SessionId(format!("{text}.{}", self.mac(&text)).into())
    }

    /// A new session for a client that named none.
    pub async fn begin(&self) -> Result<Admitted, NotThere> {
        let id = SessionId(Uuid::new_v4().to_string().into());
        self.open(id, false).await
    }

    /// The session of this id: one that is there, or one that the id may open.
    pub async fn connect(&self, id: &str) -> Result<Admitted, NotThere> {
        let id = SessionId(id.into());
        if let Some(handle) = self.handle(&id) {
            if self.inner.http_session == HttpSession::Shared && *self.inner.http.lock().await == Some(id.clone()) {
                return Ok(Admitted(Kind::Joins { control: handle.control, page: None }));
            }
            return Err(NotThere::Taken(id));
        }
        if !self.is_minted(&id) || self.has_ended(&id) {
            return Err(NotThere::Session(id.to_string()));
        }
        self.open(id, true).await
    }

    /// One page of a session, as one more view of it.
    pub async fn page(&self, target: &str) -> Result<Admitted, NotThere> {
        let target = TargetId::from(target);
        let control = self.owner_of(&target).await.ok_or_else(|| NotThere::Target(target.to_string()))?;
        Ok(Admitted(Kind::Joins { control, page: Some(target) }))
    }

    /// A browser-level command in the session of HTTP calls, which begins with the first.
    pub async fn call(&self, method: &'static str, params: String) -> Result<Result<String, CdpError>, NotThere> {
        let (_, control) = self.http_session().await?;
        let (reply, answer) = oneshot::channel();
        control.send(Control::Call { method, params, reply }).await.map_err(|_| NotThere::Ended)?;
        answer.await.map_err(|_| NotThere::Ended)
    }

    /// The id that `/json/version` gives: of the shared session, or of one to come.
    pub async fn version_id(&self) -> Result<SessionId, NotThere> {
        match self.inner.http_session {
            HttpSession::Own => Ok(self.mint()),
            HttpSession::Shared => Ok(self.http_session().await?.0),
        }
    }

    /// Ends every session and waits until they are gone.
    pub async fn close(&self, reason: CloseReason) {
        let all: Vec<Handle> = self.inner.live.iter().map(|entry| entry.value().clone()).collect();
        for handle in all {
            let _ = handle.control.send(Control::End(reason.clone())).await;
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    async fn open(&self, id: SessionId, once: bool) -> Result<Admitted, NotThere> {
        let (mut live, entry) = self.make(id, once, Ends::WithItsClients).await?;
        let root = live.root().await.map_err(|error| NotThere::NoLease(error.into()))?;
        Ok(Admitted(Kind::Begins { live: Box::new(live), root, entry }))
    }

    async fn make(&self, id: SessionId, once: bool, ends: Ends) -> Result<(Live, Entry), NotThere> {
        let lease = self.inner.pool.lease().await?;
        // Bounded: who asks a session something waits for it, and a session never waits for who asks.
        let (control, asked) = mpsc::channel(32);
        let handle = Handle { control, browser: lease.browser().number(), lease: lease.id() };
        // Two that connect under one minted id at once: one of them is first.
        match self.inner.live.entry(id.clone()) {
            dashmap::Entry::Occupied(_) => return Err(NotThere::Taken(id)),
            dashmap::Entry::Vacant(place) => {
                place.insert(handle);
            }
        }
        let entry = Entry { registry: self.clone(), id: id.clone(), once };
        let browser = TargetId::from(Uuid::new_v4().to_string());
        let live = Live::new(id.0.clone(), self.inner.terms.clone(), lease, browser, ends, asked);
        Ok((live, entry))
    }

    async fn http_session(&self) -> Result<(SessionId, mpsc::Sender<Control>), NotThere> {
        let mut current = self.inner.http.lock().await;
        if let Some(id) = current.as_ref()
            && let Some(handle) = self.handle(id)
            && !handle.control.is_closed()
        {
            return Ok((id.clone(), handle.control));
        }
        let id = SessionId(Uuid::new_v4().to_string().into());
        let (live, entry) = self.make(id.clone(), false, Ends::WhenUnused(UNUSED)).await?;
        entry.run(live);
        *current = Some(id.clone());
        let handle = self.handle(&id).ok_or(NotThere::Ended)?;
        Ok((id, handle.control))
    }

    async fn owner_of(&self, target: &TargetId) -> Option<mpsc::Sender<Control>> {
        for browser in self.inner.pool.browsers() {
            let Some(lease) = browser.owner_of(target).await else { continue };
            let of_lease = |handle: &Handle| handle.browser == browser.number() && handle.lease == lease;
            let control =
                self.inner.live.iter().find(|entry| of_lease(entry.value())).map(|entry| entry.control.clone())?;
            // Hidden targets are nobody's to connect to.
            let (reply, answer) = oneshot::channel();
            control.send(Control::Shows(target.clone(), reply)).await.ok()?;
            return answer.await.is_ok_and(|shows| shows).then_some(control);
        }
        None
    }

    fn handle(&self, id: &SessionId) -> Option<Handle> {
        // Cloned out: the map's guard is never held across an await.
        self.inner.live.get(id).map(|handle| handle.clone())
    }

    fn mac(&self, text: &str) -> String {
        let mut mac = self.hmac();
        mac.update(text.as_bytes());
        let bytes = mac.finalize().into_bytes();
        let half = bytes.iter().take(16).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        format!("{half:032x}")
    }

    fn hmac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.inner.key).expect("a key of any length will do")
    }

    /// Whether this server made this id, not too long ago.
    fn is_minted(&self, id: &SessionId) -> bool {
        let Some((text, mac)) = id.0.split_once('.') else { return false };
        let Some((_, since)) = text.split_once('-') else { return false };
        let expected = self.mac(text);
        let genuine: bool = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), mac.as_bytes()).into();
        let fresh = u64::from_str_radix(since, 16)
            .is_ok_and(|since| seconds_since_epoch().saturating_sub(since) < VALID.as_secs());
        genuine && fresh
    }

    fn has_ended(&self, id: &SessionId) -> bool {
        self.ended().ids.contains(id)
    }

    fn remember(&self, id: &SessionId) {
        let mut ended = self.ended();
        let now = Instant::now();
        while ended.since.front().is_some_and(|(since, _)| now.duration_since(*since) > VALID) {
            if let Some((_, old)) = ended.since.pop_front() {
                ended.ids.remove(&old);
            }
        }
        ended.since.push_back((now, id.clone()));
        ended.ids.insert(id.clone());
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, Ended> {
        self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds_since_epoch() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
