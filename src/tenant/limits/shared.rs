//! Limits that the processes of one deployment share through Redis: every decision is one script, on Redis's clock.
//!
//! The keys begin with `ghostmux:limits:`. They are `state`, `nodes` (processes by the end of their lease),
//! `sessions:OWNER` (ids of sessions by the end of their lease) and `starts:OWNER` (GCRA). A process renews its leases
//! every [`Periods::beat`]. One that ends without a word frees its places after [`Periods::lease`].

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    Limits,
    refusal::{LimitName, Refusal},
};
use crate::{
    api_types::{Owner, millis},
    config::RedisUrl,
    tenant::redis_error::reason,
};

/// Prefix of every key.
const PREFIX: &str = "ghostmux:limits:";

/// The periods of the shared limits. Those of the server are the default; tests use shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// How often a process renews its leases; a quarter of it while Redis does not answer.
    pub beat: Duration,
    /// Deadline for an answer; a Redis that takes longer counts as away.
    pub answer: Duration,
    /// How long a session counts after the last word of its process. More than `gap`, `beat` and `answer` together.
    pub lease: Duration,
    /// If nobody has asked Redis for so long, it was away.
    pub gap: Duration,
    /// How long Redis gives nothing away after it was away; until then every process has renewed its leases. More than
    /// `beat` and twice `answer`.
    pub settle: Duration,
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(2),
            answer: Duration::from_secs(1),
            lease: Duration::from_secs(20),
            gap: Duration::from_secs(10),
            settle: Duration::from_secs(6),
        }
    }
}

/// Most ids in one request.
const CHUNK: usize = 1000;
/// Most sessions that ended while Redis was away and are told to it afterwards; others end with their lease.
const RELEASED_MOST: usize = 10_000;

/// What the scripts answer.
pub(super) enum SharedAnswer {
    /// The session may start, and holds this place.
    Admitted(SharedPlace),
    /// A limit is reached.
    Refused(Refusal),
    /// Redis does not answer, or was away. The log has the reason: tenants are not told where the Redis is.
    Away,
}

/// The limits of all processes on one Redis; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct RedisLimits(Arc<Inner>);

struct Inner {
    url: RedisUrl,
    periods: Periods,
    connection: ConnectionManager,
    admit: Script,
    renew: Script,
    beat: Script,
    /// This process.
    node: Uuid,
    last: AtomicU64,
    /// The number of processes, as last known; at least 1.
    nodes: AtomicU32,
    /// Whether the last request got no answer: then sessions do not wait for another one.
    is_away: AtomicBool,
    /// Whether Redis, by its last answer, was away and gives nothing away yet.
    is_settling: AtomicBool,
    // Guards the ids of the places; held for a few instructions.
    books: Mutex<Books>,
    /// Notified when a place was released.
    released: Notify,
}

#[derive(Default)]
struct Books {
    held: HashMap<Owner, HashSet<String>>,
    released: Vec<(Owner, String)>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimits").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A session's place among those of its tenant in all processes. Dropping it releases it.
#[derive(Debug)]
pub struct SharedPlace {
    limits: RedisLimits,
    owner: Owner,
    /// Empty if Redis does not have it.
    id: String,
}

impl Drop for SharedPlace {
    fn drop(&mut self) {
        if self.id.is_empty() {
            return;
        }
        let mut books = self.limits.books();
        if let Some(held) = books.held.get_mut(&self.owner) {
            held.remove(&self.id);
            if held.is_empty() {
                books.held.remove(&self.owner);
            }
        }
        if books.released.len() < RELEASED_MOST {
            books.released.push((self.owner.clone(), std::mem::take(&mut self.id)));
        }
        drop(books);
        self.limits.0.released.notify_one();
    }
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn of(name: &str, owner: &Owner) -> String {
    format!("{PREFIX}{name}:{owner}")
}

impl RedisLimits {
    /// The limits in this Redis, which need not be reachable yet.
    pub(super) fn new(url: RedisUrl, periods: Periods) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(periods.answer))
            .set_response_timeout(Some(periods.answer))
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(redis::Client::open(url.as_str())?, config)?;
        let script = |text| Script::new(&[include_str!("shared/common.lua"), text].concat());
        Ok(Self(Arc::new(Inner {
            url,
            periods,
            connection,
            admit: script(include_str!("shared/admit.lua")),
            renew: script(include_str!("shared/renew.lua")),
            beat: script(include_str!("shared/beat.lua")),
            node: Uuid::new_v4(),
            last: AtomicU64::new(0),
            nodes: AtomicU32::new(1),
            is_away: AtomicBool::new(false),
            is_settling: AtomicBool::new(false),
            books: Mutex::default(),
            released: Notify::new(),
        })))
    }

    /// The number of processes that share the limits, as last known; at least 1.
    pub(super) fn nodes(&self) -> u32 {
        self.0.nodes.load(Ordering::Relaxed).max(1)
    }

    /// Asks for a place for one session of a tenant.
    pub(super) async fn admit(&self, owner: &Owner, limits: &Limits) -> SharedAnswer {
        if self.0.is_away.load(Ordering::Relaxed) {
            return SharedAnswer::Away;
        }
        // Before the request: if this future is dropped, the place is released.
        let mut place = self.place(owner);
        let (most, starts) = (limits.max_sessions, limits.sessions_per_minute);
        let limit = |most: Option<u32>| most.map_or(-1, i64::from);
        let periods = self.0.periods;
        let mut ask = self.0.admit.key(key("state"));
        ask.key(of("sessions", owner)).key(of("starts", owner));
        ask.arg(millis(periods.gap)).arg(millis(periods.settle)).arg(millis(periods.lease)).arg(&place.id);
        ask.arg(limit(most)).arg(limit(starts));
        let mut connection = self.0.connection.clone();
        let answer: Vec<u64> = match self.answer(ask.invoke_async(&mut connection)).await {
            Ok(answer) => answer,
            Err(_) => return SharedAnswer::Away,
        };
        let after = Duration::from_millis(answer.get(1).copied().unwrap_or_default());
        if answer.first() == Some(&0) && most.is_some() {
            self.hold(&place);
        } else {
            place.id.clear();
        }
        let is_settling = !matches!(answer.first(), Some(0..=2));
        if self.0.is_settling.swap(is_settling, Ordering::Relaxed) != is_settling && is_settling {
            let (url, after) = (&self.0.url, after.as_millis());
            tracing::warn!(%url, after, "the Redis of the shared limits was away, and gives places again in so many ms");
        }
        match answer.first() {
            Some(0) => SharedAnswer::Admitted(place),
            Some(1) => SharedAnswer::Refused(Refusal::of_count(LimitName::Sessions, most.unwrap_or_default().into())),
            Some(2) => SharedAnswer::Refused(Refusal::of_rate(
                LimitName::StartsPerMinute,
                starts.unwrap_or_default().into(),
                after,
            )),
            _ => SharedAnswer::Away,
        }
    }

    /// A place that Redis has not given. It counts in Redis as soon as that answers.
    pub(super) fn take(&self, owner: &Owner) -> SharedPlace {
        let place = self.place(owner);
        self.hold(&place);
        place
    }

    fn place(&self, owner: &Owner) -> SharedPlace {
        let id = format!("{}:{}", self.0.node, self.0.last.fetch_add(1, Ordering::Relaxed));
        SharedPlace { limits: self.clone(), owner: owner.clone(), id }
    }

    /// The lease of this place is renewed from now on.
    fn hold(&self, place: &SharedPlace) {
        self.books().held.entry(place.owner.clone()).or_default().insert(place.id.clone());
    }

    /// Renews the leases of this process, for as long as it is awaited.
    pub(super) async fn keep(&self, mut rebalanced: impl FnMut(u32)) {
        loop {
            let beaten = self.beat().await;
            match &beaten {
                Ok(nodes) => {
                    if *nodes > 0 && self.0.nodes.swap(*nodes, Ordering::Relaxed) != *nodes {
                        tracing::info!(nodes, "limits are shared by this number of processes");
                        rebalanced(*nodes);
                    }
                    if self.0.is_away.swap(false, Ordering::Relaxed) {
                        tracing::info!(url = %self.0.url, "the Redis of the shared limits answers again");
                    }
                }
                Err(why) => tracing::debug!(%why, "leases of the shared limits could not be renewed"),
            }
            let beat = self.0.periods.beat;
            let pause = if beaten.is_ok() { beat } else { beat / 4 };
            let next = tokio::time::sleep(pause);
            tokio::pin!(next);
            let mut is_away = beaten.is_err();
            loop {
                tokio::select! {
                    () = &mut next => break,
                    () = self.0.released.notified(), if !is_away => is_away = self.release().await.is_err(),
                }
            }
        }
    }

    /// Tells Redis the places that were released, and that this process ends. Otherwise their leases end by themselves.
    pub(super) async fn close(&self) {
        let mut connection = self.0.connection.clone();
        let mut leaves = redis::cmd("ZREM");
        leaves.arg(key("nodes")).arg(self.0.node.to_string());
        let left = match self.release().await {
            Ok(()) => self.answer(leaves.query_async::<()>(&mut connection)).await,
            Err(why) => Err(why),
        };
        if let Err(why) = left {
            tracing::debug!(%why, "the leases of this process end by themselves");
        }
    }

    async fn beat(&self) -> Result<u32, String> {
        let (mut connection, periods) = (self.0.connection.clone(), self.0.periods);
        let (gap, lease) = (millis(periods.gap), millis(periods.lease));
        let mut beat = self.0.beat.key(key("state"));
        beat.key(key("nodes")).arg(gap).arg(lease).arg(millis(periods.settle)).arg(self.0.node.to_string());
        let nodes: u32 = self.answer(beat.invoke_async(&mut connection)).await?;
        self.release().await?;
        let held: Vec<(Owner, Vec<String>)> =
            self.books().held.iter().map(|(owner, ids)| (owner.clone(), ids.iter().cloned().collect())).collect();
        for (owner, ids) in held {
            for ids in ids.chunks(CHUNK) {
                let mut renew = self.0.renew.key(key("state"));
                renew.key(of("sessions", &owner)).arg(gap).arg(lease).arg(ids);
                let () = self.answer(renew.invoke_async(&mut connection)).await?;
            }
        }
        Ok(nodes)
    }

    /// Tells Redis the places that were released.
    async fn release(&self) -> Result<(), String> {
        loop {
            let released = {
                let mut books = self.books();
                let rest = books.released.len().saturating_sub(CHUNK);
                books.released.split_off(rest)
            };
            if released.is_empty() {
                return Ok(());
            }
            let mut all = redis::pipe();
            for (owner, id) in &released {
                all.zrem(of("sessions", owner), id).ignore();
            }
            let mut connection = self.0.connection.clone();
            if let Err(why) = self.answer(all.query_async::<()>(&mut connection)).await {
                let mut books = self.books();
                let room = RELEASED_MOST.saturating_sub(books.released.len());
                books.released.extend(released.into_iter().take(room));
                return Err(why);
            }
        }
    }

    /// Waits for an answer. The error says what is wrong, without a password.
    async fn answer<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Result<T, String> {
        let why = match tokio::time::timeout(self.0.periods.answer, answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => reason(&error, self.0.periods.answer),
            Err(_) => format!("no answer within {} ms", self.0.periods.answer.as_millis()),
        };
        let why = format!("the Redis at {}: {why}", self.0.url);
        if !self.0.is_away.swap(true, Ordering::Relaxed) {
            tracing::warn!(%why, "the Redis of the shared limits does not answer");
        }
        Err(why)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
