//! Answers: JSON as Chrome writes it, and problems as RFC 9457 has them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode, header};
use serde::Serialize;
use serde_json::{
    Map, Value,
    ser::{PrettyFormatter, Serializer},
};

use crate::registry::ServiceError;

/// A complete answer.
pub type Answer = Response<Full<Bytes>>;

/// An answer with a body of one type. Nothing may frame it, as with Chrome's own interface.
pub(super) fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, header::HeaderValue::from_static("frame-ancestors 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}

/// JSON with Chrome's white space.
pub(super) fn json<T: Serialize>(value: &T) -> Answer {
    let mut body = Vec::new();
    let mut writer = Serializer::with_formatter(&mut body, PrettyFormatter::with_indent(b"   "));
    if value.serialize(&mut writer).is_err() {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "Chrome's answer could not be read");
    }
    body.push(b'\n');
    text(StatusCode::OK, "application/json; charset=UTF-8", body)
}

/// A refusal in words of our own, `application/problem+json`.
pub fn problem(status: StatusCode, kind: &str, detail: &str) -> Answer {
    problem_with(status, kind, detail, Map::new())
}

/// As [`problem`], with members of its own for programs.
fn problem_with(status: StatusCode, kind: &str, detail: &str, details: Map<String, Value>) -> Answer {
    #[derive(Serialize)]
    struct Problem<'a> {
        #[serde(rename = "type")]
        kind: String,
        title: &'a str,
        status: u16,
        detail: &'a str,
        #[serde(flatten)]
        details: Map<String, Value>,
    }

    let problem = Problem {
        kind: format!("urn:ghostmux:{kind}"),
        title: status.canonical_reason().unwrap_or("error"),
        status: status.as_u16(),
        detail,
        details,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    text(status, "application/problem+json", body)
}

/// The answer when the service does not do what it is asked.
pub fn refused(why: &ServiceError) -> Answer {
    let status = StatusCode::from_u16(why.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = problem_with(status, why.kind(), &why.to_string(), why.details());
    if let Some(seconds) = why.retry_after() {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}
