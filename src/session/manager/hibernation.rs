//! Restores hibernated sessions for their clients, and saves live ones: what `persistence` does for one session, tied to
//! the sessions that the manager knows.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::{
    Handle, SessionManager,
    named::{began_with, isolated_as, launched_as, proxied_as, with_profile},
    place::Place,
    registration::Registration,
};
use crate::session::{
    connect_options::ConnectOptions,
    error::ServiceError,
    id::SessionId,
    persistence::{HibernateGuard, Hibernated, PersistenceError, Removal},
    proxy,
};
use crate::{
    api_types::{Initial, Options, Owner, ProfileUse, SessionState},
    browser::ContextHandle,
    port::egress::UpstreamProxy,
    session::task::{Caller, Control, SessionInfo, SessionTask},
    snapshot::repository,
    store::{Timestamp, UnreadableSession},
};

/// Interval of the search for hibernated sessions whose deadline has passed.
const INTERVAL: Duration = Duration::from_secs(60);
/// How many sessions are saved at the same time when the process ends.
const TOGETHER: usize = 4;

impl SessionManager {
    /// Saves a session that is parked, or whose process ends, under its id. Dropping the result undoes that.
    pub(super) async fn hibernate_one(
        &self,
        session_info: &Arc<SessionInfo>,
        place: &ContextHandle,
    ) -> Result<HibernateGuard, PersistenceError> {
        let handle = self.handle(&session_info.session_id()).ok_or(PersistenceError::Ended)?;
        self.inner.persistence.hibernate(&handle.checkpoint, session_info.clone(), place).await
    }

    /// Saves a running session, so that it can be restored later.
    pub(super) async fn keep_safe(
        &self,
        session_info: &Arc<SessionInfo>,
        place: &ContextHandle,
    ) -> Result<(), PersistenceError> {
        let handle = self.handle(&session_info.session_id()).ok_or(PersistenceError::Ended)?;
        self.inner.persistence.autosave(&handle.checkpoint, &**session_info, place).await
    }

    /// A hibernated session of the caller. An error if it cannot be read.
    pub(super) async fn hibernated(&self, caller: &Caller, id: &str) -> Result<Option<Hibernated>, ServiceError> {
        Ok(self.inner.persistence.find(caller.owner(), id).await?)
    }

    /// All hibernated sessions of the caller, by id, with those that cannot be read.
    pub(super) async fn all_hibernated(
        &self,
        caller: &Caller,
    ) -> Result<Vec<Result<Hibernated, UnreadableSession>>, ServiceError> {
        Ok(self.inner.persistence.all_of(caller.owner()).await?)
    }

    /// A hibernated session, restored and ready to run. `None` if there is none.
    pub(super) async fn woken(
        &self,
        caller: &Caller,
        id: &SessionId,
        wish: ConnectOptions,
    ) -> Result<Option<(SessionTask, Registration)>, ServiceError> {
        let Some(hibernated) = self.hibernated(caller, id.as_str()).await? else { return Ok(None) };
        let (since, was) = (Instant::now(), hibernated.session());
        began_with(id, hibernated.began(), wish.initial.begins.as_ref(), "this one is restored from its own snapshot")?;
        isolated_as(id, was.isolation, &wish.initial)?;
        launched_as(id, hibernated.launch(), &wish.initial)?;
        let proxy = self.proxy_of(id, &hibernated, &wish.initial)?;
        let place = Place::of(caller, Some(was.isolation), hibernated.launch(), &self.inner.terms().launch).await?;
        let place = place.with_proxy(proxy);
        let had_profile = was.profile.clone().map(|name| ProfileUse::snapshot(name, was.persist));
        with_profile(id, had_profile.as_ref(), &wish.initial)?;
        let had = Options {
            name: was.name.clone(),
            metadata: was.metadata.clone(),
            timeout: Some(was.timeout),
            idle_timeout: Some(was.idle_timeout),
            keep_alive: Some(was.keep_alive),
            hibernate_after: Some(was.hibernate_after),
            autosave: Some(was.autosave),
            keep_files: Some(was.keep_files),
        };
        // From here on this task owns the id: another client that connects meanwhile waits and joins.
        let (mut live, entry) = self.make(caller, id.clone(), had, place, false).await?;
        let age = Duration::from_millis(Timestamp::now().0.saturating_sub(was.created_at));
        live.wakes(age, wish.options)?;
        if let Some(profile) = had_profile {
            live.session_info().set_profile(profile);
        }
        if let Some(began) = hibernated.began() {
            entry.checkpoint().set_beginning(began.clone());
        }
        // If a later step fails, the registration leaves the session hibernated.
        let claimed = self.inner.persistence.claim(entry.checkpoint(), &hibernated).await?;
        let Some(snapshot) = claimed else { return Ok(None) };
        let content = repository::open(&self.inner.store, hibernated.owner(), snapshot).await?;
        let report = self.furnish(&mut live, true, content).await?;
        self.restored(id.as_str(), &snapshot.to_string(), &report, since);
        self.inner.terms().metrics.sessions_restored.inc();
        tracing::info!(session = %id, took = ?since.elapsed(), "session restored");
        Ok(Some((live, entry)))
    }

    /// The proxy of a hibernated session. A client may give its credentials again if they are not known any more.
    fn proxy_of(
        &self,
        id: &SessionId,
        hibernated: &Hibernated,
        initial: &Initial,
    ) -> Result<Option<UpstreamProxy>, ServiceError> {
        match self.inner.persistence.proxy_of(hibernated) {
            Ok(kept) => proxied_as(id, kept.as_ref(), initial).map(|()| kept),
            Err(lost) => {
                let given = initial.proxy.as_ref().map(proxy::read).transpose()?.flatten();
                let is_same = |given: &UpstreamProxy| given.to_string() == lost.server;
                given.filter(is_same).map(Some).ok_or(ServiceError::LostProxy(lost))
            }
        }
    }

    /// Ends a hibernated session. Returns whether there was one.
    pub(super) async fn end_hibernated(&self, id: &SessionId) -> Result<bool, ServiceError> {
        let why = match self.inner.persistence.remove(id.owner(), id.as_str()).await? {
            Removal::None => return Ok(false),
            Removal::Done => "it was ended while hibernated",
            Removal::Unreadable => "it was ended while hibernated, and its record could not be read",
        };
        self.inner.files.forget(id);
        self.remember(id, why.to_owned());
        Ok(true)
    }

    /// Deletes, in an endless loop, hibernated sessions whose deadline has passed.
    pub async fn keep_time(&self) {
        let lives_here = |owner: &Owner, id: &str| self.handle(&SessionId::new(owner, id)).is_some();
        loop {
            tokio::time::sleep(INTERVAL).await;
            if let Err(error) = self.inner.persistence.remove_expired(lives_here).await {
                tracing::warn!(%error, "expired hibernated sessions could not be searched");
            }
        }
    }

    /// Saves all sessions that must survive the end of the process.
    pub(super) async fn hibernate_all(&self, all: &[Handle]) {
        let is_kept = |handle: &&Handle| {
            let saves = handle.session_info.saves();
            // It is saved as its profile when it ends.
            if handle.session_info.profile().is_some_and(|profile| profile.persist) {
                return false;
            }
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
