//! What a context may connect to.

use core::net::IpAddr;

use super::{EgressRefusal, Host, HostLists, Ports, special};

/// What a context may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressRules {
    /// Whether loopback, private networks and other addresses of special purpose may be reached, and those of this machine.
    pub private_network: bool,
    /// The lists of the server, the tenant and the session: each must admit a host.
    pub lists: Vec<HostLists>,
    /// The ports that may be connected to.
    pub ports: Ports,
}

impl EgressRules {
    /// Everything may be connected to, but for the sockets of ghostmux itself: for the sessions of a server without gates, which
    /// have one for their proxy alone.
    pub fn open() -> Self {
        Self { private_network: true, lists: Vec::new(), ports: Ports::all() }
    }

    /// Judges a host before its address is known, so that no name is looked up that may not be connected to.
    pub fn judge_name(&self, host: &Host, port: u16) -> Result<(), EgressRefusal> {
        self.judge_early(host, port)?;
        if self.lists.iter().all(|lists| lists.may_allow(host, port)) { Ok(()) } else { Err(EgressRefusal::NotAllowed) }
    }

    /// Judges one address that would be dialled for a host. `is_own` says whether it is of this machine.
    pub fn judge_address(
        &self,
        host: &Host,
        address: IpAddr,
        port: u16,
        is_own: impl FnOnce(IpAddr) -> bool,
    ) -> Result<(), EgressRefusal> {
        self.judge_early(host, port)?;
        self.judge_private(address)?;
        if !self.private_network && is_own(address) {
            return Err(EgressRefusal::Private { address: Some(address) });
        }
        if self.lists.iter().any(|lists| lists.denies(host, Some(address), port)) {
            return Err(EgressRefusal::Denied);
        }
        let is_allowed = self.lists.iter().all(|lists| lists.allows(host, Some(address), port));
        if is_allowed { Ok(()) } else { Err(EgressRefusal::NotAllowed) }
    }

    /// Judges a host that an upstream proxy will find the address of. A network in a list of allowed hosts matches only what
    /// is given as an address.
    pub fn judge_for_upstream(&self, host: &Host, port: u16) -> Result<(), EgressRefusal> {
        self.judge_early(host, port)?;
        if self.lists.iter().all(|lists| lists.allows(host, None, port)) {
            Ok(())
        } else {
            Err(EgressRefusal::NotAllowed)
        }
    }

    /// What the text alone tells.
    fn judge_early(&self, host: &Host, port: u16) -> Result<(), EgressRefusal> {
        if !self.ports.contains(port) {
            return Err(EgressRefusal::Port);
        }
        if let Some(address) = host.address() {
            self.judge_private(address)?;
        } else if !self.private_network && host.is_private_name() {
            return Err(EgressRefusal::Private { address: None });
        }
        let is_denied = self.lists.iter().any(|lists| lists.denies(host, None, port));
        if is_denied { Err(EgressRefusal::Denied) } else { Ok(()) }
    }

    fn judge_private(&self, address: IpAddr) -> Result<(), EgressRefusal> {
        match special(address).filter(|_| !self.private_network) {
            Some(special) => Err(EgressRefusal::Private { address: Some(special.address) }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(allow: &[&str], deny: &[&str]) -> HostLists {
        let read = |list: &[&str]| list.iter().map(|text| text.parse().expect("a pattern")).collect::<Vec<_>>();
        HostLists { allow: (!allow.is_empty()).then(|| read(allow)), deny: read(deny) }
    }

    fn of(lists: Vec<HostLists>) -> EgressRules {
        EgressRules { lists, ..EgressRules::default() }
    }

    fn why(result: Result<(), EgressRefusal>) -> &'static str {
        result.map_or_else(|refusal| refusal.code(), |()| "")
    }

    /// As a gate that dials asks: the name first, then the address.
    fn dialled(rules: &EgressRules, host: &str, address: &str, port: u16) -> &'static str {
        let (host, address) = (Host::parse(host).expect("a host"), address.parse().expect("an address"));
        let own = |address: IpAddr| address == IpAddr::from([203, 0, 112, 1]);
        why(rules.judge_name(&host, port).and_then(|()| rules.judge_address(&host, address, port, own)))
    }

    /// Each host, with the address that its name has, and why it is refused.
    fn all_dialled(rules: &EgressRules, rows: &[(&str, &str, u16, &str)]) {
        for &(host, address, port, expected) in rows {
            assert_eq!(dialled(rules, host, address, port), expected, "{host} {address} {port}");
        }
    }

    #[test]
    fn a_tenant_without_rules_reaches_the_internet_alone() {
        let rules = EgressRules::default();
        let rows = [
            ("example.com", "93.184.216.34", 443, ""),
            ("example.com", "127.0.0.1", 443, "private-network"),
            ("example.com", "::ffff:10.0.0.1", 443, "private-network"),
            ("example.com", "203.0.112.1", 443, "private-network"),
            ("127.0.0.1", "127.0.0.1", 80, "private-network"),
            ("2130706433", "127.0.0.1", 80, "private-network"),
            ("localhost", "93.184.216.34", 80, "private-network"),
            ("redis", "93.184.216.34", 80, "private-network"),
            ("example.com", "93.184.216.34", 6379, "port"),
            ("example.com", "93.184.216.34", 22, "port"),
        ];
        all_dialled(&rules, &rows);
    }

    #[test]
    fn the_capability_opens_private_networks_and_no_list() {
        let rules = EgressRules { private_network: true, ..of(vec![lists(&[], &["10.0.0.0/8", "*.internal"])]) };
        assert_eq!(dialled(&rules, "localhost", "127.0.0.1", 8080), "");
        assert_eq!(dialled(&rules, "here.example", "203.0.112.1", 8080), "");
        assert_eq!(dialled(&rules, "db.internal", "192.168.0.1", 8080), "denied");
        assert_eq!(dialled(&rules, "db.example", "10.1.1.1", 8080), "denied");
    }

    #[test]
    fn every_list_must_admit_a_host() {
        let rules = of(vec![
            lists(&[], &["evil.example", "198.20.0.0/16"]),
            lists(&["*.example", "9.9.9.9", "127.0.0.1"], &[]),
            lists(&["*"], &["www.bad.example:443"]),
        ]);
        let rows = [
            ("a.example", "1.1.1.1", 443, ""),
            ("evil.example", "1.1.1.1", 443, "denied"),
            ("a.example", "198.20.1.1", 443, "denied"),
            ("a.test", "9.9.9.9", 443, ""),
            ("a.test", "9.9.9.8", 443, "not-allowed"),
            ("www.bad.example", "1.1.1.1", 443, "denied"),
            ("www.bad.example", "1.1.1.1", 80, ""),
            // A list opens nothing.
            ("127.0.0.1", "127.0.0.1", 80, "private-network"),
        ];
        all_dialled(&rules, &rows);
    }

    #[test]
    fn names_that_no_list_can_allow_are_not_looked_up() {
        let name = Host::parse("secret.attacker.test").expect("a name");
        assert_eq!(why(of(vec![lists(&["*.example"], &[])]).judge_name(&name, 443)), "not-allowed");
        assert_eq!(why(of(vec![lists(&["*.example", "8.8.8.0/24"], &[])]).judge_name(&name, 443)), "");
        assert_eq!(
            why(of(vec![lists(&["*.example", "8.8.8.0/24"], &[])]).judge_for_upstream(&name, 443)),
            "not-allowed"
        );
    }
}
