//! The attacker's stage: one connection with a CDP session of every kind.

use std::{collections::HashMap, fmt, time::Duration};

use serde_json::{Value, json};

use super::{
    connection::{Connection, text},
    ended::State,
};

/// Time limit of a command; then its CDP session is ended, upon which it must be answered.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The kind of CDP session on which a command is sent.
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
    /// A target that has ended or is about to end. It does not reply, and no [`Stage`] has one.
    Ended(State),
}

impl On {
    /// The kinds that a stage has.
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

    /// The target type of this kind of CDP session.
    pub(super) fn target(self) -> Option<&'static str> {
        Some(match self {
            Self::Root | Self::SecondRoot | Self::Ended(_) => return None,
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
        match self {
            Self::Root => f.write_str("root"),
            Self::SecondRoot => f.write_str("second root"),
            Self::Ended(state) => state.fmt(f),
            other => f.write_str(other.target().unwrap_or_default()),
        }
    }
}

/// A command to test.
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

/// The result of a batch of commands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// All were answered, and the page still works.
    Well,
    /// The reason why the stage cannot be used any more.
    Spent(String),
}

/// The stage.
pub(crate) struct Stage {
    connection: Connection,
}

impl Stage {
    /// Sets up a stage, on a connection to this address and path. `victims` are the ids of the victim, `site` an origin with all kinds of
    /// worker.
    pub(crate) async fn new(
        at: (&str, &str),
        site: &str,
        victims: &HashMap<&'static str, Value>,
        secret: &str,
    ) -> Result<Self, String> {
        let mut stage = Self { connection: Connection::new(at, site, victims, secret).await? };
        stage.set_up(site).await?;
        Ok(stage)
    }

    async fn set_up(&mut self, site: &str) -> Result<(), String> {
        let connection = &mut self.connection;
        let closed = connection.page("about:blank").await?;
        let context =
            connection.call(None, "Target.createBrowserContext", json!({})).await?["browserContextId"].clone();
        connection.call(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await?;
        connection.call(None, "Target.closeTarget", json!({ "targetId": closed.0 })).await?;
        let (target, page) = connection.page("about:blank").await?;
        let on = Some(page.as_str());
        let auto_attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        connection.call(on, "Target.setAutoAttach", auto_attach).await?;
        connection.navigate(&page, &format!("{site}/page?sweep")).await?;
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
            connection.evaluate(&page, &script).await?;
        }
        for kind in [On::Tab, On::SharedWorker] {
            let session = connection.newest(kind).await?;
            connection.sessions.insert(kind, session);
        }
        connection.sessions.insert(On::Page, page.clone());
        let second = connection.call(None, "Target.attachToBrowserTarget", json!({})).await?;
        connection.sessions.insert(On::SecondRoot, text(&second["sessionId"]));
        let contexts = connection.call(None, "Target.getBrowserContexts", json!({})).await?;
        let object = connection.call(on, "Runtime.evaluate", json!({ "expression": "window" })).await?;
        let tree = connection.call(on, "Page.getFrameTree", json!({})).await?;
        let window = connection.call(on, "Browser.getWindowForTarget", json!({})).await?;
        let tree = &tree["frameTree"];
        let frame =
            connection.target_of(On::Iframe).map_or_else(|| tree["childFrames"][0]["frame"]["id"].clone(), Value::from);
        let ids = [
            ("@@own-target", target.into()),
            ("@@own-tab", connection.target_of(On::Tab).into()),
            ("@@own-worker", connection.target_of(On::Worker).into()),
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
        connection.ids.extend(ids);
        Ok(())
    }

    /// The kinds of CDP session of this stage; an iframe has none if it shares its page's process.
    pub(crate) fn kinds(&self) -> Vec<On> {
        On::ALL.into_iter().filter(|kind| *kind == On::Root || self.connection.sessions.contains_key(kind)).collect()
    }

    /// Sends commands at once and waits for their replies, and for a later reply of the page.
    pub(crate) async fn run(&mut self, commands: &[Command]) -> Ran {
        let connection = &mut self.connection;
        for command in commands {
            let on = connection.sessions.get(&command.on).cloned();
            if on.is_none() && command.on != On::Root {
                return Ran::Spent(format!("no CDP session on a {}", command.on));
            }
            connection.try_on(on.as_deref(), command).await;
        }
        let page = connection.sessions.get(&On::Page).cloned();
        let fence = connection.feed(page.as_deref(), "Runtime.evaluate", &json!({ "expression": "7" }), None).await;
        connection.flush().await;
        if let Err(why) = connection.until_answered(PATIENCE).await {
            return Ran::Spent(why);
        }
        let gone = |reply: &Value| reply["error"]["code"] == -32001;
        match connection.replies.remove(&fence) {
            Some(reply) if reply["result"]["result"]["value"] == 7 => {}
            other => return Ran::Spent(format!("the page answers {other:?}")),
        }
        let spent = connection.replies.values().any(gone);
        connection.replies.clear();
        if spent { Ran::Spent("a CDP session is gone".to_owned()) } else { Ran::Well }
    }

    /// Ends the CDP sessions and the targets: every command must have its reply by then.
    pub(crate) async fn close(mut self) -> (Vec<String>, u64) {
        for kind in [On::SharedWorker, On::ServiceWorker, On::SecondRoot, On::Tab] {
            if let Some(session) = self.connection.sessions.get(&kind).cloned() {
                let params = json!({ "sessionId": session });
                self.connection.feed(None, "Target.detachFromTarget", &params, None).await;
            }
        }
        self.connection.close().await
    }
}
