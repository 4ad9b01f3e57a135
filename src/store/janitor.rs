//! Maintenance of a store: deletes expired snapshots, and re-encrypts with another key.

use std::time::Duration;

use super::{BATCH, Commit, Owner, Reader, Store, StoreError, Timestamp, Writer};
use crate::config::StoreLimits;

/// Interval of the search for expired snapshots.
const INTERVAL: Duration = Duration::from_secs(60);

/// The result of [`Store::rekey`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Snapshots that were re-encrypted.
    pub sealed: u64,
    /// Snapshots that needed no change.
    pub kept: u64,
}

impl Store {
    /// Deletes expired snapshots. Returns their number.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        self.0.backend.sweep(Timestamp::now()).await
    }

    /// Sweeps every minute, in an endless loop. Errors are logged and do not end it.
    pub async fn keep_clean(&self) {
        loop {
            match self.sweep().await {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "snapshots have expired"),
                Err(error) => tracing::warn!(%error, "expired snapshots could not be searched"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Encrypts with the first key every snapshot that is encrypted with another key or not at all; without a key,
    /// stores every snapshot unencrypted. Can be interrupted and run again: each snapshot is in its old or its new
    /// state.
    pub async fn rekey(&self) -> Result<Rekeyed, StoreError> {
        let mut done = Rekeyed::default();
        for owner in self.owners().await? {
            self.rekey_owner(&owner, &mut done).await?;
        }
        Ok(done)
    }

    async fn rekey_owner(&self, owner: &Owner, done: &mut Rekeyed) -> Result<(), StoreError> {
        let wanted = self.0.keys.sealing().map(super::seal::name);
        let mut before = None;
        loop {
            let batch = self.0.backend.list(owner, before, BATCH).await?;
            if batch.is_empty() {
                return Ok(());
            }
            for meta in batch {
                let meta = meta?;
                before = Some(meta.id);
                if meta.key == wanted {
                    done.kept += 1;
                    continue;
                }
                let mut reader = Reader::of(self, meta.clone())?;
                let mut writer = Writer::again(self, meta.clone()).await?;
                let copied = async {
                    while let Some(bytes) = reader.next().await? {
                        writer.write(&bytes).await?;
                    }
                    let limits = StoreLimits::NONE;
                    writer.finish(|meta| Commit { replaces: Some(meta.id), meta, limits, lease: None }).await
                };
                match copied.await {
                    Ok(_) => done.sealed += 1,
                    // The snapshot was deleted meanwhile.
                    Err(StoreError::Missing { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
