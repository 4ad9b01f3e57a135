//! The endpoints of browserless, for tools that know that interface: here `/sessions`, `/pressure` and `/kill/{id}`, and in
//! `quick` the quick actions, and in `function` those that run code.

mod about;
mod bodies;
mod elsewhere;
mod function;
mod in_page;
mod plan;
mod quick;
mod run;
mod settings;
mod wish;

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Api, Ends,
    promises::Documented,
    reply::{Answer, Problem, compact, nothing},
    request::{By, Id, Query},
};
use crate::{
    api_types::{
        Nothing, Schemas, Session, SessionState,
        operations::{Errors, ListSessions, PAGE_MOST, Rest, RestAnswer, RestInput, Verb},
    },
    session::manager::{Caller, Scheme, SessionManager},
};

pub(super) use self::{about::ENDPOINTS as ABOUT, function::ENDPOINTS as FUNCTIONS, quick::ENDPOINTS as QUICK};

/// The endpoints, as the document shows them.
pub(super) const ENDPOINTS: [Documented; 3] = [
    Documented {
        name: "sessions",
        rest: Rest { path: "/sessions", input: RestInput::Query, says: "All running sessions.", ..A_GET },
        input: Schemas::input::<BySessions>,
        output: Schemas::output::<BrowserlessSessions>,
    },
    Documented {
        name: "pressure",
        rest: Rest { path: "/pressure", says: "The current figures.", ..A_GET },
        input: Schemas::input::<ByPressure>,
        output: Schemas::output::<BrowserlessPressure>,
    },
    Documented {
        name: "kill",
        rest: Rest {
            path: "/kill/{id}",
            id: Some("id"),
            answer: RestAnswer::Nothing,
            says: "The session has ended.",
            errors: &[Errors::Session],
            ..A_GET
        },
        input: Schemas::input::<ByKill>,
        output: Schemas::output::<Nothing>,
    },
];

const A_GET: Rest = Rest {
    verb: Verb::Get,
    path: "",
    id: None,
    second: None,
    input: RestInput::Path,
    answer: RestAnswer::Output,
    says: "",
    tag: "browserless",
    errors: &[],
};

/// The routes of these endpoints.
pub(super) fn routes() -> Router<Api> {
    let (bodies, totals) = (bodies::Bodies::default(), about::Totals::default());
    Router::new()
        .route("/sessions", routing::get(sessions))
        .route("/pressure", routing::get(pressure))
        .route("/kill/{id}", routing::get(kill))
        .merge(quick::routes(&bodies, &totals))
        .merge(function::routes(&bodies, &totals))
        .merge(about::routes(&totals))
        .merge(elsewhere::routes())
}

/// Lists the sessions of this owner in the shape of browserless; `trackingId` is their name.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes the query")]
struct BySessions {
    /// Only sessions with this name.
    tracking_id: Option<String>,
}

/// The load of this server. `maxConcurrent` 0 means no limit.
#[derive(JsonSchema)]
struct ByPressure {}

/// Ends a session. A GET that changes something is accepted only from this machine, and never from a browser.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes the path")]
struct ByKill {
    /// The session.
    id: String,
}

/// The running sessions.
#[derive(Serialize, JsonSchema)]
struct BrowserlessSessions(Vec<Told>);

/// A session in the shape of browserless.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
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
    #[schemars(with = "u32")]
    started_on: u64,
    #[schemars(with = "u32")]
    time_alive_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_id: Option<String>,
    user_data_dir: Option<String>,
}

/// The load of the server.
#[derive(Serialize, JsonSchema)]
struct BrowserlessPressure {
    pressure: Figures,
}

/// The figures of browserless, and two further ones of ghostmux.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct Figures {
    cpu: Option<u32>,
    #[schemars(with = "u32")]
    date: u64,
    is_available: bool,
    max_concurrent: u32,
    #[schemars(with = "u32")]
    max_queued: usize,
    memory: Option<u32>,
    message: &'static str,
    #[schemars(with = "u32")]
    queued: usize,
    reason: &'static str,
    #[schemars(with = "u32")]
    recently_rejected: usize,
    #[schemars(with = "u32")]
    running: usize,
    /// Sessions without a client.
    #[schemars(with = "u32")]
    parked: usize,
    /// How long the first client in the queue has waited, in milliseconds.
    #[schemars(with = "u32")]
    max_wait: u64,
}

async fn sessions(
    State(registry): State<SessionManager>,
    By(caller): By,
    Query(query): Query,
) -> Result<Answer, Problem> {
    let name = query.into_iter().find(|(name, _)| name == "trackingId").map(|(_, value)| value);
    let mut wanted = ListSessions { name, limit: Some(PAGE_MOST), ..ListSessions::default() };
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
    let told = BrowserlessSessions(all.into_iter().map(|session| told(&registry, &caller, session, now)).collect());
    Ok(compact(StatusCode::OK, &told))
}

fn told(registry: &SessionManager, caller: &Caller, session: Session, now: u64) -> Told {
    let browsers = registry.pool().running();
    let browser = browsers.iter().find(|browser| Some(browser.id().0) == session.browser);
    Told {
        browser: browser.map(|browser| browser.identity().product.clone()).unwrap_or_default(),
        browser_id: session.browser.map(|number| number.to_string()).unwrap_or_default(),
        kill_url: caller.url_for(&session.id, Scheme::Http, &format!("/kill/{}", session.id)),
        initial_connect_url: session.web_socket_debugger_url,
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

async fn pressure(State(registry): State<SessionManager>) -> Answer {
    let (pressure, load) = (registry.pressure(), registry.pool().load());
    let (reason, message) =
        if pressure.is_available { ("", "") } else { ("full", "every place is taken: new clients wait in the queue") };
    let pressure = Figures {
        cpu: load.cpu,
        date: now(),
        is_available: pressure.is_available,
        max_concurrent: pressure.most.unwrap_or(0),
        max_queued: pressure.queue,
        memory: load.memory,
        message,
        queued: pressure.queued,
        reason,
        recently_rejected: pressure.recently_rejected,
        running: pressure.active + pressure.parked,
        parked: pressure.parked,
        max_wait: u64::try_from(pressure.longest_wait.as_millis()).unwrap_or(u64::MAX),
    };
    compact(StatusCode::OK, &BrowserlessPressure { pressure })
}

async fn kill(
    State(registry): State<SessionManager>,
    Extension(ends): Extension<Ends>,
    headers: HeaderMap,
    By(caller): By,
    Id(id): Id,
) -> Result<Answer, Problem> {
    // A page knows no token and no key.
    let may_be_far = caller.access.token.is_some() || ends.from.ip().to_canonical().is_loopback();
    if !may_be_far || headers.contains_key("sec-fetch-site") {
        let detail = "only a program on this machine can end a session by GET; use DELETE /v1/sessions/{id}";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not-by-get", detail));
    }
    registry.kill(&caller, &id).await?;
    Ok(nothing())
}

/// Milliseconds since the epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
