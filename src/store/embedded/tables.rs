//! The tables of the file, and what is done with them inside one transaction.

use redb::{ReadTransaction, ReadableTable as _, TableDefinition, TableError, WriteTransaction};
use serde::de::DeserializeOwned;

use super::{Commit, Fault, Meta, Owner, SessionRecord, SnapshotId, StoreError, Timestamp, Usage};
use crate::store::BlobId;

/// The layout of the tables written here.
pub(super) const LAYOUT: u64 = 1;

/// `layout` -> [`LAYOUT`].
const FORMAT: TableDefinition<'_, &str, u64> = TableDefinition::new("format");
/// Owner and id -> [`Meta`] as JSON. Ids sort by time, so a range of this is a list.
const SNAPSHOTS: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("snapshots");
/// Blob and number -> a chunk.
const CHUNKS: TableDefinition<'_, (u128, u32), &[u8]> = TableDefinition::new("chunks");
/// Blobs that are not committed.
const PENDING: TableDefinition<'_, u128, ()> = TableDefinition::new("pending");
/// Time, owner and id.
const EXPIRY: TableDefinition<'_, (u64, &str, u128), ()> = TableDefinition::new("expiry");
/// Owner -> bytes and snapshots.
const USAGE: TableDefinition<'_, &str, (u64, u64)> = TableDefinition::new("usage");
/// Session -> [`SessionRecord`] as JSON.
const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");

/// The tables, within a transaction.
pub(super) struct Tables<T>(pub(super) T);

impl Tables<WriteTransaction> {
    /// Makes the tables that are missing, so that readers find them all, and frees what was being written when the last
    /// process ended.
    pub(super) fn prepare(&self) -> Result<(), Fault> {
        let mut format = self.0.open_table(FORMAT)?;
        let found = format.get("layout")?.map_or(LAYOUT, |found| found.value());
        if found > LAYOUT {
            return Err(StoreError::Newer { what: "the store".to_owned(), found, known: LAYOUT }.into());
        }
        format.insert("layout", LAYOUT)?;
        self.0.open_table(SNAPSHOTS)?;
        self.0.open_table(EXPIRY)?;
        self.0.open_table(USAGE)?;
        self.0.open_table(SESSIONS)?;
        let mut pending = self.0.open_table(PENDING)?;
        while let Some((blob, _)) = pending.pop_first()? {
            self.free(blob.value())?;
        }
        self.0.open_table(CHUNKS)?;
        Ok(())
    }

    pub(super) fn begin(&self, blob: BlobId) -> Result<(), Fault> {
        self.0.open_table(PENDING)?.insert(blob.number(), ())?;
        Ok(())
    }

    pub(super) fn append(&self, blob: BlobId, number: u32, chunk: &[u8]) -> Result<(), Fault> {
        if self.0.open_table(PENDING)?.get(blob.number())?.is_none() {
            return Err(StoreError::Abandoned.into());
        }
        self.0.open_table(CHUNKS)?.insert((blob.number(), number), chunk)?;
        Ok(())
    }

    pub(super) fn commit(&self, commit: &Commit) -> Result<(), Fault> {
        let meta = &commit.meta;
        if self.0.open_table(PENDING)?.remove(meta.blob.number())?.is_none() {
            return Err(StoreError::Abandoned.into());
        }
        if let Some(replaced) = commit.replaces {
            let removed = self.remove(&meta.owner, replaced)?;
            if removed.is_none() && replaced == meta.id {
                return Err(StoreError::Missing { id: meta.id }.into());
            }
        }
        let after = commit.fits(usage(&self.0.open_table(USAGE)?, &meta.owner)?)?;
        self.0.open_table(USAGE)?.insert(meta.owner.as_str(), (after.bytes, after.count))?;
        self.put(meta)
    }

    pub(super) fn abandon(&self, blob: BlobId) -> Result<(), Fault> {
        if self.0.open_table(PENDING)?.remove(blob.number())?.is_some() {
            self.free(blob.number())?;
        }
        Ok(())
    }

    pub(super) fn remove(&self, owner: &Owner, id: SnapshotId) -> Result<Option<Meta>, Fault> {
        let mut snapshots = self.0.open_table(SNAPSHOTS)?;
        let Some(json) = snapshots.remove((owner.as_str(), id.number()))? else { return Ok(None) };
        let meta: Meta = from_json(json.value(), "a snapshot")?;
        self.forget_expiry(&meta)?;
        self.free(meta.blob.number())?;
        let mut usages = self.0.open_table(USAGE)?;
        let before = usage(&usages, owner)?;
        let after = (before.bytes.saturating_sub(meta.stored), before.count.saturating_sub(1));
        usages.insert(owner.as_str(), after)?;
        Ok(Some(meta))
    }

    pub(super) fn set_expiry(&self, owner: &Owner, id: SnapshotId, expires: Option<Timestamp>) -> Result<bool, Fault> {
        let meta: Meta = {
            let snapshots = self.0.open_table(SNAPSHOTS)?;
            match snapshots.get((owner.as_str(), id.number()))? {
                Some(json) => from_json(json.value(), "a snapshot")?,
                None => return Ok(false),
            }
        };
        self.forget_expiry(&meta)?;
        self.put(&Meta { expires, ..meta })?;
        Ok(true)
    }

    /// Those of `expired` that are still there and have not been given more time since.
    pub(super) fn remove_expired(&self, expired: &[(Owner, SnapshotId)], now: Timestamp) -> Result<u64, Fault> {
        let mut gone = 0;
        for (owner, id) in expired {
            let json = |json: &[u8]| from_json::<Meta>(json, "a snapshot");
            let meta =
                self.0.open_table(SNAPSHOTS)?.get((owner.as_str(), id.number()))?.map(|found| json(found.value()));
            if meta.transpose()?.is_some_and(|meta| meta.is_expired(now)) {
                self.remove(owner, *id)?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    pub(super) fn put_session(&self, record: &SessionRecord) -> Result<(), Fault> {
        self.0.open_table(SESSIONS)?.insert(record.id.as_str(), &*to_json(record)?)?;
        Ok(())
    }

    pub(super) fn take_session(&self, id: &str) -> Result<Option<SessionRecord>, Fault> {
        let mut sessions = self.0.open_table(SESSIONS)?;
        let taken = sessions.remove(id)?;
        taken.map(|json| from_json(json.value(), "a session")).transpose()
    }

    fn put(&self, meta: &Meta) -> Result<(), Fault> {
        let (owner, id) = (meta.owner.as_str(), meta.id.number());
        self.0.open_table(SNAPSHOTS)?.insert((owner, id), &*to_json(meta)?)?;
        if let Some(expires) = meta.expires {
            self.0.open_table(EXPIRY)?.insert((expires.0, owner, id), ())?;
        }
        Ok(())
    }

    fn forget_expiry(&self, meta: &Meta) -> Result<(), Fault> {
        if let Some(expires) = meta.expires {
            self.0.open_table(EXPIRY)?.remove((expires.0, meta.owner.as_str(), meta.id.number()))?;
        }
        Ok(())
    }

    fn free(&self, blob: u128) -> Result<(), Fault> {
        self.0.open_table(CHUNKS)?.retain_in((blob, 0)..=(blob, u32::MAX), |_, _| false)?;
        Ok(())
    }
}

impl Tables<ReadTransaction> {
    pub(super) fn chunk(&self, blob: BlobId, number: u32) -> Result<Option<Vec<u8>>, Fault> {
        let chunk = self.0.open_table(CHUNKS)?.get((blob.number(), number))?;
        Ok(chunk.map(|chunk| chunk.value().to_vec()))
    }

    pub(super) fn meta(&self, owner: &Owner, id: SnapshotId) -> Result<Option<Meta>, Fault> {
        let json = self.0.open_table(SNAPSHOTS)?.get((owner.as_str(), id.number()))?;
        json.map(|json| from_json(json.value(), "a snapshot")).transpose()
    }

    pub(super) fn list(&self, owner: &Owner, before: Option<SnapshotId>, limit: usize) -> Result<Vec<Meta>, Fault> {
        let end = before.map_or(u128::MAX, SnapshotId::number);
        let snapshots = self.0.open_table(SNAPSHOTS)?;
        let range = snapshots.range((owner.as_str(), 0)..(owner.as_str(), end))?;
        range.rev().take(limit).map(|entry| from_json(entry?.1.value(), "a snapshot")).collect()
    }

    pub(super) fn owners(&self) -> Result<Vec<Owner>, Fault> {
        let usages = self.0.open_table(USAGE)?;
        usages.iter()?.map(|entry| Ok(entry?.0.value().parse::<Owner>()?)).collect()
    }

    pub(super) fn expired(&self, now: Timestamp) -> Result<Vec<(Owner, SnapshotId)>, Fault> {
        let expiry = self.0.open_table(EXPIRY)?;
        let range = expiry.range(..=(now.0, "\u{10ffff}", u128::MAX))?;
        let read = range.map(|entry| {
            let (key, _) = entry?;
            let (_, owner, id) = key.value();
            Ok((owner.parse::<Owner>()?, SnapshotId::from(id)))
        });
        read.collect()
    }

    pub(super) fn usage(&self, owner: &Owner) -> Result<Usage, Fault> {
        usage(&self.0.open_table(USAGE)?, owner)
    }

    /// What all owners have together.
    pub(super) fn bytes(&self) -> Result<u64, Fault> {
        let usages = match self.0.open_table(USAGE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(0),
            usages => usages?,
        };
        let mut bytes = 0;
        for entry in usages.iter()? {
            bytes += entry?.1.value().0;
        }
        Ok(bytes)
    }

    pub(super) fn session(&self, id: &str) -> Result<Option<SessionRecord>, Fault> {
        let json = self.0.open_table(SESSIONS)?.get(id)?;
        json.map(|json| from_json(json.value(), "a session")).transpose()
    }

    pub(super) fn sessions(&self) -> Result<Vec<SessionRecord>, Fault> {
        let sessions = self.0.open_table(SESSIONS)?;
        sessions.iter()?.map(|entry| from_json(entry?.1.value(), "a session")).collect()
    }
}

fn usage(usages: &impl redb::ReadableTable<&'static str, (u64, u64)>, owner: &Owner) -> Result<Usage, Fault> {
    let (bytes, count) = usages.get(owner.as_str())?.map_or((0, 0), |usage| usage.value());
    Ok(Usage { bytes, count })
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| unreadable("a record", &error))
}

fn from_json<T: DeserializeOwned>(json: &[u8], what: &'static str) -> Result<T, Fault> {
    serde_json::from_slice(json).map_err(|error| unreadable(what, &error))
}

fn unreadable(what: &'static str, error: &serde_json::Error) -> Fault {
    StoreError::Invalid { what, problem: format!("in the store is not as this ghostmux writes it: {error}") }.into()
}
