//! `/v1`: sessions as resources, with the names and shapes of the `ghost` domain.
//!
//! To add an endpoint, write its handler with `#[utoipa::path]` in a file here and name it in [`endpoints`]: the router and
//! the document both follow from that. Shapes go into `document`.

pub(super) mod answers;
mod document;
pub(super) mod request;
mod sessions;

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode, Uri},
    routing,
};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tower_service::Service as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    browserless,
    reply::{Answer, Problem, compact},
};
use crate::registry::Registry;

/// Where the document is. It holds no id, so anybody may look at it.
pub(super) const DOCUMENT: &str = "/v1/openapi.json";

/// Every endpoint but the document itself.
fn endpoints() -> OpenApiRouter<Registry> {
    OpenApiRouter::with_openapi(document::empty())
        .routes(routes!(sessions::create, sessions::list))
        .routes(routes!(sessions::get, sessions::update, sessions::close))
        .routes(routes!(sessions::park))
        .routes(routes!(sessions::pages))
        .routes(routes!(sessions::usage))
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
    /// Over these sessions.
    pub(super) fn new(registry: Registry) -> Self {
        let document = document();
        let tell = move || async move { compact(StatusCode::OK, &document) };
        let router = Router::from(endpoints())
            .route(DOCUMENT, routing::get(tell))
            .fallback(async |uri: Uri| {
                let detail = format!("nothing is at {}; see {DOCUMENT} and /json/version", uri.path());
                Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
            })
            .method_not_allowed_fallback(async |method: Method, uri: Uri| {
                let detail = format!("{method} cannot be done to {}; the header Allow says what can", uri.path());
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
            })
            .with_state(registry);
        Self(router)
    }

    /// Answers a request of whatever path.
    pub(super) async fn answer(&self, request: Request) -> Answer {
        let Ok(answer) = self.0.clone().call(request).await;
        let (parts, body) = answer.into_parts();
        // Whole already, so it cannot fail half-way.
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Answer::from_parts(parts, Full::new(body))
    }
}
