//! The caller of a request: a tenant, and the name by which it reached this server.

use std::sync::Arc;

use crate::{api_types::Owner, tenant::Tenant};

/// Who asks, and by which name of this server: the URLs in answers must lead back by the same way.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant that asks.
    pub tenant: Arc<Tenant>,
    /// The `Host` of the request.
    pub host: Arc<str>,
}

impl Caller {
    /// The owner of what the caller makes, and of all that it may see.
    pub fn owner(&self) -> &Owner {
        &self.tenant.owner
    }

    /// Where to come back to a session.
    pub fn url_of(&self, id: &str) -> String {
        url_at(&self.host, id)
    }
}

/// Where to come back to a session by this name of the server.
pub(super) fn url_at(host: &str, id: &str) -> String {
    format!("ws://{host}/devtools/browser/{id}")
}
