//! The operations by which an operator controls the server, and what a drain waits for.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{Handle, Inner, SessionManager, server::no_browser};
use crate::{
    api_types::{
        Mode, Recycling, Reloaded, Reply, ServerMode, SessionState,
        operations::{ControlRequest, Drain, Pause, RecycleBrowser, RecycleBrowsers, Reload, Resume},
    },
    config::Config,
    pool::NotReplaced,
    port::BrowserId,
    session::{
        error::ServiceError,
        task::{Control, Terms},
    },
};

/// The answer to a caller that asked for a reload of the configuration.
pub type Reloading = oneshot::Sender<Result<Reloaded, ServiceError>>;

/// How often a drain looks whether a session still has a client.
const LOOK: Duration = Duration::from_millis(100);
/// How often the parked sessions of a browser that is overdue are hibernated: its other sessions may be parked meanwhile.
const AGAIN: Duration = Duration::from_secs(5);
/// Most sessions that one line of the log names.
const NAMED: usize = 10;

impl Inner {
    /// What the next session is begun with.
    pub(super) fn terms(&self) -> Arc<Terms> {
        self.terms.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The terms with other settings. What all sessions of the process count together stays.
fn reconfigured(terms: &Terms, config: &Config) -> Terms {
    terms.ledger.set_limit(config.client_queue_total);
    Terms {
        ledger: terms.ledger.clone(),
        directory: terms.directory.clone(),
        audit: terms.audit.clone(),
        usage: terms.usage.clone(),
        tenants: terms.tenants.clone(),
        ..Terms::new(config, Path::new(""), terms.metrics.clone())
    }
}

impl SessionManager {
    /// Performs an operation of an operator.
    pub(super) async fn perform_control(&self, request: ControlRequest) -> Result<Reply, ServiceError> {
        let inner = &self.inner;
        Ok(match request {
            ControlRequest::RecycleBrowser(RecycleBrowser { browser }) => {
                let Ok(number) = browser.parse() else { return Err(no_browser(&browser)) };
                inner.pool.recycle(BrowserId(number)).map_err(|error| match error {
                    NotReplaced::NoBrowser(_) => no_browser(&browser),
                    NotReplaced::Remote { .. } | NotReplaced::Dedicated(_) => ServiceError::NotReplaced(error),
                })?;
                Reply::of::<RecycleBrowser>(&Recycling { browsers: vec![number] })
            }
            ControlRequest::RecycleBrowsers(RecycleBrowsers {}) => {
                let browsers = inner.pool.recycle_all().into_iter().map(|browser| browser.0).collect();
                Reply::of::<RecycleBrowsers>(&Recycling { browsers })
            }
            ControlRequest::Drain(Drain {}) => {
                self.drain();
                Reply::of::<Drain>(&self.mode())
            }
            ControlRequest::Pause(Pause {}) => {
                inner.admission_control.pause()?;
                tracing::info!("paused: new sessions wait in the queue");
                Reply::of::<Pause>(&self.mode())
            }
            ControlRequest::Resume(Resume {}) => {
                inner.admission_control.resume()?;
                tracing::info!("resumed");
                Reply::of::<Resume>(&self.mode())
            }
            ControlRequest::Reload(Reload {}) => {
                let (reloading, outcome) = oneshot::channel();
                inner.reloads.0.send(reloading).await.map_err(|_| ServiceError::Closing)?;
                Reply::of::<Reload>(&outcome.await.map_err(|_| ServiceError::Closing)??)
            }
        })
    }

    /// Completes when a reload of the configuration was asked for.
    pub async fn reload_asked(&self) -> Reloading {
        match self.inner.reloads.1.lock().await.recv().await {
            Some(reloading) => reloading,
            // The manager holds a sender itself.
            None => std::future::pending().await,
        }
    }

    /// From now on these settings hold: limits of the number of sessions and the queue at once, what a session is begun
    /// with for the next sessions.
    pub fn reconfigure(&self, config: &Config) {
        let inner = &self.inner;
        let terms = reconfigured(&inner.terms(), config);
        inner.persistence.set_park_keep_alive(terms.deadlines.park_keep_alive);
        *inner.terms.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(terms);
        inner.rooms.set_admission(config.admission());
        inner.admission_control.set_rules(config.admission());
    }

    fn mode(&self) -> ServerMode {
        ServerMode { mode: self.inner.admission_control.mode(), active: self.active() }
    }

    /// Why no session can be opened now; `None` if sessions can.
    pub fn unready(&self) -> Option<String> {
        let terms = self.inner.terms();
        if terms.tenants.is_stale() {
            let why = "the Redis of the tenants has not answered for longer than tenants_max_stale, so requests with tokens are \
                       refused; see the log of the server";
            return Some(why.to_owned());
        }
        if terms.audit.must_refuse() {
            return Some("the audit log cannot be written, and it is required (audit_mode)".to_owned());
        }
        match self.inner.admission_control.mode() {
            Mode::Draining => Some("the server drains: it takes no new sessions, and will end".to_owned()),
            Mode::Paused => Some("the server is paused: new sessions wait until POST /v1/resume".to_owned()),
            Mode::Open => self.inner.pool.lacks().map(|why| format!("no browser accepts sessions: {why}")),
        }
    }

    /// From now on no session begins, and those that wait are refused.
    pub fn drain(&self) {
        self.inner.admission_control.drain();
        self.inner.draining.cancel();
    }

    /// Completes when a drain was asked for.
    pub async fn drain_asked(&self) {
        self.inner.draining.cancelled().await;
    }

    /// Completes when no session has a client.
    pub async fn all_inactive(&self) {
        while self.active() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The number of sessions that have a client.
    pub fn active(&self) -> usize {
        self.active_and_parked().0
    }

    /// Hibernates, in an endless loop, the parked sessions of browsers that are to be replaced and are overdue.
    pub async fn clear_browsers(&self) {
        let mut told = BTreeSet::new();
        loop {
            for browser in self.inner.pool.overdue().await {
                let is_in = |handle: &Handle| handle.place.get().is_some_and(|(place, _)| *place == browser);
                let all: Vec<Handle> =
                    self.inner.live.iter().filter(|handle| is_in(handle)).map(|handle| handle.clone()).collect();
                let (parked, others): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|handle| handle.session_info.state() == SessionState::Parked);
                for handle in &parked {
                    // A session that has just ended needs nothing.
                    let _ = handle.control.send(Box::new(Control::Hibernate)).await;
                }
                if told.insert(browser) && !others.is_empty() {
                    let named: Vec<_> = others.iter().take(NAMED).map(|handle| &*handle.session_info.id).collect();
                    tracing::warn!(
                        browser = browser.0,
                        hibernated = parked.len(),
                        remaining = others.len(),
                        sessions = ?named,
                        "the browser waits for its sessions that have a client; they are not ended"
                    );
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}
