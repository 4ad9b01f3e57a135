//! On which node of a cluster a session lives. A node is one process; without a cluster there is one.
//!
//! The manager claims an id before it gives the session a place, and releases it when the id is free again, so a
//! session lives on one node at a time. Between the sessions of one node the manager itself decides.

use std::{fmt, sync::Arc};

use dashmap::DashMap;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, ready},
};
use uuid::Uuid;

use super::id::SessionId;

/// A process among those that share a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(pub Uuid);

/// The session is claimed by another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session is on the node {}", .0.0)]
pub struct Elsewhere(pub NodeId);

/// Which session lives on which node.
pub trait Directory: Send + Sync {
    /// Claims an id for a node. A node's claim takes the place of an earlier one of the same node; `epoch` tells them
    /// apart, and grows with each claim of a node.
    fn claim<'a>(&'a self, id: &'a SessionId, node: NodeId, epoch: u64) -> BoxFuture<'a, Result<(), Elsewhere>>;

    /// The node on which a session lives.
    fn find<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Option<NodeId>>;

    /// Releases a claim, without waiting. Does nothing if a later claim has taken its place.
    fn release(&self, id: &SessionId, node: NodeId, epoch: u64);
}

/// The directory in the memory of one process.
#[derive(Debug, Default)]
pub struct LocalDirectory {
    claims: DashMap<SessionId, (NodeId, u64)>,
}

impl Directory for LocalDirectory {
    fn claim<'a>(&'a self, id: &'a SessionId, node: NodeId, epoch: u64) -> BoxFuture<'a, Result<(), Elsewhere>> {
        let mut claim = self.claims.entry(id.clone()).or_insert((node, epoch));
        let claimed = if claim.0 == node { Ok(()) } else { Err(Elsewhere(claim.0)) };
        if claimed.is_ok() {
            claim.1 = claim.1.max(epoch);
        }
        ready(claimed).boxed()
    }

    fn find<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Option<NodeId>> {
        ready(self.claims.get(id).map(|claim| claim.0)).boxed()
    }

    fn release(&self, id: &SessionId, node: NodeId, epoch: u64) {
        self.claims.remove_if(id, |_, claim| *claim == (node, epoch));
    }
}

/// An id that this node has claimed. Dropping it releases the id.
pub(super) struct Claim {
    directory: Arc<dyn Directory>,
    id: SessionId,
    node: NodeId,
    epoch: u64,
}

impl Claim {
    /// Claims an id.
    pub(super) async fn new(
        directory: Arc<dyn Directory>,
        id: SessionId,
        node: NodeId,
        epoch: u64,
    ) -> Result<Self, Elsewhere> {
        // Made first: if the caller stops waiting, what may have been claimed is released.
        let claim = Self { directory, id, node, epoch };
        claim.directory.claim(&claim.id, node, epoch).await?;
        Ok(claim)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.directory.release(&self.id, self.node, self.epoch);
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("id", &self.id).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::Owner;

    #[tokio::test]
    async fn an_id_is_claimed_by_one_node_until_its_last_claim_is_released() {
        let directory: Arc<dyn Directory> = Arc::new(LocalDirectory::default());
        let (one, other) = (NodeId(Uuid::from_u128(1)), NodeId(Uuid::from_u128(2)));
        let id = SessionId::new(&Owner::local(), "an-id");
        let claim = |node, epoch| Claim::new(directory.clone(), id.clone(), node, epoch);
        let first = claim(one, 1).await.expect("nobody has it");
        assert_eq!(claim(other, 1).await.map(drop), Err(Elsewhere(one)));
        assert_eq!(directory.find(&id).await, Some(one), "the refused claim released nothing");
        let second = claim(one, 2).await.expect("its own node has it");
        drop(first);
        assert_eq!(directory.find(&id).await, Some(one), "a later claim has taken its place");
        drop(second);
        assert_eq!(directory.find(&id).await, None);
        claim(other, 2).await.expect("it is free");
    }
}
