//! A context that a session is to get.

use super::egress::UpstreamProxy;

/// What is special in a context that a session is to get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewContext {
    /// The proxy that a client names for it.
    pub proxy: ContextProxy,
}

/// The proxy that a client names for a context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ContextProxy {
    /// None: its requests leave as those of its session do.
    #[default]
    None,
    /// In a browser without gates: Chrome gets it as the client wrote it.
    AsWritten {
        /// `proxyServer` of `Target.createBrowserContext`.
        server: String,
        /// Its `proxyBypassList`, if there is one.
        bypass: Option<String>,
    },
    /// Behind the context's gate.
    UpstreamProxy(UpstreamProxy),
}
