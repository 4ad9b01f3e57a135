//! `/v1`: sessions and snapshots as resources. The endpoints and the document are made from the table of operations
//! ([`operations`]). Only the content of snapshots has its own handlers, because it is a stream.

mod document;
mod handler;
mod query;
mod snapshots;

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode, Uri},
    routing::{self, MethodFilter},
};
use tower_service::Service as _;

pub use self::document::openapi;
use self::{handler::OperationHandler, query::Members};
use super::{
    browserless,
    reply::{Answer, Problem, text},
};
use crate::{
    api_types::operations::{self, RestAnswer, RestInput, Verb},
    session::manager::SessionManager,
};

/// Path of the document. It holds no id, so every client may read it.
pub(super) const DOCUMENT: &str = "/v1/openapi.json";
/// The document, as [`openapi`] made it.
const OPENAPI: &str = include_str!("../../fixtures/openapi.json");

/// Every endpoint except the document itself.
fn endpoints() -> Router<SessionManager> {
    let mut router = browserless::routes();
    for entry in operations::all() {
        let Some(rest) = entry.row.rest else { continue };
        let filter = match rest.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Patch => MethodFilter::PATCH,
            Verb::Delete => MethodFilter::DELETE,
        };
        let members = Members::of(entry);
        let route = match (rest.input, rest.answer) {
            (RestInput::Upload(_), _) => routing::on(filter, async move |registry, caller, query, request| {
                snapshots::import(members, registry, caller, query, request).await
            }),
            (_, RestAnswer::Download) => routing::on(filter, snapshots::content),
            _ => {
                let handler = OperationHandler { entry, rest, members };
                routing::on(filter, async move |registry, caller, request| {
                    handler.answer(registry, caller, request).await
                })
            }
        };
        router = router.route(rest.path, route);
    }
    router
}

/// The router of the endpoints.
#[derive(Clone, Debug)]
pub(super) struct V1(Router);

impl V1 {
    /// Endpoints for these sessions.
    pub(super) fn new(registry: SessionManager) -> Self {
        let router = endpoints()
            .route(DOCUMENT, routing::get(async || text(StatusCode::OK, "application/json", OPENAPI)))
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
