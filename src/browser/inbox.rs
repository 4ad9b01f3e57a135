//! A lease's inbox: the link puts messages in, and the session takes them out.
//!
//! CBOR is converted to text here, on the session's own task: all sessions of the browser share the
//! link's task, and a message of 10 MB for one must not delay the others.

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

/// A message queued for a lease.
#[derive(Debug)]
pub(super) enum Parcel {
    /// A message that needs no conversion.
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
    /// A reply to a command that the lease sent under an id of the link. The link itself does not
    /// read it.
    Reply {
        /// The lease's number for the command.
        tag: Tag,
        /// The whole message.
        message: Received,
    },
}

/// The messages for a lease, in the order of the pipe.
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

    /// The next message; `None` once the browser has ended.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<FromBrowser>> {
        loop {
            return Poll::Ready(match ready!(self.parcels.poll_recv(cx)) {
                Some(Parcel::Plain(message)) => Some(message),
                Some(Parcel::Reply { tag, message }) => Some(match message.text(&mut self.decoder) {
                    Ok(Decoded::Text(text)) => {
                        FromBrowser::Reply { tag, reply: runtime::aside(text.len(), || read_reply(&text)) }
                    }
                    // Cannot happen: only events are reported in this way.
                    Ok(Decoded::TooDeep) => FromBrowser::Reply { tag, reply: read_reply(b"") },
                    Err(error) => self.is_broken(error),
                }),
                Some(Parcel::Cbor { on, id, message }) => Some(match Received::Cbor(message).text(&mut self.decoder) {
                    // With JSON, Chrome does not deliver such an event either.
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

    /// After an invalid message, no other message of this browser can be trusted.
    fn is_broken(&self, error: MalformedCbor) -> FromBrowser {
        self.browser.order(LinkRequest::Broken(error));
        FromBrowser::Lost(format!("Chrome sent an invalid message: {error}").into())
    }

    /// The next message; `None` once the browser has ended.
    pub async fn recv(&mut self) -> Option<FromBrowser> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }
}

/// The result or error in the text of a reply.
pub(super) fn read_reply(text: &[u8]) -> Reply {
    match message::result_or_error(text) {
        Some(Outcome::Result(result)) => Reply::Result(result.to_owned()),
        Some(Outcome::Error(error)) => Reply::Error(error.into()),
        None => Reply::Error(CdpError::server("Chrome's answer could not be read")),
    }
}
