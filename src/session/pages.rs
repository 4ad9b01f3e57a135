//! What sessions need of the room `page`, which drives pages for callers without a CDP client: a trait, and its errors.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    net::UnixStream,
    sync::{mpsc::UnboundedSender, oneshot},
};

use crate::{
    api_types::{
        AnyValue, Bad, Reply, Secret, StepResult,
        capability::Granted,
        operations::{OnPage, PageRequest},
    },
    browser::{CallError, ContextHandle},
    cdp::{error::CdpError, ids::TargetId},
    config::PageLimits,
    session::session_files::{FilesError, SessionFiles},
    virtual_browser::Claims,
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
    /// Its session.
    pub session: Arc<dyn PageSession>,
    /// Whoever is told of each action of a list. There are at most as many as `limits.actions`.
    pub progress: Option<Progress>,
    /// Describes an error as a part of a result.
    pub told: Told,
    /// Sends commands to it under the policy.
    pub commands: PageCommands,
    /// What the clients of the page had claimed of it when the request came.
    pub claims: Claims,
}

/// Sends a command with its params, and returns its result, as JSON.
type SendCommand = dyn Fn(String, String) -> BoxFuture<'static, Result<String, PageError>> + Send + Sync;

/// Sends commands of CDP to a page as a client of its session would: the policy decides about them, and what they set
/// belongs to a CDP session that clients do not see and that ends with the page.
#[derive(Clone)]
pub struct PageCommands(Arc<SendCommand>);

impl PageCommands {
    /// Commands that are sent like this.
    pub fn new(
        send: impl Fn(String, String) -> BoxFuture<'static, Result<String, PageError>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(send))
    }

    /// Sends a command, with its params as JSON, and returns its result as JSON.
    pub async fn call(&self, method: &str, params: String) -> Result<String, PageError> {
        (self.0)(method.to_owned(), params).await
    }
}

impl std::fmt::Debug for PageCommands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageCommands").finish_non_exhaustive()
    }
}

/// What driving a page asks of the page's session.
pub trait PageSession: Send + Sync + std::fmt::Debug {
    /// Takes over the dialogs of a page. `None` if they are a client's, or if the session has ended.
    fn hold_dialogs(&self, page: TargetId) -> BoxFuture<'_, Option<DialogHold>>;

    /// Allows downloads, if no client decides on them. From then on, what is sent to Chrome comes after that.
    fn allow_downloads(&self) -> BoxFuture<'_, ()>;

    /// The files of the session.
    fn files(&self) -> Option<Arc<SessionFiles>>;

    /// What is typed for a secret of the session's owner in a document of this origin: its text, or with `true` its one-time
    /// password. From then on the session hides it.
    fn secret(&self, named: (&str, bool), origin: &str) -> Result<Secret, PageError>;

    /// Replaces the secrets that were typed in the session by their names, in a text.
    fn hide_secrets(&self, text: &mut String);

    /// The same in the texts of a JSON document.
    fn hide_secrets_in_json(&self, json: &mut String);
}

/// As long as it lives, nobody else answers the dialogs of a page for the proxy.
#[derive(Debug)]
pub struct DialogHold(#[expect(dead_code, reason = "its drop is what counts")] oneshot::Sender<Infallible>);

impl DialogHold {
    /// A hold, and its end.
    pub(super) fn new() -> (Self, impl Future<Output = ()> + Send) {
        let (hold, released) = oneshot::channel();
        (Self(hold), released.map(drop))
    }
}

/// Describes an error as a problem of RFC 9457. The error is given back.
pub type Told = Box<dyn Fn(PageError) -> (PageError, AnyValue) + Send + Sync>;

/// The results of the actions of a list, as JSON, one after the other.
pub type Progress = UnboundedSender<String>;

/// Code that is run with Puppeteer in a page of its own.
#[derive(Debug)]
pub struct Code {
    /// A module whose default export is a function.
    pub text: String,
    /// What the function is given beside the page.
    pub context: AnyValue,
    /// The page that the function is given.
    pub page: TargetId,
    /// The time limit of Puppeteer's commands.
    pub timeout: Duration,
    /// Largest result, in bytes.
    pub most: usize,
}

/// What code returned.
#[derive(Debug)]
pub struct CodeResult {
    /// Its content type, if the code said so or it is no bytes.
    pub kind: Option<String>,
    /// The result.
    pub body: Vec<u8>,
}

/// Drives pages.
pub trait PageService: Send + Sync {
    /// Performs an action on a page, after those that were asked for before. The action ends when the future is dropped.
    fn perform(&self, on: DrivenPage, request: PageRequest) -> BoxFuture<'static, Result<Reply, PageError>>;

    /// Runs code as a client of the session: `client` is the other end of that client's socket. The code ends when the future
    /// is dropped.
    fn run(
        &self,
        place: ContextHandle,
        client: UnixStream,
        code: Code,
    ) -> BoxFuture<'static, Result<CodeResult, PageError>>;

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
    /// The owner of the session has no such secret.
    #[error("this owner has no secret {name}; PUT /v1/secrets/{name} stores one, until the server ends")]
    NoSecret {
        /// Its name.
        name: String,
    },
    /// The secret may not be typed there.
    #[error(
        "the secret {name} may not be typed in a document of the origin {origin}; GET /v1/secrets says where it may be"
    )]
    SecretOrigin {
        /// Its name.
        name: String,
        /// The origin of the document.
        origin: String,
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
    /// The page that runs code has gone.
    #[error(
        "the code closed its session, or closed or left the page that runs it; it may open and close all other pages"
    )]
    CodeLeft,
    /// There is no dialog to answer.
    #[error(
        "no dialog is open in this page; dialogs that nobody expects are dismissed: expect.dialog with leave keeps one open"
    )]
    NoDialog,
    /// A field of a form could not be filled.
    #[error("fields[{index}]: {error}")]
    Field {
        /// The number of the field, from 0.
        index: usize,
        /// Why not.
        error: Box<PageError>,
    },
    /// A file of the session cannot be given to the page.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The result is too large.
    #[error("the result has {size} bytes, and page_result allows {most}; ask for less")]
    TooLarge {
        /// Its size.
        size: usize,
        /// Value of the setting.
        most: usize,
    },
    /// An attached client owns what the action would change.
    #[error(
        "an attached client has set {what} of this page, and it is the client's until it resets that, detaches or leaves; docs/pages.md says who owns what"
    )]
    ClientOwns {
        /// What it is.
        what: &'static str,
    },
    /// The policy or Chrome refused a command of CDP.
    #[error("{method} was refused: {} ({})", .error.message, .error.code)]
    Refused {
        /// The method.
        method: String,
        /// The error, as a client would get it.
        error: CdpError,
    },
    /// There are as many as there may be.
    #[error("the page has {most} {what}, the most that it may have; remove some first")]
    Many {
        /// What there are.
        what: &'static str,
        /// The most.
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
