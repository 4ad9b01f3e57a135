//! A model of the mirror without indexes: every query scans all entries. It is slow, and simple
//! enough to be checked by reading; [`super::random`] compares the mirror with it.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::Instant,
};

use super::super::{Effect, FLAVOURS, HOLD, LeaseId, Resume, Surveyed, Way, extensions::ShownExtensions};
use crate::{
    cdp::{
        emulation::Overrides,
        ids::{CallId, CdpSessionId, ContextId, TargetId},
        permission::Rulings,
        target::{Kind, TargetInfo},
    },
    port::{Flavour, Interest, Told},
};

mod attach;
mod conceal;
mod hold;

use self::conceal::Deferred;

/// No extension is shown.
fn shown_kind(info: &TargetInfo) -> Kind {
    ShownExtensions::default().kind_of(info)
}

#[derive(Debug, Default)]
struct Target {
    info: String,
    kind: Option<Kind>,
    chromes_kind: Option<Kind>,
    context: Option<ContextId>,
    /// For a tab: its page was announced and is an ordinary one. True for all other targets that
    /// may be shown.
    presentable: bool,
    has_opener: bool,
    /// The page that waits while this window is held.
    opener: Option<TargetId>,
    can_access_opener: bool,
    /// The page of a tab.
    page: Option<TargetId>,
    /// The target of which it is a child.
    parent: Option<TargetId>,
    /// The emulation that clients have set.
    overrides: Overrides,
    /// Per flavour, whether the watcher has reported it: only then it exists for auto-attach.
    reported: [bool; 2],
    /// The watchers' CDP sessions that still hold it.
    held: [Option<CdpSessionId>; 2],
    /// The watchers' CDP sessions that were handed over to clients and not resumed yet.
    handed: [Option<CdpSessionId>; 2],
    /// The clients' CDP sessions that asked to wait and have not resumed.
    waiters: Vec<CdpSessionId>,
    /// When the hold for a tab-flavour client is checked again.
    deadline: Option<Instant>,
    /// Its number in order of announcement.
    number: u64,
}

#[derive(Debug)]
struct Attachment {
    lease: Option<LeaseId>,
    target: TargetId,
    /// The CDP session that attached: the only one through which it can be detached.
    parent: Option<CdpSessionId>,
    /// The CDP session on which a client knows it, if that is not `parent`.
    shown_on: Option<CdpSessionId>,
    /// Made by a browser-level auto-attach, and ended with it.
    auto: bool,
    /// Unknown to clients: a lease's base, and what the proxy attaches through it. It keeps no
    /// target waiting.
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
    /// The target is paused and this root asked to wait; Chrome's `waitingForDebugger` does not
    /// show that.
    waiting: bool,
    /// Auto-attach was turned off meanwhile: it is detached as soon as it is announced, and no
    /// client is told.
    unwanted: bool,
}

#[derive(Debug)]
struct Root {
    id: CdpSessionId,
    lease: LeaseId,
    interest: Interest,
}

/// All entries.
#[derive(Debug)]
pub(super) struct Plain {
    watchers: [CdpSessionId; 2],
    contexts: HashMap<ContextId, LeaseId>,
    targets: HashMap<TargetId, Target>,
    attachments: HashMap<CdpSessionId, Attachment>,
    /// Roots that auto-attach, in the order they asked.
    roots: Vec<Root>,
    /// The last tab of a context, until its page is announced.
    unpaired: HashMap<ContextId, TargetId>,
    /// Attachments that auto-attach asked for explicitly and Chrome has not announced yet.
    expected: Vec<Expected>,
    /// Replies that wait for the announcement of the target that they name.
    withheld: Vec<(CdpSessionId, TargetId, CallId)>,
    /// Holds in the order they began, which is the order they end; one that ended early is passed over.
    holds: VecDeque<(Instant, TargetId)>,
    /// The waiting events in contexts where a page of the proxy's own is being created.
    concealing: HashMap<ContextId, Vec<Deferred>>,
    /// Pages of the proxy's own, with their tabs and child targets: never shown.
    own_pages: HashSet<TargetId>,
    /// The web origins seen in each context, the latest last.
    origins: HashMap<ContextId, VecDeque<String>>,
    /// The permissions set in each context.
    rulings: HashMap<ContextId, Rulings>,
    /// The number of targets so far.
    number: u64,
    effects: VecDeque<Effect>,
    /// The number of holds that ended at their deadline.
    pub(super) expired_holds: u64,
}

impl Plain {
    /// `watchers` are the CDP sessions of the page and the tab watcher; `downloads` is the one with
    /// download events.
    pub(super) fn new(watchers: [CdpSessionId; 2], downloads: &CdpSessionId) -> Self {
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
            withheld: Vec::new(),
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

    /// The next effect, in order.
    pub(super) fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        let is_over = |(root, target, _): &(CdpSessionId, TargetId, CallId)| {
            !self.expected.iter().any(|other| other.root == *root && other.target == *target && !other.unwanted)
        };
        let next = self.withheld.iter().filter(|withheld| is_over(withheld)).map(|(.., reply)| *reply).min()?;
        self.withheld.retain(|(.., reply)| *reply != next);
        Some(Effect::Answer(next))
    }

    /// When [`Plain::on_timeout`] is to be called.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.holds.front().map(|(at, _)| *at)
    }

    /// The lease of a CDP session; `None` for the proxy's own and for unknown ones.
    pub(super) fn lease_of(&self, session: &str) -> Option<LeaseId> {
        self.attachments.get(session)?.lease
    }

    /// Everything attached through a CDP session, deepest first.
    pub(super) fn below(&self, session: &CdpSessionId) -> Vec<CdpSessionId> {
        let mut below = Vec::new();
        for child in self.attachments.get(session).map(|attachment| attachment.children.as_slice()).unwrap_or_default()
        {
            below.extend(self.below(child));
            below.push(child.clone());
        }
        below
    }

    /// The lease that owns a target.
    pub(super) fn owner(&self, target: &str) -> Option<LeaseId> {
        self.context_owner(self.targets.get(target)?.context.as_ref())
    }

    /// The pages of these leases.
    pub(super) fn pages_of(&self, leases: &[LeaseId]) -> Vec<(TargetId, LeaseId)> {
        let owned =
            |target: &Target| self.context_owner(target.context.as_ref()).filter(|lease| leases.contains(lease));
        let pages = self.targets.iter().filter(|(_, target)| target.kind == Some(Kind::Page));
        pages.filter_map(|(id, target)| Some((id.clone(), owned(target)?))).collect()
    }

    /// The contexts of a lease.
    pub(super) fn contexts_of(&self, lease: LeaseId) -> Vec<ContextId> {
        self.contexts.iter().filter(|(_, owner)| **owner == lease).map(|(context, _)| context.clone()).collect()
    }

    /// The number of contexts that belong to a lease, and of all targets and CDP sessions.
    pub(super) fn census(&self) -> (usize, usize, usize) {
        (self.contexts.len(), self.targets.len(), self.attachments.len())
    }

    /// A lease has created a context.
    pub(super) fn bind(&mut self, context: ContextId, lease: LeaseId) {
        self.contexts.insert(context, lease);
    }

    /// The proxy has made a browser-level CDP session for itself or for a lease.
    pub(super) fn root(&mut self, session: CdpSessionId, lease: Option<LeaseId>) {
        self.attachments.entry(session).or_insert_with(|| Attachment::new(lease, TargetId::from(""), None)).lease =
            lease;
    }

    /// Reports the existing targets of a lease to a session that starts.
    pub(super) fn introduce(&mut self, lease: LeaseId) {
        for (id, target) in &self.targets {
            if target.presentable && self.context_owner(target.context.as_ref()) == Some(lease) {
                let told = Told::Created { target: id.clone(), info: target.info.clone() };
                self.effects.push_back(Effect::Deliver(lease, told));
            }
        }
    }

    /// A lease has ended: its auto-attach ends, what it held is resumed, and its contexts have no
    /// owner until Chrome has disposed of them. Returns its browser-level CDP sessions, which are
    /// to be detached.
    pub(super) fn release(&mut self, lease: LeaseId) -> Vec<CdpSessionId> {
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
            self.release_holds(&id);
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
    pub(super) fn on_created(&mut self, json: &str, now: Instant) {
        let Some(info) = TargetInfo::read(json) else { return };
        if self.defer(&info, || Deferred::Created(json.to_owned())) {
            return;
        }
        self.remember(&info);
        let kind = shown_kind(&info);
        // Child targets of a hidden page are hidden too.
        if info.parent.as_ref().is_some_and(|parent| self.own_pages.contains(parent)) {
            self.own_pages.insert(info.id.clone());
        }
        let own = self.own_pages.contains(&info.id);
        self.number += 1;
        let target = self.targets.entry(info.id.clone()).or_default();
        target.number = self.number;
        json.clone_into(&mut target.info);
        target.kind = Some(kind);
        target.chromes_kind = Some(info.kind);
        target.context.clone_from(&info.context);
        target.parent.clone_from(&info.parent);
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
                        if let Some(target) = self.targets.get_mut(&tab) {
                            target.page = Some(info.id.clone());
                        }
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
    pub(super) fn on_changed(&mut self, json: &str) {
        let Some(info) = TargetInfo::read(json) else { return };
        if self.defer(&info, || Deferred::Changed(json.to_owned())) {
            return;
        }
        self.remember(&info);
        let Some(target) = self.targets.get_mut(&info.id) else { return };
        json.clone_into(&mut target.info);
        // Chrome renames its own user interface to `page` while a context is disposed of: hidden
        // targets stay hidden.
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

    /// A target has navigated to a URL of Chrome's own: its clients are detached and told that it
    /// was destroyed.
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
        self.release_holds(id);
        if let Some(lease) = owner {
            self.effects.push_back(Effect::Deliver(lease, Told::Destroyed { target: id.clone() }));
        }
    }

    /// `Target.targetDestroyed` on the root connection.
    pub(super) fn on_destroyed(&mut self, id: &str) {
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
    pub(super) fn on_crashed(&mut self, id: &str, params: &str) {
        if self.defer_for(id, |id| Deferred::Crashed(id, params.to_owned())) {
            return;
        }
        if let Some(target) = self.targets.get_mut(id) {
            target.opener = None;
        }
        if let Some((id, target)) = self.targets.get_key_value(id)
            && target.presentable
            && let Some(lease) = self.context_owner(target.context.as_ref())
        {
            let told = Told::Crashed { target: id.clone(), params: params.to_owned() };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    /// The pages that wait for a window, with the window.
    pub(super) fn openers(&self) -> BTreeSet<(TargetId, TargetId)> {
        let is_held = |id: &TargetId, target: &Target| {
            target.held.iter().chain(&target.handed).any(Option::is_some) || self.is_waited_for(id)
        };
        let tab_is_held = |page: &TargetId| {
            self.targets.iter().any(|(id, target)| target.page.as_ref() == Some(page) && is_held(id, target))
        };
        let windows = self.targets.iter().filter(|(id, target)| is_held(id, target) || tab_is_held(id));
        windows.filter_map(|(id, target)| Some((target.opener.clone()?, id.clone()))).collect()
    }

    fn context_owner(&self, context: Option<&ContextId>) -> Option<LeaseId> {
        self.contexts.get(context?).copied()
    }

    fn tell_created(&mut self, id: &TargetId) {
        let Some(target) = self.targets.get(id).filter(|target| target.presentable) else { return };
        if let Some(lease) = self.context_owner(target.context.as_ref()) {
            let told = Told::Created { target: id.clone(), info: target.info.clone() };
            self.effects.push_back(Effect::Deliver(lease, told));
        }
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &CdpSessionId> {
        self.attachments.keys()
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = &TargetId> {
        self.targets.keys()
    }

    pub(super) fn leases(&self) -> Vec<LeaseId> {
        self.contexts.values().copied().collect::<HashSet<_>>().into_iter().collect()
    }
}
