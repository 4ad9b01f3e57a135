//! Clears the previous state of a session.

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{Restore, STEP};
use crate::{
    browser::{CallError, Surveyed},
    cdp::{
        ids::TargetId,
        json_object::{JsonObject, quote},
        permission::Ruling,
        target::Kind,
    },
    snapshot::{SnapshotError, by, origins::Origins, storage_page::StoragePage},
};

impl Restore<'_> {
    /// Closes the blank page that is not one of the snapshot's if there are other pages; otherwise makes it blank
    /// again.
    pub(super) async fn finish_blank(&mut self, there_are_others: bool) -> Result<(), SnapshotError> {
        let Some(blank) = self.blank.take() else { return Ok(()) };
        if there_are_others {
            return self.close(&blank.target).await;
        }
        let emptied = by(Instant::now() + STEP, blank.empty()).await;
        emptied.or_else(|problem| self.fail("page", "about:blank", problem))
    }

    async fn close(&self, page: &TargetId) -> Result<(), SnapshotError> {
        let params = format!(r#"{{"targetId":{}}}"#, quote(page.as_str()));
        match self.place.call("Target.closeTarget", params).await {
            // The page has closed itself.
            Ok(_) | Err(CallError::Refused { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes the pages and clears everything that the session may have stored.
    pub(super) async fn clear(&mut self, before: &[Surveyed]) -> Result<(), SnapshotError> {
        for surveyed in before {
            for (id, _, _) in surveyed.targets.iter().filter(|(_, kind, _)| *kind == Kind::Page) {
                self.close(id).await?;
            }
            let context = quote(surveyed.context.as_str());
            let params = format!(r#"{{"browserContextId":{context}}}"#);
            if let Some(reset) = Ruling::read("Browser.resetPermissions", "{}") {
                self.place.rule(&surveyed.context, reset).await?;
            }
            let result = self.place.call("Storage.getCookies", params.clone()).await?;
            let cookies: Vec<Box<RawValue>> =
                JsonObject::read(&result).and_then(|result| result.read_as("cookies")).unwrap_or_default();
            self.place.call("Storage.clearCookies", params).await?;
            let mut candidates = Origins::default();
            candidates.surveyed(surveyed);
            for cookie in cookies.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()) {
                candidates.cookie(&cookie);
            }
            if candidates.keys().next().is_none() {
                continue;
            }
            let mut storage_page =
                match by(Instant::now() + STEP, StoragePage::new(&self.root, &surveyed.context)).await {
                    Ok(storage_page) => storage_page,
                    Err(problem) => return self.fail("storage", "", problem),
                };
            for key in candidates.keys() {
                let params = format!(r#"{{"storageKey":{},"storageTypes":"all"}}"#, quote(&key.text));
                let clear = storage_page.call("Storage.clearDataForStorageKey", params);
                if let Err(problem) = by(Instant::now() + STEP, clear).await {
                    self.fail("storage", &key.text, problem)?;
                }
            }
        }
        Ok(())
    }
}
