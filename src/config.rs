//! Settings: the texts as given ([`RawConfig`]) and the checked values ([`Config`]).
//!
//! Each setting is declared once, in `settings.rs`: flag, variable, key, default, check and documentation come from
//! there. A value comes from a flag, a `GHOSTMUX_…` variable, a TOML file or a default, in that order, and is checked in
//! the same way whatever its source. This module never acts on a setting, and does not read the environment itself: the
//! caller passes it in. `docs/configuration.md` is generated (see [`docs`]).

mod deadline;
mod declare;
pub mod docs;
mod egress;
mod expiry;
mod front;
mod layers;
mod listening;
mod load;
mod pages;
#[cfg(feature = "tls")]
mod pem;
mod pool;
mod raw;
mod reload;
mod requests;
mod said;
mod settings;
mod snapshots;
mod store;
mod value;

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use thiserror::Error;

#[cfg(feature = "tls")]
pub use self::pem::{certificates, end_of_validity};
pub use self::{
    deadline::{Deadlines, Limit, may_save, span},
    expiry::{Expiry, ExpiryStage},
    front::{ProxySecret, PublicUrl, may_be_stripped, prefix},
    listening::TlsSettings,
    load::unknown_variables,
    pages::PageLimits,
    pool::{BrowserLimits, BrowserSources, LocalBrowsers, PoolSettings, RecycleSettings},
    raw::RawConfig,
    reload::{ConfigSource, LoadedConfig},
    requests::{KeptLimits, RequestLimits},
    settings::Config,
    snapshots::SnapshotLimits,
    store::{RedisUrl, StoreKey, StoreKeys, StoreLimits, StorePlace, StoreSettings, TenantsPlace},
    value::{RemoteUrl, TokenHost, bytes, time},
};
use self::{layers::Layers, said::Said};
use crate::api_types::capability::MAX_CDP_SESSIONS;
pub use crate::api_types::capability::{Capabilities, Capability, CdpSessionLimits, Granted};

/// The format of the messages on the pipe of a local browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// The faster one: CBOR wherever Chrome supports it, which is every supported Chrome.
    ///
    /// *Measured* on Chromium 156, interleaved on one busy machine, JSON against CBOR on two equal pipes: Chrome's own
    /// process spends 128 and 28 ms of CPU on a 10 MB string, 14 and 4 ms on 1 MB, 26 and 2.5 ms on 1 MB of objects;
    /// `Browser.getVersion` takes 0.31 and 0.17 ms (medians), a 10 MB result 4.8 and 3.0 s.
    Auto,
    /// JSON text, which Chrome translates.
    Json,
    /// Chrome's own binary format, which the proxy translates.
    Cbor,
}

impl Codec {
    const WORDS: &[(&'static str, Self)] = &[("auto", Self::Auto), ("json", Self::Json), ("cbor", Self::Cbor)];
}

/// The session of HTTP calls that carry no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpSession {
    /// One session per tenant, apart from the sessions of its WebSockets.
    Own,
    /// The session whose URL `/json/version` gives (chromedriver and `DrissionPage` need this).
    Shared,
}

impl HttpSession {
    const WORDS: &[(&'static str, Self)] = &[("own", Self::Own), ("shared", Self::Shared)];
}

/// What happens when the audit log cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditMode {
    /// What is lost is counted.
    BestEffort,
    /// New sessions are refused.
    Required,
}

impl AuditMode {
    const WORDS: &[(&'static str, Self)] = &[("best-effort", Self::BestEffort), ("required", Self::Required)];
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file.
    pub path: PathBuf,
    /// Whether new sessions are refused when it cannot be written.
    pub is_required: bool,
    /// Bytes at which the file is renamed and a new one is begun.
    pub size: u64,
    /// How many older files are kept; at least 1.
    pub files: u32,
}

/// The tokens with which something of the server can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeededToken {
    /// No token is needed.
    None,
    /// A token of any tenant.
    Any,
    /// A token of a tenant with the capability `admin`.
    Admin,
}

impl NeededToken {
    const WORDS: &[(&'static str, Self)] = &[("none", Self::None), ("any", Self::Any), ("admin", Self::Admin)];
}

/// Whether processes share the limits of tenants, and what holds while they cannot ask each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedLimits {
    /// Each process has the limits for itself.
    Off,
    /// Shared; while Redis does not answer, each process has its share.
    FailOpen,
    /// Shared; while Redis does not answer, no session of a tenant with such limits starts.
    FailClosed,
}

impl SharedLimits {
    const WORDS: &[(&'static str, Self)] =
        &[("off", Self::Off), ("fail-open", Self::FailOpen), ("fail-closed", Self::FailClosed)];
}

/// Limits of the outbound queues of clients, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientQueue {
    /// Above this, a client whose socket accepted nothing for `stall` is disconnected.
    pub soft: usize,
    /// Above this, a client is disconnected at once. At least `soft`.
    pub hard: usize,
    /// Above this, over all clients, the client with the longest queue is disconnected. At least `hard`.
    pub total: usize,
    /// How long a socket may accept nothing.
    pub stall: Duration,
}

/// Limits of the number of sessions and of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Most sessions at a time, over all browsers; `None` is no limit.
    pub total: Option<NonZeroU32>,
    /// Most sessions of one owner; `None` is no limit.
    pub per_owner: Option<NonZeroU32>,
    /// Most clients that may wait for a place.
    pub queue: usize,
    /// How long a client may wait for a place.
    pub timeout: Duration,
}

/// Whether the requests of sessions pass gates, which limit what a session connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EgressMode {
    /// If there are tenants.
    Auto,
    /// Always.
    Gated,
    /// Never.
    Open,
}

impl EgressMode {
    const WORDS: &[(&'static str, Self)] = &[("auto", Self::Auto), ("gated", Self::Gated), ("open", Self::Open)];
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text, for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    const WORDS: &[(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// A setting that cannot be used, in one line: its source, its value, the problem, and what to do.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// One setting is invalid by itself.
    #[error("{setting} {value:?}: {problem}")]
    Value {
        /// The setting as the operator wrote it: flag, variable, or key and file.
        setting: String,
        /// The text that was given.
        value: String,
        /// The problem and what to do.
        problem: String,
    },
    /// Two settings contradict each other.
    #[error("{setting}: {problem}")]
    Conflict {
        /// The setting as the operator wrote it.
        setting: String,
        /// The setting it contradicts, and what to do.
        problem: String,
    },
    /// The file cannot be read, or is invalid.
    #[error("{setting}: {problem}")]
    File {
        /// The file, with the line of the problem if it is known.
        setting: String,
        /// The problem.
        problem: String,
    },
}

impl Config {
    /// Combines flags, variables (all of the process), the file that they name and the defaults, and checks the result.
    pub fn load(flags: RawConfig, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        ConfigSource::new(flags, variables).load().map(|loaded| loaded.config().clone())
    }

    /// Warm leases kept ready in each browser.
    pub fn warm(&self) -> usize {
        usize::try_from(self.warm).unwrap_or(usize::MAX)
    }

    /// The deadlines of sessions.
    pub fn deadlines(&self) -> Deadlines {
        let endless = |default, most: Duration| {
            let most = Some(most).filter(|most| !most.is_zero());
            Limit { default, most, zero_is_endless: true }
        };
        Deadlines {
            timeout: endless(self.timeout, self.timeout_max),
            idle_timeout: endless(self.idle_timeout, self.idle_timeout_max),
            keep_alive: self.kept(self.keep_alive),
            park_keep_alive: self.park_keep_alive,
            hibernate_after: self.hibernate_after,
            autosave: self.autosave,
            keep_files: Limit { default: self.keep_files, most: Some(self.keep_files_max), zero_is_endless: false },
        }
    }

    /// The audit log, if there is to be one.
    pub fn audit_settings(&self) -> Option<AuditSettings> {
        let (size, files) = (self.audit_size, self.audit_files);
        let is_required = self.audit_mode == AuditMode::Required;
        self.audit.clone().map(|path| AuditSettings { path, is_required, size, files })
    }

    /// Limits of the number of sessions and of the queue.
    pub fn admission(&self) -> Admission {
        Admission {
            total: self.max_sessions,
            per_owner: self.max_owner_sessions,
            queue: self.queue,
            timeout: self.queue_timeout,
        }
    }

    /// The Redis in which the limits of tenants are shared, if they are.
    pub fn shared_limits(&self) -> Option<(RedisUrl, SharedLimits)> {
        match &self.store {
            StorePlace::Redis(url) if self.shared_limits != SharedLimits::Off => {
                Some((url.clone(), self.shared_limits))
            }
            _ => None,
        }
    }

    /// Capabilities of the built-in `local` tenant.
    pub fn local_capabilities(&self) -> Capabilities {
        if self.strict { Capabilities { admin: true, ..Capabilities::strict() } } else { Capabilities::local() }
    }

    /// Most CDP sessions of the clients of one session.
    pub fn cdp_session_limits(&self) -> CdpSessionLimits {
        CdpSessionLimits {
            all: self.max_cdp_sessions,
            all_named: MAX_CDP_SESSIONS,
            roots: self.max_roots,
            network_buffers: self.network_buffers,
            held: (self.crashed_page_queue, self.crashed_page_bytes),
        }
    }

    /// Limits of the outbound queues of clients.
    pub fn client_queues(&self) -> ClientQueue {
        ClientQueue {
            soft: self.client_queue,
            hard: self.client_queue_hard,
            total: self.client_queue_total,
            stall: self.stall,
        }
    }

    /// The store of the snapshots, and its limits.
    pub fn store_settings(&self) -> StoreSettings {
        StoreSettings {
            place: self.store.clone(),
            keys: self.store_key.clone().unwrap_or_default(),
            ttl: self.snapshot_ttl,
            limits: StoreLimits { snapshot: self.snapshot_max, bytes: self.snapshot_quota, count: self.snapshot_count },
        }
    }

    /// Limits of the work and memory for snapshots.
    pub fn snapshot_limits(&self) -> SnapshotLimits {
        SnapshotLimits {
            line: self.snapshot_line,
            transfers: self.snapshot_transfers,
            memory: self.snapshot_memory,
            fields: self.snapshot_fields,
            upload: self.snapshot_upload_time,
        }
    }

    /// Checks the settings against each other, and adapts the defaults of some to others.
    fn settle(mut self, layers: &Layers) -> Result<Self, ConfigError> {
        self.check_listening(layers)?;
        self.check_egress(layers)?;
        if self.shared_limits != SharedLimits::Off && !matches!(self.store, StorePlace::Redis(_)) {
            return Err(layers.value("shared_limits").conflict(
                "needs a Redis that the processes share; give its address as store, or write off".to_owned(),
            ));
        }
        self.check_browsers(layers)?;
        self.check_number_of_browsers(layers)?;
        if let Some(most) = self.max_sessions {
            self.warm = self.warm.min(most.get());
        }
        self.check_pool(layers)?;
        for (lower, value, higher, limit) in [
            ("client_queue", self.client_queue, "client_queue_hard", self.client_queue_hard),
            ("client_queue_hard", self.client_queue_hard, "client_queue_total", self.client_queue_total),
        ] {
            if limit < value {
                let lower = layers.value(lower);
                let problem = format!("is below {} {}; raise it", lower.setting(), lower.text);
                return Err(layers.value(higher).wrong(&problem));
            }
        }
        self.snapshot_limits().check(layers)?;
        self.settle_deadlines(layers)?;
        Ok(self)
    }

    fn kept(&self, default: Duration) -> Limit {
        Limit { default, most: Some(self.keep_alive_max), zero_is_endless: false }
    }

    /// Lowers the defaults that the operator did not set to the maxima, and checks those that the operator set.
    fn settle_deadlines(&mut self, layers: &Layers) -> Result<(), ConfigError> {
        for (key, value, most) in [
            ("timeout", &mut self.timeout, self.timeout_max),
            ("idle_timeout", &mut self.idle_timeout, self.idle_timeout_max),
        ] {
            // Zero is no limit.
            if value.is_zero() && layers.given(key).is_none() {
                *value = most;
            }
        }
        if layers.given("park_keep_alive").is_none() {
            self.park_keep_alive = self.park_keep_alive.min(self.keep_alive_max);
        }
        let limits = self.deadlines();
        for (key, limit, key_max) in [
            ("timeout", limits.timeout, "timeout_max"),
            ("idle_timeout", limits.idle_timeout, "idle_timeout_max"),
            ("keep_alive", limits.keep_alive, "keep_alive_max"),
            ("park_keep_alive", self.kept(self.park_keep_alive), "keep_alive_max"),
            ("keep_files", limits.keep_files, "keep_files_max"),
        ] {
            let wrong = |why| layers.value(key).wrong(&format!("{why} ({})", layers.value(key_max).setting()));
            limit.allows(limit.default).map_err(wrong)?;
        }
        if self.park_keep_alive.is_zero() {
            let why = "would end a session before a client could connect; write 1m, or raise keep_alive_max";
            return Err(layers.value("park_keep_alive").wrong(why));
        }
        Ok(())
    }

    /// Refuses a remote browser that is named twice, and settings of local ones that would have no effect.
    fn check_browsers(&self, layers: &Layers) -> Result<(), ConfigError> {
        let urls = layers.values("browser_url");
        for (at, url) in self.browser_url.iter().enumerate() {
            if let (Some(said), true) =
                (urls.get(at), self.browser_url[..at].iter().any(|other| other.to_string() == url.to_string()))
            {
                return Err(said.showing(&url.to_string()).wrong("is named twice; there is one browser at a URL"));
            }
        }
        let remote = urls.first().filter(|_| !self.has_local_browsers());
        let Some(remote) = remote.map(Said::setting) else { return Ok(()) };
        let mut local = ["browser_path", "browser_args", "min_browsers", "no_sandbox"].into_iter();
        if let Some(said) = local.find_map(|key| layers.given(key)) {
            return Err(said.conflict(format!(
                "is for a Chrome started here, but {remote} names one that runs elsewhere; remove one of the two, or say \
                 with max_browsers how many may run here too"
            )));
        }
        if self.codec == Codec::Cbor {
            return Err(layers.value("codec").conflict(format!(
                "cbor is for the pipe of a Chrome started here, but {remote} names one that runs elsewhere; use json"
            )));
        }
        Ok(())
    }
}

/// The configuration of `serve` without any setting.
impl Default for Config {
    fn default() -> Self {
        Self::load(RawConfig::default(), []).expect("the defaults are valid")
    }
}

#[cfg(test)]
mod tests;
