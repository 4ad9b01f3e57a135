//! `/v1`: sessions and snapshots as resources. The endpoints and the document are made from the table of operations
//! ([`operations`]). Only the contents of snapshots and files have their own handlers, because they are streams.

mod document;
mod examples;
mod files;
mod handler;
mod idempotency;
mod progress;
mod query;
mod snapshots;

use axum::{
    Router,
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::{self, MethodFilter},
};

pub use self::document::openapi;
use self::{handler::OperationHandler, idempotency::KeyBook, query::Members};
use super::{Api, reply::text};
use crate::{
    api_types::operations::{self, RestAnswer, RestInput, Verb},
    session::manager::SessionManager,
};

/// Path of the document. It holds no id, so every client may read it.
pub(super) const DOCUMENT: &str = "/v1/openapi.json";
/// The document, as [`openapi`] made it.
const OPENAPI: &str = include_str!("../../fixtures/openapi.json");

/// The document, and an endpoint for each operation that REST has.
pub(super) fn routes(registry: &SessionManager) -> Router<Api> {
    let keys = KeyBook::new(registry.clone());
    let document = routing::get(async || text(StatusCode::OK, "application/json", OPENAPI));
    let mut router = Router::new().route(DOCUMENT, document);
    for entry in operations::all() {
        let Some(rest) = entry.row.rest else { continue };
        let filter = match rest.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Patch => MethodFilter::PATCH,
            Verb::Delete => MethodFilter::DELETE,
        };
        let members = Members::of(entry);
        let route = match (rest.input, rest.answer) {
            (RestInput::Upload(_), _) => routing::on(filter, async move |registry, caller, query, request| {
                snapshots::import(members, registry, caller, query, request).await
            }),
            (RestInput::Content, _) => routing::on(filter, files::put),
            (RestInput::Path, RestAnswer::File) => routing::on(filter, files::get),
            (_, RestAnswer::File) => routing::on(filter, async move |registry, caller, request| {
                files::download(members, registry, caller, request).await
            }),
            (_, RestAnswer::Download) => routing::on(filter, snapshots::content),
            _ => {
                let handler = OperationHandler { entry, rest, members };
                routing::on(filter, async move |registry, caller, request| {
                    Box::pin(handler.answer(registry, caller, request)).await
                })
            }
        };
        let route = match rest.verb {
            Verb::Post => route.route_layer(from_fn_with_state(keys.clone(), idempotency::once)),
            _ => route,
        };
        router = router.route(rest.path, route);
    }
    router
}
