//! A fake browser: enough CDP over a WebSocket to serve thousands of sessions at little cost, so
//! that only the proxy is measured. Its pages answer every command at once.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io,
    net::{Ipv4Addr, SocketAddr},
    thread,
};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// The length of a page's reply if its command asks for it: `"ignored":"reply:N"`.
const SIZED: &str = "reply:";

/// Starts one; it serves any number of connections until the process ends.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(connection(stream));
            }
            #[expect(unreachable_code, reason = "names the type of the error")]
            io::Result::Ok(())
        })
    });
    Ok(address)
}

async fn connection(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(socket) = accept_async(stream).await else { return };
    let (mut sink, stream) = socket.split();
    let mut batches = stream.ready_chunks(256);
    let mut browser = Browser::default();
    let mut out = Vec::new();
    while let Some(batch) = batches.next().await {
        for message in batch {
            let Ok(Message::Text(text)) = message else { continue };
            browser.on_command(&text, &mut out);
            for text in out.drain(..) {
                if sink.feed(Message::text(text)).await.is_err() {
                    return;
                }
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

#[derive(Deserialize)]
struct Command<'a> {
    id: i64,
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(rename = "sessionId")]
    session: Option<&'a str>,
}

impl Command<'_> {
    fn param(&self, name: &str) -> String {
        let params: Value = self.params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
        params[name].as_str().unwrap_or_default().to_owned()
    }
}

/// The state of one connection.
#[derive(Default)]
struct Browser {
    last: u64,
    /// The CDP sessions with auto-attach, and whether in tab flavour.
    watchers: Vec<(String, bool)>,
    /// Contexts and their targets, by the CDP session that made them.
    contexts: HashMap<String, (String, Vec<String>)>,
    /// The target and the parent of each CDP session on a target.
    attached: HashMap<String, (String, Option<String>)>,
}

impl Browser {
    fn on_command(&mut self, text: &str, out: &mut Vec<String>) {
        let Ok(command) = serde_json::from_str::<Command<'_>>(text) else { return };
        let result = match command.method {
            "Runtime.evaluate" => evaluated(&command),
            "Browser.getVersion" => r#"{"protocolVersion":"1.3","product":"HeadlessChrome/156.0.0.0","revision":"@0","userAgent":"fake","jsVersion":"15.6"}"#.to_owned(),
            "Target.closeTarget" => return out.push(refused(&command, "No target with given id found")),
            "Target.createTarget" if !self.has_context(&command.param("browserContextId")) => {
                let context = command.param("browserContextId");
                return out.push(refused(&command, &format!("Failed to find browser context with id {context}")));
            }
            "Target.attachToBrowserTarget" => format!(r#"{{"sessionId":"{}"}}"#, self.number()),
            "Target.setAutoAttach" => {
                let tabs = command.params.is_some_and(|params| params.get().contains("filter"));
                self.watchers.extend(command.session.map(|session| (session.to_owned(), tabs)));
                "{}".to_owned()
            }
            "Target.createBrowserContext" => {
                let context = self.number();
                let of = command.session.unwrap_or_default().to_owned();
                self.contexts.insert(of, (context.clone(), Vec::new()));
                format!(r#"{{"browserContextId":"{context}"}}"#)
            }
            "Target.createTarget" => self.create_target(&command.param("browserContextId"), out),
            "Target.attachToTarget" => {
                let session = self.attach(&command.param("targetId"), "page", false, command.session, out);
                format!(r#"{{"sessionId":"{session}"}}"#)
            }
            "Target.detachFromTarget" => {
                self.detach(&command.param("sessionId"), out);
                "{}".to_owned()
            }
            _ => "{}".to_owned(),
        };
        out.push(close(format!("{{\"id\":{},\"result\":{result}", command.id), command.session));
    }

    fn has_context(&self, context: &str) -> bool {
        self.contexts.values().any(|(id, _)| id == context)
    }

    fn number(&mut self) -> String {
        self.last += 1;
        format!("{:032X}", self.last)
    }

    /// A tab and its page in Chrome's order, each reported to its watcher.
    fn create_target(&mut self, context: &str, out: &mut Vec<String>) -> String {
        let (tab, page) = (self.number(), self.number());
        for (target, kind) in [(&tab, "tab"), (&page, "page")] {
            let params = format!(r#"{{"targetInfo":{}}}"#, info(target, kind, false, context));
            out.push(event("Target.targetCreated", &params, None));
            let watcher = self.watchers.iter().find(|(_, tabs)| *tabs == (kind == "tab")).map(|(id, _)| id.clone());
            if let Some(watcher) = watcher {
                self.attach(target, kind, true, Some(&watcher), out);
            }
        }
        let targets = self.contexts.values_mut().find(|(id, _)| id == context);
        if let Some((_, targets)) = targets {
            targets.extend([tab, page.clone()]);
        }
        format!(r#"{{"targetId":"{page}"}}"#)
    }

    fn attach(&mut self, target: &str, kind: &str, waiting: bool, on: Option<&str>, out: &mut Vec<String>) -> String {
        let session = self.number();
        let context = self.contexts.values().find(|(_, targets)| targets.iter().any(|id| id == target));
        let info = info(target, kind, true, context.map_or("", |(id, _)| id));
        let params = format!(r#"{{"sessionId":"{session}","targetInfo":{info},"waitingForDebugger":{waiting}}}"#);
        out.push(event("Target.attachedToTarget", &params, on));
        self.attached.insert(session.clone(), (target.to_owned(), on.map(str::to_owned)));
        session
    }

    fn detach(&mut self, session: &str, out: &mut Vec<String>) {
        if let Some((target, parent)) = self.attached.remove(session) {
            let params = format!(r#"{{"sessionId":"{session}","targetId":"{target}"}}"#);
            out.push(event("Target.detachedFromTarget", &params, parent.as_deref()));
        }
        for target in self.contexts.remove(session).into_iter().flat_map(|(_, targets)| targets) {
            out.push(event("Target.targetDestroyed", &format!(r#"{{"targetId":"{target}"}}"#), None));
        }
    }
}

/// As Chrome answers `Runtime.evaluate` of a number, or with a string of the requested length.
fn evaluated(command: &Command<'_>) -> String {
    let params = command.params.map_or("", RawValue::get);
    match params.find(SIZED) {
        Some(at) => {
            let digits = params[at + SIZED.len()..].chars().take_while(char::is_ascii_digit).collect::<String>();
            let value = "x".repeat(digits.parse().unwrap_or(0));
            format!(r#"{{"result":{{"type":"string","value":"{value}"}}}}"#)
        }
        None => r#"{"result":{"type":"number","value":123456789,"description":"123456789"},"note":"as long as such things are"}"#.to_owned(),
    }
}

fn refused(command: &Command<'_>, why: &str) -> String {
    close(format!(r#"{{"id":{},"error":{{"code":-32602,"message":"{why}"}}"#, command.id), command.session)
}

fn info(target: &str, kind: &str, attached: bool, context: &str) -> String {
    format!(
        r#"{{"targetId":"{target}","type":"{kind}","title":"about:blank","url":"about:blank","attached":{attached},"canAccessOpener":false,"browserContextId":"{context}"}}"#
    )
}

fn event(method: &str, params: &str, session: Option<&str>) -> String {
    close(format!(r#"{{"method":"{method}","params":{params}"#), session)
}

fn close(mut text: String, session: Option<&str>) -> String {
    if let Some(session) = session {
        let _ = write!(text, r#","sessionId":"{session}""#);
    }
    text.push('}');
    text
}
