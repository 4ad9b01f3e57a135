//! A client of a user: it sends random legitimate commands with its user's marker in all of
//! them, and sometimes an attack with foreign ids. Clients of one user share a session.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    acts, borders,
    checker::{self, Checker, Reader, User as Number},
};
use crate::{
    random::Random,
    tenants::Tenants,
    wire::{Received, Wire},
};

/// Commands without reply that are allowed at once.
const IN_FLIGHT: usize = 20;
/// Commands that may never be answered: they wait for a promise, a dialog, or a paused request.
const PROMPT: Duration = Duration::from_millis(500);
/// Time limit for the id of a session.
const OPENS: Duration = Duration::from_secs(10);
/// The time that the replies to earlier acts may delay the next: a slow Chrome gets fewer commands, not more pages.
const TURN: Duration = Duration::from_secs(2);
/// The time that an act waits for the page that was asked for.
const OPENING: Duration = Duration::from_millis(150);
/// The number of pages of a user.
const PAGES: usize = 4;
/// With more pages than these, a client ends the session that it shares.
const MOST_PAGES: usize = 16;

/// A client: its user's number, and its own among those of the user.
pub(crate) type ClientNumber = (Number, usize);

/// The path of a user's session. Locked while one of its clients connects.
pub(crate) type SessionPath = Arc<tokio::sync::Mutex<Option<String>>>;

/// Ids that all users know, as if attackers had got them in another way.
#[derive(Default)]
pub(crate) struct Board(Mutex<HashMap<(ClientNumber, &'static str), Vec<String>>>);

impl Board {
    fn pin(&self, of: ClientNumber, kind: &'static str, id: &str) {
        let mut pinned = self.0.lock().expect("no panic");
        let ids = pinned.entry((of, kind)).or_default();
        if !id.is_empty() && !ids.iter().any(|other| other == id) {
            ids.push(id.to_owned());
            // The newest ids most likely still exist; a few old ones belong to ended targets.
            if ids.len() > 12 {
                ids.remove(3);
            }
        }
    }

    /// An id of this kind, of clients for which this holds.
    pub(crate) fn foreign(
        &self,
        kind: &'static str,
        random: &mut Random,
        is_foreign: impl Fn(ClientNumber) -> bool,
    ) -> Option<String> {
        let pinned = self.0.lock().expect("no panic");
        let mut others: Vec<_> =
            pinned.iter().filter(|((of, has), ids)| is_foreign(*of) && *has == kind && !ids.is_empty()).collect();
        others.sort();
        (!others.is_empty()).then(|| {
            let (_, ids) = random.pick(&others);
            random.pick(ids).clone()
        })
    }
}

/// A sent command, as far as its reply depends on it.
struct Sent {
    method: &'static str,
    at: Instant,
    /// The foreign ids in it.
    foreign: HashSet<String>,
    /// Whether it must fail because of these.
    attack: bool,
}

/// The last commands of all users, to find the one that ended a browser.
#[derive(Default)]
pub(crate) struct Recent(Mutex<(VecDeque<String>, Vec<String>)>);

impl Recent {
    /// The number of commands that are kept.
    const KEPT: usize = 400;

    fn sent(&self, by: Number, command: &str) {
        let (last, _) = &mut *self.0.lock().expect("no panic");
        if last.len() == Self::KEPT {
            last.pop_front();
        }
        last.push_back(format!("{by} {}", command.chars().take(300).collect::<String>()));
    }

    /// Records the first loss of a browser.
    fn lost(&self) {
        let (last, before_loss) = &mut *self.0.lock().expect("no panic");
        if before_loss.is_empty() {
            *before_loss = last.iter().cloned().collect();
        }
    }

    /// The commands before the first loss of a browser.
    pub(crate) fn before_loss(&self) -> Vec<String> {
        self.0.lock().expect("no panic").1.clone()
    }
}

/// The state that all users share.
pub(crate) struct Stage {
    pub(crate) site: String,
    pub(crate) tenants: Tenants,
    pub(crate) seed: u64,
    /// The sessions of users from this number on have Chromes of their own.
    pub(crate) dedicated_from: usize,
    /// The end; without it, the proof ends after a number of checked messages.
    pub(crate) until: Option<Instant>,
    pub(crate) messages: u64,
    /// Lines per burst of console messages.
    pub(crate) burst: usize,
    pub(crate) checker: Checker,
    pub(crate) recent: Recent,
    pub(crate) board: Board,
    /// Faults other than leaks.
    pub(crate) faults: Mutex<Vec<String>>,
    /// Events and replies by method.
    pub(crate) heard: Mutex<BTreeMap<String, u64>>,
    pub(crate) attacks: Mutex<BTreeMap<&'static str, u64>>,
    /// The reasons of connections that the proxy ended, with their counts.
    pub(crate) ends: Mutex<BTreeMap<String, u64>>,
    /// How often a client joined the session of another client of its user.
    pub(crate) joined: AtomicU64,
}

impl Stage {
    /// Whether enough was checked, or a leak was found.
    pub(crate) fn is_over(&self) -> bool {
        let (checked, leaks) = self.checker.count();
        leaks > 0 || self.until.map_or(checked >= self.messages, |until| Instant::now() >= until)
    }

    /// Records a fault other than a leak.
    pub(crate) fn fault(&self, what: String) {
        let mut faults = self.faults.lock().expect("no panic");
        if faults.len() < 50 {
            faults.push(what);
        }
    }
}

/// One client of a user at work.
pub(crate) struct User {
    pub(crate) number: Number,
    pub(crate) client: ClientNumber,
    pub(crate) stage: Arc<Stage>,
    pub(crate) random: Random,
    pub(crate) marker: String,
    address: String,
    path: SessionPath,
    /// Whether the user has another client on the same session.
    pub(crate) has_company: bool,
    wire: Option<Wire>,
    /// The CDP sessions that were announced on this connection, ended ones too.
    announced: HashSet<String>,
    last_id: i64,
    waiting: HashMap<i64, Sent>,
    /// Its CDP sessions with the type of their target, the oldest first.
    pub(crate) sessions: Vec<(String, String)>,
    pub(crate) targets: Vec<(String, String)>,
    pub(crate) contexts: Vec<String>,
    /// Its snapshots, the oldest first.
    pub(crate) snapshots: Vec<String>,
    /// Events that need an action: paused requests and waiting targets.
    due: Vec<(String, &'static str, Value)>,
}

impl User {
    /// `path` is that of the session, which the clients of a user share if it `has_company`.
    pub(crate) fn new(
        client: ClientNumber,
        stage: Arc<Stage>,
        address: String,
        (path, has_company): (SessionPath, bool),
    ) -> Self {
        let (number, of_user) = client;
        let name = if of_user == 0 { format!("user {number}") } else { format!("user {number}.{of_user}") };
        let (marker, random) = (checker::marker(number, stage.seed), Random::of(stage.seed, &name));
        Self {
            number,
            client,
            stage,
            random,
            marker,
            address,
            path,
            has_company,
            wire: None,
            announced: HashSet::new(),
            last_id: 0,
            waiting: HashMap::new(),
            sessions: Vec::new(),
            targets: Vec::new(),
            contexts: Vec::new(),
            snapshots: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Acts until the proof ends.
    pub(crate) async fn work(mut self) {
        while !self.stage.is_over() {
            if self.wire.is_none() && !self.connect().await {
                return;
            }
            acts::act(&mut self).await;
            self.pump(Instant::now() + TURN, IN_FLIGHT).await;
            while let Some((session, method, params)) = self.due.pop() {
                self.send(Some(&session), method, params).await;
            }
            if self.has_company && self.pages() > MOST_PAGES {
                // Its pages would become more and more: one that is paused does not close, and the session ends only
                // when both clients are away.
                self.send(None, "Browser.close", json!({})).await;
            } else if self.pages() > PAGES {
                let oldest = self.targets.iter().find(|(_, kind)| kind == "page").map(|(id, _)| id.clone());
                self.send(None, "Target.closeTarget", json!({ "targetId": oldest })).await;
            }
        }
        // Replies to the last commands are checked too.
        self.pump(Instant::now() + Duration::from_secs(2), 0).await;
    }

    async fn connect(&mut self) -> bool {
        let path = self.path.clone();
        let mut path = path.lock().await;
        let joined = match path.take() {
            Some(known) => Wire::connect(&self.address, &known).await.map(|wire| (wire, Some(known))),
            None => Err("404".to_owned()),
        };
        let connected = match joined {
            // There is none, or it has ended.
            Err(why) if why.starts_with("404") => {
                Wire::connect(&self.address, &self.first_path()).await.map(|wire| (wire, None))
            }
            joined => joined,
        };
        let (wire, known) = match connected {
            Ok(connected) => connected,
            Err(why) => {
                self.fault(format!("user {} is not let in: {why}", self.number));
                return false;
            }
        };
        self.wire = Some(wire);
        self.waiting.clear();
        self.announced.clear();
        if known.is_some() {
            self.stage.joined.fetch_add(1, Ordering::Relaxed);
            *path = known;
        } else {
            *path = self.own_path().await;
        }
        drop(path);
        self.sessions.clear();
        self.targets.clear();
        self.contexts.clear();
        self.send(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await;
        self.send(None, "Target.getBrowserContexts", json!({})).await;
        true
    }

    /// The number of its tenant.
    pub(crate) fn tenant(&self) -> usize {
        self.stage.checker.tenant_of(self.number)
    }

    /// The path of a new session.
    fn first_path(&self) -> String {
        let path = self.on_server("/");
        let joint = if path.contains('?') { '&' } else { '?' };
        if self.number < self.stage.dedicated_from { path } else { format!("{path}{joint}isolation=dedicated") }
    }

    /// A path of the server, with the token of its tenant.
    fn on_server(&self, path: &str) -> String {
        self.stage.tenants.path(self.tenant(), path)
    }

    /// The path of the session that this connection has just opened.
    async fn own_path(&mut self) -> Option<String> {
        let wire = self.wire.as_mut()?;
        wire.feed(r#"{"id":0,"method":"ghost.getSession"}"#.to_owned()).await;
        wire.flush().await;
        let until = Instant::now() + OPENS;
        while let Received::Frame(text) = self.wire.as_mut()?.next(until).await {
            self.receive(&text);
            let frame: Value = serde_json::from_str(&text).unwrap_or_default();
            if frame["id"] == 0 {
                let id = frame["result"]["session"]["id"].as_str()?;
                self.pin("owned session", id);
                return Some(self.on_server(&format!("/devtools/browser/{id}")));
            }
        }
        self.fault(format!("user {}: its session is not shown", self.number));
        None
    }

    /// Disconnects; the next act opens a new connection. A session with two clients would never end by that, because
    /// one of them is always there: sometimes one closes it for both.
    pub(crate) async fn leave(&mut self) {
        if self.has_company && self.random.once_in(2) {
            self.send(None, "Browser.close", json!({})).await;
        } else {
            self.wire = None;
        }
    }

    /// Sends a command on own targets.
    pub(crate) async fn send(&mut self, on: Option<&str>, method: &'static str, params: Value) {
        self.put(on, method, params, false).await;
    }

    /// Sends a command with a foreign id, which must fail.
    pub(crate) async fn attack(&mut self, on: Option<&str>, method: &'static str, params: Value) {
        *self.stage.attacks.lock().expect("no panic").entry(method).or_default() += 1;
        self.put(on, method, params, true).await;
    }

    async fn put(&mut self, on: Option<&str>, method: &'static str, params: Value, attack: bool) {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(on) = on {
            command["sessionId"] = on.into();
        }
        let text = command.to_string();
        self.stage.recent.sent(self.number, &text);
        let foreign = checker::ids(&text).filter(|id| self.stage.checker.is_foreign(self.number, id));
        let at = Instant::now();
        let sent = Sent { method, at, foreign: foreign.map(str::to_owned).collect(), attack };
        self.waiting.insert(self.last_id, sent);
        if let Some(wire) = &mut self.wire {
            wire.feed(text).await;
            wire.flush().await;
        }
    }

    /// Reads until at most this many commands are pending and no frame is waiting, or the time is
    /// over.
    async fn pump(&mut self, until: Instant, in_flight: usize) {
        while let Some(wire) = &mut self.wire {
            if let Some(text) = wire.ready() {
                self.receive(&text);
                continue;
            }
            if self.prompt() <= in_flight {
                return;
            }
            let Some(wire) = &mut self.wire else { return };
            match wire.next(until).await {
                Received::Frame(text) => self.receive(&text),
                Received::Closed(why) => {
                    if why.starts_with("1011") {
                        self.stage.recent.lost();
                    }
                    *self.stage.ends.lock().expect("no panic").entry(why).or_default() += 1;
                    self.wire = None;
                }
                Received::Nothing => return,
            }
        }
    }

    /// Waits a moment for the replies to all commands.
    pub(crate) async fn wait(&mut self) {
        self.pump(Instant::now() + OPENING, 0).await;
    }

    /// The number of pending commands that will be answered soon.
    fn prompt(&self) -> usize {
        // The browser answers all of them, but must not be flooded.
        let is_prompt = |sent: &&Sent| {
            let of_browser = ["Target.", "Storage.", "Browser."].iter().any(|domain| sent.method.starts_with(domain));
            of_browser || sent.at.elapsed() < PROMPT
        };
        self.waiting.values().filter(is_prompt).count()
    }

    fn receive(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let sent = frame["id"].as_i64().and_then(|id| self.waiting.remove(&id));
        let failed = frame.get("error").is_some();
        // Only an error reply to this command may repeat a foreign id.
        let excused = sent.as_ref().filter(|_| failed).map(|sent| sent.foreign.clone()).unwrap_or_default();
        let is_list = sent.as_ref().is_some_and(|sent| borders::LISTS.contains(&sent.method));
        let reader = if is_list { Reader::Tenant(self.tenant()) } else { Reader::User(self.number) };
        self.stage.checker.received(reader, text, &excused);
        if frame["method"] == "Target.attachedToTarget"
            && let Some(session) = frame["params"]["sessionId"].as_str()
        {
            self.announced.insert(session.to_owned());
        }
        if let Some(on) = frame["sessionId"].as_str()
            && !self.announced.contains(on)
        {
            let (user, client) = self.client;
            let text: String = text.chars().take(600).collect();
            self.fault(format!("user {user} received on a CDP session not announced to its client {client}: {text}"));
        }
        let name = match (&sent, frame["method"].as_str()) {
            (Some(sent), _) => format!("reply to {}", sent.method),
            (None, Some(event)) => event.to_owned(),
            (None, None) => "other".to_owned(),
        };
        *self.stage.heard.lock().expect("no panic").entry(name).or_default() += 1;
        if let Some(sent) = &sent
            && sent.attack
            && !failed
        {
            self.fault(format!("user {}: {} with ids of another was answered {text}", self.number, sent.method));
        }
        match (frame["method"].as_str(), sent) {
            (Some(event), _) => self.on_event(event, &frame["params"], frame["sessionId"].as_str()),
            (None, Some(sent)) => self.on_reply(sent.method, &frame["result"]),
            (None, None) => {}
        }
    }

    fn on_event(&mut self, event: &str, params: &Value, on: Option<&str>) {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match event {
            "Target.targetCreated" => {
                let info = &params["targetInfo"];
                let (id, kind) = (word(&info["targetId"]), word(&info["type"]));
                self.pin("target", &id);
                self.pin("context", &word(&info["browserContextId"]));
                if kind != "browser" && !self.targets.iter().any(|(other, _)| *other == id) {
                    self.targets.push((id, kind));
                }
            }
            "Target.targetDestroyed" => self.targets.retain(|(id, _)| params["targetId"] != id.as_str()),
            "Target.attachedToTarget" => {
                let (session, kind) = (word(&params["sessionId"]), word(&params["targetInfo"]["type"]));
                self.pin("session", &session);
                if kind == "page" && self.random.once_in(2) {
                    self.due.push((session.clone(), "Runtime.enable", json!({})));
                }
                if params["waitingForDebugger"] == true {
                    self.due.push((session.clone(), "Runtime.runIfWaitingForDebugger", json!({})));
                }
                self.sessions.push((session, kind));
            }
            "Target.detachedFromTarget" => {
                self.sessions.retain(|(id, _)| params["sessionId"] != id.as_str());
            }
            "Browser.downloadWillBegin" => self.pin("download", &word(&params["guid"])),
            "Network.requestWillBeSent" => self.pin("request", &word(&params["requestId"])),
            "Fetch.requestPaused" => {
                if let Some(on) = on {
                    let params = json!({ "requestId": params["requestId"] });
                    self.due.push((on.to_owned(), "Fetch.continueRequest", params));
                }
            }
            "Page.javascriptDialogOpening" => {
                if let Some(on) = on {
                    self.due.push((on.to_owned(), "Page.handleJavaScriptDialog", json!({ "accept": true })));
                }
            }
            _ => {}
        }
    }

    fn on_reply(&mut self, method: &str, result: &Value) {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match method {
            "Target.createBrowserContext" => {
                let context = word(&result["browserContextId"]);
                self.pin("context", &context);
                if !context.is_empty() {
                    self.contexts.push(context);
                }
            }
            "Target.getBrowserContexts" => self.pin("context", &word(&result["defaultBrowserContextId"])),
            "Runtime.evaluate" => self.pin("object", &word(&result["result"]["objectId"])),
            "ghost.saveSnapshot" => {
                let snapshot = word(&result["snapshot"]["id"]);
                self.pin("snapshot", &snapshot);
                if !snapshot.is_empty() {
                    self.snapshots.push(snapshot);
                }
            }
            "Page.printToPDF" => {
                if let (Some(stream), Some(on)) = (result["stream"].as_str(), self.page()) {
                    self.due.push((on, "IO.read", json!({ "handle": stream, "size": 100 })));
                }
            }
            _ => {}
        }
    }

    fn pin(&self, kind: &'static str, id: &str) {
        self.stage.board.pin(self.client, kind, id);
    }

    fn fault(&self, what: String) {
        self.stage.fault(what);
    }

    fn pages(&self) -> usize {
        self.targets.iter().filter(|(_, kind)| kind == "page").count()
    }

    /// Whether it has enough pages, or one is being opened.
    pub(crate) fn is_crowded(&self) -> bool {
        self.pages() > PAGES || self.waiting.values().any(|sent| sent.method == "Target.createTarget")
    }

    /// An own CDP session on a page.
    pub(crate) fn page(&mut self) -> Option<String> {
        self.session_on("page")
    }

    /// An own CDP session on a target of this type.
    pub(crate) fn session_on(&mut self, kind: &str) -> Option<String> {
        let own: Vec<&String> = self.sessions.iter().filter(|(_, of)| of == kind).map(|(id, _)| id).collect();
        (!own.is_empty()).then(|| (*self.random.pick(&own)).clone())
    }
}
