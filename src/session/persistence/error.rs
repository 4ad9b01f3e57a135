//! The errors of persistence.

use crate::{snapshot::repository::RepositoryError, store::StoreError};

/// Why a session was not saved, found or restored.
#[derive(Debug, thiserror::Error)]
pub enum PersistenceError {
    /// The store refused, or a record in it cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The snapshot of the session cannot be written or read.
    #[error(transparent)]
    Snapshot(#[from] RepositoryError),
    /// The session ended before it was saved.
    #[error("the session has ended")]
    Ended,
    /// The process is shutting down.
    #[error("ghostmux is shutting down")]
    Closing,
}
