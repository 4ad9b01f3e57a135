//! What outlives a session's place in a browser: its saves, its hibernation and its record in the store.
//!
//! A parked session is saved, and its place in a browser is freed. A client that connects to its id gets it restored,
//! here or in another process with the same store. A session with `autosave` is restored in the same way when its
//! browser or its process has died.
//!
//! Only the store knows a hibernated session. Its record names its snapshot; the process that takes the record out owns
//! the session. A record that no process takes expires with the session's own deadlines.
//!
//! `state` says what the store can have of a session, and which event leads where; `checkpoint` writes that for one
//! session, `record` reads it for all. `kept_proxy` is the proxy of a session there. `guard` is a hibernation that can still be undone, `error` says what can fail.

mod checkpoint;
mod error;
mod guard;
mod kept_proxy;
mod record;
mod state;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(super) use self::{checkpoint::Checkpoint, record::Hibernated, state::End};
use self::{
    checkpoint::{take_out, take_out_unreadable},
    state::{AtEnd, Content, Event},
};
pub use self::{error::PersistenceError, guard::HibernateGuard, kept_proxy::LostProxy};
use crate::{
    api_types::{Deadline, Owner, Session, SessionState, SnapshotPart},
    browser::ContextHandle,
    config::SnapshotLimits,
    metrics::Metrics,
    port::egress::UpstreamProxy,
    session::directory::NodeId,
    snapshot::repository::{self, Purpose},
    store::{Expires, New, SessionEntry, SnapshotId, Store, StoreError, Timestamp, UnreadableSession},
};

/// How much longer than the sessions their snapshots are kept, in case no process deletes them.
const GRACE: Duration = Duration::from_secs(24 * 3600);
/// How long after this process saw it first a session record stays that cannot be read and shows no deadline.
const UNREADABLE_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A live session, as far as its saves need to know it.
pub trait Subject: Send + Sync {
    /// Whose session it is.
    fn owner(&self) -> &Owner;

    /// The session in its current state. Its URL is of no use, because it names no host.
    fn session(&self) -> Session;
}

/// The saved sessions of this process; cheap to clone.
#[derive(Clone)]
pub(super) struct Persistence {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    /// Identifies this process among those that share a store.
    instance: Uuid,
    /// The `keep_alive` of a session that has none and hibernates.
    park_keep_alive: Mutex<Duration>,
    limits: SnapshotLimits,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    // Guards when records without a deadline were seen first; held while one is looked up.
    undated: Mutex<HashMap<String, Timestamp>>,
}

impl Inner {
    fn park_keep_alive(&self) -> Duration {
        *self.park_keep_alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a request to end a hibernated session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// The owner has no such session, or another process was faster.
    None,
    /// The session has been deleted.
    Done,
    /// The session has been deleted, although its record could not be read.
    Unreadable,
}

impl Persistence {
    /// Over a store, on this node. Work that a caller does not wait for runs among `tasks`.
    pub(super) fn new(
        store: Store,
        node: NodeId,
        park_keep_alive: Duration,
        limits: SnapshotLimits,
        metrics: Arc<Metrics>,
        tasks: TaskTracker,
    ) -> Self {
        let park_keep_alive = Mutex::new(park_keep_alive);
        let undated = Mutex::default();
        Self { inner: Arc::new(Inner { store, instance: node.0, park_keep_alive, limits, metrics, tasks, undated }) }
    }

    /// From now on a session that has no `keep_alive` and hibernates gets this one.
    pub(super) fn set_park_keep_alive(&self, to: Duration) {
        *self.inner.park_keep_alive.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// The checkpoint of a session of which the store has nothing.
    pub(super) fn checkpoint(&self, owner: &Owner) -> Arc<Checkpoint> {
        Checkpoint::new(self.inner.store.clone(), owner.clone(), self.inner.instance)
    }

    /// Saves a session that is parked, or whose process ends, under its id. Dropping the result undoes that.
    pub(super) async fn hibernate(
        &self,
        checkpoint: &Arc<Checkpoint>,
        subject: Arc<dyn Subject>,
        place: &ContextHandle,
    ) -> Result<HibernateGuard, PersistenceError> {
        let snapshot = self.save(checkpoint, &*subject, place, true).await?;
        self.inner.metrics.sessions_hibernated.inc();
        Ok(HibernateGuard::new(self.clone(), checkpoint.clone(), snapshot, subject))
    }

    /// Saves a running session, so that it can be restored later.
    pub(super) async fn autosave(
        &self,
        checkpoint: &Arc<Checkpoint>,
        subject: &dyn Subject,
        place: &ContextHandle,
    ) -> Result<(), PersistenceError> {
        self.save(checkpoint, subject, place, false).await?;
        self.inner.metrics.sessions_autosaved.inc();
        Ok(())
    }

    async fn save(
        &self,
        checkpoint: &Arc<Checkpoint>,
        subject: &dyn Subject,
        place: &ContextHandle,
        sleeps: bool,
    ) -> Result<SnapshotId, PersistenceError> {
        let (since, inner) = (Instant::now(), &self.inner);
        let (lives_here, before) = (!sleeps, subject.session());
        let id = before.id.clone();
        let expires = at_rest(before, lives_here, inner.park_keep_alive()).expires_at;
        let expires = expires.map_or(Expires::Never, |at| Expires::At(Timestamp(at).after(GRACE)));
        let new = New { expires, ..New::of(subject.owner().clone()) };
        let what = (SnapshotPart::USUAL.as_slice(), Purpose::Sleep);
        let (meta, report) = repository::save(&inner.store, new, &id, place, what, &inner.limits).await?;
        let session = at_rest(subject.session(), lives_here, inner.park_keep_alive());
        let (put, content) = (checkpoint.clone(), Content { snapshot: meta.id, session });
        self.surely(async move { put.put(content, sleeps).await }).await??;
        let (took, omitted) = (since.elapsed(), report.lost_count);
        tracing::info!(
            session = id,
            bytes = meta.raw,
            stored = meta.stored,
            ?took,
            omitted,
            sleeps,
            "session saved under its id"
        );
        Ok(meta.id)
    }

    /// Undoes the hibernation of a session in this snapshot.
    fn go_on(&self, checkpoint: &Arc<Checkpoint>, snapshot: SnapshotId, subject: &dyn Subject) {
        let session = subject.session();
        let session = (!session.autosave.0.is_zero()).then(|| at_rest(session, true, self.inner.park_keep_alive()));
        let checkpoint = checkpoint.clone();
        self.later(async move {
            if let Err(error) = checkpoint.on(Event::GoesOn { snapshot, session }).await {
                tracing::error!(%snapshot, %error, "the record of a restored session says that it is hibernated");
            }
        });
    }

    /// A hibernated session of this owner. An error if it cannot be read.
    pub(super) async fn find(&self, owner: &Owner, id: &str) -> Result<Option<Hibernated>, PersistenceError> {
        let read = self.inner.store.session(owner, id).await?.and_then(|entry| self.shown_to(owner, entry));
        Ok(read.transpose().map_err(StoreError::from)?)
    }

    /// The proxy of a hibernated session, if it has one. Fails if its credentials are not known any more.
    pub(super) fn proxy_of(&self, hibernated: &Hibernated) -> Result<Option<UpstreamProxy>, LostProxy> {
        hibernated.proxy(&self.inner.store)
    }

    /// Whether the store has a record of this owner under this id.
    pub(super) async fn has(&self, owner: &Owner, id: &str) -> Result<bool, PersistenceError> {
        Ok(self.inner.store.session(owner, id).await?.is_some())
    }

    /// All hibernated sessions of this owner, by id, with those that cannot be read.
    pub(super) async fn all_of(
        &self,
        owner: &Owner,
    ) -> Result<Vec<Result<Hibernated, UnreadableSession>>, PersistenceError> {
        fn id(entry: &Result<Hibernated, UnreadableSession>) -> &str {
            entry.as_ref().map_or_else(|unreadable| &*unreadable.id, Hibernated::id)
        }
        let all = self.inner.store.sessions().await?;
        let mut all: Vec<_> = all.into_iter().filter_map(|entry| self.shown_to(owner, entry)).collect();
        all.sort_unstable_by(|one, other| id(one).cmp(id(other)));
        Ok(all)
    }

    /// Takes a hibernated session to restore it here, from the snapshot that is returned. `None` if it is not there any
    /// more. If the session does not start, its end gives it back.
    pub(super) async fn claim(
        &self,
        checkpoint: &Arc<Checkpoint>,
        hibernated: &Hibernated,
    ) -> Result<Option<SnapshotId>, PersistenceError> {
        let (claims, id) = (checkpoint.clone(), hibernated.id().to_owned());
        Ok(self.surely(async move { claims.claim(&id).await }).await??)
    }

    /// A session runs. The snapshot from which it was restored is no longer needed, unless it has `autosave`.
    pub(super) fn started(&self, checkpoint: &Arc<Checkpoint>, autosaves: bool) {
        if !checkpoint.is_used() {
            return;
        }
        let checkpoint = checkpoint.clone();
        self.later(async move {
            if let Err(error) = checkpoint.on(Event::Started { autosaves }).await {
                tracing::error!(%error, "the record of a restored session could not be changed");
            }
        });
    }

    /// A session has ended. If it can be restored, its record stays; otherwise it is deleted. `held` is dropped when
    /// the store says so.
    pub(super) fn ended(
        &self,
        checkpoint: &Arc<Checkpoint>,
        end: End,
        subject: &dyn Subject,
        held: impl Send + 'static,
    ) {
        if !checkpoint.is_used() {
            return;
        }
        let (checkpoint, session) = (checkpoint.clone(), subject.session());
        let id = session.id.clone();
        let event = match checkpoint.at_end(end, !session.autosave.0.is_zero()) {
            AtEnd::Keep => Event::Settled { last: None },
            AtEnd::KeepLast => Event::Settled { last: Some(at_rest(session, false, self.inner.park_keep_alive())) },
            AtEnd::Delete => Event::Cleared,
        };
        self.later(async move {
            if let Err(error) = checkpoint.on(event).await {
                tracing::error!(session = id, %error, "a session cannot be restored by another process");
            }
            drop(held);
        });
    }

    /// Deletes a hibernated session of this owner.
    pub(super) async fn remove(&self, owner: &Owner, id: &str) -> Result<Removal, PersistenceError> {
        let store = &self.inner.store;
        let (is_gone, removal) = match store.session(owner, id).await?.and_then(|entry| self.shown_to(owner, entry)) {
            None => return Ok(Removal::None),
            Some(Ok(_)) => (take_out(store, owner, id).await?, Removal::Done),
            Some(Err(unreadable)) => (take_out_unreadable(store, owner, unreadable).await?, Removal::Unreadable),
        };
        Ok(if is_gone { removal } else { Removal::None })
    }

    /// Deletes hibernated sessions whose deadline has passed, except those that `lives_here` names.
    pub(super) async fn remove_expired(
        &self,
        lives_here: impl Fn(&Owner, &str) -> bool,
    ) -> Result<(), PersistenceError> {
        let store = &self.inner.store;
        let mut undated = HashMap::new();
        for entry in store.sessions().await? {
            let hibernated = match Hibernated::read(entry) {
                Ok(hibernated) => hibernated,
                Err(unreadable) => {
                    self.remove_unreadable(unreadable, &mut undated).await?;
                    continue;
                }
            };
            // A session that is live in another process is saved again long before that.
            let grace = if self.is_hibernated(&hibernated) { Duration::ZERO } else { GRACE };
            if lives_here(hibernated.owner(), hibernated.id()) || !hibernated.is_over(grace) {
                continue;
            }
            // Of several processes one gets it.
            if take_out(store, hibernated.owner(), hibernated.id()).await? {
                tracing::info!(session = hibernated.id(), "session expired while hibernated");
            }
        }
        *self.inner.undated.lock().unwrap_or_else(PoisonError::into_inner) = undated;
        Ok(())
    }

    /// Deletes a record that cannot be read if its deadline passed a day ago, or if it shows none and has been there for
    /// long. `undated` gets it if it stays without a deadline.
    async fn remove_unreadable(
        &self,
        unreadable: UnreadableSession,
        undated: &mut HashMap<String, Timestamp>,
    ) -> Result<(), PersistenceError> {
        let (id, owner) = (unreadable.id.clone(), unreadable.owner.clone().unwrap_or_else(Owner::local));
        let key = format!("{owner}@{id}");
        let (until, seen) = if let Some(at) = unreadable.expires {
            (at.after(GRACE), None)
        } else {
            let undated = self.inner.undated.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = undated.get(&key).copied().unwrap_or_else(Timestamp::now);
            (seen.after(UNREADABLE_KEPT), Some(seen))
        };
        if until > Timestamp::now() {
            undated.extend(seen.map(|seen| (key, seen)));
        } else if take_out_unreadable(&self.inner.store, &owner, unreadable).await? {
            tracing::warn!(
                session = id,
                "deleted the record of a hibernated session that cannot be read: it has expired"
            );
        }
        Ok(())
    }

    /// Whether the session of this record, which is not live here, is live nowhere. In a store that only this process
    /// uses, a session that is live elsewhere was left by a process that was killed.
    fn is_hibernated(&self, hibernated: &Hibernated) -> bool {
        hibernated.lives_in().is_none_or(|process| process == self.inner.instance) || !self.inner.store.is_shared()
    }

    /// The owner's session in this record, if its deadline has not passed or if it cannot be read.
    fn shown_to(&self, owner: &Owner, entry: SessionEntry) -> Option<Result<Hibernated, UnreadableSession>> {
        let read = Hibernated::read(entry);
        let is_shown = match &read {
            Ok(read) => read.owner() == owner && self.is_hibernated(read) && !read.is_over(Duration::ZERO),
            Err(unreadable) => unreadable.is_of(owner),
        };
        is_shown.then_some(read)
    }

    /// Runs work to its end, even if the caller stops waiting.
    async fn surely<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, PersistenceError> {
        self.inner.tasks.spawn(work).await.map_err(|_| PersistenceError::Closing)
    }

    /// Runs work for which a drop cannot wait. Without a runtime the process is about to end.
    fn later(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.inner.tasks.spawn_on(work, &runtime);
        }
    }
}

/// A session as its record shows it. Its deadlines go on while it is hibernated. If it had no `keep_alive`, it gets
/// that of a session that is parked now.
fn at_rest(session: Session, lives_here: bool, park_keep_alive: Duration) -> Session {
    let kept = match session.keep_alive.0 {
        none if none.is_zero() => park_keep_alive,
        kept => kept,
    };
    // The live session's state is known again at its next save.
    let kept = kept + if lives_here { session.autosave.0 * 2 } else { Duration::ZERO };
    let kept = (Timestamp::now().after(kept).0, Deadline::KeepAlive);
    let ends = (Timestamp(session.created_at).after(session.timeout.0).0, Deadline::Timeout);
    let ends = Some(ends).filter(|(at, _)| !session.timeout.0.is_zero() && *at < kept.0);
    let (at, by) = ends.unwrap_or(kept);
    let (expires_at, expires_by) = match session.state {
        SessionState::Parked => (session.expires_at, session.expires_by),
        _ => (Some(at), Some(by)),
    };
    let (state, clients, browser) = (SessionState::Hibernated, 0, None);
    Session { state, expires_at, expires_by, clients, browser, ..session }
}

#[cfg(test)]
mod tests;
