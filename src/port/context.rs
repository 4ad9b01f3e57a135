//! A context that a session is to get.

/// What is special in a context that a session is to get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewContext {
    /// The proxy that a client names for it; without one its requests leave as those of its session do.
    pub proxy: Option<NamedProxy>,
}

/// A proxy that a client names for a context, as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProxy {
    /// `proxyServer` of `Target.createBrowserContext`.
    pub server: String,
    /// Its `proxyBypassList`, if there is one.
    pub bypass: Option<String>,
}
