//! How much of the disk directories take.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Most files of one directory that are looked at. A profile has some hundred.
const MOST_FILES: usize = 200_000;
/// The unit of `st_blocks` (stat(2)).
const BLOCK: u64 = 512;

/// The bytes of disk that each of these directories takes, in a thread of its own.
pub(crate) async fn sizes_of(directories: Vec<PathBuf>) -> Vec<u64> {
    let sizes = move || directories.iter().map(|directory| size_of(directory)).collect();
    tokio::task::spawn_blocking(sizes).await.unwrap_or_default()
}

pub(super) fn size_of(directory: &Path) -> u64 {
    let (mut bytes, mut files) = (0, 0);
    let mut to_do = vec![directory.to_owned()];
    while let Some(directory) = to_do.pop() {
        // What is removed meanwhile takes nothing.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else { continue };
            bytes += data.blocks() * BLOCK;
            files += 1;
            if files == MOST_FILES {
                return bytes;
            }
            if data.is_dir() {
                to_do.push(entry.path());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_below_a_directory_count_and_links_do_not_lead_out_of_it() {
        let (one, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        fs::create_dir_all(one.path().join("a/b")).expect("made");
        fs::write(one.path().join("a/b/file"), vec![1; 1 << 20]).expect("written");
        fs::write(other.path().join("file"), vec![1; 8 << 20]).expect("written");
        std::os::unix::fs::symlink(other.path(), one.path().join("a/link")).expect("linked");
        let missing = one.path().join("missing");
        let sizes = sizes_of(vec![one.path().to_owned(), other.path().to_owned(), missing]).await;
        assert!(sizes[0] >= 1 << 20 && sizes[0] < 2 << 20, "{sizes:?}");
        assert!(sizes[1] >= 8 << 20 && sizes[2] == 0, "{sizes:?}");
    }
}
