//! Replies that only their lease reads.

use super::{Link, calls::Pending};
use crate::{
    browser::{codec::Received, inbox::Parcel},
    cdp::ids::CallId,
    port::Settle,
};

impl Link {
    /// Passes a reply to the lease that waits for it, if the link itself does not need it: a
    /// screenshot or a printed page has megabytes, which the session's own task converts. Returns
    /// false for any other message.
    pub(super) fn hand_on(&mut self, id: CallId, message: &Received) -> bool {
        let Some(waiting) = self.waiting.get(&id) else { return false };
        let (Pending::Lease(lease, tag), Settle::Plain) = (&waiting.who, &waiting.settle) else { return false };
        let (lease, tag) = (*lease, *tag);
        self.settled(id);
        if let Some(inbox) = self.inboxes.get(&lease) {
            let _ = inbox.to.send(Parcel::Reply { tag, message: message.clone() });
        }
        true
    }
}
