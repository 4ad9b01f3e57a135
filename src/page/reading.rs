//! Reads what is in a page.

use serde_json::json;

use super::{driven::Page, step::Step};
use crate::session::pages::PageError;

/// Most links that a request may ask for.
const LINKS_MOST: u32 = 10_000;
/// Most elements that a request may ask for.
const ELEMENTS_MOST: u32 = 1000;

impl Page {
    /// Reads from an element, or from the page.
    pub(super) async fn read(
        &self,
        what: &'static str,
        selector: Option<&str>,
        name: &str,
        args: serde_json::Value,
    ) -> Result<Step, PageError> {
        self.waits_for(format!("{} to be in the document", selector.unwrap_or("the page")));
        self.step(what, selector, name, args).await.map(|(_, step)| step)
    }

    /// The HTML of an element, or of the page with its doctype.
    pub(super) async fn html(&self, what: &'static str, selector: Option<&str>) -> Result<String, PageError> {
        if selector.is_some() {
            return Ok(self.read(what, selector, "html", json!({})).await?.html);
        }
        self.waits_for("the document");
        for attempt in 0.. {
            if let Some(step) = self.call(&self.main(), "document", &json!({})).await? {
                return Ok(step.html);
            }
            self.pause(attempt).await;
        }
        Ok(String::new())
    }

    /// The links of an element, or of the page.
    pub(super) async fn links(
        &self,
        what: &'static str,
        selector: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Step, PageError> {
        let limit = limit.unwrap_or(1000).min(LINKS_MOST);
        self.read(what, selector, "links", json!({ "limit": limit })).await
    }

    /// The elements of a selector.
    pub(super) async fn query(
        &self,
        what: &'static str,
        selector: &str,
        limit: Option<u32>,
    ) -> Result<Step, PageError> {
        let limit = limit.unwrap_or(100).min(ELEMENTS_MOST);
        self.waits_for(format!("the frame of {selector}"));
        self.step(what, Some(selector), "query", json!({ "limit": limit })).await.map(|(_, step)| step)
    }
}
