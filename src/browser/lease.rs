//! A lease: a session's place in a browser.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Browser, Inbox, LeaseId, LinkRequest, account::Account, codec::Writer};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, ContextId},
    },
    port::{Call, Interest, ResumeAs, Tag},
};

/// A session's place in a browser. Dropping it detaches its browser-level CDP sessions, with which
/// Chrome disposes of its contexts, permissions and downloads; contexts are disposed of one after
/// another, with a pause after each.
#[derive(Debug)]
#[must_use]
pub struct Lease {
    pub(super) id: LeaseId,
    pub(super) base: CdpSessionId,
    pub(super) context: ContextId,
    pub(super) spare_root: Option<CdpSessionId>,
    pub(super) account: Arc<Account>,
    pub(super) counted: bool,
    pub(super) claimed: AtomicBool,
    pub(super) writer: Writer,
    pub(super) browser: Browser,
}

impl Lease {
    /// Its number in its browser.
    pub fn id(&self) -> LeaseId {
        self.id
    }

    /// The browser it is in.
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// The CDP session that owns its contexts, permissions and download behaviour.
    pub fn base(&self) -> &CdpSessionId {
        &self.base
    }

    /// The session's default context.
    pub fn context(&self) -> &ContextId {
        &self.context
    }

    /// A root made in advance for the first client.
    pub fn take_root(&mut self) -> Option<CdpSessionId> {
        self.spare_root.take()
    }

    /// Marks that a session now holds it.
    pub(crate) fn counted(mut self) -> Self {
        if !std::mem::replace(&mut self.counted, true) {
            self.browser.serve();
        }
        self
    }

    /// Starts to deliver messages; the existing targets are reported first.
    pub fn open(&mut self) -> Inbox {
        // Unbounded, because reading from Chrome never waits for a client: the session task moves
        // messages at once into queues that count bytes and disconnect slow clients.
        let (inbox, parcels) = mpsc::unbounded_channel();
        self.browser.order(LinkRequest::Open { lease: self.id, inbox, account: self.account.clone() });
        Inbox::new(parcels, self.browser.clone())
    }

    /// Whether clients may be read: the lease has not too much pending work.
    pub fn has_room(&self) -> bool {
        self.account.has_room()
    }

    /// Sends a frame to a page-level CDP session of this lease, unchanged.
    ///
    /// It is encoded here, on the session's task, because all sessions of the browser share the
    /// link's. An error means that nothing was sent, because the frame is larger than Chrome
    /// accepts; it is the reply for the frame's sender.
    pub fn pass(&mut self, text: &Bytes) -> Result<(), CdpError> {
        let message = self.writer.wire(text).map_err(|error| error.to_error())?;
        self.account.add(message.len());
        self.browser.order(LinkRequest::Pass { lease: self.id, message });
        Ok(())
    }

    /// Sends a command under an id of the link.
    pub fn call(&self, tag: Tag, call: Call) {
        self.order(LinkRequest::Call { lease: self.id, tag, call });
    }

    /// A client resumes the target of one of its CDP sessions.
    pub fn resume(&self, on: CdpSessionId, children: bool, how: ResumeAs) {
        self.order(LinkRequest::Resume { lease: self.id, on, children, how });
    }

    /// A root's auto-attach changes; the reply arrives under `tag`.
    pub fn auto_attach(&self, tag: Tag, root: CdpSessionId, interest: Option<Interest>) {
        self.order(LinkRequest::AutoAttach { lease: self.id, tag, root, interest });
    }

    /// Its pages ignore certificate errors from now on, or no more; the reply comes under `tag` once the present ones do.
    pub fn ignore_certificate_errors(&self, tag: Tag, ignore: bool) {
        self.order(LinkRequest::IgnoreCertificateErrors { lease: self.id, tag, ignore });
    }

    /// Detaches one of its CDP sessions through its real parent; the reply arrives under `tag`.
    pub fn detach(&self, tag: Tag, session: CdpSessionId) {
        self.order(LinkRequest::Detach { lease: self.id, tag, session });
    }

    /// Sends a request that counts as pending until the link takes it.
    fn order(&self, order: LinkRequest) {
        if let Some((_, bytes)) = order.paid() {
            self.account.add(bytes);
        }
        self.browser.order(order);
    }

    /// Sets the directory of this lease's downloads, which are named by their guids.
    pub fn directory(&self, path: PathBuf) {
        self.browser.order(LinkRequest::Directory { lease: self.id, path });
    }

    /// A client of this lease enables download events.
    pub fn listen(&self) {
        self.browser.order(LinkRequest::Listen { lease: self.id });
    }

    /// Reserves the browser for this lease alone; returns false if another session uses it.
    pub fn claim(&self) -> bool {
        let shared = &self.browser.shared;
        let alone = shared.exclusive.send_if_modified(|is_exclusive| !std::mem::replace(is_exclusive, true));
        if !alone {
            return self.claimed.load(Ordering::Acquire);
        }
        // First prevent new sessions, then count the existing ones.
        self.claimed.store(true, Ordering::Release);
        if shared.live.load(Ordering::Acquire) > 1 {
            self.unclaim();
        }
        self.claimed.load(Ordering::Acquire)
    }

    /// Ends the reservation of [`Lease::claim`].
    pub fn unclaim(&self) {
        if self.claimed.swap(false, Ordering::AcqRel) {
            self.browser.shared.exclusive.send_replace(false);
        }
    }
}

impl Browser {
    /// Waits until no session traces here, or the browser has ended.
    pub(crate) async fn shareable(&self) {
        let mut exclusive = self.shared.exclusive.subscribe();
        tokio::select! {
            _ = exclusive.wait_for(|is_exclusive| !is_exclusive) => {}
            () = self.shared.orders.closed() => {}
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.account.end();
        self.browser.shared.held.remove(self.id);
        self.unclaim();
        if self.counted {
            self.browser.count(-1);
        }
        self.browser.order(LinkRequest::Release { lease: self.id, base: self.base.clone() });
    }
}
