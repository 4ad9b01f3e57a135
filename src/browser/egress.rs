//! The gates of one browser and of one lease: which proxy Chrome gets for which context.
//!
//! A browser that is started with gates has no other way to the network. Its default proxy is the *nobody gate*, which
//! refuses everything: it catches Chrome's own traffic, and a context that would be made without a gate.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::port::egress::{BrowserGates, EgressBinding, EgressGate, EgressGates, GateFront, Strays, UpstreamProxy};

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
    upstream: Option<UpstreamProxy>,
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
    pub(super) fn open(&self, upstream: Option<&UpstreamProxy>) -> io::Result<Option<Arc<dyn EgressGate>>> {
        let Some(of) = &self.of else { return Ok(None) };
        let gate = of.gates.open(upstream.map_or(GateFront::Socks5, UpstreamProxy::front))?;
        self.add(&gate, upstream.cloned());
        Ok(Some(gate))
    }

    /// The lease has Chrome's own default context: its gate is one of the lease.
    pub(super) fn take_native(&self) {
        if let Some(gate) = self.of.as_ref().and_then(|of| of.native.clone()) {
            self.add(&gate, None);
        }
    }

    fn add(&self, gate: &Arc<dyn EgressGate>, upstream: Option<UpstreamProxy>) {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{
        api_types::Owner,
        cdp::ids::CdpSessionId,
        port::{
            ContextProxy, NewContext, Settle,
            egress::{Allowance, Carried, EgressFailure, EgressReport, NamedBy},
        },
    };

    /// Gates that note what they are bound to.
    #[derive(Debug, Default)]
    struct FakeGates {
        opened: AtomicUsize,
    }

    #[derive(Debug)]
    struct FakeGate {
        proxy: String,
        bound: Mutex<Option<EgressBinding>>,
    }

    impl EgressGate for FakeGate {
        fn proxy_server(&self) -> &str {
            &self.proxy
        }

        fn bind(&self, binding: EgressBinding) {
            *self.bound.lock().expect("no panic") = Some(binding);
        }

        fn unbind(&self) {
            *self.bound.lock().expect("no panic") = None;
        }
    }

    impl BrowserGates for FakeGates {
        fn nobody(&self) -> &'static str {
            "socks5://127.9.9.9:1"
        }

        fn started(&self, _: u32) {}

        fn open(&self, front: GateFront) -> io::Result<Arc<dyn EgressGate>> {
            let number = self.opened.fetch_add(1, Ordering::Relaxed);
            let scheme = if front == GateFront::Socks5 { "socks5" } else { "http" };
            Ok(Arc::new(FakeGate { proxy: format!("{scheme}://127.0.0.2:{number}"), bound: Mutex::default() }))
        }

        fn strays(&self) -> Strays {
            Strays::default()
        }
    }

    #[derive(Debug)]
    struct Deaf;

    impl EgressReport for Deaf {
        fn failed(&self, _: &EgressFailure) {}

        fn carried(&self, _: Carried) -> Allowance {
            Allowance::Left
        }

        fn allowance(&self) -> Allowance {
            Allowance::Left
        }
    }

    fn binding() -> EgressBinding {
        EgressBinding { owner: Owner::local(), rules: Arc::default(), upstream: None, report: Arc::new(Deaf) }
    }

    fn lease() -> LeaseEgress {
        LeaseEgress::new(Some(BrowserEgress { gates: Arc::new(FakeGates::default()), native: None }))
    }

    fn made(egress: &LeaseEgress, proxy: ContextProxy) -> (String, Arc<dyn EgressGate>) {
        let base = CdpSessionId::from("BASE");
        let call = super::super::contexts::create(&base, egress, &NewContext { proxy }).expect("a gate");
        let Settle::Bind(Some(gate)) = call.settle else { panic!("{:?}", call.settle) };
        (call.params, gate)
    }

    fn is_bound(gate: &Arc<dyn EgressGate>) -> bool {
        format!("{gate:?}").contains("data: Some")
    }

    #[test]
    fn contexts_of_a_gated_browser_have_a_gate_of_their_own_and_no_other_bypass() {
        let egress = lease();
        let as_written = || ContextProxy::AsWritten { server: "x:1".to_owned(), bypass: Some("*".to_owned()) };
        for (number, proxy) in [ContextProxy::None, as_written()].into_iter().enumerate() {
            let (params, _) = made(&egress, proxy);
            let only = r#"{"disposeOnDetach":true,"proxyServer":"socks5://127.0.0.2:"#;
            assert_eq!(params, format!(r#"{only}{number}","proxyBypassList":"<-loopback>"}}"#));
        }
        let upstream = UpstreamProxy::parse("http://p:3128", NamedBy::Tenant).expect("a proxy");
        let (params, _) = made(&egress, ContextProxy::UpstreamProxy(upstream.clone()));
        // Its credentials are the client's, and are asked for in HTTP.
        assert!(params.contains(r#""proxyServer":"http://127.0.0.2:2","proxyBypassList":"<-loopback>""#), "{params}");
        let open = LeaseEgress::new(None);
        let base = CdpSessionId::from("BASE");
        let call = |proxy| super::super::contexts::create(&base, &open, &NewContext { proxy });
        let params = call(as_written()).expect("no gate").params;
        assert_eq!(params, r#"{"disposeOnDetach":true,"proxyServer":"x:1","proxyBypassList":"*"}"#);
        assert_eq!(call(ContextProxy::None).expect("no gate").params, r#"{"disposeOnDetach":true}"#);
        call(ContextProxy::UpstreamProxy(upstream)).expect_err("nothing would use the proxy");
    }

    #[test]
    fn gates_are_bound_with_their_lease_and_refuse_everything_before_and_after() {
        let egress = lease();
        let (_, warm) = made(&egress, ContextProxy::None);
        assert!(!is_bound(&warm));
        egress.bind(binding());
        let (_, later) = made(&egress, ContextProxy::None);
        assert!(is_bound(&warm) && is_bound(&later));
        egress.unbind();
        assert!(!is_bound(&warm) && !is_bound(&later));
        let (_, late) = made(&egress, ContextProxy::None);
        assert!(!is_bound(&late), "a context that is made while its lease ends");
    }

    #[test]
    fn flags_leave_chrome_no_way_but_the_gates() {
        let (gates, native) = (Arc::new(FakeGates::default()), None);
        let flags = BrowserEgress { gates: gates.clone(), native }.flags();
        assert_eq!(flags[..2], ["--proxy-server=socks5://127.9.9.9:1", "--proxy-bypass-list=<-loopback>"]);
        let native = Some(gates.open(GateFront::Socks5).expect("a gate"));
        let egress = BrowserEgress { gates, native };
        assert_eq!(egress.flags()[0], "--proxy-server=socks5://127.0.0.2:0");
        let lease = LeaseEgress::new(Some(egress.clone()));
        lease.take_native();
        lease.bind(binding());
        assert!(egress.native.is_some_and(|gate| is_bound(&gate)));
    }
}
