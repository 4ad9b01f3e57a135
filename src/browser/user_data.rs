//! User data directories that stay when their Chrome has ended: one for each profile of an owner, below one directory.
//!
//! ```text
//! BASE/OWNER@NAME/lock    locked (flock(2)) by the process that uses the profile, and by its Chrome
//! BASE/OWNER@NAME/data    --user-data-dir of Chrome
//! BASE/OWNER@NAME/extensions    JSON: the paths of extensions that clients have installed, by their ids
//! ```
//!
//! Chrome inherits the lock, so it is held until both have ended, in whatever way. Only who holds it removes what a Chrome that
//! was killed has left there. All functions here block.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::{fcntl::OFlag, unistd::Uid};

use super::disk::size_of;
use crate::{
    api_types::{Owner, profile_name},
    port::LockedDirectory,
};

/// The file that is locked.
const LOCK: &str = "lock";
/// The directory of Chrome.
const DATA: &str = "data";
/// The installed extensions.
const EXTENSIONS: &str = "extensions";
/// Begin of the name of a directory that is being removed. It has no `@`, so it is that of no profile.
const REMOVED: &str = ".removed-";
/// What Chrome leaves when it is killed, and what keeps the next one from starting.
const SINGLETON: [&str; 3] = ["SingletonLock", "SingletonCookie", "SingletonSocket"];

/// Why a user data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UserDataError {
    /// Another process uses it.
    #[error("another process has it in use")]
    Locked,
    /// There is none.
    #[error("it does not exist")]
    Missing,
    /// It is not a directory of this user, or others may change it.
    #[error("{} is not a directory that this user alone can change", .0.display())]
    Foreign(PathBuf),
    /// The system refused.
    #[error("{}: {error}", .path.display())]
    System {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

/// The directory of all user data directories; cheap to clone.
#[derive(Clone, Debug)]
pub struct UserDataRoot(PathBuf);

/// A user data directory that this process has locked. Dropping it releases the lock, once Chrome has ended too.
#[derive(Debug)]
pub struct UserDataDir {
    directory: PathBuf,
    data: PathBuf,
    // Closed, and never unlocked: Chrome has it too.
    lock: File,
}

/// A user data directory as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDataInfo {
    /// The name of the profile.
    pub name: String,
    /// Bytes of disk that it takes.
    pub bytes: u64,
    /// When it was used last.
    pub used: SystemTime,
}

impl UserDataRoot {
    /// Below this directory, which is made when it is first needed.
    pub fn new(base: PathBuf) -> Self {
        Self(base)
    }

    /// Removes what was left of directories that a process removed when it was killed.
    pub fn clean(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(REMOVED)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// The directory of a profile. What [`profile_name`] does not allow could name another one, and is the name of none.
    fn directory(&self, owner: &Owner, name: &str) -> Result<PathBuf, UserDataError> {
        let name = profile_name("profile", name).map_err(|_| UserDataError::Missing)?;
        Ok(self.0.join(directory_name(owner, &name)))
    }

    /// Locks the directory of a profile; makes it if it is missing and `make` says so.
    pub fn lock(&self, owner: &Owner, name: &str, make: bool) -> Result<UserDataDir, UserDataError> {
        let directory = self.directory(owner, name)?;
        if make {
            make_own(&self.0)?;
            make_own(&directory)?;
        } else if !directory.exists() {
            return Err(UserDataError::Missing);
        }
        is_own(&self.0)?;
        is_own(&directory)?;
        let path = directory.join(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
        let file = options.open(&path).map_err(|error| system(&path, error))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => UserDataError::Locked,
            TryLockError::Error(error) => system(&path, error),
        })?;
        // Another process may have removed the directory before this one locked its file.
        let (held, there) = (file.metadata(), fs::symlink_metadata(&path));
        if !held.is_ok_and(|held| there.is_ok_and(|there| (held.dev(), held.ino()) == (there.dev(), there.ino()))) {
            return Err(UserDataError::Locked);
        }
        let data = directory.join(DATA);
        make_own(&data)?;
        is_own(&data)?;
        for left in SINGLETON {
            let left = data.join(left);
            match fs::remove_file(&left) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(system(&left, error)),
                _ => {}
            }
        }
        Ok(UserDataDir { directory, data, lock: file })
    }

    /// The directories of an owner, by name, with their sizes. May take long.
    pub fn list(&self, owner: &Owner) -> Vec<UserDataInfo> {
        let prefix = directory_name(owner, "");
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let (file_name, path) = (entry.file_name(), entry.path());
            let name = file_name.to_str().and_then(|text| text.strip_prefix(&prefix));
            let Some(name) = name.and_then(|name| profile_name("profile", name).ok()) else { continue };
            if is_own(&path).is_ok() {
                let used = fs::symlink_metadata(path.join(LOCK)).and_then(|data| data.modified());
                all.push(UserDataInfo { name, bytes: size_of(&path), used: used.unwrap_or(SystemTime::UNIX_EPOCH) });
            }
        }
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Bytes of disk that all directories of an owner take. May take long.
    pub fn bytes_of(&self, owner: &Owner) -> u64 {
        self.list(owner).iter().map(|one| one.bytes).sum()
    }

    /// Whether there is such a directory.
    pub fn has(&self, owner: &Owner, name: &str) -> bool {
        self.directory(owner, name).and_then(|directory| is_own(&directory)).is_ok()
    }
}

impl UserDataDir {
    /// Removes the directory and all that is in it.
    pub fn remove(self) -> Result<(), UserDataError> {
        let base = self.directory.parent().unwrap_or(&self.directory);
        let removed = base.join(format!("{REMOVED}{}", uuid::Uuid::new_v4().simple()));
        // Under another name first: a process that is killed leaves no half of it behind.
        fs::rename(&self.directory, &removed).map_err(|error| system(&self.directory, error))?;
        fs::remove_dir_all(&removed).map_err(|error| system(&removed, error))
    }
}

impl LockedDirectory for UserDataDir {
    fn path(&self) -> &Path {
        &self.data
    }

    fn extensions(&self) -> Vec<String> {
        installed(&self.directory).into_values().collect()
    }

    fn keep_extension(&self, id: &str, path: Option<&str>) -> io::Result<()> {
        let mut all = installed(&self.directory);
        match path {
            Some(path) => all.insert(id.to_owned(), path.to_owned()),
            None => all.remove(id),
        };
        // In one step: a process that is killed leaves the old list or the new one.
        let new = self.directory.join(format!("{EXTENSIONS}.new"));
        fs::write(&new, serde_json::to_vec(&all)?)?;
        fs::rename(new, self.directory.join(EXTENSIONS))
    }

    fn share_lock(&self) -> io::Result<OwnedFd> {
        self.lock.as_fd().try_clone_to_owned()
    }
}

impl Drop for UserDataDir {
    fn drop(&mut self) {
        // Its time says when the profile was used last.
        let _ = self.lock.set_modified(SystemTime::now());
    }
}

/// The installed extensions of a directory; none if they cannot be read.
fn installed(directory: &Path) -> BTreeMap<String, String> {
    let text = fs::read(directory.join(EXTENSIONS)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Names of owners and of profiles have no `@` and no slash.
fn directory_name(owner: &Owner, name: &str) -> String {
    format!("{owner}@{name}")
}

fn system(path: &Path, error: io::Error) -> UserDataError {
    UserDataError::System { path: path.to_owned(), error }
}

/// Makes a directory that only this user may enter, if it does not exist.
fn make_own(path: &Path) -> Result<(), UserDataError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parents = path.parent().map_or(Ok(()), fs::create_dir_all);
            parents.and_then(|()| DirBuilder::new().mode(0o700).create(path)).map_err(|error| system(path, error))
        }
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(system(path, error)),
        _ => Ok(()),
    }
}

/// Fails unless it is a directory of this user, and no link, that no other may change.
fn is_own(path: &Path) -> Result<(), UserDataError> {
    let data = fs::symlink_metadata(path).map_err(|error| system(path, error))?;
    if data.is_dir() && data.uid() == Uid::effective().as_raw() && data.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(UserDataError::Foreign(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn owner(name: &str) -> Owner {
        name.parse().expect("an owner")
    }

    #[test]
    fn a_directory_is_locked_once_and_what_a_killed_chrome_left_is_removed_under_the_lock() {
        let base = tempfile::tempdir().expect("a directory");
        let root = UserDataRoot::new(base.path().join("a/b"));
        let first = root.lock(&owner("acme"), "shop", true).expect("made");
        let singleton = first.path().join("SingletonLock");
        symlink("host-1", &singleton).expect("linked");
        fs::write(first.path().join("Cookies"), "kept").expect("written");
        assert!(matches!(root.lock(&owner("acme"), "shop", true), Err(UserDataError::Locked)));
        assert!(singleton.symlink_metadata().is_ok(), "it may be that of a Chrome that runs");
        let others = root.lock(&owner("other"), "shop", true).expect("another one");
        assert_ne!(others.path(), first.path());
        // A Chrome that outlives the process holds the lock.
        let chrome = first.share_lock().expect("shared");
        drop(first);
        assert!(matches!(root.lock(&owner("acme"), "shop", true), Err(UserDataError::Locked)));
        drop(chrome);
        let again = root.lock(&owner("acme"), "shop", false).expect("it is free");
        assert!(singleton.symlink_metadata().is_err());
        assert_eq!(fs::read_to_string(again.path().join("Cookies")).expect("kept"), "kept");
        assert_eq!(fs::metadata(again.path()).expect("there").mode() & 0o777, 0o700);
        again.remove().expect("removed");
        assert!(matches!(root.lock(&owner("acme"), "shop", false), Err(UserDataError::Missing)));
        assert!(root.has(&owner("other"), "shop") && !root.has(&owner("acme"), "shop"));
    }

    #[test]
    fn installed_extensions_are_kept_until_they_are_removed() {
        let base = tempfile::tempdir().expect("a directory");
        let root = UserDataRoot::new(base.path().to_owned());
        let open = || root.lock(&owner("acme"), "shop", true).expect("it is free");
        open().keep_extension("a", Some("/x/one")).expect("written");
        open().keep_extension("b", Some("/x/two")).expect("written");
        assert_eq!(open().extensions(), ["/x/one", "/x/two"]);
        open().keep_extension("a", None).expect("written");
        assert_eq!(open().extensions(), ["/x/two"]);
        fs::write(base.path().join("acme@shop/extensions"), "no JSON").expect("written");
        assert_eq!(open().extensions(), Vec::<String>::new());
    }

    #[test]
    fn links_and_directories_that_others_may_change_are_refused() {
        let base = tempfile::tempdir().expect("a directory");
        let (root, elsewhere) = (UserDataRoot::new(base.path().join("base")), base.path().join("elsewhere"));
        DirBuilder::new().mode(0o700).recursive(true).create(elsewhere.join("data")).expect("made");
        drop(root.lock(&owner("acme"), "shop", true).expect("made"));
        symlink(&elsewhere, root.0.join("acme@linked")).expect("linked");
        assert!(matches!(root.lock(&owner("acme"), "linked", true), Err(UserDataError::Foreign(_))));
        let data = root.0.join("acme@shop/data");
        fs::remove_dir(&data).expect("empty");
        symlink(elsewhere.join("data"), &data).expect("linked");
        assert!(matches!(root.lock(&owner("acme"), "shop", true), Err(UserDataError::Foreign(_))));
        let lock = root.0.join("acme@shop/lock");
        fs::remove_file(&lock).expect("there");
        symlink(base.path().join("target"), &lock).expect("linked");
        assert!(matches!(root.lock(&owner("acme"), "shop", true), Err(UserDataError::System { .. })));
        assert!(!base.path().join("target").exists());
        // Names that lead to another directory, by way of one that exists.
        for name in
            ["shop/../acme@linked", "../acme@shop", "shop/../../elsewhere", "shop/data", "", ".", "..", "shop\0"]
        {
            assert!(matches!(root.lock(&owner("acme"), name, false), Err(UserDataError::Missing)), "{name:?}");
            assert!(matches!(root.lock(&owner("acme"), name, true), Err(UserDataError::Missing)), "{name:?}");
            assert!(!root.has(&owner("acme"), name), "{name:?}");
        }
        // Of an owner whose name is a prefix of another's, and with what is no name of a profile.
        drop(root.lock(&owner("acme2"), "bank", true).expect("made"));
        fs::create_dir(root.0.join("acme@.hidden")).expect("made");
        let names = |name: &str| root.list(&owner(name)).into_iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!((names("acme"), names("acme2")), (vec!["shop".to_owned()], vec!["bank".to_owned()]));
    }
}
