//! Settings: what was said ([`RawConfig`]) and what it means ([`Config`]).
//!
//! A setting comes from a flag, a `GHOSTMUX_…` variable, a TOML file or a default, in that order, and is checked in one
//! place whatever its source. This module never acts on a setting, and never reads the environment by itself: it is
//! handed in. `docs/configuration.md` is generated from [`RawConfig`] (see [`docs`]).

mod deadline;
pub mod docs;
mod layers;
mod raw;
mod snapshots;
mod store;
mod value;

use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    path::PathBuf,
    time::Duration,
};

use thiserror::Error;

pub use self::{
    deadline::{Deadlines, Limit, may_save, span},
    layers::unknown_variables,
    raw::{RawConfig, with_defaults_in_help},
    snapshots::SnapshotLimits,
    store::{RedisUrl, StoreKey, StoreKeys, StoreLimits, StorePlace, StoreSettings},
    value::RemoteUrl,
};
use self::{
    layers::{Layers, Said, Source},
    value::{duration, host, listen, number, origin, size, switch},
};
pub use crate::api_types::capability::{Capabilities, Capability, CdpSessionLimits, Granted};

/// Chrome closes its pipe, and itself, on a message above this (measured); nothing a client sends may be larger.
const LARGEST_MESSAGE: u64 = 100 << 20;

/// The checked settings of `ghostmux serve`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Beyond loopback only if the operator said `insecure`.
    pub listen: SocketAddr,
    /// Names accepted in a `Host` header beside IP addresses and localhost; lower case.
    pub allow_host: Vec<String>,
    /// Origins whose pages may use this server; lower case, as a browser writes them.
    pub allow_origin: Vec<String>,
    /// Where the browsers come from.
    pub browsers: BrowserSource,
    /// Warm leases kept ready in each browser; never more than `max_sessions`.
    pub warm: u32,
    /// Most sessions in one browser.
    pub max_sessions: Option<NonZeroU32>,
    /// When sessions end by themselves.
    pub deadlines: Deadlines,
    /// How often a silent client is pinged; zero is never.
    pub ping_interval: Duration,
    /// How many sessions there may be, and what happens to one more.
    pub admission: Admission,
    /// What calls to `/json/…` that carry no connection act in.
    pub http_session: HttpSession,
    /// What the built-in `local` tenant may do.
    pub local: Capabilities,
    /// How many CDP sessions the clients of one session may have.
    pub cdp_sessions: CdpSessionLimits,
    /// Largest frame accepted from a client, in bytes.
    pub max_client_frame: usize,
    /// How many device pixels the screenshots under way in one browser may have together.
    pub screenshot_pixels: NonZeroU32,
    /// How many screenshots of one session may wait for their turn; at least 1.
    pub screenshot_queue: usize,
    /// How many pages of snapshots open at once in one browser; at least 1.
    pub restore_pages: usize,
    /// When a client's outbound queue counts as too long, and when it is cut.
    pub client_queue: ClientQueue,
    /// How long the reader of an HTTP answer may take none of it.
    pub http_stall: Duration,
    /// Each process makes its own directory in this one, for profiles and for the files of its sessions.
    pub session_dir: PathBuf,
    /// Where snapshots rest, and within what limits.
    pub store: StoreSettings,
    /// How much work and memory snapshots may take.
    pub snapshots: SnapshotLimits,
    /// What to log and how.
    pub log: Log,
    /// How long sessions get to end after a signal to stop.
    pub drain: Duration,
}

/// Where the browsers come from: a Chrome is either ours, with path and flags, or somebody else's, with a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrowserSource {
    /// Processes started here, driven over a pipe.
    Local(LocalBrowsers),
    /// Chromes that run elsewhere, one link each; never empty.
    Remote(Vec<RemoteUrl>),
}

/// How to start browsers on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalBrowsers {
    /// The Chrome to start; found if not said.
    pub path: Option<PathBuf>,
    /// Further flags for Chrome.
    pub args: Vec<String>,
    /// How many to run.
    pub count: NonZeroU16,
    /// The operator turned Chrome's sandbox off. As root it is off in any case.
    pub no_sandbox: bool,
    /// What is spoken with them.
    pub codec: Codec,
}

/// How messages are written on the pipe of a browser that is started here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// What is faster: CBOR wherever Chrome knows it, which is every Chrome that works here.
    ///
    /// *Measured* on Chromium 156, interleaved on one busy machine, JSON against CBOR on two equal pipes: Chrome's own
    /// process spends 128 and 28 ms of CPU on a 10 MB string, 14 and 4 ms on 1 MB, 26 and 2.5 ms on 1 MB of objects;
    /// `Browser.getVersion` takes 0.31 and 0.17 ms (medians), a 10 MB result 4.8 and 3.0 s.
    Auto,
    /// Text, which Chrome translates.
    Json,
    /// Chrome's own binary form, which we translate.
    Cbor,
}

/// The session behind HTTP calls that carry no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpSession {
    /// One per tenant, apart from the sessions of its WebSockets.
    Own,
    /// `/json/version` leads to that same session (chromedriver and `DrissionPage` need it).
    Shared,
}

/// Limits of the queue of what goes out to one client, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientQueue {
    /// Above this, a client whose socket took nothing for `stall` is cut.
    pub soft: usize,
    /// Above this, a client is cut at once. At least `soft`.
    pub hard: usize,
    /// Above this, over all clients, the one with the longest queue is cut. At least `hard`.
    pub total: usize,
    /// How long a socket may take nothing.
    pub stall: Duration,
}

/// How many sessions there may be, and what happens to one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Most sessions at a time, over all browsers.
    pub total: Option<NonZeroU32>,
    /// Most sessions of one owner.
    pub per_owner: Option<NonZeroU32>,
    /// How many may wait for a place.
    pub queue: usize,
    /// How long one may wait.
    pub timeout: Duration,
}

/// What to log and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A valid filter, such as `info` or `ghostmux=debug,warn`.
    pub filter: String,
    /// For people or for machines.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// A setting that cannot be used, in one line: where it was said, its value, what is wrong, what to do.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// One setting is wrong by itself.
    #[error("{setting} {value:?}: {problem}")]
    Value {
        /// The setting as the operator wrote it: flag, variable, or key and file.
        setting: String,
        /// What was said.
        value: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Two settings contradict each other.
    #[error("{setting}: {problem}")]
    Conflict {
        /// The setting as the operator wrote it.
        setting: String,
        /// What it contradicts and what to do.
        problem: String,
    },
    /// The file cannot be read or is not what it should be.
    #[error("{setting}: {problem}")]
    File {
        /// The file, with a line if one is to blame.
        setting: String,
        /// What is wrong.
        problem: String,
    },
}

impl Config {
    /// Puts together what flags, variables (all of the process's), the file they name and the defaults say, and checks
    /// it.
    pub fn load(flags: RawConfig, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::check(&Layers::load(flags, variables)?)
    }

    /// Other machines can reach the server, and it has no tokens.
    pub fn is_exposed(&self) -> bool {
        !self.listen.ip().is_loopback()
    }

    fn check(layers: &Layers) -> Result<Self, ConfigError> {
        let max_sessions = NonZeroU32::new(layers.text("max_sessions").read(number(0..=100_000))?);
        let warm: u32 = layers.text("warm").read(number(0..=64))?;
        Ok(Self {
            listen: check_listen(layers)?,
            allow_host: layers.list("allow_host").iter().map(|said| said.read(host)).collect::<Result<_, _>>()?,
            allow_origin: layers.list("allow_origin").iter().map(|said| said.read(origin)).collect::<Result<_, _>>()?,
            browsers: check_browsers(layers)?,
            warm: max_sessions.map_or(warm, |most| warm.min(most.get())),
            max_sessions,
            deadlines: Deadlines::check(layers)?,
            ping_interval: layers.text("ping_interval").read(duration(Duration::ZERO))?,
            admission: Admission {
                total: NonZeroU32::new(layers.text("max_total_sessions").read(number(0..=1_000_000))?),
                per_owner: NonZeroU32::new(layers.text("max_owner_sessions").read(number(0..=1_000_000))?),
                queue: layers.text("queue").read(number::<u32>(0..=1_000_000))? as usize,
                timeout: layers.text("queue_timeout").read(duration(Duration::from_millis(1)))?,
            },
            http_session: layers.text("http_session").read(|text| match text {
                "own" => Ok(HttpSession::Own),
                "shared" => Ok(HttpSession::Shared),
                _ => Err("must be own or shared".into()),
            })?,
            local: if layers.text("strict").read(switch)? { Capabilities::strict() } else { Capabilities::local() },
            cdp_sessions: CdpSessionLimits {
                all: layers.text("max_cdp_sessions").read(number::<u32>(1..=1_000_000))? as usize,
                roots: layers.text("max_roots").read(number::<u32>(1..=1_000_000))? as usize,
                network_buffers: layers.text("network_buffers").read(size(0..=1 << 40))?,
            },
            max_client_frame: layers.text("max_client_frame").read(size(1 << 10..=LARGEST_MESSAGE))?,
            screenshot_pixels: layers
                .text("screenshot_pixels")
                .read(number(1_000_000..=1_000_000_000))
                .map(|pixels| NonZeroU32::new(pixels).expect("at least a million"))?,
            screenshot_queue: layers.text("screenshot_queue").read(number::<u32>(1..=1_000_000))? as usize,
            restore_pages: layers.text("restore_pages").read(number::<u32>(1..=1000))? as usize,
            client_queue: check_client_queue(layers)?,
            http_stall: layers.text("http_stall").read(duration(Duration::from_millis(1)))?,
            session_dir: match layers.maybe("session_dir") {
                Some(said) => said.read(path)?,
                None => std::env::temp_dir(),
            },
            store: store::check(layers)?,
            snapshots: SnapshotLimits::check(layers)?,
            log: Log {
                filter: layers.text("log").read(|text| match tracing_subscriber::EnvFilter::try_new(text) {
                    Ok(_) => Ok(text.to_owned()),
                    Err(error) => Err(format!("is no log filter ({error}); say for example info or ghostmux=debug")),
                })?,
                format: layers.text("log_format").read(|text| match text {
                    "text" => Ok(LogFormat::Text),
                    "json" => Ok(LogFormat::Json),
                    _ => Err("must be text or json".into()),
                })?,
            },
            drain: layers.text("drain").read(duration(Duration::ZERO))?,
        })
    }
}

/// What `serve` does when nobody says anything.
impl Default for Config {
    fn default() -> Self {
        Self::load(RawConfig::default(), []).expect("the defaults are valid")
    }
}

fn check_listen(layers: &Layers) -> Result<SocketAddr, ConfigError> {
    let said = layers.text("listen");
    let address = said.read(listen)?;
    if !address.ip().is_loopback() && !layers.text("insecure").read(switch)? {
        return Err(said.wrong(
            "other machines could drive these browsers, and there are no tokens to stop them; \
             listen on 127.0.0.1, or say --insecure (GHOSTMUX_INSECURE=true) if everyone who can reach it may",
        ));
    }
    Ok(address)
}

fn check_browsers(layers: &Layers) -> Result<BrowserSource, ConfigError> {
    let remote = layers.list("browser_url");
    let Some(first) = remote.first() else {
        return Ok(BrowserSource::Local(LocalBrowsers {
            path: layers.maybe("browser_path").map(|said| said.read(path)).transpose()?,
            args: layers.list("browser_args").iter().map(|said| said.read(browser_arg)).collect::<Result<_, _>>()?,
            count: layers.text("browsers").read(number(1..=64)).map(|n| NonZeroU16::new(n).expect("at least 1"))?,
            no_sandbox: layers.text("no_sandbox").read(switch)?,
            codec: layers.text("codec").read(codec)?,
        }));
    };
    // A setting that would be ignored is refused: the operator believes in it.
    for key in ["browser_path", "browser_args", "browsers", "no_sandbox"] {
        if let Some(said) = layers.maybe(key).filter(|said| !matches!(said.source, Source::Default)) {
            return Err(ConfigError::Conflict {
                setting: said.setting(),
                problem: format!(
                    "is for a Chrome started here, but {} names one that runs elsewhere; take one of the two away",
                    first.setting()
                ),
            });
        }
    }
    let said = layers.text("codec");
    if said.read(codec)? == Codec::Cbor {
        return Err(ConfigError::Conflict {
            setting: said.setting(),
            problem: format!(
                "cbor is spoken on the pipe of a Chrome started here, but {} names one that runs elsewhere; say json",
                first.setting()
            ),
        });
    }
    let urls = remote.iter().map(|said| {
        // Not `Said::read`: a URL's query can hold a token, which no error may repeat.
        said.text.parse::<RemoteUrl>().map_err(|problem| ConfigError::Value {
            setting: said.setting(),
            value: RemoteUrl::without_secrets(&said.text),
            problem,
        })
    });
    Ok(BrowserSource::Remote(urls.collect::<Result<_, _>>()?))
}

fn check_client_queue(layers: &Layers) -> Result<ClientQueue, ConfigError> {
    let soft_said = layers.text("client_queue");
    let soft = soft_said.read(size(64 << 10..=1 << 40))?;
    let hard_said = layers.text("client_queue_hard");
    let hard = hard_said.read(size(64 << 10..=1 << 40))?;
    if hard < soft {
        return Err(hard_said.wrong(&format!("is below {} {}; raise it", soft_said.setting(), soft_said.text)));
    }
    let total_said = layers.text("client_queue_total");
    let total = total_said.read(size(64 << 10..=1 << 40))?;
    if total < hard {
        return Err(total_said.wrong(&format!("is below {} {}; raise it", hard_said.setting(), hard_said.text)));
    }
    Ok(ClientQueue { soft, hard, total, stall: layers.text("stall").read(duration(Duration::from_millis(100)))? })
}

fn codec(text: &str) -> Result<Codec, String> {
    match text {
        "auto" => Ok(Codec::Auto),
        "json" => Ok(Codec::Json),
        "cbor" => Ok(Codec::Cbor),
        _ => Err("must be auto, json or cbor".into()),
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty; say a path".into()) } else { Ok(PathBuf::from(text)) }
}

/// The flags that would take a browser out of our hands.
fn browser_arg(text: &str) -> Result<String, String> {
    const OURS: [&str; 4] =
        ["--remote-debugging-port", "--remote-debugging-pipe", "--user-data-dir", "--remote-debugging-address"];
    let name = text.split('=').next().unwrap_or(text);
    if !name.starts_with("--") {
        return Err("is no flag of Chrome: they begin with --".into());
    }
    if OURS.contains(&name) {
        return Err("is set by ghostmux itself; take it away".into());
    }
    if name == "--no-sandbox" {
        return Err("has a setting of its own: say --no-sandbox to ghostmux (GHOSTMUX_NO_SANDBOX=true)".into());
    }
    Ok(text.to_owned())
}

impl Said {
    /// Reads the text with `parse`, whose error says what is wrong and what to do.
    fn read<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        parse(&self.text).map_err(|problem| self.wrong(&problem))
    }

    fn wrong(&self, problem: &str) -> ConfigError {
        ConfigError::Value { setting: self.setting(), value: self.text.clone(), problem: problem.to_owned() }
    }
}

#[cfg(test)]
mod tests;
