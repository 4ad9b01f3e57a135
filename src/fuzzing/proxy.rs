//! What is read of the text that names a proxy is written and read again without loss, and never shown; a host has one
//! spelling, whatever it was given in, and a private one is refused in all of them.

use crate::port::egress::{Bypass, EgressRules, Host, HostPattern, NamedBy, Ports, UpstreamProxy, proxy_choice};

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let texts = [
        "http://user:pass@proxy.example:3128",
        "socks5://us%40er:p%3Aass@[2001:db8::1]:1080/",
        "http://user-{session}:a=b;c,d@e@0x7f.1:80",
        "http=a:80;https=b:80",
        "http://a:80,direct://",
        "socks4://a",
        "direct://",
        "*.example.com:8443",
        "10.0.0.0/8",
        "[::ffff:127.0.0.1]:80",
        "<local>, .example.com;127.*,<-loopback>",
        "80,443,1024-65535,!6379",
        "2130706433",
        "017700000001",
        "１２７。0。0。1",
        "xn--mnchen-3ya.de.",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(super) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(Some(upstream)) = proxy_choice(&text, NamedBy::Tenant) {
        let again = UpstreamProxy::parse(upstream.to_url().reveal(), NamedBy::Tenant);
        assert_eq!(again.as_ref(), Ok(&upstream), "{text:?}");
        if let Some(credentials) = &upstream.credentials {
            // A short one can be part of anything.
            let secret = credentials.password.reveal();
            let bare = format!("{:?}", UpstreamProxy { credentials: None, ..upstream.clone() });
            let is_shown = format!("{upstream} {upstream:?}").contains(secret.as_str());
            assert!(!is_shown || secret.len() < 4 || bare.contains(secret.as_str()), "{text:?}");
        }
    }
    if let Ok(host) = Host::parse(&text) {
        assert_eq!(Host::parse(&host.to_string()), Ok(host.clone()), "{text:?}");
        // What the system's own reader of addresses takes for one is not a name here.
        assert!(host.address().is_some() || text.parse::<std::net::IpAddr>().is_err(), "{text:?}");
        let rules = EgressRules { ports: Ports::all(), ..EgressRules::default() };
        if let Some(std::net::IpAddr::V4(address)) = host.address()
            && (address.is_loopback() || address.is_private() || address.is_link_local())
        {
            assert!(rules.judge_name(&host, 80).is_err() && rules.judge_for_upstream(&host, 80).is_err(), "{text:?}");
        }
    }
    if let Ok(pattern) = text.parse::<HostPattern>() {
        assert_eq!(pattern.to_string().parse(), Ok(pattern), "{text:?}");
    }
    if let Ok(bypass) = Bypass::parse(&text) {
        assert_eq!(Bypass::parse(&bypass.to_string()), Ok(bypass), "{text:?}");
    }
    if let Ok(ports) = Ports::parse(&text)
        && !ports.to_string().is_empty()
    {
        assert_eq!(Ports::parse(&ports.to_string()), Ok(ports), "{text:?}");
    }
}
