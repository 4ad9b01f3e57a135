//! What an operator sees of the server and its browsers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Isolation, Millis};

/// The state of a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BrowserState {
    /// is being started.
    Starting,
    /// accepts sessions.
    Ready,
    /// runs and accepts no new sessions; it ends when its sessions have ended.
    Draining,
    /// has ended, or could not be started.
    Dead,
}

/// Where a browser runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BrowserOrigin {
    /// is a process that ghostmux has started.
    Local,
    /// runs elsewhere: ghostmux connects to it.
    Remote,
}

/// A browser of the pool. Figures that are not known in its state are absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrowserInfo {
    /// The number of the browser; no other browser of this server gets it.
    pub id: u32,
    /// Where it runs.
    pub kind: BrowserOrigin,
    /// Whether many sessions share it, or it belongs to one.
    #[serde(default)]
    pub isolation: Isolation,
    /// The session to which a dedicated browser belongs; absent if none has taken it yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// The tenant of that session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// The URL of a remote browser, without credentials.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// The state.
    pub state: BrowserState,
    /// Why the browser accepts no sessions; absent if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// Product and version, as Chrome names itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<String>,
    /// Process id of a local browser, which is also the id of its process group.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
    /// Time since the browser was ready for sessions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub age: Option<Millis>,
    /// Sessions in it now.
    pub sessions: u32,
    /// Sessions that it has had, those of now included.
    pub sessions_served: u64,
    /// Warm leases: contexts with a page that are ready for the next sessions.
    pub warm: u32,
    /// Contexts of sessions and warm leases.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contexts: Option<u32>,
    /// Targets of any kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub targets: Option<u32>,
    /// CDP sessions of any kind, those of ghostmux included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cdp_sessions: Option<u32>,
    /// Differences between what is on record of the browser and what Chrome says, that were found and mended. 0 if all is
    /// in order.
    pub differences: u64,
    /// Processes of a local browser.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub processes: Option<u32>,
    /// Memory of these processes in bytes, without what other programs share.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory: Option<u64>,
    /// Disk in bytes that the profile and the temporary files of a local browser take, as measured every few seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disk: Option<u64>,
    /// Processor time of these processes since the browser started, ended ones included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_time: Option<Millis>,
}

/// The browsers of the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Browsers {
    /// In the order in which they were started.
    pub browsers: Vec<BrowserInfo>,
    /// The `cursor` of the next page; absent if this is the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// Numbers of browsers, by state. Dedicated ones are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrowserCounts {
    /// Browsers that are being started.
    pub starting: u32,
    /// Browsers that accept sessions.
    pub ready: u32,
    /// Browsers that run and accept no new sessions.
    pub draining: u32,
    /// Browsers that have ended or could not be started, of those that the list of browsers shows.
    pub dead: u32,
    /// Browsers that belong to one session each.
    #[serde(default)]
    pub dedicated: u32,
    /// Dedicated browsers that are ready for a session or are being started.
    #[serde(default)]
    pub spare: u32,
}

/// Numbers of sessions, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionCounts {
    /// Sessions that wait for a place.
    pub queued: u32,
    /// Sessions with a client.
    pub active: u32,
    /// Sessions without a client, whose pages run on.
    pub parked: u32,
    /// Sessions that are saved and in no browser.
    pub hibernated: u32,
}

/// The queue of those who wait for a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// Requests that wait now.
    pub waiting: u32,
    /// Most requests that may wait.
    pub most: u32,
    /// How long the first of them has waited.
    pub longest_wait: Millis,
    /// Requests refused in the last minute because there was no place.
    pub recently_rejected: u32,
    /// Most sessions that may exist at a time; absent if there is no limit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_sessions: Option<u32>,
}

/// The status of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// Version of ghostmux.
    pub version: String,
    /// Time since the server started.
    pub uptime: Millis,
    /// Whether a new session would get a place at once.
    pub is_available: bool,
    /// The browsers, by state.
    pub browsers: BrowserCounts,
    /// Product and version of the first browser that is ready.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<String>,
    /// The sessions of all owners, by state.
    pub sessions: SessionCounts,
    /// Owners that have a session now, hibernated ones apart.
    pub active_users: u32,
    /// Warm leases in all browsers.
    pub warm: u32,
    /// The queue.
    pub queue: QueueStatus,
    /// Memory of all local browsers in bytes, without what other programs share.
    pub memory: u64,
    /// Processor time of all local browsers that run now.
    pub cpu_time: Millis,
    /// Time since the Redis of the tenants answered; absent if they are in no Redis.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenants_age: Option<Millis>,
    /// When the certificate of this server expires, in milliseconds since 1970; absent if it has no TLS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls_certificate_expires_at: Option<u64>,
    /// Remote browsers that accept no sessions, each with the reason.
    pub unreachable: Vec<String>,
}
