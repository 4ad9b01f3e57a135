//! What of a session that lives here rests in the store under its id: a record that names a snapshot, which the session
//! is brought back from. It is the session's entry that owns it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    api_types::{Owner, Session},
    store::{SessionRecord, SnapshotId, Store, StoreError, UnreadableSession},
};

/// A session as its record has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HibernatedSession {
    /// As its owner saw it last.
    #[serde(flatten)]
    pub(super) session: Session,
    /// The registry in which it lives, if it does: then it is nobody else's to bring back.
    #[serde(rename = "livesIn", skip_serializing_if = "Option::is_none", default)]
    pub(super) lives_in: Option<Uuid>,
}

/// What its record says of a session.
#[derive(Clone, Debug)]
struct Said {
    snapshot: SnapshotId,
    rested: HibernatedSession,
}

/// See above.
#[derive(Debug)]
pub(super) struct Checkpoint {
    store: Store,
    owner: Owner,
    is_used: AtomicBool,
    // Guards what the record says; held for a look. Who writes the record holds `turn` meanwhile.
    said: Mutex<Option<Said>>,
    turn: tokio::sync::Mutex<()>,
}

impl Checkpoint {
    /// Of a session of which the store has nothing.
    pub(super) fn new(store: Store, owner: Owner) -> Arc<Self> {
        let (is_used, said, turn) = (AtomicBool::new(false), Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { store, owner, is_used, said, turn })
    }

    /// Whether the store may have anything of it.
    pub(super) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Acquire)
    }

    /// What it is brought back from.
    pub(super) fn snapshot(&self) -> Option<SnapshotId> {
        self.said().map(|said| said.snapshot)
    }

    /// Whether its record says that it sleeps.
    pub(super) fn sleeps(&self) -> bool {
        self.said().is_some_and(|said| said.rested.lives_in.is_none())
    }

    /// From now on it is brought back from this snapshot; the one before goes. Not to be dropped half-way.
    pub(super) async fn put(&self, snapshot: SnapshotId, rested: HibernatedSession) -> Result<(), StoreError> {
        self.is_used.store(true, Ordering::Release);
        let _turn = self.turn.lock().await;
        if let Err(error) = self.write(snapshot, rested).await {
            self.forget(snapshot).await;
            return Err(error);
        }
        Ok(())
    }

    /// It slept and wakes up here: takes its record, which of several that try one gets, and says that it lives here.
    pub(super) async fn claim(&self, id: &str, lives_in: Uuid) -> Result<Option<SnapshotId>, StoreError> {
        let _turn = self.turn.lock().await;
        let Some(record) = self.store.take_session(id).await? else { return Ok(None) };
        let read = serde_json::from_value::<HibernatedSession>(record.state.clone()).ok();
        let Some((snapshot, rested)) = record.snapshot.zip(read) else {
            // It could be read before it was claimed: somebody has written another one meanwhile.
            self.store.put_session(record).await?;
            return Ok(None);
        };
        self.is_used.store(true, Ordering::Release);
        let rested = HibernatedSession { lives_in: Some(lives_in), ..rested };
        // Said first: if it cannot be written, it will be when it is settled.
        self.say(Some(Said { snapshot, rested: rested.clone() }));
        self.write(snapshot, rested).await?;
        Ok(Some(snapshot))
    }

    /// Says that it sleeps, if there is anything to bring it back from. As `last` says, or else as it did before.
    pub(super) async fn settle(&self, last: Option<Session>) {
        let _turn = self.turn.lock().await;
        let Some(Said { snapshot, rested }) = self.said() else { return };
        if rested.lives_in.is_none() && last.is_none() {
            return;
        }
        let session = last.unwrap_or(rested.session);
        let id = session.id.clone();
        if let Err(error) = self.write(snapshot, HibernatedSession { session, lives_in: None }).await {
            tracing::error!(session = id, %error, "a session cannot be brought back by others than this process");
        }
    }

    /// It was saved to sleep in this snapshot, and goes on: it lives, as `rested` says, or is not to be brought back.
    pub(super) async fn wake(&self, snapshot: SnapshotId, rested: Option<HibernatedSession>) {
        let _turn = self.turn.lock().await;
        if self.said().is_none_or(|said| said.snapshot != snapshot) {
            return;
        }
        match rested {
            Some(rested) => {
                if let Err(error) = self.write(snapshot, rested).await {
                    tracing::error!(%snapshot, %error, "the record of a session that woke up says that it sleeps");
                }
            }
            None => self.remove().await,
        }
    }

    /// Takes everything of it out of the store.
    pub(super) async fn clear(&self) {
        let _turn = self.turn.lock().await;
        self.remove().await;
    }

    async fn remove(&self) {
        let Some(Said { snapshot, rested }) = self.say(None) else { return };
        if let Err(error) = self.store.remove_session(&rested.session.id).await {
            tracing::warn!(session = rested.session.id, %error, "the record of a session that is over is still there");
        }
        self.forget(snapshot).await;
    }

    async fn write(&self, snapshot: SnapshotId, rested: HibernatedSession) -> Result<(), StoreError> {
        let state = serde_json::to_value(&rested).unwrap_or_default();
        let record =
            SessionRecord { id: rested.session.id.clone(), owner: self.owner.clone(), snapshot: Some(snapshot), state };
        self.store.put_session(record).await?;
        let before = self.say(Some(Said { snapshot, rested }));
        if let Some(before) = before.filter(|before| before.snapshot != snapshot) {
            self.forget(before.snapshot).await;
        }
        Ok(())
    }

    async fn forget(&self, snapshot: SnapshotId) {
        forget(&self.store, &self.owner, snapshot).await;
    }

    fn said(&self) -> Option<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn say(&self, what: Option<Said>) -> Option<Said> {
        std::mem::replace(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner), what)
    }
}

/// Takes a session that sleeps out of the store, with the snapshot it sleeps in. Whether there was one: of several that
/// try one gets it.
pub(super) async fn take_out(store: &Store, id: &str) -> Result<bool, StoreError> {
    let Some(record) = store.take_session(id).await? else { return Ok(false) };
    if let Some(snapshot) = record.snapshot {
        forget(store, &record.owner, snapshot).await;
    }
    Ok(true)
}

/// Takes the record of a session that cannot be read out of the store, with the snapshot it slept in if that is known.
/// Whether there was one.
pub(super) async fn take_out_unreadable(store: &Store, unreadable: UnreadableSession) -> Result<bool, StoreError> {
    let is_gone = store.remove_session(&unreadable.id).await?;
    // Without its owner it is not known whose snapshot that would be. It goes with its own deadline.
    if let Some((owner, snapshot)) = unreadable.owner.zip(unreadable.snapshot).filter(|_| is_gone) {
        forget(store, &owner, snapshot).await;
    }
    Ok(is_gone)
}

/// Deletes the snapshot that a session slept in.
async fn forget(store: &Store, owner: &Owner, snapshot: SnapshotId) {
    if let Err(error) = store.remove(owner, snapshot).await {
        tracing::warn!(%snapshot, %error, "the snapshot of a session that slept still takes room");
    }
}
