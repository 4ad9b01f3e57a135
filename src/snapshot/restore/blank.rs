//! The page that a session begins with. It is there already, and starting one is what takes Chrome longest: so it does the
//! vault's work, and becomes the first of the snapshot's pages, or is blank again.

use crate::{
    browser::{OwnRoot, Surveyed},
    cdp::{ids::TargetId, target::Kind},
    snapshot::{Problem, reopen, vault::Vault},
};

/// Such a page.
pub(super) struct Blank {
    pub(super) target: TargetId,
    /// What works on it, once something does.
    pub(super) vault: Option<Vault>,
}

impl Blank {
    /// That of a session that has just begun.
    pub(super) fn of(before: &[Surveyed]) -> Option<Self> {
        let targets = &before.first()?.targets;
        let page = targets.iter().find(|(_, kind, _)| *kind == Kind::Page);
        page.map(|(page, _, _)| Self { target: page.clone(), vault: None })
    }

    /// Has it do the vault's work; it is got back as [`Blank::vault`].
    pub(super) async fn vault(&mut self, root: &OwnRoot) -> Result<Vault, Problem> {
        match self.vault.take() {
            Some(vault) => Ok(vault),
            None => Vault::on(root.attach(&self.target).await?).await,
        }
    }

    /// Makes it blank, and lets go of it.
    pub(super) async fn empty(self) -> Result<(), Problem> {
        let Some(vault) = self.vault else { return Ok(()) };
        let has_moved = vault.has_moved();
        let page = vault.open_up().await?;
        if has_moved {
            reopen::empty(&page).await?;
        }
        Ok(page.detach().await?)
    }
}
