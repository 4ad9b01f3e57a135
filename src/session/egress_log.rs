//! What the gates of a session report: the bytes that they carry, and the connections that they refuse or that fail.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
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

/// The account of one session's network access, which its gates write.
#[derive(Debug)]
pub(super) struct EgressLog {
    up: AtomicU64,
    down: AtomicU64,
    failed: AtomicU64,
    // Guards the last failures; held while one is added or all are copied.
    failures: Mutex<VecDeque<FailedConnection>>,
    untold: mpsc::Sender<FailedConnection>,
    of_server: [Counter; 2],
    metrics: Arc<Metrics>,
}

impl EgressLog {
    /// An empty one, and the failures that are to be told to clients.
    pub(super) fn new(metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<FailedConnection>) {
        let (untold, told) = mpsc::channel(UNTOLD_MOST);
        let of_server =
            ["up", "down"].map(|direction| metrics.egress_bytes.get_or_create(&DirectionLabels { direction }).clone());
        let (up, down, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        (Self { up, down, failed, failures: Mutex::default(), untold, of_server, metrics }, told)
    }

    /// The account so far.
    pub(super) fn show(&self) -> SessionEgress {
        let (bytes_up, bytes_down) = self.bytes();
        let failed = self.failed.load(Ordering::Relaxed);
        SessionEgress {
            is_gated: true,
            bytes_up,
            bytes_down,
            failed,
            failures: self.failures().iter().cloned().collect(),
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
        let _ = self.untold.try_send(failure);
    }

    fn carried(&self, Carried { up, down }: Carried) -> Allowance {
        self.up.fetch_add(up, Ordering::Relaxed);
        self.down.fetch_add(down, Ordering::Relaxed);
        self.of_server[0].inc_by(up);
        self.of_server[1].inc_by(down);
        Allowance::Left
    }

    fn allowance(&self) -> Allowance {
        Allowance::Left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::egress::EgressRefusal;

    #[test]
    fn the_last_failures_are_kept_and_all_are_counted() {
        let (log, mut told) = EgressLog::new(Arc::default());
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
}
