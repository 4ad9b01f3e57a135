//! Starts a browser until it takes leases: the connection, its version and error texts, the
//! watchers.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Browser, CallError, Shared,
    codec::{Codec, Writer},
    downloads::Downloads,
    egress::BrowserEgress,
    link::{End, Link, Stop},
    mirror::Mirror,
    namespace::{self, NamespaceError, NetworkNamespace},
    openings::Openings,
    permits::Permits,
    process::{Launch, Process},
    proof::Unproven,
    records::Held,
    remote::{self, RemoteError},
    transport::Transport,
};
use crate::{
    cdp::{
        cbor::{Decoded, Decoder},
        error::CdpError,
        ids::{CallId, CdpSessionId},
        json_object::JsonObject,
        message::{self, Head, Outcome},
    },
    config::RemoteUrl,
    metrics::Metrics,
    port::{
        BrowserId, Identity, LaunchSpec, ScreenSize, UserData,
        egress::{EgressGates, GateFront},
    },
};

/// Time limit from the start of Chrome to its first replies.
const START: Duration = Duration::from_secs(30);
/// The oldest supported Chrome.
pub const OLDEST: u32 = 148;
/// The filter of a page-flavour root: Chrome's default is different; this is what Puppeteer sends.
const TAB_FILTER: &str = r#"[{"type":"page","exclude":true},{"type":"browser","exclude":true},{}]"#;

/// Where a browser comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A local process of the proxy.
    Local(Launch),
    /// A remote browser.
    Remote(RemoteUrl),
}

/// Why a browser could not be started or connected.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// The process did not start.
    #[error("cannot start {binary}: {error}")]
    Spawn {
        /// The program.
        binary: String,
        /// The system's error.
        error: io::Error,
    },
    /// The gates of a browser cannot be opened.
    #[error("cannot open the gates (egress) of a browser: {0}")]
    NoGate(io::Error),
    /// It can have no network namespace.
    #[error(
        "browser_netns: a browser cannot have a network namespace of its own: {0}; remove browser_netns to do without"
    )]
    NoNamespace(#[from] NamespaceError),
    /// The remote browser cannot be reached.
    #[error("cannot connect to the browser at {url}: {error}")]
    Connect {
        /// Its URL.
        url: RemoteUrl,
        /// The error.
        error: RemoteError,
    },
    /// The remote browser did not answer within the time limit.
    #[error("the browser at {url} did not answer within {} s", START.as_secs())]
    NoAnswer {
        /// Its URL.
        url: RemoteUrl,
    },
    /// It ended during the start.
    #[error("the browser ended while starting ({how}){}", last_line(lines))]
    Ended {
        /// How the process ended.
        how: String,
        /// The last lines of its output.
        lines: Vec<String>,
    },
    /// It did not answer within the time limit.
    #[error("the browser did not answer within {} s of its start", START.as_secs())]
    Silent,
    /// CBOR was requested and it sends JSON.
    #[error("the browser supports no CBOR on its pipe")]
    NoCbor,
    /// It sent a reply that no Chrome sends.
    #[error("the browser sent an unexpected reply at its start: {0}")]
    Odd(String),
    /// It is older than the oldest supported version.
    #[error("the browser is {product}, and Chrome {OLDEST} or newer is needed")]
    TooOld {
        /// Its product string.
        product: String,
    },
    /// It may get around its gates.
    #[error("the browser may not be used: {0}")]
    Unproven(#[from] Unproven),
    /// A command of the proxy's own failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

fn last_line(lines: &[String]) -> String {
    let with = |word| lines.iter().rev().find(|line: &&String| line.contains(word));
    let telling = with("FATAL").or_else(|| with("ERROR")).or(lines.last());
    telling.map_or_else(String::new, |line| format!(": {line}"))
}

/// The limits that the sessions of one browser share.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// The number of pixels that all screenshots in progress may have.
    pub screenshot_pixels: u64,
    /// The number of pages of snapshots that may open at once; at least 1.
    pub restore_pages: usize,
}

impl Source {
    /// The URL of a browser that runs elsewhere: there is one there, not several.
    pub fn remote(&self) -> Option<&RemoteUrl> {
        match self {
            Self::Local(_) => None,
            Self::Remote(url) => Some(url),
        }
    }

    /// Whether the browser runs elsewhere.
    pub fn is_remote(&self) -> bool {
        self.remote().is_some()
    }
}

impl Default for Shares {
    fn default() -> Self {
        Self { screenshot_pixels: 20_000_000, restore_pages: 4 }
    }
}

/// A started browser, and its task, which ends with it.
pub(crate) struct Started {
    pub(crate) browser: Browser,
    pub(crate) link: JoinHandle<End>,
}

/// Starts or connects to a browser and makes it ready for leases. `special` is what is different in one that is started for
/// one session; it has no meaning for a remote one. `has_native` says whether a session is to use Chrome's own default context.
pub(crate) async fn start(
    id: BrowserId,
    source: &Source,
    special: &LaunchSpec,
    has_native: bool,
    quotas: Shares,
    metrics: Arc<Metrics>,
) -> Result<Started, BrowserError> {
    let Opened { transport, process, egress, greeting } = match source {
        Source::Local(launch) => {
            let launch = &*launch.with(special, has_native);
            let front = special.gate().or(launch.is_gated.then(GateFront::default));
            let special = Special { user_data: special.user_data(), screen: special.screen(), has_native, front };
            match open_local(launch, special, launch.codec.codec()).await {
                Err(BrowserError::NoCbor) => {
                    if launch.codec.fall_back() {
                        tracing::warn!(browser = %launch.binary.display(), "it supports no CBOR on its pipe; using JSON");
                    }
                    open_local(launch, special, Codec::Json).await?
                }
                opened => opened?,
            }
        }
        Source::Remote(url) => open_remote(url).await?,
    };
    let framing = transport.framing();
    let pid = process.as_ref().and_then(Process::id);
    let profile = process.as_ref().map(|process| process.profile().to_owned());
    let cgroup = process.as_ref().and_then(Process::cgroup);
    let mut targets = Mirror::new([greeting.page.clone(), greeting.tab.clone()], &greeting.downloads);
    for id in &*special.shown_extensions() {
        targets.show_extension(id.clone());
    }
    let downloads = Downloads::new(greeting.downloads.clone());
    // Unbounded, because senders do not wait; pending commands of clients are counted in bytes per
    // lease, and their sockets are not read above a limit.
    let (orders, to_do) = mpsc::unbounded_channel();
    let close = CancellationToken::new();
    let (killed, dedicated) = (Arc::default(), Arc::default());
    let stop = Stop { close: close.clone(), killed: Arc::clone(&killed), at_once: Arc::clone(&dedicated) };
    let bytes = transport.bytes();
    let link = Link::new(transport, process, to_do, stop, targets, downloads, metrics);
    let link = tokio::spawn(link.with(egress.clone()).run());
    let shared = Shared {
        id,
        orders,
        identity: greeting.identity,
        pid,
        profile,
        cgroup,
        extensions: special.shown_extensions(),
        egress,
        proved: false.into(),
        leases: 0.into(),
        held: Held::default(),
        live: 0.into(),
        served: 0.into(),
        own_roots: 0.into(),
        exclusive: watch::Sender::new(false),
        framing,
        permits: Permits::new(quotas.screenshot_pixels),
        openings: Openings::new(quotas.restore_pages),
        bytes,
        close,
        dedicated,
        killed,
    };
    let browser = Browser { shared: Arc::new(shared) };
    let ready = async {
        let discover = r#"{"discover":true,"filter":[{}]}"#.to_owned();
        browser.call(None, "Target.setDiscoverTargets", discover).await?;
        let watch =
            |filter: &str| format!(r#"{{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true{filter}}}"#);
        browser.call(Some(&greeting.page), "Target.setAutoAttach", watch("")).await?;
        browser.call(Some(&greeting.tab), "Target.setAutoAttach", watch(&format!(r#","filter":{TAB_FILTER}"#))).await?;
        let events = r#"{"behavior":"default","eventsEnabled":true}"#.to_owned();
        browser.call(Some(&greeting.downloads), "Browser.setDownloadBehavior", events).await
    };
    if let Err(error) = ready.await {
        browser.close();
        let _ = link.await;
        return Err(error.into());
    }
    Ok(Started { browser, link })
}

/// A connection to a browser whose version is known.
struct Opened {
    transport: Transport,
    process: Option<Process>,
    egress: Option<BrowserEgress>,
    greeting: Greeting,
}

/// What is special in a browser of this machine.
#[derive(Clone, Copy)]
struct Special<'a> {
    user_data: Option<&'a UserData>,
    screen: Option<ScreenSize>,
    has_native: bool,
    /// The front of the gates of its contexts, if all are to have some.
    front: Option<GateFront>,
}

async fn open_local(launch: &Launch, special: Special<'_>, codec: Codec) -> Result<Opened, BrowserError> {
    let namespace = if launch.in_namespace { Some(namespace_for_one().await?) } else { None };
    let open =
        |gates: &Arc<dyn EgressGates>| BrowserEgress::open(&**gates, special.front, special.has_native, namespace);
    let egress = launch.egress.as_ref().map(open);
    let egress = match egress.transpose() {
        Ok(Some(egress)) => Some(egress),
        Ok(None) if special.front.is_none() => None,
        Ok(None) => return Err(BrowserError::NoGate(io::ErrorKind::Unsupported.into())),
        Err(error) if special.front.is_none() => {
            tracing::warn!(%error, "sessions in this browser can have no proxy of their own: it can have no gates (egress)");
            None
        }
        Err(error) => return Err(BrowserError::NoGate(error)),
    };
    let spawn = |error| BrowserError::Spawn { binary: launch.binary.display().to_string(), error };
    let left = || spawn(io::Error::other("the session that asked for it has left"));
    let user_data = special.user_data.map(|user_data| user_data.locked().ok_or_else(left)).transpose()?;
    let (process, pipe) = Process::start(launch, egress.as_ref(), user_data, special.screen, codec).map_err(spawn)?;
    if let (Some(egress), Some(group)) = (&egress, process.id()) {
        egress.started(group);
    }
    let mut transport = Transport::Pipe(Box::new(pipe));
    match timeout(START, greet(&mut transport)).await {
        Ok(Ok(greeting)) => Ok(Opened { transport, process: Some(process), egress, greeting }),
        Ok(Err(Silence::Odd(what))) => Err(BrowserError::Odd(what)),
        // Dropping the process kills it.
        Ok(Err(Silence::Ended)) if transport.knows_no_cbor() => Err(BrowserError::NoCbor),
        Ok(Err(Silence::Ended)) => {
            drop(transport);
            let (how, lines) = process.end().await;
            Err(BrowserError::Ended { how, lines })
        }
        Err(_) => Err(BrowserError::Silent),
    }
}

/// A network namespace for one browser.
async fn namespace_for_one() -> Result<Arc<NetworkNamespace>, NamespaceError> {
    let made = namespace::make().await?;
    if let Some(error) = made.without_interface() {
        tracing::warn!(
            error,
            "pages believe to be offline: the network namespace of a browser can have no interface (veth)"
        );
    }
    Ok(Arc::new(made))
}

async fn open_remote(url: &RemoteUrl) -> Result<Opened, BrowserError> {
    let open = async {
        let ws = remote::connect(url).await.map_err(|error| BrowserError::Connect { url: url.clone(), error })?;
        let mut transport = Transport::Ws(Box::new(ws));
        match greet(&mut transport).await {
            Ok(greeting) => Ok(Opened { transport, process: None, egress: None, greeting }),
            Err(Silence::Odd(what)) => Err(BrowserError::Odd(what)),
            Err(Silence::Ended) => Err(BrowserError::Connect { url: url.clone(), error: RemoteError::Closed }),
        }
    };
    timeout(START, open).await.unwrap_or_else(|_| Err(BrowserError::NoAnswer { url: url.clone() }))
}

struct Greeting {
    page: CdpSessionId,
    tab: CdpSessionId,
    downloads: CdpSessionId,
    identity: Identity,
}

enum Silence {
    Ended,
    Odd(String),
}

/// The first commands, before any others: the version, Chrome's error texts, and three CDP sessions
/// of the proxy's own.
async fn greet(transport: &mut Transport) -> Result<Greeting, Silence> {
    let writer = Writer::new(transport.framing());
    let mut ask = Ask { transport, writer, decoder: Decoder::default(), last: 0 };
    let version = ask.result("Browser.getVersion", "{}").await?;
    let product = JsonObject::read(&version).and_then(|version| version.string("product"));
    let product = product.ok_or_else(|| Silence::Odd(version.clone()))?;
    let nobody = format!(r#"{{"targetId":"{}"}}"#, Identity::NOBODY);
    let no_target_to_close = ask.refusal("Target.closeTarget", &nobody).await?;
    let nowhere = format!(r#"{{"url":"about:blank","browserContextId":"{}"}}"#, Identity::NOBODY);
    let no_context_for_target = ask.refusal("Target.createTarget", &nowhere).await?;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let result = ask.result("Target.attachToBrowserTarget", "{}").await?;
        let session = JsonObject::read(&result).and_then(|result| result.string("sessionId"));
        sessions.push(CdpSessionId::from(session.ok_or(Silence::Odd(result))?));
    }
    let [page, tab, downloads] = <[CdpSessionId; 3]>::try_from(sessions).map_err(|_| Silence::Ended)?;
    Ok(Greeting {
        page,
        tab,
        downloads,
        identity: Identity { version, product, no_target_to_close, no_context_for_target },
    })
}

struct Ask<'a> {
    transport: &'a mut Transport,
    writer: Writer,
    decoder: Decoder,
    last: i32,
}

impl Ask<'_> {
    async fn result(&mut self, method: &str, params: &str) -> Result<String, Silence> {
        self.outcome(method, params).await?.map_err(|error| Silence::Odd(format!("{method}: {}", error.message)))
    }

    async fn refusal(&mut self, method: &str, params: &str) -> Result<CdpError, Silence> {
        self.outcome(method, params)
            .await?
            .err()
            .ok_or_else(|| Silence::Odd(format!("{method}: no error for an unknown id")))
    }

    async fn outcome(&mut self, method: &str, params: &str) -> Result<Result<String, CdpError>, Silence> {
        self.last -= 1;
        let id = CallId(self.last);
        let command = Bytes::from(message::envelope(id, method, params, None));
        let command = self.writer.wire(&command).map_err(|error| Silence::Odd(error.to_string()))?;
        self.transport.queue(command);
        loop {
            let message = std::future::poll_fn(|cx| {
                // Data that cannot be written yet is retried at the next read.
                if let std::task::Poll::Ready(Err(error)) = self.transport.poll_flush(cx) {
                    return std::task::Poll::Ready(Err(error));
                }
                self.transport.poll_message(cx)
            });
            let message = message.await.ok().flatten().ok_or(Silence::Ended)?;
            let text = message.text(&mut self.decoder).map_err(|error| Silence::Odd(error.to_string()))?;
            let Decoded::Text(text) = text else { continue };
            if message::route(&text).head != Head::Reply(id) {
                continue;
            }
            return match message::result_or_error(&text) {
                Some(Outcome::Result(result)) => Ok(Ok(result.to_owned())),
                Some(Outcome::Error(error)) => Ok(Err(error.into())),
                None => Err(Silence::Odd(String::from_utf8_lossy(&text).into_owned())),
            };
        }
    }
}
