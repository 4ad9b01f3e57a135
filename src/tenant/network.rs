//! What the sessions of a tenant may connect to, as the file of tenants says it.

use std::fmt::Display;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::api_types::{Secret, TenantEgress, TenantEgressInfo};
use crate::port::egress::{BadHostPattern, EgressRules, HostLists, HostPattern, NamedBy, Ports, UpstreamProxy};

/// Most hosts in a list.
const HOSTS_MOST: usize = 1000;
/// What is shown in place of user and password.
const HIDDEN: &str = "***";

/// What the sessions of a tenant may connect to, beyond the rules of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantNetwork {
    /// The only hosts; all if absent.
    pub allow: Option<Vec<HostPattern>>,
    /// Hosts that are taken out.
    pub deny: Vec<HostPattern>,
    /// The ports, instead of those of the server.
    pub ports: Option<Ports>,
    /// The proxy through which they leave; its address may be private.
    pub proxy: Option<UpstreamProxy>,
}

/// What every session of a server may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNetwork {
    /// Hosts that are taken out.
    pub deny: Vec<HostPattern>,
    /// The ports.
    pub ports: Ports,
}

/// Another network for a tenant, as an operator asks for it.
#[derive(Clone, Debug)]
pub struct NetworkChange {
    network: TenantNetwork,
    /// The text of a proxy as [`TenantNetwork::show`] shows it, without its secrets.
    shown_proxy: Option<String>,
}

impl NetworkChange {
    /// Reads what an operator asks for. The error has the member and what to write instead.
    pub fn read(asked: &TenantEgress) -> Result<Self, (&'static str, String)> {
        let TenantEgress { allow, deny, ports, proxy } = asked;
        let allow = allow.as_deref().map(read_hosts).transpose().map_err(|why| ("egress.allow", why))?;
        let deny = read_hosts(deny).map_err(|why| ("egress.deny", why))?;
        let ports = ports.as_deref().map(Ports::parse).transpose().map_err(|why| ("egress.ports", why.to_string()))?;
        let read = |text: &Secret| UpstreamProxy::parse(text.reveal(), NamedBy::Operator);
        let proxy_read = proxy.as_ref().map(read).transpose().map_err(|why| ("egress.proxy", why.to_string()))?;
        let is_shown = |upstream: &UpstreamProxy| {
            upstream
                .credentials
                .as_ref()
                .is_some_and(|pair| pair.user.reveal() == HIDDEN && pair.password.reveal().is_empty())
        };
        let shown_proxy = proxy_read.as_ref().filter(|upstream| is_shown(upstream)).map(ToString::to_string);
        let proxy = proxy_read.filter(|upstream| !is_shown(upstream));
        Ok(Self { network: TenantNetwork { allow, deny, ports, proxy }, shown_proxy })
    }

    /// What a tenant has then that has this now. `None` if it has another proxy than the one that is shown.
    pub(super) fn apply(&self, before: &TenantNetwork) -> Option<TenantNetwork> {
        let Some(shown) = &self.shown_proxy else { return Some(self.network.clone()) };
        let proxy = before.proxy.clone().filter(|proxy| proxy.to_string() == *shown)?;
        Some(TenantNetwork { proxy: Some(proxy), ..self.network.clone() })
    }
}

fn read_hosts(texts: &[String]) -> Result<Vec<HostPattern>, String> {
    if texts.len() > HOSTS_MOST {
        return Err(format!("has {} hosts, and {HOSTS_MOST} are the most", texts.len()));
    }
    texts.iter().map(|text| text.parse().map_err(|why: BadHostPattern| why.to_string())).collect()
}

impl TenantNetwork {
    /// As an operator sees it: without the secrets of the proxy.
    pub fn show(&self) -> TenantEgressInfo {
        let texts = |hosts: &[HostPattern]| hosts.iter().map(ToString::to_string).collect();
        TenantEgressInfo {
            allow: self.allow.as_deref().map(texts),
            deny: texts(&self.deny),
            ports: self.ports.as_ref().map(ToString::to_string),
            proxy: self.proxy.as_ref().map(ToString::to_string),
        }
    }

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
    read_hosts(&Vec::<String>::deserialize(from)?).map_err(D::Error::custom)
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

/// The proxy and the hosts that leave it out, in the file of tenants.
pub(super) fn proxy<'de, D: Deserializer<'de>>(from: D) -> Result<Option<UpstreamProxy>, D::Error> {
    // The text is not repeated: it may have a password.
    UpstreamProxy::parse(&String::deserialize(from)?, NamedBy::Operator).map(Some).map_err(|why| custom::<D>(&why))
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
        let tenant =
            TenantNetwork { allow: Some(read("a.test")), deny: Vec::new(), ports: Some(Ports::all()), proxy: None };
        let rules = tenant.rules(&server, true);
        assert!(rules.lists.len() == 2 && rules.ports.contains(22) && rules.private_network);
        assert_eq!(TenantNetwork::default().rules(&ServerNetwork::default(), false), EgressRules::default());
    }
}
