//! Limits the bodies of responses that Chrome keeps for a CDP session until its client requests them.
//!
//! Each CDP session may have the size that `arguments` allows; larger sizes are counted together for the session.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::VirtualBrowser;
use crate::cdp::{error::CdpError, ids::CdpSessionId, message::Command};

/// The bytes that the CDP sessions of a session may keep together, beyond those that each may have.
#[derive(Debug, Default)]
pub(super) struct AllBodies(Arc<AtomicU64>);

/// The part of one CDP session; dropping it returns the bytes.
#[derive(Debug)]
pub(super) struct Bodies {
    bytes: u64,
    all: Arc<AtomicU64>,
}

impl AllBodies {
    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: u64) -> Bodies {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Bodies { bytes, all: self.0.clone() }
    }
}

impl Drop for Bodies {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl VirtualBrowser {
    /// `Network.enable` with buffers that exceed the size for each CDP session by this many bytes.
    pub(super) fn keep_bodies(&mut self, on: &CdpSessionId, command: &Command, beyond: f64) {
        // Any size above the largest `u64` is refused as that.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both saturate")]
        let beyond = beyond.ceil() as u64;
        if beyond > 0 {
            let own = self.scope.sessions.get(on).and_then(|cdp| cdp.bodies.as_ref()).map_or(0, |bodies| bodies.bytes);
            let taken = self.bodies.bytes() - own;
            let most = u64::try_from(self.limits.network_buffers).unwrap_or(u64::MAX);
            if taken.saturating_add(beyond) > most {
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
            cdp.bodies = (beyond > 0).then(|| self.bodies.add(beyond));
        }
        self.pass_with(on, command.id(), command.method(), command.params());
    }

    /// `Network.disable`: Chrome drops the bodies.
    pub(super) fn disable_network(&mut self, on: &CdpSessionId, command: &Command, as_it_is: bool) {
        if let Some(cdp) = self.scope.sessions.get_mut(on) {
            cdp.bodies = None;
        }
        self.pass(on, command, as_it_is);
    }
}
