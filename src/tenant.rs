//! Who may use this server, and what each may do beyond driving its own pages.
//!
//! A request is from one tenant; that is decided once, where the request is accepted. Without tokens there is one
//! tenant, `local`, and everybody who reaches the server is it.

use std::sync::Arc;

use crate::api_types::{Owner, capability::Capabilities};

/// Somebody who has sessions and snapshots of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The name under which sessions and snapshots are kept.
    pub owner: Owner,
    /// What its sessions may do, as far as their browsers can honour it.
    pub capabilities: Capabilities,
}

/// The tenants of the server.
#[derive(Clone, Debug)]
pub struct Tenants {
    local: Arc<Tenant>,
}

impl Tenants {
    /// Only the built-in tenant `local`, with these capabilities.
    pub fn local(capabilities: Capabilities) -> Self {
        Self { local: Arc::new(Tenant { owner: Owner::local(), capabilities }) }
    }

    /// The tenant from which a request is.
    pub fn identify(&self) -> Arc<Tenant> {
        self.local.clone()
    }
}
