//! Replaces the content of a file at once.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// Gives a file other content. Whoever reads it meanwhile, and after a crash, finds the old content or the new one, whole.
/// The file keeps its owner and permissions; a new one is for its owner only. A link stays a link.
///
/// Waits for the disk. Two calls for one file at a time need a lock of their callers.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let put = || {
        let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        if let Ok(data) = fs::metadata(path) {
            to.set_permissions(fs::Permissions::from_mode(data.mode() & 0o777))?;
            // Root may write the file of a service's user; others cannot give a file away.
            let _ = std::os::unix::fs::fchown(&to, Some(data.uid()), Some(data.gid()));
        }
        to.write_all(content)?;
        to.sync_all()?;
        fs::rename(&beside, path)?;
        // The new name, too, is on the disk.
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(directory)?.sync_all()
    };
    put().inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_and_keep_their_permissions_and_links() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, link) = (directory.path().join("file"), directory.path().join("link"));
        let mode = || fs::metadata(&path).expect("a file").mode() & 0o777;
        replace(&path, b"one").expect("made");
        assert_eq!(mode(), 0o600, "for its owner only");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("its own file");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        replace(&link, b"two").expect("replaced");
        assert_eq!((fs::read(&path).expect("a file"), mode()), (b"two".to_vec(), 0o640));
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert!(replace(&directory.path().join("none/file"), b"x").is_err());
        let left = fs::read_dir(directory.path()).expect("it is there").count();
        assert_eq!(left, 2, "nothing else is left");
    }
}
