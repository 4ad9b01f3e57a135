//! Commands by which Chrome ends if the process of their page has gone, `Page.printToPDF` for example (*measured*).
//!
//! Nobody can know from outside that it has not gone just now. So they go up one at a time for each page, and each only
//! when the page has answered something else: what it sent behind them is not already on its way to a page that dies.

use std::collections::{HashMap, VecDeque};

use super::{Pending, VirtualBrowser};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, TargetId},
    },
    port::Settle,
};

/// What a page answers at once, and only if it is there.
const ASK: &str = "Page.getLayoutMetrics";

/// Such commands by their page. The first of each page is under way.
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
    /// Sends a command up once its page is known to be alive.
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

    /// The page has answered.
    pub(super) fn on_alive(&mut self, page: &TargetId) {
        let Some(Asked { on, id, method, params }) = self.liveness_checks.0.get(page).and_then(VecDeque::front) else {
            return;
        };
        let (on, id, method, params) = (on.clone(), *id, method.clone(), params.clone());
        self.call(on.clone(), &method, params, Settle::Plain, Pending::LivenessCheck(on, id, page.clone()));
    }

    /// The command has been answered, or could not be sent: now the next one. False if its client has been told
    /// something else meanwhile.
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

    /// Whether this is the time to answer it: what its CDP session had in flight when it ended has been answered.
    fn is_unanswered(&mut self, on: &CdpSessionId, id: CallId) -> bool {
        self.scope.sessions.get_mut(on).is_some_and(|cdp| cdp.in_flight.answered(id))
    }

    /// A page has crashed, or is gone: what waits for it is not sent any more.
    pub(super) fn forget_liveness_check(&mut self, page: &TargetId) {
        for asked in self.liveness_checks.0.remove(page).into_iter().flatten() {
            if self.is_unanswered(&asked.on, asked.id) {
                self.scope.fail(&asked.on, asked.id, &CdpError::server("Target crashed"));
            }
        }
    }
}
