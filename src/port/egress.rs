//! The egress of a browser context: what its pages may connect to, through which proxy, and who is told. PURE: values and
//! traits.
//!
//! Chrome is given a proxy of ghostmux's own for each browser context, a *gate*. The gate alone connects to anything. It is
//! opened before its context is created, refuses everything until it is bound to a session, and is closed after Chrome has
//! confirmed that the context is gone. `tenant::egress` implements the traits; `app` hands the implementation on.

mod host;
mod hosts;
mod ports;
mod refusal;
mod rules;
mod special;
mod upstream;

use std::{
    fmt, io,
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, OnceLock},
};

use crate::{api_types::Owner, cdp::ids::ContextId};

pub use self::{
    host::{BadHost, Host},
    hosts::{BadHostPattern, HostLists, HostPattern},
    ports::{BadPorts, Ports},
    refusal::EgressRefusal,
    rules::EgressRules,
    special::{Special, embedded, special},
    upstream::{BadProxy, Bypass, Credentials, NamedBy, UpstreamProtocol, UpstreamProxy, proxy_choice},
};

/// Makes the gates of this server.
pub trait EgressGates: fmt::Debug + Send + Sync {
    /// What makes the gates of one browser, with the browser's nobody gate open. To be called before the browser is
    /// started, and to be kept until it has ended. `sockets` makes those of a browser in a network namespace of its own.
    ///
    /// Fails with [`io::ErrorKind::Unsupported`] on a system where the process behind a connection cannot be found, and as
    /// sockets do.
    fn of_browser(&self, sockets: Option<Arc<dyn GateSockets>>) -> io::Result<Arc<dyn BrowserGates>>;
}

/// Makes the sockets of the gates of a browser that is in a network namespace of its own, where nobody else is.
pub trait GateSockets: fmt::Debug + Send + Sync {
    /// A listener there on a free port of this address. Blocks for some 100 µs.
    ///
    /// Fails as sockets do, and when the namespace is gone.
    fn listen(&self, ip: Ipv4Addr) -> io::Result<TcpListener>;
}

/// Makes the gates of one browser. Dropping it closes the nobody gate; the other gates close as they are dropped.
pub trait BrowserGates: fmt::Debug + Send + Sync {
    /// The proxy of the browser's own traffic and of a context without a gate, as `socks5://127.x.y.z:PORT` for
    /// `--proxy-server`. It refuses and counts everything.
    fn nobody(&self) -> &str;

    /// The browser runs as this process group, which all its processes stay in. Until it is called, gates drop every
    /// connection, since it cannot be from the browser.
    fn started(&self, process_group: u32);

    /// A gate for one context, on an address that no other gate of this browser has ever had.
    ///
    /// Fails as sockets do.
    fn open(&self, front: GateFront) -> io::Result<Arc<dyn EgressGate>>;

    /// What came in that no session asked for, since the browser was made.
    fn strays(&self) -> Strays;
}

/// Connections that no session asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// Connections of the browser to its nobody gate.
    pub nobody: u64,
    /// Connections to gates of the browser from processes that are not the browser's.
    pub foreign: u64,
    /// The last host and port that the nobody gate was asked for.
    pub last: Option<(Arc<str>, u16)>,
}

/// The protocol that a gate speaks with Chrome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GateFront {
    /// SOCKS5: the gate dials itself, or knows the credentials of its upstream.
    #[default]
    Socks5,
    /// HTTP proxy, for an HTTP upstream whose credentials only the client knows: `407` and `Proxy-Authorization` pass.
    HttpProxy,
}

/// The proxy of one browser context. Dropping the last reference closes its listener and its tunnels.
pub trait EgressGate: fmt::Debug + Send + Sync {
    /// The proxy for `Target.createBrowserContext`: `socks5://127.x.y.z:PORT` or `http://127.x.y.z:PORT`.
    fn proxy_server(&self) -> &str;

    /// The context belongs to a session from now on, or its rules have changed: then open tunnels are cut.
    fn bind(&self, binding: EgressBinding);

    /// The session has ended: everything is refused again, and open tunnels are cut.
    fn unbind(&self);
}

/// A gate that was opened for a context that Chrome is to make.
#[derive(Clone, Debug)]
pub struct OpenedGate {
    /// The gate.
    pub gate: Arc<dyn EgressGate>,
    /// The context, once Chrome has made it.
    pub context: Arc<OnceLock<ContextId>>,
}

impl OpenedGate {
    /// A gate of a context that does not exist yet.
    pub fn new(gate: Arc<dyn EgressGate>) -> Self {
        Self { gate, context: Arc::default() }
    }
}

/// Whose a gate is, and what it may connect to.
#[derive(Clone, Debug)]
pub struct EgressBinding {
    /// The tenant: names are cached for each tenant apart, so that none can find out what another has looked up.
    pub owner: Owner,
    /// What may be connected to.
    pub rules: Arc<EgressRules>,
    /// The proxy that everything goes through, but what its bypass list names: that of the context, or of the session.
    pub upstream: Option<UpstreamProxy>,
    /// The operator's proxy for the tenant: what the other one leaves out goes through it.
    pub of_tenant: Option<UpstreamProxy>,
    /// What stands for the session in the user of the proxy of a context ([`UpstreamProxy::for_session`]).
    pub word: Arc<str>,
    /// Who is told.
    pub report: Arc<dyn EgressReport>,
}

/// Who is told what a gate does. Called on the gate's tasks: it must not wait.
pub trait EgressReport: fmt::Debug + Send + Sync {
    /// A connection was refused, or failed.
    fn failed(&self, failure: &EgressFailure);

    /// So many bytes were carried since the last call for this tunnel. Called at the latest when [`REPORT_EVERY`]
    /// were carried, and at the end of the tunnel. If it answers [`Allowance::Exhausted`], the tunnel is cut.
    fn carried(&self, bytes: Carried) -> Allowance;

    /// Whether another connection may be made now.
    fn allowance(&self) -> Allowance;
}

/// The most bytes that a tunnel carries before it reports them.
pub const REPORT_EVERY: u64 = 64 * 1024;

/// Whether the tenant may transfer more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// It may.
    Left,
    /// It has transferred what it may.
    Exhausted,
}

/// Bytes that a tunnel has carried, without those of the proxies' own protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// From the browser.
    pub up: u64,
    /// To the browser.
    pub down: u64,
}

impl Carried {
    /// The bytes of both directions.
    pub fn total(self) -> u64 {
        self.up.saturating_add(self.down)
    }
}

/// A connection that was refused, or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressFailure {
    /// The host as the browser named it: a name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The reason.
    pub why: EgressRefusal,
}

impl fmt::Display for EgressFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, why } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}: {why}") } else { write!(f, "{host}:{port}: {why}") }
    }
}
