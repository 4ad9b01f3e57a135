//! Whether what sessions connect to is limited.

use super::{Config, ConfigError, EgressMode, layers::Layers};

/// The flags of Chrome by which requests leave another way than through the proxy that Chrome is given.
const OVERRIDING: [&str; 6] = [
    "--host-resolver-rules",
    "--no-proxy-server",
    "--proxy-auto-detect",
    "--proxy-bypass-list",
    "--proxy-pac-url",
    "--proxy-server",
];

impl Config {
    /// Whether the requests of sessions pass gates.
    pub fn is_gated(&self) -> bool {
        match self.egress {
            EgressMode::Auto => self.tenants.is_some() || self.browser_netns,
            EgressMode::Gated => true,
            EgressMode::Open => false,
        }
    }

    /// Refuses settings that would open a way around the gates, or have no effect without them.
    pub(super) fn check_egress(&self, layers: &Layers) -> Result<(), ConfigError> {
        if let Some(said) = layers.given("browser_netns").filter(|_| self.browser_netns) {
            if !self.is_gated() {
                return Err(
                    said.conflict("leaves pages no way but gates, and egress=open has none; remove one of the two")
                );
            }
            if !self.has_local_browsers() {
                return Err(said.conflict("is for browsers that are started here, and none is: all have a browser_url"));
            }
        }
        if !self.is_gated() {
            let given = ["egress_deny", "egress_dns", "egress_ports"].into_iter().find_map(|key| layers.given(key));
            return given.map_or(Ok(()), |said| {
                Err(said.conflict("limits what sessions connect to, and nothing does so here; add --egress=gated"))
            });
        }
        for (arg, said) in self.browser_args.iter().zip(layers.values("browser_args")) {
            let name = arg.split('=').next().unwrap_or_default();
            if OVERRIDING.contains(&name) {
                return Err(said.wrong(
                    "decides where requests go, and with gates these alone do (egress); remove it, or write --egress=open",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::config;

    #[test]
    fn servers_with_tenants_have_gates_unless_they_are_open() {
        let is_gated = |settings: &[(&str, &str)]| config(settings).expect("valid").is_gated();
        assert!(!is_gated(&[]) && is_gated(&[("egress", "gated")]) && is_gated(&[("tenants", "/x")]));
        assert!(!is_gated(&[("tenants", "/x"), ("egress", "open")]) && is_gated(&[("browser_netns", "true")]));
    }

    #[test]
    fn browsers_have_network_namespaces_only_with_gates_and_only_here() {
        for (key, text, what) in
            [("egress", "open", "remove one of the two"), ("browser_url", "ws://host:1/", "started here")]
        {
            let error = config(&[("browser_netns", "true"), (key, text)]).expect_err(text);
            assert!(error.contains("--browser-netns: ") && error.contains(what), "{error}");
            assert!(config(&[("browser_netns", "false"), (key, text)]).is_ok(), "{text}");
        }
        assert!(config(&[("browser_netns", "true"), ("egress", "gated")]).is_ok());
    }

    #[test]
    fn nothing_gets_around_the_gates_by_flags_and_nothing_is_limited_in_vain() {
        for flag in ["--proxy-server=x:1", "--no-proxy-server", "--host-resolver-rules=x"] {
            let error = config(&[("egress", "gated"), ("browser_args", flag)]).expect_err(flag);
            assert!(error.contains("--egress=open"), "{error}");
            assert!(config(&[("browser_args", flag)]).is_ok(), "{flag}");
        }
        for (key, text) in [("egress_deny", "*.internal"), ("egress_ports", "all"), ("egress_dns", "10.0.0.1:53")] {
            let error = config(&[(key, text)]).expect_err(key);
            assert!(error.contains("--egress=gated"), "{error}");
            assert!(config(&[("egress", "gated"), (key, text)]).is_ok(), "{key}");
        }
        for (key, text, what) in [
            ("egress_deny", "http://a/", "must be a name"),
            ("egress_ports", "http", "is not a port"),
            ("egress_dns", "dns", "an address with a port"),
            ("egress", "maybe", "gated"),
        ] {
            let error = config(&[("tenants", "/x"), (key, text)]).expect_err(text);
            assert!(error.contains(what), "{error}");
        }
    }
}
