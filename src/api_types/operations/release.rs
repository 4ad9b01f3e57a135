//! `POST /v1/sessions/{id}/release`: ends a session, as other vendors' clients ask for it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{Nothing, given},
    CloseSession, Entry, Errors, Operation, Request, Rest, RestAnswer, RestInput, Row, Verb,
};

/// Its part of the table.
pub(super) const RELEASE: &[Entry] = &[Entry::of::<ReleaseSession>()];

/// Ends a session, exactly as `DELETE` of it does: the path is that of Browserbase and Steel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReleaseSession {
    /// The session.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
}

impl Operation for ReleaseSession {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "releaseSession",
        // A client has `ghost.closeSession`.
        ghost: None,
        rest: Some(Rest {
            verb: Verb::Post,
            path: "/v1/sessions/{id}/release",
            id: Some("id"),
            second: None,
            input: RestInput::Path,
            answer: RestAnswer::Nothing,
            says: "The session has ended.",
            tag: "sessions",
            errors: &[Errors::Session],
        }),
    };
}

impl From<ReleaseSession> for Request {
    fn from(ReleaseSession { id }: ReleaseSession) -> Self {
        CloseSession { id }.into()
    }
}
