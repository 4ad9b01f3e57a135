//! The tables of the file, and the operations on them inside one transaction.

use std::ops::Bound;

use redb::{
    ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, TableDefinition, TableError, WriteTransaction,
};
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    Commit, Fault, Listed, Meta, Owner, SessionEntry, SessionRecord, SnapshotId, StoreError, StoreUsage, Timestamp,
};
use crate::store::BlobId;

/// The layout of the tables that this version writes.
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
/// Owner and name of a profile -> id of the snapshot that it has.
const PROFILES: TableDefinition<'_, (&str, &str), u128> = TableDefinition::new("profiles");
/// [Key](SessionRecord::key) of a session -> [`SessionRecord`] as JSON.
const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");

/// The tables, within a transaction.
pub(super) struct Tables<T>(pub(super) T);

impl Tables<WriteTransaction> {
    /// Creates missing tables, so that readers find them all, and frees the blobs that were being written when the last
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
        self.0.open_table(PROFILES)?;
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
            if !removed && replaced == meta.id {
                return Err(StoreError::Missing { id: meta.id }.into());
            }
        }
        if let Some(profile) = &meta.profile {
            let former = {
                let mut profiles = self.0.open_table(PROFILES)?;
                let former = profiles.insert((meta.owner.as_str(), &**profile), meta.id.number())?;
                former.map(|id| SnapshotId::from(id.value()))
            };
            if let Some(former) = former.filter(|former| *former != meta.id) {
                self.remove(&meta.owner, former)?;
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

    /// Deletes a snapshot; `false` if there is none.
    pub(super) fn remove(&self, owner: &Owner, id: SnapshotId) -> Result<bool, Fault> {
        let mut snapshots = self.0.open_table(SNAPSHOTS)?;
        let Some(json) = snapshots.remove((owner.as_str(), id.number()))?.map(|json| json.value().to_vec()) else {
            return Ok(false);
        };
        let mut usages = self.0.open_table(USAGE)?;
        let before = usage(&usages, owner)?;
        let bytes = if let Ok(meta) = Meta::read(owner, id, &json) {
            self.forget_expiry(&meta)?;
            self.free(meta.blob.number())?;
            self.forget_profile(&meta)?;
            before.bytes.saturating_sub(meta.stored)
        } else {
            // The readable parts are handled, and the owner's usage is counted again: this is rare.
            let key = (owner.as_str(), id.number());
            self.0.open_table(EXPIRY)?.retain(|(_, whose, which), ()| (whose, which) != key)?;
            if let Ok(blob) = BlobId::deserialize(&parts(&json)["blob"]) {
                self.free(blob.number())?;
            }
            let mut bytes = 0_u64;
            for entry in snapshots.range((owner.as_str(), 0)..=(owner.as_str(), u128::MAX))? {
                bytes = bytes.saturating_add(parts(entry?.1.value())["stored"].as_u64().unwrap_or(0));
            }
            bytes
        };
        usages.insert(owner.as_str(), (bytes, before.count.saturating_sub(1)))?;
        Ok(true)
    }

    pub(super) fn set_expiry(&self, owner: &Owner, id: SnapshotId, expires: Option<Timestamp>) -> Result<bool, Fault> {
        let meta: Meta = {
            let snapshots = self.0.open_table(SNAPSHOTS)?;
            match snapshots.get((owner.as_str(), id.number()))? {
                Some(json) => Meta::read(owner, id, json.value()).map_err(StoreError::from)?,
                None => return Ok(false),
            }
        };
        self.forget_expiry(&meta)?;
        self.put(&Meta { expires, ..meta })?;
        Ok(true)
    }

    /// Deletes those of `expired` that still exist and whose expiry was not extended since.
    pub(super) fn remove_expired(&self, expired: &[(Owner, SnapshotId)], now: Timestamp) -> Result<u64, Fault> {
        let mut gone = 0;
        for (owner, id) in expired {
            let read = |json: redb::AccessGuard<'_, &[u8]>| Meta::read(owner, *id, json.value());
            let meta = self.0.open_table(SNAPSHOTS)?.get((owner.as_str(), id.number()))?.map(read);
            // The expiry of an unreadable snapshot cannot have been changed since.
            if meta.is_some_and(|meta| meta.map_or(true, |meta| meta.is_expired(now))) {
                self.remove(owner, *id)?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    pub(super) fn put_session(&self, record: &SessionRecord) -> Result<(), Fault> {
        self.0.open_table(SESSIONS)?.insert(record.key().as_str(), &*to_json(record)?)?;
        Ok(())
    }

    pub(super) fn take_session(&self, id: &str) -> Result<Option<SessionRecord>, Fault> {
        let mut sessions = self.0.open_table(SESSIONS)?;
        // An unreadable record is not lost: the error undoes the transaction.
        let taken = sessions.remove(id)?.map(|json| SessionRecord::read(id, json.value()));
        Ok(taken.transpose().map_err(StoreError::from)?)
    }

    pub(super) fn remove_session(&self, id: &str) -> Result<bool, Fault> {
        Ok(self.0.open_table(SESSIONS)?.remove(id)?.is_some())
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

    /// The profile whose state a snapshot was has none, unless it has another one by now.
    fn forget_profile(&self, meta: &Meta) -> Result<(), Fault> {
        let Some(profile) = &meta.profile else { return Ok(()) };
        let (mut profiles, key) = (self.0.open_table(PROFILES)?, (meta.owner.as_str(), &**profile));
        if profiles.get(key)?.is_some_and(|id| id.value() == meta.id.number()) {
            profiles.remove(key)?;
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
        Ok(json.map(|json| Meta::read(owner, id, json.value())).transpose().map_err(StoreError::from)?)
    }

    pub(super) fn list(&self, owner: &Owner, before: Option<SnapshotId>, limit: usize) -> Result<Vec<Listed>, Fault> {
        let end = before.map_or(u128::MAX, SnapshotId::number);
        let snapshots = self.0.open_table(SNAPSHOTS)?;
        let range = snapshots.range((owner.as_str(), 0)..(owner.as_str(), end))?;
        let read = |(key, json): (redb::AccessGuard<'_, (&str, u128)>, redb::AccessGuard<'_, &[u8]>)| {
            Meta::read(owner, SnapshotId::from(key.value().1), json.value())
        };
        range.rev().take(limit).map(|entry| Ok(read(entry?))).collect()
    }

    pub(super) fn profile(&self, owner: &Owner, name: &str) -> Result<Option<SnapshotId>, Fault> {
        let profiles = self.0.open_table(PROFILES)?;
        Ok(profiles.get((owner.as_str(), name))?.map(|id| SnapshotId::from(id.value())))
    }

    pub(super) fn profiles(
        &self,
        owner: &Owner,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, SnapshotId)>, Fault> {
        let profiles = self.0.open_table(PROFILES)?;
        let start = Bound::Excluded((owner.as_str(), after));
        // Names of profiles are ASCII.
        let end = Bound::Excluded((owner.as_str(), "\u{10ffff}"));
        let range = profiles.range::<(&str, &str)>((start, end))?;
        let read = range.take(limit).map(|entry| {
            let (key, id) = entry?;
            Ok((key.value().1.to_owned(), SnapshotId::from(id.value())))
        });
        read.collect()
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

    pub(super) fn usage(&self, owner: &Owner) -> Result<StoreUsage, Fault> {
        usage(&self.0.open_table(USAGE)?, owner)
    }

    /// The bytes of all owners together.
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

    pub(super) fn session(&self, id: &str) -> Result<Option<SessionEntry>, Fault> {
        let json = self.0.open_table(SESSIONS)?.get(id)?;
        Ok(json.map(|json| SessionRecord::read(id, json.value())))
    }

    pub(super) fn count_sessions(&self) -> Result<u64, Fault> {
        Ok(self.0.open_table(SESSIONS)?.len()?)
    }

    pub(super) fn sessions(&self) -> Result<Vec<SessionEntry>, Fault> {
        let sessions = self.0.open_table(SESSIONS)?;
        let read = |(id, json): (redb::AccessGuard<'_, &str>, redb::AccessGuard<'_, &[u8]>)| {
            SessionRecord::read(id.value(), json.value())
        };
        sessions.iter()?.map(|entry| Ok(read(entry?))).collect()
    }
}

fn usage(usages: &impl redb::ReadableTable<&'static str, (u64, u64)>, owner: &Owner) -> Result<StoreUsage, Fault> {
    let (bytes, count) = usages.get(owner.as_str())?.map_or((0, 0), |usage| usage.value());
    Ok(StoreUsage { bytes, count })
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, Fault> {
    let unwritten = |error| StoreError::Invalid { what: "a record", problem: format!("cannot be written: {error}") };
    serde_json::to_vec(value).map_err(|error| unwritten(error).into())
}

/// The content of a record, as far as it is JSON.
fn parts(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_default()
}
