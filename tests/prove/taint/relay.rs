//! A relay between a client and the proxy that inserts a foreign frame on request, to test the
//! checker.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{
        broadcast::{self, error::RecvError},
        watch,
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

/// The frames of user 1, of which one is inserted into each connection of a client as soon as `now` holds.
#[derive(Clone)]
pub(crate) struct Tap {
    pub(crate) of: broadcast::Sender<String>,
    pub(crate) now: watch::Receiver<bool>,
}

impl Tap {
    /// A frame that identifies user 1: the first ones may be empty replies.
    async fn telling(mut self) -> Option<String> {
        self.now.wait_for(|now| *now).await.ok()?;
        let (mark, mut frames) = (format!("{MARKER}1q"), self.of.subscribe());
        loop {
            match frames.recv().await {
                Ok(text) if text.contains(&mark) => return Some(text),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Relay {
    /// Passes all frames to the proxy at `upstream` and back, and inserts a frame of `tap` into each connection.
    pub(crate) async fn start(upstream: &str, tap: Option<Tap>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (heard, _) = broadcast::channel(4096);
        let (upstream, frames) = (upstream.to_owned(), heard.clone());
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(pump(socket, upstream.clone(), frames.clone(), tap.clone()));
            }
        });
        Self { address, heard, task }
    }

    /// The frames that pass to its client.
    pub(crate) fn frames(&self) -> broadcast::Sender<String> {
        self.heard.clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump(socket: TcpStream, upstream: String, frames: broadcast::Sender<String>, tap: Option<Tap>) {
    let Ok(mut client) = accept_async(socket).await else { return };
    let Ok(to) = TcpStream::connect(&upstream).await else { return };
    let Ok((mut proxy, _)) = client_async(format!("ws://{upstream}/"), to).await else { return };
    let mut waits = tap.is_some();
    let foreign = async {
        match tap {
            Some(tap) => tap.telling().await,
            None => None,
        }
    };
    tokio::pin!(foreign);
    loop {
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
            frame = &mut foreign, if waits => {
                waits = false;
                match frame {
                    Some(frame) => client.send(Message::text(frame)).await,
                    None => return,
                }
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
