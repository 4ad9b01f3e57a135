//! The operations on the server and its browsers.

use std::collections::HashSet;

use super::{SessionManager, service::Pressure};
use crate::{
    api_types::{
        BrowserCounts, BrowserInfo, BrowserState, Browsers, Millis, QueueStatus, Reply, ServerStatus, SessionCounts,
        operations::{GetBrowser, GetStatus, ListBrowsers, ServerRequest},
    },
    browser::{Browser, process_tree::ProcessTable},
    pool::BrowserReport,
    session::error::ServiceError,
};

impl SessionManager {
    /// Performs an operation on the server.
    pub(super) async fn perform_on_server(&self, request: ServerRequest) -> Result<Reply, ServiceError> {
        Ok(match request {
            ServerRequest::GetStatus(GetStatus {}) => Reply::of::<GetStatus>(&self.status().await?),
            ServerRequest::ListBrowsers(ListBrowsers {}) => Reply::of::<ListBrowsers>(&self.browsers().await),
            ServerRequest::GetBrowser(GetBrowser { id }) => Reply::of::<GetBrowser>(&self.browser(&id).await?),
        })
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
            *match report.state {
                BrowserState::Starting => &mut browsers.starting,
                BrowserState::Ready => &mut browsers.ready,
                BrowserState::Draining => &mut browsers.draining,
                BrowserState::Dead => &mut browsers.dead,
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
        })
    }

    /// The browsers of the pool.
    pub async fn browsers(&self) -> Browsers {
        let reports = self.inner.pool.report();
        let table = processes(&reports).await;
        let mut browsers = Vec::with_capacity(reports.len());
        for report in reports {
            browsers.push(shown(report, &table).await);
        }
        Browsers { browsers }
    }

    /// One browser of the pool.
    pub async fn browser(&self, id: &str) -> Result<BrowserInfo, ServiceError> {
        let known =
            id.parse().ok().and_then(|id: u32| self.inner.pool.report().into_iter().find(|report| report.id.0 == id));
        let report = known.ok_or_else(|| no_browser(id))?;
        let table = processes(std::slice::from_ref(&report)).await;
        Ok(shown(report, &table).await)
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
        product: report.product(),
        pid: report.pid(),
        age: report.age.map(Millis),
        sessions: u32::try_from(sessions).unwrap_or_default(),
        sessions_served: report.served,
        warm: count(report.warm),
        contexts: census.map(|census| count(census.contexts)),
        targets: census.map(|census| count(census.targets)),
        cdp_sessions: census.map(|census| count(census.cdp_sessions)),
        processes: figures.map(|figures| figures.processes),
        memory: figures.map(|figures| figures.memory),
        cpu_time: figures.map(|figures| Millis(figures.cpu)),
        state: report.state,
        why: report.why,
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
