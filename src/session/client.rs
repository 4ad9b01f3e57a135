//! One client's socket: frames in, a queue counted in bytes out, one flush per wake-up. What a frame means, nothing
//! here knows.

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
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};
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

use crate::{close_reason::CloseReason, virtual_browser::ToClient};

/// What Chrome accepts at most; a larger message ends the connection, as there.
const LARGEST: usize = 100 * 1024 * 1024;
/// Larger texts go out as continuation frames of this size: the library's buffer stays small and never has to be given
/// back, pings pass in between, and a slow reader is noticed in time.
const PIECE: usize = 64 * 1024;
/// Per connection, and there may be thousands.
const READ_BUFFER: usize = 8 * 1024;

/// What a client's socket had to say.
#[derive(Debug)]
pub enum Incoming {
    /// A text frame; what is in it may be anything.
    Text(Bytes),
    /// It is over; with a reason if the fault is the client's.
    Over(Option<CloseReason>),
}

/// What waits for all clients of the process together, so that many slow ones are no way around the limit for one.
#[derive(Debug)]
pub struct Ledger {
    total: AtomicUsize,
    limit: usize,
    // Guards the list of clients; held while one comes or goes, and for a look at all when the limit is passed.
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
        Arc::new(Self { total: AtomicUsize::new(0), limit, accounts: Mutex::default() })
    }

    fn open(&self) -> Arc<Account> {
        let account = Arc::<Account>::default();
        self.accounts().push(account.clone());
        account
    }

    fn add(&self, account: &Account, bytes: usize) {
        account.queued.fetch_add(bytes, Ordering::Relaxed);
        let total = self.total.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total > self.limit {
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
    socket: TcpStream,
    protocol: WebSocketContext,
    queue: VecDeque<Piece>,
    queued: usize,
    /// When its socket last took a byte, or had nothing to take.
    progress: Instant,
    largest: usize,
    /// Something came since it was last asked.
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

/// A frame, or a part of one, that waits for the socket.
struct Piece {
    text: Bytes,
    code: Data,
    last: bool,
}

impl Client {
    /// `already_read` is what came behind the handshake.
    pub fn new(socket: TcpStream, already_read: &[u8], ledger: Arc<Ledger>, now: Instant) -> Self {
        let account = ledger.open();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(PIECE)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let protocol = WebSocketContext::from_partially_read(already_read.to_vec(), Role::Server, Some(config));
        Self {
            socket,
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
                // Chrome's WebSocket server ends the connection, too.
                Ok(Message::Binary(_)) => return Poll::Ready(Incoming::Over(Some(CloseReason::NotText))),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if ready!(self.socket.poll_read_ready(cx)).is_err() {
                        return Poll::Ready(Incoming::Over(None));
                    }
                }
                // Not UTF-8: an error for whoever sent it, no reason to hang up. The text itself cannot be had, so an
                // empty one stands for it, which is refused in the same words.
                Err(tungstenite::Error::Utf8(_)) => return Poll::Ready(Incoming::Text(Bytes::from_static(b"\xff"))),
                Err(tungstenite::Error::Capacity(_)) => return Poll::Ready(Incoming::Over(Some(CloseReason::TooBig))),
                Ok(Message::Close(_)) | Err(_) => return Poll::Ready(Incoming::Over(None)),
            }
        }
    }

    /// Puts a frame at the end of the queue.
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

    /// Bytes that wait for the socket.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether anything came since this was last asked.
    pub fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// Asks whether it is there; goes out with what waits.
    pub fn ping(&mut self) {
        // One that is not there any more is found out by what does not come back.
        let _ = self.protocol.write(&mut Writing(&self.socket), Message::Ping(Bytes::new()));
    }

    /// Whether it is the one to go, because too much waits for all clients together.
    pub fn is_condemned(&self) -> bool {
        self.account.condemned.load(Ordering::Relaxed)
    }

    /// When its socket last took something.
    pub fn progress(&self) -> Instant {
        self.progress
    }

    /// Whether what waits is one message, however large: that alone is nobody's fault.
    pub fn is_one_message(&self) -> bool {
        self.queued <= self.largest
    }

    /// Writes what waits, as far as the socket takes it. Ready when nothing waits any more.
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
        let mut to = Writing(&self.socket);
        while let Some(piece) = self.queue.pop_front() {
            self.queued -= piece.text.len();
            self.ledger.take(&self.account, piece.text.len());
            let frame = Frame::message(piece.text, OpCode::Data(piece.code), piece.last);
            // The library takes the frame into its buffer first; that the socket is full is said afterwards.
            match self.protocol.write(&mut to, Message::Frame(frame)) {
                Ok(()) => {}
                Err(error) => return Err(plain(error)),
            }
        }
        self.protocol.flush(&mut to).map_err(plain)
    }

    /// Queues a close frame behind what waits; nothing can be queued after it.
    pub fn close(&mut self, reason: &CloseReason) {
        if std::mem::replace(&mut self.closing, true) {
            return;
        }
        let mut text = reason.to_string();
        // A control frame holds 125 bytes, two of them the code (RFC 6455 §5.5).
        while text.len() > 123 {
            text.pop();
        }
        let frame = CloseFrame { code: reason.code().into(), reason: Utf8Bytes::from(text) };
        // What waits is for a client that is being sent away for not reading it.
        if matches!(reason, CloseReason::TooSlow { .. }) {
            self.queue.clear();
            self.ledger.take(&self.account, std::mem::take(&mut self.queued));
        } else {
            let _ = self.write();
        }
        let _ = self.protocol.close(&mut Writing(&self.socket), Some(frame));
    }

    /// Waits until the other side has read the close frame and hung up, or nothing more can be done.
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

/// A socket that is read as far as it is ready. Unlike `try_read`, `poll_read` remembers that it came back with less
/// than was asked for: the next call says so without asking the kernel, which is one system call less per frame.
struct Reading<'a, 'b, 'c> {
    socket: &'a mut TcpStream,
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
        Ok(())
    }
}

/// A socket that is written as far as it is ready; waiting is done by whoever polls.
struct Writing<'a>(&'a TcpStream);

impl Read for Writing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Writing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_all_together_are_too_much_the_worst_goes() {
        let ledger = Ledger::new(100);
        let (small, large) = (ledger.open(), ledger.open());
        ledger.add(&large, 90);
        ledger.add(&small, 10);
        assert!(!large.condemned.load(Ordering::Relaxed));
        // It is the small one whose byte is one too many, and the large one whose fault it is.
        ledger.add(&small, 1);
        assert!(large.condemned.load(Ordering::Relaxed) && !small.condemned.load(Ordering::Relaxed));
        ledger.close(&large);
        assert_eq!(ledger.total.load(Ordering::Relaxed), 11);
        ledger.close(&small);
        assert!(ledger.accounts().is_empty());
    }
}
