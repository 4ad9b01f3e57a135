//! Takes the token or the key out of a request, so that nothing behind this file sees it: no handler, no log, no URL that
//! is handed out.
//!
//! | place | for |
//! |---|---|
//! | `Authorization: Bearer TOKEN` | programs |
//! | `x-api-key: TOKEN` | programs that know this header from other services |
//! | `/t/TOKEN/…` | clients that drop the query of a URL |
//! | `?token=TOKEN` | clients that take only a URL |
//! | `TOKEN.NAME` as host, of `--token-host *.NAME` | Puppeteer up to 24, which drops path and query of a `browserURL` |
//! | `?key=KEY` | URLs that the server handed out |
//!
//! The first place in this order that has one counts. The token is removed from all of them.

use axum::http::{HeaderMap, HeaderValue, Uri, header, request::Parts, uri::PathAndQuery};
use percent_encoding::percent_decode_str;

use super::session_of;
use crate::{
    config::TokenHost,
    tenant::{Presented, Secret},
};

/// The header that other services use for tokens.
pub(super) const API_KEY: &str = "x-api-key";
/// The first label of the host in URLs for a client that came with a token there.
const NO_TOKEN: &str = "ghostmux";
/// The only path whose query is not one of this server: it is the URL of a page.
const NEW_PAGE: &str = "/json/new";

/// Removes what a request presents from its headers and its URI, and returns it.
pub(super) fn take(parts: &mut Parts, hosts: &[TokenHost]) -> Presented {
    let by_header = of_headers(&mut parts.headers);
    let (path, by_path) = of_path(parts.uri.path());
    let (query, by_query, key) = of_query(path, parts.uri.query());
    let key = key.map(|key| of_key(&key, path));
    if by_path.is_some() || query.as_deref() != parts.uri.query() {
        let rest = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        // The parts of a valid URI make one.
        if let Ok(rest) = PathAndQuery::try_from(rest) {
            let mut uri = std::mem::take(&mut parts.uri).into_parts();
            uri.path_and_query = Some(rest);
            parts.uri = Uri::from_parts(uri).unwrap_or_default();
        }
    }
    let by_host = of_host(&mut parts.headers, hosts);
    let token = by_header.or(by_path).or(by_query).or(by_host);
    token.map(Presented::Token).or(key).unwrap_or(Presented::Nothing)
}

fn of_headers(headers: &mut HeaderMap) -> Option<Secret> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim().to_owned()))
    });
    // Another scheme is for somebody in front of this server.
    headers.remove(header::AUTHORIZATION);
    let key = headers.remove(API_KEY).and_then(|value| Some(Secret::new(value.to_str().ok()?.trim().to_owned())));
    bearer.or(key)
}

/// The path without its token, and the token.
fn of_path(path: &str) -> (&str, Option<Secret>) {
    let Some(rest) = path.strip_prefix("/t/") else { return (path, None) };
    let (token, rest) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    (rest, Some(Secret::new(decoded(token))))
}

/// The query without its token and its key, and these. The query of `/json/new` is the URL of a page, which may have a
/// token of its own: there only the begin counts.
fn of_query(path: &str, query: Option<&str>) -> (Option<String>, Option<Secret>, Option<String>) {
    let Some(query) = query else { return (None, None, None) };
    let is_url = session_of(path).1.trim_end_matches('/') == NEW_PAGE;
    let (mut token, mut key, mut rest, mut is_begin) = (None, None, Vec::new(), true);
    for pair in query.split('&') {
        let counts = is_begin || !is_url;
        match pair.split_once('=') {
            Some(("token", text)) if counts => _ = token.get_or_insert_with(|| Secret::new(decoded(text))),
            Some(("key", text)) if counts => _ = key.get_or_insert_with(|| decoded(text)),
            _ => {
                is_begin = false;
                rest.push(pair);
            }
        }
    }
    let rest = (!rest.is_empty()).then(|| rest.join("&"));
    (rest, token, key)
}

/// A key, and the session for which it must be: the one that it names, or that of the path.
fn of_key(text: &str, path: &str) -> Presented {
    let of_path = path.strip_prefix("/devtools/browser/").unwrap_or_default().trim_end_matches('/');
    let (key, session) = text.split_once('.').unwrap_or((text, of_path));
    Presented::Key(Secret::new(key.to_owned()), session.to_owned())
}

/// The token in the host's first label. The header then has another label in its place.
fn of_host(headers: &mut HeaderMap, hosts: &[TokenHost]) -> Option<Secret> {
    let host = headers.get(header::HOST)?.to_str().ok()?.to_ascii_lowercase();
    let (name, port) = host.find(':').map_or((host.as_str(), ""), |at| host.split_at(at));
    let label = hosts.iter().find_map(|host| host.label(name))?;
    if label == NO_TOKEN {
        return None;
    }
    // Not every resolver and certificate accepts `_` in a name.
    let token = Secret::new(label.replace('-', "_"));
    let plain = format!("{NO_TOKEN}{}{port}", &name[label.len()..]);
    headers.insert(header::HOST, HeaderValue::try_from(plain).ok()?);
    Some(token)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::config::{Config, RawConfig};

    const TOKEN: &str = "gmx_a_b";

    fn hosts() -> Vec<TokenHost> {
        let tenants = ["/tmp/tenants.toml".to_owned()];
        let settings = RawConfig::default().with("token_host", ["*.ghost.example".to_owned()]).with("tenants", tenants);
        Config::load(settings, []).expect("settings").token_host
    }

    /// What a request presents, and its URI and host afterwards.
    fn taken(uri: &str, headers: &[(&str, &str)]) -> (Presented, String, String) {
        let mut request = Request::builder().uri(uri).header("host", "127.0.0.1:9222");
        for (name, value) in headers {
            request.headers_mut().expect("a request").insert(
                header::HeaderName::try_from(*name).expect("a name"),
                HeaderValue::try_from(*value).expect("a value"),
            );
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let presented = take(&mut parts, &hosts());
        let shown = format!("{parts:?}");
        assert!(!shown.contains(TOKEN) && !shown.contains("gmx-a-b"), "{shown}");
        (presented, parts.uri.to_string(), parts.headers["host"].to_str().expect("text").to_owned())
    }

    fn token(presented: &Presented) -> Option<&str> {
        match presented {
            Presented::Token(token) => Some(token.reveal()),
            _ => None,
        }
    }

    #[test]
    fn tokens_are_taken_from_every_place_and_leave_no_trace() {
        let bearer = format!("bearer {TOKEN}");
        for (uri, headers, rest) in [
            ("/json/list", vec![("authorization", bearer.as_str())], "/json/list"),
            ("/v1/sessions?limit=1", vec![("x-api-key", TOKEN)], "/v1/sessions?limit=1"),
            ("/t/gmx_a_b/json/version?x=1", vec![], "/json/version?x=1"),
            ("/t/gmx_a_b", vec![], "/"),
            ("/t/gmx_a_b/", vec![], "/"),
            ("/?token=gmx_a_b", vec![], "/"),
            ("/?timeout=5&token=gmx%5Fa_b&name=x", vec![], "/?timeout=5&name=x"),
            ("/s/shop/json/list?token=gmx_a_b", vec![], "/s/shop/json/list"),
            ("/json/new?token=gmx_a_b&http://x/?a=1&token=page", vec![], "/json/new?http://x/?a=1&token=page"),
            ("/devtools/browser/s?key=k&token=gmx_a_b", vec![], "/devtools/browser/s"),
            ("/t/gmx_a_b/?token=gmx_a_b", vec![("x-api-key", TOKEN), ("authorization", &bearer)], "/"),
        ] {
            let (presented, uri_after, _) = taken(uri, &headers);
            assert_eq!((token(&presented), uri_after.as_str()), (Some(TOKEN), rest), "{uri}");
        }
    }

    #[test]
    fn hosts_with_a_token_are_replaced_in_what_others_see() {
        for (host, plain) in [
            ("gmx_a_b.ghost.example", "ghostmux.ghost.example"),
            ("GMX-A-B.Ghost.Example:8443", "ghostmux.ghost.example:8443"),
        ] {
            let (presented, _, host_after) = taken("/json/version", &[("host", host)]);
            assert_eq!((token(&presented), host_after.as_str()), (Some(TOKEN), plain), "{host}");
        }
        for host in ["ghostmux.ghost.example", "ghost.example", "a.b.ghost.example", "127.0.0.1:9222"] {
            let (presented, _, host_after) = taken("/", &[("host", host)]);
            assert_eq!((token(&presented), host_after.as_str()), (None, host), "{host}");
        }
    }

    #[test]
    fn keys_name_their_session_or_the_path_does() {
        for (uri, key, session) in [
            ("/devtools/browser/s1?key=k", "k", "s1"),
            ("/devtools/browser/s1/?key=k&timeout=5", "k", "s1"),
            ("/devtools/page/T?key=k.s1", "k", "s1"),
            ("/s/shop?key=k.shop~acme", "k", "shop~acme"),
            ("/kill/s1?key=k.a.b", "k", "a.b"),
            ("/devtools/page/T?key=k", "k", ""),
        ] {
            let (presented, rest, _) = taken(uri, &[]);
            let Presented::Key(found, of) = presented else { panic!("{uri}: {presented:?}") };
            assert_eq!((found.reveal().as_str(), of.as_str()), (key, session), "{uri}");
            assert!(!rest.contains("key="), "{rest}");
        }
        assert!(matches!(taken("/json/new?http://x/?key=k", &[]).0, Presented::Nothing));
        assert!(matches!(taken("/?keys=1&tokens=2", &[]).0, Presented::Nothing));
    }
}
