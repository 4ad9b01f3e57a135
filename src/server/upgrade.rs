//! WebSocket upgrades: which session a URL means, and admission, all before the 101.

use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use hyper::{Request, Response, StatusCode, body::Incoming, header, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    api::{Answer, caller, problem, refused},
    client::Client,
    registry::{Admitted, Caller, Registry, ServiceError, Wish},
};

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
    let wish = match Wish::read(request.uri().query().unwrap_or_default()) {
        Ok(wish) => wish,
        Err(bad) => return refused(&bad.into()),
    };
    // Dropped half-way if the client hangs up meanwhile: then it waits for no place any more.
    let admitted = match admit(registry, &caller(request.headers()), request.uri().path(), wish).await {
        Ok(admitted) => admitted,
        Err(why) => {
            tracing::debug!(path = request.uri().path(), %why, "not admitted");
            return refused(&why);
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let ledger = registry.ledger();
    tokio::spawn(async move {
        // If the client is gone before this is done, the place is free again.
        match upgrade.await.map(downcast) {
            Ok(Some((socket, already_read))) => {
                admitted.seat(Client::new(socket, &already_read, ledger, Instant::now()));
            }
            Ok(None) => tracing::error!("an upgraded connection was no TCP socket"),
            Err(error) => tracing::debug!(%error, "a client went during its upgrade"),
        }
    });
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    if let Ok(accept) = header::HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}

async fn admit(registry: &Registry, caller: &Caller, path: &str, wish: Wish) -> Result<Admitted, ServiceError> {
    if let Some(target) = path.strip_prefix("/devtools/page/") {
        return registry.page(caller, target.trim_end_matches('/'), wish).await;
    }
    match path.strip_prefix("/devtools/browser/").map(|id| id.trim_end_matches('/')).filter(|id| !id.is_empty()) {
        Some(id) => registry.connect(caller, id, wish).await,
        // Any other path is a browser endpoint: users put tokens and names there.
        None => registry.begin(caller, wish).await,
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

fn downcast(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}
