//! The requests of other tasks to a session's task: from the session manager for new clients, from HTTP calls and from
//! other sessions.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};

use super::{
    Caller, Record, SessionTask,
    jobs::{Coming, Done},
    page_calls::PageCall,
    rpc::RpcCall,
};
use crate::session::lifecycle::Event;
use crate::{
    api_types::{Bad, Millis, Options, Session, Usage, operations::FIRST_PAGE},
    browser::{CallError, ContextHandle, Lease},
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, TargetId},
    },
    close_reason::CloseReason,
    config::{Capabilities, Deadlines, Granted},
    session::{client::Client, pages::DialogHold},
    tenant::Tenant,
    virtual_browser::{Claims, ViewId},
};

/// A request to a session's task. Boxed, because a channel allocates room for 32 requests at once.
pub enum Control {
    /// Admits a client.
    Join(Join),
    /// Performs a browser-level command of an HTTP call.
    Call {
        /// The method.
        method: &'static str,
        /// The params, as JSON.
        params: String,
        /// Whether it restarts `keep_alive`.
        is_use: bool,
        /// Receives the result.
        reply: oneshot::Sender<Result<String, CdpError>>,
    },
    /// Performs a command on a page of the session.
    OnPage(PageCall),
    /// Asks whether the session shows a target.
    Shows(TargetId, oneshot::Sender<bool>),
    /// Changes the session's options.
    Update {
        /// The caller.
        caller: Caller,
        /// The options to change.
        options: Options,
        /// Receives the session after the change.
        reply: oneshot::Sender<Result<Session, Bad>>,
    },
    /// Parks the session: disconnects its clients.
    Park {
        /// The caller.
        caller: Caller,
        /// The new `keep_alive`.
        keep_alive: Option<Millis>,
        /// Receives the session after the change.
        reply: oneshot::Sender<Result<Session, Bad>>,
    },
    /// Measures the resources that the session uses.
    Usage(oneshot::Sender<Usage>),
    /// Asks for a page of the session, to drive it.
    Drive(Drive),
    /// Leaves the dialogs of a page to the caller until the hold is dropped; no hold if a client answers them.
    HoldDialogs(TargetId, oneshot::Sender<Option<DialogHold>>),
    /// Allows downloads, if no client decides on them.
    AllowDownloads(oneshot::Sender<()>),
    /// Asks for the session's location, for work that its clients do not see. It is of no use once the session has ended.
    Place(oneshot::Sender<ContextHandle>),
    /// Sends an event of the `ghost` domain to the clients that enabled it: its name without `ghost.`, and its params.
    Tell(&'static str, String),
    /// Cancels a download.
    CancelDownload(String),
    /// Looks at the tenant and the tokens of the clients again, because an operator has changed them.
    TenantChanged,
    /// Hibernates the session as soon as it has no client, because its browser is replaced.
    Hibernate,
    /// Ends the session.
    End(CloseReason),
}

/// A request for a page, by its target id or [`FIRST_PAGE`].
pub struct Drive {
    /// The page; `None` asks for the session alone.
    pub page: Option<String>,
    /// Receives the answer.
    pub reply: oneshot::Sender<Driven>,
}

/// What is needed to drive a page.
#[derive(Debug)]
pub struct Driven {
    /// The session's location.
    pub place: ContextHandle,
    /// The page; `None` if the session has no such page.
    pub page: Option<TargetId>,
    /// What the session may do.
    pub granted: Granted,
    /// What the clients of the page have claimed of it.
    pub claims: Claims,
}

/// A client that asks to be admitted.
pub struct Join {
    /// The caller.
    pub caller: Caller,
    /// The page for a page-level client; `None` for a browser-level one.
    pub page: Option<TargetId>,
    /// Whether the connected browser-level clients are disconnected.
    pub takeover: bool,
    /// Whether no other browser-level client may connect while this one stays.
    pub exclusive: bool,
    /// The options to change once it is connected.
    pub options: Options,
    /// Receives the seat once its root exists.
    pub reply: oneshot::Sender<Result<Seat, Unseated>>,
}

/// The permission to connect. The client's socket is handed over with it; if it is dropped, the client does not come.
#[derive(Debug)]
pub struct Seat(oneshot::Sender<Box<Client>>);

impl Seat {
    /// Hands the socket over.
    pub fn take(self, client: Client) {
        if let Err(mut client) = self.0.send(Box::new(client)) {
            client.close(&CloseReason::TryAgain("the session ended while its client connected"));
        }
    }
}

/// Why a client is not admitted.
#[derive(Debug)]
pub enum Unseated {
    /// The client asks for exclusive use, and other clients are connected.
    Taken,
    /// Another client uses the session exclusively.
    Exclusive,
    /// The session has this many clients, the most that it may have.
    Many(usize),
    /// The client asks for a deadline that is not allowed.
    Bad(Bad),
    /// Chrome refused to attach to the browser or the page.
    Call(CallError),
}

/// Handles the requests to a session that waits for a place in a browser; returns when one of them ends it.
pub async fn attend(record: &mut Record, asked: &mut mpsc::Receiver<Box<Control>>, limits: &Deadlines) {
    while let Some(control) = asked.recv().await {
        match *control {
            Control::Update { caller, options, reply } => {
                let _ = reply.send(record.update(options, limits).map(|()| record.session_info().show(&caller)));
            }
            Control::End(_) => return,
            // The session has no browser yet: the reply channel is dropped, which tells the caller.
            _ => {}
        }
    }
}

/// What a session may do: what its tenant may and the browser of its lease can honour.
pub(super) fn granted(tenant: &Tenant, lease: &Lease) -> Granted {
    if lease.is_dedicated() {
        Granted::new(tenant.capabilities().alone(), Capabilities::of_dedicated_browser())
    } else {
        Granted::new(tenant.capabilities(), Capabilities::of_shared_browser())
    }
}

impl SessionTask {
    pub(super) fn on_control(&mut self, control: Control) {
        match control {
            Control::Join(join) => self.on_join(join),
            Control::Call { method, params, is_use, reply } => {
                if is_use {
                    self.step(Event::Used);
                }
                self.on_rpc_call(RpcCall { on: None, method: method.into(), params, reply });
            }
            Control::OnPage(call) => {
                self.step(Event::Used);
                self.on_page_call(call);
            }
            Control::Shows(target, reply) => {
                let _ = reply.send(self.session.shows(&target));
            }
            Control::Update { caller, options, reply } => {
                let _ = reply.send(self.update(options).map(|()| self.record.session_info().show(&caller)));
            }
            Control::Park { caller, keep_alive, reply } => {
                let _ = reply.send(self.may_park(keep_alive).map(|()| {
                    self.park_now();
                    self.record.session_info().show(&caller)
                }));
            }
            Control::Usage(reply) => {
                let usage = self.usage();
                self.jobs.push(
                    async move {
                        let _ = reply.send(usage.await);
                        Done::Nothing
                    }
                    .boxed(),
                );
            }
            Control::Drive(Drive { page, reply }) => {
                self.step(Event::Used);
                let page = page.and_then(|page| {
                    self.session
                        .pages()
                        .into_iter()
                        .find(|one| page == FIRST_PAGE || *one == TargetId::from(page.as_str()))
                });
                let claims = page.as_ref().map(|page| self.session.claims(page)).unwrap_or_default();
                let granted = granted(&self.tenant, &self.lease);
                let _ = reply.send(Driven { place: self.place(), page, granted, claims });
            }
            Control::HoldDialogs(page, reply) => {
                let held = self.session.hold_dialogs(&page).then(|| {
                    let (hold, released) = DialogHold::new();
                    self.jobs.push(
                        async move {
                            released.await;
                            Done::ReleasedDialogs(page)
                        }
                        .boxed(),
                    );
                    hold
                });
                let _ = reply.send(held);
            }
            Control::AllowDownloads(reply) => {
                self.session.allow_downloads();
                self.perform();
                let _ = reply.send(());
            }
            Control::Place(reply) => {
                let _ = reply.send(self.place());
            }
            Control::Tell(event, params) => self.tell_all(event, &params),
            Control::CancelDownload(guid) => {
                self.session.cancel(&guid);
                self.perform();
            }
            Control::TenantChanged => self.on_tenant_changed(),
            Control::Hibernate => self.hibernate_soon(),
            Control::End(reason) => self.over = Some(reason),
        }
    }

    fn on_join(&mut self, join: Join) {
        if let Err(refused) = self.may_join(&join) {
            let _ = join.reply.send(Err(refused));
            return;
        }
        let Join { caller, page, takeover, exclusive, options, reply } = join;
        let view = self.next_view();
        if page.is_none() {
            self.arriving.push((view, exclusive));
        }
        self.step(Event::Coming);
        let coming = Coming { view, caller, page: page.clone(), takeover, exclusive, options };
        let (browser, lease) = (self.lease.browser().clone(), self.lease.id());
        let join = async move {
            let rooted = match browser.root(lease).await {
                Ok(root) => browser.attach_page(root, page.as_ref()).await,
                Err(error) => Err(error),
            };
            let (root, attached) = match rooted {
                Ok(rooted) => rooted,
                Err(error) => {
                    let _ = reply.send(Err(Unseated::Call(error)));
                    return Done::Came(coming, None);
                }
            };
            let (seat, client) = oneshot::channel();
            let asked = reply.send(Ok(Seat(seat)));
            match client.await {
                Ok(client) if asked.is_ok() => Done::Came(coming, Some((client, root, attached))),
                _ => {
                    browser.close_root(&root);
                    Done::Came(coming, None)
                }
            }
        };
        self.jobs.push(join.boxed());
    }

    /// Whether a client may connect. Clients that are about to connect count as connected.
    fn may_join(&self, join: &Join) -> Result<(), Unseated> {
        if join.page.is_none() && !join.takeover {
            let seated = self.views.sockets().filter(|view| view.is_browser_level()).map(|view| view.exclusive);
            let there: Vec<bool> = seated.chain(self.arriving.iter().map(|(_, exclusive)| *exclusive)).collect();
            let most = self.terms.clients_per_session;
            if there.contains(&true) {
                return Err(Unseated::Exclusive);
            }
            if join.exclusive && !there.is_empty() {
                return Err(Unseated::Taken);
            }
            if there.len() >= most {
                return Err(Unseated::Many(most));
            }
        }
        self.record.check(&join.options, &self.deadlines).map_err(Unseated::Bad)
    }

    pub(super) fn on_came(
        &mut self,
        coming: Coming,
        client: Option<(Box<Client>, CdpSessionId, Option<CdpSessionId>)>,
    ) {
        let Coming { view, caller, page, takeover, exclusive, options } = coming;
        self.arriving.retain(|(arriving, _)| *arriving != view);
        let Some((mut client, root, attached)) = client else { return self.step(Event::Missed) };
        if page.is_none() && self.taken_over.is_some_and(|newer| view < newer) {
            // Another client took the session over meanwhile.
            client.close(&CloseReason::TakenOver);
            self.lease.browser().close_root(&root);
            return self.step(Event::Missed);
        }
        let before: Vec<ViewId> =
            self.views.sockets().filter(|view| takeover && view.is_browser_level()).map(|view| view.id).collect();
        if takeover {
            self.taken_over = Some(view);
        }
        // The new client is added first, so that the session is never without one.
        let is_browser_level = page.is_none();
        self.add_view(view, *client, root, page.zip(attached), caller, exclusive);
        for other in before {
            self.send_away(other, &CloseReason::TakenOver);
        }
        if is_browser_level {
            self.log_sharing();
        }
        if let Err(bad) = self.update(options) {
            // The options were checked when the client asked to be admitted.
            tracing::debug!(session = &**self.record.id(), %bad, "options of a client are not valid any more, and are ignored");
        }
    }

    /// Logs once that clients share the session: clients with a cached URL may not intend to.
    fn log_sharing(&mut self) {
        let clients = self.views.sockets().filter(|view| view.is_browser_level()).count();
        if clients > 1 && !self.is_shared && !std::mem::replace(&mut self.sharing_logged, true) {
            tracing::info!(
                session = &**self.record.id(),
                clients,
                "several clients share a session because they connect with its id; without an id in the URL, each client gets a session of its own"
            );
        }
    }

    /// Changes the session's options.
    pub(super) fn update(&mut self, options: Options) -> Result<(), Bad> {
        if options == Options::default() {
            return Ok(());
        }
        self.record.update(options, &self.deadlines)?;
        self.tell_of_change();
        Ok(())
    }

    /// Ends the session of a tenant that was removed, disconnects the clients whose tokens were revoked, and takes or gives
    /// capabilities, from the next command on. The tenant may have changed since the session was requested, too.
    pub(super) fn on_tenant_changed(&mut self) {
        if self.tenant.is_removed() {
            self.over = Some(CloseReason::TenantRemoved);
            return;
        }
        let granted = granted(&self.tenant, &self.lease);
        self.session.grant(granted);
        self.record.grant(granted);
        self.update_egress();
        let is_revoked = |view: &&super::views::Socket| view.caller.access.is_revoked();
        let revoked: Vec<ViewId> = self.views.sockets().filter(is_revoked).map(|view| view.id).collect();
        for view in revoked {
            self.send_away(view, &CloseReason::Revoked);
        }
    }

    /// Sets the `keep_alive` for a session that is to be parked.
    pub fn may_park(&mut self, keep_alive: Option<Millis>) -> Result<(), Bad> {
        let keep_alive = match keep_alive {
            Some(Millis(none)) if none < Duration::from_millis(1) => {
                return Err(Bad::new("keepAlive", "0 would end the session at once; use closeSession for that"));
            }
            None if self.record.life().deadlines.keep_alive.is_zero() => {
                Some(Millis(self.terms.deadlines.park_keep_alive))
            }
            given => given,
        };
        self.update(Options { keep_alive, ..Options::default() })
    }

    /// Disconnects every client; the close reason has the URL to reconnect to.
    pub(super) fn park_now(&mut self) {
        let all: Vec<(ViewId, String)> = self
            .views
            .sockets()
            .filter(|view| view.leaving.is_none())
            .map(|view| (view.id, view.caller.url_of(self.record.id())))
            .collect();
        for (view, url) in all {
            self.send_away(view, &CloseReason::Parked(url));
        }
    }
}
