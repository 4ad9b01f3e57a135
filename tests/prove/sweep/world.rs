//! A proxy with a browser, a site and a victim, and the checks that they are unharmed.

use std::{collections::BTreeMap, time::Duration};

use super::{
    ended::{Ended, State},
    stage::Stage,
    victim::{self, Victim},
};
use crate::{
    browsers::Browser,
    proxy::{ChromeProcess, Proxy},
    site::Site,
    tenants::Tenants,
};

/// The tenant of the victim, if there are several; the attacker is of [`OTHER`].
const OWN: usize = 0;
const OTHER: usize = 1;

/// The effects that an attack must not have.
#[derive(Clone, Debug)]
pub(crate) enum Harm {
    /// A process that all tenants share has ended.
    Killed(String),
    /// The victim detected a change.
    Noticed(String),
}

impl Harm {
    /// Whether the only harm is a slow answer.
    pub(crate) fn is_only_slow(&self) -> bool {
        matches!(self, Self::Noticed(what) if what.ends_with(victim::LATE))
    }
}

impl std::fmt::Display for Harm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Killed(what) => write!(f, "KILLED {what}"),
            Self::Noticed(what) => write!(f, "the victim noticed: {what}"),
        }
    }
}

/// Everything except the attacker.
pub(crate) struct World {
    pub(crate) victim: Victim,
    pub(crate) proxy: Proxy,
    pub(crate) site: Site,
    pub(crate) tenants: Tenants,
    /// The processes that all tenants share, with their roles.
    shared: BTreeMap<i32, String>,
}

impl World {
    /// The server has this many tenants; with none it needs no tokens.
    pub(crate) async fn new(browser: &Browser, secret: &str, tenants: usize) -> Self {
        let tenants = Tenants::new(tenants, |at| format!("tenant-{at}"));
        let flags = tenants.flags();
        let own = ["--strict", "--browser-args=--site-per-process"].into_iter();
        let flags: Vec<&str> = own.chain(flags.iter().map(String::as_str)).collect();
        let proxy = Proxy::start(browser.clone(), &flags).await;
        let site = Site::start().await;
        let path = tenants.path(OWN, "/");
        let victim = Victim::new((proxy.address(), &path), &site.origin(), secret, tenants.are_several()).await;
        let victim = victim.unwrap_or_else(|why| panic!("{why}"));
        let shared = shared_processes(&proxy);
        assert!(shared.values().any(|kind| kind == "browser"), "no browser process is found: {shared:?}");
        Self { victim, proxy, site, tenants, shared }
    }

    pub(crate) async fn stage(&self) -> Result<Stage, String> {
        let path = self.tenants.path(OTHER, "/");
        Stage::new((self.proxy.address(), &path), &self.site.origin(), &self.victim.ids, &self.victim.secret).await
    }

    /// A target that has ended, on a connection of its own.
    pub(super) async fn ended(&self, state: State) -> Result<Ended, String> {
        let path = self.tenants.path(OTHER, "/");
        Ended::new((&self.proxy, &path), &self.site.origin(), &self.victim.ids, &self.victim.secret, state).await
    }

    /// The harm so far.
    pub(crate) fn harm(&self) -> Option<Harm> {
        let now = shared_processes(&self.proxy);
        let gone: Vec<&str> =
            self.shared.iter().filter(|(pid, _)| !now.contains_key(*pid)).map(|(_, kind)| kind.as_str()).collect();
        if !gone.is_empty() {
            return Some(Harm::Killed(format!("the {} process", gone.join(" and "))));
        }
        self.victim.noticed().map(Harm::Noticed)
    }

    /// As [`World::harm`], after waiting this long for it to show.
    pub(crate) async fn harm_within(&self, time: Duration) -> Option<Harm> {
        // Two checks: the first may have begun before.
        let _ = tokio::time::timeout(time, self.victim.looks_until(self.victim.looks() + 2)).await;
        self.harm()
    }

    /// The browser's product string.
    pub(crate) async fn product(&self) -> String {
        let version = self.proxy.http("GET", "/json/version", &self.tenants.headers(OWN), "").await.body;
        let version: serde_json::Value = serde_json::from_str(&version).unwrap_or_default();
        version["Browser"].as_str().unwrap_or("unknown").to_owned()
    }
}

/// Chrome's processes that are not specific to a context.
fn shared_processes(proxy: &Proxy) -> BTreeMap<i32, String> {
    let main = proxy.browsers();
    let kind_of = |process: &ChromeProcess| {
        // Full Chrome has another process without a type, which handles crashes; the test ignores it.
        if main.contains(&process.pid) {
            return Some("browser".to_owned());
        }
        let service = process.flag("--utility-sub-type=");
        let service = service.filter(|service| service.contains("network") || service.contains("storage"));
        let gpu = process.flag("--type=").filter(|kind| *kind == "gpu-process");
        gpu.or(service).map(str::to_owned)
    };
    let all = proxy.chrome_processes();
    all.iter().filter_map(|process| Some((process.pid.as_raw(), kind_of(process)?))).collect()
}
