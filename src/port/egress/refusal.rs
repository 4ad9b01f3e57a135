//! Why a connection is refused, or failed.

use std::{fmt, net::IpAddr};

/// Why a connection is refused, or failed. The text says what to do, to whoever writes the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressRefusal {
    /// The context belongs to no session: not yet, or no more.
    Unbound,
    /// The host cannot be read as a name or an address.
    BadHost,
    /// The address, or one that is written in it, is of this machine, of a private network, or of another special purpose.
    Private {
        /// The address that was found; `None` if the name itself is special, such as `localhost`.
        address: Option<IpAddr>,
    },
    /// It is an address of ghostmux itself.
    OwnListener,
    /// A list denies the host.
    Denied,
    /// A list does not name the host.
    NotAllowed,
    /// The port may not be connected to.
    Port,
    /// The name has no address.
    NotFound,
    /// The name servers did not answer.
    NoResolver(String),
    /// No address of the host accepted the connection; the text is the system's for the last one.
    Unreachable(String),
    /// The host did not accept the connection in time.
    TimedOut,
    /// The tenant has transferred what it may.
    Allowance,
    /// The context has as many connections as it may.
    TooMany,
    /// The upstream proxy cannot be reached. The text names no credentials.
    UpstreamUnreachable(String),
    /// The address of the upstream proxy that a tenant named is not one that the tenant may reach.
    UpstreamAddress(Box<EgressRefusal>),
    /// The upstream proxy wants other credentials, or some.
    UpstreamCredentials,
    /// The upstream proxy refused the connection. The text is a status or an error of the protocol.
    UpstreamRefused(String),
    /// The upstream proxy answered what is not its protocol.
    UpstreamProtocol(String),
}

impl EgressRefusal {
    /// The reason in one word of a fixed list, for metrics and programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::BadHost => "bad-host",
            Self::Private { .. } => "private-network",
            Self::OwnListener => "own-listener",
            Self::Denied => "denied",
            Self::NotAllowed => "not-allowed",
            Self::Port => "port",
            Self::NotFound => "not-found",
            Self::NoResolver(_) => "no-resolver",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Allowance => "allowance",
            Self::TooMany => "too-many",
            Self::UpstreamUnreachable(_) => "upstream-unreachable",
            Self::UpstreamAddress(_) => "upstream-address",
            Self::UpstreamCredentials => "upstream-credentials",
            Self::UpstreamRefused(_) => "upstream-refused",
            Self::UpstreamProtocol(_) => "upstream-protocol",
        }
    }
}

impl fmt::Display for EgressRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbound => f.write_str("the session of this context has ended, or has not begun"),
            Self::BadHost => f.write_str("this is neither a host name nor an address"),
            Self::Private { address: Some(address) } => {
                write!(f, "{address} is of this machine, a private network or another special purpose; ")?;
                f.write_str("the tenant needs the capability private-network")
            }
            Self::Private { address: None } => {
                f.write_str("this name is of this machine or a private network; ")?;
                f.write_str("the tenant needs the capability private-network")
            }
            Self::OwnListener => f.write_str("this is a socket of ghostmux itself, which no page may connect to"),
            Self::Denied => f.write_str("a list of denied hosts names this host (egress_deny)"),
            Self::NotAllowed => f.write_str("the list of allowed hosts does not name this host (egress_allow)"),
            Self::Port => f.write_str("this port may not be connected to (egress_ports)"),
            Self::NotFound => f.write_str("this name has no address"),
            Self::NoResolver(text) => write!(f, "the name servers did not answer: {text}"),
            Self::Unreachable(text) => write!(f, "no address of this host accepted the connection: {text}"),
            Self::TimedOut => f.write_str("the host did not accept the connection in time"),
            Self::Allowance => {
                f.write_str("the session, or its tenant on this day, has transferred as many bytes as it may ")?;
                f.write_str("(egress_bytes_per_session, egress_bytes_per_day)")
            }
            Self::TooMany => f.write_str("the context has as many connections as it may"),
            Self::UpstreamUnreachable(text) => write!(f, "the upstream proxy cannot be reached: {text}"),
            Self::UpstreamAddress(why) => write!(f, "the upstream proxy may not be used: {why}"),
            Self::UpstreamCredentials => f.write_str("the upstream proxy wants a user and a password, or other ones"),
            Self::UpstreamRefused(text) => write!(f, "the upstream proxy refused the connection: {text}"),
            Self::UpstreamProtocol(text) => write!(f, "the upstream proxy does not speak its protocol: {text}"),
        }
    }
}
