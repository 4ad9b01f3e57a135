//! Holds a session's state in memory, while it is read and afterwards, so that clones can be written before it is
//! complete.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncReadExt as _},
    sync::watch,
};
use tokio_util::io::StreamReader;

use super::{
    Parts, Report, capture,
    repository::{HELD_MOST, RepositoryError},
};
use crate::{api_types::SnapshotPart, browser::ContextHandle, config::SnapshotLimits};

/// Bytes that need no permission: most sessions have less, and need not wait.
const FREE: usize = 1 << 20;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 16;

/// The state as far as it has been read.
#[derive(Debug, Default)]
struct Held {
    pieces: Vec<Bytes>,
    bytes: usize,
    ended: bool,
}

/// Holds at most [`HELD_MOST`] bytes.
#[derive(Debug, Default)]
pub struct ReplayBuffer {
    held: watch::Sender<Held>,
}

impl ReplayBuffer {
    /// Reads a session's state. If it has more than `FREE` bytes, it first waits for `room` for [`HELD_MOST`]. The
    /// room is returned, and must be kept as long as the buffer is.
    pub async fn record<M, E: From<RepositoryError>>(
        &self,
        place: &ContextHandle,
        parts: &[SnapshotPart],
        limits: &SnapshotLimits,
        room: impl Future<Output = Result<M, E>>,
    ) -> Result<(Report, Option<M>), E> {
        let (to, from) = tokio::io::duplex(PIECE);
        let wanted = Parts { credentials: true, ..Parts::of(parts, limits) };
        let capture = async { Ok(capture(place, &wanted, to).await.map_err(RepositoryError::from)?) };
        futures_util::future::try_join(capture, self.keep(from, room)).await
    }

    async fn keep<M, E: From<RepositoryError>>(
        &self,
        mut from: impl AsyncRead + Unpin,
        room: impl Future<Output = Result<M, E>>,
    ) -> Result<Option<M>, E> {
        let (mut room, mut taken) = (std::pin::pin!(room), None);
        let mut piece = vec![0; PIECE];
        loop {
            let read = from.read(&mut piece).await.map_err(RepositoryError::Cut)?;
            if read == 0 {
                self.held.send_modify(|held| held.ended = true);
                return Ok(taken);
            }
            if taken.is_none() && self.held.borrow().bytes + read > FREE {
                taken = Some(room.as_mut().await?);
            }
            self.add(&piece[..read])?;
        }
    }

    fn add(&self, piece: &[u8]) -> Result<(), RepositoryError> {
        self.held.send_modify(|held| {
            held.bytes += piece.len();
            held.pieces.push(Bytes::copy_from_slice(piece));
        });
        if self.held.borrow().bytes > HELD_MOST {
            let instead = "save a snapshot of it, and start sessions from that";
            return Err(RepositoryError::TooLarge { what: "the session", instead });
        }
        Ok(())
    }

    /// The whole state from its beginning; waits for parts that have not been read yet.
    pub fn play(&self) -> impl AsyncBufRead + Send + Unpin {
        let pieces = stream::try_unfold((self.held.subscribe(), 0), |(mut held, at)| async move {
            let piece = {
                let there = held.wait_for(|held| held.ended || held.pieces.len() > at).await;
                there.map_err(|_| io::Error::other("reading its session has stopped"))?.pieces.get(at).cloned()
            };
            Ok::<_, io::Error>(piece.map(|piece| (piece, (held, at + 1))))
        });
        StreamReader::new(Box::pin(pieces))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn buffer_can_be_read_repeatedly_while_written() {
        let replay_buffer = ReplayBuffer::default();
        replay_buffer.add(b"one ").expect("room");
        let (mut early, mut text) = (replay_buffer.play(), [0; 4]);
        early.read_exact(&mut text).await.expect("what is there");
        let more = async {
            replay_buffer.add(b"two").expect("room");
            replay_buffer.held.send_modify(|held| held.ended = true);
        };
        let (mut rest, mut whole) = (String::new(), String::new());
        let (read, ()) = tokio::join!(early.read_to_string(&mut rest), more);
        read.expect("the rest");
        replay_buffer.play().read_to_string(&mut whole).await.expect("all of it");
        assert_eq!((&text, rest.as_str(), whole.as_str()), (b"one ", "two", "one two"));
    }

    #[tokio::test]
    async fn only_large_content_waits_for_memory() {
        let (small, large) = (ReplayBuffer::default(), ReplayBuffer::default());
        let nobody = std::future::pending::<Result<(), RepositoryError>>();
        assert!(small.keep(vec![0; FREE].as_slice(), nobody).await.expect("no room needed").is_none());
        let (to, room) = tokio::sync::oneshot::channel();
        let room = async { Ok::<u8, RepositoryError>(room.await.expect("room")) };
        let content = vec![0; 2 * FREE];
        let mut keep = std::pin::pin!(large.keep(content.as_slice(), room));
        assert!(futures_util::poll!(&mut keep).is_pending());
        assert!(large.held.borrow().bytes <= FREE);
        to.send(7).expect("it waits");
        assert_eq!(keep.await.expect("all of it"), Some(7));
        assert_eq!(large.held.borrow().bytes, 2 * FREE);
    }

    #[tokio::test]
    async fn buffer_size_is_limited() {
        let replay_buffer = ReplayBuffer::default();
        replay_buffer.add(&vec![0; HELD_MOST]).expect("room");
        assert!(matches!(replay_buffer.add(b"x"), Err(RepositoryError::TooLarge { .. })));
    }
}
