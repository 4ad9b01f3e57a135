//! What is done with a store now and then: delete what has expired, seal anew with another key.

use std::time::Duration;

use super::{BATCH, Commit, Owner, Reader, Store, StoreError, Timestamp, Writer};
use crate::config::StoreLimits;

/// How often a server looks for what has expired.
const INTERVAL: Duration = Duration::from_secs(60);

/// What [`Store::rekey`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Sealed anew.
    pub sealed: u64,
    /// As they should be already.
    pub kept: u64,
}

impl Store {
    /// Deletes what has expired; how many these were.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        self.0.backend.sweep(Timestamp::now()).await
    }

    /// Sweeps every minute, for ever. Its failures are logged, and end nothing.
    pub async fn keep_clean(&self) {
        loop {
            match self.sweep().await {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "snapshots have expired"),
                Err(error) => tracing::warn!(%error, "expired snapshots could not be looked for"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Seals with the first key what is sealed with another or not at all; without a key, leaves everything unsealed.
    /// Can be interrupted and run again: each snapshot is as it was or as it shall be.
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
                    writer.finish(|meta| Commit { replaces: Some(meta.id), meta, limits }).await
                };
                match copied.await {
                    Ok(_) => done.sealed += 1,
                    // Deleted meanwhile.
                    Err(StoreError::Missing { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
