//! One gate: its listener, and whose the connections are that come in.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::DropGuard;

use super::{
    dial::Dialer,
    http_front,
    own::GateAddress,
    peer, socks_front,
    state::{Bound, GateState, OfBrowser, Purpose, Shared},
};
use crate::port::egress::{EgressBinding, EgressGate, GateFront};

/// How long a listener that cannot accept waits.
const PAUSE: Duration = Duration::from_millis(100);

/// A gate. Dropping it closes its listener and its tunnels.
#[derive(Debug)]
pub(super) struct ContextGate {
    proxy_server: String,
    state: Arc<GateState>,
    _closing: DropGuard,
}

impl ContextGate {
    /// Opens a gate at this socket.
    ///
    /// Fails as sockets do. Must be called on the runtime.
    pub(super) fn open(
        shared: &Arc<Shared>,
        browser: &Arc<OfBrowser>,
        purpose: Purpose,
        front: GateFront,
        listener: std::net::TcpListener,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listed = shared.own.add_gate(address);
        let listener = TcpListener::from_std(listener)?;
        let state = Arc::new(GateState::new(shared.clone(), browser.clone(), purpose));
        let scheme = match front {
            GateFront::Socks5 => "socks5",
            GateFront::HttpProxy => "http",
        };
        let proxy_server = format!("{scheme}://{address}");
        tokio::spawn(accept(listed, listener, address, front, state.clone()));
        Ok(Self { proxy_server, _closing: state.closed.clone().drop_guard(), state })
    }
}

impl EgressGate for ContextGate {
    fn proxy_server(&self) -> &str {
        &self.proxy_server
    }

    fn bind(&self, binding: EgressBinding) {
        let shared = &self.state.shared;
        match shared.resolvers.of(&binding.owner) {
            Ok(resolver) => {
                let (own, time) = (shared.own.clone(), shared.limits.connect_time);
                let dialer = Dialer { binding, resolver, own, time };
                self.state.replace(Some(Arc::new(Bound { dialer, cut: self.state.closed.child_token() })));
            }
            Err(error) => {
                // Closed rather than open.
                tracing::error!(tenant = %binding.owner, %error, "no resolver can be made: the session connects to nothing");
                self.state.replace(None);
            }
        }
    }

    fn unbind(&self) {
        self.state.replace(None);
    }
}

/// Accepts connections until the gate is closed. The address counts as ghostmux's own until nothing listens there any more:
/// the parameters are dropped from the last to the first.
async fn accept(
    _listed: GateAddress,
    listener: TcpListener,
    address: SocketAddr,
    front: GateFront,
    state: Arc<GateState>,
) {
    loop {
        let accepted = tokio::select! {
            () = state.closed.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(permit) = state.connections.clone().try_acquire_owned() else { continue };
                let state = state.clone();
                tokio::spawn(async move {
                    let closed = state.closed.clone();
                    let _ = closed.run_until_cancelled(serve(&state, stream, peer, address, front)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, usually: connections wait in the listener meanwhile.
                tracing::warn!(%error, "a gate cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(state: &Arc<GateState>, stream: TcpStream, peer: SocketAddr, gate: SocketAddr, front: GateFront) {
    if !is_of_browser(state, peer, gate).await {
        state.browser.foreign.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%peer, %gate, "a process that is not the browser's connected to a gate: dropped");
        return;
    }
    let _ = stream.set_nodelay(true);
    match front {
        GateFront::Socks5 => socks_front::serve(state, stream).await,
        GateFront::HttpProxy => http_front::serve(state, stream).await,
    }
}

/// Checked before a byte is read.
async fn is_of_browser(state: &GateState, peer: SocketAddr, gate: SocketAddr) -> bool {
    if state.browser.is_alone {
        return true;
    }
    let Some((peer, gate)) = peer::ends(peer, gate) else { return false };
    let browser = state.browser.clone();
    let checked = tokio::task::spawn_blocking(move || browser.processes.own(peer, gate)).await;
    match checked.map_err(io::Error::other).flatten() {
        Ok(is_own) => is_own,
        Err(error) => {
            tracing::error!(%error, "the system does not tell whose a connection to a gate is: dropped");
            false
        }
    }
}
