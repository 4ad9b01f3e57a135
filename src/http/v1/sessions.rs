//! Sessions as resources.

use axum::{extract::State, http::StatusCode};
use serde_json::json;

use super::{
    super::{
        answers::{Any, OfBeginning, OfBody, OfSession},
        reply::{Answer, Problem, compact, created, nothing},
        request::{Body, By, Id, Query},
    },
    filters,
};
use crate::{
    api_types::{Ask, Bad, Wanted},
    close_reason::CloseReason,
    session::manager::SessionManager,
};

/// Creates a session. It is parked until a client connects to its `webSocketDebuggerUrl`.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "sessions", operation_id = "createSession",
    request_body(content = ref("#/components/schemas/NewSession"), content_type = "application/json"),
    responses(
        (status = 201, description = "The session.", body = ref("#/components/schemas/Session"), headers(
            ("Location" = String, description = "Its path.")
        )),
        OfBody, Any, OfBeginning
    )
)]
pub(super) async fn create(
    State(registry): State<SessionManager>,
    By(caller): By,
    body: Body,
) -> Result<Answer, Problem> {
    let Ask::Create(id, options, begins) = asked("createSession", &body.or_empty())? else { return Err(odd()) };
    let session = registry.create(&caller, id, options, begins).await?;
    Ok(created(&format!("/v1/sessions/{}", session.id), &session))
}

/// Lists the sessions of this owner, oldest first, one page at a time.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "sessions", operation_id = "listSessions",
    params(Wanted),
    responses(
        (status = 200, description = "A page of sessions.", body = ref("#/components/schemas/Sessions")),
        (status = 400, description = "A filter is invalid; the detail names it.", body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"),
        Any
    )
)]
pub(super) async fn list(
    State(registry): State<SessionManager>,
    By(caller): By,
    Query(query): Query,
) -> Result<Answer, Problem> {
    let Ask::List(wanted) = asked("listSessions", &filters(query)?.to_string())? else { return Err(odd()) };
    Ok(compact(StatusCode::OK, &registry.list(&caller, &wanted).await?))
}

/// Shows one session.
#[utoipa::path(
    get, path = "/v1/sessions/{id}", tag = "sessions", operation_id = "getSession",
    params(("id" = String, Path, description = "Which.")),
    responses(
        (status = 200, description = "The session.", body = ref("#/components/schemas/Session")),
        OfSession, Any
    )
)]
pub(super) async fn get(State(registry): State<SessionManager>, By(caller): By, Id(id): Id) -> Result<Answer, Problem> {
    Ok(compact(StatusCode::OK, &registry.get(&caller, &id).await?))
}

/// Changes the given members of a live session; a changed deadline counts from the same moment as before.
#[utoipa::path(
    patch, path = "/v1/sessions/{id}", tag = "sessions", operation_id = "updateSession",
    params(("id" = String, Path, description = "Which.")),
    request_body(content = ref("#/components/schemas/Changes"), content_type = "application/json"),
    responses(
        (status = 200, description = "The session after the change.", body = ref("#/components/schemas/Session")),
        OfSession, OfBody, Any
    )
)]
pub(super) async fn update(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
    body: Body,
) -> Result<Answer, Problem> {
    let Ask::Update(None, options) = asked("updateSession", &body.required()?)? else { return Err(id_in_body()) };
    Ok(compact(StatusCode::OK, &registry.update(&caller, &id, options).await?))
}

/// Ends a session with all its pages. Its clients are disconnected with close code 1000.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", tag = "sessions", operation_id = "closeSession",
    params(("id" = String, Path, description = "Which.")),
    responses((status = 204, description = "The session has ended."), OfSession, Any)
)]
pub(super) async fn close(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
) -> Result<Answer, Problem> {
    registry.close(&caller, &id, CloseReason::Bye("ended by DELETE")).await?;
    Ok(nothing())
}

/// Parks a session: its clients are disconnected with close code 1000 and the URL to reconnect to as the reason. Its
/// pages run on for `keepAlive`.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/park", tag = "sessions", operation_id = "park",
    params(("id" = String, Path, description = "Which.")),
    request_body(content = ref("#/components/schemas/Parking"), content_type = "application/json"),
    responses(
        (status = 200, description = "The session.", body = ref("#/components/schemas/Session")),
        OfSession, OfBody, Any
    )
)]
pub(super) async fn park(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
    body: Body,
) -> Result<Answer, Problem> {
    let Ask::Park(None, keep_alive) = asked("park", &body.or_empty())? else { return Err(id_in_body()) };
    Ok(compact(StatusCode::OK, &registry.park(&caller, &id, keep_alive).await?))
}

/// Lists the pages of a session.
#[utoipa::path(
    get, path = "/v1/sessions/{id}/pages", tag = "sessions", operation_id = "getPages",
    params(("id" = String, Path, description = "Which.")),
    responses(
        (status = 200, description = "Its open pages.", body = ref("#/components/schemas/Pages")),
        OfSession, Any
    )
)]
pub(super) async fn pages(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
) -> Result<Answer, Problem> {
    Ok(compact(StatusCode::OK, &json!({ "pages": registry.pages(&caller, &id).await? })))
}

/// Shows the usage of a session.
#[utoipa::path(
    get, path = "/v1/sessions/{id}/usage", tag = "sessions", operation_id = "getUsage",
    params(("id" = String, Path, description = "Which.")),
    responses(
        (status = 200, description = "Its usage since it started.", body = ref("#/components/schemas/Usage")),
        OfSession, Any
    )
)]
pub(super) async fn usage(
    State(registry): State<SessionManager>,
    By(caller): By,
    Id(id): Id,
) -> Result<Answer, Problem> {
    Ok(compact(StatusCode::OK, &registry.usage(&caller, &id).await?))
}

/// Reads the params of the domain's command.
pub(super) fn asked(command: &str, params: &str) -> Result<Ask, Problem> {
    Ok(Ask::read(command, params).ok_or_else(odd)??)
}

pub(super) fn odd() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "command", "the ghost domain has no such command")
}

pub(super) fn id_in_body() -> Problem {
    Problem::from(Bad::new("id", "the path names the session; leave id out of the body"))
}
