//! `Victim`: a working client that an attack must not affect.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    client::{Client, DEADLINE, Frame, Page, text},
    proxy::Proxy,
    site::Site,
};

/// Time limit for a page's answer to its own client during an attack.
const SOON: Duration = Duration::from_secs(3);

/// Everything in a page that an attack could have changed.
const STATE: &str = "(async () => {
    const allowed = async name => (await navigator.permissions.query({ name })).state
    return JSON.stringify({
        href: location.href, title: document.title, body: document.body.innerText, cookie: document.cookie,
        storage: { ...localStorage }, marker: window.marker, visibility: document.visibilityState,
        size: [innerWidth, innerHeight, outerWidth, outerHeight, devicePixelRatio],
        screen: [screen.width, screen.height, screen.availWidth, screen.availHeight, screen.colorDepth],
        geolocation: await allowed('geolocation'), camera: await allowed('camera'),
        clipboard: await allowed('clipboard-read'), notifications: await allowed('notifications'),
        globals: Object.keys(window).length, agent: navigator.userAgent, language: navigator.language,
    })
})()";

/// A client with a page in its own context, a cookie, storage, workers, and a secret marker.
pub(super) struct Victim {
    pub(super) client: Client,
    pub(super) context: String,
    pub(super) default_context: String,
    pub(super) page: Page,
    pub(super) tab: String,
    pub(super) window: Value,
    pub(super) shared_worker: String,
    pub(super) service_worker: String,
    /// The marker in its URL, title, cookie, storage and body.
    pub(super) marker: String,
    pub(super) url: String,
    state: Value,
    cookies: Value,
}

impl Victim {
    pub(super) async fn start(proxy: &Proxy, site: &Site) -> Self {
        let marker = format!("victim-{}", uuid::Uuid::new_v4().simple());
        let client = proxy.connect().await;
        let contexts = client.ok(None, "Target.getBrowserContexts", json!({})).await;
        let default_context = text(&contexts, "defaultBrowserContextId");
        let context = text(&client.ok(None, "Target.createBrowserContext", json!({})).await, "browserContextId");
        let url = site.url(&format!("/victim?{marker}"));
        let page = client.page_in(Some(&context), &url).await;
        let set = format!("localStorage.mine = '{marker}'; window.marker = '{marker}'");
        client.evaluate(&page.session, &set).await;
        let [shared_worker, service_worker] = workers(&client, &page).await;
        let window = client.ok(Some(&page.session), "Browser.getWindowForTarget", json!({})).await["windowId"].clone();
        let tab = tab_of(&client, &context).await;
        let mut victim = Self {
            client,
            context,
            default_context,
            page,
            tab,
            window,
            shared_worker,
            service_worker,
            marker,
            url,
            state: Value::Null,
            cookies: Value::Null,
        };
        victim.state = victim.state_now().await;
        victim.cookies = victim.cookies_now().await;
        assert!(victim.cookies.to_string().contains(&victim.marker), "no cookie: {}", victim.cookies);
        victim
    }

    /// Nothing of it has changed, and it has received no unexpected event. `row` names the attack.
    pub(super) async fn is_undisturbed(&self, row: &str) {
        let client = &self.client;
        if let Some(why) = client.closed() {
            client.panic(&format!("{row}: the victim's connection was closed: {why}"));
        }
        let (state, cookies) = (self.state_now().await, self.cookies_now().await);
        if state != self.state || cookies != self.cookies {
            let (was, had) = (&self.state, &self.cookies);
            client.panic(&format!("{row}: the victim was changed:\n{was}\n{state}\n{had}\n{cookies}"));
        }
        for event in client.events() {
            let method = text(&event, "method");
            let unwanted = matches!(
                method.as_str(),
                "Target.detachedFromTarget"
                    | "Target.targetCrashed"
                    | "Debugger.paused"
                    | "Page.javascriptDialogOpening"
            );
            // Its own worker reports that its script was loaded.
            if unwanted || method.starts_with("Inspector.") && method != "Inspector.workerScriptLoaded" {
                client.panic(&format!("{row}: the victim was told {event}"));
            }
        }
    }

    /// It can continue. `rows` names the attacks.
    pub(super) async fn can_open_a_page(&self, rows: &str) {
        // In its default context: in full Chrome a second tab would hide the first.
        let made = self.client.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let made =
            made.unwrap_or_else(|error| self.client.panic(&format!("{rows}: the victim gets no page: {error:?}")));
        self.client.ok(None, "Target.closeTarget", json!({ "targetId": made["targetId"] })).await;
    }

    /// As [`Victim::is_undisturbed`] after an attack that uses all of the machine: only checks that it
    /// is unchanged.
    pub(super) async fn is_unchanged(&self, row: &str, deadline: Duration) {
        let state = self.client.evaluate_in(&self.page.session, STATE, deadline).await;
        assert_eq!(state, self.state, "{row}: the victim was changed");
    }

    /// What only the victim may know; other clients must not receive it.
    pub(super) fn secrets(&self) -> Vec<&str> {
        vec![
            &self.marker,
            &self.context,
            &self.default_context,
            &self.page.target,
            &self.page.session,
            &self.tab,
            &self.shared_worker,
            &self.service_worker,
        ]
    }

    /// The time that its page takes to answer.
    pub(super) async fn round_trip(&self, deadline: Duration) -> Duration {
        let since = std::time::Instant::now();
        self.client.evaluate_in(&self.page.session, "1", deadline).await;
        since.elapsed()
    }

    async fn state_now(&self) -> Value {
        self.client.evaluate_in(&self.page.session, STATE, SOON).await
    }

    async fn cookies_now(&self) -> Value {
        let asked = json!({ "browserContextId": self.context });
        let mut cookies = self.client.ok(None, "Storage.getCookies", asked).await;
        for cookie in cookies["cookies"].as_array_mut().into_iter().flatten() {
            cookie.as_object_mut().expect("a cookie").remove("expires");
        }
        cookies
    }
}

/// Starts a shared and a service worker of a page; returns their targets.
pub(super) async fn workers(client: &Client, page: &Page) -> [String; 2] {
    let seen = json!({ "discover": true, "filter": [{}] });
    client.ok(None, "Target.setDiscoverTargets", seen).await;
    client
        .evaluate(
            &page.session,
            "window.shared = new SharedWorker('/shared.js'); navigator.serviceWorker.register('/service.js')
                .then(() => navigator.serviceWorker.ready).then(() => 0)",
        )
        .await;
    let mut found = [String::new(), String::new()];
    for (at, kind) in ["shared_worker", "service_worker"].into_iter().enumerate() {
        let created = |info: &Value| info["targetInfo"]["type"] == kind;
        found[at] = text(&client.event_where("Target.targetCreated", created).await["targetInfo"], "targetId");
    }
    client.ok(None, "Target.setDiscoverTargets", json!({ "discover": false })).await;
    found
}

/// The last tab of a client in a context.
pub(super) async fn tab_of(client: &Client, context: &str) -> String {
    let tabs = client.ok(None, "Target.getTargets", json!({ "filter": [{ "type": "tab" }] })).await;
    let tabs = tabs["targetInfos"].as_array().expect("a list");
    let tab = tabs.iter().rfind(|info| info["browserContextId"] == context);
    text(tab.unwrap_or_else(|| client.panic("no tab")), "targetId")
}

/// Fails if a client received a secret of the victim from this frame on; returns the number of
/// frames so far.
///
/// What a reply repeats from its own command is excepted, because the client knew it before.
pub(super) fn learned_nothing(client: &Client, victim: &Victim, row: &str, from: usize) -> usize {
    let frames = client.frames();
    for frame in frames[from.min(frames.len())..].iter().filter(|frame| !frame.sent) {
        for secret in victim.secrets() {
            if frame.text.contains(secret) && !repeats(&frames, frame, secret) {
                client.panic(&format!("{row}: the attacker learned {secret}: {}", frame.text));
            }
        }
    }
    frames.len()
}

fn repeats(frames: &[Frame], reply: &Frame, secret: &str) -> bool {
    let Some(message) = reply.received() else { return false };
    // An error in a nested message: the command that it answers is nested too.
    if message["method"] == "Target.receivedMessageFromTarget" && reply.text.contains(r"error\") {
        return frames.iter().any(|frame| frame.sent && frame.text.contains(secret));
    }
    let Some(id) = message["id"].as_i64() else { return false };
    frames
        .iter()
        .filter(|frame| frame.sent && frame.text.contains(secret))
        .any(|frame| serde_json::from_str::<Value>(&frame.text).is_ok_and(|command| command["id"].as_i64() == Some(id)))
}

/// A client that connects now is admitted.
pub(super) async fn a_new_client_is_admitted(proxy: &Proxy, row: &str) {
    let newcomer = tokio::time::timeout(DEADLINE, proxy.connect()).await;
    let newcomer = newcomer.unwrap_or_else(|_| panic!("{row}: a new client was not let in within {DEADLINE:?}"));
    newcomer.ok(None, "Browser.getVersion", json!({})).await;
}
