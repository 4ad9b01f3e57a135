//! A socket with a write timeout: if the other side reads nothing of an answer for a while, the connection is closed
//! and the memory of the answer is freed.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use crate::session::socket::Socket;

/// A socket with a write timeout.
#[derive(Debug)]
pub(super) struct Patient<S = Socket> {
    socket: S,
    patience: Duration,
    /// The time at which the connection is closed; set while the other side reads nothing.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(socket: S, patience: Duration) -> Self {
        Self { socket, patience, deadline: None }
    }

    /// The socket without the timeout.
    pub(super) fn into_inner(self) -> S {
        self.socket
    }

    /// The result of a write, or an error if the write has waited too long.
    fn until<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let end = Instant::now() + self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        ready!(deadline.as_mut().poll(context));
        let why = format!("the client read nothing of an answer for {} s (http_stall)", self.patience.as_secs_f64());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, to)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.until(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, bytes);
        self.until(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn connection_of_a_reader_that_reads_nothing_is_closed() {
        let (ours, _theirs) = tokio::io::duplex(10);
        let since = Instant::now();
        let error = Patient::new(ours, PATIENCE).write_all(&[0; 11]).await.expect_err("nobody reads");
        assert_eq!((error.kind(), since.elapsed().as_secs()), (io::ErrorKind::TimedOut, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn connection_of_a_slow_reader_stays_open() {
        let (ours, mut theirs) = tokio::io::duplex(10);
        let read = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(4990)).await;
                theirs.read_exact(&mut [0; 10]).await.expect("what was written");
            }
        };
        let mut patient = Patient::new(ours, PATIENCE);
        let (written, ()) = tokio::join!(patient.write_all(&[0; 100]), read);
        written.expect("it was read");
    }
}
