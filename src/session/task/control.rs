//! What others may ask of a live session's task: the registry on behalf of new clients, HTTP calls and other sessions.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};

use super::{
    Caller, Record, SessionTask,
    jobs::{Coming, Done},
    rpc::RpcCall,
};
use crate::session::lifecycle::Event;
use crate::{
    api_types::{Bad, Millis, Options, Session, Usage},
    browser::{CallError, ContextHandle},
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, TargetId},
    },
    close_reason::CloseReason,
    config::Deadlines,
    session::client::Client,
    virtual_browser::ViewId,
};

/// What a live session can be asked to do. It comes in a box: a channel has room for 32 from its beginning.
pub enum Control {
    /// A client wants to come.
    Join(Join),
    /// A browser-level command of an HTTP call.
    Call {
        /// The method.
        method: &'static str,
        /// Its params, as JSON.
        params: String,
        /// Whether `keep_alive` begins anew with it.
        is_use: bool,
        /// For the result.
        reply: oneshot::Sender<Result<String, CdpError>>,
    },
    /// Whether a target is shown by this session.
    Shows(TargetId, oneshot::Sender<bool>),
    /// Changes what is given of it.
    Update {
        /// Who asks.
        caller: Caller,
        /// What changes.
        options: Options,
        /// The session as it is then.
        reply: oneshot::Sender<Result<Session, Bad>>,
    },
    /// Its clients are to be sent away, and it goes on.
    Park {
        /// Who asks.
        caller: Caller,
        /// Its `keep_alive` from now on.
        keep_alive: Option<Millis>,
        /// The session as it is then.
        reply: oneshot::Sender<Result<Session, Bad>>,
    },
    /// What it has used.
    Usage(oneshot::Sender<Usage>),
    /// Where it is, for what is done there out of its clients' sight. Of no use once it has ended.
    Place(oneshot::Sender<ContextHandle>),
    /// An event of the `ghost` domain, by its name there and with its params, for those who listen.
    Tell(&'static str, String),
    /// It is to end.
    End(CloseReason),
}

/// A client that wants to come.
pub struct Join {
    /// Who, and by which name of the server.
    pub caller: Caller,
    /// The page it wants to speak to, or the whole.
    pub page: Option<TargetId>,
    /// Whether the connected browser-level clients are disconnected.
    pub takeover: bool,
    /// Whether no other browser-level client may connect while this one stays.
    pub exclusive: bool,
    /// What changes of the session when it is there.
    pub options: Options,
    /// A seat, once there is a root for it.
    pub reply: oneshot::Sender<Result<Seat, Unseated>>,
}

/// Where a client's socket is handed over. Dropping it says that it will not come.
#[derive(Debug)]
pub struct Seat(oneshot::Sender<Box<Client>>);

impl Seat {
    /// The socket is there.
    pub fn take(self, client: Client) {
        if let Err(mut client) = self.0.send(Box::new(client)) {
            client.close(&CloseReason::TryAgain("the session ended while its client came"));
        }
    }
}

/// Why a client may not come.
#[derive(Debug)]
pub enum Unseated {
    /// It wants the session exclusively, and other clients are connected.
    Taken,
    /// Another client has the session exclusively.
    Exclusive,
    /// The session has this many clients, the most that it may have.
    Many(usize),
    /// It wants a deadline that it may not have.
    Bad(Bad),
    /// Chrome would not attach to what it wants.
    Call(CallError),
}

/// Attends to what a session is asked that waits for a place; returns when it is to end.
pub async fn attend(record: &mut Record, asked: &mut mpsc::Receiver<Box<Control>>, limits: &Deadlines) {
    while let Some(control) = asked.recv().await {
        match *control {
            Control::Update { caller, options, reply } => {
                let _ = reply.send(record.update(options, limits).map(|()| record.session_info().show(&caller)));
            }
            Control::End(_) => return,
            // It has no browser that could be asked, and whoever wants to know is told so.
            _ => {}
        }
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
                self.on_face_call(RpcCall { method, params, reply });
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
            Control::Place(reply) => {
                let _ = reply.send(self.place());
            }
            Control::Tell(event, params) => self.tell_all(event, &params),
            Control::End(reason) => self.over = Some(reason),
        }
    }

    fn on_join(&mut self, join: Join) {
        if let Err(refused) = self.may_join(&join) {
            let _ = join.reply.send(Err(refused));
            return;
        }
        let Join { caller, page, takeover, exclusive, options, reply } = join;
        self.last_view += 1;
        let view = ViewId(self.last_view);
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
            let seated = self.views.iter().filter(|view| view.is_browser_level()).map(|view| view.exclusive);
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
        self.record.check(&join.options, &self.terms.deadlines).map_err(Unseated::Bad)
    }

    pub(super) fn on_came(
        &mut self,
        coming: Coming,
        client: Option<(Box<Client>, CdpSessionId, Option<CdpSessionId>)>,
    ) {
        let Coming { view, caller, page, takeover, exclusive, options } = coming;
        self.arriving.retain(|(arriving, _)| *arriving != view);
        let Some((mut client, root, attached)) = client else { return self.step(Event::Missed) };
        if page.is_none() && view < self.taken_over {
            // Somebody else took over while it was on its way.
            client.close(&CloseReason::TakenOver);
            self.lease.browser().close_root(&root);
            return self.step(Event::Missed);
        }
        let before: Vec<ViewId> =
            self.views.iter().filter(|view| takeover && view.is_browser_level()).map(|view| view.id).collect();
        if takeover {
            self.taken_over = view;
        }
        // First the new one, so that the session is never without a client.
        let is_browser_level = page.is_none();
        self.add_view(view, *client, root, page.zip(attached), caller, exclusive);
        for other in before {
            self.send_away(other, &CloseReason::TakenOver);
        }
        if is_browser_level {
            self.log_sharing();
        }
        if let Err(bad) = self.update(options) {
            // It was checked when the client asked to come.
            tracing::debug!(session = &**self.record.id(), %bad, "options that were good are not any more");
        }
    }

    /// Logs once that clients share the session: with a cached URL they may not know it.
    fn log_sharing(&mut self) {
        let clients = self.views.iter().filter(|view| view.is_browser_level()).count();
        if clients > 1 && !self.is_shared && !std::mem::replace(&mut self.sharing_logged, true) {
            tracing::info!(
                session = &**self.record.id(),
                clients,
                "several clients share a session because they connect with its id; without an id in the URL, each client gets a session of its own"
            );
        }
    }

    /// Changes what is given of the session.
    pub(super) fn update(&mut self, options: Options) -> Result<(), Bad> {
        if options == Options::default() {
            return Ok(());
        }
        self.record.update(options, &self.terms.deadlines)?;
        self.tell_of_change();
        Ok(())
    }

    /// Gives the session a `keep_alive` to park with.
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

    /// Sends every client away, with the URL to come back to as the reason.
    pub(super) fn park_now(&mut self) {
        let all: Vec<(ViewId, String)> = self
            .views
            .iter()
            .filter(|view| view.leaving.is_none())
            .map(|view| (view.id, view.caller.url_of(self.record.id())))
            .collect();
        for (view, url) in all {
            self.send_away(view, &CloseReason::Parked(url));
        }
    }
}
