//! The proxy of a session: how a request names it, and how it is compared and told.

use sha2::{Digest as _, Sha256};

use crate::{
    api_types::{Bad, WantedProxy},
    port::egress::{BadProxy, Bypass, Credentials, GateFront, NamedBy, UpstreamProxy, proxy_choice},
    session::id::SessionId,
};

/// Reads the proxy that a request names. `None` is the way out that sessions of this tenant have anyway, which `direct://`
/// means too. An error names the option and the rule, and not the value, which may have a password.
pub(super) fn read(wanted: &WantedProxy) -> Result<Option<UpstreamProxy>, Bad> {
    let WantedProxy { option, server, bypass, credentials } = wanted;
    let bad = |why: BadProxy| Bad::new(option, format!("is refused: {why}"));
    let list = bypass.as_deref().unwrap_or_default();
    let list = if wanted.is_flag() { Bypass::of_chrome(list) } else { Bypass::parse(list) }.map_err(bad)?;
    let Some(upstream) = proxy_choice(server.reveal(), NamedBy::Tenant).map_err(bad)? else { return Ok(None) };
    let upstream = upstream.with_bypass(list);
    let Some((user, password)) = credentials else { return Ok(Some(upstream)) };
    let credentials = Credentials::new(user.reveal().clone(), password.reveal().clone()).map_err(bad)?;
    Ok(Some(upstream.with_credentials(credentials)))
}

/// The front of the gates of a session with these proxies, if they are not those that all sessions of the server have.
pub(super) fn gate_of(
    proxy: Option<&UpstreamProxy>,
    of_tenant: Option<&UpstreamProxy>,
    is_gated: bool,
) -> Option<GateFront> {
    // No client has credentials of the operator's proxy, so no challenge of that is relayed.
    let front = proxy.map_or_else(|| of_tenant.map(|_| GateFront::default()), |proxy| Some(proxy.front()))?;
    (!is_gated || front != GateFront::default()).then_some(front)
}

/// What stands for a session in the user of a proxy (`{session}`). It is the same for a session as long as it lives, also
/// when it was hibernated. It is not the id, by which the session could be connected to.
pub(super) fn word_for(id: &SessionId) -> String {
    let digest = Sha256::new()
        .chain_update(b"ghostmux proxy user")
        .chain_update(id.owner().as_str())
        .chain_update([0])
        .chain_update(id.as_str())
        .finalize();
    data_encoding::HEXLOWER.encode(&digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::{Owner, Secret};

    fn wanted(server: &str, bypass: Option<&str>) -> WantedProxy {
        let given = WantedProxy::of(Some(Secret::new(server.to_owned())), bypass.map(str::to_owned));
        given.expect("good").expect("a proxy")
    }

    #[test]
    fn proxies_that_cannot_be_read_are_named_by_option_and_rule_alone() {
        for (server, bypass, rule) in [
            ("socks4://u:hidden@p:1", None, "SOCKS4"),
            ("http://u:hidden@p:0", None, "host or the port"),
            ("http=u:hidden@p:1;https=p:2", None, "for each scheme"),
            ("p:1,q:2", None, "a list of proxies"),
            ("pac+http://hidden/x", None, "PAC"),
            ("http://p:1", Some("http://hidden"), "the bypass list"),
            ("http://p:1:u:hidden", None, "host or the port"),
        ] {
            let bad = read(&wanted(server, bypass)).expect_err(server).to_string();
            assert!(bad.starts_with("proxy: is refused: ") && bad.contains(rule), "{bad}");
            assert!(!bad.contains("hidden"), "{bad}");
        }
        assert_eq!(read(&wanted("direct://", None)), Ok(None));
        let separate = (Secret::new("u".to_owned()), Secret::new("hidden".to_owned()));
        let separate =
            WantedProxy { credentials: Some(separate), ..wanted("http://p:1", Some("*.a.test,127.0.0.1:80")) };
        let proxy = read(&separate).expect("good").expect("a proxy");
        assert_eq!(proxy.to_url().reveal(), "http://u:hidden@p:1");
        assert_eq!(UpstreamProxy::of_text(proxy.to_text().reveal()).as_ref(), Some(&proxy));
        assert_eq!(UpstreamProxy::of_text("http://p:1"), None);
    }

    #[test]
    fn sessions_get_other_gates_only_where_they_need_some() {
        let read = |url| read(&wanted(url, None)).expect("good");
        let of_tenant = UpstreamProxy::parse("http://10.0.0.1:1", NamedBy::Operator).expect("a proxy");
        for (proxy, of_tenant, is_gated, gate) in [
            (None, None, false, None),
            (None, None, true, None),
            (read("socks5://p:1"), None, true, None),
            (read("socks5://p:1"), None, false, Some(GateFront::Socks5)),
            (read("http://p:1"), None, true, Some(GateFront::HttpProxy)),
            (read("http://u:p@p:1"), None, true, None),
            (None, Some(&of_tenant), true, None),
            (None, Some(&of_tenant), false, Some(GateFront::Socks5)),
            (read("http://p:1"), Some(&of_tenant), true, Some(GateFront::HttpProxy)),
        ] {
            assert_eq!(gate_of(proxy.as_ref(), of_tenant, is_gated), gate, "{proxy:?} {of_tenant:?} {is_gated}");
        }
    }

    #[test]
    fn the_word_for_a_session_is_its_own_and_not_its_id() {
        let id = |owner: &str, id: &str| SessionId::new(&owner.parse::<Owner>().expect("a name"), id);
        let (one, other) = (id("a", "session-1"), id("b", "session-1"));
        assert_eq!(word_for(&one), word_for(&one.clone()));
        assert_ne!(word_for(&one), word_for(&other));
        assert!(!word_for(&one).contains("session-1") && word_for(&one).len() == 16);
    }
}
