//! The mirror of one browser's targets: what exists, whose it is, and who holds it paused. PURE: events in, effects
//! out.
//!
//! Every context belongs to one lease or to none; from that follow the owner of each target and of each CDP session.
//! Two watchers (one per auto-attach flavour) hold every new target paused; this file decides to whom a watcher's CDP
//! session is handed, and when it is let go instead. It never reads a clock and never talks to a client.
//! The other half, what a client may see of its own targets, is `virtual_browser/`.
//!
//! `attach` is the CDP sessions on targets, `hold` who holds a new one paused, `hidden_pages` the pages of the proxy's
//! own. All leases share the task that asks this, so nothing looks through what belongs to others: `population`,
//! `attachments`, `expected` and `roots` keep what there is, with the indexes that find it.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    cdp::{
        ids::{CallId, CdpSessionId, ContextId, TargetId},
        permission::Rulings,
        target::{Kind, TargetInfo},
        url,
    },
    port::{Flavour, Told},
};

mod attach;
mod attachments;
mod expected;
mod hidden_pages;
mod hold;
mod index;
mod population;
mod roots;

pub use self::hidden_pages::Surveyed;
use self::{
    attachments::{Attachment, Attachments},
    expected::Expectations,
    hidden_pages::{Concealing, Deferred},
    population::Population,
    roots::Roots,
};

/// How long a popup is held for a tab-flavour client that shows no interest in it.
pub(crate) const HOLD: Duration = Duration::from_secs(5);

/// A session's hold on a place in a browser, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub(crate) u64);

/// What the link must do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A command of the proxy's own whose reply does not matter; in the queue of `lease`, or in the proxy's.
    Send { lease: Option<LeaseId>, on: CdpSessionId, method: &'static str, params: String },
    /// Resume on a watcher's CDP session, and detach that through its parent once the reply is there.
    ResumeThenDetach { lease: Option<LeaseId>, session: CdpSessionId, on: CdpSessionId },
    /// `Target.attachToTarget` for a root that auto-attaches; if Chrome refuses, [`Mirror::on_attach_refused`].
    Attach { lease: LeaseId, root: CdpSessionId, target: TargetId },
    /// Tell a lease.
    Deliver(LeaseId, Told),
    /// Deliver this reply, which was withheld: see [`Mirror::withhold`].
    Answer(CallId),
}

/// What became of a client's `Runtime.runIfWaitingForDebugger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Send it up.
    Pass,
    /// Others who asked to wait have not resumed yet: answer it, send nothing.
    KeepBack,
}

/// How a client's `Target.detachFromTarget` is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the CDP session that attached.
    Through(CdpSessionId),
    /// The client has been told; the target is held on by it for others who wait.
    Done,
    /// There is no such CDP session: for Chrome to say.
    Unknown,
}

/// The mirror.
#[derive(Debug)]
pub(crate) struct Mirror {
    watchers: [CdpSessionId; 2],
    targets: Population,
    attachments: Attachments,
    roots: Roots,
    /// The last tab of a context, until its page is seen.
    unpaired: HashMap<ContextId, TargetId>,
    expected: Expectations,
    /// Holds in the order they began, which is the order they end; one that ended early is passed over.
    holds: VecDeque<(Instant, TargetId)>,
    concealing: Concealing,
    /// Pages of the proxy's own, with their tabs and parts: never shown.
    own_pages: HashSet<TargetId>,
    /// The web origins seen in each context, the last one at the back.
    origins: HashMap<ContextId, VecDeque<String>>,
    /// What was ruled on the permissions of each context.
    rulings: HashMap<ContextId, Rulings>,
    /// Targets so far.
    number: u64,
    effects: VecDeque<Effect>,
    /// Holds that ended by their deadline.
    pub(crate) expired_holds: u64,
}

const FLAVOURS: [Flavour; 2] = [Flavour::Page, Flavour::Tab];

impl Mirror {
    /// `watchers` are the CDP sessions of the page and the tab watcher, `downloads` is the one that hears of downloads.
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
            unpaired: HashMap::new(),
            expected: Expectations::default(),
            holds: VecDeque::new(),
            concealing: Concealing::default(),
            own_pages: HashSet::new(),
            origins: HashMap::new(),
            rulings: HashMap::new(),
            number: 0,
            effects: VecDeque::new(),
            expired_holds: 0,
        }
    }

    /// The next thing to do, in order.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front().or_else(|| self.expected.poll_released().map(Effect::Answer))
    }

    /// When [`Mirror::on_timeout`] wants to be called.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.holds.front().map(|(at, _)| *at)
    }

    /// The lease a CDP session belongs to; `None` for the proxy's own and for what is unknown.
    pub(crate) fn lease_of(&self, session: &str) -> Option<LeaseId> {
        self.attachments.get(session)?.lease
    }

    /// What a CDP session is on.
    pub(crate) fn target_of(&self, session: &CdpSessionId) -> Option<&TargetId> {
        self.attachments.get(session.as_str()).map(|attachment| &attachment.target)
    }

    /// A CDP session that exists, and the lease it belongs to; no lease means the proxy itself.
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

    /// Contexts that belong to a lease, and targets and CDP sessions of any kind: what must be back where it was.
    pub(crate) fn census(&self) -> (usize, usize, usize) {
        let (contexts, targets) = self.targets.census();
        (contexts, targets, self.attachments.len())
    }

    /// A context was made by a lease.
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

    /// A browser-level CDP session made by the proxy for itself or for a lease.
    pub(crate) fn root(&mut self, session: CdpSessionId, lease: Option<LeaseId>) {
        if !self.attachments.change(&session, |attachment| attachment.lease = lease) {
            self.attachments.insert(session, Attachment::new(lease, TargetId::from(""), None));
        }
    }

    /// As [`Mirror::root`], for the CDP session that owns a lease's contexts and that no client ever sees.
    pub(crate) fn base(&mut self, session: &CdpSessionId, lease: LeaseId) {
        self.root(session.clone(), Some(lease));
        self.attachments.change(session, |attachment| attachment.hidden = true);
    }

    /// Tells a session that just began what its lease already has.
    pub(crate) fn introduce(&mut self, lease: LeaseId) {
        for (id, target) in self.targets.of_lease(lease).filter(|(_, target)| target.presentable) {
            let told = Told::Created { target: id.clone(), info: target.info.clone() };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    /// A lease is over: its interests end, what it held runs on, its contexts are nobody's until Chrome has disposed of
    /// them. Returns its browser-level CDP sessions, which are to be detached.
    pub(crate) fn release(&mut self, lease: LeaseId) -> Vec<CdpSessionId> {
        self.roots.release(lease);
        let mine: Vec<TargetId> = self.targets.of_lease(lease).map(|(id, _)| id.clone()).collect();
        for context in self.targets.release(lease) {
            self.origins.remove(&context);
            self.rulings.remove(&context);
        }
        for id in mine {
            self.let_go_of_all(&id);
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
        roots
    }

    /// `Target.targetCreated` on the root connection.
    pub(crate) fn on_created(&mut self, json: &str, now: Instant) {
        let Some(info) = TargetInfo::read(json) else { return };
        if self.defer(&info, || Deferred::Created(json.to_owned())) {
            return;
        }
        self.remember(&info);
        let kind = shown_kind(&info);
        // What is part of a page of ours is ours too.
        if info.parent.as_ref().is_some_and(|parent| self.own_pages.contains(parent)) {
            self.own_pages.insert(info.id.clone());
        }
        let own = self.own_pages.contains(&info.id);
        self.number += 1;
        let target = self.targets.place(&info.id, info.context.as_ref(), info.parent.as_ref());
        target.number = self.number;
        json.clone_into(&mut target.info);
        target.kind = Some(kind);
        target.presentable = kind.is_ordinary() && kind != Kind::Tab && !own;
        target.has_opener = info.has_opener;
        target.can_access_opener = info.can_access_opener;
        match (&info.context, info.kind) {
            (Some(context), Kind::Tab) => {
                self.unpaired.insert(context.clone(), info.id);
            }
            // A page's event, or that of Chrome's own user interface, follows its tab's directly, in the same context.
            (Some(context), Kind::Page | Kind::Other) => {
                let tab = self.unpaired.remove(context);
                match tab {
                    Some(tab) if own => {
                        self.targets.set_page(&tab, info.id.clone());
                        self.own_pages.insert(tab.clone());
                        self.let_go(Flavour::Tab, &tab);
                    }
                    Some(tab) if kind == Kind::Page => self.pair(&tab, info.id.clone(), now),
                    // Nobody is shown that tab, ever.
                    Some(tab) => self.let_go(Flavour::Tab, &tab),
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
        let Some(target) = self.targets.get_mut(&info.id) else { return };
        json.clone_into(&mut target.info);
        // Chrome renames its own user interface to `page` while a context goes: what was hidden stays hidden.
        if !target.presentable {
            return;
        }
        let context = target.context().cloned();
        if shown_kind(&info) == Kind::Other {
            target.presentable = false;
            target.kind = Some(Kind::Other);
            self.hide(&info.id, context.as_ref());
        } else if let Some(lease) = self.targets.owner_of(context.as_ref()) {
            self.effects.push_back(Effect::Deliver(lease, Told::Changed { target: info.id, info: json.to_owned() }));
        }
    }

    /// A target has gone to a URL of Chrome's own: its clients are detached, and for them it is no more.
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
        self.let_go_of_all(id);
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

/// What counts for being shown: a target at one of Chrome's own URLs is Chrome's, whatever its type.
fn shown_kind(info: &TargetInfo) -> Kind {
    if url::is_visible(&info.url) { info.kind } else { Kind::Other }
}

#[cfg(test)]
mod tests;
