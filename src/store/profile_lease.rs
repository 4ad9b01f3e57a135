//! Leases of profiles: of all servers that share a store, one session at a time saves a profile.
//!
//! A lease is a record in the store that expires by the store's own clock unless its holder renews it. Whoever commits a
//! state of the profile names its lease, and the commit is refused in the same step if the store has another one by then: a
//! holder that was away for too long overwrites nothing. A store that one process alone can open needs no records: there
//! every lease is granted, and the process knows its sessions.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{Store, StoreError};
use crate::api_types::Owner;

/// How long a lease lasts that is not renewed.
pub const LEASE: Duration = Duration::from_secs(15);

/// A session's claim to save a profile.
#[derive(Clone, Debug)]
pub struct ProfileLease {
    /// Whose profile it is.
    pub owner: Owner,
    /// The name of the profile.
    pub profile: String,
    /// The session that saves it.
    pub session: Arc<str>,
    token: String,
}

/// What is to be done with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStep {
    /// It is taken, if nobody has the profile.
    Take,
    /// It lasts longer, if it is still there. `saving` says that its session has ended and is being saved.
    Renew {
        /// Whether the session has ended.
        saving: bool,
    },
    /// It ends.
    Release,
}

/// The session that has the lease of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaseholder {
    /// Its id.
    pub session: String,
    /// Whether it has ended, and its state is being saved.
    pub is_saving: bool,
}

/// What the store did with a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leased {
    /// What was asked.
    Done,
    /// Another session has the profile.
    By(Leaseholder),
    /// The lease had expired, or another session has taken the profile.
    Lost,
}

impl ProfileLease {
    /// A claim that nobody else has made. It holds nothing before it was taken.
    pub fn new(owner: Owner, profile: String, session: Arc<str>) -> Self {
        Self { owner, profile, session, token: Uuid::new_v4().simple().to_string() }
    }

    /// What tells it from all others.
    pub(super) fn token(&self) -> &str {
        &self.token
    }
}

impl Store {
    /// Takes, renews or ends a lease.
    pub async fn lease_profile(&self, lease: &ProfileLease, step: LeaseStep) -> Result<Leased, StoreError> {
        self.0.backend.lease_profile(lease, step).await
    }

    /// The session on any server that has the lease of a profile.
    pub async fn leaseholder(&self, owner: &Owner, profile: &str) -> Result<Option<Leaseholder>, StoreError> {
        self.0.backend.leaseholder(owner, profile).await
    }
}
