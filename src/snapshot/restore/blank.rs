//! The page with which a session starts. Starting a page takes Chrome longest and this one exists already, so it serves
//! as the storage page, and then becomes the first of the snapshot's pages or is made blank again.

use crate::{
    browser::{InternalRoot, Surveyed},
    cdp::{ids::TargetId, target::Kind},
    snapshot::{Problem, restore::page, storage_page::StoragePage},
};

/// The page with which a session starts.
pub(super) struct Blank {
    pub(super) target: TargetId,
    /// The storage page on it, once there is one.
    pub(super) storage_page: Option<StoragePage>,
}

impl Blank {
    /// The blank page of a new session.
    pub(super) fn of(before: &[Surveyed]) -> Option<Self> {
        let targets = &before.first()?.targets;
        let page = targets.iter().find(|(_, kind, _)| *kind == Kind::Page);
        page.map(|(page, _, _)| Self { target: page.clone(), storage_page: None })
    }

    /// Turns it into the storage page, which the caller puts into the field `storage_page`.
    pub(super) async fn storage_page(&mut self, root: &InternalRoot) -> Result<StoragePage, Problem> {
        match self.storage_page.take() {
            Some(storage_page) => Ok(storage_page),
            None => StoragePage::on(root.attach(&self.target).await?).await,
        }
    }

    /// Makes the page blank again, and releases it.
    pub(super) async fn empty(self) -> Result<(), Problem> {
        let Some(storage_page) = self.storage_page else { return Ok(()) };
        let has_moved = storage_page.has_moved();
        let page = storage_page.open_up().await?;
        if has_moved {
            page::empty(&page).await?;
        }
        Ok(page.detach().await?)
    }
}
