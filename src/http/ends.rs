//! From where a request comes.

use std::net::SocketAddr;

/// The two ends of the connection of a request.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The client's address; of a request that a trusted proxy forwards, that of the proxy's client.
    pub from: SocketAddr,
    /// The address at which the connection was accepted.
    pub to: SocketAddr,
    /// Whether the connection has TLS that ends here.
    pub is_tls: bool,
    /// Whether a trusted proxy forwards the request: its client reached the proxy by another address.
    pub is_forwarded: bool,
}

impl Ends {
    /// Whether the other end is on this machine.
    pub(super) fn is_from_here(&self) -> bool {
        let (from, to) = (self.from.ip().to_canonical(), self.to.ip().to_canonical());
        from == to || from.is_loopback()
    }
}
