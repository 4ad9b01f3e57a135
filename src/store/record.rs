//! What a store keeps beside the bytes.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    StoreError,
    ids::{BlobId, SnapshotId},
};
use crate::api_types::Owner;

/// Longest name of a snapshot, in bytes.
const LONGEST_NAME: usize = 200;
/// Largest metadata or counts, in bytes of JSON.
const LARGEST_METADATA: usize = 16 << 10;

/// Milliseconds since 1970, UTC. Shown as `2026-11-25T20:30:15Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// By this machine's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// That much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        // Howard Hinnant's civil_from_days: years that begin in March end with the leap day.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// What is known of a snapshot without reading it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Its id.
    pub id: SnapshotId,
    /// Whose it is.
    pub owner: Owner,
    /// What its owner calls it; need not be unique.
    pub name: Option<String>,
    /// What else its owner wants to know of it.
    pub metadata: Map<String, Value>,
    /// What is in it, in the words of who wrote it.
    pub counts: Value,
    /// When it was begun.
    pub created: Timestamp,
    /// When it goes by itself.
    pub expires: Option<Timestamp>,
    /// Bytes of its content.
    pub raw: u64,
    /// Bytes that it takes in the store.
    pub stored: u64,
    /// How many chunks these are.
    pub chunks: u32,
    /// The format of the chunks: [`super::seal::FORMAT`] of who wrote it.
    pub format: u16,
    /// The key that sealed it; `None` if it is not encrypted.
    pub key: Option<KeyName>,
    /// Where its chunks are.
    pub blob: BlobId,
}

impl Meta {
    /// What a store has under this owner and id.
    pub(super) fn read(owner: &Owner, id: SnapshotId, json: &[u8]) -> Result<Self, UnreadableSnapshot> {
        let meta: Self = serde_json::from_slice(json).map_err(|error| UnreadableSnapshot { id, why: shown(&error) })?;
        if (&meta.owner, meta.id) != (owner, id) {
            return Err(UnreadableSnapshot { id, why: "it is the record of another snapshot".to_owned() });
        }
        Ok(meta)
    }

    /// Its time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A key's name, and enough of a digest to tell whether a key of that name is that key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyName {
    /// As `store_key` calls it.
    pub id: String,
    /// Sixteen hexadecimal digits of a digest of the secret.
    pub check: String,
}

/// A snapshot that is about to be written.
#[derive(Debug, Clone)]
pub struct New {
    /// Whose it will be.
    pub owner: Owner,
    /// What its owner calls it: up to 200 bytes without control characters.
    pub name: Option<String>,
    /// What else its owner wants to know of it: up to 16 KiB of JSON.
    pub metadata: Map<String, Value>,
    /// When it goes by itself.
    pub expires: Expires,
    /// The owner's snapshot that goes in the moment this one is there, if it still is.
    pub replaces: Option<SnapshotId>,
}

impl New {
    /// One without a name that is kept for as long as the settings say.
    pub fn of(owner: Owner) -> Self {
        Self { owner, name: None, metadata: Map::new(), expires: Expires::ByDefault, replaces: None }
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        let name = self.name.as_deref().unwrap_or_default();
        if name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            let problem = format!("may have {LONGEST_NAME} bytes, and no control characters");
            return Err(StoreError::Invalid { what: "the name of a snapshot", problem });
        }
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

/// When a snapshot goes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    /// After `snapshot_ttl`.
    ByDefault,
    /// Only when it is deleted.
    Never,
    /// At this time.
    At(Timestamp),
}

/// Which snapshots to list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only those with this in their name, in whatever case.
    pub name: Option<String>,
    /// Only those older than this one: where the page before ended.
    pub before: Option<SnapshotId>,
    /// How many at most, 1 to 1000.
    pub limit: usize,
}

/// Some snapshots, the newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// With the unreadable ones at most as many as asked for.
    pub snapshots: Vec<Meta>,
    /// Those that are there, and of which no more can be said. None where a name is asked for.
    pub unreadable: Vec<UnreadableSnapshot>,
    /// There may be more: ask for those before this one.
    pub next: Option<SnapshotId>,
}

/// A snapshot whose record cannot be read: another version wrote it, or something damaged it. It can be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableSnapshot {
    /// Its id.
    pub id: SnapshotId,
    /// What is wrong with its record.
    pub why: String,
}

impl From<UnreadableSnapshot> for StoreError {
    fn from(UnreadableSnapshot { id, why }: UnreadableSnapshot) -> Self {
        Self::Corrupt { id, what: format!("its record cannot be read: {why}") }
    }
}

/// What an owner has in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreUsage {
    /// Bytes as stored.
    pub bytes: u64,
    /// Snapshots.
    pub count: u64,
}

/// A session that is not live and can be brought back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The session's id.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// What to restore it from.
    pub snapshot: Option<SnapshotId>,
    /// All else that is to be known of it: its name, its deadlines. Up to 16 KiB of JSON.
    pub state: Value,
}

/// What a store has under the id of a session.
pub type SessionEntry = Result<SessionRecord, UnreadableSession>;

/// A session whose record cannot be read: another version wrote it, or something damaged it. It can be deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct UnreadableSession {
    /// Its id.
    pub id: String,
    /// Whose it is, if that much can be read.
    pub owner: Option<Owner>,
    /// What it was to be restored from, if that much can be read.
    pub snapshot: Option<SnapshotId>,
    /// What is wrong with its record.
    pub why: String,
}

impl UnreadableSession {
    /// Whether it is this owner's. One whose owner cannot be read is [`Owner::local`]'s, and no tenant's.
    pub fn is_of(&self, owner: &Owner) -> bool {
        self.owner.as_ref().unwrap_or(&Owner::local()) == owner
    }
}

impl From<UnreadableSession> for StoreError {
    fn from(UnreadableSession { id, why, .. }: UnreadableSession) -> Self {
        Self::UnreadableSession { id, why }
    }
}

impl SessionRecord {
    /// What a store has under this id.
    pub(super) fn read(id: &str, json: &[u8]) -> SessionEntry {
        let why = match serde_json::from_slice::<Self>(json) {
            Ok(record) if record.id == id => return Ok(record),
            Ok(_) => "it is the record of another session".to_owned(),
            Err(error) => shown(&error),
        };
        let parts: Value = serde_json::from_slice(json).unwrap_or_default();
        let owner = Owner::deserialize(&parts["owner"]).ok();
        let snapshot = SnapshotId::deserialize(&parts["snapshot"]).ok();
        Err(UnreadableSession { id: id.to_owned(), owner, snapshot, why })
    }
}

/// What is wrong with a record, in few words: an error can repeat all that it was about.
fn shown(error: &serde_json::Error) -> String {
    const LONGEST: usize = 200;
    let what = if error.is_data() { "" } else { "it is not JSON: " };
    format!("{what}{error}").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_shown_as_a_date() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00Z"),
            (4_102_444_799_000, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), shown);
        }
    }
}
