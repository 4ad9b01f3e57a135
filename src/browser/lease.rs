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

use super::{
    Browser, CallError, Inbox, LeaseId, LinkRequest,
    account::Account,
    codec::{Wire, Writer},
    contexts,
    egress::LeaseEgress,
    member,
};
use crate::{
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, ContextId},
    },
    port::{
        Call, Interest, NewContext, ResumeAs, Settle, Tag,
        egress::{EgressBinding, GateFront},
    },
};

/// The default context of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseContext {
    /// A context that was created for it, and is disposed of with it.
    Created(ContextId),
    /// Chrome's own default context: the browser belongs to this lease alone, and ends with it.
    Native(ContextId),
}

impl LeaseContext {
    /// The id of the context.
    pub fn id(&self) -> &ContextId {
        match self {
            Self::Created(id) | Self::Native(id) => id,
        }
    }
}

/// A session's place in a browser. Dropping it detaches its browser-level CDP sessions, with which
/// Chrome disposes of its contexts, permissions and downloads; contexts are disposed of one after
/// another, with a pause after each. Dropping the lease of a dedicated browser ends the browser.
#[derive(Debug)]
#[must_use]
pub struct Lease {
    pub(super) id: LeaseId,
    pub(super) base: CdpSessionId,
    pub(super) context: LeaseContext,
    pub(super) spare_root: Option<CdpSessionId>,
    pub(super) account: Arc<Account>,
    pub(super) counted: bool,
    pub(super) claimed: AtomicBool,
    pub(super) writer: Writer,
    pub(super) egress: Arc<LeaseEgress>,
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
        self.context.id()
    }

    /// Whether its browser is dedicated to it: no other lease is or will be there.
    pub fn is_dedicated(&self) -> bool {
        matches!(self.context, LeaseContext::Native(_))
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
        let message = self.encode(text)?;
        self.browser.order(LinkRequest::Pass { lease: self.id, message });
        Ok(())
    }

    /// As [`Lease::pass`], for a frame that navigates the page: it is sent when the page does not wait for a window that it
    /// opens.
    pub fn navigate(&mut self, on: CdpSessionId, text: &Bytes) -> Result<(), CdpError> {
        let message = self.encode(text)?;
        self.browser.order(LinkRequest::Navigate { lease: self.id, on, message });
        Ok(())
    }

    fn encode(&mut self, text: &Bytes) -> Result<Wire, CdpError> {
        let message = self.writer.wire(text).map_err(|error| error.to_error())?;
        self.account.add(message.len());
        Ok(message)
    }

    /// Sends a command under an id of the link.
    pub fn call(&self, tag: Tag, call: Call) {
        self.order(LinkRequest::Call { lease: self.id, tag, call });
    }

    /// Makes another context of it; the reply arrives under `tag`. An error means that nothing was sent.
    pub fn new_context(&self, tag: Tag, new: &NewContext) -> Result<(), CdpError> {
        self.call(tag, contexts::create(&self.base, &self.egress, new)?);
        Ok(())
    }

    /// Whether the requests of all its contexts pass gates.
    pub fn is_gated(&self) -> bool {
        self.egress.is_gated()
    }

    /// Whether a context can have a gate, for the proxy that a client names for it.
    pub fn has_gates(&self) -> bool {
        self.egress.has_gates()
    }

    /// Says what the gates of its contexts may connect to, those of contexts to come too. Until then they refuse everything.
    pub fn bind_egress(&self, binding: EgressBinding) {
        self.egress.bind(binding);
    }

    /// The ids of the extensions that its browser was started with and whose targets its clients see.
    pub fn shown_extensions(&self) -> Arc<[String]> {
        self.browser.shared.extensions.clone()
    }

    /// From now on its clients see the targets of this extension of its dedicated browser.
    pub fn show_extension(&self, id: String) {
        self.order(LinkRequest::ShowExtension { id });
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
    /// Makes a lease: a browser-level CDP session, a context on it, and a blank page. `gate` is the front of the gates of its
    /// contexts, if that is not the one of all others in the browser.
    pub(crate) async fn lease(&self, gate: Option<GateFront>) -> Result<Lease, CallError> {
        self.new_lease(LeaseContext::Created("".into()), gate).await.map(|(lease, _)| lease)
    }

    /// Makes a lease for the proof that nothing gets around its gates, with its page.
    pub(super) async fn proving_lease(&self) -> Result<(Lease, String), CallError> {
        self.shared.proved.store(true, Ordering::Release);
        self.new_lease(LeaseContext::Created("".into()), None).await
    }

    /// Makes a warm lease: its page has evaluated a script once, which makes the client's first
    /// evaluation fast, and the client's root exists.
    pub(crate) async fn warm_lease(&self) -> Result<Lease, CallError> {
        let made = self.new_lease(LeaseContext::Created("".into()), None).await?;
        self.warmed(made).await
    }

    /// Makes the only lease of this browser, a warm one in Chrome's own default context: from now on the
    /// browser belongs to it. Dropping it ends the browser, also when this fails half-way. Fails if the
    /// browser has had a lease.
    pub(crate) async fn dedicate(&self) -> Result<Lease, CallError> {
        let of_proof = u64::from(self.shared.proved.load(Ordering::Acquire));
        if self.shared.dedicated.swap(true, Ordering::AcqRel) || self.shared.leases.load(Ordering::Acquire) > of_proof {
            return Err(CallError::Taken);
        }
        let made = self.new_lease(LeaseContext::Native("".into()), None).await?;
        self.warmed(made).await
    }

    async fn warmed(&self, (mut lease, page): (Lease, String)) -> Result<Lease, CallError> {
        let session = self.attach_to(&lease.base, &page.into()).await?;
        self.call(Some(&session), "Runtime.evaluate", r#"{"expression":"1"}"#.to_owned()).await?;
        self.call(Some(&lease.base), "Target.detachFromTarget", format!(r#"{{"sessionId":"{session}"}}"#)).await?;
        lease.spare_root = Some(self.root(lease.id).await?);
        Ok(lease)
    }

    /// Makes a lease with a default context like this one, whose id is not known yet.
    async fn new_lease(&self, context: LeaseContext, gate: Option<GateFront>) -> Result<(Lease, String), CallError> {
        if matches!(context, LeaseContext::Created(_)) && self.is_dedicated() {
            return Err(CallError::Taken);
        }
        let id = LeaseId(self.shared.leases.fetch_add(1, Ordering::AcqRel) + 1);
        let base = self.browser_level(id, Settle::Base).await?;
        // From here on the guard cleans up, also if a later step fails or the future is dropped.
        self.shared.held.add(id);
        let mut lease = Lease {
            id,
            base,
            context,
            spare_root: None,
            account: Arc::default(),
            counted: false,
            claimed: AtomicBool::new(false),
            writer: Writer::new(self.shared.framing),
            egress: Arc::new(LeaseEgress::new(self.shared.egress.clone(), gate)),
            browser: self.clone(),
        };
        lease.context = match lease.context {
            LeaseContext::Created(_) => {
                LeaseContext::Created(self.new_context(id, &lease.base, &lease.egress, &NewContext::default()).await?)
            }
            LeaseContext::Native(_) => {
                lease.egress.take_native();
                let (method, params) = ("Target.getBrowserContexts", "{}".to_owned());
                let result = self.call_for(Some(&lease.base), method, params, Some((id, Settle::BindNative))).await?;
                LeaseContext::Native(member(&result, method, "defaultBrowserContextId")?.into())
            }
        };
        self.shared.held.made(id, lease.context());
        let params = format!(r#"{{"url":"about:blank","browserContextId":"{}"}}"#, lease.context());
        let result = self.call(Some(&lease.base), "Target.createTarget", params).await?;
        let page = member(&result, "Target.createTarget", "targetId")?;
        Ok((lease, page))
    }

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
        self.egress.unbind();
        self.browser.shared.held.remove(self.id);
        self.unclaim();
        if self.counted {
            self.browser.count(-1);
        }
        if self.is_dedicated() {
            // Its contexts and CDP sessions end with the browser.
            return self.browser.close();
        }
        self.browser.order(LinkRequest::Release { lease: self.id, base: self.base.clone() });
    }
}
