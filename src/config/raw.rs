//! The settings as given: text, not yet checked. `layers` combines their sources.

mod text;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser};
use serde::Deserialize;

pub(super) use self::text::split;
use self::text::{list, text};

/// The defaults. Shown in `--help` and in the docs.
pub(super) const DEFAULTS: [(&str, &str); 47] = [
    ("listen", "127.0.0.1:9222"),
    ("insecure", "false"),
    ("browsers", "1"),
    ("warm", "2"),
    ("max_sessions", "0"),
    ("no_sandbox", "false"),
    ("codec", "auto"),
    ("http_session", "own"),
    ("strict", "false"),
    ("timeout", "0s"),
    ("timeout_max", "0s"),
    ("idle_timeout", "0s"),
    ("idle_timeout_max", "0s"),
    ("keep_alive", "0s"),
    ("keep_alive_max", "24h"),
    ("park_keep_alive", "5m"),
    ("hibernate_after", "0s"),
    ("autosave", "0s"),
    ("ping_interval", "30s"),
    ("max_total_sessions", "0"),
    ("max_owner_sessions", "0"),
    ("queue", "100"),
    ("queue_timeout", "30s"),
    ("max_clients_per_session", "8"),
    ("max_cdp_sessions", "10000"),
    ("max_roots", "256"),
    ("network_buffers", "1GiB"),
    ("max_client_frame", "100MiB"),
    ("screenshot_pixels", "20000000"),
    ("screenshot_queue", "1000"),
    ("client_queue", "64MiB"),
    ("client_queue_hard", "512MiB"),
    ("client_queue_total", "2GiB"),
    ("stall", "10s"),
    ("http_stall", "30s"),
    ("snapshot_ttl", "30d"),
    ("snapshot_max", "256MiB"),
    ("snapshot_quota", "4GiB"),
    ("snapshot_count", "10000"),
    ("snapshot_line", "8MiB"),
    ("snapshot_transfers", "2"),
    ("snapshot_memory", "768MiB"),
    ("snapshot_fields", "10000"),
    ("restore_pages", "4"),
    ("log", "info"),
    ("log_format", "text"),
    ("drain", "10s"),
];

/// The settings of one source. The comment on each field is its text in `--help` and in `docs/configuration.md`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// TOML file with any of these settings, named as here with `_` for `-`.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Address to listen on. Anything but loopback needs `insecure`.
    #[arg(long, value_name = "IP:PORT", help_heading = "Listening")]
    #[serde(deserialize_with = "text")]
    pub listen: Option<String>,
    /// Listen beyond loopback without tokens: whoever can reach the address can control the browsers.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = "Listening")]
    #[serde(deserialize_with = "text")]
    pub insecure: Option<String>,
    /// Names and addresses by which clients may call this server, in addition to localhost, loopback and the addresses
    /// it listens on.
    #[arg(long, value_name = "NAME", help_heading = "Listening")]
    #[serde(deserialize_with = "list")]
    pub allow_host: Option<Vec<String>>,
    /// Origins whose web pages may use this server. Scripts outside of a page send none and need no entry.
    #[arg(long, value_name = "ORIGIN", help_heading = "Listening")]
    #[serde(deserialize_with = "list")]
    pub allow_origin: Option<Vec<String>>,

    /// Chrome to start, instead of the first one found; `ghostmux doctor` shows which that is.
    #[arg(long, value_name = "PATH", help_heading = "Browsers")]
    #[serde(deserialize_with = "text")]
    pub browser_path: Option<String>,
    /// WebSocket URL of a Chrome that runs elsewhere, instead of starting one here. One browser per URL.
    #[arg(long, value_name = "URL", help_heading = "Browsers")]
    #[serde(deserialize_with = "list")]
    pub browser_url: Option<Vec<String>>,
    /// Additional flags for Chrome, such as `--lang=de`.
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true, help_heading = "Browsers")]
    #[serde(deserialize_with = "list")]
    pub browser_args: Option<Vec<String>>,
    /// How many browsers to run, 1 to 64.
    #[arg(long, value_name = "N", help_heading = "Browsers")]
    #[serde(deserialize_with = "text")]
    pub browsers: Option<String>,
    /// Sessions kept ready in each browser, 0 to 64. A client that gets one need not wait for a page to start. When
    /// clients come in bursts, up to ten times as many are kept for the next burst, as long as they are needed.
    #[arg(long, value_name = "N", help_heading = "Browsers")]
    #[serde(deserialize_with = "text")]
    pub warm: Option<String>,
    /// Most sessions in one browser at a time. 0 means no limit.
    #[arg(long, value_name = "N", help_heading = "Browsers")]
    #[serde(deserialize_with = "text")]
    pub max_sessions: Option<String>,
    /// Turn Chrome's sandbox off, if the system does not allow it. Running as root implies it.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = "Browsers")]
    #[serde(deserialize_with = "text")]
    pub no_sandbox: Option<String>,
    /// Format of the messages between Chrome and the proxy: `json`, `cbor`, which takes work off Chrome, or `auto` for
    /// the faster one.
    #[arg(long, value_name = "auto|json|cbor", help_heading = "Browsers")]
    #[serde(deserialize_with = "text")]
    pub codec: Option<String>,

    /// Session in which HTTP calls such as /json/new act: `own`, or `shared` with WebSocket clients (chromedriver).
    #[arg(long, value_name = "own|shared", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub http_session: Option<String>,
    /// Remove the capabilities of local clients beyond their own pages: host files, tracing, private networks.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub strict: Option<String>,
    /// How long a session lasts at most, from its start. 0s means no limit.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub timeout: Option<String>,
    /// Longest `timeout` that a client may request. 0s means any, no limit included.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub timeout_max: Option<String>,
    /// How long the clients of a session may send nothing before it ends. 0s means no limit.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub idle_timeout: Option<String>,
    /// Longest `idle_timeout` that a client may request. 0s means any, no limit included.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub idle_timeout_max: Option<String>,
    /// How long a session waits for a client after its last socket closed. 0s means it ends with that socket.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub keep_alive: Option<String>,
    /// Longest `keep_alive` that a client may request.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub keep_alive_max: Option<String>,
    /// The `keep_alive` of a session that is created or parked by the API and was given none.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub park_keep_alive: Option<String>,
    /// How long a session is parked before it is hibernated: it is saved and its pages are closed. It is restored when
    /// a client connects to it, here or in another process with the same store. Parked sessions are also saved when the
    /// process stops. 0s means never. Clients may request another value.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub hibernate_after: Option<String>,
    /// How often a session is saved while it runs. If its browser dies or ghostmux stops, a client that connects to its
    /// id finds it as it was saved last. 0s means never; otherwise at least 1s. Clients may request another value.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub autosave: Option<String>,
    /// How often a silent client is pinged; it counts as gone after ten pings without an answer. 0s means never.
    #[arg(long, value_name = "TIME", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub ping_interval: Option<String>,
    /// Directory in which each process creates its own, for profiles and session files [default: $TMPDIR or /tmp].
    #[arg(long, value_name = "DIR", help_heading = "Sessions")]
    #[serde(deserialize_with = "text")]
    pub session_dir: Option<String>,

    /// Most sessions at a time over all browsers, parked ones included. 0 means that only `max_sessions` limits them.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub max_total_sessions: Option<String>,
    /// Most sessions of one owner at a time; above that, new ones are refused (429). 0 means no limit.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub max_owner_sessions: Option<String>,
    /// Most clients that may wait for a session when there is no place; further ones are refused (503).
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub queue: Option<String>,
    /// How long a client may wait in the queue.
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub queue_timeout: Option<String>,
    /// Most clients on the whole of one session at once; one more is refused. Clients on a single page
    /// (`/devtools/page/…`) do not count.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub max_clients_per_session: Option<String>,
    /// Most CDP sessions that the clients of one session may have at a time. A client needs one or two for each page, frame
    /// and worker.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub max_cdp_sessions: Option<String>,
    /// Most of these that may be on the browser itself (`Target.attachToBrowserTarget`). A client needs one or two.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub max_roots: Option<String>,
    /// Bytes of response bodies that the CDP sessions of one session may keep together beyond 100 MB each
    /// (`maxTotalBufferSize` of `Network.enable`). A client that asks for more is refused.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub network_buffers: Option<String>,
    /// Largest frame accepted from a client, at most 100MiB: a larger message ends Chrome.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub max_client_frame: Option<String>,
    /// Pixels that the concurrent screenshots of one browser may have together; others wait for their turn, fairly by
    /// session. Screenshots of at most an eighth of it are counted apart and wait only for each other. One session gets
    /// at most half. A single screenshot is always taken.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub screenshot_pixels: Option<String>,
    /// Screenshots of one session that may wait for their turn; further ones are refused.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub screenshot_queue: Option<String>,
    /// Bytes that may wait for a client whose socket accepts nothing for `stall`; with more it is disconnected.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub client_queue: Option<String>,
    /// Bytes that may wait for any client; with more it is disconnected at once.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub client_queue_hard: Option<String>,
    /// Bytes that may wait for all clients together; with more, the client with the longest queue is disconnected.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub client_queue_total: Option<String>,
    /// How long a client's socket may accept nothing while more than `client_queue` waits.
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub stall: Option<String>,
    /// How long the reader of an HTTP answer, such as a snapshot's content, may read nothing before it is disconnected.
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub http_stall: Option<String>,
    /// How long sessions may take to end after SIGTERM or SIGINT; a second signal ends them at once.
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    #[serde(deserialize_with = "text")]
    pub drain: Option<String>,

    /// Store of the snapshots: a file that only this process uses, or a Redis that several share, `redis://HOST:PORT`
    /// or `unix:///PATH`
    /// [default: ghostmux/ghostmux.redb in `$XDG_STATE_HOME` or `~/.local/state`, as root in `/var/lib`].
    #[arg(long, value_name = "PATH|URL", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub store: Option<String>,
    /// File with the keys that encrypt snapshots in the store, one `ID:64 hexadecimal digits` per line: the first
    /// encrypts, all decrypt. The variable can also hold the keys themselves.
    #[arg(long, value_name = "FILE", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub store_key: Option<String>,
    /// How long a snapshot is kept by default. 0 keeps it until it is deleted.
    #[arg(long, value_name = "TIME", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub snapshot_ttl: Option<String>,
    /// Largest snapshot, before compression.
    #[arg(long, value_name = "SIZE", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub snapshot_max: Option<String>,
    /// Most bytes that the snapshots of one owner may take, as stored.
    #[arg(long, value_name = "SIZE", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub snapshot_quota: Option<String>,
    /// Most snapshots of one owner.
    #[arg(long, value_name = "N", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub snapshot_count: Option<String>,
    /// Longest line of a snapshot that is imported. Only a single value of that size makes such a line; many values are
    /// written in lines of about 1 MiB.
    #[arg(long, value_name = "SIZE", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub snapshot_line: Option<String>,
    /// How many snapshots may be imported, or exported as one document, at a time. A clone of a session that has more
    /// than 1 MiB counts too. Further ones wait as `queue` and `queue_timeout` say, then they are refused (503).
    #[arg(long, value_name = "N", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub snapshot_transfers: Option<String>,
    /// Memory that these may take together. A document takes up to 12 times its size while it is read, a clone 64 MiB.
    /// A document that can never get that much is refused (413).
    #[arg(long, value_name = "SIZE", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub snapshot_memory: Option<String>,
    /// Most form fields of a page that a snapshot holds; its report says how many more there were.
    #[arg(long, value_name = "N", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub snapshot_fields: Option<String>,
    /// Pages of snapshots that open at once in one browser, for all sessions in turn. After each page the next one
    /// waits as long as the browser took to create it, so that other clients have their turn too.
    #[arg(long, value_name = "N", help_heading = "Snapshots")]
    #[serde(deserialize_with = "text")]
    pub restore_pages: Option<String>,

    /// What to log: a level, or levels by module such as `ghostmux::browser=debug,info`.
    #[arg(long, value_name = "FILTER", help_heading = "Logs")]
    #[serde(deserialize_with = "text")]
    pub log: Option<String>,
    /// Format of log lines: text for people, or one JSON object per line; always on standard error.
    #[arg(long, value_name = "text|json", help_heading = "Logs")]
    #[serde(deserialize_with = "text")]
    pub log_format: Option<String>,
}

impl RawConfig {
    /// The values of a setting.
    pub(super) fn said(&self, key: &str) -> Option<&[String]> {
        let one = match key {
            "listen" => &self.listen,
            "insecure" => &self.insecure,
            "allow_host" => return self.allow_host.as_deref(),
            "allow_origin" => return self.allow_origin.as_deref(),
            "browser_path" => &self.browser_path,
            "browser_url" => return self.browser_url.as_deref(),
            "browser_args" => return self.browser_args.as_deref(),
            "browsers" => &self.browsers,
            "warm" => &self.warm,
            "max_sessions" => &self.max_sessions,
            "no_sandbox" => &self.no_sandbox,
            "codec" => &self.codec,
            "http_session" => &self.http_session,
            "strict" => &self.strict,
            "timeout" => &self.timeout,
            "timeout_max" => &self.timeout_max,
            "idle_timeout" => &self.idle_timeout,
            "idle_timeout_max" => &self.idle_timeout_max,
            "keep_alive" => &self.keep_alive,
            "keep_alive_max" => &self.keep_alive_max,
            "park_keep_alive" => &self.park_keep_alive,
            "hibernate_after" => &self.hibernate_after,
            "autosave" => &self.autosave,
            "ping_interval" => &self.ping_interval,
            "max_total_sessions" => &self.max_total_sessions,
            "max_owner_sessions" => &self.max_owner_sessions,
            "queue" => &self.queue,
            "queue_timeout" => &self.queue_timeout,
            "session_dir" => &self.session_dir,
            "max_clients_per_session" => &self.max_clients_per_session,
            "max_cdp_sessions" => &self.max_cdp_sessions,
            "max_roots" => &self.max_roots,
            "network_buffers" => &self.network_buffers,
            "max_client_frame" => &self.max_client_frame,
            "screenshot_pixels" => &self.screenshot_pixels,
            "screenshot_queue" => &self.screenshot_queue,
            "client_queue" => &self.client_queue,
            "client_queue_hard" => &self.client_queue_hard,
            "client_queue_total" => &self.client_queue_total,
            "stall" => &self.stall,
            "http_stall" => &self.http_stall,
            "drain" => &self.drain,
            "store" => &self.store,
            "store_key" => &self.store_key,
            "snapshot_ttl" => &self.snapshot_ttl,
            "snapshot_max" => &self.snapshot_max,
            "snapshot_quota" => &self.snapshot_quota,
            "snapshot_count" => &self.snapshot_count,
            "snapshot_line" => &self.snapshot_line,
            "snapshot_transfers" => &self.snapshot_transfers,
            "snapshot_memory" => &self.snapshot_memory,
            "snapshot_fields" => &self.snapshot_fields,
            "restore_pages" => &self.restore_pages,
            "log" => &self.log,
            "log_format" => &self.log_format,
            _ => unreachable!("no setting {key}"),
        };
        one.as_ref().map(std::slice::from_ref)
    }
}

/// Adds each setting's default to its help text.
pub fn with_defaults_in_help(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| match default_of(arg.get_id().as_str()) {
        Some(default) => {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.help(format!("{help} [default: {default}]"))
        }
        None => arg,
    })
}

/// The settings as clap knows them.
pub(super) fn arguments() -> clap::Command {
    #[derive(Parser)]
    struct OnlySettings {
        #[command(flatten)]
        _settings: RawConfig,
    }
    OnlySettings::command().disable_help_flag(true)
}

pub(super) fn default_of(key: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(name, _)| *name == key).map(|(_, default)| *default)
}

/// Every key, `config` included.
pub(super) fn keys() -> Vec<String> {
    arguments().get_arguments().map(|arg| arg.get_id().to_string()).collect()
}
