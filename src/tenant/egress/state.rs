//! What the connections of a gate share: what it is bound to, and its limits.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    EgressLimits, dial::Dialer, own::OwnAddresses, peer::BrowserProcesses, resolver::Resolvers, tunnel::Stream,
};
use crate::port::egress::{Allowance, EgressFailure, EgressRefusal, EgressReport, Host};

/// How many connections beyond those that may carry something are heard, to refuse them with a reason.
const HEARD_BEYOND: usize = 32;

/// What all gates of the server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) limits: EgressLimits,
    pub(super) own: Arc<OwnAddresses>,
    pub(super) resolvers: Resolvers,
}

/// What all gates of one browser share.
#[derive(Debug, Default)]
pub(super) struct OfBrowser {
    /// Whether no process but those of the browser can connect: it is in a network namespace of its own.
    pub(super) is_alone: bool,
    pub(super) processes: BrowserProcesses,
    /// Connections of other processes.
    pub(super) foreign: AtomicU64,
    /// Connections to the nobody gate.
    pub(super) nobody: AtomicU64,
    /// The last host and port that the nobody gate was asked for.
    pub(super) last: Mutex<Option<(Arc<str>, u16)>>,
}

/// What a gate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One browser context.
    Context,
    /// Whatever has no gate: refused and counted.
    Nobody,
}

/// What the connections of a gate share.
#[derive(Debug)]
pub(super) struct GateState {
    pub(super) shared: Arc<Shared>,
    pub(super) browser: Arc<OfBrowser>,
    pub(super) purpose: Purpose,
    // Guards what the gate is bound to; held to copy or replace it.
    bound: Mutex<Option<Arc<Bound>>>,
    pub(super) closed: CancellationToken,
    pub(super) connections: Arc<Semaphore>,
    tunnels: Arc<Semaphore>,
    dials: Semaphore,
}

/// The session that a gate is bound to. When it is dropped by the gate, its connections are cut.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) dialer: Dialer,
    pub(super) cut: CancellationToken,
}

impl Bound {
    pub(super) fn report(&self) -> &Arc<dyn EgressReport> {
        &self.dialer.binding.report
    }

    /// Tells the session why a connection was refused.
    pub(super) fn tell(&self, host: &str, port: u16, why: EgressRefusal) {
        self.report().failed(&EgressFailure { host: host.to_owned(), port, why });
    }
}

impl GateState {
    /// A gate that is not bound.
    pub(super) fn new(shared: Arc<Shared>, browser: Arc<OfBrowser>, purpose: Purpose) -> Self {
        let limits = &shared.limits;
        Self {
            connections: Arc::new(Semaphore::new(limits.tunnels_per_gate + HEARD_BEYOND)),
            tunnels: Arc::new(Semaphore::new(limits.tunnels_per_gate)),
            dials: Semaphore::new(limits.dials_at_once),
            shared,
            browser,
            purpose,
            bound: Mutex::default(),
            closed: CancellationToken::new(),
        }
    }

    /// Binds the gate to something else, and cuts the connections of what it was bound to.
    pub(super) fn replace(&self, bound: Option<Arc<Bound>>) {
        let before = std::mem::replace(&mut *self.bound.lock().unwrap_or_else(PoisonError::into_inner), bound);
        if let Some(before) = before {
            before.cut.cancel();
        }
    }

    /// What the gate is bound to now.
    pub(super) fn bound(&self) -> Option<Arc<Bound>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long a handshake may take.
    pub(super) fn handshake_time(&self) -> Duration {
        self.shared.limits.handshake_time
    }

    /// Connects for a session, within its limits. The permit is to be kept as long as the connection.
    pub(super) async fn dial(
        &self,
        bound: &Bound,
        host: &str,
        port: u16,
    ) -> Result<(Box<dyn Stream>, OwnedSemaphorePermit), EgressRefusal> {
        let permit = self.admit(bound)?;
        let host = Host::parse(host).map_err(|_| EgressRefusal::BadHost)?;
        let _dialling = self.dials.acquire().await;
        let stream = bound.dialer.connect(&host, port).await?;
        Ok((stream, permit))
    }

    /// Whether a session may have one more connection.
    pub(super) fn admit(&self, bound: &Bound) -> Result<OwnedSemaphorePermit, EgressRefusal> {
        if bound.report().allowance() == Allowance::Exhausted {
            return Err(EgressRefusal::Allowance);
        }
        self.tunnels.clone().try_acquire_owned().map_err(|_| EgressRefusal::TooMany)
    }
}
