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
//!
//! Methods are matched whatever their case: some clients write `get`.

pub mod discovery;
mod guard;
mod monitor;
mod reply;

use std::sync::Arc;

use hyper::{HeaderMap, Request, StatusCode, header};

pub use self::{
    guard::{Guard, Refused},
    reply::{Answer, problem, refused},
};
use crate::{
    metrics::Metrics,
    registry::{Caller, Registry},
};

/// What the endpoints stand on.
#[derive(Clone)]
pub struct Api {
    /// The sessions.
    pub registry: Registry,
    /// The protocol JSON of the browsers, fetched once.
    pub protocol: Arc<discovery::Protocol>,
    /// The process's figures.
    pub metrics: Arc<Metrics>,
}

/// Who asks, by the headers of a request.
pub fn caller(headers: &HeaderMap) -> Caller {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    Caller::local(host.unwrap_or("localhost"))
}

impl Api {
    /// Answers a request that is no WebSocket upgrade.
    pub async fn answer<B>(&self, request: &Request<B>) -> Answer {
        let method = request.method().as_str().to_ascii_uppercase();
        let path = request.uri().path();
        match (method.as_str(), path) {
            ("GET" | "HEAD", "/metrics") => monitor::metrics(&self.metrics, &self.registry).await,
            ("GET" | "HEAD", "/health") => monitor::health(&self.registry),
            ("GET" | "HEAD", "/") => reply::text(StatusCode::OK, "text/plain; charset=UTF-8", String::new()),
            (_, path) if path == "/json" || path.starts_with("/json/") => {
                discovery::answer(self, request, &method).await
            }
            _ => problem(StatusCode::NOT_FOUND, "not-found", &format!("nothing is at {path}; see /json/version")),
        }
    }
}
