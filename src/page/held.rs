//! What requests have left on the CDP session of a page: routes, a password, scripts, logs. As long as there is any of it,
//! the server stays attached to the page.

use super::{
    emulation::MediaState, init_scripts::InitScripts, log::ConsoleLog, network_log::NetworkLog, routes::Routes,
};
use crate::{
    browser::{InternalEvent, PageDriver},
    config::PageLimits,
};

/// What is left on the CDP session of a page.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) media: MediaState,
    pub(super) routes: Routes,
    pub(super) scripts: InitScripts,
    pub(super) console: ConsoleLog,
    pub(super) network: NetworkLog,
}

impl Held {
    /// Whether there is none, so that the CDP session may end.
    pub(super) fn is_empty(&self) -> bool {
        self.media.is_empty()
            && self.routes.is_empty()
            && self.scripts.is_empty()
            && !self.console.is_on()
            && !self.network.is_on()
    }

    /// Handles an event of the page's CDP session that is about what is held.
    pub(super) fn on_event(&self, driver: &PageDriver, event: &InternalEvent, limits: PageLimits) {
        match event.method.split_once('.') {
            Some(("Fetch", _)) => self.routes.on_event(driver, event),
            Some(("Runtime" | "Log", _)) => self.console.on_event(driver, event, limits),
            Some(("Network", _)) => self.network.on_event(event, limits),
            _ => {}
        }
    }
}
