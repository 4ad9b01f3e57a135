//! One client's socket: reads frames, queues frames with a limit in bytes, and flushes once per wake-up. It does not
//! interpret frames.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_tungstenite::tungstenite::{
    self, Message, Utf8Bytes,
    protocol::{
        CloseFrame, Role, WebSocketConfig, WebSocketContext,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use super::socket::Socket;
use crate::{close_reason::CloseReason, virtual_browser::ToClient};

/// The largest message that Chrome accepts; a larger one ends the connection, as in Chrome.
const LARGEST: usize = 100 * 1024 * 1024;
/// Larger texts are sent as continuation frames of this size: the library's buffer stays small, pings are sent between
/// them, and a slow reader is detected early.
const PIECE: usize = 64 * 1024;
/// The buffer of each connection; there may be thousands.
const READ_BUFFER: usize = 8 * 1024;

/// An input of a client's socket.
#[derive(Debug)]
pub enum Incoming {
    /// A text frame, not checked.
    Text(Bytes),
    /// The connection has ended; with a reason if the client caused it.
    Over(Option<CloseReason>),
}

/// The bytes that wait for all clients of the process together: without a common limit, many slow clients could use more
/// than the limit of each.
#[derive(Debug)]
pub struct Ledger {
    total: AtomicUsize,
    limit: AtomicUsize,
    // Guards the list of clients; held to add or remove one, and to search it when the limit is exceeded.
    accounts: Mutex<Vec<Arc<Account>>>,
}

#[derive(Debug, Default)]
struct Account {
    queued: AtomicUsize,
    condemned: AtomicBool,
}

impl Ledger {
    /// `limit` is in bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { total: AtomicUsize::new(0), limit: limit.into(), accounts: Mutex::default() })
    }

    /// Changes the limit, in bytes.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn open(&self) -> Arc<Account> {
        let account = Arc::<Account>::default();
        self.accounts().push(account.clone());
        account
    }

    fn add(&self, account: &Account, bytes: usize) {
        account.queued.fetch_add(bytes, Ordering::Relaxed);
        let total = self.total.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total > self.limit.load(Ordering::Relaxed) {
            let accounts = self.accounts();
            let worst = accounts.iter().max_by_key(|account| account.queued.load(Ordering::Relaxed));
            if let Some(worst) = worst {
                worst.condemned.store(true, Ordering::Relaxed);
            }
        }
    }

    fn take(&self, account: &Account, bytes: usize) {
        account.queued.fetch_sub(bytes, Ordering::Relaxed);
        self.total.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn close(&self, account: &Arc<Account>) {
        self.take(account, account.queued.load(Ordering::Relaxed));
        self.accounts().retain(|other| !Arc::ptr_eq(other, account));
    }

    fn accounts(&self) -> MutexGuard<'_, Vec<Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connected client.
pub struct Client {
    socket: Socket,
    protocol: WebSocketContext,
    queue: VecDeque<Piece>,
    queued: usize,
    /// When the socket last accepted a byte, or nothing was queued.
    progress: Instant,
    largest: usize,
    /// Whether anything was received since [`Client::take_heard`].
    heard: bool,
    closing: bool,
    ledger: Arc<Ledger>,
    account: Arc<Account>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ledger.close(&self.account);
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("queued", &self.queued).field("closing", &self.closing).finish_non_exhaustive()
    }
}

/// A queued frame, or a part of one.
struct Piece {
    text: Bytes,
    code: Data,
    last: bool,
}

impl Client {
    /// `already_read` has the bytes that were read after the handshake.
    pub fn new(socket: impl Into<Socket>, already_read: &[u8], ledger: Arc<Ledger>, now: Instant) -> Self {
        let account = ledger.open();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(PIECE)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let protocol = WebSocketContext::from_partially_read(already_read.to_vec(), Role::Server, Some(config));
        Self {
            socket: socket.into(),
            protocol,
            queue: VecDeque::new(),
            queued: 0,
            progress: now,
            largest: 0,
            heard: true,
            closing: false,
            ledger,
            account,
        }
    }

    /// The next frame.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        loop {
            match self.protocol.read(&mut Reading { socket: &mut self.socket, cx }) {
                Ok(Message::Text(text)) => {
                    self.heard = true;
                    return Poll::Ready(Incoming::Text(text.into()));
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => self.heard = true,
                // Chrome's WebSocket server ends the connection too.
                Ok(Message::Binary(_)) => return Poll::Ready(Incoming::Over(Some(CloseReason::NotText))),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if ready!(self.socket.poll_read_ready(cx)).is_err() {
                        return Poll::Ready(Incoming::Over(None));
                    }
                }
                // Not UTF-8: the client gets an error, and the connection continues. The library does not give the text,
                // so an empty one takes its place, which is refused with the same error.
                Err(tungstenite::Error::Utf8(_)) => return Poll::Ready(Incoming::Text(Bytes::from_static(b"\xff"))),
                Err(tungstenite::Error::Capacity(_)) => return Poll::Ready(Incoming::Over(Some(CloseReason::TooBig))),
                Ok(Message::Close(_)) => {
                    // The library has queued the answer (RFC 6455 §5.5.1). Who closes and does not read goes without.
                    let _ = self.protocol.flush(&mut Writing(&mut self.socket));
                    return Poll::Ready(Incoming::Over(None));
                }
                Err(_) => return Poll::Ready(Incoming::Over(None)),
            }
        }
    }

    /// Appends a frame to the queue.
    pub fn queue(&mut self, frame: ToClient, now: Instant) {
        if self.queue.is_empty() {
            self.progress = now;
        }
        self.largest = self.largest.max(frame.len());
        self.queued += frame.len();
        self.ledger.add(&self.account, frame.len());
        let (mut text, end) = frame.parts();
        let mut code = Data::Text;
        if text.len() + end.len() <= PIECE && !end.is_empty() {
            text = Bytes::from([&text[..], end.as_bytes()].concat());
            self.queue.push_back(Piece { text, code, last: true });
            return;
        }
        while text.len() > PIECE {
            self.queue.push_back(Piece { text: text.split_to(PIECE), code, last: false });
            code = Data::Continue;
        }
        self.queue.push_back(Piece { text, code, last: end.is_empty() });
        if !end.is_empty() {
            self.queue.push_back(Piece { text: Bytes::from_static(end.as_bytes()), code: Data::Continue, last: true });
        }
    }

    /// The number of queued bytes.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether anything was received since the last call.
    pub fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// Queues a ping, which is sent with the next flush.
    pub fn ping(&mut self) {
        // An error shows in the missing answer.
        let _ = self.protocol.write(&mut Writing(&mut self.socket), Message::Ping(Bytes::new()));
    }

    /// Whether this client is to be disconnected, because the queues of all clients together exceed the limit.
    pub fn is_condemned(&self) -> bool {
        self.account.condemned.load(Ordering::Relaxed)
    }

    /// When the socket last accepted a byte.
    pub fn progress(&self) -> Instant {
        self.progress
    }

    /// Whether a single message is queued: its size alone is no reason to disconnect the client.
    pub fn is_one_message(&self) -> bool {
        self.queued <= self.largest
    }

    /// Writes queued frames as far as the socket accepts them. Ready when the queue is empty.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<()>> {
        loop {
            let done = self.write();
            match done {
                Ok(()) => {
                    self.progress = now;
                    self.largest = 0;
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                    self.progress = now;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let mut to = Writing(&mut self.socket);
        while let Some(piece) = self.queue.pop_front() {
            self.queued -= piece.text.len();
            self.ledger.take(&self.account, piece.text.len());
            let frame = Frame::message(piece.text, OpCode::Data(piece.code), piece.last);
            // The library takes the frame into its buffer, and returns afterwards that the socket is full.
            match self.protocol.write(&mut to, Message::Frame(frame)) {
                Ok(()) => {}
                Err(error) => return Err(plain(error)),
            }
        }
        self.protocol.flush(&mut to).map_err(plain)
    }

    /// Queues a close frame after the queued frames; nothing can be queued after it.
    pub fn close(&mut self, reason: &CloseReason) {
        if std::mem::replace(&mut self.closing, true) {
            return;
        }
        let mut text = reason.to_string();
        // A control frame has at most 125 bytes, two of them for the code (RFC 6455 §5.5).
        while text.len() > 123 {
            text.pop();
        }
        let frame = CloseFrame { code: reason.code().into(), reason: Utf8Bytes::from(text) };
        // Frames for a client that is disconnected because it does not read are dropped.
        if matches!(reason, CloseReason::TooSlow { .. }) {
            self.queue.clear();
            self.ledger.take(&self.account, std::mem::take(&mut self.queued));
        } else {
            let _ = self.write();
        }
        let _ = self.protocol.close(&mut Writing(&mut self.socket), Some(frame));
    }

    /// Waits until the client has read the close frame and closed the connection, or the connection fails.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.progress;
        if let Poll::Ready(Err(_)) = self.poll_flush(cx, now) {
            return Poll::Ready(());
        }
        loop {
            match self.protocol.read(&mut Reading { socket: &mut self.socket, cx }) {
                Ok(_) | Err(tungstenite::Error::Utf8(_)) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if ready!(self.socket.poll_read_ready(cx)).is_err() {
                        return Poll::Ready(());
                    }
                }
                Err(_) => return Poll::Ready(()),
            }
        }
    }
}

fn plain(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// The reading half of a socket, without waiting. Unlike `try_read`, `poll_read` remembers a short read: the next call
/// returns without a system call, which saves one per frame.
struct Reading<'a, 'b, 'c> {
    socket: &'a mut Socket,
    cx: &'b mut Context<'c>,
}

impl Read for Reading<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.socket).poll_read(self.cx, &mut buffer) {
            Poll::Ready(done) => done.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Reading<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.try_flush()
    }
}

/// The writing half of a socket, without waiting: the caller that polls waits.
struct Writing<'a>(&'a mut Socket);

impl Read for Writing<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        // The library asks for a stream of both directions, and reads nothing when it writes.
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Writing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.try_flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_queue_is_cut_when_the_total_exceeds_its_limit() {
        let ledger = Ledger::new(100);
        let (small, large) = (ledger.open(), ledger.open());
        ledger.add(&large, 90);
        ledger.add(&small, 10);
        assert!(!large.condemned.load(Ordering::Relaxed));
        // The last byte of the small queue exceeds the limit, and the large queue is the reason.
        ledger.add(&small, 1);
        assert!(large.condemned.load(Ordering::Relaxed) && !small.condemned.load(Ordering::Relaxed));
        ledger.close(&large);
        assert_eq!(ledger.total.load(Ordering::Relaxed), 11);
        ledger.close(&small);
        assert!(ledger.accounts().is_empty());
    }
}
