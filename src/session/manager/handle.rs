//! A session as the manager knows it.

use std::sync::{Arc, OnceLock};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    browser::LeaseId,
    port::BrowserId,
    session::{
        agent_view::AgentView,
        persistence::Checkpoint,
        secret_book::TypedSecrets,
        session_files::SessionFiles,
        task::{Control, SessionInfo},
    },
};

/// A session that runs, or waits for its place; cheap to clone.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) control: mpsc::Sender<Box<Control>>,
    pub(super) session_info: Arc<SessionInfo>,
    /// The session's lease, once it has one.
    pub(super) place: Arc<OnceLock<(BrowserId, LeaseId)>>,
    /// Its files, from the same moment on.
    pub(super) files: Arc<OnceLock<Arc<SessionFiles>>>,
    /// The secrets that were typed in its pages.
    pub(super) typed: Arc<TypedSecrets>,
    /// What its agent last chose and saw.
    pub(super) agent: Arc<AgentView>,
    // Held while a snapshot is being written into the session.
    pub(super) restoring: Arc<tokio::sync::Mutex<()>>,
    pub(super) checkpoint: Arc<Checkpoint>,
    /// Places for clients that wait until the session runs.
    pub(super) joining: Arc<Semaphore>,
    /// Cancelled when the session runs: from then on it accepts clients.
    pub(super) begun: CancellationToken,
    /// Cancelled when the id is free again, or when the session is hibernated.
    pub(super) gone: CancellationToken,
}
