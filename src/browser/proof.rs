//! Proves that a browser with gates sends nothing around them.
//!
//! Chrome decides by flags whether WebRTC sends packets itself and whether it asks the system's resolver, and versions of
//! Chrome differ in which flags they obey. So a page of the proxy's own tries it before a browser of a new version gets its
//! first session: against sockets on loopback, and through a gate that refuses everything and tells what it was asked for.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    net::{TcpListener, UdpSocket},
    time::Instant,
};

use super::{Browser, CallError, by_deadline};
use crate::{
    api_types::Owner,
    port::egress::{Allowance, Carried, EgressBinding, EgressFailure, EgressReport, EgressRules, HostLists, Ports},
};

/// Time limit for the page.
const PATIENCE: Duration = Duration::from_secs(20);
/// The name that the page uses. Every resolver knows it, so nobody is asked; and an address in its place was resolved by the
/// browser.
const NAME: &str = "localhost";

/// Why a browser may get no session that has gates.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// It sends packets around the gates, or resolves names.
    #[error(
        "it does not send everything through its gates (egress): {0}; use another Chrome, or let sessions connect to \
         everything (egress=open)"
    )]
    Leaks(String),
    /// The proof could not be made.
    #[error("it could not be proven that the browser sends everything through its gates (egress): {0}")]
    NotTried(String),
}

impl From<CallError> for Unproven {
    fn from(error: CallError) -> Self {
        Self::NotTried(error.to_string())
    }
}

/// How many ports are tried for the sockets. One that is free for TCP is rarely taken for UDP.
const PORTS_TRIED: usize = 16;

/// Sockets that nothing may reach.
struct Traps {
    port: u16,
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

impl Traps {
    /// Sockets of one port, on loopback and at all addresses.
    async fn set() -> io::Result<Self> {
        Self::set_at(async || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await).await
    }

    /// Sockets of the first port that `listen` gives and that is free for all of them.
    async fn set_at(mut listen: impl AsyncFnMut() -> io::Result<TcpListener>) -> io::Result<Self> {
        let mut tried = 1;
        loop {
            match Self::beside(listen().await?).await {
                // Another program has the UDP port of this number.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tried < PORTS_TRIED => tried += 1,
                set => return set,
            }
        }
    }

    async fn beside(tcp: TcpListener) -> io::Result<Self> {
        let port = tcp.local_addr()?.port();
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        let mut traps = Self { port, tcp: vec![tcp], udp: vec![udp] };
        let six = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port);
        // A machine may be without IPv6.
        if let (Ok(tcp), Ok(udp)) = (TcpListener::bind(six).await, UdpSocket::bind(six).await) {
            traps.tcp.push(tcp);
            traps.udp.push(udp);
        }
        Ok(traps)
    }

    /// What has reached them.
    fn caught(&self) -> Option<String> {
        let tcp = self.tcp.iter().any(|trap| matches!(trap.accept().now_or_never(), Some(Ok(_))));
        let udp = self.udp.iter().any(|trap| matches!(trap.recv_from(&mut [0; 64]).now_or_never(), Some(Ok(_))));
        match (tcp, udp) {
            (false, false) => None,
            (true, _) => Some("it made a TCP connection of its own".to_owned()),
            (_, true) => Some("it sent UDP packets of its own".to_owned()),
        }
    }
}

/// What the gate was asked for.
#[derive(Debug, Default)]
struct Asked(
    // Guards the list; held while one is added or all are taken.
    Mutex<Vec<String>>,
);

impl EgressReport for Asked {
    fn failed(&self, failure: &EgressFailure) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(failure.host.clone());
    }

    fn carried(&self, _: Carried) -> Allowance {
        Allowance::Exhausted
    }

    fn allowance(&self) -> Allowance {
        Allowance::Left
    }
}

impl Browser {
    /// Proves that nothing gets around its gates. The browser must have gates.
    pub(crate) async fn prove(&self) -> Result<(), Unproven> {
        let not_tried = |error: &dyn fmt::Display| Unproven::NotTried(error.to_string());
        let traps = Traps::set().await.map_err(|error| not_tried(&error))?;
        let (lease, page) = self.proving_lease().await?;
        let asked = Arc::new(Asked::default());
        // No host is allowed.
        let nothing = HostLists { allow: Some(Vec::new()), deny: Vec::new() };
        let rules = EgressRules { private_network: false, lists: vec![nothing], ports: Ports::all() };
        let (owner, rules) = (Owner::local(), Arc::new(rules));
        let (word, report) = ("".into(), asked.clone());
        lease.bind_egress(EgressBinding { owner, rules, upstream: None, of_tenant: None, word, report });
        let tried = async {
            let page = lease.place().attach(&page.into()).await?;
            page.evaluate::<()>(&script(traps.port)).await
        };
        by_deadline(Instant::now() + PATIENCE, tried).await?;
        if let Some(what) = traps.caught() {
            return Err(Unproven::Leaks(what));
        }
        let asked = std::mem::take(&mut *asked.0.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(address) = asked.iter().find(|host| host.as_str() != NAME) {
            return Err(Unproven::Leaks(format!("it resolved the name {NAME} itself, to {address}")));
        }
        if asked.is_empty() {
            // Then the page has tried nothing, or what it tries does not come here.
            return Err(Unproven::NotTried("its page made no request".to_owned()));
        }
        Ok(())
    }
}

/// Gathers ICE candidates from servers of every kind, and requests something, all by name.
fn script(port: u16) -> String {
    format!(
        "(async () => {{
            const gathered = async urls => {{
                const peer = new RTCPeerConnection({{ iceServers: [{{ urls, username: 'u', credential: 'c' }}] }});
                peer.createDataChannel('proof');
                const complete = new Promise(resolve => {{
                    const look = () => peer.iceGatheringState === 'complete' && resolve();
                    peer.onicegatheringstatechange = look;
                    setTimeout(resolve, 5000);
                }});
                await peer.setLocalDescription(await peer.createOffer());
                await complete;
                peer.close();
            }};
            const requested = fetch('http://{NAME}:{port}/', {{ mode: 'no-cors' }}).catch(() => {{}});
            await Promise.all([
                requested,
                gathered(['turn:{NAME}:{port}?transport=tcp']),
                gathered(['turns:{NAME}:{port}?transport=tcp']),
                gathered(['turn:{NAME}:{port}?transport=udp', 'stun:{NAME}:{port}', 'stun:127.0.0.1:{port}']),
            ]);
        }})()"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn another_port_is_tried_while_one_is_taken_for_udp() {
        let taken = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let mut asked = 0;
        let traps = Traps::set_at(async || {
            asked += 1;
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, if asked < 3 { port } else { 0 })).await
        });
        let traps = traps.await.expect("the third port is free");
        assert!(traps.port != port && traps.caught().is_none());
        assert_eq!(asked, 3);

        let mut asked = 0;
        let never = Traps::set_at(async || {
            asked += 1;
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        });
        let error = never.await.map(|traps| traps.port).expect_err("it is taken");
        assert_eq!((error.kind(), asked), (io::ErrorKind::AddrInUse, PORTS_TRIED));
    }
}
