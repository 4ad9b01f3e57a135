//! The bytes of a connection: counted, and cut when the tenant has transferred what it may.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};

use crate::port::egress::{Allowance, Carried, EgressReport, REPORT_EVERY};

/// The buffers of a tunnel, in bytes: what pages send is short, what they load is long.
const UP: usize = 8 * 1024;
const DOWN: usize = 32 * 1024;

/// A connection to anything, in either direction.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection whose bytes are reported, at the latest when it is dropped. What is read from it goes to the browser.
pub(super) struct Counted<S> {
    inner: S,
    report: Arc<dyn EgressReport>,
    unreported: Carried,
}

impl<S> Counted<S> {
    pub(super) fn new(inner: S, report: Arc<dyn EgressReport>) -> Self {
        Self { inner, report, unreported: Carried::default() }
    }

    fn count(&mut self, up: usize, down: usize) -> io::Result<()> {
        self.unreported.up += up as u64;
        self.unreported.down += down as u64;
        if self.unreported.total() < REPORT_EVERY {
            return Ok(());
        }
        match self.report.carried(std::mem::take(&mut self.unreported)) {
            Allowance::Left => Ok(()),
            Allowance::Exhausted => {
                Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the tenant may transfer no more"))
            }
        }
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        if self.unreported.total() > 0 {
            self.report.carried(self.unreported);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        Poll::Ready(this.count(0, buffer.filled().len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.inner).poll_write(cx, bytes))?;
        this.count(written, 0)?;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

/// Carries bytes in both directions, those of the remote side counted, until both sides have ended, or one fails.
pub(super) async fn carry(mut browser: impl Stream, mut remote: impl Stream) {
    // A side that fails, and a limit, end both.
    if let Err(error) = copy_bidirectional_with_sizes(&mut browser, &mut remote, UP, DOWN).await {
        tracing::trace!(%error, "a tunnel was cut");
    }
}
