//! Asking an upstream proxy for a connection.

use std::{error::Error as _, io};

use data_encoding::BASE64;
use http_body_util::Empty;
use hyper::{
    Method, Request, Response, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{HOST, HeaderValue, PROXY_AUTHORIZATION},
};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio_socks::{TargetAddr, tcp::Socks5Stream};

use super::tunnel::Stream;
use crate::port::egress::{Credentials, EgressRefusal, Host, UpstreamProtocol, UpstreamProxy};

/// The longest head of an answer, in bytes.
pub(super) const HEAD_MOST: usize = 64 * 1024;

/// Asks an upstream, which the stream is connected to, for a connection to a host.
pub(super) async fn connect(
    stream: impl Stream + 'static,
    upstream: &UpstreamProxy,
    host: &Host,
    port: u16,
) -> Result<Box<dyn Stream>, EgressRefusal> {
    match upstream.protocol {
        UpstreamProtocol::Socks5 => socks5(stream, upstream.credentials.as_ref(), host, port).await,
        UpstreamProtocol::Http => http(stream, upstream.credentials.as_ref(), host, port).await,
    }
}

async fn socks5(
    stream: impl Stream + 'static,
    credentials: Option<&Credentials>,
    host: &Host,
    port: u16,
) -> Result<Box<dyn Stream>, EgressRefusal> {
    use tokio_socks::Error;

    let target = match host {
        Host::Name(name) => TargetAddr::Domain(name.as_str().into(), port),
        Host::Address(address) => TargetAddr::Ip((*address, port).into()),
    };
    let connected = match credentials {
        None => Socks5Stream::connect_with_socket(stream, target).await,
        Some(Credentials { user, password }) => {
            let (user, password) = (user.reveal(), password.reveal());
            Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
        }
    };
    match connected {
        Ok(stream) => Ok(Box::new(stream.into_inner())),
        Err(
            Error::PasswordAuthFailure(_)
            | Error::NoAcceptableAuthMethods
            | Error::AuthorizationRequired
            | Error::InvalidAuthValues(_),
        ) => Err(EgressRefusal::UpstreamCredentials),
        Err(Error::Io(error)) => Err(EgressRefusal::UpstreamUnreachable(error.to_string())),
        Err(
            error @ (Error::GeneralSocksServerFailure
            | Error::ConnectionNotAllowedByRuleset
            | Error::NetworkUnreachable
            | Error::HostUnreachable
            | Error::ConnectionRefused
            | Error::TtlExpired
            | Error::CommandNotSupported
            | Error::AddressTypeNotSupported),
        ) => Err(EgressRefusal::UpstreamRefused(error.to_string())),
        Err(error) => Err(EgressRefusal::UpstreamProtocol(error.to_string())),
    }
}

async fn http(
    stream: impl Stream + 'static,
    credentials: Option<&Credentials>,
    host: &Host,
    port: u16,
) -> Result<Box<dyn Stream>, EgressRefusal> {
    let request = connect_request(host, port, credentials.map(basic).as_ref(), Empty::new());
    let mut connection = HttpConnection::new(stream).await?;
    let sent = connection.send(request.ok_or(EgressRefusal::BadHost)?).await;
    let answer = sent.map_err(|error| unanswered(&error))?;
    if answer.status().is_success() {
        let upgraded = hyper::upgrade::on(answer).await;
        let upgraded = upgraded.map_err(|error| EgressRefusal::UpstreamProtocol(error.to_string()))?;
        return Ok(Box::new(TokioIo::new(upgraded)));
    }
    Err(match answer.status().as_u16() {
        407 => EgressRefusal::UpstreamCredentials,
        _ => EgressRefusal::UpstreamRefused(format!("HTTP {}", answer.status())),
    })
}

/// A connection to an HTTP server or proxy, on which requests can be sent. It ends when this is dropped, or with what it was
/// upgraded to.
pub(super) struct HttpConnection<B> {
    sender: http1::SendRequest<B>,
    carrying: JoinHandle<hyper::Result<()>>,
}

impl<B> HttpConnection<B>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) async fn new(stream: impl Stream + 'static) -> Result<Self, EgressRefusal> {
        let made = http1::Builder::new().max_buf_size(HEAD_MOST).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|error| EgressRefusal::UpstreamProtocol(error.to_string()))?;
        let carrying = tokio::spawn(async move { connection.with_upgrades().await });
        Ok(Self { sender, carrying })
    }

    /// Whether a request can be sent, once the one before has been answered.
    pub(super) async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request, and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Request<B>) -> hyper::Result<Response<Incoming>> {
        let error = match self.sender.send_request(request).await {
            Err(error) if error.is_canceled() => error,
            sent => return sent,
        };
        // The connection ended before the request was written. Why, it knows itself: a server that speaks first is no HTTP
        // server.
        match (&mut self.carrying).await {
            Ok(Err(why)) => Err(why),
            Ok(Ok(())) | Err(_) => Err(error),
        }
    }
}

/// Why a request to an upstream was not answered.
pub(super) fn unanswered(error: &hyper::Error) -> EgressRefusal {
    // A request that was not written yet is cancelled by what ends the connection.
    let error = error.source().and_then(|source| source.downcast_ref()).unwrap_or(error);
    let is_lost = error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message()
        || error.is_user()
        || error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>);
    if is_lost {
        EgressRefusal::UpstreamUnreachable(error.to_string())
    } else {
        EgressRefusal::UpstreamProtocol(error.to_string())
    }
}

/// `CONNECT HOST:PORT`.
pub(super) fn connect_request<B>(
    host: &Host,
    port: u16,
    authorization: Option<&HeaderValue>,
    body: B,
) -> Option<Request<B>> {
    let authority = match host {
        Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
        host => format!("{host}:{port}"),
    };
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(Uri::builder().authority(authority.as_str()).build().ok()?)
        .header(HOST, authority);
    if let Some(authorization) = authorization {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    request.body(body).ok()
}

fn basic(credentials: &Credentials) -> HeaderValue {
    let pair = format!("{}:{}", credentials.user.reveal(), credentials.password.reveal());
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(pair.as_bytes())))
        .expect("Base64 has only characters that a header may have");
    value.set_sensitive(true);
    value
}
