//! Navigates a page, and waits until it is loaded.

use serde_json::json;

use super::{
    commands::{EnableNetwork, GoTo, Reload},
    driven::Page,
    state::PageState,
    step::Step,
};
use crate::{
    api_types::LoadState,
    browser::commands::{GetNavigationHistory, NavigateToHistoryEntry},
    session::pages::PageError,
};

/// How often the status of a response is looked for, within 220 ms.
const STATUS_TRIES: usize = 4;

impl Page {
    /// Lets Chrome tell of responses from now on. Their bodies are not kept.
    pub(super) async fn watch_responses(&self) -> Result<(), PageError> {
        self.driver().ask(&EnableNetwork { max_total_buffer_size: 0 }).await?;
        Ok(())
    }

    /// Before a navigation. A document does not know the status of its response if the request was intercepted.
    async fn begin_navigation(&self) -> Result<PageState, PageError> {
        self.waits_for("the response");
        if !self.held().routes.is_empty() {
            self.watch_responses().await?;
        }
        Ok(self.state())
    }

    /// Navigates to a URL that the session may open. Returns the status of the response.
    pub(super) async fn go_to(
        &self,
        url: &str,
        referrer: Option<&str>,
        until: LoadState,
    ) -> Result<Option<u32>, PageError> {
        let before = self.begin_navigation().await?;
        let gone = self.ask_long(self.driver(), &GoTo { url, referrer }).await?;
        if let Some(reason) = gone.error_text {
            return Err(PageError::NotLoaded { reason });
        }
        if gone.loader_id.is_some() {
            self.wait_for(|state| state.documents > before.documents).await?;
        }
        self.loaded(until).await
    }

    /// Reloads the page.
    pub(super) async fn reload(&self, until: LoadState) -> Result<Option<u32>, PageError> {
        let before = self.begin_navigation().await?;
        self.ask_long(self.driver(), &Reload {}).await?;
        self.wait_for(|state| state.documents > before.documents).await?;
        self.loaded(until).await
    }

    /// Goes to another entry of the history, so many steps forward.
    pub(super) async fn step_in_history(
        &self,
        what: &'static str,
        forward: bool,
        until: LoadState,
    ) -> Result<Option<u32>, PageError> {
        let before = self.begin_navigation().await?;
        let history = self.driver().ask(&GetNavigationHistory {}).await?;
        let index = if forward { history.current_index.checked_add(1) } else { history.current_index.checked_sub(1) };
        let Some(entry) = index.and_then(|index| history.entries.get(index)) else {
            return Err(PageError::Impossible { what, why: "the history of the page has no such entry".to_owned() });
        };
        self.ask_long(self.driver(), &NavigateToHistoryEntry { entry_id: entry.id }).await?;
        self.wait_for(|state| state.navigations > before.navigations).await?;
        self.loaded(until).await
    }

    async fn loaded(&self, until: LoadState) -> Result<Option<u32>, PageError> {
        self.wait_until_loaded(until).await?;
        if let Some(response) = self.state().response() {
            return Ok(Some(response.status));
        }
        // Chrome notes the status with the end of the response, which may be a moment after the document was parsed. Only
        // documents that came by HTTP have one. No step: the world was that of the document before.
        let has_status = until != LoadState::Commit && self.state().url.starts_with("http");
        for attempt in 0..STATUS_TRIES {
            match self.call(&self.main(), "response", &json!({})).await? {
                Some(Step { code: None, .. }) if has_status => {}
                Some(Step { code, .. }) => return Ok(code),
                None => {}
            }
            self.pause(attempt).await;
        }
        Ok(None)
    }

    /// Waits until the document is loaded so far.
    pub(super) async fn wait_until_loaded(&self, until: LoadState) -> Result<(), PageError> {
        self.waits_for(format!("the load state {}", json!(until)));
        self.saw("the document is not loaded so far");
        self.wait_for(|state| state.has_reached(until)).await
    }
}
