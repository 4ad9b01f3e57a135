//! The checkpoint of a session: a record in the store, under the session's id, that names the snapshot from which the
//! session can be restored. The session's registration owns it.

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

/// The `state` of a session's record in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HibernatedSession {
    /// The session as its owner saw it last.
    #[serde(flatten)]
    pub(super) session: Session,
    /// The process in which the session is live, if it is. No other process may restore it then.
    #[serde(rename = "livesIn", skip_serializing_if = "Option::is_none", default)]
    pub(super) lives_in: Option<Uuid>,
}

/// The content of a session's record.
#[derive(Clone, Debug)]
struct Said {
    snapshot: SnapshotId,
    rested: HibernatedSession,
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Checkpoint {
    store: Store,
    owner: Owner,
    is_used: AtomicBool,
    // Guards the content; held for one look. A task that writes the record holds `turn` meanwhile.
    said: Mutex<Option<Said>>,
    turn: tokio::sync::Mutex<()>,
}

impl Checkpoint {
    /// The checkpoint of a session of which the store has nothing.
    pub(super) fn new(store: Store, owner: Owner) -> Arc<Self> {
        let (is_used, said, turn) = (AtomicBool::new(false), Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { store, owner, is_used, said, turn })
    }

    /// Whether the store may have anything of the session.
    pub(super) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Acquire)
    }

    /// The snapshot from which the session can be restored.
    pub(super) fn snapshot(&self) -> Option<SnapshotId> {
        self.said().map(|said| said.snapshot)
    }

    /// Whether the record says that the session is hibernated.
    pub(super) fn sleeps(&self) -> bool {
        self.said().is_some_and(|said| said.rested.lives_in.is_none())
    }

    /// Makes this snapshot the checkpoint, and deletes the previous one. Must not be dropped before it completes.
    pub(super) async fn put(&self, snapshot: SnapshotId, rested: HibernatedSession) -> Result<(), StoreError> {
        self.is_used.store(true, Ordering::Release);
        let _turn = self.turn.lock().await;
        if let Err(error) = self.write(snapshot, rested).await {
            self.forget(snapshot).await;
            return Err(error);
        }
        Ok(())
    }

    /// Restores a hibernated session here: takes its record, which only one of several processes gets, and writes that
    /// the session is live here.
    pub(super) async fn claim(&self, id: &str, lives_in: Uuid) -> Result<Option<SnapshotId>, StoreError> {
        let _turn = self.turn.lock().await;
        let Some(record) = self.store.take_session(id).await? else { return Ok(None) };
        let read = serde_json::from_value::<HibernatedSession>(record.state.clone()).ok();
        let Some((snapshot, rested)) = record.snapshot.zip(read) else {
            // The record could be read before the claim, so another process may have written a new one meanwhile: put
            // it back.
            self.store.put_session(record).await?;
            return Ok(None);
        };
        self.is_used.store(true, Ordering::Release);
        let rested = HibernatedSession { lives_in: Some(lives_in), ..rested };
        // Set first: if the record cannot be written now, `settle` writes it later.
        self.say(Some(Said { snapshot, rested: rested.clone() }));
        self.write(snapshot, rested).await?;
        Ok(Some(snapshot))
    }

    /// Writes that the session is hibernated, if it has a snapshot: with `last` as its state, or else with the previous
    /// one.
    pub(super) async fn settle(&self, last: Option<Session>) {
        let _turn = self.turn.lock().await;
        let Some(Said { snapshot, rested }) = self.said() else { return };
        if rested.lives_in.is_none() && last.is_none() {
            return;
        }
        let session = last.unwrap_or(rested.session);
        let id = session.id.clone();
        if let Err(error) = self.write(snapshot, HibernatedSession { session, lives_in: None }).await {
            tracing::error!(session = id, %error, "a session cannot be restored by another process");
        }
    }

    /// Undoes a hibernation in this snapshot, because the session goes on: it is live as `rested` says, or has no
    /// checkpoint any more.
    pub(super) async fn wake(&self, snapshot: SnapshotId, rested: Option<HibernatedSession>) {
        let _turn = self.turn.lock().await;
        if self.said().is_none_or(|said| said.snapshot != snapshot) {
            return;
        }
        match rested {
            Some(rested) => {
                if let Err(error) = self.write(snapshot, rested).await {
                    tracing::error!(%snapshot, %error, "the record of a restored session says that it is hibernated");
                }
            }
            None => self.remove().await,
        }
    }

    /// Deletes everything of the session from the store.
    pub(super) async fn clear(&self) {
        let _turn = self.turn.lock().await;
        self.remove().await;
    }

    async fn remove(&self) {
        let Some(Said { snapshot, rested }) = self.say(None) else { return };
        if let Err(error) = self.store.remove_session(&rested.session.id).await {
            tracing::warn!(session = rested.session.id, %error, "the record of an ended session could not be deleted");
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

/// Deletes a hibernated session and its snapshot from the store. Returns whether there was one: of several callers one
/// gets it.
pub(super) async fn take_out(store: &Store, id: &str) -> Result<bool, StoreError> {
    let Some(record) = store.take_session(id).await? else { return Ok(false) };
    if let Some(snapshot) = record.snapshot {
        forget(store, &record.owner, snapshot).await;
    }
    Ok(true)
}

/// Deletes a record that cannot be read, and its snapshot if that is known. Returns whether there was one.
pub(super) async fn take_out_unreadable(store: &Store, unreadable: UnreadableSession) -> Result<bool, StoreError> {
    let is_gone = store.remove_session(&unreadable.id).await?;
    // Without the owner the snapshot cannot be found. It expires by its own deadline.
    if let Some((owner, snapshot)) = unreadable.owner.zip(unreadable.snapshot).filter(|_| is_gone) {
        forget(store, &owner, snapshot).await;
    }
    Ok(is_gone)
}

/// Deletes the snapshot of a hibernated session.
async fn forget(store: &Store, owner: &Owner, snapshot: SnapshotId) {
    if let Err(error) = store.remove(owner, snapshot).await {
        tracing::warn!(%snapshot, %error, "the snapshot of a hibernated session could not be deleted");
    }
}
