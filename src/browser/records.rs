//! What is on record of a browser, and what Chrome says that it has: both are asked for once in a while, to be compared.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{
    Browser, CallError, Census, LeaseId, LinkRequest,
    books::{Books, Inventory, Mend},
};
use crate::{
    cdp::ids::{ContextId, TargetId},
    runtime,
};

/// The leases that somebody holds, with their default contexts.
#[derive(Debug, Default)]
pub(super) struct Held(
    // Guards the table; held for a few instructions, never across an await.
    Mutex<BTreeMap<LeaseId, Option<ContextId>>>,
);

impl Held {
    /// A lease is being made.
    pub(super) fn add(&self, lease: LeaseId) {
        self.all().insert(lease, None);
    }

    /// A lease has its default context.
    pub(super) fn made(&self, lease: LeaseId, context: &ContextId) {
        self.all().insert(lease, Some(context.clone()));
    }

    /// A lease was dropped.
    pub(super) fn remove(&self, lease: LeaseId) {
        self.all().remove(&lease);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Option<ContextId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Browser {
    /// What Chrome says that it has.
    pub(crate) async fn inventory(&self) -> Result<Inventory, CallError> {
        let contexts = self.call(None, "Target.getBrowserContexts", "{}".to_owned()).await?;
        let (method, every_type) = ("Target.getTargets", r#"{"filter":[{}]}"#.to_owned());
        let targets = self.call(None, method, every_type).await?;
        runtime::aside(targets.len(), || Inventory::read(&contexts, &targets))
            .map_err(|error| CallError::Unreadable { method, why: error.to_string() })
    }

    /// The lease that owns a target; `None` if no lease does.
    pub async fn owner_of(&self, target: &TargetId) -> Option<LeaseId> {
        let (reply, answer) = oneshot::channel();
        self.order(LinkRequest::Owner { target: target.clone(), reply });
        self.answered(answer).await.flatten()
    }

    /// The present size of the mirror; all zero if the browser has ended.
    pub async fn census(&self) -> Census {
        let (reply, answer) = oneshot::channel();
        self.order(LinkRequest::Census { reply });
        self.answered(answer).await.unwrap_or_default()
    }

    /// What is on record of it; `None` if it has ended.
    pub(crate) async fn books(&self) -> Option<Books> {
        let (reply, answer) = oneshot::channel();
        self.order(LinkRequest::Books { reply });
        let books = self.answered(answer).await?;
        Some(Books { held: self.shared.held.all().clone(), ..books })
    }

    /// Ends a difference between the two.
    pub(crate) fn mend(&self, mend: Mend) {
        self.order(LinkRequest::Mend(mend));
    }
}
