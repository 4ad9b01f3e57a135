//! What can go wrong between a person and a running proxy, in words and in codes.
//!
//! CDP errors are in `cdp::error`; what ends a client's socket is [`CloseReason`]; what ends the start is [`StartError`].

use std::{fmt, io, net::SocketAddr, sync::Arc};

use crate::browser::{find::FindError, pool::BrowserError};

/// Why `ghostmux serve` could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No usable Chrome on this machine.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A Chrome that would not start or answer.
    #[error(transparent)]
    Browser(#[from] BrowserError),
    /// The address is taken.
    #[error(
        "cannot listen on {address}: it is in use; stop what listens there (a Chrome with --remote-debugging-port?) or choose another with --listen"
    )]
    InUse {
        /// What was to be listened on.
        address: SocketAddr,
    },
    /// The address cannot be had for another reason.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// What was to be listened on.
        address: SocketAddr,
        /// The system's reason.
        error: io::Error,
    },
    /// Something else of the system's.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: String,
        /// The system's reason.
        error: io::Error,
    },
}

impl StartError {
    /// The process's exit code: 3 no usable browser, 4 address in use, 1 anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Find(_) | Self::Browser(_) => 3,
            Self::InUse { .. } => 4,
            Self::Listen { .. } | Self::System { .. } => 1,
        }
    }
}

/// Why a client's socket is closed: code and reason of the WebSocket close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The session ended as its client wished, or its page is gone.
    Bye(&'static str),
    /// The proxy is shutting down.
    ShuttingDown,
    /// A message larger than any Chrome accepts.
    TooBig,
    /// Something that is not a text frame.
    NotText,
    /// The browser is lost.
    BrowserLost(Arc<str>),
    /// The client did not read.
    TooSlow {
        /// What was waiting for it, in bytes.
        waiting: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl CloseReason {
    /// The close code: RFC 6455 §7.4, and 4000 to 4999 of our own.
    pub fn code(&self) -> u16 {
        match self {
            Self::Bye(_) => 1000,
            Self::ShuttingDown => 1001,
            Self::NotText => 1003,
            Self::TooBig => 1009,
            Self::BrowserLost(_) => 1011,
            Self::TooSlow { .. } => 4008,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bye(why) => f.write_str(why),
            Self::ShuttingDown => f.write_str("ghostmux is shutting down"),
            Self::TooBig => f.write_str("a message above 100 MiB, which Chrome does not accept"),
            Self::NotText => f.write_str("CDP is spoken in text frames"),
            Self::BrowserLost(why) => write!(f, "the browser is lost: {why}"),
            Self::TooSlow { waiting, limit } => {
                write!(f, "too slow: {waiting} bytes are waiting to be read, and the limit is {limit}")
            }
        }
    }
}
