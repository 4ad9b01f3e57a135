//! Connecting to what the rules allow: by name or address, directly or through an upstream proxy.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::{net::TcpStream, time::timeout};

use super::{own::OwnAddresses, resolver::Resolver, tunnel::Stream, upstream};
use crate::port::egress::{EgressBinding, EgressRefusal, EgressRules, Host, NamedBy, UpstreamProxy};

/// How long an address may take before the next one is tried beside it (RFC 8305, §8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects for one session.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) binding: EgressBinding,
    pub(super) resolver: Arc<Resolver>,
    pub(super) own: Arc<OwnAddresses>,
    /// How long a host may take to accept, and an upstream to answer.
    pub(super) time: Duration,
}

impl Dialer {
    /// The upstream that this host is connected to through, if any. What a client's bypass list names still goes through the
    /// operator's proxy, if the tenant has one.
    pub(super) fn upstream_of(&self, host: &Host, port: u16) -> Option<&UpstreamProxy> {
        let EgressBinding { upstream, of_tenant, .. } = &self.binding;
        upstream.iter().chain(of_tenant).find(|upstream| !upstream.bypass.contains(host, port))
    }

    /// Connects to a host, directly or through the upstream.
    pub(super) async fn connect(&self, host: &Host, port: u16) -> Result<Box<dyn Stream>, EgressRefusal> {
        let Some(upstream) = self.upstream_of(host, port) else {
            return Ok(Box::new(self.connect_directly(host, port).await?));
        };
        let stream = self.connect_to_upstream(upstream, host, port).await?;
        let asked = upstream::connect(stream, upstream, host, port);
        let late = || EgressRefusal::UpstreamUnreachable("it did not answer in time".to_owned());
        timeout(self.time, asked).await.unwrap_or_else(|_| Err(late()))
    }

    /// Connects to a host without the upstream.
    pub(super) async fn connect_directly(&self, host: &Host, port: u16) -> Result<TcpStream, EgressRefusal> {
        self.connect_judged(host, port, Some(&self.binding.rules)).await
    }

    /// Connects to the upstream, for this host, which is judged as far as can be told here.
    pub(super) async fn connect_to_upstream(
        &self,
        upstream: &UpstreamProxy,
        host: &Host,
        port: u16,
    ) -> Result<TcpStream, EgressRefusal> {
        self.binding.rules.judge_for_upstream(host, port)?;
        let rules = match upstream.named_by {
            NamedBy::Operator => None,
            NamedBy::Tenant => Some(&*self.binding.rules),
        };
        self.connect_judged(&upstream.host, upstream.port, rules).await.map_err(|why| match why {
            EgressRefusal::NotFound | EgressRefusal::NoResolver(_) | EgressRefusal::TimedOut => {
                EgressRefusal::UpstreamUnreachable(why.to_string())
            }
            EgressRefusal::Unreachable(text) => EgressRefusal::UpstreamUnreachable(text),
            why => EgressRefusal::UpstreamAddress(Box::new(why)),
        })
    }

    /// Connects to an address of a host that was judged; without rules only the sockets of ghostmux are refused.
    async fn connect_judged(
        &self,
        host: &Host,
        port: u16,
        rules: Option<&EgressRules>,
    ) -> Result<TcpStream, EgressRefusal> {
        if let Some(rules) = rules {
            rules.judge_name(host, port)?;
        }
        let addresses = match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolver.look_up(name).await?,
        };
        let mut allowed = Vec::with_capacity(addresses.len());
        let mut refused = None;
        for address in addresses {
            match self.judge(host, address, port, rules) {
                Ok(()) => allowed.push(SocketAddr::new(address, port)),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        if allowed.is_empty() {
            return Err(refused.unwrap_or(EgressRefusal::NotFound));
        }
        timeout(self.time, connect_first(allowed)).await.unwrap_or(Err(EgressRefusal::TimedOut))
    }

    fn judge(&self, host: &Host, address: IpAddr, port: u16, rules: Option<&EgressRules>) -> Result<(), EgressRefusal> {
        if self.own.is_own_socket(SocketAddr::new(address, port)) {
            return Err(EgressRefusal::OwnListener);
        }
        rules.map_or(Ok(()), |rules| rules.judge_address(host, address, port, |address| self.own.is_interface(address)))
    }
}

/// Connects to the first of some addresses that accepts: IPv6 and IPv4 in turns, each a moment after the one before it
/// (Happy Eyeballs, RFC 8305).
async fn connect_first(addresses: Vec<SocketAddr>) -> Result<TcpStream, EgressRefusal> {
    let mut waiting = in_turns(addresses);
    let mut attempts = FuturesUnordered::new();
    let mut last = EgressRefusal::NotFound;
    loop {
        if let Some(address) = waiting.pop_front() {
            attempts.push(TcpStream::connect(address));
        }
        let finished = if waiting.is_empty() {
            attempts.next().await
        } else {
            match timeout(ATTEMPT_DELAY, attempts.next()).await {
                Ok(finished) => finished,
                Err(_) => continue,
            }
        };
        match finished {
            Some(Ok(stream)) => {
                // Small messages go at once, as from the browser itself.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Some(Err(error)) => last = EgressRefusal::Unreachable(error.to_string()),
            None if waiting.is_empty() => return Err(last),
            None => {}
        }
    }
}

fn in_turns(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut turns = VecDeque::new();
    loop {
        let pair = [v6.next(), v4.next()];
        if pair == [None, None] {
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let read = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let turns = in_turns(["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1", "[a::1]:1"].map(read).to_vec());
        assert_eq!(turns, ["[a::1]:1", "1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"].map(read));
    }

    #[tokio::test]
    async fn the_first_address_that_accepts_is_used() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let there = listener.local_addr().expect("an address");
        // Nothing listens there: the number is free again.
        let gone =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener").local_addr().expect("an address");
        let stream = connect_first(vec![gone, there]).await.expect("one of them");
        assert_eq!(stream.peer_addr().expect("an address"), there);
        assert!(matches!(connect_first(vec![gone]).await, Err(EgressRefusal::Unreachable(_))));
    }
}
