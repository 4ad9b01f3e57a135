//! The operations on snapshots: save a session, start one from a snapshot, clone one.
//!
//! A session's state is read and written through its [`ContextHandle`], without its clients noticing. Nothing here runs
//! on a session's own task. If the caller goes away, its operation is cancelled.

use std::cmp::Reverse;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, future::try_join, stream};
use tokio::{io::AsyncBufRead, time::Instant};

use super::{
    Handle, SessionManager, access,
    place::Place,
    registration::Registration,
    room::Room,
    service::{own, page_of},
};
use crate::session::{error::ServiceError, id::SessionId, proxy};
use crate::{
    api_types::{
        self, Bad, Beginning, Cloned, Copies, Event, Exported, Importing, Label, Millis, Nothing, Reply, RestoreMode,
        Restoring, Saved, SessionState, Snapshot, SnapshotFormat, SnapshotPart, SnapshotReport, SnapshotRestored,
        SnapshotSaved, Snapshots, StorageState, Unreadable,
        operations::{
            CloneSession, DeleteSnapshot, ExportSnapshot, GetSnapshot, ImportSnapshot, ListSnapshots, RestoreSnapshot,
            SaveSnapshot, SnapshotRequest,
        },
    },
    browser::ContextHandle,
    runtime,
    session::task::{Caller, Control, SessionTask},
    snapshot::{
        self, Mode, Reopen, Report,
        replay_buffer::ReplayBuffer,
        repository::{self, HELD_MOST, Purpose, RepositoryError},
    },
    store::{Expires, Meta, New, Query, Reader, SnapshotId, Timestamp},
};

/// Clones that are made at the same time; Chrome's own thread does one step after another.
const COPIES: usize = 4;

impl SessionManager {
    pub(super) async fn perform_on_snapshot(
        &self,
        caller: &Caller,
        from: Option<&str>,
        request: SnapshotRequest,
    ) -> Result<Reply, ServiceError> {
        let own = |id| own(id, from);
        Ok(match request {
            SnapshotRequest::SaveSnapshot(save) => {
                let (id, parts, label) = save.divide();
                Reply::of::<SaveSnapshot>(&self.save_snapshot(caller, &own(id)?, &parts, label).await?)
            }
            SnapshotRequest::RestoreSnapshot(restore) => {
                let (id, restoring) = restore.divide();
                Reply::of::<RestoreSnapshot>(&self.restore_snapshot(caller, from, &own(id)?, restoring).await?)
            }
            SnapshotRequest::CloneSession(clone) => {
                let (id, copies) = clone.divide()?;
                Reply::of::<CloneSession>(&self.clone_session(caller, &own(id)?, copies).await?)
            }
            SnapshotRequest::ListSnapshots(wanted) => {
                Reply::of::<ListSnapshots>(&self.list_snapshots(caller, &wanted).await?)
            }
            SnapshotRequest::GetSnapshot(GetSnapshot { snapshot }) => {
                Reply::of::<GetSnapshot>(&self.snapshot(caller, &snapshot).await?)
            }
            SnapshotRequest::DeleteSnapshot(DeleteSnapshot { snapshot }) => {
                self.delete_snapshot(caller, &snapshot).await?;
                Reply::of::<DeleteSnapshot>(&Nothing {})
            }
            SnapshotRequest::ImportSnapshot(import) => {
                let (from, label) = import.divide()?;
                let room = self.room(caller, Some(from.len())).await?;
                Reply::of::<ImportSnapshot>(&self.import_snapshot(caller, (from, room), label).await?)
            }
            SnapshotRequest::ExportSnapshot(export) => {
                let exported = self.export_snapshot(caller, &export).await?;
                runtime::aside(exported.len(), || Reply::of::<ExportSnapshot>(&exported))
            }
        })
    }

    /// Saves the state of a session.
    pub async fn save_snapshot(
        &self,
        caller: &Caller,
        id: &str,
        parts: &[SnapshotPart],
        label: Label,
    ) -> Result<Saved, ServiceError> {
        let (handle, new, since) = (self.find(caller, id).await?, new_of(caller, label)?, Instant::now());
        let place = self.place_of(&handle).await?;
        let (meta, report) =
            repository::save(&self.inner.store, new, id, &place, (parts, Purpose::Keep), &self.inner.terms().snapshots)
                .await?;
        let saved = self.saved(&meta, &report, since);
        let event = SnapshotSaved { snapshot: saved.snapshot.clone(), report: saved.report.clone() };
        self.tell(&handle, &event).await;
        Ok(saved)
    }

    /// Writes a snapshot into a running session. `client_of` is the session whose client makes the request, if one
    /// does: only a session's own client may write into it while it has one.
    pub async fn restore_snapshot(
        &self,
        caller: &Caller,
        client_of: Option<&str>,
        id: &str,
        restoring: Restoring,
    ) -> Result<SnapshotReport, ServiceError> {
        let (handle, since) = (self.find(caller, id).await?, Instant::now());
        if handle.session_info.state() == SessionState::Active && client_of != Some(id) {
            return Err(ServiceError::InUse(id.to_owned()));
        }
        let alone = handle.restoring.clone().try_lock_owned();
        let _alone = alone.map_err(|_| ServiceError::Restoring(id.to_owned()))?;
        let (owner, snapshot) = (caller.owner(), snapshot_id(&restoring.snapshot)?);
        // The session must stay unchanged if the snapshot is invalid.
        repository::verify(&self.inner.store, owner, snapshot).await?;
        let content = repository::open(&self.inner.store, owner, snapshot).await?;
        let mode = match restoring.mode {
            RestoreMode::Replace => Mode::Replace,
            RestoreMode::Merge => Mode::Merge,
        };
        let how = Reopen { mode, pages: restoring.pages, ..Reopen::default() };
        let place = self.place_of(&handle).await?;
        let report = snapshot::restore(&place, &how, content).await.map_err(RepositoryError::from)?;
        let report = self.restored(id, &restoring.snapshot, &report, since);
        self.tell(&handle, &SnapshotRestored { snapshot: restoring.snapshot, report: report.clone() }).await;
        Ok(report)
    }

    /// Creates sessions in the state of a running one: all of them, or none.
    pub async fn clone_session(&self, caller: &Caller, id: &str, copies: Copies) -> Result<Cloned, ServiceError> {
        let (handle, since) = (self.find(caller, id).await?, Instant::now());
        let Copies { count, mut options, parts, proxy } = copies;
        self.will_wait(&mut options)?;
        let (isolation, launch) = (Some(handle.session_info.isolation), handle.checkpoint.launch());
        let proxy = match &proxy {
            Some(given) => proxy::read(given)?,
            None => handle.checkpoint.proxy().cloned(),
        };
        let own = Place::of(caller, isolation, launch, &self.inner.terms().launch).await?;
        let own = &own.with_proxy(proxy);
        let (place, replay_buffer) = (self.place_of(&handle).await?, ReplayBuffer::default());
        let (replay_buffer, options) = (&replay_buffer, &options);
        let copy = || async move {
            let (mut live, entry) =
                self.make(caller, SessionId::random(caller.owner()), options.clone(), own.clone(), false).await?;
            self.furnish(&mut live, true, replay_buffer.play()).await?;
            Ok::<_, ServiceError>((live, entry))
        };
        let of_tenant = caller.tenant.limits();
        let copies: Vec<_> = (0..count).map(|_| copy()).collect();
        let copies = stream::iter(copies).buffer_unordered(COPIES).try_collect();
        let room = self.inner.rooms.take_to_hold(caller.owner(), &of_tenant);
        let limits = self.inner.terms().snapshots;
        let read = replay_buffer.record(&place, &parts, &limits, room);
        // The first clones are made while the session is read.
        let ((report, _room), made): (_, Vec<(SessionTask, Registration)>) = try_join(read, copies).await?;
        let sessions = made.into_iter().map(|(live, entry)| entry.wait_for_client(live, caller)).collect();
        let report = repository::tell(&report, since);
        tracing::info!(session = id, count, took = ?report.took.0, omitted = report.omitted_count, "session cloned");
        Ok(Cloned { sessions, report })
    }

    /// The caller's snapshots, newest first, one page at a time.
    pub async fn list_snapshots(&self, caller: &Caller, wanted: &ListSnapshots) -> Result<Snapshots, ServiceError> {
        let limit = page_of(wanted.limit)?;
        let before = wanted.cursor.as_deref().map(str::parse::<SnapshotId>).transpose();
        let before = before.map_err(|_| Bad::new("cursor", "is not a value that this server gave as `next`"))?;
        let fits = |snapshot: &Snapshot| api_types::has_all(snapshot.metadata.as_ref(), wanted.metadata.as_ref());
        let mut query = Query { name: wanted.name.clone(), before, limit };
        // An unreadable snapshot has no metadata to compare. The store does the same for names.
        let shows_unreadable = wanted.metadata.is_none();
        let mut all = Snapshots::default();
        loop {
            let page = self.inner.store.list(caller.owner(), &query).await?;
            let kept = page.snapshots.iter().filter(|meta| repository::purpose(meta) == Purpose::Keep);
            let kept = kept.map(|meta| (meta.id, Ok(repository::show(meta))));
            let kept = kept.filter(|(_, shown)| shown.as_ref().is_ok_and(fits));
            let unreadable = page.unreadable.into_iter().filter(|_| shows_unreadable);
            let unreadable =
                unreadable.map(|one| (one.id, Err(Unreadable { id: one.id.to_string(), reason: one.why })));
            let mut found: Vec<_> = kept.chain(unreadable).collect();
            found.sort_unstable_by_key(|(id, _)| Reverse(*id));
            let mut found = found.into_iter().peekable();
            while let Some((id, one)) = found.next() {
                match one {
                    Ok(snapshot) => all.snapshots.push(snapshot),
                    Err(unreadable) => all.unreadable.push(unreadable),
                }
                if all.snapshots.len() + all.unreadable.len() == limit {
                    let more = found.peek().is_some() || page.next.is_some();
                    return Ok(Snapshots { next: more.then(|| id.to_string()), ..all });
                }
            }
            match page.next {
                Some(next) => query.before = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// The metadata of a snapshot.
    pub async fn snapshot(&self, caller: &Caller, id: &str) -> Result<Snapshot, ServiceError> {
        Ok(repository::show(&self.inner.store.meta(caller.owner(), snapshot_id(id)?).await?))
    }

    /// Deletes a snapshot.
    pub async fn delete_snapshot(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        Ok(self.inner.store.remove(caller.owner(), snapshot_id(id)?).await?)
    }

    /// Waits for room to read a document that must be held in memory: an import, or an export as one document. If its
    /// size is not known, for the most that is ever held. A caller that may do neither takes none.
    pub async fn room(&self, caller: &Caller, bytes: Option<usize>) -> Result<Room, ServiceError> {
        access::whole(caller, "importSnapshot")?;
        self.inner.rooms.take(caller.owner(), &caller.tenant.limits(), bytes.unwrap_or(HELD_MOST)).await
    }

    /// Waits for room for content that is read as a stream, one line at a time.
    pub async fn room_for_lines(&self, caller: &Caller) -> Result<Room, ServiceError> {
        self.room(caller, Some(self.inner.terms().snapshots.line)).await
    }

    /// Creates a snapshot from an imported document, for which there is room.
    pub async fn import_snapshot(
        &self,
        caller: &Caller,
        (from, _room): (Importing, Room),
        label: Label,
    ) -> Result<Saved, ServiceError> {
        access::whole(caller, "importSnapshot")?;
        let (new, since) = (new_of(caller, label)?, Instant::now());
        let (store, longest) = (&self.inner.store, self.inner.terms().snapshots.line);
        let (meta, report) = match from {
            Importing::StorageState(state) => repository::import_state(store, new, &state).await?,
            Importing::Data(data) => repository::import_data(store, new, &data, longest).await?,
        };
        Ok(self.saved(&meta, &report, since))
    }

    /// Like [`SessionManager::import_snapshot`], from ghostmux's own format as a stream.
    pub async fn import_content(
        &self,
        caller: &Caller,
        (content, room): (impl Stream<Item = std::io::Result<Bytes>>, Room),
        label: Label,
    ) -> Result<Saved, ServiceError> {
        access::whole(caller, "importSnapshot")?;
        let (new, since) = (new_of(caller, label)?, Instant::now());
        let longest = self.inner.terms().snapshots.line;
        let import = repository::import_content(&self.inner.store, new, content, longest);
        let (meta, report) = room.while_arriving(import).await??;
        Ok(self.saved(&meta, &report, since))
    }

    /// The content of a snapshot, and what the format cannot hold.
    pub async fn export_snapshot(&self, caller: &Caller, export: &ExportSnapshot) -> Result<Exported, ServiceError> {
        access::whole(caller, "exportSnapshot")?;
        let (reader, since) = (self.content(caller, &export.snapshot).await?, Instant::now());
        let reader = repository::to_hold(reader, export.format)?;
        let _room = self.room(caller, usize::try_from(reader.meta().raw).ok()).await?;
        Ok(match export.format {
            SnapshotFormat::Playwright => {
                let (state, report) = repository::export_state(reader).await?;
                let state = runtime::aside(state.len(), || serde_json::value::RawValue::from_string(state));
                let state = state.map_err(ServiceError::Unreadable)?;
                Exported {
                    storage_state: Some(StorageState(state)),
                    data: None,
                    report: repository::tell(&report, since),
                }
            }
            SnapshotFormat::Ghostmux => {
                let (data, report) = repository::export_data(reader).await?;
                Exported { storage_state: None, data: Some(data), report: repository::tell(&report, since) }
            }
        })
    }

    /// The content of a snapshot as a stream.
    pub async fn content(&self, caller: &Caller, id: &str) -> Result<Reader, ServiceError> {
        access::whole(caller, "exportSnapshot")?;
        Ok(self.inner.store.get(caller.owner(), snapshot_id(id)?).await?)
    }

    /// The snapshot from which a new session starts. Checked to exist before anything is created.
    pub(super) async fn beginning(
        &self,
        caller: &Caller,
        begins: Option<Beginning>,
    ) -> Result<Option<(Beginning, Reader)>, ServiceError> {
        let Some(begins) = begins else { return Ok(None) };
        access::whole(caller, "snapshot")?;
        let reader = self.content(caller, &begins.snapshot).await?;
        Ok(Some((begins, reader)))
    }

    /// Writes the snapshot, if there is one, into a session that has not started.
    pub(super) async fn begin_with(
        &self,
        live: &mut SessionTask,
        begins: Option<(Beginning, Reader)>,
    ) -> Result<(), ServiceError> {
        let Some((begins, reader)) = begins else { return Ok(()) };
        let since = Instant::now();
        let report = self.furnish(live, begins.pages, reader.into_read()).await?;
        self.restored(live.id(), &begins.snapshot, &report, since);
        self.inner.terms().metrics.connect_time.observe("restore", since.elapsed());
        Ok(())
    }

    /// Writes content into a session that has not started. Fails if the session is told to end meanwhile.
    pub(super) async fn furnish(
        &self,
        live: &mut SessionTask,
        pages: bool,
        content: impl AsyncBufRead + Unpin,
    ) -> Result<Report, ServiceError> {
        let (place, how) = (live.place(), Reopen { mode: Mode::Fresh, pages, ..Reopen::default() });
        let restored = live.before(snapshot::restore(&place, &how, content)).await.ok_or(ServiceError::Closing)?;
        Ok(restored.map_err(RepositoryError::from)?)
    }

    async fn place_of(&self, handle: &Handle) -> Result<ContextHandle, ServiceError> {
        self.ask_live(handle, Control::Place).await
    }

    /// Sends an event of the domain to the clients of the session that enabled it.
    async fn tell<E: Event>(&self, handle: &Handle, event: &E) {
        // A session that has ended meanwhile has no clients.
        let _ = handle.control.send(Box::new(Control::Tell(E::NAME, event.params()))).await;
    }

    fn saved(&self, meta: &Meta, report: &Report, since: Instant) -> Saved {
        let saved = Saved { snapshot: repository::show(meta), report: repository::tell(report, since) };
        let (snapshot, report) = (&saved.snapshot, &saved.report);
        self.inner.terms().metrics.snapshots_saved.inc();
        tracing::info!(
            snapshot = snapshot.id,
            session = snapshot.session_id,
            owner = %meta.owner,
            bytes = snapshot.size,
            stored = snapshot.stored_size,
            took = ?report.took.0,
            omitted = report.omitted_count,
            partial = report.partial,
            "snapshot saved"
        );
        saved
    }

    pub(super) fn restored(&self, session: &str, snapshot: &str, report: &Report, since: Instant) -> SnapshotReport {
        let report = repository::tell(report, since);
        self.inner.terms().metrics.snapshots_restored.inc();
        let (took, omitted) = (report.took.0, report.omitted_count);
        tracing::info!(session, snapshot, bytes = report.bytes, ?took, omitted, "snapshot restored");
        report
    }
}

pub(super) fn new_of(caller: &Caller, label: Label) -> Result<New, ServiceError> {
    label.check()?;
    let expires = match label.ttl {
        None => Expires::ByDefault,
        Some(Millis(ttl)) if ttl.is_zero() => Expires::Never,
        Some(Millis(ttl)) => Expires::At(Timestamp::now().after(ttl)),
    };
    let metadata = label.metadata.unwrap_or_default().0.into_iter().map(|(key, value)| (key, value.into())).collect();
    let name = label.name.filter(|name| !name.is_empty());
    let most = caller.tenant.limits().max_snapshots;
    Ok(New { name, metadata, expires, most, ..New::of(caller.owner().clone()) })
}

/// A text that is not an id names no snapshot.
fn snapshot_id(id: &str) -> Result<SnapshotId, ServiceError> {
    id.parse().map_err(|_| ServiceError::NoSnapshot(id.chars().take(200).collect()))
}
