//! The socket of a client: TCP, with TLS that ends here or without, or a pair for a client in this process. Reads and writes that cannot be done at once return
//! [`io::ErrorKind::WouldBlock`], also with TLS, so that [`super::client`] decides when it waits.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

/// The socket of a client.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Plain(TcpStream),
    /// One end of a pair: the client is in this process.
    Local(UnixStream),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(Box<TlsSocket>),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::Plain(stream)
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self::Local(stream)
    }
}

impl Socket {
    /// Waits until the socket may have something to read.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => tcp.poll_read_ready(cx),
            Self::Local(unix) => unix.poll_read_ready(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.tcp().poll_read_ready(cx),
        }
    }

    /// Waits until the socket may accept bytes.
    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => tcp.poll_write_ready(cx),
            Self::Local(unix) => unix.poll_write_ready(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.tcp().poll_write_ready(cx),
        }
    }

    /// Writes what the socket accepts at once, at least one byte. With TLS, some of it may still have to be flushed.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_write(bytes),
            Self::Local(unix) => unix.try_write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.try_write(bytes),
        }
    }

    /// Passes on all that was written.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unnecessary_wraps, reason = "with TLS it can fail"))]
    pub(super) fn try_flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) | Self::Local(_) => Ok(()),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.try_flush(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, to),
            Self::Local(unix) => Pin::new(unix).poll_read(cx, to),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Pin::new(&mut tls.0).poll_read(cx, to),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Local(unix) => Pin::new(unix).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Pin::new(&mut tls.0).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Local(unix) => Pin::new(unix).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Pin::new(&mut tls.0).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Local(unix) => Pin::new(unix).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Pin::new(&mut tls.0).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bytes),
            Self::Local(unix) => Pin::new(unix).poll_write_vectored(cx, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Pin::new(&mut tls.0).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Local(unix) => unix.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.0.is_write_vectored(),
        }
    }
}

/// A socket whose handshake is complete. When it is dropped, the other side is told that nothing follows.
#[cfg(feature = "tls")]
#[derive(Debug)]
pub struct TlsSocket(TlsStream<TcpStream>);

#[cfg(feature = "tls")]
impl From<TlsStream<TcpStream>> for Socket {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(TlsSocket(stream)))
    }
}

#[cfg(feature = "tls")]
impl TlsSocket {
    fn tcp(&self) -> &TcpStream {
        self.0.get_ref().0
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use std::io::Write as _;

        // What waits is sent first: the buffer of records has a limit, and accepts nothing when it is full.
        self.try_flush()?;
        let written = self.0.get_mut().1.writer().write(bytes)?;
        match self.try_flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(written),
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        let (tcp, tls) = self.0.get_mut();
        while tls.wants_write() {
            tls.write_tls(&mut AtOnce(tcp))?;
        }
        Ok(())
    }
}

#[cfg(feature = "tls")]
impl Drop for TlsSocket {
    fn drop(&mut self) {
        self.0.get_mut().1.send_close_notify();
        // Without it the other side sees the end of the connection all the same.
        let _ = self.try_flush();
    }
}

/// The writing half of a TCP socket, without waiting.
#[cfg(feature = "tls")]
struct AtOnce<'a>(&'a TcpStream);

#[cfg(feature = "tls")]
impl io::Write for AtOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
