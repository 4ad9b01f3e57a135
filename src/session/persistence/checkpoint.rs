//! The checkpoint of a session: a record in the store, under the session's id, that names the snapshot from which the
//! session can be restored. The session's registration owns it.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use uuid::Uuid;

use super::{
    kept_proxy::KeptProxy,
    record::{self, HibernatedSession},
    state::{AtEnd, Content, End, Event, State},
};
use crate::{
    api_types::{Beginning, Launch, Owner},
    port::egress::UpstreamProxy,
    store::{SessionRecord, SnapshotId, Store, StoreError, UnreadableSession},
};

/// See the module's description.
#[derive(Debug)]
pub(in crate::session) struct Checkpoint {
    store: Store,
    owner: Owner,
    /// Identifies this process in the records of sessions that are live.
    instance: Uuid,
    is_used: AtomicBool,
    beginning: OnceLock<Beginning>,
    launch: OnceLock<Launch>,
    /// The proxy, and what the record has of it.
    proxy: OnceLock<(UpstreamProxy, KeptProxy)>,
    // Guards the state; held for one look. A task that changes it holds `turn` meanwhile.
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

impl Checkpoint {
    /// The checkpoint of a session of which the store has nothing.
    pub(super) fn new(store: Store, owner: Owner, instance: Uuid) -> Arc<Self> {
        let (is_used, state, turn) = (AtomicBool::new(false), Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self {
            store,
            owner,
            instance,
            is_used,
            beginning: OnceLock::new(),
            launch: OnceLock::new(),
            proxy: OnceLock::new(),
            state,
            turn,
        })
    }

    /// Notes the snapshot that the session began with. The first one counts.
    pub(in crate::session) fn set_beginning(&self, beginning: Beginning) {
        let _ = self.beginning.set(beginning);
    }

    /// The snapshot that the session began with, if it began with one.
    pub(in crate::session) fn beginning(&self) -> Option<&Beginning> {
        self.beginning.get()
    }

    /// Notes the launch options of the session. The first ones count.
    pub(in crate::session) fn set_launch(&self, launch: Launch) {
        let _ = self.launch.set(launch);
    }

    /// The launch options of the session, if it has any.
    pub(in crate::session) fn launch(&self) -> Option<&Launch> {
        self.launch.get()
    }

    /// Notes the proxy of the session of this id. The first one counts.
    pub(in crate::session) fn set_proxy(&self, id: &str, proxy: UpstreamProxy) {
        let kept = KeptProxy::new(&self.store, &self.owner, id, &proxy);
        let _ = self.proxy.set((proxy, kept));
    }

    /// The proxy of the session, if it has one of its own.
    pub(in crate::session) fn proxy(&self) -> Option<&UpstreamProxy> {
        self.proxy.get().map(|(proxy, _)| proxy)
    }

    /// Whether the store may have anything of the session.
    pub(in crate::session) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Acquire)
    }

    /// What happens to the record when the session ends.
    pub(super) fn at_end(&self, end: End, autosaves: bool) -> AtEnd {
        self.state().at_end(end, autosaves)
    }

    /// Makes a new snapshot the checkpoint, and deletes the previous one. If that fails, the new snapshot is deleted.
    /// Must not be dropped before it completes.
    pub(super) async fn put(&self, content: Content, sleeps: bool) -> Result<(), StoreError> {
        self.is_used.store(true, Ordering::Release);
        let snapshot = content.snapshot;
        let event = if sleeps { Event::Hibernated(content) } else { Event::Autosaved(content) };
        let put = self.on(event).await;
        if put.is_err() {
            forget(&self.store, &self.owner, snapshot).await;
        }
        put
    }

    /// Takes the record of a hibernated session, which only one of several processes gets, and writes that the session
    /// is live here. Returns the snapshot to restore. Must not be dropped before it completes.
    pub(super) async fn claim(&self, id: &str) -> Result<Option<SnapshotId>, StoreError> {
        let _turn = self.turn.lock().await;
        let Some(record) = self.store.take_session(&self.owner, id).await? else { return Ok(None) };
        let content = record::content(&record);
        let Some(claimed) = content.and_then(|content| self.state().next(Event::Claimed(content))) else {
            // The record could be read before the claim, so another process may have written a new one meanwhile: put
            // it back.
            self.store.put_session(record).await?;
            return Ok(None);
        };
        self.is_used.store(true, Ordering::Release);
        // Set first: if the record cannot be written now, the end of the session writes it.
        self.set(claimed.clone());
        self.write(&claimed).await?;
        Ok(claimed.content().map(|content| content.snapshot))
    }

    /// Changes the state, and writes it to the store. If that fails, the state stays.
    pub(super) async fn on(&self, event: Event) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let before = self.state();
        let Some(next) = before.next(event) else { return Ok(()) };
        match (before.content(), next.content()) {
            (Some(old), None) => {
                self.set(next);
                let id = &old.session.id;
                if let Err(error) = self.store.remove_session(&self.owner, id).await {
                    tracing::warn!(session = id, %error, "the record of an ended session could not be deleted");
                }
            }
            _ if self.record(&before) == self.record(&next) => self.set(next.clone()),
            _ => {
                self.write(&next).await?;
                self.set(next.clone());
            }
        }
        let kept = self.state().content().map(|content| content.snapshot);
        if let Some(old) = before.content().filter(|old| Some(old.snapshot) != kept) {
            forget(&self.store, &self.owner, old.snapshot).await;
        }
        Ok(())
    }

    async fn write(&self, state: &State) -> Result<(), StoreError> {
        match self.record(state) {
            Some(record) => self.store.put_session(record).await,
            None => Ok(()),
        }
    }

    /// The record that the store has in a state.
    fn record(&self, state: &State) -> Option<SessionRecord> {
        let Content { snapshot, session } = state.content()?.clone();
        let id = session.id.clone();
        let (lives_in, began) = (state.lives_here().then_some(self.instance), self.beginning().cloned());
        let proxy = self.proxy.get().map(|(_, kept)| kept.clone());
        let rested = HibernatedSession { session, lives_in, began, launch: self.launch().cloned(), proxy };
        let state = serde_json::to_value(&rested).unwrap_or_default();
        Some(SessionRecord { id, owner: self.owner.clone(), snapshot: Some(snapshot), state })
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// Deletes a hibernated session and its snapshot from the store. Returns whether there was one: of several callers one
/// gets it.
pub(super) async fn take_out(store: &Store, owner: &Owner, id: &str) -> Result<bool, StoreError> {
    let Some(record) = store.take_session(owner, id).await? else { return Ok(false) };
    if let Some(snapshot) = record.snapshot {
        forget(store, &record.owner, snapshot).await;
    }
    Ok(true)
}

/// Deletes a record that cannot be read, and its snapshot if that is known. Returns whether there was one.
pub(super) async fn take_out_unreadable(
    store: &Store,
    owner: &Owner,
    unreadable: UnreadableSession,
) -> Result<bool, StoreError> {
    let is_gone = store.remove_session(owner, &unreadable.id).await?;
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
