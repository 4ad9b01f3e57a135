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
//! | `POST /mcp`, `DELETE /mcp` | the Model Context Protocol, for agents |
//! | `GET /sessions`, `GET /pressure`, `GET /kill/ID` | the endpoints of browserless |
//!
//! [`Endpoints`] is one router. Every request passes the same layers on its way there (`http/layers.rs`): one finds
//! out from where it comes (`http/forwarded.rs`), one takes its token out, then come the guard, the [`Door`] that determines its caller, and the layer that opens WebSockets. The routes
//! of `/v1` are made from the table of operations. A known path with a method that it does not have is answered 405 with
//! `Allow`.

mod browserless;
pub mod chrome;
mod connection;
mod credentials;
mod door;
mod ends;
mod errors;
mod forwarded;
mod guard;
mod layers;
mod mcp;
mod monitor;
mod patient;
mod promises;
mod reply;
mod request;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "http/no_tls.rs"]
mod tls;
mod upgrade;
mod v1;
mod welcome;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::{FromRef, Request},
    http::{Method, StatusCode, Uri},
    middleware::{from_fn, from_fn_with_state},
    routing,
};
use tower::{Service as _, ServiceBuilder, util::BoxCloneSyncService};

use self::{chrome::Protocol, v1::DOCUMENT};
pub use self::{
    connection::serve,
    door::Door,
    ends::Ends,
    forwarded::Front,
    guard::{CurrentGuard, Guard, Refused, Shows},
    reply::{Answer, Problem, Why, explain, problem, refused},
    tls::TlsServer,
    v1::openapi,
};
use crate::{metrics::Metrics, session::manager::SessionManager};

/// What the handlers need.
#[derive(Clone)]
pub struct Api {
    /// The sessions.
    pub registry: SessionManager,
    /// The protocol JSON of the browsers, fetched once.
    pub protocol: Arc<Protocol>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
}

impl FromRef<Api> for SessionManager {
    fn from_ref(api: &Api) -> Self {
        api.registry.clone()
    }
}

/// All endpoints, behind their layers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Endpoints(BoxCloneSyncService<Request, Answer, Infallible>);

impl Endpoints {
    /// The endpoints for the requests that the guard lets through.
    pub fn new(api: Api, guard: CurrentGuard, door: Door) -> Self {
        let (registry, door) = (api.registry.clone(), Arc::new(door));
        let routes = routes(&registry);
        // A request passes the layers from the first to the last. They are around the router, not in it: a layer of the
        // router is called only after the route and the method were chosen.
        let service = ServiceBuilder::new()
            .layer(from_fn(layers::upper_case_method))
            .layer(from_fn(layers::explain_refused_upgrade))
            .layer(from_fn_with_state(guard.clone(), layers::arrive))
            .layer(from_fn_with_state(door.clone(), layers::take_credentials))
            .layer(from_fn_with_state(guard, layers::check))
            .layer(from_fn_with_state(door, layers::identify))
            .layer(from_fn_with_state(registry, layers::open_websocket))
            .service(routes.with_state(api));
        Self(BoxCloneSyncService::new(service))
    }

    /// Answers a request. Its extensions must have the [`Ends`] of its connection.
    pub async fn answer(&self, request: Request) -> Answer {
        let Ok(answer) = self.0.clone().call(request).await;
        answer
    }
}

fn routes(registry: &SessionManager) -> Router<Api> {
    Router::new()
        .route("/", routing::get(welcome::page))
        .merge(monitor::routes())
        .merge(chrome::routes())
        .merge(browserless::routes())
        .merge(v1::routes(registry))
        .merge(mcp::routes(registry))
        .fallback(async |uri: Uri| {
            let detail = format!("there is nothing at {}; see {DOCUMENT} and /json/version", uri.path());
            Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
        })
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            let detail = format!("{} does not allow {method}; the header Allow lists the methods", uri.path());
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
        })
}

/// Splits a path `/s/NAME/…` into the name of the session and the rest. Another path has no name.
fn session_of(path: &str) -> (Option<&str>, &str) {
    let Some(named) = path.strip_prefix("/s/") else { return (None, path) };
    let end = named.find('/').unwrap_or(named.len());
    let (name, rest) = named.split_at(end);
    (Some(name), rest)
}

/// The kind of content in the answer to a request for this path. The guard uses it.
pub fn shows(path: &str) -> Shows {
    if let (Some(_), path) = session_of(path) {
        // `/json/version` of a named session creates nothing, and its answer names only the session that is requested.
        return if matches!(path, "/json/version" | "/json/version/") { Shows::Nothing } else { Shows::Sessions };
    }
    match path {
        "/" | "/json/version" | "/json/version/" | "/json/protocol" | "/json/protocol/" | "/health" | "/healthz"
        | "/readyz" | DOCUMENT => Shows::Nothing,
        "/metrics" | "/pressure" => Shows::Figures,
        _ => Shows::Sessions,
    }
}
