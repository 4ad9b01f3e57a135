//! Why a command of the proxy's own fails.

use crate::cdp::error::CdpError;

use super::PATIENCE;

/// Why a command of the proxy's own, or a step of several, has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Chrome refused the command.
    #[error("Chrome answered {method} with {} {}", error.code, error.message)]
    Refused {
        /// The command.
        method: &'static str,
        /// Its error.
        error: CdpError,
    },
    /// The browser has ended.
    #[error("the browser has ended")]
    Gone,
    /// The browser belongs to another lease, or has had one.
    #[error("the browser belongs to another session")]
    Taken,
    /// No reply within the time limit of a command.
    #[error("Chrome did not answer {method} within {} s", PATIENCE.as_secs())]
    Late {
        /// The command.
        method: &'static str,
    },
    /// The result does not have the members or types that the command's result has.
    #[error("Chrome's result of {method} could not be read: {why}")]
    Unreadable {
        /// The command.
        method: &'static str,
        /// What is missing or wrong.
        why: String,
    },
    /// The script threw an exception, or its promise was rejected.
    #[error("the script failed: {message}")]
    Exception {
        /// The first line of Chrome's description; the rest is a stack of the proxy's own script.
        message: String,
    },
    /// The page did not load the URL.
    #[error("the page could not be loaded: {reason}")]
    NotLoaded {
        /// Chrome's error, for example `net::ERR_NAME_NOT_RESOLVED`.
        reason: String,
    },
    /// The deadline of the step passed: see [`by_deadline`](super::by_deadline).
    #[error("it took too long")]
    Deadline,
}

impl CallError {
    /// Whether the CDP session has ended, because its target was closed or has crashed.
    pub fn is_detached(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if *error == CdpError::NO_SESSION)
    }
}
