//! `Client`: raw CDP over a WebSocket, without a client library.
//!
//! It records the whole conversation; an error panics with the last frames.

use std::{
    fmt::Write as _,
    net::Shutdown,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message, client::IntoClientRequest as _, protocol::WebSocketConfig},
};

/// Time limit for everything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// Number of frames in a panic message, and the length shown of each.
const SHOWN: usize = 40;
const SHOWN_LENGTH: usize = 400;

/// Code and text of a CDP error.
pub(crate) type Failure = (i64, String);

/// A frame of the conversation.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) sent: bool,
    pub(crate) text: Arc<str>,
    /// The parsed text of a received frame; `Null` if it is not JSON.
    json: Arc<Value>,
    /// Whether a method has already returned this reply or event.
    taken: bool,
}

impl Frame {
    pub(crate) fn received(&self) -> Option<&Value> {
        (!self.sent).then_some(&*self.json)
    }
}

#[derive(Default)]
struct Conversation {
    frames: Mutex<Vec<Frame>>,
    closed: Mutex<Option<String>>,
    news: Notify,
}

/// A connected client. Dropping it closes the connection.
pub(crate) struct Client {
    to: tokio::sync::Mutex<SplitSink<WebSocketStream<TcpStream>, Message>>,
    socket: std::net::TcpStream,
    conversation: Arc<Conversation>,
    reading: watch::Sender<bool>,
    reader: JoinHandle<()>,
    last_id: AtomicI64,
}

/// A page and the CDP session on it.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) target: String,
    pub(crate) session: String,
}

impl Client {
    pub(crate) async fn connect(address: &str, path_and_query: &str) -> Result<Self, String> {
        Self::connect_with(address, path_and_query, &[]).await
    }

    /// As [`Client::connect`], with headers of its own.
    pub(crate) async fn connect_with(
        address: &str,
        path_and_query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, String> {
        let handshake = Self::handshake(address, path_and_query, headers);
        let connected = tokio::time::timeout(Duration::from_secs(40), handshake).await;
        connected.map_err(|_| "no answer to the handshake".to_owned())?
    }

    async fn handshake(address: &str, path_and_query: &str, headers: &[(&'static str, &str)]) -> Result<Self, String> {
        let socket = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let socket = socket.into_std().expect("a socket");
        let handle = socket.try_clone().expect("a second handle");
        let socket = TcpStream::from_std(socket).expect("a socket");
        let _ = socket.set_nodelay(true);
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let url = format!("ws://{address}{path_and_query}");
        let mut request = url.into_client_request().map_err(|error| error.to_string())?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value of a header"));
        }
        let (stream, _) =
            client_async_with_config(request, socket, Some(config)).await.map_err(|error| match error {
                Error::Http(answer) => {
                    let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned();
                    format!("{} {body}", answer.status())
                }
                other => other.to_string(),
            })?;
        let (to, mut from) = stream.split();
        let conversation = Arc::new(Conversation::default());
        let (reading, mut may_read) = watch::channel(true);
        let heard = conversation.clone();
        let reader = tokio::spawn(async move {
            let why = loop {
                if may_read.wait_for(|may| *may).await.is_err() {
                    break "dropped".to_owned();
                }
                match from.next().await {
                    Some(Ok(Message::Text(text))) => heard.add(false, text.as_str()),
                    Some(Ok(Message::Close(Some(frame)))) => {
                        break format!("{} {}", u16::from(frame.code), frame.reason);
                    }
                    Some(Ok(Message::Close(None))) | None => break "without a close frame".to_owned(),
                    Some(Ok(other)) => heard.add(false, &format!("{other:?}")),
                    Some(Err(error)) => break error.to_string(),
                }
            };
            *heard.closed.lock().expect("no panic") = Some(why);
            heard.news.notify_waiters();
            // Chrome and the proxy close the connection after the reply to their close frame.
            while from.next().await.is_some_and(|frame| frame.is_ok()) {}
        });
        let to = tokio::sync::Mutex::new(to);
        Ok(Self { to, socket: handle, conversation, reading, reader, last_id: AtomicI64::new(0) })
    }

    // ---- Sending.

    /// Sends this text unchanged.
    pub(crate) async fn send_raw(&self, text: &str) {
        if let Err(error) = self.send(Message::text(text)).await {
            self.panic(&format!("could not send: {error}"));
        }
    }

    /// Sends this message; an error if the other side has closed.
    pub(crate) async fn send(&self, message: Message) -> Result<(), Error> {
        if let Message::Text(text) = &message {
            self.conversation.add(true, text.as_str());
        }
        self.to.lock().await.send(message).await
    }

    /// Sends a command and returns its id without waiting for the reply.
    pub(crate) async fn start(&self, session: Option<&str>, method: &str, params: Value) -> i64 {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.send_raw(&command.to_string()).await;
        id
    }

    /// Pauses or resumes reading from the socket.
    pub(crate) fn read(&self, on: bool) {
        self.reading.send_replace(on);
    }

    // ---- Commands.

    /// A command on the browser-level connection, without `sessionId`.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, Failure> {
        self.call_in(None, method, params, DEADLINE).await
    }

    /// A command on a CDP session.
    pub(crate) async fn call_on(&self, session: &str, method: &str, params: Value) -> Result<Value, Failure> {
        self.call_in(Some(session), method, params, DEADLINE).await
    }

    /// A command with a time limit for its reply.
    pub(crate) async fn call_in(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
        deadline: Duration,
    ) -> Result<Value, Failure> {
        let id = self.start(session, method, params).await;
        let reply = self.wait(&format!("a reply to {method} ({id})"), deadline, |frame| is_reply(frame, id)).await;
        outcome(&reply)
    }

    /// A command that must succeed.
    pub(crate) async fn ok(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        match self.call_in(session, method, params, DEADLINE).await {
            Ok(result) => result,
            Err(error) => self.panic(&format!("{method} failed: {error:?}")),
        }
    }

    /// Creates a page at this URL in the default context and attaches to it.
    pub(crate) async fn page_at(&self, url: &str) -> Page {
        self.page_in(None, url).await
    }

    /// Creates a blank page in the default context and attaches to it.
    pub(crate) async fn page(&self) -> Page {
        self.page_at("about:blank").await
    }

    /// Creates a page in a context, waits until it is loaded, and attaches to it.
    pub(crate) async fn page_in(&self, context: Option<&str>, url: &str) -> Page {
        let mut params = json!({ "url": "about:blank" });
        if let Some(context) = context {
            params["browserContextId"] = context.into();
        }
        let target = text(&self.ok(None, "Target.createTarget", params).await, "targetId");
        let session = self.attach(None, &target).await;
        let page = Page { target, session };
        if url != "about:blank" {
            self.open(&page, url).await;
        }
        page
    }

    /// Attaches to a target and returns the CDP session.
    pub(crate) async fn attach(&self, on: Option<&str>, target: &str) -> String {
        text(&self.ok(on, "Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await, "sessionId")
    }

    /// Opens a URL in a page and waits until it is loaded.
    pub(crate) async fn open(&self, page: &Page, url: &str) {
        let session = page.session.as_str();
        self.ok(Some(session), "Page.enable", json!({})).await;
        self.forget_events("Page.loadEventFired");
        let opened = self.ok(Some(session), "Page.navigate", json!({ "url": url })).await;
        if let Some(error) = opened.get("errorText") {
            self.panic(&format!("{url} could not be opened: {error}"));
        }
        self.event_on(session, "Page.loadEventFired").await;
    }

    /// The value of an expression in a page; promises are awaited.
    pub(crate) async fn evaluate(&self, session: &str, expression: &str) -> Value {
        self.evaluate_in(session, expression, DEADLINE).await
    }

    /// As [`Client::evaluate`], with this time limit.
    pub(crate) async fn evaluate_in(&self, session: &str, expression: &str, deadline: Duration) -> Value {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let result = self.call_in(Some(session), "Runtime.evaluate", params, deadline).await;
        match result {
            Ok(result) if result.get("exceptionDetails").is_none() => result["result"]["value"].clone(),
            other => self.panic(&format!("{expression:?} failed: {other:?}")),
        }
    }

    // ---- Receiving.

    /// The next event of this name on any CDP session; the whole message.
    pub(crate) async fn event(&self, method: &str) -> Value {
        self.wait(method, DEADLINE, |frame| frame["method"] == method).await
    }

    /// The next event of this name on this CDP session; its `params`.
    pub(crate) async fn event_on(&self, session: &str, method: &str) -> Value {
        let found = |frame: &Value| frame["method"] == method && frame["sessionId"] == session;
        self.wait(&format!("{method} on {session}"), DEADLINE, found).await["params"].clone()
    }

    /// The next event of this name whose `params` satisfy the predicate; its `params`.
    pub(crate) async fn event_where(&self, method: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.wait(method, DEADLINE, |frame| frame["method"] == method && is(&frame["params"])).await["params"].clone()
    }

    /// The reply with this id; the whole message.
    pub(crate) async fn reply_to(&self, id: i64) -> Value {
        self.wait(&format!("a reply to {id}"), DEADLINE, |frame| is_reply(frame, id)).await
    }

    /// The next received message that satisfies the predicate and was not returned before.
    pub(crate) async fn wait(&self, what: &str, deadline: Duration, is: impl Fn(&Value) -> bool) -> Value {
        match self.wait_or_close(deadline, is).await {
            Ok(frame) => frame,
            Err(why) => self.panic(&format!("waited for {what}: {why}")),
        }
    }

    /// As [`Client::wait`]; `Err` if the connection ends or the time limit passes first.
    pub(crate) async fn wait_or_close(&self, deadline: Duration, is: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let mut seen = 0;
        let found = async {
            loop {
                let news = self.conversation.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(frame) = self.conversation.take(&mut seen, &is) {
                    return Ok((*frame).clone());
                }
                if let Some(why) = self.closed() {
                    return Err(format!("the connection was closed: {why}"));
                }
                news.await;
            }
        };
        tokio::time::timeout(deadline, found).await.unwrap_or_else(|_| Err(format!("nothing in {deadline:?}")))
    }

    /// Marks all events of this name received so far as returned.
    pub(crate) fn forget_events(&self, method: &str) {
        for frame in self.conversation.frames().iter_mut().filter(|frame| frame.json["method"] == method) {
            frame.taken = true;
        }
    }

    /// Waits until the other side has closed the connection; returns the code and reason, or the
    /// error.
    pub(crate) async fn end(&self) -> String {
        let since = Instant::now();
        loop {
            let news = self.conversation.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if let Some(why) = self.closed() {
                return why;
            }
            if tokio::time::timeout(DEADLINE, news).await.is_err() || since.elapsed() > DEADLINE {
                self.panic("the connection should have been closed");
            }
        }
    }

    /// Why the connection has ended; `None` while it is open.
    pub(crate) fn closed(&self) -> Option<String> {
        self.conversation.closed.lock().expect("no panic").clone()
    }

    /// All frames so far, sent and received.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        self.conversation.frames().clone()
    }

    /// The events received so far, as whole messages.
    pub(crate) fn events(&self) -> Vec<Value> {
        let frames = self.frames();
        frames.iter().filter_map(Frame::received).filter(|frame| frame.get("method").is_some()).cloned().collect()
    }

    /// Fails the test with the last frames.
    pub(crate) fn panic(&self, why: &str) -> ! {
        let frames = self.frames();
        let mut story = String::new();
        for frame in frames.iter().skip(frames.len().saturating_sub(SHOWN)) {
            let shown: String = frame.text.chars().take(SHOWN_LENGTH).collect();
            let rest = if shown.len() < frame.text.len() { "…" } else { "" };
            let _ = writeln!(story, "  {} {shown}{rest}", if frame.sent { "->" } else { "<-" });
        }
        panic!("{why}\nclosed: {:?}; the last of {} frames:\n{story}", self.closed(), frames.len());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The task may not run any more; the other side must still see the connection close.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.reader.abort();
    }
}

impl Conversation {
    fn frames(&self) -> std::sync::MutexGuard<'_, Vec<Frame>> {
        self.frames.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn add(&self, sent: bool, text: &str) {
        let json = if sent { Value::Null } else { read(text) };
        self.frames().push(Frame { sent, text: text.into(), json: Arc::new(json), taken: false });
        self.news.notify_waiters();
    }

    /// The first message from `seen` on that satisfies the predicate; moves `seen` behind what was
    /// checked.
    fn take(&self, seen: &mut usize, is: impl Fn(&Value) -> bool) -> Option<Arc<Value>> {
        let mut frames = self.frames();
        let from = *seen;
        *seen = frames.len();
        let found = frames[from..].iter_mut().find(|frame| !frame.sent && !frame.taken && is(&frame.json))?;
        found.taken = true;
        Some(found.json.clone())
    }
}

/// Chrome may send half of a surrogate pair, which Rust strings cannot hold: it is read as U+FFFD.
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let mut parts = text.split("\\ud");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let half = part.starts_with(['8', '9', 'a', 'b', 'c', 'd', 'e', 'f']);
            whole += if half { "\\ufffd" } else { "\\ud" };
            whole += if half { part.get(3..).unwrap_or_default() } else { part };
        }
        serde_json::from_str(&whole).unwrap_or_default()
    })
}

/// A string member; empty if it is missing.
pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// The result or error of a reply.
pub(crate) fn outcome(reply: &Value) -> Result<Value, Failure> {
    match reply.get("error") {
        Some(error) => Err((error["code"].as_i64().unwrap_or_default(), text(error, "message"))),
        None => Ok(reply["result"].clone()),
    }
}

fn is_reply(frame: &Value, id: i64) -> bool {
    frame["id"] == id && frame.get("method").is_none()
}
