//! Targets that have ended, or are about to end, while a CDP session still holds them, and those that have not yet
//! begun: Chrome looks up their process for every command that reaches it, and does not always check that it exists.
//!
//! Such a target does not reply, so the whole protocol is sent at once; the replies come when the
//! CDP session ends.

use std::{collections::HashMap, fmt, fs};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use super::{
    connection::Connection,
    stage::{Command, On},
};
use crate::proxy::Proxy;

/// The process of a page or frame that has the most memory.
fn largest_renderer(proxy: &Proxy) -> Result<Pid, String> {
    let all = proxy.chrome_processes();
    let renderers = all.iter().filter(|process| process.is_of_type("renderer")).map(|process| process.pid);
    // The second word is the number of resident pages.
    let pages = |pid: &Pid| -> Option<u64> {
        fs::read_to_string(format!("/proc/{pid}/statm")).ok()?.split(' ').nth(1)?.parse().ok()
    };
    renderers.max_by_key(pages).ok_or_else(|| "no process of a page is there".to_owned())
}

/// Methods that would restore the target or end the connection, after which the rest would test
/// nothing.
pub(super) const LEFT_OUT: [&str; 6] = [
    "Browser.close",
    "Page.close",
    "Page.navigate",
    "Page.navigateToHistoryEntry",
    "Page.reload",
    "Target.closeTarget",
];

/// How the target has ended or is about to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    CrashedPage,
    /// A tab whose page has crashed.
    CrashedTab,
    /// A cross-site frame, and the page that contains it.
    CrashedFrame,
    RemovedFrame,
    StoppedServiceWorker,
    UnregisteredServiceWorker,
    /// A worker whose last page was closed.
    EndedSharedWorker,
    /// A worker of a page that does not auto-attach.
    EndedWorker,
    LoneWorker,
    /// A worker whose script never arrives.
    StartingWorker,
    ClosingPage,
    /// A navigation to another site, and so to another process.
    NavigatingPage,
    /// A page with an open dialog.
    Dialog,
    /// A page whose first document is loading.
    InitialPage,
}

impl State {
    pub(crate) const ALL: [Self; 14] = [
        Self::CrashedPage,
        Self::CrashedTab,
        Self::CrashedFrame,
        Self::RemovedFrame,
        Self::StoppedServiceWorker,
        Self::UnregisteredServiceWorker,
        Self::EndedSharedWorker,
        Self::EndedWorker,
        Self::LoneWorker,
        Self::StartingWorker,
        Self::ClosingPage,
        Self::NavigatingPage,
        Self::Dialog,
        Self::InitialPage,
    ];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CrashedPage => "a crashed page",
            Self::CrashedTab => "the tab of a crashed page",
            Self::CrashedFrame => "a crashed frame and its page",
            Self::RemovedFrame => "a removed frame",
            Self::StoppedServiceWorker => "a stopped service worker",
            Self::UnregisteredServiceWorker => "an unregistered service worker",
            Self::EndedSharedWorker => "an ended shared worker",
            Self::EndedWorker => "an ended worker",
            Self::LoneWorker => "a worker that its page is not attached to",
            Self::StartingWorker => "a worker without its script",
            Self::ClosingPage => "a closing page",
            Self::NavigatingPage => "a navigating page",
            Self::Dialog => "a page with a dialog",
            Self::InitialPage => "a page that begins",
        })
    }
}

/// A connection that holds a target in such a state.
pub(super) struct Ended {
    connection: Connection,
    state: State,
    sessions: Vec<String>,
}

impl Ended {
    /// Brings the target into the state, on a connection to this server and path. `site` is an origin whose host is `127.0.0.1`.
    pub(super) async fn new(
        (proxy, path): (&Proxy, &str),
        site: &str,
        victims: &HashMap<&'static str, Value>,
        secret: &str,
        state: State,
    ) -> Result<Self, String> {
        let connection = Connection::new((proxy.address(), path), site, victims, secret).await?;
        let mut ended = Self { connection, state, sessions: Vec::new() };
        ended.set_up(proxy, site).await.map_err(|why| format!("{state}: {why}"))?;
        Ok(ended)
    }

    async fn set_up(&mut self, proxy: &Proxy, site: &str) -> Result<(), String> {
        let connection = &mut self.connection;
        let other = site.replace("127.0.0.1", "localhost");
        let (target, page) = connection.page("about:blank").await?;
        connection.navigate(&page, &format!("{site}/page?ended")).await?;
        connection.ids.extend([("@@own-target", target.clone().into()), ("@@own-session", page.clone().into())]);
        let on = Some(page.as_str());
        // The command that ends the target is sent with the first tested command, without waiting
        // for its reply.
        let script = |script: &str| json!({ "expression": script });
        let close = json!({ "targetId": target });
        self.sessions = match self.state {
            State::InitialPage => vec![connection.page(&format!("{site}/page?begins")).await?.1],
            State::CrashedPage => {
                connection.feed(on, "Page.crash", &json!({}), None).await;
                connection.wait_for("Target.targetCrashed").await?;
                vec![page]
            }
            State::CrashedTab => {
                let tab = connection.newest(On::Tab).await?;
                connection.feed(on, "Page.crash", &json!({}), None).await;
                connection.wait_for("Target.targetCrashed").await?;
                vec![tab]
            }
            State::CrashedFrame | State::RemovedFrame => {
                let add = format!(
                    "window.frame = document.createElement('iframe'); frame.src = '{other}/page?frame'; \
                     document.body.append(frame); 0"
                );
                connection.evaluate(&page, &add).await?;
                let frame = connection.newest(On::Iframe).await?;
                if self.state == State::RemovedFrame {
                    connection.feed(on, "Runtime.evaluate", &script("frame.remove()"), None).await;
                    vec![frame]
                } else {
                    // `Page.crash` is refused there. Its process is the one that has become large.
                    connection.evaluate(&frame, "window.large = new Uint8Array(300e6).fill(1); 0").await?;
                    kill(largest_renderer(proxy)?, Signal::SIGKILL).map_err(|error| error.to_string())?;
                    connection.wait_for("Target.targetCrashed").await?;
                    vec![frame, page]
                }
            }
            State::StoppedServiceWorker | State::UnregisteredServiceWorker => {
                connection.call(on, "ServiceWorker.enable", json!({})).await?;
                let register = "navigator.serviceWorker.register('/service.js').then(() => \
                                navigator.serviceWorker.ready).then(() => 0)";
                connection.evaluate(&page, register).await?;
                let worker = connection.newest(On::ServiceWorker).await?;
                if self.state == State::StoppedServiceWorker {
                    connection.call(on, "ServiceWorker.stopAllWorkers", json!({})).await?;
                    connection.wait_for("ServiceWorker.workerVersionUpdated stopped").await?;
                } else {
                    let end = "navigator.serviceWorker.getRegistration().then(it => it.unregister()).then(() => 0)";
                    connection.evaluate(&page, end).await?;
                    connection.call(None, "Target.closeTarget", close).await?;
                }
                vec![worker]
            }
            State::EndedSharedWorker => {
                connection.evaluate(&page, "window.own = new SharedWorker('/shared.js'); 0").await?;
                let worker = connection.newest(On::SharedWorker).await?;
                connection.call(None, "Target.closeTarget", close).await?;
                connection.until(|connection| connection.targets.iter().all(|(id, _)| *id != target)).await?;
                vec![worker]
            }
            State::EndedWorker | State::LoneWorker => {
                connection.evaluate(&page, "window.own = new Worker('/worker.js'); 0").await?;
                let worker = connection.newest(On::Worker).await?;
                if self.state == State::EndedWorker {
                    connection.feed(on, "Runtime.evaluate", &script("own.terminate()"), None).await;
                }
                vec![worker]
            }
            State::StartingWorker => {
                connection.evaluate(&page, "window.own = new Worker('/late?worker'); 0").await?;
                vec![connection.newest(On::Worker).await?]
            }
            State::ClosingPage => {
                let second = connection.attach(&target).await?;
                connection.feed(None, "Target.closeTarget", &close, None).await;
                vec![page, second]
            }
            State::NavigatingPage => {
                let url = json!({ "url": format!("{other}/page?away") });
                connection.feed(on, "Page.navigate", &url, None).await;
                vec![page]
            }
            State::Dialog => {
                connection.feed(on, "Runtime.evaluate", &script("alert(1)"), None).await;
                connection.wait_for("Page.javascriptDialogOpening").await?;
                vec![page]
            }
        };
        Ok(())
    }

    /// Sends all commands at once, waits for a later reply on the root, and ends the targets.
    pub(super) async fn run(mut self, commands: &[Command]) -> (Vec<String>, u64) {
        for command in commands {
            for session in self.sessions.clone() {
                self.connection.try_on(Some(&session), command).await;
            }
        }
        let behind = self.connection.call(None, "Browser.getVersion", json!({})).await;
        for session in &self.sessions {
            self.connection.feed(None, "Target.detachFromTarget", &json!({ "sessionId": session }), None).await;
        }
        let (mut faults, received) = self.connection.close().await;
        if let Err(why) = behind {
            faults.push(format!("behind all commands on {}: {why}", self.state));
        }
        (faults, received)
    }
}
