//! The attacker's connection: what was sent and has not been answered, what was announced, and the ids that commands
//! name.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::stage::{Command, On};
use crate::wire::{Heard, Wire};

/// How long anything may take that is no command under trial.
const DEADLINE: Duration = Duration::from_secs(15);

/// Events that stages wait for.
const NOTED: [&str; 4] = [
    "Page.loadEventFired",
    "Page.javascriptDialogOpening",
    "Target.targetCrashed",
    "ServiceWorker.workerVersionUpdated stopped",
];

/// A command whose reply has not come; `what` is under trial, without it it is the stage's own.
struct Waiting {
    what: Option<Command>,
}

/// The connection.
pub(super) struct Connection {
    wire: Wire,
    last_id: i64,
    /// The methods that were sent, by id.
    sent: HashMap<i64, String>,
    waiting: HashMap<i64, Waiting>,
    pub(super) replies: HashMap<i64, Value>,
    /// The targets that were announced and are there, with their type, in the order they came.
    pub(super) targets: Vec<(String, String)>,
    /// The first CDP session of each kind that auto-attach made, and those that the stage made.
    pub(super) sessions: HashMap<On, String>,
    pub(super) ids: HashMap<&'static str, Value>,
    /// Which of [`NOTED`] have been.
    noted: HashSet<&'static str>,
    /// What must never be heard here.
    secret: String,
    /// Promises that were broken.
    pub(super) faults: Vec<String>,
    pub(super) received: u64,
}

impl Connection {
    /// Connects, and is told of every target. `victims` are the ids of the other side.
    pub(super) async fn new(
        address: &str,
        site: &str,
        victims: &HashMap<&'static str, Value>,
        secret: &str,
    ) -> Result<Self, String> {
        let mut ids = victims.clone();
        ids.insert("@@site", site.into());
        let mut connection = Self {
            wire: Wire::connect(address, "/").await?,
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

    /// A page, and a CDP session on it.
    pub(super) async fn page(&mut self, url: &str) -> Result<(String, String), String> {
        let created = self.call(None, "Target.createTarget", json!({ "url": url })).await?;
        let target = text(&created["targetId"]);
        let session = self.attach(&target).await?;
        Ok((target, session))
    }

    /// A CDP session on a target.
    pub(super) async fn attach(&mut self, target: &str) -> Result<String, String> {
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attach).await?;
        Ok(text(&attached["sessionId"]))
    }

    /// Has a page go there, and waits until it is loaded.
    pub(super) async fn navigate(&mut self, page: &str, url: &str) -> Result<(), String> {
        self.call(Some(page), "Page.enable", json!({})).await?;
        self.call(Some(page), "Page.navigate", json!({ "url": url })).await?;
        self.wait_for("Page.loadEventFired").await
    }

    /// Runs a script in a page, and awaits what it promises.
    pub(super) async fn evaluate(&mut self, page: &str, script: &str) -> Result<(), String> {
        let evaluate = json!({ "expression": script, "awaitPromise": true });
        self.call(Some(page), "Runtime.evaluate", evaluate).await.map_err(|why| format!("{script}: {why}"))?;
        Ok(())
    }

    /// The target of this kind that was announced last.
    pub(super) fn target_of(&self, kind: On) -> Option<String> {
        let found = self.targets.iter().rev().find(|(_, of)| Some(of.as_str()) == kind.target());
        found.map(|(id, _)| id.clone())
    }

    /// A CDP session on the target of this kind that was announced last, once there is one.
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

    /// Puts a command under trial into the buffer, with the ids of this connection where it has names for them.
    pub(super) async fn try_on(&mut self, on: Option<&str>, command: &Command) {
        let params = self.with_ids(&command.params);
        self.feed(on, &command.method, &params, Some(command)).await;
    }

    pub(super) async fn flush(&mut self) {
        self.wire.flush().await;
    }

    /// A command of the stage's own that must succeed.
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

    /// Sends what is in the buffer, and waits for one of [`NOTED`].
    pub(super) async fn wait_for(&mut self, event: &'static str) -> Result<(), String> {
        self.flush().await;
        self.until(|connection| connection.noted.contains(event)).await.map_err(|why| format!("{event}: {why}"))
    }

    /// Listens until something is so; the error says why it did not come to that.
    pub(super) async fn until(&mut self, is: impl Fn(&Self) -> bool) -> Result<(), String> {
        self.listen(DEADLINE, is).await
    }

    /// Listens until every command has its reply.
    pub(super) async fn until_answered(&mut self, within: Duration) -> Result<(), String> {
        self.listen(within, |connection| connection.waiting.is_empty()).await
    }

    async fn listen(&mut self, within: Duration, is: impl Fn(&Self) -> bool) -> Result<(), String> {
        let until = Instant::now() + within;
        while !is(self) {
            match self.wire.next(until).await {
                Heard::Frame(text) => self.hear(&text),
                Heard::Closed(why) => return Err(format!("closed: {why}")),
                Heard::Nothing => return Err("no answer".to_owned()),
            }
        }
        Ok(())
    }

    /// Ends the targets and holds the proxy to its word: what was sent is answered, once.
    pub(super) async fn close(mut self) -> (Vec<String>, u64) {
        for (target, _) in self.targets.clone() {
            self.feed(None, "Target.closeTarget", &json!({ "targetId": target }), None).await;
        }
        self.flush().await;
        match self.until_answered(DEADLINE).await {
            // It said Browser.close, or its browser died, which others see.
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

    fn hear(&mut self, frame: &str) {
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

    /// Puts the ids of this connection in where a command has names for them.
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
