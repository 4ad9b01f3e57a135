//! Moves snapshots between sessions, the store and exported documents. The server and the command line both use it.

use std::{io, time::Duration};

use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::{AsyncBufRead, AsyncWriteExt as _, BufReader},
    time::Instant,
};

use super::{
    ContentError, Counts, Parts, Report, SnapshotError, capture, check,
    ndjson::check_within,
    playwright::{self, ImportError},
};
use crate::{
    api_types::{Metadata, Millis, Omission, Owner, Snapshot, SnapshotFormat, SnapshotPart, SnapshotReport},
    browser::ContextHandle,
    config::SnapshotLimits,
    runtime,
    store::{Meta, New, Reader, SnapshotId, Store, StoreError},
};

/// Most bytes of content that are held in memory at once, for formats that need the whole content.
pub const HELD_MOST: usize = 64 * 1024 * 1024;
/// Bytes that may wait between the reader of content and its check.
const PIPE: usize = 1 << 16;

/// The purpose of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// Saved by its owner.
    #[default]
    Keep,
    /// The state of a hibernated session: never listed.
    Sleep,
    /// The state of a profile, which is listed as such.
    Profile,
}

/// The part of a snapshot's store entry that describes its content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Contents {
    /// Counts of the content.
    pub counts: Counts,
    /// The parts that were requested.
    pub parts: Vec<SnapshotPart>,
    /// Whether a deadline passed before everything was read.
    pub partial: bool,
    /// Number of items that could not be carried.
    pub omitted: u64,
    /// The session that was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The purpose of the snapshot.
    pub purpose: Purpose,
}

/// Why a snapshot could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The store refused.
    #[error(transparent)]
    Store(StoreError),
    /// The session could not be read or written, or the content is invalid.
    #[error(transparent)]
    Snapshot(SnapshotError),
    /// The imported document is not a `storageState`.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The imported data is not base64.
    #[error("the data is not base64: {0}")]
    Base64(data_encoding::DecodeError),
    /// The imported content ended early.
    #[error("the snapshot did not arrive completely: {0}")]
    Cut(io::Error),
    /// The document needs more memory than there ever is.
    #[error(
        "it is larger than {most} bytes: to read it would take more than all of snapshot_memory; raise that, or take the \
         format ghostmux, which is read as a stream"
    )]
    NoMemory {
        /// The most, in bytes.
        most: usize,
    },
    /// The content is larger than what is held in memory.
    #[error("{what} has more than {} MiB; {instead}", HELD_MOST >> 20)]
    TooLarge {
        /// The object that is too large.
        what: &'static str,
        /// Advice on what to do instead.
        instead: &'static str,
    },
}

impl From<StoreError> for RepositoryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SnapshotError> for RepositoryError {
    /// An error of the store passes through the content that is read from it, and is unwrapped here.
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Content(ContentError::Read(error)) => match error.downcast::<StoreError>() {
                Ok(error) => Self::Store(error),
                Err(error) => Self::Snapshot(ContentError::Read(error).into()),
            },
            other => Self::Snapshot(other),
        }
    }
}

impl From<ContentError> for RepositoryError {
    fn from(error: ContentError) -> Self {
        SnapshotError::from(error).into()
    }
}

/// Saves the state of a session.
pub async fn save(
    store: &Store,
    new: New,
    session: &str,
    place: &ContextHandle,
    (parts, purpose): (&[SnapshotPart], Purpose),
    limits: &SnapshotLimits,
) -> Result<(Meta, Report), RepositoryError> {
    let mut writer = store.put(new).await?;
    let credentials = purpose == Purpose::Sleep && store.is_sealed();
    let wanted = Parts { credentials, ..Parts::of(parts, limits) };
    let report = writer.fill(|to| capture(place, &wanted, to)).await??;
    let contents = Contents { session: Some(session.to_owned()), purpose, ..Contents::of(&report, parts.to_vec()) };
    Ok((writer.commit(contents.json()).await?, report))
}

/// Opens the content of a snapshot for reading.
pub async fn open(
    store: &Store,
    owner: &Owner,
    id: SnapshotId,
) -> Result<impl AsyncBufRead + Send + Unpin, RepositoryError> {
    Ok(store.get(owner, id).await?.into_read())
}

/// Reads a snapshot to its end to check that it is complete, before it is used.
pub async fn verify(store: &Store, owner: &Owner, id: SnapshotId) -> Result<(), RepositoryError> {
    check(open(store, owner, id).await?).await?;
    Ok(())
}

/// Copies a snapshot to a new one, which its owner keeps.
pub async fn copy(store: &Store, new: New, mut from: Reader) -> Result<Meta, RepositoryError> {
    let contents = Contents { purpose: Purpose::Keep, ..Contents::read(from.meta()) };
    let mut writer = store.put(new).await?;
    while let Some(piece) = from.next().await? {
        writer.write(&piece).await?;
    }
    Ok(writer.commit(contents.json()).await?)
}

/// Creates a snapshot from Playwright's `storageState`.
pub async fn import_state(store: &Store, new: New, state: &str) -> Result<(Meta, Report), RepositoryError> {
    let mut writer = store.put(new).await?;
    let report = writer.fill(|to| playwright::import(state, to)).await??;
    let parts = vec![SnapshotPart::Cookies, SnapshotPart::LocalStorage, SnapshotPart::IndexedDb];
    Ok((writer.commit(Contents::of(&report, parts).json()).await?, report))
}

/// Creates a snapshot from content in ghostmux's own format. The content is checked while it arrives. Nothing of it is
/// kept if it is incomplete, or if a line has more than `longest` bytes.
pub async fn import_content(
    store: &Store,
    new: New,
    content: impl Stream<Item = io::Result<Bytes>>,
    longest: usize,
) -> Result<(Meta, Report), RepositoryError> {
    let mut writer = store.put(new).await?;
    let (mut tee, checked) = tokio::io::duplex(PIPE);
    let pump = async {
        let mut content = std::pin::pin!(content);
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(RepositoryError::Cut)?;
            writer.write(&piece).await?;
            if tee.write_all(&piece).await.is_err() {
                // The check has found an error and reports it.
                break;
            }
        }
        drop(tee);
        Ok::<_, RepositoryError>(writer)
    };
    let (writer, trailer) = tokio::join!(pump, check_within(BufReader::new(checked), longest));
    // Content that ended early is also invalid; the error of its source is the better message.
    let (writer, trailer) = (writer?, trailer?);
    let report = Report { counts: trailer.counts, complete: trailer.complete, ..Report::default() };
    let contents = Contents::of(&report, report.counts.parts());
    Ok((writer.commit(contents.json()).await?, report))
}

/// Like [`import_content`], from an export in base64.
pub async fn import_data(
    store: &Store,
    new: New,
    data: &str,
    longest: usize,
) -> Result<(Meta, Report), RepositoryError> {
    let content = runtime::aside(data.len(), || BASE64.decode(data.as_bytes())).map_err(RepositoryError::Base64)?;
    import_content(store, new, futures_util::stream::iter([Ok(content.into())]), longest).await
}

/// A snapshot as Playwright's `storageState`, with a report of what that cannot hold.
pub async fn export_state(reader: Reader) -> Result<(String, Report), RepositoryError> {
    let reader = to_hold(reader, SnapshotFormat::Playwright)?;
    Ok(playwright::export(reader.into_read()).await?)
}

/// A snapshot in ghostmux's own format and base64, with a report; that format can hold everything.
pub async fn export_data(reader: Reader) -> Result<(String, Report), RepositoryError> {
    let mut reader = to_hold(reader, SnapshotFormat::Ghostmux)?;
    let contents = Contents::read(reader.meta());
    let report = Report { counts: contents.counts, complete: !contents.partial, ..Report::default() };
    let mut content = Vec::new();
    while let Some(piece) = reader.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok((runtime::aside(content.len(), || BASE64.encode(&content)), report))
}

/// A snapshot that is small enough to be held in memory, for an export as one document.
pub fn to_hold(reader: Reader, format: SnapshotFormat) -> Result<Reader, RepositoryError> {
    if reader.meta().raw > HELD_MOST as u64 {
        let instead = match format {
            SnapshotFormat::Playwright => "use the format ghostmux, which is read as a stream",
            SnapshotFormat::Ghostmux => "use GET /v1/snapshots/{id}/content?format=ghostmux",
        };
        return Err(RepositoryError::TooLarge { what: "the snapshot", instead });
    }
    Ok(reader)
}

/// The purpose of a snapshot.
pub fn purpose(meta: &Meta) -> Purpose {
    Contents::read(meta).purpose
}

/// The description of a snapshot for its owner.
pub fn show(meta: &Meta) -> Snapshot {
    let contents = Contents::read(meta);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let metadata: Metadata = meta.metadata.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    Snapshot {
        id: meta.id.to_string(),
        name: meta.name.clone(),
        metadata: Some(metadata).filter(|metadata| !metadata.is_empty()),
        created_at: meta.created.0,
        expires_at: meta.expires.map(|at| at.0),
        session_id: contents.session,
        size: meta.raw,
        stored_size: meta.stored,
        parts: contents.parts,
        cookies: contents.counts.cookies,
        origins: contents.counts.origins,
        databases: contents.counts.databases,
        pages: contents.counts.pages,
        partial: contents.partial,
    }
}

/// The report of an operation for its caller.
pub fn tell(report: &Report, since: Instant) -> SnapshotReport {
    let Counts { cookies, origins, databases, rows, pages, bytes, .. } = report.counts;
    let omission =
        |lost: &super::Lost| Omission { what: lost.what.clone(), place: lost.place.clone(), reason: lost.why.clone() };
    SnapshotReport {
        cookies,
        origins,
        databases,
        rows,
        pages,
        bytes,
        took: Millis(Duration::from_millis(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX))),
        partial: !report.complete,
        omitted: report.lost.iter().map(omission).collect(),
        omitted_count: report.lost_count,
    }
}

impl Contents {
    /// Reads the description in a snapshot's store entry.
    fn read(meta: &Meta) -> Self {
        Self::deserialize(&meta.counts).unwrap_or_default()
    }

    fn of(report: &Report, parts: Vec<SnapshotPart>) -> Self {
        let partial = !report.complete;
        Self {
            counts: report.counts.clone(),
            parts,
            partial,
            omitted: report.lost_count,
            session: None,
            purpose: Purpose::Keep,
        }
    }

    fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Counts {
    /// The parts that have any content.
    fn parts(&self) -> Vec<SnapshotPart> {
        let has = |part: &SnapshotPart| match part {
            SnapshotPart::Cookies => self.cookies > 0,
            SnapshotPart::LocalStorage => self.local_storage > 0,
            SnapshotPart::IndexedDb => self.databases > 0,
            SnapshotPart::Pages => self.pages > 0,
            // These parts are not counted.
            SnapshotPart::Permissions | SnapshotPart::FormFields => false,
        };
        SnapshotPart::USUAL.into_iter().filter(has).collect()
    }
}

impl Parts {
    /// The parts and limits for these words.
    pub fn of(parts: &[SnapshotPart], limits: &SnapshotLimits) -> Self {
        let has = |part| parts.contains(&part);
        Self {
            cookies: has(SnapshotPart::Cookies),
            local_storage: has(SnapshotPart::LocalStorage),
            indexed_db: has(SnapshotPart::IndexedDb),
            pages: has(SnapshotPart::Pages),
            permissions: has(SnapshotPart::Permissions),
            fields: has(SnapshotPart::FormFields),
            most_fields: limits.fields,
            ..Self::default()
        }
    }
}
