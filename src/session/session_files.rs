//! The files of one session on this machine: a directory of its own, with what its pages downloaded and what its clients
//! uploaded for them.
//!
//! ```text
//! OWNER@SESSION.N/downloads/CONTEXT/GUID    written by Chrome
//! OWNER@SESSION.N/arriving/ID               an upload that is arriving
//! OWNER@SESSION.N/files/NAME                an upload that has arrived
//! ```
//!
//! `book` has those of all sessions, and how much each owner takes; `downloads` lists downloads, `upload` receives uploads;
//! `beneath` opens files without following links; `placing` puts downloads at the paths that clients expect, and checks the
//! paths that clients name; `error` says why a file is not kept.

mod beneath;
mod book;
mod downloads;
mod error;
mod placing;
mod upload;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::watch;

use self::{beneath::Beneath, book::Account};
pub use self::{
    book::FilesBook,
    downloads::Noted,
    error::FilesError,
    placing::{all_inside, place_first},
};
use crate::api_types::{Download, DownloadState, FileList, UploadedFile, file_name};

/// What one file takes at least, and the unit in which files take disk.
const BLOCK: u64 = 4096;

/// How much of the disk files may take.
#[derive(Clone, Copy, Debug)]
pub struct FileLimits {
    /// Bytes of one session.
    pub session: u64,
    /// Bytes of all sessions of its owner.
    pub owner: u64,
    /// Number of files of one session, downloads included.
    pub count: usize,
}

impl FileLimits {
    /// These limits, for a tenant that may take so much.
    #[must_use]
    pub fn within(self, most: Option<u64>) -> Self {
        Self { owner: most.map_or(self.owner, |most| self.owner.min(most)), ..self }
    }
}

/// The files of one session. They are removed when it is closed or dropped.
#[derive(Debug)]
pub struct SessionFiles {
    path: PathBuf,
    limits: FileLimits,
    account: Arc<Account>,
    // Guards the books; held for a look-up, a rename or the removal of one file.
    state: Mutex<State>,
    /// Told of every change of a download.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    is_made: bool,
    is_closed: bool,
    is_of_hibernated: bool,
    /// What the files take, those that are arriving included.
    taken: u64,
    files: BTreeMap<String, UploadedFile>,
    /// Uploads that are arriving.
    arriving: usize,
    /// The earliest first.
    downloads: Vec<Entry>,
    /// The contexts that have a directory for their downloads.
    contexts: BTreeSet<String>,
}

#[derive(Debug)]
struct Entry {
    shown: Download,
    /// What it takes of the disk.
    taken: u64,
    /// Whether its file is removed as soon as it has arrived.
    is_deleted: bool,
}

impl Entry {
    fn is_arriving(&self) -> bool {
        self.shown.state == DownloadState::InProgress
    }
}

impl SessionFiles {
    fn new(path: PathBuf, limits: FileLimits, account: Arc<Account>) -> Self {
        Self { path, limits, account, state: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// The directory, which may not exist yet.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory for the downloads of a context.
    pub fn make_downloads(&self, directory: &Path) -> io::Result<()> {
        let context = directory.file_name().and_then(|name| name.to_str());
        let is_own = directory.parent() == Some(&*self.path.join("downloads"));
        let context = context.filter(|_| is_own).ok_or(io::ErrorKind::InvalidInput)?;
        let mut state = self.state();
        if state.is_closed {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.is_made = true;
        Beneath::make(&self.path, &["downloads", context])?;
        state.contexts.insert(context.to_owned());
        Ok(())
    }

    /// Bytes of disk that the files take.
    pub fn size(&self) -> u64 {
        self.state().taken
    }

    fn is_empty(&self) -> bool {
        let state = self.state();
        state.files.is_empty() && !state.downloads.iter().any(|entry| entry.shown.state == DownloadState::Completed)
    }

    /// Whether the session was hibernated, and does not run again yet.
    pub fn is_of_hibernated(&self) -> bool {
        self.state().is_of_hibernated
    }

    /// The session does not run any more: what was arriving never will.
    fn settle(&self, is_hibernated: bool) {
        let mut state = self.state();
        state.is_of_hibernated = is_hibernated;
        let mut given_back = 0;
        for entry in state.downloads.iter_mut().filter(|entry| entry.is_arriving()) {
            entry.shown.state = DownloadState::Canceled;
            entry.shown.ended_at = Some(now());
            given_back += std::mem::take(&mut entry.taken);
        }
        state.downloads.retain(|entry| !entry.is_deleted);
        self.give_back(&mut state, given_back);
        drop(state);
        self.changed.send_replace(());
    }

    /// Removes all files. Uploads that are arriving fail.
    pub fn close(&self) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_closed, true) {
            return;
        }
        state.files.clear();
        state.downloads.clear();
        let taken = state.taken;
        self.give_back(&mut state, taken);
        let is_made = std::mem::take(&mut state.is_made);
        drop(state);
        self.changed.send_replace(());
        if is_made {
            let path = self.path.clone();
            // The directory may have many files, and this may run on a thread of the runtime.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || remove_all(&path))),
                Err(_) => remove_all(&path),
            }
        }
    }

    /// Takes more of the disk.
    fn take(&self, state: &mut State, more: u64) -> Result<(), FilesError> {
        let FileLimits { session, owner, .. } = self.limits;
        if state.taken.saturating_add(more) > session {
            let whose = "this session";
            return Err(FilesError::Quota { limit: "session_files_max", most: session, taken: state.taken, whose });
        }
        self.account.take(more, owner).map_err(|taken| {
            let whose = "any session of this owner";
            FilesError::Quota { limit: "session_files_quota", most: owner, taken, whose }
        })?;
        state.taken += more;
        Ok(())
    }

    fn give_back(&self, state: &mut State, bytes: u64) {
        let bytes = bytes.min(state.taken);
        state.taken -= bytes;
        self.account.give_back(bytes);
    }

    /// Whether one more file may be there.
    fn has_room(&self, state: &State) -> Result<(), FilesError> {
        let kept = state.downloads.iter().filter(|entry| entry.shown.state != DownloadState::Canceled).count();
        if state.files.len() + state.arriving + kept >= self.limits.count {
            return Err(FilesError::Many { most: self.limits.count });
        }
        Ok(())
    }

    /// The files that clients uploaded.
    pub fn list_files(&self) -> FileList {
        FileList { files: self.state().files.values().cloned().collect(), next: None }
    }

    /// The paths of files that clients uploaded, each of which is in the directory with links resolved.
    pub async fn paths_of(&self, names: &[&str]) -> Result<Vec<String>, FilesError> {
        let mut paths = Vec::with_capacity(names.len());
        {
            let state = self.state();
            for name in names {
                let name = file_name(name)?;
                let file = state.files.get(name).ok_or_else(|| FilesError::missing("file", name))?;
                paths.push(file.path.clone());
            }
        }
        if all_inside(self.path.clone(), paths.clone()).await { Ok(paths) } else { Err(FilesError::Ended) }
    }

    /// Opens a file that a client uploaded.
    pub async fn open_file(self: &Arc<Self>, name: &str) -> Result<(String, File), FilesError> {
        let missing = || FilesError::missing("file", name);
        let name = self.state().files.get(name).map(|file| file.name.clone()).ok_or_else(missing)?;
        let (files, wanted) = (self.clone(), name.clone());
        let open = move || Ok(Beneath::open(&files.path, &["files"]).and_then(|all| all.read(&wanted)).ok());
        Ok((name, on_disk_thread(open).await?.ok_or_else(missing)?))
    }

    /// Deletes a file that a client uploaded.
    pub async fn delete_file(self: &Arc<Self>, name: &str) -> Result<(), FilesError> {
        let (files, name) = (self.clone(), name.to_owned());
        on_disk_thread(move || {
            let mut state = files.state();
            let size =
                state.files.get(&name).map(|file| file.size).ok_or_else(|| FilesError::missing("file", &name))?;
            Beneath::open(&files.path, &["files"]).and_then(|all| all.remove(&name)).map_err(FilesError::Disk)?;
            state.files.remove(&name);
            files.give_back(&mut state, on_disk(size));
            Ok(())
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SessionFiles {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a file of this size takes.
fn on_disk(size: u64) -> u64 {
    size.div_ceil(BLOCK).max(1).saturating_mul(BLOCK)
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// Runs work on the disk in a thread where it delays no session.
async fn on_disk_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| FilesError::Ended)?
}

fn remove_all(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::warn!(%error, path = %path.display(), "files that are not needed any more could not be removed");
    }
}

#[cfg(test)]
mod tests;
