//! The document of the tenants: a text in TOML, in a file or in a Redis. The server, REST and `ghostmux token` read and
//! change it here, whichever it is.

mod disk;
mod redis;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use self::redis::RedisDocument;
use super::{FileError, Parsed, edit::EditError, file::parse};
use crate::config::TenantsPlace;

/// How long a change waits for those of others.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the tenants cannot be read. Those that are in force stay so.
#[derive(Debug, thiserror::Error)]
pub enum TenantsError {
    /// The document cannot be read, or there is none.
    #[error("cannot read the tenants in {place}: {error}")]
    Unreadable {
        /// The file, or the Redis.
        place: String,
        /// The reason.
        error: io::Error,
    },
    /// The document is wrong.
    #[error("the tenants in {place}: {error}")]
    Wrong {
        /// The file, or the Redis.
        place: String,
        /// The problem, with its line and key.
        error: FileError,
    },
    /// The Redis does not answer.
    #[error(transparent)]
    Away(#[from] RedisAway),
    /// The server has no document of tenants.
    #[error("this server has no tenants; --tenants names the file or the Redis that has them")]
    None,
}

/// The Redis of the tenants does not answer, or refuses to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot ask the Redis of the tenants at {url}: {why}")]
pub struct RedisAway {
    /// Its address, without a password.
    pub url: String,
    /// The reason.
    pub why: String,
}

/// Why the document was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The server has no document of tenants.
    #[error(
        "this server has no tenants that can be changed; start it with --tenants FILE or --tenants redis://HOST:PORT"
    )]
    NoFile,
    /// The document does not allow the change.
    #[error("{place}: {error}")]
    Edit {
        /// The file, or the Redis.
        place: String,
        /// The problem.
        error: EditError,
    },
    /// The document cannot be read or written.
    #[error("{place}: {error}")]
    File {
        /// The file, or the Redis.
        place: String,
        /// The system's error.
        error: io::Error,
    },
    /// The Redis does not answer.
    #[error(transparent)]
    Away(#[from] RedisAway),
    /// The document was changed, and somebody has made it wrong at the same moment, or the Redis is gone.
    #[error("the tenants were changed, and the change is not in force here: {0}")]
    NotInForce(String),
}

impl ChangeError {
    /// What is at this place cannot be read or written.
    pub fn file(place: impl Into<String>, error: io::Error) -> Self {
        Self::File { place: place.into(), error }
    }

    /// What is at this place does not allow the change.
    pub fn edit(place: impl Into<String>, error: impl Into<EditError>) -> Self {
        Self::Edit { place: place.into(), error: error.into() }
    }

    /// Others have changed it without a pause.
    fn busy(place: impl Into<String>, why: &str) -> Self {
        let why = format!("{why} for {} s; try again later", PATIENCE.as_secs());
        Self::file(place, io::Error::new(io::ErrorKind::WouldBlock, why))
    }
}

/// A mark of a state of the document: another state has another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(String);

/// The place of the document; cheap to clone. Every method waits, for the disk or for the network.
#[derive(Clone, Debug)]
pub enum Document {
    /// A file.
    File(PathBuf),
    /// A Redis.
    Redis(Arc<RedisDocument>),
}

impl Document {
    /// The document at this place, which need not be reachable yet.
    pub fn new(place: &TenantsPlace) -> Self {
        match place {
            TenantsPlace::File(path) => Self::File(path.clone()),
            TenantsPlace::Redis(url) => Self::Redis(RedisDocument::new(url.clone()).into()),
        }
    }

    /// Whether it is on another machine, which may be out of reach for a time.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// The mark of its state now.
    pub(super) fn stamp(&self) -> Result<Stamp, RedisAway> {
        match self {
            Self::File(path) => Ok(disk::stamp(path)),
            Self::Redis(redis) => redis.stamp(),
        }
    }

    /// Its tenants, and the mark of the state that was read.
    pub(super) fn load(&self) -> Result<(Stamp, Parsed), TenantsError> {
        let (stamp, text) = match self {
            Self::File(path) => disk::read(path)?,
            Self::Redis(redis) => redis.read()?,
        };
        let parsed = parse(&text).map_err(|error| TenantsError::Wrong { place: self.to_string(), error })?;
        Ok((stamp, parsed))
    }

    /// Its tenants.
    pub fn tenants(&self) -> Result<Parsed, TenantsError> {
        self.load().map(|(_, parsed)| parsed)
    }

    /// Changes it at once: those who read it meanwhile see the old text or the new one, and of changes at the same time none
    /// is lost. `edit` is called again when somebody else was faster. With `may_create`, a document that does not exist is
    /// made.
    pub fn change<T>(
        &self,
        may_create: bool,
        edit: impl Fn(&str) -> Result<(String, T), EditError>,
    ) -> Result<T, ChangeError> {
        match self {
            Self::File(path) => disk::change(path, may_create, edit),
            Self::Redis(redis) => redis.change(may_create, edit),
        }
    }
}

impl fmt::Display for Document {
    /// The path, or the address of the Redis without a password, and its key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => shown(path).fmt(f),
            Self::Redis(redis) => redis.fmt(f),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
