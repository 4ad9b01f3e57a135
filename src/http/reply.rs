//! Answers: JSON with Chrome's white space or on one line, and errors as RFC 9457 problems.

use axum::{
    body::Body,
    response::{IntoResponse, Response as Responded},
};
use bytes::Bytes;
use hyper::{Response, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{
    Map, Value,
    ser::{PrettyFormatter, Serializer},
};

use crate::{
    api_types::{AnyValue, Bad, Reply},
    session::manager::ServiceError,
    tenant::limits::Refusal,
};

/// What may stand in `filename*` as it is (RFC 8187, `attr-char`).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// An answer; its body may be a stream.
pub type Answer = Response<Body>;

/// An answer with a body of one content type. Pages may not show it in a frame, as with Chrome's own interface.
pub(super) fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = stream(kind, Body::from(body.into()));
    *answer.status_mut() = status;
    answer
}

/// The reason of an error, as an extension of the answer, for clients that hide the body.
#[derive(Clone, Debug)]
pub struct Why(pub String);

/// An error with Chrome's own text.
pub(super) fn refused_text(status: StatusCode, words: &'static str) -> Answer {
    let mut answer = text(status, "text/html; charset=UTF-8", words);
    answer.extensions_mut().insert(Why(words.to_owned()));
    answer
}

/// Like [`text`], with a body that may be a stream.
pub(super) fn stream(kind: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, header::HeaderValue::from_static("frame-ancestors 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}

/// The file is saved under this name, and not shown.
pub(super) fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|char| if char.is_ascii_graphic() && !"\"\\%".contains(char) || char == ' ' { char } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN))
}

/// JSON with Chrome's white space.
pub(super) fn json<T: Serialize>(value: &T) -> Answer {
    let mut body = Vec::new();
    let mut writer = Serializer::with_formatter(&mut body, PrettyFormatter::with_indent(b"   "));
    if value.serialize(&mut writer).is_err() {
        return unwritable();
    }
    body.push(b'\n');
    text(StatusCode::OK, "application/json; charset=UTF-8", body)
}

/// JSON on one line.
pub(super) fn compact<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    serde_json::to_vec(value).map_or_else(|_| unwritable(), |body| text(status, "application/json", body))
}

/// The output of an operation that created something.
pub(super) fn created(reply: Reply) -> Answer {
    let mut answer = text(StatusCode::CREATED, "application/json", reply.output);
    if let Some(Ok(location)) = reply.created.map(header::HeaderValue::try_from) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

fn unwritable() -> Answer {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "Chrome's answer could not be read")
}

/// An answer with status 204 and no body.
pub(super) fn nothing() -> Answer {
    let mut answer = text(StatusCode::NO_CONTENT, "", Bytes::new());
    answer.headers_mut().remove(header::CONTENT_TYPE);
    answer
}

/// An error as `application/problem+json`.
pub fn problem(status: StatusCode, kind: &'static str, detail: &str) -> Answer {
    Problem::new(status, kind, detail).answer()
}

/// An error as RFC 9457 describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) detail: String,
    /// Further members, for programs.
    pub(super) details: Box<Map<String, Value>>,
    /// Seconds after which a new attempt may succeed.
    pub(super) retry_after: Option<u32>,
    /// The limit of the tenant that the request exceeds.
    pub(super) limited: Option<Refusal>,
}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem", extend("additionalProperties" = true))]
pub(super) struct ProblemBody<'a> {
    /// `urn:ghostmux:` and a word for the kind; it does not change between versions.
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    #[schemars(with = "u32")]
    status: u16,
    /// What happened, to what, and what to do.
    detail: &'a str,
    #[serde(flatten)]
    #[schemars(skip)]
    details: &'a Map<String, Value>,
}

impl Problem {
    /// `kind` is one word for programs, `detail` a text for people.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), details: Box::default(), retry_after: None, limited: None }
    }

    fn body(&self) -> ProblemBody<'_> {
        ProblemBody {
            kind: format!("urn:ghostmux:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            details: &self.details,
        }
    }

    /// The body of the answer, for where it is a part of another one.
    pub(super) fn value(&self) -> Value {
        serde_json::to_value(self.body()).unwrap_or_default()
    }

    /// The answer as `application/problem+json`.
    pub fn answer(&self) -> Answer {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut answer = text(self.status, "application/problem+json", body);
        answer.extensions_mut().insert(Why(self.detail.clone()));
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(refusal) = &self.limited {
            rate_limit(answer.headers_mut(), refusal);
        }
        answer
    }
}

/// Adds the headers of draft-ietf-httpapi-ratelimit-headers: the limit, and that nothing of it is left.
fn rate_limit(headers: &mut header::HeaderMap, refusal: &Refusal) {
    let (name, most) = (refusal.limit.name(), refusal.most);
    let window = refusal.limit.window().map(|window| format!(";w={}", window.as_secs())).unwrap_or_default();
    let (policy, left) =
        (format!("\"{name}\";q={most}{window}"), format!("\"{name}\";r=0;t={}", refusal.retry_seconds()));
    for (header, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = value.try_into() {
            headers.insert(header, value);
        }
    }
}

/// An error as a part of a result: of one step of several, or of a job.
pub fn explain(why: &ServiceError) -> AnyValue {
    AnyValue(Problem::from(why).value())
}

/// The answer for an error of the service.
pub fn refused(why: &ServiceError) -> Answer {
    Problem::from(why).answer()
}

impl From<ServiceError> for Problem {
    fn from(why: ServiceError) -> Self {
        (&why).into()
    }
}

impl From<Bad> for Problem {
    fn from(bad: Bad) -> Self {
        ServiceError::from(bad).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Responded {
        self.answer().into_response()
    }
}
