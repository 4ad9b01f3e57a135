//! A WebSocket client of very low cost: blocking, one system call per write, few copies. The
//! benches must measure the server only.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than any reply may take: a bench fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connected client.
#[derive(Debug)]
pub(crate) struct Ws {
    stream: TcpStream,
    /// Bytes that were read but not processed: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    message: Vec<u8>,
    out: Vec<u8>,
}

impl Ws {
    /// Connects, and waits for the 101.
    pub(crate) fn connect(address: SocketAddr, path: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut ws =
            Self { stream, buffer: vec![0; 16 * 1024], start: 0, end: 0, message: Vec::new(), out: Vec::new() };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            ws.fill(1)?;
            head.push(ws.buffer[ws.start]);
            ws.start += 1;
        }
        if head.starts_with(b"HTTP/1.1 101") {
            Ok(ws)
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
        }
    }

    /// A second handle on the socket, for writes from another thread.
    pub(crate) fn writer(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Sends one text message in one write.
    pub(crate) fn send(&mut self, text: &[u8]) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        frame(&mut out, text);
        self.stream.write_all(&out)?;
        // A large buffer is not kept.
        if out.capacity() <= 1024 * 1024 {
            self.out = out;
        }
        Ok(())
    }

    /// The next text message. Pings are not answered, which is allowed for the time of a bench.
    pub(crate) fn receive(&mut self) -> io::Result<&[u8]> {
        self.message.clear();
        loop {
            self.fill(2)?;
            let (first, second) = (self.buffer[self.start], self.buffer[self.start + 1]);
            let (head, length) = match second {
                126 => {
                    self.fill(4)?;
                    (4, self.number::<2>())
                }
                127 => {
                    self.fill(10)?;
                    (10, self.number::<8>())
                }
                short => (2, usize::from(short)),
            };
            self.start += head;
            match first & 0x0f {
                0..=2 => self.take(length, true)?,
                8 => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server closed the connection")),
                _ => self.take(length, false)?,
            }
            if first & 0x80 != 0 && first & 0x08 == 0 {
                return Ok(&self.message);
            }
        }
    }

    /// Releases the memory that a large message needed.
    pub(crate) fn forget(&mut self) {
        self.message = Vec::new();
    }

    fn number<const N: usize>(&self) -> usize {
        self.buffer[self.start + 2..self.start + 2 + N].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    }

    /// Moves the next `length` bytes into the message, directly from the socket if they have not
    /// arrived yet.
    fn take(&mut self, length: usize, keep: bool) -> io::Result<()> {
        let here = length.min(self.end - self.start);
        if keep {
            self.message.extend_from_slice(&self.buffer[self.start..self.start + here]);
        }
        self.start += here;
        let missing = length - here;
        if missing > 0 {
            let before = self.message.len();
            self.message.reserve(missing);
            let read = (&mut self.stream).take(missing as u64).read_to_end(&mut self.message)?;
            if read < missing {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if !keep {
                self.message.truncate(before);
            }
        }
        Ok(())
    }

    /// Reads until at least `count` bytes have arrived.
    fn fill(&mut self, count: usize) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start + count > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.end - self.start < count {
            let read = self.stream.read(&mut self.buffer[self.end..])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.end += read;
        }
        Ok(())
    }
}

/// Appends a client's text frame. The mask is zero, which leaves the text unchanged; the server
/// unmasks it all the same.
pub(crate) fn frame(out: &mut Vec<u8>, text: &[u8]) {
    out.push(0x81);
    let length = text.len() as u64;
    match length {
        0..126 => out.push(0x80 | length.to_be_bytes()[7]),
        126..0x1_0000 => {
            out.push(0x80 | 0x7e);
            out.extend_from_slice(&length.to_be_bytes()[6..]);
        }
        _ => {
            out.push(0x80 | 0x7f);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(text);
}
