//! A session's place in the registry, and how it is left: what the store has of the session stays there, if the session
//! can be brought back, or goes with it.

use std::sync::Arc;

use tokio_util::sync::DropGuard;

use super::{Admitted, Kind, SessionManager, savepoint::Savepoint};
use crate::session::{admission::Place, error::ServiceError, id::SessionId};
use crate::{
    cdp::ghost,
    close_reason::CloseReason,
    session::task::{Caller, Card, Live},
};

/// An id that is taken. Dropped, it is free again, and whoever waits for that is told.
pub(super) struct Leaving {
    registry: SessionManager,
    id: SessionId,
    _gone: DropGuard,
}

impl Leaving {
    /// The id of a session that is in the registry.
    pub(super) fn new(registry: SessionManager, id: SessionId, gone: DropGuard) -> Self {
        Self { registry, id, _gone: gone }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.registry.inner.live.remove(&self.id);
    }
}

/// A place in the registry; leaving it is what makes room for the next.
pub(super) struct Entry {
    leaving: Option<Leaving>,
    registry: SessionManager,
    card: Arc<Card>,
    savepoint: Arc<Savepoint>,
    _place: Place,
    fate: Fate,
}

/// What has become of a session.
enum Fate {
    /// It has not begun.
    Waits,
    /// It runs. Left so, it failed.
    Runs,
    /// It is over.
    Over(CloseReason),
}

impl Entry {
    /// The place of a session that has not begun.
    pub(super) fn new(leaving: Leaving, card: Arc<Card>, savepoint: Arc<Savepoint>, place: Place) -> Self {
        let registry = leaving.registry.clone();
        Self { leaving: Some(leaving), registry, card, savepoint, _place: place, fate: Fate::Waits }
    }

    /// What the session is brought back from.
    pub(super) fn savepoint(&self) -> &Arc<Savepoint> {
        &self.savepoint
    }

    /// Runs the session as a task of its own; the entry goes with it, also when it panics.
    pub(super) fn run(mut self, live: Box<Live>) {
        self.fate = Fate::Runs;
        // Nobody needs what it was restored from, unless it is saved all the time.
        if let Some(snapshot) = self.savepoint.snapshot().filter(|_| self.card.saves().autosave.is_zero()) {
            let savepoint = self.savepoint.clone();
            self.registry.later(async move { savepoint.wake(snapshot, None).await });
        }
        let tasks = self.registry.inner.tasks.clone();
        tasks.spawn(live.run(move |reason| {
            self.fate = Fate::Over(reason.clone());
            drop(self);
        }));
    }

    /// Makes a session ready for the socket that it begins with.
    pub(super) async fn admit(self, mut live: Live, caller: &Caller) -> Result<Admitted, ServiceError> {
        let root = live.root().await.map_err(|error| ServiceError::NoPlace(error.into()))?;
        Ok(Admitted(Kind::Begins { live: Box::new(live), root, entry: self, caller: caller.clone() }))
    }

    /// Runs a session that waits for its first client.
    pub(super) fn wait_for_client(self, mut live: Live, caller: &Caller) -> ghost::Session {
        live.park();
        let card = self.card.clone();
        self.run(Box::new(live));
        card.show(caller)
    }

    /// Whether the session can be brought back after this end.
    fn can_come_back(&self) -> bool {
        let is_kept = || self.savepoint.sleeps() || !self.card.saves().autosave.is_zero();
        match &self.fate {
            Fate::Waits => true,
            Fate::Runs
            | Fate::Over(CloseReason::BrowserLost(_) | CloseReason::ShuttingDown | CloseReason::Hibernated) => {
                is_kept()
            }
            Fate::Over(_) => false,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let why = match &self.fate {
            Fate::Waits => None,
            Fate::Runs => Some("it failed".to_owned()),
            Fate::Over(reason) => Some(reason.to_string()),
        };
        let leaving = self.leaving.take();
        if let Some((why, leaving)) = why.zip(leaving.as_ref()) {
            // First: whoever finds no session must find what became of it.
            self.registry.remember(&leaving.id, self.card.owner.clone(), why);
        }
        if !self.savepoint.is_used() {
            return;
        }
        let (savepoint, can_come_back) = (self.savepoint.clone(), self.can_come_back());
        // Unless it sleeps on, as it did.
        let is_new = !matches!(self.fate, Fate::Waits) && !savepoint.sleeps();
        let last = (can_come_back && is_new).then(|| self.registry.at_rest(&self.card, None).session);
        self.registry.later(async move {
            if can_come_back {
                savepoint.settle(last).await;
            } else {
                savepoint.clear().await;
            }
            drop(leaving);
        });
    }
}
