//! Keeps back the navigations of pages that wait for a window that they open: see `mirror/openers.rs`.

use std::collections::{HashMap, VecDeque};

use super::Link;
use crate::{
    browser::{codec::Wire, mirror::LeaseId},
    cdp::ids::{CdpSessionId, TargetId},
};

/// The navigations that wait, by page. They count as pending work of their lease.
#[derive(Debug, Default)]
pub(super) struct HeldNavigations(HashMap<TargetId, (LeaseId, VecDeque<Wire>)>);

impl HeldNavigations {
    /// A lease has ended.
    pub(super) fn forget(&mut self, lease: LeaseId) {
        self.0.retain(|_, (owner, _)| *owner != lease);
    }
}

impl Link {
    pub(super) fn on_navigate(&mut self, lease: LeaseId, on: &CdpSessionId, message: Wire) {
        match self.targets.waits_for_window(on) {
            Some(page) => {
                self.navigations.0.entry(page).or_insert_with(|| (lease, VecDeque::new())).1.push_back(message);
            }
            None => self.upstream.push(Some(lease), None, message),
        }
    }

    /// Sends the navigations that need not wait any more, after the resume that they waited for.
    pub(super) fn send_navigations(&mut self) {
        while let Some(page) = self.targets.poll_released_opener() {
            let Some((lease, messages)) = self.navigations.0.remove(&page) else { continue };
            for message in messages {
                self.upstream.push(Some(lease), None, message);
            }
        }
    }

    /// A page is gone: its clients were told so.
    pub(super) fn drop_navigations(&mut self, page: &TargetId) {
        let Some((lease, messages)) = self.navigations.0.remove(page) else { return };
        for message in messages {
            self.make_room(lease, message.len());
        }
    }
}
