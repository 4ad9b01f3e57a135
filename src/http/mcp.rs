//! `/mcp`: the Model Context Protocol over HTTP, for agents. `rmcp` reads and writes its messages.
//!
//! Two kinds of clients come:
//!
//! | protocol | sessions |
//! |---|---|
//! | up to 2025-11-25 | the answer to `initialize` has an `Mcp-Session-Id`, which later requests have too. It is the id of a session of this server, minted for the caller as those of `/json/version`: the session is opened when a tool first needs it, has the options of the URL, and ends with DELETE, or as any session that nobody uses |
//! | from 2026-07-28 | none. A tool opens a session, and later calls name it |
//!
//! Nothing is kept between requests but the session itself, and what its agent last saw of it (`session/agent_view.rs`).
//! The caller, the `Host` and the `Origin` were checked before, as for every request.

mod agent;
mod arguments;
mod core_tools;
mod human;
mod kept;
mod logs;
mod more_arguments;
mod more_tools;
mod result;
mod server;
mod tools;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    routing,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use serde::Deserialize;

use self::server::{McpServer, of_query};
use super::{
    Api,
    reply::{Answer, Problem, nothing},
    request::{By, SmallBody},
};
use crate::session::manager::{ServiceError, SessionManager};

/// The header with the id of the session.
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The session of a request, which is the caller's.
#[derive(Clone, Debug)]
struct McpSession(String);

type Service = StreamableHttpService<McpServer, NeverSessionManager>;

/// The routes of this endpoint.
pub(super) fn routes(manager: &SessionManager) -> Router<Api> {
    let server = McpServer { manager: manager.clone() };
    let mut config = StreamableHttpServerConfig::default();
    // Sessions are made here. Hosts and origins were checked by the guard, which knows those of the operator.
    config = config.with_legacy_session_mode(false).with_json_response(true).disable_allowed_hosts();
    config = config.with_max_request_body_bytes(SmallBody::MOST);
    let service = Service::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config);
    let post = async move |State(manager), by, request| Box::pin(post(service, manager, by, request)).await;
    Router::new().route("/mcp", routing::post(post).delete(delete))
}

async fn post(service: Service, manager: SessionManager, By(caller): By, request: Request) -> Result<Answer, Problem> {
    #[derive(Deserialize)]
    struct Begin<'a> {
        method: Option<&'a str>,
    }

    let (mut parts, body) = request.into_parts();
    let (_, wish) = of_query(parts.uri.query().unwrap_or_default())?;
    if let Some(session) = session_of(&parts.headers)? {
        manager.knows_agent(&caller, &session).await?;
        parts.extensions.insert(McpSession(session));
    }
    let SmallBody(body) = SmallBody::read(body).await?;
    // What is no message is answered by the service.
    let begin = serde_json::from_slice(&body).unwrap_or(Begin { method: None });
    let is_new = begin.method == Some("initialize");
    let request = Request::from_parts(parts, Body::from(body));
    let mut answer = service.handle(request).await.map(Body::new);
    if is_new && answer.status() == StatusCode::OK {
        let id = manager.agent_id(&caller, &wish).await?;
        // Ids are plain words.
        if let Ok(id) = HeaderValue::try_from(id) {
            answer.headers_mut().insert(SESSION, id);
        }
    }
    Ok(answer)
}

/// Ends the session.
async fn delete(State(manager): State<SessionManager>, By(caller): By, headers: HeaderMap) -> Result<Answer, Problem> {
    let session = session_of(&headers)?.ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "no-session", "name the session that is to end in Mcp-Session-Id")
    })?;
    manager.knows_agent(&caller, &session).await?;
    manager.end_agent(&caller, &session).await?;
    Ok(nothing())
}

/// The session that a request names.
fn session_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let named = headers.get(SESSION).map(|id| id.to_str().map(str::to_owned));
    named.transpose().map_err(|_| ServiceError::NoSession { id: String::new(), ended: None }.into())
}
