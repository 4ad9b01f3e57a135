//! Who may ask at all. Pages of tenants run on this machine and can reach our own port; clients are not pages.
//!
//! A page is known by what Chrome says of it, and Chrome says it (`Sec-Fetch-Site`) only where it trusts the address:
//! localhost, 127.0.0.0/8 and `[::1]`. *Measured* in 156: a navigation, a `no-cors` fetch and an image of
//! `http://0.0.0.0:PORT` came without a word, and so did all that a context with our own port for its proxy asked of
//! addresses elsewhere. So what comes to us in such a way is taken for a page's (`tests/it/attacks/from_pages.rs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper::{HeaderMap, Request, StatusCode, header};

use super::reply::{Answer, problem, text};

/// Which requests are taken for those of clients.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Names accepted in `Host` beside IP addresses and localhost; lower case.
    pub allow_host: Vec<String>,
    /// Origins whose pages may use this server; lower case.
    pub allow_origin: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A `Host` that is a name: a page of that site could have been made to resolve to us.
    Host,
    /// It comes from a page.
    Page(String),
    /// It comes in a way in which a page's would not say so.
    Untold(&'static str),
}

/// A connection that comes from this machine itself to an address that others know it by: its network's, not loopback.
/// Clients of this machine have no need to; for pages of its browsers it is the one way that Chrome says nothing of.
pub fn is_roundabout(from: SocketAddr, to: SocketAddr) -> bool {
    from.ip() == to.ip() && !from.ip().to_canonical().is_loopback()
}

impl Guard {
    /// Judges a request. `open` says that what it asks for holds no id and no secret, so that a person may look at it
    /// in a browser; `roundabout` is what [`is_roundabout`] says of its connection.
    pub fn check<B>(&self, request: &Request<B>, roundabout: bool, open: bool) -> Result<(), Refused> {
        // `GET http://elsewhere/json/list`, or CONNECT: whoever says so takes us for a proxy.
        if request.uri().authority().is_some() {
            return Err(Refused::Untold("it was made by way of a proxy, and ghostmux is none"));
        }
        self.check_headers(request.headers(), open)?;
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let allowed = host.is_some_and(|host| self.allow_host.iter().any(|name| host_of(host) == *name));
        if roundabout && !open && !allowed {
            return Err(Refused::Untold("it comes from this machine, by the address that other machines know it by"));
        }
        Ok(())
    }

    fn check_headers(&self, headers: &HeaderMap, open: bool) -> Result<(), Refused> {
        let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        if !host.is_none_or(|host| self.is_own(host)) {
            return Err(Refused::Host);
        }
        if host.is_some_and(|host| leads_here_untold(host) && !self.allow_host.contains(&host_of(host))) {
            return Err(Refused::Untold("it was made to an address of no machine, which leads to this one"));
        }
        let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default().to_ascii_lowercase());
        if let Some(origin) = origin {
            if self.allow_origin.contains(&origin) {
                return Ok(());
            }
            return Err(Refused::Page(format!("Origin {origin}")));
        }
        let said = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        match said("sec-fetch-site") {
            None => Ok(()),
            Some("none") if open => Ok(()),
            // What a program built on Chrome's network stack says (chromedriver). *Measured* in 156: a page says `none`
            // of nothing but a navigation, which is for a document.
            Some("none") if said("sec-fetch-mode") == Some("no-cors") && said("sec-fetch-dest") == Some("empty") => {
                Ok(())
            }
            Some(site) => Err(Refused::Page(format!("Sec-Fetch-Site {site}"))),
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => {
                return rest
                    .split_once(']')
                    .is_some_and(|(ip, port)| ip.parse::<std::net::Ipv6Addr>().is_ok() && is_port(port));
            }
            None => host.split_once(':').map_or(Some(host), |(name, port)| {
                is_port(&host[name.len()..]).then_some(name).filter(|_| !port.is_empty())
            }),
        };
        let Some(name) = name.map(str::to_ascii_lowercase) else { return false };
        name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<std::net::Ipv4Addr>().is_ok()
            || self.allow_host.contains(&name)
    }
}

/// A `Host` without its port; lower case.
fn host_of(host: &str) -> String {
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    host[..end.unwrap_or(host.len())].to_ascii_lowercase()
}

/// `0.0.0.0`, `[::]` and the like, and the IPv6 spellings of IPv4 addresses: connections to them end at this machine.
fn leads_here_untold(host: &str) -> bool {
    let name = host_of(host);
    let address = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(ip) => ip.parse::<Ipv6Addr>().map(IpAddr::V6),
        None => name.parse::<Ipv4Addr>().map(IpAddr::V4),
    };
    address.is_ok_and(|address| match address {
        IpAddr::V4(ip) => ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unspecified() || ip.to_ipv4_mapped().is_some(),
    })
}

/// Nothing, or a colon and a number.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

impl Refused {
    /// The answer: Chrome's own where it has one.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Host => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "text/html; charset=UTF-8",
                "Host header is specified and is not an IP address or localhost.",
            ),
            Self::Page(which) => problem(
                StatusCode::FORBIDDEN,
                "from-a-page",
                &format!(
                    "this request comes from a page ({which}), and pages may not drive browsers; allow an origin with --allow-origin"
                ),
            ),
            Self::Untold(how) => problem(
                StatusCode::FORBIDDEN,
                "from-a-page",
                &format!(
                    "this request may come from a page: {how}, where pages do not say so; use 127.0.0.1 or localhost, or allow the host with --allow-host"
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn a_name_in_host_is_refused_unless_it_is_allowed() {
        let guard = Guard { allow_host: vec!["box.lan".into()], allow_origin: Vec::new() };
        for host in [
            "127.0.0.1:9222",
            "127.0.0.1",
            "localhost",
            "LOCALHOST:1",
            "[::1]:9222",
            "[::1]",
            "10.0.0.5:80",
            "box.lan:9222",
            "a.localhost",
        ] {
            assert_eq!(guard.check_headers(&headers(&[("host", host)]), false), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "evil.example:9222",
            "localhost.evil",
            "127.0.0.1:x",
            "[::1]x",
            "[evil]",
            "",
        ] {
            assert_eq!(guard.check_headers(&headers(&[("host", host)]), true), Err(Refused::Host), "{host}");
        }
        assert_eq!(guard.check_headers(&headers(&[]), false), Ok(()));
    }

    #[test]
    fn what_may_hide_a_page_is_refused() {
        let guard = Guard { allow_host: vec!["box.lan".into()], allow_origin: Vec::new() };
        let ask = |uri: &str, host: &str, roundabout, open| {
            let request = Request::builder().uri(uri).header(header::HOST, host).body(()).expect("a request");
            guard.check(&request, roundabout, open)
        };
        for host in ["0.0.0.0:9222", "0.0.0.0", "0.1.2.3:80", "[::]:9222", "[::ffff:127.0.0.1]:1", "[::ffff:0:0]"] {
            assert!(matches!(ask("/json/list", host, false, false), Err(Refused::Untold(_))), "{host}");
            assert!(matches!(ask("/health", host, false, true), Err(Refused::Untold(_))), "{host}");
        }
        for uri in ["http://127.0.0.1:9222/json/list", "http://10.0.0.1/json/list", "//x/json/list"] {
            let asked = ask(uri, "127.0.0.1:9222", false, true);
            assert_eq!(matches!(asked, Err(Refused::Untold(_))), uri.starts_with("http"), "{uri}: {asked:?}");
        }
        for host in ["10.0.0.5:9222", "localhost:9222", "127.0.0.1"] {
            assert!(matches!(ask("/json/list", host, true, false), Err(Refused::Untold(_))), "{host}");
            assert_eq!(ask("/health", host, true, true), Ok(()), "{host}");
            assert_eq!(ask("/json/list", host, false, false), Ok(()), "{host}");
        }
        assert_eq!(ask("/json/list", "BOX.lan:9222", true, false), Ok(()), "the operator knows");
        let guard = Guard { allow_host: vec!["0.0.0.0".into()], allow_origin: Vec::new() };
        assert_eq!(guard.check_headers(&headers(&[("host", "0.0.0.0:9222")]), false), Ok(()));
    }

    #[test]
    fn only_a_machine_that_calls_itself_from_outside_is_roundabout() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert!(is_roundabout(at("172.17.0.2:40000"), at("172.17.0.2:9222")));
        assert!(is_roundabout(at("[fd00::1]:40000"), at("[fd00::1]:9222")));
        for (from, to) in [
            ("127.0.0.1:40000", "127.0.0.1:9222"),
            ("[::1]:40000", "[::1]:9222"),
            ("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:9222"),
            ("172.17.0.1:40000", "172.17.0.2:9222"),
        ] {
            assert!(!is_roundabout(at(from), at(to)), "{from} {to}");
        }
    }

    #[test]
    fn a_page_is_refused_and_a_person_may_look_at_what_is_open() {
        let guard = Guard { allow_host: Vec::new(), allow_origin: vec!["https://tool.example".into()] };
        let is_refused = |pairs: &[(&'static str, &str)], open| {
            matches!(guard.check_headers(&headers(pairs), open), Err(Refused::Page(_)))
        };
        assert!(is_refused(&[("origin", "http://127.0.0.1:9222")], true));
        assert!(is_refused(&[("origin", "null")], true));
        assert!(!is_refused(&[("origin", "https://TOOL.example")], false));
        for site in ["cross-site", "same-origin", "same-site", "other"] {
            assert!(is_refused(&[("sec-fetch-site", site)], true), "{site}");
        }
        assert!(is_refused(&[("sec-fetch-site", "none")], false));
        assert!(!is_refused(&[("sec-fetch-site", "none")], true));
        let navigation = [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(is_refused(&navigation, false));
        let chromedriver = [("sec-fetch-site", "none"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "empty")];
        assert!(!is_refused(&chromedriver, false));
    }
}
