//! A page or an element as Markdown. A step in the page writes it as simple HTML (`injected/simple.js`), which the crate
//! `htmd` converts: the HTML of a page itself may be nested so deep, or be closed so badly, that reading it takes all memory.

use htmd::HtmlToMarkdown;
use serde_json::json;

use super::driven::Page;
use crate::{runtime, session::pages::PageError};

impl Page {
    /// An element, or the page, as Markdown.
    pub(super) async fn markdown(&self, what: &'static str, selector: Option<&str>) -> Result<String, PageError> {
        let step = self.read(what, selector, "simple", json!({})).await?;
        let mut html = step.html;
        // Markdown writes signs differently by what is beside them.
        self.session().hide_secrets(&mut html);
        let markdown = runtime::aside(html.len(), || HtmlToMarkdown::new().convert(&html));
        markdown.map_err(|error| PageError::Impossible { what, why: error.to_string() })
    }
}
