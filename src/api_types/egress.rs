//! What a session connects to.

use schemars::JsonSchema;
use serde::Serialize;

/// A connection of a page that was refused, or failed. Pages see `net::ERR_SOCKS_CONNECTION_FAILED` in each case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FailedConnection {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The host as the page named it: a name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The reason in one word, such as `private-network`, `denied`, `port` or `not-found`.
    pub reason: String,
    /// The reason, and what to do.
    pub why: String,
}

/// The network access of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEgress {
    /// Whether the server limits what the session connects to, and counts it; else the rest is empty.
    #[serde(rename = "isGated")]
    pub is_gated: bool,
    /// Bytes from its pages.
    pub bytes_up: u64,
    /// Bytes to its pages.
    pub bytes_down: u64,
    /// Connections that were refused, or failed.
    pub failed: u64,
    /// The last 100 of them, the oldest first.
    pub failures: Vec<FailedConnection>,
}
