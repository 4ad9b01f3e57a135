//! Writes a snapshot to the store and reads it, one chunk at a time: memory does not grow with its size.

use std::{io, sync::Arc};

use futures_util::stream;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncReadExt as _, DuplexStream};
use tokio_util::io::StreamReader;

use super::{
    BlobId, Commit, Meta, New, ProfileLease, SnapshotId, Store, StoreError, Timestamp,
    record::check_size,
    seal::{self, CHUNK, Place},
};
use crate::config::StoreLimits;

/// Bytes that may wait between the producer of content and the writer.
const PIPE: usize = 1 << 16;

/// A snapshot that is being written. It is invisible before [`Writer::commit`]; dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    meta: Meta,
    replaces: Option<SnapshotId>,
    limits: StoreLimits,
    lease: Option<Arc<ProfileLease>>,
    /// Bytes that its owner had left at the last look. The commit decides.
    room: Option<u64>,
    buffer: Vec<u8>,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A chunk could not be written, so the snapshot can never be complete.
    Failed,
    Done,
}

impl Writer {
    pub(super) async fn begin(store: &Store, new: New) -> Result<Self, StoreError> {
        let created = Timestamp::now();
        let meta = Meta {
            id: SnapshotId::new(),
            expires: store.expiry(new.expires),
            owner: new.owner,
            name: new.name,
            profile: new.profile,
            metadata: new.metadata,
            counts: Value::Null,
            created,
            raw: 0,
            stored: 0,
            chunks: 0,
            format: seal::FORMAT,
            key: store.0.keys.sealing().map(seal::name),
            blob: BlobId::new(),
        };
        let limits = store.0.limits;
        let limits = StoreLimits { count: new.most.unwrap_or(u64::MAX).min(limits.count), ..limits };
        let mut writer = Self::start(store, meta, new.replaces, limits).await?;
        writer.lease = new.lease;
        Ok(writer)
    }

    /// Writes an existing snapshot again, with the same metadata except its blob and its key.
    pub(super) async fn again(store: &Store, meta: Meta) -> Result<Self, StoreError> {
        let key = store.0.keys.sealing().map(seal::name);
        let again = Meta { raw: 0, stored: 0, chunks: 0, format: seal::FORMAT, key, blob: BlobId::new(), ..meta };
        Self::start(store, again, None, StoreLimits::NONE).await
    }

    async fn start(
        store: &Store,
        meta: Meta,
        replaces: Option<SnapshotId>,
        limits: StoreLimits,
    ) -> Result<Self, StoreError> {
        store.0.backend.begin(meta.blob).await?;
        let (store, state) = (store.clone(), State::Open);
        Ok(Self { store, meta, replaces, limits, lease: None, room: None, buffer: Vec::new(), state })
    }

    /// The id that the snapshot will have.
    pub fn id(&self) -> SnapshotId {
        self.meta.id
    }

    /// Adds content.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        if self.meta.raw.saturating_add(bytes.len() as u64) > self.limits.snapshot {
            self.state = State::Failed;
            return Err(StoreError::TooLarge { limit: self.limits.snapshot });
        }
        self.meta.raw += bytes.len() as u64;
        while !bytes.is_empty() {
            // Only if more follows: whether a chunk is the last is part of its encryption.
            if self.buffer.len() == CHUNK {
                self.flush(false).await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Adds everything that `make` writes, and returns the result of `make`. If the store refuses, `make` gets an error
    /// of the pipe, and this function returns the store's error.
    pub async fn fill<F: Future>(&mut self, make: impl FnOnce(DuplexStream) -> F) -> Result<F::Output, StoreError> {
        let (to, mut from) = tokio::io::duplex(PIPE);
        let copy = async move {
            let mut piece = vec![0; PIPE];
            loop {
                match from.read(&mut piece).await {
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(read) => self.write(&piece[..read]).await?,
                }
            }
        };
        let (output, copied) = tokio::join!(make(to), copy);
        copied.map(|()| output)
    }

    /// Makes it a snapshot of its owner, with counts of its content, if its owner has the room.
    pub async fn commit(mut self, counts: Value) -> Result<Meta, StoreError> {
        check_size("the counts of a snapshot", &counts)?;
        self.meta.counts = counts;
        let (replaces, limits, lease) = (self.replaces, self.limits, self.lease.take());
        self.finish(|meta| Commit { meta, replaces, limits, lease }).await
    }

    pub(super) async fn finish(mut self, commit: impl FnOnce(Meta) -> Commit) -> Result<Meta, StoreError> {
        self.flush(true).await?;
        let commit = commit(self.meta.clone());
        let mut done = self.store.0.backend.commit(commit.clone()).await;
        // Expired snapshots do not count, but may still be in the store.
        if matches!(done, Err(StoreError::Quota { .. })) && self.store.sweep().await? > 0 {
            done = self.store.0.backend.commit(commit).await;
        }
        done?;
        self.state = State::Done;
        Ok(self.meta.clone())
    }

    async fn flush(&mut self, last: bool) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.state, State::Failed) != State::Open {
            return Err(StoreError::Abandoned);
        }
        let (store, meta) = (self.store.clone(), self.meta.clone());
        let content = std::mem::take(&mut self.buffer);
        let sealed = blocking(move || {
            let place = Place { last, ..Place::of(&meta, meta.chunks) };
            let sealed = seal::seal(store.0.keys.sealing(), place, &content);
            sealed.map(|sealed| (sealed, content))
        });
        let (sealed, mut content) = sealed.await?;
        content.clear();
        self.buffer = content;
        self.meta.stored += sealed.len() as u64;
        if !last {
            self.check_room().await?;
        }
        self.store.0.backend.append(self.meta.blob, self.meta.chunks, sealed).await?;
        self.meta.chunks += 1;
        self.state = State::Open;
        Ok(())
    }

    /// Fails early if the owner's quota cannot suffice, before the disk is full. The commit decides.
    async fn check_room(&mut self) -> Result<(), StoreError> {
        let room = match self.room {
            Some(room) => room,
            None => *self.room.insert(self.find_room().await?),
        };
        if self.meta.stored <= room {
            return Ok(());
        }
        let (owner, limit) = (self.meta.owner.clone(), self.limits.bytes);
        Err(StoreError::Quota { owner, limit, what: "bytes", setting: "snapshot_quota" })
    }

    async fn find_room(&self) -> Result<u64, StoreError> {
        let limit = self.limits.bytes;
        // The snapshot that it replaces may be most of the owner's usage.
        if self.replaces.is_some() || self.meta.profile.is_some() {
            return Ok(limit);
        }
        let mut used = self.store.usage(&self.meta.owner).await?.bytes;
        // Expired snapshots do not count, but may still be in the store.
        if used > limit / 2 && self.store.sweep().await? > 0 {
            used = self.store.usage(&self.meta.owner).await?.bytes;
        }
        Ok(limit.saturating_sub(used))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.state == State::Done {
            return;
        }
        // Without a runtime the process is about to end; the rest is swept when the store is opened.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, blob) = (self.store.clone(), self.meta.blob);
            runtime.spawn(async move {
                if let Err(error) = store.0.backend.abandon(blob).await {
                    tracing::warn!(%error, "the chunks of an abandoned snapshot could not be deleted");
                }
            });
        }
    }
}

/// A snapshot that is being read.
#[derive(Debug)]
pub struct Reader {
    store: Store,
    meta: Arc<Meta>,
    next: u32,
    read: u64,
}

impl Reader {
    pub(super) fn of(store: &Store, meta: Meta) -> Result<Self, StoreError> {
        // Checked before the first byte is read: whether the key is available.
        seal::key_of(&meta, &store.0.keys)?;
        Ok(Self { store: store.clone(), meta: Arc::new(meta), next: 0, read: 0 })
    }

    /// The metadata of the snapshot.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The content as a stream. Its errors are [`StoreError`]s inside of [`io::Error`]s.
    pub fn into_read(self) -> impl AsyncBufRead + Send + Unpin {
        let pieces = stream::try_unfold(self, async |mut reader: Self| {
            let piece = reader.next().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(piece.map(|piece| (bytes::Bytes::from(piece), reader)))
        });
        StreamReader::new(Box::pin(pieces))
    }

    /// The next bytes, about a megabyte; `None` after the last. After an error, what was read before must not be used.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let id = self.meta.id;
        let damaged = |what: String| StoreError::Corrupt { id, what };
        if self.next == self.meta.chunks {
            let (read, raw) = (self.read, self.meta.raw);
            return if read == raw { Ok(None) } else { Err(damaged(format!("it has {read} bytes in place of {raw}"))) };
        }
        let number = self.next;
        let Some(chunk) = self.store.0.backend.chunk(self.meta.blob, number).await? else {
            // It may have been deleted or re-encrypted while it was read.
            let now = self.store.0.backend.meta(&self.meta.owner, id).await?;
            let same = now.is_some_and(|now| now.blob == self.meta.blob);
            return Err(if same {
                damaged(format!("chunk {number} is not there"))
            } else {
                StoreError::Missing { id }
            });
        };
        let (store, meta) = (self.store.clone(), self.meta.clone());
        let opened = blocking(move || {
            let key = seal::key_of(&meta, &store.0.keys)?;
            seal::open(key, Place::of(&meta, number), &chunk)
        });
        let opened = opened.await?;
        self.next += 1;
        self.read += opened.len() as u64;
        Ok(Some(opened))
    }
}

/// Runs milliseconds of computing on a thread where it delays no other task.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(StoreError::Abandoned))
}
