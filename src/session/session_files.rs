//! The files of sessions on this machine: a directory for each session, moves of downloads to the paths that clients
//! expect, and checks of the files that clients name.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The directory of a session. It is made when it is first needed, and removed when this value is dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    made: bool,
}

impl Directory {
    /// A directory at this path, which is not made yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, made: false }
    }

    /// The path, also before the directory is made.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the directory before the drop returns, because the runtime may be about to end.
    pub fn remove_now(mut self) {
        if std::mem::take(&mut self.made) {
            remove(&self.path);
        }
    }

    /// Makes a directory in it.
    pub fn make(&mut self, inside: &Path) -> io::Result<()> {
        self.made = true;
        std::fs::create_dir_all(inside)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.made {
            let path = std::mem::take(&mut self.path);
            // The directory may have many files, and this may run on a thread of the runtime.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || remove(&path))),
                Err(_) => remove(&path),
            }
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::warn!(%error, path = %path.display(), "files that are not needed any more could not be removed");
    }
}

/// Moves the first of these files that exists, atomically, and replaces a file at its destination. Returns the
/// destination.
pub async fn move_first(ways: Vec<(PathBuf, PathBuf)>) -> Option<PathBuf> {
    let moved = tokio::task::spawn_blocking(move || {
        let (from, to) = ways.into_iter().find(|(from, _)| from.exists())?;
        match move_over(&from, &to) {
            Ok(()) => Some(to),
            Err(error) => {
                tracing::warn!(%error, to = %to.display(), "a download could not be put where its client expects it");
                None
            }
        }
    });
    moved.await.ok().flatten()
}

fn move_over(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if std::fs::rename(from, to).is_ok() {
        return Ok(());
    }
    // The destination is on another file system: copies the file beside it, then renames the copy.
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = to.with_file_name(format!(".{name}.{}", uuid::Uuid::new_v4().simple()));
    let copied = std::fs::copy(from, &beside).and_then(|_| std::fs::rename(&beside, to));
    if copied.is_err() {
        let _ = std::fs::remove_file(&beside);
    } else {
        let _ = std::fs::remove_file(from);
    }
    copied
}

/// Whether each path, with links resolved, is a file in the directory.
pub async fn all_inside(directory: PathBuf, paths: Vec<String>) -> bool {
    let look = move || {
        let Ok(directory) = directory.canonicalize() else { return false };
        paths.iter().all(|path| Path::new(path).canonicalize().is_ok_and(|real| real.starts_with(&directory)))
    };
    tokio::task::spawn_blocking(look).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn paths_outside_the_directory_are_detected() {
        let (own, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let (inside, outside) = (own.path().join("a"), other.path().join("b"));
        std::fs::write(&inside, "x").expect("a file");
        std::fs::write(&outside, "x").expect("a file");
        std::os::unix::fs::symlink(&outside, own.path().join("link")).expect("a link");
        let is_inside =
            async |path: PathBuf| all_inside(own.path().to_owned(), vec![path.to_string_lossy().into_owned()]).await;
        assert!(is_inside(inside.clone()).await);
        assert!(is_inside(own.path().join("x/../a")).await == own.path().join("x").exists());
        assert!(!is_inside(outside.clone()).await);
        assert!(!is_inside(own.path().join("link")).await);
        assert!(!is_inside(own.path().join("..").join(outside.strip_prefix("/tmp").unwrap_or(&outside))).await);
        assert!(!is_inside(PathBuf::from("relative")).await);
        assert!(!is_inside(own.path().join("nothing")).await);
    }

    #[tokio::test]
    async fn downloads_replace_existing_files() {
        let directory = tempfile::tempdir().expect("a directory");
        let (from, to) = (directory.path().join("guid"), directory.path().join("deep/name.txt"));
        std::fs::write(&from, "new").expect("a file");
        std::fs::create_dir(directory.path().join("deep")).expect("a directory");
        std::fs::write(&to, "old").expect("a file");
        let ways = vec![(directory.path().join("nothing"), to.with_extension("no")), (from.clone(), to.clone())];
        assert_eq!(move_first(ways).await.as_deref(), Some(to.as_path()));
        assert_eq!(std::fs::read_to_string(&to).expect("a file"), "new");
        assert!(!from.exists());
    }
}
