//! Sends commands under ids of the proxy, and handles their replies.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Link;
use crate::{
    browser::{inbox::read_reply, mirror::LeaseId},
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, ContextId, TargetId},
        json_object::{JsonObject, quote},
        message,
    },
    port::{Call, FromBrowser, Reply, Settle, Tag, Told, egress::OpenedGate},
};

/// Which caller awaits the reply to a command the proxy issued.
#[derive(Debug)]
pub(super) enum Pending {
    /// No caller waits for the reply.
    Nobody,
    /// The proxy itself; `lease` may be the lease that it creates or serves.
    Own(Option<LeaseId>, oneshot::Sender<Reply>),
    /// A lease, with its own number for the command.
    Lease(LeaseId, Tag),
    /// One of several calls that a lease waits for together.
    Group(LeaseId, Tag),
    /// After the reply, this CDP session is detached on the other.
    Detach(CdpSessionId, CdpSessionId),
    /// A CDP session that is kept on this page of a lease.
    KeeperAttach(LeaseId, TargetId, Keeping),
    /// A command of a page's setup, for which somebody waits.
    SetUp(Arc<oneshot::Sender<()>>),
    /// Attaches to a page of this lease, to ask it for the frame that started a download.
    FrameAttach(LeaseId, Asked),
    /// Asks that page for its frames.
    FrameTree(LeaseId, Asked, CdpSessionId),
}

/// Who waits until a CDP session is kept on a page, and has done its work.
#[derive(Debug)]
pub(super) enum Keeping {
    Nobody,
    /// A lease, with its own number for all of its pages.
    Group(Tag),
    /// The proxy, until all have dropped this.
    SetUp(Arc<oneshot::Sender<()>>),
}

/// A download, and the frame that started it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) guid: String,
    pub(super) frame: String,
}

impl Pending {
    /// Whether the caller does not wait for the reply any more.
    fn is_abandoned(&self) -> bool {
        matches!(self, Self::Own(_, to) if to.is_closed())
    }

    /// Whether a session waits for the reply, not the proxy.
    fn is_clients(&self) -> bool {
        matches!(self, Self::Lease(..) | Self::Group(..))
    }

    fn lease(&self) -> Option<LeaseId> {
        match self {
            Self::Nobody
            | Self::Detach(..)
            | Self::KeeperAttach(..)
            | Self::SetUp(_)
            | Self::FrameAttach(..)
            | Self::FrameTree(..) => None,
            Self::Own(lease, _) => *lease,
            Self::Lease(lease, _) | Self::Group(lease, _) => Some(*lease),
        }
    }
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) who: Pending,
    /// The CDP session of the command: when it ends, the call is settled.
    pub(super) on: Option<CdpSessionId>,
    pub(super) settle: Settle,
}

/// Chrome's error for the disposal of a context that does not exist begins with it.
const NO_CONTEXT: &str = "Failed to find context with id";

impl Link {
    pub(super) fn call(&mut self, key: Option<LeaseId>, call: Call, who: Pending) {
        if let Some((call, who)) = self.take_turn(key, call, who) {
            self.send(key, call, who);
        }
    }

    fn send(&mut self, key: Option<LeaseId>, call: Call, who: Pending) {
        // Chrome accepts any int32; after two thousand million calls the ids begin again, and the
        // first are answered long before.
        self.last_id = if self.last_id == i32::MIN { -1 } else { self.last_id - 1 };
        let id = CallId(self.last_id);
        let text = Bytes::from(message::envelope(id, &call.method, &call.params, call.on.as_ref()));
        if let Some(on) = &call.on {
            self.waiting_on.insert((on.clone(), id));
        }
        self.waiting.insert(id, Waiting { who, on: call.on, settle: call.settle });
        match self.writer.wire(&text) {
            Ok(message) => {
                if let Some(lease) = key {
                    self.account(lease, message.len());
                }
                self.upstream.push(key, Some(id), message);
            }
            // Treated like a refusal by Chrome: the caller gets an answer, and nothing is recorded.
            Err(error) => self.refused(id, error.to_error()),
        }
    }

    pub(super) fn account(&self, lease: LeaseId, bytes: usize) {
        if let Some(inbox) = self.inboxes.get(&lease) {
            inbox.account.add(bytes);
        }
    }

    /// Removes the entry of a call that was answered or will not be; returns how the reply is to be handled.
    pub(super) fn settled(&mut self, id: CallId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.disposed(id);
        if let Some(on) = &waiting.on {
            self.waiting_on.remove(&(on.clone(), id));
        }
        if let Settle::Attach(target) | Settle::AutoAttach(target) = &waiting.settle {
            self.turns.over(target);
        }
        Some(waiting)
    }

    pub(super) fn on_reply(&mut self, id: CallId, text: &[u8]) {
        let Some(waiting) = self.settled(id) else {
            self.metrics.unowned.inc();
            return;
        };
        let reply = read_reply(text);
        if let (Settle::Names(root), Reply::Result(result)) = (&waiting.settle, &reply)
            && let Some(target) = JsonObject::read(result).and_then(|result| result.string("targetId"))
            && self.targets.withhold(root, &target, id)
        {
            self.withheld.insert(id, (waiting.who, reply));
            return;
        }
        self.settle(waiting, reply);
    }

    /// A command was not sent.
    fn refused(&mut self, id: CallId, error: CdpError) {
        if let Some(waiting) = self.settled(id) {
            self.settle(waiting, Reply::Error(error));
        }
    }

    fn settle(&mut self, waiting: Waiting, reply: Reply) {
        if let (Reply::Error(_), Settle::AutoAttach(target), Some(root)) = (&reply, &waiting.settle, &waiting.on) {
            self.targets.on_attach_refused(root, target.as_str());
        }
        if let (Reply::Error(_), Settle::Conceal(context)) = (&reply, &waiting.settle) {
            self.concealed(context, None);
        }
        if let (Reply::Error(error), Settle::Unbind(context)) = (&reply, &waiting.settle)
            && error.message.starts_with(NO_CONTEXT)
        {
            self.gates.remove(context);
        }
        if let Reply::Result(result) = &reply {
            let member = |name| JsonObject::read(result).and_then(|result| result.string(name));
            // Replies for an ended lease are not recorded.
            let is_over = |lease: &LeaseId| waiting.who.is_clients() && !self.inboxes.contains_key(lease);
            let lease = waiting.who.lease().filter(|lease| !is_over(lease));
            match (waiting.settle, lease) {
                (Settle::Bind(gate), Some(lease)) => {
                    let context = member("browserContextId").map(ContextId::from);
                    let (is_abandoned, is_gated) = (waiting.who.is_abandoned(), gate.is_some());
                    if let (Some(context), Some(gate)) = (&context, gate) {
                        self.keep_gate(context, gate);
                    }
                    // If the lease was dropped meanwhile, this is disposed of with its CDP session; a gate is kept until
                    // Chrome says that it has done so.
                    if let Some(context) = context.clone().filter(|_| is_abandoned && is_gated) {
                        self.disposals.orphan(context, Instant::now());
                    }
                    if let Some(context) = context.filter(|_| !is_abandoned) {
                        self.targets.bind(context.clone(), lease);
                        // For a client's own command the session learns it from the reply.
                        if matches!(waiting.who, Pending::Own(..)) {
                            self.deliver(lease, FromBrowser::Told(Told::Context { context }));
                        }
                    }
                }
                (Settle::BindNative, Some(lease)) => {
                    if let Some(context) = member("defaultBrowserContextId") {
                        self.targets.bind(ContextId::from(context), lease);
                    }
                }
                // The lease has ended meanwhile.
                (Settle::Bind(gate), None) => {
                    if let Some(context) = member("browserContextId").map(ContextId::from) {
                        if let Some(gate) = gate {
                            self.keep_gate(&context, gate);
                        }
                        self.disposals.orphan(context, Instant::now());
                    }
                }
                (settle @ (Settle::Root | Settle::Base), Some(lease)) => {
                    if let Some(session) = member("sessionId") {
                        match settle {
                            Settle::Base => self.targets.base(&CdpSessionId::from(session.as_str()), lease),
                            _ => self.targets.root(CdpSessionId::from(session.as_str()), Some(lease)),
                        }
                        // The caller has given up meanwhile, so no other code would detach it.
                        if waiting.who.is_abandoned() {
                            self.detach_root(&session);
                        }
                    }
                }
                (Settle::Root, None) if waiting.who.is_abandoned() => {
                    if let Some(session) = member("sessionId") {
                        self.detach_root(&session);
                    }
                }
                (Settle::Rule(context, ruling), _) => self.targets.rule(&context, ruling),
                (Settle::Emulate(page, change), _) => self.targets.emulate(&page, change),
                (Settle::Close(page), _) if self.targets.is_page(page.as_str()) => {
                    self.closings.begin(page, Instant::now());
                }
                (Settle::Unbind(context), _) => self.is_gone(&context),
                (Settle::Conceal(context), _) => {
                    let target = member("targetId");
                    let target = target.map(TargetId::from);
                    if let Some(target) = target.clone().filter(|_| waiting.who.is_abandoned()) {
                        self.call(None, Call::close(None, target), Pending::Nobody);
                    }
                    self.concealed(&context, target);
                }
                _ => {}
            }
        }
        self.answer(waiting.who, reply);
    }

    fn keep_gate(&mut self, context: &ContextId, OpenedGate { gate, context: told }: OpenedGate) {
        let _ = told.set(context.clone());
        self.gates.insert(context.clone(), gate);
    }

    pub(super) fn answer(&mut self, who: Pending, reply: Reply) {
        match who {
            Pending::Nobody => {}
            Pending::SetUp(waits) => drop(waits),
            Pending::Detach(session, on) => {
                if self.targets.session(session.as_str()).is_some() {
                    self.call(None, detach_from(Some(on), session.as_str()), Pending::Nobody);
                }
            }
            Pending::Own(_, to) => {
                let _ = to.send(reply);
            }
            Pending::Lease(lease, tag) => self.deliver(lease, FromBrowser::Reply { tag, reply }),
            Pending::Group(lease, tag) => self.count_down(lease, tag),
            Pending::KeeperAttach(lease, page, who) => self.on_keeper_attached(lease, &page, who, &reply),
            Pending::FrameAttach(lease, asked) => self.on_frame_attached(lease, asked, &reply),
            Pending::FrameTree(lease, asked, session) => self.on_frame_tree(lease, &asked, &session, &reply),
        }
    }

    pub(super) fn count_down(&mut self, lease: LeaseId, tag: Tag) {
        let Some(inbox) = self.inboxes.get_mut(&lease) else { return };
        let Some(left) = inbox.groups.get_mut(&tag) else { return };
        *left -= 1;
        if *left == 0 {
            inbox.groups.remove(&tag);
            self.deliver(lease, FromBrowser::Reply { tag, reply: Reply::Result("{}".to_owned()) });
        }
    }

    /// Attaches to a page, to keep the CDP session for what the proxy sets there.
    pub(super) fn attach_keeper(&mut self, lease: LeaseId, page: TargetId, who: Keeping) {
        let on = Some(self.downloads.session().clone());
        self.call(Some(lease), Call::attach(on, page.clone()), Pending::KeeperAttach(lease, page, who));
    }

    fn on_keeper_attached(&mut self, lease: LeaseId, page: &TargetId, who: Keeping, reply: &Reply) {
        let session = match reply {
            Reply::Result(result) => JsonObject::read(result).and_then(|result| result.string("sessionId")),
            // The page has gone meanwhile.
            Reply::Error(_) => None,
        };
        let session = session.map(CdpSessionId::from);
        let commands = session.as_ref().map(|session| self.targets.keep_on(lease, page, session)).unwrap_or_default();
        self.flush_effects();
        let last = commands.len().checked_sub(1);
        for (at, (method, params)) in commands.into_iter().enumerate() {
            let call = Call { on: session.clone(), method: method.into(), params, settle: Settle::Plain };
            let pending = match &who {
                // The others are answered before.
                Keeping::Group(tag) if Some(at) == last => Pending::Group(lease, *tag),
                Keeping::Nobody | Keeping::Group(_) => Pending::Nobody,
                Keeping::SetUp(waits) => Pending::SetUp(waits.clone()),
            };
            self.call(Some(lease), call, pending);
        }
        if let (Keeping::Group(tag), None) = (who, last) {
            self.count_down(lease, tag);
        }
    }

    /// The last way to find the owner of a child frame's download: the pages of the leases that
    /// have the events on are asked for their frames, on CDP sessions of the proxy's own.
    pub(super) fn ask_for_frame(&mut self, asked: &Asked, leases: &[LeaseId]) {
        for (page, lease) in self.targets.pages_of(leases) {
            let on = Some(self.downloads.session().clone());
            self.call(None, Call::attach(on, page), Pending::FrameAttach(lease, asked.clone()));
        }
    }

    fn on_frame_attached(&mut self, lease: LeaseId, asked: Asked, reply: &Reply) {
        let Reply::Result(result) = reply else { return };
        let Some(session) = JsonObject::read(result).and_then(|result| result.string("sessionId")) else { return };
        let session = CdpSessionId::from(session);
        let (on, method) = (Some(session.clone()), "Page.getFrameTree".into());
        let call = Call { on, method, params: "{}".to_owned(), settle: Settle::Plain };
        self.call(None, call, Pending::FrameTree(lease, asked, session));
    }

    fn on_frame_tree(&mut self, lease: LeaseId, asked: &Asked, session: &CdpSessionId, reply: &Reply) {
        let named = format!(r#""id":{}"#, quote(&asked.frame));
        if matches!(reply, Reply::Result(tree) if tree.contains(&named)) {
            self.downloads.own(&asked.guid, lease);
        }
        let on = Some(self.downloads.session().clone());
        self.call(None, detach_from(on, session.as_str()), Pending::Nobody);
    }
}

/// Ends a CDP session through the one that attached it.
pub(super) fn detach_from(on: Option<CdpSessionId>, session: &str) -> Call {
    let params = format!(r#"{{"sessionId":"{session}"}}"#);
    Call { on, method: "Target.detachFromTarget".into(), params, settle: Settle::Plain }
}

/// Attaches explicitly for a root's auto-attach.
pub(super) fn attach_to(root: CdpSessionId, target: TargetId) -> Call {
    Call { settle: Settle::AutoAttach(target.clone()), ..Call::attach(Some(root), target) }
}
