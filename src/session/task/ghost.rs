//! The commands and events of the `ghost` domain, with which clients manage sessions.

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
        pages::PageError,
        persistence::{HibernateGuard, PersistenceError},
    },
    snapshot::repository::RepositoryError,
    store::{ProfileLease, StoreError},
    virtual_browser::ViewId,
};

/// The operations on all sessions of the process, for the clients of one.
pub trait SessionService: Send + Sync {
    /// Performs a client's command and returns its result. `from` is the session of the client: the default if the command
    /// names none.
    fn ask(&self, caller: Caller, from: Arc<str>, request: Request)
    -> BoxFuture<'static, Result<String, ServiceError>>;

    /// Saves a parked session under its id, so that it can be hibernated.
    fn hibernate(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
    ) -> BoxFuture<'static, Result<HibernateGuard, PersistenceError>>;

    /// Saves a running session, so that it can be restored if its browser is lost.
    fn autosave(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
    ) -> BoxFuture<'static, Result<(), PersistenceError>>;

    /// Saves a session as its profile, if its owner has fewer than `most` snapshots, and the lease is still in force.
    fn save_profile(
        &self,
        session_info: Arc<SessionInfo>,
        place: ContextHandle,
        most: Option<u64>,
        lease: Option<Arc<ProfileLease>>,
    ) -> BoxFuture<'static, Result<(), PersistenceError>>;
}

impl SessionTask {
    /// A client's command. A command on this session is performed here, so that its reply is sent before its effect on the
    /// client's socket.
    pub(super) fn on_ghost(&mut self, tag: Tag, view: ViewId, request: Request) {
        let caller = self.views.sockets().find(|other| other.id == view).map(|view| view.caller.clone());
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

    /// Replies to a command that the service has performed for a client.
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

    /// Sends `ghost.sessionUpdated` to the clients that enabled the domain.
    pub(super) fn tell_of_change(&mut self) {
        for view in self.listeners() {
            let Some(socket) = self.views.sockets().find(|socket| socket.id == view) else { continue };
            let session = self.record.session_info().show(&socket.caller);
            self.session.tell_ghost(view, SessionUpdated::NAME, &SessionUpdated { session }.params());
        }
        self.perform();
    }

    /// Sends `ghost.clientAttached` to the other clients.
    pub(super) fn tell_of_arrival(&mut self, client: api_types::Client) {
        self.tell_others(client.id, &ClientAttached { client });
    }

    /// Sends `ghost.clientDetached` to the other clients.
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

    /// Sends `ghost.browserLost` to the clients that enabled the domain. If the session was saved, adds that to the reason.
    pub(super) fn tell_of_loss(&mut self, why: &mut Arc<str>) {
        let saved_ago = self.saved_ago();
        if let Some(ago) = saved_ago {
            *why = format!("{why}; connect again to restore the session as it was {} s ago", ago.as_secs()).into();
        }
        let lost = BrowserLost { reason: why.to_string(), saved_ago: saved_ago.map(Millis) };
        self.tell_all(BrowserLost::NAME, &lost.params());
    }

    /// Sends an event of the domain to the clients that enabled it.
    pub(super) fn tell_all(&mut self, name: &str, params: &str) {
        self.tell_each(name, params);
        self.perform();
    }

    /// The same, while actions are being performed: it is sent after them.
    pub(super) fn tell_each(&mut self, name: &str, params: &str) {
        for view in self.listeners() {
            self.session.tell_ghost(view, name, params);
        }
    }

    fn listeners(&self) -> Vec<ViewId> {
        if !self.session.ghost_is_on() {
            return Vec::new();
        }
        self.views.sockets().filter(|view| view.leaving.is_none()).map(|view| view.id).collect()
    }
}

/// A service error as the CDP error of a command: invalid parameters, or a server error.
fn as_cdp(error: &ServiceError) -> CdpError {
    let message = error.to_string();
    let cause = match error {
        ServiceError::Step { error, .. } => error,
        error => error,
    };
    match cause {
        ServiceError::Bad(_)
        | ServiceError::Page(PageError::Bad(_) | PageError::Selector { .. } | PageError::Url { .. })
        | ServiceError::Together(_)
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
    fn only_param_errors_have_the_invalid_params_code() {
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
