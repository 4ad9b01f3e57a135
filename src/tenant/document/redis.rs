//! The document of the tenants in a Redis, for several processes: the text is the value of one key. Every request is one
//! script, so it is atomic; a change is written only if the text is still the one that was read.

use std::{
    fmt, io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::{Connection, FromRedisValue, RedisError, RedisResult, Script};

use super::{ChangeError, PATIENCE, RedisAway, Stamp, TenantsError};
use crate::{
    config::RedisUrl,
    tenant::{edit::EditError, redis_error::reason},
};

/// The key whose value is the text.
const KEY: &str = "ghostmux:tenants";
/// Largest text, in bytes. Redis hashes it whenever a process looks for changes (*measured* on a busy machine, Redis 7: 0.4 ms
/// for 100 KiB, 3 ms for 1 MiB, 21 ms for 4 MiB).
const LARGEST: usize = 4 * 1024 * 1024;
/// Deadline for a connection and for an answer; a Redis that takes longer counts as away.
const ANSWER: Duration = Duration::from_secs(2);
/// The mark of a key that does not exist.
const NONE: &str = "none";
/// The mark of a text that is too large to be read.
const LARGE: &str = "large";

/// The text in a Redis.
pub(super) struct RedisDocument {
    url: RedisUrl,
    stamp: Script,
    read: Script,
    write: Script,
    // Guards the connection, which is made when it is needed; held during a request, by threads that may wait.
    connection: Mutex<Option<Connection>>,
}

impl fmt::Debug for RedisDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisDocument").field(&self.url).finish()
    }
}

impl fmt::Display for RedisDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (key {KEY})", self.url)
    }
}

impl RedisDocument {
    /// The text in this Redis, which need not be reachable yet.
    pub(super) fn new(url: RedisUrl) -> Self {
        let script = |text| Script::new(&[include_str!("redis/common.lua"), text].concat());
        let stamp = script(include_str!("redis/stamp.lua"));
        let (read, write) = (script(include_str!("redis/read.lua")), script(include_str!("redis/write.lua")));
        Self { url, stamp, read, write, connection: Mutex::default() }
    }

    /// The mark of the present text: its SHA-1. Without a text that can be read it is another word.
    pub(super) fn stamp(&self) -> Result<Stamp, RedisAway> {
        self.ask(|redis| self.stamp.key(KEY).arg(LARGEST).invoke(redis)).map(Stamp)
    }

    /// The present text.
    pub(super) fn read(&self) -> Result<(Stamp, String), TenantsError> {
        let (stamp, text) = self.present()?;
        let why = || match stamp.0.as_str() {
            NONE => io::Error::new(
                io::ErrorKind::NotFound,
                "there is no such key; `ghostmux token new` makes it, or SET it to the text of a file of tenants",
            ),
            LARGE => io::Error::other(format!("it is larger than {LARGEST} bytes")),
            _ => io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"),
        };
        let text = text.and_then(|text| String::from_utf8(text).ok());
        let text = text.ok_or_else(|| TenantsError::Unreadable { place: self.to_string(), error: why() })?;
        Ok((stamp, text))
    }

    /// Changes the text, unless somebody else is faster for a long time. With `may_create`, there need not be one.
    pub(super) fn change<T>(
        &self,
        may_create: bool,
        edit: impl Fn(&str) -> Result<(String, T), EditError>,
    ) -> Result<T, ChangeError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (stamp, text) = match self.read() {
                Ok(read) => read,
                Err(TenantsError::Unreadable { error, .. })
                    if may_create && error.kind() == io::ErrorKind::NotFound =>
                {
                    (Stamp(NONE.to_owned()), String::new())
                }
                Err(TenantsError::Away(away)) => return Err(away.into()),
                Err(TenantsError::Unreadable { place, error }) => return Err(ChangeError::file(place, error)),
                Err(other) => return Err(ChangeError::file(self.to_string(), io::Error::other(other))),
            };
            let (new, done) = edit(&text).map_err(|error| ChangeError::edit(self.to_string(), error))?;
            if new.len() > LARGEST {
                let why = format!("it would be larger than {LARGEST} bytes");
                return Err(ChangeError::file(self.to_string(), io::Error::other(why)));
            }
            if new == text || self.replace(&stamp, &new)? {
                return Ok(done);
            }
            if Instant::now() > until {
                return Err(ChangeError::busy(self.to_string(), "others have changed it again and again"));
            }
        }
    }

    /// Writes the text, if the present one still has this mark. It is not tried again: that may have come through.
    fn replace(&self, stamp: &Stamp, text: &str) -> Result<bool, RedisAway> {
        let written = self.once(|redis| self.write.key(KEY).arg(LARGEST).arg(&stamp.0).arg(text).invoke(redis));
        written.map_err(|error| {
            let away = self.away(&error);
            let why = format!("{}; it is not known whether the change was made", away.why);
            if error.is_io_error() { RedisAway { why, ..away } } else { away }
        })
    }

    fn present(&self) -> Result<(Stamp, Option<Vec<u8>>), RedisAway> {
        self.ask(|redis| self.read.key(KEY).arg(LARGEST).invoke(redis)).map(|(stamp, text)| (Stamp(stamp), text))
    }

    /// A request that changes nothing. It is made once more if a connection of before is found to be closed.
    fn ask<T: FromRedisValue>(&self, ask: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, RedisAway> {
        let is_old = self.connection.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let answer = match self.once(&ask) {
            Err(error) if is_old && error.is_connection_dropped() => self.once(&ask),
            answer => answer,
        };
        answer.map_err(|error| self.away(&error))
    }

    fn once<T>(&self, ask: impl Fn(&mut Connection) -> RedisResult<T>) -> RedisResult<T> {
        let mut place = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // Put back only after an answer: that to a request which was given up would be taken for the one to the next.
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let answer = ask(&mut connection)?;
        *place = Some(connection);
        Ok(answer)
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = redis::Client::open(self.url.as_str())?.get_connection_with_timeout(ANSWER)?;
        connection.set_read_timeout(Some(ANSWER))?;
        connection.set_write_timeout(Some(ANSWER))?;
        Ok(connection)
    }

    fn away(&self, error: &RedisError) -> RedisAway {
        RedisAway { url: self.url.to_string(), why: reason(error, ANSWER) }
    }
}
