//! Why the session service refuses a request: the error of this room. What an error means for HTTP is in
//! `http/errors.rs`, and for CDP in `session/task/ghost.rs`.

use std::time::Duration;

use crate::session::{
    pages::PageError,
    persistence::{LostProxy, PersistenceError},
    session_files::FilesError,
    tombstone::Tombstone,
};
use crate::{
    api_types::{Bad, BadInitial, Capability, StepResult},
    browser::{CallError, UserDataError},
    cdp::error::CdpError,
    config::ConfigError,
    pool::{NoLease, NotReplaced, TooMuch},
    snapshot::repository::RepositoryError,
    store::StoreError,
    tenant::{
        ChangeError, Scope, TenantsError,
        limits::{NoStart, Refusal},
    },
};

/// Used for an id of which nothing is remembered. The end of a session that its own clients left is not stored.
const NEVER_OR_LEFT: &str = "there was none, or its last client left it or closed it";

/// Why the service refuses a request.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The caller has no session with this id, and none can be opened under it.
    #[error("no such session {id}; {}", .ended.as_ref().map_or_else(|| NEVER_OR_LEFT.to_owned(), |ended| {
        format!("it ended {} s ago: {}", ended.ago().as_secs(), ended.why)
    }))]
    NoSession {
        /// The id.
        id: String,
        /// How it ended, if it was the caller's.
        ended: Option<Tombstone>,
    },
    /// No session of the caller has this target.
    #[error("no such target id: {0}")]
    NoTarget(String),
    /// The client wants the session exclusively, and other clients are connected.
    #[error(
        "session {0} has a client already, and exclusive=true allows no other; use takeover=true to close those that are connected, or connect without an id for a new session"
    )]
    Taken(String),
    /// A client has the session exclusively.
    #[error(
        "session {0} has a client that connected with exclusive=true; wait until it has gone, use takeover=true to close it, or connect without an id for a new session"
    )]
    Exclusive(String),
    /// The session has as many clients as it may.
    #[error(
        "session {id} has {most} clients, the most that max_clients_per_session allows; close one, use takeover=true to close them, or connect without an id for a new session"
    )]
    ManyClients {
        /// The session.
        id: String,
        /// Value of the setting.
        most: usize,
    },
    /// The credentials of the proxy of a hibernated session are not known any more.
    #[error(transparent)]
    LostProxy(LostProxy),
    /// A named session did not begin with what this client wants it to.
    #[error(
        "session {id} exists and did not begin with this value of the option {option}; leave {option} out to join it, or choose another name"
    )]
    Begun {
        /// The session.
        id: String,
        /// The name of the option.
        option: &'static str,
    },
    /// The id is or was in use.
    #[error("the id {0} is in use or was used before; choose another one, or none")]
    IdInUse(String),
    /// The session lives on another node of the cluster.
    #[error("session {0} is on another node; connect to it there")]
    Elsewhere(String),
    /// There is no such browser.
    #[error("there is no browser {0}; GET /v1/browsers lists them")]
    NoBrowser(String),
    /// The browser cannot be replaced.
    #[error(transparent)]
    NotReplaced(NotReplaced),
    /// The configuration that was to be loaded is wrong.
    #[error("the configuration was not loaded, and all old settings stay in force: {0}")]
    Config(#[from] ConfigError),
    /// The configuration that was to be loaded has a limit that this machine cannot carry.
    #[error("the configuration was not loaded, and all old settings stay in force: {0}")]
    TooMuch(#[from] TooMuch),
    /// The tenants that were to be loaded with the configuration are wrong.
    #[error("the configuration was not loaded, and all old settings and tenants stay in force: {0}")]
    Tenants(#[from] TenantsError),
    /// There is no such tenant.
    #[error("there is no tenant {0:?}; GET /v1/tenants lists them")]
    NoTenant(String),
    /// The tenant has no such token.
    #[error("the tenant {tenant} has no token {token:?}; GET /v1/tenants/{tenant}/tokens lists them")]
    NoToken {
        /// The tenant.
        tenant: String,
        /// What was given: an id or a name.
        token: String,
    },
    /// The document of the tenants was not changed.
    #[error("the tenants were not changed: {0}")]
    TenantChange(#[from] ChangeError),
    /// The server ends, and takes no new sessions.
    #[error("the server drains: it takes no new sessions, and will end; use another one, or try again when it is back")]
    Draining,
    /// An operator has paused the server, and did not resume it in time.
    #[error("the server is paused (POST /v1/pause), and {waiting} requests wait; try again later")]
    Paused {
        /// Requests that wait.
        waiting: usize,
    },
    /// The session waits for a place in a browser.
    #[error("session {0} waits for a place in a browser; try again when it has one")]
    Queued(String),
    /// The tenant of the caller lacks a capability.
    #[error("'{what}' is refused: it needs the capability {needs}")]
    Incapable {
        /// The operation.
        what: &'static str,
        /// The capability.
        needs: Capability,
    },
    /// The caller's token, or the key of its URL, is for less.
    #[error("'{what}' is refused: this {} ({scope}); use a token of the tenant that is for all", match scope {
        Scope::Session(_) => "token or key is for one session alone",
        _ => "token has a narrower scope",
    })]
    OutOfScope {
        /// The operation.
        what: &'static str,
        /// What the token or the key is for.
        scope: Scope,
    },
    /// The audit log is required, and cannot be written.
    #[error("the audit log cannot be written, so no session may begin (audit_mode); see the log of the server")]
    NoAudit,
    /// An admin named a session by an id that several tenants use.
    #[error("several tenants have a session {0}; name it as TENANT@{0}")]
    Ambiguous(String),
    /// A value is invalid.
    #[error("Invalid parameters: {0}")]
    Bad(#[from] Bad),
    /// A value is valid, and not together with another one.
    #[error("Invalid parameters: {0}")]
    Together(Bad),
    /// The owner has as many sessions as it may have.
    #[error("this owner has {most} sessions, the most that {limit} allows, parked ones included; close one first")]
    TooMany {
        /// Name of the setting.
        limit: &'static str,
        /// Value of the setting.
        most: u32,
    },
    /// The owner has as many jobs as it may have, and all are running.
    #[error(
        "{most} jobs of this owner are running, the most that the setting jobs allows; wait until one has ended, or DELETE one"
    )]
    ManyJobs {
        /// Value of the setting.
        most: usize,
    },
    /// The owner has as many secrets as it may have.
    #[error("this owner has {most} secrets, the most that the setting secrets allows; DELETE one first")]
    ManySecrets {
        /// Value of the setting.
        most: usize,
    },
    /// The owner has no such secret.
    #[error("no such secret {0}; secrets are kept in memory, until the server ends")]
    NoSecret(String),
    /// The owner has no such job.
    #[error("no such job {0}; a job is forgotten some time after its end (jobs_time)")]
    NoJob(String),
    /// The result of a job is too large to be kept.
    #[error(
        "the result has {size} bytes, and jobs_bytes allows {most}; send the request without Prefer: respond-async"
    )]
    JobTooLarge {
        /// Its size.
        size: usize,
        /// Value of the setting.
        most: usize,
    },
    /// An action of a list has failed.
    #[error("step {step} ({action}): {error}")]
    Step {
        /// Its number, from 0.
        step: usize,
        /// The action.
        action: String,
        /// Why.
        error: Box<ServiceError>,
        /// The results of those before it.
        results: Vec<StepResult>,
    },
    /// A limit of the tenant is reached.
    #[error("{0}")]
    Limited(Refusal),
    /// The limits that processes share cannot be asked, and the operator wants them exact.
    #[error(
        "the limits that several servers share cannot be asked, and no session of a tenant with limits starts meanwhile \
         (shared_limits); try again later; the log of the server has the reason"
    )]
    LimitsAway,
    /// There is no place, and the queue is full.
    #[error(
        "all {most} sessions are taken ({limit}), and {waiting} requests wait, of at most {queue} (queue); try again later"
    )]
    QueueFull {
        /// Name of the setting that limits the number of places.
        limit: &'static str,
        /// Value of the setting.
        most: u32,
        /// Requests that wait.
        waiting: usize,
        /// Most requests that may wait.
        queue: usize,
    },
    /// No place became free in time.
    #[error(
        "all {most} sessions are taken ({limit}), and none became free in {} ms (queue_timeout); this request was number {position} of {waiting} in the queue; try again later", .waited.as_millis()
    )]
    QueueTimeout {
        /// Name of the setting that limits the number of places.
        limit: &'static str,
        /// Value of the setting.
        most: u32,
        /// Time waited.
        waited: Duration,
        /// Position in the queue, from 1.
        position: usize,
        /// Requests that wait.
        waiting: usize,
    },
    /// Too many snapshots are being imported, exported or cloned, and none was done in time.
    #[error(
        "{most} snapshots are being imported, exported or cloned (snapshot_transfers, snapshot_memory), and {waiting} wait for \
         that (queue, queue_timeout); try again later"
    )]
    Crowded {
        /// Most that may run at a time.
        most: usize,
        /// Requests that wait.
        waiting: usize,
    },
    /// An import took too long while another tenant waited for its room.
    #[error(
        "the import did not end within {most:?}, and another tenant waits for its room (snapshot_upload_time, \
         snapshot_transfers); send it again, and faster"
    )]
    SlowImport {
        /// The time that it had.
        most: std::time::Duration,
    },
    /// No browser has a place.
    #[error(transparent)]
    NoPlace(#[from] NoLease),
    /// A command of the proxy's own had no result.
    #[error("the browser refused the command: {0}")]
    Call(CallError),
    /// The browser refused a command that the proxy sent for the caller.
    #[error("the browser refused the command: {}", .0.message)]
    Refused(CdpError),
    /// JSON that the browser sent cannot be read.
    #[error("the browser's answer cannot be read: {0}")]
    Unreadable(serde_json::Error),
    /// The caller has no snapshot with this id.
    #[error("no such snapshot {0}")]
    NoSnapshot(String),
    /// The session is hibernated.
    #[error("session {0} is hibernated; connect to it to restore it")]
    Asleep(String),
    /// Another client is connected to the session.
    #[error(
        "session {0} has a client, and only that client may restore into it, with ghost.restoreSnapshot on its own connection; park the session first, or start a new one from the snapshot"
    )]
    InUse(String),
    /// Another snapshot is being written into the session.
    #[error("a snapshot is being restored into session {0}; try again when that is done")]
    Restoring(String),
    /// The caller has no profile of this name.
    #[error("there is no profile {0:?}; with persist=true a session begins without one, and saves it when it ends")]
    NoProfile(String),
    /// Another session of the caller saves the profile.
    #[error(
        "session {holder} will save the profile {name:?}, and only one session at a time may; end that session first, or begin one without persist"
    )]
    ProfileInUse {
        /// The profile.
        name: String,
        /// The session.
        holder: String,
    },
    /// The state of the profile cannot be read.
    #[error(
        "the profile {name:?} cannot be used: {why}; if it is of no use any more, delete it with DELETE /v1/profiles/{name}"
    )]
    BadProfile {
        /// The profile.
        name: String,
        /// What is wrong with its snapshot.
        why: RepositoryError,
    },
    /// This server keeps no user data directories.
    #[error("user_data is not offered by this server: it has no directory for that (profiles_dir)")]
    NoUserData,
    /// The user data directory cannot be used.
    #[error("the user data {name:?} cannot be used: {why}")]
    UserData {
        /// The name.
        name: String,
        /// Why not.
        why: UserDataError,
    },
    /// The user data directories of the owner take as much of the disk as they may.
    #[error(
        "the user data of this owner take {size} bytes, and user_data_quota allows {limit}; delete profiles (/v1/profiles)"
    )]
    UserDataQuota {
        /// Bytes that they take.
        size: u64,
        /// Bytes that they may take.
        limit: u64,
    },
    /// User data are read by a Chrome alone.
    #[error(
        "no session has the user data {0:?} in use, and only its Chrome can read them; begin a session with user_data={0}, and export them then"
    )]
    UserDataIdle(String),
    /// An action on a page has no result.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A file of a session is not kept, or not given.
    #[error(transparent)]
    Files(FilesError),
    /// An error of the snapshot repository.
    #[error(transparent)]
    Snapshot(RepositoryError),
    /// The session was ended while it waited for a place, or the process is shutting down.
    #[error("the session was closed while it waited")]
    Closing,
}

impl From<Refusal> for ServiceError {
    fn from(why: Refusal) -> Self {
        Self::Limited(why)
    }
}

impl From<NoStart> for ServiceError {
    fn from(why: NoStart) -> Self {
        match why {
            NoStart::Refused(refusal) => refusal.into(),
            NoStart::Unavailable => Self::LimitsAway,
        }
    }
}

impl From<BadInitial> for ServiceError {
    fn from(why: BadInitial) -> Self {
        match why {
            BadInitial::Value(bad) => Self::Bad(bad),
            BadInitial::Together(bad) => Self::Together(bad),
        }
    }
}

impl From<PersistenceError> for ServiceError {
    fn from(why: PersistenceError) -> Self {
        match why {
            PersistenceError::Store(why) => why.into(),
            PersistenceError::Snapshot(why) => why.into(),
            PersistenceError::Ended | PersistenceError::Closing => Self::Closing,
        }
    }
}

impl From<StoreError> for ServiceError {
    fn from(why: StoreError) -> Self {
        Self::Snapshot(why.into())
    }
}

impl From<RepositoryError> for ServiceError {
    fn from(why: RepositoryError) -> Self {
        Self::Snapshot(why)
    }
}

impl From<FilesError> for ServiceError {
    fn from(why: FilesError) -> Self {
        match why {
            FilesError::Name(bad) => Self::Bad(bad),
            why => Self::Files(why),
        }
    }
}
