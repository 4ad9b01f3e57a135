//! Files that sessions touch on this machine: a directory of each session's own, downloads on their way to where a
//! client expects them, and whether files a client names are its own.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A session's own directory; made when it is first needed, gone with its owner.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    made: bool,
}

impl Directory {
    /// Nothing is made yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, made: false }
    }

    /// Where it is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it before this returns: the runtime may be about to end.
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
            // Perhaps many files, and this may run on a runtime's thread.
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

/// Moves the first file of these that is there, whole, over what is there already; returns where it went.
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
    // Another file system: a copy beside the place, which then takes its place at once.
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

/// Whether each of these, links resolved, is a file in the directory.
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
    async fn a_file_outside_is_outside_however_it_is_spelt() {
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
    async fn a_download_replaces_what_is_there() {
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
