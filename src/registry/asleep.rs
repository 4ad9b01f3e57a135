//! Hibernation: a parked session is saved, its place in a browser freed, and whoever connects to its id finds it restored,
//! here or in another process with the same store.
//!
//! The store is the only place that knows a session that sleeps: its record names its snapshot, and who takes the record
//! out has the session. A record that is not taken goes with the session's own deadlines.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::{Admitted, Handle, Registry, id::SessionId, refusal::ServiceError, wish::Wish};
use crate::{
    browser::Place,
    cdp::ghost::{Bad, Options, Session, SessionState, SnapshotPart},
    live::{Caller, Card, Control, Slept},
    snapshot::shelf::{self, Purpose, ShelfError},
    store::{Expires, New, Owner, SessionRecord, SnapshotId, Store, Timestamp},
};

/// How often those are looked for whose deadline has passed.
const INTERVAL: Duration = Duration::from_secs(60);
/// How many are saved at a time when the process ends.
const TOGETHER: usize = 4;
/// How long their snapshots are kept longer than they are, should nobody come to delete them.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// A session that sleeps, as its record says.
pub(super) struct Asleep {
    record: SessionRecord,
    session: Session,
}

impl Asleep {
    /// What another ghostmux wrote and this one cannot read is nobody's here, and stays.
    fn read(record: SessionRecord) -> Option<Self> {
        let session: Session = serde_json::from_value(record.state.clone()).ok()?;
        Some(Self { record, session })
    }

    fn is_over(&self) -> bool {
        self.session.expires_at.is_some_and(|at| at <= Timestamp::now().0)
    }

    /// One whose deadline has not passed.
    fn of(record: SessionRecord) -> Option<Self> {
        Self::read(record).filter(|asleep| !asleep.is_over())
    }

    /// As its owner sees it.
    pub(super) fn show(&self, caller: &Caller) -> Session {
        Session {
            state: SessionState::Hibernated,
            web_socket_debugger_url: caller.url_of(&self.session.id),
            clients: 0,
            browser: None,
            ..self.session.clone()
        }
    }
}

/// A record that was taken out. Dropped, it is put back.
struct Taken {
    store: Store,
    record: Option<SessionRecord>,
}

impl Taken {
    /// The session lives: nobody needs what it was restored from.
    fn lives(mut self) {
        if let Some(SessionRecord { owner, snapshot: Some(snapshot), .. }) = self.record.take() {
            let store = self.store.clone();
            later(async move { forget(&store, &owner, snapshot).await });
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            let store = self.store.clone();
            later(async move {
                let id = record.id.clone();
                if let Err(error) = store.put_session(record).await {
                    tracing::error!(session = id, %error, "a session that could not be restored is lost");
                }
            });
        }
    }
}

/// Does what a drop cannot wait for. Without a runtime the process is at its end.
fn later(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}

async fn forget(store: &Store, owner: &Owner, snapshot: SnapshotId) {
    if let Err(error) = store.remove(owner, snapshot).await {
        tracing::warn!(%snapshot, %error, "the snapshot of a session that slept still takes room");
    }
}

impl Registry {
    /// Saves a parked session under its id. What it returns takes all of that back if it is dropped.
    pub(super) async fn put_to_sleep(&self, card: &Card, place: &Place) -> Result<Slept, ServiceError> {
        let (caller, since) = (Caller { owner: card.owner.clone(), host: "".into() }, Instant::now());
        let session = card.show(&caller);
        let owner = super::snapshots::owner_of(&caller)?;
        let expires = session.expires_at.map_or(Expires::Never, |at| Expires::At(Timestamp(at).after(GRACE)));
        let new = New { expires, ..New::of(owner.clone()) };
        let store = &self.inner.store;
        let what = (SnapshotPart::USUAL.as_slice(), Purpose::Sleep);
        let (meta, report) = shelf::save(store, new, &session.id, place, what).await?;
        let undo = {
            let (store, owner, id, snapshot) = (store.clone(), owner.clone(), session.id.clone(), meta.id);
            move || {
                later(async move {
                    if let Err(error) = store.take_session(&id).await {
                        tracing::warn!(session = id, %error, "the record of a session that woke up is still there");
                    }
                    forget(&store, &owner, snapshot).await;
                });
            }
        };
        let slept = Slept::new(undo);
        let state = serde_json::to_value(&session).unwrap_or_default();
        let record = SessionRecord { id: session.id.clone(), owner, snapshot: Some(meta.id), state };
        store.put_session(record).await?;
        let (took, omitted) = (since.elapsed(), report.lost_count);
        self.inner.terms.metrics.sessions_hibernated.inc();
        tracing::info!(
            session = session.id,
            bytes = meta.raw,
            stored = meta.stored,
            ?took,
            omitted,
            "session hibernates"
        );
        Ok(slept)
    }

    /// A session of the caller's that sleeps.
    pub(super) async fn asleep(&self, caller: &Caller, id: &str) -> Result<Option<Asleep>, ServiceError> {
        let owner = super::snapshots::owner_of(caller)?;
        let record = self.inner.store.session(id).await?.filter(|record| record.owner == owner);
        Ok(record.and_then(Asleep::of))
    }

    /// All sessions of the caller's that sleep, by id.
    pub(super) async fn all_asleep(&self, caller: &Caller) -> Result<Vec<Asleep>, ServiceError> {
        let owner = super::snapshots::owner_of(caller)?;
        let records = self.inner.store.sessions().await?.into_iter().filter(|record| record.owner == owner);
        let mut all: Vec<Asleep> = records.filter_map(Asleep::of).collect();
        all.sort_unstable_by(|one, other| one.record.id.cmp(&other.record.id));
        Ok(all)
    }

    /// Restores a session that sleeps, for a client that has come. `None` if there is none.
    pub(super) async fn wake(
        &self,
        caller: &Caller,
        id: &SessionId,
        wish: Wish,
    ) -> Result<Option<Admitted>, ServiceError> {
        let Some(asleep) = self.asleep(caller, id.as_str()).await? else { return Ok(None) };
        if wish.begins.is_some() {
            return Err(Bad::new("snapshot", "is for a new session; this one has its own").into());
        }
        let (since, was) = (Instant::now(), asleep.session);
        let had = Options {
            name: was.name,
            metadata: was.metadata,
            timeout: Some(was.timeout),
            idle_timeout: Some(was.idle_timeout),
            keep_alive: Some(was.keep_alive),
        };
        // From here on the id is this one's: another client that comes meanwhile is told that there is one.
        let (mut live, entry) = self.make(&caller.owner, id.clone(), had, false).await?;
        let age = Duration::from_millis(Timestamp::now().0.saturating_sub(was.created_at));
        live.wakes(age, wish.options)?;
        let store = self.inner.store.clone();
        let Some(record) = store.take_session(id.as_str()).await? else { return Ok(None) };
        let taken = Taken { store, record: Some(record.clone()) };
        if let Some(snapshot) = record.snapshot {
            let content = shelf::open(&self.inner.store, &record.owner, snapshot).await?;
            let report = self.furnish(&mut live, true, content).await?;
            self.restored(id.as_str(), &snapshot.to_string(), &report, since);
        }
        let admitted = entry.admit(live, caller).await?;
        taken.lives();
        self.inner.terms.metrics.sessions_woken.inc();
        tracing::info!(session = %id, took = ?since.elapsed(), "session wakes up");
        Ok(Some(admitted))
    }

    /// Ends a session of the caller's that sleeps. Whether there was one.
    pub(super) async fn end_asleep(&self, caller: &Caller, id: &str) -> Result<bool, ServiceError> {
        if self.asleep(caller, id).await?.is_none() {
            return Ok(false);
        }
        let Some(record) = self.inner.store.take_session(id).await? else { return Ok(false) };
        if let Some(snapshot) = record.snapshot {
            forget(&self.inner.store, &record.owner, snapshot).await;
        }
        self.remember(&SessionId(id.into()), caller.owner.clone(), "it was ended in its sleep".to_owned());
        Ok(true)
    }

    /// Ends, for ever, those that sleep and whose deadline has passed.
    pub async fn keep_time(&self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if let Err(error) = self.end_expired().await {
                tracing::warn!(%error, "sessions that have expired in their sleep could not be looked for");
            }
        }
    }

    async fn end_expired(&self) -> Result<(), ShelfError> {
        let store = &self.inner.store;
        for asleep in store.sessions().await?.into_iter().filter_map(Asleep::read).filter(Asleep::is_over) {
            let id = asleep.record.id;
            // Of several processes one gets it.
            if let Some(SessionRecord { owner, snapshot: Some(snapshot), .. }) = store.take_session(&id).await? {
                forget(store, &owner, snapshot).await;
                tracing::info!(session = id, "session expired in its sleep");
            }
        }
        Ok(())
    }

    /// Saves all parked sessions, because the process ends.
    pub(super) async fn all_to_sleep(&self, all: &[Handle]) {
        if self.inner.terms.deadlines.hibernate_after.is_none() {
            return;
        }
        let parked: Vec<_> = all.iter().filter(|handle| handle.card.state() == SessionState::Parked).collect();
        let one = |handle: Handle| async move {
            let Ok(place) = self.ask_live(&handle, Control::Place).await else { return };
            match self.put_to_sleep(&handle.card, &place).await {
                Ok(slept) => slept.keep(),
                Err(error) => tracing::warn!(session = &*handle.card.id, %error, "a session could not be saved"),
            }
        };
        let all: Vec<_> = parked.into_iter().map(|handle| one(handle.clone())).collect();
        stream::iter(all).buffer_unordered(TOGETHER).collect::<Vec<()>>().await;
    }
}
