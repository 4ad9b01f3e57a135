//! The downloads of a session: a list made of Chrome's events, and their files.

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use nix::sys::statvfs::statvfs;

use super::{BLOCK, Beneath, Entry, FilesError, SessionFiles, State, now, on_disk, on_disk_thread};
use crate::{
    api_types::{Download, DownloadList, DownloadState, cut, numbered, safe_file_name},
    virtual_browser::DownloadNote,
};

/// Most downloads that were canceled, and of which nothing is kept, that are remembered.
pub(super) const CANCELED_MOST: usize = 100;
/// Most bytes of a URL that are remembered.
const URL_MOST: usize = 2048;

/// What follows from an event of a download.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// The download has ended.
    pub finished: Option<Download>,
    /// The download is to be canceled: it takes too much.
    pub cancel: Option<String>,
}

impl SessionFiles {
    /// Notes an event of a download.
    pub fn on_download(&self, note: DownloadNote) -> Noted {
        let mut state = self.state();
        let noted = match note {
            DownloadNote::Began { guid, url, name } => self.on_began(&mut state, guid, &url, &name),
            DownloadNote::Progress { guid, received, size } => self.on_progress(&mut state, &guid, received, size),
            DownloadNote::Ended { guid, received, is_whole } => self.on_ended(&mut state, &guid, received, is_whole),
        };
        drop(state);
        self.changed.send_replace(());
        noted
    }

    fn on_began(&self, state: &mut State, id: String, url: &str, suggested: &str) -> Noted {
        if state.is_closed || state.downloads.iter().any(|entry| entry.shown.id == id) {
            return Noted::default();
        }
        let refused = self.has_room(state).and_then(|()| self.take(state, BLOCK)).err();
        let plain = safe_file_name(suggested);
        let is_used = |name: &str| state.downloads.iter().any(|entry| entry.shown.name == name);
        let name = if is_used(&plain) {
            // There are fewer names in use than numbers.
            let mut others = (1..=state.downloads.len() + 1).map(|number| numbered(&plain, number));
            others.find(|name| !is_used(name)).unwrap_or(plain)
        } else {
            plain
        };
        let taken = if refused.is_none() { BLOCK } else { 0 };
        let shown = Download {
            id: id.clone(),
            name,
            url: cut(url, URL_MOST).to_owned(),
            state: DownloadState::InProgress,
            received: 0,
            size: None,
            started_at: now(),
            ended_at: None,
            reason: refused.as_ref().map(ToString::to_string),
        };
        state.downloads.push(Entry { shown, taken, is_deleted: false });
        Noted { cancel: refused.map(|_| id), ..Noted::default() }
    }

    fn on_progress(&self, state: &mut State, id: &str, received: u64, size: Option<u64>) -> Noted {
        let Some(at) = position(state, id).filter(|at| state.downloads[*at].is_arriving()) else {
            return Noted::default();
        };
        let entry = &mut state.downloads[at];
        entry.shown.received = received;
        entry.shown.size = size;
        let (before, wanted) = (entry.taken, on_disk(received.max(size.unwrap_or(0))));
        if entry.shown.reason.is_some() || wanted <= before {
            return Noted::default();
        }
        match self.take(state, wanted - before) {
            Ok(()) => state.downloads[at].taken = wanted,
            Err(why) => {
                state.downloads[at].shown.reason = Some(why.to_string());
                return Noted { cancel: Some(id.to_owned()), ..Noted::default() };
            }
        }
        Noted::default()
    }

    fn on_ended(&self, state: &mut State, id: &str, received: u64, is_whole: bool) -> Noted {
        let Some(at) = position(state, id).filter(|at| state.downloads[*at].is_arriving()) else {
            return Noted::default();
        };
        if is_whole {
            // What takes too much now was canceled too late.
            let noted = self.on_progress(state, id, received, Some(received));
            let entry = &state.downloads[at];
            if noted.cancel.is_some() || entry.shown.reason.is_some() || entry.is_deleted {
                self.remove_later(state, id);
            }
        }
        let entry = &mut state.downloads[at];
        if !is_whole && entry.shown.reason.is_none() {
            entry.shown.reason = no_room(&self.path, entry.shown.size.unwrap_or(0).max(received));
        }
        let is_kept = is_whole && entry.shown.reason.is_none() && !entry.is_deleted;
        entry.shown.received = received;
        entry.shown.ended_at = Some(now());
        entry.shown.state = if is_kept { DownloadState::Completed } else { DownloadState::Canceled };
        let (finished, is_deleted) = (entry.shown.clone(), entry.is_deleted);
        let right = if is_kept { on_disk(received) } else { 0 };
        let spare = entry.taken.saturating_sub(right);
        entry.taken -= spare;
        self.give_back(state, spare);
        if is_deleted {
            state.downloads.remove(at);
            return Noted::default();
        }
        let is_canceled = |entry: &Entry| entry.shown.state == DownloadState::Canceled;
        if state.downloads.iter().filter(|entry| is_canceled(entry)).count() > CANCELED_MOST
            && let Some(oldest) = state.downloads.iter().position(is_canceled)
        {
            state.downloads.remove(oldest);
        }
        Noted { finished: Some(finished), cancel: None }
    }

    /// The downloads.
    pub fn list_downloads(&self) -> DownloadList {
        let state = self.state();
        let shown = state.downloads.iter().filter(|entry| !entry.is_deleted).map(|entry| entry.shown.clone());
        DownloadList { downloads: shown.collect(), next: None }
    }

    /// Waits until there is a download and none is arriving; of one download, until it is not arriving. Not for longer than
    /// this, and not after the session has ended.
    pub async fn wait(&self, id: Option<&str>, most: Duration) {
        let mut changed = self.changed.subscribe();
        let settled = async { while !self.is_settled(id) && changed.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(most, settled).await;
    }

    fn is_settled(&self, id: Option<&str>) -> bool {
        let state = self.state();
        let is_meant = |entry: &&Entry| !entry.is_deleted && id.is_none_or(|id| entry.shown.id == id);
        let mut meant = state.downloads.iter().filter(is_meant).peekable();
        state.is_closed
            || id.is_some() && meant.peek().is_none()
            || meant.peek().is_some() && meant.all(|entry| !entry.is_arriving())
    }

    /// Opens the content of a download.
    pub async fn open_download(self: &Arc<Self>, id: &str) -> Result<(Download, File), FilesError> {
        let (shown, contexts) = {
            let state = self.state();
            let found = state.downloads.iter().find(|entry| entry.shown.id == id && !entry.is_deleted);
            let shown = found.map(|entry| entry.shown.clone()).ok_or_else(|| FilesError::missing("download", id))?;
            (shown, state.contexts.clone())
        };
        if shown.state != DownloadState::Completed {
            return Err(FilesError::NotThere { id: shown.id, state: shown.state });
        }
        let (files, guid) = (self.clone(), shown.id.clone());
        let opened =
            on_disk_thread(move || Ok(contexts.iter().find_map(|context| files.downloaded(context)?.read(&guid).ok())));
        let gone = FilesError::NotThere { id: shown.id.clone(), state: shown.state };
        Ok((shown, opened.await?.ok_or(gone)?))
    }

    fn downloaded(&self, context: &str) -> Option<Beneath> {
        Beneath::open(&self.path, &["downloads", context]).ok()
    }

    /// Deletes a download. Returns whether it is arriving, and is to be canceled.
    pub fn delete_download(self: &Arc<Self>, id: &str) -> Result<bool, FilesError> {
        let mut state = self.state();
        let at = position(&state, id).filter(|at| !state.downloads[*at].is_deleted);
        let at = at.ok_or_else(|| FilesError::missing("download", id))?;
        if state.downloads[at].is_arriving() {
            state.downloads[at].is_deleted = true;
            drop(state);
            self.changed.send_replace(());
            return Ok(true);
        }
        let entry = state.downloads.remove(at);
        self.give_back(&mut state, entry.taken);
        self.remove_later(&state, &entry.shown.id);
        Ok(false)
    }

    /// Removes the file of a download in a thread of its own.
    fn remove_later(&self, state: &State, id: &str) {
        let (path, contexts, id) = (self.path.clone(), state.contexts.clone(), id.to_owned());
        let remove = move || {
            for context in &contexts {
                if let Ok(directory) = Beneath::open(&path, &["downloads", context])
                    && let Err(error) = directory.remove(&id)
                {
                    tracing::warn!(%error, id, "the file of a download could not be removed");
                }
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Why a download of this size ended early, if its disk has no room for it. Chrome does not tell: it cancels.
fn no_room(directory: &Path, size: u64) -> Option<String> {
    let stat = statvfs(directory).ok()?;
    let free = stat.blocks_available() * stat.fragment_size();
    (free < size.saturating_add(BLOCK))
        .then(|| format!("the disk of session_dir has no room for it: {free} bytes are free"))
}

fn position(state: &State, id: &str) -> Option<usize> {
    state.downloads.iter().position(|entry| entry.shown.id == id)
}
