//! What one can do with sessions: `ghost.*` and the REST API are two faces of this, with the same names and shapes.
//!
//! Every function takes the [`Caller`]; whose a session is, is checked in [`SessionManager::find`] and nowhere else.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::{Handle, SessionManager, hibernation::Hibernated};
use crate::session::{error::ServiceError, id::SessionId};
use crate::{
    api_types::{
        self, Ask, Bad, Beginning, Millis, Options, Session, SessionState, Sessions, Unreadable, Usage, Wanted,
    },
    browser::ContextHandle,
    cdp::{
        error::CdpError,
        target::{Kind, TargetInfo},
    },
    close_reason::CloseReason,
    runtime,
    session::task::{self, Caller, Control, HibernateGuard, SessionInfo},
    snapshot::repository::RepositoryError,
    store::{StoreError, UnreadableSession},
};

/// How many sessions or snapshots a page of them has, unless more are asked for.
const PAGE: u32 = 100;
/// The most that can be asked for.
const PAGE_MOST: u32 = 1000;

/// What a cursor among those that sleep begins with: no digit of a number.
const ASLEEP: char = 'z';

/// Where a page of sessions begins.
enum After<'a> {
    /// After the session of this number, among those that live.
    Number(u64),
    /// After this id, among those that sleep.
    Asleep(&'a str),
}

/// A session of the caller's.
enum Found {
    Awake(Handle),
    Asleep(Box<Hibernated>),
}

/// How full the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// Sessions with a client.
    pub active: usize,
    /// Sessions without one.
    pub parked: usize,
    /// Clients that wait for a session.
    pub queued: usize,
    /// The most sessions there may be, if there is a most.
    pub most: Option<u32>,
    /// The most that may wait.
    pub queue: usize,
    /// How long the one that waits longest has waited.
    pub longest_wait: Duration,
    /// Refused in the last minute because there was no place.
    pub recently_rejected: usize,
    /// Whether one more would get a place at once.
    pub is_available: bool,
}

impl SessionManager {
    /// A new session, parked until somebody comes.
    pub async fn create(
        &self,
        caller: &Caller,
        id: Option<String>,
        mut options: Options,
        begins: Option<Beginning>,
    ) -> Result<Session, ServiceError> {
        let is_chosen = id.is_some();
        let id = id.map_or_else(|| Ok(SessionId::random()), |id| SessionId::chosen(&id))?;
        self.will_wait(&mut options)?;
        let sleeps = is_chosen && self.inner.store.session(id.as_str()).await?.is_some();
        let used = sleeps || self.handle(&id).is_some() || self.tombstone(&id).is_some();
        if used {
            return Err(ServiceError::IdInUse(id.to_string()));
        }
        let begins = self.beginning(caller, begins).await?;
        let (mut live, entry) = self.make(&caller.owner, id, options, false).await?;
        self.begin_with(&mut live, begins).await?;
        Ok(entry.wait_for_client(live, caller))
    }

    /// Sees to it that a session that begins without a client lives to see one.
    pub(super) fn will_wait(&self, options: &mut Options) -> Result<(), Bad> {
        let keep_alive = options.keep_alive.get_or_insert(Millis(self.inner.terms.deadlines.park_keep_alive));
        if keep_alive.0 < Duration::from_millis(1) {
            return Err(Bad::new("keepAlive", "0 would end the session before anybody could come to it"));
        }
        Ok(())
    }

    /// A session as it is now.
    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Session, ServiceError> {
        Ok(match self.look(caller, id).await? {
            Found::Awake(handle) => handle.session_info.show(caller),
            Found::Asleep(hibernated) => hibernated.show(caller),
        })
    }

    /// The caller's sessions, oldest first, then those that sleep, a page at a time.
    pub async fn list(&self, caller: &Caller, wanted: &Wanted) -> Result<Sessions, ServiceError> {
        let (limit, cursor) = (page_of(wanted.limit)?, wanted.cursor.as_deref().unwrap_or("0"));
        let after = match (cursor.strip_prefix(ASLEEP), u64::from_str_radix(cursor, 16)) {
            (Some(id), _) => After::Asleep(id),
            (None, Ok(number)) => After::Number(number),
            (None, Err(_)) => return Err(Bad::new("cursor", "is none that this server gave as `next`").into()),
        };
        let mut sessions = Vec::new();
        if let After::Number(after) = after {
            let mut cards: Vec<_> = self
                .inner
                .live
                .iter()
                .map(|handle| handle.session_info.clone())
                .filter(|session_info| {
                    session_info.owner == caller.owner && session_info.number > after && session_info.matches(wanted)
                })
                .collect();
            cards.sort_unstable_by_key(|session_info| session_info.number);
            let more = cards.len() > limit;
            cards.truncate(limit);
            sessions.extend(cards.iter().map(|session_info| session_info.show(caller)));
            if more {
                let next = cards.last().map(|last| format!("{:x}", last.number));
                return Ok(Sessions { sessions, next, ..Sessions::default() });
            }
        }
        if wanted.state.is_some_and(|state| state != SessionState::Hibernated) {
            return Ok(Sessions { sessions, ..Sessions::default() });
        }
        let mut last = if let After::Asleep(id) = after { id.to_owned() } else { String::new() };
        let mut unreadable = Vec::new();
        for entry in self.all_hibernated(caller).await? {
            let shown = entry.map(|hibernated| hibernated.show(caller));
            let (id, takes) = match &shown {
                Ok(session) => {
                    (&session.id, wanted.takes(session.state, session.name.as_ref(), session.metadata.as_ref()))
                }
                // It has neither name nor metadata that could be compared.
                Err(unreadable) => (&unreadable.id, wanted.takes(SessionState::Hibernated, None, None)),
            };
            // One that has just woken up is among those that live.
            if *id <= last || !takes || self.inner.live.contains_key(&SessionId(id.as_str().into())) {
                continue;
            }
            if sessions.len() + unreadable.len() == limit {
                return Ok(Sessions { sessions, unreadable, next: Some(format!("{ASLEEP}{last}")) });
            }
            last.clone_from(id);
            match shown {
                Ok(session) => sessions.push(session),
                Err(UnreadableSession { id, why: reason, .. }) => unreadable.push(Unreadable { id, reason }),
            }
        }
        Ok(Sessions { sessions, unreadable, next: None })
    }

    /// Changes what is given of a session.
    pub async fn update(&self, caller: &Caller, id: &str, options: Options) -> Result<Session, ServiceError> {
        let handle = self.find(caller, id).await?;
        let caller_of = caller.clone();
        let asked = self.ask_live(&handle, |reply| Control::Update { caller: caller_of, options, reply }).await?;
        Ok(asked?)
    }

    /// Ends a session; its clients are told this reason.
    pub async fn close(&self, caller: &Caller, id: &str, reason: CloseReason) -> Result<(), ServiceError> {
        let handle = match self.look(caller, id).await {
            Ok(Found::Awake(handle)) => handle,
            Ok(Found::Asleep(_))
            | Err(ServiceError::Snapshot(RepositoryError::Store(StoreError::UnreadableSession { .. })))
                if self.end_hibernated(caller, id).await? =>
            {
                return Ok(());
            }
            // Somebody else has just woken it up, or ended it.
            Ok(Found::Asleep(_)) => return Err(ServiceError::Asleep(id.to_owned())),
            Err(why) => return Err(why),
        };
        // One that has just ended by itself is what was wanted.
        let _ = handle.control.send(Box::new(Control::End(reason))).await;
        handle.control.closed().await;
        handle.gone.cancelled().await;
        Ok(())
    }

    /// Sends a session's clients away; it goes on without them.
    pub async fn park(&self, caller: &Caller, id: &str, keep_alive: Option<Millis>) -> Result<Session, ServiceError> {
        let handle = self.find(caller, id).await?;
        let caller_of = caller.clone();
        let asked = self.ask_live(&handle, |reply| Control::Park { caller: caller_of, keep_alive, reply }).await?;
        Ok(asked?)
    }

    /// The pages of a session: Chrome's `TargetInfo`s, oldest first as far as Chrome has them in order.
    pub async fn pages(&self, caller: &Caller, id: &str) -> Result<Vec<Box<RawValue>>, ServiceError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Infos {
            target_infos: Vec<Box<RawValue>>,
        }

        let handle = self.find(caller, id).await?;
        let (method, params) = ("Target.getTargets", "{}".to_owned());
        let call = |reply| Control::Call { method, params, is_use: false, reply };
        let result =
            self.ask_live(&handle, call).await?.map_err(|error| ServiceError::Browser(error.message.into()))?;
        let infos: Infos = serde_json::from_str(&result)
            .map_err(|error| ServiceError::Browser(format!("its answer is odd: {error}")))?;
        let is_page = |info: &RawValue| TargetInfo::read(info.get()).is_some_and(|info| info.kind == Kind::Page);
        Ok(infos.target_infos.into_iter().filter(|info| is_page(info)).collect())
    }

    /// What a session has used.
    pub async fn usage(&self, caller: &Caller, id: &str) -> Result<Usage, ServiceError> {
        let handle = self.find(caller, id).await?;
        self.ask_live(&handle, Control::Usage).await
    }

    /// How full the server is, whoever asks.
    pub fn pressure(&self) -> Pressure {
        let (mut active, mut parked) = (0, 0);
        for handle in &self.inner.live {
            match handle.session_info.state() {
                SessionState::Active => active += 1,
                SessionState::Parked => parked += 1,
                SessionState::Queued | SessionState::Hibernated | SessionState::Closed => {}
            }
        }
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

    /// A session of the caller's. Somebody else's is as if it were not there.
    pub(super) async fn find(&self, caller: &Caller, id: &str) -> Result<Handle, ServiceError> {
        match self.look(caller, id).await? {
            Found::Awake(handle) => Ok(handle),
            Found::Asleep(_) => Err(ServiceError::Asleep(id.to_owned())),
        }
    }

    async fn look(&self, caller: &Caller, id: &str) -> Result<Found, ServiceError> {
        let known = SessionId(id.into());
        if let Some(handle) = self.handle(&known).filter(|handle| handle.session_info.owner == caller.owner) {
            return Ok(Found::Awake(handle));
        }
        let hibernated = self.hibernated(caller, id).await?;
        hibernated.map(|hibernated| Found::Asleep(Box::new(hibernated))).ok_or_else(|| self.no_session(caller, &known))
    }

    /// That a session is not there, and what became of it if it was the caller's.
    pub(super) fn no_session(&self, caller: &Caller, id: &SessionId) -> ServiceError {
        let ended = self.tombstone(id).filter(|ended| ended.owner == caller.owner);
        ServiceError::NoSession { id: id.as_str().chars().take(200).collect(), ended }
    }

    /// Asks a session's task, which may end meanwhile.
    pub(super) async fn ask_live<T>(
        &self,
        handle: &Handle,
        control: impl FnOnce(oneshot::Sender<T>) -> Control,
    ) -> Result<T, ServiceError> {
        let (reply, answer) = oneshot::channel();
        let answer = match handle.control.send(Box::new(control(reply))).await {
            Ok(()) => answer.await.ok(),
            Err(_) => None,
        };
        answer.ok_or_else(|| {
            let id = &handle.session_info.id;
            match handle.session_info.state() {
                SessionState::Queued => ServiceError::Queued(id.to_string()),
                _ => ServiceError::NoSession { id: id.to_string(), ended: self.tombstone(&SessionId(id.clone())) },
            }
        })
    }
}

impl task::SessionService for SessionManager {
    fn hibernate(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
    ) -> BoxFuture<'static, Result<HibernateGuard, String>> {
        let registry = self.clone();
        async move { registry.hibernate_one(&session_info, &place).await.map_err(|error| error.to_string()) }.boxed()
    }

    fn autosave(&self, session_info: Arc<SessionInfo>, place: ContextHandle) -> BoxFuture<'static, Result<(), String>> {
        let registry = self.clone();
        async move { registry.keep_safe(&session_info, &place).await.map_err(|error| error.to_string()) }.boxed()
    }

    fn ask(&self, caller: Caller, from: Arc<str>, ask: Ask) -> BoxFuture<'static, Result<String, CdpError>> {
        let registry = self.clone();
        async move { registry.answer(&caller, &from, ask).await.map_err(|why| why.cdp()) }.boxed()
    }
}

impl SessionManager {
    /// A command of a client's. Where it names no session, the client's own is meant.
    async fn answer(&self, caller: &Caller, from: &str, ask: Ask) -> Result<String, ServiceError> {
        let own = |id: Option<String>| id.unwrap_or_else(|| from.to_owned());
        let session = |session: Session| api_types::object("session", &session);
        let done = || "{}".to_owned();
        Ok(match ask {
            Ask::Get(id) => session(self.get(caller, &own(id)).await?),
            Ask::List(wanted) => object(&self.list(caller, &wanted).await?),
            Ask::Create(id, options, begins) => session(self.create(caller, id, options, begins).await?),
            Ask::Update(id, options) => session(self.update(caller, &own(id), options).await?),
            Ask::Close(id) => {
                let reason = CloseReason::Bye("closed by another client of its owner");
                self.close(caller, &own(id), reason).await.map(|()| done())?
            }
            Ask::Park(id, keep_alive) => session(self.park(caller, &own(id), keep_alive).await?),
            Ask::Usage(id) => api_types::object("usage", &self.usage(caller, &own(id)).await?),
            Ask::Save(id, parts, label) => object(&self.save_snapshot(caller, &own(id), &parts, label).await?),
            Ask::Restore(id, restoring) => {
                api_types::object("report", &self.restore_snapshot(caller, Some(from), &own(id), restoring).await?)
            }
            Ask::Clone(id, copies) => object(&self.clone_session(caller, &own(id), copies).await?),
            Ask::ListSnapshots(wanted) => object(&self.list_snapshots(caller, &wanted).await?),
            Ask::GetSnapshot(id) => api_types::object("snapshot", &self.snapshot(caller, &id).await?),
            Ask::DeleteSnapshot(id) => self.delete_snapshot(caller, &id).await.map(|()| done())?,
            Ask::Import(from, label) => {
                let room = self.room(Some(from.len())).await?;
                object(&self.import_snapshot(caller, (from, room), label).await?)
            }
            Ask::Export(export) => {
                let exported = self.export_snapshot(caller, &export).await?;
                runtime::aside(exported.len(), || object(&exported))
            }
        })
    }
}

/// How many a page is to have.
pub(super) fn page_of(limit: Option<u32>) -> Result<usize, Bad> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=PAGE_MOST).contains(&limit) {
        return Err(Bad::new("limit", format!("{limit} is not between 1 and {PAGE_MOST}")));
    }
    Ok(limit as usize)
}

fn object(answer: &impl Serialize) -> String {
    // The shapes hold nothing that cannot be written.
    serde_json::to_string(answer).unwrap_or_default()
}

/// For a task that is to hold it without knowing it.
pub(super) fn as_sessions(registry: &SessionManager) -> Arc<dyn task::SessionService> {
    Arc::new(registry.clone())
}
