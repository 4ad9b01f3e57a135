//! The `api_types` domain: sessions that outlive their socket, in the words of `fixtures/ghost.json`. PURE: shapes
//! only.
//!
//! The same shapes serve the CDP domain and the REST API, so that both say the same with the same names.

mod ask;
pub mod capability;
mod definition;
mod owner;
mod snapshot;
#[cfg(test)]
mod tests;
mod typescript;

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

pub use self::{
    ask::{Ask, Bad, Copies, has_all, object, read},
    definition::{Command, Domain, Event, Items, Member, Type, merged},
    owner::{BadOwner, Owner},
    snapshot::{
        Beginning, COPIES_MOST, Cloned, Exported, Exporting, Importing, Label, Omission, RestoreMode, Restoring, Saved,
        Snapshot, SnapshotFormat, SnapshotPart, SnapshotReport, Snapshots, WantedSnapshots,
    },
    typescript::declarations,
};

/// The domain's definition in the protocol's own JSON format, merged into `/json/protocol`.
pub const DEFINITION: &str = include_str!("../fixtures/ghost.json");
/// Most bytes of a session's metadata, as JSON.
pub const METADATA_MOST: usize = 4096;
/// Most characters of a session's name.
pub const NAME_MOST: usize = 200;
/// How long before a deadline `ghost.sessionExpiring` is sent, if the client does not say.
pub const EXPIRING_NOTICE: Duration = Duration::from_secs(30);

/// A span of time: on the wire a number of milliseconds, at most [`Millis::MOST`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub Duration);

impl Millis {
    /// A year; more is a mistake.
    pub const MOST: Duration = Duration::from_secs(366 * 24 * 3600);
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX))
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = f64::deserialize(deserializer)?;
        let span = Duration::try_from_secs_f64(given / 1000.0).ok().filter(|span| *span <= Self::MOST);
        span.map(Self).ok_or_else(|| {
            let most = Self::MOST.as_millis();
            D::Error::custom(format!("{given} is no time: milliseconds from 0 to {most} are"))
        })
    }
}

/// What a session's owner wants to remember of it.
pub type Metadata = BTreeMap<String, String>;

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionState {
    /// It waits for a place in a browser.
    Queued,
    /// It has a client.
    Active,
    /// Its socket is gone, its pages run on.
    Parked,
    /// It sleeps in a snapshot; whoever connects finds it restored.
    Hibernated,
    /// It is over, and stays so.
    Closed,
}

/// What ends a session by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Deadline {
    /// Time since it began.
    Timeout,
    /// Time since a client last sent a frame.
    IdleTimeout,
    /// Time since its last socket went.
    KeepAlive,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timeout",
            Self::IdleTimeout => "idleTimeout",
            Self::KeepAlive => "keepAlive",
        })
    }
}

/// `ghost.Session`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Where it is in its life.
    pub state: SessionState,
    /// Where to connect to come back to it.
    pub web_socket_debugger_url: String,
    /// As its owner calls it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// What its owner wants to remember.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Metadata>,
    /// When it began, in milliseconds since the epoch.
    pub created_at: u64,
    /// 0 is no limit.
    pub timeout: Millis,
    /// 0 is no limit.
    pub idle_timeout: Millis,
    /// 0 is: it ends with its last socket.
    pub keep_alive: Millis,
    /// How long it is parked before it is put to sleep; 0 is for ever.
    #[serde(default)]
    pub hibernate_after: Millis,
    /// How often it is saved while it is used; 0 is never.
    #[serde(default)]
    pub autosave: Millis,
    /// When the first deadline that runs now ends it, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<u64>,
    /// Which that is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_by: Option<Deadline>,
    /// Sockets connected to it.
    pub clients: u32,
    /// These sockets, the earliest first. Empty in lists of sessions and in events.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub client_list: Vec<Client>,
    /// The browser it is in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub browser: Option<u32>,
}

/// `ghost.Client`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its number in the session.
    pub id: u64,
    /// The page it speaks to, if it is no browser-level client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_id: Option<String>,
    /// When it connected, in milliseconds since the epoch.
    pub connected_at: u64,
    /// Whether no other browser-level client may connect while this one stays.
    pub exclusive: bool,
}

/// `ghost.Usage`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Time since it began.
    pub wall_time: Millis,
    /// Frames from its clients.
    pub frames_in: u64,
    /// Frames to its clients.
    pub frames_out: u64,
    /// Bytes from its clients.
    pub bytes_in: u64,
    /// Bytes to its clients.
    pub bytes_out: u64,
    /// Commands of its clients.
    pub commands: u64,
    /// Events to its clients.
    pub events: u64,
    /// Pages open now.
    pub pages: u32,
    /// Most pages open at a time.
    pub pages_most: u32,
    /// Bytes of JavaScript heap in use in its pages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub js_heap_used: Option<u64>,
    /// DOM nodes of its pages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dom_nodes: Option<u64>,
    /// Processor time of the renderers of its pages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_time: Option<Millis>,
}

/// What a session is to begin with, and what of a live one changes: `ghost.createSession`, `ghost.updateSession`, and
/// the bodies of `POST /v1/sessions` and `PATCH /v1/sessions/{id}`. What is absent keeps its value or takes the
/// default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub name: Option<String>,
    /// What to remember.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// 0 is no limit.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub timeout: Option<Millis>,
    /// 0 is no limit.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub idle_timeout: Option<Millis>,
    /// 0 is: it ends with its last socket.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub keep_alive: Option<Millis>,
    /// 0 is: it is never put to sleep.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub hibernate_after: Option<Millis>,
    /// 0 is: it is never saved by itself.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub autosave: Option<Millis>,
}

/// Which sessions `ghost.listSessions` and `GET /v1/sessions` give.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Wanted {
    /// In this state.
    #[serde(deserialize_with = "given")]
    pub state: Option<SessionState>,
    /// Of this name.
    #[serde(deserialize_with = "given")]
    pub name: Option<String>,
    /// That have all of this.
    #[serde(deserialize_with = "given")]
    pub metadata: Option<Metadata>,
    /// At most so many, 1 to 1000.
    #[serde(deserialize_with = "given")]
    pub limit: Option<u32>,
    /// Where the page before this one ended.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

/// A page of sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sessions {
    /// Oldest first.
    pub sessions: Vec<Session>,
    /// Those that hibernate and whose record in the store cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unreadable: Vec<Unreadable>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// `ghost.Unreadable`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its id.
    pub id: String,
    /// What is wrong with its record.
    pub reason: String,
}

/// A member that is there: `null` is not the same as absent.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
