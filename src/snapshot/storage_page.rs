//! The storage page: a hidden page through which an origin's storage is read and written, without a page of the session
//! and without contacting the site. The proxy answers every request that it makes.

use data_encoding::BASE64;
use futures_util::future::try_join_all;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::{Problem, storage_key::StorageKey};
use crate::{
    browser::{InternalEvent, InternalRoot, InternalSession},
    cdp::{
        ids::{CdpSessionId, ContextId},
        json_object::{JsonObject, quote},
    },
};

/// The content of every document of the page.
const SCRIPT: &str = concat!(include_str!("storage_page/values.js"), include_str!("storage_page/storage.js"));
/// A promise that the document is loaded.
const LOADED: &str = "(document.readyState === 'complete' ? Promise.resolve() \
                      : new Promise(done => addEventListener('load', done)))";
/// Most bytes of a part of an argument; a command to Chrome must stay below 100 MiB.
const PART: usize = 8 * 1024 * 1024;

/// A page whose requests are all answered by the proxy. Its CDP session is hidden from clients.
#[derive(Debug)]
pub(super) struct StoragePage {
    page: InternalSession,
    to: mpsc::UnboundedSender<InternalEvent>,
    heard: mpsc::UnboundedReceiver<InternalEvent>,
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
    pub(super) async fn on(page: InternalSession) -> Result<Self, Problem> {
        let (to, heard) = mpsc::unbounded_channel();
        let html = format!("<!doctype html><meta charset=utf-8><body><script>{SCRIPT}</script>");
        guard(&page, page.session(), &to).await?;
        let body = BASE64.encode(html.as_bytes());
        Ok(Self { page, to, heard, frames: Vec::new(), body, at: None, has_moved: false })
    }

    /// Stops answering the page's requests: from now on they reach the network.
    pub(super) async fn open_up(self) -> Result<InternalSession, Problem> {
        let off = r#"{"autoAttach":false,"waitForDebuggerOnStart":false,"flatten":true}"#;
        let all = [("Fetch.disable", "{}"), ("Network.disable", "{}"), ("Target.setAutoAttach", off)];
        try_join_all(all.map(|(method, params)| self.page.call(method, params))).await?;
        Ok(self.page)
    }

    /// The storage key at which the page is.
    pub(super) fn at(&self) -> Option<&StorageKey> {
        self.at.as_ref()
    }

    /// Whether the page has been navigated.
    pub(super) fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// Navigates to a place where the innermost frame has this storage key, if the page is not there.
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
        let origin = self.evaluate(&format!("{LOADED}.then(() => {enter})")).await?;
        if origin != key.origin {
            return Err(Problem::Script(format!("the browser went to {origin} instead")));
        }
        self.at = Some(key.clone());
        Ok(())
    }

    /// Navigates to a URL, without fetching anything, and waits until the document is loaded.
    pub(super) async fn go(&mut self, url: &str) -> Result<(), Problem> {
        self.navigate(url).await?;
        self.evaluate(&format!("{LOADED}.then(() => '')")).await.map(drop)
    }

    async fn navigate(&mut self, url: &str) -> Result<(), Problem> {
        self.at = None;
        self.has_moved = true;
        let result = self.call("Page.navigate", format!(r#"{{"url":{}}}"#, quote(url))).await?;
        if let Some(error) = JsonObject::read(&result).and_then(|result| result.string("errorText")) {
            return Err(Problem::Script(format!("the browser could not go there: {error}")));
        }
        Ok(())
    }

    /// Sets the title of the document, a JSON string.
    pub(super) async fn title(&mut self, title: &RawValue) -> Result<(), Problem> {
        self.evaluate(&format!("document.title = {}, ''", title.get())).await.map(drop)
    }

    /// Runs one operation of the script for the key last visited; `args` and the result are JSON.
    pub(super) async fn run<T: DeserializeOwned>(&mut self, op: &str, args: &str) -> Result<T, Problem> {
        let mut rest = args;
        while rest.len() > PART {
            let (part, more) = rest.split_at(boundary(rest, PART));
            self.evaluate(&format!("ghost.push({}), ''", quote(part))).await?;
            rest = more;
        }
        let text = self.evaluate(&format!("ghost.run({}, {})", quote(op), quote(rest))).await?;
        serde_json::from_str(&text).map_err(|error| Problem::Script(format!("{op} gave an invalid answer: {error}")))
    }

    /// Sends a command to the page, and answers the page's requests meanwhile.
    pub(super) async fn call(&mut self, method: &'static str, params: String) -> Result<String, Problem> {
        let Self { page, heard, to, frames, body, .. } = self;
        let mut call = std::pin::pin!(page.call(method, params));
        loop {
            tokio::select! {
                biased;
                result = &mut call => return Ok(result?),
                Some(event) = heard.recv() => answer(page, to, frames, body, &event).await,
            }
        }
    }

    /// Sends a command to the CDP session of the frame last visited.
    pub(super) async fn call_inside(&mut self, method: &'static str, params: String) -> Result<String, Problem> {
        match self.frames.last() {
            Some(frame) => Ok(self.page.call_below(frame, method, params).await?),
            None => self.call(method, params).await,
        }
    }

    /// The string that an expression returns, promises awaited.
    async fn evaluate(&mut self, expression: &str) -> Result<String, Problem> {
        let params = evaluation(expression);
        evaluated(&self.call("Runtime.evaluate", params).await?)
    }
}

/// Intercepts all requests of a page, or of a frame in a process of its own.
async fn guard(
    page: &InternalSession,
    session: &CdpSessionId,
    to: &mpsc::UnboundedSender<InternalEvent>,
) -> Result<(), Problem> {
    page.listen(session, to.clone());
    let all = [
        ("Fetch.enable", r#"{"patterns":[{"urlPattern":"*"}]}"#),
        // A service worker of the site would answer instead of the proxy.
        ("Network.enable", r#"{"maxTotalBufferSize":0,"maxResourceBufferSize":0}"#),
        ("Network.setBypassServiceWorker", r#"{"bypass":true}"#),
        (
            "Target.setAutoAttach",
            r#"{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true,"filter":[{"type":"iframe"}]}"#,
        ),
    ];
    // All are sent before the first is answered; Chrome handles them in order.
    try_join_all(all.map(|(method, params)| page.call_below(session, method, params))).await?;
    Ok(())
}

/// Answers a request of the page, or of a frame in a process of its own.
async fn answer(
    page: &InternalSession,
    to: &mpsc::UnboundedSender<InternalEvent>,
    frames: &mut Vec<CdpSessionId>,
    body: &str,
    event: &InternalEvent,
) {
    let Some(params) = JsonObject::read(&event.params) else { return };
    match event.method.as_str() {
        "Fetch.requestPaused" => {
            let Some(id) = params.get("requestId") else { return };
            let (method, params) = if params.string("resourceType").as_deref() == Some("Document") {
                let headers =
                    r#"[{"name":"content-type","value":"text/html"},{"name":"cache-control","value":"no-store"}]"#;
                let params =
                    format!(r#"{{"requestId":{id},"responseCode":200,"responseHeaders":{headers},"body":"{body}"}}"#);
                ("Fetch.fulfillRequest", params)
            } else {
                ("Fetch.failRequest", format!(r#"{{"requestId":{id},"errorReason":"Aborted"}}"#))
            };
            // The request may be gone together with its frame.
            let _ = page.call_below(&event.on, method, params).await;
        }
        "Target.attachedToTarget" => {
            let Some(session) = params.string("sessionId").map(CdpSessionId::from) else { return };
            // A frame that is gone needs no interception.
            let _ = guard(page, &session, to).await;
            let _ = page.call_below(&session, "Runtime.runIfWaitingForDebugger", "{}").await;
            frames.push(session);
        }
        _ => {}
    }
}

/// The last position up to `at` where a text may be cut.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The params of a `Runtime.evaluate` that awaits promises.
pub(super) fn evaluation(expression: &str) -> String {
    format!(r#"{{"expression":{},"awaitPromise":true,"returnByValue":true}}"#, quote(expression))
}

/// The string in the result of a `Runtime.evaluate`.
pub(super) fn evaluated(result: &str) -> Result<String, Problem> {
    #[derive(Deserialize)]
    struct Value {
        value: Option<serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Exception {
        exception: Option<Described>,
        text: String,
    }
    #[derive(Deserialize)]
    struct Described {
        description: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Evaluated {
        result: Value,
        exception_details: Option<Exception>,
    }
    let read: Evaluated =
        serde_json::from_str(result).map_err(|error| Problem::Script(format!("Chrome's answer: {error}")))?;
    if let Some(Exception { exception, text }) = read.exception_details {
        let said = exception.and_then(|exception| exception.description).unwrap_or(text);
        // The following lines are a stack of the proxy's own script.
        return Err(Problem::Script(said.lines().next().unwrap_or_default().to_owned()));
    }
    match read.result.value {
        Some(serde_json::Value::String(text)) => Ok(text),
        other => Err(Problem::Script(format!("no text: {other:?}"))),
    }
}
