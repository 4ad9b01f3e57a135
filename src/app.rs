//! The server: binds the address, accepts connections, and drains when a signal asks it to stop.

mod directory;
mod reload;
mod start;
mod tenants;

use std::{
    io,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    directory::OwnDirectory,
    reload::Reloader,
    tenants::{audit, keep_current, limits, tenants, usage, warn_of_limits_without_groups},
};
pub use self::{reload::SetLog, start::StartError};
use crate::{
    browser::{
        Cgroups, CodecChoice, Launch, Shares, Source,
        find::{self, command_line, is_root},
    },
    close_reason::CloseReason,
    config::{BrowserSources, Config, ConfigSource, LoadedConfig},
    http::{
        self, Api, CurrentGuard, Door, Endpoints, Front, Guard, TlsServer,
        chrome::{Origin, Protocol},
    },
    metrics::Metrics,
    page::PageDriving,
    pool::{Plan, Pool},
    port::egress::EgressGates,
    session::{directory::LocalDirectory, manager::SessionManager, task::Terms},
    store::Store,
    tenant::egress::{EgressLimits, Gates, NameServers},
};

/// Time limit for the end of all sessions, once they are told to.
const SHUT_DOWN: Duration = Duration::from_secs(10);

/// A server that runs until a signal ends it.
pub type Running = Pin<Box<dyn Future<Output = Result<(), StartError>>>>;

/// The `OpenAPI` document of the REST interface, as text.
pub fn openapi() -> serde_json::Result<String> {
    http::openapi()
}

/// Serves until SIGTERM or SIGINT. When it returns, all its browsers have ended and its files are deleted. `source` loads
/// the settings again, `set_log` changes the filter of the log.
///
/// The future is boxed here: an `async fn` would be compiled with its caller, the binary, after all else is compiled.
pub fn run(source: ConfigSource, loaded: LoadedConfig, set_log: SetLog) -> Running {
    Box::pin(serve(source, loaded, set_log))
}

async fn serve(source: ConfigSource, loaded: LoadedConfig, set_log: SetLog) -> Result<(), StartError> {
    raise_file_limit();
    let config = loaded.config().clone();
    Pool::check(&config.pool())?;
    warn_of_doubts(&config);
    // The address is bound first, so that an address in use is reported before a Chrome is started.
    let listener = listen(&config).await?;
    let address = listener.local_addr().map_err(|error| StartError::Listen { address: config.listen, error })?;
    if (config.public_url.is_some() || !config.trusted_proxy.is_empty()) && config.tenants.is_none() {
        tracing::warn!(
            "clients come through a proxy, and there are no tokens (tenants): whoever reaches it controls the browsers"
        );
    }
    let tenants = tenants(&config).await?;
    warn_of_limits_without_groups(&config, &tenants);
    let metrics = Arc::new(Metrics::default());
    let tls = config.tls().map(|settings| TlsServer::load(settings, metrics.clone())).transpose()?;
    let base = config.session_dir.clone();
    let system = |error| StartError::System { what: format!("cannot make a directory in {}", base.display()), error };
    let own = OwnDirectory::make(&base).map_err(system)?;
    let directory = own.path().to_owned();
    // The own one is locked too.
    tokio::task::spawn_blocking(move || directory::remove_left(&base));

    let audit = audit(&config, &metrics)?;
    // From now on: the copy of the tenants must not become too old while browsers start.
    let current = keep_current(&tenants, &audit);
    let gates = gates(&config, address)?;
    let (plan, origin) = plan(&config, directory.clone(), gates).await?;
    let no_signals = |error| StartError::System { what: "cannot wait for signals".to_owned(), error };
    let mut stop = StopSignals::new().map_err(no_signals)?;
    let hangups = reload::hangups().map_err(no_signals)?;
    let pool = tokio::select! {
        pool = Pool::start(plan, metrics.clone()) => pool?,
        () = stop.recv() => return Ok(()),
    };
    let usage = Arc::new(usage(&config)?);
    let terms = Terms {
        audit: audit.clone(),
        usage: usage.clone(),
        tenants: tenants.clone(),
        ..Terms::new(&config, &directory, metrics.clone())
    };
    if let Some(user_data) = terms.user_data.clone() {
        // May take long, and nobody needs it.
        tokio::task::spawn_blocking(move || user_data.clean());
    }
    let store = Store::new(&config.store_settings());
    let directory = Arc::new(LocalDirectory::default());
    let http_session = config.http_session;
    let limits = limits(&config)?;
    let admission = config.admission();
    let registry =
        SessionManager::new(pool.clone(), store.clone(), directory, terms, http_session, admission, limits.clone());
    registry.set_pages(Arc::new(PageDriving::default()));
    registry.set_explain(http::explain);
    let guard = CurrentGuard::new(guard(&config));
    let door = Door {
        tenants: tenants.clone(),
        hosts: config.token_host.clone(),
        metrics: config.metrics_tokens,
        health: config.health_tokens,
        audit: audit.clone(),
    };
    let api = Api { registry: registry.clone(), protocol: Arc::new(Protocol::new(origin)), metrics };
    let endpoints = Endpoints::new(api, guard.clone(), door);
    let times = Arc::new(Mutex::new(Times::new(&config)));
    let reloader = Reloader {
        source,
        loaded,
        pool: pool.clone(),
        registry: registry.clone(),
        guard,
        tenants: tenants.clone(),
        tls: tls.clone(),
        audit: audit.clone(),
        times: times.clone(),
        set_log,
    };

    // Waits for the first browser, so that the line below can name its version.
    let _ = pool.any().await;
    greet(&pool, address, tls.is_some());
    let connections = TaskTracker::new();
    let closing = CancellationToken::new();
    let serve = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let stall = Times::of(&times).stall;
                    let served = http::serve(stream, peer, endpoints.clone(), stall, tls.clone(), closing.clone());
                    connections.spawn(served);
                }
                // The process has no file descriptor left, or the client disconnected early. Other clients are still served.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    };
    // One of each for as long as it serves, not one for each connection.
    let upkeep = async {
        let sessions = async {
            tokio::join!(
                registry.keep_time(),
                registry.clean_files(),
                registry.clear_browsers(),
                registry.count_cpu(),
                registry.follow(&tenants),
            )
        };
        let certificate = async {
            if let Some(tls) = &tls {
                tls.keep_current().await;
            }
        };
        let files = async { tokio::join!(store.keep_clean(), current, usage.keep(), certificate) };
        tokio::join!(sessions, files, limits.keep(), reloader.run(hangups))
    };
    let is_urgent = tokio::select! {
        () = serve => false,
        _ = upkeep => false,
        is_urgent = drained(&registry, &mut stop, &times) => is_urgent,
    };
    tracing::info!(sessions = registry.len(), "shutting down");
    drop(listener);
    closing.cancel();
    connections.close();
    let drain = async {
        registry.shut_down(CloseReason::ShuttingDown).await;
        connections.wait().await;
    };
    tokio::select! {
        ended = tokio::time::timeout(SHUT_DOWN, drain), if !is_urgent => if ended.is_err() {
            tracing::warn!("some sessions did not end in time");
        },
        // A second signal ends the process without waiting.
        () = stop.recv(), if !is_urgent => tracing::warn!("second signal: stopping without waiting for clients"),
        else => {}
    }
    limits.close().await;
    usage.save(Timestamp::now()).await;
    pool.close().await;
    drop(own);
    Ok(())
}

/// Logs which limits this machine can hardly carry.
fn warn_of_doubts(config: &Config) {
    for doubt in Pool::doubts(&config.pool(), config.max_sessions.map(NonZeroU32::get)) {
        tracing::warn!("{doubt}");
    }
}

/// Waits until the server is asked to stop, by a signal or an operator, and then until no session has a client, or the
/// time is over. Whether it must end at once, because a second signal came.
async fn drained(registry: &SessionManager, stop: &mut StopSignals, times: &Mutex<Times>) -> bool {
    let mut signals = tokio::select! {
        () = stop.recv() => 1,
        () = registry.drain_asked() => 0,
    };
    registry.drain();
    let time = Times::of(times).drain;
    let active = registry.active();
    tracing::info!(active, ?time, "draining: no new sessions; a further signal ends the server at once");
    let mut over = std::pin::pin!(tokio::time::timeout(time, registry.all_inactive()));
    loop {
        tokio::select! {
            ended = &mut over => {
                if ended.is_err() {
                    tracing::warn!(active = registry.active(), "the time of the drain is over");
                }
                return false;
            }
            () = stop.recv() => signals += 1,
        }
        if signals > 1 {
            tracing::warn!("second signal: stopping without waiting for clients");
            return true;
        }
    }
}

/// Raises the soft limit of open files to the hard limit: each client and each end of a pipe takes a file descriptor.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() {
        tracing::warn!(soft, hard, "cannot raise the limit of open files");
    }
}

async fn listen(config: &Config) -> Result<TcpListener, StartError> {
    let address = config.listen;
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse { address },
        _ => StartError::Listen { address, error },
    })
}

/// The control groups of the browsers.
async fn cgroups() -> Result<Arc<Cgroups>, StartError> {
    let failed = |panic| StartError::System { what: "browser_cgroups".to_owned(), error: io::Error::other(panic) };
    Ok(tokio::task::spawn_blocking(Cgroups::prepare).await.map_err(failed)??)
}

/// The gates of the browsers. Without them no session can have a proxy of its own. The server listens on `address`.
fn gates(config: &Config, address: SocketAddr) -> Result<Option<Arc<dyn EgressGates>>, StartError> {
    let servers = match config.egress_dns.map_or_else(NameServers::of_system, |address| Ok(NameServers::at(address))) {
        Ok(servers) => servers,
        Err(error) if !config.is_gated() => {
            tracing::warn!(%error, "sessions can have no proxy of their own: cannot read /etc/resolv.conf");
            return Ok(None);
        }
        Err(error) => {
            let what = "cannot read the name servers of the system (/etc/resolv.conf); name one with --egress-dns";
            return Err(StartError::System { what: what.to_owned(), error: io::Error::other(error) });
        }
    };
    let gates = Gates::new(servers, EgressLimits::default());
    gates.add_listener(address);
    Ok(Some(Arc::new(gates)))
}

async fn plan(
    config: &Config,
    directory: PathBuf,
    gates: Option<Arc<dyn EgressGates>>,
) -> Result<(Plan, Origin), StartError> {
    let BrowserSources { local, remote } = config.browser_sources();
    let is_gated = config.is_gated();
    if is_gated && !remote.is_empty() {
        tracing::warn!(
            browsers = remote.len(),
            "browsers that run elsewhere (browser_url) take no sessions, because what they connect to cannot be limited \
             (egress)"
        );
    }
    let mut sources = Vec::new();
    let mut origin = Origin::Remote(remote.clone());
    if let Some(local) = local {
        let found = find::find(local.path.as_deref()).await?;
        let no_sandbox = local.no_sandbox || is_root();
        if no_sandbox {
            let why = if is_root() { "Chrome cannot use it as root" } else { "no_sandbox is set" };
            tracing::warn!(
                why,
                "CHROME'S SANDBOX IS OFF: a page that breaks out of its renderer has this user's rights"
            );
        }
        tracing::info!(browser = %found.binary.display(), version = %found.version, "found");
        sources.push(Source::Local(Launch {
            binary: found.binary.clone(),
            flags: command_line(found.kind, no_sandbox, &local.args),
            directory: directory.clone(),
            codec: CodecChoice::new(local.codec),
            cgroups: if local.cgroups { Some(cgroups().await?) } else { None },
            nice: local.nice,
            has_extensions: config.extensions_dir.is_some(),
            egress: gates,
            is_gated,
            in_namespace: local.netns,
        }));
        origin = Origin::Local(found, directory);
    }
    sources.extend(remote.into_iter().map(Source::Remote));
    let screenshot_pixels = u64::from(config.screenshot_pixels.get());
    let shares = Shares { screenshot_pixels, restore_pages: config.restore_pages };
    Ok((Plan { sources, warm: config.warm(), shares, settings: config.pool(), is_gated }, origin))
}

/// Prints the line that says that the server is ready, with an address that a client on this machine can use.
fn greet(pool: &Pool, listening: SocketAddr, is_tls: bool) {
    let address = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listening.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listening.port()),
        _ => listening,
    };
    let browsers = pool.browsers();
    let product = browsers.first().map_or("", |browser| browser.identity().product.as_str());
    let s = if is_tls { "s" } else { "" };
    let mut to = io::stdout();
    let _ = writeln!(to, "ghostmux is ready: http{s}://{address} (ws{s}://{address}), {} x {product}", browsers.len());
    let _ = to.flush();
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal.
    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The times that the server itself keeps.
#[derive(Clone, Copy)]
struct Times {
    /// How long the reader of an answer may read nothing.
    stall: Duration,
    /// How long sessions may go on once the server is to end.
    drain: Duration,
}

impl Times {
    fn new(config: &Config) -> Self {
        Self { stall: config.http_stall, drain: config.drain }
    }

    /// The present ones.
    fn of(times: &Mutex<Self>) -> Self {
        *times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides which requests may use the port.
fn guard(config: &Config) -> Guard {
    Guard {
        allow_host: config.allow_host.clone(),
        allow_origin: config.allow_origin.clone(),
        token_host: config.token_host.clone(),
        front: Front::new(config),
    }
}
