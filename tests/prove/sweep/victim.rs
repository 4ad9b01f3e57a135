//! The victim: another tenant that works during the sweep and must not be affected.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::wire::{Received, Wire};

/// Time limit of an answer (attacks.md: the victim answers within 3 s).
const ANSWER: Duration = Duration::from_secs(3);
/// The message for an answer that takes longer.
pub(crate) const LATE: &str = "no answer in time";
/// The interval of its checks.
const PERIOD: Duration = Duration::from_millis(200);

/// The state that it checks; none of it may change.
const LOOK: &str = "JSON.stringify([location.href, document.title, document.cookie, document.visibilityState, \
    localStorage.secret, innerWidth, innerHeight, screen.width, screen.height, devicePixelRatio, navigator.userAgent, \
    navigator.language, navigator.onLine, Intl.DateTimeFormat().resolvedOptions().timeZone, document.hasFocus(), \
    matchMedia('(prefers-color-scheme: dark)').matches, typeof window.cdp, document.body.textContent])";
/// Its permissions, which are read with a promise.
const PERMISSIONS: &str = "Promise.all(['geolocation', 'notifications', 'clipboard-read'].map(name => \
    navigator.permissions.query({ name }).then(found => found.state))).then(states => states.join())";

/// A working victim. Dropping it closes its connection.
pub(crate) struct Victim {
    /// Its ids, by their placeholders in commands.
    pub(crate) ids: HashMap<&'static str, Value>,
    /// The secret in its URL, cookie and storage, and nowhere else.
    pub(crate) secret: String,
    noticed: Arc<Mutex<Option<String>>>,
    looks: watch::Receiver<u64>,
    slowest: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

struct Work {
    wire: Wire,
    last_id: i64,
    page: String,
    events: Vec<String>,
    /// Whether it also checks its session and snapshots as the server knows them, which clients of the same tenant may
    /// change.
    is_alone: bool,
}

impl Victim {
    /// Connects to this address and path. `is_alone` says that the attacker is of another tenant.
    pub(crate) async fn new(
        (address, path): (&str, &str),
        site: &str,
        secret: &str,
        is_alone: bool,
    ) -> Result<Self, String> {
        let wire = Wire::connect(address, path).await?;
        let mut work = Work { wire, last_id: 0, page: String::new(), events: Vec::new(), is_alone };
        let long = Duration::from_secs(20);
        let blank = json!({ "url": "about:blank" });
        let target = work.call(None, "Target.createTarget", blank, long).await?["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let page = work.call(None, "Target.attachToTarget", attach, long).await?["sessionId"].clone();
        work.page = page.as_str().unwrap_or_default().to_owned();
        let on = work.page.clone();
        let on = Some(on.as_str());
        work.call(on, "Page.enable", json!({}), long).await?;
        work.call(on, "Page.navigate", json!({ "url": format!("{site}/page?{secret}") }), long).await?;
        let until = Instant::now() + long;
        while !work.events.iter().any(|event| event.contains("Page.loadEventFired")) {
            work.receive(until).await?;
        }
        work.evaluate(&format!("localStorage.secret = '{secret}'"), long).await?;
        let object = work.call(on, "Runtime.evaluate", json!({ "expression": "window" }), long).await?;
        let contexts = work.call(None, "Target.getBrowserContexts", json!({}), long).await?;
        let window = work.call(on, "Browser.getWindowForTarget", json!({}), long).await?;
        let (mut session, mut snapshot) = (Value::Null, Value::Null);
        if is_alone {
            session = work.call(None, "ghost.getSession", json!({}), long).await?["session"]["id"].clone();
            let saved = work.call(None, "ghost.saveSnapshot", json!({ "name": secret }), long).await?;
            snapshot = saved["snapshot"]["id"].clone();
        }
        for method in ["Runtime.enable", "Inspector.enable", "Log.enable", "Network.enable", "Debugger.enable"] {
            work.call(on, method, json!({}), long).await?;
        }
        work.call(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] }), long).await?;
        let auto = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
        work.call(None, "Target.setAutoAttach", auto, long).await?;
        let before = work.look(long).await?;
        // Its own start is complete once two checks are equal and no event came in between.
        let mut settled = work.look(long).await?;
        while work.take_events() || settled != before {
            settled = work.look(long).await?;
            if Instant::now() > until {
                return Err(format!("the victim does not come to rest: {before} {settled}"));
            }
        }
        let ids = HashMap::from([
            ("@@victim-target", target),
            ("@@victim-session", page),
            ("@@victim-context", contexts["defaultBrowserContextId"].clone()),
            ("@@victim-object", object["result"]["objectId"].clone()),
            ("@@victim-window", window["windowId"].clone()),
            ("@@victim-owned-session", session),
            ("@@victim-snapshot", snapshot),
        ]);
        let (noticed, slowest) = (Arc::new(Mutex::new(None)), Arc::new(AtomicU64::new(0)));
        let (count, looks) = watch::channel(0);
        let (seen, most) = (noticed.clone(), slowest.clone());
        let task = tokio::spawn(async move {
            let mut clock = tokio::time::interval(PERIOD);
            loop {
                clock.tick().await;
                let since = Instant::now();
                let looked = work.look(ANSWER).await;
                most.fetch_max(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
                let what = match looked {
                    Err(why) => why,
                    Ok(now) if now != before => difference(&before, &now),
                    Ok(_) if !work.events.is_empty() => format!("unexpected events: {:?}", work.events),
                    Ok(_) => {
                        count.send_modify(|looks| *looks += 1);
                        continue;
                    }
                };
                *seen.lock().expect("no panic") = Some(what);
                return;
            }
        });
        Ok(Self { ids, secret: secret.to_owned(), noticed, looks, slowest, task })
    }

    /// The change that it detected, if any; it has stopped working then.
    pub(crate) fn noticed(&self) -> Option<String> {
        let noticed = self.noticed.lock().expect("no panic").clone();
        noticed.or_else(|| self.task.is_finished().then(|| "the victim's task has ended".to_owned()))
    }

    /// The number of successful checks.
    pub(crate) fn looks(&self) -> u64 {
        *self.looks.borrow()
    }

    /// Waits for this number of checks, or for a detected change.
    pub(crate) async fn looks_until(&self, looks: u64) {
        // An error ends the task.
        let _ = self.looks.clone().wait_for(|count| *count >= looks).await;
    }

    /// Its slowest check, in milliseconds.
    pub(crate) fn slowest(&self) -> u64 {
        self.slowest.load(Ordering::Relaxed)
    }
}

/// Where two checks differ, with the text around it.
fn difference(before: &str, now: &str) -> String {
    let same = before.bytes().zip(now.bytes()).take_while(|(one, other)| one == other).count();
    let start = same.saturating_sub(100);
    let part = |look: &str| String::from_utf8_lossy(&look.as_bytes()[start..look.len().min(start + 400)]).into_owned();
    format!("it was …{}…\n and is …{}…", part(before), part(now))
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Work {
    /// The state that must not change.
    async fn look(&mut self, deadline: Duration) -> Result<String, String> {
        let page = self.evaluate(LOOK, deadline).await?;
        let permissions = self.evaluate(PERMISSIONS, deadline).await?;
        let cookies = self.call(None, "Storage.getCookies", json!({}), deadline).await?;
        let mut targets = self.call(None, "Target.getTargets", json!({ "filter": [{}] }), deadline).await?;
        // The order follows a hash table of Chrome's, and changes as the table grows (*measured*).
        if let Some(infos) = targets["targetInfos"].as_array_mut() {
            infos.sort_by(|one, other| one["targetId"].as_str().cmp(&other["targetId"].as_str()));
        }
        let owned = if self.is_alone { self.owned(deadline).await? } else { String::new() };
        Ok(format!("{page} {permissions} {cookies} {targets} {owned}"))
    }

    /// What the server knows of its tenant, without what changes by itself.
    async fn owned(&mut self, deadline: Duration) -> Result<String, String> {
        let sessions = self.call(None, "ghost.listSessions", json!({}), deadline).await?;
        let settings = |session: &Value| {
            ["id", "state", "name", "metadata", "timeout", "idleTimeout", "keepAlive"].map(|key| session[key].clone())
        };
        let sessions: Vec<_> = sessions["sessions"].as_array().into_iter().flatten().map(settings).collect();
        let snapshots = self.call(None, "ghost.listSnapshots", json!({}), deadline).await?;
        Ok(format!("{sessions:?} {}", snapshots["snapshots"]))
    }

    /// The value of an expression; promises are awaited.
    async fn evaluate(&mut self, expression: &str, deadline: Duration) -> Result<Value, String> {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let page = self.page.clone();
        let result = self.call(Some(&page), "Runtime.evaluate", params, deadline).await?;
        if result.get("exceptionDetails").is_some() {
            Err(result.to_string())
        } else {
            Ok(result["result"]["value"].clone())
        }
    }

    fn take_events(&mut self) -> bool {
        !std::mem::take(&mut self.events).is_empty()
    }

    async fn call(&mut self, on: Option<&str>, method: &str, params: Value, wait: Duration) -> Result<Value, String> {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(on) = on {
            command["sessionId"] = on.into();
        }
        self.wire.feed(command.to_string()).await;
        self.wire.flush().await;
        let until = Instant::now() + wait;
        loop {
            let Some(reply) = self.receive(until).await.map_err(|why| format!("{method}: {why}"))? else { continue };
            if reply["id"] == id {
                return match reply.get("error") {
                    Some(error) => Err(format!("{method}: {error}")),
                    None => Ok(reply["result"].clone()),
                };
            }
        }
    }

    /// The next reply; an event before it is kept.
    async fn receive(&mut self, until: Instant) -> Result<Option<Value>, String> {
        match self.wire.next(until).await {
            Received::Frame(text) => {
                let frame: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
                if frame.get("id").is_some() {
                    return Ok(Some(frame));
                }
                // The debugger reports its own evaluations as scripts.
                if frame["method"] != "Debugger.scriptParsed" {
                    self.events.push(text);
                }
                Ok(None)
            }
            Received::Closed(why) => Err(format!("its connection was closed: {why}")),
            Received::Nothing => Err(LATE.to_owned()),
        }
    }
}
