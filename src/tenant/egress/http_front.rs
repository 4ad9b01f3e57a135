//! A gate that speaks HTTP proxy with Chrome, for an HTTP upstream whose credentials only the client knows: `407` and
//! `Proxy-Authorization` pass. What is refused is closed without an answer (`net::ERR_EMPTY_RESPONSE`): no page of ghostmux's
//! own appears in a browser.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty, Limited, combinators::BoxBody};
use hyper::{
    Method, Request, Response, Uri,
    body::{Bytes, Incoming},
    header::{
        CONNECTION, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
        UPGRADE,
    },
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::{Mutex, OwnedSemaphorePermit},
};

use super::{
    state::{Bound, GateState},
    tunnel::{Counted, carry},
    upstream::{HEAD_MOST, HttpConnection, connect_request, unanswered},
};
use crate::port::egress::{Allowance, EgressRefusal, GateFront, Host, UpstreamProxy};

/// How long Chrome may keep a connection without a request.
const IDLE: Duration = Duration::from_secs(300);
/// The longest body of an upstream's `407`, which is read and dropped so that the connection can be used again.
const DROPPED_MOST: usize = 64 * 1024;

type Body = BoxBody<Bytes, hyper::Error>;

/// A connection of Chrome.
struct Front {
    bound: Arc<Bound>,
    /// Kept as long as the connection, and the tunnel that it becomes.
    permit: Arc<OwnedSemaphorePermit>,
    /// The connection to the upstream, on which the next request goes too: some ways to authenticate need that.
    upstream: Mutex<Option<HttpConnection<Body>>>,
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

/// Serves a connection of the browser, until it becomes a tunnel.
pub(super) async fn serve(state: &GateState, stream: TcpStream) {
    let Some(bound) = state.bound() else { return };
    let permit = match state.admit(&bound) {
        Ok(permit) => Arc::new(permit),
        Err(why) => return tracing::debug!(%why, "a connection to a gate was closed"),
    };
    let front = Arc::new(Front { bound: bound.clone(), permit, upstream: Mutex::default() });
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { front.answer(request).await }
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_MOST)
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A refused request ends it with an error.
    let _ = bound.cut.run_until_cancelled(connection).await;
}

impl Front {
    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
        let uri = request.uri();
        let is_connect = request.method() == Method::CONNECT;
        let (Some(name), true) = (uri.host(), is_connect || uri.scheme_str() == Some("http")) else {
            return Err(Refused);
        };
        let (name, port) =
            (name.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(if is_connect { 443 } else { 80 }));
        let answered = match (self.judged(&name), is_connect) {
            (Ok(host), true) => self.tunnel(request, &host, port).await,
            (Ok(host), false) => self.forward(request, &host, port).await,
            (Err(why), _) => Err(why),
        };
        answered.map_err(|why| {
            self.bound.tell(&name, port, why);
            Refused
        })
    }

    fn judged(&self, name: &str) -> Result<Host, EgressRefusal> {
        if self.bound.report().allowance() == Allowance::Exhausted {
            return Err(EgressRefusal::Allowance);
        }
        Host::parse(name).map_err(|_| EgressRefusal::BadHost)
    }

    /// The upstream, if the client has its credentials.
    fn relay_of(&self, host: &Host, port: u16) -> Option<&UpstreamProxy> {
        // No client has credentials of the operator's proxy, nor is that to see those of a client's.
        let own = self.bound.dialer.binding.upstream.as_ref();
        let is_relay = |upstream: &&UpstreamProxy| {
            own.is_some_and(|own| std::ptr::eq(own, *upstream)) && upstream.front() == GateFront::HttpProxy
        };
        self.bound.dialer.upstream_of(host, port).filter(is_relay)
    }

    /// `CONNECT`.
    async fn tunnel(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        host: &Host,
        port: u16,
    ) -> Result<Response<Body>, EgressRefusal> {
        let browser = hyper::upgrade::on(&mut request);
        let Some(upstream) = self.relay_of(host, port) else {
            let remote = Counted::new(self.bound.dialer.connect(host, port).await?, self.bound.report().clone());
            self.carry(browser, async { Some(remote) });
            return Ok(Response::new(empty()));
        };
        let authorization = request.headers().get(PROXY_AUTHORIZATION);
        let asked = connect_request(host, port, authorization, empty()).ok_or(EgressRefusal::BadHost)?;
        let answered = tokio::time::timeout(self.bound.dialer.time, self.ask(upstream, host, port, asked)).await;
        let late = || EgressRefusal::UpstreamUnreachable("it did not answer in time".to_owned());
        let (answer, connection) = answered.map_err(|_| late())??;
        if answer.status().is_success() {
            // It must be there until it is handed over.
            self.carry(browser, async move {
                let remote = hyper::upgrade::on(answer).await.ok().map(TokioIo::new);
                drop(connection);
                remote
            });
            return Ok(Response::new(empty()));
        }
        let (head, body) = answer.into_parts();
        if Limited::new(body, DROPPED_MOST).collect().await.is_ok() {
            *self.upstream.lock().await = Some(connection);
        }
        if head.status.as_u16() != 407 {
            return Err(EgressRefusal::UpstreamRefused(format!("HTTP {}", head.status)));
        }
        let mut relayed = Response::new(empty());
        *relayed.status_mut() = head.status;
        for challenge in head.headers.get_all(PROXY_AUTHENTICATE) {
            relayed.headers_mut().append(PROXY_AUTHENTICATE, challenge.clone());
        }
        Ok(relayed)
    }

    /// A request of plain HTTP.
    async fn forward(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        host: &Host,
        port: u16,
    ) -> Result<Response<Body>, EgressRefusal> {
        remove_hop_by_hop(request.headers_mut());
        let answer = if let Some(upstream) = self.relay_of(host, port) {
            let (answer, connection) = self.ask(upstream, host, port, request.map(BodyExt::boxed)).await?;
            *self.upstream.lock().await = Some(connection);
            answer
        } else {
            request.headers_mut().remove(PROXY_AUTHORIZATION);
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
            let stream = self.bound.dialer.connect(host, port).await?;
            let mut server = HttpConnection::new(Counted::new(stream, self.bound.report().clone())).await?;
            let sent = server.send(request.map(BodyExt::boxed)).await;
            sent.map_err(|error: hyper::Error| EgressRefusal::Unreachable(error.to_string()))?
        };
        let mut answer = answer.map(BodyExt::boxed);
        remove_hop_by_hop(answer.headers_mut());
        Ok(answer)
    }

    /// Sends a request to the upstream, on the connection that there is, or a new one. The host was judged by its name: the
    /// connection leads to the upstream whatever the request says.
    async fn ask(
        &self,
        upstream: &UpstreamProxy,
        host: &Host,
        port: u16,
        request: Request<Body>,
    ) -> Result<(Response<Incoming>, HttpConnection<Body>), EgressRefusal> {
        let dialer = &self.bound.dialer;
        dialer.binding.rules.judge_for_upstream(host, port)?;
        let mut kept = self.upstream.lock().await.take();
        if let Some(connection) = &mut kept
            && !connection.is_ready().await
        {
            kept = None;
        }
        let mut connection = if let Some(connection) = kept {
            connection
        } else {
            let stream = dialer.connect_to_upstream(upstream, host, port).await?;
            HttpConnection::new(Counted::new(stream, self.bound.report().clone())).await?
        };
        let answer = connection.send(request).await.map_err(|error| unanswered(&error))?;
        Ok((answer, connection))
    }

    /// Carries bytes between the browser and a remote side, once both are ready.
    fn carry<R: super::tunnel::Stream>(
        self: &Arc<Self>,
        browser: hyper::upgrade::OnUpgrade,
        remote: impl Future<Output = Option<R>> + Send + 'static,
    ) {
        let (bound, permit) = (self.bound.clone(), self.permit.clone());
        tokio::spawn(async move {
            let tunnel = async {
                if let (Ok(browser), Some(remote)) = tokio::join!(browser, remote) {
                    carry(TokioIo::new(browser), remote).await;
                }
            };
            let _ = bound.cut.run_until_cancelled(tunnel).await;
            drop(permit);
        });
    }
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// Removes what concerns one connection alone (RFC 9110, §7.6.1). `Proxy-Authorization` is for the upstream, and stays.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.into_iter().filter(|name| *name != PROXY_AUTHORIZATION && *name != PROXY_AUTHENTICATE) {
        headers.remove(name);
    }
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["proxy-connection", "keep-alive"] {
        headers.remove(name);
    }
}
