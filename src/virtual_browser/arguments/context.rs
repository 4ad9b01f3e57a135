//! The rule for the members of `Target.createBrowserContext`.
//!
//! *Measured:* Chrome takes the last bypass rule that fits, and `<-loopback>;127.0.0.1`, `0.0.0.0/0`, `direct://`, an empty
//! `proxyServer` and no list at all go around the proxy. So where there can be a gate, nothing of what a client writes here gets
//! to Chrome.

use crate::{
    cdp::{error::CdpError, json_object::JsonObject},
    port::{
        ContextProxy, NewContext,
        egress::{BadProxy, Bypass, NamedBy, UpstreamProxy, proxy_choice},
    },
    virtual_browser::policy::Refusal,
};

/// The context that a client asks for; the error is its reply. The params must have passed
/// [`check_browser_context`](super::check_browser_context).
pub fn new_context(params: &JsonObject<'_>, has_gates: bool) -> Result<NewContext, CdpError> {
    // Chrome refuses a member of a wrong type, `null` included.
    let text = |name| params.get(name).map(|_| params.string(name).ok_or(CdpError::INVALID)).transpose();
    if params.has("disposeOnDetach") && params.read_as::<bool>("disposeOnDetach").is_none() {
        return Err(CdpError::INVALID);
    }
    let (server, bypass) = (text("proxyServer")?, text("proxyBypassList")?);
    let Some(server) = server else { return Ok(NewContext::default()) };
    let proxy = if has_gates {
        let bypass = bypass.unwrap_or_default();
        let with_bypass = |upstream: UpstreamProxy| Ok(upstream.with_bypass(Bypass::of_chrome(&bypass)?));
        let upstream = proxy_choice(&server, NamedBy::Tenant).and_then(|choice| choice.map(with_bypass).transpose());
        upstream.map_err(refused)?.map_or(ContextProxy::None, ContextProxy::UpstreamProxy)
    } else {
        ContextProxy::AsWritten { server, bypass }
    };
    Ok(NewContext { proxy })
}

fn refused(why: BadProxy) -> CdpError {
    let message = format!("'Target.createBrowserContext' with this proxy is refused: {why}");
    CdpError { code: Refusal::CODE, message: message.into(), data: None }
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
            let (server, bypass) = (server.to_owned(), bypass.map(str::to_owned));
            Ok(NewContext { proxy: ContextProxy::AsWritten { server, bypass } })
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
            ("http=a:1;https=b:2", "for each scheme"),
            ("http://a:1,direct://", "a list of proxies"),
            ("direct://,http://a:1", "a list of proxies"),
            ("SOCKS4://a:1", "SOCKS4 is not supported"),
            ("pac+https://a/x.pac", "a proxy script"),
            ("https://user:secret@a:1", "through TLS"),
            ("ftp://a:1", "the scheme of a proxy"),
        ] {
            let why = new(&format!(r#"{{"proxyServer":"{server}"}}"#), true).expect_err(server);
            assert!(why.contains(what) && !why.contains("secret"), "{server}: {why}");
        }
        let bypass = r#"{"proxyServer":"a:1","proxyBypassList":"http://x"}"#;
        assert!(new(bypass, true).expect_err("no such rule").contains("the bypass list"));
        let behind =
            new(r#"{"proxyServer":"socks5://user:secret@a:1","proxyBypassList":"*.b"}"#, true).expect("a proxy");
        assert!(matches!(&behind.proxy, ContextProxy::UpstreamProxy(_)) && !format!("{behind:?}").contains("secret"));
    }
}
