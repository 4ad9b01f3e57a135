//! Settings: the texts as given ([`RawConfig`]) and the checked values ([`Config`]).
//!
//! A setting comes from a flag, a `GHOSTMUX_…` variable, a TOML file or a default, in that order, and is checked in one
//! place whatever its source. This module never acts on a setting, and does not read the environment itself: the caller
//! passes it in. `docs/configuration.md` is generated from [`RawConfig`] (see [`docs`]).

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

/// A larger message, in bytes, makes Chrome close its pipe and end (*measured*); a client's frame may not be larger.
const LARGEST_MESSAGE: u64 = 100 << 20;

/// The checked settings of `ghostmux serve`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on. Beyond loopback only with `insecure`.
    pub listen: SocketAddr,
    /// Names accepted in a `Host` header beside IP addresses and localhost; lower case.
    pub allow_host: Vec<String>,
    /// Origins whose pages may use this server; lower case, as a browser writes them.
    pub allow_origin: Vec<String>,
    /// The source of the browsers.
    pub browsers: BrowserSource,
    /// Warm leases kept ready in each browser; never more than `max_sessions`.
    pub warm: u32,
    /// Most sessions in one browser.
    pub max_sessions: Option<NonZeroU32>,
    /// The deadlines of sessions, and their maxima.
    pub deadlines: Deadlines,
    /// Interval between pings to a silent client; zero is never.
    pub ping_interval: Duration,
    /// Limits of the number of sessions and of the queue.
    pub admission: Admission,
    /// The session in which calls to `/json/…` without a connection act.
    pub http_session: HttpSession,
    /// Capabilities of the built-in `local` tenant.
    pub local: Capabilities,
    /// Most CDP sessions of the clients of one session.
    pub cdp_sessions: CdpSessionLimits,
    /// Most browser-level clients of one session at once; at least 1.
    pub clients_per_session: usize,
    /// Largest frame accepted from a client, in bytes.
    pub max_client_frame: usize,
    /// Most device pixels of all screenshots that are being taken in one browser.
    pub screenshot_pixels: NonZeroU32,
    /// Most screenshots of one session that may wait; at least 1.
    pub screenshot_queue: usize,
    /// Most pages of snapshots that open at once in one browser; at least 1.
    pub restore_pages: usize,
    /// Limits of the outbound queues of clients.
    pub client_queue: ClientQueue,
    /// How long the reader of an HTTP answer may read nothing.
    pub http_stall: Duration,
    /// Directory in which each process creates its own, for profiles and session files.
    pub session_dir: PathBuf,
    /// The store of the snapshots, and its limits.
    pub store: StoreSettings,
    /// Limits of the work and memory for snapshots.
    pub snapshots: SnapshotLimits,
    /// Filter and format of the log.
    pub log: Log,
    /// How long sessions may take to end after a signal to stop.
    pub drain: Duration,
}

/// The source of the browsers: local processes with path and flags, or remote Chromes with a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrowserSource {
    /// Processes that ghostmux starts and drives over a pipe.
    Local(LocalBrowsers),
    /// Chromes that run elsewhere, one link each; never empty.
    Remote(Vec<RemoteUrl>),
}

/// How to start browsers on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalBrowsers {
    /// The Chrome to start; searched for if absent.
    pub path: Option<PathBuf>,
    /// Further flags for Chrome.
    pub args: Vec<String>,
    /// Number of browsers to run.
    pub count: NonZeroU16,
    /// Whether the operator turned Chrome's sandbox off. As root it is always off.
    pub no_sandbox: bool,
    /// The format of the messages on the pipe.
    pub codec: Codec,
}

/// The format of the messages on the pipe of a local browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// The faster one: CBOR wherever Chrome supports it, which is every supported Chrome.
    ///
    /// *Measured* on Chromium 156, interleaved on one busy machine, JSON against CBOR on two equal pipes: Chrome's own
    /// process spends 128 and 28 ms of CPU on a 10 MB string, 14 and 4 ms on 1 MB, 26 and 2.5 ms on 1 MB of objects;
    /// `Browser.getVersion` takes 0.31 and 0.17 ms (medians), a 10 MB result 4.8 and 3.0 s.
    Auto,
    /// JSON text, which Chrome translates.
    Json,
    /// Chrome's own binary format, which the proxy translates.
    Cbor,
}

/// The session of HTTP calls that carry no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpSession {
    /// One session per tenant, apart from the sessions of its WebSockets.
    Own,
    /// The session whose URL `/json/version` gives (chromedriver and `DrissionPage` need this).
    Shared,
}

/// Limits of the outbound queues of clients, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientQueue {
    /// Above this, a client whose socket accepted nothing for `stall` is disconnected.
    pub soft: usize,
    /// Above this, a client is disconnected at once. At least `soft`.
    pub hard: usize,
    /// Above this, over all clients, the client with the longest queue is disconnected. At least `hard`.
    pub total: usize,
    /// How long a socket may accept nothing.
    pub stall: Duration,
}

/// Limits of the number of sessions and of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Most sessions at a time, over all browsers; `None` is no limit.
    pub total: Option<NonZeroU32>,
    /// Most sessions of one owner; `None` is no limit.
    pub per_owner: Option<NonZeroU32>,
    /// Most clients that may wait for a place.
    pub queue: usize,
    /// How long a client may wait for a place.
    pub timeout: Duration,
}

/// Filter and format of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A valid log filter, such as `info` or `ghostmux=debug,warn`.
    pub filter: String,
    /// The format of log lines.
    pub format: LogFormat,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text, for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// A setting that cannot be used, in one line: its source, its value, the problem, and what to do.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// One setting is invalid by itself.
    #[error("{setting} {value:?}: {problem}")]
    Value {
        /// The setting as the operator wrote it: flag, variable, or key and file.
        setting: String,
        /// The text that was given.
        value: String,
        /// The problem and what to do.
        problem: String,
    },
    /// Two settings contradict each other.
    #[error("{setting}: {problem}")]
    Conflict {
        /// The setting as the operator wrote it.
        setting: String,
        /// The setting it contradicts, and what to do.
        problem: String,
    },
    /// The file cannot be read, or is invalid.
    #[error("{setting}: {problem}")]
    File {
        /// The file, with the line of the problem if it is known.
        setting: String,
        /// The problem.
        problem: String,
    },
}

impl Config {
    /// Combines flags, variables (all of the process), the file that they name and the defaults, and checks the result.
    pub fn load(flags: RawConfig, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::check(&Layers::load(flags, variables)?)
    }

    /// Whether other machines can reach the server. It has no tokens.
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
            clients_per_session: layers.text("max_clients_per_session").read(number::<u32>(1..=256))? as usize,
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
                    Err(error) => Err(format!("is no log filter ({error}); write for example info or ghostmux=debug")),
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

/// The configuration of `serve` without any setting.
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
    // A setting that would have no effect is refused, because the operator expects an effect.
    for key in ["browser_path", "browser_args", "browsers", "no_sandbox"] {
        if let Some(said) = layers.maybe(key).filter(|said| !matches!(said.source, Source::Default)) {
            return Err(ConfigError::Conflict {
                setting: said.setting(),
                problem: format!(
                    "is for a Chrome started here, but {} names one that runs elsewhere; remove one of the two",
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
                "cbor is for the pipe of a Chrome started here, but {} names one that runs elsewhere; use json",
                first.setting()
            ),
        });
    }
    let urls = remote.iter().map(|said| {
        // Not `Said::read`: the query of a URL can hold a token, and no error may repeat it.
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
    if text.is_empty() { Err("is empty; write a path".into()) } else { Ok(PathBuf::from(text)) }
}

/// Checks a flag for Chrome. Refuses flags by which ghostmux would lose control of the browser.
fn browser_arg(text: &str) -> Result<String, String> {
    const OURS: [&str; 4] =
        ["--remote-debugging-port", "--remote-debugging-pipe", "--user-data-dir", "--remote-debugging-address"];
    let name = text.split('=').next().unwrap_or(text);
    if !name.starts_with("--") {
        return Err("is no flag of Chrome: they begin with --".into());
    }
    if OURS.contains(&name) {
        return Err("is set by ghostmux itself; remove it".into());
    }
    if name == "--no-sandbox" {
        return Err("has a setting of its own: start ghostmux with --no-sandbox (GHOSTMUX_NO_SANDBOX=true)".into());
    }
    Ok(text.to_owned())
}

impl Said {
    /// Parses the text with `parse`, whose error says what is wrong and what to do.
    fn read<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        parse(&self.text).map_err(|problem| self.wrong(&problem))
    }

    fn wrong(&self, problem: &str) -> ConfigError {
        ConfigError::Value { setting: self.setting(), value: self.text.clone(), problem: problem.to_owned() }
    }
}

#[cfg(test)]
mod tests;
