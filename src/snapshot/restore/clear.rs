//! Clears the previous state of a session.

use tokio::time::Instant;

use super::{Restore, STEP};
use crate::{
    browser::{
        CallError, Surveyed, by_deadline,
        commands::{GetCookies, Nothing, commands},
    },
    cdp::{ids::TargetId, permission::Ruling, target::Kind},
    snapshot::{SnapshotError, origins::Origins, storage_page::StoragePage},
};

commands! {
    "Storage.clearCookies" = ClearCookies<'a> { browser_context_id: &'a str } -> Nothing;
    "Storage.clearDataForStorageKey" = ClearData<'a> { storage_key: &'a str, storage_types: &'static str } -> Nothing;
}

impl Restore<'_> {
    /// Closes the blank page that is not one of the snapshot's if there are other pages; otherwise makes it blank
    /// again.
    pub(super) async fn finish_blank(&mut self, there_are_others: bool) -> Result<(), SnapshotError> {
        let Some(blank) = self.blank.take() else { return Ok(()) };
        if there_are_others {
            return self.close(&blank.target).await;
        }
        let emptied = by_deadline(Instant::now() + STEP, blank.empty()).await;
        emptied.or_else(|problem| self.fail("page", "about:blank", problem))
    }

    async fn close(&self, page: &TargetId) -> Result<(), SnapshotError> {
        match self.place.close(page).await {
            // The page has closed itself.
            Ok(()) | Err(CallError::Refused { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes the pages and clears everything that the session may have stored.
    pub(super) async fn clear(&mut self, before: &[Surveyed]) -> Result<(), SnapshotError> {
        for surveyed in before {
            for (id, _, _) in surveyed.targets.iter().filter(|(_, kind, _)| *kind == Kind::Page) {
                self.close(id).await?;
            }
            if let Some(reset) = Ruling::read("Browser.resetPermissions", "{}") {
                self.place.rule(&surveyed.context, reset).await?;
            }
            let browser_context_id = surveyed.context.as_str();
            let cookies = self.place.ask(&GetCookies { browser_context_id }).await?.cookies;
            self.place.ask(&ClearCookies { browser_context_id }).await?;
            let mut candidates = Origins::default();
            candidates.surveyed(surveyed);
            for cookie in cookies.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()) {
                candidates.cookie(&cookie);
            }
            if candidates.keys().next().is_none() {
                continue;
            }
            let mut storage_page =
                match by_deadline(Instant::now() + STEP, StoragePage::new(&self.root, &surveyed.context)).await {
                    Ok(storage_page) => storage_page,
                    Err(problem) => return self.fail("storage", "", problem),
                };
            for key in candidates.keys() {
                let clear = ClearData { storage_key: &key.text, storage_types: "all" };
                if let Err(error) = by_deadline(Instant::now() + STEP, storage_page.ask(&clear)).await {
                    self.fail("storage", &key.text, error.into())?;
                }
            }
        }
        Ok(())
    }
}
