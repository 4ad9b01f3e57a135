//! The caller of a request: a tenant, and the URL by which it reached this server.

use std::sync::Arc;

use crate::{
    api_types::{Owner, capability::Capability},
    tenant::{Access, Scope, Tenant},
};

/// The caller of a request, and the URL by which it reached this server: the URLs in replies must begin with the same.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant of the caller.
    pub tenant: Arc<Tenant>,
    /// The token or the key of the request.
    pub access: Access,
    /// The URL by which the caller reached this server.
    pub base: Arc<BaseUrl>,
}

/// The URL by which a client reaches this server: what every URL that it gets begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    is_tls: bool,
    /// Host and port as in a `Host` header, and a path without a slash at its end.
    rest: String,
    /// The length of the host and the port.
    authority: usize,
}

/// The protocol of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A WebSocket.
    Ws,
    /// HTTP.
    Http,
}

impl BaseUrl {
    /// A URL with TLS or without, of this host (and port) and path. The path is empty, or begins with a slash and ends
    /// without one.
    pub fn new(is_tls: bool, authority: &str, prefix: &str) -> Self {
        Self { is_tls, rest: format!("{authority}{prefix}"), authority: authority.len() }
    }

    /// The URL of a server without TLS at this host and port.
    pub fn plain(authority: &str) -> Self {
        Self::new(false, authority, "")
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        &self.rest[..self.authority]
    }

    /// The path that is before every path of this server.
    pub fn prefix(&self) -> &str {
        &self.rest[self.authority..]
    }

    /// The URL of this path.
    pub fn at(&self, scheme: Scheme, path: &str) -> String {
        let scheme = match (scheme, self.is_tls) {
            (Scheme::Ws, false) => "ws",
            (Scheme::Ws, true) => "wss",
            (Scheme::Http, false) => "http",
            (Scheme::Http, true) => "https",
        };
        format!("{scheme}://{}{path}", self.rest)
    }
}

impl Caller {
    /// The owner of the objects that the caller makes and may see.
    pub fn owner(&self) -> &Owner {
        self.tenant.owner()
    }

    /// Whether the caller sees the sessions of all tenants, and controls the server.
    pub fn is_admin(&self) -> bool {
        let is_whole = matches!(self.access.scope, Scope::All | Scope::ReadOnly);
        is_whole && self.tenant.capabilities().has(Capability::Admin)
    }

    /// The URL at which to reconnect to a session of the caller. It holds a key for this session if it needs one, and never
    /// a token.
    pub fn url_of(&self, id: &str) -> String {
        let key = self.access.key_of(id).map(|key| format!("?key={key}"));
        url_at(&self.base, id) + &key.unwrap_or_default()
    }

    /// The URL at this path for a session of the caller, as [`Caller::url_of`].
    pub fn url_for(&self, session: &str, scheme: Scheme, path: &str) -> String {
        let key = self.access.key_of(session).map(|key| format!("?key={key}.{session}"));
        self.base.at(scheme, path) + &key.unwrap_or_default()
    }
}

/// The URL at which to reconnect to a session, by this URL of the server.
pub(super) fn url_at(base: &BaseUrl, id: &str) -> String {
    base.at(Scheme::Ws, &format!("/devtools/browser/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_the_scheme_host_and_prefix_of_the_server() {
        let plain = BaseUrl::plain("127.0.0.1:9222");
        assert_eq!(url_at(&plain, "a"), "ws://127.0.0.1:9222/devtools/browser/a");
        let public = BaseUrl::new(true, "example.com:8443", "/pool");
        assert_eq!(url_at(&public, "a"), "wss://example.com:8443/pool/devtools/browser/a");
        assert_eq!(public.at(Scheme::Http, ""), "https://example.com:8443/pool");
        assert_eq!((public.authority(), public.prefix()), ("example.com:8443", "/pool"));
    }
}
