//! Files beneath the directory of a session, reached from directory to directory without following links. All functions
//! here block.
//!
//! Nothing that a client can do makes a link in the directory. That links are not followed either holds even if something
//! else has made one.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, open, openat, renameat},
    sys::stat::{Mode, mkdirat},
    unistd::{UnlinkatFlags, unlinkat},
};

/// A directory beneath that of a session.
#[derive(Debug)]
pub(super) struct Beneath(OwnedFd);

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const ONE_FILE: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_CLOEXEC).union(OFlag::O_NONBLOCK);

impl Beneath {
    /// The directory of these names below `base`.
    pub(super) fn open(base: &Path, names: &[&str]) -> io::Result<Self> {
        let mut directory = open(base, DIRECTORY, Mode::empty())?;
        for name in names {
            directory = openat(&directory, is_name(name)?, DIRECTORY, Mode::empty())?;
        }
        Ok(Self(directory))
    }

    /// The same; makes those that are missing, for this user alone.
    pub(super) fn make(base: &Path, names: &[&str]) -> io::Result<Self> {
        let mode = Mode::S_IRWXU;
        if let Some(parent) = base.parent() {
            std::fs::create_dir_all(parent)?;
        }
        unless_there(mkdirat(AT_FDCWD, base, mode))?;
        let mut directory = open(base, DIRECTORY, Mode::empty())?;
        for name in names {
            unless_there(mkdirat(&directory, is_name(name)?, mode))?;
            directory = openat(&directory, *name, DIRECTORY, Mode::empty())?;
        }
        Ok(Self(directory))
    }

    /// Opens a file to read it.
    pub(super) fn read(&self, name: &str) -> io::Result<File> {
        let file = File::from(openat(&self.0, is_name(name)?, ONE_FILE | OFlag::O_RDONLY, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(Errno::ENOENT.into()) }
    }

    /// Makes a file that did not exist.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = ONE_FILE | OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        Ok(openat(&self.0, is_name(name)?, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }

    /// Removes a file; whether there was one.
    pub(super) fn remove(&self, name: &str) -> io::Result<bool> {
        match unlinkat(&self.0, is_name(name)?, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::ENOENT) => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }

    /// Moves a file to another directory, over one of that name.
    pub(super) fn rename(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        Ok(renameat(self.0.as_fd(), is_name(name)?, to.0.as_fd(), is_name(new)?)?)
    }
}

fn unless_there(made: nix::Result<()>) -> io::Result<()> {
    match made {
        Err(Errno::EEXIST) => Ok(()),
        made => Ok(made?),
    }
}

/// What is no name could lead elsewhere.
fn is_name(name: &str) -> io::Result<&str> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(Errno::ENOENT.into());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Read as _, Write as _},
        os::unix::fs::symlink,
    };

    use super::*;

    #[test]
    fn links_are_not_followed_and_names_are_no_paths() {
        let (own, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let base = own.path().join("session");
        fs::write(other.path().join("secret"), "secret").expect("written");
        let files = Beneath::make(&base, &["files"]).expect("made");
        files.create("a").expect("made").write_all(b"own").expect("written");
        let mut text = String::new();
        files.read("a").expect("opened").read_to_string(&mut text).expect("read");
        assert_eq!(text, "own");
        assert!(files.create("a").is_err(), "it exists");
        symlink(other.path().join("secret"), base.join("files/link")).expect("linked");
        symlink(other.path(), base.join("away")).expect("linked");
        fs::create_dir(base.join("files/directory")).expect("made");
        for name in ["link", "directory", "../../session/files/a", "..", ".", "", "a\0", "/etc/hostname"] {
            assert!(files.read(name).is_err(), "{name:?}");
        }
        assert!(files.create("link").is_err());
        assert!(Beneath::open(&base, &["away"]).is_err() && Beneath::make(&base, &["away"]).is_err());
        assert!(Beneath::open(&base, &["files", "..", ".."]).is_err());
        // A link at the destination is replaced, not written through; one that is removed takes nothing with it.
        files.rename("a", &files, "link").expect("renamed");
        assert!(fs::symlink_metadata(base.join("files/link")).expect("there").is_file());
        symlink(other.path().join("secret"), base.join("files/b")).expect("linked");
        assert!(files.remove("b").expect("removed") && !files.remove("b").expect("nothing there"));
        assert_eq!(fs::read_to_string(other.path().join("secret")).expect("there"), "secret");
        assert!(files.remove("../away").is_err() && base.join("away").symlink_metadata().is_ok());
    }
}
