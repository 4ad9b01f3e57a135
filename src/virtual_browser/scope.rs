//! The contexts, targets and CDP sessions that belong to one session. `outbox` makes the frames for its views.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

use super::{
    cdp_session::{Cdp, Discover},
    outbox::Outbox,
};
use crate::cdp::{
    error::CdpError,
    ids::{CallId, CdpSessionId, ContextId, TargetId},
    target::{Filter, Kind, TargetInfo, with_attached},
};

/// Most CDP sessions of one session that receive the events of all its targets, of its downloads or of the session itself.
/// An event can be long (a URL has up to 2 MB, and a page chooses it), and is copied for each of them.
pub(super) const MOST_LISTENERS: usize = 32;

/// A target that belongs to the session and may be shown to its clients.
#[derive(Debug)]
pub(super) struct Seen {
    /// Chrome's latest `TargetInfo`.
    pub(super) info: String,
    pub(super) kind: Kind,
    pub(super) context: Option<ContextId>,
    /// The position of the target in the order of creation.
    number: u64,
    /// Whether Chrome reports that any CDP session is attached, of this session or not.
    attached: bool,
}

/// The objects of one session.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) default_context: ContextId,
    /// The contexts that clients created, in order.
    pub(super) contexts: Vec<ContextId>,
    pub(super) targets: HashMap<TargetId, Seen>,
    /// The CDP sessions announced to views, and the frames for them.
    pub(super) sessions: Outbox,
    /// The windows of its pages, as far as Chrome has reported them.
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

    /// Whether a context belongs to the session: the default one, or one that a client created.
    pub(super) fn owns_context(&self, id: &str) -> bool {
        self.default_context.as_str() == id || self.contexts.iter().any(|context| context.as_str() == id)
    }

    /// A context was disposed of, with all targets in it.
    pub(super) fn forget_context(&mut self, context: &ContextId) {
        self.contexts.retain(|other| other != context);
        let in_it = |seen: &Seen| seen.context.as_ref() == Some(context);
        let gone: Vec<TargetId> =
            self.targets.iter().filter(|(_, seen)| in_it(seen)).map(|(id, _)| id.clone()).collect();
        for target in gone {
            self.lose(&target);
        }
    }

    // ---- Frames for clients: see `outbox`.

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

    // ---- Targets, as the session's clients see them.

    /// A target was created or has changed: sends the events to the CDP sessions that discover targets.
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

    /// A target was destroyed.
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

    /// The number of targets of a kind.
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
        self.sessions.is_attached(id)
    }

    /// A `TargetInfo` as clients of this session see it; `None` if the target is hidden from them.
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

    /// Starts a discovery. Sends an event for each existing target, as Chrome does before it replies.
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

    /// Sends the changes of a target to each CDP session that discovers targets.
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

    /// Sends `targetCreated` for a new target, `targetInfoChanged` for a changed one, and nothing if the info is the same
    /// as in the last event.
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

    /// A CDP session of this session was attached to a target. Chrome reports `attached:true` then, perhaps without an
    /// event.
    pub(super) fn mark_attached(&mut self, id: &TargetId) {
        if let Some(seen) = self.targets.get_mut(id) {
            seen.attached = true;
        }
        self.tell(id);
    }

    /// Whether a CDP session may receive the events that `listens` tests for, within [`MOST_LISTENERS`]. One that receives
    /// them already may.
    pub(super) fn may_listen(&self, on: &CdpSessionId, listens: impl Fn(&Cdp) -> bool) -> bool {
        self.sessions.iter().filter(|(id, cdp)| *id != on && listens(cdp)).count() < MOST_LISTENERS
    }

    fn discoverers(&self) -> Vec<CdpSessionId> {
        self.sessions.iter().filter(|(_, cdp)| cdp.discover.is_some()).map(|(id, _)| id.clone()).collect()
    }
}
