//! The caller of a request: a tenant, and the name by which it reached this server.

use std::sync::Arc;

use crate::{
    api_types::{Owner, capability::Capability},
    tenant::{Access, Scope, Tenant},
};

/// The caller of a request, and the name by which it reached this server: the URLs in replies must use the same name.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant of the caller.
    pub tenant: Arc<Tenant>,
    /// The token or the key of the request.
    pub access: Access,
    /// The `Host` of the request.
    pub host: Arc<str>,
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
        url_at(&self.host, id) + &key.unwrap_or_default()
    }

    /// The URL at this path for a session of the caller, as [`Caller::url_of`].
    pub fn url_for(&self, session: &str, scheme: &str, path: &str) -> String {
        let key = self.access.key_of(session).map(|key| format!("?key={key}.{session}"));
        format!("{scheme}://{}{path}{}", self.host, key.unwrap_or_default())
    }
}

/// The URL at which to reconnect to a session, with this name of the server.
pub(super) fn url_at(host: &str, id: &str) -> String {
    format!("ws://{host}/devtools/browser/{id}")
}
