//! Who asks.

use std::sync::Arc;

use crate::api_types::Owner;

/// Who asks, and by which name of this server: the URLs in answers must lead back by the same way.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub owner: Owner,
    /// The `Host` of the request.
    pub host: Arc<str>,
}

impl Caller {
    /// A caller on this machine.
    pub fn local(host: &str) -> Self {
        Self { owner: Owner::local(), host: host.into() }
    }

    /// Where to come back to a session.
    pub fn url_of(&self, id: &str) -> String {
        format!("ws://{}/devtools/browser/{id}", self.host)
    }
}
