//! The operations on the server and its browsers.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use jiff::{Span, Timestamp, civil::Date, tz::Offset};

use super::{Handle, SessionManager, place::isolation_of, service::Pressure};
use crate::{
    api_types::{
        Bad, BrowserCounts, BrowserInfo, BrowserOrigin, BrowserState, Browsers, Isolation, Millis, Owner, QueueStatus,
        Reply, ServerStatus, SessionCounts, TenantUsage, TenantUsages,
        operations::{GetBrowser, GetStatus, ListBrowsers, ListUsage, ServerRequest},
        paged,
    },
    browser::{Browser, process_tree::ProcessTable},
    pool::{BrowserKind, BrowserReport},
    port::BrowserId,
    session::{error::ServiceError, task::Caller},
    tenant::Freshness,
};

/// How often the processor time of the browsers is divided among the tenants.
const CPU_EVERY: Duration = Duration::from_secs(60);
/// Days of usage that are shown if the request does not say.
const DAYS: i64 = 30;

impl SessionManager {
    /// Performs an operation on the server.
    pub(super) async fn perform_on_server(
        &self,
        caller: &Caller,
        request: ServerRequest,
    ) -> Result<Reply, ServiceError> {
        Ok(match request {
            ServerRequest::GetStatus(GetStatus {}) => Reply::of::<GetStatus>(&self.status().await?),
            ServerRequest::ListBrowsers(ListBrowsers { limit, cursor }) => {
                let Browsers { browsers, .. } = self.browsers().await;
                let (browsers, next) = paged(browsers, limit, cursor.as_deref(), |browser| browser.id.to_string())?;
                Reply::of::<ListBrowsers>(&Browsers { browsers, next })
            }
            ServerRequest::ListUsage(wanted) => Reply::of::<ListUsage>(&self.tenant_usage(caller, &wanted)?),
            ServerRequest::GetBrowser(GetBrowser { id }) => Reply::of::<GetBrowser>(&self.browser(&id).await?),
        })
    }

    /// What the tenant of the caller has used, or all tenants for an admin.
    fn tenant_usage(&self, caller: &Caller, wanted: &ListUsage) -> Result<TenantUsages, ServiceError> {
        let today = Offset::UTC.to_datetime(Timestamp::now()).date();
        let read = |field: &'static str, text: &Option<String>, default: Date| match text {
            Some(text) => {
                // Only as the document says: the parser reads other forms too.
                let day: Option<Date> = text.parse().ok().filter(|day: &Date| day.to_string() == *text);
                day.ok_or_else(|| Bad::new(field, format!("{text:?} is not a day such as 2026-11-27")))
            }
            None => Ok(default),
        };
        let from = read("from", &wanted.from, today.checked_sub(Span::new().days(DAYS)).unwrap_or(today))?;
        let to = read("to", &wanted.to, today)?;
        let of = (!caller.is_admin()).then(|| caller.owner());
        let rows = self.inner.terms().usage.rows((from, to), of, wanted.by);
        let id = |row: &TenantUsage| format!("{}.{}", row.day.as_deref().unwrap_or_default(), row.tenant);
        let (usage, next) = paged(rows, wanted.limit, wanted.cursor.as_deref(), id)?;
        Ok(TenantUsages { usage, next })
    }

    /// Divides, in an endless loop, the processor time of each browser among the tenants of the sessions in it.
    pub async fn count_cpu(&self) {
        let mut before: BTreeMap<BrowserId, Duration> = BTreeMap::new();
        loop {
            tokio::time::sleep(CPU_EVERY).await;
            let mut owners: BTreeMap<BrowserId, Vec<Owner>> = BTreeMap::new();
            for handle in &self.inner.live {
                if let Some((browser, _)) = handle.place.get() {
                    owners.entry(*browser).or_default().push(handle.session_info.owner.clone());
                }
            }
            let usage = self.inner.terms().usage.clone();
            let mut now = BTreeMap::new();
            // The pool has measured it: the processes of the system are not read once more.
            for report in self.inner.pool.report() {
                let Some(cpu) = report.cpu else { continue };
                now.insert(report.id, cpu);
                let used = cpu.saturating_sub(before.get(&report.id).copied().unwrap_or_default());
                let owners = owners.remove(&report.id).unwrap_or_default();
                let share = used.checked_div(count(owners.len())).unwrap_or_default();
                for owner in &owners {
                    usage.add_cpu(owner, share, Timestamp::now());
                }
            }
            before = now;
        }
    }

    /// The status of the server.
    pub async fn status(&self) -> Result<ServerStatus, ServiceError> {
        let stored = self.inner.store.count_sessions().await;
        let hibernated = stored.map_err(|error| ServiceError::Snapshot(error.into()))?;
        let reports = self.inner.pool.report();
        let table = processes(&reports).await;
        let (mut browsers, mut warm) = (BrowserCounts::default(), 0);
        let (mut memory, mut cpu_time) = (0, std::time::Duration::ZERO);
        for report in &reports {
            *match (report.state, &report.kind) {
                (BrowserState::Dead, _) => &mut browsers.dead,
                (BrowserState::Starting, BrowserKind::Dedicated(_)) => &mut browsers.spare,
                (_, BrowserKind::Dedicated(_)) if report.is_spare => &mut browsers.spare,
                (_, BrowserKind::Dedicated(_)) => &mut browsers.dedicated,
                (BrowserState::Starting, BrowserKind::Shared) => &mut browsers.starting,
                (BrowserState::Ready, BrowserKind::Shared) => &mut browsers.ready,
                (BrowserState::Draining, BrowserKind::Shared) => &mut browsers.draining,
            } += 1;
            warm += report.warm;
            if let Some(figures) = report.pid().and_then(|pid| table.of(pid)) {
                memory += figures.memory;
                cpu_time += figures.cpu;
            }
        }
        let owners: HashSet<_> = self.inner.live.iter().map(|handle| handle.session_info.owner.clone()).collect();
        let Pressure { active, parked, queued, most, queue, longest_wait, recently_rejected, is_available } =
            self.pressure();
        let product =
            reports.iter().filter(|report| report.state == BrowserState::Ready).find_map(BrowserReport::product);
        Ok(ServerStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: Millis(self.inner.started.elapsed()),
            is_available,
            browsers,
            product,
            sessions: SessionCounts {
                queued: count(queued),
                active: count(active),
                parked: count(parked),
                hibernated: u32::try_from(hibernated).unwrap_or(u32::MAX),
            },
            active_users: count(owners.len()),
            warm: count(warm),
            queue: QueueStatus {
                waiting: count(queued),
                most: count(queue),
                longest_wait: Millis(longest_wait),
                recently_rejected: count(recently_rejected),
                max_sessions: most,
            },
            memory,
            cpu_time: Millis(cpu_time),
            tenants_age: self.tenants_age().map(Millis),
            tls_certificate_expires_at: self.certificate_expires_at(),
            unreachable: reports.iter().filter_map(unreachable).collect(),
        })
    }

    /// When the certificate of the server expires, in milliseconds since 1970; `None` if it has none.
    fn certificate_expires_at(&self) -> Option<u64> {
        let seconds = u64::try_from(self.inner.terms().metrics.tls_certificate_expiry.get()).ok();
        seconds.filter(|seconds| *seconds > 0).map(|seconds| seconds * 1000)
    }

    /// Time since the Redis of the tenants answered, if they are in one.
    pub fn tenants_age(&self) -> Option<Duration> {
        self.inner.terms().tenants.freshness().map(Freshness::age)
    }

    /// The browsers of the pool.
    pub async fn browsers(&self) -> Browsers {
        let reports = self.inner.pool.report();
        let table = processes(&reports).await;
        let mut browsers = Vec::with_capacity(reports.len());
        for report in reports {
            browsers.push(self.shown(report, &table).await);
        }
        Browsers { browsers, next: None }
    }

    async fn shown(&self, report: BrowserReport, table: &ProcessTable) -> BrowserInfo {
        let (id, isolation) = (report.id, isolation_of(&report.kind));
        let shown = BrowserInfo { isolation, ..shown(report, table).await };
        let of = |handle: Handle| (handle.session_info.id.to_string(), handle.session_info.owner.to_string());
        let (session, owner) = match isolation {
            Isolation::Shared => (None, None),
            Isolation::Dedicated => self.session_in(id).map(of).unzip(),
        };
        BrowserInfo { session, owner, ..shown }
    }

    /// The session of a dedicated browser, if one has taken it.
    fn session_in(&self, browser: BrowserId) -> Option<Handle> {
        let is_in = |handle: &Handle| handle.place.get().is_some_and(|(of, _)| *of == browser);
        self.inner.live.iter().find(|handle| is_in(handle)).map(|handle| handle.value().clone())
    }

    /// One browser of the pool.
    pub async fn browser(&self, id: &str) -> Result<BrowserInfo, ServiceError> {
        let known =
            id.parse().ok().and_then(|id: u32| self.inner.pool.report().into_iter().find(|report| report.id.0 == id));
        let report = known.ok_or_else(|| no_browser(id))?;
        let table = processes(std::slice::from_ref(&report)).await;
        Ok(self.shown(report, &table).await)
    }
}

/// The error for a browser that does not exist, or whose number cannot be read.
pub(super) fn no_browser(id: &str) -> ServiceError {
    ServiceError::NoBrowser(id.chars().take(40).collect())
}

/// The processes of these browsers; none if the system does not tell.
async fn processes(reports: &[BrowserReport]) -> ProcessTable {
    let pids = reports.iter().filter_map(BrowserReport::pid).collect();
    ProcessTable::read(pids).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the processes of the browsers cannot be read");
        ProcessTable::default()
    })
}

async fn shown(report: BrowserReport, table: &ProcessTable) -> BrowserInfo {
    let census = match &report.browser {
        Some(browser) => Some(browser.census().await),
        None => None,
    };
    let figures = report.pid().and_then(|pid| table.of(pid));
    let sessions = report.browser.as_ref().map_or(0, Browser::live);
    BrowserInfo {
        id: report.id.0,
        kind: if report.remote.is_some() { BrowserOrigin::Remote } else { BrowserOrigin::Local },
        product: report.product(),
        pid: report.pid(),
        age: report.age.map(Millis),
        sessions: u32::try_from(sessions).unwrap_or_default(),
        sessions_served: report.served,
        warm: count(report.warm),
        contexts: census.map(|census| count(census.contexts)),
        targets: census.map(|census| count(census.targets)),
        cdp_sessions: census.map(|census| count(census.cdp_sessions)),
        differences: report.differences,
        processes: figures.map(|figures| figures.processes),
        memory: figures.map(|figures| figures.memory),
        disk: report.disk,
        cpu_time: figures.map(|figures| Millis(figures.cpu)),
        isolation: Isolation::default(),
        session: None,
        owner: None,
        url: report.remote,
        state: report.state,
        why: report.why,
    }
}

/// Why a remote browser accepts no sessions, if it does not; a link that was lost before the present one does not count.
fn unreachable(report: &BrowserReport) -> Option<String> {
    let (url, why) = (report.remote.as_ref()?, report.why.as_ref()?);
    report.is_newest.then(|| format!("browser {} at {url}: {why}", report.id))
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
