//! Events of the `ghost` domain. The type of an event is its params; its comment says when it is sent.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Client, Deadline, Download, Millis, Schemas, Session, ShapeOf, Snapshot, SnapshotReport};

/// An event.
pub trait Event: Serialize + JsonSchema {
    /// Its name in the domain.
    const NAME: &'static str;

    /// Its params, as JSON.
    fn params(&self) -> String {
        // Every value of these types can be serialised.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An event of the table.
pub(super) struct EventEntry {
    pub(super) name: &'static str,
    pub(super) params: ShapeOf,
}

impl EventEntry {
    const fn of<E: Event>() -> Self {
        Self { name: E::NAME, params: Schemas::output::<E> }
    }
}

/// All events.
pub(super) const EVENTS: [EventEntry; 12] = [
    EventEntry::of::<SessionExpiring>(),
    EventEntry::of::<SessionUpdated>(),
    EventEntry::of::<ClientAttached>(),
    EventEntry::of::<ClientDetached>(),
    EventEntry::of::<BrowserLost>(),
    EventEntry::of::<SnapshotSaved>(),
    EventEntry::of::<SnapshotRestored>(),
    EventEntry::of::<UserDataTooLarge>(),
    EventEntry::of::<DownloadFinished>(),
    EventEntry::of::<EgressFailed>(),
    EventEntry::of::<EgressExhausted>(),
    EventEntry::of::<ProfileLost>(),
];

/// A deadline ends the session soon. `updateSession` moves it, and a frame from a client moves `idleTimeout`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SessionExpiring {
    /// The deadline.
    pub deadline: Deadline,
    /// The time until then.
    pub remaining: Millis,
}

impl Event for SessionExpiring {
    const NAME: &'static str = "sessionExpiring";
}

/// The state, the deadlines, the name or the metadata of the session changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SessionUpdated {
    /// The session after the change.
    pub session: Session,
}

impl Event for SessionUpdated {
    const NAME: &'static str = "sessionUpdated";
}

/// Another socket was opened on the session.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClientAttached {
    /// The socket.
    pub client: Client,
}

impl Event for ClientAttached {
    const NAME: &'static str = "clientAttached";
}

/// Another socket of the session was closed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClientDetached {
    /// The socket.
    pub client: Client,
    /// Why; absent if the client closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Event for ClientDetached {
    const NAME: &'static str = "clientDetached";
}

/// The browser of this session failed, and the session is lost unless it was saved. The socket is then closed with 1011.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrowserLost {
    /// What happened to the browser.
    pub reason: String,
    /// How long ago `autosave` saved the session: whoever connects to its URL finds it as it was then. Absent if it is
    /// lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_ago: Option<Millis>,
}

impl Event for BrowserLost {
    const NAME: &'static str = "browserLost";
}

/// A caller saved the session.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SnapshotSaved {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What was carried, and what was not.
    pub report: SnapshotReport,
}

impl Event for SnapshotSaved {
    const NAME: &'static str = "snapshotSaved";
}

/// A snapshot was written into the session.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SnapshotRestored {
    /// The snapshot.
    pub snapshot: String,
    /// What was carried, and what was not.
    pub report: SnapshotReport,
}

impl Event for SnapshotRestored {
    const NAME: &'static str = "snapshotRestored";
}

/// The user data directories of the owner take more than they may. Unless that changes, the session ends soon, with close code
/// 4010.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserDataTooLarge {
    /// The name of the directory that the session uses.
    pub user_data: String,
    /// Bytes of disk that all directories of the owner take.
    pub size: u64,
    /// How many they may take.
    pub limit: u64,
    /// The time until then.
    pub remaining: Millis,
}

impl Event for UserDataTooLarge {
    const NAME: &'static str = "userDataTooLarge";
}

/// The session does not save its profile any more: it could not reach the store for so long that a session on another server
/// may have the profile by now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileLost {
    /// The name of the profile.
    pub profile: String,
}

impl Event for ProfileLost {
    const NAME: &'static str = "profileLost";
}

/// A download of the session was completed or canceled.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DownloadFinished {
    /// The download.
    pub download: Download,
}

impl Event for DownloadFinished {
    const NAME: &'static str = "downloadFinished";
}

/// A connection of a page was refused, or failed. The page sees `net::ERR_SOCKS_CONNECTION_FAILED` in each case. When a page
/// causes very many, some are not sent; `getEgress` counts all.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EgressFailed {
    /// The host as the page named it: a name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The reason in one word, such as `private-network`, `denied`, `port` or `not-found`.
    pub reason: String,
    /// The reason, and what to do.
    pub why: String,
}

impl Event for EgressFailed {
    const NAME: &'static str = "egressFailed";
}

/// The pages of the session, or of all sessions of its tenant on this day, have transferred as many bytes as they may: the
/// connections of the session are cut, and new ones are refused.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EgressExhausted {
    /// The limit, in bytes.
    pub limit: u64,
    /// Its name: `egress_bytes_per_session` or `egress_bytes_per_day`.
    pub name: String,
}

impl Event for EgressExhausted {
    const NAME: &'static str = "egressExhausted";
}
