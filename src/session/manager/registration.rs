//! A session's entry in the manager, and its removal. If the session can be restored, its record in the store stays;
//! otherwise it is deleted with the entry.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Admitted, Handle, Kind, SessionManager};
use crate::session::{
    admission::Permit,
    directory::Claim,
    error::ServiceError,
    id::SessionId,
    persistence::{Checkpoint, End, Subject as _},
    session_files::SessionFiles,
};
use crate::{
    api_types::{self, SessionState},
    close_reason::CloseReason,
    session::task::{Caller, SessionInfo, SessionTask},
    tenant::audit::Event,
};

impl SessionManager {
    /// Waits until a session accepts clients, or is gone.
    pub(super) async fn begun(&self, handle: &Handle) -> Result<(), ServiceError> {
        if handle.session_info.state() == SessionState::Queued {
            // The client for which the session waits is its first one.
            let (id, most) = (handle.session_info.id.to_string(), self.inner.terms().clients_per_session);
            let _place = handle.joining.try_acquire().map_err(|_| ServiceError::ManyClients { id, most })?;
            tokio::select! {
                () = handle.begun.cancelled() => {}
                () = handle.gone.cancelled() => {}
            }
        }
        Ok(())
    }
}

/// A session id in use. Dropping it frees the id and notifies the tasks that wait for that.
pub(super) struct Leaving {
    registry: SessionManager,
    id: SessionId,
    claim: Option<Box<Claim>>,
    _gone: DropGuard,
}

impl Leaving {
    /// The id of a session that is in the manager.
    pub(super) fn new(registry: SessionManager, id: SessionId, gone: DropGuard) -> Self {
        Self { registry, id, claim: None, _gone: gone }
    }

    /// Claims the id for this node.
    pub(super) async fn claim(&mut self, epoch: u64) -> Result<(), ServiceError> {
        let inner = &self.registry.inner;
        let claim = Claim::new(inner.directory.clone(), self.id.clone(), inner.node, epoch).await;
        self.claim = Some(Box::new(claim.map_err(|_| ServiceError::Elsewhere(self.id.to_string()))?));
        Ok(())
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.registry.inner.live.remove(&self.id);
        // Before those that wait for the id go on.
        self.claim = None;
    }
}

/// A session's entry in the manager. Dropping it makes room for the next session.
pub(super) struct Registration {
    leaving: Option<Leaving>,
    registry: SessionManager,
    session_info: Arc<SessionInfo>,
    checkpoint: Arc<Checkpoint>,
    begun: CancellationToken,
    _place: Permit,
    files: Arc<SessionFiles>,
    fate: Outcome,
}

/// The outcome of a session.
enum Outcome {
    /// The session has not started.
    Waits,
    /// The session runs. Dropped in this state, it has failed.
    Runs,
    /// The session has ended.
    Over(CloseReason),
}

impl Registration {
    /// The entry of a session that has not started.
    pub(super) fn new(
        leaving: Leaving,
        session_info: Arc<SessionInfo>,
        checkpoint: Arc<Checkpoint>,
        begun: CancellationToken,
        place: Permit,
        files: Arc<SessionFiles>,
    ) -> Self {
        let registry = leaving.registry.clone();
        Self {
            leaving: Some(leaving),
            registry,
            session_info,
            checkpoint,
            begun,
            _place: place,
            files,
            fate: Outcome::Waits,
        }
    }

    /// The checkpoint of the session.
    pub(super) fn checkpoint(&self) -> &Arc<Checkpoint> {
        &self.checkpoint
    }

    /// Runs the session as a task of its own; the entry is removed with it, also if it panics.
    pub(super) fn run(mut self, live: Box<SessionTask>) {
        self.fate = Outcome::Runs;
        self.begun.cancel();
        self.registry.inner.terms().usage.started(&self.session_info.owner, Timestamp::now());
        let autosaves = !self.session_info.saves().autosave.is_zero();
        self.registry.inner.persistence.started(&self.checkpoint, autosaves);
        let tasks = self.registry.inner.tasks.clone();
        tasks.spawn(live.run(move |reason| {
            self.fate = Outcome::Over(reason.clone());
            drop(self);
        }));
    }

    /// Prepares a session for the socket with which it starts.
    pub(super) async fn admit(
        self,
        mut live: SessionTask,
        caller: &Caller,
        exclusive: bool,
    ) -> Result<Admitted, ServiceError> {
        let root = live.root().await.map_err(|error| ServiceError::NoPlace(error.into()))?;
        Ok(Admitted(Kind::Begins {
            live: Box::new(live),
            root,
            entry: Box::new(self),
            caller: Box::new(caller.clone()),
            exclusive,
        }))
    }

    /// Runs a session that waits for its first client.
    pub(super) fn wait_for_client(self, mut live: SessionTask, caller: &Caller) -> api_types::Session {
        live.park();
        let session_info = self.session_info.clone();
        self.run(Box::new(live));
        session_info.show(caller)
    }

    /// Keeps the files for as long as the session can be restored, or as its clients want; or removes them.
    fn end_files(&self) {
        let has_saves = !self.session_info.saves().autosave.is_zero();
        let can_return = match &self.fate {
            Outcome::Waits => self.files.is_of_hibernated(),
            Outcome::Over(CloseReason::Hibernated) => true,
            Outcome::Runs | Outcome::Over(CloseReason::BrowserLost(_)) => has_saves,
            Outcome::Over(_) => false,
        };
        let (shown, least) = (self.session_info.session(), self.registry.inner.terms().deadlines.park_keep_alive);
        let time = match &self.fate {
            Outcome::Waits if !can_return => Duration::ZERO,
            _ if can_return => shown.keep_alive.0.max(least).max(shown.keep_files.0),
            _ => shown.keep_files.0,
        };
        self.registry.inner.files.ended(&self.session_info.session_id(), &self.files, time, can_return);
    }

    /// How the session ended, for its record in the store.
    fn end(&self) -> End {
        match &self.fate {
            Outcome::Waits => End::NotStarted,
            Outcome::Runs
            | Outcome::Over(CloseReason::BrowserLost(_) | CloseReason::ShuttingDown | CloseReason::Hibernated) => {
                End::Interrupted
            }
            Outcome::Over(_) => End::ForGood,
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Before the id is free: the next session of this id has other files.
        self.end_files();
        let leaving = self.leaving.take();
        if let Some(Leaving { id, .. }) = &leaving {
            let why = match &self.fate {
                Outcome::Waits => None,
                Outcome::Runs => Some("it failed".to_owned()),
                Outcome::Over(reason) => Some(reason.to_string()),
            };
            if let Some(why) = why {
                let (lasted, bytes_in, bytes_out) = self.session_info.total().unwrap_or_default();
                let usage = &self.registry.inner.terms().usage;
                let (of_clients, of_pages) = ((bytes_in, bytes_out), self.session_info.egress_bytes());
                usage.ended(id.owner(), lasted, of_clients, of_pages, Timestamp::now());
                let event = Event::new("session-ended").owner(id.owner()).session(id.as_str()).why(&why);
                self.registry.inner.terms().audit.write(event);
            }
            let remember = |why| self.registry.remember(id, why);
            // First: a client that finds no session must find out how it ended.
            match &self.fate {
                Outcome::Waits => {}
                Outcome::Runs => remember("it failed".to_owned()),
                // Its URL may open a new session, so no tombstone may refuse it.
                Outcome::Over(reason) if reason.is_wanted() => self.registry.forget(id),
                Outcome::Over(reason) => remember(reason.to_string()),
            }
        }
        self.registry.inner.persistence.ended(&self.checkpoint, self.end(), &*self.session_info, leaving);
    }
}
