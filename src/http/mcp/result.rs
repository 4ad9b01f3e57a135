//! What a tool answers. Text that a web page could have written stands between marks, which the page cannot know: a model
//! can tell it from what the server says.

use std::fmt::Write as _;

use rmcp::model::{CallToolResult, ContentBlock, MetaObject, TextContent};
use serde_json::json;
use uuid::Uuid;

use crate::{
    api_types::{Bad, cut},
    http::reply::Problem,
    session::manager::ServiceError,
};

/// Most bytes of a text from a page, except of a snapshot, which is cut at a line before.
const MOST: usize = 128 * 1024;

/// What a tool answers.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Our own words.
    own: String,
    /// What comes from pages.
    page: String,
    blocks: Vec<ContentBlock>,
}

impl Shown {
    /// Our own words alone.
    pub(super) fn saying(words: impl Into<String>) -> Self {
        Self { own: words.into(), ..Self::default() }
    }

    /// Adds a line of our own.
    pub(super) fn say(&mut self, words: &str) {
        let gap = if self.own.is_empty() { "" } else { "\n" };
        let _ = write!(self.own, "{gap}{words}");
    }

    /// Adds a line in which something comes from a page.
    pub(super) fn tell(&mut self, text: &str) {
        self.page.push_str(text);
        self.page.push('\n');
    }

    /// Whether it has no text.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.page.is_empty()
    }

    /// Our own words alone.
    pub(super) fn into_own(self) -> String {
        self.own
    }

    /// What comes from pages, alone.
    pub(super) fn into_page(self) -> String {
        self.page
    }

    /// Adds something that is no text.
    pub(super) fn add(&mut self, block: ContentBlock) {
        self.blocks.push(block);
    }

    /// The result for the client.
    pub(super) fn result(self, is_error: bool) -> CallToolResult {
        let Self { own, page, blocks } = self;
        let mut content = Vec::with_capacity(2 + blocks.len());
        if !own.is_empty() {
            content.push(ContentBlock::text(own));
        }
        if !page.is_empty() {
            content.push(untrusted(&page));
        }
        content.extend(blocks);
        if is_error { CallToolResult::error(content) } else { CallToolResult::success(content) }
    }
}

/// A text from a page, between marks.
fn untrusted(page: &str) -> ContentBlock {
    let mark = Uuid::new_v4().simple().to_string();
    let mark = &mark[..8];
    let page = cut(page, MOST).trim_end();
    let text = format!("<untrusted-{mark}>\n{page}\n</untrusted-{mark}>");
    let mut meta = MetaObject::default();
    meta.insert("ghostmux/untrusted".to_owned(), json!(true));
    ContentBlock::Text(TextContent::new(text).with_meta(meta))
}

/// Why a tool did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The service refused it, or the page did not do it.
    Service(ServiceError),
    /// It cannot be done as it was asked.
    Words(String),
}

impl Failure {
    pub(super) fn result(&self) -> CallToolResult {
        let mut shown = Shown::default();
        match self {
            Self::Words(words) => shown.say(words),
            Self::Service(ServiceError::Bad(bad)) => shown.say(&bad.to_string()),
            // What was seen last, and which elements match, are words of the page.
            Self::Service(why @ ServiceError::Page(_)) => {
                shown.say("The page did not do it:");
                shown.tell(&Problem::from(why).detail);
            }
            Self::Service(why) => shown.say(&Problem::from(why).detail),
        }
        shown.result(true)
    }
}

impl<E: Into<ServiceError>> From<E> for Failure {
    fn from(why: E) -> Self {
        Self::Service(why.into())
    }
}

/// The failure of arguments that cannot be read.
pub(super) fn wrong(bad: &Bad) -> CallToolResult {
    Shown::saying(format!("The arguments cannot be used: {bad}")).result(true)
}
