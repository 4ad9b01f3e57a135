//! One HTTP request over a connection of its own, without TLS.

use std::fmt::Display;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Most bytes of an answer.
const LONGEST: usize = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No connection, or it broke.
    #[error("{0}")]
    Unreachable(String),
    /// The request cannot be written, or the answer is no text or too long.
    #[error("{0}")]
    Odd(String),
}

/// The status and the body of the answer to a request without a body. `authority` is host and port, `path` begins with
/// `/`. The caller sets the deadline.
pub async fn send(
    authority: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(u16, String), RequestError> {
    let stream = TcpStream::connect(authority).await.map_err(unreachable)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(odd)?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(odd)?.to_bytes();
        Ok((status, String::from_utf8(body.into()).map_err(odd)?))
    };
    tokio::pin!(connection);
    tokio::select! {
        answer = answer => answer,
        ended = &mut connection => Err(match ended {
            Ok(()) => RequestError::Unreachable("it closed the connection".to_owned()),
            Err(error) => unreachable(error),
        }),
    }
}

fn unreachable(error: impl Display) -> RequestError {
    RequestError::Unreachable(error.to_string())
}

fn odd(error: impl Display) -> RequestError {
    RequestError::Odd(error.to_string())
}
