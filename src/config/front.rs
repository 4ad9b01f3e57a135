//! What stands in front of this server: its public URL, and the proxies that say from where a request comes.

use std::{fmt, net::IpAddr, path::Path};

use ipnet::IpNet;
use subtle::ConstantTimeEq as _;
use url::{Host, Url};

use super::{ConfigError, RemoteUrl, said::Said};

/// First segments of the paths of this server. A prefix that began with one of them could not be told from such a path.
const OWN: [&str; 14] = [
    "chrome", "chromium", "devtools", "health", "healthz", "json", "kill", "metrics", "pressure", "readyz", "s",
    "sessions", "t", "v1",
];
/// Fewest characters of the secret of a proxy: 128 bits in hexadecimal digits.
const SHORTEST_SECRET: usize = 32;

/// The URL at which clients reach this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether it is `https:`.
    pub is_tls: bool,
    /// Its name or address.
    pub host: Host,
    /// The name or address, and the port unless it is the scheme's own.
    pub authority: String,
    /// Its path, without a slash at its end; may be empty.
    pub prefix: String,
}

impl PublicUrl {
    /// Checks the URL. No error repeats its credentials or its query.
    pub(super) fn check(said: &Said) -> Result<Self, ConfigError> {
        let wrong = |problem: &str| said.showing(&RemoteUrl::without_secrets(&said.text)).wrong(problem);
        let no_url = "is no URL; write it as clients write it, such as https://browsers.example.com or https://example.com/browsers";
        let url = Url::parse(&said.text).map_err(|_| wrong(no_url))?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            "wss" => return Err(wrong("begins with wss:; write https:, clients get wss: where they need it")),
            "ws" => return Err(wrong("begins with ws:; write http:, clients get ws: where they need it")),
            _ => return Err(wrong(no_url)),
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a user, a query or a fragment, which would be in every URL of a client; remove it"));
        }
        let host = url.host().ok_or_else(|| wrong(no_url))?.to_owned();
        let authority = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let prefix = prefix(url.path()).ok_or_else(|| {
            wrong("has a path that is no prefix; write segments of letters, digits, -, ., _ and ~, such as /browsers")
        })?;
        if !may_be_stripped(prefix) {
            let why =
                format!("has a path that begins as one of this server's own; none may begin with /{}", OWN.join(", /"));
            return Err(wrong(&why));
        }
        Ok(Self { is_tls, host, authority, prefix: prefix.to_owned() })
    }
}

/// A path as the prefix of others: without a slash at its end. `None` if it is none, or has a character that can be
/// written in several ways.
pub fn prefix(path: &str) -> Option<&str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    let is_prefix = path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment));
    is_prefix.then_some(path)
}

/// Whether a path that begins with this prefix is none of this server's own.
pub fn may_be_stripped(prefix: &str) -> bool {
    !OWN.contains(&prefix.split('/').nth(1).unwrap_or_default())
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.ok_or_else(|| "is no network; write an address or ADDRESS/BITS, such as 10.1.2.3 or 10.1.2.0/24".to_owned())
}

/// What a proxy sends to show that it is one.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxySecret(String);

impl ProxySecret {
    /// Whether this is the secret. It takes the same time for every text of the same length.
    pub fn is(&self, text: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(text).into()
    }

    /// Reads the secret from a file. No error repeats it.
    pub(super) fn check(said: &Said) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(Path::new(&said.text))
            .map_err(|error| said.conflict(format!("cannot read {}: {error}", said.text)))?;
        let secret = text.trim();
        if secret.len() < SHORTEST_SECRET || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(said.conflict(format!(
                "{}: must hold one word of at least {SHORTEST_SECRET} characters that a header can have, such as the output of \
                 \"openssl rand -hex 32\"",
                said.text
            )));
        }
        Ok(Self(secret.to_owned()))
    }
}

impl fmt::Debug for ProxySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxySecret(***)")
    }
}

/// Whether a network has loopback addresses.
pub(super) fn leads_here(network: &IpNet) -> bool {
    let loopback = match network {
        IpNet::V4(_) => "127.0.0.0/8",
        IpNet::V6(_) => "::1/128",
    };
    let loopback: IpNet = loopback.parse().expect("a network");
    network.contains(&loopback) || loopback.contains(network)
}
