//! A lease's inbox: what the link puts in, and what the session takes out.
//!
//! What came in CBOR becomes a text here, on the session's own task: the link's task is shared by all sessions of the
//! browser, and one's 10 MB must not keep the others waiting.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Browser, Order, codec::Received};
use crate::cdp::{
    cbor::Decoder,
    ids::{CallId, CdpSessionId},
    lease::FromBrowser,
    message,
};

/// What lies in an inbox.
#[derive(Debug)]
pub(super) enum Parcel {
    /// Something that can be read as it is.
    Plain(FromBrowser),
    /// A reply or an event in CBOR.
    Cbor {
        /// The CDP session named at its end.
        on: CdpSessionId,
        /// The id, if it is a reply.
        id: Option<CallId>,
        /// The whole message.
        message: Bytes,
    },
}

/// Where a lease's messages arrive, in the order of the pipe.
#[derive(Debug)]
pub struct Inbox {
    parcels: mpsc::UnboundedReceiver<Parcel>,
    decoder: Decoder,
    browser: Browser,
}

impl Inbox {
    pub(super) fn new(parcels: mpsc::UnboundedReceiver<Parcel>, browser: Browser) -> Self {
        Self { parcels, decoder: Decoder::default(), browser }
    }

    /// The next message; `None` once the browser has gone.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<FromBrowser>> {
        Poll::Ready(match ready!(self.parcels.poll_recv(cx)) {
            Some(Parcel::Plain(message)) => Some(message),
            Some(Parcel::Cbor { on, id, message }) => Some(match Received::Cbor(message).text(&mut self.decoder) {
                Ok(text) => {
                    let body_end = message::route(&text).body_end;
                    FromBrowser::Message { on, id, body_end, text }
                }
                // Nothing of such a browser can be trusted any more, by anybody.
                Err(error) => {
                    self.browser.order(Order::Broken(error));
                    FromBrowser::Lost(format!("Chrome wrote what is no message: {error}").into())
                }
            }),
            None => None,
        })
    }

    /// The next message; `None` once the browser has gone.
    pub async fn recv(&mut self) -> Option<FromBrowser> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }
}
