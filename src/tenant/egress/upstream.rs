//! Asking an upstream proxy for a connection.

use data_encoding::BASE64;
use http_body_util::Empty;
use hyper::{
    Method, Request, Response, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{HOST, HeaderValue, PROXY_AUTHORIZATION},
};
use hyper_util::rt::TokioIo;
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
    let mut sender = handshake(stream).await?;
    let answer = ask(&mut sender, host, port, credentials.map(basic).as_ref()).await?;
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

/// A connection to an HTTP proxy, on which requests can be sent.
pub(super) async fn handshake<B>(stream: impl Stream + 'static) -> Result<http1::SendRequest<B>, EgressRefusal>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let made = http1::Builder::new().max_buf_size(HEAD_MOST).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = made.map_err(|error| EgressRefusal::UpstreamProtocol(error.to_string()))?;
    // Ends with the sender, or with the upgraded connection.
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

/// Sends `CONNECT`.
async fn ask(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    host: &Host,
    port: u16,
    authorization: Option<&HeaderValue>,
) -> Result<Response<Incoming>, EgressRefusal> {
    let request = connect_request(host, port, authorization, Empty::new()).ok_or(EgressRefusal::BadHost)?;
    sender.send_request(request).await.map_err(|error| unanswered(&error))
}

/// Why a request to an upstream was not answered.
pub(super) fn unanswered(error: &hyper::Error) -> EgressRefusal {
    if error.is_parse() {
        EgressRefusal::UpstreamProtocol(error.to_string())
    } else {
        EgressRefusal::UpstreamUnreachable(error.to_string())
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
