//! The mirror of one browser's targets: what exists, whose it is, and who holds it paused. PURE: events in, effects out.
//!
//! Every context belongs to one lease or to none; from that follow the owner of each target and of each CDP session.
//! Two watchers (one per auto-attach flavour) hold every new target paused; this file decides to whom a watcher's CDP
//! session is handed, and when it is let go instead. It never reads a clock and never talks to a client.
//! The other half, what a client may see of its own targets, is `session/`.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use crate::cdp::{
    ids::{CdpSessionId, ContextId, TargetId},
    lease::{Flavour, Interest, Told},
    permission::Rulings,
    target::{Kind, TargetInfo},
    url,
};

mod conceal;

use self::conceal::Deferred;
pub use self::conceal::Surveyed;

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
    /// `Target.attachToTarget` for a root that auto-attaches; if Chrome refuses, [`Targets::on_attach_refused`].
    Attach { lease: LeaseId, root: CdpSessionId, target: TargetId },
    /// Tell a lease.
    Deliver(LeaseId, Told),
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

#[derive(Debug, Default)]
struct Target {
    info: String,
    kind: Option<Kind>,
    context: Option<ContextId>,
    /// For a tab its page has been seen and is an ordinary one; true for everything else that may be shown.
    presentable: bool,
    has_opener: bool,
    can_access_opener: bool,
    /// The page of a tab.
    page: Option<TargetId>,
    /// The target of which it is a part.
    parent: Option<TargetId>,
    /// Whether the watcher of a flavour has reported it: only then it exists for auto-attach.
    reported: [bool; 2],
    /// The watchers' CDP sessions that still hold it.
    held: [Option<CdpSessionId>; 2],
    /// The watchers' CDP sessions that were handed to clients and not resumed yet.
    handed: [Option<CdpSessionId>; 2],
    /// The clients' CDP sessions that asked to wait and have not resumed.
    waiters: Vec<CdpSessionId>,
    /// When the hold for a tab-flavour client is looked at again.
    deadline: Option<Instant>,
    /// The order in which they came.
    number: u64,
}

#[derive(Debug)]
struct Attachment {
    lease: Option<LeaseId>,
    target: TargetId,
    /// The CDP session that attached: the only one through which it can be detached.
    parent: Option<CdpSessionId>,
    /// The CDP session on which a client knows it, where that is not `parent`.
    shown_on: Option<CdpSessionId>,
    /// Made by a browser-level auto-attach, and ended by its end.
    auto: bool,
    /// No client knows it: a lease's base and what the proxy attaches through that. It keeps nothing waiting.
    hidden: bool,
    children: Vec<CdpSessionId>,
}

impl Attachment {
    fn new(lease: Option<LeaseId>, target: TargetId, parent: Option<CdpSessionId>) -> Self {
        Self { lease, target, parent, shown_on: None, auto: false, hidden: false, children: Vec::new() }
    }

    /// The CDP session on which a client is told of it.
    fn told_on(&self) -> Option<&CdpSessionId> {
        self.shown_on.as_ref().or(self.parent.as_ref())
    }
}

#[derive(Debug)]
struct Expected {
    root: CdpSessionId,
    target: TargetId,
    /// The target is paused and this root asked to wait: Chrome's `waitingForDebugger` knows nothing of that.
    waiting: bool,
    /// Auto-attach was turned off meanwhile: it is detached as soon as it is there, and nobody is told.
    unwanted: bool,
}

#[derive(Debug)]
struct Root {
    id: CdpSessionId,
    lease: LeaseId,
    interest: Interest,
}

/// The mirror.
#[derive(Debug)]
pub(crate) struct Targets {
    watchers: [CdpSessionId; 2],
    contexts: HashMap<ContextId, LeaseId>,
    #[expect(clippy::struct_field_names, reason = "the mirror of them")]
    targets: HashMap<TargetId, Target>,
    attachments: HashMap<CdpSessionId, Attachment>,
    /// Roots that auto-attach, in the order they asked.
    roots: Vec<Root>,
    /// The last tab of a context, until its page is seen.
    unpaired: HashMap<ContextId, TargetId>,
    /// Attachments that auto-attach asked for explicitly and Chrome has not announced yet.
    expected: Vec<Expected>,
    /// Holds in the order they began, which is the order they end; one that ended early is passed over.
    holds: VecDeque<(Instant, TargetId)>,
    /// What waits in contexts where a page of the proxy's own is being made.
    concealing: HashMap<ContextId, Vec<Deferred>>,
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

impl Targets {
    /// `watchers` are the CDP sessions of the page and the tab watcher, `downloads` is the one that hears of downloads.
    pub(crate) fn new(watchers: [CdpSessionId; 2], downloads: &CdpSessionId) -> Self {
        let own = watchers
            .iter()
            .chain([downloads])
            .map(|own| (own.clone(), Attachment::new(None, TargetId::from(""), None)));
        let attachments = own.collect();
        Self {
            watchers,
            contexts: HashMap::new(),
            targets: HashMap::new(),
            attachments,
            roots: Vec::new(),
            unpaired: HashMap::new(),
            expected: Vec::new(),
            holds: VecDeque::new(),
            concealing: HashMap::new(),
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
        self.effects.pop_front()
    }

    /// When [`Targets::on_timeout`] wants to be called.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.holds.front().map(|(at, _)| *at)
    }

    /// The lease a CDP session belongs to; `None` for the proxy's own and for what is unknown.
    pub(crate) fn lease_of(&self, session: &str) -> Option<LeaseId> {
        self.attachments.get(session)?.lease
    }

    /// A CDP session that exists, and the lease it belongs to; no lease means the proxy itself.
    pub(crate) fn session(&self, session: &str) -> Option<(&CdpSessionId, Option<LeaseId>)> {
        self.attachments.get_key_value(session).map(|(id, attachment)| (id, attachment.lease))
    }

    /// Everything attached through a CDP session, deepest first.
    pub(crate) fn below(&self, session: &CdpSessionId) -> Vec<CdpSessionId> {
        let mut below = Vec::new();
        for child in self.attachments.get(session).map(|attachment| attachment.children.as_slice()).unwrap_or_default()
        {
            below.extend(self.below(child));
            below.push(child.clone());
        }
        below
    }

    /// The lease that owns a target.
    pub(crate) fn owner(&self, target: &str) -> Option<LeaseId> {
        self.context_owner(self.targets.get(target)?.context.as_ref())
    }

    /// The pages of these leases.
    pub(crate) fn pages_of(&self, leases: &[LeaseId]) -> Vec<(TargetId, LeaseId)> {
        let owned =
            |target: &Target| self.context_owner(target.context.as_ref()).filter(|lease| leases.contains(lease));
        let pages = self.targets.iter().filter(|(_, target)| target.kind == Some(Kind::Page));
        pages.filter_map(|(id, target)| Some((id.clone(), owned(target)?))).collect()
    }

    /// The contexts of a lease.
    pub(crate) fn contexts_of(&self, lease: LeaseId) -> Vec<ContextId> {
        self.contexts.iter().filter(|(_, owner)| **owner == lease).map(|(context, _)| context.clone()).collect()
    }

    /// Contexts that belong to a lease, and targets and CDP sessions of any kind: what must be back where it was.
    pub(crate) fn census(&self) -> (usize, usize, usize) {
        (self.contexts.len(), self.targets.len(), self.attachments.len())
    }

    /// A context was made by a lease.
    pub(crate) fn bind(&mut self, context: ContextId, lease: LeaseId) {
        self.contexts.insert(context, lease);
    }

    /// A context was disposed of.
    pub(crate) fn unbind(&mut self, context: &str) {
        self.contexts.remove(context);
        self.unpaired.remove(context);
        self.origins.remove(context);
        self.rulings.remove(context);
    }

    /// A browser-level CDP session made by the proxy for itself or for a lease.
    pub(crate) fn root(&mut self, session: CdpSessionId, lease: Option<LeaseId>) {
        self.attachments.entry(session).or_insert_with(|| Attachment::new(lease, TargetId::from(""), None)).lease =
            lease;
    }

    /// As [`Targets::root`], for the CDP session that owns a lease's contexts and that no client ever sees.
    pub(crate) fn base(&mut self, session: &CdpSessionId, lease: LeaseId) {
        self.root(session.clone(), Some(lease));
        if let Some(attachment) = self.attachments.get_mut(session) {
            attachment.hidden = true;
        }
    }

    /// Tells a session that just began what its lease already has.
    pub(crate) fn introduce(&mut self, lease: LeaseId) {
        for (id, target) in &self.targets {
            if target.presentable && self.context_owner(target.context.as_ref()) == Some(lease) {
                let told = Told::Created { target: id.clone(), info: target.info.clone() };
                self.effects.push_back(Effect::Deliver(lease, told));
            }
        }
    }

    /// A lease is over: its interests end, what it held runs on, its contexts are nobody's until Chrome has disposed of
    /// them. Returns its browser-level CDP sessions, which are to be detached.
    pub(crate) fn release(&mut self, lease: LeaseId) -> Vec<CdpSessionId> {
        self.roots.retain(|root| root.lease != lease);
        let mine: Vec<TargetId> = self
            .targets
            .iter()
            .filter(|(_, target)| self.context_owner(target.context.as_ref()) == Some(lease))
            .map(|(id, _)| id.clone())
            .collect();
        self.contexts.retain(|_, owner| *owner != lease);
        let contexts = &self.contexts;
        self.origins.retain(|context, _| contexts.contains_key(context));
        self.rulings.retain(|context, _| contexts.contains_key(context));
        for id in mine {
            self.let_go_of_all(&id);
        }
        let mut roots = Vec::new();
        for (id, attachment) in self.attachments.iter_mut().filter(|(_, attachment)| attachment.lease == Some(lease)) {
            attachment.lease = None;
            if attachment.parent.is_none() {
                roots.push(id.clone());
            }
        }
        let attachments = &self.attachments;
        self.expected
            .retain(|expected| attachments.get(&expected.root).is_some_and(|attachment| attachment.lease.is_some()));
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
        let target = self.targets.entry(info.id.clone()).or_default();
        target.number = self.number;
        json.clone_into(&mut target.info);
        target.kind = Some(kind);
        target.context.clone_from(&info.context);
        target.parent.clone_from(&info.parent);
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
                        if let Some(target) = self.targets.get_mut(&tab) {
                            target.page = Some(info.id.clone());
                        }
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
        let context = target.context.clone();
        if shown_kind(&info) == Kind::Other {
            target.presentable = false;
            target.kind = Some(Kind::Other);
            self.hide(&info.id, context.as_ref());
        } else if let Some(lease) = self.context_owner(context.as_ref()) {
            self.effects.push_back(Effect::Deliver(lease, Told::Changed { target: info.id, info: json.to_owned() }));
        }
    }

    /// A target has gone to a URL of Chrome's own: its clients are detached, and for them it is no more.
    fn hide(&mut self, id: &TargetId, context: Option<&ContextId>) {
        let owner = self.context_owner(context);
        if let Some(target) = self.targets.get_mut(id) {
            target.waiters.clear();
        }
        self.expected
            .iter_mut()
            .filter(|expected| expected.target == *id)
            .for_each(|expected| expected.waiting = false);
        let mut attached: Vec<CdpSessionId> = self
            .attachments
            .iter()
            .filter(|(_, attachment)| attachment.lease.is_some() && attachment.target == *id)
            .map(|(session, _)| session.clone())
            .collect();
        attached.sort_unstable();
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
        let Some((id, target)) = self.targets.remove_entry(id) else { return };
        self.own_pages.remove(&id);
        self.unpaired.retain(|_, tab| *tab != id);
        self.expected.retain(|expected| expected.target != id);
        if target.presentable
            && let Some(lease) = self.context_owner(target.context.as_ref())
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
            && let Some(lease) = self.context_owner(target.context.as_ref())
        {
            let told = Told::Crashed { target: id.clone(), params: params.to_owned() };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    /// `Target.attachedToTarget` on any CDP session; `None` is the root connection.
    pub(crate) fn on_attached(
        &mut self,
        on: Option<&CdpSessionId>,
        child: CdpSessionId,
        json: &str,
        waiting: bool,
        now: Instant,
    ) {
        let Some(info) = TargetInfo::read(json) else { return };
        // Below a CDP session that has gone: it has gone too.
        if on.is_some_and(|on| !self.attachments.contains_key(on)) {
            return;
        }
        let lease = on.and_then(|on| self.lease_of(on.as_str()));
        let mut attachment = Attachment::new(lease, info.id.clone(), on.cloned());
        attachment.hidden = on.and_then(|on| self.attachments.get(on)).is_some_and(|parent| parent.hidden);
        self.attachments.insert(child.clone(), attachment);
        let Some(on) = on else { return };
        if let Some(parent) = self.attachments.get_mut(on) {
            parent.children.push(child.clone());
        }
        if let Some(flavour) = FLAVOURS.into_iter().find(|flavour| self.watchers[*flavour as usize] == *on) {
            if self.defer(&info, || Deferred::Watched(flavour, child.clone(), json.to_owned())) {
                return;
            }
            self.on_watched(flavour, &child, &info, json, now);
        } else if let Some(lease) = lease {
            let expected = self.expected.iter().position(|expected| expected.root == *on && expected.target == info.id);
            let mut waiting = waiting;
            if let Some(expected) = expected.map(|at| self.expected.remove(at)) {
                if expected.unwanted {
                    return self.reject(&child, on, lease);
                }
                if let Some(attachment) = self.attachments.get_mut(&child) {
                    attachment.auto = true;
                }
                if expected.waiting
                    && let Some(target) = self.targets.get_mut(&info.id)
                {
                    waiting = true;
                    target.waiters.push(child.clone());
                }
            }
            let told = Told::Attached { parent: on.clone(), child, target: info.id, info: json.to_owned(), waiting };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    /// `Target.detachedFromTarget` on any CDP session.
    pub(crate) fn on_detached(&mut self, child: &str) {
        let Some((child, attachment)) = self.attachments.remove_entry(child) else { return };
        if let Some(parent) = attachment.parent.as_ref().and_then(|parent| self.attachments.get_mut(parent)) {
            parent.children.retain(|other| *other != child);
        }
        let mut below = Vec::new();
        self.forget_children(&attachment, &mut below);
        let handed = self.forget_handed(&child, &below);
        for (gone, target) in below.iter().map(|(id, target)| (id, target)).chain([(&child, &attachment.target)]) {
            self.on_gone(gone, target, attachment.lease.is_some());
        }
        if let (Some(lease), Some(parent)) = (attachment.lease, attachment.told_on().cloned()) {
            let below = handed.into_iter().chain(below.into_iter().map(|(id, _)| id)).collect();
            self.effects
                .push_back(Effect::Deliver(lease, Told::Detached { parent, child, target: attachment.target, below }));
        }
    }

    /// A client's `Runtime.runIfWaitingForDebugger` on one of its CDP sessions. `children` says whether it auto-attaches
    /// to what is below that one.
    pub(crate) fn on_resume(&mut self, on: &CdpSessionId, children: bool) -> Resume {
        let Some(id) = self.attachments.get(on).map(|attachment| attachment.target.clone()) else {
            return Resume::Pass;
        };
        let Some(target) = self.targets.get_mut(&id) else { return Resume::Pass };
        let asked = target.waiters.iter().position(|waiter| waiter == on).map(|at| target.waiters.remove(at)).is_some();
        let holds = target.handed.iter().flatten().any(|handed| handed == on);
        if self.is_waited_for(&id) {
            // By its own word a client ends only what it holds; others asked to wait for them too.
            return if asked || holds { Resume::KeepBack } else { Resume::Pass };
        }
        // The last one to resume: what the watchers' own CDP sessions hold, which others were handed, they hold still.
        for handed in self.take_handed(&id) {
            if handed != *on {
                self.resume(handed);
            }
        }
        match self.targets.get(&id).map(|target| (target.kind, target.page.clone())) {
            Some((Some(Kind::Tab), page)) => {
                self.let_go(Flavour::Tab, &id);
                if let Some(page) = page.filter(|_| !children) {
                    self.let_go(Flavour::Page, &page);
                }
            }
            _ => self.let_go_of_all(&id),
        }
        Resume::Pass
    }

    /// Chrome would not attach for a root that auto-attaches.
    pub(crate) fn on_attach_refused(&mut self, root: &CdpSessionId, target: &str) {
        let of = |expected: &Expected| expected.root == *root && expected.target.as_str() == target;
        if let Some(at) = self.expected.iter().position(of) {
            let Expected { target, .. } = self.expected.remove(at);
            self.settle(&target);
        }
    }

    /// A root's auto-attach changed. Returns the targets that exist for it and are to be attached explicitly.
    pub(crate) fn auto_attach(&mut self, root: &CdpSessionId, interest: Option<Interest>) -> Vec<TargetId> {
        self.set_interest(root, interest);
        let Some(asked) = self.roots.iter().find(|other| other.id == *root) else { return Vec::new() };
        let flavour = asked.interest.flavour as usize;
        let mut wanted: Vec<TargetId> = self
            .targets
            .iter()
            .filter(|(_, target)| {
                target.presentable
                    && target.reported[flavour]
                    && target.kind.is_some_and(|kind| asked.interest.filter.matches(kind))
                    && self.context_owner(target.context.as_ref()) == Some(asked.lease)
            })
            .map(|(id, _)| id.clone())
            .filter(|id| !self.is_attached(root, id))
            .collect();
        wanted.sort_unstable();
        for target in &wanted {
            let (root, target) = (root.clone(), target.clone());
            self.expected.push(Expected { root, target, waiting: false, unwanted: false });
        }
        wanted
    }

    /// The CDP sessions that a root's auto-attach made, for `autoAttach:false`.
    pub(crate) fn attached_by(&self, root: &CdpSessionId) -> Vec<CdpSessionId> {
        let mine = |attachment: &Attachment| attachment.auto && attachment.told_on() == Some(root);
        self.attachments.iter().filter(|(_, attachment)| mine(attachment)).map(|(id, _)| id.clone()).collect()
    }

    /// A client's `Target.detachFromTarget` of this CDP session. A target that it holds paused is resumed first: a popup
    /// with an opener would stay paused for ever (*measured*). If others asked to wait for it too, the pause is theirs.
    pub(crate) fn detach(&mut self, session: &CdpSessionId) -> Way {
        let of_a_lease = |attachment: &&Attachment| attachment.lease.is_some();
        let Some(attachment) = self.attachments.get(session).filter(of_a_lease) else { return Way::Unknown };
        let (shown_on, target) = (attachment.shown_on.clone(), attachment.target.clone());
        let (lease, below) = (attachment.lease, self.below(session));
        match self.loosen(session) {
            Some(parent) => Way::Through(parent),
            None if shown_on.is_none() => Way::Unknown,
            None => {
                if let (Some(lease), Some(parent)) = (lease, shown_on) {
                    let told = Told::Detached { parent, child: session.clone(), target, below };
                    self.effects.push_back(Effect::Deliver(lease, told));
                }
                Way::Done
            }
        }
    }

    /// Ends what a client's CDP session holds. Returns the CDP session through which it is to be detached, unless it
    /// stays with the watcher because others wait.
    fn loosen(&mut self, session: &CdpSessionId) -> Option<CdpSessionId> {
        let attachment = self.attachments.get(session)?;
        let (parent, id) = (attachment.parent.clone(), attachment.target.clone());
        let Some(target) = self.targets.get_mut(&id) else { return parent };
        target.waiters.retain(|waiter| waiter != session);
        let held = target.handed.iter().position(|handed| handed.as_ref() == Some(session));
        if !self.is_waited_for(&id) {
            if let (Some(target), Some(flavour)) = (self.targets.get_mut(&id), held) {
                target.handed[flavour] = None;
            }
            self.resume(session.clone());
            self.settle(&id);
            return parent;
        }
        let (Some(flavour), Some(target)) = (held, self.targets.get_mut(&id)) else { return parent };
        target.held[flavour] = target.handed[flavour].take();
        if let Some(attachment) = self.attachments.get_mut(session) {
            (attachment.lease, attachment.shown_on, attachment.auto) = (None, None, false);
        }
        // For its client all below it goes, though Chrome keeps that until the watcher lets go.
        for below in self.below(session) {
            let Some(attachment) = self.attachments.get_mut(&below) else { continue };
            attachment.lease = None;
            let target = attachment.target.clone();
            self.on_gone(&below, &target, true);
        }
        None
    }

    /// As [`Targets::detach`], but nobody asked and nobody is told.
    fn let_loose(&mut self, session: &CdpSessionId) {
        let lease = self.lease_of(session.as_str());
        if let Some(on) = self.loosen(session) {
            let params = format!(r#"{{"sessionId":"{session}"}}"#);
            self.effects.push_back(Effect::Send { lease, on, method: "Target.detachFromTarget", params });
        }
    }

    /// Detaches what has just been attached and nobody wants any more.
    fn reject(&mut self, child: &CdpSessionId, on: &CdpSessionId, lease: LeaseId) {
        if let Some(attachment) = self.attachments.get_mut(child) {
            attachment.lease = None;
        }
        let params = format!(r#"{{"sessionId":"{child}"}}"#);
        let on = on.clone();
        self.effects.push_back(Effect::Send { lease: Some(lease), on, method: "Target.detachFromTarget", params });
    }

    fn take_handed(&mut self, id: &TargetId) -> Vec<CdpSessionId> {
        let handed = self.targets.get_mut(id).map(|target| std::mem::take(&mut target.handed));
        handed.into_iter().flatten().flatten().collect()
    }

    /// Whether a client asked to wait for its CDP session on this target, and has not resumed it.
    fn is_waited_for(&self, id: &TargetId) -> bool {
        self.targets.get(id).is_some_and(|target| !target.waiters.is_empty())
            || self.expected.iter().any(|expected| expected.waiting && expected.target == *id)
    }

    /// Somebody waits for a target no more. If that was the last one, it runs.
    fn settle(&mut self, id: &TargetId) {
        if self.is_waited_for(id) {
            return;
        }
        for handed in self.take_handed(id) {
            self.resume(handed);
        }
        // With the watcher again, because the client it was handed to has detached it.
        let held = self.targets.get(id).map(|target| (target.held.clone(), target.deadline.is_some()));
        if let Some(([Some(_), _] | [_, Some(_)], false)) = held {
            self.let_go_of_all(id);
        }
    }

    /// Looks at the holds whose deadline has passed.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        while self.holds.front().is_some_and(|(at, _)| *at <= now) {
            let Some((at, id)) = self.holds.pop_front() else { return };
            if self.targets.get(&id).is_none_or(|target| target.deadline != Some(at)) {
                continue;
            }
            let wanted = self.has_client(&id);
            let Some(target) = self.targets.get_mut(&id) else { continue };
            target.deadline = None;
            // With an opener and a child session a plain Chrome waits for ever, as at a breakpoint; so do we.
            if !(wanted && target.can_access_opener) {
                self.expired_holds += 1;
                self.let_go(Flavour::Page, &id);
            }
        }
    }

    fn context_owner(&self, context: Option<&ContextId>) -> Option<LeaseId> {
        self.contexts.get(context?).copied()
    }

    fn is_attached(&self, root: &CdpSessionId, target: &TargetId) -> bool {
        let expects = |expected: &Expected| !expected.unwanted && expected.root == *root && expected.target == *target;
        self.expected.iter().any(expects)
            || self
                .attachments
                .values()
                .any(|attachment| attachment.auto && attachment.target == *target && attachment.told_on() == Some(root))
    }

    fn tell_created(&mut self, id: &TargetId) {
        let Some(target) = self.targets.get(id).filter(|target| target.presentable) else { return };
        if let Some(lease) = self.context_owner(target.context.as_ref()) {
            let told = Told::Created { target: id.clone(), info: target.info.clone() };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    /// A tab and its page have found each other: the tab is shown, and whoever waits for it gets it.
    fn pair(&mut self, tab: &TargetId, page: TargetId, now: Instant) {
        let Some(target) = self.targets.get_mut(tab) else { return };
        target.page = Some(page);
        target.presentable = true;
        let held = target.held[Flavour::Tab as usize].clone();
        let info = target.info.clone();
        self.tell_created(tab);
        if let Some(child) = held {
            self.decide(Flavour::Tab, tab, &child, &info, now);
        }
    }

    fn on_watched(&mut self, flavour: Flavour, child: &CdpSessionId, info: &TargetInfo, json: &str, now: Instant) {
        let target = self.targets.entry(info.id.clone()).or_default();
        if target.kind.is_none() {
            target.kind = Some(shown_kind(info));
            target.context.clone_from(&info.context);
            json.clone_into(&mut target.info);
        }
        target.reported[flavour as usize] = true;
        target.held[flavour as usize] = Some(child.clone());
        let unpaired_tab = target.kind == Some(Kind::Tab) && !target.presentable;
        let waits_for_page = unpaired_tab && self.wanted_by(flavour, &info.id).next().is_some();
        if !waits_for_page {
            self.decide(flavour, &info.id, child, json, now);
        }
    }

    /// The roots that auto-attach to a target, in the order they asked.
    fn wanted_by(&self, flavour: Flavour, id: &TargetId) -> impl Iterator<Item = &Root> {
        let target = self.targets.get(id);
        let lease = target.and_then(|target| self.context_owner(target.context.as_ref()));
        let kind = target.and_then(|target| target.kind).unwrap_or(Kind::Other);
        self.roots.iter().filter(move |root| {
            Some(root.lease) == lease
                && root.interest.flavour == flavour
                && kind.is_ordinary()
                && !self.own_pages.contains(id)
                && root.interest.filter.matches(kind)
        })
    }

    fn decide(&mut self, flavour: Flavour, id: &TargetId, child: &CdpSessionId, json: &str, now: Instant) {
        let wanted: Vec<(CdpSessionId, LeaseId, bool)> =
            self.wanted_by(flavour, id).map(|root| (root.id.clone(), root.lease, root.interest.wait)).collect();
        let Some(((first, lease, wait), others)) = wanted.split_first() else {
            if flavour == Flavour::Page && self.follows_a_tab(id) {
                if let Some(target) = self.targets.get_mut(id) {
                    target.deadline = Some(now + HOLD);
                    self.holds.push_back((now + HOLD, id.clone()));
                }
            } else {
                self.let_go(flavour, id);
            }
            return;
        };
        let Some(target) = self.targets.get_mut(id) else { return };
        target.held[flavour as usize] = None;
        let somebody_waits = wanted.iter().any(|(_, _, wait)| *wait);
        if somebody_waits {
            target.handed[flavour as usize] = Some(child.clone());
        }
        if *wait {
            target.waiters.push(child.clone());
        }
        if let Some(attachment) = self.attachments.get_mut(child) {
            attachment.lease = Some(*lease);
            attachment.shown_on = Some(first.clone());
            attachment.auto = true;
        }
        let told = Told::Attached {
            parent: first.clone(),
            child: child.clone(),
            target: id.clone(),
            info: json.to_owned(),
            waiting: *wait,
        };
        self.effects.push_back(Effect::Deliver(*lease, told));
        for (root, lease, wait) in others {
            let (root, target) = (root.clone(), id.clone());
            self.effects.push_back(Effect::Attach { lease: *lease, root: root.clone(), target: target.clone() });
            self.expected.push(Expected { root, target, waiting: *wait, unwanted: false });
        }
        if !somebody_waits {
            self.resume(child.clone());
        }
    }

    /// Whether the page watcher's hold on this target is for a client that will come by way of its tab.
    fn follows_a_tab(&self, id: &TargetId) -> bool {
        let Some(target) = self.targets.get(id) else { return false };
        let lease = self.context_owner(target.context.as_ref());
        target.kind == Some(Kind::Page)
            && target.has_opener
            && self.roots.iter().any(|root| {
                Some(root.lease) == lease
                    && root.interest.flavour == Flavour::Tab
                    && root.interest.wait
                    && root.interest.filter.matches(Kind::Tab)
            })
    }

    fn let_go_of_all(&mut self, id: &TargetId) {
        for flavour in FLAVOURS {
            self.let_go(flavour, id);
        }
    }

    /// Resume and *then* detach, without waiting for a reply: that may come only once every holder has resumed. But a
    /// shared worker whose holder detaches before the reply never starts, and a service worker often not (*measured*,
    /// shell and full, 156); there the reply is waited for.
    fn let_go(&mut self, flavour: Flavour, id: &TargetId) {
        let Some(target) = self.targets.get_mut(id) else { return };
        target.deadline = None;
        let Some(child) = target.held[flavour as usize].take() else { return };
        // Behind what the target's client has already sent to be done before the target runs.
        let context = target.context.clone();
        let waits_for_reply = target.kind.is_some_and(Kind::is_worker);
        let lease = self.context_owner(context.as_ref());
        let on = self.watchers[flavour as usize].clone();
        if waits_for_reply {
            self.effects.push_back(Effect::ResumeThenDetach { lease, session: child, on });
            return;
        }
        let params = format!(r#"{{"sessionId":"{child}"}}"#);
        self.resume_for(lease, child);
        self.effects.push_back(Effect::Send { lease, on, method: "Target.detachFromTarget", params });
    }

    fn resume(&mut self, on: CdpSessionId) {
        self.resume_for(self.lease_of(on.as_str()), on);
    }

    fn resume_for(&mut self, lease: Option<LeaseId>, on: CdpSessionId) {
        self.effects.push_back(Effect::Send {
            lease,
            on,
            method: "Runtime.runIfWaitingForDebugger",
            params: "{}".to_owned(),
        });
    }

    fn set_interest(&mut self, root: &CdpSessionId, interest: Option<Interest>) {
        let Some(lease) = self.lease_of(root.as_str()) else { return };
        match (self.roots.iter().position(|other| other.id == *root), interest) {
            (Some(at), Some(interest)) => self.roots[at].interest = interest,
            (None, Some(interest)) => self.roots.push(Root { id: root.clone(), lease, interest }),
            (Some(at), None) => {
                self.roots.remove(at);
                self.expect_no_more(root);
            }
            (None, None) => {}
        }
        // Holds that nobody is coming for any more.
        let stale: Vec<TargetId> = self
            .targets
            .iter()
            .filter(|(id, target)| {
                target.deadline.is_some()
                    && self.context_owner(target.context.as_ref()) == Some(lease)
                    && !self.follows_a_tab(id)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in stale {
            self.let_go(Flavour::Page, &id);
        }
    }

    /// What a root's auto-attach has asked for and Chrome has not announced is not wanted any more.
    fn expect_no_more(&mut self, root: &CdpSessionId) {
        let mut waited = Vec::new();
        for expected in self.expected.iter_mut().filter(|expected| expected.root == *root) {
            expected.unwanted = true;
            if std::mem::take(&mut expected.waiting) {
                waited.push(expected.target.clone());
            }
        }
        for id in waited {
            self.settle(&id);
        }
    }

    /// Takes out everything below an attachment, deepest first.
    fn forget_children(&mut self, attachment: &Attachment, gone: &mut Vec<(CdpSessionId, TargetId)>) {
        for child in &attachment.children {
            if let Some(below) = self.attachments.remove(child) {
                self.forget_children(&below, gone);
                gone.push((child.clone(), below.target));
            }
        }
    }

    /// What was handed on roots that have gone goes with them, as it would have if they had attached it themselves.
    /// Returns those and all below them, deepest first.
    fn forget_handed(&mut self, root: &CdpSessionId, below: &[(CdpSessionId, TargetId)]) -> Vec<CdpSessionId> {
        let is_gone = |on: &CdpSessionId| on == root || below.iter().any(|(id, _)| id == on);
        let mut handed: Vec<CdpSessionId> = self
            .attachments
            .iter()
            .filter(|(_, attachment)| attachment.lease.is_some() && attachment.shown_on.as_ref().is_some_and(is_gone))
            .map(|(id, _)| id.clone())
            .collect();
        handed.sort_unstable();
        let mut gone = Vec::new();
        for session in handed {
            gone.extend(self.below(&session));
            self.let_loose(&session);
            gone.push(session);
        }
        gone
    }

    /// A CDP session has gone: what it was waited for or held by goes on without it.
    fn on_gone(&mut self, session: &CdpSessionId, id: &TargetId, of_a_client: bool) {
        self.roots.retain(|root| root.id != *session);
        self.expect_no_more(session);
        self.expected.retain(|expected| expected.root != *session);
        let Some(target) = self.targets.get_mut(id) else { return };
        target.held.iter_mut().for_each(|held| {
            held.take_if(|held| held == session);
        });
        let was_handed = target.handed.iter_mut().any(|handed| handed.take_if(|handed| handed == session).is_some());
        let asked = target.waiters.len();
        target.waiters.retain(|waiter| waiter != session);
        if was_handed || target.waiters.len() < asked {
            self.settle(id);
        }
        // A tab-flavour client that had a CDP session on this page and lost the last one: the page must not wait for it.
        if of_a_client && !self.has_client(id) {
            self.let_go(Flavour::Page, id);
        }
    }

    /// Whether a client has a CDP session on a target.
    fn has_client(&self, id: &TargetId) -> bool {
        let is_client =
            |attachment: &Attachment| attachment.lease.is_some() && !attachment.hidden && attachment.target == *id;
        self.attachments.values().any(is_client)
    }
}

/// What counts for being shown: a target at one of Chrome's own URLs is Chrome's, whatever its type.
fn shown_kind(info: &TargetInfo) -> Kind {
    if url::is_visible(&info.url) { info.kind } else { Kind::Other }
}

#[cfg(test)]
mod tests;
