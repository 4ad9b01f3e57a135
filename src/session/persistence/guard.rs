//! The hold on a hibernation that can still be undone.

use std::{fmt, sync::Arc};

use super::{Persistence, Subject, checkpoint::Checkpoint};
use crate::store::SnapshotId;

/// A session that was saved to hibernate, and whose task still runs. Dropping it undoes that: the session goes on.
#[must_use]
pub struct HibernateGuard(Option<Undo>);

/// What it takes to undo a hibernation.
struct Undo {
    persistence: Persistence,
    checkpoint: Arc<Checkpoint>,
    snapshot: SnapshotId,
    subject: Arc<dyn Subject>,
}

impl HibernateGuard {
    /// The hibernation of `subject` in this snapshot.
    pub(super) fn new(
        persistence: Persistence,
        checkpoint: Arc<Checkpoint>,
        snapshot: SnapshotId,
        subject: Arc<dyn Subject>,
    ) -> Self {
        Self(Some(Undo { persistence, checkpoint, snapshot, subject }))
    }

    /// The session stays hibernated; its task ends.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for HibernateGuard {
    fn drop(&mut self) {
        if let Some(Undo { persistence, checkpoint, snapshot, subject }) = self.0.take() {
            persistence.go_on(&checkpoint, snapshot, &*subject);
        }
    }
}

impl fmt::Debug for HibernateGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HibernateGuard")
    }
}
