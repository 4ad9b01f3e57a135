//! A host to connect to, in one spelling.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The longest name of the DNS, without the dot of the root.
const NAME_MOST: usize = 253;
/// The longest label of a name.
const LABEL_MOST: usize = 63;

/// A host: a name, or an address. Two spellings of one host are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name in lower case, internationalised ones in their ASCII form, without the dot of the root.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// The text is neither a host name nor an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a host name nor an address")]
pub struct BadHost;

impl Host {
    /// Reads a host as the URL standard does: `0x7f.1`, `2130706433` and `017700000001` are `127.0.0.1`. An IPv6 address
    /// may stand in brackets or not.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Ok(address) = inside.unwrap_or(text).parse::<Ipv6Addr>() {
            return Ok(Self::Address(address.into()));
        }
        // An unbounded name is not worth the time to read it. A percent sign starts the zone of an address, or an escape,
        // which Chrome has resolved.
        if text.is_empty() || text.len() > 4 * NAME_MOST || text.contains(['%', '[', ']', ':']) {
            return Err(BadHost);
        }
        match url::Host::parse(text).map_err(|_| BadHost)? {
            url::Host::Ipv4(address) => Ok(Self::Address(address.into())),
            url::Host::Ipv6(address) => Ok(Self::Address(address.into())),
            url::Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase();
                let is_label = |label: &str| !label.is_empty() && label.len() <= LABEL_MOST;
                let is_name = name.len() <= NAME_MOST && name.split('.').all(is_label);
                if is_name { Ok(Self::Name(name)) } else { Err(BadHost) }
            }
        }
    }

    /// Whether it is a name that stands for this machine or for one of a private network, wherever it is resolved:
    /// `localhost` and names below it, `*.local`, `*.internal`, `*.localdomain`, `*.lan`, `*.intranet`, `*.home.arpa`, and names of
    /// one label.
    pub fn is_private_name(&self) -> bool {
        let Self::Name(name) = self else { return false };
        let top = name.rsplit_once('.').map(|(_, top)| top);
        top.is_none_or(|top| matches!(top, "localhost" | "local" | "internal" | "localdomain" | "lan" | "intranet"))
            || name == "home.arpa"
            || name.ends_with(".home.arpa")
    }

    /// The address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Address(address) => Some(*address),
        }
    }
}

impl fmt::Display for Host {
    /// A name, or an address without brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl From<Ipv4Addr> for Host {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address.into())
    }
}

impl From<Ipv6Addr> for Host {
    fn from(address: Ipv6Addr) -> Self {
        Self::Address(address.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_host_is_one_host() {
        for text in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0X7F.0.0.1",
            "2130706433",
            "017700000001",
            "127.0.0.1.",
            "0177.0x0.1",
            "１２７.0。0.1",
        ] {
            assert_eq!(Host::parse(text), Ok(Ipv4Addr::LOCALHOST.into()), "{text}");
        }
        for text in ["::1", "[::1]", "0:0::1", "[0000::0001]"] {
            assert_eq!(Host::parse(text), Ok(Ipv6Addr::LOCALHOST.into()), "{text}");
        }
        for text in ["Example.COM", "example.com.", "ｅxample.com", "example。com"] {
            assert_eq!(Host::parse(text), Ok(Host::Name("example.com".into())), "{text}");
        }
        assert_eq!(Host::parse("München.de"), Ok(Host::Name("xn--mnchen-3ya.de".into())));
        assert_eq!(Host::parse("a_b.example"), Ok(Host::Name("a_b.example".into())));
        assert_eq!(Host::parse("::ffff:10.0.0.1").map(|host| host.to_string()), Ok("::ffff:10.0.0.1".into()));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        let longer = format!("{}example", "abcdefgh.".repeat(28));
        for text in [
            "",
            ".",
            "a..b",
            "a b",
            "example.com..",
            "1.2.3.256",
            "1.2.3.4.5",
            "fe80::1%eth0",
            "[::1",
            "::1]",
            "[1.2.3.4]",
            "a:80",
            "a/b",
            "a@b",
            "a\0b",
            "a\nb",
            "%31.1",
            "example.1",
            &long,
            &longer,
        ] {
            assert_eq!(Host::parse(text), Err(BadHost), "{text:?}");
        }
    }

    #[test]
    fn names_of_private_networks_are_known() {
        let private = |text: &str| Host::parse(text).expect("a host").is_private_name();
        for text in ["localhost", "LOCALHOST.", "a.localhost", "redis", "printer.local", "metadata.google.internal"] {
            assert!(private(text), "{text}");
        }
        for text in ["example.com", "localhost.example.com", "local.example", "127.0.0.1", "::1"] {
            assert!(!private(text), "{text}");
        }
    }
}
