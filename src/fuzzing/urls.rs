//! What the URL rules allow is, as the crate `url` reads it, of an allowed scheme and of an allowed host.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::{
    api_types::capability::Granted,
    cdp::{json_object::quote, target::Kind, url::is_visible},
    virtual_browser::{
        arguments::{Checked, check, opens_blank, url_allowed},
        policy::Check,
    },
};

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let urls = [
        "",
        "http://example.com/",
        "HTTPS:example.com",
        " \tfi\nle:///etc/passwd",
        "file://localhost/x",
        "view-source: \tview-source:\nfile:x",
        "view-source:chrome://gpu",
        "chrome://crash",
        "CHROME:\\\\cRash?x",
        "about:blank#x",
        "about:version",
        "blob:https://example.com/1-2",
        "blob: devtools://devtools/1-2",
        "blob:null/1",
        "data:text/html,chrome://gpu",
        "javascript:void 0",
        "filesystem:https://example.com/temporary/x",
        "devtools://devtools/bundled/inspector.html",
        "http:127.0.0.1:80/",
        "http:\\\\127.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433",
        "http://017700000001/",
        "http://%31%32%37.0.0.1/",
        "http://１２７。0。0。1/",
        "http://x:y@127.0.0.1/",
        "http://a.localhost./",
        "http://[::ffff:127.0.0.1]:80/",
        "https://[64:ff9b::127.0.0.1]/",
        "http://[fd00::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/",
        "http://redis/",
        "http://93.184.216.34/",
        "http://xn--mnchen-3ya.de/",
        "http://[2606:4700::1111]/",
        "https://user:127.0.0.1@example.com:443",
        "http://127.0.0.1\u{ad}/",
        "http://1.2.3.256/",
    ];
    urls.iter().map(|url| url.as_bytes().to_vec()).collect()
}

pub(super) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = (opens_blank(&text), is_visible(&text));
    if url_allowed(&text, Granted::none()).is_ok() {
        opened(&text);
    }
    if fetched(&text)
        && let Ok(url) = Url::parse(&text)
    {
        let host = url.host().expect("only http: and https: are fetched, which have a host");
        assert!(!is_private(&host), "{text:?} is fetched from {host}");
    }
}

/// A URL that may be opened by command.
fn opened(text: &str) {
    // Chrome finds no URL in what the standard finds none in.
    let Ok(url) = Url::parse(text) else { return };
    match url.scheme() {
        "http" | "https" | "data" | "javascript" => {}
        "about" => assert_eq!(url.path(), "blank", "{text:?}"),
        // The origin of its creator, which is opaque if that had none.
        "blob" => {
            let inner = Url::parse(url.path());
            let scheme = inner.as_ref().map(Url::scheme);
            assert!(matches!(scheme, Err(_) | Ok("http" | "https")), "{text:?} is a blob of {scheme:?}");
        }
        "view-source" => {
            // The standard keeps what follows the colon as it is, for Chrome to read again.
            let (_, inner) = url.as_str().split_once(':').expect("a scheme");
            opened(inner);
        }
        other => panic!("{text:?} is opened, and is {other}:"),
    }
}

/// Whether the browser may fetch this URL itself for a session that has no capability.
fn fetched(text: &str) -> bool {
    let params = format!(r#"{{"frameId":"F","url":{},"options":{{}}}}"#, quote(text));
    let checked = check(Check::NetworkResource, "Network.loadNetworkResource", &params, Kind::Page, Granted::none());
    assert!(matches!(checked, Checked::AsIs | Checked::Refused { .. }), "{checked:?}");
    checked == Checked::AsIs
}

/// Whether a host is of this machine or of a private network, by the lists of the standard library.
fn is_private(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            let top = name.rsplit_once('.').map(|(_, top)| top);
            top.is_none_or(|top| matches!(top, "localhost" | "internal" | "local"))
        }
        Host::Ipv4(address) => is_private_v4(*address),
        Host::Ipv6(address) => is_private_v6(*address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.octets()[0] == 0
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.to_ipv4().is_some_and(is_private_v4)
}
