//! Binds the gates of the session's contexts to its tenant's rules, and tells clients what the gates refuse.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::mpsc;

use super::{SessionInfo, SessionTask, Terms};
use crate::{
    api_types::{EgressFailed, Event as _, FailedConnection, Owner, SessionEgress},
    browser::Lease,
    port::egress::{EgressBinding, EgressRules},
    session::egress_log::EgressLog,
    tenant::Tenant,
    virtual_browser::VirtualBrowser,
};

/// Most failures that are told in one turn.
const TURN: usize = 16;

/// The network access of a session whose requests pass gates.
pub(super) struct Egress {
    log: Arc<EgressLog>,
    untold: mpsc::Receiver<FailedConnection>,
    rules: Arc<EgressRules>,
    owner: Owner,
}

impl Egress {
    /// Binds the gates of a lease, if it has some, to the rules of a tenant. From now on they connect.
    pub(super) fn bind(
        lease: &Lease,
        tenant: &Tenant,
        terms: &Terms,
        info: &SessionInfo,
        session: &mut VirtualBrowser,
    ) -> Option<Self> {
        if !lease.is_gated() {
            return None;
        }
        let (log, untold) = EgressLog::new(terms.metrics.clone());
        let (rules, owner) = (Arc::new(tenant.egress_rules(&terms.network)), tenant.owner().clone());
        let egress = Self { log: Arc::new(log), untold, rules, owner };
        session.set_gated();
        let _ = info.egress.set(egress.log.clone());
        lease.bind_egress(egress.binding());
        Some(egress)
    }

    fn binding(&self) -> EgressBinding {
        let owner = self.owner.clone();
        EgressBinding { owner, rules: self.rules.clone(), upstream: None, report: self.log.clone() }
    }
}

impl SessionInfo {
    /// The network access of the session; empty if its requests pass no gates.
    pub fn show_egress(&self) -> SessionEgress {
        self.egress.get().map(|log| log.show()).unwrap_or_default()
    }

    /// The bytes from its pages and to them, if its requests pass gates.
    pub fn egress_bytes(&self) -> (u64, u64) {
        self.egress.get().map(|log| log.bytes()).unwrap_or_default()
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
