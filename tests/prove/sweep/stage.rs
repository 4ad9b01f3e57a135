//! The attacker's stage: one connection with a CDP session of every kind, and the ids that commands name.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::wire::{Heard, Wire};

/// How long a command may take before its CDP session is ended, upon which it must be answered.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long anything else may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// Where a command is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum On {
    Root,
    SecondRoot,
    Tab,
    Page,
    Iframe,
    Worker,
    SharedWorker,
    ServiceWorker,
}

impl On {
    pub(crate) const ALL: [Self; 8] = [
        Self::Root,
        Self::SecondRoot,
        Self::Tab,
        Self::Page,
        Self::Iframe,
        Self::Worker,
        Self::SharedWorker,
        Self::ServiceWorker,
    ];

    /// The type of target that CDP sessions of this kind are on.
    fn target(self) -> Option<&'static str> {
        Some(match self {
            Self::Root | Self::SecondRoot => return None,
            Self::Tab => "tab",
            Self::Page => "page",
            Self::Iframe => "iframe",
            Self::Worker => "worker",
            Self::SharedWorker => "shared_worker",
            Self::ServiceWorker => "service_worker",
        })
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::SecondRoot => "second root",
            other => other.target().unwrap_or_default(),
        })
    }
}

/// One command to try.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) on: On,
    pub(crate) method: String,
    pub(crate) params: Value,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = self.params.to_string();
        let shown: String = params.chars().take(600).collect();
        write!(f, "{} {shown} on {}", self.method, self.on)
    }
}

/// What a batch of commands came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// All answered, and the page still works.
    Well,
    /// The stage cannot go on: why.
    Spent(String),
}

/// A command whose reply has not come.
struct Waiting {
    what: Option<Command>,
}

/// The stage.
pub(crate) struct Stage {
    wire: Wire,
    last_id: i64,
    waiting: HashMap<i64, Waiting>,
    replies: HashMap<i64, Value>,
    /// The targets that were announced and are there, with their type, in the order they came.
    targets: Vec<(String, String)>,
    sessions: HashMap<On, String>,
    ids: HashMap<&'static str, Value>,
    /// What must never be heard here.
    secret: String,
    /// Promises that were broken.
    pub(crate) faults: Vec<String>,
    pub(crate) received: u64,
}

impl Stage {
    /// Sets one up. `victims` are the ids of the other side, `site` an origin with Chrome's kinds of worker on it.
    pub(crate) async fn new(
        address: &str,
        site: &str,
        victims: &HashMap<&'static str, Value>,
        secret: &str,
    ) -> Result<Self, String> {
        let wire = Wire::connect(address, "/").await?;
        let mut stage = Self {
            wire,
            last_id: 0,
            waiting: HashMap::new(),
            replies: HashMap::new(),
            targets: Vec::new(),
            sessions: HashMap::new(),
            ids: victims.clone(),
            secret: secret.to_owned(),
            faults: Vec::new(),
            received: 0,
        };
        stage.set_up(site).await?;
        Ok(stage)
    }

    async fn set_up(&mut self, site: &str) -> Result<(), String> {
        self.ids.insert("@@site", site.into());
        self.call(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await?;
        let closed = self.page().await?;
        let context = self.call(None, "Target.createBrowserContext", json!({})).await?["browserContextId"].clone();
        self.call(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await?;
        self.call(None, "Target.closeTarget", json!({ "targetId": closed.0 })).await?;
        let (target, page) = self.page().await?;
        let on = page.clone();
        let on = Some(on.as_str());
        self.call(on, "Target.setAutoAttach", json!({"autoAttach":true,"waitForDebuggerOnStart":false,"flatten":true}))
            .await?;
        self.call(on, "Page.enable", json!({})).await?;
        self.call(on, "Page.navigate", json!({ "url": format!("{site}/page?sweep") })).await?;
        self.until(|stage| stage.replies.contains_key(&0)).await;
        let other = site.replace("127.0.0.1", "localhost");
        for script in [
            format!(
                "new Promise(done => {{
                    const frame = document.createElement('iframe');
                    frame.onload = done;
                    frame.src = '{other}/page?frame';
                    document.body.append(frame);
                }})"
            ),
            "window.worker = new Worker('/worker.js'); 0".to_owned(),
            "window.shared = new SharedWorker('/shared.js'); 0".to_owned(),
            "navigator.serviceWorker.register('/service.js')".to_owned(),
        ] {
            let evaluate = json!({ "expression": script, "awaitPromise": true });
            self.call(on, "Runtime.evaluate", evaluate).await.map_err(|why| format!("{script}: {why}"))?;
        }
        let kinds = [On::Tab, On::SharedWorker];
        self.until(|stage| kinds.iter().all(|kind| stage.target_of(*kind).is_some())).await;
        for kind in kinds {
            let Some(target) = self.target_of(kind) else { continue };
            let result =
                self.call(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await?;
            self.sessions.insert(kind, text(&result["sessionId"]));
        }
        self.sessions.insert(On::Page, page.clone());
        let second = self.call(None, "Target.attachToBrowserTarget", json!({})).await?;
        self.sessions.insert(On::SecondRoot, text(&second["sessionId"]));
        let contexts = self.call(None, "Target.getBrowserContexts", json!({})).await?;
        let object = self.call(on, "Runtime.evaluate", json!({ "expression": "window" })).await?;
        let tree = self.call(on, "Page.getFrameTree", json!({})).await?;
        let window = self.call(on, "Browser.getWindowForTarget", json!({})).await?;
        let tree = &tree["frameTree"];
        let frame =
            self.target_of(On::Iframe).map_or_else(|| tree["childFrames"][0]["frame"]["id"].clone(), Value::from);
        let ids = [
            ("@@own-target", target.into()),
            ("@@own-tab", self.target_of(On::Tab).into()),
            ("@@own-worker", self.target_of(On::Worker).into()),
            ("@@own-frame", frame),
            ("@@own-session", page.into()),
            ("@@own-context", contexts["defaultBrowserContextId"].clone()),
            ("@@own-object", object["result"]["objectId"].clone()),
            ("@@own-loader", tree["frame"]["loaderId"].clone()),
            ("@@own-window", window["windowId"].clone()),
            ("@@closed-target", closed.0.into()),
            ("@@closed-session", closed.1.into()),
            ("@@closed-context", context),
        ];
        self.ids.extend(ids);
        Ok(())
    }

    /// A blank page and a CDP session on it.
    async fn page(&mut self) -> Result<(String, String), String> {
        let created = self.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await?;
        let target = text(&created["targetId"]);
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attach).await?;
        Ok((target, text(&attached["sessionId"])))
    }

    fn target_of(&self, kind: On) -> Option<String> {
        let found = self.targets.iter().rev().find(|(_, of)| Some(of.as_str()) == kind.target());
        found.map(|(id, _)| id.clone())
    }

    /// The kinds of CDP session there are; an iframe is none where it shares its page's process.
    pub(crate) fn kinds(&self) -> Vec<On> {
        On::ALL.into_iter().filter(|kind| *kind == On::Root || self.sessions.contains_key(kind)).collect()
    }

    /// Sends commands at once and waits for their replies, and for the page to answer behind them.
    pub(crate) async fn run(&mut self, commands: &[Command]) -> Ran {
        for command in commands {
            let on = self.sessions.get(&command.on).cloned();
            if on.is_none() && command.on != On::Root {
                return Ran::Spent(format!("no CDP session on a {}", command.on));
            }
            let params = self.with_ids(&command.params);
            self.feed(on.as_deref(), &command.method, &params, Some(command.clone())).await;
        }
        let page = self.sessions.get(&On::Page).cloned();
        let fence = self.feed(page.as_deref(), "Runtime.evaluate", &json!({ "expression": "7" }), None).await;
        self.wire.flush().await;
        let until = Instant::now() + PATIENCE;
        while !self.waiting.is_empty() {
            match self.wire.next(until).await {
                Heard::Frame(text) => self.hear(&text),
                Heard::Closed(why) => return Ran::Spent(format!("closed: {why}")),
                Heard::Nothing => return Ran::Spent("no answer".to_owned()),
            }
        }
        let gone = |reply: &Value| reply["error"]["code"] == -32001;
        match self.replies.remove(&fence) {
            Some(reply) if reply["result"]["result"]["value"] == 7 => {}
            other => return Ran::Spent(format!("the page answers {other:?}")),
        }
        let spent = self.replies.values().any(gone);
        self.replies.clear();
        if spent { Ran::Spent("a CDP session is gone".to_owned()) } else { Ran::Well }
    }

    /// Ends the CDP sessions and holds the proxy to its word: what was sent is answered, once.
    pub(crate) async fn close(mut self) -> (Vec<String>, u64) {
        for kind in [On::SharedWorker, On::ServiceWorker, On::SecondRoot, On::Tab] {
            if let Some(session) = self.sessions.get(&kind).cloned() {
                let params = json!({ "sessionId": session });
                self.feed(None, "Target.detachFromTarget", &params, None).await;
            }
        }
        for (target, _) in self.targets.clone() {
            self.feed(None, "Target.closeTarget", &json!({ "targetId": target }), None).await;
        }
        self.wire.flush().await;
        let until = Instant::now() + DEADLINE;
        while !self.waiting.is_empty() {
            match self.wire.next(until).await {
                Heard::Frame(text) => self.hear(&text),
                // It said Browser.close, or its browser died, which others see.
                Heard::Closed(_) => return (self.faults, self.received),
                Heard::Nothing => break,
            }
        }
        let unanswered = std::mem::take(&mut self.waiting);
        let unanswered = unanswered.into_values().map(|waiting| match waiting.what {
            Some(command) => format!("never answered: {command}"),
            None => "never answered: a command that ends the stage".to_owned(),
        });
        self.faults.extend(unanswered);
        (self.faults, self.received)
    }

    async fn feed(&mut self, on: Option<&str>, method: &str, params: &Value, what: Option<Command>) -> i64 {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(on) = on {
            command["sessionId"] = on.into();
        }
        self.waiting.insert(self.last_id, Waiting { what });
        self.wire.feed(command.to_string()).await;
        self.last_id
    }

    /// A command of the stage's own that must succeed.
    async fn call(&mut self, on: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let id = self.feed(on, method, &params, None).await;
        self.wire.flush().await;
        self.until(|stage| stage.replies.contains_key(&id)).await;
        match self.replies.remove(&id) {
            Some(reply) if reply.get("error").is_none() => Ok(reply["result"].clone()),
            other => Err(format!("{method} on the stage: {other:?}")),
        }
    }

    async fn until(&mut self, is: impl Fn(&Self) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !is(self) {
            match self.wire.next(until).await {
                Heard::Frame(text) => self.hear(&text),
                Heard::Closed(_) | Heard::Nothing => return,
            }
        }
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
                self.faults.push(format!("a reply that nobody waits for: {frame}"));
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
            // The document is there: noted as the reply to nothing.
            (Some("Page.loadEventFired"), _) => {
                self.replies.insert(0, Value::Null);
            }
            (None, _) => self.faults.push(format!("an error without an id, for a frame that is well-formed: {frame}")),
            _ => {}
        }
    }

    /// Puts the ids of this stage in where a command has names for them.
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

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
