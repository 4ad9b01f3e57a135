//! What refusals the document promises, by what a request has: every endpoint names those that can happen to it.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

/// Of any request.
pub(super) struct Any;
/// Of one that names a session.
pub(super) struct OfSession;
/// Of one with a body.
pub(super) struct OfBody;
/// Of one that begins a session.
pub(super) struct OfBeginning;
/// Of one that names a snapshot.
pub(super) struct OfSnapshot;
/// Of one that stores a snapshot.
pub(super) struct OfContent;
/// Of one that stores what comes from elsewhere.
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
            ("403", "It comes from a page, and pages may not drive browsers."),
            ("503", "The server is shutting down, or no browser is ready."),
        ]);
        // Said before anybody looks at the request: without a body.
        for (status, why) in [("414", "The URL is too long."), ("431", "The headers are too large.")] {
            responses.insert(status.to_owned(), ResponseBuilder::new().description(why).build().into());
        }
        responses
    }
}

impl IntoResponses for OfSession {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("400", "The id, or a value that was given, cannot be read or used; the detail names it."),
            ("404", "There is no such session, or it is over, or it is somebody else's."),
            ("409", "It waits for a place itself, or is about to end."),
        ])
    }
}

impl IntoResponses for OfBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("400", "The body, or a value in it, cannot be read or used; the detail names it."),
            ("408", "The body did not come in time."),
            ("413", "The body is too large."),
            ("415", "The body is not said to be JSON."),
        ])
    }
}

impl IntoResponses for OfSnapshot {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("400", "The id, or a value that was given, cannot be read or used; the detail names it."),
            ("404", "There is no such snapshot or session, or it is somebody else's."),
            ("409", "The session has a client, or another snapshot is being restored into it."),
            ("413", "It is too large for this format."),
            ("422", "The snapshot is damaged, sealed with another key, or of a newer ghostmux."),
        ])
    }
}

impl IntoResponses for OfContent {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("413", "It is larger than a snapshot may be."),
            ("422", "What was to be imported is no snapshot, or not a whole one."),
            ("507", "Its owner has no room for it left."),
        ])
    }
}

impl IntoResponses for OfImport {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = OfContent::responses();
        responses.extend(refusals([
            ("413", "It is larger than a snapshot or a line of it may be, or than there is memory for."),
            ("503", "Too many are imported or exported already; Retry-After says when to try again."),
        ]));
        responses
    }
}

impl IntoResponses for OfBeginning {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("404", "There is no such snapshot, or no such session."),
            ("409", "The id is taken, or was used before."),
            ("413", "The session is too large to be cloned at once."),
            ("422", "The snapshot is damaged, sealed with another key, or of a newer ghostmux."),
            ("429", "This owner has as many sessions as it may have; Retry-After says when to try again."),
            ("503", "There is no place, and none became free in time; Retry-After says when to try again."),
        ])
    }
}
