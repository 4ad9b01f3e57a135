//! The storage page: a hidden page through which an origin's storage is read and written, without a page of the session
//! and without contacting the site. The proxy answers every request that it makes.

use data_encoding::BASE64;
use futures_util::future::{try_join3, try_join4};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Problem, storage_key::StorageKey};
use crate::{
    browser::{
        CallError, InternalEvent, InternalRoot, PageDriver, PageEvents, TypedCommand,
        commands::{Nothing, commands},
    },
    cdp::{
        ids::{CdpSessionId, ContextId},
        json_object::quote,
    },
    runtime,
};

/// The content of every document of the page.
const SCRIPT: &str = concat!(include_str!("storage_page/values.js"), include_str!("storage_page/storage.js"));
/// A promise that the document is loaded.
const LOADED: &str = "(document.readyState === 'complete' ? Promise.resolve() \
                      : new Promise(done => addEventListener('load', done)))";
/// Most bytes of a part of an argument; a command to Chrome must stay below 100 MiB.
const PART: usize = 8 * 1024 * 1024;

commands! {
    "Fetch.enable" = EnableFetch { patterns: [RequestPattern; 1] } -> Nothing;
    "Fetch.disable" = DisableFetch {} -> Nothing;
    "Fetch.fulfillRequest" = FulfillRequest<'a> {
        request_id: &'a str,
        response_code: u16,
        response_headers: [Header; 2],
        body: &'a str,
    } -> Nothing;
    "Fetch.failRequest" = FailRequest<'a> { request_id: &'a str, error_reason: &'static str } -> Nothing;
    "Network.enable" = EnableNetwork { max_total_buffer_size: u32, max_resource_buffer_size: u32 } -> Nothing;
    "Network.disable" = DisableNetwork {} -> Nothing;
    "Network.setBypassServiceWorker" = BypassServiceWorker { bypass: bool } -> Nothing;
    "Runtime.runIfWaitingForDebugger" = Resume {} -> Nothing;
    "Target.setAutoAttach" = SetAutoAttach {
        auto_attach: bool,
        wait_for_debugger_on_start: bool,
        flatten: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        filter: Option<[FilterEntry; 1]>,
    } -> Nothing;
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestPattern {
    url_pattern: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Header {
    name: &'static str,
    value: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FilterEntry {
    r#type: &'static str,
}

/// The params of `Fetch.requestPaused`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestPaused {
    request_id: String,
    resource_type: String,
}

/// The params of `Target.attachedToTarget`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachedToTarget {
    session_id: String,
}

/// A page whose requests are all answered by the proxy. Its CDP session is hidden from clients.
#[derive(Debug)]
pub(super) struct StoragePage {
    page: PageDriver,
    events: PageEvents,
    /// The CDP sessions of the frames in processes of their own at the last key visited, the innermost last.
    frames: Vec<CdpSessionId>,
    body: String,
    /// The key at which the page is; `None` while it navigates, or if it is at another URL.
    at: Option<StorageKey>,
    has_moved: bool,
}

impl StoragePage {
    /// Creates a hidden page in a context.
    pub(super) async fn new(root: &InternalRoot, context: &ContextId) -> Result<Self, Problem> {
        let target = root.new_page(context, true).await?;
        Self::on(root.attach(&target).await?).await
    }

    /// Takes over a page: from now on the proxy answers all its requests.
    pub(super) async fn on(page: PageDriver) -> Result<Self, Problem> {
        let html = format!("<!doctype html><meta charset=utf-8><body><script>{SCRIPT}</script>");
        let events = page.events();
        intercept(&page, None).await?;
        let body = BASE64.encode(html.as_bytes());
        Ok(Self { page, events, frames: Vec::new(), body, at: None, has_moved: false })
    }

    /// Stops answering the page's requests: from now on they reach the network.
    pub(super) async fn open_up(self) -> Result<PageDriver, Problem> {
        let Self { page, .. } = self;
        let off = SetAutoAttach { auto_attach: false, wait_for_debugger_on_start: false, flatten: true, filter: None };
        try_join3(page.ask(&DisableFetch {}), page.ask(&DisableNetwork {}), page.ask(&off)).await?;
        Ok(page)
    }

    /// The storage key at which the page is.
    pub(super) fn at(&self) -> Option<&StorageKey> {
        self.at.as_ref()
    }

    /// Whether the page has been navigated.
    pub(super) fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// Navigates the page so that its innermost frame has this storage key, unless it has it already.
    pub(super) async fn visit(&mut self, key: &StorageKey) -> Result<(), Problem> {
        if self.at.as_ref() == Some(key) {
            return Ok(());
        }
        let frames = key.frames();
        self.frames.clear();
        let (top, inner) = frames.split_first().expect("a key is reached by one frame at least");
        self.navigate(top).await?;
        let enter = if inner.is_empty() {
            "ghost.origin()".to_owned()
        } else {
            format!("ghost.enter({})", serde_json::to_string(inner).unwrap_or_default())
        };
        let origin: String = self.evaluate(&format!("{LOADED}.then(() => {enter})")).await?;
        if origin != key.origin {
            return Err(Problem::Item(format!("the browser went to {origin} instead")));
        }
        self.at = Some(key.clone());
        Ok(())
    }

    /// Navigates to a URL, without fetching anything, and waits until the document is loaded.
    pub(super) async fn go(&mut self, url: &str) -> Result<(), Problem> {
        self.navigate(url).await?;
        Ok(self.evaluate(&format!("{LOADED}.then(() => null)")).await?)
    }

    async fn navigate(&mut self, url: &str) -> Result<(), Problem> {
        self.at = None;
        self.has_moved = true;
        let Self { page, events, frames, body, .. } = self;
        Ok(answering(page, events, frames, body, page.navigate(url)).await?)
    }

    /// Sets the title of the document, a JSON string.
    pub(super) async fn title(&mut self, title: &RawValue) -> Result<(), Problem> {
        Ok(self.evaluate(&format!("document.title = {}, null", title.get())).await?)
    }

    /// Runs one operation of the script for the key last visited; `args` and the result are JSON.
    pub(super) async fn run<T: DeserializeOwned>(&mut self, op: &str, args: &str) -> Result<T, Problem> {
        let mut rest = args;
        while rest.len() > PART {
            let (part, more) = rest.split_at(boundary(rest, PART));
            self.evaluate::<()>(&format!("ghost.push({}), null", quote(part))).await?;
            rest = more;
        }
        let text: String = self.evaluate(&format!("ghost.run({}, {})", quote(op), quote(rest))).await?;
        runtime::aside(text.len(), || serde_json::from_str(&text))
            .map_err(|error| Problem::Item(format!("{op} gave an invalid answer: {error}")))
    }

    /// Sends a command to the page, and answers the page's requests meanwhile.
    pub(super) async fn ask<C: TypedCommand>(&mut self, command: &C) -> Result<C::Result, CallError> {
        let Self { page, events, frames, body, .. } = self;
        answering(page, events, frames, body, page.ask(command)).await
    }

    /// Sends a command to the CDP session of the frame last visited.
    pub(super) async fn ask_inside<C: TypedCommand>(&mut self, command: &C) -> Result<C::Result, CallError> {
        match self.frames.last() {
            Some(frame) => self.page.ask_on(frame, command).await,
            None => self.ask(command).await,
        }
    }

    /// Evaluates an expression in the page, and answers the page's requests meanwhile.
    async fn evaluate<T: DeserializeOwned>(&mut self, expression: &str) -> Result<T, CallError> {
        let Self { page, events, frames, body, .. } = self;
        answering(page, events, frames, body, page.evaluate(expression)).await
    }
}

/// Waits for a step, and answers the page's requests meanwhile.
async fn answering<T>(
    page: &PageDriver,
    events: &mut PageEvents,
    frames: &mut Vec<CdpSessionId>,
    body: &str,
    step: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let mut step = std::pin::pin!(step);
    loop {
        tokio::select! {
            biased;
            result = &mut step => return result,
            Some(event) = events.next() => {
                if let Some(session) = answer(page, body, &event).await {
                    events.include(&session);
                    // An error means that the frame was removed, which needs no interception.
                    let _ = intercept(page, Some(&session)).await;
                    let _ = page.ask_on(&session, &Resume {}).await;
                    frames.push(session);
                }
            }
        }
    }
}

/// Intercepts all requests of a page, or of a frame in a process of its own.
async fn intercept(page: &PageDriver, frame: Option<&CdpSessionId>) -> Result<(), CallError> {
    let fetch = EnableFetch { patterns: [RequestPattern { url_pattern: "*" }] };
    let network = EnableNetwork { max_total_buffer_size: 0, max_resource_buffer_size: 0 };
    // A service worker of the site would answer instead of the proxy.
    let bypass = BypassServiceWorker { bypass: true };
    let attach = SetAutoAttach {
        auto_attach: true,
        wait_for_debugger_on_start: true,
        flatten: true,
        filter: Some([FilterEntry { r#type: "iframe" }]),
    };
    // All are sent before the first is answered; Chrome handles them in order.
    match frame {
        None => try_join4(page.ask(&fetch), page.ask(&network), page.ask(&bypass), page.ask(&attach)).await,
        Some(frame) => {
            let (fetch, network) = (page.ask_on(frame, &fetch), page.ask_on(frame, &network));
            try_join4(fetch, network, page.ask_on(frame, &bypass), page.ask_on(frame, &attach)).await
        }
    }
    .map(drop)
}

/// Answers a request of the page, or of a frame in a process of its own. Returns the CDP session of a frame that has
/// just been attached.
async fn answer(page: &PageDriver, body: &str, event: &InternalEvent) -> Option<CdpSessionId> {
    match event.method.as_str() {
        "Fetch.requestPaused" => {
            let RequestPaused { request_id, resource_type } = serde_json::from_str(&event.params).ok()?;
            let request_id = &request_id;
            // The request may have ended with its frame.
            let _ = if resource_type == "Document" {
                let response_headers = [
                    Header { name: "content-type", value: "text/html" },
                    Header { name: "cache-control", value: "no-store" },
                ];
                let fulfill = FulfillRequest { request_id, response_code: 200, response_headers, body };
                page.ask_on(&event.on, &fulfill).await
            } else {
                page.ask_on(&event.on, &FailRequest { request_id, error_reason: "Aborted" }).await
            };
            None
        }
        "Target.attachedToTarget" => {
            let attached: AttachedToTarget = serde_json::from_str(&event.params).ok()?;
            Some(attached.session_id.into())
        }
        _ => None,
    }
}

/// The last position up to `at` where a text may be cut.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
