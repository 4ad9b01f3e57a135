//! What an operator controls.

use schemars::JsonSchema;
use serde::Serialize;

/// Browsers that will be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Recycling {
    /// Their numbers, in the order of their start.
    pub browsers: Vec<u32>,
}

/// Whether the server takes new sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// It takes them.
    #[default]
    Open,
    /// They wait in the queue.
    Paused,
    /// It takes none, and ends when no session has a client.
    Draining,
}

/// The mode of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServerMode {
    /// Whether it takes new sessions.
    pub mode: Mode,
    /// Sessions that have a client.
    pub active: usize,
}
