//! One HTTP request over a connection of its own.

use std::fmt::Display;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{HeaderMap, Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

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

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path and query; begins with `/`.
    pub path: &'a str,
    /// Its headers, without `Host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its body; may be empty.
    pub body: &'a str,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// [`send_on`] a new connection without TLS to this host and port.
pub async fn send(
    authority: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(u16, String), RequestError> {
    let stream = TcpStream::connect(authority).await.map_err(unreachable)?;
    send_on(stream, authority, method, path, headers).await
}

/// The status and the body of the answer to a request without a body. `authority` is host and port, `path` begins with
/// `/`. The caller sets the deadline.
pub async fn send_on(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    authority: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(u16, String), RequestError> {
    let sent = Sent { method: &method, path, headers, body: "" };
    let Answered { status, body, .. } = exchange(stream, authority, sent).await?;
    Ok((status, body))
}

/// The answer to a request. `authority` is host and port. The caller sets the deadline.
pub async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    authority: &str,
    Sent { method, path, headers, body }: Sent<'_>,
) -> Result<Answered, RequestError> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let mut request = Request::builder().method(method.clone()).uri(path).header(header::HOST, authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).map_err(odd)?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(unreachable)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(odd)?.to_bytes();
        let body = String::from_utf8(body.into()).map_err(odd)?;
        Ok(Answered { status: head.status.as_u16(), headers: head.headers, body })
    };
    let (mut connection, mut answer) = (Box::pin(connection), Box::pin(answer));
    let ended = tokio::select! {
        answer = &mut answer => return answer,
        ended = &mut connection => ended,
    };
    // An answer that came before the end is still to be taken.
    drop(connection);
    answer.await.map_err(|error| ended.err().map_or(error, unreachable))
}

fn unreachable(error: impl Display) -> RequestError {
    RequestError::Unreachable(error.to_string())
}

fn odd(error: impl Display) -> RequestError {
    RequestError::Odd(error.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// What is said of a server that sends this and closes the connection.
    async fn of(answer: &'static str) -> Result<(u16, String), RequestError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let server = async {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let _ = socket.read(&mut [0; 1024]).await.expect("a request");
            socket.write_all(answer.as_bytes()).await.expect("sent");
        };
        let (said, ()) = tokio::join!(send(&address, Method::GET, "/", &[]), server);
        said
    }

    #[tokio::test]
    async fn answers_count_although_the_server_closes_the_connection_at_once() {
        // Which of the two is seen first is a matter of chance.
        for _ in 0..50 {
            let said = of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.expect("an answer");
            assert_eq!(said, (200, "hi".to_owned()));
        }
        for cut in ["", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", "nonsense\r\n\r\n"] {
            assert!(of(cut).await.is_err(), "{cut:?}");
        }
    }
}
