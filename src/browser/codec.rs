//! The encoding of messages between the proxy and one Chrome: JSON, or Chrome's CBOR. Nothing above
//! the link depends on it.
//!
//! With JSON, Chrome converts everything that it reads and writes, for all tenants, on a few shared
//! threads. With CBOR the proxy converts, each session on its own task: the link routes by the CBOR
//! and passes it on unchanged.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;

use crate::{
    cdp::{
        cbor::{self, Decoded, Decoder, Encoder, MalformedCbor},
        error::CdpError,
        message::{self, Route},
    },
    config, runtime,
};

/// How messages are encoded on one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// Text; on the pipe each message ends with a NUL.
    Json,
    /// Each message is one envelope that states its length.
    Cbor,
}

/// The largest part of an incomplete message that Chrome buffers, in bytes.
const CHROMES_BUFFER: usize = 100 * 1024 * 1024;

/// The codec of one link, and the largest message that Chrome accepts there, in bytes of that
/// codec.
///
/// *Measured, 156:* Chrome answers neither a larger message on the JSON pipe nor anything after it,
/// because it reads no more. On a WebSocket Chrome resets the connection. All sessions of a browser
/// share the link, so the proxy answers such a message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) codec: Codec,
    largest: usize,
}

impl Framing {
    /// The text and its NUL may fill the buffer: 104,857,599 bytes are answered, 104,857,600 are
    /// not.
    pub(super) const JSON_PIPE: Self = Self { codec: Codec::Json, largest: CHROMES_BUFFER - 1 };
    /// The header of a long masked frame has 14 bytes: 104,857,586 bytes are answered, 104,857,587 are not.
    pub(super) const WEB_SOCKET: Self = Self { codec: Codec::Json, largest: CHROMES_BUFFER - 14 };
    /// No limit was found: 400 MiB are answered, more than the CBOR of any command that a client
    /// may send.
    pub(super) const CBOR_PIPE: Self = Self { codec: Codec::Cbor, largest: 4 * CHROMES_BUFFER };

    /// The limit of a debugging pipe.
    pub(super) fn pipe(codec: Codec) -> Self {
        match codec {
            Codec::Json => Self::JSON_PIPE,
            Codec::Cbor => Self::CBOR_PIPE,
        }
    }
}

/// Why a message was not sent to Chrome. Nothing else is affected.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("Message of {size} bytes is above what the connection to the browser takes, which is {largest} bytes")]
    TooLarge { size: usize, largest: usize },
    #[error("Message could not be written: {0}")]
    NoMessage(#[from] MalformedCbor),
}

impl Unsendable {
    /// The error for its sender.
    pub(super) fn to_error(&self) -> CdpError {
        CdpError { code: -32600, message: self.to_string().into(), data: None }
    }
}

/// The codec that Chrome is started with: the configured one, unless this Chrome does not know it.
#[derive(Clone, Debug)]
pub struct CodecChoice {
    said: config::Codec,
    unknown: Arc<AtomicBool>,
}

impl CodecChoice {
    /// Shared by all browsers of the same binary, so that only the first has to detect it.
    pub fn new(said: config::Codec) -> Self {
        Self { said, unknown: Arc::default() }
    }

    pub(super) fn codec(&self) -> Codec {
        match self.said {
            config::Codec::Json => Codec::Json,
            config::Codec::Auto | config::Codec::Cbor if self.unknown.load(Ordering::Relaxed) => Codec::Json,
            config::Codec::Auto | config::Codec::Cbor => Codec::Cbor,
        }
    }

    /// Uses JSON from now on. Returns true the first time.
    pub(super) fn fall_back(&self) -> bool {
        !self.unknown.swap(true, Ordering::Relaxed)
    }
}

/// An encoded message for Chrome. Only [`Writer`] makes one, so that the codec always matches the
/// link.
#[derive(Debug)]
pub(super) struct Wire(Bytes);

impl Wire {
    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0
    }
}

#[cfg(test)]
impl From<Bytes> for Wire {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// Encodes messages for Chrome.
#[derive(Debug)]
pub(super) struct Writer {
    framing: Framing,
    encoder: Encoder,
}

impl Writer {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, encoder: Encoder::default() }
    }

    /// Encodes a text that the proxy checked or made. Every message to Chrome is encoded here, so
    /// none is larger than Chrome accepts. The size is the only reason for an error.
    pub(super) fn wire(&mut self, text: &Bytes) -> Result<Wire, Unsendable> {
        let message = match self.framing.codec {
            Codec::Json => text.clone(),
            Codec::Cbor => {
                let no_text = |error: std::str::Utf8Error| MalformedCbor { what: "no UTF-8", at: error.valid_up_to() };
                self.encoder.message(str::from_utf8(text).map_err(no_text)?)?
            }
        };
        let (size, largest) = (message.len(), self.framing.largest);
        if size > largest { Err(Unsendable::TooLarge { size, largest }) } else { Ok(Wire(message)) }
    }
}

/// A message from Chrome; cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Received {
    Json(Bytes),
    Cbor(Bytes),
}

impl Received {
    /// Where it is to be routed, found in constant time. `body_end` has no meaning before it is
    /// converted to text.
    pub(super) fn route(&self) -> Result<Route<'_>, MalformedCbor> {
        match self {
            Self::Json(text) => Ok(message::route(text)),
            Self::Cbor(bytes) => {
                let (head, session) = cbor::route(bytes)?;
                Ok(Route { head, session, body_end: 0 })
            }
        }
    }

    /// The message as JSON.
    pub(super) fn text(&self, decoder: &mut Decoder) -> Result<Decoded, MalformedCbor> {
        match self {
            Self::Json(text) => Ok(Decoded::Text(text.clone())),
            Self::Cbor(bytes) => runtime::aside(bytes.len(), || decoder.text(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncWriteExt as _,
        net::unix::pipe::{Receiver, Sender, pipe},
        sync::mpsc,
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        browser::{
            Browser, Inbox, LeaseId, LinkRequest, Shared,
            downloads::Downloads,
            link::{End, Link, Stop},
            mirror::Mirror,
            openings::Openings,
            permits::Permits,
            transport::{Pipe, Transport},
        },
        cdp::error::CdpError,
        metrics::Metrics,
        port::{BrowserId, FromBrowser, Identity},
    };

    const OWN: [&str; 3] = ["A", "B", "C"];

    /// A browser without a process: the test writes its messages. One lease reads them.
    struct FakeBrowser {
        says: Sender,
        _hears: Receiver,
        link: tokio::task::JoinHandle<End>,
        inbox: Inbox,
    }

    impl FakeBrowser {
        fn new() -> Self {
            let (says, read) = pipe().expect("a pipe");
            let (write, hears) = pipe().expect("a pipe");
            let transport = Transport::Pipe(Box::new(Pipe::new(read, write, Codec::Cbor)));
            let [page, tab, downloads] = OWN.map(Into::into);
            let mut targets = Mirror::new([page, tab], &downloads);
            targets.root("D".into(), Some(LeaseId(1)));
            let (orders, to_do) = mpsc::unbounded_channel();
            let (close, killed) = (CancellationToken::new(), Arc::default());
            let (metrics, bytes) = (Arc::new(Metrics::default()), transport.bytes());
            let stop = Stop { close: close.clone(), killed: Arc::clone(&killed), at_once: Arc::default() };
            let link = Link::new(transport, None, to_do, stop, targets, Downloads::new(downloads), metrics);
            let identity = Identity {
                version: "{}".to_owned(),
                product: "Chrome/156".to_owned(),
                no_target_to_close: CdpError::INVALID,
                no_context_for_target: CdpError::INVALID,
            };
            let (id, pid, framing) = (BrowserId(1), None, Framing::CBOR_PIPE);
            let (permits, openings) = (Permits::new(1), Openings::new(1));
            let (leases, held, live, served, own_roots) = Default::default();
            let exclusive = tokio::sync::watch::Sender::new(false);
            let shared = Shared {
                id,
                orders,
                identity,
                pid,
                profile: None,
                extensions: Arc::default(),
                cgroup: None,
                egress: None,
                proved: false.into(),
                leases,
                held,
                live,
                served,
                own_roots,
                exclusive,
                framing,
                permits,
                openings,
                bytes,
                close,
                dedicated: Arc::default(),
                killed,
            };
            let browser = Browser { shared: Arc::new(shared) };
            let (to, parcels) = mpsc::unbounded_channel();
            browser.order(LinkRequest::Open { lease: LeaseId(1), inbox: to, account: Arc::default() });
            Self { says, _hears: hears, link: tokio::spawn(link.run()), inbox: Inbox::new(parcels, browser) }
        }

        /// Writes this, and optionally closes the connection. Returns how the link ended, and
        /// whether the lease was told.
        async fn end_after(self, bytes: &[u8], hang_up: bool) -> (End, bool) {
            let Self { mut says, _hears, link, mut inbox } = self;
            says.write_all(bytes).await.expect("written");
            let says = (!hang_up).then_some(says);
            let mut lost = false;
            while let Some(message) = inbox.recv().await {
                lost |= matches!(message, FromBrowser::Lost(_));
            }
            drop(says);
            (link.await.expect("no panic"), lost)
        }
    }

    #[test]
    fn message_size_limit_depends_on_the_connection() {
        let text = |size: usize| Bytes::from([b"\"", "x".repeat(size - 2).as_bytes(), b"\""].concat());
        for (framing, largest) in [(Framing::JSON_PIPE, 104_857_599), (Framing::WEB_SOCKET, 104_857_586)] {
            let mut writer = Writer::new(framing);
            assert_eq!(writer.wire(&text(largest)).expect("Chrome takes it").len(), largest);
            let error = writer.wire(&text(largest + 1)).expect_err("Chrome does not take it").to_error();
            let sizes = [(largest + 1).to_string(), largest.to_string()];
            assert!(error.code == -32600 && sizes.iter().all(|size| error.message.contains(size)), "{error:?}");
        }
        // CBOR is counted as sent, which is more than its JSON.
        let mut small = Framing::CBOR_PIPE;
        small.largest = 8;
        assert!(Writer::new(small).wire(&Bytes::from_static(b"{}")).is_err());
    }

    #[tokio::test]
    async fn too_deep_events_are_dropped_and_later_ones_arrive() {
        let FakeBrowser { mut says, _hears, link, mut inbox } = FakeBrowser::new();
        for depth in [450, 5_000] {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            let text =
                format!(r#"{{"method":"DOM.setChildNodes","params":{{"nodes":{open}{close}}},"sessionId":"D"}}"#);
            says.write_all(&Encoder::default().message(&text).expect("JSON")).await.expect("written");
        }
        says.write_all(&event()).await.expect("written");
        loop {
            match inbox.recv().await {
                Some(FromBrowser::Message { text, .. }) => {
                    assert!(text.starts_with(br#"{"method":"Runtime.consoleAPICalled""#), "{text:?}");
                    break;
                }
                Some(FromBrowser::Lost(why)) => panic!("{why}"),
                Some(_) => {}
                None => panic!("the inbox ended"),
            }
        }
        drop((says, inbox));
        link.await.expect("no panic");
    }

    fn event() -> Vec<u8> {
        let text = r#"{"method":"Runtime.consoleAPICalled","params":{"args":[1,"é"]},"sessionId":"D"}"#;
        Encoder::default().message(text).expect("JSON").to_vec()
    }

    #[tokio::test]
    async fn invalid_messages_end_the_browser_and_notify_leases() {
        let whole = event();
        let mut other_length = whole.clone();
        other_length[6] += 1;
        let mut no_end = whole.clone();
        *no_end.last_mut().expect("a message") = 0;
        for (bytes, why) in [
            (b"{\"error\":{}}\0".to_vec(), "broke: no envelope"),
            (whole[..5].to_vec(), "broke: it ended in the middle of a message"),
            (whole[..whole.len() - 1].to_vec(), "broke: it ended in the middle of a message"),
            ([&whole[..], &whole[..20]].concat(), "broke: it ended in the middle of a message"),
            ([&other_length[..], &whole[..]].concat(), "Chrome sent an invalid message"),
            (no_end, "Chrome sent an invalid message"),
            ([0xd8, 0x18, 0x5a, 0xff, 0xff, 0xff, 0xff, 0xbf].to_vec(), "broke: it ended in the middle of a message"),
        ] {
            let (end, lost) = FakeBrowser::new().end_after(&bytes, true).await;
            assert!(end.why.contains(why) && !end.wanted && lost, "{why}: {end:?}");
        }
        let (end, lost) = FakeBrowser::new().end_after(&whole, true).await;
        assert!(end.why.contains("the connection to Chrome ended") && lost, "{end:?}");
    }

    #[tokio::test]
    async fn messages_that_fail_to_decode_end_the_browser() {
        // The head is valid; the error is inside the envelope, which the link does not read.
        let mut message = event();
        let at = message.windows(2).position(|two| two == [0x9f, 0x01]).expect("an array");
        message[at + 1] = 0x1c;
        let (end, lost) = FakeBrowser::new().end_after(&message, false).await;
        assert!(end.why.contains("Chrome sent an invalid message") && lost, "{end:?}");
    }
}
