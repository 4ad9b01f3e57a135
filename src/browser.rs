//! The browser processes: each Chrome is driven over one link that all its sessions share.
//!
//! `link` is the task that owns the connection; `mirror` is its record of targets. Nothing here
//! knows clients: a lease has an inbox, and messages arrive there in the order of the pipe.

mod account;
pub mod books;
pub(crate) mod cgroup;
mod closings;
mod codec;
mod context_reaper;
mod contexts;
pub(crate) mod disk;
mod downloads;
mod egress;
mod error;
pub mod find;
mod health;
pub mod http_request;
mod inbox;
mod internal;
mod lease;
mod link;
mod mirror;
pub mod namespace;
mod openings;
mod permits;
mod pixels;
mod process;
pub mod process_tree;
mod proof;
pub mod protocol;
mod records;
mod remote;
mod screen;
mod start;
mod transport;
mod user_data;
mod write_queue;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::{
    account::Account,
    books::{Books, Mend},
    codec::{Framing, Wire},
    egress::BrowserEgress,
    inbox::Parcel,
    internal::InternalSession,
    openings::Openings,
    permits::Permits,
};
pub use self::{
    cgroup::{Cgroups, NoCgroups},
    codec::CodecChoice,
    error::CallError,
    inbox::Inbox,
    internal::{
        ContextHandle, Emulated, InternalEvent, InternalRoot, PageDriver, PageEvents, TypedCommand, by_deadline,
    },
    lease::{Lease, LeaseContext},
    mirror::{LeaseId, LeasePages, Surveyed},
    openings::Opening,
    process::Launch,
    proof::Unproven,
    remote::RemoteError,
    start::{BrowserError, OLDEST, Shares, Source},
    user_data::{UserDataDir, UserDataError, UserDataInfo, UserDataRoot},
};
pub(crate) use self::{
    internal::commands,
    start::{Started, start},
};
use crate::{
    cdp::{
        cbor::MalformedCbor,
        emulation::Change,
        ids::{CdpSessionId, ContextId, TargetId},
        json_object::JsonObject,
    },
    port::{BrowserId, Call, Identity, Interest, PageSetup, Reply, ResumeAs, Settle, Tag},
    runtime,
};

/// Time limit for the reply to a command of the proxy's own.
const PATIENCE: Duration = Duration::from_secs(30);

/// A handle on one browser; cheap to clone. The browser runs until [`Browser::close`] or its own end.
#[derive(Clone, Debug)]
pub struct Browser {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: BrowserId,
    orders: mpsc::UnboundedSender<LinkRequest>,
    identity: Identity,
    pid: Option<u32>,
    profile: Option<PathBuf>,
    cgroup: Option<Arc<cgroup::Cgroup>>,
    /// The ids of the extensions that it was started with and whose targets its session sees.
    extensions: Arc<[String]>,
    /// Its gates, if it is started with some.
    egress: Option<BrowserEgress>,
    /// It has had a lease for the proof of its gates, which no session gets.
    proved: AtomicBool,
    leases: AtomicU64,
    /// The leases that somebody holds.
    held: records::Held,
    live: AtomicI64,
    /// Counts the sessions that have had a lease here.
    served: AtomicU64,
    /// Counts the [`InternalRoot`]s: sessions that are being saved or restored.
    own_roots: AtomicUsize,
    /// A session is tracing: no other session may be placed here.
    exclusive: watch::Sender<bool>,
    framing: Framing,
    permits: Permits,
    openings: Openings,
    /// Bytes that Chrome has sent and taken.
    bytes: Arc<AtomicU64>,
    close: CancellationToken,
    /// It belongs to one lease: its processes are killed when it is closed, because nothing of it is kept.
    dedicated: Arc<AtomicBool>,
    /// Why the browser is killed, if it is; set before `close` is cancelled.
    killed: Arc<OnceLock<Arc<str>>>,
}

/// A request to the link's task.
#[derive(Debug)]
enum LinkRequest {
    /// A frame for a page-level CDP session, unchanged.
    Pass { lease: LeaseId, message: Wire },
    /// A command under an id of the link; the reply goes to the lease's inbox.
    Call { lease: LeaseId, tag: Tag, call: Call },
    /// A command of the proxy's own.
    Own { call: Call, lease: Option<LeaseId>, reply: oneshot::Sender<Reply> },
    /// A frame for a page-level CDP session that navigates its page, unchanged.
    Navigate { lease: LeaseId, on: CdpSessionId, message: Wire },
    /// A client resumes a target.
    Resume { lease: LeaseId, on: CdpSessionId, children: bool, how: ResumeAs },
    /// A root's auto-attach changes; answered with `{}` once all existing targets are attached, or
    /// all that it attached are detached.
    AutoAttach { lease: LeaseId, tag: Tag, root: CdpSessionId, interest: Option<Interest> },
    /// A lease's pages ignore certificate errors from now on, or no more; answered with `{}` once the present ones do.
    IgnoreCertificateErrors { lease: LeaseId, tag: Tag, ignore: bool },
    /// Each page of a lease is set up like this from now on; `done` is dropped once the present ones are.
    SetUp { lease: LeaseId, setup: Arc<PageSetup>, done: oneshot::Sender<()> },
    /// A client detaches a CDP session.
    Detach { lease: LeaseId, tag: Tag, session: CdpSessionId },
    /// A lease starts to receive messages in an inbox.
    Open { lease: LeaseId, inbox: mpsc::UnboundedSender<Parcel>, account: Arc<Account> },
    /// The directory of a lease's downloads.
    Directory { lease: LeaseId, path: PathBuf },
    /// A client of the lease enables download events.
    Listen { lease: LeaseId },
    /// Asks which lease a target belongs to.
    Owner { target: TargetId, reply: oneshot::Sender<Option<LeaseId>> },
    /// Asks for the size of the mirror: contexts, targets, CDP sessions, and pending calls.
    Census { reply: oneshot::Sender<Census> },
    /// Asks for what is on record.
    Books { reply: oneshot::Sender<Books> },
    /// Ends a difference between what is on record and what Chrome has.
    Mend(Mend),
    /// Counts a message from Chrome that its lease could not parse.
    Broken(MalformedCbor),
    /// Counts an event of Chrome's that was dropped because it nests too deep for JSON.
    TooDeep,
    /// Subscribes to events on a CDP session of the proxy's own.
    Hear { session: CdpSessionId, to: mpsc::UnboundedSender<InternalEvent> },
    /// Asks for the present and past content of a lease's contexts.
    Survey { lease: LeaseId, reply: oneshot::Sender<Vec<Surveyed>> },
    /// Asks for the pages of a lease, and for more of those that are not among these.
    Pages { lease: LeaseId, known: Option<HashSet<TargetId>>, reply: oneshot::Sender<LeasePages> },
    /// Records an origin, or the storage key of a partition, where a session has stored data.
    Remember { context: ContextId, origin: String },
    /// Closes a page of the proxy's own in the queue of disposals.
    Close { page: TargetId },
    /// A page of the proxy's own becomes a page of its session. The emulation that this CDP session
    /// set remains.
    Reveal { page: TargetId, emulated: Option<(CdpSessionId, Vec<Change>)> },
    /// The targets of this extension are shown to the session of this dedicated browser.
    ShowExtension { id: String },
    /// A lease ends; its contexts are disposed of with `base`.
    Release { lease: LeaseId, base: CdpSessionId },
}

/// The size of a browser's mirror.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Contexts that belong to a lease.
    pub contexts: usize,
    /// Targets of any kind, Chrome's own included.
    pub targets: usize,
    /// CDP sessions of any kind, the proxy's own included.
    pub cdp_sessions: usize,
    /// Commands under ids of the link that wait for a reply.
    pub calls: usize,
    /// Leases with an inbox.
    pub leases: usize,
    /// Contexts that wait until Chrome is told to dispose of them.
    pub disposals: usize,
}

impl std::ops::AddAssign for Census {
    fn add_assign(&mut self, other: Self) {
        self.contexts += other.contexts;
        self.targets += other.targets;
        self.cdp_sessions += other.cdp_sessions;
        self.calls += other.calls;
        self.leases += other.leases;
        self.disposals += other.disposals;
    }
}

impl LinkRequest {
    /// Whether a client's action causes this request.
    fn is_clients(&self) -> bool {
        match self {
            Self::Pass { .. }
            | Self::Navigate { .. }
            | Self::Call { .. }
            | Self::Resume { .. }
            | Self::AutoAttach { .. }
            | Self::IgnoreCertificateErrors { .. }
            | Self::Detach { .. }
            | Self::Open { .. } => true,
            Self::Broken(_)
            | Self::TooDeep
            | Self::Own { .. }
            | Self::Directory { .. }
            | Self::Listen { .. }
            | Self::Owner { .. }
            | Self::Census { .. }
            | Self::Books { .. }
            | Self::Mend(_)
            | Self::Hear { .. }
            | Self::SetUp { .. }
            | Self::Survey { .. }
            | Self::Pages { .. }
            | Self::Remember { .. }
            | Self::Close { .. }
            | Self::Reveal { .. }
            | Self::ShowExtension { .. }
            | Self::Release { .. } => false,
        }
    }
}

impl Browser {
    /// Its number in the pool, which no other browser gets.
    pub fn id(&self) -> BrowserId {
        self.shared.id
    }

    /// Its product and version, from the start.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// The process id of a local browser.
    pub fn pid(&self) -> Option<u32> {
        self.shared.pid
    }

    /// The directory with the profile and the temporary files of a local browser.
    pub fn profile(&self) -> Option<&Path> {
        self.shared.profile.as_deref()
    }

    /// Sessions that hold a lease here.
    pub fn live(&self) -> i64 {
        self.shared.live.load(Ordering::Relaxed)
    }

    /// Sessions that have had a lease here, those of now included.
    pub fn served(&self) -> u64 {
        self.shared.served.load(Ordering::Relaxed)
    }

    /// Whether a session traces here and must stay alone.
    pub fn is_exclusive(&self) -> bool {
        *self.shared.exclusive.borrow()
    }

    /// Whether it belongs to one lease, and ends with it.
    pub fn is_dedicated(&self) -> bool {
        self.shared.dedicated.load(Ordering::Acquire)
    }

    /// Whether the link is still connected.
    pub fn is_alive(&self) -> bool {
        !self.shared.orders.is_closed()
    }

    /// Ends the browser; its sessions are told that it was lost.
    pub fn close(&self) {
        self.shared.close.cancel();
    }

    /// Sends a command of the proxy's own, on a CDP session or on the browser itself, and returns
    /// its `result` as Chrome wrote it. [`PageDriver`] has typed commands.
    pub async fn call(
        &self,
        on: Option<&CdpSessionId>,
        method: &'static str,
        params: String,
    ) -> Result<String, CallError> {
        self.call_for(on, method, params, None).await
    }

    /// As [`Browser::call`], for a lease; the link also reads the reply for it.
    async fn call_for(
        &self,
        on: Option<&CdpSessionId>,
        method: &'static str,
        params: String,
        learn: Option<(LeaseId, Settle)>,
    ) -> Result<String, CallError> {
        let (lease, settle) = learn.unzip();
        let call = Call { on: on.cloned(), method: method.into(), params, settle: settle.unwrap_or_default() };
        self.own_call(method, call, lease).await
    }

    async fn own_call(&self, method: &'static str, call: Call, lease: Option<LeaseId>) -> Result<String, CallError> {
        self.own_call_within(method, call, lease, PATIENCE).await
    }

    async fn own_call_within(
        &self,
        method: &'static str,
        call: Call,
        lease: Option<LeaseId>,
        patience: Duration,
    ) -> Result<String, CallError> {
        let (reply, answer) = oneshot::channel();
        self.order(LinkRequest::Own { call, lease, reply });
        match tokio::time::timeout(patience, self.answered(answer)).await {
            Ok(Some(Reply::Result(result))) => Ok(result),
            Ok(Some(Reply::Error(error))) => Err(CallError::Refused { method, error }),
            Ok(None) => Err(CallError::Gone),
            Err(_) => Err(CallError::Late { method }),
        }
    }

    /// Attaches a view to a page through the view's root, if there is such a page. Otherwise the
    /// root is closed.
    pub async fn attach_page(
        &self,
        root: CdpSessionId,
        page: Option<&TargetId>,
    ) -> Result<(CdpSessionId, Option<CdpSessionId>), CallError> {
        let Some(page) = page else { return Ok((root, None)) };
        match self.attach_to(&root, page).await {
            Ok(session) => Ok((root, Some(session))),
            Err(error) => {
                self.close_root(&root);
                Err(error)
            }
        }
    }

    /// Attaches a CDP session of the proxy's own to a target, through a browser-level one that no
    /// client sees.
    async fn attach(&self, base: &CdpSessionId, target: &TargetId) -> Result<InternalSession, CallError> {
        Ok(InternalSession::new(self.clone(), base.clone(), self.attach_to(base, target).await?))
    }

    async fn attach_to(&self, root: &CdpSessionId, target: &TargetId) -> Result<CdpSessionId, CallError> {
        let (method, call) = ("Target.attachToTarget", Call::attach(Some(root.clone()), target.clone()));
        member(&self.own_call(method, call, None).await?, method, "sessionId").map(CdpSessionId::from)
    }

    /// Sends a command of the proxy's own without waiting for the reply.
    fn tell(&self, on: Option<&CdpSessionId>, method: &'static str, params: String) {
        let call = Call { on: on.cloned(), method: method.into(), params, settle: Settle::Plain };
        let (reply, _) = oneshot::channel();
        self.order(LinkRequest::Own { call, lease: None, reply });
    }

    /// Ends a browser-level CDP session and all that was attached through it.
    pub fn close_root(&self, root: &CdpSessionId) {
        self.tell(None, "Target.detachFromTarget", format!(r#"{{"sessionId":"{root}"}}"#));
    }

    /// Makes another browser-level CDP session for a lease, as the root of a view. It ends with the
    /// lease at the latest.
    pub async fn root(&self, lease: LeaseId) -> Result<CdpSessionId, CallError> {
        self.browser_level(lease, Settle::Root).await
    }

    async fn browser_level(&self, lease: LeaseId, settle: Settle) -> Result<CdpSessionId, CallError> {
        let method = "Target.attachToBrowserTarget";
        let result = self.call_for(None, method, "{}".to_owned(), Some((lease, settle))).await?;
        member(&result, method, "sessionId").map(CdpSessionId::from)
    }

    /// The number of screenshots that wait for others to finish.
    pub fn screenshots_waiting(&self) -> usize {
        self.shared.permits.waiting()
    }

    /// Whether a session of this browser is being saved or restored.
    pub(crate) fn is_busy(&self) -> bool {
        self.shared.own_roots.load(Ordering::Relaxed) > 0
    }

    /// Counts a session that was added or removed.
    pub(crate) fn count(&self, by: i64) {
        self.shared.live.fetch_add(by, Ordering::AcqRel);
    }

    /// Counts a session that got a lease here.
    fn serve(&self) {
        self.shared.served.fetch_add(1, Ordering::Relaxed);
        self.count(1);
    }

    /// The link's answer, or `None` if the browser has ended.
    async fn answered<T>(&self, answer: oneshot::Receiver<T>) -> Option<T> {
        runtime::answered(answer, self.shared.orders.closed()).await
    }

    fn order(&self, order: LinkRequest) {
        // A closed channel means that the browser was lost; callers learn it from their oneshot
        // channel or inbox.
        let _ = self.shared.orders.send(order);
    }
}

fn member(result: &str, method: &'static str, member: &'static str) -> Result<String, CallError> {
    JsonObject::read(result)
        .and_then(|result| result.string(member))
        .ok_or_else(|| CallError::Unreadable { method, why: format!("it lacks {member}") })
}

#[cfg(test)]
pub(crate) mod fake;
