//! Waits for what a request names.

use serde_json::json;

use super::{driven::Page, pattern::matches};
use crate::{
    api_types::{Bad, ElementState, World, operations::PageWait},
    session::pages::PageError,
};

impl Page {
    /// Waits for all that the request names.
    pub(super) async fn wait(&self, what: &'static str, request: &PageWait) -> Result<(), PageError> {
        let element = request.element()?;
        let PageWait { state, url, load_state, function, time, request: sent, response, expect, .. } = request;
        let is_empty =
            element.is_none() && url.is_none() && load_state.is_none() && function.is_none() && time.is_none();
        let is_empty = is_empty && sent.is_none() && response.is_none() && expect.is_none();
        if is_empty {
            return Err(Bad::new(
                "wait",
                "give at least one of locator, url, loadState, function, time, request and response",
            )
            .into());
        }
        if state.is_some() && element.is_none() {
            return Err(Bad::new("state", "is that of an element; give its locator too").into());
        }
        if let Some(time) = time {
            self.waits_for("the time");
            tokio::time::sleep(time.0).await;
        }
        if let Some(pattern) = url {
            self.waits_for(format!("the URL {pattern}"));
            self.wait_for(|state| {
                self.saw(&format!("the URL {}", state.url));
                matches(pattern, &state.url)
            })
            .await?;
        }
        if let Some(state) = load_state {
            self.wait_until_loaded(*state).await?;
        }
        if let Some(selector) = element {
            let state = state.unwrap_or_default();
            self.wait_for_element(what, &selector, state).await?;
        }
        if let Some(function) = function {
            self.wait_for_function(what, function).await?;
        }
        Ok(())
    }

    async fn wait_for_element(&self, what: &'static str, selector: &str, state: ElementState) -> Result<(), PageError> {
        let name = json!(state);
        self.waits_for(format!("{selector} to be {}", name.as_str().unwrap_or_default()));
        match self.step(what, Some(selector), "state", json!({ "state": name })).await {
            // An element that has gone is what was waited for.
            Err(PageError::StaleRef { .. }) if matches!(state, ElementState::Hidden | ElementState::Detached) => Ok(()),
            step => step.map(drop),
        }
    }

    async fn wait_for_function(&self, what: &'static str, function: &str) -> Result<(), PageError> {
        let expression = format!(
            "(async () => {{ const it = (\n{function}\n); return !!await (typeof it === 'function' ? it() : it); }})()"
        );
        for attempt in 0.. {
            let value = match self.run_script(what, &expression, World::Main).await {
                // The next document may have what is waited for.
                Err(PageError::Impossible { .. }) => None,
                value => value?,
            };
            if value.is_some_and(|value| value.0.get() == "true") {
                break;
            }
            self.waits_for("the function to return true");
            self.saw("it returned false");
            self.pause(attempt).await;
        }
        Ok(())
    }
}
