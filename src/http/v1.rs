//! `/v1`: sessions and snapshots as resources, with the names and shapes of the `ghost` domain.
//!
//! To add an endpoint, write its handler with `#[utoipa::path]` in a file here and add it to [`endpoints`]: the router
//! and the document both follow from that. Schemas go into `document`.

mod document;
mod sessions;
mod snapshots;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode, Uri},
    routing,
};
use serde_json::{Map, Value};
use tower_service::Service as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    browserless,
    reply::{Answer, Problem, compact},
};
use crate::{api_types::Bad, session::manager::SessionManager};

/// Path of the document. It holds no id, so every client may read it.
pub(super) const DOCUMENT: &str = "/v1/openapi.json";

/// Every endpoint except the document itself.
fn endpoints() -> OpenApiRouter<SessionManager> {
    OpenApiRouter::with_openapi(document::empty())
        .routes(routes!(sessions::create, sessions::list))
        .routes(routes!(sessions::get, sessions::update, sessions::close))
        .routes(routes!(sessions::park))
        .routes(routes!(sessions::pages))
        .routes(routes!(sessions::usage))
        .routes(routes!(snapshots::save))
        .routes(routes!(snapshots::restore))
        .routes(routes!(snapshots::clone))
        .routes(routes!(snapshots::list, snapshots::import))
        .routes(routes!(snapshots::get, snapshots::delete))
        .routes(routes!(snapshots::content))
        .routes(routes!(browserless::sessions))
        .routes(routes!(browserless::pressure))
        .routes(routes!(browserless::kill))
}

/// The `OpenAPI` document.
fn document() -> Value {
    document::complete(endpoints().get_openapi())
}

/// The endpoints, ready to answer.
#[derive(Clone, Debug)]
pub(super) struct V1(Router);

impl V1 {
    /// Endpoints for these sessions.
    pub(super) fn new(registry: SessionManager) -> Self {
        // The router clones its handlers whenever it is built.
        let document = Arc::new(document());
        let tell = move || {
            let answer = compact(StatusCode::OK, &*document);
            async move { answer }
        };
        let router = Router::from(endpoints())
            .route(DOCUMENT, routing::get(tell))
            .fallback(async |uri: Uri| {
                let detail = format!("there is nothing at {}; see {DOCUMENT} and /json/version", uri.path());
                Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
            })
            .method_not_allowed_fallback(async |method: Method, uri: Uri| {
                let detail = format!("{} does not allow {method}; the header Allow lists the methods", uri.path());
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
            })
            .with_state(registry);
        Self(router)
    }

    /// Answers a request for any path.
    pub(super) async fn answer(&self, request: Request) -> Answer {
        let Ok(answer) = self.0.clone().call(request).await;
        answer
    }
}

/// The params of a command that lists, from a query. Metadata is `metadata.KEY=VALUE`, or `metadata[KEY]=VALUE`.
fn filters(query: Vec<(String, String)>) -> Result<Value, Bad> {
    let mut wanted = Map::new();
    let mut metadata = Map::new();
    for (name, value) in query {
        let key = name.strip_prefix("metadata.");
        let key = key.or_else(|| name.strip_prefix("metadata[").and_then(|rest| rest.strip_suffix(']')));
        let before = match key {
            Some(key) => metadata.insert(key.to_owned(), value.into()),
            None if name == "limit" => {
                let limit: u32 =
                    value.parse().map_err(|_| Bad::new("limit", format!("{value:?} is not a number of sessions")))?;
                wanted.insert(name.clone(), limit.into())
            }
            // The token identifies the caller; it is not a filter.
            None if name == "token" => None,
            None if name == "metadata" => return Err(Bad::new("metadata", "write metadata.KEY=VALUE")),
            None => wanted.insert(name.clone(), value.into()),
        };
        if before.is_some() {
            return Err(Bad::new(&name, "is given twice"));
        }
    }
    if !metadata.is_empty() {
        wanted.insert("metadata".to_owned(), metadata.into());
    }
    Ok(Value::Object(wanted))
}
