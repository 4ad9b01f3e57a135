//! Holds commands for pages whose process has ended, until they have a document again.
//!
//! A page that has crashed and then navigates gets a process with an empty document of which the browser does not know
//! enough. *Measured* (156, both Chromes): if the navigation ends without a document of its own (`Page.stopLoading`, status
//! 204, a download), a script that adds a frame to the empty document, or opens a window from it, ends the browser with
//! SIGTRAP (a check in `RenderFrameHostImpl::SetOriginDependentStateOfNewFrame`).
//!
//! Chrome itself does not answer what the process would answer until the navigation has ended. Here such commands wait
//! until a navigation has committed, which Chrome tells with `Target.targetInfoChanged`: the base is attached to every
//! target, so that attaching changes nothing in its information.

use std::collections::{HashMap, VecDeque};

use super::VirtualBrowser;
use crate::{
    api_types::capability::Capability,
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, TargetId},
        message::Command,
    },
};

/// The domains that the browser's process implements: they run no script in a page.
const OF_THE_BROWSER: [&str; 10] =
    ["Browser", "Emulation", "Fetch", "IO", "Input", "Network", "Security", "Storage", "Target", "ghost"];
/// The commands of other domains that the browser's process answers, or that a client needs to go on.
const ALWAYS_SENT: [&str; 17] = [
    "Page.bringToFront",
    "Page.captureScreenshot",
    "Page.close",
    "Page.crash",
    "Page.getNavigationHistory",
    "Page.handleJavaScriptDialog",
    "Page.navigate",
    "Page.navigateToHistoryEntry",
    "Page.reload",
    "Page.resetNavigationHistory",
    "Page.screencastFrameAck",
    "Page.setDownloadBehavior",
    "Page.setLifecycleEventsEnabled",
    "Page.startScreencast",
    "Page.stopLoading",
    "Page.stopScreencast",
    "Runtime.runIfWaitingForDebugger",
];

/// The pages and frames that have crashed, each with the commands that wait for its next document.
#[derive(Debug, Default)]
pub(super) struct CrashedPages(HashMap<TargetId, Held>);

#[derive(Debug, Default)]
struct Held {
    commands: VecDeque<(CdpSessionId, Command, bool)>,
    bytes: usize,
}

#[cfg(test)]
impl CrashedPages {
    /// Whether no page is crashed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl VirtualBrowser {
    /// Holds a command on a CDP session if its page has crashed. Returns false if it is to be sent.
    pub(super) fn hold_for_crashed(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) -> bool {
        if self.crashed_pages.0.is_empty() || is_sent(command.method()) || self.granted.has(Capability::Dedicated) {
            return false;
        }
        let Some(cdp) = self.scope.sessions.get(on) else { return false };
        let Some(held) = self.crashed_pages.0.get_mut(&cdp.target) else { return false };
        let bytes = held.bytes + command.text().len();
        let (most, most_bytes) = self.limits.held;
        if held.commands.len() >= most || bytes > most_bytes {
            self.refuse(on, command.id(), &CdpError::server("Target crashed"));
            return true;
        }
        held.bytes = bytes;
        held.commands.push_back((on.clone(), command.clone(), as_it_is));
        self.sent(on, command.id());
        true
    }

    /// The process of a target has ended, or is about to: what waits for it is not sent.
    pub(super) fn note_crash(&mut self, target: &TargetId) {
        if !self.scope.targets.contains_key(target) {
            return;
        }
        let held = self.crashed_pages.0.insert(target.clone(), Held::default());
        for (on, command, _) in held.into_iter().flat_map(|held| held.commands) {
            if self.is_unanswered(&on, command.id()) {
                self.scope.fail(&on, command.id(), &CdpError::server("Target crashed"));
            }
        }
    }

    /// A target has committed a navigation: sends what waited for it.
    pub(super) fn release_held(&mut self, target: &TargetId) {
        let held = self.crashed_pages.0.remove(target);
        for (on, command, as_it_is) in held.into_iter().flat_map(|held| held.commands) {
            // If its CDP session has ended, it was answered then.
            if self.is_unanswered(&on, command.id()) {
                self.on_command(&on, &command, as_it_is);
            }
        }
    }

    /// A target is gone.
    pub(super) fn forget_crash(&mut self, target: &TargetId) {
        self.note_crash(target);
        self.crashed_pages.0.remove(target);
    }
}

fn is_sent(method: &str) -> bool {
    let domain = method.split_once('.').map_or("", |(domain, _)| domain);
    OF_THE_BROWSER.contains(&domain) || ALWAYS_SENT.contains(&method)
}
