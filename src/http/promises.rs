//! The endpoints of the `OpenAPI` document, and the statuses of their errors.

use crate::api_types::{
    ShapeOf,
    operations::{Entry, Errors, Rest},
};

/// An endpoint of the document.
#[derive(Clone, Copy)]
pub(super) struct Documented {
    /// `operationId`.
    pub(super) name: &'static str,
    /// The method, the path, and the form of the input and of the answer.
    pub(super) rest: Rest,
    /// The schema of its input, which describes the endpoint.
    pub(super) input: ShapeOf,
    /// The schema of its output.
    pub(super) output: ShapeOf,
}

impl Documented {
    /// The endpoint of an operation; `None` if REST does not have the operation.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        Some(Self { name: entry.row.name, rest: entry.row.rest?, input: entry.input, output: entry.output })
    }
}

/// A status and its meaning.
pub(super) type Refusal = (u16, &'static str);

/// Errors of every request.
pub(super) const OF_ALL: [Refusal; 3] = [
    (401, "The server has tenants, and the request has no token, or one that is not accepted."),
    (403, "The request comes from a web page, and pages may not control browsers."),
    (503, "The server is shutting down, or no browser is ready."),
];

/// Errors of every request that are answered without a body, before the request is read to its end.
pub(super) const EARLY: [Refusal; 2] = [(414, "The URL is too long."), (431, "The headers are too large.")];

/// Errors of a request with an `Idempotency-Key`.
pub(super) const REPETITION: [Refusal; 4] = [
    (400, "The Idempotency-Key is not 1 to 255 visible characters, or is given twice."),
    (409, "A request with this Idempotency-Key is being performed, or was, and its answer is not kept."),
    (422, "The Idempotency-Key was sent with another request."),
    (429, "The owner has as many Idempotency-Keys as it may have; Retry-After says when to try again."),
];

/// The errors of a group.
pub(super) fn refusals(errors: Errors) -> &'static [Refusal] {
    match errors {
        Errors::Session => &[
            (400, "The id or a value is invalid; the detail names it."),
            (404, "The session does not exist, has ended, or belongs to another owner."),
            (409, "The session waits for a place, or is about to end."),
        ],
        Errors::Body => &[
            (400, "The body or a value in it is invalid; the detail names it."),
            (408, "The body did not arrive in time."),
            (413, "The body is too large."),
            (415, "The Content-Type of the body is not JSON."),
        ],
        Errors::Filter => &[(400, "A filter is invalid; the detail names it.")],
        Errors::Beginning => &[
            (404, "The snapshot, the profile or the session does not exist."),
            (
                409,
                "The id is in use, or was used before; the session of this name began with something else; or another \
                 session saves the profile.",
            ),
            (413, "The session is too large to be cloned at once."),
            (422, "The snapshot is damaged, encrypted with another key, or written by a newer ghostmux."),
            (429, "This owner has as many sessions as it may have; Retry-After says when to try again."),
            (503, "No place became free in time; Retry-After says when to try again."),
            (507, "The user data of this owner take as much of the disk as they may."),
        ],
        Errors::Browser => &[(404, "There is no such browser.")],
        Errors::Replacement => &[(409, "The browser runs elsewhere, and can be started again only there.")],
        Errors::Configuration => {
            &[(422, "The configuration is wrong; the detail names the file, the line and the setting.")]
        }
        Errors::Snapshot => &[
            (400, "The id or a value is invalid; the detail names it."),
            (404, "The snapshot or session does not exist, or belongs to another owner."),
            (409, "The session has a client, or another snapshot is being restored into it."),
            (413, "The snapshot is too large for this format."),
            (422, "The snapshot is damaged, encrypted with another key, or written by a newer ghostmux."),
        ],
        Errors::Content => &[
            (413, "The content is larger than a snapshot may be."),
            (422, "The content is not a complete snapshot."),
            (507, "The quota of the owner is used up."),
        ],
        Errors::Profile => &[
            (400, "The name or a value is invalid; the detail names it."),
            (404, "The owner has no such profile."),
            (409, "A session saves the profile or uses it, and the detail names it; or none does, and one must."),
            (422, "The profile is damaged, encrypted with another key, or written by a newer ghostmux."),
        ],
        Errors::Tenant => &[(404, "There is no such tenant or token.")],
        Errors::TenantChange => &[
            (400, "A value is invalid; the detail names it."),
            (409, "The server has no file of tenants; or the tenant has a token of this name, or too many."),
            (422, "The file of tenants is wrong, or written as it cannot be changed; the detail names the place."),
            (503, "The file of tenants cannot be written; Retry-After says when to try again."),
        ],
        Errors::Download => &[
            (404, "The session or the file does not exist."),
            (
                409,
                "The download has not arrived, or was canceled; or the session waits for a place, or is about to end.",
            ),
            (416, "The content does not have the range."),
        ],
        Errors::File => &[
            (400, "The id or the name is invalid; the detail names it."),
            (404, "The session or the file does not exist."),
            (416, "The content does not have the range."),
        ],
        Errors::Upload => &[
            (400, "The name or the body is invalid; the detail names it."),
            (408, "The body did not arrive in time."),
            (507, "The files take as much of the disk as they may, or the disk is full."),
        ],
        Errors::Page => &[
            (400, "The locator, the selector or another value is invalid; the detail names it."),
            (403, "The URL is not allowed, or the secret may not be typed in a document of this origin."),
            (404, "The session, the page or the secret does not exist, has ended, or belongs to another owner."),
            (
                409,
                "The reference is stale, the page was closed meanwhile, or the session is hibernated or waits for a place.",
            ),
            (
                422,
                "Several elements match, the action is not possible on this element, the script failed, or the result is too large.",
            ),
            (429, "Too many requests wait for this page; Retry-After says when to try again."),
            (502, "The page could not be loaded."),
            (504, "The time limit passed; the detail says what was waited for, and what was seen last."),
        ],
        Errors::Job => &[
            (400, "The id or a value is invalid; the detail names it."),
            (404, "The job does not exist, is forgotten, or belongs to another owner."),
        ],
        Errors::Secret => &[
            (400, "The name or a value is invalid; the detail names it."),
            (404, "The owner has no such secret."),
            (429, "The owner has as many secrets as it may have."),
        ],
        Errors::Quick => &[
            (400, "The body, the URL of the request, or a value in them is invalid; the detail names it."),
            (408, "The time limit passed; the detail says what was waited for."),
            (
                429,
                "No place became free in time, or this owner has as much as it may have; Retry-After says when to try again.",
            ),
        ],
        Errors::Import => &[
            (413, "The content is larger than a snapshot, a line of it, or the memory for it may be."),
            (503, "Too many imports and exports are running; Retry-After says when to try again."),
        ],
    }
}
