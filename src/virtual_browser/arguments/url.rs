//! Rules for the URLs that a client opens or reads by command. A URL is parsed by the URL standard, as Chrome parses it,
//! so that no spelling of `file:` or of `127.0.0.1` is missed. It is never rewritten and never resolved. The rules for
//! schemes are written here; hosts are parsed by the crate `url`.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
};

use url::{Host, Url};

use crate::api_types::capability::{Capability, Granted};

/// Chrome's error for a text that is not a URL.
pub(super) const INVALID: &str = "Cannot navigate to invalid URL";

/// The schemes that Chrome knows; with any other a new page is blank.
const KNOWN: [&str; 14] = [
    "about",
    "blob",
    "chrome",
    "chrome-error",
    "chrome-extension",
    "chrome-untrusted",
    "data",
    "devtools",
    "file",
    "filesystem",
    "http",
    "https",
    "javascript",
    "view-source",
];

/// Most characters of a URL in an error.
const MOST_SAID: usize = 200;

/// Whether a client may open this URL with a command; the error says why not.
///
/// An empty URL is allowed: Chrome refuses it or opens a blank page.
pub fn url_allowed(url: &str, granted: Granted) -> Result<(), String> {
    let url = innermost(url);
    if url.is_empty() {
        return Ok(());
    }
    let Some((scheme, rest)) = scheme(&url) else { return Err(INVALID.to_owned()) };
    match &*scheme {
        "http" | "https" | "data" | "javascript" => Ok(()),
        // A `blob:` or `filesystem:` URL belongs to the origin of a page.
        "blob" => match self::scheme(&normal(rest)).as_ref().map(|(scheme, _)| &**scheme) {
            None | Some("http" | "https") => Ok(()),
            Some("file") if granted.has(Capability::HostFiles) => Ok(()),
            Some(_) => Err("blob: URLs of other origins than http: and https: are not allowed".to_owned()),
        },
        "about" if is_blank(rest) => Ok(()),
        "file" if granted.has(Capability::HostFiles) => Ok(()),
        "file" => Err(format!("file: URLs need the capability {}", Capability::HostFiles)),
        _ => Err(format!("{}: URLs are not allowed", scheme.chars().take(40).collect::<String>())),
    }
}

/// Whether Chrome or full Chrome has a page of its own at this URL: `chrome:` and `about:`, which it treats alike, except
/// the blank page.
pub(super) fn is_chromes_own(url: &str) -> bool {
    match scheme(&innermost(url)).as_ref().map(|(scheme, rest)| (&**scheme, *rest)) {
        Some(("chrome", _)) => true,
        Some(("about", rest)) => !is_blank(rest),
        _ => false,
    }
}

/// Whether the URL is `chrome://crash`, which ends the process of the page.
pub(super) fn is_crash(url: &str) -> bool {
    let url = normal(url);
    let Some((scheme, rest)) = scheme(&url) else { return false };
    scheme == "chrome" && parsed(rest).is_some_and(|url| url.host_str() == Some("crash") && url.port().is_none())
}

/// Whether headless shell opens a blank page for this URL (*measured*): for a text that is not a URL, for a page of
/// Chrome's own, and for an unknown scheme as in `localhost:1`.
pub fn opens_blank(url: &str) -> bool {
    let url = normal(url);
    match scheme(&url) {
        None => !url.is_empty(),
        Some((scheme, _)) => !KNOWN.contains(&&*scheme) || is_chromes_own(&url),
    }
}

/// A URL at which a navigation fails with `net::ERR_INVALID_URL` in every Chrome, as a navigation to a page of Chrome's own
/// does in headless shell. It contains the original URL. It is a `data:` URL without the required comma.
pub(super) fn that_is_invalid(own: &str) -> String {
    let own: String = normal(own).chars().take_while(|c| *c != ',').take(MOST_SAID).collect();
    format!("data:{own}")
}

/// Whether an `about:` URL is the blank page.
fn is_blank(rest: &str) -> bool {
    rest.split(['?', '#']).next() == Some("blank")
}

/// The destination of a request for a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// The URL is not an http or https URL.
    OtherScheme,
    /// This machine, its private networks, or an unknown host: the host is invalid or is not written in ASCII.
    Private,
    /// A public address, or a public name. The name can still resolve to a private address: only the rules of the
    /// network can prevent that.
    Public,
}

/// The destination of a request for this URL.
pub(super) fn destination(url: &str) -> Destination {
    let url = normal(url);
    let Some((scheme, rest)) = scheme(&url) else { return Destination::OtherScheme };
    if !matches!(&*scheme, "http" | "https") {
        return Destination::OtherScheme;
    }
    // Which ASCII host a Unicode or percent-encoded host means depends on tables of Chrome's own.
    let ascii: String = rest.chars().map(|c| if c.is_ascii() && c != '%' { c } else { 'x' }).collect();
    match (parsed(rest), parsed(&ascii)) {
        (Some(url), Some(ascii)) if url.host() == ascii.host() => match url.host() {
            Some(host) if !is_private(&host) => Destination::Public,
            _ => Destination::Private,
        },
        _ => Destination::Private,
    }
}

/// An http URL of which this follows the scheme's colon. Chrome parses `https:` and `chrome:` in the same way.
fn parsed(rest: &str) -> Option<Url> {
    Url::parse(&format!("http:{rest}")).ok()
}

/// Whether a host is on this machine or in its private networks, by its address or its name.
fn is_private(host: &Host<&str>) -> bool {
    let name = match host {
        Host::Ipv4(address) => return is_private_address(IpAddr::V4(*address)),
        Host::Ipv6(address) => return is_private_address(IpAddr::V6(*address)),
        Host::Domain(name) => name.strip_suffix('.').unwrap_or(name),
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    // A name without a dot is one of the local network, such as a container's. One with an empty label is no name.
    name == last
        || name.split('.').any(str::is_empty)
        || matches!(last, "localhost" | "localdomain" | "local" | "internal")
        || name.ends_with(".home.arpa")
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            matches!(
                (a, b, c),
                (0 | 10 | 127 | 224.., ..)
                    | (100, 64..128, _)
                    | (169, 254, _)
                    | (172, 16..32, _)
                    | (192, 168, _)
                    | (192, 0, 0)
                    | (198, 18..20, _)
            )
        }
        IpAddr::V6(address) => {
            let embedded = |high: u16, low: u16| {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                is_private_address(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
            };
            is_private_v6(address.segments(), embedded)
        }
    }
}

/// Whether an IPv6 address is loopback, unique local, link-local, site-local, multicast, or contains an IPv4 address.
fn is_private_v6(segments: [u16; 8], embedded: impl Fn(u16, u16) -> bool) -> bool {
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        [0x2001, 0, ..] | [0x64, 0xff9b, 1, ..] => true,
        [first, ..] => matches!(first, 0xfc00..=0xfdff | 0xfe80..=0xfeff | 0xff00..),
    }
}

/// The URL that a `view-source:` shows.
fn innermost(url: &str) -> Cow<'_, str> {
    let mut url = normal(url);
    while let Some(("view-source", rest)) = scheme(&url).as_ref().map(|(scheme, rest)| (&**scheme, *rest)) {
        url = Cow::Owned(normal(rest).into_owned());
    }
    url
}

/// Removes C0 controls and spaces around a URL, and tabs and newlines within it.
fn normal(url: &str) -> Cow<'_, str> {
    let url = url.trim_matches(|c: char| c <= ' ');
    if url.contains(['\t', '\n', '\r']) { Cow::Owned(url.replace(['\t', '\n', '\r'], "")) } else { Cow::Borrowed(url) }
}

/// The scheme in lower case, and the text after its colon.
fn scheme(url: &str) -> Option<(String, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(known);
    valid.then(|| (scheme.to_ascii_lowercase(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::capability::Capabilities;

    const STRICT: fn() -> Granted = Granted::none;

    #[test]
    fn every_spelling_of_file_needs_host_files() {
        for url in [
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "file:/etc/passwd",
            "file:etc/passwd",
            "file://localhost/etc/passwd",
            "file:\\\\\\etc\\passwd",
            "  file:///x",
            "\u{1}file:///x",
            "\tfi\nle:///x",
            "f\r\nile\t:///x\u{0}",
            "view-source:file:///x",
            "ViEw-SoUrCe:FiLe:///x",
            "view-source: \tview-source:\nfile:x",
            "view-\tsource:fi\tle:x",
        ] {
            let why = url_allowed(url, STRICT()).expect_err(url);
            assert_eq!(why, "file: URLs need the capability host-files", "{url:?}");
            assert!(
                url_allowed(
                    url,
                    Granted::new(Capabilities { host_files: true, ..Capabilities::strict() }, Capabilities::all())
                )
                .is_ok(),
                "{url:?}"
            );
        }
    }

    #[test]
    fn only_listed_schemes_may_be_opened() {
        for url in [
            "http://example.com/",
            "HTTPS:example.com",
            " https://example.com/file:///",
            "about:blank",
            "ABOUT:blank#x",
            "about:blank?x",
            "data:text/html,chrome://gpu",
            "blob:https://example.com/1-2",
            "blob:null/1-2",
            "javascript:void 0",
            "view-source:http://example.com/",
            "",
            " \t",
        ] {
            assert_eq!(url_allowed(url, STRICT()), Ok(()), "{url:?}");
        }
        for url in [
            "chrome://settings",
            "chrome://gpu",
            "chrome:quit",
            "CHROME://inducebrowsercrashforrealz/",
            "view-source:chrome://version",
            "devtools://devtools/bundled/inspector.html",
            "chrome-extension://x/",
            "chrome-untrusted://x/",
            "chrome-error://x/",
            "about:version",
            "about:srcdoc",
            "blob:chrome://settings/1-2",
            "BLOB:\tcHrome:gpu",
            "view-source:blob: devtools://devtools/1-2",
            "blob:blob:https://example.com/1-2",
            "about:blankx",
            "about:BLANK",
            "filesystem:https://example.com/temporary/x",
            "ftp://x/",
            "mailto:a@b",
            "intent:x",
            "isolated-app://x/",
            "example.com:80",
        ] {
            assert!(url_allowed(url, Granted::new(Capabilities::local(), Capabilities::all())).is_err(), "{url:?}");
        }
        for url in
            ["example.com", "/etc/passwd", "//x", ":", "1http:x", "ht tp:x", "f%69le:x", "ｆile:x", "view-source:x"]
        {
            assert_eq!(url_allowed(url, STRICT()), Err(INVALID.to_owned()), "{url:?}");
        }
    }

    #[test]
    fn local_addresses_are_detected_in_every_spelling() {
        // The first twenty-one reached a server on 127.0.0.1 in Chrome 156.
        for url in [
            "http://127.0.0.1:80/",
            "http:127.0.0.1:80/",
            "http:\\127.0.0.1:80/",
            "http:///127.0.0.1/",
            "http://0x7f.1/",
            "http://2130706433",
            "http://017700000001/",
            "http://0/",
            "http://0x:80/",
            "http://127.1?x",
            "http://127.0.0.1.:80#x",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://127。0。0。1/",
            "http://①②⑦.0.0.1/",
            "http://x:y@127.0.0.1/",
            "http://@@127.0.0.1/",
            "http://LOCALHOST/",
            "http://a.localhost./",
            "http://[::ffff:127.0.0.1]:80/",
            " h\nttp://0x7f.0.0.0x/",
            "https://[::1]/",
            "http://[::]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:0:1::]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://[ff02::1]/",
            "http://10.1.2.3/",
            "http://172.31.0.1/",
            "http://192.168.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.64.0.1/",
            "http://198.19.0.1/",
            "http://192.0.0.8/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://0.0.0.0:9222/json",
            "http://redis/",
            "http://metadata.google.internal/",
            "http://printer.local/",
            "http://x.home.arpa/",
            "http://localhost.localdomain/",
            "http://127.0.0.1\u{ad}/",
            "http:///",
            "http://[nonsense]/",
            "http://1.2.3.256/",
            "http://1.2.3.4.5/",
            "http://4294967296/",
            "http://0177.0.0.1/",
            "http://0X7F.0.0.1/",
            "http://127.0.0x0001",
            "http://0xa9fea9fe/",
            "http://2852039166",
            "http://169.254.43518",
            "http://0xffffffff/",
            "http://00000000000000000000177.1/",
            "http://0x00000000000000000000007f000001",
            "http://127.0.0.1..",
            "http://1.2.3.09",
            "http://[::FFFF:7F00:1]",
            "http://[0:0:0:0:0:ffff:127.0.0.1]",
            "http://[::ffff:0:127.0.0.1]",
            "http://[0000:0000::0001]",
            "http://[64:ff9b::a9fe:a9fe]",
            "http://[fe80::1%25eth0]",
            "http://[::1",
            "http://::1/",
            "http://example.com@127.0.0.1/",
            "http://example.com:80@127.0.0.1:80/",
            "http://127.0.0.1\\@example.com/",
            "http:\\\\127.0.0.1\\@example.com/",
            "http://127.0.0.1#@example.com",
            "http://127.0.0.1?@example.com",
            "https:/\\/127.0.0.1",
            "http://1\t27.0.0\n.1/",
            "ht\rtp:/\n/lo\tcalhost",
            "\u{0}\u{1f} http://127.0.0.1\u{0}",
            "http://%6C%6f%63alhost/",
            "http://127%2e0%2E0.1/",
            "http://%00127.0.0.1/",
            "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/",
            "http://ｌｏｃａｌｈｏｓｔ/",
            "http://ⓛocalhost/",
            "http://loc\u{ad}alhost/",
            "http://localhost。/",
            "http://localhost%E3%80%82/",
            "http://127.0.0.１/",
            "http://e\u{fe0f}xample.com/",
            "http://münchen.de/",
            "http://m%C3%BCnchen.de/",
            "http://exa mple.com/",
            "http://xn--a/",
            "http://localhost.:80/",
            "http://a.LocalHost",
            "http://host.docker.internal./",
            "http://metadata/",
            "http://a:b:c@10.0.0.1/",
            "http://x:99999@10.0.0.1:65535",
            "http://example.com:99999/",
            "http://:80/",
            "http://@/",
            "http://",
        ] {
            assert_eq!(destination(url), Destination::Private, "{url:?}");
        }
        for url in [
            "http://example.com/127.0.0.1",
            "https://user:127.0.0.1@example.com:443",
            "http://example.com?@127.0.0.1",
            "http://93.184.216.34/",
            "http://172.32.0.1/",
            "http://0x5db8d822/",
            "http://xn--mnchen-3ya.de/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "http://[2606:4700::1111]/",
            "http://[::ffff:93.184.216.34]/",
            "http://1.2.3.4a/",
            "http:example.com",
            "http://example.com\\@127.0.0.1:8080@localhost/..//",
            "http:\\example.com\\127.0.0.1",
            "http://127.0.0.1@example.com/",
            "http://127.0.0.1:80@example.com:8080/",
            "http://example.com/@127.0.0.1",
            "http://example.com\\@127.0.0.1/",
            "http://EXAMPLE.com./ü?%20#%",
            "http://ü:%00@example.com/",
            "HTTP://127.0.0.1.nip.io",
            "http://a_b.example.com",
            "http://[2606:4700:0:0::1111]:443/",
            "http://010.example.com",
            "http://0x08080808",
            "http://8.8.2056",
        ] {
            assert_eq!(destination(url), Destination::Public, "{url:?}");
        }
        for url in ["file:///x", "ftp://127.0.0.1", "x", "", "ws://127.0.0.1", "view-source:http://127.0.0.1"] {
            assert_eq!(destination(url), Destination::OtherScheme, "{url:?}");
        }
    }
}
