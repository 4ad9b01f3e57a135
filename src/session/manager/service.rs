//! The operations on sessions. `ghost.*` and the REST API are two interfaces to them, with the same names and shapes.
//!
//! Every function takes the [`Caller`]. Only [`SessionManager::find`] checks the owner of a session, and only `access` what
//! a caller may do at all.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::{Handle, SessionManager, access, named::Named};
use crate::session::{
    error::ServiceError,
    id::SessionId,
    persistence::{HibernateGuard, Hibernated, PersistenceError},
};
use crate::{
    api_types::{
        Bad, Initial, Millis, Nothing, Options, Pages, Reply, Request, Session, SessionState, Usage,
        operations::{
            CloseSession, CreateSession, GetEgress, GetPages, GetSession, GetUsage, Identity, ListSessions, PAGE_MOST,
            Park, SessionRequest, UpdateSession,
        },
        paged,
    },
    browser::ContextHandle,
    cdp::target::{Kind, TargetInfo},
    close_reason::CloseReason,
    runtime,
    session::task::{self, Caller, Control, SessionInfo},
    snapshot::repository::RepositoryError,
    store::{ProfileLease, StoreError, Timestamp},
    tenant::audit::Event,
};

/// Default number of sessions or snapshots on one page of a list.
const PAGE: u32 = 100;

/// A session of the caller.
enum Found {
    Awake(Handle),
    Asleep(Box<Hibernated>),
}

/// The load of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// Sessions with a client.
    pub active: usize,
    /// Sessions without a client.
    pub parked: usize,
    /// Clients that wait for a place.
    pub queued: usize,
    /// Most sessions; `None` is no limit.
    pub most: Option<u32>,
    /// Most clients that may wait.
    pub queue: usize,
    /// How long the first client in the queue has waited.
    pub longest_wait: Duration,
    /// Requests refused in the last minute because there was no place.
    pub recently_rejected: usize,
    /// Whether one more session would get a place at once.
    pub is_available: bool,
}

impl SessionManager {
    /// Creates a session, parked until a client connects.
    pub async fn create(
        &self,
        caller: &Caller,
        id: Option<String>,
        mut options: Options,
        initial: Initial,
    ) -> Result<Session, ServiceError> {
        let is_chosen = id.is_some();
        let id =
            id.map_or_else(|| Ok(SessionId::random(caller.owner())), |id| SessionId::chosen(caller.owner(), &id))?;
        self.will_wait(&mut options)?;
        let sleeps = is_chosen && self.inner.persistence.has(caller.owner(), id.as_str()).await?;
        let elsewhere = is_chosen && self.inner.directory.find(&id).await.is_some_and(|node| node != self.inner.node);
        let used = sleeps || elsewhere || self.handle(&id).is_some() || self.tombstone(&id).is_some();
        if used {
            return Err(ServiceError::IdInUse(id.to_string()));
        }
        let (live, entry) = self.open(caller, id, options, initial).await?;
        Ok(entry.wait_for_client(live, caller))
    }

    /// The session of this name, in its state after the options are applied, and whether it is new. One that does not
    /// exist is created as by [`SessionManager::create`]; one that hibernates is restored.
    pub async fn find_or_create(
        &self,
        caller: &Caller,
        name: &str,
        options: Options,
        initial: Initial,
    ) -> Result<(Session, bool), ServiceError> {
        let Named { handle, is_new } = self.named(caller, name, options.clone(), initial).await?;
        let caller_of = caller.clone();
        let options = if is_new { Options::default() } else { options };
        let asked = self.ask_live(&handle, |reply| Control::Update { caller: caller_of, options, reply }).await?;
        Ok((asked?, is_new))
    }

    /// Gives a session that starts without a client a `keep_alive`, so that it exists until a client connects.
    pub(super) fn will_wait(&self, options: &mut Options) -> Result<(), Bad> {
        let keep_alive = options.keep_alive.get_or_insert(Millis(self.inner.terms().deadlines.park_keep_alive));
        if keep_alive.0 < Duration::from_millis(1) {
            return Err(Bad::new("keepAlive", "0 would end the session before a client could connect to it"));
        }
        Ok(())
    }

    /// A session in its current state.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Session, ServiceError> {
        Ok(match self.look(caller, id).await? {
            Found::Awake(handle) => handle.session_info.show_with_clients(caller),
            Found::Asleep(hibernated) => hibernated.show(caller),
        })
    }

    /// Changes the given members of a session.
    pub async fn update(&self, caller: &Caller, id: &str, options: Options) -> Result<Session, ServiceError> {
        let handle = self.find(caller, id).await?;
        let caller_of = caller.clone();
        let asked = self.ask_live(&handle, |reply| Control::Update { caller: caller_of, options, reply }).await?;
        Ok(asked?)
    }

    /// Ends a session. Its clients get this reason.
    pub async fn close(&self, caller: &Caller, id: &str, reason: CloseReason) -> Result<(), ServiceError> {
        let asked = Timestamp::now();
        let handle = match self.look(caller, id).await {
            Ok(Found::Awake(handle)) => handle,
            Ok(Found::Asleep(_))
            | Err(ServiceError::Snapshot(RepositoryError::Store(StoreError::UnreadableSession { .. })))
                if self.end_hibernated(&SessionId::new(caller.owner(), id)).await? =>
            {
                return Ok(());
            }
            // Another client has just restored or ended it.
            Ok(Found::Asleep(_)) => return Err(ServiceError::Asleep(id.to_owned())),
            Err(why) => return Err(why),
        };
        // A session that has just ended by itself is in the wanted state.
        let _ = handle.control.send(Box::new(Control::End(reason))).await;
        handle.control.closed().await;
        handle.gone.cancelled().await;
        self.end_left(&handle, asked).await
    }

    /// Ends a session that came to rest in the store instead of ending: it hibernated just then, or its browser was lost
    /// before it was restored. A session that began under its id after `asked` stays.
    async fn end_left(&self, handle: &Handle, asked: Timestamp) -> Result<(), ServiceError> {
        let id = handle.session_info.session_id();
        let may_be_left = handle.checkpoint.is_used() || !handle.begun.is_cancelled();
        if !may_be_left || self.handle(&id).is_some() {
            return Ok(());
        }
        let left = self.inner.persistence.find(id.owner(), id.as_str()).await?;
        if left.is_some_and(|left| left.session().created_at <= asked.0) {
            self.end_hibernated(&id).await?;
        }
        Ok(())
    }

    /// Disconnects a session's clients; the session goes on without them.
    pub async fn park(&self, caller: &Caller, id: &str, keep_alive: Option<Millis>) -> Result<Session, ServiceError> {
        let handle = self.find(caller, id).await?;
        let caller_of = caller.clone();
        let asked = self.ask_live(&handle, |reply| Control::Park { caller: caller_of, keep_alive, reply }).await?;
        Ok(asked?)
    }

    /// The pages of a session: Chrome's `TargetInfo`s, oldest first as far as Chrome keeps them in order.
    pub async fn pages(&self, caller: &Caller, id: &str) -> Result<Pages, ServiceError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Infos {
            target_infos: Vec<Box<RawValue>>,
        }

        let handle = self.find(caller, id).await?;
        let (method, params) = ("Target.getTargets", "{}".to_owned());
        let call = |reply| Control::Call { method, params, is_use: false, reply };
        let result = self.ask_live(&handle, call).await?.map_err(ServiceError::Refused)?;
        let infos: Infos = serde_json::from_str(&result).map_err(ServiceError::Unreadable)?;
        let is_page = |info: &RawValue| TargetInfo::read(info.get()).is_some_and(|info| info.kind == Kind::Page);
        Ok(Pages { pages: infos.target_infos.into_iter().filter(|info| is_page(info)).collect(), next: None })
    }

    /// The usage of a session.
    pub async fn usage(&self, caller: &Caller, id: &str) -> Result<Usage, ServiceError> {
        let handle = self.find(caller, id).await?;
        self.ask_live(&handle, Control::Usage).await
    }

    /// The load of the server, the same for every caller.
    pub fn pressure(&self) -> Pressure {
        let (active, parked) = self.active_and_parked();
        let fullness = self.inner.admission_control.fullness();
        Pressure {
            active,
            parked,
            queued: fullness.waiting,
            most: fullness.most,
            queue: fullness.queue,
            longest_wait: fullness.longest_wait,
            recently_rejected: fullness.recently_rejected,
            is_available: fullness.most.is_none_or(|most| fullness.taken < most)
                && !self.inner.pool.browsers().is_empty(),
        }
    }

    /// The number of sessions that have a client, and of those that wait for one.
    pub(super) fn active_and_parked(&self) -> (usize, usize) {
        let (mut active, mut parked) = (0, 0);
        for handle in &self.inner.live {
            match handle.session_info.state() {
                SessionState::Active => active += 1,
                SessionState::Parked => parked += 1,
                SessionState::Queued | SessionState::Hibernated | SessionState::Closed => {}
            }
        }
        (active, parked)
    }

    /// A session of the caller. A session of another owner is treated as nonexistent.
    pub(super) async fn find(&self, caller: &Caller, id: &str) -> Result<Handle, ServiceError> {
        match self.look(caller, id).await? {
            Found::Awake(handle) => Ok(handle),
            Found::Asleep(_) => Err(ServiceError::Asleep(id.to_owned())),
        }
    }

    async fn look(&self, caller: &Caller, id: &str) -> Result<Found, ServiceError> {
        if let Some(handle) = self.meant(caller, id)? {
            return Ok(Found::Awake(handle));
        }
        let known = SessionId::new(caller.owner(), id);
        let hibernated = self.hibernated(caller, id).await?;
        hibernated.map(|hibernated| Found::Asleep(Box::new(hibernated))).ok_or_else(|| self.no_session(&known))
    }

    /// The error for a session that does not exist, with how it ended.
    pub(super) fn no_session(&self, id: &SessionId) -> ServiceError {
        let ended = self.tombstone(id);
        ServiceError::NoSession { id: id.as_str().chars().take(200).collect(), ended }
    }

    /// Sends a request to a session's task, which may end meanwhile.
    pub(super) async fn ask_live<T>(
        &self,
        handle: &Handle,
        control: impl FnOnce(oneshot::Sender<T>) -> Control,
    ) -> Result<T, ServiceError> {
        let (reply, answer) = oneshot::channel();
        let answer = match handle.control.send(Box::new(control(reply))).await {
            Ok(()) => runtime::answered(answer, handle.control.closed()).await,
            Err(_) => None,
        };
        answer.ok_or_else(|| {
            let id = &handle.session_info.id;
            match handle.session_info.state() {
                SessionState::Queued => ServiceError::Queued(id.to_string()),
                _ => ServiceError::NoSession {
                    id: id.to_string(),
                    ended: self.tombstone(&handle.session_info.session_id()),
                },
            }
        })
    }
}

impl task::SessionService for SessionManager {
    fn hibernate(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
    ) -> BoxFuture<'static, Result<HibernateGuard, PersistenceError>> {
        let registry = self.clone();
        async move { registry.hibernate_one(&session_info, &place).await }.boxed()
    }

    fn autosave(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
    ) -> BoxFuture<'static, Result<(), PersistenceError>> {
        let registry = self.clone();
        async move { registry.keep_safe(&session_info, &place).await }.boxed()
    }

    fn save_profile(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
        most: Option<u64>,
        lease: Option<Arc<ProfileLease>>,
    ) -> BoxFuture<'static, Result<(), PersistenceError>> {
        let registry = self.clone();
        async move { registry.save_profile_of(&session_info, &place, most, lease).await }.boxed()
    }

    fn ask(
        &self,
        caller: Caller,
        from: Arc<str>,
        request: Request,
    ) -> BoxFuture<'static, Result<String, ServiceError>> {
        let registry = self.clone();
        let reply = async move { registry.perform(&caller, Some(&from), request).await };
        reply.map(|reply| reply.map(Reply::into_result)).boxed()
    }
}

impl SessionManager {
    /// Performs an operation, for every interface. `from` is the session whose client asks, if a client does: it is the
    /// session that a request without an id means.
    pub async fn perform(&self, caller: &Caller, from: Option<&str>, request: Request) -> Result<Reply, ServiceError> {
        self.permit(caller, from, &request)?;
        match request {
            // In a box: it is much the largest of these futures.
            Request::Session(request) => Box::pin(self.perform_on_session(caller, from, request)).await,
            Request::Server(request) => self.perform_on_server(caller, request).await,
            Request::Page(request) => self.perform_on_pages(caller, from, request, None).await,
            Request::Snapshot(request) => self.perform_on_snapshot(caller, from, request).await,
            Request::Profile(request) => self.perform_on_profile(caller, request).await,
            Request::File(request) => self.perform_on_files(caller, from, request).await,
            Request::Job(request) => self.perform_on_jobs(caller, request).await,
            Request::Secret(request) => self.perform_on_secrets(caller, request),
            Request::Control(request) => self.perform_control(request).await,
            Request::Tenant(request) => self.perform_on_tenants(request).await,
        }
    }

    /// Checks whether a caller may make a request, and tells the audit log of it.
    pub(super) fn permit(&self, caller: &Caller, from: Option<&str>, request: &Request) -> Result<(), ServiceError> {
        let what = request.name();
        // Of a change of tenants, which one.
        let what = access::object(request).map_or_else(|| what.to_owned(), |object| format!("{what} {object}"));
        let event = |name| Event::new(name).of(&caller.tenant).by(&caller.access).what(what.as_str());
        access::permit(caller, from, request).inspect_err(|why| {
            self.inner.terms().audit.write(event("refused").why(why));
        })?;
        if access::is_recorded(request) {
            self.inner.terms().audit.write(event("performed"));
        }
        Ok(())
    }

    async fn perform_on_session(
        &self,
        caller: &Caller,
        from: Option<&str>,
        request: SessionRequest,
    ) -> Result<Reply, ServiceError> {
        let own = |id| own(id, from);
        Ok(match request {
            SessionRequest::GetSession(GetSession { id }) => {
                Reply::of::<GetSession>(&self.get(caller, &own(id)?).await?)
            }
            SessionRequest::ListSessions(wanted) => Reply::of::<ListSessions>(&self.list(caller, &wanted).await?),
            SessionRequest::CreateSession(create) => {
                let (identity, options, initial) = create.divide()?;
                let (session, is_new) = match identity {
                    Identity::Id(id) => (self.create(caller, id, options, initial).await?, true),
                    Identity::Name(name) => self.find_or_create(caller, &name, options, initial).await?,
                };
                let mut reply = Reply::of::<CreateSession>(&session);
                reply.created.take_if(|_| !is_new);
                reply
            }
            SessionRequest::UpdateSession(update) => {
                let (id, options) = update.divide();
                Reply::of::<UpdateSession>(&self.update(caller, &own(id)?, options).await?)
            }
            SessionRequest::CloseSession(CloseSession { id }) => {
                let by = if from.is_some() { "closed by another client of its owner" } else { "ended by DELETE" };
                self.close(caller, &own(id)?, CloseReason::Bye(by)).await?;
                Reply::of::<CloseSession>(&Nothing {})
            }
            SessionRequest::Park(Park { id, keep_alive }) => {
                Reply::of::<Park>(&self.park(caller, &own(id)?, keep_alive).await?)
            }
            SessionRequest::GetUsage(GetUsage { id }) => Reply::of::<GetUsage>(&self.usage(caller, &own(id)?).await?),
            SessionRequest::GetEgress(GetEgress { id }) => {
                let handle = self.find(caller, &own(id)?).await?;
                Reply::of::<GetEgress>(&handle.session_info.show_egress())
            }
            SessionRequest::GetPages(GetPages { id, limit, cursor }) => {
                let Pages { pages, .. } = self.pages(caller, &own(id)?).await?;
                let target = |info: &RawValue| TargetInfo::read(info.get()).map(|info| info.id.to_string());
                let (pages, next) = paged(pages, limit, cursor.as_deref(), |info| target(info).unwrap_or_default())?;
                Reply::of::<GetPages>(&Pages { pages, next })
            }
        })
    }
}

/// The session that a request means: the one that it names, or that of the client which asks.
pub(super) fn own(id: Option<String>, from: Option<&str>) -> Result<String, Bad> {
    id.or_else(|| from.map(str::to_owned)).ok_or_else(|| Bad::new("id", "is missing"))
}

/// The number of items on a page.
pub(super) fn page_of(limit: Option<u32>) -> Result<usize, Bad> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=PAGE_MOST).contains(&limit) {
        return Err(Bad::new("limit", format!("{limit} is not between 1 and {PAGE_MOST}")));
    }
    Ok(limit as usize)
}

/// The manager as the trait by which a session's task uses it.
pub(super) fn as_sessions(registry: &SessionManager) -> Arc<dyn task::SessionService> {
    Arc::new(registry.clone())
}
