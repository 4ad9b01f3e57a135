//! The `ghost` domain: what clients ask about sessions, and what they are told.

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{Caller, SessionInfo, SessionTask, jobs::Done};
use crate::{
    api_types::{
        self, BrowserLost, ClientAttached, ClientDetached, Event, Millis, Reply, Request, SessionUpdated, Usage,
        operations::{CloseSession, GetSession, GetUsage, Operation, Park, SessionRequest, UpdateSession},
    },
    browser::ContextHandle,
    cdp::error::CdpError,
    close_reason::CloseReason,
    port::Tag,
    session::{
        error::ServiceError,
        persistence::{HibernateGuard, PersistenceError},
    },
    snapshot::repository::RepositoryError,
    store::StoreError,
    virtual_browser::ViewId,
};

/// The other sessions of the process, as far as the clients of one may ask about them.
pub trait SessionService: Send + Sync {
    /// Does what a client asked; the result is that of the command. `from` is the session whose client that is, and the
    /// one that is meant where none is named.
    fn ask(&self, caller: Caller, from: Arc<str>, request: Request)
    -> BoxFuture<'static, Result<String, ServiceError>>;

    /// Saves a parked session under its id, so that it can end and be restored.
    fn hibernate(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
    ) -> BoxFuture<'static, Result<HibernateGuard, PersistenceError>>;

    /// Saves a session that goes on, so that it can be restored when its browser dies.
    fn autosave(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
    ) -> BoxFuture<'static, Result<(), PersistenceError>>;
}

impl SessionTask {
    /// A client's command. Of this session it is done here: its answer goes before what it does to the client's socket.
    pub(super) fn on_ghost(&mut self, tag: Tag, view: ViewId, request: Request) {
        let caller = self.views.iter().find(|other| other.id == view).map(|view| view.caller.clone());
        let Some(caller) = caller else { return };
        let id = self.record.id().clone();
        let own = |named: &Option<String>| named.as_deref().is_none_or(|named| *named == *id);
        match request {
            Request::Session(SessionRequest::GetSession(GetSession { id: named })) if own(&named) => {
                let session = self.record.session_info().show_with_clients(&caller);
                self.answer_ghost(tag, Ok(Reply::of::<GetSession>(&session).into_result()));
            }
            Request::Session(SessionRequest::UpdateSession(update)) if own(&update.id) => {
                match self.update(update.divide().1) {
                    Ok(()) => self.answer_session::<UpdateSession>(tag, &caller),
                    Err(bad) => self.answer_ghost(tag, Err((&bad).into())),
                }
            }
            Request::Session(SessionRequest::CloseSession(CloseSession { id: named })) if own(&named) => {
                self.answer_ghost(tag, Ok(Reply::of::<CloseSession>(&api_types::Nothing {}).into_result()));
                self.over = Some(CloseReason::ClosedByClient("ghost.closeSession"));
            }
            Request::Session(SessionRequest::Park(Park { id: named, keep_alive })) if own(&named) => {
                match self.may_park(keep_alive) {
                    Ok(()) => {
                        self.answer_session::<Park>(tag, &caller);
                        self.park_now();
                    }
                    Err(bad) => self.answer_ghost(tag, Err((&bad).into())),
                }
            }
            Request::Session(SessionRequest::GetUsage(GetUsage { id: named })) if own(&named) => {
                let usage = self.usage();
                self.jobs.push(usage.map(move |usage| Done::Used(tag, Box::new(usage))).boxed());
            }
            request => {
                let answer = self.sessions.ask(caller, id, request);
                self.jobs.push(answer.map(move |answer| Done::Asked(tag, answer)).boxed());
            }
        }
    }

    /// Answers a command that the service ran for a client.
    pub(super) fn answer_asked(&mut self, tag: Tag, answer: Result<String, ServiceError>) {
        self.answer_ghost(tag, answer.map_err(|error| as_cdp(&error)));
    }

    fn answer_session<O: Operation<Output = api_types::Session>>(&mut self, tag: Tag, caller: &Caller) {
        let answer = Reply::of::<O>(&self.record.session_info().show(caller));
        self.answer_ghost(tag, Ok(answer.into_result()));
    }

    pub(super) fn answer_usage(&mut self, tag: Tag, usage: &Usage) {
        self.answer_ghost(tag, Ok(Reply::of::<GetUsage>(usage).into_result()));
    }

    /// `ghost.sessionUpdated`, to whoever listens.
    pub(super) fn tell_of_change(&mut self) {
        for view in self.listeners() {
            let Some(at) = self.views.iter().position(|other| other.id == view) else { continue };
            let session = self.record.session_info().show(&self.views[at].caller);
            self.session.tell_ghost(view, SessionUpdated::NAME, &SessionUpdated { session }.params());
        }
        self.perform();
    }

    /// `ghost.clientAttached`, to the others.
    pub(super) fn tell_of_arrival(&mut self, client: api_types::Client) {
        self.tell_others(client.id, &ClientAttached { client });
    }

    /// `ghost.clientDetached`, to the others.
    pub(super) fn tell_of_departure(&mut self, client: api_types::Client, reason: Option<&CloseReason>) {
        self.tell_others(client.id, &ClientDetached { client, reason: reason.map(ToString::to_string) });
    }

    fn tell_others<E: Event>(&mut self, client: u64, event: &E) {
        let params = event.params();
        for view in self.listeners().into_iter().filter(|view| view.0 != client) {
            self.session.tell_ghost(view, E::NAME, &params);
        }
        self.perform();
    }

    /// `ghost.browserLost`, to whoever listens. If the session was saved, the reason says so from here on.
    pub(super) fn tell_of_loss(&mut self, why: &mut Arc<str>) {
        let saved_ago = self.saved_ago();
        if let Some(ago) = saved_ago {
            *why = format!("{why}; connect again, and the session is as it was {} s ago", ago.as_secs()).into();
        }
        let lost = BrowserLost { reason: why.to_string(), saved_ago: saved_ago.map(Millis) };
        self.tell_all(BrowserLost::NAME, &lost.params());
    }

    /// An event of the domain, to whoever listens.
    pub(super) fn tell_all(&mut self, name: &str, params: &str) {
        for view in self.listeners() {
            self.session.tell_ghost(view, name, params);
        }
        self.perform();
    }

    fn listeners(&self) -> Vec<ViewId> {
        if !self.session.ghost_is_on() {
            return Vec::new();
        }
        self.views.iter().filter(|view| view.leaving.is_none()).map(|view| view.id).collect()
    }
}

/// A service error as the answer to a command of the domain: invalid parameters, or a server error.
fn as_cdp(error: &ServiceError) -> CdpError {
    let message = error.to_string();
    match error {
        ServiceError::Bad(_)
        | ServiceError::Snapshot(
            RepositoryError::Import(_)
            | RepositoryError::Base64(_)
            | RepositoryError::Store(StoreError::Invalid { .. } | StoreError::BadOwner(_) | StoreError::BadSnapshotId(_)),
        ) => CdpError::params(message),
        _ => CdpError::server(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::Bad;

    #[test]
    fn only_errors_of_the_params_have_the_code_for_invalid_params() {
        let not_base64 = data_encoding::BASE64.decode(b"!").expect_err("it is not base64");
        let no_id = "x".parse::<crate::store::SnapshotId>().expect_err("it is no id");
        let of_params: [ServiceError; 4] = [
            Bad::new("timeout", "is negative").into(),
            StoreError::Invalid { what: "name", problem: "is too long".to_owned() }.into(),
            StoreError::from(no_id).into(),
            RepositoryError::Base64(not_base64).into(),
        ];
        for error in of_params {
            assert_eq!(as_cdp(&error), CdpError { code: -32602, message: error.to_string().into(), data: None });
        }
        let others: [ServiceError; 4] = [
            ServiceError::Asleep("x".to_owned()),
            ServiceError::NoSnapshot("x".to_owned()),
            StoreError::Abandoned.into(),
            RepositoryError::NoMemory { most: 1 }.into(),
        ];
        for error in others {
            assert_eq!(as_cdp(&error), CdpError { code: -32000, message: error.to_string().into(), data: None });
        }
    }
}
