//! Commands under our own ids, and what becomes of their replies.

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
    port::{Call, FromBrowser, Reply, Settle, Tag, Told},
};

/// Whose a command under one of our ids is.
#[derive(Debug)]
pub(super) enum Pending {
    /// Nobody waits for the reply.
    Nobody,
    /// The proxy itself, perhaps making or serving a lease.
    Own(Option<LeaseId>, oneshot::Sender<Reply>),
    /// A lease, under its own number.
    Lease(LeaseId, Tag),
    /// One of several that a lease waits for together.
    Group(LeaseId, Tag),
    /// With the reply, this CDP session is detached on the other.
    Detach(CdpSessionId, CdpSessionId),
    /// A CDP session on a page of this lease, to ask it for the frame that started a download.
    FrameAttach(LeaseId, Asked),
    /// The frames of that page.
    FrameTree(LeaseId, Asked, CdpSessionId),
}

/// A download and the frame that started it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) guid: String,
    pub(super) frame: String,
}

impl Pending {
    /// Whether nobody is there any more to take the reply.
    fn is_abandoned(&self) -> bool {
        matches!(self, Self::Own(_, to) if to.is_closed())
    }

    /// Whether a session waits for the reply, not the proxy.
    fn is_clients(&self) -> bool {
        matches!(self, Self::Lease(..) | Self::Group(..))
    }

    fn lease(&self) -> Option<LeaseId> {
        match self {
            Self::Nobody | Self::Detach(..) | Self::FrameAttach(..) | Self::FrameTree(..) => None,
            Self::Own(lease, _) => *lease,
            Self::Lease(lease, _) | Self::Group(lease, _) => Some(*lease),
        }
    }
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) who: Pending,
    /// The CDP session it went to: with that it is settled as gone.
    pub(super) on: Option<CdpSessionId>,
    pub(super) settle: Settle,
}

impl Link {
    pub(super) fn call(&mut self, key: Option<LeaseId>, call: Call, who: Pending) {
        if let Some((call, who)) = self.take_turn(key, call, who) {
            self.send(key, call, who);
        }
    }

    fn send(&mut self, key: Option<LeaseId>, call: Call, who: Pending) {
        // Chrome takes any int32; two thousand million calls later the ids begin again, and the first are long answered.
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
            // As if Chrome had refused it: whoever waits is answered, and what was to be learnt is not.
            Err(error) => self.refused(id, error.to_error()),
        }
    }

    pub(super) fn account(&self, lease: LeaseId, bytes: usize) {
        if let Some(inbox) = self.inboxes.get(&lease) {
            inbox.account.add(bytes);
        }
    }

    /// What waited for this answer, and does not any more.
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
        if let Reply::Result(result) = &reply {
            let member = |name| JsonObject::read(result).and_then(|result| result.string(name));
            // Of a lease that is over nothing is learnt any more.
            let is_over = |lease: &LeaseId| waiting.who.is_clients() && !self.inboxes.contains_key(lease);
            let lease = waiting.who.lease().filter(|lease| !is_over(lease));
            match (waiting.settle, lease) {
                (Settle::Bind, Some(lease)) => {
                    // Of a lease that has been given up meanwhile it goes with that one's CDP session.
                    if let Some(context) = member("browserContextId").filter(|_| !waiting.who.is_abandoned()) {
                        let context = ContextId::from(context);
                        self.targets.bind(context.clone(), lease);
                        // A client's own command tells its session by its reply.
                        if matches!(waiting.who, Pending::Own(..)) {
                            self.deliver(lease, FromBrowser::Told(Told::Context { context }));
                        }
                    }
                }
                (settle @ (Settle::Root | Settle::Base), Some(lease)) => {
                    if let Some(session) = member("sessionId") {
                        match settle {
                            Settle::Base => self.targets.base(&CdpSessionId::from(session.as_str()), lease),
                            _ => self.targets.root(CdpSessionId::from(session.as_str()), Some(lease)),
                        }
                        // Whoever asked has given up meanwhile: nobody would ever detach it.
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
                (Settle::Unbind(context), _) => self.targets.unbind(context.as_str()),
                (Settle::Conceal(context), _) => {
                    let target = member("targetId");
                    if let Some(target) = target.as_deref().filter(|_| waiting.who.is_abandoned()) {
                        let params = format!(r#"{{"targetId":{}}}"#, quote(target));
                        let method = "Target.closeTarget".into();
                        let call = Call { on: None, method, params, settle: Settle::Plain };
                        self.call(None, call, Pending::Nobody);
                    }
                    self.concealed(&context, target.map(TargetId::from));
                }
                _ => {}
            }
        }
        self.answer(waiting.who, reply);
    }

    pub(super) fn answer(&mut self, who: Pending, reply: Reply) {
        match who {
            Pending::Nobody => {}
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

    /// The last resort for a download of a child frame: the pages of those who listen are asked for their frames, on CDP
    /// sessions of the proxy's own.
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

/// The end of a CDP session, through the one that attached it.
pub(super) fn detach_from(on: Option<CdpSessionId>, session: &str) -> Call {
    let params = format!(r#"{{"sessionId":"{session}"}}"#);
    Call { on, method: "Target.detachFromTarget".into(), params, settle: Settle::Plain }
}

/// What a root's auto-attach asks for explicitly.
pub(super) fn attach_to(root: CdpSessionId, target: TargetId) -> Call {
    Call { settle: Settle::AutoAttach(target.clone()), ..Call::attach(Some(root), target) }
}
