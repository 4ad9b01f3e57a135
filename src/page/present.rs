//! What the present action of a page needs until it ends: plain data.

use std::collections::HashSet;

use serde_json::Value;

use crate::{cdp::ids::TargetId, session::pages::DialogHold};

/// What is needed until the action ends.
#[derive(Debug, Default)]
pub(super) struct Acting {
    /// The pages of the session before it.
    pub(super) pages: Option<HashSet<TargetId>>,
    /// As long as it answers the dialogs of the page; longer if one is left open.
    pub(super) hold: Option<DialogHold>,
    /// For the file chooser that it expects.
    pub(super) files: Option<Files>,
    /// Whether it listens for requests.
    pub(super) has_network: bool,
    /// Whether input was sent.
    pub(super) has_acted: bool,
}

/// Files for a page.
#[derive(Clone, Debug)]
pub(super) enum Files {
    /// Paths in the session's own directory.
    OfSession(Vec<String>),
    /// For `setInputFiles` of Playwright's injected script.
    Inline(Vec<Value>),
}

impl Files {
    pub(super) fn count(&self) -> usize {
        match self {
            Self::OfSession(paths) => paths.len(),
            Self::Inline(files) => files.len(),
        }
    }
}

/// The mouse of a page.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mouse {
    pub(super) at: (f64, f64),
    pub(super) is_pressed: bool,
}
