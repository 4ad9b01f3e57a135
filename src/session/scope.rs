//! What is ours: the contexts, targets and CDP sessions of one session. The isolation invariant lives here.
//!
//! Invariant: a [`ToClient`] can be made only here, for a CDP session that was announced to a view of this session.
//! No byte of another session can reach a socket without it, so a leak does not compile.
//! (`no_message_of_a_stranger_becomes_a_frame`, and the taint proof.)

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

use bytes::Bytes;

use super::{ViewId, in_flight::InFlight, picture::DeviceScale};
use crate::cdp::{
    error::CdpError,
    ids::{CallId, CdpSessionId, ContextId, TargetId},
    message,
    object::quote,
    target::{Filter, Kind, TargetInfo, with_attached},
};

/// CDP sessions of one session that may be told of all its targets, of its downloads or of itself. What is told of once can
/// be long (a URL has up to 2 MB, and a page chooses it), and is made anew for each of them.
pub(super) const MOST_LISTENERS: usize = 32;

/// Bytes of a message that is said inside one `Target.sendMessageToTarget` inside another. Each doubles the backslashes
/// before every quote: a line of a page's console that is nothing but quotes, ten tunnels deep, fills any memory.
const MOST_NESTED: usize = 16 * 1024 * 1024;

/// A frame for one client. Only this file makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToClient {
    text: Bytes,
    /// The text was cut before its `sessionId` and lacks its last brace.
    open: bool,
}

impl ToClient {
    /// The text and what belongs behind it.
    pub fn parts(self) -> (Bytes, &'static str) {
        (self.text, if self.open { "}" } else { "" })
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.text.len() + usize::from(self.open)
    }

    /// Whether it is an event: Chrome writes the method of one first, and so does the proxy.
    pub fn is_event(&self) -> bool {
        self.text.starts_with(br#"{"method":"#)
    }

    /// Whether there is nothing in it; never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A frame that holds nothing but the proxy's own words, for a client whose own frame could not be read.
    pub(super) fn own_words(text: String) -> Self {
        Self { text: Bytes::from(text), open: false }
    }
}

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

/// A CDP session that was announced to a view.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "five independent settings of a client, not states")]
pub(super) struct Cdp {
    pub(super) view: ViewId,
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
}

impl Cdp {
    pub(super) fn new(view: ViewId, parent: Option<CdpSessionId>, target: TargetId, kind: Kind, flat: bool) -> Self {
        Self {
            view,
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
    pub(super) sessions: HashMap<CdpSessionId, Cdp>,
    /// The windows its pages were found in.
    pub(super) windows: HashSet<i32>,
    /// The virtual browser target that every client of this session sees as its browser.
    pub(super) browser: TargetId,
    /// The CDP session on which a view's client speaks without a `sessionId`.
    homes: HashMap<ViewId, CdpSessionId>,
    frames: Vec<(ViewId, ToClient)>,
    /// Views for which something was said that no tunnel carries.
    overgrown: Vec<ViewId>,
    count: u64,
}

impl Scope {
    pub(super) fn new(default_context: ContextId, browser: TargetId) -> Self {
        Self {
            default_context,
            contexts: Vec::new(),
            targets: HashMap::new(),
            sessions: HashMap::new(),
            windows: HashSet::new(),
            browser,
            homes: HashMap::new(),
            frames: Vec::new(),
            overgrown: Vec::new(),
            count: 0,
        }
    }

    /// A view's root, or the page of a page socket: there its client speaks without a `sessionId`.
    pub(super) fn set_home(&mut self, view: ViewId, home: CdpSessionId) {
        self.homes.insert(view, home);
    }

    /// The CDP session that a view's frames without a `sessionId` are for.
    pub(super) fn home(&self, view: ViewId) -> Option<&CdpSessionId> {
        self.homes.get(&view)
    }

    /// A view has gone, with its CDP sessions; returns those.
    pub(super) fn forget_view(&mut self, view: ViewId) -> Vec<(CdpSessionId, Cdp)> {
        self.homes.remove(&view);
        self.frames.retain(|(to, _)| *to != view);
        self.sessions.extract_if(|_, cdp| cdp.view == view).collect()
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

    /// A CDP session that was announced to this view, by the id its client names.
    pub(super) fn find(&self, view: ViewId, id: &str) -> Option<(&CdpSessionId, &Cdp)> {
        self.sessions.get_key_value(id).filter(|(_, cdp)| cdp.view == view)
    }

    /// The frames that are ready, in order.
    pub(super) fn take_frames(&mut self) -> Vec<(ViewId, ToClient)> {
        std::mem::take(&mut self.frames)
    }

    /// A view for which something was said that no tunnel carries, and that was not told of yet.
    pub(super) fn take_overgrown(&mut self) -> Option<ViewId> {
        self.overgrown.pop()
    }

    // ---- What goes to a client.

    /// A message of Chrome's on a CDP session goes to the view it was announced to, or nowhere.
    pub(super) fn admit(&mut self, on: &CdpSessionId, text: Bytes, body_end: usize) {
        let Some(cdp) = self.sessions.get(on) else { return };
        let view = cdp.view;
        if !cdp.flat {
            let inner = [&text[..body_end], b"}"].concat();
            self.wrapped(on, &String::from_utf8_lossy(&inner));
        } else if self.homes.get(&view) == Some(on) {
            self.frames.push((view, ToClient { text: text.slice(..body_end), open: true }));
        } else {
            self.frames.push((view, ToClient { text, open: false }));
        }
    }

    /// A reply to a client's command on one of its CDP sessions.
    pub(super) fn reply(&mut self, on: &CdpSessionId, id: CallId, result: &str) {
        self.say(on, |session| message::reply(id, result, session));
    }

    /// An error for a client's command on one of its CDP sessions.
    pub(super) fn fail(&mut self, on: &CdpSessionId, id: CallId, error: &CdpError) {
        self.say(on, |session| {
            message::error_reply(Some(id), error.code, &error.message, error.data.as_deref(), session)
        });
    }

    /// An event on one of its CDP sessions.
    pub(super) fn event(&mut self, on: &CdpSessionId, method: &str, params: &str) {
        self.say(on, |session| message::event(method, params, session));
    }

    /// An error for a frame that named no CDP session of this view: as Chrome, without a `sessionId`.
    pub(super) fn no_session(&mut self, view: ViewId, id: CallId) {
        let error = CdpError::NO_SESSION;
        let text = message::error_reply(Some(id), error.code, &error.message, None, None);
        self.frames.push((view, ToClient::own_words(text)));
    }

    /// An answer for a frame that could not be read.
    pub(super) fn malformed(&mut self, view: ViewId, text: String) {
        self.frames.push((view, ToClient::own_words(text)));
    }

    fn say(&mut self, on: &CdpSessionId, text: impl FnOnce(Option<&str>) -> String) {
        let Some(cdp) = self.sessions.get(on) else { return };
        let view = cdp.view;
        let is_home = self.homes.get(&view) == Some(on);
        // The root below a page socket: its client does not know that there is one.
        if cdp.parent.is_none() && !is_home {
            return;
        }
        if cdp.flat {
            let text = text((!is_home).then_some(on.as_str()));
            self.frames.push((view, ToClient::own_words(text)));
        } else {
            let inner = text(None);
            self.wrapped(on, &inner);
        }
    }

    /// `Target.receivedMessageFromTarget` on the parent of a CDP session that is not flat.
    pub(super) fn wrapped(&mut self, on: &CdpSessionId, inner: &str) {
        let Some(cdp) = self.sessions.get(on) else { return };
        let Some(parent) = cdp.parent.clone() else { return };
        let in_another = self.sessions.get(&parent).is_some_and(|parent| !parent.flat);
        if in_another && inner.len() > MOST_NESTED {
            if !self.overgrown.contains(&cdp.view) {
                self.overgrown.push(cdp.view);
            }
            return;
        }
        let params = format!(r#"{{"sessionId":"{on}","message":{},"targetId":"{}"}}"#, quote(inner), cdp.target);
        self.event(&parent, "Target.receivedMessageFromTarget", &params);
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
