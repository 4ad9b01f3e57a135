//! `Raw`: a WebSocket after its handshake, written byte by byte, to send what no library sends.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{client::DEADLINE, proxy::Proxy};

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
/// The bit that marks the last frame of a message.
pub(crate) const FIN: u8 = 0x80;
/// A reserved bit, invalid unless an extension was negotiated.
pub(crate) const RSV1: u8 = 0x40;

pub(crate) struct Raw {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    /// Connects and completes the handshake.
    pub(crate) async fn connect(proxy: &Proxy) -> Self {
        Self::connect_with(proxy, &[]).await
    }

    /// Connects and sends these texts together with the handshake, before it is answered.
    pub(crate) async fn connect_with(proxy: &Proxy, texts: &[&str]) -> Self {
        let mut socket = TcpStream::connect(proxy.address()).await.expect("it accepts");
        let mut request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            proxy.address()
        )
        .into_bytes();
        for text in texts {
            request.extend(header(FIN | TEXT, text.len() as u64));
            request.extend(text.as_bytes());
        }
        socket.write_all(&request).await.expect("written");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(DEADLINE, socket.read_u8()).await.expect("an answer in time");
            head.push(byte.expect("an answer"));
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        Self { socket, read: Vec::new() }
    }

    /// Writes a frame with this first byte, masked with zeros, so that the payload is unchanged.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.header(first, payload.len() as u64).await;
        self.bytes(payload).await;
    }

    /// Writes the header of a masked frame of this length.
    pub(crate) async fn header(&mut self, first: u8, length: u64) {
        self.bytes(&header(first, length)).await;
    }

    /// Writes bytes; ignores that the other side has closed.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
    }

    /// The next text, a close frame as `close CODE`, or `gone` if the connection was closed.
    pub(crate) async fn next(&mut self) -> String {
        let read = tokio::time::timeout(DEADLINE, self.read());
        read.await.unwrap_or_else(|_| panic!("nothing came in {DEADLINE:?}; so far {:?}", self.read))
    }

    /// Whether nothing arrives within this time.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.read()).await.is_err()
    }

    async fn read(&mut self) -> String {
        loop {
            if let Some((opcode, payload, rest)) = frame(&self.read) {
                self.read = rest;
                match opcode {
                    TEXT | CONTINUATION => return String::from_utf8_lossy(&payload).into_owned(),
                    CLOSE => {
                        let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                        return format!("close {code}");
                    }
                    _ => continue,
                }
            }
            match self.socket.read_buf(&mut self.read).await {
                Ok(0) | Err(_) => return "gone".to_owned(),
                Ok(_) => {}
            }
        }
    }
}

/// The header of a frame of this length, masked with zeros.
fn header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    match length {
        0..=125 => header.push(0x80 | u8::try_from(length).expect("below 126")),
        126..=0xffff => {
            header.push(0x80 | 0x7e);
            header.extend(u16::try_from(length).expect("two bytes").to_be_bytes());
        }
        _ => {
            header.push(0x80 | 0x7f);
            header.extend(length.to_be_bytes());
        }
    }
    header.extend([0; 4]);
    header
}

/// The opcode, the payload and the remaining bytes, if a whole unmasked frame is there.
fn frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, Vec<u8>)> {
    let (first, length) = (*bytes.first()?, *bytes.get(1)? & 0x7f);
    let (length, start) = match length {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..4)?.first_chunk()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(*bytes.get(2..10)?.first_chunk()?)).ok()?, 10),
        length => (usize::from(length), 2),
    };
    let payload = bytes.get(start..start + length)?;
    Some((first & 0xf, payload.to_vec(), bytes[start + length..].to_vec()))
}
