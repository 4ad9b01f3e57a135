//! What every request passes on its way to its handler, in the order of [`Endpoints`](super::Endpoints).

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
};

use super::{Answer, Ends, Guard, Shows, request::By, shows, upgrade};
use crate::{
    session::manager::{Caller, SessionManager},
    tenant::{Access, Tenants},
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

/// Refuses the requests of pages and those for another host.
pub(super) async fn check(
    State(guard): State<Arc<Guard>>,
    Extension(ends): Extension<Ends>,
    request: Request,
    next: Next,
) -> Answer {
    let is_upgrade = upgrade::is_upgrade(&request);
    let path = request.uri().path();
    let shows = if is_upgrade { Shows::Sessions } else { shows(path) };
    match guard.check(&request, ends, shows, is_upgrade) {
        Ok(()) => next.run(request).await,
        Err(refused) => {
            tracing::debug!(path, ?refused, "refused");
            refused.answer()
        }
    }
}

/// Determines the caller; handlers get it by [`By`].
pub(super) async fn identify(State(tenants): State<Tenants>, mut request: Request, next: Next) -> Answer {
    let caller = caller(&tenants, request.headers());
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The caller of a request, by its headers.
fn caller(tenants: &Tenants, headers: &HeaderMap) -> Caller {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let tenant = tenants.all().swap_remove(0);
    Caller { tenant, access: Access::default(), host: host.unwrap_or("localhost").into() }
}

/// Opens WebSockets, which have paths of their own; other requests go on to the routes.
pub(super) async fn open_websocket(
    State(registry): State<SessionManager>,
    By(caller): By,
    request: Request,
    next: Next,
) -> Answer {
    if upgrade::is_upgrade(&request) {
        upgrade::answer(&registry, request, &caller).await
    } else {
        next.run(request).await
    }
}
