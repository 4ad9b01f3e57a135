//! Answers a request by an operation of the table.

use axum::{
    extract::{FromRequest as _, FromRequestParts as _, Request, State},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::IgnoredAny;

use super::{
    super::{
        reply::{Answer, Problem, compact, created, nothing, text},
        request::{Body, By, PathParameters, Query},
    },
    progress,
    query::Members,
};
use crate::{
    api_types::{
        Bad, Job, Request as Asked,
        operations::{Entry, Rest, RestAnswer, RestInput, Verb},
    },
    cdp::json_object::{JsonObject, quote},
    session::manager::SessionManager,
};

/// Answers the requests to the endpoint of one operation.
#[derive(Clone, Debug)]
pub(super) struct OperationHandler {
    pub(super) entry: &'static Entry,
    pub(super) rest: Rest,
    /// The members that a query may have.
    pub(super) members: Members,
}

impl OperationHandler {
    /// Reads the input and performs the operation.
    pub(super) async fn answer(
        self,
        State(registry): State<SessionManager>,
        By(caller): By,
        request: Request,
    ) -> Result<Answer, Problem> {
        let (mut parts, body) = request.into_parts();
        let wanted = Wanted::of(&parts.headers);
        let of_path = PathParameters::from_request_parts(&mut parts, &()).await?.members(&self.rest);
        let input = match self.rest.input {
            RestInput::Path | RestInput::Content => "{}".to_owned(),
            RestInput::Query => {
                let Ok(Query(query)) = Query::from_request_parts(&mut parts, &()).await;
                self.members.object(query)?.to_string()
            }
            RestInput::Body(_) | RestInput::BodyWithOne(..) => {
                Body::from_request(Request::from_parts(parts, body), &()).await?.or_empty()
            }
            RestInput::NeededBody(_) | RestInput::Upload(_) => {
                Body::from_request(Request::from_parts(parts, body), &()).await?.required()?
            }
        };
        let asked = read(self.entry, &input, of_path).map_err(|bad| unreadable(&input, bad))?;
        if self.rest.verb == Verb::Post && wanted.is_job {
            return Ok(accepted(&registry.begin_job(&caller, asked)?));
        }
        if wanted.is_stream && progress::has_steps(self.entry.row.name) {
            return Ok(progress::stream(registry, caller, asked));
        }
        let reply = registry.perform(&caller, None, asked).await?;
        Ok(match self.rest.answer {
            RestAnswer::CreatedOne | RestAnswer::CreatedSeveral => created(reply),
            RestAnswer::FoundOrCreated if reply.created.is_some() => created(reply),
            RestAnswer::Output
            | RestAnswer::Download
            | RestAnswer::File
            | RestAnswer::Media(_)
            | RestAnswer::FoundOrCreated => text(StatusCode::OK, "application/json", reply.output),
            RestAnswer::Nothing => nothing(),
        })
    }
}

/// How the caller wants the answer.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    /// At once, as a job (RFC 7240).
    is_job: bool,
    /// As server-sent events.
    is_stream: bool,
}

impl Wanted {
    fn of(headers: &HeaderMap) -> Self {
        let has = |name: header::HeaderName, wanted: &str| {
            let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
            let mut items = values.flat_map(|value| value.split(','));
            items.any(|item| item.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted))
        };
        Self {
            is_job: has(header::HeaderName::from_static("prefer"), "respond-async"),
            is_stream: has(header::ACCEPT, "text/event-stream"),
        }
    }
}

/// The answer to a request that goes on as a job.
fn accepted(job: &Job) -> Answer {
    let mut answer = compact(StatusCode::ACCEPTED, job);
    let applied = header::HeaderValue::from_static("respond-async");
    answer.headers_mut().insert(header::HeaderName::from_static("preference-applied"), applied);
    if let Ok(location) = header::HeaderValue::try_from(format!("/v1/jobs/{}", job.id)) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

/// Reads the input; the path gives some members of it.
fn read(entry: &Entry, input: &str, of_path: Vec<(&'static str, String)>) -> Result<Asked, Bad> {
    if of_path.is_empty() {
        return entry.read(input);
    }
    let mut object = JsonObject::read(input)
        .ok_or_else(|| Bad::new("params", "is no object, or an object that has a member twice"))?;
    for (member, text) in of_path {
        if object.has(member) {
            return Err(Bad::new(member, format!("the path names it; leave {member} out of the body")));
        }
        object.set_raw(member, quote(&text));
    }
    entry.read(&object.to_string())
}

/// The problem with an input that cannot be read. The input is a body, or was made from the query.
fn unreadable(input: &str, bad: Bad) -> Problem {
    match serde_json::from_str::<IgnoredAny>(input) {
        Ok(_) => bad.into(),
        Err(error) => Problem::new(StatusCode::BAD_REQUEST, "bad-json", format!("the body is not JSON: {error}")),
    }
}
