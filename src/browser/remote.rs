//! A Chrome that runs elsewhere: its HTTP interface, and the way to its WebSocket.

use std::io;

use data_encoding::BASE64;
use hyper::{Method, header};
use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;
use url::{Position, Url};

use super::{
    http_request::{self, RequestError},
    transport::Ws,
};
use crate::{cdp::json_object::JsonObject, config::RemoteUrl};

/// Where Chrome says the path of its WebSocket.
const VERSION: &str = "/json/version";
/// Most characters of an answer that an error repeats.
const SHOWN: usize = 200;

/// Why a remote Chrome cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There was no answer to the HTTP request.
    #[error(transparent)]
    Http(#[from] RequestError),
    /// It refused the HTTP request.
    #[error("it answered {path} with status {status}: {said}")]
    Refused {
        /// The path of the request.
        path: String,
        /// The status of the answer.
        status: u16,
        /// The begin of the answer.
        said: String,
    },
    /// `/json/version` names no WebSocket.
    #[error("its answer to {VERSION} is not that of a Chrome: {0}")]
    NoBrowser(String),
    /// It closed the connection without an answer.
    #[error("it closed the connection")]
    Closed,
    /// It did not accept the WebSocket.
    #[error(transparent)]
    WebSocket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
}

/// Connects to the browser at this URL. The caller sets the deadline.
pub(super) async fn connect(url: &RemoteUrl) -> Result<Ws, RemoteError> {
    let path = if url.is_http() { websocket_path(url).await? } else { path_of(url.url()) };
    let stream = TcpStream::connect(url.authority()).await?;
    Ok(Ws::open(stream, &url.authority(), &path, authorization(url).as_deref()).await.map_err(Box::new)?)
}

/// The path of the WebSocket. Only the path: behind a forwarder the host that Chrome names may not be reachable.
async fn websocket_path(url: &RemoteUrl) -> Result<String, RemoteError> {
    let version = get(url, VERSION).await?;
    let named = JsonObject::read(&version).and_then(|version| version.string("webSocketDebuggerUrl"));
    let named = named.and_then(|named| Url::parse(&named).ok());
    named.map(|named| path_of(&named)).ok_or_else(|| RemoteError::NoBrowser(start_of(&version)))
}

/// Path and query.
fn path_of(url: &Url) -> String {
    url[Position::BeforePath..Position::AfterQuery].to_owned()
}

/// The answer of the Chrome at this URL to a GET. The caller sets the deadline.
pub(super) async fn get(url: &RemoteUrl, path: &str) -> Result<String, RemoteError> {
    let authorization = authorization(url);
    let headers = authorization.as_deref().map(|value| (header::AUTHORIZATION.as_str(), value));
    get_from(&url.authority(), headers.as_slice(), path).await
}

/// The answer of the Chrome at this host and port to a GET. The caller sets the deadline.
pub(super) async fn get_from(authority: &str, headers: &[(&str, &str)], path: &str) -> Result<String, RemoteError> {
    match http_request::send(authority, Method::GET, path, headers).await? {
        (200, answer) => Ok(answer),
        (status, answer) => Err(RemoteError::Refused { path: path.to_owned(), status, said: start_of(&answer) }),
    }
}

/// What an error repeats of an answer.
fn start_of(answer: &str) -> String {
    answer.trim().chars().take(SHOWN).collect()
}

/// The value of `Authorization` for the credentials in a URL.
fn authorization(url: &RemoteUrl) -> Option<String> {
    let (user, password) = (url.url().username(), url.url().password().unwrap_or_default());
    if user.is_empty() && password.is_empty() {
        return None;
    }
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some(format!("Basic {}", BASE64.encode(format!("{}:{}", plain(user), plain(password)).as_bytes())))
}
