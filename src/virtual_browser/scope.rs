//! What is ours: the contexts, targets and CDP sessions of one session. What is sent to its views is made in `outbox`.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

use super::{in_flight::InFlight, outbox::Outbox, screenshot::DeviceScale};
use crate::cdp::{
    error::CdpError,
    ids::{CallId, CdpSessionId, ContextId, TargetId},
    target::{Filter, Kind, TargetInfo, with_attached},
};

/// CDP sessions of one session that may be told of all its targets, of its downloads or of itself. What is told of once can
/// be long (a URL has up to 2 MB, and a page chooses it), and is made anew for each of them.
pub(super) const MOST_LISTENERS: usize = 32;

/// A target this session owns and may be shown.
#[derive(Debug)]
pub(super) struct Seen {
    /// Chrome's latest `TargetInfo`.
    pub(super) info: String,
    pub(super) kind: Kind,
    pub(super) context: Option<ContextId>,
    /// The order in which they came.
    number: u64,
    /// Whether anybody at all is attached, by Chrome's word.
    attached: bool,
}

/// The state of a CDP session that was announced to a view.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "five independent settings of a client, not states")]
pub(super) struct Cdp {
    /// The one on which it was announced; a view's own root has none.
    pub(super) parent: Option<CdpSessionId>,
    pub(super) target: TargetId,
    /// `Browser` for a root.
    pub(super) kind: Kind,
    /// The auto-attach of the page or worker above it made it.
    pub(super) below: bool,
    /// False for one that the client speaks to by `Target.sendMessageToTarget`.
    pub(super) flat: bool,
    /// Commands on their way under the client's own ids.
    pub(super) in_flight: InFlight,
    /// `Target.setDiscoverTargets`, if it is on.
    pub(super) discover: Option<Discover>,
    /// `Target.setAutoAttach` on this one is on, for what is below it.
    pub(super) auto_attach: bool,
    /// What that attaches is spoken to by `Target.sendMessageToTarget`.
    pub(super) children_not_flat: bool,
    /// `eventsEnabled` of its `Browser.setDownloadBehavior`.
    pub(super) download_events: bool,
    /// What its `Emulation.setDeviceMetricsOverride` makes of pictures.
    pub(super) device_scale: DeviceScale,
    /// Bytes of response bodies that it keeps beyond what each may.
    pub(super) bodies_beyond: f64,
}

impl Cdp {
    pub(super) fn new(parent: Option<CdpSessionId>, target: TargetId, kind: Kind, flat: bool) -> Self {
        Self {
            parent,
            target,
            kind,
            below: false,
            flat,
            in_flight: InFlight::default(),
            discover: None,
            auto_attach: false,
            children_not_flat: false,
            download_events: false,
            device_scale: DeviceScale::default(),
            bodies_beyond: 0.0,
        }
    }

    /// Whether commands on it are judged by the rules for roots.
    pub(super) fn is_root(&self) -> bool {
        self.kind == Kind::Browser
    }
}

/// A discovery that is on, and what it has told.
#[derive(Debug)]
pub(super) struct Discover {
    pub(super) filter: Filter,
    /// What was told last of each target, hashed: the info itself can be long.
    told: HashMap<TargetId, u64>,
}

impl Discover {
    pub(super) fn new(filter: Filter) -> Self {
        Self { filter, told: HashMap::new() }
    }
}

/// What belongs to one session.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) default_context: ContextId,
    /// The contexts its clients made, in order.
    pub(super) contexts: Vec<ContextId>,
    pub(super) targets: HashMap<TargetId, Seen>,
    /// The CDP sessions announced to its views, and what is sent on them.
    pub(super) sessions: Outbox,
    /// The windows its pages were found in.
    pub(super) windows: HashSet<i32>,
    /// The virtual browser target that every client of this session sees as its browser.
    pub(super) browser: TargetId,
    count: u64,
}

impl Scope {
    pub(super) fn new(default_context: ContextId, browser: TargetId) -> Self {
        Self {
            default_context,
            contexts: Vec::new(),
            targets: HashMap::new(),
            sessions: Outbox::default(),
            windows: HashSet::new(),
            browser,
            count: 0,
        }
    }

    /// A context of this session: its default one, or one its clients made.
    pub(super) fn owns_context(&self, id: &str) -> bool {
        self.default_context.as_str() == id || self.contexts.iter().any(|context| context.as_str() == id)
    }

    /// A context has been disposed of, with all that was in it.
    pub(super) fn forget_context(&mut self, context: &ContextId) {
        self.contexts.retain(|other| other != context);
        let in_it = |seen: &Seen| seen.context.as_ref() == Some(context);
        let gone: Vec<TargetId> =
            self.targets.iter().filter(|(_, seen)| in_it(seen)).map(|(id, _)| id.clone()).collect();
        for target in gone {
            self.lose(&target);
        }
    }

    // ---- What goes to a client, as in `outbox`.

    /// A reply to a client's command on one of its CDP sessions.
    pub(super) fn reply(&mut self, on: &CdpSessionId, id: CallId, result: &str) {
        self.sessions.reply(on, id, result);
    }

    /// An error for a client's command on one of its CDP sessions.
    pub(super) fn fail(&mut self, on: &CdpSessionId, id: CallId, error: &CdpError) {
        self.sessions.fail(on, id, error);
    }

    /// An event on one of its CDP sessions.
    pub(super) fn event(&mut self, on: &CdpSessionId, method: &str, params: &str) {
        self.sessions.event(on, method, params);
    }

    // ---- Targets as this session sees them.

    /// A target is there, or has changed: its discoverers are told what is new to them.
    pub(super) fn see(&mut self, id: &TargetId, json: &str) {
        let Some(info) = TargetInfo::read(json) else { return };
        if !info.kind.is_ordinary() || !info.context.as_ref().is_some_and(|context| self.owns_context(context.as_str()))
        {
            return;
        }
        self.count += 1;
        let number = self.targets.get(id).map_or(self.count, |seen| seen.number);
        let seen =
            Seen { info: json.to_owned(), kind: info.kind, context: info.context, number, attached: info.attached };
        self.targets.insert(id.clone(), seen);
        self.tell(id);
    }

    /// A target is gone.
    pub(super) fn lose(&mut self, id: &TargetId) {
        self.targets.remove(id);
        let params = format!(r#"{{"targetId":"{id}"}}"#);
        for on in self.discoverers() {
            let told = self
                .sessions
                .get_mut(&on)
                .and_then(|cdp| cdp.discover.as_mut())
                .and_then(|discover| discover.told.remove(id));
            if told.is_some() {
                self.event(&on, "Target.targetDestroyed", &params);
            }
        }
    }

    /// A target crashed.
    pub(super) fn crashed(&mut self, id: &TargetId, params: &str) {
        for on in self.discoverers() {
            if self
                .sessions
                .get(&on)
                .and_then(|cdp| cdp.discover.as_ref())
                .is_some_and(|discover| discover.told.contains_key(id))
            {
                self.event(&on, "Target.targetCrashed", params);
            }
        }
    }

    /// How many targets of a kind there are.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.targets.values().filter(|seen| seen.kind == kind).count()
    }

    /// The targets of a kind, oldest first.
    pub(super) fn of_kind(&self, kind: Kind) -> Vec<TargetId> {
        let all = self.targets.iter().filter(|(_, seen)| seen.kind == kind);
        let mut all: Vec<(u64, TargetId)> = all.map(|(id, seen)| (seen.number, id.clone())).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether a CDP session of this session is attached to a target.
    pub(super) fn is_attached(&self, id: &TargetId) -> bool {
        self.sessions.values().any(|cdp| cdp.target == *id)
    }

    /// A `TargetInfo` as this session's clients see it; `None` if they may not.
    pub(super) fn shown<'a>(&self, json: &'a str) -> Option<(Kind, Cow<'a, str>)> {
        let info = TargetInfo::read(json)?;
        let seen = self.targets.get(&info.id)?;
        Some((seen.kind, with_attached(json, info.attached && self.is_attached(&info.id))))
    }

    /// The virtual browser target's `TargetInfo`.
    pub(super) fn browser_info(&self) -> String {
        format!(
            r#"{{"targetId":"{}","type":"browser","title":"","url":"","attached":true,"canAccessOpener":false}}"#,
            self.browser
        )
    }

    /// Starts a discovery: all that is there is told, as Chrome does before it replies.
    pub(super) fn discover(&mut self, on: &CdpSessionId, filter: Option<Filter>) {
        let Some(cdp) = self.sessions.get_mut(on) else { return };
        let Some(filter) = filter else {
            cdp.discover = None;
            return;
        };
        let shows_browser = filter.matches(Kind::Browser);
        match &mut cdp.discover {
            Some(discover) => discover.filter = filter,
            None => cdp.discover = Some(Discover::new(filter)),
        }
        if shows_browser {
            let (browser, info) = (self.browser.clone(), self.browser_info());
            self.tell_one(on, &browser, &info);
        }
        let mut all: Vec<(u64, TargetId)> = self.targets.iter().map(|(id, seen)| (seen.number, id.clone())).collect();
        all.sort_unstable();
        for (_, id) in all {
            self.tell_on(on, &id);
        }
    }

    /// Tells every discoverer what it does not know of a target yet.
    pub(super) fn tell(&mut self, id: &TargetId) {
        for on in self.discoverers() {
            self.tell_on(&on, id);
        }
    }

    fn tell_on(&mut self, on: &CdpSessionId, id: &TargetId) {
        let Some(seen) = self.targets.get(id) else { return };
        let wanted = self
            .sessions
            .get(on)
            .and_then(|cdp| cdp.discover.as_ref())
            .is_some_and(|discover| discover.filter.matches(seen.kind));
        if wanted {
            let info = with_attached(&seen.info, seen.attached && self.is_attached(id)).into_owned();
            self.tell_one(on, id, &info);
        }
    }

    /// `targetCreated` if it is new, `targetInfoChanged` if it differs, nothing if it is what was told last.
    fn tell_one(&mut self, on: &CdpSessionId, id: &TargetId, info: &str) {
        let Some(discover) = self.sessions.get_mut(on).and_then(|cdp| cdp.discover.as_mut()) else { return };
        let now = BuildHasherDefault::<DefaultHasher>::default().hash_one(info);
        let method = match discover.told.insert(id.clone(), now) {
            None => "Target.targetCreated",
            Some(before) if before != now => "Target.targetInfoChanged",
            Some(_) => return,
        };
        self.event(on, method, &format!(r#"{{"targetInfo":{info}}}"#));
    }

    /// Chrome says `attached:true` of a target that one of ours has just been attached to, perhaps without an event.
    pub(super) fn mark_attached(&mut self, id: &TargetId) {
        if let Some(seen) = self.targets.get_mut(id) {
            seen.attached = true;
        }
        self.tell(id);
    }

    /// Whether one more CDP session may be told of what `listens` tells of; one that is told already may.
    pub(super) fn may_listen(&self, on: &CdpSessionId, listens: impl Fn(&Cdp) -> bool) -> bool {
        self.sessions.iter().filter(|(id, cdp)| *id != on && listens(cdp)).count() < MOST_LISTENERS
    }

    fn discoverers(&self) -> Vec<CdpSessionId> {
        self.sessions.iter().filter(|(_, cdp)| cdp.discover.is_some()).map(|(id, _)| id.clone()).collect()
    }
}
