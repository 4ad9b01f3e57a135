//! What the gates of a session report: the bytes that they carry, and the connections that they refuse or that fail.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;

use crate::{
    api_types::{FailedConnection, SessionEgress, millis},
    metrics::{DirectionLabels, EgressLabels, Metrics},
    port::egress::{Allowance, Carried, EgressFailure, EgressReport},
    tenant::{EgressDay, Limits},
};

/// Failures that are kept.
const KEPT: usize = 100;
/// Most failures that wait to be told to the clients; those beyond are in the list alone.
const UNTOLD_MOST: usize = 64;

/// What the gates of a session have to tell its clients.
#[derive(Clone, Debug)]
pub(super) enum EgressNews {
    /// A connection was refused, or failed.
    Failed(FailedConnection),
    /// As many bytes were transferred as this limit allows.
    Exhausted {
        /// The name of the limit.
        name: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
}

/// No limit of the bytes.
const ENDLESS: u64 = u64::MAX;

/// A limit of the bytes of both directions.
#[derive(Debug)]
struct ByteLimit {
    name: &'static str,
    most: AtomicU64,
    /// Whether the clients were told that the limit is reached.
    is_told: AtomicBool,
}

impl ByteLimit {
    fn new(name: &'static str) -> Self {
        Self { name, most: AtomicU64::new(ENDLESS), is_told: AtomicBool::new(false) }
    }

    fn set(&self, most: Option<u64>) {
        if self.most.swap(most.unwrap_or(ENDLESS), Ordering::Relaxed) != most.unwrap_or(ENDLESS) {
            self.is_told.store(false, Ordering::Relaxed);
        }
    }

    /// Whether it is reached. The clients are told once.
    fn is_reached(&self, bytes: u64, untold: &mpsc::Sender<EgressNews>) -> bool {
        let limit = self.most.load(Ordering::Relaxed);
        if bytes < limit {
            // Of a day, there is another one.
            self.is_told.store(false, Ordering::Relaxed);
            return false;
        }
        let news = EgressNews::Exhausted { name: self.name, limit };
        if !self.is_told.swap(true, Ordering::Relaxed) && untold.try_send(news).is_err() {
            // There was no room: it is told with the next connection.
            self.is_told.store(false, Ordering::Relaxed);
        }
        true
    }
}

/// The account of one session's network access, which its gates write.
#[derive(Debug)]
pub(super) struct EgressLog {
    is_gated: bool,
    up: AtomicU64,
    of_session: ByteLimit,
    of_tenant: ByteLimit,
    /// The bytes of all sessions of the tenant today.
    today: Arc<EgressDay>,
    down: AtomicU64,
    failed: AtomicU64,
    // Guards the last failures; held while one is added or all are copied.
    failures: Mutex<VecDeque<FailedConnection>>,
    untold: mpsc::Sender<EgressNews>,
    of_server: [Counter; 2],
    metrics: Arc<Metrics>,
}

impl EgressLog {
    /// An empty one, and the failures that are to be told to clients.
    /// `is_gated` says whether all requests of the session pass gates, `today` counts the bytes of its tenant.
    pub(super) fn new(
        metrics: Arc<Metrics>,
        is_gated: bool,
        today: Arc<EgressDay>,
    ) -> (Self, mpsc::Receiver<EgressNews>) {
        let (untold, told) = mpsc::channel(UNTOLD_MOST);
        let of_server =
            ["up", "down"].map(|direction| metrics.egress_bytes.get_or_create(&DirectionLabels { direction }).clone());
        let (up, down, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let (of_session, of_tenant) =
            (ByteLimit::new("egress_bytes_per_session"), ByteLimit::new("egress_bytes_per_day"));
        let failures = Mutex::default();
        let log =
            Self { is_gated, up, of_session, of_tenant, today, down, failed, failures, untold, of_server, metrics };
        (log, told)
    }

    /// The account so far.
    pub(super) fn show(&self) -> SessionEgress {
        let (bytes_up, bytes_down) = self.bytes();
        let failed = self.failed.load(Ordering::Relaxed);
        SessionEgress {
            is_gated: self.is_gated,
            bytes_up,
            bytes_down,
            failed,
            failures: self.failures().iter().cloned().collect(),
        }
    }

    /// Sets how many bytes the session may transfer, and its tenant on a day; `None` is no limit.
    pub(super) fn set_limits(&self, limits: &Limits) {
        self.of_session.set(limits.egress_bytes_per_session);
        self.of_tenant.set(limits.egress_bytes_per_day);
    }

    /// The bytes from its pages and to them.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }

    /// Counts bytes for the tenant, and says whether more may follow.
    fn judge(&self, more: u64) -> Allowance {
        let (up, down) = self.bytes();
        let of_session = self.of_session.is_reached(up.saturating_add(down), &self.untold);
        let of_tenant = self.of_tenant.is_reached(self.today.add(more, Timestamp::now()), &self.untold);
        if of_session || of_tenant { Allowance::Exhausted } else { Allowance::Left }
    }

    fn failures(&self) -> MutexGuard<'_, VecDeque<FailedConnection>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EgressReport for EgressLog {
    fn failed(&self, EgressFailure { host, port, why }: &EgressFailure) {
        let reason = why.code();
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.metrics.egress_failed.get_or_create(&EgressLabels { reason }).inc();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        let failure =
            FailedConnection { at, host: host.clone(), port: *port, reason: reason.to_owned(), why: why.to_string() };
        let mut failures = self.failures();
        if failures.len() >= KEPT {
            failures.pop_front();
        }
        failures.push_back(failure.clone());
        drop(failures);
        // A page may cause as many as it likes; those that find no room are in the list.
        let _ = self.untold.try_send(EgressNews::Failed(failure));
    }

    fn carried(&self, Carried { up, down }: Carried) -> Allowance {
        self.up.fetch_add(up, Ordering::Relaxed);
        self.down.fetch_add(down, Ordering::Relaxed);
        self.of_server[0].inc_by(up);
        self.of_server[1].inc_by(down);
        self.judge(up.saturating_add(down))
    }

    fn allowance(&self) -> Allowance {
        self.judge(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::egress::EgressRefusal;

    #[test]
    fn the_last_failures_are_kept_and_all_are_counted() {
        let (log, mut told) = log_of(&Arc::new(EgressDay::new(0, Timestamp::now())));
        for port in 0..250 {
            log.failed(&EgressFailure { host: "a.test".to_owned(), port, why: EgressRefusal::Denied });
        }
        log.carried(Carried { up: 3, down: 4 });
        let shown = log.show();
        assert_eq!((shown.failed, shown.bytes_up, shown.bytes_down), (250, 3, 4));
        let ports: Vec<u16> = shown.failures.iter().map(|failure| failure.port).collect();
        assert_eq!(ports, (150..250).collect::<Vec<_>>());
        assert_eq!(shown.failures[0].reason, "denied");
        let mut events = 0;
        while told.try_recv().is_ok() {
            events += 1;
        }
        assert_eq!(events, UNTOLD_MOST, "a page that causes many does not fill the memory");
    }

    fn log_of(today: &Arc<EgressDay>) -> (EgressLog, mpsc::Receiver<EgressNews>) {
        EgressLog::new(Arc::default(), true, today.clone())
    }

    #[test]
    fn nothing_is_transferred_beyond_a_limit_and_that_is_told_once() {
        let today = Arc::new(EgressDay::new(0, Timestamp::now()));
        let (log, mut told) = log_of(&today);
        let limits = |of_session, of_day| Limits {
            egress_bytes_per_session: of_session,
            egress_bytes_per_day: of_day,
            ..Limits::default()
        };
        assert_eq!(log.carried(Carried { up: 40, down: 50 }), Allowance::Left);
        log.set_limits(&limits(Some(100), None));
        assert_eq!(log.allowance(), Allowance::Left);
        assert_eq!(log.carried(Carried { up: 0, down: 10 }), Allowance::Exhausted);
        assert_eq!((log.allowance(), log.bytes()), (Allowance::Exhausted, (40, 60)));
        let mut next = || match told.try_recv() {
            Ok(EgressNews::Exhausted { name, limit }) => Some((name, limit)),
            _ => None,
        };
        assert_eq!((next(), next()), (Some(("egress_bytes_per_session", 100)), None));
        log.set_limits(&limits(None, None));
        assert_eq!(log.allowance(), Allowance::Left);
        // All sessions of a tenant together.
        let (other, mut told_other) = log_of(&today);
        for log in [&log, &other] {
            log.set_limits(&limits(None, Some(120)));
        }
        assert_eq!((log.allowance(), other.allowance()), (Allowance::Left, Allowance::Left));
        assert_eq!(other.carried(Carried { up: 20, down: 0 }), Allowance::Exhausted);
        assert_eq!(log.allowance(), Allowance::Exhausted);
        assert_eq!((next(), next()), (Some(("egress_bytes_per_day", 120)), None));
        assert!(matches!(told_other.try_recv(), Ok(EgressNews::Exhausted { limit: 120, .. })));
        let (elsewhere, _) = log_of(&Arc::new(EgressDay::new(0, Timestamp::now())));
        elsewhere.set_limits(&limits(None, Some(120)));
        assert_eq!(elsewhere.allowance(), Allowance::Left, "another tenant");
    }
}
