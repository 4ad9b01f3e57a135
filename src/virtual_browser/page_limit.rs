//! The number of pages of a session. A command that would open one more is refused; a page that another one opens beyond
//! the limit is closed.

use super::{Action, Pending, VirtualBrowser};
use crate::{
    cdp::{error::CdpError, ids::TargetId, target::Kind},
    port::Call,
};

impl VirtualBrowser {
    /// Sets how many pages the session may have at once; `None` is no limit.
    pub fn limit_pages(&mut self, most: Option<u32>) {
        self.most_pages = most;
    }

    /// The refusal of a command that opens a page, if there are as many as there may be.
    pub(super) fn has_all_pages(&self) -> Option<CdpError> {
        let most = self.most_pages?;
        let pages = self.scope.count(Kind::Page);
        (pages >= usize::try_from(most).unwrap_or(usize::MAX)).then(|| {
            CdpError::server(format!(
                "'Target.createTarget' is refused: this session has {pages} pages, and its tenant's limit pages_per_session allows \
                 {most}; close one first"
            ))
        })
    }

    /// There is a new target, and `pages` pages in all: it is closed if it is a page too many.
    pub(super) fn close_if_beyond(&mut self, target: &TargetId, pages: usize) {
        let is_page = self.scope.targets.get(target).is_some_and(|seen| seen.kind == Kind::Page);
        if is_page && self.most_pages.is_some_and(|most| pages > usize::try_from(most).unwrap_or(usize::MAX)) {
            let tag = self.expect(Pending::Nobody);
            self.actions.push(Action::Call(tag, Call::close(Some(self.base.clone()), target.clone())));
        }
    }
}
