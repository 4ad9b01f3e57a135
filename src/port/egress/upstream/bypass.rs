//! The hosts that are connected to without the upstream proxy.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::{super::Host, BadProxy};

/// Most rules of a list.
const RULES_MOST: usize = 1000;
/// The rule by which loopback goes through the upstream.
const WITH_LOOPBACK: &str = "<-loopback>";
const LOOPBACK: &str = "<loopback>";

/// The hosts that are connected to without the upstream proxy, as `--proxy-bypass-list` of Chrome and `bypass` of Playwright
/// name them. The gate connects to them itself, by the same rules as without an upstream.
///
/// A host is compared as the page wrote it: the address of a name is not looked up for that, as in Chrome.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bypass(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    /// `<local>`: names of one label.
    Local,
    /// `<loopback>`, which is no rule of Chrome's: what leaves out the proxy there unless `<-loopback>` is in the list.
    Loopback,
    Network(IpNet),
    /// A name, in which `*` stands for any characters.
    Name(String),
}

impl Bypass {
    /// Everything goes through the upstream.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a list as Chrome does: loopback and link-local addresses leave out the upstream too, unless `<-loopback>` is one of
    /// its rules.
    pub fn of_chrome(text: &str) -> Result<Self, BadProxy> {
        let mut list = Self::parse(text)?;
        if !rules(text).any(|rule| rule == WITH_LOOPBACK) {
            list.0.push(Rule { hosts: Hosts::Loopback, port: None });
        }
        Ok(list)
    }

    /// Reads a list, with commas or semicolons between its rules. Without a rule nothing leaves out the upstream, not even
    /// loopback.
    pub fn parse(text: &str) -> Result<Self, BadProxy> {
        let rules = rules(text).filter(|rule| *rule != WITH_LOOPBACK);
        let rules = rules.map(rule).collect::<Option<Vec<_>>>().ok_or(BadProxy::Bypass)?;
        if rules.len() <= RULES_MOST { Ok(Self(rules)) } else { Err(BadProxy::Bypass) }
    }

    /// Whether this host is connected to without the upstream.
    pub fn contains(&self, host: &Host, port: u16) -> bool {
        self.0.iter().any(|rule| {
            rule.port.is_none_or(|only| only == port)
                && match (&rule.hosts, host) {
                    (Hosts::Local, Host::Name(name)) => !name.contains('.'),
                    (Hosts::Loopback, Host::Name(name)) => name == "localhost" || name.ends_with(".localhost"),
                    (Hosts::Loopback, Host::Address(address)) => is_local(*address),
                    (Hosts::Network(network), Host::Address(address)) => network.contains(address),
                    (Hosts::Name(pattern), Host::Name(name)) => is_match(pattern, name),
                    // `*` alone, or a pattern for a part of an address.
                    (Hosts::Name(pattern), Host::Address(address)) => is_match(pattern, &address.to_string()),
                    (Hosts::Local, Host::Address(_)) | (Hosts::Network(_), Host::Name(_)) => false,
                }
        })
    }
}

fn rules(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';']).map(str::trim).filter(|rule| !rule.is_empty())
}

/// Whether Chrome takes an address for a loopback or link-local one.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    }
}

fn rule(text: &str) -> Option<Rule> {
    if text == LOOPBACK {
        return Some(Rule { hosts: Hosts::Loopback, port: None });
    }
    if text == "<local>" {
        return Some(Rule { hosts: Hosts::Local, port: None });
    }
    if text.contains("://") || text.contains(['<', '>', '@', ' ']) {
        return None;
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(Rule { hosts: Hosts::Network(network), port: None });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
            let digits = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?;
            (host, Some(digits.parse().ok()?))
        }
        _ => (text, None),
    };
    let hosts = match host.strip_prefix('.') {
        // As in Chrome: `.example.com` is `*.example.com`.
        Some(_) => Hosts::Name(format!("*{}", pattern(host)?)),
        None if host.contains('*') => Hosts::Name(pattern(host)?),
        None => match Host::parse(host).ok()? {
            Host::Name(name) => Hosts::Name(name),
            Host::Address(address) => Hosts::Network(address.into()),
        },
    };
    Some(Rule { hosts, port })
}

/// A pattern in lower case, if it has only what names and addresses have.
fn pattern(text: &str) -> Option<String> {
    let is_usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '.' | '-' | '_');
    (text.len() > 1 || text == "*").then_some(())?;
    text.chars().all(is_usable).then(|| text.to_ascii_lowercase())
}

/// Whether a text matches a pattern in which `*` stands for any characters. Takes time in proportion to the product of the
/// lengths at most.
fn is_match(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Rule { hosts, port }) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            match hosts {
                Hosts::Local => f.write_str("<local>")?,
                Hosts::Loopback => f.write_str(LOOPBACK)?,
                Hosts::Name(pattern) => f.write_str(pattern)?,
                Hosts::Network(network) => match (network.addr(), network.prefix_len() == network.max_prefix_len()) {
                    (IpAddr::V6(address), true) => write!(f, "[{address}]")?,
                    (address, true) => address.fmt(f)?,
                    (_, false) => network.fmt(f)?,
                },
            }
            port.map_or(Ok(()), |port| write!(f, ":{port}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bypass({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_leaves_out_the_upstream_where_chrome_says_so() {
        for (list, expected) in [("", true), ("a.test", true), ("<-loopback>", false), ("a.test;<-loopback>", false)] {
            let list = Bypass::of_chrome(list).expect("a list");
            for text in ["localhost", "a.localhost", "127.9.9.9", "::1", "169.254.1.1", "fe80::1"] {
                let host = Host::parse(text).expect("a host");
                assert_eq!(list.contains(&host, 80), expected, "{list}: {text}");
                assert_eq!(Bypass::parse(&list.to_string()), Ok(list.clone()));
            }
            for text in ["b.test", "10.0.0.1", "localhost.test"] {
                assert!(!list.contains(&Host::parse(text).expect("a host"), 80), "{list}: {text}");
            }
        }
    }

    #[test]
    fn hosts_of_the_list_are_not_sent_to_the_upstream() {
        for (list, host, expected) in [
            ("example.com", "EXAMPLE.com", true),
            ("example.com", "www.example.com", false),
            (".example.com", "www.example.com", true),
            (".example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", true),
            ("*example.com", "notexample.com", true),
            ("x.*.y.com", "x.a.b.y.com", true),
            ("x.*.y.com", "x.y.com", false),
            ("a*a", "a", false),
            ("*", "1.2.3.4", true),
            ("10.0.0.0/8", "10.1.1.1", true),
            ("10.0.0.0/8", "ten.example", false),
            ("127.1", "127.0.0.1", true),
            ("127.*", "127.0.0.1", true),
            ("[::1]", "::1", true),
            ("::1", "::1", true),
            ("<local>", "intranet", true),
            ("<local>", "a.b", false),
            ("example.com:443", "example.com", true),
            ("example.com:80", "example.com", false),
            ("a.test, b.test;c.test", "c.test", true),
            ("<-loopback>", "localhost", false),
            ("", "localhost", false),
        ] {
            let bypass = Bypass::parse(list).expect(list);
            assert_eq!(bypass.contains(&Host::parse(host).expect("a host"), 443), expected, "{list} {host}");
            assert_eq!(Bypass::parse(&bypass.to_string()), Ok(bypass), "{list}");
        }
    }

    #[test]
    fn rules_that_cannot_be_read_are_refused() {
        for list in
            ["https://a.example", "<foo>", "a b", "a:x", "10.0.0.0/99", ".", "a@b", "exa mple", "a.example:70000"]
        {
            assert_eq!(Bypass::parse(list), Err(BadProxy::Bypass), "{list}");
        }
        assert_eq!(Bypass::parse(&"a,".repeat(1001)), Err(BadProxy::Bypass));
    }
}
