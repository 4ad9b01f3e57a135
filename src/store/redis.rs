//! Redis as the store, shared by several processes. Every change is one Lua script, so it is atomic.
//!
//! The keys all begin with `ghostmux:`. They are `snapshots:OWNER` (hash of id and metadata), `order:OWNER` (the ids in
//! order), `usage:OWNER` (bytes, count), `expiry` (time of each snapshot that expires), `blob:ID` (hash of number and
//! chunk), `profiles:OWNER` (hash of the names of profiles and the ids of their snapshots),
//! `profile-lease:OWNER@NAME` (hash of token, session and whether it is being saved; Redis deletes it when it expires), `owners`, and `sessions` (hash
//! of key and record). A blob that is not committed has a field `pending` and a time to live, so that Redis deletes it if
//! its writer ends.

use std::{collections::BTreeMap, fmt, sync::OnceLock, time::Duration};

use futures_util::FutureExt as _;
use redis::{
    AsyncCommands as _, ErrorKind, RedisError, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use serde::Serialize;

use super::{
    Backend, BlobId, Commit, LEASE, LeaseStep, Leased, Leaseholder, Listed, Meta, Owner, ProfileLease, Reply,
    SessionEntry, SessionRecord, SnapshotId, StoreError, StoreUsage, Timestamp,
};
use crate::config::RedisUrl;

/// Prefix of every key.
const PREFIX: &str = "ghostmux:";
/// How long a writer may write nothing before its chunks are deleted.
const PENDING: Duration = Duration::from_secs(15 * 60);
/// Deadline for a connection; a server that takes longer counts as down.
const CONNECT: Duration = Duration::from_secs(3);
/// Deadline for an answer; a server that takes longer counts as down. A chunk is about a megabyte.
const ANSWER: Duration = Duration::from_secs(10);
/// Most expired snapshots that one script deletes, because a script blocks the server.
const SWEEP: usize = 100;

/// A store in a Redis.
pub struct Redis {
    url: RedisUrl,
    /// Connects with the first command, and again after the connection is lost.
    connection: OnceLock<ConnectionManager>,
    scripts: Scripts,
}

struct Scripts {
    append: Script,
    commit: Script,
    abandon: Script,
    remove: Script,
    set_expiry: Script,
    sweep: Script,
    take_session: Script,
    lease: Script,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.url).finish()
    }
}

impl Redis {
    /// The store in this Redis, which need not be reachable yet.
    pub fn new(url: RedisUrl) -> Self {
        let script = |text| Script::new(&[include_str!("redis/common.lua"), text].concat());
        let scripts = Scripts {
            append: script(include_str!("redis/append.lua")),
            commit: script(include_str!("redis/commit.lua")),
            abandon: script(include_str!("redis/abandon.lua")),
            remove: script(include_str!("redis/remove.lua")),
            set_expiry: script(include_str!("redis/set_expiry.lua")),
            sweep: script(include_str!("redis/sweep.lua")),
            take_session: script(include_str!("redis/take_session.lua")),
            lease: script(include_str!("redis/lease.lua")),
        };
        Self { url, connection: OnceLock::new(), scripts }
    }

    fn connect(&self) -> RedisResult<ConnectionManager> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(1);
        let client = redis::Client::open(self.url.as_str())?;
        let connection = ConnectionManager::new_lazy_with_config(client, config)?;
        Ok(self.connection.get_or_init(|| connection).clone())
    }

    /// Runs a request to Redis, and turns its errors into errors of the store.
    fn ask<'a, T, F>(&'a self, ask: impl FnOnce(ConnectionManager) -> F + Send + 'a) -> Reply<'a, T>
    where
        F: Future<Output = RedisResult<T>> + Send + 'a,
        T: Send + 'a,
    {
        async move {
            let answer = match self.connect() {
                Ok(connection) => ask(connection).await,
                Err(error) => Err(error),
            };
            answer.map_err(|error| self.unavailable(&error))
        }
        .boxed()
    }

    fn unavailable(&self, error: &RedisError) -> StoreError {
        let why = match error.kind() {
            // The error's text can contain what was sent.
            ErrorKind::AuthenticationFailed => "the user or the password is wrong".to_owned(),
            _ if error.is_timeout() => format!("no answer within {} s", ANSWER.as_secs()),
            _ => error.to_string(),
        };
        StoreError::Unavailable { place: self.place(), why }
    }

    fn write(&self, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(value).map_err(|error| StoreError::Unavailable {
            place: self.place(),
            why: format!("a record cannot be written: {error}"),
        })
    }
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn of(name: &str, of: impl fmt::Display) -> String {
    format!("{PREFIX}{name}:{of}")
}

impl Backend for Redis {
    fn place(&self) -> String {
        self.url.to_string()
    }

    fn begin(&self, blob: BlobId) -> Reply<'_, ()> {
        self.ask(move |mut redis| async move {
            let blob = of("blob", blob);
            let mut both = redis::pipe();
            both.atomic().hset(&blob, "pending", 1).ignore().expire(&blob, PENDING.as_secs().cast_signed()).ignore();
            both.query_async(&mut redis).await
        })
    }

    fn append(&self, blob: BlobId, number: u32, chunk: Vec<u8>) -> Reply<'_, ()> {
        async move {
            let done: bool = self
                .ask(move |mut redis| async move {
                    let mut script = self.scripts.append.key(of("blob", blob));
                    script.arg(number).arg(chunk).arg(PENDING.as_secs()).invoke_async(&mut redis).await
                })
                .await?;
            if done { Ok(()) } else { Err(StoreError::Abandoned) }
        }
        .boxed()
    }

    fn commit(&self, commit: Commit) -> Reply<'_, ()> {
        async move {
            let meta = &commit.meta;
            let json = self.write(meta)?;
            let lease = commit.lease.as_deref().map_or("", ProfileLease::token);
            let said: String = self
                .ask(|mut redis| async move {
                    let mut script = self.scripts.commit.key(PREFIX);
                    script.arg(meta.owner.as_str()).arg(meta.id.to_string()).arg(meta.blob.to_string()).arg(json);
                    script.arg(meta.stored).arg(meta.chunks).arg(meta.expires.map_or(0, |expires| expires.0));
                    script.arg(commit.replaces.map_or(String::new(), |id| id.to_string()));
                    // Lua counts in doubles, which are exact up to this number.
                    let most = |limit: u64| limit.min(1 << 53);
                    script.arg(most(commit.limits.bytes)).arg(most(commit.limits.count));
                    script.arg(meta.profile.as_deref().unwrap_or_default());
                    script.arg(lease);
                    script.invoke_async(&mut redis).await
                })
                .await?;
            match said.as_str() {
                "done" => Ok(()),
                "missing" => Err(StoreError::Missing { id: meta.id }),
                "bytes" => Err(commit.over_bytes()),
                "count" => Err(commit.over_count()),
                "lost" => Err(StoreError::ProfileLost { profile: meta.profile.clone().unwrap_or_default() }),
                _ => Err(StoreError::Abandoned),
            }
        }
        .boxed()
    }

    fn abandon(&self, blob: BlobId) -> Reply<'_, ()> {
        self.ask(
            move |mut redis| async move { self.scripts.abandon.key(of("blob", blob)).invoke_async(&mut redis).await },
        )
    }

    fn chunk(&self, blob: BlobId, number: u32) -> Reply<'_, Option<Vec<u8>>> {
        self.ask(move |mut redis| async move { redis.hget(of("blob", blob), number).await })
    }

    fn meta<'a>(&'a self, owner: &'a Owner, id: SnapshotId) -> Reply<'a, Option<Meta>> {
        async move {
            let field = id.to_string();
            let json: Option<Vec<u8>> =
                self.ask(|mut redis| async move { redis.hget(of("snapshots", owner), field).await }).await?;
            Ok(json.map(|json| Meta::read(owner, id, &json)).transpose()?)
        }
        .boxed()
    }

    fn list<'a>(&'a self, owner: &'a Owner, before: Option<SnapshotId>, limit: usize) -> Reply<'a, Vec<Listed>> {
        async move {
            let (ids, found): (Vec<String>, Vec<Option<Vec<u8>>>) = self
                .ask(|mut redis| async move {
                    let end = before.map_or("+".to_owned(), |id| format!("({id}"));
                    let count = isize::try_from(limit).unwrap_or(isize::MAX);
                    let ids: Vec<String> = redis.zrevrangebylex_limit(of("order", owner), end, "-", 0, count).await?;
                    if ids.is_empty() {
                        return Ok((ids, Vec::new()));
                    }
                    let mut command = redis::cmd("HMGET");
                    let found = command.arg(of("snapshots", owner)).arg(&ids).query_async(&mut redis).await?;
                    Ok((ids, found))
                })
                .await?;
            let found = ids.into_iter().zip(found).filter_map(|(id, json)| {
                // `None`: deleted between the two requests. A key that is not an id is not a snapshot.
                Some(id.parse::<SnapshotId>().ok().zip(json)).flatten()
            });
            Ok(found.map(|(id, json)| Meta::read(owner, id, &json)).collect())
        }
        .boxed()
    }

    fn profile<'a>(&'a self, owner: &'a Owner, name: &'a str) -> Reply<'a, Option<SnapshotId>> {
        async move {
            let id: Option<String> =
                self.ask(|mut redis| async move { redis.hget(of("profiles", owner), name).await }).await?;
            // Text that is not an id is not a snapshot.
            Ok(id.and_then(|id| id.parse().ok()))
        }
        .boxed()
    }

    fn profiles<'a>(
        &'a self,
        owner: &'a Owner,
        after: Option<&'a str>,
        limit: usize,
    ) -> Reply<'a, Vec<(String, SnapshotId)>> {
        async move {
            // As many as the owner may have snapshots, at most.
            let all: BTreeMap<String, String> =
                self.ask(|mut redis| async move { redis.hgetall(of("profiles", owner)).await }).await?;
            let later = all.into_iter().filter(|(name, _)| after.is_none_or(|after| &**name > after));
            Ok(later.filter_map(|(name, id)| Some((name, id.parse().ok()?))).take(limit).collect())
        }
        .boxed()
    }

    fn owners(&self) -> Reply<'_, Vec<Owner>> {
        async move {
            let mut names: Vec<String> =
                self.ask(|mut redis| async move { redis.smembers(key("owners")).await }).await?;
            names.sort();
            names.iter().map(|name| Ok(name.parse()?)).collect()
        }
        .boxed()
    }

    fn remove<'a>(&'a self, owner: &'a Owner, id: SnapshotId) -> Reply<'a, bool> {
        self.ask(move |mut redis| async move {
            let mut script = self.scripts.remove.key(PREFIX);
            script.arg(owner.as_str()).arg(id.to_string()).invoke_async(&mut redis).await
        })
    }

    fn lease_profile<'a>(&'a self, lease: &'a ProfileLease, step: LeaseStep) -> Reply<'a, Leased> {
        async move {
            let word = match step {
                LeaseStep::Take => "take",
                LeaseStep::Renew { saving: false } => "renew",
                LeaseStep::Renew { saving: true } => "saving",
                LeaseStep::Release => "release",
            };
            let (said, session, saving): (String, String, bool) = self
                .ask(move |mut redis| async move {
                    let mut script = self.scripts.lease.key(PREFIX);
                    script.arg(lease.owner.as_str()).arg(&lease.profile).arg(word).arg(lease.token());
                    let millis = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
                    script.arg(&*lease.session).arg(millis).invoke_async(&mut redis).await
                })
                .await?;
            Ok(match said.as_str() {
                "done" => Leased::Done,
                "held" => Leased::By(Leaseholder { session, is_saving: saving }),
                _ => Leased::Lost,
            })
        }
        .boxed()
    }

    fn leaseholder<'a>(&'a self, owner: &'a Owner, profile: &'a str) -> Reply<'a, Option<Leaseholder>> {
        async move {
            let key = of("profile-lease", format!("{owner}@{profile}"));
            let (session, saving): (Option<String>, Option<bool>) =
                self.ask(move |mut redis| async move { redis.hmget(key, &["session", "saving"]).await }).await?;
            Ok(session.map(|session| Leaseholder { session, is_saving: saving == Some(true) }))
        }
        .boxed()
    }

    fn set_expiry<'a>(&'a self, owner: &'a Owner, id: SnapshotId, expires: Option<Timestamp>) -> Reply<'a, bool> {
        async move {
            let field = &id.to_string();
            loop {
                // A script must not rewrite JSON that it has read: Lua does not distinguish `{}` from `[]`.
                let old: Option<Vec<u8>> =
                    self.ask(|mut redis| async move { redis.hget(of("snapshots", owner), field).await }).await?;
                let Some(old) = old else { return Ok(false) };
                let new = self.write(&Meta { expires, ..Meta::read(owner, id, &old)? })?;
                let done: bool = self
                    .ask(move |mut redis| async move {
                        let mut script = self.scripts.set_expiry.key(PREFIX);
                        script.arg(owner.as_str()).arg(field).arg(old).arg(new);
                        script.arg(expires.map_or(0, |expires| expires.0)).invoke_async(&mut redis).await
                    })
                    .await?;
                if done {
                    return Ok(true);
                }
            }
        }
        .boxed()
    }

    fn sweep(&self, now: Timestamp) -> Reply<'_, u64> {
        self.ask(move |mut redis| async move {
            let mut all = 0;
            loop {
                let gone: u64 = self.scripts.sweep.key(PREFIX).arg(now.0).arg(SWEEP).invoke_async(&mut redis).await?;
                all += gone;
                if gone < SWEEP as u64 {
                    return Ok(all);
                }
            }
        })
    }

    fn usage<'a>(&'a self, owner: &'a Owner) -> Reply<'a, StoreUsage> {
        self.ask(move |mut redis| async move {
            let both: (Option<u64>, Option<u64>) = redis.hmget(of("usage", owner), &["bytes", "count"]).await?;
            Ok(StoreUsage { bytes: both.0.unwrap_or(0), count: both.1.unwrap_or(0) })
        })
    }

    fn put_session(&self, record: SessionRecord) -> Reply<'_, ()> {
        async move {
            let json = self.write(&record)?;
            self.ask(|mut redis| async move { redis.hset(key("sessions"), record.key(), json).await }).await
        }
        .boxed()
    }

    fn session<'a>(&'a self, id: &'a str) -> Reply<'a, Option<SessionEntry>> {
        async move {
            let json: Option<Vec<u8>> =
                self.ask(|mut redis| async move { redis.hget(key("sessions"), id).await }).await?;
            Ok(json.map(|json| SessionRecord::read(id, &json)))
        }
        .boxed()
    }

    fn take_session<'a>(&'a self, id: &'a str) -> Reply<'a, Option<SessionRecord>> {
        async move {
            loop {
                let json: Option<Vec<u8>> =
                    self.ask(|mut redis| async move { redis.hget(key("sessions"), id).await }).await?;
                let Some(json) = json else { return Ok(None) };
                // Read before it is deleted, so that an unreadable record is not lost.
                let record = SessionRecord::read(id, &json)?;
                let taken: bool = self
                    .ask(|mut redis| async move {
                        let mut script = self.scripts.take_session.key(key("sessions"));
                        script.arg(id).arg(json).invoke_async(&mut redis).await
                    })
                    .await?;
                if taken {
                    return Ok(Some(record));
                }
            }
        }
        .boxed()
    }

    fn remove_session<'a>(&'a self, id: &'a str) -> Reply<'a, bool> {
        self.ask(move |mut redis| async move { redis.hdel(key("sessions"), id).await })
    }

    fn count_sessions(&self) -> Reply<'_, u64> {
        self.ask(|mut redis| async move { redis.hlen(key("sessions")).await })
    }

    fn sessions(&self) -> Reply<'_, Vec<SessionEntry>> {
        async move {
            let all: Vec<(Vec<u8>, Vec<u8>)> =
                self.ask(|mut redis| async move { redis.hgetall(key("sessions")).await }).await?;
            Ok(all.into_iter().map(|(id, json)| SessionRecord::read(&String::from_utf8_lossy(&id), &json)).collect())
        }
        .boxed()
    }
}
