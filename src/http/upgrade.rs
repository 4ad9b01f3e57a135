//! WebSocket upgrades: finds the session of a URL and admits the client, before the 101 is sent.

use std::{sync::LazyLock, time::Instant};

use axum::{body::Body, extract};
use bytes::Bytes;
use hyper::{HeaderMap, Request, Response, StatusCode, Version, ext::ReasonPhrase, header, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::http::patient::Patient;
use crate::{
    api_types::Bad,
    http::{Answer, Why, problem, refused, session_of},
    session::{
        client::Client,
        manager::{Admitted, Caller, ConnectOptions, ServiceError, SessionManager},
        socket::Socket,
    },
};

/// The header with the reason of a refusal, for clients that hide the body of an answer.
const ERROR: &str = "ghostmux-error";
/// Most characters of a reason in the head of an answer.
const LONGEST_REASON: usize = 300;

/// The target of a WebSocket.
#[derive(Debug, PartialEq, Eq)]
enum Endpoint<'a> {
    /// A new session.
    New,
    /// The session of this id.
    Session(&'a str),
    /// The page of this target id.
    Page(&'a str),
}

/// Paths that open a new session, without `/` at their ends: those of ghostmux, Chrome and browserless.
const NEW: [&str; 4] = ["", "/devtools/browser", "/chromium", "/chrome"];

/// Paths of browserless whose clients speak something else than CDP, by a part of the path, and what to connect to.
const NO_CDP: [(&str, &str); 4] = [
    (
        "playwright",
        "Playwright's own protocol is not supported; use chromium.connectOverCDP with / or /devtools/browser/ID",
    ),
    ("firefox", "the browsers are Chromes; connect to /"),
    ("webkit", "the browsers are Chromes; connect to /"),
    ("/edge", "the browsers are Chromes; connect to /"),
];

/// Advice for paths that other products serve, by a part of the path.
const ELSEWHERE: [(&str, &str); 3] = [
    ("/v1/", "the WebSocket of a session is /devtools/browser/ID"),
    ("/json", "GET /json/version, without an upgrade, names the WebSocket"),
    ("/devtools", "connect to /devtools/browser/ID or /devtools/page/TARGET"),
];

/// The endpoint of a path, or advice on the right path.
fn endpoint(path: &str) -> Result<Endpoint<'_>, String> {
    let plain = path.trim_end_matches('/');
    if NEW.contains(&plain) {
        return Ok(Endpoint::New);
    }
    if let Some(target) = plain.strip_prefix("/devtools/page/") {
        return Ok(Endpoint::Page(target));
    }
    if let Some(id) = plain.strip_prefix("/devtools/browser/") {
        return Ok(Endpoint::Session(id));
    }
    let advice = NO_CDP.iter().chain(&ELSEWHERE).find(|(part, _)| path.contains(part)).map_or(
        "connect to / for a new session (options go into the query), or to /devtools/browser/ID for an existing one",
        |(_, advice)| advice,
    );
    Err(format!("there is no WebSocket at {path}: {advice}"))
}

/// Adds the reason to a refused upgrade, in the status line and in a header, because most clients hide the body. The
/// connection is closed after it.
pub(super) fn say_why(mut answer: Answer) -> Answer {
    let Some(Why(why)) = answer.extensions_mut().remove::<Why>() else { return answer };
    answer.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    let printable = |letter: char| if letter == ' ' || letter.is_ascii_graphic() { letter } else { '?' };
    let reason: String = why.chars().take(LONGEST_REASON).map(printable).collect();
    if let Ok(value) = header::HeaderValue::from_str(&reason) {
        answer.headers_mut().insert(ERROR, value);
    }
    if let Ok(phrase) = ReasonPhrase::try_from(reason) {
        answer.extensions_mut().insert(phrase);
    }
    answer
}

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

/// Answers an upgrade: with the 101 when a place is free, otherwise with a reason.
pub(super) async fn answer(registry: &SessionManager, mut request: extract::Request, caller: &Caller) -> Answer {
    let key = match handshake(&request) {
        Ok(key) => key,
        Err(refused) => return refused,
    };
    let path = request.uri().path().to_owned();
    let (named, plain) = session_of(&path);
    let endpoint = match endpoint(plain) {
        Ok(endpoint) => endpoint,
        Err(advice) if NO_CDP.iter().any(|(part, _)| plain.contains(part)) => {
            return problem(StatusCode::BAD_REQUEST, "other-protocol", &advice);
        }
        Err(advice) => return problem(StatusCode::NOT_FOUND, "no-endpoint", &advice),
    };
    let wish = match ConnectOptions::read(request.uri().query().unwrap_or_default()) {
        Ok(wish) => wish,
        Err(bad) => return refused(&bad.into()),
    };
    // If the client disconnects, this future is dropped, and the client leaves the queue.
    let admitted = match admit(registry, caller, endpoint, named, wish).await {
        Ok(admitted) => admitted,
        Err(why) => {
            tracing::debug!(path, %why, "not admitted");
            return refused(&why);
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let ledger = registry.ledger();
    tokio::spawn(async move {
        // If the client disconnects before the upgrade is complete, `admitted` is dropped and frees the place.
        match upgrade.await.map(downcast) {
            Ok(Some((socket, already_read))) => {
                admitted.seat(Client::new(socket, &already_read, ledger, Instant::now()));
            }
            Ok(None) => tracing::error!("an upgraded connection was not one of this server"),
            Err(error) => tracing::debug!(%error, "a client disconnected during its upgrade"),
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

async fn admit(
    registry: &SessionManager,
    caller: &Caller,
    endpoint: Endpoint<'_>,
    named: Option<&str>,
    mut wish: ConnectOptions,
) -> Result<Admitted, ServiceError> {
    let name = match (named, wish.session.take()) {
        (Some(path), Some(asked)) if asked != path => {
            return Err(Bad::new("session", format!("is {asked:?}, and the path names the session {path:?}")).into());
        }
        (path, asked) => asked.or(path.map(str::to_owned)),
    };
    match (endpoint, name) {
        (Endpoint::Page(target), _) => registry.page(caller, target, wish).await,
        (Endpoint::Session(_), Some(_)) => {
            Err(Bad::new("session", "names a session, and the path has the id of one; leave one of them out").into())
        }
        (Endpoint::Session(id), None) => registry.connect(caller, id, wish).await,
        (Endpoint::New, Some(name)) => registry.connect_named(caller, &name, wish).await,
        (Endpoint::New, None) => registry.begin(caller, wish).await,
    }
}

#[expect(clippy::result_large_err, reason = "made once per connection")]
fn handshake<B>(request: &Request<B>) -> Result<String, Answer> {
    let headers = request.headers();
    let bad = |detail: &str| problem(StatusCode::BAD_REQUEST, "handshake", detail);
    if !request.method().as_str().eq_ignore_ascii_case("GET") {
        return Err(bad("a WebSocket upgrade needs the method GET"));
    }
    if request.version() != Version::HTTP_11 {
        return Err(bad("a WebSocket upgrade needs HTTP/1.1"));
    }
    if has_body(headers) {
        return Err(bad("a WebSocket upgrade must not have a body"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut answer = problem(StatusCode::UPGRADE_REQUIRED, "handshake", "Sec-WebSocket-Version must be 13");
        answer.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, header::HeaderValue::from_static("13"));
        return Err(answer);
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    match (keys.next().and_then(|key| key.to_str().ok()).filter(|key| is_key(key)), keys.next()) {
        (Some(key), None) => Ok(key.to_owned()),
        _ => Err(bad("Sec-WebSocket-Key must be present once, and be 16 bytes in Base64")),
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
    !empty || headers.contains_key(header::TRANSFER_ENCODING)
}

/// RFC 6455 §4.1: a nonce of 16 bytes in Base64.
fn is_key(key: &str) -> bool {
    static LENIENT: LazyLock<Option<data_encoding::Encoding>> = LazyLock::new(|| {
        // Some clients do not set the spare bits of the last character to zero.
        let mut lenient = data_encoding::BASE64.specification();
        lenient.check_trailing_bits = false;
        lenient.encoding().ok()
    });
    LENIENT.as_ref().is_some_and(|base64| base64.decode(key.as_bytes()).is_ok_and(|nonce| nonce.len() == 16))
}

fn downcast(upgraded: Upgraded) -> Option<(Socket, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<Patient>>().ok()?;
    Some((parts.io.into_inner().into_inner(), parts.read_buf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_endpoints_or_get_advice_on_the_right_path() {
        for path in ["/", "//", "/devtools/browser", "/devtools/browser/", "/chromium", "/chromium/", "/chrome"] {
            assert_eq!(endpoint(path), Ok(Endpoint::New), "{path}");
        }
        assert_eq!(endpoint("/devtools/browser/x/"), Ok(Endpoint::Session("x")));
        assert_eq!(endpoint("/devtools/page/x"), Ok(Endpoint::Page("x")));
        for (path, right) in [
            ("/v1/sessions/x/liv", "/devtools/browser/ID"),
            ("/chromium/playwright", "connectOverCDP"),
            ("/playwright/chromium", "connectOverCDP"),
            ("/firefox", "Chromes"),
            ("/json/version", "GET /json/version"),
            ("/devtools/pages/x", "/devtools/page/TARGET"),
            ("/devtools", "/devtools/browser/ID"),
            ("/any/path", "connect to /"),
            ("/devtools/page", "/devtools/page/TARGET"),
        ] {
            let advice = endpoint(path).expect_err(path);
            assert!(advice.contains(path) && advice.contains(right), "{path}: {advice}");
        }
    }

    #[test]
    fn websocket_keys_are_sixteen_bytes_in_base64() {
        for key in ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR=="] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSBub25j", "!Ghl"] {
            assert!(!is_key(key), "{key}");
        }
    }

    #[test]
    fn refused_upgrades_have_the_reason_in_status_line_and_header() {
        let answer = say_why(problem(StatusCode::NOT_FOUND, "x", "no such session é\r\nX: 1"));
        assert_eq!(answer.headers()[ERROR], "no such session ???X: 1");
        let phrase = answer.extensions().get::<ReasonPhrase>().expect("a phrase");
        assert_eq!(phrase.as_bytes(), b"no such session ???X: 1");
    }
}
