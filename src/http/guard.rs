//! Decides which requests may use the port at all. Pages of tenants run on this machine and can reach the port; only
//! clients may use it.
//!
//! A page is recognised by the headers that Chrome adds (`Sec-Fetch-*`), and Chrome adds them only for addresses that
//! it trusts: localhost, 127.0.0.0/8 and `[::1]`. *Measured* in 156, on both builds: a navigation, a `no-cors` fetch
//! and an image of `http://0.0.0.0:PORT` came without them, and so did every request of a context that had this port as
//! its proxy. So the `Host` decides how much the headers prove ([`Place`]):
//!
//! | `Host` | a page is recognised by |
//! |---|---|
//! | loopback | Chrome's headers |
//! | the address that the connection was accepted on | a connection from this machine itself ([`is_roundabout`]) |
//! | a name or address of `--allow-host` or `--public-url`, and any by a trusted proxy | the lack of [`NO_PAGE`], where a GET shows or ends sessions |
//! | anything else | every request is refused: a page's name that resolves to this server, a forwarder's address |
//!
//! Chrome makes some requests itself, on behalf of a page. *Measured* in 156: the issuer that a certificate names
//! (`authorityInfoAccess`) is fetched with the same `Sec-Fetch-Site: none`, `no-cors`, `empty` as chromedriver's own
//! requests; only the `User-Agent` differs, and no CDP command changes it for these fetches. Every other request that
//! Chrome made for a page (icons, manifests, workers, reports, prefetches, pings, source maps) had another
//! `Sec-Fetch-Site`, an `Origin`, or was a navigation (`tests/it/attacks/from_pages.rs`).

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use hyper::{HeaderMap, Method, Request, StatusCode, header};
use url::Host;

use super::{
    Front,
    ends::Ends,
    reply::{Answer, problem, refused_text},
};
use crate::{config::TokenHost, tenant::Presented};

/// The header that only a client can send. A page may not send it: it is not among the headers that CORS allows by
/// default, and no preflight is ever answered. `Authorization` has the same effect.
const NO_PAGE: &str = "x-ghostmux";

/// The start of chromedriver's `User-Agent`, which Chrome's own fetches never have.
const CHROMEDRIVER: &str = "chromedriver";

/// The hosts and origins that the operator allows.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Names and addresses accepted in `Host` beside loopback and the server's own addresses.
    pub allow_host: Vec<Host>,
    /// Origins whose pages may use this server; lower case.
    pub allow_origin: Vec<String>,
    /// Names whose first label is a token.
    pub token_host: Vec<TokenHost>,
    /// What is in front of the server.
    pub front: Front,
}

/// The guard that is in force, which a reload of the configuration replaces; cheap to clone.
#[derive(Clone, Debug)]
pub struct CurrentGuard {
    // Guards which guard is in force; held to copy the pointer.
    guard: Arc<RwLock<Arc<Guard>>>,
}

impl CurrentGuard {
    /// Begins with this guard.
    pub fn new(guard: Guard) -> Self {
        Self { guard: Arc::new(RwLock::new(Arc::new(guard))) }
    }

    /// From now on this guard is in force, for the requests of present connections too.
    pub fn set(&self, guard: Guard) {
        *self.guard.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(guard);
    }

    /// The guard for a request.
    pub(super) fn get(&self) -> Arc<Guard> {
        self.guard.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the answer to a request shows or may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The answer has no id and no secret. A person may open it in a browser.
    Nothing,
    /// The answer has figures and no id, and the request changes nothing. Only programs may read it.
    Figures,
    /// Every other answer, WebSockets included.
    Sessions,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The number of `Host` headers is not one.
    NoHost(usize),
    /// `Host` is a name: a page of that site could have made it resolve to this server.
    Name,
    /// `Host` is an address that is not the server's: something forwards to it, and pages may reach the forwarder.
    Forwarded(String),
    /// The request comes from a page. The text is the header that shows it.
    Page(String),
    /// The request came by a way on which Chrome does not mark the requests of pages.
    Untold(&'static str),
    /// A page could have sent the request: Chrome does not mark requests of pages to this `Host`.
    NoHeader(String),
}

/// The meaning of a `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Loopback: Chrome marks the requests of pages.
    Loopback,
    /// The address at which the connection was accepted, if it is not loopback.
    Own,
    /// Another name or address that the operator allowed.
    Allowed,
}

/// Whether a connection comes from this machine itself to an address of its network, not to loopback. Clients of this
/// machine do not need this way; pages of its browsers could use it without being marked.
fn is_roundabout(ends: Ends) -> bool {
    ends.from.ip() == ends.to.ip() && !ends.from.ip().to_canonical().is_loopback()
}

impl Guard {
    /// Checks a request of this connection. `upgrade` says that the request asks for a WebSocket: with that a page always
    /// sends its `Origin`.
    pub fn check<B>(&self, request: &Request<B>, ends: Ends, shows: Shows, upgrade: bool) -> Result<(), Refused> {
        // `GET http://elsewhere/json/list`, or CONNECT: the sender takes this server for a proxy.
        if request.uri().authority().is_some() {
            return Err(Refused::Untold("it is a request to a proxy, and ghostmux is not a proxy"));
        }
        let headers = request.headers();
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.count()) {
            (Some(host), 0) => host.to_str().map_err(|_| Refused::Name)?,
            (first, more) => return Err(Refused::NoHost(usize::from(first.is_some()) + more)),
        };
        let name = host_of(host).ok_or(Refused::Name)?;
        let place = self.place(&name, ends.to.ip())?;
        self.check_page(headers, shows)?;
        let allowed = self.is_allowed(&name);
        if is_roundabout(ends) && !allowed && shows != Shows::Nothing {
            return Err(Refused::Untold("it comes from this machine, to an address of its network"));
        }
        // A page's request other than GET and HEAD has an `Origin`.
        let by_page = matches!(*request.method(), Method::GET | Method::HEAD) && !upgrade;
        // To a proxy the page came by another address, to which Chrome may not have marked its request.
        let told = !ends.is_forwarded && (place == Place::Loopback || place == Place::Own && !is_roundabout(ends));
        // A page knows no token; a request with a wrong one is refused later.
        let has_token = request.extensions().get().is_some_and(|given| !matches!(given, Presented::Nothing));
        if !told && by_page && shows == Shows::Sessions && !has_token && !says_no_page(headers) {
            return Err(Refused::NoHeader(host.to_owned()));
        }
        Ok(())
    }

    /// Whether the operator allows this name or address, which may be that of the public URL.
    fn is_allowed(&self, host: &Host) -> bool {
        let has_token = |name: &str| self.token_host.iter().any(|host| host.label(name).is_some());
        self.allow_host.contains(host)
            || self.front.is_public(host)
            || matches!(host, Host::Domain(name) if has_token(name))
    }

    /// The meaning of this host on a connection that was accepted at `to`.
    fn place(&self, host: &Host, to: IpAddr) -> Result<Place, Refused> {
        let allowed = self.is_allowed(host);
        let otherwise = |refused| if allowed { Ok(Place::Allowed) } else { Err(refused) };
        let address = match host {
            Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => return Ok(Place::Loopback),
            Host::Domain(_) => return otherwise(Refused::Name),
            Host::Ipv4(address) => IpAddr::V4(*address),
            Host::Ipv6(address) => IpAddr::V6(*address),
        };
        if leads_here_untold(address) {
            return otherwise(Refused::Untold("its Host is an address of no machine, which leads to this one"));
        }
        if address.is_loopback() {
            return Ok(Place::Loopback);
        }
        if address == to.to_canonical() {
            return Ok(Place::Own);
        }
        otherwise(Refused::Forwarded(host.to_string()))
    }

    /// Checks the headers by which Chrome marks the requests of pages.
    fn check_page(&self, headers: &HeaderMap, shows: Shows) -> Result<(), Refused> {
        if headers.contains_key(header::ORIGIN) {
            let origins = headers.get_all(header::ORIGIN).iter();
            let mut origins = origins.map(|origin| origin.to_str().unwrap_or_default().to_ascii_lowercase());
            return match origins.find(|origin| !self.allow_origin.contains(origin)) {
                Some(origin) => Err(Refused::Page(format!("Origin {origin}"))),
                None => Ok(()),
            };
        }
        // A header with two different values has none that lets a request through.
        let said = |name: &str| {
            let mut values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
            let first = values.next()?;
            Some(if values.all(|value| value == first) { first } else { "" })
        };
        let chromedriver = [
            ("sec-fetch-mode", "no-cors"),
            ("sec-fetch-dest", "empty"),
            // Without this header the same values are Chrome's own, for a certificate that a page's server sent.
            ("user-agent", CHROMEDRIVER),
        ];
        let follows_link = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let is_said = |(name, value): &(&str, &str)| said(name) == Some(*value);
        match said("sec-fetch-site") {
            None => Ok(()),
            Some("none") if shows == Shows::Nothing => Ok(()),
            // A link of the page at `/`. A page of a session could go there by itself.
            Some("same-origin") if shows == Shows::Nothing && follows_link.iter().all(is_said) => Ok(()),
            Some("none") if chromedriver.iter().all(is_said) => Ok(()),
            Some(site) => Err(Refused::Page(format!("Sec-Fetch-Site {site}"))),
        }
    }
}

/// Whether the headers include one that a page cannot send.
fn says_no_page(headers: &HeaderMap) -> bool {
    headers.contains_key(NO_PAGE) || headers.contains_key(header::AUTHORIZATION)
}

/// The name or address in a `Host` header. `None` if the header is not written as browsers write it: a canonical name
/// or address, and at most a port. IPv6 addresses may be written in any way.
fn host_of(header: &str) -> Option<Host> {
    let end = if header.starts_with('[') { header.find(']').map(|at| at + 1) } else { header.find(':') };
    let (name, port) = header.split_at(end.unwrap_or(header.len()));
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    Host::parse(&name).ok().filter(|host| matches!(host, Host::Ipv6(_)) || host.to_string() == name)
}

/// `0.0.0.0`, `[::]` and similar addresses, and the IPv6 spellings of IPv4 addresses: connections to them end at this
/// machine.
fn leads_here_untold(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unspecified() || ip.to_ipv4_mapped().is_some(),
    }
}

impl Refused {
    /// The HTTP answer: Chrome's own text where Chrome has this path, and refuses the same request.
    pub fn answer(&self, is_path_of_chrome: bool) -> Answer {
        let page = |detail: &str| problem(StatusCode::FORBIDDEN, "from-a-page", detail);
        match self {
            Self::NoHost(count) => problem(
                StatusCode::BAD_REQUEST,
                "host",
                &format!("this request has {count} Host headers; send one, with the name or address of this server"),
            ),
            Self::Name if !is_path_of_chrome => problem(
                StatusCode::FORBIDDEN,
                "host",
                "the Host of this request is a name that this server does not know, and pages can make a name lead here; \
                 call the server by its address or by localhost, or allow the name with --allow-host",
            ),
            Self::Name => refused_text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Host header is specified and is not an IP address or localhost.",
            ),
            Self::Forwarded(host) => problem(
                StatusCode::FORBIDDEN,
                "host",
                &format!(
                    "Host {host} is not an address of this server, so something forwards to it; start ghostmux with --allow-host {host} or with --public-url, or call the server by localhost"
                ),
            ),
            Self::Page(which) => page(&format!(
                "this request comes from a page ({which}), and pages may not control browsers; allow an origin with --allow-origin"
            )),
            Self::Untold(how) => page(&format!(
                "this request may come from a page: {how}, where Chrome does not mark requests of pages; use 127.0.0.1 or localhost, or allow the host with --allow-host"
            )),
            Self::NoHeader(host) => page(&format!(
                "this request may come from a page, because Chrome does not mark requests of pages to {host}; send the header X-Ghostmux: 1, or use 127.0.0.1 or localhost"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTWARD: &str = "10.0.0.5:9222";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().expect("a value")))
            .collect()
    }

    fn ends(from: &str, to: &str) -> Ends {
        let (from, to) = (from.parse().expect("an address"), to.parse().expect("an address"));
        Ends { from, to, is_tls: false, is_forwarded: false }
    }

    fn from_elsewhere() -> Ends {
        ends("10.0.0.9:40000", OUTWARD)
    }

    fn from_here() -> Ends {
        ends("10.0.0.5:40000", OUTWARD)
    }

    fn local() -> Ends {
        ends("127.0.0.1:40000", "127.0.0.1:9222")
    }

    fn allowing(hosts: &[&str]) -> Guard {
        let hosts = hosts.iter().map(|host| Host::parse(host).expect("a host"));
        Guard { allow_host: hosts.collect(), ..Guard::default() }
    }

    /// The verdict on a `Host` of a connection that was accepted at `to`.
    fn place(guard: &Guard, host: &str, to: IpAddr) -> Result<Place, Refused> {
        guard.place(&host_of(host).ok_or(Refused::Name)?, to)
    }

    /// The verdict on a GET whose answer shows sessions.
    fn get(guard: &Guard, ends: Ends, pairs: &[(&'static str, &str)]) -> Result<(), Refused> {
        let mut request = Request::builder().uri("/json/list").body(()).expect("a request");
        *request.headers_mut() = headers(pairs);
        guard.check(&request, ends, Shows::Sessions, false)
    }

    #[test]
    fn host_header_with_a_name_is_refused_unless_allowed() {
        let guard = allowing(&["box.lan", "[fd00::7]"]);
        for (host, expected) in [
            ("127.0.0.1:9222", Place::Loopback),
            ("127.0.0.1", Place::Loopback),
            ("127.8.0.9:1", Place::Loopback),
            ("localhost", Place::Loopback),
            ("LOCALHOST:1", Place::Loopback),
            ("[::1]:9222", Place::Loopback),
            ("[::1]", Place::Loopback),
            ("a.localhost", Place::Loopback),
            ("10.0.0.5:80", Place::Own),
            ("BOX.lan:9222", Place::Allowed),
            ("[fd00::7]:1", Place::Allowed),
            ("[FD00:0:0::7]:1", Place::Allowed),
            ("[0:0:0:0:0:0:0:1]", Place::Loopback),
        ] {
            assert_eq!(place(&guard, host, from_elsewhere().to.ip()), Ok(expected), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "evil.example:9222",
            "localhost.evil",
            "127.0.0.1:x",
            "127.0.0.1:",
            "127.0.0.1:+80",
            "a].localhost:1",
            "evil.example/x.localhost",
            "evil.example@x.localhost",
            "[::1]x",
            "[evil]",
            "[",
            ":80",
            "",
            // No browser writes a `Host` like these.
            "127.1",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "2130706433",
            "127.0.0.1.",
            "localhost.",
            "127.0.0.1:+80",
            "127.0.0.1:80:80",
            "127.0.0.1:65536",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "127.0.0.1 ",
            " 127.0.0.1",
            "127.0.0.1/",
            "127.0.0.1\\",
            "127.0.0.1#",
            "127.0.0.1,evil.example",
            "１２７.0.0.1",
            "loc%61lhost",
            "ⓛocalhost",
            "loc\u{ad}alhost",
            "[::1%25eth0]",
            "[::1",
            "::1",
        ] {
            assert_eq!(place(&guard, host, from_elsewhere().to.ip()), Err(Refused::Name), "{host}");
        }
    }

    #[test]
    fn host_header_with_an_address_must_be_loopback_or_the_servers_own() {
        let guard = allowing(&["192.168.7.7"]);
        let forwarded = |host: &str| Err(Refused::Forwarded(host.to_owned()));
        assert_eq!(place(&guard, "10.0.0.6:9222", from_elsewhere().to.ip()), forwarded("10.0.0.6"));
        assert_eq!(place(&guard, "10.0.0.5:9222", local().to.ip()), forwarded("10.0.0.5"));
        assert_eq!(place(&guard, "[fd00::1]:9222", local().to.ip()), forwarded("[fd00::1]"));
        assert_eq!(place(&guard, "[fd00::1]:9222", "fd00::1".parse().expect("an address")), Ok(Place::Own));
        // A listener on all addresses of both families reports IPv4 addresses in this form.
        assert_eq!(place(&guard, "10.0.0.5", "::ffff:10.0.0.5".parse().expect("an address")), Ok(Place::Own));
        assert_eq!(place(&guard, "192.168.7.7:80", local().to.ip()), Ok(Place::Allowed));
    }

    #[test]
    fn requests_without_exactly_one_host_header_are_refused() {
        let guard = Guard::default();
        assert_eq!(get(&guard, local(), &[]), Err(Refused::NoHost(0)));
        let two = [("host", "127.0.0.1:9222"), ("host", "127.0.0.1:9222")];
        let mut request = Request::builder().uri("/json/list");
        for (name, value) in two {
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a request");
        assert_eq!(guard.check(&request, local(), Shows::Nothing, false), Err(Refused::NoHost(2)));
    }

    #[test]
    fn requests_that_may_come_from_an_unmarked_page_are_refused() {
        let guard = allowing(&["box.lan"]);
        let ask = |uri: &str, host: &str, ends, shows| {
            let request = Request::builder().uri(uri).header(header::HOST, host).body(()).expect("a request");
            guard.check(&request, ends, shows, false)
        };
        for host in ["0.0.0.0:9222", "0.0.0.0", "0.1.2.3:80", "[::]:9222", "[::ffff:127.0.0.1]:1", "[::ffff:0:0]"] {
            for shows in [Shows::Sessions, Shows::Nothing] {
                assert!(matches!(ask("/json/list", host, local(), shows), Err(Refused::Untold(_))), "{host}");
            }
        }
        for uri in ["http://127.0.0.1:9222/json/list", "http://10.0.0.1/json/list", "//x/json/list"] {
            let asked = ask(uri, "127.0.0.1:9222", local(), Shows::Nothing);
            assert_eq!(matches!(asked, Err(Refused::Untold(_))), uri.starts_with("http"), "{uri}: {asked:?}");
        }
        for host in ["10.0.0.5:9222", "localhost:9222", "127.0.0.1"] {
            for shows in [Shows::Sessions, Shows::Figures] {
                assert!(matches!(ask("/json/list", host, from_here(), shows), Err(Refused::Untold(_))), "{host}");
            }
            assert_eq!(ask("/health", host, from_here(), Shows::Nothing), Ok(()), "{host}");
            assert_eq!(ask("/json/list", host, from_elsewhere(), Shows::Sessions), Ok(()), "{host}");
        }
        assert_eq!(place(&allowing(&["0.0.0.0"]), "0.0.0.0:9222", local().to.ip()), Ok(Place::Allowed));
    }

    #[test]
    fn requests_by_an_allowed_name_need_a_header_that_pages_cannot_send() {
        let guard = allowing(&["box.lan", "10.0.0.5"]);
        let named = ("host", "box.lan:9222");
        for ends in [local(), from_here(), from_elsewhere()] {
            assert!(matches!(get(&guard, ends, &[named]), Err(Refused::NoHeader(_))), "{ends:?}");
            for header in [(NO_PAGE, "1"), ("authorization", "Bearer x")] {
                assert_eq!(get(&guard, ends, &[named, header]), Ok(()), "{ends:?}");
            }
            // A page that Chrome marks is refused even with the header.
            let page = [named, (NO_PAGE, "1"), ("sec-fetch-site", "same-origin")];
            assert!(matches!(get(&guard, ends, &page), Err(Refused::Page(_))));
        }
        // The operator allowed the address, and Chrome does not mark requests of pages of this machine to it.
        assert!(matches!(get(&guard, from_here(), &[("host", OUTWARD)]), Err(Refused::NoHeader(_))));
        let ask = |method: Method, shows, upgrade| {
            let request = Request::builder().method(method).uri("/").header(named.0, named.1).body(()).expect("one");
            guard.check(&request, from_elsewhere(), shows, upgrade)
        };
        for (method, shows, upgrade) in [
            (Method::GET, Shows::Nothing, false),
            (Method::GET, Shows::Figures, false),
            (Method::GET, Shows::Sessions, true),
            (Method::PUT, Shows::Sessions, false),
            (Method::DELETE, Shows::Sessions, false),
        ] {
            assert_eq!(ask(method.clone(), shows, upgrade), Ok(()), "{method} {shows:?} {upgrade}");
        }
        assert!(matches!(ask(Method::HEAD, Shows::Sessions, false), Err(Refused::NoHeader(_))));
    }

    #[test]
    fn requests_that_a_proxy_forwards_need_a_header_that_pages_cannot_send() {
        let guard = Guard { allow_host: vec![Host::parse("box.lan").expect("a host")], ..Guard::default() };
        let ends = Ends { is_forwarded: true, ..ends("203.0.113.9:40000", "127.0.0.1:9222") };
        for host in ["localhost", "127.0.0.1:9222", "box.lan"] {
            let asked = get(&guard, ends, &[("host", host)]);
            assert!(matches!(asked, Err(Refused::NoHeader(_))), "{host}: {asked:?}");
            assert_eq!(get(&guard, ends, &[("host", host), (NO_PAGE, "1")]), Ok(()), "{host}");
        }
        assert_eq!(get(&guard, ends, &[("host", "evil.example"), (NO_PAGE, "1")]), Err(Refused::Name));
    }

    #[test]
    fn connections_from_this_machine_to_its_network_address_are_roundabout() {
        assert!(is_roundabout(ends("172.17.0.2:40000", "172.17.0.2:9222")));
        assert!(is_roundabout(ends("[fd00::1]:40000", "[fd00::1]:9222")));
        for (from, to) in [
            ("127.0.0.1:40000", "127.0.0.1:9222"),
            ("[::1]:40000", "[::1]:9222"),
            ("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:9222"),
            ("172.17.0.1:40000", "172.17.0.2:9222"),
        ] {
            assert!(!is_roundabout(ends(from, to)), "{from} {to}");
        }
    }

    #[test]
    fn pages_are_refused_and_people_may_open_public_answers() {
        let guard = Guard { allow_origin: vec!["https://tool.example".into()], ..Guard::default() };
        let is_refused = |pairs: &[(&'static str, &str)], shows| {
            matches!(guard.check_page(&headers(pairs), shows), Err(Refused::Page(_)))
        };
        assert!(is_refused(&[("origin", "http://127.0.0.1:9222")], Shows::Nothing));
        assert!(is_refused(&[("origin", "null")], Shows::Nothing));
        assert!(!is_refused(&[("origin", "https://TOOL.example")], Shows::Sessions));
        for site in ["cross-site", "same-origin", "same-site", "other"] {
            assert!(is_refused(&[("sec-fetch-site", site)], Shows::Nothing), "{site}");
        }
        let navigation = [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        for shows in [Shows::Sessions, Shows::Figures] {
            assert!(is_refused(&[("sec-fetch-site", "none")], shows));
            assert!(is_refused(&navigation, shows));
        }
        assert!(!is_refused(&[("sec-fetch-site", "none")], Shows::Nothing));
        // A link on a page that this server serves.
        let link = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(!is_refused(&link, Shows::Nothing));
        assert!(is_refused(&link, Shows::Sessions) && is_refused(&link, Shows::Figures));
        for site in ["cross-site", "same-site"] {
            assert!(is_refused(&[("sec-fetch-site", site), link[1], link[2]], Shows::Nothing), "{site}");
        }
        assert!(is_refused(&[link[0], link[1], ("sec-fetch-dest", "iframe")], Shows::Nothing));
        // Chrome sends each of them once; somebody in between may have added one.
        assert!(is_refused(&[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], Shows::Nothing));
        assert!(is_refused(&[link[0], link[1], link[2], ("sec-fetch-dest", "iframe")], Shows::Nothing));
    }

    #[test]
    fn chromedriver_is_accepted_and_chromes_own_fetches_are_refused() {
        let words = [("sec-fetch-site", "none"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "empty")];
        let said_by = |agent| Guard::default().check_page(&headers(&[&words[..], &[agent]].concat()), Shows::Sessions);
        assert_eq!(said_by(("user-agent", "chromedriver")), Ok(()));
        for agent in ["Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/156.0.0.0", "", "chromedriver/1"] {
            assert!(matches!(said_by(("user-agent", agent)), Err(Refused::Page(_))), "{agent:?}");
        }
        assert!(matches!(Guard::default().check_page(&headers(&words), Shows::Sessions), Err(Refused::Page(_))));
    }
}
