//! Who may use this server, and what each may do beyond driving its own pages.
//!
//! A request is from one tenant; that is decided once, where the request is accepted. A server without tokens has one
//! tenant, `local`, and everybody who reaches the server is it. Otherwise a request needs a token ([`token`]), which a
//! file or a Redis names (`document`, `file`), or a key of a URL that the server gave to a client with a token.

pub mod audit;
mod denied;
mod document;
mod edit;
pub mod egress;
mod egress_day;
mod file;
mod freshness;
pub mod limits;
mod network;
mod redis_error;
mod replace;
mod source;
mod tenants;
pub mod token;
mod usage;

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

pub use self::{
    audit::Audit,
    denied::Denied,
    document::{ChangeError, Document, RedisAway, TenantsError},
    edit::{EditError, NewToken, add_token, put_tenant, remove_tenant, remove_token},
    egress_day::EgressDay,
    file::{FileError, Parsed, check_token_name, moment, network, parse},
    freshness::Freshness,
    limits::{LimitBook, Limits, Pace, Sharing},
    network::{NetworkChange, ServerNetwork, TenantNetwork},
    tenants::{Changes, Presented, Tenants},
    token::{Access, Scope, Token},
    usage::UsageLedger,
};
pub use crate::api_types::Secret;
use crate::{
    api_types::{Owner, capability::Capabilities},
    port::egress::{EgressRules, UpstreamProxy},
};

/// Somebody who has sessions and snapshots of its own. There is one value for each tenant as long as the process runs:
/// what the operator changes is seen by all who hold it.
#[derive(Debug)]
pub struct Tenant {
    owner: Owner,
    // Guards the settings; held for a copy.
    settings: RwLock<TenantSettings>,
    is_removed: AtomicBool,
}

/// The settings of a tenant that can change while the server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantSettings {
    /// What its sessions may do, as far as their browsers can honour it.
    pub capabilities: Capabilities,
    /// How much it may use.
    pub limits: Limits,
    /// What its sessions may connect to.
    pub network: TenantNetwork,
}

impl Tenant {
    /// A tenant of this name.
    pub fn new(owner: Owner, settings: TenantSettings) -> Arc<Self> {
        Arc::new(Self { owner, settings: RwLock::new(settings), is_removed: AtomicBool::new(false) })
    }

    /// The name under which its sessions and snapshots are kept.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Its settings now.
    pub fn settings(&self) -> TenantSettings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What its sessions may do now.
    pub fn capabilities(&self) -> Capabilities {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).capabilities
    }

    /// How much it may use now.
    pub fn limits(&self) -> Limits {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).limits
    }

    /// What its sessions may connect to now, on a server with these rules.
    pub fn egress_rules(&self, server: &ServerNetwork) -> EgressRules {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.network.rules(server, settings.capabilities.private_network)
    }

    /// The operator's proxy for its sessions now, as it is written.
    pub fn proxy(&self) -> Option<UpstreamProxy> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).network.proxy.clone()
    }

    /// Whether the operator has removed it since its request was accepted.
    pub fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::Acquire)
    }

    /// Changes the settings. Returns the former ones.
    pub(crate) fn set(&self, settings: TenantSettings) -> TenantSettings {
        std::mem::replace(&mut *self.settings.write().unwrap_or_else(PoisonError::into_inner), settings)
    }

    pub(crate) fn set_removed(&self, is_removed: bool) {
        self.is_removed.store(is_removed, Ordering::Release);
    }
}
