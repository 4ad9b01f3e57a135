//! Declares the settings of `ghostmux serve`: this file is the only place that names a setting.
//!
//! The comment of a row is the text of `--help` and of `docs/configuration.md`. From its name follow the flag
//! (`--queue-timeout`), the variable (`GHOSTMUX_QUEUE_TIMEOUT`), the key of the TOML file (`queue_timeout`) and the field
//! of [`Config`]. The rest of a row is the type of the field, the placeholder for the value, the default, and the check.
//! `.live()` says that a reload changes it, `.showing(…)` that its values may hold a secret.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use ipnet::IpNet;
use url::Host;

use crate::{
    api_types::{BlockList, LaunchPolicy},
    port::egress::{HostPattern, Ports},
};

use super::{
    AuditMode, Codec, ConfigError, EgressMode, HttpSession, LogFormat, NeededToken, ProxySecret, PublicUrl, RemoteUrl,
    SharedLimits, StoreKeys, StorePlace, TenantsPlace, TokenHost,
    deadline::autosave,
    declare::{BySource, Declared, Setting, choice, computed, list, one, optional, settings, switch},
    front::network,
    layers::Layers,
    store::{place_without_secrets, ttl},
    value::{
        LARGEST_MESSAGE, block_list, chrome_flag, duration, egress_host, egress_ports, host, limit, listen_address,
        log_filter, number, origin, path, pixels, size, socket_address, token_host,
    },
};

settings! {
    "Listening" {
        /// Address to listen on. Anything but loopback needs `tenants` or `insecure`.
        listen: SocketAddr = one("IP:PORT", "127.0.0.1:9222", listen_address);
        /// Listen beyond loopback without tokens: whoever can reach the address can control the browsers.
        insecure: bool = switch();
        /// PEM file with the certificate of this server and those of its issuers: the port then has TLS. It and `tls_key` are
        /// read again when they change, and at a reload.
        tls_cert: Option<PathBuf> = optional("FILE", path);
        /// PEM file with the private key of that certificate.
        tls_key: Option<PathBuf> = optional("FILE", path);
        /// How long a client may take for its TLS handshake.
        tls_timeout: Duration = one("TIME", "10s", duration(Duration::from_millis(1)));
        /// Most TLS handshakes at a time; further connections are closed. One source gets at most a quarter of them.
        tls_handshakes: usize = one("N", "256", number(1..=1_000_000));
        /// Names and addresses by which clients may call this server, in addition to localhost, loopback and the addresses
        /// it listens on.
        allow_host: Vec<Host> = list("NAME", host).live();
        /// Origins whose web pages may use this server. Scripts outside of a page send none and need no entry.
        allow_origin: Vec<String> = list("ORIGIN", origin).live();
        /// URL at which clients reach this server through a proxy, such as `https://example.com/browsers`. Every URL that the
        /// server gives begins with it, requests for its host are accepted, and its path may be before that of a request.
        public_url: Option<PublicUrl> = optional("URL", BySource(PublicUrl::check)).live();
        /// Addresses of the proxies in front of this server. From them alone the headers `X-Forwarded-For`, `-Proto`, `-Host`,
        /// `-Prefix` and `Forwarded` count: the client is the last address in them that is no such proxy.
        trusted_proxy: Vec<IpNet> = list("CIDR", network).live();
        /// File with a secret that these proxies must send in the header `X-Ghostmux-Proxy`. One on this machine needs it,
        /// because pages connect from this machine too.
        proxy_secret: Option<ProxySecret> = optional("FILE", BySource(ProxySecret::check)).live();
    }
    "Tenants" {
        /// TOML file with the tenants and their tokens, or a Redis that has the same text and that several processes share,
        /// `redis://HOST:PORT` or `unix:///PATH`. It is read again when it changes. With it every request needs a token, and
        /// `listen` may be any address. `ghostmux token new` adds tokens.
        tenants: Option<TenantsPlace> = optional("FILE|URL", BySource(TenantsPlace::check)).showing(place_without_secrets);
        /// Most tokens of one tenant.
        tenant_tokens: usize = one("N", "100", number(1..=1_000_000));
        /// How long the tenants that were read last are trusted while their Redis does not answer; then requests with a token
        /// are refused (503) until it does. Sessions go on.
        tenants_max_stale: Duration = one("TIME", "5m", duration(Duration::from_secs(1)));
        /// Host names of this server whose first label is a token, such as `*.browsers.example.com`, for clients that drop
        /// path and query of a URL.
        token_host: Vec<TokenHost> = list("*.NAME", token_host);
        /// Tokens with which `/metrics` and `/pressure` can be read, if there are tenants: `none` for requests without a
        /// token, `any`, or `admin` for those of tenants with that capability.
        metrics_tokens: NeededToken = choice("admin", NeededToken::WORDS);
        /// The same for `/health`, `/healthz` and `/readyz`.
        health_tokens: NeededToken = choice("none", NeededToken::WORDS);
        /// File that keeps what the tenants have used over a restart.
        usage: Option<PathBuf> = optional("FILE", path);
        /// How long the usage of a day is kept.
        usage_keep: Duration = one("TIME", "400d", duration(Duration::from_secs(86_400)));
        /// File of the audit log: one JSON object per line for each decision that matters.
        audit: Option<PathBuf> = optional("FILE", path);
        /// What happens when the audit log cannot be written: `best-effort` counts what is lost, `required` refuses new
        /// sessions (503).
        audit_mode: AuditMode = choice("best-effort", AuditMode::WORDS);
        /// Size at which the file of the audit log is renamed and a new one is begun.
        audit_size: u64 = one("SIZE", "64MiB", size(64 << 10..=1 << 40));
        /// How many such older files are kept.
        audit_files: u32 = one("N", "10", number(1..=1000));
    }
    "Browsers" {
        /// Chrome to start, instead of the first one found; `ghostmux doctor` shows which that is.
        browser_path: Option<PathBuf> = optional("PATH", path);
        /// URL of a Chrome that runs elsewhere: `ws://HOST:PORT/devtools/browser/ID`, or `http://HOST:PORT` for the one that
        /// runs there at each connect. In the file also as tables `[[browser]]` with a `url`. One browser per URL. Beside them
        /// none is started here, unless `browsers` or `max_browsers` says how many.
        browser_url: Vec<RemoteUrl> = list("URL", BySource(RemoteUrl::check)).showing(RemoteUrl::without_secrets);
        /// Additional flags for Chrome, such as `--lang=de`.
        browser_args: Vec<String> = list("FLAG", chrome_flag).with_hyphens();
        /// How many browsers to run here, 1 to 64: sets `min_browsers` and `max_browsers` to the same number.
        browsers: Option<usize> = optional("N", number(1..=64)).live();
        /// Fewest browsers to run here, 1 to 64.
        min_browsers: usize = one("N", "1", number(1..=64)).live();
        /// Most browsers to run here, up to 64. 0 means as many as the machine can carry, or none beside `browser_url`; the
        /// log says how many that are, and why.
        max_browsers: usize = one("N", "0", number(0..=64)).live();
        /// Sessions in one browser above which another browser is started. It refuses nobody: when there are `max_browsers`,
        /// they take more.
        sessions_per_browser: u32 = one("N", "20", number(1..=100_000)).live();
        /// Most browsers that belong to one session each (`isolation=dedicated`), up to 1000, beside `max_browsers`; spare ones
        /// included. Each takes some 100 MiB and its pages. Further sessions wait for one, and get 503 if none is free in 30
        /// seconds. 0 means that no session gets one.
        max_dedicated: usize = one("N", "8", number(0..=1000)).live();
        /// Spare ones of them that are kept ready, from the first session that asks for one until none has for `browser_idle`.
        /// Such a session then need not wait until a browser has started.
        dedicated_spares: usize = one("N", "1", number(0..=64)).live();
        /// What is done with launch options of clients that a shared browser cannot have as they are: `emulate` emulates them
        /// where that is possible, and refuses others; `dedicated` gives a session with others a dedicated browser; `refuse`
        /// refuses them all. With `isolation=dedicated` they hold anyway.
        launch_policy: LaunchPolicy = choice("dedicated", LaunchPolicy::WORDS).live();
        /// Directory with unpacked extensions that sessions may load in dedicated browsers, each in a directory below it.
        extensions_dir: Option<PathBuf> = optional("DIR", path);
        /// Most flags for Chrome in the launch options of a session.
        max_launch_flags: usize = one("N", "64", number(0..=1000)).live();
        /// Largest launch options of a session, as JSON.
        max_launch_bytes: usize = one("SIZE", "16KiB", size(0..=1 << 20)).live();
        /// How long there is one browser more than the sessions need, before one takes no new sessions and is stopped when
        /// its last one has ended.
        browser_idle: Duration = one("TIME", "5m", duration(Duration::ZERO)).live();
        /// Memory in use, in percent of the control group's limit or else of the machine's memory, from which on no browser
        /// is started above `min_browsers`. 0 means no limit.
        memory_limit: Option<NonZeroU32> = one("PERCENT", "90", limit(100)).live();
        /// The same for processor time.
        cpu_limit: Option<NonZeroU32> = one("PERCENT", "95", limit(100)).live();
        /// How long a browser may send nothing while it owes an answer, before it is killed and replaced. Its sessions end.
        browser_stall: Duration = one("TIME", "30s", duration(Duration::from_millis(500))).live();
        /// How often what is on record of each browser is compared with what Chrome and the process table say. What differs
        /// twice in a row is mended and counted.
        reconcile_interval: Duration = one("TIME", "1m", duration(Duration::from_millis(500))).live();
        /// Age at which a browser is recycled: another one is started, this one takes no new sessions, and is closed when its
        /// last one has ended. 0s means never.
        recycle_age: Duration = one("TIME", "1d", duration(Duration::ZERO)).live();
        /// Sessions after which a browser is recycled. 0 means never.
        recycle_sessions: Option<NonZeroU32> = one("N", "20000", limit(1_000_000_000)).live();
        /// Growth of a browser's memory, beyond 100MiB for each page and 50MiB for each worker, at which it is recycled if it
        /// lasts a minute. 0 means never.
        recycle_growth: u64 = one("SIZE", "1GiB", size(0..=1 << 50)).live();
        /// Disk that the profile and the temporary files of a browser take, at which it is recycled: a new one begins with
        /// nothing. 0 means never.
        recycle_disk: u64 = one("SIZE", "2GiB", size(0..=1 << 50)).live();
        /// Memory of a browser at which it is ended with its sessions, before the system runs out of memory. 0 means never.
        browser_memory: u64 = one("SIZE", "0", size(0..=1 << 50)).live();
        /// How much lower the priority of each browser here is than that of ghostmux (nice value). On a busy machine the pages of
        /// one session otherwise keep ghostmux from passing on the messages of all.
        browser_nice: u8 = one("N", "5", number(0..=19));
        /// Start each browser here in a control group (cgroup v2) of its own, which `browser_cpu_weight`, `browser_memory_max` and
        /// the limits of tenants need. The group of ghostmux must be delegated to it; otherwise it does not start.
        browser_cgroups: bool = switch();
        /// Share of processor time of a browser beside the others, 1 to 10000 (`cpu.weight`); one with 200 gets twice as much as
        /// one with 100. 0 means 100. Tenants may have another one.
        browser_cpu_weight: Option<NonZeroU32> = one("N", "0", limit(10_000));
        /// Memory of a browser at which the kernel takes memory back and then kills processes of it, mostly of pages
        /// (`memory.max`). 0 means no limit. Tenants may have another one.
        browser_memory_max: u64 = one("SIZE", "0", size(0..=1 << 50));
        /// Disk that the profile and the temporary files of a browser take, at which it is ended with its sessions, before
        /// the disk is full. 0 means never.
        browser_disk: u64 = one("SIZE", "8GiB", size(0..=1 << 50)).live();
        /// How long the sessions of a browser that is being recycled go on before those without a client are hibernated.
        recycle_deadline: Duration = one("TIME", "1h", duration(Duration::ZERO)).live();
        /// Sessions kept ready in each browser, 0 to 64. A client that gets one need not wait for a page to start. When
        /// clients come in bursts, up to ten times as many are kept for the next burst, as long as they are needed.
        warm: u32 = one("N", "2", number(0..=64)).live();
        /// Turn Chrome's sandbox off, if the system does not allow it. Running as root implies it.
        no_sandbox: bool = switch();
        /// Format of the messages between Chrome and the proxy: `json`, `cbor`, which takes work off Chrome, or `auto` for
        /// the faster one.
        codec: Codec = choice("auto", Codec::WORDS);
    }
    "Network access of sessions" {
        /// Whether what pages connect to is limited, by a proxy of this server (a gate) for each context: `gated` limits it,
        /// `open` does not, and `auto` limits it if there are `tenants`. Private networks, this machine among them, are then
        /// for tenants with the capability `private-network` alone. Browsers that run elsewhere take no sessions then.
        egress: EgressMode = choice("auto", EgressMode::WORDS);
        /// Start each browser here in a network namespace of its own, in which there is nothing but its gates: whatever its
        /// processes do, they reach no network in another way. Pages of all sessions then pass gates, as with `egress=gated`. The
        /// system must allow it: by `CAP_SYS_ADMIN`, or by user namespaces for all users; otherwise ghostmux does not start.
        browser_netns: bool = switch();
        /// Hosts that no page may connect to: a name, `*.example.com` for the names below one, an address, a network such as
        /// `203.0.113.0/24`, each with `:PORT` if only that one is meant. Tenants may have further ones.
        egress_deny: Vec<HostPattern> = list("HOST", egress_host).live();
        /// Name server, as `IP:PORT`, that finds the addresses of hosts for pages, instead of those of the system
        /// (`/etc/resolv.conf`).
        egress_dns: Option<SocketAddr> = optional("IP:PORT", socket_address);
        /// Ports that pages may connect to: `web` is 80, 443 and 1024 and above without those of databases and other services,
        /// `all` every port. Parts apply from left to right, and `!` takes out: `web,25,!9000-9999`.
        egress_ports: Ports = one("PORTS", "web", egress_ports).live();
    }
    "Sessions" {
        /// Session in which HTTP calls such as /json/new act: `own`, or `shared` with WebSocket clients (chromedriver).
        http_session: HttpSession = choice("own", HttpSession::WORDS);
        /// Remove the capabilities of local clients beyond their own pages: host files, tracing, private networks.
        strict: bool = switch();
        /// How long a session lasts at most, from its start. 0s means no limit.
        timeout: Duration = one("TIME", "0s", duration(Duration::ZERO)).live();
        /// Longest `timeout` that a client may request. 0s means any, no limit included.
        timeout_max: Duration = one("TIME", "0s", duration(Duration::ZERO)).live();
        /// How long the clients of a session may send nothing before it ends. 0s means no limit.
        idle_timeout: Duration = one("TIME", "0s", duration(Duration::ZERO)).live();
        /// Longest `idle_timeout` that a client may request. 0s means any, no limit included.
        idle_timeout_max: Duration = one("TIME", "0s", duration(Duration::ZERO)).live();
        /// How long a session waits for a client after its last socket closed. 0s means it ends with that socket.
        keep_alive: Duration = one("TIME", "0s", duration(Duration::ZERO)).live();
        /// Longest `keep_alive` that a client may request.
        keep_alive_max: Duration = one("TIME", "24h", duration(Duration::ZERO)).live();
        /// The `keep_alive` of a session that is created or parked by the API and was given none.
        park_keep_alive: Duration = one("TIME", "5m", duration(Duration::ZERO)).live();
        /// How long a session is parked before it is hibernated: it is saved and its pages are closed. It is restored when
        /// a client connects to it, here or in another process with the same store. Parked sessions are also saved when the
        /// process stops. 0s means never. Clients may request another value.
        hibernate_after: Duration = one("TIME", "0s", duration(Duration::ZERO)).live();
        /// How often a session is saved while it runs. If its browser dies or ghostmux stops, a client that connects to its
        /// id finds it as it was saved last. 0s means never; otherwise at least 1s. Clients may request another value.
        autosave: Duration = one("TIME", "0s", autosave).live();
        /// How often a silent client is pinged; it counts as gone after ten pings without an answer. 0s means never.
        ping_interval: Duration = one("TIME", "30s", duration(Duration::ZERO)).live();
        /// Directory in which each process creates its own, for profiles and session files.
        session_dir: PathBuf = computed("DIR", "$TMPDIR or /tmp", |_| std::env::temp_dir(), path);
        /// Most bytes of disk that the files of one session may take: downloads, and files that its clients uploaded. A download
        /// that takes more is canceled, an upload refused (507).
        session_files_max: u64 = one("SIZE", "4GiB", size(1 << 10..=1 << 50)).live();
        /// The same for the files of all sessions of one owner together. Tenants may have less (`max_file_bytes`).
        session_files_quota: u64 = one("SIZE", "16GiB", size(1 << 10..=1 << 50)).live();
        /// Most files of one session.
        session_files_count: usize = one("N", "1000", number(0..=1_000_000)).live();
        /// How long the files of a session can be fetched after its end (`keepFiles`). 0s means that they are removed with it.
        keep_files: Duration = one("TIME", "0s", duration(Duration::ZERO)).live();
        /// Longest `keepFiles` that a client may request.
        keep_files_max: Duration = one("TIME", "24h", duration(Duration::ZERO)).live();
        /// Directory of the user data directories that stay (`user_data`), on a disk of this machine. Only this user may
        /// have access. Without it, sessions with user data are refused.
        profiles_dir: Option<PathBuf> = optional("DIR", path);
        /// Most bytes of disk that the user data directories of one owner may take together. A session that uses one is warned
        /// when they take more, and ends.
        user_data_quota: u64 = one("SIZE", "4GiB", size(1 << 20..=1 << 50));
    }
    "Limits" {
        /// Most sessions at a time over all browsers, parked ones included. 0 means no limit.
        max_sessions: Option<NonZeroU32> = one("N", "0", limit(1_000_000)).live();
        /// Most sessions of one owner at a time; above that, new ones are refused (429). 0 means no limit.
        max_owner_sessions: Option<NonZeroU32> = one("N", "0", limit(1_000_000)).live();
        /// Whether the limits of tenants on sessions and their starts hold for all processes with the same Redis (`store`)
        /// together, and what happens to new sessions of such tenants while Redis does not answer: `fail-closed` refuses them
        /// (503), `fail-open` gives each process the limit divided by the number of processes. `off` is for each process
        /// alone.
        shared_limits: SharedLimits = choice("off", SharedLimits::WORDS);
        /// Most clients that may wait for a session when there is no place; further ones are refused (503).
        queue: usize = one("N", "100", number(0..=1_000_000)).live();
        /// How long a client may wait in the queue.
        queue_timeout: Duration = one("TIME", "30s", duration(Duration::from_millis(1))).live();
        /// Most clients on the whole of one session at once; one more is refused. Clients on a single page
        /// (`/devtools/page/…`) do not count.
        max_clients_per_session: usize = one("N", "8", number(1..=256)).live();
        /// Most CDP sessions that the clients of one session may have at a time. A client needs one or two for each page,
        /// frame and worker.
        max_cdp_sessions: usize = one("N", "10000", number(1..=1_000_000)).live();
        /// Most of these that may be on the browser itself (`Target.attachToBrowserTarget`). A client needs one or two.
        max_roots: usize = one("N", "256", number(1..=1_000_000)).live();
        /// Bytes of response bodies that the CDP sessions of one session may keep together beyond 100 MB each
        /// (`maxTotalBufferSize` of `Network.enable`). A client that asks for more is refused.
        network_buffers: usize = one("SIZE", "1GiB", size(0..=1 << 40)).live();
        /// Commands that may wait for a page that has crashed until it has a document again; further ones are refused.
        crashed_page_queue: usize = one("N", "256", number(0..=1_000_000)).live();
        /// Bytes of these commands.
        crashed_page_bytes: usize = one("SIZE", "1MiB", size(0..=1 << 30)).live();
        /// Largest frame accepted from a client, at most 100MiB: a larger message ends Chrome.
        max_client_frame: usize = one("SIZE", "100MiB", size(1 << 10..=LARGEST_MESSAGE)).live();
        /// Pixels that the concurrent screenshots of one browser may have together; others wait for their turn, fairly by
        /// session. Screenshots of at most an eighth of it are counted apart and wait only for each other. One session gets
        /// at most half. A single screenshot is always taken.
        screenshot_pixels: NonZeroU32 = one("N", "20000000", pixels);
        /// Screenshots of one session that may wait for their turn; further ones are refused.
        screenshot_queue: usize = one("N", "1000", number(1..=1_000_000)).live();
        /// How long an action on a page (`/v1/sessions/ID/pages/…`) may take that names no `timeout`.
        page_timeout: Duration = one("TIME", "30s", duration(Duration::from_millis(1))).live();
        /// The longest `timeout` of such an action.
        page_timeout_max: Duration = one("TIME", "10m", duration(Duration::from_millis(1))).live();
        /// Actions that may wait for one page; further ones are refused (429).
        page_queue: usize = one("N", "16", number(1..=1000)).live();
        /// Largest result of an action: of a script, a text, a screenshot.
        page_result: usize = one("SIZE", "32MiB", size(1 << 10..=1 << 30)).live();
        /// How long the server stays attached to a page after its last action. Then the references of its last snapshot are
        /// stale.
        page_idle: Duration = one("TIME", "5m", duration(Duration::from_millis(1))).live();
        /// Most actions of one list (`/v1/sessions/ID/pages/PAGE/actions`).
        page_actions: usize = one("N", "100", number(1..=10_000)).live();
        /// Values that `evaluate` may keep in one page (`handle`); further ones are refused (429).
        page_handles: usize = one("N", "1000", number(1..=100_000)).live();
        /// Bytes of the earlier snapshots of one page that are kept for `since`; the oldest are forgotten first.
        page_history: usize = one("SIZE", "1MiB", size(0..=1 << 30)).live();
        /// How long the answer to a request with an `Idempotency-Key` is kept.
        idempotency_time: Duration = one("TIME", "10m", duration(Duration::from_millis(1))).live();
        /// Keys of one tenant that are kept; a request with a further one is refused (429).
        idempotency_keys: usize = one("N", "10000", number(1..=1_000_000)).live();
        /// Bytes of the answers that are kept for one tenant. Of older ones only that they were given is kept.
        idempotency_bytes: usize = one("SIZE", "16MiB", size(0..=1 << 40)).live();
        /// Jobs of one tenant (`Prefer: respond-async`) that are running or kept. A further one takes the place of the
        /// oldest that has ended; if none has, it is refused (429).
        jobs: usize = one("N", "100", number(1..=100_000)).live();
        /// Bytes of the results of jobs that are kept for one tenant; the oldest jobs are forgotten first.
        jobs_bytes: usize = one("SIZE", "64MiB", size(1 << 10..=1 << 40)).live();
        /// How long a job is kept after its end.
        jobs_time: Duration = one("TIME", "10m", duration(Duration::from_millis(1))).live();
        /// Secrets of one tenant (`/v1/secrets`); a further one is refused (429).
        secrets: usize = one("N", "100", number(1..=10_000)).live();
        /// Largest body of a quick action (`/screenshot`, `/pdf`, `/function` and so on). All that are performed
        /// at a time may have 32 times as much together, and a tenant no more of it than is left for others; further ones are
        /// refused (429).
        quick_body: usize = one("SIZE", "10MiB", size(1 << 10..=64 << 20)).live();
        /// File with the hosts that quick actions block with `blockAds`, one a line: `ads.example` is a host and all below it,
        /// `*.ads.example` those below it. Hosts files and `||ads.example^` are read too; `#` begins a comment. At most 16 MiB.
        /// It is read again at a reload.
        block_list: Option<BlockList> = optional("FILE", BySource(block_list)).live();
        /// Lines of the console, and requests, that are kept of each page whose `console` or `network` was asked for.
        page_log_entries: usize = one("N", "1000", number(1..=100_000)).live();
        /// Bytes of the console, and of the requests, that are kept of such a page.
        page_log_size: usize = one("SIZE", "5MB", size(1 << 10..=1 << 30)).live();
        /// Bytes that may wait for a client whose socket accepts nothing for `stall`; with more it is disconnected.
        client_queue: usize = one("SIZE", "64MiB", size(64 << 10..=1 << 40)).live();
        /// Bytes that may wait for any client; with more it is disconnected at once.
        client_queue_hard: usize = one("SIZE", "512MiB", size(64 << 10..=1 << 40)).live();
        /// Bytes that may wait for all clients together; with more, the client with the longest queue is disconnected.
        client_queue_total: usize = one("SIZE", "2GiB", size(64 << 10..=1 << 40)).live();
        /// How long a client's socket may accept nothing while more than `client_queue` waits.
        stall: Duration = one("TIME", "10s", duration(Duration::from_millis(100))).live();
        /// How long the reader of an HTTP answer, such as a snapshot's content, may read nothing before it is disconnected.
        http_stall: Duration = one("TIME", "30s", duration(Duration::from_millis(1))).live();
        /// How long sessions that have a client may go on after SIGTERM, SIGINT or `POST /v1/drain`; then they are closed
        /// (1001). A second signal ends the server at once.
        drain: Duration = one("TIME", "10s", duration(Duration::ZERO)).live();
    }
    "Snapshots" {
        /// Store of the snapshots: a file that only this process uses, or a Redis that several share, `redis://HOST:PORT`
        /// or `unix:///PATH`.
        store: StorePlace = computed(
            "PATH|URL",
            "ghostmux/ghostmux.redb in `$XDG_STATE_HOME` or `~/.local/state`, as root in `/var/lib`",
            StorePlace::default_file,
            BySource(StorePlace::check),
        )
        .showing(place_without_secrets);
        /// File with the keys that encrypt snapshots in the store, one `ID:64 hexadecimal digits` per line: the first
        /// encrypts, all decrypt. The variable can also hold the keys themselves.
        store_key: Option<StoreKeys> = optional("FILE", BySource(StoreKeys::check)).showing(StoreKeys::without_secrets);
        /// How long a snapshot is kept by default. 0 keeps it until it is deleted.
        snapshot_ttl: Option<Duration> = one("TIME", "30d", ttl);
        /// Largest snapshot, before compression.
        snapshot_max: u64 = one("SIZE", "256MiB", size(1 << 10..=1 << 40));
        /// Most bytes that the snapshots of one owner may take, as stored.
        snapshot_quota: u64 = one("SIZE", "4GiB", size(1 << 10..=1 << 50));
        /// Most snapshots of one owner.
        snapshot_count: u64 = one("N", "10000", number(1..=10_000_000));
        /// Longest line of a snapshot that is imported. Only a single value of that size makes such a line; many values are
        /// written in lines of about 1 MiB.
        snapshot_line: usize = one("SIZE", "8MiB", size(64 << 10..=256 << 20));
        /// How many snapshots may be imported, or exported as one document, at a time. A clone of a session that has more
        /// than 1 MiB counts too. Further ones wait as `queue` and `queue_timeout` say, then they are refused (503).
        snapshot_transfers: usize = one("N", "2", number(1..=1000));
        /// Memory that these may take together. A document takes up to 12 times its size while it is read, a clone 64 MiB.
        /// A document that can never get that much is refused (413).
        snapshot_memory: usize = one("SIZE", "768MiB", size(1 << 20..=1 << 40));
        /// How long an import may take while a tenant waits that has less of `snapshot_transfers` at this moment. The one that
        /// has taken longest is ended then (408).
        snapshot_upload_time: Duration = one("TIME", "10s", duration(Duration::from_millis(1)));
        /// Most form fields of a page that a snapshot holds; its report says how many more there were.
        snapshot_fields: usize = one("N", "10000", number(0..=1_000_000));
        /// Pages of snapshots that open at once in one browser, for all sessions in turn. After each page the next one
        /// waits as long as the browser took to create it, so that other clients have their turn too.
        restore_pages: usize = one("N", "4", number(1..=1000));
    }
    "Logs" {
        /// What to log: a level, or levels by module such as `ghostmux::browser=debug,info`.
        log: String = one("FILTER", "info", log_filter).live();
        /// Format of log lines: text for people, or one JSON object per line; always on standard error.
        log_format: LogFormat = choice("text", LogFormat::WORDS);
    }
}
