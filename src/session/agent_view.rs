//! What an agent that drives a session by MCP last chose and saw. It is not part of a page: an agent names no page, and is
//! shown what has changed since it looked last.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an agent last chose and saw in a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The target id of the page that it uses; the first one of `pages` if absent.
    pub page: Option<String>,
    /// The target ids of the pages in the order in which it saw them first: Chrome lists them in another one.
    pub pages: Vec<String>,
    /// The page of which it last read a snapshot, and the version of that.
    pub snapshot: Option<(String, String)>,
    /// The page whose requests are recorded for it.
    pub recorded: Option<String>,
    /// The element that opened a file chooser, as the agent named it.
    pub chooser: Option<String>,
    /// Whether it has left a dialog open.
    pub has_dialog: bool,
}

/// The [`Seen`] of a session, for as long as the session lives.
#[derive(Debug, Default)]
pub struct AgentView(Mutex<Seen>);

impl AgentView {
    /// What was last seen, to be read or changed. Not to be held while anything is waited for.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
