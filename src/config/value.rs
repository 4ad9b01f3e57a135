//! The parsers of values. An error says what is wrong and what to write instead.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use url::{Host, Url};

use super::{ConfigError, said::Said};
use crate::{
    api_types::BlockList,
    port::egress::{HostPattern, Ports},
};

/// Largest list of hosts, in bytes: some 700,000 names.
const LARGEST_LIST: u64 = 16 << 20;

/// A boolean in the spellings that are usual in variables.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false".into()),
    }
}

/// A larger message, in bytes, makes Chrome close its pipe and end (*measured*); a client's frame may not be larger.
pub(super) const LARGEST_MESSAGE: u64 = 100 << 20;

/// One of these words.
pub(super) fn choice<T: Copy>(words: &[(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let (last, others) = names.split_last().expect("a choice has words");
            format!("must be {} or {last}", others.join(", "))
        })
    }
}

/// A whole number within a range.
pub(super) fn number<T: TryFrom<u32>>(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let number = text.parse::<u32>().ok().filter(|number| range.contains(number));
        let wrong = || format!("must be a whole number from {} to {}", range.start(), range.end());
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(wrong)
    }
}

/// A whole number from 0 to `most`; 0 is no limit.
pub(super) fn limit(most: u32) -> impl Fn(&str) -> Result<Option<NonZeroU32>, String> {
    move |text| number(0..=most)(text).map(NonZeroU32::new)
}

/// A number of pixels, from a million to a thousand million.
pub(super) fn pixels(text: &str) -> Result<NonZeroU32, String> {
    number(1_000_000..=1_000_000_000)(text).map(|pixels| NonZeroU32::new(pixels).expect("at least a million"))
}

/// A number of bytes: `65536`, `64KiB`, `16 MiB`, `1GB`.
pub(super) fn size<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let (digits, unit) = split_unit(text);
        let factor: Option<u64> = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => Some(1),
            "kb" => Some(1_000),
            "mb" => Some(1_000_000),
            "gb" => Some(1_000_000_000),
            "kib" => Some(1 << 10),
            "mib" => Some(1 << 20),
            "gib" => Some(1 << 30),
            _ => None,
        };
        let bytes = factor.and_then(|factor| digits.parse::<u64>().ok()?.checked_mul(factor));
        let bytes = bytes.ok_or("is no size; write bytes or a unit, such as 16MiB")?;
        if !range.contains(&bytes) {
            return Err(format!("is not between {} and {}", Bytes(*range.start()), Bytes(*range.end())));
        }
        T::try_from(bytes).map_err(|_| "is more than this machine can address".into())
    }
}

/// A duration: `250ms`, `30s`, `5m`, `2h`, `30d`. A number without a unit is refused, because readers guess different
/// units.
pub(super) fn duration(least: Duration) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let (digits, unit) = split_unit(text);
        let millis: Option<u64> = match unit.to_ascii_lowercase().as_str() {
            "ms" => Some(1),
            "s" => Some(1_000),
            "m" | "min" => Some(60_000),
            "h" => Some(3_600_000),
            "d" => Some(86_400_000),
            _ => None,
        };
        let millis = millis.and_then(|factor| digits.parse::<u64>().ok()?.checked_mul(factor));
        match millis.map(Duration::from_millis) {
            Some(duration) if duration >= least => Ok(duration),
            Some(_) => Err(format!("is too short; at least {}ms", least.as_millis())),
            None => Err("is no length of time; write a number and ms, s, m, h or d, such as 30s".into()),
        }
    }
}

/// A number of bytes, for files beside the settings.
pub fn bytes(text: &str) -> Result<u64, String> {
    size(0..=1 << 50)(text).map_err(|why| format!("{text:?} {why}"))
}

/// A duration, for files beside the settings.
pub fn time(text: &str) -> Result<Duration, String> {
    duration(Duration::ZERO)(text).map_err(|why| format!("{text:?} {why}"))
}

/// A host name whose first label is a token. Holds what comes after that label, with the dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHost(String);

impl TokenHost {
    /// The first label of a host name, if the rest is this name.
    pub fn label<'a>(&self, host: &'a str) -> Option<&'a str> {
        host.strip_suffix(&self.0).filter(|label| !label.is_empty() && !label.contains('.'))
    }
}

/// A host name that begins with `*.`.
pub(super) fn token_host(text: &str) -> Result<TokenHost, String> {
    let wrong =
        || "is no name whose first label can be a token; write *.NAME, such as *.browsers.example.com".to_owned();
    let rest = text.strip_prefix("*.").ok_or_else(wrong)?;
    match Host::parse(rest) {
        Ok(Host::Domain(name)) => Ok(TokenHost(format!(".{name}"))),
        _ => Err(wrong()),
    }
}

/// The path of a file or directory.
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty; write a path".into()) } else { Ok(PathBuf::from(text)) }
}

/// A filter of the log.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("is no log filter ({error}); write for example info or ghostmux=debug")),
    }
}

/// An address with a port.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address with a port, such as 10.0.0.2:53".into())
}

/// A pattern of hosts.
pub(super) fn egress_host(text: &str) -> Result<HostPattern, String> {
    text.parse().map_err(|_| {
        "must be a name (example.com), the names below one (*.example.com), an address, a network (10.0.0.0/8) or *, with a \
         port (example.com:8443) if only that one is meant"
            .into()
    })
}

/// A list of ports.
pub(super) fn egress_ports(text: &str) -> Result<Ports, String> {
    Ports::parse(text).map_err(|why| why.to_string())
}

/// A flag for Chrome. Refuses flags by which ghostmux would lose control of the browser.
pub(super) fn chrome_flag(text: &str) -> Result<String, String> {
    const OURS: [&str; 4] =
        ["--remote-debugging-port", "--remote-debugging-pipe", "--user-data-dir", "--remote-debugging-address"];
    let name = text.split('=').next().unwrap_or(text);
    if !name.starts_with("--") {
        return Err("is no flag of Chrome: they begin with --".into());
    }
    if OURS.contains(&name) {
        return Err("is set by ghostmux itself; remove it".into());
    }
    if name == "--no-sandbox" {
        return Err("has a setting of its own: start ghostmux with --no-sandbox (GHOSTMUX_NO_SANDBOX=true)".into());
    }
    Ok(text.to_owned())
}

/// An address to listen on: an IP and a port, or `localhost` and a port.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    // Names are not resolved: the address must not depend on the machine's resolver.
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    if let Some(port) = local {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| "is no address; write IP:PORT, such as 127.0.0.1:9222 or [::1]:9222".into())
}

/// A host name or address as in a `Host` header, without port.
pub(super) fn host(text: &str) -> Result<Host, String> {
    let bare = if text.parse::<Ipv6Addr>().is_ok() { format!("[{text}]") } else { text.to_owned() };
    Host::parse(&bare).ok().filter(is_plain).ok_or_else(|| {
        "is no host name or address; write it without scheme and port, several separated by spaces".to_owned()
    })
}

/// An origin as a browser writes it in its header: scheme, host, and the port unless it is the scheme's own.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let read = || {
        let (_, authority) = text.split_once("://")?;
        let url = Url::parse(text).ok().filter(|_| !authority.contains(['/', '?', '#', '@', '\\']))?;
        let host = Host::parse(url.host_str()?).ok().filter(is_plain)?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}://{host}{port}", url.scheme()))
    };
    read().ok_or_else(|| "is no origin; write it as https://app.example.org, without a path".to_owned())
}

/// Whether a host is an address, or a name of letters, digits, `-`, `.` and `_`. The URL standard allows others.
fn is_plain(host: &Host) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !matches!(host, Host::Domain(name) if !name.bytes().all(plain))
}

/// The address of a remote Chrome. `Display` leaves out credentials and query, which may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl(Arc<Url>);

impl RemoteUrl {
    /// The whole URL, for connecting. Not for logs.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether it names only host and port: `/json/version` there has the WebSocket's path.
    pub fn is_http(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Host and port, for a connection and for `Host`.
    pub fn authority(&self) -> String {
        // Both schemes have a host and a default port.
        format!("{}:{}", self.0.host_str().unwrap_or_default(), self.0.port_or_known_default().unwrap_or_default())
    }

    /// Checks the URL. No error repeats its credentials or its query, which can hold a token.
    pub(super) fn check(said: &Said) -> Result<Self, ConfigError> {
        said.text.parse().map_err(|problem: String| said.showing(&Self::without_secrets(&said.text)).wrong(&problem))
    }

    /// The text of a URL without its credentials and its query.
    pub(super) fn without_secrets(text: &str) -> String {
        let text = text.split_once(['?', '#']).map_or(text, |(head, _)| head);
        match text.split_once("://") {
            Some((scheme, rest)) => {
                let slash = rest.find('/').unwrap_or(rest.len());
                let host = rest[..slash].rfind('@').map_or(rest, |at| &rest[at + 1..]);
                format!("{scheme}://{host}")
            }
            None => text.to_owned(),
        }
    }
}

impl FromStr for RemoteUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EITHER: &str =
            "write ws://HOST:PORT/devtools/browser/ID, or http://HOST:PORT for the Chrome that runs there";
        let rest = match text.split_once("://") {
            Some(("ws" | "http", rest)) => rest,
            Some((scheme @ ("wss" | "https"), _)) => {
                let plain = scheme.trim_end_matches('s');
                return Err(format!("is encrypted, which is not supported yet; use {plain}:// through a tunnel"));
            }
            _ => return Err(format!("is no URL of a browser; {EITHER}")),
        };
        if rest.is_empty() || rest.starts_with(['/', ':', '?']) || text.contains(char::is_whitespace) {
            return Err(format!("names no host; {EITHER}"));
        }
        let url = Url::parse(text).map_err(|error| format!("is no URL of a browser ({error}); {EITHER}"))?;
        if url.scheme() == "http" && (url.path() != "/" || url.query().is_some()) {
            return Err(format!("has more than host and port; {EITHER}"));
        }
        Ok(Self(Arc::new(url)))
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Self::without_secrets(self.0.as_str());
        // A URL always has a path.
        f.write_str(if self.is_http() { shown.trim_end_matches('/') } else { &shown })
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUrl({self})")
    }
}

/// Bytes in the largest unit that divides them.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let (mut bytes, mut unit) = (self.0, 0);
        while bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < UNITS.len() {
            (bytes, unit) = (bytes / 1024, unit + 1);
        }
        write!(f, "{bytes}{}", UNITS[unit])
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Reads the list of hosts that quick actions block. An error names the line.
pub(super) fn block_list(said: &Said) -> Result<BlockList, ConfigError> {
    let path = &said.text;
    let unreadable = |error| said.conflict(format!("cannot read {path}: {error}"));
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST_LIST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_LIST {
        let why =
            format!("{path} has more than {} MiB; leave out names that are below another one", LARGEST_LIST >> 20);
        return Err(said.conflict(why));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        said.conflict(format!("{path}:{line}: is not UTF-8"))
    })?;
    BlockList::read(&text).map_err(|(line, why)| said.conflict(format!("{path}:{line}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_binary_and_decimal_units() {
        let any = size::<u64>(0..=u64::MAX);
        for (text, bytes) in [("0", 0), ("512B", 512), ("64KiB", 65_536), ("16 MiB", 16 << 20), ("1gb", 1_000_000_000)]
        {
            assert_eq!(any(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5MiB", "16 MiBs", "99999999999999999999", "18446744073709551615KiB"] {
            assert!(any(text).is_err(), "{text}");
        }
        assert_eq!(size::<u64>(1024..=100 << 20)("101MiB"), Err("is not between 1KiB and 100MiB".into()));
    }

    #[test]
    fn durations_need_a_unit() {
        let any = duration(Duration::ZERO);
        for (text, millis) in
            [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("2 h", 7_200_000), ("1d", 86_400_000), ("0s", 0)]
        {
            assert_eq!(any(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["30", "", "s", "1.5s", "1m30s", "-1s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(any(text).is_err(), "{text}");
        }
    }

    #[test]
    fn localhost_is_the_only_listen_name() {
        assert_eq!(listen_address("localhost:9222"), Ok(SocketAddr::from(([127, 0, 0, 1], 9222))));
        assert!(listen_address("[::1]:0").is_ok());
        for text in ["9222", ":9222", "127.0.0.1", "localhost", "example.org:80", "localhost:99999"] {
            assert!(listen_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_and_origins_are_normalised() {
        for (text, written) in [
            ("Chrome.Internal", "chrome.internal"),
            ("a_b.lan", "a_b.lan"),
            ("10.0.0.5", "10.0.0.5"),
            ("0x0a.5", "10.0.0.5"),
            ("fd00::7", "[fd00::7]"),
            ("[FD00:0::7]", "[fd00::7]"),
            // As a browser writes it in its header.
            ("bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(host(text).map(|host| host.to_string()), Ok(written.to_owned()), "{text}");
        }
        for text in ["", "http://a", "a:80", "a,b", "*", "*.a", "[a]", "fd00::7:x", "a b", "a@b", "a/b", "1.2.3.256"] {
            assert!(host(text).is_err(), "{text}");
        }
        for (text, written) in [
            ("https://App.example.org:8443", "https://app.example.org:8443"),
            ("HTTPS://app.example.org:443", "https://app.example.org"),
            ("http://[FD00:0::7]:80", "http://[fd00::7]"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ] {
            assert_eq!(origin(text), Ok(written.to_owned()), "{text}");
        }
        for text in [
            "app.example.org",
            "https:app.example.org",
            "https://a/",
            "https://a?",
            "https://a#",
            "https://u@a",
            "https://a\\b",
            "https://",
            "https://:80",
            "://a",
            "https://a,https://b",
            "*",
            "https://*",
            "null",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_remote_url_never_shows_its_secrets() {
        let url: RemoteUrl = "ws://user:pw@chrome:3000/devtools/browser/1?token=s3cret".parse().expect("valid");
        assert_eq!(url.to_string(), "ws://chrome:3000/devtools/browser/1");
        assert!(!format!("{url:?}").contains("s3cret") && !format!("{url:?}").contains("pw"));
        assert!(url.url().as_str().ends_with("?token=s3cret"));
        assert_eq!((url.authority(), url.is_http()), ("chrome:3000".to_owned(), false));
        let url: RemoteUrl = "http://user:pw@chrome".parse().expect("valid");
        assert_eq!(
            (url.to_string(), url.authority(), url.is_http()),
            ("http://chrome".into(), "chrome:80".into(), true)
        );
        for text in
            ["ftp://a:9222", "wss://a", "https://a", "ws://", "ws:///x", "http://:9222", "a:9222", "", "http://a/x"]
        {
            assert!(text.parse::<RemoteUrl>().is_err(), "{text}");
        }
        for text in ["ws://a:99999/", "ws://a:x/", "http://[::1/", "http://a?token=s3cret"] {
            let error = text.parse::<RemoteUrl>().expect_err(text);
            assert!(error.contains("http://HOST:PORT") && !error.contains("s3cret"), "{error}");
        }
    }
}
