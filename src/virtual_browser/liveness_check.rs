//! Delays commands that end Chrome if the process of their page has gone, for example `Page.printToPDF` (*measured*).
//!
//! The proxy cannot know whether the process has just gone. So such commands are sent one at a time for each page, and
//! each only after the page has answered another command.

use std::collections::{HashMap, VecDeque};

use super::{Pending, VirtualBrowser};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, TargetId},
    },
    port::Settle,
};

/// The command that a page answers at once, if its process exists.
const ASK: &str = "Page.getLayoutMetrics";

/// The waiting commands by page. The first one of each page is in progress.
#[derive(Debug, Default)]
pub(super) struct LivenessChecks(HashMap<TargetId, VecDeque<Asked>>);

#[derive(Debug)]
struct Asked {
    on: CdpSessionId,
    id: CallId,
    method: String,
    params: String,
}

impl VirtualBrowser {
    /// Sends a command once its page has answered a check.
    pub(super) fn send_to_living(&mut self, on: &CdpSessionId, id: CallId, method: &str, params: &str) {
        let Some(page) = self.scope.sessions.get(on).map(|cdp| cdp.target.clone()) else { return };
        let asked = Asked { on: on.clone(), id, method: method.to_owned(), params: params.to_owned() };
        let commands = self.liveness_checks.0.entry(page.clone()).or_default();
        commands.push_back(asked);
        if commands.len() == 1 {
            self.ask_whether_alive(page);
        }
        self.sent(on, id);
    }

    fn ask_whether_alive(&mut self, page: TargetId) {
        let Some(first) = self.liveness_checks.0.get(&page).and_then(VecDeque::front) else { return };
        let pending = Pending::Alive(first.on.clone(), first.id, page);
        self.call(first.on.clone(), ASK, "{}".to_owned(), Settle::Plain, pending);
    }

    /// The page has answered the check: sends the command.
    pub(super) fn on_alive(&mut self, page: &TargetId) {
        let Some(Asked { on, id, method, params }) = self.liveness_checks.0.get(page).and_then(VecDeque::front) else {
            return;
        };
        let (on, id, method, params) = (on.clone(), *id, method.clone(), params.clone());
        self.call(on.clone(), &method, params, Settle::Plain, Pending::LivenessCheck(on, id, page.clone()));
    }

    /// The command was answered, or could not be sent: starts the next one. Returns false if its client got another reply
    /// meanwhile.
    pub(super) fn on_careful(&mut self, page: TargetId, on: &CdpSessionId, id: CallId) -> bool {
        let Some(commands) = self.liveness_checks.0.get_mut(&page) else { return false };
        if commands.front().is_none_or(|first| first.on != *on || first.id != id) {
            return false;
        }
        commands.pop_front();
        if commands.is_empty() {
            self.liveness_checks.0.remove(&page);
        } else {
            self.ask_whether_alive(page);
        }
        self.is_unanswered(on, id)
    }

    /// Whether the command still waits for a reply: if its CDP session has ended, it was answered then.
    pub(super) fn is_unanswered(&mut self, on: &CdpSessionId, id: CallId) -> bool {
        self.scope.sessions.get_mut(on).is_some_and(|cdp| cdp.in_flight.answered(id))
    }

    /// A page has crashed or was destroyed: its waiting commands are not sent.
    pub(super) fn forget_liveness_check(&mut self, page: &TargetId) {
        for asked in self.liveness_checks.0.remove(page).into_iter().flatten() {
            if self.is_unanswered(&asked.on, asked.id) {
                self.scope.fail(&asked.on, asked.id, &CdpError::server("Target crashed"));
            }
        }
    }
}
