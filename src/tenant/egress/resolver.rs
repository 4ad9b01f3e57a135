//! The addresses of names: each tenant has a cache of its own, so that the time of an answer tells nothing of others.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    time::Duration,
};

use dashmap::DashMap;
use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::Name,
};

use crate::{api_types::Owner, port::egress::EgressRefusal};

/// Most addresses of a name that are judged and tried.
const ADDRESSES_MOST: usize = 16;

/// Where names are looked up.
#[derive(Clone, Debug)]
pub struct NameServers {
    config: ResolverConfig,
    options: ResolverOpts,
}

impl NameServers {
    /// Those of the system, from `/etc/resolv.conf` as it is now. Names of `/etc/hosts` are known too.
    ///
    /// Fails if the file cannot be read.
    pub fn of_system() -> Result<Self, NetError> {
        let (config, options) = hickory_resolver::system_conf::read_system_conf()?;
        Ok(Self { config, options })
    }

    /// This name server alone, and no file of the system.
    pub fn at(address: SocketAddr) -> Self {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        for connection in &mut server.connections {
            connection.port = address.port();
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut options = ResolverOpts::default();
        options.use_hosts_file = hickory_resolver::config::ResolveHosts::Never;
        Self { config, options }
    }
}

/// Makes the resolvers of the tenants.
#[derive(Debug)]
pub(super) struct Resolvers {
    servers: NameServers,
    time: Duration,
    names_most: u64,
    by_owner: DashMap<Owner, Weak<Resolver>>,
}

impl Resolvers {
    /// Resolvers that ask these servers for at most this time, and remember so many names of each tenant.
    pub(super) fn new(servers: NameServers, time: Duration, names_most: u64) -> Self {
        Self { servers, time, names_most, by_owner: DashMap::new() }
    }

    /// The resolver of a tenant, which all its gates share.
    ///
    /// Fails if it cannot be made, which the settings of the system can cause.
    pub(super) fn of(&self, owner: &Owner) -> Result<Arc<Resolver>, NetError> {
        if let Some(resolver) = self.by_owner.get(owner).and_then(|resolver| resolver.upgrade()) {
            return Ok(resolver);
        }
        let mut builder =
            TokioResolver::builder_with_config(self.servers.config.clone(), TokioRuntimeProvider::default());
        let mut options = self.servers.options.clone();
        options.cache_size = self.names_most;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        *builder.options_mut() = options;
        let resolver = Arc::new(Resolver { inner: builder.build()?, time: self.time });
        // Tenants come and go seldom; the others' entries are as many as there are tenants.
        self.by_owner.retain(|_, resolver| resolver.strong_count() > 0);
        self.by_owner.insert(owner.clone(), Arc::downgrade(&resolver));
        Ok(resolver)
    }
}

/// The resolver of one tenant.
pub(super) struct Resolver {
    inner: TokioResolver,
    time: Duration,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("time", &self.time).finish_non_exhaustive()
    }
}

impl Resolver {
    /// The addresses of a name, which is taken as absolute: no search list is tried.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, EgressRefusal> {
        // `localhost` is never asked for (RFC 6761); a hosts file may give it other addresses, which are judged.
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()]);
        }
        let mut absolute = Name::from_ascii(name).map_err(|_| EgressRefusal::BadHost)?;
        absolute.set_fqdn(true);
        match tokio::time::timeout(self.time, self.inner.lookup_ip(absolute)).await {
            Ok(Ok(found)) => {
                let addresses: Vec<_> = found.iter().take(ADDRESSES_MOST).collect();
                if addresses.is_empty() { Err(EgressRefusal::NotFound) } else { Ok(addresses) }
            }
            Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => Err(EgressRefusal::NotFound),
            Ok(Err(error)) => Err(EgressRefusal::NoResolver(error.to_string())),
            Err(_) => Err(EgressRefusal::NoResolver(format!("no answer within {} s", self.time.as_secs()))),
        }
    }
}
