//! The hold on a save that can still be taken back.

use std::fmt;

/// A session that was saved under its id, to sleep. Dropped, it takes that back.
pub struct HibernateGuard(Option<Box<dyn FnOnce() + Send>>);

impl HibernateGuard {
    /// `undo` takes it back.
    pub fn new(undo: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(undo)))
    }

    /// What was saved stays.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for HibernateGuard {
    fn drop(&mut self) {
        if let Some(undo) = self.0.take() {
            undo();
        }
    }
}

impl fmt::Debug for HibernateGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HibernateGuard")
    }
}
