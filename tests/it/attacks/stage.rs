//! `Stage`: a proxy with a working victim and an attacker that knows all of the victim's ids.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use super::{
    rows::Arena,
    victim::{Victim, a_new_client_is_admitted, learned_nothing, tab_of, workers},
};
use crate::{
    client::{Client, Failure, Page, text},
    proxy::Proxy,
    site::Site,
};

/// The kind of CDP session on which a command is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Root,
    /// A second browser-level CDP session, by `attachToBrowserTarget`.
    Browser,
    Page,
    Tab,
    Worker,
    Shared,
    Service,
}

/// All kinds.
pub(super) const EVERYWHERE: [On; 7] = [On::Root, On::Browser, On::Page, On::Tab, On::Worker, On::Shared, On::Service];

/// The expected answer.
#[derive(Clone, Debug)]
pub(super) enum Says {
    /// This code and text.
    Exactly(i64, String),
    /// One of several, because builds differ.
    OneOf(Vec<(i64, String)>),
    /// A refusal by the policy that names the method.
    Refused,
    /// A refusal by the policy, or the error that this kind of CDP session has no such method.
    RefusedOrUnknown,
    /// An error with any text.
    AnyError,
}

pub(super) fn says(code: i64, words: &str) -> Says {
    Says::Exactly(code, words.to_owned())
}

/// Chrome's errors for unknown ids.
pub(super) const NO_TARGET: (i64, &str) = (-32602, "No target with given id found");
pub(super) const NO_SESSION: (i64, &str) = (-32001, "Session with given id not found.");
pub(super) const NO_CHILD: (i64, &str) = (-32602, "No session with given id");
pub(super) const NO_CHILD_OF_TARGET: (i64, &str) = (-32602, "No session for given target id");

impl From<(i64, &str)> for Says {
    fn from((code, words): (i64, &str)) -> Self {
        says(code, words)
    }
}

pub(super) fn no_context(id: &str) -> Says {
    says(-32602, &format!("Failed to find browser context for id {id}"))
}

/// The errors of headless shell and of full Chrome.
pub(super) fn no_target_to_close() -> Says {
    Says::OneOf(vec![(-32602, "No target found for targetId".into()), (-32602, NO_TARGET.1.into())])
}

/// As [`no_target_to_close`].
pub(super) fn no_context_for_a_page(id: &str) -> Says {
    let full = format!("Failed to find browser context with id {id}");
    Says::OneOf(vec![(-32602, "browserContextId".into()), (-32000, full)])
}

/// A hostile client with a CDP session of every kind.
pub(super) struct Attacker {
    pub(super) client: Client,
    pub(super) page: Page,
    pub(super) context: String,
    pub(super) tab: String,
    sessions: Vec<(On, String)>,
}

// Fields are dropped in this order.
pub(super) struct Stage {
    pub(super) attacker: Attacker,
    pub(super) victim: Victim,
    pub(super) site: Site,
    pub(super) proxy: Arc<Proxy>,
    read: AtomicUsize,
    unproved: Unproved,
}

/// The attacks since the last check that needs new pages; a test must end with that check.
#[derive(Default)]
struct Unproved(Mutex<Vec<String>>);

impl Drop for Unproved {
    fn drop(&mut self) {
        let rows = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        assert!(rows.is_empty() || thread::panicking(), "end the test with `stage.unharmed`: {rows:?}");
    }
}

impl Stage {
    /// A strict proxy with a victim and an attacker.
    pub(super) async fn strict(arena: impl Into<Arena>) -> Self {
        Self::on(arena.into().strict().await).await
    }

    /// A proxy of its own, with these flags.
    pub(super) async fn with(arena: impl Into<Arena>, flags: &[&str]) -> Self {
        Self::on(Arc::new(Proxy::start(arena.into().browser, flags).await)).await
    }

    async fn on(proxy: Arc<Proxy>) -> Self {
        let site = Site::start().await;
        let victim = Victim::start(&proxy, &site).await;
        let attacker = Attacker::start(&proxy, &site).await;
        let (read, unproved) = (AtomicUsize::new(0), Unproved::default());
        let stage = Self { attacker, victim, site, proxy, read, unproved };
        stage.victim.is_undisturbed("before all").await;
        stage
    }

    /// The attacker sends this on each of these CDP sessions and must get the expected answer each
    /// time; then the victim must be undisturbed.
    pub(super) async fn attack(&self, row: &str, on: &[On], method: &str, params: Value, must: impl Into<Says>) {
        let must = must.into();
        for on in on {
            let outcome = self.attacker.call(*on, method, params.clone()).await;
            must.judge(&format!("{row} @{on:?}"), method, &outcome, &self.attacker.client);
        }
        self.undisturbed(row).await;
    }

    /// As [`Stage::attack`] for commands answered with the attacker's own view; returns the
    /// results.
    pub(super) async fn answers(&self, row: &str, on: &[On], method: &str, params: Value) -> Vec<Value> {
        let mut results = Vec::new();
        for on in on {
            let row = format!("{row} @{on:?}");
            match self.attacker.call(*on, method, params.clone()).await {
                Ok(result) => results.push(result),
                Err(error) => self.attacker.client.panic(&format!("{row}: {method} failed: {error:?}")),
            }
        }
        self.undisturbed(row).await;
        results
    }

    /// The check after every attack: what the victim has and was told is as before, the attacker has learned nothing of
    /// it and is still served.
    pub(super) async fn undisturbed(&self, row: &str) {
        self.victim.is_undisturbed(row).await;
        if let Some(why) = self.attacker.client.closed() {
            self.attacker.client.panic(&format!("{row}: the attacker's connection was closed: {why}"));
        }
        self.attacker.client.ok(None, "Browser.getVersion", json!({})).await;
        self.nothing_learned(row);
        self.unproved.0.lock().unwrap_or_else(PoisonError::into_inner).push(row.to_owned());
    }

    /// The check after the attacks of a test: the victim is undisturbed, it can open pages, and a new client is admitted.
    /// Each of these starts a process of Chrome's, so not every attack is followed by it.
    pub(super) async fn unharmed(&self, row: &str) {
        self.undisturbed(row).await;
        let rows = std::mem::take(&mut *self.unproved.0.lock().unwrap_or_else(PoisonError::into_inner)).join(", ");
        self.victim.can_open_a_page(&rows).await;
        a_new_client_is_admitted(&self.proxy, &rows).await;
    }

    /// As [`Stage::unharmed`] if the attacker's connection may have ended.
    pub(super) async fn others_unharmed(&self, row: &str) {
        self.victim.is_undisturbed(row).await;
        self.victim.can_open_a_page(row).await;
        self.nothing_learned(row);
        a_new_client_is_admitted(&self.proxy, row).await;
    }

    /// The attacker has received nothing that names something of the victim.
    pub(super) fn nothing_learned(&self, row: &str) {
        let from = self.read.load(Ordering::Relaxed);
        self.read.store(learned_nothing(&self.attacker.client, &self.victim, row, from), Ordering::Relaxed);
    }
}

impl Attacker {
    pub(super) async fn start(proxy: &Proxy, site: &Site) -> Self {
        let client = proxy.connect().await;
        let contexts = client.ok(None, "Target.getBrowserContexts", json!({})).await;
        let context = text(&contexts, "defaultBrowserContextId");
        let page = client.page_at(&site.url("/attacker?attacker")).await;
        let tab = tab_of(&client, &context).await;
        let below = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        client.ok(Some(&page.session), "Target.setAutoAttach", below).await;
        client.evaluate(&page.session, "window.own = new Worker('/worker.js'); 0").await;
        let is_worker = |params: &Value| params["targetInfo"]["type"] == "worker";
        let worker = text(&client.event_where("Target.attachedToTarget", is_worker).await, "sessionId");
        let [shared, service] = workers(&client, &page).await;
        let browser = text(&client.ok(None, "Target.attachToBrowserTarget", json!({})).await, "sessionId");
        let sessions = vec![
            (On::Browser, browser),
            (On::Page, page.session.clone()),
            (On::Tab, client.attach(None, &tab).await),
            (On::Worker, worker),
            (On::Shared, client.attach(None, &shared).await),
            (On::Service, client.attach(None, &service).await),
        ];
        Self { client, page, context, tab, sessions }
    }

    /// Its CDP session of this kind; `None` for the root.
    pub(super) fn session(&self, on: On) -> Option<&str> {
        self.sessions.iter().find(|(kind, _)| *kind == on).map(|(_, session)| session.as_str())
    }

    pub(super) async fn call(&self, on: On, method: &str, params: Value) -> Result<Value, Failure> {
        self.client.call_in(self.session(on), method, params, crate::client::DEADLINE).await
    }

    /// A command that must succeed.
    pub(super) async fn ok(&self, on: On, method: &str, params: Value) -> Value {
        self.client.ok(self.session(on), method, params).await
    }

    /// The text of whatever its page shows now.
    pub(super) async fn shown(&self) -> String {
        let expression =
            "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))
            .then(() => document.documentElement.innerText)";
        self.evaluate(expression).await.as_str().unwrap_or_default().to_owned()
    }

    pub(super) async fn evaluate(&self, expression: &str) -> Value {
        self.client.evaluate(&self.page.session, expression).await
    }
}

impl Says {
    pub(super) fn judge(&self, row: &str, method: &str, outcome: &Result<Value, Failure>, client: &Client) {
        let unknown = format!("'{method}' wasn't found");
        let refused = |words: &str| words.contains(&format!("'{method}'")) && words.contains("refused");
        let right = match (self, outcome) {
            (Self::Exactly(code, words), Err((said, text))) => said == code && text == words,
            (Self::OneOf(errors), Err(error)) => errors.contains(error),
            (Self::Refused, Err((code, text))) => *code == -32000 && refused(text),
            (Self::RefusedOrUnknown, Err((code, text))) => {
                *code == -32000 && refused(text) || *code == -32601 && *text == unknown
            }
            (Self::AnyError, Err(_)) => true,
            _ => false,
        };
        if !right {
            client.panic(&format!("{row}: {method} was answered {outcome:?}, and must be: {self:?}"));
        }
    }
}
