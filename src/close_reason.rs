//! Why a client's socket ends, in words and in codes. CDP errors are in `cdp::error`, what ends the start in `server`.

use std::{fmt, sync::Arc, time::Duration};

/// Why a client's socket is closed: code and reason of the WebSocket close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The session ended because its last client left it.
    LastClientLeft,
    /// The session's own client ended it: the command that did.
    ClosedByClient(&'static str),
    /// The session was ended on request, or the page of a page socket is gone.
    Bye(&'static str),
    /// The proxy is shutting down.
    ShuttingDown,
    /// A message larger than any Chrome accepts.
    TooBig,
    /// A message in a tunnel inside another that would grow without end.
    Overgrown,
    /// Something that is not a text frame.
    NotText,
    /// The browser is lost.
    BrowserLost(Arc<str>),
    /// The client parked the session: the URL to come back to.
    Parked(String),
    /// The session could not take the client just now.
    TryAgain(&'static str),
    /// The session's `timeout`.
    Expired(Duration),
    /// Its `idleTimeout`.
    Idle(Duration),
    /// Its `keepAlive`: there is no client to be told.
    Forgotten(Duration),
    /// It sleeps in a snapshot: there is no client to be told.
    Hibernated,
    /// An operator ended the session.
    Killed,
    /// Another client took the session over.
    TakenOver,
    /// The client answers nothing any more, not even the system at its end.
    Silent(Duration),
    /// The client did not read.
    TooSlow {
        /// What was waiting for it, in bytes.
        waiting: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl CloseReason {
    /// Whether the session ended as its clients wanted, so that its URL may begin a new one, as a Chrome's address can be
    /// used again and again.
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::LastClientLeft | Self::ClosedByClient(_))
    }

    /// The close code: RFC 6455 §7.4, and 4000 to 4999 of our own.
    pub fn code(&self) -> u16 {
        match self {
            Self::LastClientLeft
            | Self::ClosedByClient(_)
            | Self::Bye(_)
            | Self::Parked(_)
            | Self::Forgotten(_)
            | Self::Hibernated => 1000,
            Self::ShuttingDown => 1001,
            Self::NotText => 1003,
            Self::TooBig | Self::Overgrown => 1009,
            Self::BrowserLost(_) => 1011,
            Self::TryAgain(_) => 1013,
            Self::Expired(_) => 4001,
            Self::Idle(_) => 4002,
            Self::Killed => 4003,
            Self::TooSlow { .. } | Self::Silent(_) => 4008,
            Self::TakenOver => 4009,
        }
    }

    /// One word for it, in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::LastClientLeft | Self::ClosedByClient(_) | Self::Bye(_) => "bye",
            Self::Parked(_) => "parked",
            Self::Forgotten(_) => "keep_alive",
            Self::ShuttingDown => "shutting_down",
            Self::NotText => "not_text",
            Self::TooBig => "too_big",
            Self::Overgrown => "overgrown",
            Self::BrowserLost(_) => "browser_lost",
            Self::TryAgain(_) => "try_again",
            Self::Expired(_) => "timeout",
            Self::Idle(_) => "idle_timeout",
            Self::Hibernated => "hibernated",
            Self::Killed => "killed",
            Self::TooSlow { .. } => "too_slow",
            Self::Silent(_) => "silent",
            Self::TakenOver => "taken_over",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastClientLeft => f.write_str("the last client has gone"),
            Self::ClosedByClient(command) => write!(f, "its client ended it with {command}"),
            Self::Bye(why) => f.write_str(why),
            Self::ShuttingDown => f.write_str("ghostmux is shutting down"),
            Self::TooBig => f.write_str("a message above 100 MiB, which Chrome does not accept"),
            Self::Overgrown => f.write_str(
                "a message above 16 MiB inside one Target.sendMessageToTarget inside another; attach with flatten: true",
            ),
            Self::NotText => f.write_str("CDP is spoken in text frames"),
            Self::BrowserLost(why) => write!(f, "the browser is lost: {why}"),
            Self::Parked(url) => f.write_str(url),
            Self::TryAgain(why) => write!(f, "{why}; try again"),
            Self::Expired(after) => write!(f, "expired: the session reached its timeout of {after:?}"),
            Self::Idle(after) => write!(f, "idle: no command came within the idle_timeout of {after:?}"),
            Self::Forgotten(after) => write!(f, "nobody came back within the keep_alive of {after:?}"),
            Self::Hibernated => f.write_str("it hibernates: connect to it, and it is restored"),
            Self::Killed => f.write_str("ended by an operator"),
            Self::TakenOver => f.write_str("taken over by another client"),
            Self::Silent(after) => write!(f, "no answer to pings for {after:?}"),
            Self::TooSlow { waiting, limit } => {
                write!(f, "too slow: {waiting} bytes are waiting to be read, and the limit is {limit}")
            }
        }
    }
}
