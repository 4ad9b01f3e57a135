//! WebSocket upgrades: which session a URL means, and admission, all before the 101.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Incoming, header, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    api::{Answer, discovery::unavailable, problem},
    client::Client,
    registry::{Admitted, NotThere, Registry},
};

/// Options of a URL that this build cannot honour: refused by name, never ignored.
const NOT_YET: [&str; 9] =
    ["launch", "isolation", "snapshot", "timeout", "idle_timeout", "keep_alive", "keepAlive", "name", "takeover"];

/// Whether a request asks for a WebSocket (RFC 6455 §4.1).
pub(super) fn is_upgrade<B>(request: &Request<B>) -> bool {
    let names = |name, wanted: &str| {
        request
            .headers()
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    names(header::CONNECTION, "upgrade") && names(header::UPGRADE, "websocket")
}

/// Answers an upgrade: with the 101 once there is a place, with a reason otherwise.
pub(super) async fn answer(registry: &Registry, mut request: Request<Incoming>) -> Answer {
    let key = match handshake(&request) {
        Ok(key) => key,
        Err(refused) => return refused,
    };
    if let Some(refused) = refused_option(request.uri().query()) {
        return refused;
    }
    let admitted = match admit(registry, request.uri().path()).await {
        Ok(admitted) => admitted,
        Err(why) => {
            tracing::debug!(path = request.uri().path(), %why, "not admitted");
            return unavailable(&why);
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let ledger = registry.ledger();
    tokio::spawn(async move {
        // If the client is gone before this is done, the place is free again.
        match upgrade.await.map(downcast) {
            Ok(Some((socket, already_read))) => {
                admitted.seat(Client::new(socket, &already_read, ledger, Instant::now())).await;
            }
            Ok(None) => tracing::error!("an upgraded connection was no TCP socket"),
            Err(error) => tracing::debug!(%error, "a client went during its upgrade"),
        }
    });
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    if let Ok(accept) = header::HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}

async fn admit(registry: &Registry, path: &str) -> Result<Admitted, NotThere> {
    if let Some(target) = path.strip_prefix("/devtools/page/") {
        return registry.page(target.trim_end_matches('/')).await;
    }
    match path.strip_prefix("/devtools/browser/").map(|id| id.trim_end_matches('/')).filter(|id| !id.is_empty()) {
        Some(id) => registry.connect(id).await,
        // Any other path is a browser endpoint: users put tokens and names there.
        None => registry.begin().await,
    }
}

#[expect(clippy::result_large_err, reason = "made once per connection")]
fn handshake<B>(request: &Request<B>) -> Result<String, Answer> {
    let headers = request.headers();
    let bad = |detail: &str| problem(StatusCode::BAD_REQUEST, "handshake", detail);
    if !request.method().as_str().eq_ignore_ascii_case("GET") {
        return Err(bad("a WebSocket is asked for with GET"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut answer = problem(StatusCode::UPGRADE_REQUIRED, "handshake", "Sec-WebSocket-Version must be 13");
        answer.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, header::HeaderValue::from_static("13"));
        return Err(answer);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    key.map(str::to_owned).ok_or_else(|| bad("Sec-WebSocket-Key is missing"))
}

fn refused_option(query: Option<&str>) -> Option<Answer> {
    let names = query?.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    let name = names.into_iter().find(|name| NOT_YET.contains(name))?;
    let detail = format!("the option {name} cannot be honoured by this server; leave it out");
    Some(problem(StatusCode::BAD_REQUEST, "option", &detail))
}

fn downcast(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}
