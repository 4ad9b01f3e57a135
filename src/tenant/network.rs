//! What the sessions of a tenant may connect to, as the file of tenants says it.

use std::fmt::Display;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::port::egress::{BadHostPattern, EgressRules, HostLists, HostPattern, Ports};

/// Most hosts in a list.
const HOSTS_MOST: usize = 1000;

/// What the sessions of a tenant may connect to, beyond the rules of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantNetwork {
    /// The only hosts; all if absent.
    pub allow: Option<Vec<HostPattern>>,
    /// Hosts that are taken out.
    pub deny: Vec<HostPattern>,
    /// The ports, instead of those of the server.
    pub ports: Option<Ports>,
}

/// What every session of a server may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNetwork {
    /// Hosts that are taken out.
    pub deny: Vec<HostPattern>,
    /// The ports.
    pub ports: Ports,
}

impl TenantNetwork {
    /// The rules for the gates of the tenant's sessions.
    pub fn rules(&self, server: &ServerNetwork, private_network: bool) -> EgressRules {
        let of_server = HostLists { allow: None, deny: server.deny.clone() };
        let of_tenant = HostLists { allow: self.allow.clone(), deny: self.deny.clone() };
        let lists = [of_server, of_tenant].into_iter().filter(|lists| *lists != HostLists::default()).collect();
        EgressRules { private_network, lists, ports: self.ports.clone().unwrap_or_else(|| server.ports.clone()) }
    }
}

/// A list of hosts in the file of tenants.
pub(super) fn hosts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<HostPattern>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    if texts.len() > HOSTS_MOST {
        return Err(D::Error::custom(format!("has {} hosts, and {HOSTS_MOST} are the most", texts.len())));
    }
    texts.iter().map(|text| text.parse().map_err(|why: BadHostPattern| custom::<D>(&why))).collect()
}

/// As [`hosts`], of a key that may be absent.
pub(super) fn allowed<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<HostPattern>>, D::Error> {
    hosts(from).map(Some)
}

/// Ports in the file of tenants.
pub(super) fn ports<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Ports>, D::Error> {
    let text = String::deserialize(from)?;
    Ports::parse(&text).map(Some).map_err(|why| custom::<D>(&why))
}

fn custom<'de, D: Deserializer<'de>>(why: &dyn Display) -> D::Error {
    D::Error::custom(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_the_server_hold_beside_those_of_the_tenant() {
        let read = |text: &str| vec![text.parse::<HostPattern>().expect("a pattern")];
        let server = ServerNetwork { deny: read("*.corp.test"), ports: Ports::parse("443").expect("ports") };
        let bare = TenantNetwork::default().rules(&server, false);
        assert_eq!((bare.lists.len(), bare.ports.to_string().as_str(), bare.private_network), (1, "443", false));
        assert_eq!(bare.lists[0].deny, read("*.corp.test"));
        let tenant = TenantNetwork { allow: Some(read("a.test")), deny: Vec::new(), ports: Some(Ports::all()) };
        let rules = tenant.rules(&server, true);
        assert!(rules.lists.len() == 2 && rules.ports.contains(22) && rules.private_network);
        assert_eq!(TenantNetwork::default().rules(&ServerNetwork::default(), false), EgressRules::default());
    }
}
