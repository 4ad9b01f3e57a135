//! How a browser is started for one session, and what each of a session's pages begins with.

use std::sync::Arc;

use crate::cdp::emulation::Override;

/// What is different in a browser that is started for one session, from the others of this server. Browsers with equal
/// values are of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LaunchSpec {
    args: Arc<[String]>,
}

impl LaunchSpec {
    /// A browser with these flags for Chrome beside those of the server, each as `--flag` or `--flag=value`. Of two with one
    /// name Chrome uses the last. Nothing checks them any more: they go to a program on this machine.
    pub fn new(args: Vec<String>) -> Self {
        Self { args: args.into() }
    }

    /// Whether such a browser is as all others, so that it can be started before a session asks for it.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The flags for Chrome beside those of the server.
    pub fn args(&self) -> &[String] {
        &self.args
    }
}

/// What is set for each page of a session before the page runs.
#[derive(Clone, Debug, Default)]
pub struct PageSetup {
    /// Whether its certificate errors are ignored.
    pub ignore_certificate_errors: bool,
    /// Its emulation, until a client sets another.
    pub emulation: Vec<Override>,
}

impl PageSetup {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        !self.ignore_certificate_errors && self.emulation.is_empty()
    }
}
