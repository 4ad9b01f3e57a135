//! Loads the configuration again while the server runs, on SIGHUP and `POST /v1/reload`.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Times, guard, warn_of_doubts};
use crate::{
    api_types::{Reloaded, SettingChange},
    config::{Config, ConfigSource, LoadedConfig},
    http::{CurrentGuard, TlsServer},
    pool::Pool,
    session::manager::{ServiceError, SessionManager},
    tenant::{Audit, Tenants},
};

/// Changes the filter of the log.
pub type SetLog = Box<dyn Fn(&str) + Send + Sync>;

/// The parts that a reload changes.
pub(super) struct Reloader {
    pub(super) source: ConfigSource,
    /// The settings that are in force.
    pub(super) loaded: LoadedConfig,
    pub(super) pool: Pool,
    pub(super) registry: SessionManager,
    pub(super) guard: CurrentGuard,
    pub(super) tenants: Tenants,
    pub(super) tls: Option<TlsServer>,
    pub(super) audit: Audit,
    pub(super) times: Arc<Mutex<Times>>,
    pub(super) set_log: SetLog,
}

/// SIGHUP.
pub(super) fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

impl Reloader {
    /// Loads the configuration whenever that is asked for, one time after the other. Never ends.
    pub(super) async fn run(mut self, mut hangups: Signal) {
        loop {
            let reply = tokio::select! {
                _ = hangups.recv() => None,
                reply = self.registry.reload_asked() => Some(reply),
            };
            let outcome = self.reload().await;
            match &outcome {
                Ok(reloaded) => log(reloaded),
                Err(error) => tracing::error!(%error, "reload"),
            }
            if let Some(reply) = reply {
                // A caller that has gone needs no answer.
                let _ = reply.send(outcome);
            }
        }
    }

    /// Loads and checks all settings, the certificate and the tenants; only if nothing is wrong with them, they are applied.
    async fn reload(&mut self) -> Result<Reloaded, ServiceError> {
        let source = self.source.clone();
        let new = tokio::task::spawn_blocking(move || source.load()).await.map_err(|_| ServiceError::Closing)??;
        Pool::check(&new.config().pool())?;
        let certificate = match &self.tls {
            Some(tls) => Some((tls, tls.read().await?)),
            None => None,
        };
        if self.tenants.need_tokens() {
            self.tenants.reload(&self.audit).await?;
        }
        if let Some((tls, certificate)) = certificate {
            tls.set(certificate);
        }
        let (loaded, reloaded) = self.loaded.reloaded(&new);
        self.loaded = loaded;
        self.apply(self.loaded.config());
        warn_of_doubts(self.loaded.config());
        Ok(reloaded)
    }

    /// Makes these settings hold, as far as they are live.
    fn apply(&self, config: &Config) {
        self.pool.reconfigure(&config.pool(), config.warm());
        self.registry.reconfigure(config);
        self.guard.set(guard(config));
        *self.times.lock().unwrap_or_else(PoisonError::into_inner) = Times::new(config);
        (self.set_log)(&config.log);
    }
}

/// Logs what has changed, a line for each setting.
fn log(Reloaded { file, changed, needs_restart }: &Reloaded) {
    for SettingChange { setting, old, new } in changed {
        tracing::info!(setting, old, new, "setting changed");
    }
    for SettingChange { setting, old, new } in needs_restart {
        tracing::warn!(setting, old, new, "setting has changed and needs a restart; the old value stays in force");
    }
    tracing::info!(file, changed = changed.len(), needs_restart = needs_restart.len(), "configuration reloaded");
}
