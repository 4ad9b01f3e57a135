//! A gate that speaks SOCKS5 with Chrome.

use std::{
    io,
    sync::{PoisonError, atomic::Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    socks::{BadSocks, GREETED, NO_METHOD, SocksHandshake, SocksReply, SocksRequest, SocksStep},
    state::{GateState, Purpose},
    tunnel::{Counted, carry},
};
use crate::port::egress::EgressRefusal;

/// Serves a connection of the browser until it ends.
pub(super) async fn serve(state: &GateState, mut stream: TcpStream) {
    let request = match timeout(state.handshake_time(), handshake(&mut stream)).await {
        Ok(Ok(request)) => request,
        Ok(Err(error)) => return tracing::debug!(%error, "a handshake with a gate failed"),
        Err(_) => return tracing::debug!("a handshake with a gate took too long"),
    };
    if state.purpose == Purpose::Nobody {
        state.browser.nobody.fetch_add(1, Ordering::Relaxed);
        let asked = Some((request.host.as_str().into(), request.port));
        *state.browser.last.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        return refuse(stream, SocksReply::NotAllowed).await;
    }
    let Some(bound) = state.bound() else { return refuse(stream, SocksReply::NotAllowed).await };
    let tunnel = async {
        match state.dial(&bound, &request.host, request.port).await {
            Ok((remote, _permit)) => {
                let mut remote = Counted::new(remote, bound.report().clone());
                let is_told = stream.write_all(&SocksReply::Succeeded.bytes()).await.is_ok();
                if is_told && (request.early.is_empty() || remote.write_all(&request.early).await.is_ok()) {
                    carry(stream, remote).await;
                }
            }
            Err(why) => {
                let reply = reply_for(&why);
                bound.tell(&request.host, request.port, why);
                refuse(stream, reply).await;
            }
        }
    };
    let _ = bound.cut.run_until_cancelled(tunnel).await;
}

/// What the page cannot tell apart, but a log of the browser can.
fn reply_for(why: &EgressRefusal) -> SocksReply {
    match why {
        EgressRefusal::NotFound
        | EgressRefusal::NoResolver(_)
        | EgressRefusal::Unreachable(_)
        | EgressRefusal::TimedOut
        | EgressRefusal::UpstreamUnreachable(_) => SocksReply::HostUnreachable,
        EgressRefusal::BadHost => SocksReply::Address,
        _ => SocksReply::NotAllowed,
    }
}

/// Reads what the browser asks for. Nothing is sent to it yet but the answer to its greeting.
async fn handshake(stream: &mut TcpStream) -> io::Result<SocksRequest> {
    let mut handshake = SocksHandshake::default();
    let mut buffer = [0; 512];
    loop {
        match handshake.poll_step() {
            Ok(Some(SocksStep::Greet)) => stream.write_all(&GREETED).await?,
            Ok(Some(SocksStep::Connect(request))) => return Ok(request),
            Ok(None) => {
                let length = stream.read(&mut buffer).await?;
                if length == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                handshake.on_bytes(&buffer[..length]);
            }
            Err(error) => {
                let answer = match error {
                    BadSocks::Version => Vec::new(),
                    BadSocks::Method => NO_METHOD.to_vec(),
                    BadSocks::Command => SocksReply::Command.bytes().to_vec(),
                    BadSocks::Address => SocksReply::Address.bytes().to_vec(),
                };
                stream.write_all(&answer).await?;
                return Err(io::Error::other(error));
            }
        }
    }
}

async fn refuse(mut stream: TcpStream, reply: SocksReply) {
    // The browser may have gone.
    let _ = stream.write_all(&reply.bytes()).await;
    let _ = stream.shutdown().await;
}
