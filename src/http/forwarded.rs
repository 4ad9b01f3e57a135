//! Decides, once per request, from where it comes and by which URL its client reached this server. Everything behind this
//! file uses the result, and sees none of the headers.
//!
//! Proxies write `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`, or `Forwarded` (RFC 7239). A client can send the same
//! headers, so they count only on connections of a trusted proxy. Most proxies pass on what they do not write themselves.
//! Therefore the client is the last address that is not a trusted proxy's, and where both kinds of headers are present they
//! must name the same client: else one of them is forged.
//!
//! Pages of this machine's browsers connect from it too, and their tenants can add headers to their requests. So a proxy
//! on this machine is believed only with the secret of [`SECRET`].

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, request::Parts, uri::PathAndQuery};
use ipnet::IpNet;
use url::Host;

use super::{
    ends::Ends,
    reply::{Answer, problem},
};
use crate::{
    config::{Config, ProxySecret, may_be_stripped, prefix},
    session::manager::BaseUrl,
};

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const PREFIX: &str = "x-forwarded-prefix";
/// The header in which a proxy shows that it is one.
const SECRET: &str = "x-ghostmux-proxy";

/// What the operator says of the proxies in front of this server.
#[derive(Clone, Debug, Default)]
pub struct Front {
    public: Option<(Host, Arc<BaseUrl>)>,
    trusted: Vec<IpNet>,
    secret: Option<ProxySecret>,
}

/// How a request came here.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    is_tls: bool,
    prefix: String,
    public: Option<Arc<BaseUrl>>,
}

impl Arrival {
    /// The prefix of the URLs that the client gets.
    pub(super) fn prefix(&self) -> &str {
        self.public.as_ref().map_or(&self.prefix, |public| public.prefix())
    }

    /// The URL by which the client reached this server, if it named this host.
    pub(super) fn base(&self, host: &str) -> Arc<BaseUrl> {
        let asked = || Arc::new(BaseUrl::new(self.is_tls, host, &self.prefix));
        self.public.clone().unwrap_or_else(asked)
    }
}

/// Why the headers of a proxy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The request comes from a trusted network with such headers, and without the secret.
    NoSecret,
    /// None names the client.
    NoClient,
    /// A header has a value that cannot be read.
    Unreadable(&'static str, String),
    /// `X-Forwarded-For` and `Forwarded` name different clients.
    Disagree,
}

/// What the headers of a trusted proxy say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    client: Option<SocketAddr>,
    is_tls: Option<bool>,
    host: Option<String>,
    prefix: Option<String>,
}

impl Front {
    /// What these settings say.
    pub fn new(config: &Config) -> Self {
        let public = config.public_url.as_ref().map(|url| {
            let base = BaseUrl::new(url.is_tls, &url.authority, &url.prefix);
            (url.host.clone(), Arc::new(base))
        });
        Self { public, trusted: config.trusted_proxy.clone(), secret: config.proxy_secret.clone() }
    }

    /// Whether this is the host of the public URL.
    pub(super) fn is_public(&self, host: &Host) -> bool {
        self.public.as_ref().is_some_and(|(public, _)| public == host)
    }

    /// How a request came. Its client's address, its host and its path are then those that the client used.
    pub(super) fn arrival(&self, parts: &mut Parts) -> Result<Arrival, (Wrong, IpAddr)> {
        let ends = parts.extensions.get_mut::<Ends>();
        let Some(ends) = ends else { return Err((Wrong::NoClient, IpAddr::from([0, 0, 0, 0]))) };
        let from = ends.from.ip();
        let headers = &mut parts.headers;
        let secret = headers.remove(SECRET);
        let said = if self.trusts(ends, secret.as_ref()) {
            let said = Said::read(headers, |address| self.is_proxy(address)).map_err(|wrong| (wrong, from))?;
            (said != Said::default() || secret.is_some()).then_some(said)
        } else if self.secret.is_some() && self.is_proxy(from) && (secret.is_some() || is_forwarded(headers)) {
            return Err((Wrong::NoSecret, from));
        } else {
            None
        };
        for name in [FOR, PROTO, HOST, PREFIX, "forwarded"] {
            headers.remove(name);
        }
        let mut arrival =
            Arrival { is_tls: ends.is_tls, prefix: String::new(), public: self.public.clone().map(|(_, base)| base) };
        if let Some(said) = said {
            ends.from = said.client.ok_or((Wrong::NoClient, from))?;
            ends.is_forwarded = true;
            arrival.is_tls = said.is_tls.unwrap_or(arrival.is_tls);
            arrival.prefix = said.prefix.unwrap_or_default();
            if let Some(host) = said.host {
                let unreadable = |_| (Wrong::Unreadable("host", host.clone()), from);
                headers.insert(header::HOST, HeaderValue::try_from(host.as_str()).map_err(unreadable)?);
            }
        }
        strip(&mut parts.uri, arrival.prefix());
        Ok(arrival)
    }

    /// Whether the headers of this connection are those of a trusted proxy.
    fn trusts(&self, ends: &Ends, secret: Option<&HeaderValue>) -> bool {
        self.is_proxy(ends.from.ip())
            && match &self.secret {
                Some(wanted) => secret.is_some_and(|secret| wanted.is(secret.as_bytes())),
                None => !ends.is_from_here(),
            }
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    [FOR, PROTO, HOST, PREFIX, "forwarded"].iter().any(|name| headers.contains_key(*name))
}

/// Removes a prefix from the path, if it begins with that.
fn strip(uri: &mut Uri, prefix: &str) {
    if prefix.is_empty() || !may_be_stripped(prefix) {
        return;
    }
    let Some(rest) = uri.path_and_query().and_then(|whole| whole.as_str().strip_prefix(prefix)) else { return };
    let rest = match rest.bytes().next() {
        Some(b'/') => rest.to_owned(),
        None | Some(b'?') => format!("/{rest}"),
        // Another word that begins with the last one of the prefix.
        Some(_) => return,
    };
    // A part of a valid URI is one.
    if let Ok(rest) = PathAndQuery::try_from(rest) {
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(rest);
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

impl Said {
    /// Reads the headers of a trusted proxy. `is_proxy` tells which addresses are such proxies.
    fn read(headers: &HeaderMap, is_proxy: impl Fn(IpAddr) -> bool) -> Result<Self, Wrong> {
        let standard = Self::of_standard(headers, &is_proxy)?;
        let usual = Self::of_usual(headers, &is_proxy)?;
        if let (Some(one), Some(other)) = (standard.client, usual.client)
            && one.ip() != other.ip()
        {
            return Err(Wrong::Disagree);
        }
        Ok(Self {
            client: usual.client.or(standard.client),
            is_tls: usual.is_tls.or(standard.is_tls),
            host: usual.host.or(standard.host),
            prefix: usual.prefix,
        })
    }

    /// `X-Forwarded-…`.
    fn of_usual(headers: &HeaderMap, is_proxy: &impl Fn(IpAddr) -> bool) -> Result<Self, Wrong> {
        let mut client = None;
        for node in values(headers, FOR)?.rsplit(',').map(str::trim).filter(|node| !node.is_empty()) {
            let address = address(node).ok_or_else(|| unreadable("X-Forwarded-For", node))?;
            client = Some(address);
            if !is_proxy(address.ip()) {
                break;
            }
        }
        // The last value is that of the proxy from which the request comes.
        let last = |name| Ok(values(headers, name)?.rsplit(',').next().map(|text| text.trim().to_owned()));
        let last = |name| last(name).map(|text: Option<String>| text.filter(|text| !text.is_empty()));
        let is_tls = last(PROTO)?.map(|text| is_tls(&text).ok_or_else(|| unreadable("X-Forwarded-Proto", &text)));
        let prefix = last(PREFIX)?.map(|text| match prefix(&text) {
            Some(prefix) => Ok(prefix.to_owned()),
            None => Err(unreadable("X-Forwarded-Prefix", &text)),
        });
        Ok(Self { client, is_tls: is_tls.transpose()?, host: last(HOST)?, prefix: prefix.transpose()? })
    }

    /// `Forwarded`.
    fn of_standard(headers: &HeaderMap, is_proxy: &impl Fn(IpAddr) -> bool) -> Result<Self, Wrong> {
        let text = values(headers, "forwarded")?;
        let wrong = || unreadable("Forwarded", &text);
        let mut said = Self::default();
        // The element of each proxy tells of the connection to it.
        for element in unquoted_split(&text, ',').ok_or_else(wrong)?.into_iter().rev() {
            let mut of_element = Self::default();
            for pair in unquoted_split(element, ';').ok_or_else(wrong)? {
                let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
                let value = plain(value.trim());
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => of_element.client = Some(address(&value).ok_or_else(wrong)?),
                    "proto" => of_element.is_tls = Some(is_tls(&value).ok_or_else(wrong)?),
                    "host" => of_element.host = Some(value),
                    _ => {}
                }
            }
            let client = of_element.client;
            said = of_element;
            if client.is_none_or(|client| !is_proxy(client.ip())) {
                break;
            }
        }
        Ok(said)
    }
}

fn unreadable(header: &'static str, value: &str) -> Wrong {
    Wrong::Unreadable(header, value.chars().take(100).collect())
}

/// All values of a header, as one list.
fn values(headers: &HeaderMap, name: &'static str) -> Result<String, Wrong> {
    let mut all = String::new();
    for value in headers.get_all(HeaderName::from_static(name)) {
        let text = value.to_str().map_err(|_| unreadable(name, &String::from_utf8_lossy(value.as_bytes())))?;
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(text);
    }
    Ok(all)
}

/// The address of a node: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`. The port is 0
/// where it is not given.
fn address(node: &str) -> Option<SocketAddr> {
    let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
    node.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse().ok()?, 0)))
}

fn is_tls(proto: &str) -> Option<bool> {
    match proto.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

/// The non-empty parts of a text between the separators that are not in quotes. `None` if a quote has no end.
fn unquoted_split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut begin, mut in_quotes, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if in_quotes => is_escaped = true,
            '"' => in_quotes = !in_quotes,
            letter if letter == separator && !in_quotes => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts.retain(|part| !part.is_empty());
    (!in_quotes).then_some(parts)
}

/// A token, or a quoted string without its quotes.
fn plain(value: &str) -> String {
    let Some(quoted) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.to_owned() };
    let mut is_escaped = false;
    let keep = |letter: &char| {
        is_escaped = *letter == '\\' && !is_escaped;
        !is_escaped
    };
    quoted.chars().filter(keep).collect()
}

impl Wrong {
    /// The answer to a request from this address.
    pub(super) fn answer(&self, from: IpAddr) -> Answer {
        let (status, detail) = match self {
            Self::NoSecret => (
                StatusCode::FORBIDDEN,
                format!(
                    "this request has headers of a proxy, and comes from {from}, a trusted proxy, without the secret of proxy_secret; let the proxy send it in X-Ghostmux-Proxy"
                ),
            ),
            Self::NoClient => (
                StatusCode::BAD_REQUEST,
                format!(
                    "the proxy at {from} does not say for which client this request is; let it send X-Forwarded-For, or Forwarded with for="
                ),
            ),
            Self::Unreadable(header, value) => {
                (StatusCode::BAD_REQUEST, format!("{header} of the proxy at {from} cannot be read: {value:?}"))
            }
            Self::Disagree => (
                StatusCode::BAD_REQUEST,
                format!(
                    "X-Forwarded-For and Forwarded name different clients; let the proxy at {from} remove the one that it does not write"
                ),
            ),
        };
        problem(status, "proxy", &detail)
    }
}

#[cfg(test)]
mod tests;
