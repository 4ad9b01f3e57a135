//! Gates with real sockets on the loopback; the browser is this process.

mod dns;
mod proxies;
mod upstreams;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_socks::tcp::Socks5Stream;

use self::dns::Dns;
use super::*;
use crate::{
    api_types::Owner,
    port::egress::{
        Allowance, Carried, EgressBinding, EgressFailure, EgressReport, EgressRules, HostLists, Ports, UpstreamProxy,
    },
};

const SOON: Duration = Duration::from_secs(20);

/// Remembers what it is told.
#[derive(Debug, Default)]
struct Report {
    failures: Mutex<Vec<EgressFailure>>,
    up: AtomicU64,
    down: AtomicU64,
    is_exhausted: AtomicBool,
}

impl EgressReport for Report {
    fn failed(&self, failure: &EgressFailure) {
        self.failures.lock().expect("no panic").push(failure.clone());
    }

    fn carried(&self, bytes: Carried) -> Allowance {
        self.up.fetch_add(bytes.up, Ordering::SeqCst);
        self.down.fetch_add(bytes.down, Ordering::SeqCst);
        self.allowance()
    }

    fn allowance(&self) -> Allowance {
        if self.is_exhausted.load(Ordering::SeqCst) { Allowance::Exhausted } else { Allowance::Left }
    }
}

impl Report {
    /// The reasons so far.
    fn codes(&self) -> Vec<&'static str> {
        self.failures.lock().expect("no panic").iter().map(|failure| failure.why.code()).collect()
    }
}

/// A browser, which is this process, with a gate that is bound.
struct Fixture {
    gates: Gates,
    browser: Arc<dyn BrowserGates>,
    gate: Arc<dyn EgressGate>,
    report: Arc<Report>,
    dns: Dns,
}

fn everything() -> EgressRules {
    EgressRules { private_network: true, ports: Ports::all(), ..EgressRules::default() }
}

fn internet() -> EgressRules {
    EgressRules { ports: Ports::all(), ..EgressRules::default() }
}

fn own_group() -> u32 {
    nix::unistd::getpgrp().as_raw().try_into().expect("a process group")
}

impl Fixture {
    async fn new(rules: EgressRules) -> Self {
        Self::with(rules, None, GateFront::Socks5, EgressLimits::default()).await
    }

    async fn with(rules: EgressRules, upstream: Option<UpstreamProxy>, front: GateFront, limits: EgressLimits) -> Self {
        let dns = Dns::start().await;
        let gates = Gates::new(NameServers::at(dns.address), limits);
        let browser = gates.of_browser(None).expect("gates");
        browser.started(own_group());
        let gate = browser.open(front).expect("a gate");
        let fixture = Self { gates, browser, gate, report: Arc::default(), dns };
        fixture.bind(rules, upstream);
        fixture
    }

    fn bind(&self, rules: EgressRules, upstream: Option<UpstreamProxy>) {
        self.bind_for_tenant(rules, upstream, None);
    }

    fn bind_for_tenant(&self, rules: EgressRules, upstream: Option<UpstreamProxy>, of_tenant: Option<UpstreamProxy>) {
        let (owner, rules, report) = (Owner::local(), Arc::new(rules), self.report.clone());
        self.gate.bind(EgressBinding { owner, rules, upstream, of_tenant, word: "".into(), report });
    }

    async fn connect(&self, host: &str, port: u16) -> Option<TcpStream> {
        connect(self.gate.proxy_server(), host, port).await
    }
}

fn address_of(proxy_server: &str) -> SocketAddr {
    proxy_server.split_once("://").expect("a scheme").1.parse().expect("an address")
}

/// A connection through a gate, if it allows it.
async fn connect(proxy_server: &str, host: &str, port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(address_of(proxy_server)).await.expect("a gate");
    let connected = timeout(SOON, Socks5Stream::connect_with_socket(stream, (host, port))).await.expect("an answer");
    connected.ok().map(Socks5Stream::into_inner)
}

/// A server that sends back what it gets.
async fn echo() -> SocketAddr {
    echo_at(Ipv4Addr::LOCALHOST, 0).await
}

async fn echo_at(ip: Ipv4Addr, port: u16) -> SocketAddr {
    let listener = TcpListener::bind((ip, port)).await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

async fn is_echoed(stream: &mut TcpStream, text: &[u8]) -> bool {
    let mut back = vec![0; text.len()];
    let (mut read, mut write) = stream.split();
    let exchanged = async { tokio::try_join!(write.write_all(text), read.read_exact(&mut back)).is_ok() };
    timeout(SOON, exchanged).await.expect("an answer") && back == text
}

/// Waits until the other side has ended the connection.
async fn is_cut(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    !matches!(timeout(SOON, stream.read(&mut byte)).await.expect("an end"), Ok(1..))
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let waited = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, waited).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn bytes_are_carried_and_counted() {
    let fixture = Fixture::new(everything()).await;
    let server = echo().await;
    let mut stream = fixture.connect("127.0.0.1", server.port()).await.expect("a connection");
    let text = vec![7; 300_000];
    assert!(is_echoed(&mut stream, b"hello").await && is_echoed(&mut stream, &text).await);
    drop(stream);
    let report = &fixture.report;
    until("all bytes are reported", || report.down.load(Ordering::SeqCst) == 300_005).await;
    assert_eq!(report.up.load(Ordering::SeqCst), 300_005);
    assert_eq!(report.codes(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_gate_refuses_everything_until_it_is_bound_and_after_its_session() {
    let fixture = Fixture::new(everything()).await;
    let server = echo().await;
    let unbound = fixture.browser.open(GateFront::Socks5).expect("a gate");
    assert!(connect(unbound.proxy_server(), "127.0.0.1", server.port()).await.is_none());

    let mut tunnel = fixture.connect("127.0.0.1", server.port()).await.expect("a connection");
    assert!(is_echoed(&mut tunnel, b"x").await);
    fixture.gate.unbind();
    assert!(is_cut(&mut tunnel).await);
    assert!(fixture.connect("127.0.0.1", server.port()).await.is_none());
}

#[tokio::test]
async fn new_rules_cut_open_tunnels_and_hold_for_the_next_connection() {
    let fixture = Fixture::new(everything()).await;
    let server = echo().await;
    let mut tunnel = fixture.connect("127.0.0.1", server.port()).await.expect("a connection");
    fixture.bind(internet(), None);
    assert!(is_cut(&mut tunnel).await);
    assert!(fixture.connect("127.0.0.1", server.port()).await.is_none());
    assert_eq!(fixture.report.codes(), ["private-network"]);
}

#[tokio::test]
async fn a_gate_that_is_dropped_closes_its_listener_and_tunnels() {
    let fixture = Fixture::new(everything()).await;
    let server = echo().await;
    let mut tunnel = fixture.connect("127.0.0.1", server.port()).await.expect("a connection");
    let address = address_of(fixture.gate.proxy_server());
    drop(fixture.gate);
    assert!(is_cut(&mut tunnel).await);
    let closed = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(SOON, closed).await.expect("the listener is closed");
}

#[tokio::test]
async fn the_nobody_gate_refuses_and_counts() {
    let fixture = Fixture::new(everything()).await;
    let server = echo().await;
    assert_eq!(fixture.browser.strays(), Strays::default());
    assert!(connect(fixture.browser.nobody(), "update.example", server.port()).await.is_none());
    let strays = fixture.browser.strays();
    assert_eq!((strays.nobody, strays.foreign), (1, 0));
    assert_eq!(strays.last, Some(("update.example".into(), server.port())));
}

#[tokio::test]
async fn connections_of_other_processes_are_dropped_and_counted() {
    let gates = Gates::new(NameServers::at(([127, 0, 0, 1], 9).into()), EgressLimits::default());
    let browser = gates.of_browser(None).expect("gates");
    let gate = browser.open(GateFront::Socks5).expect("a gate");
    let server = echo().await;
    let report = Arc::new(Report::default());
    let rules = Arc::new(everything());
    let (owner, word) = (Owner::local(), "".into());
    gate.bind(EgressBinding { owner, rules, upstream: None, of_tenant: None, word, report: report.clone() });

    assert!(connect(gate.proxy_server(), "127.0.0.1", server.port()).await.is_none(), "the browser was not started");
    // A process group of another program.
    let mut sleeper = tokio::process::Command::new("sleep");
    let sleeper = sleeper.arg("600").process_group(0).kill_on_drop(true).spawn().expect("sleep");
    browser.started(sleeper.id().expect("it runs"));
    assert!(connect(gate.proxy_server(), "127.0.0.1", server.port()).await.is_none());
    assert!(connect(browser.nobody(), "127.0.0.1", server.port()).await.is_none());
    assert_eq!(browser.strays(), Strays { nobody: 0, foreign: 3, last: None });
    assert_eq!(report.codes(), Vec::<&str>::new());
}

#[tokio::test]
async fn every_spelling_of_a_private_address_is_refused() {
    let fixture = Fixture::new(internet()).await;
    let server = echo().await;
    fixture.dns.answer("evil.test", &[&[[127, 0, 0, 1]]]);
    fixture.dns.answer("meta.test", &[&[[169, 254, 169, 254]]]);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "localhost",
        "LocalHost.",
        "a.localhost",
        "evil.test",
        "EVIL.test.",
        "meta.test",
        "redis",
        "metadata.google.internal",
    ];
    for host in hosts {
        assert!(fixture.connect(host, server.port()).await.is_none(), "{host}");
    }
    assert_eq!(fixture.report.codes(), ["private-network"; 18]);
    assert!(
        !fixture.dns.asked().iter().any(|name| name.contains("internal") || name == "redis"),
        "{:?}",
        fixture.dns.asked()
    );
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_judged_each_time() {
    let rules = EgressRules {
        lists: vec![HostLists { allow: None, deny: vec!["127.66.0.0/16".parse().expect("a network")] }],
        ..everything()
    };
    let fixture = Fixture::new(rules).await;
    let allowed = echo_at(Ipv4Addr::new(127, 55, 0, 1), 0).await;
    let _denied = echo_at(Ipv4Addr::new(127, 66, 0, 1), allowed.port()).await;
    // The first answer, those after it, and one with both.
    fixture.dns.answer("rebind.test", &[&[[127, 55, 0, 1]], &[[127, 66, 0, 1]]]);
    fixture.dns.answer("both.test", &[&[[127, 66, 0, 1], [127, 55, 0, 1]]]);

    let mut stream = fixture.connect("rebind.test", allowed.port()).await.expect("the first address is allowed");
    assert!(is_echoed(&mut stream, b"x").await);
    assert!(fixture.connect("rebind.test", allowed.port()).await.is_none(), "the second is not");
    assert_eq!(fixture.report.codes(), ["denied"]);
    let mut stream = fixture.connect("both.test", allowed.port()).await.expect("one of them is allowed");
    assert!(is_echoed(&mut stream, b"x").await);
}

#[tokio::test]
async fn names_without_address_and_silent_name_servers_are_told_apart() {
    let limits = EgressLimits { resolve_time: Duration::from_millis(300), ..EgressLimits::default() };
    let fixture = Fixture::with(everything(), None, GateFront::Socks5, limits).await;
    assert!(fixture.connect("missing.test", 80).await.is_none());
    fixture.dns.be_silent();
    assert!(fixture.connect("other.test", 80).await.is_none());
    assert_eq!(fixture.report.codes(), ["not-found", "no-resolver"]);
}

#[tokio::test]
async fn ghostmux_itself_is_never_reached() {
    let fixture = Fixture::new(everything()).await;
    let server = echo().await;
    fixture.gates.add_listener(SocketAddr::new([0, 0, 0, 0].into(), server.port()));
    for host in ["127.0.0.1", "0.0.0.0", "127.9.9.9", "::ffff:127.0.0.1", "localhost"] {
        assert!(fixture.connect(host, server.port()).await.is_none(), "{host}");
    }
    let other = fixture.browser.open(GateFront::Socks5).expect("a gate");
    for gate in [other.proxy_server(), fixture.browser.nobody(), fixture.gate.proxy_server()] {
        let address = address_of(gate);
        assert!(fixture.connect(&address.ip().to_string(), address.port()).await.is_none(), "{address}");
    }
    assert_eq!(fixture.report.codes(), ["own-listener"; 8]);
    assert_eq!(fixture.browser.strays(), Strays::default());
}

#[tokio::test]
async fn a_tenant_at_its_limit_is_cut_and_refused() {
    let fixture = Fixture::new(everything()).await;
    let server = echo().await;
    let mut tunnel = fixture.connect("127.0.0.1", server.port()).await.expect("a connection");
    assert!(is_echoed(&mut tunnel, b"x").await);
    fixture.report.is_exhausted.store(true, Ordering::SeqCst);
    assert!(!is_echoed(&mut tunnel, &vec![0; 1_000_000]).await, "the tunnel is cut");
    assert!(fixture.connect("127.0.0.1", server.port()).await.is_none());
    assert_eq!(fixture.report.codes(), ["allowance"]);
}

#[tokio::test]
async fn connections_of_a_gate_are_limited_and_freed() {
    let limits = EgressLimits { tunnels_per_gate: 2, ..EgressLimits::default() };
    let fixture = Fixture::with(everything(), None, GateFront::Socks5, limits).await;
    let server = echo().await;
    let first = fixture.connect("127.0.0.1", server.port()).await.expect("a connection");
    let _second = fixture.connect("127.0.0.1", server.port()).await.expect("a connection");
    assert!(fixture.connect("127.0.0.1", server.port()).await.is_none());
    assert_eq!(fixture.report.codes(), ["too-many"]);
    drop(first);
    let again = async { while fixture.connect("127.0.0.1", server.port()).await.is_none() {} };
    timeout(SOON, again).await.expect("a connection that has ended is free for another");
}

#[tokio::test]
async fn handshakes_that_take_too_long_or_are_none_are_closed() {
    let limits = EgressLimits { handshake_time: Duration::from_millis(200), ..EgressLimits::default() };
    let fixture = Fixture::with(everything(), None, GateFront::Socks5, limits).await;
    for bytes in [&b""[..], b"\x05", b"\x05\x01\x00\x05\x01\x00\x03\xffa", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut stream = TcpStream::connect(address_of(fixture.gate.proxy_server())).await.expect("a gate");
        stream.write_all(bytes).await.expect("a connection");
        let ended = async { while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {} };
        timeout(SOON, ended).await.expect("the gate closes it");
    }
}

#[tokio::test]
async fn hosts_that_do_not_answer_are_reported() {
    let limits = EgressLimits { connect_time: Duration::from_secs(5), ..EgressLimits::default() };
    let fixture = Fixture::with(everything(), None, GateFront::Socks5, limits).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a listener").local_addr().expect("an address");
    assert!(fixture.connect("127.0.0.1", gone.port()).await.is_none());
    assert!(fixture.connect("not a host", 80).await.is_none());
    assert_eq!(fixture.report.codes(), ["unreachable", "bad-host"]);
}

#[tokio::test]
async fn gates_have_addresses_of_their_own() {
    let fixture = Fixture::new(everything()).await;
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let gate = fixture.browser.open(GateFront::Socks5).expect("a gate");
        let address = address_of(gate.proxy_server());
        assert!(address.ip().is_loopback() && seen.insert(address.ip()), "{address}");
    }
}
