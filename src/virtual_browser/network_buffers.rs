//! Limits the bodies of responses that Chrome keeps for a CDP session until its client requests them.
//!
//! Each CDP session may have the size that `arguments` allows; larger sizes are counted together for the session.

use super::VirtualBrowser;
use crate::cdp::{error::CdpError, ids::CdpSessionId, message::Command};

impl VirtualBrowser {
    /// `Network.enable` with buffers that exceed the size for each CDP session by this many bytes.
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

    /// `Network.disable`: Chrome drops the bodies.
    pub(super) fn disable_network(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) {
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.bodies_beyond = 0.0;
        }
        self.pass(on, command, as_it_is);
    }
}
