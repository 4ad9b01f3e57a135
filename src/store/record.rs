//! The records that a store keeps beside the bytes.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    ProfileLease, StoreError,
    ids::{BlobId, SnapshotId},
};
use crate::api_types::{Owner, check_name};

/// Largest metadata or counts, in bytes of JSON.
const LARGEST_METADATA: usize = 16 << 10;

/// Milliseconds since 1970, UTC. Shown as `2026-11-25T20:30:15Z`, at most the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The current time by this machine's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The time this much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1000).unwrap_or(i64::MAX);
        let last = jiff::Timestamp::MAX.as_second();
        jiff::Timestamp::from_second(seconds.min(last)).map_err(|_| fmt::Error)?.fmt(f)
    }
}

/// The metadata of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The snapshot's id.
    pub id: SnapshotId,
    /// The owner.
    pub owner: Owner,
    /// The owner's name for it; need not be unique.
    pub name: Option<String>,
    /// The profile of the owner whose state it is; `None` if it is that of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The owner's own data about it.
    pub metadata: Map<String, Value>,
    /// Counts of its content, as its writer defines them.
    pub counts: Value,
    /// When it was started.
    pub created: Timestamp,
    /// When it expires; `None` is never.
    pub expires: Option<Timestamp>,
    /// Bytes of its content, before compression.
    pub raw: u64,
    /// Bytes as stored.
    pub stored: u64,
    /// Number of its chunks.
    pub chunks: u32,
    /// The format of the chunks: [`super::seal::FORMAT`] of the version that wrote them.
    pub format: u16,
    /// The key that encrypted it; `None` if it is not encrypted.
    pub key: Option<KeyName>,
    /// The blob with its chunks.
    pub blob: BlobId,
}

impl Meta {
    /// Reads the record that a store has under this owner and id.
    pub(super) fn read(owner: &Owner, id: SnapshotId, json: &[u8]) -> Result<Self, UnreadableSnapshot> {
        let meta: Self = serde_json::from_slice(json).map_err(|error| UnreadableSnapshot { id, why: shown(&error) })?;
        if (&meta.owner, meta.id) != (owner, id) {
            return Err(UnreadableSnapshot { id, why: "the record is that of another snapshot".to_owned() });
        }
        Ok(meta)
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// The name of a key, and enough of a digest to check whether a key with that name is the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyName {
    /// The name in `store_key`.
    pub id: String,
    /// Sixteen hexadecimal digits of a digest of the secret.
    pub check: String,
}

/// A snapshot to be written.
#[derive(Debug, Clone)]
pub struct New {
    /// The owner.
    pub owner: Owner,
    /// The owner's name for it: as [`check_name`] allows it.
    pub name: Option<String>,
    /// The owner's own data about it: up to 16 KiB of JSON.
    pub metadata: Map<String, Value>,
    /// When it expires.
    pub expires: Expires,
    /// The owner's snapshot that is deleted when this one is committed, if it still exists.
    pub replaces: Option<SnapshotId>,
    /// The profile whose state it is: when it is committed, it takes the place of the state that the profile has.
    pub profile: Option<String>,
    /// The lease of that profile: if it is not in force any more when this is committed, that is refused.
    pub lease: Option<Arc<ProfileLease>>,
    /// Most snapshots of the owner, if that is fewer than the store allows.
    pub most: Option<u64>,
}

impl New {
    /// A snapshot without a name that is kept as long as the settings say.
    pub fn of(owner: Owner) -> Self {
        let (name, metadata, expires) = (None, Map::new(), Expires::ByDefault);
        Self { owner, name, metadata, expires, replaces: None, profile: None, lease: None, most: None }
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        let name = check_name(self.name.as_deref().unwrap_or_default());
        name.map_err(|bad| StoreError::Invalid { what: "the name of a snapshot", problem: bad.why })?;
        check_size("the metadata of a snapshot", &self.metadata)
    }
}

pub(super) fn check_size(what: &'static str, value: &impl Serialize) -> Result<(), StoreError> {
    match serde_json::to_vec(value) {
        Ok(json) if json.len() <= LARGEST_METADATA => Ok(()),
        Ok(json) => {
            let problem = format!("may have {LARGEST_METADATA} bytes as JSON, and has {}", json.len());
            Err(StoreError::Invalid { what, problem })
        }
        Err(error) => Err(StoreError::Invalid { what, problem: error.to_string() }),
    }
}

/// When a snapshot expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    /// After `snapshot_ttl`.
    ByDefault,
    /// Never; it is kept until it is deleted.
    Never,
    /// At this time.
    At(Timestamp),
}

/// A query for a list of snapshots.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only snapshots with this text in their name; the case is ignored.
    pub name: Option<String>,
    /// Only snapshots older than this one: the last of the previous page.
    pub before: Option<SnapshotId>,
    /// Most snapshots to return, 1 to 1000.
    pub limit: usize,
}

/// A page of snapshots, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Together with the unreadable ones at most as many as requested.
    pub snapshots: Vec<Meta>,
    /// Snapshots that exist and cannot be read. Empty if the query has a name.
    pub unreadable: Vec<UnreadableSnapshot>,
    /// If there may be more: request those before this one.
    pub next: Option<SnapshotId>,
}

/// A snapshot whose record cannot be read, because another version wrote it or it is damaged. It can be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableSnapshot {
    /// The snapshot's id.
    pub id: SnapshotId,
    /// The problem with its record.
    pub why: String,
}

impl From<UnreadableSnapshot> for StoreError {
    fn from(UnreadableSnapshot { id, why }: UnreadableSnapshot) -> Self {
        Self::Corrupt { id, what: format!("the record cannot be read: {why}") }
    }
}

/// The usage of an owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreUsage {
    /// Bytes as stored.
    pub bytes: u64,
    /// Number of snapshots.
    pub count: u64,
}

/// A session that is not live and can be restored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The session's id.
    pub id: String,
    /// The owner.
    pub owner: Owner,
    /// The snapshot to restore it from.
    pub snapshot: Option<SnapshotId>,
    /// Its other state: name, deadlines and so on. Up to 16 KiB of JSON.
    pub state: Value,
}

/// The entry of a store under the id of a session.
pub type SessionEntry = Result<SessionRecord, UnreadableSession>;

/// A session whose record cannot be read, because another version wrote it or it is damaged. It can be deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct UnreadableSession {
    /// The session's id.
    pub id: String,
    /// The owner, if that part can be read.
    pub owner: Option<Owner>,
    /// The snapshot to restore it from, if that part can be read.
    pub snapshot: Option<SnapshotId>,
    /// When the session ends, if that part can be read.
    pub expires: Option<Timestamp>,
    /// The problem with its record.
    pub why: String,
}

impl UnreadableSession {
    /// Whether it belongs to this owner. A session whose owner cannot be read belongs to [`Owner::local`], and to no
    /// tenant.
    pub fn is_of(&self, owner: &Owner) -> bool {
        self.owner.as_ref().unwrap_or(&Owner::local()) == owner
    }
}

impl From<UnreadableSession> for StoreError {
    fn from(UnreadableSession { id, why, .. }: UnreadableSession) -> Self {
        Self::UnreadableSession { id, why }
    }
}

/// The text under which a store keeps the record of a session: ids belong to their owner. The name of an owner has no `@`,
/// so no two sessions have the same key.
pub(super) fn session_key(owner: &Owner, id: &str) -> String {
    if *owner == Owner::local() && !id.contains('@') { id.to_owned() } else { format!("{owner}@{id}") }
}

impl SessionRecord {
    /// The text under which a store keeps it.
    pub(super) fn key(&self) -> String {
        session_key(&self.owner, &self.id)
    }

    /// Reads the entry of a store under this key.
    pub(super) fn read(key: &str, json: &[u8]) -> SessionEntry {
        let why = match serde_json::from_slice::<Self>(json) {
            Ok(record) if record.key() == key => return Ok(record),
            Ok(_) => "the record is that of another session".to_owned(),
            Err(error) => shown(&error),
        };
        let parts: Value = serde_json::from_slice(json).unwrap_or_default();
        let (owner, id) = match key.split_once('@') {
            Some((owner, id)) => (owner.parse().ok(), id),
            None => (Owner::deserialize(&parts["owner"]).ok(), key),
        };
        let snapshot = SnapshotId::deserialize(&parts["snapshot"]).ok();
        let expires = expiry_of(&parts["state"]);
        Err(UnreadableSession { id: id.to_owned(), owner, snapshot, expires, why })
    }
}

/// When a session ends, by the `state` of its record: the deadline is there whatever else is not as this version knows it.
pub fn expiry_of(state: &Value) -> Option<Timestamp> {
    state["expiresAt"].as_u64().map(Timestamp)
}

/// The problem with a record, in few words: an error can repeat the whole record.
fn shown(error: &serde_json::Error) -> String {
    const LONGEST: usize = 200;
    let what = if error.is_data() { "" } else { "it is not JSON: " };
    format!("{what}{error}").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_two_owners_have_two_keys() {
        let (local, acme): (Owner, Owner) = (Owner::local(), "acme".parse().expect("an owner"));
        assert_eq!(session_key(&local, "an-id"), "an-id");
        let keys = [(&local, "an-id"), (&acme, "an-id"), (&local, "acme@an-id"), (&acme, "local@an-id")];
        let keys: std::collections::BTreeSet<_> = keys.iter().map(|(owner, id)| session_key(owner, id)).collect();
        assert_eq!(keys.len(), 4, "{keys:?}");
    }

    #[test]
    fn a_timestamp_is_shown_as_a_date() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00Z"),
            (4_102_444_799_000, "2099-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-30T22:00:00Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), shown);
        }
    }
}
