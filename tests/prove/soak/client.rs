//! A client of the soak, which keeps no frames and takes the end of its connection for an answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{LONGEST, Stage};
use crate::wire::{Received, Wire};

/// The time after which the sessions of a killed browser must have ended.
const NOTICED: Duration = Duration::from_secs(10);

/// Why a visit did not come to its end.
#[derive(Debug)]
pub(crate) struct End {
    /// What was done.
    pub(crate) what: &'static str,
    /// What came instead of the expected answer.
    pub(crate) why: String,
    /// The browser of the session, if it had one that is known.
    pub(crate) browser: Option<u64>,
    /// When it was begun.
    pub(crate) since: Instant,
}

impl End {
    /// Whether the client was told that its browser was lost: by the close frame, the answer to a request, or the
    /// refusal of a connection.
    pub(crate) fn is_told(&self) -> bool {
        let said = self.why.to_lowercase();
        let by_close = said.starts_with("1011 the browser is lost: ");
        let by_answer = ["404", "409", "502", "503"].iter().any(|status| said.starts_with(status));
        by_close || (by_answer && (said.contains("lost") || said.contains("browser")))
    }

    /// What it was told, without ids.
    pub(crate) fn told(&self) -> String {
        let word = if self.why.starts_with("1011") { "close code" } else { self.what };
        format!("{word} {}", self.why.split([' ', ':']).next().unwrap_or_default())
    }
}

/// A client on a session.
pub(crate) struct Client<'a> {
    stage: &'a Stage,
    wire: Wire,
    last: i64,
    pub(crate) id: String,
    /// The browser of its session.
    pub(crate) browser: Option<u64>,
}

impl<'a> Client<'a> {
    /// Connects, and asks for its session.
    pub(crate) async fn open(stage: &'a Stage, path: &str) -> Result<Self, End> {
        Self::reopen(stage, path, None).await
    }

    /// As [`Client::open`] for a session that exists in this browser.
    pub(crate) async fn reopen(stage: &'a Stage, path: &str, browser: Option<u64>) -> Result<Self, End> {
        let (what, since) = ("connect", Instant::now());
        let end = |why: String| End { what, why, browser, since };
        let connected = tokio::time::timeout(LONGEST * 2, Wire::connect(stage.proxy.address(), path)).await;
        stage.waited(what, since);
        let wire = connected.map_err(|_| end("no answer to the handshake".to_owned()))?.map_err(end)?;
        let mut client = Self { stage, wire, last: 0, id: String::new(), browser: None };
        let session = client.call(None, "ghost.getSession", json!({})).await;
        // The session was new, or has moved to another browser: which one is not known yet.
        let session = session.map_err(|failed| End { what, why: failed.why, browser, since })?["session"].take();
        session["id"].as_str().unwrap_or_default().clone_into(&mut client.id);
        client.browser = session["browser"].as_u64();
        if client.browser.is_none() || client.id.is_empty() {
            return Err(end(format!("a session without a browser: {session}")));
        }
        Ok(client)
    }

    /// The result of a command.
    pub(crate) async fn call(&mut self, on: Option<&str>, method: &'static str, params: Value) -> Result<Value, End> {
        let since = Instant::now();
        self.tell(on, method, params).await;
        loop {
            let answer = match self.wire.next(since + LONGEST * 2).await {
                Received::Frame(text) => serde_json::from_str::<Value>(&text).unwrap_or_default(),
                Received::Closed(why) => return Err(self.end(method, why, since)),
                Received::Nothing => {
                    self.stage.waited("a command", since);
                    return Err(self.end(method, "no answer".to_owned(), since));
                }
            };
            if answer["id"] != self.last {
                continue;
            }
            self.stage.waited("a command", since);
            if let Some(killed) = self.browser.and_then(|browser| self.stage.killed(browser))
                && killed + NOTICED < since
            {
                return Err(self.end(method, "answered by a browser that was killed".to_owned(), since));
            }
            return match answer.get("error") {
                Some(error) => {
                    let told = self.told(format!("an error: {error}")).await;
                    Err(self.end(method, told, since))
                }
                None => Ok(answer["result"].clone()),
            };
        }
    }

    /// A command may be answered with an error just before the connection ends with its reason.
    async fn told(&mut self, error: String) -> String {
        let Some(browser) = self.browser else { return error };
        let until = Instant::now() + NOTICED;
        while self.stage.killed(browser).is_some() {
            match self.wire.next(until).await {
                Received::Frame(_) => {}
                Received::Closed(why) => return why,
                Received::Nothing => return format!("{error}, and the connection stays"),
            }
        }
        error
    }

    /// Sends a command and does not wait for its reply.
    pub(crate) async fn tell(&mut self, on: Option<&str>, method: &'static str, params: Value) {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": params });
        if let Some(on) = on {
            command["sessionId"] = on.into();
        }
        self.wire.feed(command.to_string()).await;
        self.wire.flush().await;
    }

    /// The value of an expression; promises are awaited.
    pub(crate) async fn evaluate(&mut self, on: &str, expression: &str) -> Result<Value, End> {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let since = Instant::now();
        let result = self.call(Some(on), "Runtime.evaluate", params).await?;
        match result.get("exceptionDetails") {
            Some(details) => Err(self.end("Runtime.evaluate", format!("an exception: {details}"), since)),
            None => Ok(result["result"]["value"].clone()),
        }
    }

    /// A new page on the site, and the CDP session on it.
    pub(crate) async fn page(&mut self) -> Result<String, End> {
        let made = self.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await?;
        let on = self.attach(&made["targetId"]).await?;
        let url = self.stage.site.url("/page?soak");
        let since = Instant::now();
        let went = self.call(Some(&on), "Page.navigate", json!({ "url": url })).await?;
        if let Some(error) = went.get("errorText") {
            let told = self.told(format!("{url}: {error}")).await;
            return Err(self.end("Page.navigate", told, since));
        }
        let loaded =
            "document.readyState === 'complete' || new Promise(done => addEventListener('load', () => done(true)))";
        self.evaluate(&on, loaded).await?;
        Ok(on)
    }

    /// The CDP session on the page of the site that the session already has.
    pub(crate) async fn page_again(&mut self) -> Result<String, End> {
        let since = Instant::now();
        let targets = self.call(None, "Target.getTargets", json!({})).await?;
        let site = self.stage.site.origin();
        let is_page = |info: &&Value| info["url"].as_str().is_some_and(|url| url.starts_with(&site));
        match targets["targetInfos"].as_array().into_iter().flatten().find(is_page) {
            Some(info) => self.attach(&info["targetId"].clone()).await,
            None => Err(self.end("Target.getTargets", format!("the page is gone: {targets}"), since)),
        }
    }

    async fn attach(&mut self, target: &Value) -> Result<String, End> {
        let attached = self.call(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await?;
        Ok(attached["sessionId"].as_str().unwrap_or_default().to_owned())
    }

    /// Leaves a mark that the snapshot of the session holds.
    pub(crate) async fn mark(&mut self, on: &str, mark: &str) -> Result<(), End> {
        self.evaluate(on, &format!("localStorage.setItem('mark', '{mark}')")).await.map(drop)
    }

    /// The mark must be there.
    pub(crate) async fn is_marked(&mut self, on: &str, mark: &str) -> Result<(), End> {
        let since = Instant::now();
        let found = self.evaluate(on, "localStorage.getItem('mark')").await?;
        if found == mark {
            return Ok(());
        }
        // Whatever became of its browser, this is a fault.
        Err(End { what: "the mark", why: format!("{found} instead of {mark}"), browser: None, since })
    }

    pub(crate) fn end(&self, what: &'static str, why: String, since: Instant) -> End {
        End { what, why, browser: self.browser, since }
    }
}
