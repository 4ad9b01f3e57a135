//! Lists of hosts that may, or may not, be connected to.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

use super::{Host, embedded};

/// Some hosts, as an operator or a client writes them:
///
/// | pattern | stands for |
/// |---|---|
/// | `*` | every host |
/// | `example.com` | this name alone |
/// | `*.example.com` | every name below it, and not itself |
/// | `203.0.113.7`, `2001:db8::7` | this address, and every name that has it |
/// | `203.0.113.0/24`, `2001:db8::/32` | these addresses, and every name that has one |
/// | `example.com:8443`, `[2001:db8::7]:8443` | with this port alone |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    Name(String),
    /// The name, with a dot before it.
    Below(String),
    Network(IpNet),
}

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a host pattern: write a name (example.com), the names below one (*.example.com), an address, a network \
     (10.0.0.0/8) or *, with a port (example.com:8443) if only that one is meant"
)]
pub struct BadHostPattern(pub String);

impl HostPattern {
    /// Whether it matches a host and port. A network, and an address, match by the address that would be dialled, with an
    /// IPv4 address that is written in an IPv6 one; that is `None` while it is not known.
    pub fn matches(&self, host: &Host, address: Option<IpAddr>, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match (&self.hosts, host) {
            (Hosts::All, _) => true,
            (Hosts::Name(name), Host::Name(host)) => name == host,
            (Hosts::Below(suffix), Host::Name(host)) => host.ends_with(suffix.as_str()),
            (Hosts::Name(_) | Hosts::Below(_), Host::Address(_)) => false,
            (Hosts::Network(network), host) => {
                address.or(host.address()).is_some_and(|address| is_within(network, address))
            }
        }
    }

    /// Whether the address of a host, when it is known, can make it match.
    pub fn needs_address(&self) -> bool {
        matches!(self.hosts, Hosts::Network(_))
    }
}

fn is_within(network: &IpNet, address: IpAddr) -> bool {
    network.contains(&address)
        || embedded(address).into_iter().flatten().any(|inside| network.contains(&IpAddr::V4(inside)))
}

impl FromStr for HostPattern {
    type Err = BadHostPattern;

    fn from_str(text: &str) -> Result<Self, BadHostPattern> {
        let bad = || BadHostPattern(text.to_owned());
        let whole = text.trim();
        if let Ok(network) = whole.parse::<IpNet>() {
            return Ok(Self { hosts: Hosts::Network(network.trunc()), port: None });
        }
        // An IPv6 address without brackets has colons, and no port.
        let (host, port) = match whole.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad)?))
            }
            _ => (whole, None),
        };
        let after_star = host.strip_prefix('*');
        // A name may have a star for the URL standard.
        if after_star.unwrap_or(host).contains(['*', '?']) {
            return Err(bad());
        }
        let hosts = match after_star {
            Some("") => Hosts::All,
            Some(rest) => match rest.strip_prefix('.').map(Host::parse) {
                Some(Ok(Host::Name(name))) => Hosts::Below(format!(".{name}")),
                _ => return Err(bad()),
            },
            None => match Host::parse(host).map_err(|_| bad())? {
                Host::Name(name) => Hosts::Name(name),
                Host::Address(address) => Hosts::Network(address.into()),
            },
        };
        Ok(Self { hosts, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::All => f.write_str("*")?,
            Hosts::Name(name) => f.write_str(name)?,
            Hosts::Below(suffix) => write!(f, "*{suffix}")?,
            Hosts::Network(network) if network.prefix_len() < network.max_prefix_len() => network.fmt(f)?,
            Hosts::Network(IpNet::V6(network)) if self.port.is_some() => write!(f, "[{}]", network.addr())?,
            Hosts::Network(network) => network.addr().fmt(f)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The lists of one who may say what is connected to: the server, a tenant, or a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostLists {
    /// The only hosts that may be connected to; `None` admits all. It opens no private network.
    pub allow: Option<Vec<HostPattern>>,
    /// Hosts that may not be connected to, whatever `allow` says.
    pub deny: Vec<HostPattern>,
}

impl HostLists {
    /// Whether nothing is excluded.
    pub fn is_empty(&self) -> bool {
        self.allow.is_none() && self.deny.is_empty()
    }

    /// Whether a host is denied.
    pub fn denies(&self, host: &Host, address: Option<IpAddr>, port: u16) -> bool {
        self.deny.iter().any(|pattern| pattern.matches(host, address, port))
    }

    /// Whether a host is allowed.
    pub fn allows(&self, host: &Host, address: Option<IpAddr>, port: u16) -> bool {
        let Some(allow) = &self.allow else { return true };
        allow.iter().any(|pattern| pattern.matches(host, address, port))
    }

    /// Whether a host is allowed, or may turn out to be when its address is known.
    pub fn may_allow(&self, host: &Host, port: u16) -> bool {
        let by_address = |allow: &Vec<HostPattern>| allow.iter().any(HostPattern::needs_address);
        self.allows(host, None, port) || self.allow.as_ref().is_some_and(by_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str, address: Option<&str>, port: u16) -> bool {
        let pattern: HostPattern = pattern.parse().expect("a pattern");
        let address = address.map(|address| address.parse().expect("an address"));
        pattern.matches(&Host::parse(host).expect("a host"), address, port)
    }

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, host, address, expected) in [
            ("*", "example.com", None, true),
            ("*", "127.0.0.1", None, true),
            ("example.com", "EXAMPLE.com.", None, true),
            ("Example.com.", "example.com", None, true),
            ("example.com", "www.example.com", None, false),
            ("example.com", "notexample.com", None, false),
            ("*.example.com", "www.example.com", None, true),
            ("*.example.com", "a.b.example.com", None, true),
            ("*.example.com", "example.com", None, false),
            ("*.example.com", "notexample.com", None, false),
            ("*.münchen.de", "www.xn--mnchen-3ya.de", None, true),
            ("127.0.0.1", "0x7f.1", None, true),
            ("127.0.0.1", "evil.example", Some("127.0.0.1"), true),
            ("127.0.0.1", "evil.example", None, false),
            ("10.0.0.0/8", "10.9.8.7", None, true),
            ("10.0.0.0/8", "evil.example", Some("10.0.0.1"), true),
            ("10.0.0.0/8", "evil.example", Some("11.0.0.1"), false),
            ("10.0.0.0/8", "evil.example", Some("::ffff:10.0.0.1"), true),
            ("10.0.0.0/8", "64:ff9b::10.0.0.1", None, true),
            ("10.1.2.3/8", "10.0.0.1", None, true),
            ("fd00::/8", "[fd12::1]", None, true),
            ("::1", "::1", None, true),
            ("example.com:8443", "example.com", None, false),
            ("example.com:443", "example.com", None, true),
            ("[::1]:443", "::1", None, true),
            ("[::1]:80", "::1", None, false),
        ] {
            assert_eq!(matches(pattern, host, address, 443), expected, "{pattern} {host} {address:?}");
        }
    }

    #[test]
    fn patterns_are_written_as_they_are_read() {
        for text in
            ["*", "a.example", "*.a.example:80", "10.0.0.0/8", "1.2.3.4", "1.2.3.4:80", "::1", "[::1]:80", "fd00::/8"]
        {
            assert_eq!(text.parse::<HostPattern>().map(|pattern| pattern.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_by_name() {
        for text in [
            "",
            " ",
            "**",
            "*example.com",
            "exam*ple.com",
            "*.*.com",
            "a?.com",
            "10.0.0.0/33",
            "10.0.0/8",
            "http://example.com",
            "example.com:",
            "example.com:0",
            "example.com:70000",
            "example.com/x",
            "*.10.0.0.1",
            "[::1]x",
            "a b",
        ] {
            let error = text.parse::<HostPattern>().expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn an_empty_list_of_allowed_hosts_allows_none() {
        let host = Host::parse("example.com").expect("a host");
        assert!(HostLists::default().allows(&host, None, 443));
        assert!(!HostLists { allow: Some(Vec::new()), deny: Vec::new() }.may_allow(&host, 443));
        let network = HostLists { allow: Some(vec!["8.0.0.0/8".parse().expect("a network")]), deny: Vec::new() };
        assert!(network.may_allow(&host, 443) && !network.allows(&host, None, 443));
        assert!(network.allows(&host, Some([8, 8, 8, 8].into()), 443));
    }
}
