//! The isolated worlds of a page's documents that were made.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{frame::Frame, injected::Tools};

/// A frame, the process of its document, and the name of a world.
type Key = (String, usize, &'static str);

/// The worlds of a page.
#[derive(Default)]
pub(super) struct Worlds(Mutex<HashMap<Key, Known>>);

/// A world that was made: its execution context, and what was evaluated in it.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) context: i64,
    pub(super) tools: Tools,
}

impl Worlds {
    /// The world of this name in a frame, if there is one.
    pub(super) fn find(&self, frame: &Frame, name: &'static str) -> Option<Known> {
        self.all().get(&key(frame, name)).copied()
    }

    /// Notes a world.
    pub(super) fn note(&self, frame: &Frame, name: &'static str, known: Known) {
        self.all().insert(key(frame, name), known);
    }

    /// Forgets the worlds of a frame, whose document has changed.
    pub(super) fn forget(&self, frame: &Frame) {
        self.all().retain(|(of, ..), _| *of != frame.id);
    }

    /// Never held across an await.
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(frame: &Frame, name: &'static str) -> Key {
    (frame.id.clone(), frame.process(), name)
}
