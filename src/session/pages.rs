//! What sessions need of the room `page`, which drives pages for callers without a CDP client: a trait, and its errors.

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    api_types::{
        AnyValue, Bad, Reply, StepResult,
        capability::Granted,
        operations::{OnPage, PageRequest},
    },
    browser::{CallError, ContextHandle},
    cdp::ids::TargetId,
    config::PageLimits,
};

/// A page of a session that a caller may drive.
pub struct DrivenPage {
    /// Where the session is.
    pub place: ContextHandle,
    /// The page.
    pub page: TargetId,
    /// What the session may do.
    pub granted: Granted,
    /// The limits of actions.
    pub limits: PageLimits,
    /// Whoever is told of each action of a list. There are at most as many as `limits.actions`.
    pub progress: Option<Progress>,
    /// Describes an error as a part of a result.
    pub told: Told,
}

/// Describes an error as a problem of RFC 9457. The error is given back.
pub type Told = Box<dyn Fn(PageError) -> (PageError, AnyValue) + Send + Sync>;

/// The results of the actions of a list, as JSON, one after the other.
pub type Progress = UnboundedSender<String>;

/// Drives pages.
pub trait PageService: Send + Sync {
    /// Performs an action on a page, after those that were asked for before. The action ends when the future is dropped.
    fn perform(&self, on: DrivenPage, request: PageRequest) -> BoxFuture<'static, Result<Reply, PageError>>;

    /// Why a session may not open this URL, if it may not.
    fn check_url(&self, url: &str, granted: Granted) -> Result<(), PageError>;
}

/// Why an action on a page has no result.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The session has no such page.
    #[error(
        "the session has no page {page:?}; GET /v1/sessions/ID/pages lists its pages, and `first` is the oldest one"
    )]
    NoPage {
        /// What was given.
        page: String,
    },
    /// Too many requests wait for the page.
    #[error(
        "{most} requests wait for this page, the most that page_queue allows; send the next one when some have been answered"
    )]
    Busy {
        /// Value of the setting.
        most: usize,
    },
    /// The page was closed or has crashed, or its session has ended.
    #[error("the page was closed or has crashed meanwhile; GET /v1/sessions/ID/pages lists the pages of the session")]
    Closed,
    /// The session may not open the URL.
    #[error("the URL is refused: {why}")]
    Url {
        /// Why not.
        why: String,
    },
    /// The page did not load.
    #[error("the page could not be loaded: {reason}")]
    NotLoaded {
        /// Chrome's error, such as `net::ERR_NAME_NOT_RESOLVED`.
        reason: String,
    },
    /// A value is invalid.
    #[error("Invalid parameters: {0}")]
    Bad(#[from] Bad),
    /// Chrome or the injected script cannot read the selector.
    #[error("the selector {selector} is invalid: {why}")]
    Selector {
        /// The selector.
        selector: String,
        /// What is wrong.
        why: String,
    },
    /// Several elements match.
    #[error(
        "{count} elements match {selector}, and the action needs one; narrow it down, or choose one with nth. The first are: {}",
        .matches.join(", ")
    )]
    Several {
        /// The selector.
        selector: String,
        /// How many there are.
        count: u64,
        /// The first of them.
        matches: Vec<String>,
    },
    /// The reference is not one of the last snapshot, or its element has gone.
    #[error(
        "the element of {selector} is not in the document any more, or the ref is not of the last snapshot; take a new one"
    )]
    StaleRef {
        /// The selector.
        selector: String,
    },
    /// The action cannot be performed on this element.
    #[error("{what} is not possible: {why}")]
    Impossible {
        /// The action.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// The time limit passed.
    #[error("{what} was not done within {limit} ms: it waited for {condition}; seen last: {seen}")]
    Timeout {
        /// The action.
        what: &'static str,
        /// The time limit, in milliseconds.
        limit: u128,
        /// What was waited for.
        condition: String,
        /// What was seen last.
        seen: String,
    },
    /// The page has no such handle.
    #[error(
        "the page has no value of the handle {handle}: it was freed, or the page has shown another document since; evaluate it \
         again with handle: true"
    )]
    StaleHandle {
        /// The handle.
        handle: String,
    },
    /// The page keeps as many values as it may.
    #[error(
        "the page keeps {most} values, the most that page_handles allows; free some by DELETE …/pages/PAGE/handles"
    )]
    ManyHandles {
        /// Value of the setting.
        most: usize,
    },
    /// An action of a list has failed.
    #[error("step {step} ({action}): {error}")]
    Step {
        /// Its number, from 0.
        step: usize,
        /// The action.
        action: String,
        /// Why.
        error: Box<PageError>,
        /// The results of those before it.
        results: Vec<StepResult>,
    },
    /// The caller's script threw an exception.
    #[error("the script failed: {message}")]
    Script {
        /// The exception.
        message: String,
        /// The stack, as Chrome describes it.
        stack: String,
    },
    /// The result is too large.
    #[error("the result has {size} bytes, and page_result allows {most}; ask for less")]
    TooLarge {
        /// Its size.
        size: usize,
        /// Value of the setting.
        most: usize,
    },
    /// Chrome did not perform a command.
    #[error("the browser refused the command: {0}")]
    Call(CallError),
}

impl From<CallError> for PageError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Gone => Self::Closed,
            error if error.is_detached() => Self::Closed,
            error => Self::Call(error),
        }
    }
}

/// The session that a request about pages names, if it names one.
pub fn session_of(request: &PageRequest) -> Option<&str> {
    match request {
        PageRequest::NewPage(new) => new.id.as_deref(),
        PageRequest::ClosePage(close) => close.id.as_deref(),
        request => request.on_page().and_then(|OnPage { session, .. }| session),
    }
}
