//! A relay between a client and the proxy that inserts a foreign frame on request, to test the
//! checker.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{
        Notify,
        broadcast::{self, error::RecvError},
    },
    task::JoinHandle,
};
use tokio_tungstenite::{accept_async, client_async, tungstenite::Message};

use super::checker::MARKER;

/// A running relay. Dropping it stops it.
pub(crate) struct Relay {
    /// `HOST:PORT`
    pub(crate) address: String,
    heard: broadcast::Sender<String>,
    task: JoinHandle<()>,
}

/// Frames of user 1; one of them is inserted among a client's own when `now` is notified.
pub(crate) struct Tap {
    pub(crate) of: broadcast::Receiver<String>,
    pub(crate) now: Arc<Notify>,
}

impl Tap {
    /// A frame that identifies user 1: the first ones may be empty replies.
    async fn telling(mut self) -> Option<String> {
        let mark = format!("{MARKER}1q");
        loop {
            match self.of.recv().await {
                Ok(text) if text.contains(&mark) => return Some(text),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Relay {
    /// Passes all frames to the proxy at `upstream` and back, and inserts one frame of `tap`.
    pub(crate) async fn start(upstream: &str, tap: Option<Tap>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (heard, _) = broadcast::channel(4096);
        let (upstream, frames) = (upstream.to_owned(), heard.clone());
        let task = tokio::spawn(async move {
            let mut tap = tap;
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(pump(socket, upstream.clone(), frames.clone(), tap.take()));
            }
        });
        Self { address, heard, task }
    }

    /// The frames that pass to its client.
    pub(crate) fn listen(&self) -> broadcast::Receiver<String> {
        self.heard.subscribe()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump(socket: TcpStream, upstream: String, frames: broadcast::Sender<String>, mut tap: Option<Tap>) {
    let Ok(mut client) = accept_async(socket).await else { return };
    let Ok(to) = TcpStream::connect(&upstream).await else { return };
    let Ok((mut proxy, _)) = client_async(format!("ws://{upstream}/"), to).await else { return };
    loop {
        let now = tap.as_ref().map(|tap| tap.now.clone());
        let leak = async {
            match now {
                Some(now) => now.notified().await,
                None => std::future::pending().await,
            }
        };
        let sent = tokio::select! {
            frame = client.next() => match frame {
                Some(Ok(frame)) => proxy.send(frame).await,
                _ => return,
            },
            frame = proxy.next() => match frame {
                Some(Ok(frame)) => {
                    if let Message::Text(text) = &frame {
                        let _ = frames.send(text.to_string());
                    }
                    client.send(frame).await
                }
                _ => return,
            },
            () = leak => {
                match tap.take().expect("there was one").telling().await {
                    Some(foreign) => client.send(Message::text(foreign)).await,
                    None => return,
                }
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
