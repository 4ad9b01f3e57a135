//! The errors that the `OpenAPI` document promises, grouped by the properties of a request. Each endpoint names the
//! groups that apply to it.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

/// Errors of any request.
pub(super) struct Any;
/// Errors of a request that names a session.
pub(super) struct OfSession;
/// Errors of a request with a body.
pub(super) struct OfBody;
/// Errors of a request that creates a session.
pub(super) struct OfBeginning;
/// Errors of a request that names a snapshot.
pub(super) struct OfSnapshot;
/// Errors of a request that stores a snapshot.
pub(super) struct OfContent;
/// Errors of a request that imports a snapshot.
pub(super) struct OfImport;

fn refusals<const N: usize>(refusals: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    let refusal = |(status, why): (&str, &str)| {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(why).content("application/problem+json", problem).build();
        (status.to_owned(), response.into())
    };
    refusals.into_iter().map(refusal).collect()
}

impl IntoResponses for Any {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = refusals([
            ("403", "The request comes from a web page, and pages may not control browsers."),
            ("503", "The server is shutting down, or no browser is ready."),
        ]);
        // Answered before the request is read further, without a body.
        for (status, why) in [("414", "The URL is too long."), ("431", "The headers are too large.")] {
            responses.insert(status.to_owned(), ResponseBuilder::new().description(why).build().into());
        }
        responses
    }
}

impl IntoResponses for OfSession {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("400", "The id or a value is invalid; the detail names it."),
            ("404", "The session does not exist, has ended, or belongs to another owner."),
            ("409", "The session waits for a place, or is about to end."),
        ])
    }
}

impl IntoResponses for OfBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("400", "The body or a value in it is invalid; the detail names it."),
            ("408", "The body did not arrive in time."),
            ("413", "The body is too large."),
            ("415", "The Content-Type of the body is not JSON."),
        ])
    }
}

impl IntoResponses for OfSnapshot {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("400", "The id or a value is invalid; the detail names it."),
            ("404", "The snapshot or session does not exist, or belongs to another owner."),
            ("409", "The session has a client, or another snapshot is being restored into it."),
            ("413", "The snapshot is too large for this format."),
            ("422", "The snapshot is damaged, encrypted with another key, or written by a newer ghostmux."),
        ])
    }
}

impl IntoResponses for OfContent {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("413", "The content is larger than a snapshot may be."),
            ("422", "The content is not a complete snapshot."),
            ("507", "The quota of the owner is used up."),
        ])
    }
}

impl IntoResponses for OfImport {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = OfContent::responses();
        responses.extend(refusals([
            ("413", "The content is larger than a snapshot, a line of it, or the memory for it may be."),
            ("503", "Too many imports and exports are running; Retry-After says when to try again."),
        ]));
        responses
    }
}

impl IntoResponses for OfBeginning {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("404", "The snapshot or the session does not exist."),
            ("409", "The id is in use, or was used before."),
            ("413", "The session is too large to be cloned at once."),
            ("422", "The snapshot is damaged, encrypted with another key, or written by a newer ghostmux."),
            ("429", "This owner has as many sessions as it may have; Retry-After says when to try again."),
            ("503", "No place became free in time; Retry-After says when to try again."),
        ])
    }
}
