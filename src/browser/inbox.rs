//! A lease's inbox: what the link puts in, and what the session takes out.
//!
//! What came in CBOR becomes a text here, on the session's own task: the link's task is shared by all sessions of the
//! browser, and one's 10 MB must not keep the others waiting.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Browser, LinkRequest, codec::Received};
use crate::{
    cdp::{
        cbor::{Decoded, Decoder, MalformedCbor},
        error::CdpError,
        ids::{CallId, CdpSessionId},
        message::{self, Outcome},
    },
    port::{FromBrowser, Reply, Tag},
    runtime,
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
    /// A reply to a command that the lease sent under an id of the link's, from which the link learns nothing.
    Reply {
        /// The lease's number for the command.
        tag: Tag,
        /// The whole message.
        message: Received,
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
        loop {
            return Poll::Ready(match ready!(self.parcels.poll_recv(cx)) {
                Some(Parcel::Plain(message)) => Some(message),
                Some(Parcel::Reply { tag, message }) => Some(match message.text(&mut self.decoder) {
                    Ok(Decoded::Text(text)) => {
                        FromBrowser::Reply { tag, reply: runtime::aside(text.len(), || read_reply(&text)) }
                    }
                    // Never so: that is said of events only.
                    Ok(Decoded::TooDeep) => FromBrowser::Reply { tag, reply: read_reply(b"") },
                    Err(error) => self.is_broken(error),
                }),
                Some(Parcel::Cbor { on, id, message }) => Some(match Received::Cbor(message).text(&mut self.decoder) {
                    // With JSON, Chrome has no such event to deliver either.
                    Ok(Decoded::TooDeep) => {
                        self.browser.order(LinkRequest::TooDeep);
                        continue;
                    }
                    Ok(Decoded::Text(text)) => {
                        let body_end = message::route(&text).body_end;
                        FromBrowser::Message { on, id, body_end, text }
                    }
                    Err(error) => self.is_broken(error),
                }),
                None => None,
            });
        }
    }

    /// Nothing of such a browser can be trusted any more, by anybody.
    fn is_broken(&self, error: MalformedCbor) -> FromBrowser {
        self.browser.order(LinkRequest::Broken(error));
        FromBrowser::Lost(format!("Chrome wrote what is no message: {error}").into())
    }

    /// The next message; `None` once the browser has gone.
    pub async fn recv(&mut self) -> Option<FromBrowser> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }
}

/// What became of a command, from the text of its reply.
pub(super) fn read_reply(text: &[u8]) -> Reply {
    match message::result_or_error(text) {
        Some(Outcome::Result(result)) => Reply::Result(result.to_owned()),
        Some(Outcome::Error(error)) => Reply::Error(error.into()),
        None => Reply::Error(CdpError::server("Chrome's answer could not be read")),
    }
}
