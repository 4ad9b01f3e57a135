//! The commands of the `ghost` domain on a client's root, and the roots that receive its events. The session's task and
//! the session manager perform the commands.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{Action, Pending, ViewId, VirtualBrowser, scope::MOST_LISTENERS};
use crate::{
    api_types::{
        self, Bad, Deadline, EXPIRING_NOTICE, Event as _, Millis, Request, SessionExpiring,
        operations::{Disable, Enable},
    },
    cdp::{error::CdpError, ids::CdpSessionId, message::Command},
};

/// The roots on which the domain is enabled.
#[derive(Debug, Default)]
pub(super) struct Listeners(HashMap<CdpSessionId, Listener>);

#[derive(Debug)]
struct Listener {
    /// How long before a deadline it gets `ghost.sessionExpiring`.
    notice: Duration,
    /// The deadline in its last `ghost.sessionExpiring`.
    told: Option<(Instant, Deadline)>,
}

impl Listener {
    /// When it gets the event for this deadline; `None` if it got it.
    fn at(&self, end: (Instant, Deadline)) -> Option<Instant> {
        (self.told != Some(end)).then(|| end.0.checked_sub(self.notice).unwrap_or(end.0))
    }
}

impl Listeners {
    /// Whether no more roots may enable the domain.
    fn is_full(&self, on: &CdpSessionId) -> bool {
        self.0.len() >= MOST_LISTENERS && !self.0.contains_key(on)
    }

    pub(super) fn forget(&mut self, on: &CdpSessionId) {
        self.0.remove(on);
    }
}

impl VirtualBrowser {
    /// `ghost.enable`.
    pub(super) fn enable_ghost(&mut self, on: &CdpSessionId, command: &Command) {
        if self.listeners.is_full(on) {
            return self.refuse_listener(on, command.id(), command.method());
        }
        let done = api_types::read(command.params()).map(|Enable { expiring_notice }| {
            let notice = expiring_notice.map_or(EXPIRING_NOTICE, |Millis(notice)| notice);
            self.listeners.0.insert(on.clone(), Listener { notice, told: None });
        });
        self.reply_to_ghost(on, command, done);
    }

    /// `ghost.disable`.
    pub(super) fn disable_ghost(&mut self, on: &CdpSessionId, command: &Command) {
        let done = api_types::read::<Disable>(command.params()).map(|_| self.listeners.forget(on));
        self.reply_to_ghost(on, command, done);
    }

    /// A command that the session's task performs.
    pub(super) fn ask_ghost(&mut self, on: &CdpSessionId, command: &Command) {
        let (id, method) = (command.id(), command.method());
        let Some(view) = self.scope.sessions.view(on) else { return };
        match method.strip_prefix("ghost.").and_then(|name| Request::read(name, command.params())) {
            Some(Ok(request)) => {
                let tag = self.expect(Pending::Forward(on.clone(), id));
                self.actions.push(Action::Ghost(tag, view, Box::new(request)));
            }
            Some(Err(bad)) => self.scope.fail(on, id, &(&bad).into()),
            None => self.scope.fail(on, id, &CdpError::no_method(method)),
        }
    }

    fn reply_to_ghost(&mut self, on: &CdpSessionId, command: &Command, done: Result<(), Bad>) {
        match done {
            Ok(()) => self.scope.reply(on, command.id(), "{}"),
            Err(bad) => self.scope.fail(on, command.id(), &(&bad).into()),
        }
    }

    /// Whether any root has enabled the domain.
    pub fn ghost_is_on(&self) -> bool {
        !self.listeners.0.is_empty()
    }

    /// Sends an event of the domain, named without `ghost.`, on the roots of a view that have enabled it.
    pub fn tell_ghost(&mut self, view: ViewId, name: &str, params: &str) {
        let method = format!("ghost.{name}");
        for on in self.listeners.0.keys() {
            if self.scope.sessions.view(on) == Some(view) {
                self.scope.event(on, &method, params);
            }
        }
    }

    /// When to call [`VirtualBrowser::on_ghost_time`], if this is the next deadline of the session.
    pub fn next_ghost_notice(&self, end: Option<(Instant, Deadline)>) -> Option<Instant> {
        let end = end?;
        self.listeners.0.values().filter_map(|listener| listener.at(end)).min()
    }

    /// Sends `ghost.sessionExpiring` to the roots whose notice time has come, once for each deadline.
    pub fn on_ghost_time(&mut self, now: Instant, end: Option<(Instant, Deadline)>) {
        let Some(end) = end else { return };
        for (on, listener) in &mut self.listeners.0 {
            if listener.at(end).is_some_and(|at| at <= now) {
                listener.told = Some(end);
                let remaining = Millis(end.0.saturating_duration_since(now));
                let expiring = SessionExpiring { deadline: end.1, remaining };
                self.scope.event(on, "ghost.sessionExpiring", &expiring.params());
            }
        }
    }
}
