//! What the gates of a session report: the bytes that they carry, and the connections that they refuse or that fail.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;

use crate::{
    api_types::{FailedConnection, SessionEgress, millis},
    metrics::{DirectionLabels, EgressLabels, Metrics},
    port::egress::{Allowance, Carried, EgressFailure, EgressReport},
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
    /// The session has transferred as many bytes as it may: so many.
    Exhausted(u64),
}

/// No limit of the bytes.
const ENDLESS: u64 = u64::MAX;

/// The account of one session's network access, which its gates write.
#[derive(Debug)]
pub(super) struct EgressLog {
    is_gated: bool,
    up: AtomicU64,
    /// Most bytes of both directions.
    limit: AtomicU64,
    /// Whether the clients were told that the limit is reached.
    is_told: AtomicBool,
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
    /// `is_gated` says whether all requests of the session pass gates.
    pub(super) fn new(metrics: Arc<Metrics>, is_gated: bool) -> (Self, mpsc::Receiver<EgressNews>) {
        let (untold, told) = mpsc::channel(UNTOLD_MOST);
        let of_server =
            ["up", "down"].map(|direction| metrics.egress_bytes.get_or_create(&DirectionLabels { direction }).clone());
        let (up, down, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let (limit, is_told) = (AtomicU64::new(ENDLESS), AtomicBool::new(false));
        (
            Self { is_gated, limit, is_told, up, down, failed, failures: Mutex::default(), untold, of_server, metrics },
            told,
        )
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

    /// Sets how many bytes the session may transfer; `None` is no limit.
    pub(super) fn set_limit(&self, limit: Option<u64>) {
        if self.limit.swap(limit.unwrap_or(ENDLESS), Ordering::Relaxed) != limit.unwrap_or(ENDLESS) {
            self.is_told.store(false, Ordering::Relaxed);
        }
    }

    /// The bytes from its pages and to them.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
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
        self.allowance()
    }

    fn allowance(&self) -> Allowance {
        let ((up, down), limit) = (self.bytes(), self.limit.load(Ordering::Relaxed));
        if up.saturating_add(down) < limit {
            return Allowance::Left;
        }
        if !self.is_told.swap(true, Ordering::Relaxed) && self.untold.try_send(EgressNews::Exhausted(limit)).is_err() {
            // There was no room: it is told with the next connection.
            self.is_told.store(false, Ordering::Relaxed);
        }
        Allowance::Exhausted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::egress::EgressRefusal;

    #[test]
    fn the_last_failures_are_kept_and_all_are_counted() {
        let (log, mut told) = EgressLog::new(Arc::default(), true);
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

    #[test]
    fn nothing_is_transferred_beyond_the_limit_and_that_is_told_once() {
        let (log, mut told) = EgressLog::new(Arc::default(), true);
        assert_eq!(log.carried(Carried { up: 40, down: 50 }), Allowance::Left);
        log.set_limit(Some(100));
        assert_eq!(log.allowance(), Allowance::Left);
        assert_eq!(log.carried(Carried { up: 0, down: 10 }), Allowance::Exhausted);
        assert_eq!((log.allowance(), log.bytes()), (Allowance::Exhausted, (40, 60)));
        assert!(matches!(told.try_recv(), Ok(EgressNews::Exhausted(100))) && told.try_recv().is_err());
        log.set_limit(None);
        assert_eq!(log.allowance(), Allowance::Left);
    }
}
