//! The gates through which the pages of sessions reach the network, if rules apply to them or an upstream proxy is named.
//!
//! Each browser context has a gate of its own ([`crate::port::egress`]), a listener on an address of `127.0.0.0/8` that
//! nothing else uses. What comes in must be from a process of the context's browser (`peer`), unless that is alone in a network
//! namespace. The handshake
//! (`socks_front`, or `http_front`) says what to connect to; the host is judged by name, and by each of its addresses (`dial`, `own`,
//! `resolver`), and connected to directly or through an upstream proxy (`upstream`); the bytes are counted (`tunnel`).

mod dial;
mod gate;
mod http_front;
mod own;
mod peer;
mod resolver;
pub(crate) mod socks;
mod socks_front;
mod state;
#[cfg(test)]
mod tests;
mod tunnel;
mod upstream;

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use uuid::Uuid;

pub use self::resolver::NameServers;
use self::{
    gate::ContextGate,
    resolver::Resolvers,
    state::{OfBrowser, Purpose, Shared},
};
use crate::port::egress::{BrowserGates, EgressGate, EgressGates, GateFront, GateSockets, Strays};

/// How often another address is tried if one cannot be had.
const ATTEMPTS: usize = 16;

/// How much the gates may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressLimits {
    /// How long a browser may take to say what to connect to.
    pub handshake_time: Duration,
    /// How long name servers may take.
    pub resolve_time: Duration,
    /// How long a host may take to accept a connection, and an upstream proxy to answer.
    pub connect_time: Duration,
    /// Most connections of a browser context. Chrome makes about 100 itself, and 255 for WebSockets.
    pub tunnels_per_gate: usize,
    /// Most connections of a browser context that are being made.
    pub dials_at_once: usize,
    /// Most names that are remembered for a tenant.
    pub names_most: u64,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            handshake_time: Duration::from_secs(10),
            resolve_time: Duration::from_secs(10),
            connect_time: Duration::from_secs(20),
            tunnels_per_gate: 512,
            dials_at_once: 64,
            names_most: 1024,
        }
    }
}

/// Makes the gates of this server.
#[derive(Debug)]
pub struct Gates {
    shared: Arc<Shared>,
}

impl Gates {
    /// Gates that look names up there.
    pub fn new(servers: NameServers, limits: EgressLimits) -> Self {
        let resolvers = Resolvers::new(servers, limits.resolve_time, limits.names_most);
        Self { shared: Arc::new(Shared { limits, own: Arc::default(), resolvers }) }
    }

    /// The server listens on this address: no page may connect to its port on this machine, whatever its tenant may do.
    pub fn add_listener(&self, address: SocketAddr) {
        self.shared.own.add_listener(address);
    }
}

impl EgressGates for Gates {
    fn of_browser(&self, sockets: Option<Arc<dyn GateSockets>>) -> io::Result<Arc<dyn BrowserGates>> {
        let browser = Arc::new(OfBrowser { is_alone: sockets.is_some(), ..OfBrowser::default() });
        let gates = GatesOfBrowser { shared: self.shared.clone(), browser, sockets, used: Mutex::default() };
        let nobody = gates.gate(Purpose::Nobody, GateFront::Socks5)?;
        Ok(Arc::new(WithNobody { gates, nobody }))
    }
}

#[derive(Debug)]
struct GatesOfBrowser {
    shared: Arc<Shared>,
    browser: Arc<OfBrowser>,
    /// Makes its sockets, if they are not of this process's network.
    sockets: Option<Arc<dyn GateSockets>>,
    /// The addresses that its gates have had. Guards them while one is chosen.
    used: Mutex<HashSet<Ipv4Addr>>,
}

impl GatesOfBrowser {
    fn gate(&self, purpose: Purpose, front: GateFront) -> io::Result<ContextGate> {
        let mut last = io::ErrorKind::AddrInUse.into();
        for _ in 0..ATTEMPTS {
            let ip = random_loopback();
            if !self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(ip) {
                continue;
            }
            let listener = match &self.sockets {
                None => TcpListener::bind((ip, 0)),
                Some(sockets) => sockets.listen(ip),
            };
            match listener.and_then(|listener| ContextGate::open(&self.shared, &self.browser, purpose, front, listener))
            {
                Ok(gate) => return Ok(gate),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// A random address of `127.0.0.0/8`, without the first and the last network of 256, where other programs are.
fn random_loopback() -> Ipv4Addr {
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(1, 254))
}

#[derive(Debug)]
struct WithNobody {
    gates: GatesOfBrowser,
    nobody: ContextGate,
}

impl BrowserGates for WithNobody {
    fn nobody(&self) -> &str {
        self.nobody.proxy_server()
    }

    fn started(&self, process_group: u32) {
        self.gates.browser.processes.started(process_group);
    }

    fn open(&self, front: GateFront) -> io::Result<Arc<dyn EgressGate>> {
        Ok(Arc::new(self.gates.gate(Purpose::Context, front)?))
    }

    fn strays(&self) -> Strays {
        let browser = &self.gates.browser;
        Strays {
            nobody: browser.nobody.load(Ordering::Relaxed),
            foreign: browser.foreign.load(Ordering::Relaxed),
            last: browser.last.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
