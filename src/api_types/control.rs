//! What an operator controls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// What a reload of the configuration has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// The file that was read; absent if the server was started without one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// The settings whose new values are in force from now on.
    pub changed: Vec<SettingChange>,
    /// The settings whose old values stay in force until the server is started again.
    pub needs_restart: Vec<SettingChange>,
}

/// A setting of which the configuration has another value than before. Secrets are left out of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingChange {
    /// Its key in the file.
    pub setting: String,
    /// The value before; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old: Option<String>,
    /// The value in the configuration; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<String>,
}
