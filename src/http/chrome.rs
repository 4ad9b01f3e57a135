//! Chrome's own HTTP interface, `/json/*`: its paths, status codes and texts.
//!
//! Requests without a connection act in one session, the HTTP session; requests below `/s/NAME` act in the session of that
//! name. `/json/version` creates no session.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{FromRequestParts, State},
    http::{Method, StatusCode, Uri, request::Parts},
    response::{IntoResponse, Response},
    routing,
};
use percent_encoding::percent_decode_str;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};

use super::{
    Api,
    reply::{Answer, Problem, json, problem, refused, text},
    request::By,
    session_of,
};
use crate::{
    api_types::merged,
    browser::{
        find::Found,
        protocol::{self, ProtocolError},
    },
    cdp::{
        error::CdpError,
        json_object::{JsonObject, quote},
        target::TargetInfo,
    },
    config::RemoteUrl,
    session::{
        hidden_query,
        manager::{Caller, Scheme, ServiceError},
    },
};

/// How long Chrome may take to send its protocol.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long every caller gets the error of a failed fetch before the next attempt.
const PAUSE: Duration = Duration::from_secs(5);

/// The protocol JSON of the browsers with the `ghost` domain, fetched at the first request.
#[derive(Debug)]
pub struct Protocol {
    source: Origin,
    told: Told,
}

/// A text that is fetched once, by one caller at a time.
#[derive(Debug, Default)]
struct Told {
    text: OnceCell<String>,
    /// Time and reason of the last failed attempt. Held during an attempt.
    failed: Mutex<Option<(Instant, String)>>,
}

impl Told {
    /// Returns the text. The first caller fetches it; the others wait for the result, errors included.
    async fn get<F: Future<Output = Result<String, String>>>(&self, fetch: impl FnOnce() -> F) -> Result<&str, String> {
        if let Some(text) = self.text.get() {
            return Ok(text);
        }
        let mut failed = self.failed.lock().await;
        if let Some((_, why)) = failed.as_ref().filter(|(when, _)| when.elapsed() < PAUSE) {
            return Err(why.clone());
        }
        let told = self.text.get_or_try_init(fetch).await;
        *failed = told.as_ref().err().map(|why| (Instant::now(), why.clone()));
        told.map(String::as_str)
    }
}

/// The source of the protocol.
#[derive(Debug)]
pub enum Origin {
    /// A Chrome of this machine, and a directory for it. The protocol is not available over the pipe, so a Chrome is
    /// started for the request.
    Local(Found, PathBuf),
    /// Remote Chromes: the first one that answers.
    Remote(Vec<RemoteUrl>),
}

impl Protocol {
    /// Creates the source. The protocol is fetched at the first request.
    pub fn new(source: Origin) -> Self {
        Self { source, told: Told::default() }
    }

    async fn text(&self) -> Result<&str, String> {
        let fetch = || async {
            let chromes = match &self.source {
                Origin::Local(found, directory) => in_time(protocol::of_local(found, directory.clone())).await?,
                Origin::Remote(urls) => {
                    let mut answer = Err("no browser".to_owned());
                    for url in urls {
                        answer = in_time(protocol::of_remote(url)).await;
                        if answer.is_ok() {
                            break;
                        }
                    }
                    answer?
                }
            };
            merged(&chromes).ok_or_else(|| "what Chrome sent is not a protocol".to_owned())
        };
        self.told.get(fetch).await
    }
}

async fn in_time(protocol: impl Future<Output = Result<String, ProtocolError>>) -> Result<String, String> {
    let answer = tokio::time::timeout(PATIENCE, protocol).await;
    let answer = answer.map_err(|_| "Chrome did not send its protocol in time".to_owned())?;
    answer.map_err(|error| error.to_string())
}

/// The routes, below `/json` and below `/s/NAME/json`. Like Chrome, all but `/json/new` accept every method.
pub(super) fn routes() -> Router<Api> {
    let mut router = Router::new();
    for session in ["", "/s/{name}"] {
        for end in ["", "/"] {
            let at = |command: &str| format!("{session}/json/{command}{end}");
            router = router
                .route(&at("version"), routing::any(version))
                .route(&at("list"), routing::any(list))
                .route(&at("protocol"), routing::any(protocol_json))
                .route(&at("new"), routing::put(new).fallback(unsafe_verb))
                .route(&at("activate"), routing::any(activate))
                .route(&at("close"), routing::any(close));
        }
        router = router
            .route(&format!("{session}/json"), routing::any(list))
            .route(&format!("{session}/json/activate/{{*id}}"), routing::any(activate))
            .route(&format!("{session}/json/close/{{*id}}"), routing::any(close))
            // Chrome serves `/json/list/` and `/json/version/`, but not `/json/`.
            .route(&format!("{session}/json/"), routing::any(unknown))
            .route(&format!("{session}/json/{{*command}}"), routing::any(unknown));
    }
    router
}

enum Failure {
    Session(ServiceError),
    Refused(CdpError),
    NoTarget(String),
    Unreadable,
}

impl From<ServiceError> for Failure {
    fn from(why: ServiceError) -> Self {
        Self::Session(why)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Session(why) => refused(&why),
            Self::Refused(error) => problem(StatusCode::BAD_REQUEST, "refused", &error.message),
            Self::NoTarget(id) => {
                text(StatusCode::NOT_FOUND, "text/html; charset=UTF-8", format!("No such target id: {id}"))
            }
            Self::Unreadable => problem(StatusCode::BAD_GATEWAY, "unreadable", "Chrome's answer could not be read"),
        }
    }
}

async fn unknown(uri: Uri) -> Answer {
    let (_, path) = session_of(uri.path());
    text(
        StatusCode::NOT_FOUND,
        "text/html; charset=UTF-8",
        format!("Unknown command: {}", path.trim_start_matches("/json/")),
    )
}

async fn unsafe_verb(method: Method) -> Answer {
    let words = format!("Using unsafe HTTP verb {method} to invoke /json/new. This action supports only PUT verb.");
    text(StatusCode::METHOD_NOT_ALLOWED, "text/html; charset=UTF-8", words)
}

/// The caller of a request, and the session in which the request acts.
#[derive(Clone)]
struct Asker {
    caller: Caller,
    /// The session of this name; otherwise the HTTP session.
    named: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let By(caller) = By::from_request_parts(parts, state).await?;
        // Not by axum's `Path`, which decodes.
        let (named, _) = session_of(parts.uri.path());
        Ok(Self { caller, named: named.map(str::to_owned) })
    }
}

impl Asker {
    /// The same caller, and the session that the query names. Not for `/json/new`, whose query is the URL of a page.
    fn of_query(&self, query: Option<&str>) -> Self {
        let named = self.named.clone().or_else(|| without_session(query?).0);
        Self { named, ..self.clone() }
    }

    async fn call(
        &self,
        api: &Api,
        method: &'static str,
        params: String,
    ) -> Result<(Arc<str>, Result<String, CdpError>), ServiceError> {
        api.registry.call(&self.caller, self.named.as_deref(), method, params).await
    }
}

/// Splits a query into the name of a session (`session=NAME`) and the other parameters.
fn without_session(query: &str) -> (Option<String>, String) {
    let (named, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("session="));
    let name = named.first().and_then(|pair| pair.split_once('='));
    (name.map(|(_, name)| percent_decode_str(name).decode_utf8_lossy().into_owned()), others.join("&"))
}

async fn version(State(api): State<Api>, asker: Asker, uri: Uri) -> Result<Answer, Failure> {
    let browser = api.registry.pool().any().await.map_err(ServiceError::from)?;
    let (named, query) = uri.query().map_or_else(Default::default, without_session);
    let url = match asker.named.as_ref().or(named.as_ref()) {
        Some(name) => api.registry.url_of_named(&asker.caller, name)?,
        None => asker.caller.url_of(api.registry.version_id(&asker.caller).await?.as_str()),
    };
    let said = JsonObject::read(&browser.identity().version).ok_or(Failure::Unreadable)?;
    let member = |name: &str| said.string(name).unwrap_or_default();
    // `/json/version` of Chrome has other names for V8 and WebKit than the result of `Browser.getVersion`.
    let webkit = member("userAgent")
        .split("AppleWebKit/")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or("537.36")
        .to_owned();
    let separator = if url.contains('?') { "&" } else { "?" };
    let query = if query.is_empty() { query } else { format!("{separator}{}", hidden_query::hidden(&query)) };
    let mut version = Members(vec![("Browser", quoted(&member("product")))]);
    if browser.identity().major() >= 156 {
        version.0.push(("File-Path-Style", quoted("posix")));
    }
    version.0.extend([
        ("Protocol-Version", quoted(&member("protocolVersion"))),
        ("User-Agent", quoted(&member("userAgent"))),
        ("V8-Version", quoted(&member("jsVersion"))),
        ("WebKit-Version", quoted(&format!("{webkit} ({})", member("revision")))),
        ("webSocketDebuggerUrl", quoted(&format!("{url}{query}"))),
    ]);
    Ok(json(&version))
}

async fn list(State(api): State<Api>, asker: Asker, uri: Uri) -> Result<Answer, Failure> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Infos<'a> {
        #[serde(borrow)]
        target_infos: Vec<&'a RawValue>,
    }

    let asker = asker.of_query(uri.query());
    let (session, result) = match call(&api, &asker, "Target.getTargets", "{}".to_owned()).await {
        // No session has this name, so no target is in it.
        Err(Failure::Session(ServiceError::NoSession { .. })) if asker.named.is_some() => {
            return Ok(json(&Vec::<Members>::new()));
        }
        listed => listed?,
    };
    let infos: Infos<'_> = serde_json::from_str(&result).map_err(|_| Failure::Unreadable)?;
    let targets = infos.target_infos.iter().filter_map(|info| target(info.get(), &asker.caller, &session));
    Ok(json(&targets.collect::<Vec<_>>()))
}

async fn new(State(api): State<Api>, asker: Asker, uri: Uri) -> Result<Answer, Failure> {
    let url = uri.query().filter(|url| !url.is_empty()).unwrap_or("about:blank");
    let url = percent_decode_str(url).decode_utf8_lossy();
    let (_, result) = call(&api, &asker, "Target.createTarget", format!(r#"{{"url":{}}}"#, quote(&url))).await?;
    let id = JsonObject::read(&result).and_then(|result| result.string("targetId")).ok_or(Failure::Unreadable)?;
    let (session, result) =
        call(&api, &asker, "Target.getTargetInfo", format!(r#"{{"targetId":{}}}"#, quote(&id))).await?;
    let info = JsonObject::read(&result)
        .and_then(|result| result.get("targetInfo").map(str::to_owned))
        .ok_or(Failure::Unreadable)?;
    Ok(json(&target(&info, &asker.caller, &session).ok_or(Failure::Unreadable)?))
}

async fn activate(State(api): State<Api>, asker: Asker, uri: Uri) -> Result<Answer, Failure> {
    one(&api, &asker, &uri, "Target.activateTarget", "Target activated").await
}

async fn close(State(api): State<Api>, asker: Asker, uri: Uri) -> Result<Answer, Failure> {
    one(&api, &asker, &uri, "Target.closeTarget", "Target is closing").await
}

/// Performs a command on the target that the path names.
async fn one(api: &Api, asker: &Asker, uri: &Uri, method: &'static str, done: &'static str) -> Result<Answer, Failure> {
    let (_, path) = session_of(uri.path());
    let id = path.splitn(4, '/').nth(3).unwrap_or_default();
    let params = format!(r#"{{"targetId":{}}}"#, quote(id));
    let asker = asker.of_query(uri.query());
    match asker.call(api, method, params).await {
        Ok((_, Ok(_))) => Ok(text(StatusCode::OK, "text/html; charset=UTF-8", done)),
        Ok((_, Err(_))) => Err(Failure::NoTarget(id.to_owned())),
        Err(ServiceError::NoSession { .. }) if asker.named.is_some() => Err(Failure::NoTarget(id.to_owned())),
        Err(why) => Err(why.into()),
    }
}

/// Performs a command; returns the id of the session with the result.
async fn call(api: &Api, asker: &Asker, method: &'static str, params: String) -> Result<(Arc<str>, String), Failure> {
    let (session, result) = asker.call(api, method, params).await?;
    Ok((session, result.map_err(Failure::Refused)?))
}

async fn protocol_json(State(api): State<Api>) -> Answer {
    match api.protocol.text().await {
        Ok(protocol) => text(StatusCode::OK, "application/json; charset=UTF-8", protocol.to_owned()),
        Err(error) => problem(StatusCode::BAD_GATEWAY, "no-protocol", &error),
    }
}

/// An entry of `/json/list`: a target of this session.
fn target(info: &str, caller: &Caller, session: &str) -> Option<Members> {
    let read = TargetInfo::read(info)?;
    let raw = JsonObject::read(info)?;
    let title = raw.get("title").unwrap_or("\"\"");
    let url = raw.get("url").unwrap_or("\"\"");
    let mut members = vec![("description", quoted(""))];
    let parent = raw.get("parentId").and_then(value);
    // Chrome's `devtoolsFrontendUrl` is left out, because ghostmux serves no DevTools front end.
    members.push(("id", quoted(read.id.as_str())));
    members.extend(parent.map(|parent| ("parentId", parent)));
    members.push(("title", value(title)?));
    members.push(("type", quoted(read.kind.as_type())));
    members.push(("url", value(url)?));
    members.push((
        "webSocketDebuggerUrl",
        quoted(&caller.url_for(session, Scheme::Ws, &format!("/devtools/page/{}", read.id))),
    ));
    Some(Members(members))
}

/// A JSON object whose members keep their order.
struct Members(Vec<(&'static str, Box<RawValue>)>);

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn value(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).ok()
}

fn quoted(text: &str) -> Box<RawValue> {
    value(&quote(text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_callers_share_a_failure_and_a_later_call_tries_again() {
        let (told, tries) = (Told::default(), AtomicUsize::new(0));
        let counter = &tries;
        let get = |good: bool| {
            told.get(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                async move {
                    tokio::time::sleep(PATIENCE).await;
                    if good { Ok("protocol".to_owned()) } else { Err("no".to_owned()) }
                }
            })
        };
        let answers = join_all((0..10).map(|_| get(false))).await;
        assert_eq!(answers, vec![Err("no".to_owned()); 10]);
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        tokio::time::advance(PAUSE).await;
        let answers = join_all((0..10).map(|_| get(true))).await;
        assert_eq!(answers, vec![Ok("protocol"); 10]);
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }
}
