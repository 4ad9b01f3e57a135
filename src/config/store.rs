//! The settings of the store: its place, its keys, and the limits of time and size.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ConfigError,
    layers::Layers,
    said::{Said, Source},
    value::{duration, path},
};

/// The default file for root's service and for a user without a home directory.
const SYSTEM_FILE: &str = "/var/lib/ghostmux/ghostmux.redb";

/// The store of snapshots and hibernated sessions, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The file or the server.
    pub place: StorePlace,
    /// The keys that encrypt and decrypt snapshots; may be empty.
    pub keys: StoreKeys,
    /// How long a snapshot is kept if its owner sets nothing. `None` is for ever.
    pub ttl: Option<Duration>,
    /// Limits of the size and number of snapshots.
    pub limits: StoreLimits,
}

/// The kind and place of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// One file that only this process uses.
    File(PathBuf),
    /// A Redis that several processes share.
    Redis(RedisUrl),
}

/// Where the document of the tenants is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantsPlace {
    /// A file.
    File(PathBuf),
    /// A Redis that several processes share.
    Redis(RedisUrl),
}

/// Limits of the size and number of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Largest snapshot, in bytes before compression.
    pub snapshot: u64,
    /// Most bytes, as stored, of all snapshots of one owner.
    pub bytes: u64,
    /// Most snapshots of one owner.
    pub count: u64,
}

impl StoreLimits {
    /// No limits at all.
    pub const NONE: Self = Self { snapshot: u64::MAX, bytes: u64::MAX, count: u64::MAX };
}

/// The address of a Redis. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The whole URL, for connecting. Not for logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn without_secrets(text: &str) -> String {
        let text = text.split_once(['?', '#']).map_or(text, |(head, _)| head);
        match text.split_once("://") {
            Some((scheme, rest)) => {
                format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
            }
            None => text.to_owned(),
        }
    }

    /// The address in a value that may also be a path; `None` if it is one. No error repeats a password.
    fn check(said: &Said) -> Result<Option<Self>, ConfigError> {
        if !said.text.contains("://") {
            return Ok(None);
        }
        let wrong = |problem: String| said.showing(&Self::without_secrets(&said.text)).wrong(&problem);
        said.text.parse().map(Some).map_err(wrong)
    }
}

impl std::str::FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("rediss://") {
            return Err("is encrypted, which is not supported yet; use redis:// through a tunnel".into());
        }
        match redis::Client::open(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err("is no address of a Redis; write redis://USER:PASSWORD@HOST:PORT/DB or unix:///PATH".into()),
        }
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::without_secrets(&self.0))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

/// The keys of a store, in the order given: the first encrypts, all decrypt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreKeys(Vec<StoreKey>);

/// One key of a store.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKey {
    /// The key's name, stored beside what it encrypted: 1 to 32 ASCII letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// The secret, for the cipher only.
    pub secret: [u8; 32],
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({} ***)", self.id)
    }
}

impl StoreKeys {
    /// The key that encrypts; `None` if nothing is encrypted.
    pub fn sealing(&self) -> Option<&StoreKey> {
        self.0.first()
    }

    /// What may be shown of the text of the setting: the variable can hold the keys themselves.
    pub(super) fn without_secrets(_: &str) -> String {
        "***".to_owned()
    }

    /// The key with this name.
    pub fn named(&self, id: &str) -> Option<&StoreKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl StoreKeys {
    /// The keys in a variable, otherwise those in the file of this name. No error repeats a key.
    pub(super) fn check(said: &Said) -> Result<Self, ConfigError> {
        if said.text.lines().any(|line| key(line.trim()).is_some()) {
            return match said.source {
                Source::Variable => said.text.parse().map_err(|why: String| said.conflict(why)),
                _ => {
                    Err(said
                        .conflict("is a key; name a file that holds the key, because other users can see this text"))
                }
            };
        }
        match std::fs::read_to_string(Path::new(&said.text)) {
            Ok(text) => text.parse().map_err(|why| said.conflict(format!("{}: {why}", said.text))),
            // A mistyped key is taken for a file name, and must not be shown either.
            Err(error) if said.text.contains(':') => {
                Err(said.conflict(format!("is neither a file nor a key: {error}")))
            }
            Err(error) => Err(said.conflict(format!("cannot read {}: {error}", said.text))),
        }
    }
}

impl std::str::FromStr for StoreKeys {
    type Err = String;

    /// Parses one key per line, `ID:64 hexadecimal digits`; empty lines and lines that begin with `#` are ignored. No
    /// error repeats what may be a secret.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut keys = Vec::<StoreKey>::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = key(line).ok_or_else(|| {
                format!(
                    "line {} is no key; write ID:64 hexadecimal digits, such as \"k1:$(openssl rand -hex 32)\"",
                    number + 1
                )
            })?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(format!("names the key {} twice", key.id));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err("has no key in it".into()) } else { Ok(Self(keys)) }
    }
}

fn key(line: &str) -> Option<StoreKey> {
    let (id, digits) = line.split_once(':')?;
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if id.is_empty() || id.len() > 32 || !id.bytes().all(plain) || digits.len() != 64 {
        return None;
    }
    let mut secret = [0; 32];
    for (byte, pair) in secret.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|c| c.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(StoreKey { id: id.to_owned(), secret })
}

/// The text of a path, or of the address of a Redis without its password.
pub(super) fn place_without_secrets(text: &str) -> String {
    if text.contains("://") { RedisUrl::without_secrets(text) } else { text.to_owned() }
}

impl TenantsPlace {
    /// Checks the place of the tenants. No error repeats a password.
    pub(super) fn check(said: &Said) -> Result<Self, ConfigError> {
        if let Some(url) = RedisUrl::check(said)? {
            return Ok(Self::Redis(url));
        }
        path(&said.text).map(Self::File).map_err(|problem| said.wrong(&problem))
    }
}

impl StorePlace {
    /// Checks the place of a store. No error repeats a password.
    pub(super) fn check(said: &Said) -> Result<Self, ConfigError> {
        if let Some(url) = RedisUrl::check(said)? {
            return Ok(Self::Redis(url));
        }
        if said.text.is_empty() || said.text.ends_with('/') {
            return Err(said.wrong("names no file; write a path such as /var/lib/ghostmux/ghostmux.redb"));
        }
        Ok(Self::File(PathBuf::from(&said.text)))
    }

    /// The file by the XDG base directories; root, and a user without a home directory, gets the system's file.
    pub(super) fn default_file(layers: &Layers) -> Self {
        let set = |name| layers.environment(name).filter(|path| path.starts_with('/')).map(PathBuf::from);
        if nix::unistd::Uid::effective().is_root() {
            return Self::File(SYSTEM_FILE.into());
        }
        let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
        Self::File(state.map_or_else(|| SYSTEM_FILE.into(), |state| state.join("ghostmux/ghostmux.redb")))
    }
}

/// How long a snapshot is kept; `None`, written as 0, is for ever.
pub(super) fn ttl(text: &str) -> Result<Option<Duration>, String> {
    let ttl = if text == "0" { Ok(Duration::ZERO) } else { duration(Duration::ZERO)(text) };
    ttl.map(|ttl| (!ttl.is_zero()).then_some(ttl))
}
