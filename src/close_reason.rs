//! Why a client's socket is closed, as text and as close codes. CDP errors are in `cdp::error`; errors at start are in
//! `app`.

use std::{fmt, sync::Arc, time::Duration};

/// Why a client's socket is closed: code and reason of the WebSocket close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The last client left the session, and the session ended.
    LastClientLeft,
    /// A client of the session ended it with this command.
    ClosedByClient(&'static str),
    /// The session was ended on request, or the page of a page socket is gone. Holds the text of the reason.
    Bye(&'static str),
    /// The proxy is shutting down.
    ShuttingDown,
    /// The client sent a message larger than any Chrome accepts.
    TooBig,
    /// A nested message (`Target.sendMessageToTarget` inside another) exceeded its limit.
    Overgrown,
    /// The client sent a frame that is not text.
    NotText,
    /// The browser is lost, for this reason.
    BrowserLost(Arc<str>),
    /// The session was parked. Holds the URL to reconnect to.
    Parked(String),
    /// The session could not accept the client at this moment, for this reason.
    TryAgain(&'static str),
    /// The session's `timeout` passed.
    Expired(Duration),
    /// The session's `idleTimeout` passed.
    Idle(Duration),
    /// The session's `keepAlive` passed while no client was connected.
    Forgotten(Duration),
    /// The session was hibernated while no client was connected.
    Hibernated,
    /// An operator ended the session.
    Killed,
    /// The token with which the client came is not accepted any more.
    Revoked,
    /// The tenant was removed.
    TenantRemoved,
    /// The user data directories of its owner take more of the disk than they may.
    UserDataTooLarge {
        /// Bytes that they take.
        size: u64,
        /// Bytes that they may take.
        limit: u64,
    },
    /// Another client took the session over.
    TakenOver,
    /// The client's system answers no pings any more, for this long.
    Silent(Duration),
    /// The client sends more than its tenant may, for this long.
    TooFast {
        /// The name of the tenant's limit.
        limit: &'static str,
        /// Its value.
        most: u64,
        /// How long the client's frame was delayed.
        waited: Duration,
    },
    /// The client did not read what was sent to it.
    TooSlow {
        /// Bytes that waited for the client.
        waiting: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl CloseReason {
    /// Whether the session ended as its clients wanted. Its URL then starts a new session, as a Chrome's address can be
    /// used again.
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::LastClientLeft | Self::ClosedByClient(_))
    }

    /// The close code: RFC 6455 §7.4, and 4000 to 4999 for ghostmux's own reasons.
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
            Self::Killed | Self::Revoked | Self::TenantRemoved => 4003,
            Self::TooSlow { .. } | Self::TooFast { .. } | Self::Silent(_) => 4008,
            Self::TakenOver => 4009,
            Self::UserDataTooLarge { .. } => 4010,
        }
    }

    /// The label of the reason in metrics: one word.
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
            Self::Revoked => "revoked",
            Self::TenantRemoved => "tenant_removed",
            Self::TooFast { .. } => "too_fast",
            Self::TooSlow { .. } => "too_slow",
            Self::Silent(_) => "silent",
            Self::TakenOver => "taken_over",
            Self::UserDataTooLarge { .. } => "user_data_too_large",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastClientLeft => f.write_str("the last client left"),
            Self::ClosedByClient(command) => write!(f, "its client closed it with {command}"),
            Self::Bye(why) => f.write_str(why),
            Self::ShuttingDown => f.write_str("ghostmux is shutting down"),
            Self::TooBig => f.write_str("a message above 100 MiB, which Chrome does not accept"),
            Self::Overgrown => f.write_str(
                "a message above 16 MiB inside one Target.sendMessageToTarget inside another; attach with flatten: true",
            ),
            Self::NotText => f.write_str("CDP messages are text frames"),
            Self::BrowserLost(why) => write!(f, "the browser is lost: {why}"),
            Self::Parked(url) => f.write_str(url),
            Self::TryAgain(why) => write!(f, "{why}; try again"),
            Self::Expired(after) => write!(f, "expired: the session reached its timeout of {after:?}"),
            Self::Idle(after) => write!(f, "idle: no command came within the idle_timeout of {after:?}"),
            Self::Forgotten(after) => write!(f, "no client came back within the keep_alive of {after:?}"),
            Self::Hibernated => f.write_str("it is hibernated; connect to it to restore it"),
            Self::Killed => f.write_str("ended by an operator"),
            Self::Revoked => f.write_str("the token of this connection was revoked, or has expired"),
            Self::TenantRemoved => f.write_str("an operator has removed the tenant"),
            Self::UserDataTooLarge { size, limit } => {
                write!(f, "the user data take {size} bytes, and user_data_quota allows {limit}; delete profiles")
            }
            Self::TakenOver => f.write_str("taken over by another client"),
            Self::Silent(after) => write!(f, "no answer to pings for {after:?}"),
            Self::TooFast { limit, most, waited } => {
                write!(f, "too fast: delayed for {waited:?}; the tenant's limit {limit} is {most}")
            }
            Self::TooSlow { waiting, limit } => {
                write!(f, "too slow: {waiting} bytes are waiting to be read, and the limit is {limit}")
            }
        }
    }
}
