//! The gates of one browser and of one lease: which proxy Chrome gets for which context.
//!
//! A browser that is started with gates has no other way to the network. Its default proxy is the *nobody gate*, which
//! refuses everything: it catches Chrome's own traffic, and a context that would be made without a gate.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use super::{Browser, namespace::NetworkNamespace};
use crate::{
    cdp::ids::ContextId,
    port::egress::{
        BrowserGates, EgressBinding, EgressGate, EgressGates, GateFront, GateSockets, OpenedGate, Strays, UpstreamProxy,
    },
};

/// The only bypass rule that Chrome gets: not even loopback goes around the proxy. Chrome takes the last rule that fits, so
/// no other may follow it.
pub(super) const NO_BYPASS: &str = "<-loopback>";

/// The gates of one browser, from before its start until its processes have ended.
#[derive(Clone, Debug)]
pub(super) struct BrowserEgress {
    gates: Arc<dyn BrowserGates>,
    /// The gate of Chrome's own default context, if a session is to use that.
    native: Option<Arc<dyn EgressGate>>,
    /// The front of the gate of a context that is like all others. `None` if such a context has no gate: then only those have
    /// one for which a client names a proxy.
    standard: Option<GateFront>,
    /// The network namespace of the browser, if it has one of its own.
    namespace: Option<Arc<NetworkNamespace>>,
}

impl BrowserEgress {
    /// Opens the gates that a browser needs before it is started. `standard` is the front of the gate of a context that is
    /// like all others, if such a context is to have one; `has_native` says whether a session is to use Chrome's own default
    /// context.
    pub(super) fn open(
        all: &dyn EgressGates,
        standard: Option<GateFront>,
        has_native: bool,
        namespace: Option<Arc<NetworkNamespace>>,
    ) -> io::Result<Self> {
        let gates = all.of_browser(namespace.clone().map(|namespace| namespace as Arc<dyn GateSockets>))?;
        let native = standard.filter(|_| has_native).map(|front| gates.open(front)).transpose()?;
        Ok(Self { gates, native, standard, namespace })
    }

    /// The network namespace of the browser, if it has one of its own.
    pub(super) fn namespace(&self) -> Option<&NetworkNamespace> {
        self.namespace.as_deref()
    }

    /// Whether all its contexts have gates.
    pub(super) fn is_closed(&self) -> bool {
        self.standard.is_some()
    }

    /// The flags for Chrome, which must follow all others: of two with one name Chrome uses the last.
    ///
    /// *Measured:* against WebRTC headless shell obeys the first policy flag alone and full Chrome the second; TURN over TCP
    /// makes both ask the system's resolver unless all names are mapped away. `127.*` stays, because the gates are there.
    ///
    /// None if a context that is like all others has no gate.
    pub(super) fn flags(&self) -> Vec<String> {
        if !self.is_closed() {
            return Vec::new();
        }
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
    /// The front of the gate of a context for which no client names a proxy, if such a context has a gate.
    standard: Option<GateFront>,
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
    /// The context, once Chrome has made it.
    context: Arc<OnceLock<ContextId>>,
}

impl Browser {
    /// Whether the requests of all its contexts pass gates.
    pub fn is_gated(&self) -> bool {
        self.shared.egress.as_ref().is_some_and(BrowserEgress::is_closed)
    }

    /// What came to its gates that no session asked for.
    pub fn strays(&self) -> Strays {
        self.shared.egress.as_ref().map(BrowserEgress::strays).unwrap_or_default()
    }
}

impl OfContext {
    fn bind(&self, binding: &EgressBinding) {
        if let Some(gate) = self.gate.upgrade() {
            let of_context = self.upstream.clone().map(|upstream| upstream.for_session(&binding.word));
            let upstream = of_context.or_else(|| binding.upstream.clone());
            gate.bind(EgressBinding { upstream, ..binding.clone() });
        }
    }
}

impl LeaseEgress {
    /// The gates of a lease in a browser with these gates, if it has some. `wanted` is the front of the gates of its contexts,
    /// if that is not the one of all others in the browser.
    pub(super) fn new(of: Option<BrowserEgress>, wanted: Option<GateFront>) -> Self {
        let standard = wanted.or(of.as_ref().and_then(|of| of.standard));
        Self { of, standard, state: Mutex::default() }
    }

    /// Whether a context can have a gate.
    pub(super) fn has_gates(&self) -> bool {
        self.of.is_some()
    }

    /// Whether the requests of all its contexts pass gates.
    pub(super) fn is_gated(&self) -> bool {
        self.standard.is_some()
    }

    /// Opens the gate of another context, with the proxy that a client named for it; `None` if it needs none.
    ///
    /// Fails as sockets do, and if the browser has no gates.
    pub(super) fn open(&self, upstream: Option<&UpstreamProxy>) -> io::Result<Option<OpenedGate>> {
        let Some(front) = upstream.map(UpstreamProxy::front).or(self.standard) else { return Ok(None) };
        let of = self.of.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
        let gate = OpenedGate::new(of.gates.open(front)?);
        self.add(&gate, upstream.cloned());
        Ok(Some(gate))
    }

    /// The lease has Chrome's own default context: its gate is one of the lease.
    pub(super) fn take_native(&self) {
        if let Some(gate) = self.of.as_ref().and_then(|of| of.native.clone()) {
            self.add(&OpenedGate::new(gate), None);
        }
    }

    /// The proxy that a client named for a context.
    pub(super) fn proxy_of(&self, context: &ContextId) -> Option<UpstreamProxy> {
        self.state().gates.iter().find(|of| of.context.get() == Some(context))?.upstream.clone()
    }

    fn add(&self, OpenedGate { gate, context }: &OpenedGate, upstream: Option<UpstreamProxy>) {
        let mut state = self.state();
        let of = OfContext { gate: Arc::downgrade(gate), upstream, context: context.clone() };
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
        EgressBinding {
            owner: Owner::local(),
            rules: Arc::default(),
            upstream: None,
            of_tenant: None,
            word: "word".into(),
            report: Arc::new(Deaf),
        }
    }

    fn browser(standard: Option<GateFront>) -> BrowserEgress {
        BrowserEgress { gates: Arc::new(FakeGates::default()), native: None, standard, namespace: None }
    }

    fn lease() -> LeaseEgress {
        LeaseEgress::new(Some(browser(Some(GateFront::Socks5))), None)
    }

    fn made(egress: &LeaseEgress, proxy: ContextProxy) -> (String, Arc<dyn EgressGate>) {
        let base = CdpSessionId::from("BASE");
        let call = super::super::contexts::create(&base, egress, &NewContext { proxy }).expect("a gate");
        let Settle::Bind(Some(opened)) = call.settle else { panic!("{:?}", call.settle) };
        (call.params, opened.gate)
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
        let open = LeaseEgress::new(None, None);
        let base = CdpSessionId::from("BASE");
        let call = |proxy| super::super::contexts::create(&base, &open, &NewContext { proxy });
        let params = call(as_written()).expect("no gate").params;
        assert_eq!(params, r#"{"disposeOnDetach":true,"proxyServer":"x:1","proxyBypassList":"*"}"#);
        assert_eq!(call(ContextProxy::None).expect("no gate").params, r#"{"disposeOnDetach":true}"#);
        call(ContextProxy::UpstreamProxy(upstream)).expect_err("nothing would use the proxy");
    }

    #[test]
    fn a_proxy_that_a_client_names_has_a_gate_where_others_have_none() {
        let upstream = |url| UpstreamProxy::parse(url, NamedBy::Tenant).expect("a proxy");
        let open = browser(None);
        assert!(open.flags().is_empty());
        let egress = LeaseEgress::new(Some(open.clone()), None);
        assert!(egress.has_gates() && !egress.is_gated() && matches!(egress.open(None), Ok(None)));
        egress.bind(binding());
        let (params, gate) = made(&egress, ContextProxy::UpstreamProxy(upstream("socks5://p:1")));
        assert!(params.contains("socks5://127.0.0.2:0") && params.contains(NO_BYPASS) && is_bound(&gate), "{params}");
        // A session with a proxy: its contexts have gates too for which no other is named.
        // The proxy of a context has a user for each session too, and is kept as it was written.
        let written = upstream("http://u-{session}:secret@p:1");
        let (params, gate) = made(&egress, ContextProxy::UpstreamProxy(written.clone()));
        assert!(params.contains("socks5://127.0.0.2:1"), "{params}");
        let bound = egress.state().gates.last().and_then(|of| of.upstream.clone());
        assert_eq!(bound, Some(written));
        assert!(format!("{gate:?}").contains("Some"), "{gate:?}");
        let egress = LeaseEgress::new(Some(open), Some(upstream("http://p:1").front()));
        egress.bind(EgressBinding { upstream: Some(upstream("http://p:1")), ..binding() });
        let (params, gate) = made(&egress, ContextProxy::None);
        assert!(params.contains("http://127.0.0.2:2") && format!("{gate:?}").contains("http://p:1"), "{params}");
        assert!(egress.is_gated());
        LeaseEgress::new(None, Some(GateFront::Socks5)).open(None).expect_err("this browser cannot have gates");
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
        let standard = Some(GateFront::Socks5);
        let flags = BrowserEgress { gates: gates.clone(), native, standard, namespace: None }.flags();
        assert_eq!(flags[..2], ["--proxy-server=socks5://127.9.9.9:1", "--proxy-bypass-list=<-loopback>"]);
        let native = Some(gates.open(GateFront::Socks5).expect("a gate"));
        let egress = BrowserEgress { gates, native, standard, namespace: None };
        assert_eq!(egress.flags()[0], "--proxy-server=socks5://127.0.0.2:0");
        let lease = LeaseEgress::new(Some(egress.clone()), None);
        lease.take_native();
        lease.bind(binding());
        assert!(egress.native.is_some_and(|gate| is_bound(&gate)));
    }
}
