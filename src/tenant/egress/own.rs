//! The addresses of this machine, and the sockets of ghostmux, which no page may connect to.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::port::egress::embedded;

/// How long the addresses of the interfaces are taken for known. Reading them takes some 50 µs.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// The addresses of this machine, and the sockets of ghostmux.
#[derive(Debug, Default)]
pub(super) struct OwnAddresses {
    // Guards the lists; held for a look-up, or while the interfaces are read.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listeners: HashSet<u16>,
    gates: HashSet<SocketAddr>,
    interfaces: Option<(Instant, HashSet<IpAddr>)>,
}

impl OwnAddresses {
    /// A socket that this server listens on.
    pub(super) fn add_listener(&self, address: SocketAddr) {
        self.state().listeners.insert(address.port());
    }

    /// A gate has been opened. It counts until the guard is dropped.
    pub(super) fn add_gate(self: &Arc<Self>, address: SocketAddr) -> GateAddress {
        self.state().gates.insert(address);
        GateAddress { own: self.clone(), address }
    }

    /// Whether an address is one of this machine's interfaces, itself or by an IPv4 address that is written in it.
    pub(super) fn is_interface(&self, address: IpAddr) -> bool {
        self.state().is_any(address, |interfaces, address| interfaces.contains(&address))
    }

    /// Whether a connection to this address would reach ghostmux itself: a gate, or the port of a listener on any address
    /// of this machine.
    pub(super) fn is_own_socket(&self, address: SocketAddr) -> bool {
        let mut state = self.state();
        let is_gate = |ip: IpAddr| state.gates.contains(&SocketAddr::new(ip, address.port()));
        if spellings(address.ip()).any(is_gate) {
            return true;
        }
        // `0.0.0.0` and all of 127.0.0.0/8 reach this machine.
        let is_here = |interfaces: &HashSet<IpAddr>, ip: IpAddr| {
            ip.is_loopback() || ip.is_unspecified() || interfaces.contains(&ip)
        };
        state.listeners.contains(&address.port()) && state.is_any(address.ip(), is_here)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_any(&mut self, address: IpAddr, is: impl Fn(&HashSet<IpAddr>, IpAddr) -> bool) -> bool {
        if self.interfaces.as_ref().is_none_or(|(at, _)| at.elapsed() > KNOWN_FOR) {
            self.interfaces = Some((Instant::now(), interfaces()));
        }
        let interfaces = self.interfaces.as_ref().map(|(_, addresses)| addresses);
        interfaces.is_some_and(|interfaces| spellings(address).any(|address| is(interfaces, address)))
    }
}

/// An address, and those that are written in it.
fn spellings(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let inside = embedded(address).into_iter().flatten().map(IpAddr::V4);
    std::iter::once(address).chain(inside)
}

fn interfaces() -> HashSet<IpAddr> {
    let addresses = match nix::ifaddrs::getifaddrs() {
        Ok(addresses) => addresses,
        Err(error) => {
            tracing::warn!(%error, "the addresses of this machine's interfaces cannot be read: gates cannot refuse them");
            return HashSet::new();
        }
    };
    let ip = |address: nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or(address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    addresses.filter_map(|interface| ip(interface.address?)).collect()
}

/// The address of an open gate.
#[derive(Debug)]
pub(super) struct GateAddress {
    own: Arc<OwnAddresses>,
    address: SocketAddr,
}

impl Drop for GateAddress {
    fn drop(&mut self) {
        self.own.state().gates.remove(&self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn sockets_of_ghostmux_are_known_in_every_spelling() {
        let own = Arc::new(OwnAddresses::default());
        own.add_listener(address("0.0.0.0:9222"));
        let gate = own.add_gate(address("127.1.2.3:4000"));
        for text in
            ["127.0.0.1:9222", "127.9.9.9:9222", "0.0.0.0:9222", "[::1]:9222", "[::]:9222", "[::ffff:127.0.0.1]:9222"]
        {
            assert!(own.is_own_socket(address(text)), "{text}");
        }
        for text in ["127.1.2.3:4000", "[::ffff:127.1.2.3]:4000", "[64:ff9b::127.1.2.3]:4000"] {
            assert!(own.is_own_socket(address(text)), "{text}");
        }
        for text in ["127.0.0.1:9223", "127.1.2.3:4001", "127.1.2.4:4000", "1.1.1.1:9222"] {
            assert!(!own.is_own_socket(address(text)), "{text}");
        }
        drop(gate);
        assert!(!own.is_own_socket(address("127.1.2.3:4000")));
    }

    #[test]
    fn addresses_of_interfaces_are_known() {
        let own = OwnAddresses::default();
        assert!(own.is_interface([127, 0, 0, 1].into()), "the loopback has an interface");
        assert!(own.is_interface("::ffff:127.0.0.1".parse().expect("an address")));
        assert!(!own.is_interface([1, 1, 1, 1].into()));
    }
}
