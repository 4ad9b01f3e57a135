//! The bytes between the proxy and one Chrome: a framed reader and a batched writer, over the pipe
//! or a WebSocket.
//!
//! Its interface has whole messages; the framing is internal. It does not read the content of
//! messages.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::{
    io::AsyncWrite,
    net::{
        TcpStream,
        unix::pipe::{Receiver, Sender},
    },
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message as Frame, Utf8Bytes, http::HeaderValue, protocol::WebSocketConfig},
};

use super::codec::{Codec, Framing, Received, Wire};
use crate::cdp::cbor;

/// Messages up to this size are copied into one write; larger ones are written from their own
/// buffers.
const COPY_LIMIT: usize = 32 * 1024;
/// A read buffer that became larger than this is released once it is empty.
const KEEP_BUFFER: usize = 1024 * 1024;
/// The number of bytes requested from the kernel at once.
const READ_SIZE: usize = 64 * 1024;

/// The upstream connection of one browser.
#[derive(Debug)]
pub(super) enum Transport {
    /// `--remote-debugging-pipe`: two pipes that Chrome has as fds 3 and 4.
    Pipe(Box<Pipe>),
    /// The WebSocket of a remote browser, which uses JSON.
    Ws(Box<Ws>),
}

impl Transport {
    /// Its codec, and the largest message.
    pub(super) fn framing(&self) -> Framing {
        match self {
            Self::Pipe(pipe) => Framing::pipe(pipe.codec),
            Self::Ws(_) => Framing::WEB_SOCKET,
        }
    }

    /// Counts the bytes that the other side has sent and taken.
    pub(super) fn bytes(&self) -> Arc<AtomicU64> {
        match self {
            Self::Pipe(pipe) => pipe.moved.clone(),
            Self::Ws(ws) => ws.moved.clone(),
        }
    }

    /// Whether JSON arrives although CBOR was requested: this Chrome does not support CBOR.
    pub(super) fn knows_no_cbor(&self) -> bool {
        matches!(self, Self::Pipe(pipe) if pipe.codec == Codec::Cbor && pipe.buffer.starts_with(b"{"))
    }

    /// The next message, in Chrome's order. `Ok(None)` is the end of the connection.
    pub(super) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Received>>> {
        match self {
            Self::Pipe(pipe) => pipe.poll_message(cx),
            Self::Ws(ws) => ws.poll_message(cx),
        }
    }

    /// Queues a message; it is written by the next [`Transport::poll_flush`].
    pub(super) fn queue(&mut self, message: Wire) {
        match self {
            Self::Pipe(pipe) => pipe.out.push(message.into_bytes(), pipe.codec == Codec::Json),
            Self::Ws(ws) => ws.queue(message.into_bytes()),
        }
    }

    /// Bytes that are queued and not yet taken by the kernel.
    pub(super) fn queued(&self) -> usize {
        match self {
            Self::Pipe(pipe) => pipe.out.bytes,
            // The library's own buffer is not counted, but makes the result at least 1.
            Self::Ws(ws) => ws.bytes + usize::from(ws.unflushed),
        }
    }

    /// Writes queued bytes, as many as one write takes.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Pipe(pipe) => pipe.poll_flush(cx),
            Self::Ws(ws) => ws.poll_flush(cx),
        }
    }
}

/// Chrome's debugging pipe.
#[derive(Debug)]
pub(super) struct Pipe {
    read: Receiver,
    write: Sender,
    codec: Codec,
    buffer: BytesMut,
    /// The length of the start of `buffer` that is known to have no NUL.
    scanned: usize,
    out: Out,
    /// Bytes read and written.
    moved: Arc<AtomicU64>,
}

impl Pipe {
    /// `read` is the peer of Chrome's fd 4, `write` of its fd 3.
    pub(super) fn new(read: Receiver, write: Sender, codec: Codec) -> Self {
        Self { read, write, codec, buffer: BytesMut::new(), scanned: 0, out: Out::default(), moved: Arc::default() }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Received>>> {
        loop {
            let missing = match self.codec {
                Codec::Json => match self.cut_at_nul() {
                    Some(text) => return Poll::Ready(Ok(Some(Received::Json(text)))),
                    None => 0,
                },
                Codec::Cbor => {
                    let length = cbor::length(&self.buffer);
                    let length = length.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                    if let Some(length) = length.filter(|length| *length <= self.buffer.len()) {
                        let message = self.buffer.split_to(length).freeze();
                        return Poll::Ready(Ok(Some(Received::Cbor(message))));
                    }
                    length.unwrap_or(0).saturating_sub(self.buffer.len())
                }
            };
            if self.buffer.is_empty() && self.buffer.capacity() > KEEP_BUFFER {
                self.buffer = BytesMut::new();
            }
            // Reserves the announced length, but at most as much as has already arrived, because
            // the announcement may be wrong.
            self.buffer.reserve(missing.clamp(READ_SIZE, self.buffer.len().max(KEEP_BUFFER)));
            let read = ready!(poll_read_into(&mut self.read, cx, &mut self.buffer))?;
            self.moved.fetch_add(read as u64, Ordering::Relaxed);
            if read == 0 {
                if self.buffer.is_empty() {
                    return Poll::Ready(Ok(None));
                }
                let half = io::Error::new(io::ErrorKind::UnexpectedEof, "it ended in the middle of a message");
                return Poll::Ready(Err(half));
            }
        }
    }

    fn cut_at_nul(&mut self) -> Option<Bytes> {
        let Some(at) = memchr::memchr(0, &self.buffer[self.scanned..]) else {
            self.scanned = self.buffer.len();
            return None;
        };
        let text = self.buffer.split_to(self.scanned + at).freeze();
        self.buffer.advance(1);
        self.scanned = 0;
        Some(text)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.out.bytes > 0 {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = self.out.slices(&mut slices);
            let written = ready!(Pin::new(&mut self.write).poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.moved.fetch_add(written as u64, Ordering::Relaxed);
            self.out.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

fn poll_read_into(from: &mut Receiver, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
    // `BytesMut` provides uninitialised memory only through `unsafe`; tokio-util's helper wraps it.
    tokio_util::io::poll_read_buf(Pin::new(from), cx, buffer)
}

/// Outgoing bytes: small messages together in one chunk, large ones as chunks of their own.
#[derive(Debug, Default)]
struct Out {
    sealed: VecDeque<Bytes>,
    open: BytesMut,
    bytes: usize,
}

impl Out {
    /// Queues a message, followed by a NUL if it is `terminated`.
    fn push(&mut self, message: Bytes, terminated: bool) {
        let end: &'static [u8] = if terminated { &[0] } else { &[] };
        self.bytes += message.len() + end.len();
        if message.len() <= COPY_LIMIT {
            self.open.extend_from_slice(&message);
        } else {
            self.seal();
            self.sealed.push_back(message);
        }
        self.open.extend_from_slice(end);
    }

    fn seal(&mut self) {
        if !self.open.is_empty() {
            self.sealed.push_back(self.open.split().freeze());
        }
    }

    fn slices<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.seal();
        let mut count = 0;
        for (slot, chunk) in slices.iter_mut().zip(&self.sealed) {
            *slot = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            let Some(first) = self.sealed.front_mut() else { return };
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.sealed.pop_front();
        }
    }
}

/// A remote browser's WebSocket.
#[derive(Debug)]
pub(super) struct Ws {
    socket: WebSocketStream<TcpStream>,
    out: VecDeque<Bytes>,
    bytes: usize,
    /// The library has bytes that the kernel has not taken yet.
    unflushed: bool,
    /// Bytes of whole messages received.
    moved: Arc<AtomicU64>,
}

impl Ws {
    /// Opens a WebSocket on a connection. Chrome drops messages above 256 MB, so no larger ones are expected.
    pub(super) async fn open(
        stream: TcpStream,
        authority: &str,
        path: &str,
        authorization: Option<&str>,
    ) -> Result<Self, tungstenite::Error> {
        // One write for all that is flushed together. The library clears as much of its buffer as
        // it offers to each read.
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None)
            .read_buffer_size(READ_SIZE)
            .write_buffer_size(READ_SIZE);
        let mut request =
            tungstenite::client::IntoClientRequest::into_client_request(format!("ws://{authority}{path}"))?;
        if let Some(authorization) = authorization {
            request.headers_mut().insert("Authorization", HeaderValue::from_str(authorization)?);
        }
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
        Ok(Self { socket, out: VecDeque::new(), bytes: 0, unflushed: false, moved: Arc::default() })
    }

    fn queue(&mut self, text: Bytes) {
        self.bytes += text.len();
        self.out.push_back(text);
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Received>>> {
        loop {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                None | Some(Ok(Frame::Close(_))) => return Poll::Ready(Ok(None)),
                Some(Ok(Frame::Text(text))) => {
                    self.moved.fetch_add(text.len() as u64, Ordering::Relaxed);
                    return Poll::Ready(Ok(Some(Received::Json(text.into()))));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(io::Error::other)?;
            let Some(text) = self.out.pop_front() else { break };
            self.bytes -= text.len();
            // The proxy checked or made every queued message, so this is UTF-8; an error here is a
            // bug of the link.
            let text = Utf8Bytes::try_from(text).map_err(io::Error::other)?;
            Pin::new(&mut self.socket).start_send(Frame::Text(text)).map_err(io::Error::other)?;
            self.unflushed = true;
        }
        ready!(Pin::new(&mut self.socket).poll_flush(cx)).map_err(io::Error::other)?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }
}
