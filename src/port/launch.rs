//! How a browser is started for one session.

use std::sync::Arc;

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
