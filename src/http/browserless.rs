//! The answers of browserless at `/sessions`, `/pressure` and `/kill/{id}`, for tools that know that interface.

mod load;

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Peer,
    answers::{Any, OfSession},
    reply::{Answer, Problem, compact, nothing},
    request::{By, Id, Query},
};
use crate::{
    api_types::{Session, SessionState, Wanted},
    close_reason::CloseReason,
    session::manager::SessionManager,
};

/// A session in the shape of browserless.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    browser: String,
    browser_id: String,
    id: String,
    #[serde(rename = "initialConnectURL")]
    initial_connect_url: String,
    #[serde(rename = "killURL")]
    kill_url: String,
    launch_options: Map<String, Value>,
    numb_connected: u32,
    route_path: &'static str,
    started_on: u64,
    time_alive_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_id: Option<String>,
    user_data_dir: Option<String>,
}

/// Lists the sessions of this owner in the shape of browserless; `trackingId` is their name.
#[utoipa::path(
    get, path = "/sessions", tag = "browserless",
    params(("trackingId" = Option<String>, Query, description = "Only sessions with this name.")),
    responses(
        (status = 200, description = "All running sessions.", body = ref("#/components/schemas/BrowserlessSessions")),
        Any
    )
)]
pub(super) async fn sessions(
    State(registry): State<SessionManager>,
    By(caller): By,
    Query(query): Query,
) -> Result<Answer, Problem> {
    let name = query.into_iter().find(|(name, _)| name == "trackingId").map(|(_, value)| value);
    let mut wanted = Wanted { name, limit: Some(1000), ..Wanted::default() };
    let mut all = Vec::new();
    loop {
        let page = registry.list(&caller, &wanted).await?;
        let runs = |session: &Session| matches!(session.state, SessionState::Active | SessionState::Parked);
        all.extend(page.sessions.into_iter().filter(runs));
        match page.next {
            Some(next) => wanted.cursor = Some(next),
            None => break,
        }
    }
    let now = now();
    let told: Vec<Told> = all.into_iter().map(|session| told(&registry, session, now)).collect();
    Ok(compact(StatusCode::OK, &told))
}

fn told(registry: &SessionManager, session: Session, now: u64) -> Told {
    let url = session.web_socket_debugger_url;
    let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let browsers = registry.pool().browsers();
    let browser = browsers.iter().find(|browser| Some(browser.id().0) == session.browser);
    Told {
        browser: browser.map(|browser| browser.identity().product.clone()).unwrap_or_default(),
        browser_id: session.browser.map(|number| number.to_string()).unwrap_or_default(),
        kill_url: format!("http://{host}/kill/{}", session.id),
        initial_connect_url: url,
        id: session.id,
        launch_options: Map::new(),
        numb_connected: session.clients,
        route_path: "/",
        started_on: session.created_at,
        time_alive_ms: now.saturating_sub(session.created_at),
        tracking_id: session.name,
        user_data_dir: None,
    }
}

/// The load of this server. `maxConcurrent` 0 means no limit.
#[utoipa::path(
    get, path = "/pressure", tag = "browserless",
    responses(
        (status = 200, description = "The current figures.", body = ref("#/components/schemas/BrowserlessPressure")),
        Any
    )
)]
pub(super) async fn pressure(State(registry): State<SessionManager>) -> Answer {
    let pressure = registry.pressure();
    let (reason, message) =
        if pressure.is_available { ("", "") } else { ("full", "every place is taken: new clients wait in the queue") };
    let told = json!({ "pressure": {
        "cpu": load::cpu(),
        "date": now(),
        "isAvailable": pressure.is_available,
        "maxConcurrent": pressure.most.unwrap_or(0),
        "maxQueued": pressure.queue,
        "memory": load::memory(),
        "message": message,
        "queued": pressure.queued,
        "reason": reason,
        "recentlyRejected": pressure.recently_rejected,
        "running": pressure.active + pressure.parked,
        // Members of ghostmux: the sessions without a client, and how long the first client in the queue has waited.
        "parked": pressure.parked,
        "maxWait": u64::try_from(pressure.longest_wait.as_millis()).unwrap_or(u64::MAX),
    } });
    compact(StatusCode::OK, &told)
}

/// Ends a session. A GET that changes something is accepted only from this machine, and never from a browser.
#[utoipa::path(
    get, path = "/kill/{id}", tag = "browserless",
    params(("id" = String, Path, description = "Which.")),
    responses((status = 204, description = "The session has ended."), OfSession, Any)
)]
pub(super) async fn kill(
    State(registry): State<SessionManager>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    By(caller): By,
    Id(id): Id,
) -> Result<Answer, Problem> {
    if !peer.ip().to_canonical().is_loopback() || headers.contains_key("sec-fetch-site") {
        let detail = "only a program on this machine can end a session by GET; use DELETE /v1/sessions/{id}";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not-by-get", detail));
    }
    registry.close(&caller, &id, CloseReason::Killed).await?;
    Ok(nothing())
}

/// Milliseconds since the epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
