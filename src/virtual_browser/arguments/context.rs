//! The rule for the members of `Target.createBrowserContext`.
//!
//! *Measured:* Chrome takes the last bypass rule that fits, and `<-loopback>;127.0.0.1`, `0.0.0.0/0`, `direct://`, an empty
//! `proxyServer` and no list at all go around the proxy. So where there is a gate, nothing of what a client writes here gets to
//! Chrome.

use crate::{
    cdp::{error::CdpError, json_object::JsonObject},
    port::{NamedProxy, NewContext},
    virtual_browser::policy::Refusal,
};

/// The context that a client asks for; the error is its reply. The params must have passed
/// [`check_browser_context`](super::check_browser_context).
pub fn new_context(params: &JsonObject<'_>, is_gated: bool) -> Result<NewContext, CdpError> {
    // Chrome refuses a member of a wrong type, `null` included.
    let text = |name| params.get(name).map(|_| params.string(name).ok_or(CdpError::INVALID)).transpose();
    if params.has("disposeOnDetach") && params.read_as::<bool>("disposeOnDetach").is_none() {
        return Err(CdpError::INVALID);
    }
    let (server, bypass) = (text("proxyServer")?, text("proxyBypassList")?);
    let proxy = server.map(|server| NamedProxy { server, bypass });
    if !is_gated {
        return Ok(NewContext { proxy });
    }
    let proxy = proxy.filter(|proxy| !is_direct(&proxy.server));
    match &proxy {
        Some(proxy) => Err(CdpError { code: Refusal::CODE, message: refusal(&proxy.server).into(), data: None }),
        None => Ok(NewContext { proxy }),
    }
}

/// Whether Chrome would use no proxy.
fn is_direct(server: &str) -> bool {
    let server = server.trim();
    server.is_empty() || server.eq_ignore_ascii_case("direct://")
}

/// Why a session whose requests pass a gate cannot have a context with this proxy.
fn refusal(server: &str) -> String {
    let scheme = server.trim().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let form = if server.contains(['=', ';']) {
        Some("a proxy for each scheme (http=...;https=...)")
    } else if server.contains(',') {
        Some("a list of proxies")
    } else {
        match scheme.as_deref() {
            Some("socks4") => Some("a SOCKS4 proxy"),
            Some(scheme) if scheme.starts_with("pac") => Some("a PAC script"),
            _ => None,
        }
    };
    let what = form.unwrap_or("a proxy of its own");
    format!(
        "'Target.createBrowserContext' with {what} is refused: requests of this session leave through its own gate \
         (egress), which uses no further proxy; leave proxyServer out"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(params: &str, is_gated: bool) -> Result<NewContext, String> {
        let params = JsonObject::read(params).expect("an object");
        new_context(&params, is_gated).map_err(|error| error.message.into_owned())
    }

    #[test]
    fn proxies_of_clients_reach_chrome_only_where_there_is_no_gate() {
        let proxy = |server: &str, bypass: Option<&str>| {
            Ok(NewContext { proxy: Some(NamedProxy { server: server.to_owned(), bypass: bypass.map(str::to_owned) }) })
        };
        for (server, bypass) in [("http://p:3128", None), ("direct://", Some("*")), ("", Some(""))] {
            let list = bypass.map(|list| format!(r#","proxyBypassList":"{list}""#)).unwrap_or_default();
            let params = format!(r#"{{"proxyServer":"{server}"{list}}}"#);
            assert_eq!(new(&params, false), proxy(server, bypass), "{params}");
        }
        assert_eq!(new(r#"{"proxyBypassList":"x","unknown":1}"#, false), Ok(NewContext::default()));
        for params in [
            "{}",
            r#"{"proxyBypassList":"<-loopback>;127.0.0.1"}"#,
            r#"{"proxyServer":"","proxyBypassList":"0.0.0.0/0"}"#,
            r#"{"proxyServer":"direct://"}"#,
            r#"{"proxyServer":"\tDiRecT:// "}"#,
        ] {
            assert_eq!(new(params, true), Ok(NewContext::default()), "{params}");
        }
    }

    #[test]
    fn proxies_that_get_around_the_gate_are_refused_by_name() {
        for (server, what) in [
            ("http=a:1;https=b:2", "a proxy for each scheme"),
            ("http://a:1,direct://", "a list of proxies"),
            ("direct://,http://a:1", "a list of proxies"),
            ("SOCKS4://a:1", "a SOCKS4 proxy"),
            ("pac+https://a/x.pac", "a PAC script"),
            ("pac_url://a", "a PAC script"),
            ("127.0.0.1:1", "a proxy of its own"),
            ("direct", "a proxy of its own"),
        ] {
            let why = new(&format!(r#"{{"proxyServer":"{server}"}}"#), true).expect_err(server);
            assert!(why.contains(what) && why.contains("leave proxyServer out"), "{server}: {why}");
        }
    }
}
