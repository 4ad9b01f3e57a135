//! From a launch to a browser that takes leases: the connection, what the browser says of itself, the watchers.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Browser, CallError, Shared,
    codec::{Codec, Writer},
    downloads::Downloads,
    link::{End, Link},
    mirror::Mirror,
    openings::Openings,
    permits::Permits,
    process::{Launch, Process},
    transport::{Transport, Ws},
};
use crate::{
    cdp::{
        cbor::{Decoded, Decoder},
        error::CdpError,
        ids::{CallId, CdpSessionId},
        json_object::JsonObject,
        message::{self, Head, Outcome},
    },
    metrics::Metrics,
    port::{BrowserId, Identity},
};

/// How long a Chrome may take from its start to its first answers.
const START: Duration = Duration::from_secs(30);
/// The oldest Chrome whose behaviour is known.
pub const OLDEST: u32 = 148;
/// What a page-flavour root of Chrome's attaches to is its default; this is what Puppeteer asks for instead.
const TAB_FILTER: &str = r#"[{"type":"page","exclude":true},{"type":"browser","exclude":true},{}]"#;

/// Where a browser comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A process of ours.
    Local(Launch),
    /// Somebody else's, by its `ws://` URL.
    Remote(String),
}

/// Why a browser could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// The process did not start.
    #[error("cannot start {binary}: {error}")]
    Spawn {
        /// What was to be started.
        binary: String,
        /// The system's reason.
        error: io::Error,
    },
    /// The remote browser cannot be reached.
    #[error("cannot connect to the browser at {url}: {error}")]
    Connect {
        /// Its URL.
        url: String,
        /// What went wrong.
        error: String,
    },
    /// It started and ended again.
    #[error("the browser ended while starting ({how}){}", last_line(lines))]
    Ended {
        /// How the process ended.
        how: String,
        /// The last lines it wrote.
        lines: Vec<String>,
    },
    /// It said nothing in time.
    #[error("the browser did not answer within {} s of its start", START.as_secs())]
    Silent,
    /// It was to speak CBOR and speaks JSON.
    #[error("the browser speaks no CBOR on its pipe")]
    NoCbor,
    /// It answered something that no Chrome answers.
    #[error("the browser at start answered what no Chrome answers: {0}")]
    Odd(String),
    /// It is older than what is known to work.
    #[error("the browser is {product}, and Chrome {OLDEST} or newer is needed")]
    TooOld {
        /// What it says it is.
        product: String,
    },
    /// A command of the proxy's own failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

fn last_line(lines: &[String]) -> String {
    let with = |word| lines.iter().rev().find(|line: &&String| line.contains(word));
    let telling = with("FATAL").or_else(|| with("ERROR")).or(lines.last());
    telling.map_or_else(String::new, |line| format!(": {line}"))
}

/// What the sessions of one browser share out among them.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// How many pixels the screenshots under way may have together.
    pub screenshot_pixels: u64,
    /// How many pages of snapshots open at once; at least 1.
    pub restore_pages: usize,
}

impl Default for Shares {
    fn default() -> Self {
        Self { screenshot_pixels: 20_000_000, restore_pages: 4 }
    }
}

/// A started browser, and the task that ends when it does.
pub(crate) struct Started {
    pub(crate) browser: Browser,
    pub(crate) link: JoinHandle<End>,
}

/// Starts or connects to a browser and makes it ready for leases.
pub(crate) async fn start(
    id: BrowserId,
    source: &Source,
    quotas: Shares,
    metrics: Arc<Metrics>,
) -> Result<Started, BrowserError> {
    let Opened { transport, process, greeting } = match source {
        Source::Local(launch) => match open_local(launch, launch.codec.codec()).await {
            Err(BrowserError::NoCbor) => {
                if launch.codec.fall_back() {
                    tracing::warn!(browser = %launch.binary.display(), "it speaks no CBOR on its pipe: JSON instead");
                }
                open_local(launch, Codec::Json).await?
            }
            opened => opened?,
        },
        Source::Remote(url) => open_remote(url).await?,
    };
    let framing = transport.framing();
    let pid = process.as_ref().and_then(Process::id);
    let targets = Mirror::new([greeting.page.clone(), greeting.tab.clone()], &greeting.downloads);
    let downloads = Downloads::new(greeting.downloads.clone());
    // Unbounded, because whoever sends waits for nothing; what clients may have on its way to Chrome is counted in
    // bytes per lease, and their sockets are not read above that.
    let (orders, to_do) = mpsc::unbounded_channel();
    let close = CancellationToken::new();
    let link = Link::new(transport, process, to_do, close.clone(), targets, downloads, metrics);
    let link = tokio::spawn(link.run());
    let shared = Shared {
        id,
        orders,
        identity: greeting.identity,
        pid,
        leases: 0.into(),
        live: 0.into(),
        own_roots: 0.into(),
        exclusive: false.into(),
        framing,
        permits: Permits::new(quotas.screenshot_pixels),
        openings: Openings::new(quotas.restore_pages),
        close,
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

/// A connection on which the browser has said who it is.
struct Opened {
    transport: Transport,
    process: Option<Process>,
    greeting: Greeting,
}

async fn open_local(launch: &Launch, codec: Codec) -> Result<Opened, BrowserError> {
    let spawn = |error| BrowserError::Spawn { binary: launch.binary.display().to_string(), error };
    let (process, pipe) = Process::start(launch, codec).map_err(spawn)?;
    let mut transport = Transport::Pipe(Box::new(pipe));
    match timeout(START, greet(&mut transport)).await {
        Ok(Ok(greeting)) => Ok(Opened { transport, process: Some(process), greeting }),
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

async fn open_remote(url: &str) -> Result<Opened, BrowserError> {
    let connect = |error: String| BrowserError::Connect { url: url.to_owned(), error };
    let ws = timeout(START, Ws::connect(url)).await.map_err(|_| connect("no answer in time".to_owned()))?;
    let mut transport = Transport::Ws(Box::new(ws.map_err(|error| connect(error.to_string()))?));
    match timeout(START, greet(&mut transport)).await {
        Ok(Ok(greeting)) => Ok(Opened { transport, process: None, greeting }),
        Ok(Err(Silence::Odd(what))) => Err(BrowserError::Odd(what)),
        Ok(Err(Silence::Ended)) | Err(_) => Err(BrowserError::Silent),
    }
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

/// The first conversation, before anybody else may speak: what it is, its words, and three CDP sessions for ourselves.
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
            .ok_or_else(|| Silence::Odd(format!("{method}: no error for what is not there")))
    }

    async fn outcome(&mut self, method: &str, params: &str) -> Result<Result<String, CdpError>, Silence> {
        self.last -= 1;
        let id = CallId(self.last);
        let command = Bytes::from(message::envelope(id, method, params, None));
        let command = self.writer.wire(&command).map_err(|error| Silence::Odd(error.to_string()))?;
        self.transport.queue(command);
        loop {
            let message = std::future::poll_fn(|cx| {
                // What cannot be written yet is tried again whenever something is read.
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
