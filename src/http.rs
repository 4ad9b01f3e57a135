//! The HTTP interface: all endpoints, and the guard that decides which requests may use them.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | a page that describes the server and links to its documentation |
//! | `GET /json/version[/]` | Chrome's version, and the URL of a new session |
//! | `GET /json`, `GET /json/list[/]` | the targets of the HTTP session |
//! | `PUT /json/new?URL` | a new page of the HTTP session |
//! | `GET /json/activate/ID`, `GET /json/close/ID` | the same answers as Chrome |
//! | `GET /json/protocol[/]` | the protocol of the running Chrome, with the `ghost` domain |
//! | `/s/NAME/json/…` | the same in the session of this name |
//! | `GET /metrics` | `OpenMetrics` text |
//! | `GET /health` | 200 when a browser accepts sessions |
//! | `GET /healthz` | 200 as long as the process answers |
//! | `GET /readyz` | 200 when sessions can be opened; else 503 with the reason |
//! | `/v1/…` | sessions and snapshots as resources; `GET /v1/openapi.json` describes them |
//! | `GET /sessions`, `GET /pressure`, `GET /kill/ID` | the endpoints of browserless |
//!
//! Methods are matched in any letter case: some clients write `get`.

mod browserless;
pub mod chrome;
mod errors;
mod guard;
mod monitor;
pub(crate) mod patient;
mod promises;
mod reply;
mod request;
pub(crate) mod upgrade;
mod v1;
mod welcome;

use std::{net::SocketAddr, sync::Arc};

use axum::body::Body;
use hyper::{HeaderMap, Request, body::Incoming, header};

use self::{chrome::Protocol, v1::V1};
pub use self::{
    guard::{Ends, Guard, Refused, Shows},
    reply::{Answer, Problem, Why, problem, refused},
    v1::openapi,
};
use crate::{
    metrics::Metrics,
    session::manager::{Caller, SessionManager},
    tenant::Tenants,
};

/// The address from which a request came.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The endpoints, and the state that they need.
#[derive(Clone)]
pub struct Api {
    /// The sessions.
    pub registry: SessionManager,
    /// The protocol JSON of the browsers, fetched once.
    protocol: Arc<Protocol>,
    /// The metrics of the process.
    metrics: Arc<Metrics>,
    v1: V1,
}

/// The caller of a request, by its headers.
pub fn caller(tenants: &Tenants, headers: &HeaderMap) -> Caller {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    Caller { tenant: tenants.identify(), host: host.unwrap_or("localhost").into() }
}

impl Api {
    /// Endpoints for these sessions.
    pub fn new(registry: SessionManager, protocol: Protocol, metrics: Arc<Metrics>) -> Self {
        Self { v1: V1::new(registry.clone()), registry, protocol: Arc::new(protocol), metrics }
    }

    /// Answers a request of this caller that is not a WebSocket upgrade.
    pub async fn answer(&self, mut request: Request<Incoming>, caller: Caller) -> Answer {
        let method = request.method().as_str().to_ascii_uppercase();
        match (method.as_str(), request.uri().path()) {
            ("GET" | "HEAD", "/metrics") => monitor::metrics(&self.metrics, &self.registry, request.headers()).await,
            ("GET" | "HEAD", "/health") => monitor::health(&self.registry),
            ("GET" | "HEAD", "/healthz") => monitor::alive(),
            ("GET" | "HEAD", "/readyz") => monitor::ready(&self.registry),
            ("GET" | "HEAD", "/") => welcome::answer(request.headers(), &caller.host),
            (_, path) if is_chromes(session_of(path).1) => chrome::answer(self, &request, &caller, &method).await,
            _ => {
                if let Ok(method) = method.parse() {
                    *request.method_mut() = method;
                }
                request.extensions_mut().insert(caller);
                self.v1.answer(request.map(Body::new)).await
            }
        }
    }
}

/// Splits a path `/s/NAME/…` into the name of the session and the rest. Another path has no name.
pub(crate) fn session_of(path: &str) -> (Option<&str>, &str) {
    let Some(named) = path.strip_prefix("/s/") else { return (None, path) };
    let end = named.find('/').unwrap_or(named.len());
    let (name, rest) = named.split_at(end);
    (Some(name), rest)
}

/// Whether the path belongs to Chrome's own HTTP interface.
fn is_chromes(path: &str) -> bool {
    path == "/json" || path.starts_with("/json/")
}

/// The kind of content in the answer to a request for this path. The guard uses it.
pub fn shows(path: &str) -> Shows {
    if let (Some(_), path) = session_of(path) {
        // `/json/version` of a named session creates nothing, and its answer names only the session that is requested.
        return if matches!(path, "/json/version" | "/json/version/") { Shows::Nothing } else { Shows::Sessions };
    }
    match path {
        "/"
        | "/json/version"
        | "/json/version/"
        | "/json/protocol"
        | "/json/protocol/"
        | "/health"
        | "/healthz"
        | "/readyz"
        | v1::DOCUMENT => Shows::Nothing,
        "/metrics" | "/pressure" => Shows::Figures,
        _ => Shows::Sessions,
    }
}
