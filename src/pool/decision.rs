//! What the pool knows when it decides, and what it decided. PURE: values only.
//!
//! A [`Decision`] is made from [`Figures`] and says why. The controller carries it out, logs it once and counts it by the
//! label of its reason.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::port::BrowserId;

/// The settings by which the pool decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Fewest browsers on this machine.
    pub(super) min: usize,
    /// Most browsers on this machine; at least `min`. One more while a browser is replaced.
    pub(super) max: usize,
    /// Sessions in one browser above which another one is started; at least 1.
    pub(super) sessions_per_browser: i64,
    /// Most dedicated browsers, spare ones included.
    pub(super) dedicated: usize,
    /// Spare dedicated browsers that are kept while sessions ask for some.
    pub(super) spares: usize,
    /// How long there may be a browser more than needed.
    pub(super) idle: Duration,
    /// Most percent of memory in use with which a browser is started.
    pub(super) memory_limit: Option<u32>,
    /// Most percent of processor time in use with which a browser is started.
    pub(super) cpu_limit: Option<u32>,
    /// Age at which a browser is replaced.
    pub(super) recycle_age: Option<Duration>,
    /// Sessions after which a browser is replaced.
    pub(super) recycle_sessions: Option<u64>,
    /// Growth in bytes at which a browser is replaced.
    pub(super) recycle_growth: Option<u64>,
    /// Bytes of disk at which a browser is replaced.
    pub(super) recycle_disk: Option<u64>,
    /// Memory in bytes at which a browser is ended with its sessions.
    pub(super) browser_memory: Option<u64>,
    /// Bytes of disk at which a browser is ended with its sessions.
    pub(super) browser_disk: Option<u64>,
    /// How long a browser that is being replaced waits for its sessions before parked ones are hibernated.
    pub(super) recycle_deadline: Duration,
}

impl Rules {
    /// Whether too many percent of the memory are in use to start a browser.
    pub(super) fn memory_shortage(&self, percent: Option<u32>) -> Option<Evidence> {
        let (percent, limit) = percent.zip(self.memory_limit).filter(|(is, most)| is >= most)?;
        Some(Evidence::Memory { percent, limit })
    }

    /// Whether too many percent of the processor time are in use to start a browser.
    pub(super) fn cpu_shortage(&self, percent: Option<u32>) -> Option<Evidence> {
        let (percent, limit) = percent.zip(self.cpu_limit).filter(|(is, most)| is >= most)?;
        Some(Evidence::Cpu { percent, limit })
    }

    /// From 1 to 2 browsers of 10 sessions each, and no dedicated ones; nothing is recycled. Tests change what concerns
    /// them.
    #[cfg(test)]
    pub(super) fn of_tests() -> Self {
        Self {
            min: 1,
            max: 2,
            sessions_per_browser: 10,
            dedicated: 0,
            spares: 0,
            idle: Duration::from_secs(300),
            memory_limit: Some(90),
            cpu_limit: Some(95),
            recycle_age: None,
            recycle_sessions: None,
            recycle_growth: None,
            recycle_disk: None,
            browser_memory: None,
            browser_disk: None,
            recycle_deadline: Duration::from_secs(3600),
        }
    }
}

/// The state of the pool at one moment.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) now: Instant,
    /// All browsers that are not dead, in the order of their start.
    pub(super) browsers: Vec<BrowserFigures>,
    /// Requests that wait for a browser.
    pub(super) waiting: i64,
    /// Those of them that only a browser without sessions can take.
    pub(super) apart: i64,
    /// Sessions requested per second, lately.
    pub(super) arrivals: f64,
    /// How long a browser takes to start, lately.
    pub(super) start_time: Duration,
    /// Since when there is a browser more than needed.
    pub(super) surplus_since: Option<Instant>,
    /// Before this moment no browser is started here, because the last one did not start.
    pub(super) retry_at: Option<Instant>,
    /// A source whose remote browser has no link and may be connected to now.
    pub(super) unconnected: Option<usize>,
    /// Memory in use, in percent.
    pub(super) memory: Option<u32>,
    /// Processor time in use, in percent.
    pub(super) cpu: Option<u32>,
}

/// One browser at one moment.
#[derive(Clone, Debug)]
pub(super) struct BrowserFigures {
    pub(super) browser: BrowserId,
    /// It runs elsewhere: the pool neither starts nor replaces nor ends it.
    pub(super) is_remote: bool,
    pub(super) stage: Stage,
    /// Sessions that hold or are about to hold a lease in it.
    pub(super) sessions: i64,
    /// Whether a session traces in it and must stay alone.
    pub(super) is_exclusive: bool,
    /// When it began to accept sessions.
    pub(super) ready_at: Instant,
    /// Leases that sessions have taken in it.
    pub(super) served: u64,
    /// Memory of its process tree in bytes, if it is known.
    pub(super) resident: Option<u64>,
    /// How far its memory has been above what it may take, for the last [`GROWTH_LASTS`], in bytes; `None` if it is not that
    /// old.
    ///
    /// [`GROWTH_LASTS`]: super::recycling::GROWTH_LASTS
    pub(super) growth: Option<u64>,
    /// Bytes of disk that its profile and temporary files take, if they are known.
    pub(super) disk: Option<u64>,
    /// An operator wants it replaced.
    pub(super) is_asked: bool,
    /// The browser that was started to replace it.
    pub(super) replaced_by: Option<(BrowserId, RecycleReason)>,
}

/// Where a browser is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is being started.
    Starting,
    /// It accepts sessions.
    Ready,
    /// It accepts no sessions, because there are too many browsers.
    Surplus,
    /// It accepts no sessions since then, because it is replaced. `is_overdue`: its parked sessions are being hibernated.
    Recycled { since: Instant, is_overdue: bool },
    /// It is being closed.
    Closing,
}

/// Why a browser that is well is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecycleReason {
    /// An operator asked for it.
    Asked,
    /// It is this old.
    Age(Duration),
    /// It has served so many sessions.
    Served(u64),
    /// Its memory has grown by so many bytes.
    Growth(u64),
    /// Its files take so many bytes.
    Disk(u64),
}

impl fmt::Display for RecycleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("an operator asked for it"),
            Self::Age(age) => write!(f, "it is {} s old", age.as_secs()),
            Self::Served(sessions) => write!(f, "it has served {sessions} sessions"),
            Self::Growth(bytes) => write!(f, "its memory has grown by {} MiB", bytes >> 20),
            Self::Disk(bytes) => write!(f, "its profile and temporary files take {} MiB", bytes >> 20),
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A browser is started.
    Start,
    /// A dedicated browser is started, for the next session that asks for one.
    StartDedicated,
    /// A dedicated browser with launch options is started, for the session that waits for it.
    StartSpecial,
    /// The remote browser of this source is connected to.
    Connect(usize),
    /// A browser is started, to replace this one.
    Replace(BrowserId, RecycleReason),
    /// This browser accepts sessions again.
    TakeBack(BrowserId),
    /// This browser, one too many, accepts no more sessions.
    Drain(BrowserId),
    /// This browser is replaced: it accepts no more sessions.
    Recycle(BrowserId, RecycleReason),
    /// The parked sessions of this browser are hibernated.
    Hibernate(BrowserId),
    /// This browser has no session and is closed.
    Close(BrowserId),
    /// This dedicated browser, which no session has taken, is closed.
    CloseSpare(BrowserId),
    /// This browser is ended with its sessions.
    Kill(BrowserId),
    /// Nothing, although there is reason to.
    Hold,
}

/// A decision, with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) what: What,
    pub(super) why: Evidence,
}

/// The reason of a decision, with the figures that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// A remote browser has no link.
    NotConnected,
    /// There are fewer browsers than there must be.
    BelowMinimum { browsers: usize, min: usize },
    /// The sessions, present and expected, do not fit.
    Demand { sessions: i64, waiting: i64, expected: i64, places: i64 },
    /// So many requests wait for a browser without sessions, and so many are being started.
    Apart { waiting: i64, starting: i64 },
    /// For so long one browser fewer would have been enough.
    Surplus { idle: Duration, browsers: usize, sessions: i64 },
    /// There are as many browsers as there may be.
    AtMaximum { browsers: usize, max: usize },
    /// There are more browsers than there may be.
    AboveMaximum { browsers: usize, max: usize },
    /// Too much memory is in use.
    Memory { percent: u32, limit: u32 },
    /// Too much processor time is in use.
    Cpu { percent: u32, limit: u32 },
    /// It is to be replaced.
    Recycling(RecycleReason),
    /// Its replacement accepts sessions.
    ReplacementReady { by: BrowserId },
    /// Its sessions have not ended in this time.
    Overdue { after: Duration, sessions: i64 },
    /// It accepts no sessions, and the last one has ended.
    Empty,
    /// It has more memory than a browser may have.
    TooLarge { resident: u64, limit: u64 },
    /// Its files take too much disk.
    TooMuchDisk { disk: u64, limit: u64 },
    /// So many sessions wait for a dedicated browser, and so many spare ones are wanted; so many are ready or start.
    Dedicated { waiting: usize, spares: usize, there: usize },
    /// A session waits for a browser with its launch options, and there are so many dedicated ones.
    LaunchOptions { all: usize },
    /// So many spare dedicated browsers are ready or start, and fewer are needed.
    UnusedSpare { there: usize, needed: usize },
}

impl Evidence {
    /// One word, for the metric.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::BelowMinimum { .. } => "below_minimum",
            Self::Demand { .. } => "demand",
            Self::Apart { .. } => "apart",
            Self::Surplus { .. } => "surplus",
            Self::AtMaximum { .. } => "at_maximum",
            Self::AboveMaximum { .. } => "above_maximum",
            Self::Memory { .. } => "memory",
            Self::Cpu { .. } => "cpu",
            Self::Recycling(RecycleReason::Asked) => "recycle_asked",
            Self::Recycling(RecycleReason::Age(_)) => "recycle_age",
            Self::Recycling(RecycleReason::Served(_)) => "recycle_sessions",
            Self::Recycling(RecycleReason::Growth(_)) => "recycle_growth",
            Self::Recycling(RecycleReason::Disk(_)) => "recycle_disk",
            Self::ReplacementReady { .. } => "replacement_ready",
            Self::Overdue { .. } => "overdue",
            Self::Empty => "empty",
            Self::TooLarge { .. } => "browser_memory",
            Self::TooMuchDisk { .. } => "browser_disk",
            Self::Dedicated { .. } => "dedicated",
            Self::LaunchOptions { .. } => "launch_options",
            Self::UnusedSpare { .. } => "unused_spare",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("the remote browser is not connected"),
            Self::BelowMinimum { browsers, min } => write!(f, "{browsers} browsers run, and the minimum is {min}"),
            Self::Demand { sessions, waiting, expected, places } => write!(
                f,
                "{sessions} sessions, {waiting} that wait and {expected} that will come before another browser has \
                 started, for {places} places"
            ),
            Self::Apart { waiting, starting } => write!(
                f,
                "{waiting} sessions must not meet those of any browser, and {starting} browsers are being started"
            ),
            Self::Surplus { idle, browsers, sessions } => write!(
                f,
                "for {} s one browser fewer than {browsers} was enough; there are {sessions} sessions now",
                idle.as_secs()
            ),
            Self::AtMaximum { browsers, max } | Self::AboveMaximum { browsers, max } => {
                write!(f, "{browsers} browsers run, and the maximum is {max}")
            }
            Self::Memory { percent, limit } => {
                write!(f, "{percent} % of the memory is in use, and memory_limit is {limit} %")
            }
            Self::Cpu { percent, limit } => {
                write!(f, "{percent} % of the processor time is in use, and cpu_limit is {limit} %")
            }
            Self::Recycling(why) => why.fmt(f),
            Self::ReplacementReady { by } => write!(f, "browser {by} replaces it and is ready"),
            Self::Overdue { after, sessions } => write!(
                f,
                "{sessions} sessions have not ended in the {} s of recycle_deadline; those without a client are hibernated",
                after.as_secs()
            ),
            Self::Empty => f.write_str("it accepts no sessions, and its last one has ended"),
            Self::TooLarge { resident, limit } => {
                write!(f, "it uses {} MiB of memory, and browser_memory is {} MiB", resident >> 20, limit >> 20)
            }
            Self::TooMuchDisk { disk, limit } => {
                write!(f, "its files take {} MiB of disk, and browser_disk is {} MiB", disk >> 20, limit >> 20)
            }
            Self::Dedicated { waiting, spares, there } => write!(
                f,
                "{waiting} sessions wait for a browser of their own, {spares} spare ones are to be ready, and {there} are \
                 there or start"
            ),
            Self::LaunchOptions { all } => write!(
                f,
                "a session waits for a browser that is started with its launch options, and {all} dedicated ones are there"
            ),
            Self::UnusedSpare { there, needed } => {
                write!(f, "{there} spare dedicated browsers are there or start, and {needed} are needed")
            }
        }
    }
}

impl What {
    /// One word, for the metric.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::StartDedicated => "start_dedicated",
            Self::StartSpecial => "start_special",
            Self::Connect(_) => "connect",
            Self::Replace(..) => "replace",
            Self::TakeBack(_) => "take_back",
            Self::Drain(_) => "drain",
            Self::Recycle(..) => "recycle",
            Self::Hibernate(_) => "hibernate",
            Self::Close(_) => "close",
            Self::CloseSpare(_) => "close_spare",
            Self::Kill(_) => "kill",
            Self::Hold => "hold",
        }
    }

    /// The browser that it is about.
    pub(super) fn browser(self) -> Option<BrowserId> {
        match self {
            Self::Start | Self::StartDedicated | Self::StartSpecial | Self::Connect(_) | Self::Hold => None,
            Self::Replace(browser, _)
            | Self::TakeBack(browser)
            | Self::Drain(browser)
            | Self::Recycle(browser, _)
            | Self::Hibernate(browser)
            | Self::Close(browser)
            | Self::CloseSpare(browser)
            | Self::Kill(browser) => Some(browser),
        }
    }
}

impl Figures {
    /// The browsers at this stage.
    pub(super) fn at(&self, is_at: impl Fn(Stage) -> bool) -> impl Iterator<Item = &BrowserFigures> {
        self.browsers.iter().filter(move |browser| is_at(browser.stage))
    }

    /// The browsers of this machine that are not dead.
    pub(super) fn local(&self) -> impl Iterator<Item = &BrowserFigures> {
        self.browsers.iter().filter(|browser| !browser.is_remote)
    }

    /// The number of browsers of this machine that accept sessions, or will soon.
    pub(super) fn running(&self) -> usize {
        self.local().filter(|browser| matches!(browser.stage, Stage::Ready | Stage::Starting)).count()
    }

    /// The reason not to start a browser that is not necessary.
    pub(super) fn shortage(&self, rules: &Rules) -> Option<Evidence> {
        rules.memory_shortage(self.memory).or_else(|| rules.cpu_shortage(self.cpu))
    }

    /// Whether a browser may be started now; if not, when.
    pub(super) fn may_start(&self) -> bool {
        self.retry_at.is_none_or(|at| at <= self.now)
    }
}
