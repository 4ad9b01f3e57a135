//! Files of the host: puts downloads at the paths that clients expect, and checks the paths that clients name.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Puts the first of these files that exists at its destination too, atomically, and replaces a file there. Returns the
/// destination.
pub async fn place_first(ways: Vec<(PathBuf, PathBuf)>) -> Option<PathBuf> {
    let placed = tokio::task::spawn_blocking(move || {
        let (from, to) = ways.into_iter().find(|(from, _)| from.exists())?;
        match place(&from, &to) {
            Ok(()) => Some(to),
            Err(error) => {
                tracing::warn!(%error, to = %to.display(), "a download could not be put where its client expects it");
                None
            }
        }
    });
    placed.await.ok().flatten()
}

/// As a second link if both are on one file system, which takes neither time nor disk; otherwise as a copy.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = to.with_file_name(format!(".{name}.{}", uuid::Uuid::new_v4().simple()));
    let made = std::fs::hard_link(from, &beside).or_else(|_| std::fs::copy(from, &beside).map(drop));
    let placed = made.and_then(|()| std::fs::rename(&beside, to));
    // Left by an error, and by a rename of a link to itself, which does nothing.
    let _ = std::fs::remove_file(&beside);
    placed
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
        let ways = || vec![(directory.path().join("nothing"), to.with_extension("no")), (from.clone(), to.clone())];
        for _ in 0..2 {
            assert_eq!(place_first(ways()).await.as_deref(), Some(to.as_path()));
            assert_eq!(std::fs::read_to_string(&to).expect("a file"), "new");
            // It stays for the API, too.
            assert_eq!(std::fs::read_to_string(&from).expect("a file"), "new");
            assert_eq!(std::fs::read_dir(directory.path().join("deep")).expect("read").count(), 1);
        }
    }
}
