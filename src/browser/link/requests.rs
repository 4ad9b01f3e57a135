//! Performs the requests of the leases.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    Inbox, Link,
    calls::{Keeping, Pending, attach_to, detach_from},
};
use crate::{
    browser::{
        Census, LinkRequest,
        mirror::{LeaseId, Resume, Way},
    },
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId, ContextId, TargetId},
        message,
    },
    port::{Call, FromBrowser, Interest, Reply, ResumeAs, Settle, Tag},
};

impl Link {
    pub(super) fn on_order(&mut self, order: LinkRequest) {
        if !self.disposals.is_settled() && order.is_clients() {
            self.disposals.on_client(Instant::now());
        }
        // Pending requests of an ended session are dropped, to save the time of the others.
        if let Some((lease, bytes)) = order.paid()
            && let Some(inbox) = self.inboxes.get(&lease)
        {
            if inbox.account.is_over() {
                return;
            }
            if bytes > 0 {
                self.make_room(lease, bytes);
            }
        }
        match order {
            LinkRequest::Pass { lease, message } => self.upstream.push(Some(lease), None, message),
            LinkRequest::Navigate { lease, on, message } => self.on_navigate(lease, &on, message),
            LinkRequest::Call { lease, tag, call } if matches!(call.settle, Settle::Unbind(_)) => {
                self.disposals.ask(lease, tag, call);
                self.dispose(Instant::now());
            }
            LinkRequest::Call { lease, tag, call } => self.call(Some(lease), call, Pending::Lease(lease, tag)),
            LinkRequest::Own { call, lease, reply } => self.on_own(call, lease, reply),
            LinkRequest::Hear { session, to } => {
                // The CDP session may have ended already.
                if self.targets.session(session.as_str()).is_some() {
                    self.hearers.insert(session, to);
                }
            }
            LinkRequest::Survey { lease, reply } => {
                let _ = reply.send(self.targets.survey(lease));
            }
            LinkRequest::Pages { lease, known, reply } => {
                let _ = reply.send(self.targets.pages(lease, known.as_ref()));
            }
            LinkRequest::Remember { context, origin } => self.targets.remember_origin(&context, &origin),
            LinkRequest::Close { page } => self.disposals.close(page, Instant::now()),
            LinkRequest::Reveal { page, emulated } => self.targets.reveal(&page, emulated),
            LinkRequest::ShowExtension { id } => self.targets.show_extension(id),
            LinkRequest::Resume { lease, on, children, how } => self.on_resume(lease, &on, children, how),
            LinkRequest::AutoAttach { lease, tag, root, interest } => self.on_auto_attach(lease, tag, &root, interest),
            LinkRequest::IgnoreCertificateErrors { lease, tag, ignore } => {
                self.on_ignore_certificate_errors(lease, tag, ignore);
            }
            LinkRequest::SetUp { lease, setup, done } => {
                let done = Arc::new(done);
                for page in self.targets.set_up(lease, setup) {
                    self.attach_keeper(lease, page, Keeping::SetUp(done.clone()));
                }
            }
            LinkRequest::Detach { lease, tag, session } => self.on_detach(lease, tag, &session),
            LinkRequest::Open { lease, inbox, account } => {
                self.inboxes.insert(lease, Inbox { to: inbox, account, groups: HashMap::new() });
                self.targets.introduce(lease);
                self.flush_effects();
                self.deliver(lease, FromBrowser::Introduced);
            }
            LinkRequest::Owner { target, reply } => {
                let _ = reply.send(self.targets.owner(target.as_str()));
            }
            LinkRequest::Census { reply } => {
                let (contexts, targets, cdp_sessions) = self.targets.census();
                let _ = reply.send(Census {
                    contexts,
                    targets,
                    cdp_sessions,
                    calls: self.waiting.len(),
                    leases: self.inboxes.len(),
                    disposals: self.disposals.waiting(),
                });
            }
            LinkRequest::Books { reply } => {
                let _ = reply.send(self.books());
            }
            LinkRequest::Mend(mend) => self.mend(mend, Instant::now()),
            LinkRequest::Directory { lease, path } => self.downloads.directory(lease, path),
            LinkRequest::Listen { lease } => self.downloads.listen(lease),
            LinkRequest::Broken(error) => self.broken = Some(error),
            LinkRequest::TooDeep => self.count_too_deep(),
            LinkRequest::Release { lease, base } => self.on_release(lease, &base),
        }
        self.after();
    }

    fn on_own(&mut self, call: Call, lease: Option<LeaseId>, reply: oneshot::Sender<Reply>) {
        if let Settle::Conceal(context) = &call.settle
            && !self.targets.conceal(context)
        {
            self.unmade.entry(context.clone()).or_default().push_back((call, reply));
            return;
        }
        self.call(None, call, Pending::Own(lease, reply));
    }

    /// A page of the proxy's own was created or refused: the next one may be created.
    pub(super) fn concealed(&mut self, context: &ContextId, target: Option<TargetId>) {
        self.targets.concealed(context, target, Instant::now());
        while let Some((call, reply)) = self.unmade.get_mut(context).and_then(VecDeque::pop_front) {
            // The caller may have given up meanwhile.
            if !reply.is_closed() {
                return self.on_own(call, None, reply);
            }
        }
        self.unmade.remove(context);
    }

    fn on_resume(&mut self, lease: LeaseId, on: &CdpSessionId, children: bool, how: ResumeAs) {
        // A frame that cannot be sent is answered; the connection continues.
        let frame = match &how {
            ResumeAs::Call(_) => None,
            ResumeAs::Frame { id, text } => match self.writer.wire(text) {
                Ok(frame) => Some(frame),
                Err(error) => {
                    let CdpError { code, message, data } = error.to_error();
                    let text = message::error_reply(Some(*id), code, &message, data.as_deref(), Some(on.as_str()));
                    return self.deliver_reply(lease, on, *id, text);
                }
            },
        };
        let resume = self.targets.on_resume(on, children);
        match (resume, how) {
            (Resume::Pass, ResumeAs::Frame { .. }) => {
                let Some(message) = frame else { return };
                self.account(lease, message.len());
                self.upstream.push(Some(lease), None, message);
            }
            (Resume::Pass, ResumeAs::Call(tag)) => {
                let method = "Runtime.runIfWaitingForDebugger".into();
                let call = Call { on: Some(on.clone()), method, params: "{}".to_owned(), settle: Settle::Plain };
                self.call(Some(lease), call, Pending::Lease(lease, tag));
            }
            (Resume::KeepBack, ResumeAs::Frame { id, .. }) => {
                self.deliver_reply(lease, on, id, message::reply(id, "{}", Some(on.as_str())));
            }
            (Resume::KeepBack, ResumeAs::Call(tag)) => {
                self.deliver(lease, FromBrowser::Reply { tag, reply: Reply::Result("{}".to_owned()) });
            }
        }
    }

    /// A reply of the proxy to a client's command, instead of Chrome's.
    fn deliver_reply(&mut self, lease: LeaseId, on: &CdpSessionId, id: CallId, text: String) {
        let text = Bytes::from(text);
        let body_end = message::route(&text).body_end;
        self.deliver(lease, FromBrowser::Message { on: on.clone(), id: Some(id), body_end, text });
    }

    fn on_auto_attach(&mut self, lease: LeaseId, tag: Tag, root: &CdpSessionId, interest: Option<Interest>) {
        let off = interest.is_none();
        let attach = self.targets.auto_attach(root, interest);
        let detach = if off { self.targets.attached_by(root) } else { Vec::new() };
        let Some(inbox) = self.inboxes.get_mut(&lease) else { return };
        inbox.groups.insert(tag, attach.len() + detach.len() + 1);
        for target in attach {
            self.call(Some(lease), attach_to(root.clone(), target), Pending::Group(lease, tag));
        }
        for session in detach {
            self.detach(lease, &session, Pending::Group(lease, tag));
        }
        // The count starts one above the number of calls, so that no calls at all are answered too.
        self.count_down(lease, tag);
    }

    fn on_ignore_certificate_errors(&mut self, lease: LeaseId, tag: Tag, ignore: bool) {
        let pages = self.targets.ignore_certificate_errors(lease, ignore);
        self.flush_effects();
        let Some(inbox) = self.inboxes.get_mut(&lease) else { return };
        inbox.groups.insert(tag, pages.len() + 1);
        for page in pages {
            self.attach_keeper(lease, page, Keeping::Group(tag));
        }
        // One more than there are pages, so that none at all is answered too.
        self.count_down(lease, tag);
    }

    fn on_detach(&mut self, lease: LeaseId, tag: Tag, session: &CdpSessionId) {
        self.detach(lease, session, Pending::Lease(lease, tag));
    }

    fn detach(&mut self, lease: LeaseId, session: &CdpSessionId, who: Pending) {
        let way = self.targets.detach(session);
        // A target that it holds paused is resumed first.
        self.flush_effects();
        let on = match way {
            Way::Through(parent) => Some(parent),
            Way::Unknown => None,
            Way::Done => return self.answer(who, Reply::Result("{}".to_owned())),
        };
        self.call(Some(lease), detach_from(on, session.as_str()), who);
    }

    pub(super) fn on_release(&mut self, lease: LeaseId, base: &CdpSessionId) {
        self.inboxes.remove(&lease);
        for id in self.upstream.forget(lease) {
            self.settled(id);
        }
        self.disposals.forget(lease);
        self.navigations.forget(lease);
        let contexts = self.targets.contexts_of(lease);
        let pages = self.targets.pages_of(&[lease]).into_iter().map(|(page, _)| page).collect();
        if self.downloads.release(lease) {
            // The directory is removed before the contexts are.
            for context in &contexts {
                let (on, method) = (Some(base.clone()), "Browser.setDownloadBehavior".into());
                let params = format!(r#"{{"behavior":"deny","browserContextId":"{context}"}}"#);
                self.call(None, Call { on, method, params, settle: Settle::Plain }, Pending::Nobody);
            }
        }
        for root in self.targets.release(lease) {
            if root != *base {
                self.detach_root(root.as_str());
            }
        }
        let is_gated = contexts.iter().any(|context| self.gates.contains_key(context));
        self.disposals.leave(base, contexts, pages, is_gated, Instant::now());
    }

    pub(super) fn detach_root(&mut self, root: &str) {
        self.call(None, detach_from(None, root), Pending::Nobody);
    }
}
