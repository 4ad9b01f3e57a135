//! A proxy that the connections of a context go through, and the text that names one.

mod bypass;

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub use self::bypass::Bypass;
use super::Host;
use crate::api_types::Secret;

/// The longest user name, and the longest password, in bytes (RFC 1929).
const CREDENTIAL_MOST: usize = 255;
/// The longest text that names a proxy, in bytes.
const TEXT_MOST: usize = 4096;
/// What a user name or a password in a URL has in its place.
const SESSION: &str = "{session}";
/// The longest word that stands for a session, in bytes.
const WORD_MOST: usize = 16;
/// What stands for itself in the user of a URL.
const IN_USER: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'{').remove(b'}');

/// A proxy that the connections of a context go through. Its `Debug` and `Display` show no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamProxy {
    /// What it speaks.
    pub protocol: UpstreamProtocol,
    /// Its host.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// The user and password, if they are known.
    pub credentials: Option<Credentials>,
    /// Who has named it.
    pub named_by: NamedBy,
    /// The hosts that are connected to without it.
    pub bypass: Bypass,
}

/// What an upstream proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1 with `CONNECT`.
    Http,
    /// SOCKS5 (RFC 1928), with names and not addresses.
    Socks5,
}

/// Who has named an upstream proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The operator, in the settings of the server or of a tenant: its address may be private.
    Operator,
    /// A tenant, or its client: its address must be one that the tenant may connect to.
    Tenant,
}

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user; it may name the tenant's account. Between 1 and 255 bytes, without control characters.
    pub user: Secret,
    /// The password; at most 255 bytes, without control characters.
    pub password: Secret,
}

/// A text that names no proxy which can be used. It does not repeat the text, which may have a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProxy {
    /// A list of proxies by scheme.
    #[error("a proxy for each scheme (http=…;https=…) is not supported: name one proxy for all of them")]
    ListByScheme,
    /// A list of which Chrome would take the first that works.
    #[error("a list of proxies is not supported: name one proxy")]
    FallbackList,
    /// A proxy script.
    #[error("a proxy script (PAC, WPAD) is not supported: name one proxy")]
    Script,
    /// SOCKS4.
    #[error("SOCKS4 is not supported: it knows neither passwords nor IPv6; use socks5://")]
    Socks4,
    /// A proxy that is reached through TLS or QUIC.
    #[error("a proxy that is itself reached through TLS or QUIC is not supported: use http:// or socks5://")]
    Encrypted,
    /// Another scheme.
    #[error("the scheme of a proxy is http:// or socks5://")]
    Scheme,
    /// The host or the port cannot be read.
    #[error(
        "the host or the port of the proxy cannot be read: write http://USER:PASSWORD@HOST:PORT, or socks5://…, and a percent \
             escape (%40) for what is special in the user or the password"
    )]
    Address,
    /// The credentials cannot be used.
    #[error(
        "the user of a proxy has 1 to 255 bytes, the password at most 255, both in UTF-8 without control characters"
    )]
    Credentials,
    /// The bypass list cannot be read.
    #[error(
        "the bypass list cannot be read: it is a list of hosts (example.com, *.example.com, .example.com, 10.0.0.0/8, \
             <local>, each with a port if only that is meant), with commas or semicolons between them, without schemes"
    )]
    Bypass,
}

/// What a client or a setting names as proxy: `None` is the session's own way out, which is meant by an empty text and by
/// `direct://`.
pub fn proxy_choice(text: &str, named_by: NamedBy) -> Result<Option<UpstreamProxy>, BadProxy> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("direct://") || text.eq_ignore_ascii_case("direct") {
        return Ok(None);
    }
    UpstreamProxy::parse(text, named_by).map(Some)
}

impl UpstreamProxy {
    /// Reads the URL of a proxy: `[http://|socks5://][USER[:PASSWORD]@]HOST[:PORT]`. Percent escapes in user and password are
    /// resolved. Without a scheme it is an HTTP proxy, as for Chrome. The port is 80 or 1080 if it is missing.
    pub fn parse(text: &str, named_by: NamedBy) -> Result<Self, BadProxy> {
        let text = text.trim();
        if text.len() > TEXT_MOST {
            return Err(BadProxy::Address);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['@', ':', '/']) => (Some(scheme.trim()), rest),
            _ => (None, text),
        };
        // A list by scheme has `=` before the first scheme, or before the first host. A user or a password may have it too.
        let is_list = scheme.map_or(rest.contains('=') && !rest.contains('@'), |scheme| scheme.contains('='));
        if is_list {
            return Err(BadProxy::ListByScheme);
        }
        let protocol = protocol(scheme)?;
        let (user, address) = rest.rsplit_once('@').map_or((None, rest), |(user, address)| (Some(user), address));
        if address.contains(';') {
            return Err(BadProxy::ListByScheme);
        }
        if address.contains(',') {
            return Err(BadProxy::FallbackList);
        }
        let (host, port) = host_and_port(address.strip_suffix('/').unwrap_or(address)).ok_or(BadProxy::Address)?;
        let port = port.unwrap_or(match protocol {
            UpstreamProtocol::Http => 80,
            UpstreamProtocol::Socks5 => 1080,
        });
        let credentials = user.map(Credentials::parse).transpose()?;
        Ok(Self { protocol, host, port, credentials, named_by, bypass: Bypass::none() })
    }

    /// As this one, but for hosts of this bypass list.
    #[must_use]
    pub fn with_bypass(self, bypass: Bypass) -> Self {
        Self { bypass, ..self }
    }

    /// As this one, with these credentials.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// As this one, with a word that stands for a session in place of `{session}` in the user: many proxies keep the exit
    /// address of equal users. The word has at most 16 bytes, without control characters.
    #[must_use]
    pub fn for_session(mut self, word: &str) -> Self {
        if let Some(credentials) = &mut self.credentials {
            credentials.user = Secret::new(credentials.user.reveal().replace(SESSION, word));
        }
        self
    }

    /// The front of the gates of its contexts, if a client has named it: a client may know credentials that its proxy asks for.
    pub fn front(&self) -> super::GateFront {
        match self.protocol {
            UpstreamProtocol::Http if self.credentials.is_none() => super::GateFront::HttpProxy,
            UpstreamProtocol::Http | UpstreamProtocol::Socks5 => super::GateFront::Socks5,
        }
    }

    /// The URL with user and password, which [`UpstreamProxy::parse`] reads again, to be stored where secrets may be. The bypass
    /// list is not part of it.
    pub fn to_url(&self) -> Secret {
        let mut url = format!("{}://", self.protocol.scheme());
        if let Some(Credentials { user, password }) = &self.credentials {
            let escape = |text: &Secret| utf8_percent_encode(text.reveal(), IN_USER).to_string();
            let _ = write!(url, "{}:{}@", escape(user), escape(password));
        }
        let _ = write!(url, "{}", self.address());
        Secret::new(url)
    }

    /// All of it as a text, to be stored where secrets may be: URL and bypass list, one a line.
    pub fn to_text(&self) -> Secret {
        Secret::new(format!("{}\n{}", self.to_url().reveal(), self.bypass))
    }

    /// Reads what [`UpstreamProxy::to_text`] made of a proxy that a client had named; `None` if it is something else.
    pub fn of_text(text: &str) -> Option<Self> {
        let (url, bypass) = text.split_once('\n')?;
        let upstream = Self::parse(url, NamedBy::Tenant).ok()?;
        Some(upstream.with_bypass(Bypass::parse(bypass).ok()?))
    }

    fn address(&self) -> String {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            host => format!("{host}:{}", self.port),
        }
    }
}

fn protocol(scheme: Option<&str>) -> Result<UpstreamProtocol, BadProxy> {
    let Some(scheme) = scheme else { return Ok(UpstreamProtocol::Http) };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(UpstreamProtocol::Http),
        // Names go to the proxy in either case: `socks5h` is curl's word for that, `socks` Chrome's for SOCKS5.
        "socks5" | "socks5h" | "socks" => Ok(UpstreamProtocol::Socks5),
        "socks4" | "socks4a" => Err(BadProxy::Socks4),
        "https" | "quic" => Err(BadProxy::Encrypted),
        other if other.starts_with("pac") || other == "wpad" => Err(BadProxy::Script),
        "direct" => Err(BadProxy::FallbackList),
        _ => Err(BadProxy::Scheme),
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]`, `[IPV6]:PORT`.
fn host_and_port(text: &str) -> Option<(Host, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let port = match port {
        Some(port) => Some(Some(port).filter(is_port)?.parse::<u16>().ok().filter(|port| *port > 0)?),
        None => None,
    };
    let is_bracketed = host.starts_with('[');
    let host = Host::parse(host).ok()?;
    // Without brackets it cannot be told where the port begins.
    let is_v6 = matches!(host, Host::Address(IpAddr::V6(_)));
    (is_v6 == is_bracketed).then_some((host, port))
}

impl Credentials {
    /// A user and a password, if a proxy can be told them.
    pub fn new(user: String, password: String) -> Result<Self, BadProxy> {
        let is_usable = |text: &str| text.len() <= CREDENTIAL_MOST && !text.chars().any(char::is_control);
        let grown = user.len() + user.matches(SESSION).count() * (WORD_MOST - SESSION.len());
        if user.is_empty() || grown > CREDENTIAL_MOST || !is_usable(&user) || !is_usable(&password) {
            return Err(BadProxy::Credentials);
        }
        Ok(Self { user: Secret::new(user), password: Secret::new(password) })
    }

    /// `USER[:PASSWORD]` of a URL.
    fn parse(text: &str) -> Result<Self, BadProxy> {
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(BadProxy::Credentials),
        };
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Self::new(decode(user)?, decode(password)?)
    }
}

impl UpstreamProtocol {
    fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Socks5 => "socks5",
        }
    }
}

impl fmt::Display for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = if self.credentials.is_some() { "***@" } else { "" };
        write!(f, "{}://{credentials}{}", self.protocol.scheme(), self.address())
    }
}

impl fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpstreamProxy({self}, {:?}, {:?})", self.named_by, self.bypass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::egress::GateFront;

    fn parse(text: &str) -> Result<UpstreamProxy, BadProxy> {
        UpstreamProxy::parse(text, NamedBy::Tenant)
    }

    fn revealed(text: &str) -> String {
        parse(text).map_or_else(|error| format!("{error:?}"), |upstream| upstream.to_url().reveal().clone())
    }

    #[test]
    fn urls_of_proxies_are_read() {
        for (text, url) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("  HTTP://Proxy.Example.:3128/ ", "http://proxy.example:3128"),
            ("http://proxy.example", "http://proxy.example:80"),
            ("proxy.example:8080", "http://proxy.example:8080"),
            ("proxy.example", "http://proxy.example:80"),
            ("socks5://proxy.example", "socks5://proxy.example:1080"),
            ("socks5h://1.2.3.4:99", "socks5://1.2.3.4:99"),
            ("socks://0x1020304", "socks5://1.2.3.4:1080"),
            ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
            ("http://[2001:db8::1]", "http://[2001:db8::1]:80"),
            ("http://user:pass@proxy.example:1", "http://user:pass@proxy.example:1"),
            ("user:pass@proxy.example:1", "http://user:pass@proxy.example:1"),
            ("http://user@proxy.example:1", "http://user:@proxy.example:1"),
            ("http://us%40er:p%3Aa%2fs%25s@proxy.example:1", "http://us%40er:p%3Aa%2Fs%25s@proxy.example:1"),
            ("http://u:a=b;c,d@e@proxy.example:1", "http://u:a%3Db%3Bc%2Cd%40e@proxy.example:1"),
            ("u=1:p@proxy.example:1", "http://u%3D1:p@proxy.example:1"),
            ("http://u:p://x@proxy.example:1", "http://u:p%3A%2F%2Fx@proxy.example:1"),
            ("http://user-{session}:p@proxy.example:1", "http://user-{session}:p@proxy.example:1"),
        ] {
            assert_eq!(revealed(text), url, "{text}");
            assert_eq!(revealed(&revealed(text)), url, "{text} twice");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (text, error) in [
            ("http=a:80;https=b:80", BadProxy::ListByScheme),
            ("https=b:80", BadProxy::ListByScheme),
            ("http=socks5://a:80", BadProxy::ListByScheme),
            ("a:80;b:80", BadProxy::ListByScheme),
            ("http://a:80,http://b:80", BadProxy::FallbackList),
            ("http://a:80,direct://", BadProxy::FallbackList),
            ("direct://,http://a:80", BadProxy::FallbackList),
            ("socks4://a:80", BadProxy::Socks4),
            ("SOCKS4A://a:80", BadProxy::Socks4),
            ("https://a:443", BadProxy::Encrypted),
            ("quic://a:443", BadProxy::Encrypted),
            ("pac+http://a/x.pac", BadProxy::Script),
            ("ftp://a:80", BadProxy::Scheme),
            ("://a:80", BadProxy::Scheme),
            ("", BadProxy::Address),
            ("http://", BadProxy::Address),
            ("http://a:0", BadProxy::Address),
            ("http://a:+1", BadProxy::Address),
            ("http://a:", BadProxy::Address),
            ("http://a:65536", BadProxy::Address),
            ("http://a:1/x", BadProxy::Address),
            ("http://a b:1", BadProxy::Address),
            ("http://2001:db8::1:80", BadProxy::Address),
            ("http://[1.2.3.4]:80", BadProxy::Address),
            ("http://@a:80", BadProxy::Credentials),
            ("http://:p@a:80", BadProxy::Credentials),
            ("http://u:%0d%0aX@a:80", BadProxy::Credentials),
            ("http://u:%ff@a:80", BadProxy::Credentials),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!(parse(&format!("http://{}:p@a:80", "u".repeat(256))), Err(BadProxy::Credentials));
        assert_eq!(parse(&format!("http://{}", "a".repeat(5000))), Err(BadProxy::Address));
    }

    #[test]
    fn no_proxy_is_the_sessions_own_way_out() {
        for text in ["", " ", "direct://", "DIRECT://", "direct"] {
            assert_eq!(proxy_choice(text, NamedBy::Tenant), Ok(None), "{text}");
        }
        assert!(matches!(proxy_choice("a:80", NamedBy::Tenant), Ok(Some(_))));
    }

    #[test]
    fn credentials_are_never_shown() {
        let upstream = parse("http://hidden-user:hidden-password@proxy.example:1").expect("a proxy");
        let shown = format!("{upstream:?} {upstream} {:?} {:?}", upstream.credentials, upstream.to_url());
        assert!(!shown.contains("hidden") && shown.contains("http://***@proxy.example:1"), "{shown}");
    }

    #[test]
    fn the_session_is_put_into_the_user_alone() {
        let upstream = parse("http://u-{session}-x:p{session}@a:1").expect("a proxy").for_session("s1");
        assert_eq!(upstream.to_url().reveal(), "http://u-s1-x:p{session}@a:1");
        let most = format!("{}{{session}}", "u".repeat(CREDENTIAL_MOST - WORD_MOST));
        assert!(parse(&format!("http://{most}:p@a:1")).is_ok());
        for user in [format!("{most}u"), "{session}".repeat(16)] {
            assert_eq!(parse(&format!("http://{user}:p@a:1")), Err(BadProxy::Credentials), "{user}");
        }
    }

    #[test]
    fn only_an_http_proxy_without_credentials_asks_the_client_for_them() {
        for (text, front) in [
            ("http://a:1", GateFront::HttpProxy),
            ("http://u:p@a:1", GateFront::Socks5),
            ("socks5://a:1", GateFront::Socks5),
            ("socks5://u:p@a:1", GateFront::Socks5),
        ] {
            assert_eq!(parse(text).expect("a proxy").front(), front, "{text}");
        }
    }
}
