//! Hibernation: a parked session is saved and its place in a browser is freed. A client that connects to its id gets it
//! restored, here or in another process with the same store. A session with `autosave` is restored in the same way when
//! its browser or its process has died.
//!
//! Only the store knows a hibernated session. Its record names its snapshot; the process that takes the record out owns
//! the session. A record that no process takes expires with the session's own deadlines.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use serde::Deserialize as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Admitted, Handle, SessionManager,
    checkpoint::{Checkpoint, HibernatedSession, take_out, take_out_unreadable},
};
use crate::session::{connect_options::ConnectOptions, error::ServiceError, id::SessionId};
use crate::{
    api_types::{Bad, Deadline, Options, Owner, Session, SessionState, SnapshotPart},
    browser::ContextHandle,
    session::task::{Caller, Control, HibernateGuard, SessionInfo},
    snapshot::repository::{self, Purpose, RepositoryError},
    store::{Expires, New, SessionEntry, SessionRecord, SnapshotId, StoreError, Timestamp, UnreadableSession},
};

/// Interval of the search for hibernated sessions whose deadline has passed.
const INTERVAL: Duration = Duration::from_secs(60);
/// How many sessions are saved at the same time when the process ends.
const TOGETHER: usize = 4;
/// How much longer than the sessions their snapshots are kept, in case no process deletes them.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// A hibernated session, from its record.
pub(super) struct Hibernated {
    record: SessionRecord,
    rested: HibernatedSession,
}

impl Hibernated {
    /// A record that this version cannot read stays until its owner deletes it.
    fn read(entry: SessionEntry) -> Result<Self, UnreadableSession> {
        let record = entry?;
        match HibernatedSession::deserialize(&record.state) {
            Ok(rested) if record.snapshot.is_some() => Ok(Self { record, rested }),
            Ok(_) => Err(unreadable(record, "it names no snapshot")),
            Err(error) => Err(unreadable(record, &error.to_string())),
        }
    }

    /// The session's id.
    pub(super) fn id(&self) -> &str {
        &self.record.id
    }

    fn is_over(&self, grace: Duration) -> bool {
        self.rested.session.expires_at.is_some_and(|at| Timestamp(at).after(grace) <= Timestamp::now())
    }

    /// The session as it is shown to its owner.
    pub(super) fn show(&self, caller: &Caller) -> Session {
        Session { web_socket_debugger_url: caller.url_of(&self.rested.session.id), ..self.rested.session.clone() }
    }
}

fn unreadable(record: SessionRecord, why: &str) -> UnreadableSession {
    let SessionRecord { id, owner, snapshot, .. } = record;
    UnreadableSession { id, owner: Some(owner), snapshot, why: why.chars().take(200).collect() }
}

impl SessionManager {
    /// The state for the record of a session. Its deadlines go on while it is hibernated. If it had no `keep_alive`, it
    /// gets that of a session that is parked now.
    pub(super) fn at_rest(&self, session_info: &SessionInfo, lives_in: Option<Uuid>) -> HibernatedSession {
        let session = session_info.show(&Caller { owner: session_info.owner.clone(), host: "".into() });
        let kept = match session.keep_alive.0 {
            none if none.is_zero() => self.inner.terms.deadlines.park_keep_alive,
            kept => kept,
        };
        // The live session's state is known again at its next save.
        let kept = kept + if lives_in.is_some() { session.autosave.0 * 2 } else { Duration::ZERO };
        let kept = (Timestamp::now().after(kept).0, Deadline::KeepAlive);
        let ends = (Timestamp(session.created_at).after(session.timeout.0).0, Deadline::Timeout);
        let ends = Some(ends).filter(|(at, _)| !session.timeout.0.is_zero() && *at < kept.0);
        let (at, by) = ends.unwrap_or(kept);
        let (expires_at, expires_by) = match session.state {
            SessionState::Parked => (session.expires_at, session.expires_by),
            _ => (Some(at), Some(by)),
        };
        let (state, clients, browser) = (SessionState::Hibernated, 0, None);
        HibernatedSession { session: Session { state, expires_at, expires_by, clients, browser, ..session }, lives_in }
    }

    /// Saves a session that is parked, or whose process ends, under its id. Dropping the result undoes that.
    pub(super) async fn hibernate_one(
        &self,
        session_info: &Arc<SessionInfo>,
        place: &ContextHandle,
    ) -> Result<HibernateGuard, ServiceError> {
        let (checkpoint, snapshot) = self.rest(session_info, place, None).await?;
        self.inner.terms.metrics.sessions_hibernated.inc();
        let (registry, session_info) = (self.clone(), session_info.clone());
        Ok(HibernateGuard::new(move || {
            let lives = (!session_info.saves().autosave.is_zero())
                .then(|| registry.at_rest(&session_info, Some(registry.inner.instance)));
            registry.later(async move { checkpoint.wake(snapshot, lives).await });
        }))
    }

    /// Saves a running session, so that it can be restored later.
    pub(super) async fn keep_safe(
        &self,
        session_info: &Arc<SessionInfo>,
        place: &ContextHandle,
    ) -> Result<(), ServiceError> {
        self.rest(session_info, place, Some(self.inner.instance)).await?;
        self.inner.terms.metrics.sessions_autosaved.inc();
        Ok(())
    }

    async fn rest(
        &self,
        session_info: &SessionInfo,
        place: &ContextHandle,
        lives_in: Option<Uuid>,
    ) -> Result<(Arc<Checkpoint>, SnapshotId), ServiceError> {
        let since = Instant::now();
        let handle = self.handle(&SessionId(session_info.id.clone())).ok_or(ServiceError::Closing)?;
        let expires = self.at_rest(session_info, lives_in).session.expires_at;
        let expires = expires.map_or(Expires::Never, |at| Expires::At(Timestamp(at).after(GRACE)));
        let new = New { expires, ..New::of(session_info.owner.clone()) };
        let what = (SnapshotPart::USUAL.as_slice(), Purpose::Sleep);
        let limits = &self.inner.terms.snapshots;
        let (meta, report) = repository::save(&self.inner.store, new, &session_info.id, place, what, limits).await?;
        let (checkpoint, snapshot, rested) = (handle.checkpoint, meta.id, self.at_rest(session_info, lives_in));
        let put = checkpoint.clone();
        self.surely(async move { put.put(snapshot, rested).await }).await??;
        let (took, omitted, sleeps) = (since.elapsed(), report.lost_count, lives_in.is_none());
        tracing::info!(
            session = &*session_info.id,
            bytes = meta.raw,
            stored = meta.stored,
            ?took,
            omitted,
            sleeps,
            "session saved under its id"
        );
        Ok((checkpoint, snapshot))
    }

    /// Whether the session of this record, which is not live here, is live nowhere. In a store that only this process
    /// uses, a session that is live elsewhere was left by a process that was killed.
    fn is_hibernated(&self, rested: &HibernatedSession) -> bool {
        rested.lives_in.is_none() || rested.lives_in == Some(self.inner.instance) || !self.inner.store.is_shared()
    }

    /// The owner's session in this record, if its deadline has not passed or if it cannot be read.
    fn hibernated_of(&self, owner: &Owner, entry: SessionEntry) -> Option<Result<Hibernated, UnreadableSession>> {
        let read = Hibernated::read(entry);
        let is_shown = match &read {
            Ok(read) => {
                read.record.owner == *owner && self.is_hibernated(&read.rested) && !read.is_over(Duration::ZERO)
            }
            Err(unreadable) => unreadable.is_of(owner),
        };
        is_shown.then_some(read)
    }

    /// A hibernated session of the caller. An error if it cannot be read.
    pub(super) async fn hibernated(&self, caller: &Caller, id: &str) -> Result<Option<Hibernated>, ServiceError> {
        let read = self.inner.store.session(id).await?.and_then(|entry| self.hibernated_of(&caller.owner, entry));
        Ok(read.transpose().map_err(StoreError::from)?)
    }

    /// All hibernated sessions of the caller, by id, with those that cannot be read.
    pub(super) async fn all_hibernated(
        &self,
        caller: &Caller,
    ) -> Result<Vec<Result<Hibernated, UnreadableSession>>, ServiceError> {
        fn id(entry: &Result<Hibernated, UnreadableSession>) -> &str {
            entry.as_ref().map_or_else(|unreadable| &*unreadable.id, Hibernated::id)
        }
        let all = self.inner.store.sessions().await?;
        let mut all: Vec<_> = all.into_iter().filter_map(|entry| self.hibernated_of(&caller.owner, entry)).collect();
        all.sort_unstable_by(|one, other| id(one).cmp(id(other)));
        Ok(all)
    }

    /// Restores a hibernated session for a client that has connected. `None` if there is none.
    pub(super) async fn wake(
        &self,
        caller: &Caller,
        id: &SessionId,
        wish: ConnectOptions,
    ) -> Result<Option<Admitted>, ServiceError> {
        let Some(hibernated) = self.hibernated(caller, id.as_str()).await? else { return Ok(None) };
        if wish.begins.is_some() {
            return Err(Bad::new("snapshot", "is for a new session; this one is restored from its own snapshot").into());
        }
        let (since, was) = (Instant::now(), hibernated.rested.session);
        let had = Options {
            name: was.name,
            metadata: was.metadata,
            timeout: Some(was.timeout),
            idle_timeout: Some(was.idle_timeout),
            keep_alive: Some(was.keep_alive),
            hibernate_after: Some(was.hibernate_after),
            autosave: Some(was.autosave),
        };
        // From here on this task owns the id: another client that connects meanwhile waits and joins.
        let (mut live, entry) = self.make(&caller.owner, id.clone(), had, false).await?;
        let age = Duration::from_millis(Timestamp::now().0.saturating_sub(was.created_at));
        live.wakes(age, wish.options)?;
        let (checkpoint, instance, taken) = (entry.checkpoint().clone(), self.inner.instance, id.to_string());
        let claimed = self.surely(async move { checkpoint.claim(&taken, instance).await }).await??;
        let Some(snapshot) = claimed else { return Ok(None) };
        // If a later step fails, the registration leaves the session hibernated.
        let content = repository::open(&self.inner.store, &hibernated.record.owner, snapshot).await?;
        let report = self.furnish(&mut live, true, content).await?;
        self.restored(id.as_str(), &snapshot.to_string(), &report, since);
        let admitted = entry.admit(live, caller, wish.exclusive).await?;
        self.inner.terms.metrics.sessions_woken.inc();
        tracing::info!(session = %id, took = ?since.elapsed(), "session restored");
        Ok(Some(admitted))
    }

    /// Ends a hibernated session of the caller. Returns whether there was one.
    pub(super) async fn end_hibernated(&self, caller: &Caller, id: &str) -> Result<bool, ServiceError> {
        let (owner, store) = (&caller.owner, &self.inner.store);
        let (is_ended, why) = match store.session(id).await?.and_then(|entry| self.hibernated_of(owner, entry)) {
            None => return Ok(false),
            Some(Ok(_)) => (take_out(store, id).await?, "it was ended while hibernated"),
            Some(Err(unreadable)) => (
                take_out_unreadable(store, unreadable).await?,
                "it was ended while hibernated, and its record could not be read",
            ),
        };
        if is_ended {
            self.remember(&SessionId(id.into()), caller.owner.clone(), why.to_owned());
        }
        Ok(is_ended)
    }

    /// Deletes, in an endless loop, hibernated sessions whose deadline has passed.
    pub async fn keep_time(&self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if let Err(error) = self.end_expired().await {
                tracing::warn!(%error, "expired hibernated sessions could not be searched");
            }
        }
    }

    async fn end_expired(&self) -> Result<(), RepositoryError> {
        let store = &self.inner.store;
        for hibernated in store.sessions().await?.into_iter().flat_map(Hibernated::read) {
            // A session that is live in another process is saved again long before that.
            let grace = if self.is_hibernated(&hibernated.rested) { Duration::ZERO } else { GRACE };
            let lives_here = self.handle(&SessionId(hibernated.record.id.as_str().into())).is_some();
            if lives_here || !hibernated.is_over(grace) {
                continue;
            }
            let id = hibernated.record.id;
            // Of several processes one gets it.
            if take_out(store, &id).await? {
                tracing::info!(session = id, "session expired while hibernated");
            }
        }
        Ok(())
    }

    /// Saves all sessions that must survive the end of the process.
    pub(super) async fn hibernate_all(&self, all: &[Handle]) {
        let is_kept = |handle: &&Handle| {
            let saves = handle.session_info.saves();
            match handle.session_info.state() {
                SessionState::Parked => !saves.hibernate_after.is_zero() || !saves.autosave.is_zero(),
                SessionState::Active => !saves.autosave.is_zero(),
                SessionState::Queued | SessionState::Hibernated | SessionState::Closed => false,
            }
        };
        let one = |handle: Handle| async move {
            let Ok(place) = self.ask_live(&handle, Control::Place).await else { return };
            match self.hibernate_one(&handle.session_info, &place).await {
                Ok(slept) => slept.keep(),
                Err(error) => {
                    tracing::warn!(session = &*handle.session_info.id, %error, "a session could not be saved");
                }
            }
        };
        let all: Vec<_> = all.iter().filter(is_kept).map(|handle| one(handle.clone())).collect();
        stream::iter(all).buffer_unordered(TOGETHER).collect::<Vec<()>>().await;
    }
}
