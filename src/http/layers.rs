//! What every request passes on its way to its handler, in the order of [`Endpoints`](super::Endpoints).

use std::sync::Arc;

use axum::{
    Extension,
    body::{Body, HttpBody as _},
    extract::{Request, State},
    http::header::{self, HeaderValue},
    middleware::Next,
};
use futures_util::StreamExt as _;

use super::{
    Answer, CurrentGuard, Door, Ends, Shows,
    door::{Entry, unauthorized},
    forwarded::Arrival,
    shows, upgrade,
};
use crate::{
    session::manager::{Caller, SessionManager},
    tenant::{Denied, Presented},
};

/// Methods are matched in any letter case: some clients write `get`.
pub(super) async fn upper_case_method(mut request: Request, next: Next) -> Answer {
    if let Ok(method) = request.method().as_str().to_ascii_uppercase().parse() {
        *request.method_mut() = method;
    }
    next.run(request).await
}

/// Adds the reason to a refused upgrade, wherever it was refused.
pub(super) async fn explain_refused_upgrade(request: Request, next: Next) -> Answer {
    let is_upgrade = upgrade::is_upgrade(&request);
    let answer = next.run(request).await;
    if is_upgrade { upgrade::say_why(answer) } else { answer }
}

/// Finds out how a request came, and removes the prefix of the public URL from its path. The `Location` of an answer gets
/// it back.
pub(super) async fn arrive(State(guard): State<CurrentGuard>, request: Request, next: Next) -> Answer {
    let (mut parts, body) = request.into_parts();
    let arrival = match guard.get().front.arrival(&mut parts) {
        Ok(arrival) => arrival,
        Err((wrong, from)) => {
            tracing::debug!(%from, ?wrong, "refused");
            return wrong.answer(from);
        }
    };
    let prefix = arrival.prefix().to_owned();
    parts.extensions.insert(arrival);
    let mut answer = next.run(Request::from_parts(parts, body)).await;
    let location = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
    if let Some(to) = location.filter(|to| to.starts_with('/') && !prefix.is_empty())
        && let Ok(to) = HeaderValue::try_from(format!("{prefix}{to}"))
    {
        answer.headers_mut().insert(header::LOCATION, to);
    }
    answer
}

/// Refuses the requests of pages and those for another host.
pub(super) async fn check(
    State(guard): State<CurrentGuard>,
    Extension(ends): Extension<Ends>,
    request: Request,
    next: Next,
) -> Answer {
    let is_upgrade = upgrade::is_upgrade(&request);
    let path = request.uri().path();
    let shows = if is_upgrade { Shows::Sessions } else { shows(path) };
    match guard.get().check(&request, ends, shows, is_upgrade) {
        Ok(()) => next.run(request).await,
        Err(refused) => {
            tracing::debug!(path, ?refused, "refused");
            refused.answer(is_upgrade || is_path_of_chrome(path))
        }
    }
}

/// Whether Chrome's DevTools server has this path.
fn is_path_of_chrome(path: &str) -> bool {
    path == "/" || path == "/json" || path.starts_with("/json/") || path.starts_with("/devtools/")
}

/// Takes the token or the key out of the request.
pub(super) async fn take_credentials(State(door): State<Arc<Door>>, request: Request, next: Next) -> Answer {
    let (mut parts, body) = request.into_parts();
    if let Some(presented) = door.take(&mut parts) {
        parts.extensions.insert(presented);
    }
    next.run(Request::from_parts(parts, body)).await
}

/// Determines the caller; handlers get it by [`By`]. A request whose token is revoked meanwhile is not answered further.
pub(super) async fn identify(
    State(door): State<Arc<Door>>,
    Extension(ends): Extension<Ends>,
    Extension(arrival): Extension<Arrival>,
    mut request: Request,
    next: Next,
) -> Answer {
    let presented = request.extensions_mut().remove::<Presented>().unwrap_or(Presented::Nothing);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let is_upgrade = upgrade::is_upgrade(&request);
    let revoked = match door.open(&presented, request.uri().path(), is_upgrade, ends.from.ip(), || arrival.base(host)) {
        Ok(Entry::Tenant(caller)) => {
            let revoked = caller.access.token.as_ref().map(|token| token.revoked().clone());
            request.extensions_mut().insert(*caller);
            revoked
        }
        Ok(Entry::Anybody) => None,
        Err(stopped) => return stopped.answer(),
    };
    let Some(revoked) = revoked else { return next.run(request).await };
    let answer = tokio::select! {
        answer = next.run(request) => answer,
        () = revoked.cancelled() => return unauthorized(&Denied::Unknown),
    };
    // A body that is there already is sent; a stream ends.
    if answer.body().size_hint().exact().is_some() {
        return answer;
    }
    answer.map(|body| Body::from_stream(body.into_data_stream().take_until(revoked.cancelled_owned())))
}

/// Opens WebSockets, which have paths of their own; other requests go on to the routes.
pub(super) async fn open_websocket(State(registry): State<SessionManager>, request: Request, next: Next) -> Answer {
    if !upgrade::is_upgrade(&request) {
        return next.run(request).await;
    }
    // Who asks for a WebSocket always is a tenant.
    match request.extensions().get::<Caller>().cloned() {
        Some(caller) => Box::pin(upgrade::answer(&registry, request, &caller)).await,
        None => unauthorized(&Denied::Missing),
    }
}
