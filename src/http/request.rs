//! The parts of a request that handlers read. A request with an invalid part is answered with a problem that names the
//! part, and nothing else happens.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{self, HttpBody as _},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::IgnoredAny;

use super::reply::Problem;
use crate::{api_types::operations::Rest, session::manager::Caller, snapshot::repository::HELD_MOST};

/// Most bytes of a body. Metadata may have 4 KiB, and its characters may be written as `\u0041`.
const MOST: usize = 64 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a large body may take to arrive.
const LARGE_PATIENCE: Duration = Duration::from_secs(120);

/// The body: the text of a JSON object. It may be empty where nothing is required.
pub(super) struct Body(pub(super) Option<String>);

impl Body {
    /// The object, or an error if there is none.
    pub(super) fn required(self) -> Result<String, Problem> {
        self.0.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "no-body", "a JSON object is expected as the body"))
    }

    /// The object, or an empty one.
    pub(super) fn or_empty(self) -> String {
        self.0.unwrap_or_else(|| "{}".to_owned())
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, MOST, PATIENCE).await?;
        if bytes.is_empty() && !parts.headers.contains_key(header::CONTENT_TYPE) {
            return Ok(Self(None));
        }
        of_json(&parts.headers)?;
        let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad-json", detail);
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        let text = String::from_utf8(bytes).map_err(|error| bad(format!("the body is not UTF-8: {error}")))?;
        serde_json::from_str::<IgnoredAny>(&text).map_err(|error| bad(format!("the body is not JSON: {error}")))?;
        Ok(Self(Some(text)))
    }
}

/// A large body: an exported snapshot, or the page of a quick action.
pub(super) struct LargeBody;

impl LargeBody {
    /// Reads the whole JSON text.
    pub(super) async fn read(request: Request) -> Result<String, Problem> {
        Self::up_to(HELD_MOST, request).await
    }

    /// Reads the whole JSON text, if it has at most so many bytes.
    pub(super) async fn up_to(most: usize, request: Request) -> Result<String, Problem> {
        let (parts, body) = request.into_parts();
        of_json(&parts.headers)?;
        let bytes = read(body, most, LARGE_PATIENCE).await?;
        let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad-json", detail);
        String::from_utf8(bytes).map_err(|error| bad(format!("the body is not UTF-8: {error}")))
    }
}

/// The body of a request that runs code: the code itself, or a JSON text.
pub(super) struct CodeBody {
    pub(super) text: String,
    pub(super) is_json: bool,
}

impl CodeBody {
    /// Reads all of it, if it has at most so many bytes. Its type must be declared as one that a form of a web page cannot have.
    pub(super) async fn up_to(most: usize, request: Request) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let (essence, said) = essence(&parts.headers);
        let is_json = is_json(&essence);
        if !is_json && !matches!(&*essence, "application/javascript" | "text/javascript") {
            let detail = format!("the body's type is {said}; send application/javascript or application/json");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", detail));
        }
        let bytes = read(body, most, LARGE_PATIENCE).await?;
        let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad-body", detail);
        let text = String::from_utf8(bytes).map_err(|error| bad(format!("the body is not UTF-8: {error}")))?;
        Ok(Self { text, is_json })
    }
}

/// A body that another reader understands.
pub(super) struct SmallBody(pub(super) Bytes);

impl SmallBody {
    /// Most bytes.
    pub(super) const MOST: usize = MOST;

    /// Reads it.
    pub(super) async fn read(body: body::Body) -> Result<Self, Problem> {
        read(body, MOST, PATIENCE).await.map(|bytes| Self(bytes.into()))
    }
}

async fn read(body: body::Body, most: usize, patience: Duration) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        let detail = format!("the body is larger than {most} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    };
    // One that declares its length is not waited for.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let body = tokio::time::timeout(patience, Limited::new(body, most).collect()).await.map_err(|_| {
        let detail = format!("the body did not arrive within {} s", patience.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", detail)
    })?;
    match body {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "bad-body", format!("the body cannot be read: {error}")))
        }
    }
}

/// Accepts only a body that is declared as JSON: a form on a web page cannot declare that without a preflight.
fn of_json(headers: &HeaderMap) -> Result<(), Problem> {
    let (essence, said) = essence(headers);
    if is_json(&essence) {
        return Ok(());
    }
    let detail = format!("the body's type is {said}; send Content-Type: application/json");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", detail))
}

/// The type of a body without its parameters, and the type for an error.
fn essence(headers: &HeaderMap) -> (String, String) {
    let said = headers.get(header::CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let essence = said.as_deref().and_then(|kind| kind.split(';').next()).unwrap_or_default();
    (essence.trim().to_ascii_lowercase(), said.as_deref().unwrap_or("not said").to_owned())
}

fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence.ends_with("+json")
}

/// The `{id}` of a path.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|rejected| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-path", format!("the id in the path: {rejected}"))
        })
    }
}

/// The parameters of a path, decoded, by their names.
pub(super) struct PathParameters(Vec<(String, String)>);

impl PathParameters {
    /// The members of the input that they give.
    pub(super) fn members(self, rest: &Rest) -> Vec<(&'static str, String)> {
        let member = |name: &str| if name == "id" { rest.id } else { rest.second.filter(|second| *second == name) };
        self.0.into_iter().filter_map(|(name, text)| Some((member(&name)?, text))).collect()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let all = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        all.map(|Path(all)| Self(all)).map_err(|rejected| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-path", format!("the id in the path: {rejected}"))
        })
    }
}

/// The caller of the request, as it was determined when the request was accepted.
pub(super) struct By(pub(super) Caller);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().map(Self).ok_or_else(|| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no-caller", "the caller of the request is not known")
        })
    }
}

/// The members of a query, decoded.
pub(super) struct Query(pub(super) Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let members = form_urlencoded::parse(query.as_bytes());
        Ok(Self(members.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn missing_body_ends_with_a_timeout() {
        let never = stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let refused = read(body::Body::from_stream(never), MOST, PATIENCE).await.expect_err("nothing came").answer();
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn body_that_is_too_large_is_not_read_to_its_end() {
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1024]));
        let refused = read(body::Body::from_stream(endless), MOST, PATIENCE).await.expect_err("it has no end").answer();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
