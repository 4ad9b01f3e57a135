//! The gates of one browser and of one lease: which proxy Chrome gets for which context.
//!
//! A browser that is started with gates has no other way to the network. Its default proxy is the *nobody gate*, which
//! refuses everything: it catches Chrome's own traffic, and a context that would be made without a gate.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::port::egress::{BrowserGates, EgressBinding, EgressGate, EgressGates, GateFront, Strays, Upstream};

/// The only bypass rule that Chrome gets: not even loopback goes around the proxy. Chrome takes the last rule that fits, so
/// no other may follow it.
pub(super) const NO_BYPASS: &str = "<-loopback>";

/// The gates of one browser, from before its start until its processes have ended.
#[derive(Clone, Debug)]
pub(super) struct BrowserEgress {
    gates: Arc<dyn BrowserGates>,
    /// The gate of Chrome's own default context, if a session is to use that.
    native: Option<Arc<dyn EgressGate>>,
}

impl BrowserEgress {
    /// Opens the gates that a browser needs before it is started. `has_native` says whether a session is to use Chrome's own
    /// default context.
    pub(super) fn open(all: &dyn EgressGates, has_native: bool) -> io::Result<Self> {
        let gates = all.of_browser()?;
        let native = has_native.then(|| gates.open(GateFront::Socks5)).transpose()?;
        Ok(Self { gates, native })
    }

    /// The flags for Chrome, which must follow all others: of two with one name Chrome uses the last.
    ///
    /// *Measured:* against WebRTC headless shell obeys the first policy flag alone and full Chrome the second; TURN over TCP
    /// makes both ask the system's resolver unless all names are mapped away. `127.*` stays, because the gates are there.
    pub(super) fn flags(&self) -> Vec<String> {
        let proxy = self.native.as_ref().map_or_else(|| self.gates.nobody(), |gate| gate.proxy_server());
        vec![
            format!("--proxy-server={proxy}"),
            format!("--proxy-bypass-list={NO_BYPASS}"),
            "--force-webrtc-ip-handling-policy=disable_non_proxied_udp".to_owned(),
            "--webrtc-ip-handling-policy=disable_non_proxied_udp".to_owned(),
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.*".to_owned(),
        ]
    }

    /// The browser runs as this process group.
    pub(super) fn started(&self, process_group: u32) {
        self.gates.started(process_group);
    }

    /// What came in that no session asked for.
    pub(super) fn strays(&self) -> Strays {
        self.gates.strays()
    }
}

/// The gates of the contexts of one lease. They refuse everything until they are bound, and again once it has ended.
#[derive(Debug)]
pub(super) struct LeaseEgress {
    of: Option<BrowserEgress>,
    // Guards what the gates are bound to; held while the few gates of a lease are told.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    binding: Option<EgressBinding>,
    gates: Vec<OfContext>,
}

/// The gate of a context.
#[derive(Debug)]
struct OfContext {
    /// The link owns it, until Chrome has disposed of the context.
    gate: Weak<dyn EgressGate>,
    /// The proxy that a client named for the context, instead of that of the session.
    upstream: Option<Upstream>,
}

impl OfContext {
    fn bind(&self, binding: &EgressBinding) {
        if let Some(gate) = self.gate.upgrade() {
            let upstream = self.upstream.clone().or_else(|| binding.upstream.clone());
            gate.bind(EgressBinding { upstream, ..binding.clone() });
        }
    }
}

impl LeaseEgress {
    /// The gates of a lease in a browser with these gates, if it has some.
    pub(super) fn new(of: Option<BrowserEgress>) -> Self {
        Self { of, state: Mutex::default() }
    }

    /// Whether the requests of its contexts pass gates.
    pub(super) fn is_gated(&self) -> bool {
        self.of.is_some()
    }

    /// Opens the gate of another context, with the proxy that a client named for it; `None` in a browser without gates.
    pub(super) fn open(&self, upstream: Option<&Upstream>) -> io::Result<Option<Arc<dyn EgressGate>>> {
        let Some(of) = &self.of else { return Ok(None) };
        let gate = of.gates.open(upstream.map_or(GateFront::Socks5, Upstream::front))?;
        self.add(&gate, upstream.cloned());
        Ok(Some(gate))
    }

    /// The lease has Chrome's own default context: its gate is one of the lease.
    pub(super) fn take_native(&self) {
        if let Some(gate) = self.of.as_ref().and_then(|of| of.native.clone()) {
            self.add(&gate, None);
        }
    }

    fn add(&self, gate: &Arc<dyn EgressGate>, upstream: Option<Upstream>) {
        let mut state = self.state();
        let of = OfContext { gate: Arc::downgrade(gate), upstream };
        if let Some(binding) = &state.binding {
            of.bind(binding);
        }
        state.gates.retain(|of| of.gate.strong_count() > 0);
        state.gates.push(of);
    }

    /// A session has the lease, or its rules have changed.
    pub(super) fn bind(&self, binding: EgressBinding) {
        let mut state = self.state();
        for of in &state.gates {
            of.bind(&binding);
        }
        state.binding = Some(binding);
    }

    /// The lease has ended. A gate that is opened from now on refuses everything too.
    pub(super) fn unbind(&self) {
        let mut state = self.state();
        state.binding = None;
        for gate in state.gates.drain(..).filter_map(|of| of.gate.upgrade()) {
            gate.unbind();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
