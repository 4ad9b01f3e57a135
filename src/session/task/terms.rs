//! The settings and services that all sessions of the process share.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    api_types::{BlockList, LaunchPolicy, capability::Capabilities},
    browser::UserDataRoot,
    config::{CdpSessionLimits, ClientQueue, Config, Deadlines, PageLimits, RequestLimits, SnapshotLimits},
    metrics::Metrics,
    session::{client::Ledger, launch::LaunchLimits, session_files::FileLimits},
    tenant::{Audit, ServerNetwork, Tenants, UsageLedger},
};

/// The settings that all sessions of the process share.
#[derive(Debug)]
pub struct Terms {
    /// Most CDP sessions of the clients of one session.
    pub cdp_sessions: CdpSessionLimits,
    /// Most browser-level clients of the session at once.
    pub clients_per_session: usize,
    /// Most screenshots of one session that wait for their turn.
    pub screenshot_queue: usize,
    /// Largest frame that a client may send, in bytes.
    pub max_client_frame: usize,
    /// Limits of a client's outbound queue.
    pub queue: ClientQueue,
    /// The default deadlines, and the largest that clients may set.
    pub deadlines: Deadlines,
    /// The interval at which silent clients are pinged; zero disables pings.
    pub ping_interval: Duration,
    /// The bytes that wait for all clients.
    pub ledger: Arc<Ledger>,
    /// Limits of snapshots.
    pub snapshots: SnapshotLimits,
    /// Limits of the actions on pages.
    pub pages: PageLimits,
    /// The hosts that quick actions may block.
    pub block_list: Option<BlockList>,
    /// Limits of what is kept of requests.
    pub requests: RequestLimits,
    /// What is done with the launch options of clients.
    pub launch: LaunchTerms,
    /// The directory with the files of sessions.
    pub directory: PathBuf,
    /// How much of the disk these may take.
    pub files: FileLimits,
    /// The user data directories that stay, if this server keeps some.
    pub user_data: Option<UserDataRoot>,
    /// Bytes of disk that those of one owner may take.
    pub user_data_quota: u64,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// The audit log.
    pub audit: Audit,
    /// What the tenants use.
    pub usage: Arc<UsageLedger>,
    /// What every session may connect to.
    pub network: ServerNetwork,
    /// The tenants, for those who manage them.
    pub tenants: Tenants,
}

/// What is done with the launch options of clients.
#[derive(Clone, Debug)]
pub struct LaunchTerms {
    /// What is done with those that a shared browser cannot have as they are.
    pub policy: LaunchPolicy,
    /// How many and how large they may be.
    pub limits: LaunchLimits,
    /// Where extensions may come from.
    pub extensions: Option<PathBuf>,
    /// Whether what sessions connect to is limited: an extension can give Chrome another proxy.
    pub is_gated: bool,
    /// Whether each browser is in a network namespace, in which another proxy leads nowhere.
    pub in_namespace: bool,
}

impl LaunchTerms {
    /// Where the extensions of a tenant with these capabilities may come from. *Measured:* an extension with the permission
    /// `proxy` overrides the gate, which leads nowhere in a network namespace.
    pub fn extensions_for(&self, capabilities: Capabilities) -> Option<&Path> {
        let may = !self.is_gated || self.in_namespace || capabilities.private_network;
        self.extensions.as_deref().filter(|_| may)
    }
}

impl Terms {
    /// Takes the settings. Files of sessions are kept below `directory`.
    pub fn new(config: &Config, directory: &Path, metrics: Arc<Metrics>) -> Self {
        Self {
            cdp_sessions: config.cdp_session_limits(),
            clients_per_session: config.max_clients_per_session,
            screenshot_queue: config.screenshot_queue,
            max_client_frame: config.max_client_frame,
            queue: config.client_queues(),
            deadlines: config.deadlines(),
            ping_interval: config.ping_interval,
            ledger: Ledger::new(config.client_queue_total),
            snapshots: config.snapshot_limits(),
            pages: config.page_limits(),
            block_list: config.block_list.clone(),
            requests: config.request_limits(),
            launch: LaunchTerms {
                policy: config.launch_policy,
                limits: LaunchLimits { flags: config.max_launch_flags, bytes: config.max_launch_bytes },
                // With links followed, as Chrome tells paths.
                extensions: config
                    .extensions_dir
                    .as_ref()
                    .map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())),
                is_gated: config.is_gated(),
                in_namespace: config.browser_netns,
            },
            directory: directory.join("sessions"),
            files: FileLimits {
                session: config.session_files_max,
                owner: config.session_files_quota,
                count: config.session_files_count,
            },
            user_data: config.profiles_dir.clone().map(UserDataRoot::new),
            user_data_quota: config.user_data_quota,
            metrics,
            audit: Audit::default(),
            usage: Arc::default(),
            network: ServerNetwork { deny: config.egress_deny.clone(), ports: config.egress_ports.clone() },
            tenants: Tenants::local(config.local_capabilities()),
        }
    }
}
