//! Why a client's socket ends, in words and in codes. CDP errors are in `cdp::error`, what ends the start in `server`.

use std::{fmt, sync::Arc};

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
