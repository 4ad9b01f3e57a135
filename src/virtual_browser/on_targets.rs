//! How many CDP sessions of clients are on each target of a session.

use std::collections::HashMap;

use super::cdp_session::Cdp;
use crate::cdp::ids::TargetId;

/// The number of CDP sessions on each target that has one.
#[derive(Debug, Default)]
pub(super) struct OnTargets(HashMap<TargetId, usize>);

impl OnTargets {
    /// This CDP session, which is counted from now on.
    pub(super) fn with(&mut self, cdp: Cdp) -> Cdp {
        if !cdp.of_calls {
            *self.0.entry(cdp.target.clone()).or_default() += 1;
        }
        cdp
    }

    /// This CDP session, which is not counted any more.
    pub(super) fn without(&mut self, cdp: Cdp) -> Cdp {
        if let Some(count) = self.0.get_mut(&cdp.target).filter(|_| !cdp.of_calls) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&cdp.target);
            }
        }
        cdp
    }

    /// This CDP session, if there was one, is not counted any more.
    pub(super) fn forget(&mut self, gone: Option<Cdp>) {
        if let Some(cdp) = gone {
            self.without(cdp);
        }
    }

    /// Whether there is one on this target.
    pub(super) fn has(&self, target: &TargetId) -> bool {
        self.0.contains_key(target)
    }
}
