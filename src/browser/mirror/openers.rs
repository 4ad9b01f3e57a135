//! Which pages wait inside a script for a window that they open.
//!
//! `window.open` returns once the new window was resumed; until then the renderer of the opener handles nothing else.
//! *Measured* (156, both Chromes): if the opener goes to another site meanwhile, its renderer ends the CDP session whose
//! command opened the window inside that command, and crashes with all pages in it. So the link keeps the opener's
//! navigations back until the window was resumed.

use std::collections::VecDeque;

use super::{Mirror, index::Index};
use crate::cdp::{
    ids::{CdpSessionId, IdMap, TargetId},
    target::{Kind, TargetInfo},
};

/// The windows that are held paused while their openers wait.
#[derive(Debug, Default)]
pub(super) struct Openers {
    /// The opener of each window.
    of: IdMap<TargetId, TargetId>,
    windows: Index<TargetId, TargetId>,
    /// Openers that wait no more.
    released: VecDeque<TargetId>,
}

impl Openers {
    fn hold(&mut self, opener: TargetId, window: TargetId) {
        self.windows.insert(opener.clone(), window.clone());
        self.of.insert(window, opener);
    }

    fn is_waiting(&self, opener: &TargetId) -> bool {
        self.windows.contains(opener)
    }

    /// A window is not paused any more.
    pub(super) fn release(&mut self, window: &TargetId) {
        let Some(opener) = self.of.remove(window) else { return };
        self.windows.remove(&opener, window);
        if !self.windows.contains(&opener) {
            self.released.push_back(opener);
        }
    }
}

impl Mirror {
    /// The page, or the one around this frame, for whose window a navigation on this CDP session has to wait.
    pub(crate) fn waits_for_window(&self, on: &CdpSessionId) -> Option<TargetId> {
        if self.openers.of.is_empty() {
            return None;
        }
        let id = self.target_of(on)?;
        let around = self.targets.get(id.as_str()).and_then(|target| target.parent());
        Some(id).filter(|id| self.openers.is_waiting(id)).or(around.filter(|id| self.openers.is_waiting(id))).cloned()
    }

    /// The next page whose navigations need not wait any more.
    pub(crate) fn poll_released_opener(&mut self) -> Option<TargetId> {
        self.openers.released.pop_front()
    }

    /// A new window was reported paused.
    pub(super) fn hold_opener(&mut self, window: &TargetInfo) {
        if let (Kind::Page, true, Some(opener)) = (window.kind, window.can_access_opener, &window.opener) {
            self.openers.hold(opener.clone(), window.id.clone());
        }
    }

    /// One of those that held a page or a tab does so no more: its opener may be released.
    pub(super) fn release_opener(&mut self, id: &TargetId) {
        let page = self.targets.get(id.as_str()).and_then(|target| target.page()).unwrap_or(id);
        if self.openers.of.contains_key(page) && !self.is_paused(page) {
            let page = page.clone();
            self.openers.release(&page);
        }
    }

    /// Whether anybody holds a page, or its tab.
    fn is_paused(&self, page: &TargetId) -> bool {
        self.has_hold(page) || self.targets.tab_of(page).is_some_and(|tab| self.has_hold(tab))
    }

    fn has_hold(&self, id: &TargetId) -> bool {
        const FREE: [Option<CdpSessionId>; 2] = [None, None];
        self.is_waited_for(id)
            || self.targets.get(id.as_str()).is_some_and(|target| target.held != FREE || target.handed != FREE)
    }
}

#[cfg(test)]
impl Openers {
    /// The openers with their windows.
    pub(super) fn pairs(&self) -> std::collections::BTreeSet<(TargetId, TargetId)> {
        let pairs = self.of.iter().map(|(window, opener)| (opener.clone(), window.clone())).collect();
        assert_eq!(self.windows.pairs(), pairs);
        pairs
    }
}
