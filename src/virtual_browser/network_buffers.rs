//! Bodies of responses that Chrome keeps for a CDP session, until its client asks for them.
//!
//! Each may keep what `arguments` lets through; what it asks for beyond that is counted for the whole session.

use super::VirtualBrowser;
use crate::cdp::{error::CdpError, ids::CdpSessionId, message::Command};

impl VirtualBrowser {
    /// `Network.enable` that wants so many bytes kept beyond what each CDP session may.
    pub(super) fn keep_bodies(&mut self, on: &CdpSessionId, command: &Command, beyond: f64) {
        if beyond > 0.0 {
            let others = self.scope.sessions.iter().filter(|(id, _)| *id != on);
            let taken: f64 = others.map(|(_, cdp)| cdp.bodies_beyond).sum();
            #[expect(clippy::cast_precision_loss, reason = "a limit of 1 TiB at most")]
            let most = self.limits.network_buffers as f64;
            if taken + beyond > most {
                let error = format!(
                    "'{}' is refused: maxTotalBufferSize is {beyond} bytes beyond the 100000000 that each CDP session may keep; \
                     network_buffers allows this session {most} bytes beyond that, of which others have {taken}; ask for \
                     less, or send Network.disable to some",
                    command.method()
                );
                return self.refuse(on, command.id(), &CdpError::server(error));
            }
        }
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.bodies_beyond = beyond;
        }
        self.pass_with(on, command.id(), command.method(), command.params());
    }

    /// `Network.disable`: what was kept is dropped.
    pub(super) fn disable_network(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) {
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.bodies_beyond = 0.0;
        }
        self.pass(on, command, as_it_is);
    }
}
