//! The mirror of one browser's targets: which exist, which lease owns each, and which CDP sessions
//! hold it paused. PURE: events in, effects out.
//!
//! Every context belongs to one lease or to none; the owner of each target and each CDP session
//! follows from that. Two watchers (one per auto-attach flavour) hold every new target paused; this
//! file decides which client gets a watcher's CDP session, and when the target is resumed instead.
//! It never reads a clock and never talks to a client. What a client may see of its own targets is
//! decided in `virtual_browser/`.
//!
//! `attach` handles the CDP sessions on targets, `hold` the pausing of new targets, `hidden_pages`
//! the proxy's own pages, `openers` those that wait for a window, `records` what is on record as a whole. All leases share the task that uses this, so no function scans what
//! belongs to others: `population`, `attachments`, `expected` and `roots` have indexes.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    cdp::{
        ids::{CallId, CdpSessionId, ContextId, IdMap, TargetId},
        permission::Rulings,
        target::{Kind, TargetInfo},
    },
    port::{Flavour, Told},
};

mod attach;
mod attachments;
mod certificates;
mod expected;
mod extensions;
mod hidden_pages;
mod hold;
mod index;
mod openers;
mod pages;
mod population;
mod records;
mod roots;

use self::{
    attachments::{Attachment, Attachments},
    certificates::Certificates,
    expected::Expectations,
    extensions::ShownExtensions,
    hidden_pages::{Concealing, Deferred},
    openers::Openers,
    population::Population,
    roots::Roots,
};
pub use self::{hidden_pages::Surveyed, pages::LeasePages};

/// How long a popup is held for a tab-flavour client that does not attach to it.
pub(crate) const HOLD: Duration = Duration::from_secs(5);

/// The number of a lease in its browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub(crate) u64);

/// An action for the link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Send a command of the proxy's own whose reply does not matter, in the queue of `lease`, or
    /// else the proxy's.
    Send { lease: Option<LeaseId>, on: CdpSessionId, method: &'static str, params: String },
    /// Resume on a watcher's CDP session, and detach that through its parent after the reply.
    ResumeThenDetach { lease: Option<LeaseId>, session: CdpSessionId, on: CdpSessionId },
    /// `Target.attachToTarget` for a root that auto-attaches; if Chrome refuses, call
    /// [`Mirror::on_attach_refused`].
    Attach { lease: LeaseId, root: CdpSessionId, target: TargetId },
    /// Attach to this page for [`Mirror::keep_on`].
    KeepOn { lease: LeaseId, page: TargetId },
    /// Deliver an event to a lease.
    Deliver(LeaseId, Told),
    /// Deliver this withheld reply: see [`Mirror::withhold`].
    Answer(CallId),
}

/// The decision on a client's `Runtime.runIfWaitingForDebugger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Send it to Chrome.
    Pass,
    /// Other roots that asked to wait have not resumed yet: answer it, send nothing.
    KeepBack,
}

/// How a client's `Target.detachFromTarget` is performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the CDP session that attached.
    Through(CdpSessionId),
    /// The client was told; the CDP session is kept for others who wait for the target.
    Done,
    /// There is no such CDP session: Chrome answers.
    Unknown,
}

/// The mirror.
#[derive(Debug)]
pub(crate) struct Mirror {
    watchers: [CdpSessionId; 2],
    targets: Population,
    attachments: Attachments,
    roots: Roots,
    /// The last tab of a context, until its page is announced.
    unpaired: IdMap<ContextId, TargetId>,
    expected: Expectations,
    /// Holds in the order in which they began, which is also the order of their deadlines; entries
    /// that ended early are skipped.
    holds: VecDeque<(Instant, TargetId)>,
    concealing: Concealing,
    /// Pages of the proxy's own, with their tabs and child targets: never shown.
    own_pages: HashSet<TargetId>,
    /// The web origins seen in each context, the latest last.
    origins: IdMap<ContextId, VecDeque<String>>,
    /// The permissions set in each context.
    rulings: IdMap<ContextId, Rulings>,
    certificates: Certificates,
    openers: Openers,
    extensions: ShownExtensions,
    /// The number of targets so far.
    number: u64,
    effects: VecDeque<Effect>,
    /// The number of holds that ended at their deadline, since the last [`Mirror::poll_expired_holds`].
    expired_holds: u64,
}

const FLAVOURS: [Flavour; 2] = [Flavour::Page, Flavour::Tab];

impl Mirror {
    /// `watchers` are the CDP sessions of the page and the tab watcher; `downloads` is the one with
    /// download events.
    pub(crate) fn new(watchers: [CdpSessionId; 2], downloads: &CdpSessionId) -> Self {
        let mut attachments = Attachments::default();
        for own in watchers.iter().chain([downloads]) {
            attachments.insert(own.clone(), Attachment::new(None, TargetId::from(""), None));
        }
        Self {
            watchers,
            targets: Population::default(),
            attachments,
            roots: Roots::default(),
            unpaired: IdMap::default(),
            expected: Expectations::default(),
            holds: VecDeque::new(),
            concealing: Concealing::default(),
            own_pages: HashSet::new(),
            origins: IdMap::default(),
            rulings: IdMap::default(),
            certificates: Certificates::default(),
            openers: Openers::default(),
            extensions: ShownExtensions::default(),
            number: 0,
            effects: VecDeque::new(),
            expired_holds: 0,
        }
    }

    /// The next effect, in order.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front().or_else(|| self.expected.poll_released().map(Effect::Answer))
    }

    /// The number of holds that ended at their deadline since the last call.
    pub(crate) fn poll_expired_holds(&mut self) -> u64 {
        std::mem::take(&mut self.expired_holds)
    }

    /// When [`Mirror::on_timeout`] is to be called.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.holds.front().map(|(at, _)| *at)
    }

    /// The lease of a CDP session; `None` for the proxy's own and for unknown ones.
    pub(crate) fn lease_of(&self, session: &str) -> Option<LeaseId> {
        self.attachments.get(session)?.lease
    }

    /// The target of a CDP session.
    pub(crate) fn target_of(&self, session: &CdpSessionId) -> Option<&TargetId> {
        self.attachments.get(session.as_str()).map(|attachment| &attachment.target)
    }

    /// An existing CDP session with its lease; no lease means the proxy itself.
    pub(crate) fn session(&self, session: &str) -> Option<(&CdpSessionId, Option<LeaseId>)> {
        self.attachments.get_key_value(session).map(|(id, attachment)| (id, attachment.lease))
    }

    /// Everything attached through a CDP session, deepest first.
    pub(crate) fn below(&self, session: &CdpSessionId) -> Vec<CdpSessionId> {
        let mut below = Vec::new();
        for child in self.attachments.get(session.as_str()).into_iter().flat_map(Attachment::children) {
            below.extend(self.below(child));
            below.push(child.clone());
        }
        below
    }

    /// The lease that owns a target.
    pub(crate) fn owner(&self, target: &str) -> Option<LeaseId> {
        self.targets.owner(target)
    }

    /// Whether this is a page or a tab.
    pub(crate) fn is_page(&self, target: &str) -> bool {
        let target = self.targets.get(target);
        target.is_some_and(|target| matches!(target.kind, Some(Kind::Page | Kind::Tab)))
    }

    /// The pages of these leases.
    pub(crate) fn pages_of(&self, leases: &[LeaseId]) -> Vec<(TargetId, LeaseId)> {
        let owned = leases.iter().flat_map(|lease| self.targets.of_lease(*lease).map(|target| (*lease, target)));
        let pages = owned.filter(|(_, (_, target))| target.kind == Some(Kind::Page));
        pages.map(|(lease, (id, _))| (id.clone(), lease)).collect()
    }

    /// The contexts of a lease.
    pub(crate) fn contexts_of(&self, lease: LeaseId) -> Vec<ContextId> {
        self.targets.contexts_of(lease).cloned().collect()
    }

    /// The number of contexts that belong to a lease, and of all targets and CDP sessions.
    pub(crate) fn census(&self) -> (usize, usize, usize) {
        let (contexts, targets) = self.targets.census();
        (contexts, targets, self.attachments.len())
    }

    /// A lease has created a context.
    pub(crate) fn bind(&mut self, context: ContextId, lease: LeaseId) {
        self.targets.bind(context, lease);
    }

    /// A context was disposed of.
    pub(crate) fn unbind(&mut self, context: &str) {
        self.targets.unbind(context);
        self.unpaired.remove(context);
        self.origins.remove(context);
        self.rulings.remove(context);
    }

    /// The proxy has made a browser-level CDP session for itself or for a lease.
    pub(crate) fn root(&mut self, session: CdpSessionId, lease: Option<LeaseId>) {
        if !self.attachments.change(&session, |attachment| attachment.lease = lease) {
            self.attachments.insert(session, Attachment::new(lease, TargetId::from(""), None));
        }
    }

    /// As [`Mirror::root`], for the CDP session that owns a lease's contexts and that clients do
    /// not see.
    pub(crate) fn base(&mut self, session: &CdpSessionId, lease: LeaseId) {
        self.root(session.clone(), Some(lease));
        self.attachments.change(session, |attachment| attachment.hidden = true);
    }

    /// Reports the existing targets of a lease to a session that starts.
    pub(crate) fn introduce(&mut self, lease: LeaseId) {
        for (id, target) in self.targets.of_lease(lease).filter(|(_, target)| target.presentable) {
            let told = Told::Created { target: id.clone(), info: target.info.clone() };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    /// A lease has ended: its auto-attach ends, what it held is resumed, and its contexts have no
    /// owner until Chrome has disposed of them. Returns its browser-level CDP sessions, which are
    /// to be detached.
    pub(crate) fn release(&mut self, lease: LeaseId) -> Vec<CdpSessionId> {
        self.roots.release(lease);
        let mine: Vec<TargetId> = self.targets.of_lease(lease).map(|(id, _)| id.clone()).collect();
        for context in self.targets.release(lease) {
            self.origins.remove(&context);
            self.rulings.remove(&context);
        }
        self.release_keepers(lease, &mine);
        for id in &mine {
            self.release_holds(id);
        }
        let attached: Vec<CdpSessionId> = self.attachments.of_lease(lease).cloned().collect();
        let mut roots = Vec::new();
        for id in attached {
            self.expected.forget_root(&id);
            self.attachments.change(&id, |attachment| attachment.lease = None);
            if self.attachments.get(id.as_str()).is_some_and(|attachment| attachment.parent.is_none()) {
                roots.push(id);
            }
        }
        for id in &mine {
            self.release_opener(id);
        }
        roots
    }

    /// `Target.targetCreated` on the root connection.
    pub(crate) fn on_created(&mut self, json: &str, now: Instant) {
        let Some(info) = TargetInfo::read(json) else { return };
        if self.defer(&info, || Deferred::Created(json.to_owned())) {
            return;
        }
        self.remember(&info);
        let kind = self.extensions.kind_of(&info);
        // Child targets of a hidden page are hidden too.
        if info.parent.as_ref().is_some_and(|parent| self.own_pages.contains(parent)) {
            self.own_pages.insert(info.id.clone());
        }
        let own = self.own_pages.contains(&info.id);
        self.number += 1;
        let target = self.targets.place(&info.id, info.context.as_ref(), info.parent.as_ref());
        target.number = self.number;
        json.clone_into(&mut target.info);
        target.kind = Some(kind);
        target.chromes_kind = Some(info.kind);
        target.presentable = kind.is_ordinary() && kind != Kind::Tab && !own;
        target.has_opener = info.opener.is_some();
        target.can_access_opener = info.can_access_opener;
        match (&info.context, info.kind) {
            (Some(context), Kind::Tab) => {
                self.unpaired.insert(context.clone(), info.id);
            }
            // The event of a page, or of Chrome's own user interface, directly follows its tab's,
            // in the same context.
            (Some(context), Kind::Page | Kind::Other) => {
                let tab = self.unpaired.remove(context);
                match tab {
                    Some(tab) if own => {
                        self.targets.set_page(&tab, info.id.clone());
                        self.own_pages.insert(tab.clone());
                        self.release_hold(Flavour::Tab, &tab);
                    }
                    Some(tab) if kind == Kind::Page => self.pair(&tab, info.id.clone(), now),
                    // That tab is never shown.
                    Some(tab) => self.release_hold(Flavour::Tab, &tab),
                    None => {}
                }
                self.tell_created(&info.id);
            }
            _ => self.tell_created(&info.id),
        }
    }

    /// `Target.targetInfoChanged` on the root connection.
    pub(crate) fn on_changed(&mut self, json: &str) {
        let Some(info) = TargetInfo::read(json) else { return };
        if self.defer(&info, || Deferred::Changed(json.to_owned())) {
            return;
        }
        self.remember(&info);
        let is_hidden = self.extensions.kind_of(&info) == Kind::Other;
        let Some(target) = self.targets.get_mut(&info.id) else { return };
        json.clone_into(&mut target.info);
        // Chrome renames its own user interface to `page` while a context is disposed of: hidden
        // targets stay hidden.
        if !target.presentable {
            return;
        }
        let context = target.context().cloned();
        if is_hidden {
            target.presentable = false;
            target.kind = Some(Kind::Other);
            self.hide(&info.id, context.as_ref());
        } else if let Some(lease) = self.targets.owner_of(context.as_ref()) {
            self.effects.push_back(Effect::Deliver(lease, Told::Changed { target: info.id, info: json.to_owned() }));
        }
    }

    /// A target has navigated to a URL of Chrome's own: its clients are detached and told that it
    /// was destroyed.
    fn hide(&mut self, id: &TargetId, context: Option<&ContextId>) {
        let owner = self.targets.owner_of(context);
        if let Some(target) = self.targets.get_mut(id) {
            target.waiters.clear();
        }
        self.expected.wait_no_more(id);
        let of_clients = self.attachments.on_target(id).filter(|(_, attachment)| attachment.lease.is_some());
        let attached: Vec<CdpSessionId> = of_clients.map(|(session, _)| session.clone()).collect();
        for session in attached {
            self.let_loose(&session);
        }
        self.release_holds(id);
        self.release_opener(id);
        if let Some(lease) = owner {
            self.effects.push_back(Effect::Deliver(lease, Told::Destroyed { target: id.clone() }));
        }
    }

    /// `Target.targetDestroyed` on the root connection.
    pub(crate) fn on_destroyed(&mut self, id: &str) {
        if self.defer_for(id, Deferred::Destroyed) {
            return;
        }
        let Some((id, target)) = self.targets.remove(id) else { return };
        self.own_pages.remove(&id);
        if let Some(context) = target.context().filter(|context| self.unpaired.get(*context) == Some(&id)) {
            self.unpaired.remove(context);
        }
        self.expected.forget_target(&id);
        self.certificates.forget(&id);
        self.openers.release(&id);
        if let Some(page) = target.page() {
            self.release_opener(page);
        }
        if target.presentable
            && let Some(lease) = self.targets.owner_of(target.context())
        {
            self.effects.push_back(Effect::Deliver(lease, Told::Destroyed { target: id }));
        }
    }

    /// `Target.targetCrashed` on the root connection.
    pub(crate) fn on_crashed(&mut self, id: &str, params: &str) {
        if self.defer_for(id, |id| Deferred::Crashed(id, params.to_owned())) {
            return;
        }
        // Its opener was in the same process.
        self.openers.release(&TargetId::from(id));
        if let Some((id, target)) = self.targets.get_key_value(id)
            && target.presentable
            && let Some(lease) = self.targets.owner_of(target.context())
        {
            let told = Told::Crashed { target: id.clone(), params: params.to_owned() };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    fn tell_created(&mut self, id: &TargetId) {
        let Some(target) = self.targets.get(id.as_str()).filter(|target| target.presentable) else { return };
        if let Some(lease) = self.targets.owner_of(target.context()) {
            let told = Told::Created { target: id.clone(), info: target.info.clone() };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }
}

#[cfg(test)]
mod tests;
