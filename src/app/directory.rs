//! The directory of this process, with the profiles of its browsers and the files of its sessions.
//!
//! A process holds a lock (flock(2)) on a file in its directory for as long as it lives, however it ends. A directory whose
//! lock nobody holds was left behind by a process that was killed: the next one that starts removes it. A directory
//! without such a file, or of another user, is not touched.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{Flock, FlockArg},
    unistd::Uid,
};

/// The begin of the names of such directories.
const PREFIX: &str = "ghostmux-";
/// The file in it that is locked.
const LOCK: &str = "lock";
/// Attempts to make a directory. Each fails only if another process that starts takes it for a left one at this moment.
const ATTEMPTS: u32 = 10;

/// The directory of this process; removed when it is dropped.
#[derive(Debug)]
pub(super) struct OwnDirectory {
    path: PathBuf,
    // Released after the directory was removed.
    _lock: Flock<File>,
}

impl OwnDirectory {
    /// Makes a directory in `base`, which is made too if it is missing.
    pub(super) fn make(base: &Path) -> io::Result<Self> {
        fs::create_dir_all(base)?;
        for attempt in 0..ATTEMPTS {
            // Short, because Chrome creates sockets there and their paths have a maximum length. A process with the same
            // number may have left one without a lock.
            let name = match attempt {
                0 => std::process::id().to_string(),
                _ => uuid::Uuid::new_v4().simple().to_string(),
            };
            let path = base.join(format!("{PREFIX}{name}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let file = match File::create_new(path.join(LOCK)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            if let Some(lock) = lock(file, &path) {
                return Ok(Self { path, _lock: lock });
            }
        }
        Err(io::Error::other("other processes that start remove it again and again"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the directories in `base` that processes which were killed have left behind. May take long.
pub(super) fn remove_left(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_own =
            || fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir() && data.uid() == Uid::effective().as_raw());
        if !is_named_so || !is_own() {
            continue;
        }
        let Ok(file) = File::open(path.join(LOCK)) else { continue };
        // Held until the directory is gone, so that nobody else removes it meanwhile.
        let Some(_lock) = lock(file, &path) else { continue };
        tracing::info!(directory = %path.display(), "removing what a process that was killed has left behind");
        remove(&path);
    }
}

/// Locks the file of a directory; `None` if another process holds the lock or has removed the file meanwhile.
fn lock(file: File, directory: &Path) -> Option<Flock<File>> {
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
    let (held, there) = (lock.metadata().ok()?, fs::metadata(directory.join(LOCK)).ok()?);
    ((held.dev(), held.ino()) == (there.dev(), there.ino())).then_some(lock)
}

fn remove(path: &Path) {
    // Chrome's last helpers may still write during the removal: then it is repeated once.
    if fs::remove_dir_all(path).is_err()
        && let Err(error) = fs::remove_dir_all(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, directory = %path.display(), "a directory that is not needed any more cannot be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_whose_lock_nobody_holds_are_removed() {
        let base = tempfile::tempdir().expect("a directory");
        let own = OwnDirectory::make(base.path()).expect("made");
        let other = OwnDirectory::make(base.path()).expect("made under another name");
        let make = |name: &str| {
            let path = base.path().join(name);
            fs::create_dir_all(path.join("0/Default")).expect("made");
            path
        };
        let (left, unlocked, foreign) = (make("ghostmux-1"), make("ghostmux-2"), make("other-3"));
        for path in [&left, &foreign] {
            fs::write(path.join(LOCK), "").expect("written");
        }
        remove_left(base.path());
        assert!(!left.exists());
        for kept in [own.path(), other.path(), &unlocked, &foreign] {
            assert!(kept.exists(), "{}", kept.display());
        }
        let mode = fs::metadata(own.path()).expect("there").mode();
        assert_eq!(mode & 0o777, 0o700, "other users see nothing of it");
        let path = own.path().to_owned();
        drop(own);
        assert!(!path.exists() && other.path().exists());
    }
}
