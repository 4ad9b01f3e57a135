//! Binds the gates of the session's contexts to its tenant's rules, and tells clients what the gates refuse.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{SessionInfo, SessionTask, Terms};
use crate::{
    api_types::{EgressExhausted, EgressFailed, Event as _, FailedConnection, Owner, SessionEgress},
    browser::Lease,
    port::egress::{EgressBinding, EgressRules, UpstreamProxy},
    session::{
        egress_log::{EgressLog, EgressNews},
        proxy,
    },
    tenant::Tenant,
    virtual_browser::VirtualBrowser,
};

/// Most failures that are told in one turn.
const TURN: usize = 16;

/// The network access of a session whose requests pass gates.
pub(super) struct Egress {
    log: Arc<EgressLog>,
    untold: mpsc::Receiver<EgressNews>,
    rules: Arc<EgressRules>,
    owner: Owner,
    /// What stands for the session in the user of a proxy.
    word: Arc<str>,
    /// The proxy that the session was created with.
    proxy: Option<UpstreamProxy>,
    /// The operator's proxy for the tenant, as it is written.
    of_tenant: Option<UpstreamProxy>,
}

impl Egress {
    /// Binds the gates of a lease, if it can have some, to the rules of a tenant and the proxy of the session. From now on they
    /// connect.
    pub(super) fn bind(
        lease: &Lease,
        tenant: &Tenant,
        terms: &Terms,
        proxy: Option<UpstreamProxy>,
        info: &SessionInfo,
        session: &mut VirtualBrowser,
    ) -> Option<Self> {
        if !lease.has_gates() {
            return None;
        }
        let today = terms.usage.egress_of(tenant.owner(), Timestamp::now());
        let (log, untold) = EgressLog::new(terms.metrics.clone(), lease.is_gated(), today);
        log.set_limits(&tenant.limits());
        let (rules, owner, of_tenant) = (Arc::new(rules_of(tenant, terms)), tenant.owner().clone(), tenant.proxy());
        let word = proxy::word_for(&info.session_id()).into();
        let egress = Self { log: Arc::new(log), untold, rules, owner, word, proxy, of_tenant };
        session.set_gated();
        let _ = info.egress.set(egress.log.clone());
        lease.bind_egress(egress.binding());
        Some(egress)
    }

    fn binding(&self) -> EgressBinding {
        let of_session = |proxy: &Option<UpstreamProxy>| proxy.clone().map(|proxy| proxy.for_session(&self.word));
        EgressBinding {
            owner: self.owner.clone(),
            rules: self.rules.clone(),
            upstream: of_session(&self.proxy),
            of_tenant: of_session(&self.of_tenant),
            word: self.word.clone(),
            report: self.log.clone(),
        }
    }
}

/// What sessions of a tenant may connect to: everything on a server that does not limit it.
fn rules_of(tenant: &Tenant, terms: &Terms) -> EgressRules {
    if terms.launch.is_gated { tenant.egress_rules(&terms.network) } else { EgressRules::open() }
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
        egress.log.set_limits(&self.tenant.limits());
        let (rules, of_tenant) = (rules_of(&self.tenant, &self.terms), self.tenant.proxy());
        if *egress.rules != rules || egress.of_tenant != of_tenant {
            (egress.rules, egress.of_tenant) = (Arc::new(rules), of_tenant);
            self.lease.bind_egress(egress.binding());
        }
    }

    /// Sends `ghost.egressFailed` and `ghost.egressExhausted` to the clients that enabled the domain.
    pub(super) fn poll_egress(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..TURN {
            let Some(egress) = &mut self.egress else { return false };
            let Poll::Ready(Some(news)) = egress.untold.poll_recv(cx) else { return false };
            match news {
                EgressNews::Failed(FailedConnection { host, port, reason, why, .. }) => {
                    self.tell_all(EgressFailed::NAME, &EgressFailed { host, port, reason, why }.params());
                }
                EgressNews::Exhausted { name, limit } => {
                    self.tell_all(EgressExhausted::NAME, &EgressExhausted { limit, name: name.to_owned() }.params());
                }
            }
        }
        true
    }
}
