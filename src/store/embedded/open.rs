//! Opens the file: created for its owner only, repaired after a kill, and distinguished from a file in use.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use redb::{Builder, Database, ReadableDatabase as _, backends::FileBackend};

use super::{Durability, Fault, Tables, write};
use crate::store::StoreError;

/// Bytes of redb's cache. Its default is a gigabyte; chunks are read and written once.
const CACHE: usize = 16 << 20;
/// A smaller file, in bytes, is not compacted.
const WORTH_COMPACTING: u64 = 256 << 20;

/// The open file; `None` if it does not exist and must not be created.
pub(super) fn file<'a>(
    path: &Path,
    opened: &'a RwLock<Option<Database>>,
    make: bool,
) -> Result<RwLockReadGuard<'a, Option<Database>>, StoreError> {
    loop {
        let file = opened.read().unwrap_or_else(PoisonError::into_inner);
        if file.is_some() || (!make && !path.exists()) {
            return Ok(file);
        }
        drop(file);
        let mut file = opened.write().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = Some(open(path).map_err(|fault| match fault {
                Fault::Store(StoreError::Newer { found, known, .. }) => {
                    StoreError::Newer { what: format!("the store {}", path.display()), found, known }
                }
                Fault::Store(error) => error,
                Fault::File(error) => unavailable(path, &error),
            })?);
        }
    }
}

/// Closes the file after an error of the disk, such as a full one: redb refuses all work after one until the file is opened
/// again, which the next call does. Waits for the work of others, which fails too.
pub(super) fn close_after(error: &redb::Error, opened: &RwLock<Option<Database>>) {
    if matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo) {
        drop(opened.write().unwrap_or_else(PoisonError::into_inner).take());
    }
}

pub(super) fn unavailable(path: &Path, error: &redb::Error) -> StoreError {
    let place = path.display().to_string();
    match error {
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse {
            by: holder(path).unwrap_or_else(|| "another process".to_owned()),
            path: place,
            hint: "; a running ghostmux answers under /v1/snapshots, and Redis (--store redis://…) can be shared",
        },
        redb::Error::Io(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            StoreError::DiskFull { place }
        }
        error => StoreError::Unavailable { place, why: error.to_string() },
    }
}

fn open(path: &Path) -> Result<Database, Fault> {
    let cannot =
        |error: io::Error| StoreError::Unavailable { place: path.display().to_string(), why: error.to_string() };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(cannot)?;
    }
    let file = open_file(path).map_err(cannot)?;
    let length = file.metadata().map_err(cannot)?.len();
    let mut file = Builder::new().set_cache_size(CACHE).create_with_backend(FileBackend::new(file)?)?;
    write(&file, Durability::Immediate, Tables::prepare)?;
    // redb's pages are powers of two, so up to half of the file is rounding; more than that can be freed.
    if length > WORTH_COMPACTING && Tables(file.begin_read()?).bytes()? < length / 4 {
        tracing::info!(path = %path.display(), bytes = length, "compacting the store's file");
        file.compact()?;
    }
    Ok(file)
}

fn open_file(path: &Path) -> io::Result<File> {
    // Whoever reads the file can log in as its sessions.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The process that has the file open, as far as this process may see.
fn holder(path: &Path) -> Option<String> {
    let wanted = path.metadata().ok()?;
    let has_it = |process: &Path| {
        let files = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let mut open = files.filter_map(|file| std::fs::metadata(file.path()).ok());
        open.any(|file| (file.dev(), file.ino()) == (wanted.dev(), wanted.ino()))
    };
    let mut ids =
        std::fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let process = |id: u32| Path::new("/proc").join(id.to_string());
    let id = ids.find(|id| has_it(&process(*id)))?;
    let name = std::fs::read_to_string(process(id).join("comm")).ok()?;
    Some(format!("{} (process {id})", name.trim()))
}
