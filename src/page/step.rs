//! The answer of a step in a document, and what an action waits for.

use std::time::Duration;

use serde::Deserialize;

use crate::api_types::{Attributes, FoundElement, Link};

/// How long to wait before a step is tried again, as Playwright does.
pub(super) const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(100),
    Duration::from_millis(500),
];
/// How long a page that was interrupted may take to answer, before its script is ended.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// What an action waits for, and what was seen last.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) condition: String,
    pub(super) last: String,
    /// Where in the request that is.
    pub(super) at: Option<String>,
}

/// The answer of a step in a document: see `injected/ghostmux.js`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) status: String,
    pub(super) why: String,
    pub(super) count: u64,
    pub(super) matches: Vec<String>,
    pub(super) is: bool,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) scale: f64,
    pub(super) code: Option<u32>,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) snapshot: String,
    pub(super) values: Vec<String>,
    pub(super) chunks: Vec<String>,
    pub(super) attributes: Attributes,
    pub(super) links: Vec<Link>,
    pub(super) elements: Vec<FoundElement>,
    pub(super) frames: Vec<FrameLine>,
    pub(super) last: u64,
}

/// A frame element in a snapshot.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FrameLine {
    #[serde(rename = "ref")]
    pub(super) element: String,
    pub(super) line: usize,
    pub(super) depth: u32,
}
