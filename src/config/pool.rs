//! Where browsers come from, how many there are, when one is replaced, and when one counts as ill.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use super::{Codec, Config, ConfigError, RemoteUrl, layers::Layers};

/// The sources of the browsers; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSources {
    /// Processes that ghostmux starts and drives over a pipe.
    pub local: Option<LocalBrowsers>,
    /// Chromes that run elsewhere, one link each.
    pub remote: Vec<RemoteUrl>,
}

/// How to start browsers on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalBrowsers {
    /// The Chrome to start; searched for if absent.
    pub path: Option<PathBuf>,
    /// Further flags for Chrome.
    pub args: Vec<String>,
    /// Whether the operator turned Chrome's sandbox off. As root it is always off.
    pub no_sandbox: bool,
    /// The format of the messages on the pipe.
    pub codec: Codec,
    /// Whether each is in a control group of its own.
    pub cgroups: bool,
    /// How much lower the priority of each is than that of this process.
    pub nice: u8,
    /// Whether each is in a network namespace of its own.
    pub netns: bool,
}

/// What the control group of a browser limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrowserLimits {
    /// Its share of processor time beside other browsers, 1 to 10000 (`cpu.weight`); `None` is the usual one, 100.
    pub cpu_weight: Option<u32>,
    /// Most bytes of memory of all its processes (`memory.max`); `None` is no limit.
    pub memory: Option<u64>,
}

impl BrowserLimits {
    /// These limits, with those of `usual` for what they do not say.
    #[must_use]
    pub fn or(self, usual: Self) -> Self {
        Self { cpu_weight: self.cpu_weight.or(usual.cpu_weight), memory: self.memory.or(usual.memory) }
    }
}

/// The rules of the pool. The numbers of browsers are those of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSettings {
    /// Fewest browsers.
    pub min_browsers: usize,
    /// Most browsers, at least `min_browsers`; `None` is as many as the machine can carry.
    pub max_browsers: Option<usize>,
    /// Sessions in one browser above which another one is started; at least 1. Refuses nobody.
    pub sessions_per_browser: u32,
    /// Most browsers that belong to one session each, spare ones included, beside the others; 0 is none.
    pub max_dedicated: usize,
    /// Spare ones of them that are kept while sessions ask for some.
    pub dedicated_spares: usize,
    /// How long there may be a browser more than the sessions need.
    pub idle: Duration,
    /// Memory in use, in percent, above which no browser is started; `None` is no limit.
    pub memory_limit: Option<u32>,
    /// Processor time in use, in percent, above which no browser is started; `None` is no limit.
    pub cpu_limit: Option<u32>,
    /// How long a browser may send nothing while it owes an answer.
    pub stall: Duration,
    /// How often the records of a browser are compared with the browser.
    pub reconcile: Duration,
    /// When a browser is replaced although it is well.
    pub recycle: RecycleSettings,
    /// What the control group of a browser limits, unless its tenant has other limits.
    pub browser: BrowserLimits,
}

/// When a browser is replaced although it is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecycleSettings {
    /// At this age; `None` is never.
    pub age: Option<Duration>,
    /// When it has served so many sessions; `None` is never.
    pub sessions: Option<u32>,
    /// When its memory has grown by so many bytes; `None` is never.
    pub growth: Option<u64>,
    /// When its profile and temporary files take so many bytes; `None` is never.
    pub disk: Option<u64>,
    /// Memory of a browser, in bytes, at which it is ended with its sessions; `None` is never.
    pub memory: Option<u64>,
    /// Disk that its profile and temporary files take, in bytes, at which it is ended with its sessions; `None` is never.
    pub most_disk: Option<u64>,
    /// How long its sessions may go on before parked ones are hibernated.
    pub deadline: Duration,
}

impl Config {
    /// How many browsers there are, when one is replaced, and when one counts as ill.
    pub fn pool(&self) -> PoolSettings {
        // Remote browsers do not count: there is one for each URL.
        let fixed = if self.has_local_browsers() { self.browsers } else { Some(0) };
        let number = |limit: Option<NonZeroU32>| limit.map(NonZeroU32::get);
        let bytes = |bytes: u64| Some(bytes).filter(|bytes| *bytes > 0);
        PoolSettings {
            min_browsers: fixed.unwrap_or(self.min_browsers),
            max_browsers: fixed.or(Some(self.max_browsers).filter(|most| *most > 0)),
            sessions_per_browser: self.sessions_per_browser,
            max_dedicated: self.max_dedicated,
            dedicated_spares: self.dedicated_spares,
            idle: self.browser_idle,
            memory_limit: number(self.memory_limit),
            cpu_limit: number(self.cpu_limit),
            stall: self.browser_stall,
            reconcile: self.reconcile_interval,
            recycle: RecycleSettings {
                age: Some(self.recycle_age).filter(|age| !age.is_zero()),
                sessions: number(self.recycle_sessions),
                growth: bytes(self.recycle_growth),
                disk: bytes(self.recycle_disk),
                memory: bytes(self.browser_memory),
                most_disk: bytes(self.browser_disk),
                deadline: self.recycle_deadline,
            },
            browser: BrowserLimits {
                cpu_weight: number(self.browser_cpu_weight),
                memory: bytes(self.browser_memory_max),
            },
        }
    }

    /// Whether browsers are started on this machine: beside remote ones only if a setting says how many.
    pub fn has_local_browsers(&self) -> bool {
        self.browser_url.is_empty() || self.browsers.is_some() || self.max_browsers > 0
    }

    /// The sources of the browsers.
    pub fn browser_sources(&self) -> BrowserSources {
        let local = self.has_local_browsers().then(|| LocalBrowsers {
            path: self.browser_path.clone(),
            args: self.browser_args.clone(),
            no_sandbox: self.no_sandbox,
            codec: self.codec,
            cgroups: self.browser_cgroups,
            nice: self.browser_nice,
            netns: self.browser_netns,
        });
        BrowserSources { local, remote: self.browser_url.clone() }
    }

    /// Refuses limits of one browser that contradict each other, and lowers the default of `warm`.
    pub(super) fn check_pool(&mut self, layers: &Layers) -> Result<(), ConfigError> {
        if self.warm > self.sessions_per_browser {
            if let Some(warm) = layers.given("warm") {
                let most = layers.value("sessions_per_browser");
                return Err(warm.wrong(&format!("is above {} {}; lower it, or raise that", most.setting(), most.text)));
            }
            self.warm = self.sessions_per_browser;
        }
        let needs_groups = ["browser_cpu_weight", "browser_memory_max"].into_iter().find_map(|key| layers.given(key));
        if let Some(said) = needs_groups.filter(|_| !self.browser_cgroups) {
            return Err(
                said.conflict("is a limit of a control group; add --browser-cgroups, which gives each browser one")
            );
        }
        for (recycling, value, end, limit) in [
            ("recycle_growth", self.recycle_growth, "browser_memory", self.browser_memory),
            ("recycle_disk", self.recycle_disk, "browser_disk", self.browser_disk),
        ] {
            let Some(given) = layers.given(recycling).filter(|_| limit > 0 && value >= limit) else { continue };
            let end = layers.value(end);
            let problem = format!(
                "is not below {} {}, so a browser would be ended with its sessions before it is recycled; lower it, or \
                 raise that",
                end.setting(),
                end.text
            );
            return Err(given.wrong(&problem));
        }
        Ok(())
    }

    /// Refuses numbers of browsers that contradict each other.
    pub(super) fn check_number_of_browsers(&self, layers: &Layers) -> Result<(), ConfigError> {
        if let Some(fixed) = layers.given("browsers") {
            let Some(other) = ["min_browsers", "max_browsers"].into_iter().find_map(|key| layers.given(key)) else {
                return Ok(());
            };
            let problem = format!("{} sets both the least and the most; remove one of the two", fixed.setting());
            return Err(other.conflict(problem));
        }
        if self.max_browsers > 0 && self.max_browsers < self.min_browsers {
            let least = layers.value("min_browsers");
            let problem = format!("is below {} {}; raise it", least.setting(), least.text);
            return Err(layers.value("max_browsers").wrong(&problem));
        }
        Ok(())
    }
}
