//! `Wire`: a CDP connection that keeps no frames. `Client` of the integration tests records the
//! whole conversation, which is right for ten frames and wrong for a million.

use std::{net::Shutdown, time::Instant};

use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use tokio::{net::TcpStream, sync::mpsc, task::JoinHandle};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};

/// The result of a read.
#[derive(Debug)]
pub(crate) enum Received {
    Frame(String),
    /// The connection has ended, with the code and reason if there were any.
    Closed(String),
    /// Nothing arrived within the given time.
    Nothing,
}

/// A connection. Dropping it closes it.
pub(crate) struct Wire {
    to: SplitSink<WebSocketStream<TcpStream>, Message>,
    from: mpsc::UnboundedReceiver<String>,
    socket: std::net::TcpStream,
    reader: JoinHandle<String>,
    closed: Option<String>,
}

impl Wire {
    /// Connects to a path of `HOST:PORT`.
    pub(crate) async fn connect(address: &str, path: &str) -> Result<Self, String> {
        let socket = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let socket = socket.into_std().map_err(|error| error.to_string())?;
        let handle = socket.try_clone().map_err(|error| error.to_string())?;
        let socket = TcpStream::from_std(socket).map_err(|error| error.to_string())?;
        let _ = socket.set_nodelay(true);
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let url = format!("ws://{address}{path}");
        let (stream, _) = client_async_with_config(url, socket, Some(config)).await.map_err(refusal)?;
        let (to, mut stream) = stream.split();
        let (heard, from) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            loop {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) => {
                        if heard.send(text.to_string()).is_err() {
                            return "nobody listens".to_owned();
                        }
                    }
                    Some(Ok(Message::Close(Some(frame)))) => {
                        return format!("{} {}", u16::from(frame.code), frame.reason);
                    }
                    Some(Ok(Message::Close(None))) | None => return "without a word".to_owned(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error.to_string(),
                }
            }
        });
        Ok(Self { to, from, socket: handle, reader, closed: None })
    }

    /// Puts a frame into the buffer; [`Wire::flush`] sends it.
    pub(crate) async fn feed(&mut self, text: String) {
        // A failed send is noticed when the end of the connection is read.
        let _ = self.to.feed(Message::text(text)).await;
    }

    pub(crate) async fn flush(&mut self) {
        let _ = self.to.flush().await;
    }

    /// The next frame, if it arrives in time.
    pub(crate) async fn next(&mut self, until: Instant) -> Received {
        match tokio::time::timeout_at(until.into(), self.from.recv()).await {
            Ok(Some(text)) => Received::Frame(text),
            Ok(None) => {
                if self.closed.is_none() {
                    self.closed = Some((&mut self.reader).await.unwrap_or_else(|error| error.to_string()));
                }
                Received::Closed(self.closed.clone().unwrap_or_default())
            }
            Err(_) => Received::Nothing,
        }
    }

    /// A frame that has already arrived.
    pub(crate) fn ready(&mut self) -> Option<String> {
        self.from.try_recv().ok()
    }
}

/// The reason why a connection failed; for an answer other than 101, its text.
fn refusal(error: Error) -> String {
    match error {
        Error::Http(answer) => {
            let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            format!("{}: {body}", answer.status())
        }
        other => other.to_string(),
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        self.reader.abort();
    }
}
