//! The errors that prevent a server from starting.

use std::{io, net::SocketAddr};

use crate::{
    browser::{BrowserError, NoCgroups, find::FindError},
    config::ConfigError,
    pool::TooMuch,
    tenant::TenantsError,
};

/// Why `ghostmux serve` could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No usable Chrome on this machine.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A Chrome did not start, or did not answer.
    #[error(transparent)]
    Browser(#[from] BrowserError),
    /// A file that a setting names is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tenants cannot be read.
    #[error(transparent)]
    Tenants(#[from] TenantsError),
    /// A limit that this machine cannot carry.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The browsers cannot have control groups of their own.
    #[error(transparent)]
    NoCgroups(#[from] NoCgroups),
    /// The address is taken.
    #[error(
        "cannot listen on {address}: it is in use; stop what listens there (a Chrome with --remote-debugging-port?) or choose another with --listen"
    )]
    InUse {
        /// The address of the setting `listen`.
        address: SocketAddr,
    },
    /// The system refused the address for another reason.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address of the setting `listen`.
        address: SocketAddr,
        /// The system's reason.
        error: io::Error,
    },
    /// Another operation of the system failed.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: String,
        /// The system's reason.
        error: io::Error,
    },
}

impl StartError {
    /// The process's exit code: 2 wrong settings, 3 no usable browser, 4 address in use, 1 anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Find(_) | Self::Browser(_) => 3,
            // What does not answer now may do so at the next attempt.
            Self::Listen { .. } | Self::System { .. } | Self::Tenants(TenantsError::Away(_)) => 1,
            Self::TooMuch(_) | Self::Tenants(_) | Self::Config(_) | Self::NoCgroups(_) => 2,
            Self::InUse { .. } => 4,
        }
    }
}
