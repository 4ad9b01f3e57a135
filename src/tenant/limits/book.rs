//! What the tenants use: session starts, commands and bytes, and what other processes have.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Limits,
    pace::{Debt, Pacer, Turn},
    rate::StartRate,
    refusal::{LimitName, Refusal},
    shared::{Periods, RedisLimits, SharedAnswer, SharedPlace},
};
use crate::{
    api_types::Owner,
    config::{RedisUrl, SharedLimits},
};

/// Why a session may not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoStart {
    /// A limit of the tenant is reached.
    Refused(Refusal),
    /// The shared limits cannot be asked, and the setting says to refuse. The log has the reason.
    Unavailable,
}

/// A session may start, as far as the rates and the other processes are concerned.
#[derive(Debug)]
#[must_use]
pub struct StartPermit {
    /// Most sessions of the tenant in this process.
    pub sessions: Option<u32>,
    /// Its place among those of all processes; dropping it releases it.
    pub place: Option<Box<SharedPlace>>,
}

/// What the tenants use; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LimitBook {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    shared: Option<(RedisLimits, SharedLimits)>,
    // Guards the tenants; held for a look-up.
    tenants: Mutex<HashMap<Owner, TenantUse>>,
}

/// What one tenant uses. There is one for each tenant that ever had a session with a limit: as many as the operator has
/// configured.
#[derive(Debug)]
struct TenantUse {
    /// The starts that are allowed here.
    starts: Option<Arc<StartRate>>,
    pacer: Option<(Limits, Arc<Mutex<Pacer>>)>,
}

impl LimitBook {
    /// Limits of this process alone.
    pub fn local() -> Self {
        Self::default()
    }

    /// Limits that processes share through this Redis. The error says why its address cannot be used.
    pub fn shared(url: RedisUrl, while_away: SharedLimits, periods: Periods) -> Result<Self, String> {
        let shared = RedisLimits::new(url, periods).map_err(|error| error.to_string())?;
        Ok(Self { inner: Arc::new(Inner { shared: Some((shared, while_away)), tenants: Mutex::default() }) })
    }

    /// Renews what this process holds in Redis, for as long as it is awaited. Without Redis it has nothing to do.
    pub async fn keep(&self) {
        match &self.inner.shared {
            Some((shared, _)) => shared.keep(|nodes| self.rebalance(nodes)).await,
            None => std::future::pending().await,
        }
    }

    /// Tells the other processes what sessions that have ended had, and that this process ends.
    pub async fn close(&self) {
        if let Some((shared, _)) = &self.inner.shared {
            shared.close().await;
        }
    }

    /// Asks whether a session of a tenant may start now.
    pub async fn start(&self, owner: &Owner, limits: &Limits) -> Result<StartPermit, NoStart> {
        let (mut nodes, mut place) = (1, None);
        if let Some((shared, while_away)) = self.inner.shared.as_ref().filter(|_| limits.is_shared()) {
            match (shared.admit(owner, limits).await, while_away) {
                (SharedAnswer::Admitted(place), _) => {
                    return Ok(StartPermit { sessions: limits.max_sessions, place: Some(place.into()) });
                }
                (SharedAnswer::Refused(refusal), _) => return Err(NoStart::Refused(refusal)),
                (SharedAnswer::Away, SharedLimits::FailClosed) => return Err(NoStart::Unavailable),
                (SharedAnswer::Away, _) => {
                    nodes = shared.nodes();
                    place = limits.max_sessions.is_some().then(|| shared.take(owner).into());
                }
            }
        }
        let share = |most: u32| if most == 0 { 0 } else { (most / nodes).max(1) };
        if let Some(most) = limits.sessions_per_minute {
            let refused = |after| NoStart::Refused(Refusal::of_rate(LimitName::StartsPerMinute, most.into(), after));
            match NonZeroU32::new(share(most)) {
                Some(share) => self.starts(owner, share).take().map_err(refused)?,
                None => return Err(refused(Duration::from_secs(60))),
            }
        }
        Ok(StartPermit { sessions: limits.max_sessions.map(share), place })
    }

    /// The delay of the frames of one session; `None` if its tenant has no limit per second.
    pub fn pace(&self, owner: &Owner, limits: &Limits, now: Instant) -> Option<Pace> {
        let rates = limits.rates(self.nodes());
        if !rates.is_any() {
            return None;
        }
        let mut tenants = self.tenants();
        let tenant = tenants.entry(owner.clone()).or_insert_with(TenantUse::new);
        let pacer = match &mut tenant.pacer {
            Some((of, pacer)) => {
                if of != limits {
                    *of = *limits;
                    lock(pacer).set_rates(rates, now);
                }
                pacer.clone()
            }
            none => none.insert((*limits, Arc::new(Mutex::new(Pacer::new(rates, now))))).1.clone(),
        };
        Some(Pace { pacer, debt: None })
    }

    /// The number of processes that share the limits, as last known; 1 if none are shared.
    pub fn nodes(&self) -> u32 {
        self.inner.shared.as_ref().map_or(1, |(shared, _)| shared.nodes())
    }

    /// The number of processes has changed, and with it the share of this one.
    fn rebalance(&self, nodes: u32) {
        let now = tokio::time::Instant::now().into_std();
        for (limits, pacer) in self.tenants().values().filter_map(|tenant| tenant.pacer.as_ref()) {
            lock(pacer).set_rates(limits.rates(nodes), now);
        }
    }

    fn starts(&self, owner: &Owner, per_minute: NonZeroU32) -> Arc<StartRate> {
        let mut tenants = self.tenants();
        let tenant = tenants.entry(owner.clone()).or_insert_with(TenantUse::new);
        match &mut tenant.starts {
            Some(rate) if rate.per_minute() == per_minute => rate.clone(),
            other => other.insert(Arc::new(StartRate::new(per_minute))).clone(),
        }
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<Owner, TenantUse>> {
        lock(&self.inner.tenants)
    }
}

impl TenantUse {
    fn new() -> Self {
        Self { starts: None, pacer: None }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The commands and bytes per second of one session, which shares them with the other sessions of its tenant.
#[derive(Debug)]
pub struct Pace {
    // Guards the buckets of the tenant; held for a few instructions.
    pacer: Arc<Mutex<Pacer>>,
    debt: Option<Debt>,
}

impl Pace {
    /// Whether a frame passes now. If not, it waits, and no other one of this session is asked for before it has passed.
    pub fn passes(&mut self, bytes: usize, now: Instant) -> bool {
        match lock(&self.pacer).on_frame(bytes, now) {
            Turn::Now => true,
            Turn::Later(debt) => {
                self.debt = Some(debt);
                false
            }
        }
    }

    /// Whether the frame that waits passes now; otherwise when to ask again.
    pub fn poll_paid(&mut self, now: Instant) -> Result<(), Instant> {
        let Some(debt) = &mut self.debt else { return Ok(()) };
        if let Some(again) = lock(&self.pacer).poll_paid(debt, now) {
            return Err(again);
        }
        self.debt = None;
        Ok(())
    }

    /// The limit for which a frame waits.
    pub fn limit(&self) -> Option<LimitName> {
        self.debt.as_ref().and_then(Debt::limit)
    }

    /// The frame that waits is given up.
    pub fn cancel(&mut self, now: Instant) {
        if let Some(debt) = self.debt.take() {
            lock(&self.pacer).cancel(debt, now);
        }
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.cancel(tokio::time::Instant::now().into_std());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> Owner {
        name.parse().expect("an owner")
    }

    #[tokio::test(start_paused = true)]
    async fn each_tenant_has_its_own_rate_of_starts() {
        let book = LimitBook::local();
        let limits = Limits { sessions_per_minute: Some(2), ..Limits::default() };
        let start = async |name: &str| book.start(&owner(name), &limits).await;
        assert!(start("a").await.is_ok() && start("a").await.is_ok());
        let refused = Refusal::of_rate(LimitName::StartsPerMinute, 2, Duration::from_secs(30));
        assert_eq!(start("a").await.err(), Some(NoStart::Refused(refused)));
        assert!(start("b").await.is_ok());
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(start("a").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_ends_while_its_frame_waits_frees_its_share() {
        let book = LimitBook::local();
        let limits = Limits { bytes_per_second: Some(100), ..Limits::default() };
        let now = || tokio::time::Instant::now().into_std();
        let pace = || book.pace(&owner("a"), &limits, now()).expect("a limit");
        let (mut large, mut small) = (pace(), pace());
        assert!(!large.passes(10_000, now()) && !small.passes(100, now()));
        assert_eq!(large.limit(), Some(LimitName::BytesPerSecond));
        drop(large);
        tokio::time::advance(Duration::from_millis(1001)).await;
        assert_eq!(small.poll_paid(now()), Ok(()));
        assert_eq!(book.pace(&owner("a"), &Limits::default(), now()).map(|_| ()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn without_redis_new_sessions_are_refused_or_get_the_share_of_this_process() {
        let url = || "redis://127.0.0.1:1/".parse().expect("a URL");
        let limits = Limits { max_sessions: Some(4), ..Limits::default() };
        let closed = LimitBook::shared(url(), SharedLimits::FailClosed, Periods::default()).expect("a URL");
        assert!(matches!(closed.start(&owner("a"), &limits).await, Err(NoStart::Unavailable)));
        // Who has no limit needs no Redis.
        assert!(closed.start(&owner("a"), &Limits::default()).await.is_ok());
        let open = LimitBook::shared(url(), SharedLimits::FailOpen, Periods::default()).expect("a URL");
        let start = open.start(&owner("a"), &limits).await.expect("open");
        assert_eq!(start.sessions, limits.max_sessions);
    }
}
