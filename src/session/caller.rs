//! The caller of a request: a tenant, and the name by which it reached this server.

use std::sync::Arc;

use crate::{
    api_types::Owner,
    tenant::{Access, Tenant},
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

    /// The URL at which to reconnect to a session.
    pub fn url_of(&self, id: &str) -> String {
        url_at(&self.host, id)
    }
}

/// The URL at which to reconnect to a session, with this name of the server.
pub(super) fn url_at(host: &str, id: &str) -> String {
    format!("ws://{host}/devtools/browser/{id}")
}
