//! `ghostmux mcp`: an MCP server on standard input and output, for programs that start one. It hands each message on to
//! `/mcp` of a running server, and its answer back.
//!
//! Over HTTP a message has headers that it has not on standard output: the version of the protocol, the session, and from
//! 2026-07-28 on the method and the tool. They are made here.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clap::Args;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::mpsc,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::client::{Client, ClientError, detail};
use crate::browser::http_request::Answered;

/// Most bytes of a message of the agent.
const LONGEST: u64 = 1024 * 1024;
/// Most requests that are performed at the same time; further ones are not read meanwhile.
const MOST: usize = 64;
const SESSION: &str = "mcp-session-id";
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// `ghostmux mcp`
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The server to use. The token of a tenant is that of the variable `GHOSTMUX_TOKEN`.
    #[arg(long, alias = "url", value_name = "URL", default_value = "http://127.0.0.1:9222")]
    server: String,
    /// Groups of tools beside the usual ones: network, storage, vision, pdf, devtools, session.
    #[arg(long, value_name = "LIST", default_value = "")]
    caps: String,
    /// Options of the session, as in the query of a URL, such as `profile=shop&keep_alive=30m`.
    #[arg(long, value_name = "QUERY", default_value = "")]
    options: String,
}

/// Why `ghostmux mcp` ended.
#[derive(Debug, thiserror::Error)]
pub enum McpCommandError {
    /// The address of the server cannot be read.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Standard input or output failed.
    #[error("cannot use standard input and output: {0}")]
    Stdio(#[from] io::Error),
    /// A message is too long.
    #[error("a message has more than {LONGEST} bytes")]
    TooLong,
}

impl McpCommandError {
    /// Whether the arguments are wrong.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Client(ClientError::Address { .. }))
    }
}

/// The begin of a message.
#[derive(Deserialize)]
struct Message {
    id: Option<Box<RawValue>>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
}

/// What is known of the agent.
#[derive(Default)]
struct Known {
    /// Its session.
    session: Option<String>,
    /// The version that was agreed on.
    version: Option<String>,
    /// Its `initialize`.
    initialize: Option<String>,
    /// The requests that are being performed, by their ids.
    open: HashMap<String, CancellationToken>,
}

/// What hands messages on.
struct Bridge {
    client: Client,
    path: String,
    // Guards what is known of the agent; held for one look-up.
    known: Mutex<Known>,
    // Held while a session begins anew, so that one does.
    beginning: tokio::sync::Mutex<()>,
    out: mpsc::Sender<String>,
}

/// Hands messages on until standard input ends; then the session ends.
pub async fn run(
    arguments: &Arguments,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), McpCommandError> {
    let mut query = form_urlencoded::Serializer::new(arguments.options.clone());
    if !arguments.caps.is_empty() {
        query.append_pair("caps", &arguments.caps);
    }
    let query = query.finish();
    let path = if query.is_empty() { "/mcp".to_owned() } else { format!("/mcp?{query}") };
    // Room for the answers of all that runs.
    let (out, mut answers) = mpsc::channel(2 * MOST);
    let client = Client::new(&arguments.server)?;
    let bridge = Bridge { client, path, known: Mutex::default(), beginning: tokio::sync::Mutex::default(), out };
    let bridge = Arc::new(bridge);
    let mut lines = BufReader::new(input);
    let (mut running, mut line) = (JoinSet::new(), Vec::new());
    loop {
        // What was read stays in `line` if something else comes first.
        let mut bounded = (&mut lines).take(LONGEST);
        tokio::select! {
            read = bounded.read_until(b'\n', &mut line), if running.len() < MOST => {
                let is_end = read? == 0;
                if !is_end && line.last() != Some(&b'\n') {
                    if line.len() as u64 >= LONGEST {
                        return Err(McpCommandError::TooLong);
                    }
                    continue;
                }
                let text = String::from_utf8_lossy(&line).trim().to_owned();
                line.clear();
                if !text.is_empty() {
                    bridge.accept(text, &mut running).await;
                }
                if is_end {
                    break;
                }
            }
            Some(answer) = answers.recv() => write(&mut output, &answer).await?,
            Some(_) = running.join_next() => {}
        }
    }
    // An agent that asks and leaves, as a script does, still gets its answers.
    while !running.is_empty() {
        tokio::select! {
            Some(answer) = answers.recv() => write(&mut output, &answer).await?,
            Some(_) = running.join_next() => {}
        }
    }
    while let Ok(answer) = answers.try_recv() {
        write(&mut output, &answer).await?;
    }
    bridge.end().await;
    Ok(())
}

async fn write(output: &mut (impl AsyncWrite + Unpin), line: &str) -> io::Result<()> {
    output.write_all(line.as_bytes()).await?;
    output.write_all(b"\n").await?;
    output.flush().await
}

impl Bridge {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to perform a message. What must come before others is performed at once.
    async fn accept(self: &Arc<Self>, text: String, running: &mut JoinSet<()>) {
        let Ok(message) = serde_json::from_str::<Message>(&text) else {
            let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32700, "message": "this is no message of JSON-RPC" } });
            let bridge = self.clone();
            running.spawn(async move { bridge.answer(error.to_string()).await });
            return;
        };
        let method = message.method.clone().unwrap_or_default();
        if method == "notifications/cancelled" {
            let open = self.known().open.remove(&message.params["requestId"].to_string());
            // The connection is closed, which the server takes as the end of the request.
            open.iter().for_each(CancellationToken::cancel);
            return;
        }
        let cancelled = CancellationToken::new();
        if let Some(id) = &message.id {
            self.known().open.insert(id.get().to_owned(), cancelled.clone());
        }
        let (bridge, is_first) = (self.clone(), method == "initialize");
        let perform = async move {
            let id = message.id.as_ref().map(|id| id.get().to_owned());
            tokio::select! {
                () = bridge.perform(text, &message) => {}
                () = cancelled.cancelled() => {}
            }
            id.and_then(|id| bridge.known().open.remove(&id));
        };
        if is_first {
            // Its answer has the session of all that follows.
            perform.await;
        } else {
            running.spawn(perform);
        }
    }

    async fn answer(&self, line: String) {
        // Without a reader the program is ending.
        let _ = self.out.send(line).await;
    }

    async fn perform(&self, text: String, message: &Message) {
        let used = self.known().session.clone();
        let answer = match self.send(&text, message).await {
            Ok(Answered { status: 404, .. }) if used.is_some() && message.id.is_some() => {
                self.begin_anew(used.as_deref()).await;
                Err("the session of this agent has ended, and its pages are gone; a new one begins with the next call"
                    .to_owned())
            }
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            // Errors of the protocol are messages, too.
            Ok(Answered { status, headers, body }) if is_message(&body) => Ok(Answered { status, headers, body }),
            Ok(Answered { body, status, .. }) => Err(format!("the server answered {status}: {}", detail(body))),
            Err(why) => Err(why.to_string()),
        };
        let Some(id) = &message.id else { return };
        match answer {
            Ok(answer) => {
                if message.method.as_deref() == Some("initialize") {
                    self.note(text, &answer);
                }
                self.answer(answer.body.trim().replace(['\r', '\n'], " ")).await;
            }
            Err(why) => {
                let said = if message.method.as_deref() == Some("tools/call") {
                    json!({ "result": { "content": [{ "type": "text", "text": why }], "isError": true } })
                } else {
                    json!({ "error": { "code": -32603, "message": why } })
                };
                let (kind, said) = said
                    .as_object()
                    .and_then(|said| said.iter().next())
                    .map_or_else(|| ("error", Value::Null), |(kind, said)| (kind.as_str(), said.clone()));
                self.answer(format!(r#"{{"jsonrpc":"2.0","id":{},"{kind}":{said}}}"#, id.get())).await;
            }
        }
    }

    async fn send(&self, text: &str, message: &Message) -> Result<Answered, ClientError> {
        let mut headers = vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        let (session, agreed) = {
            let known = self.known();
            (known.session.clone(), known.version.clone())
        };
        let method = message.method.as_deref().unwrap_or_default();
        let own = message.params["_meta"][VERSION].as_str();
        let name = message.params["name"].as_str().or(message.params["uri"].as_str()).unwrap_or_default();
        if let Some(version) = own {
            headers.extend([("mcp-protocol-version", version), ("mcp-method", method)]);
            if !name.is_empty() {
                headers.push(("mcp-name", name));
            }
        } else if method != "initialize" {
            headers.extend(agreed.as_deref().map(|version| ("mcp-protocol-version", version)));
            headers.extend(session.as_deref().map(|session| (SESSION, session)));
        }
        self.client.exchange(&Method::POST, &self.path, &headers, text).await
    }

    /// Notes the session and the version of an `initialize` and its answer.
    fn note(&self, initialize: String, answer: &Answered) {
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let mut known = self.known();
        known.session = answer.headers.get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
        known.version = said["result"]["protocolVersion"].as_str().map(str::to_owned);
        known.initialize = Some(initialize);
    }

    /// Begins a session in place of one that has ended, unless another request has done so.
    async fn begin_anew(&self, ended: Option<&str>) {
        let _one = self.beginning.lock().await;
        let initialize = {
            let known = self.known();
            known.initialize.clone().filter(|_| known.session.as_deref() == ended)
        };
        let Some(initialize) = initialize else { return };
        let Ok(message) = serde_json::from_str(&initialize) else { return };
        if let Ok(answer) = self.send(&initialize, &message).await
            && answer.status == 200
        {
            self.note(initialize, &answer);
        }
    }

    /// Ends the session.
    async fn end(&self) {
        let session = self.known().session.take();
        let Some(session) = session else { return };
        // If it cannot be told, the session ends by itself when nobody uses it.
        let _ = self.client.exchange(&Method::DELETE, &self.path, &[(SESSION, &session)], "").await;
    }
}

fn is_message(body: &str) -> bool {
    body.contains("\"jsonrpc\"") && serde_json::from_str::<Message>(body).is_ok()
}
