//! Binds the gates of the session's contexts to its tenant's rules, and tells clients what the gates refuse.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::mpsc;

use super::SessionTask;
use crate::{
    api_types::{EgressFailed, Event as _, FailedConnection},
    browser::Lease,
    port::egress::{EgressBinding, EgressRules},
    session::egress_log::EgressLog,
    tenant::Tenant,
};

/// Most failures that are told in one turn.
const TURN: usize = 16;

/// The network access of a session whose requests pass gates.
pub(super) struct Egress {
    log: Arc<EgressLog>,
    untold: mpsc::Receiver<FailedConnection>,
    rules: Arc<EgressRules>,
}

impl Egress {
    /// Binds the gates of a lease, if it has some, to the rules of a tenant. From now on they connect.
    pub(super) fn bind(lease: &Lease, tenant: &Tenant, terms: &super::Terms) -> Option<Self> {
        if !lease.is_gated() {
            return None;
        }
        let (log, untold) = EgressLog::new(terms.metrics.clone());
        let egress = Self { log: Arc::new(log), untold, rules: Arc::new(tenant.egress_rules(&terms.network)) };
        lease.bind_egress(egress.binding());
        Some(egress)
    }

    /// The account of the session.
    pub(super) fn log(&self) -> &Arc<EgressLog> {
        &self.log
    }

    fn binding(&self) -> EgressBinding {
        EgressBinding { rules: self.rules.clone(), upstream: None, report: self.log.clone() }
    }
}

impl SessionTask {
    /// Applies the rules of the tenant, if they are others than before: then open connections are cut.
    pub(super) fn update_egress(&mut self) {
        let Some(egress) = &mut self.egress else { return };
        let rules = self.tenant.egress_rules(&self.terms.network);
        if *egress.rules != rules {
            egress.rules = Arc::new(rules);
            self.lease.bind_egress(egress.binding());
        }
    }

    /// Sends `ghost.egressFailed` to the clients that enabled the domain.
    pub(super) fn poll_egress(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..TURN {
            let Some(egress) = &mut self.egress else { return false };
            let Poll::Ready(Some(failure)) = egress.untold.poll_recv(cx) else { return false };
            let FailedConnection { host, port, reason, why, .. } = failure;
            self.tell_all(EgressFailed::NAME, &EgressFailed { host, port, reason, why }.params());
        }
        true
    }
}
