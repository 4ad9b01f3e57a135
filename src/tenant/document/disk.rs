//! The document of the tenants in a file. A change takes the file's lock and replaces the file.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{ChangeError, PATIENCE, Stamp, TenantsError, shown};
use crate::tenant::{edit::EditError, replace::replace};

/// Largest file, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What tells that the file has changed. A file that cannot be looked at has a stamp of its own.
pub(super) fn stamp(path: &Path) -> Stamp {
    let stamp = |data: fs::Metadata| format!("{:?} {} {}", data.modified().ok(), data.size(), data.ino());
    Stamp(fs::metadata(path).map(stamp).unwrap_or_default())
}

/// The text of the file.
pub(super) fn read(path: &Path) -> Result<(Stamp, String), TenantsError> {
    // Looked at before it is read: a change between the two is seen as one later.
    let stamp = stamp(path);
    let unreadable = |error| TenantsError::Unreadable { place: shown(path), error };
    if fs::metadata(path).is_ok_and(|data| data.size() > LARGEST) {
        return Err(unreadable(io::Error::other(format!("it is larger than {LARGEST} bytes"))));
    }
    Ok((stamp, fs::read_to_string(path).map_err(unreadable)?))
}

/// Changes the file at once. With `may_create`, a file that does not exist is made, for its owner only.
pub(super) fn change<T>(
    path: &Path,
    may_create: bool,
    edit: impl FnOnce(&str) -> Result<(String, T), EditError>,
) -> Result<T, ChangeError> {
    let failed = |error| ChangeError::file(shown(path), error);
    // A link stays a link: the file that it names is replaced.
    let real = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut file = locked(real, may_create)
        .map_err(failed)?
        .ok_or_else(|| ChangeError::busy(shown(path), "another process has held its lock"))?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    let (new, done) = edit(&text).map_err(|error| ChangeError::edit(shown(path), error))?;
    if new.len() as u64 > LARGEST {
        return Err(failed(io::Error::other(format!("it would be larger than {LARGEST} bytes"))));
    }
    if new != text {
        replace(real, new.as_bytes()).map_err(failed)?;
    }
    Ok(done)
}

/// Opens the file for a change, after the changes that others make. `None` if they do not end.
fn locked(path: &Path, may_create: bool) -> io::Result<Option<File>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(may_create).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            // The one that had the lock may have replaced the file.
            Ok(()) if fs::metadata(path).is_ok_and(|data| file.metadata().is_ok_and(|own| own.ino() == data.ino())) => {
                return Ok(Some(file));
            }
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() > until => return Ok(None),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{
        edit::remove_tenant,
        file::{
            parse,
            tests::{FILE, owner},
        },
    };

    #[test]
    fn changes_wait_for_others_and_not_for_ever() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tenants.toml");
        let refused = change(&path, false, |text| Ok((text.to_owned(), ()))).expect_err("there is no file");
        assert!(matches!(refused, ChangeError::File { .. }) && !path.exists(), "{refused}");
        fs::write(&path, FILE).expect("written");
        let other = File::open(&path).expect("a file");
        other.lock().expect("locked");
        let refused = change(&path, false, |text| Ok((text.to_owned(), ()))).expect_err("somebody has it");
        assert!(refused.to_string().contains("held its lock"), "{refused}");
        drop(other);
        change(&path, false, |text| remove_tenant(text, &owner("acme")).map(|text| (text, ()))).expect("changed");
        assert_eq!(parse(&fs::read_to_string(&path).expect("a file")).expect("a file").len(), 1);
    }
}
