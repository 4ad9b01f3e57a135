//! The page that a session begins with. It is there already, and starting one is what takes Chrome longest: so it does the
//! storage page's work, and becomes the first of the snapshot's pages, or is blank again.

use crate::{
    browser::{InternalRoot, Surveyed},
    cdp::{ids::TargetId, target::Kind},
    snapshot::{Problem, restore::page, storage_page::StoragePage},
};

/// Such a page.
pub(super) struct Blank {
    pub(super) target: TargetId,
    /// What works on it, once something does.
    pub(super) storage_page: Option<StoragePage>,
}

impl Blank {
    /// That of a session that has just begun.
    pub(super) fn of(before: &[Surveyed]) -> Option<Self> {
        let targets = &before.first()?.targets;
        let page = targets.iter().find(|(_, kind, _)| *kind == Kind::Page);
        page.map(|(page, _, _)| Self { target: page.clone(), storage_page: None })
    }

    /// Has it do the storage page's work; it is got back as [`Blank::storage_page`].
    pub(super) async fn storage_page(&mut self, root: &InternalRoot) -> Result<StoragePage, Problem> {
        match self.storage_page.take() {
            Some(storage_page) => Ok(storage_page),
            None => StoragePage::on(root.attach(&self.target).await?).await,
        }
    }

    /// Makes it blank, and lets go of it.
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
