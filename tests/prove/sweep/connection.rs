//! The attacker's connection: commands without reply, announced targets, and the ids that commands
//! use.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::stage::{Command, On};
use crate::wire::{Received, Wire};

/// Time limit for the stage's own commands.
const DEADLINE: Duration = Duration::from_secs(15);

/// The events that stages wait for.
const NOTED: [&str; 4] = [
    "Page.loadEventFired",
    "Page.javascriptDialogOpening",
    "Target.targetCrashed",
    "ServiceWorker.workerVersionUpdated stopped",
];

/// A command without reply. `what` is the command under test; `None` for the stage's own.
struct Waiting {
    what: Option<Command>,
}

/// The connection.
pub(super) struct Connection {
    wire: Wire,
    last_id: i64,
    /// The methods of the sent commands, by id.
    sent: HashMap<i64, String>,
    waiting: HashMap<i64, Waiting>,
    pub(super) replies: HashMap<i64, Value>,
    /// The announced targets that exist, with their type, in order of announcement.
    pub(super) targets: Vec<(String, String)>,
    /// The first CDP session of each kind from auto-attach, and those that the stage attached.
    pub(super) sessions: HashMap<On, String>,
    pub(super) ids: HashMap<&'static str, Value>,
    /// The events of [`NOTED`] that have arrived.
    noted: HashSet<&'static str>,
    /// Text that must not arrive on this connection.
    secret: String,
    /// The violations so far.
    pub(super) faults: Vec<String>,
    pub(super) received: u64,
}

impl Connection {
    /// Connects and discovers all targets. `victims` are the ids of the victim.
    pub(super) async fn new(
        (address, path): (&str, &str),
        site: &str,
        victims: &HashMap<&'static str, Value>,
        secret: &str,
    ) -> Result<Self, String> {
        let mut ids = victims.clone();
        ids.insert("@@site", site.into());
        let mut connection = Self {
            wire: Wire::connect(address, path).await?,
            last_id: 0,
            sent: HashMap::new(),
            waiting: HashMap::new(),
            replies: HashMap::new(),
            targets: Vec::new(),
            sessions: HashMap::new(),
            ids,
            noted: HashSet::new(),
            secret: secret.to_owned(),
            faults: Vec::new(),
            received: 0,
        };
        connection.call(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await?;
        Ok(connection)
    }

    /// Opens a page; returns its target and a CDP session on it.
    pub(super) async fn page(&mut self, url: &str) -> Result<(String, String), String> {
        let created = self.call(None, "Target.createTarget", json!({ "url": url })).await?;
        let target = text(&created["targetId"]);
        let session = self.attach(&target).await?;
        Ok((target, session))
    }

    /// Attaches to a target; returns the CDP session.
    pub(super) async fn attach(&mut self, target: &str) -> Result<String, String> {
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attach).await?;
        Ok(text(&attached["sessionId"]))
    }

    /// Navigates a page and waits until it is loaded.
    pub(super) async fn navigate(&mut self, page: &str, url: &str) -> Result<(), String> {
        self.call(Some(page), "Page.enable", json!({})).await?;
        self.call(Some(page), "Page.navigate", json!({ "url": url })).await?;
        self.wait_for("Page.loadEventFired").await
    }

    /// Runs a script in a page and awaits its promise.
    pub(super) async fn evaluate(&mut self, page: &str, script: &str) -> Result<(), String> {
        let evaluate = json!({ "expression": script, "awaitPromise": true });
        self.call(Some(page), "Runtime.evaluate", evaluate).await.map_err(|why| format!("{script}: {why}"))?;
        Ok(())
    }

    /// The last announced target of this kind.
    pub(super) fn target_of(&self, kind: On) -> Option<String> {
        let found = self.targets.iter().rev().find(|(_, of)| Some(of.as_str()) == kind.target());
        found.map(|(id, _)| id.clone())
    }

    /// A CDP session on the last announced target of this kind, once there is one.
    pub(super) async fn newest(&mut self, kind: On) -> Result<String, String> {
        self.until(|connection| connection.target_of(kind).is_some())
            .await
            .map_err(|why| format!("a {kind}: {why}"))?;
        let target = self.target_of(kind).unwrap_or_default();
        self.attach(&target).await
    }

    /// Puts a command into the buffer; [`Connection::flush`] sends it.
    pub(super) async fn feed(&mut self, on: Option<&str>, method: &str, params: &Value, what: Option<&Command>) -> i64 {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(on) = on {
            command["sessionId"] = on.into();
        }
        self.waiting.insert(self.last_id, Waiting { what: what.cloned() });
        self.sent.insert(self.last_id, method.to_owned());
        self.wire.feed(command.to_string()).await;
        self.last_id
    }

    /// Puts a command under test into the buffer, with this connection's ids instead of their
    /// placeholders.
    pub(super) async fn try_on(&mut self, on: Option<&str>, command: &Command) {
        let params = self.with_ids(&command.params);
        self.feed(on, &command.method, &params, Some(command)).await;
    }

    pub(super) async fn flush(&mut self) {
        self.wire.flush().await;
    }

    /// A command of the stage itself, which must succeed.
    pub(super) async fn call(&mut self, on: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let id = self.feed(on, method, &params, None).await;
        self.flush().await;
        let answered = self.until(|connection| connection.replies.contains_key(&id)).await;
        match self.replies.remove(&id) {
            Some(reply) if reply.get("error").is_none() => Ok(reply["result"].clone()),
            other => Err(format!(
                "{method} on the stage: {}",
                other.map_or_else(|| format!("{answered:?}"), |it| it.to_string())
            )),
        }
    }

    /// Sends the buffer and waits for one of [`NOTED`].
    pub(super) async fn wait_for(&mut self, event: &'static str) -> Result<(), String> {
        self.flush().await;
        self.until(|connection| connection.noted.contains(event)).await.map_err(|why| format!("{event}: {why}"))
    }

    /// Reads until the condition holds; the error says why it does not.
    pub(super) async fn until(&mut self, is: impl Fn(&Self) -> bool) -> Result<(), String> {
        self.listen(DEADLINE, is).await
    }

    /// Reads until every command has its reply.
    pub(super) async fn until_answered(&mut self, within: Duration) -> Result<(), String> {
        self.listen(within, |connection| connection.waiting.is_empty()).await
    }

    async fn listen(&mut self, within: Duration, is: impl Fn(&Self) -> bool) -> Result<(), String> {
        let until = Instant::now() + within;
        while !is(self) {
            match self.wire.next(until).await {
                Received::Frame(text) => self.receive(&text),
                Received::Closed(why) => return Err(format!("closed: {why}")),
                Received::Nothing => return Err("no answer".to_owned()),
            }
        }
        Ok(())
    }

    /// Ends the targets and checks that every command was answered exactly once.
    pub(super) async fn close(mut self) -> (Vec<String>, u64) {
        for (target, _) in self.targets.clone() {
            self.feed(None, "Target.closeTarget", &json!({ "targetId": target }), None).await;
        }
        self.flush().await;
        match self.until_answered(DEADLINE).await {
            // The command was `Browser.close`, or the browser ended, which other checks detect.
            Err(why) if why.starts_with("closed") => return (self.faults, self.received),
            Ok(()) | Err(_) => {}
        }
        let unanswered = self.waiting.into_values().map(|waiting| match waiting.what {
            Some(command) => format!("never answered: {command}"),
            None => "never answered: a command that ends the stage".to_owned(),
        });
        self.faults.extend(unanswered);
        (self.faults, self.received)
    }

    fn receive(&mut self, frame: &str) {
        self.received += 1;
        if frame.contains(&self.secret) {
            self.faults.push(format!("a frame with the victim's secret: {}", &frame[..frame.len().min(500)]));
        }
        let Ok(frame) = serde_json::from_str::<Value>(frame) else {
            return self.faults.push(format!("not JSON: {}", &frame[..frame.len().min(500)]));
        };
        if let Some(id) = frame["id"].as_i64() {
            if self.waiting.remove(&id).is_none() {
                let method = self.sent.get(&id).map_or("nothing", String::as_str);
                self.faults.push(format!("one more reply to {method}: {frame}"));
            }
            self.replies.insert(id, frame);
            return;
        }
        match (frame["method"].as_str(), &frame["params"]) {
            (Some("Target.targetCreated"), params) => {
                let info = &params["targetInfo"];
                self.targets.push((text(&info["targetId"]), text(&info["type"])));
            }
            (Some("Target.targetDestroyed"), params) => {
                self.targets.retain(|(id, _)| params["targetId"] != id.as_str());
            }
            (Some("Target.attachedToTarget"), params) => {
                let of = text(&params["targetInfo"]["type"]);
                let kind = [On::Iframe, On::Worker, On::ServiceWorker].into_iter().find(|on| on.target() == Some(&of));
                if let Some(kind) = kind {
                    self.sessions.entry(kind).or_insert_with(|| text(&params["sessionId"]));
                }
            }
            (None, _) => self.faults.push(format!("an error without an id, for a frame that is well-formed: {frame}")),
            (Some("ServiceWorker.workerVersionUpdated"), params) => {
                let versions = params["versions"].as_array();
                if versions.into_iter().flatten().any(|version| version["runningStatus"] == "stopped") {
                    self.noted.insert("ServiceWorker.workerVersionUpdated stopped");
                }
            }
            (Some(method), _) => self.noted.extend(NOTED.into_iter().find(|noted| *noted == method)),
        }
    }

    /// Replaces the placeholders of ids by this connection's ids.
    fn with_ids(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if text.starts_with("@@site/") => {
                text.replacen("@@site", self.ids["@@site"].as_str().unwrap_or_default(), 1).into()
            }
            Value::String(text) => self.ids.get(text.as_str()).unwrap_or(value).clone(),
            Value::Array(items) => items.iter().map(|item| self.with_ids(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.with_ids(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
