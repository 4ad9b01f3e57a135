//! The HTTP face. Every endpoint, and who may ask.
//!
//! | request | answer |
//! |---|---|
//! | `GET /json/version[/]` | what Chrome says of itself, and a URL for a session to come |
//! | `GET /json`, `GET /json/list[/]` | the targets of the HTTP session |
//! | `PUT /json/new?URL` | a new page of the HTTP session |
//! | `GET /json/activate/ID`, `GET /json/close/ID` | as Chrome |
//! | `GET /json/protocol[/]` | the protocol of the Chrome that runs, with the `ghost` domain |
//! | `GET /metrics` | `OpenMetrics` text |
//! | `GET /health` | 200 when sessions can be opened |
//! | `/v1/…` | sessions as resources; `GET /v1/openapi.json` lists what there is |
//! | `GET /sessions`, `GET /pressure`, `GET /kill/ID` | as browserless has them |
//!
//! Methods are matched whatever their case: some clients write `get`.

mod answers;
mod browserless;
pub mod chrome;
mod guard;
mod monitor;
pub(crate) mod patient;
mod reply;
mod request;
pub(crate) mod upgrade;
mod v1;

use std::{net::SocketAddr, sync::Arc};

use axum::body::Body;
use hyper::{HeaderMap, Request, StatusCode, body::Incoming, header};

use self::{chrome::Protocol, v1::V1};
pub use self::{
    guard::{Ends, Guard, Refused, Shows},
    reply::{Answer, Problem, Why, problem, refused},
};
use crate::{
    metrics::Metrics,
    session::manager::{Caller, SessionManager},
};

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The endpoints and what they stand on.
#[derive(Clone)]
pub struct Api {
    /// The sessions.
    pub registry: SessionManager,
    /// The protocol JSON of the browsers, fetched once.
    protocol: Arc<Protocol>,
    /// The process's figures.
    metrics: Arc<Metrics>,
    v1: V1,
}

/// Who asks, by the headers of a request.
pub fn caller(headers: &HeaderMap) -> Caller {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    Caller::local(host.unwrap_or("localhost"))
}

impl Api {
    /// Endpoints over these sessions.
    pub fn new(registry: SessionManager, protocol: Protocol, metrics: Arc<Metrics>) -> Self {
        Self { v1: V1::new(registry.clone()), registry, protocol: Arc::new(protocol), metrics }
    }

    /// Answers a request that is no WebSocket upgrade.
    pub async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let method = request.method().as_str().to_ascii_uppercase();
        match (method.as_str(), request.uri().path()) {
            ("GET" | "HEAD", "/metrics") => monitor::metrics(&self.metrics, &self.registry).await,
            ("GET" | "HEAD", "/health") => monitor::health(&self.registry),
            ("GET" | "HEAD", "/") => reply::text(StatusCode::OK, "text/plain; charset=UTF-8", String::new()),
            (_, path) if path == "/json" || path.starts_with("/json/") => chrome::answer(self, &request, &method).await,
            _ => {
                if let Ok(method) = method.parse() {
                    *request.method_mut() = method;
                }
                self.v1.answer(request.map(Body::new)).await
            }
        }
    }
}

/// What the answer to a request of this path shows.
pub fn shows(path: &str) -> Shows {
    match path {
        "/json/version" | "/json/version/" | "/json/protocol" | "/json/protocol/" | "/health" | v1::DOCUMENT => {
            Shows::Nothing
        }
        "/" | "/metrics" | "/pressure" => Shows::Figures,
        _ => Shows::Sessions,
    }
}
