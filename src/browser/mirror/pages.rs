//! The pages of a lease at one moment, for those who compare two moments.

use std::collections::HashSet;

use super::{LeaseId, Mirror};
use crate::cdp::{ids::TargetId, target::Kind};

/// The pages of a lease.
#[derive(Clone, Debug, Default)]
pub struct LeasePages {
    /// Their ids.
    pub ids: HashSet<TargetId>,
    /// Chrome's `TargetInfo` of those that were not known before, the oldest first.
    pub new: Vec<String>,
}

impl Mirror {
    /// The pages of a lease that may be shown. Nothing is new if nothing is known.
    pub(crate) fn pages(&self, lease: LeaseId, known: Option<&HashSet<TargetId>>) -> LeasePages {
        let mut ids = HashSet::new();
        let mut new = Vec::new();
        for (id, target) in self.targets.of_lease(lease) {
            if !target.presentable || target.kind != Some(Kind::Page) {
                continue;
            }
            ids.insert(id.clone());
            if known.is_some_and(|known| !known.contains(id)) {
                new.push((target.number, target.info.clone()));
            }
        }
        new.sort_unstable_by_key(|(number, _)| *number);
        LeasePages { ids, new: new.into_iter().map(|(_, info)| info).collect() }
    }
}
