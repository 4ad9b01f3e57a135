//! Receives uploads. An upload is written beside the files, and becomes one of them when it has arrived as a whole; what is cut
//! off, or takes too much, leaves nothing.

use std::{
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::{Beneath, FilesError, SessionFiles, now, on_disk, on_disk_thread};
use crate::api_types::{UploadedFile, file_name};

/// The directory of uploads that are arriving.
const ARRIVING: &str = "arriving";
/// The directory of those that have arrived.
const FILES: &str = "files";

/// An upload that is arriving. Dropping it leaves nothing of it.
struct Arriving {
    files: Arc<SessionFiles>,
    /// Its name in the directory of those that are arriving.
    name: String,
    size: u64,
    taken: u64,
    is_written: bool,
}

impl SessionFiles {
    /// Stores a file under this name, and replaces one that has it. `size` is what the client announced.
    pub async fn put(
        self: &Arc<Self>,
        name: &str,
        size: Option<u64>,
        content: impl Stream<Item = io::Result<Bytes>>,
    ) -> Result<UploadedFile, FilesError> {
        let name = file_name(name)?.to_owned();
        let mut arriving = Arriving::begin(self, size.unwrap_or(0))?;
        let mut file = arriving.create()?;
        let mut content = std::pin::pin!(content);
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(FilesError::Cut)?;
            arriving.grow(piece.len())?;
            let written = move || {
                let done = file.write_all(&piece).map(|()| file);
                done.map_err(FilesError::Disk)
            };
            file = on_disk_thread(written).await?;
        }
        drop(file);
        if let Some(size) = size.filter(|size| *size != arriving.size) {
            let why = format!("{} of {size} bytes came", arriving.size);
            return Err(FilesError::Cut(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
        }
        on_disk_thread(move || arriving.finish(name)).await
    }

    /// Stores a file, for tests.
    #[cfg(test)]
    pub(super) fn put_now(self: &Arc<Self>, name: &str, content: &[u8]) {
        let mut arriving = Arriving::begin(self, 0).expect("room");
        arriving.create().expect("made").write_all(content).expect("written");
        arriving.grow(content.len()).expect("room");
        arriving.finish(name.to_owned()).expect("stored");
    }
}

impl Arriving {
    /// Takes the place of a file, and as much of the disk as the client announced.
    fn begin(files: &Arc<SessionFiles>, size: u64) -> Result<Self, FilesError> {
        let mut state = files.state();
        if state.is_closed {
            return Err(FilesError::Ended);
        }
        files.has_room(&state)?;
        let taken = on_disk(size);
        files.take(&mut state, taken)?;
        state.arriving += 1;
        state.is_made = true;
        let name = uuid::Uuid::new_v4().simple().to_string();
        Ok(Self { files: files.clone(), name, size: 0, taken, is_written: false })
    }

    /// Makes its file.
    fn create(&mut self) -> Result<File, FilesError> {
        // Locked, so that no directory is made again that was just removed.
        let state = self.files.state();
        if state.is_closed {
            return Err(FilesError::Ended);
        }
        self.is_written = true;
        let directory = Beneath::make(&self.files.path, &[ARRIVING]);
        directory.and_then(|directory| directory.create(&self.name)).map_err(FilesError::Disk)
    }

    /// More of it has come.
    fn grow(&mut self, bytes: usize) -> Result<(), FilesError> {
        self.size += bytes as u64;
        let wanted = on_disk(self.size);
        if wanted > self.taken {
            let mut state = self.files.state();
            if state.is_closed {
                return Err(FilesError::Ended);
            }
            self.files.take(&mut state, wanted - self.taken)?;
            self.taken = wanted;
        }
        Ok(())
    }

    /// It has arrived. Blocks.
    fn finish(mut self, name: String) -> Result<UploadedFile, FilesError> {
        let files = self.files.clone();
        let mut state = files.state();
        if state.is_closed {
            return Err(FilesError::Ended);
        }
        let path: PathBuf = files.path.join(FILES).join(&name);
        let moved = Beneath::make(&files.path, &[FILES])
            .and_then(|to| Beneath::open(&files.path, &[ARRIVING])?.rename(&self.name, &to, &name));
        if let Err(error) = moved {
            drop(state);
            return Err(FilesError::Disk(error));
        }
        let path = path.to_string_lossy().into_owned();
        let file = UploadedFile { name: name.clone(), size: self.size, path, uploaded_at: now() };
        if let Some(before) = state.files.insert(name, file.clone()) {
            files.give_back(&mut state, on_disk(before.size));
        }
        // What was announced may be more than what has come.
        self.taken = self.taken.saturating_sub(on_disk(self.size));
        self.is_written = false;
        drop(state);
        Ok(file)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut state = self.files.state();
        state.arriving = state.arriving.saturating_sub(1);
        if !state.is_closed {
            self.files.give_back(&mut state, self.taken);
        }
        drop(state);
        if self.is_written {
            let (path, name) = (self.files.path.clone(), std::mem::take(&mut self.name));
            let remove = move || {
                // With the session, the whole directory is removed.
                let _ = Beneath::open(&path, &[ARRIVING]).and_then(|directory| directory.remove(&name));
            };
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(remove)),
                Err(_) => remove(),
            }
        }
    }
}
