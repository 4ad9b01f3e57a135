//! Who may ask at all. Pages of tenants run on this machine and can reach our own port; clients are not pages.

use hyper::{HeaderMap, StatusCode, header};

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
}

impl Guard {
    /// Judges a request by its headers. `open` says that what it asks for holds no id and no secret, so that a person
    /// may look at it in a browser.
    pub fn check(&self, headers: &HeaderMap, open: bool) -> Result<(), Refused> {
        let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        if !host.is_none_or(|host| self.is_own(host)) {
            return Err(Refused::Host);
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
            // What a program built on Chrome's network stack says (chromedriver). *Measured* in 156: a page says `none` of
            // nothing but a navigation, which is for a document.
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
            assert_eq!(guard.check(&headers(&[("host", host)]), false), Ok(()), "{host}");
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
            assert_eq!(guard.check(&headers(&[("host", host)]), true), Err(Refused::Host), "{host}");
        }
        assert_eq!(guard.check(&headers(&[]), false), Ok(()));
    }

    #[test]
    fn a_page_is_refused_and_a_person_may_look_at_what_is_open() {
        let guard = Guard { allow_host: Vec::new(), allow_origin: vec!["https://tool.example".into()] };
        let is_refused =
            |pairs: &[(&'static str, &str)], open| matches!(guard.check(&headers(pairs), open), Err(Refused::Page(_)));
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
