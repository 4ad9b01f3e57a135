//! What has ended, or is about to, and is still held by a CDP session: Chrome looks for its process with every command
//! that reaches it, and does not always ask whether it is there.
//!
//! Such a target answers nothing, so nobody waits: all of the protocol goes up at once, and is answered when its CDP
//! session ends.

use std::{collections::HashMap, fmt};

use serde_json::{Value, json};

use super::{
    line::Line,
    stage::{Command, On},
};

/// What would bring it back, or end the connection: the rest would find nothing that has ended.
pub(super) const LEFT_OUT: [&str; 6] = [
    "Browser.close",
    "Page.close",
    "Page.navigate",
    "Page.navigateToHistoryEntry",
    "Page.reload",
    "Target.closeTarget",
];

/// How something has ended, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    CrashedPage,
    /// A tab whose page has crashed.
    CrashedTab,
    /// A cross-site frame, and the page around it.
    CrashedFrame,
    RemovedFrame,
    StoppedServiceWorker,
    UnregisteredServiceWorker,
    /// Its last page has gone.
    EndedSharedWorker,
    /// Of a page that does not auto-attach.
    EndedWorker,
    LoneWorker,
    ClosingPage,
    /// To another site, which is another process.
    NavigatingPage,
    /// A page that waits for its user.
    Dialog,
    /// A page whose first document is on its way.
    InitialPage,
}

impl State {
    pub(crate) const ALL: [Self; 13] = [
        Self::CrashedPage,
        Self::CrashedTab,
        Self::CrashedFrame,
        Self::RemovedFrame,
        Self::StoppedServiceWorker,
        Self::UnregisteredServiceWorker,
        Self::EndedSharedWorker,
        Self::EndedWorker,
        Self::LoneWorker,
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
            Self::ClosingPage => "a closing page",
            Self::NavigatingPage => "a navigating page",
            Self::Dialog => "a page with a dialog",
            Self::InitialPage => "a page that begins",
        })
    }
}

/// A connection that holds something in such a state.
pub(super) struct Ended {
    line: Line,
    state: State,
    sessions: Vec<String>,
}

impl Ended {
    /// Brings it into the state. `site` is an origin whose host is `127.0.0.1`.
    pub(super) async fn new(
        address: &str,
        site: &str,
        victims: &HashMap<&'static str, Value>,
        secret: &str,
        state: State,
    ) -> Result<Self, String> {
        let line = Line::new(address, site, victims, secret).await?;
        let mut ended = Self { line, state, sessions: Vec::new() };
        ended.set_up(site).await.map_err(|why| format!("{state}: {why}"))?;
        Ok(ended)
    }

    async fn set_up(&mut self, site: &str) -> Result<(), String> {
        let line = &mut self.line;
        let other = site.replace("127.0.0.1", "localhost");
        let (target, page) = line.page("about:blank").await?;
        line.navigate(&page, &format!("{site}/page?ended")).await?;
        line.ids.extend([("@@own-target", target.clone().into()), ("@@own-session", page.clone().into())]);
        let on = Some(page.as_str());
        // What it is about to do is sent with the first of the commands, and not waited for.
        let script = |script: &str| json!({ "expression": script });
        let close = json!({ "targetId": target });
        self.sessions = match self.state {
            State::InitialPage => vec![line.page(&format!("{site}/page?begins")).await?.1],
            State::CrashedPage => {
                line.feed(on, "Page.crash", &json!({}), None).await;
                line.wait_for("Target.targetCrashed").await?;
                vec![page]
            }
            State::CrashedTab => {
                let tab = line.newest(On::Tab).await?;
                line.feed(on, "Page.crash", &json!({}), None).await;
                line.wait_for("Target.targetCrashed").await?;
                vec![tab]
            }
            State::CrashedFrame | State::RemovedFrame => {
                let add = format!(
                    "window.frame = document.createElement('iframe'); frame.src = '{other}/page?frame'; \
                     document.body.append(frame); 0"
                );
                line.evaluate(&page, &add).await?;
                let frame = line.newest(On::Iframe).await?;
                if self.state == State::RemovedFrame {
                    line.feed(on, "Runtime.evaluate", &script("frame.remove()"), None).await;
                    vec![frame]
                } else {
                    line.feed(Some(&frame), "Page.crash", &json!({}), None).await;
                    line.wait_for("Target.targetCrashed").await?;
                    vec![frame, page]
                }
            }
            State::StoppedServiceWorker | State::UnregisteredServiceWorker => {
                line.call(on, "ServiceWorker.enable", json!({})).await?;
                let register = "navigator.serviceWorker.register('/service.js').then(() => \
                                navigator.serviceWorker.ready).then(() => 0)";
                line.evaluate(&page, register).await?;
                let worker = line.newest(On::ServiceWorker).await?;
                if self.state == State::StoppedServiceWorker {
                    line.call(on, "ServiceWorker.stopAllWorkers", json!({})).await?;
                    line.wait_for("ServiceWorker.workerVersionUpdated stopped").await?;
                } else {
                    let end = "navigator.serviceWorker.getRegistration().then(it => it.unregister()).then(() => 0)";
                    line.evaluate(&page, end).await?;
                    line.call(None, "Target.closeTarget", close).await?;
                }
                vec![worker]
            }
            State::EndedSharedWorker => {
                line.evaluate(&page, "window.own = new SharedWorker('/shared.js'); 0").await?;
                let worker = line.newest(On::SharedWorker).await?;
                line.call(None, "Target.closeTarget", close).await?;
                line.until(|line| line.targets.iter().all(|(id, _)| *id != target)).await?;
                vec![worker]
            }
            State::EndedWorker | State::LoneWorker => {
                line.evaluate(&page, "window.own = new Worker('/worker.js'); 0").await?;
                let worker = line.newest(On::Worker).await?;
                if self.state == State::EndedWorker {
                    line.feed(on, "Runtime.evaluate", &script("own.terminate()"), None).await;
                }
                vec![worker]
            }
            State::ClosingPage => {
                let second = line.attach(&target).await?;
                line.feed(None, "Target.closeTarget", &close, None).await;
                vec![page, second]
            }
            State::NavigatingPage => {
                let url = json!({ "url": format!("{other}/page?away") });
                line.feed(on, "Page.navigate", &url, None).await;
                vec![page]
            }
            State::Dialog => {
                line.feed(on, "Runtime.evaluate", &script("alert(1)"), None).await;
                line.wait_for("Page.javascriptDialogOpening").await?;
                vec![page]
            }
        };
        Ok(())
    }

    /// Sends all of it at once, waits until the root has answered behind it, and ends what there is.
    pub(super) async fn run(mut self, commands: &[Command]) -> (Vec<String>, u64) {
        for command in commands {
            for session in self.sessions.clone() {
                self.line.try_on(Some(&session), command).await;
            }
        }
        let behind = self.line.call(None, "Browser.getVersion", json!({})).await;
        for session in &self.sessions {
            self.line.feed(None, "Target.detachFromTarget", &json!({ "sessionId": session }), None).await;
        }
        let (mut faults, received) = self.line.close().await;
        if let Err(why) = behind {
            faults.push(format!("behind all commands on {}: {why}", self.state));
        }
        (faults, received)
    }
}
