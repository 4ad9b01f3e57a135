//! One HTTP connection of a client, until it ends or becomes a WebSocket.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::body::Body;
use hyper::{Request, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Endpoints, Ends, TlsServer, patient::Patient};
use crate::session::socket::Socket;

/// Time limit for the line and headers of a request.
const HEADERS: Duration = Duration::from_secs(10);
/// Most bytes of a request's line and headers.
const LONGEST_HEADERS: usize = 64 * 1024;

/// How long the answer takes that a client has done too much (429). A client that asks again at once would otherwise be
/// refused thousands of times a second, by the processor time of others.
const TOO_MANY: Duration = Duration::from_millis(100);

/// Serves a connection that was accepted from this address. `stall` is the time in which the client may read nothing of
/// an answer. With `tls` it begins with a handshake. After `closing` is cancelled, only the request that is being answered is answered.
pub async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    endpoints: Endpoints,
    stall: Duration,
    tls: Option<TlsServer>,
    closing: CancellationToken,
) {
    // Small frames are sent at once. Without this option they are sent later, which is no error.
    let _ = stream.set_nodelay(true);
    // Without a local address the client has disconnected.
    let Ok(to) = stream.local_addr() else { return };
    let ends = Ends { from, to, is_tls: tls.is_some(), is_forwarded: false };
    let socket: Socket = match &tls {
        None => stream.into(),
        Some(tls) => tokio::select! {
            socket = tls.accept(stream, from) => match socket {
                Some(socket) => socket,
                None => return,
            },
            () = closing.cancelled() => return,
        },
    };
    let stream = Patient::new(socket, stall);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ends);
        let endpoints = endpoints.clone();
        async move {
            let answer = endpoints.answer(request.map(Body::new)).await;
            if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                tokio::time::sleep(TOO_MANY).await;
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(LONGEST_HEADERS)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        if is_stalled(&error) {
            tracing::warn!(peer = %from, %error, "closed a connection whose client did not read the answer");
            return;
        }
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// Whether a connection was closed because its client read nothing.
fn is_stalled(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}
