//! Runs the code of a caller with Puppeteer, in the runner page: a hidden page of the session, which its clients do not see.
//!
//! Puppeteer is there a client of the session as one that connects: its frames go through a socket of this process to the
//! session's task, under the policy, the limits and the queues of every client. The page itself has no socket and no binding:
//! the server holds an object of it, and takes and gives frames by calling its functions. So no document that the page is
//! navigated to, no frame of it and no other page has anything of it.

use std::sync::LazyLock;

use data_encoding::BASE64;
use futures_util::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use tokio::net::UnixStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    api_types::AnyValue,
    browser::{CallError, ContextHandle, InternalRoot, PageDriver, commands::commands},
    runtime,
    session::pages::{Code, CodeResult, PageError},
};

const PUPPETEER: &str = include_str!("runner/puppeteer.js");
const RUNNER: &str = include_str!("runner/runner.js");
/// The expression that makes the object whose functions the server calls.
static EXPRESSION: LazyLock<String> =
    LazyLock::new(|| format!("(() => {{\n{PUPPETEER}\nreturn (\n{RUNNER}\n)(Puppeteer);\n}})()"));

/// So many bytes of frames are given to the page at once, if they are several.
const PUSHED: usize = 4 << 20;
/// Largest message of the session.
const LARGEST: usize = 256 << 20;

const PULL: &str = "function() { return this.pull(); }";
const PUSH: &str = "function(frames) { this.push(frames); return true; }";
const RUN: &str = "function(code) { return this.run(code); }";

commands! {
    "Runtime.evaluate" = EvaluateObject<'a> { expression: &'a str } -> Evaluated<()>;
    "Runtime.callFunctionOn" = CallOn<'a> {
        object_id: &'a str,
        function_declaration: &'a str,
        arguments: Vec<Argument>,
        await_promise: bool,
        return_by_value: bool,
    } -> Evaluated<()>;
}

/// An argument of a function.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Argument {
    value: AnyValue,
}

/// What Chrome answers to an expression or a call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
pub(crate) struct Evaluated<T> {
    result: Value<T>,
    exception_details: Option<Exception>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
struct Value<T> {
    object_id: Option<String>,
    value: Option<T>,
}

#[derive(Deserialize)]
struct Exception {
    text: String,
}

/// What `run` of the runner page returns.
#[derive(Deserialize)]
struct Returned {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// A text.
    text: Option<String>,
    /// A text that may have bytes in base64.
    data: Option<String>,
    /// Bytes.
    base64: Option<String>,
    /// The size of a result that is too large.
    size: Option<usize>,
    error: Option<Thrown>,
}

#[derive(Deserialize)]
struct Thrown {
    message: String,
    stack: String,
}

/// Runs code. `client` is the socket of a client that is connected to the session. All ends when the future is dropped.
pub(super) async fn run(place: ContextHandle, client: UnixStream, code: Code) -> Result<CodeResult, PageError> {
    let root = InternalRoot::idle(place.browser()).await?;
    let target = root.new_page(place.context(), true).await?;
    let page = root.attach(&target).await?;
    let made = page.ask(&EvaluateObject { expression: &EXPRESSION }).await?;
    let object = made.result.object_id.ok_or_else(|| lost(made.exception_details))?;
    let runner = Runner { page, object };
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let socket = WebSocketStream::from_raw_socket(client, Role::Client, Some(config)).await;
    let (to_session, from_session) = socket.split();
    let Code { text, context, page, timeout, most } = code;
    let started = json!({
        "code": text, "context": context, "page": page.to_string(), "timeout": u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        "most": most,
    });
    let returned = tokio::select! {
        returned = runner.call::<Returned>(RUN, started) => returned?,
        end = runner.send(to_session) => return Err(end),
        end = runner.receive(from_session) => return Err(end),
    };
    runtime::aside(most, || read(returned, most))
}

/// The runner page.
struct Runner {
    page: PageDriver,
    /// The object whose functions are called.
    object: String,
}

impl Runner {
    /// Calls a function of the object, and waits for what it promises, as long as the caller waits.
    async fn call<T: DeserializeOwned>(&self, function: &str, argument: serde_json::Value) -> Result<T, PageError> {
        let call = CallOn {
            object_id: &self.object,
            function_declaration: function,
            arguments: vec![Argument { value: AnyValue(argument) }],
            await_promise: true,
            return_by_value: true,
        };
        let result = self.page.ask_patiently(&call).await.map_err(|_| PageError::CodeLeft)?;
        let read = runtime::aside(result.len(), || serde_json::from_str::<Evaluated<T>>(&result));
        match read.map_err(|_| PageError::CodeLeft)? {
            Evaluated { exception_details: Some(exception), .. } => Err(lost(Some(exception))),
            Evaluated { result, .. } => result.value.ok_or(PageError::CodeLeft),
        }
    }

    /// Sends what Puppeteer sends, until that fails.
    async fn send(&self, mut to: SplitSink<WebSocketStream<UnixStream>, Message>) -> PageError {
        loop {
            let frames: Vec<String> = match self.call(PULL, json!(null)).await {
                Ok(frames) => frames,
                Err(error) => return error,
            };
            for frame in frames {
                if to.feed(Message::text(frame)).await.is_err() {
                    return PageError::CodeLeft;
                }
            }
            if to.flush().await.is_err() {
                return PageError::CodeLeft;
            }
        }
    }

    /// Gives Puppeteer what the session sends, until the session ends.
    async fn receive(&self, mut from: SplitStream<WebSocketStream<UnixStream>>) -> PageError {
        while let Some(Ok(first)) = from.next().await {
            let (mut frames, mut bytes, mut next) = (Vec::new(), 0, Some(first));
            while let Some(message) = next.take() {
                if let Message::Text(text) = message {
                    bytes += text.len();
                    frames.push(text.as_str().to_owned());
                }
                if bytes < PUSHED {
                    next = from.next().now_or_never().flatten().and_then(Result::ok);
                }
            }
            if frames.is_empty() {
                continue;
            }
            if let Err(error) = self.call::<bool>(PUSH, json!(frames)).await {
                return error;
            }
        }
        PageError::CodeLeft
    }
}

/// The error of a runner page that does not work.
fn lost(exception: Option<Exception>) -> PageError {
    let message = exception.map_or_else(|| "it has no object".to_owned(), |exception| exception.text);
    PageError::Call(CallError::Exception { message })
}

/// The result of the code.
fn read(returned: Returned, most: usize) -> Result<CodeResult, PageError> {
    let Returned { kind, text, data, base64, size, error } = returned;
    if let Some(Thrown { message, stack }) = error {
        return Err(PageError::Script { message, stack });
    }
    let unreadable =
        || PageError::Script { message: "the code changed how its result is read".to_owned(), stack: String::new() };
    let body = match (base64, data, text) {
        (Some(base64), ..) => BASE64.decode(base64.as_bytes()).map_err(|_| unreadable())?,
        (None, Some(data), _) => bytes_of(kind.as_deref(), data),
        (None, None, Some(text)) => text.into_bytes(),
        (None, None, None) if size.is_some() => Vec::new(),
        (None, None, None) => return Err(unreadable()),
    };
    match size.unwrap_or(0).max(body.len()) {
        size if size > most => Err(PageError::TooLarge { size, most }),
        _ => Ok(CodeResult { kind, body }),
    }
}

/// A text; or the bytes that it has in base64, if its type is not one of texts.
fn bytes_of(kind: Option<&str>, data: String) -> Vec<u8> {
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let is_text = kind.starts_with("text/") || ["xml", "javascript"].iter().any(|part| kind.contains(part));
    let bytes = (!is_text && !data.is_empty()).then(|| BASE64.decode(data.as_bytes()).ok()).flatten();
    bytes.unwrap_or_else(|| data.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(returned: serde_json::Value) -> Result<(Option<String>, Vec<u8>), String> {
        let returned = serde_json::from_value(returned).expect("what the runner page returns");
        read(returned, 10).map(|CodeResult { kind, body }| (kind, body)).map_err(|error| error.to_string())
    }

    #[test]
    fn results_are_texts_bytes_or_errors() {
        for (returned, kind, body) in [
            (json!({ "type": "text/plain", "text": "aGk=" }), Some("text/plain"), "aGk="),
            (json!({ "type": "text/html", "data": "aGk=" }), Some("text/html"), "aGk="),
            (json!({ "type": "image/svg+xml", "data": "aGk=" }), Some("image/svg+xml"), "aGk="),
            (json!({ "type": "image/png", "data": "aGk=" }), Some("image/png"), "hi"),
            (json!({ "type": "image/png", "data": "no base64" }), Some("image/png"), "no base64"),
            (json!({ "type": "image/png", "base64": "aGk=" }), Some("image/png"), "hi"),
            (json!({ "base64": "aGk=" }), None, "hi"),
        ] {
            let expected = (kind.map(str::to_owned), body.as_bytes().to_vec());
            assert_eq!(result(returned.clone()), Ok(expected), "{returned}");
        }
        for (returned, why) in [
            (json!({ "error": { "message": "Error: x", "stack": "s" } }), "the script failed: Error: x"),
            (json!({ "size": 200_000 }), "the result has 200000 bytes, and page_result allows 10"),
            (json!({ "type": "text/plain", "text": "12345678901" }), "the result has 11 bytes"),
            (json!({ "base64": "?" }), "the code changed how its result is read"),
            (json!({}), "the code changed how its result is read"),
        ] {
            let error = result(returned.clone()).expect_err("an error");
            assert!(error.contains(why), "{returned}: {error}");
        }
    }
}
