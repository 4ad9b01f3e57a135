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
use crate::{api_types::Owner, config::TenantsPlace};

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
pub struct Document {
    place: Place,
    /// Most tokens of one tenant.
    tokens_most: usize,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Redis(Arc<RedisDocument>),
}

impl Document {
    /// The document at this place, which need not be reachable yet. No tenant may have more than `tokens_most` tokens.
    pub fn new(place: &TenantsPlace, tokens_most: usize) -> Self {
        let place = match place {
            TenantsPlace::File(path) => Place::File(path.clone()),
            TenantsPlace::Redis(url) => Place::Redis(RedisDocument::new(url.clone()).into()),
        };
        Self { place, tokens_most }
    }

    /// Whether it is on another machine, which may be out of reach for a time.
    pub fn is_remote(&self) -> bool {
        matches!(self.place, Place::Redis(_))
    }

    /// The mark of its state now.
    pub(super) fn stamp(&self) -> Result<Stamp, RedisAway> {
        match &self.place {
            Place::File(path) => Ok(disk::stamp(path)),
            Place::Redis(redis) => redis.stamp(),
        }
    }

    /// Its tenants, and the mark of the state that was read.
    pub(super) fn load(&self) -> Result<(Stamp, Parsed), TenantsError> {
        let (stamp, text) = match &self.place {
            Place::File(path) => disk::read(path)?,
            Place::Redis(redis) => redis.read()?,
        };
        let parsed = parse(&text).and_then(|parsed| self.with_few_tokens(parsed));
        let parsed = parsed.map_err(|error| TenantsError::Wrong { place: self.to_string(), error })?;
        Ok((stamp, parsed))
    }

    fn with_few_tokens(&self, parsed: Parsed) -> Result<Parsed, FileError> {
        let most = self.tokens_most;
        match parsed.iter().find(|(_, tenant)| tenant.tokens.len() > most) {
            None => Ok(parsed),
            Some((owner, tenant)) => Err(FileError {
                line: None,
                key: format!("tenants.{owner}"),
                problem: format!("has {} tokens, and tenant_tokens allows {most}", tenant.tokens.len()),
            }),
        }
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
        let edit = |text: &str| {
            let (new, done) = edit(text)?;
            self.allows(text, &new)?;
            Ok((new, done))
        };
        match &self.place {
            Place::File(path) => disk::change(path, may_create, edit),
            Place::Redis(redis) => redis.change(may_create, edit),
        }
    }
}

impl Document {
    /// Whether no tenant gets more tokens than it may have. One that has too many already may lose some.
    fn allows(&self, old: &str, new: &str) -> Result<(), EditError> {
        let (old, new) = (parse(old)?, parse(new)?);
        let before = |owner: &Owner| old.get(owner).map_or(0, |tenant| tenant.tokens.len());
        let most = self.tokens_most;
        match new.iter().find(|(owner, tenant)| tenant.tokens.len() > most.max(before(owner))) {
            Some((owner, _)) => Err(EditError::Many { owner: owner.clone(), most }),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Document {
    /// The path, or the address of the Redis without a password, and its key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => shown(path).fmt(f),
            Place::Redis(redis) => redis.fmt(f),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::edit::remove_token;

    #[test]
    fn tenants_have_at_most_as_many_tokens_as_the_setting_allows() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tenants.toml");
        let text = |tokens: usize| {
            let token = |number| format!("[[tenants.acme.tokens]]\nname = \"t{number}\"\nsha256 = \"{number:064}\"\n");
            "[tenants.acme]\n".to_owned() + &(1..=tokens).map(token).collect::<String>()
        };
        std::fs::write(&path, text(2)).expect("written");
        let document = Document::new(&TenantsPlace::File(path.clone()), 2);
        assert_eq!(document.tenants().expect("two are allowed").len(), 1);
        let change = |to: usize| document.change(false, |_| Ok((text(to), ())));
        let error = change(3).expect_err("three are not");
        assert!(error.to_string().contains("tenant_tokens") && document.tenants().is_ok(), "{error}");
        // The setting was lowered: the server says so, and tokens can be revoked.
        std::fs::write(&path, text(4)).expect("written");
        let error = document.tenants().expect_err("too many").to_string();
        assert!(error.contains("tenants.acme") && error.contains("tenant_tokens allows 2"), "{error}");
        let owner = "acme".parse().expect("a name");
        document.change(false, |text| Ok((remove_token(text, &owner, "t4")?, ()))).expect("revoked");
        assert!(change(4).is_err());
    }
}
