//! `Stage`: a browser of the test's own without a proxy, and a session in it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use ghostmux::{
    browser::{
        CodecChoice, ContextHandle, Inbox, Launch, Lease, Source,
        find::{self, command_line, is_root},
    },
    cdp::{
        ids::{CdpSessionId, ContextId, TargetId},
        target::with_attached,
    },
    config::{BrowserLimits, Codec},
    metrics::Metrics,
    pool::{BrowserKind, Company, LeaseRequest, Plan, Pool},
    port::{FromBrowser, Told},
    snapshot::{self, Parts, Reopen, Report},
};
use serde_json::{Value, json};

use crate::{browsers::Browser, client::DEADLINE};

/// A browser. Call [`Stage::end`], or its process outlives the test by a moment.
pub(crate) struct Stage {
    pool: Pool,
    _directory: tempfile::TempDir,
}

/// A session in the browser, with the parts that the proxy has.
pub(crate) struct Session {
    pub(crate) lease: Lease,
    pub(crate) place: ContextHandle,
    pub(crate) inbox: Inbox,
    root: CdpSessionId,
    told: HashMap<TargetId, String>,
}

/// A page of a session and a client's CDP session on it.
pub(crate) struct Tab {
    pub(crate) target: TargetId,
    pub(crate) session: CdpSessionId,
}

impl Stage {
    pub(crate) async fn start(browser: &Browser) -> Self {
        let directory = tempfile::Builder::new().prefix("ghostmux-it-").tempdir().expect("a directory");
        let found = find::inspect(&browser.path).await.expect("a browser");
        let flags = command_line(found.kind, is_root(), &[]);
        let launch = Launch {
            binary: found.binary,
            flags,
            directory: directory.path().to_owned(),
            codec: CodecChoice::new(Codec::Auto),
            cgroups: None,
            nice: 0,
            has_extensions: false,
            egress: None,
            is_gated: false,
            in_namespace: false,
        };
        let plan = Plan::fixed(vec![Source::Local(launch)]);
        let pool = Pool::start(plan, Metrics::default().into()).await.expect("it starts");
        Self { pool, _directory: directory }
    }

    pub(crate) async fn session(&self) -> Session {
        let mut lease = self
            .pool
            .lease(LeaseRequest {
                kind: BrowserKind::Shared,
                company: Company::Anyone,
                limits: BrowserLimits::default(),
                gate: None,
            })
            .await
            .expect("a lease");
        let root = match lease.take_root() {
            Some(root) => root,
            None => lease.browser().root(lease.id()).await.expect("a root"),
        };
        let (place, inbox) = (lease.place(), lease.open());
        Session { lease, place, inbox, root, told: HashMap::new() }
    }

    pub(crate) async fn end(self) {
        self.pool.close().await;
    }
}

impl Session {
    /// A command on the client's root or on one of its CDP sessions.
    pub(crate) async fn call(&self, on: Option<&CdpSessionId>, method: &'static str, params: Value) -> Value {
        let result = self.lease.browser().call(Some(on.unwrap_or(&self.root)), method, params.to_string()).await;
        let result = result.unwrap_or_else(|error| panic!("{method} {params}: {error}"));
        serde_json::from_str(&result).expect("JSON")
    }

    /// Opens a page at this URL in the default context and waits until it is loaded.
    pub(crate) async fn open(&self, url: &str) -> Tab {
        self.open_in(self.place.context(), url).await
    }

    pub(crate) async fn open_in(&self, context: &ContextId, url: &str) -> Tab {
        let params = json!({ "url": "about:blank", "browserContextId": context.as_str() });
        let made = self.call(None, "Target.createTarget", params).await;
        let tab = self.attach(made["targetId"].as_str().expect("a target").into()).await;
        self.go(&tab, url).await;
        tab
    }

    pub(crate) async fn attach(&self, target: TargetId) -> Tab {
        let params = json!({ "targetId": target.as_str(), "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", params).await;
        Tab { target, session: attached["sessionId"].as_str().expect("a session").into() }
    }

    pub(crate) async fn go(&self, tab: &Tab, url: &str) {
        let went = self.call(Some(&tab.session), "Page.navigate", json!({ "url": url })).await;
        assert!(went.get("errorText").is_none(), "{url}: {went}");
        self.ready(tab).await;
    }

    /// Waits until a page is loaded.
    pub(crate) async fn ready(&self, tab: &Tab) {
        let loaded =
            "document.readyState === 'complete' || new Promise(done => addEventListener('load', () => done(true)))";
        assert_eq!(self.evaluate(tab, loaded).await, true);
    }

    pub(crate) async fn evaluate(&self, tab: &Tab, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let result = self.call(Some(&tab.session), "Runtime.evaluate", params).await;
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// The pages of a context that a client would see: target and URL, in order.
    pub(crate) async fn pages(&self, context: usize) -> Vec<(TargetId, String)> {
        let surveyed = self.place.survey().await;
        let targets = surveyed.get(context).map(|surveyed| surveyed.targets.as_slice()).unwrap_or_default();
        let page = |info: &str| {
            let info: Value = serde_json::from_str(info).expect("JSON");
            (info["type"] == "page").then(|| {
                let text = |name: &str| info[name].as_str().expect("text").to_owned();
                (TargetId::from(text("targetId")), text("url"))
            })
        };
        targets.iter().filter_map(|(_, _, info)| page(info)).collect()
    }

    /// As [`Session::pages`], once the URLs are these: closed pages disappear later.
    pub(crate) async fn pages_at(&self, context: usize, urls: &[String]) -> Vec<(TargetId, String)> {
        let since = Instant::now();
        loop {
            let pages = self.pages(context).await;
            if pages.iter().map(|(_, url)| url).eq(urls) {
                return pages;
            }
            assert!(since.elapsed() < DEADLINE, "{pages:?} instead of {urls:?}");
            tokio::task::yield_now().await;
        }
    }

    /// The URLs of a page's session history, and the index of the current one.
    pub(crate) async fn history(&self, tab: &Tab) -> (Vec<String>, u64) {
        let history = self.call(Some(&tab.session), "Page.getNavigationHistory", json!({})).await;
        let entries = history["entries"].as_array().expect("a list");
        let urls = entries.iter().map(|entry| entry["url"].as_str().expect("a URL").to_owned()).collect();
        (urls, history["currentIndex"].as_u64().expect("a number"))
    }

    /// Navigates to the history entry whose URL ends with `end`, and waits until it is loaded.
    pub(crate) async fn walk(&self, tab: &Tab, end: &str) {
        let history = self.call(Some(&tab.session), "Page.getNavigationHistory", json!({})).await;
        let entries = history["entries"].as_array().expect("a list");
        let entry = entries.iter().find(|entry| entry["url"].as_str().is_some_and(|url| url.ends_with(end)));
        let entry = entry.unwrap_or_else(|| panic!("no {end} in {history}"));
        let (id, url) = (&entry["id"], entry["url"].as_str().expect("a URL"));
        self.call(Some(&tab.session), "Page.navigateToHistoryEntry", json!({ "entryId": id })).await;
        let there = format!("location.href === {} && document.readyState === 'complete'", json!(url));
        let since = Instant::now();
        loop {
            let params = json!({ "expression": there, "returnByValue": true }).to_string();
            let browser = self.lease.browser();
            // During the navigation the page may be in neither entry.
            let result = browser.call(Some(&tab.session), "Runtime.evaluate", params).await.unwrap_or_default();
            if result.contains(r#""value":true"#) {
                return;
            }
            assert!(since.elapsed() < DEADLINE, "{url}: {result}");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn cookies(&self) -> Value {
        let params = json!({ "browserContextId": self.place.context().as_str() });
        let mut cookies = self.call(None, "Storage.getCookies", params).await["cookies"].take();
        cookies.as_array_mut().expect("a list").sort_by_key(ToString::to_string);
        cookies
    }

    pub(crate) async fn save(&self, parts: &Parts) -> (Vec<u8>, Report) {
        let mut bytes = Vec::new();
        let report = snapshot::capture(&self.place, parts, &mut bytes).await.expect("a snapshot");
        (bytes, report)
    }

    pub(crate) async fn restore(&self, how: &Reopen, bytes: &[u8]) -> Report {
        snapshot::restore(&self.place, how, bytes).await.expect("restored")
    }

    /// Waits until the client has received an event of this method on its page; returns the
    /// `params`.
    pub(crate) async fn event(&mut self, tab: &Tab, method: &str) -> Value {
        let wait = async {
            while let Some(message) = self.inbox.recv().await {
                let Some(text) = self.tell(&message) else { continue };
                let event: Value = serde_json::from_str(&text).unwrap_or_default();
                if event["method"] == method && event["sessionId"] == tab.session.as_str() {
                    return event["params"].clone();
                }
            }
            panic!("the browser has ended");
        };
        tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("no {method}"))
    }

    /// Waits until the client has been told of a CDP session below one of its pages.
    pub(crate) async fn attached(&mut self, tab: &Tab) -> CdpSessionId {
        let wait = async {
            loop {
                match self.inbox.recv().await.expect("the browser is there") {
                    FromBrowser::Told(Told::Attached { parent, child, .. }) if parent == tab.session => return child,
                    other => drop(self.tell(&other)),
                }
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("something is attached")
    }

    /// The messages for the client since the last call. `attached` in target infos is replaced by
    /// whether the client itself is attached.
    pub(crate) fn take_messages(&mut self) -> Vec<String> {
        let mut messages = Vec::new();
        while let Some(Some(message)) = self.inbox.recv().now_or_never() {
            messages.extend(self.tell(&message));
        }
        messages
    }

    /// The part of a message that is new to the client, if any.
    fn tell(&mut self, message: &FromBrowser) -> Option<String> {
        match message {
            FromBrowser::Message { text, .. } => return Some(String::from_utf8_lossy(text).into_owned()),
            FromBrowser::Told(Told::Created { target, info }) => {
                self.told.insert(target.clone(), with_attached(info, false).into_owned());
            }
            FromBrowser::Told(Told::Changed { target, info }) => {
                let info = with_attached(info, false).into_owned();
                if self.told.insert(target.clone(), info.clone()).is_some_and(|before| before == info) {
                    return None;
                }
            }
            _ => {}
        }
        Some(format!("{message:?}"))
    }
}

/// Time limits for a busy machine.
pub(crate) fn patient() -> (Parts, Reopen) {
    let parts = Parts { page_deadline: Duration::from_secs(20), ..Parts::default() };
    let how = Reopen { page_deadline: Duration::from_secs(25), ..Reopen::default() };
    (parts, how)
}
