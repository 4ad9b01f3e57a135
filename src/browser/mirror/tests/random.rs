//! Random events with a simulated Chrome that performs the mirror's effects, at once or later. The
//! model without indexes gets the same events and must have the same effects.

use std::collections::{BTreeMap, HashSet};

use proptest::{collection::vec, prelude::*};

use super::{twin::Twin, *};

#[derive(Debug)]
struct Simulated {
    lease: LeaseId,
    json: String,
    kind: &'static str,
    /// A tab's page.
    page: Option<String>,
    waits: bool,
    alive: bool,
}

#[derive(Debug)]
struct Attached {
    target: String,
    parent: Option<String>,
    resumed: bool,
}

/// A command that the mirror or a client has sent.
#[derive(Debug)]
enum Command {
    Resume(String),
    Detach(String, Option<String>),
    Attach(String, String),
}

/// Chrome, and the clients of all leases.
struct World {
    mirror: Twin,
    now: Instant,
    targets: BTreeMap<String, Simulated>,
    sessions: BTreeMap<String, Attached>,
    /// Roots and their leases; the first root of each lease is its base.
    roots: Vec<(String, LeaseId)>,
    leases: Vec<LeaseId>,
    upstream: VecDeque<Command>,
    /// CDP sessions that a client knows, and those that a client ever knew.
    known: BTreeMap<String, LeaseId>,
    /// The CDP session on which a client was told of each.
    shown_on: BTreeMap<String, String>,
    ever: BTreeMap<String, LeaseId>,
    /// Attaches that a client requested itself.
    explicit: HashSet<(String, String)>,
    /// Withheld replies, with the root that asked, the page they name, and the targets that the root must be told of first.
    withheld: BTreeMap<CallId, (String, String, Vec<String>)>,
    count: usize,
}

impl World {
    fn new() -> Self {
        Self {
            mirror: Twin::new(&["PW".into(), "TW".into()], &"DW".into()),
            now: Instant::now(),
            targets: BTreeMap::new(),
            sessions: BTreeMap::new(),
            roots: Vec::new(),
            leases: Vec::new(),
            upstream: VecDeque::new(),
            known: BTreeMap::new(),
            shown_on: BTreeMap::new(),
            ever: BTreeMap::new(),
            explicit: HashSet::new(),
            withheld: BTreeMap::new(),
            count: 0,
        }
    }

    fn name(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}", self.count)
    }

    fn act(&mut self, (what, a, b, c): (u8, usize, usize, u8)) {
        let flag = |bit: u8| c & (1 << bit) != 0;
        match what {
            0 if self.leases.len() < 3 => {
                let lease = LeaseId(self.name("").parse().expect("a number"));
                self.leases.push(lease);
                self.mirror.bind(format!("C{}", lease.0).into(), lease);
                self.new_root(lease);
            }
            1 => {
                if let Some(lease) = pick(&self.leases, a) {
                    self.new_root(lease);
                }
            }
            2 | 3 => {
                if let Some((root, _)) = pick(&self.roots, a) {
                    let flavour = if flag(0) { Flavour::Tab } else { Flavour::Page };
                    let filter = match flavour {
                        Flavour::Tab => Filter::read(PUPPETEER).expect("a filter"),
                        Flavour::Page => Filter::default_of_chrome(),
                    };
                    let interest = Interest { flavour, filter, wait: !flag(1) };
                    for target in self.mirror.auto_attach(&root.as_str().into(), Some(interest)) {
                        self.upstream.push_back(Command::Attach(target.to_string(), root.clone()));
                    }
                }
            }
            4 => {
                if let Some((root, _)) = pick(&self.roots, a) {
                    let root = root.as_str().into();
                    self.mirror.auto_attach(&root, None);
                    for session in self.mirror.attached_by(&root) {
                        self.detach(session.as_str());
                    }
                }
            }
            5 | 6 => {
                if let Some(lease) = pick(&self.leases, a) {
                    let kind = if flag(3) { "browser_ui" } else { "page" };
                    let page = self.new_page(lease, kind, flag(0), flag(1), flag(2));
                    // A client created it; the reply follows Chrome's events about the page.
                    let of_lease: Vec<_> = self.roots.iter().filter(|(_, owner)| *owner == lease).cloned().collect();
                    if let Some((root, _)) = pick(&of_lease, b).filter(|_| flag(4)) {
                        self.answer_naming(root, page);
                    }
                }
            }
            7 => {
                if let Some(lease) = pick(&self.leases, a) {
                    let worker = self.new_target(lease, "worker", "");
                    self.watch("PW", &worker);
                    self.pump(usize::from(c & 1));
                    self.watch("TW", &worker);
                }
            }
            8 => {
                if let Some(on) = self.client(a) {
                    let on_target = &self.targets[&self.sessions[&on].target];
                    let (lease, page) = (on_target.lease, on_target.page.clone());
                    let target = page.unwrap_or_else(|| self.new_target(lease, "iframe", ""));
                    self.attach(&target, Some(on), false);
                }
            }
            9 | 10 => {
                if let Some(on) = self.client(a)
                    && self.mirror.on_resume(&on.as_str().into(), flag(0)) == Resume::Pass
                {
                    self.upstream.push_back(Command::Resume(on));
                }
            }
            11 => {
                if let Some(session) = self.client(a) {
                    self.detach(&session);
                }
            }
            12 => {
                let alive: Vec<String> = self.alive().collect();
                if let Some(target) = pick(&alive, a) {
                    self.destroy(&target);
                }
            }
            13 => {
                let alive: Vec<String> = self.alive().collect();
                if let Some(target) = pick(&alive, a) {
                    let url = if flag(0) { "chrome://x" } else { "http://y/" };
                    let json = self.targets[&target].json.replace("http://x/", url);
                    self.mirror.on_changed(&json);
                }
            }
            14 => {
                if let Some(lease) = pick(&self.leases, a) {
                    self.release(lease);
                }
            }
            15 => {
                self.now += Duration::from_secs(b as u64 % 4);
                self.mirror.on_timeout(self.now);
            }
            16 => {
                // A view ends; the base lives as long as its lease.
                let views: Vec<_> = self.roots.iter().filter(|(root, _)| root.starts_with('V')).cloned().collect();
                if let Some((root, _)) = pick(&views, a) {
                    self.upstream.push_back(Command::Detach(root, None));
                }
            }
            17 => {
                let alive: Vec<String> = self.alive().collect();
                if let (Some((root, lease)), Some(target)) = (pick(&self.roots, a), pick(&alive, b))
                    && self.targets[&target].lease == lease
                    && self.mirror.targets.get(&target).is_some_and(|target| target.presentable)
                {
                    self.explicit.insert((root.clone(), target.clone()));
                    self.upstream.push_back(Command::Attach(target, root));
                }
            }
            18 => {
                if let Some(lease) = pick(&self.leases, a) {
                    self.mirror.introduce(lease);
                }
            }
            19 => {
                let alive: Vec<String> = self.alive().collect();
                if let Some(target) = pick(&alive, a) {
                    self.mirror.on_crashed(&target, "{}");
                }
            }
            20 => {
                if let Some(lease) = pick(&self.leases, a) {
                    self.new_own_page(lease, c);
                }
            }
            _ => self.pump(1 + b % 8),
        }
        self.obey();
        self.mirror.check();
    }

    /// A hidden page is created while another page is announced; it is refused, closed or revealed.
    fn new_own_page(&mut self, lease: LeaseId, flags: u8) {
        let flag = |bit: u8| flags & (1 << bit) != 0;
        let context = ContextId::from(format!("C{}", lease.0));
        assert!(self.mirror.conceal(&context) && !self.mirror.conceal(&context));
        let before: HashSet<String> = self.alive().collect();
        let _ = self.new_page(lease, "page", false, flag(0), flag(1));
        if flag(2) {
            let _ = self.new_page(lease, "page", false, false, flag(3));
        }
        let new: Vec<String> = self.alive().filter(|id| !before.contains(id)).collect();
        if flag(4) {
            self.mirror.on_changed(&self.targets[&new[0]].json.replace("http://x/", "http://y/"));
            self.mirror.on_crashed(&new[0], "{}");
        }
        if flag(5) {
            self.destroy(&new[0]);
        }
        let page = new.into_iter().find(|id| self.targets[id].kind == "page").expect("it is new");
        let page = TargetId::from(page);
        self.mirror.concealed(&context, (!flag(6)).then(|| page.clone()), self.now);
        self.obey();
        if flag(7) {
            self.mirror.reveal(&page, None);
        }
    }

    fn new_root(&mut self, lease: LeaseId) {
        let is_base = self.roots.iter().all(|(_, other)| *other != lease);
        let root = self.name(if is_base { "R" } else { "V" });
        self.mirror.root(root.as_str().into(), Some(lease));
        self.sessions.insert(root.clone(), Attached { target: String::new(), parent: None, resumed: true });
        self.roots.push((root, lease));
    }

    /// Chrome answers a client's `createTarget`.
    fn answer_naming(&mut self, root: String, page: String) {
        let reply = CallId(i32::try_from(self.count).expect("few"));
        self.count += 1;
        let untold = self.untold(&root, &page);
        if self.mirror.withhold(&root.as_str().into(), &page, reply) {
            self.withheld.insert(reply, (root, page, untold));
        } else {
            assert!(untold.is_empty(), "{root} is answered {page} before it is told of {untold:?}");
        }
    }

    /// What the auto-attach of this root will attach it to by way of this page, and has not told it of.
    fn untold(&self, root: &str, page: &str) -> Vec<String> {
        if self.mirror.roots.get(&root.into()).is_none() {
            return Vec::new();
        }
        let tab = self
            .targets
            .iter()
            .find(|(_, tab)| tab.alive && tab.page.as_deref() == Some(page))
            .map(|(id, _)| id.as_str());
        let to_come = |command: &Command| match command {
            // What a client attaches itself is announced when it is.
            Command::Attach(target, on) if self.explicit.contains(&(on.clone(), target.clone())) => None,
            Command::Attach(target, on) => {
                (on == root && (target == page || Some(target.as_str()) == tab)).then(|| target.clone())
            }
            _ => None,
        };
        self.upstream.iter().filter_map(to_come).collect()
    }

    fn new_page(&mut self, lease: LeaseId, kind: &'static str, opener: bool, access: bool, late: bool) -> String {
        let tab = self.new_target(lease, "tab", "");
        self.watch("TW", &tab);
        self.pump(usize::from(late));
        let rest = format!(r#"{},"canAccessOpener":{access}"#, if opener { r#","openerId":"O""# } else { "" });
        let page = self.new_target(lease, kind, &rest);
        let target = self.targets.get_mut(&page).expect("it is new");
        target.waits = opener && access;
        self.targets.get_mut(&tab).expect("it is new").page = Some(page.clone());
        self.pump(usize::from(late));
        if kind == "page" {
            self.watch("PW", &page);
        }
        page
    }

    fn new_target(&mut self, lease: LeaseId, kind: &'static str, rest: &str) -> String {
        let id = self.name(&kind[..1]);
        let json = format!(
            r#"{{"targetId":"{id}","type":"{kind}","url":"http://x/","attached":false,"browserContextId":"C{}"{rest}}}"#,
            lease.0
        );
        self.mirror.on_created(&json, self.now);
        self.targets.insert(id.clone(), Simulated { lease, json, kind, page: None, waits: false, alive: true });
        self.obey();
        id
    }

    fn watch(&mut self, watcher: &str, target: &str) {
        if self.targets[target].alive {
            self.attach(target, Some(watcher.to_owned()), true);
        }
    }

    fn attach(&mut self, target: &str, parent: Option<String>, waiting: bool) {
        let session = self.name("S");
        let on = parent.as_deref().map(CdpSessionId::from);
        self.sessions.insert(session.clone(), Attached { target: target.to_owned(), parent, resumed: false });
        let json = self.targets[target].json.clone();
        self.mirror.on_attached(on.as_ref(), session.as_str().into(), &json, waiting, self.now);
        self.obey();
    }

    /// A client detaches.
    fn detach(&mut self, session: &str) {
        let way = self.mirror.detach(&session.into());
        self.obey();
        match way {
            Way::Through(parent) => {
                self.upstream.push_back(Command::Detach(session.to_owned(), Some(parent.to_string())));
            }
            Way::Done => {}
            Way::Unknown => panic!("{session} is known to its client"),
        }
    }

    fn release(&mut self, lease: LeaseId) {
        self.leases.retain(|other| *other != lease);
        self.known.retain(|_, owner| *owner != lease);
        self.roots.retain(|(_, owner)| *owner != lease);
        for root in self.mirror.release(lease) {
            self.upstream.push_back(Command::Detach(root.to_string(), None));
        }
        self.obey();
    }

    /// Chrome ends a CDP session: it sends one event, and none for those below.
    fn end(&mut self, session: &str) {
        if let Some(Attached { .. }) = self.remove(session) {
            self.mirror.on_detached(session);
            self.obey();
        }
        // Its view has ended, and with it its CDP sessions.
        if self.roots.iter().any(|(root, _)| root == session) {
            self.roots.retain(|(root, _)| root != session);
            let mut gone = vec![session.to_owned()];
            while let Some(on) = gone.pop() {
                gone.extend(self.shown_on.iter().filter(|(_, parent)| **parent == on).map(|(child, _)| child.clone()));
                self.known.remove(&on);
            }
        }
    }

    fn remove(&mut self, session: &str) -> Option<Attached> {
        let gone = self.sessions.remove(session)?;
        let is_below = |attached: &Attached| attached.parent.as_deref() == Some(session);
        let below: Vec<_> =
            self.sessions.iter().filter(|(_, attached)| is_below(attached)).map(|(id, _)| id.clone()).collect();
        for session in below {
            self.remove(&session);
        }
        Some(gone)
    }

    fn destroy(&mut self, target: &str) {
        let page = self.targets[target].page.clone();
        let attached: Vec<_> =
            self.sessions.iter().filter(|(_, on)| on.target == target).map(|(id, _)| id.clone()).collect();
        for session in attached {
            self.end(&session);
        }
        if let Some(target) = self.targets.get_mut(target) {
            target.alive = false;
        }
        self.mirror.on_destroyed(target);
        self.obey();
        if let Some(page) = page.filter(|page| self.targets[page].alive) {
            self.destroy(&page);
        }
    }

    fn alive(&self) -> impl Iterator<Item = String> {
        self.targets.iter().filter(|(_, target)| target.alive).map(|(id, _)| id.clone())
    }

    /// A CDP session on a target that a client knows.
    fn client(&self, at: usize) -> Option<String> {
        let there: Vec<String> = self.known.keys().filter(|id| self.sessions.contains_key(*id)).cloned().collect();
        pick(&there, at)
    }

    /// Records the mirror's effects, and checks its events.
    fn obey(&mut self) {
        while let Some(effect) = self.mirror.poll_effect() {
            match effect {
                Effect::Send { on, method: "Runtime.runIfWaitingForDebugger", .. } => {
                    self.upstream.push_back(Command::Resume(on.to_string()));
                }
                Effect::Send { on, params, .. } => {
                    let params: HashMap<String, String> = serde_json::from_str(&params).expect("JSON");
                    self.upstream.push_back(Command::Detach(params["sessionId"].clone(), Some(on.to_string())));
                }
                Effect::ResumeThenDetach { session, on, .. } => {
                    self.upstream.push_back(Command::Resume(session.to_string()));
                    self.upstream.push_back(Command::Detach(session.to_string(), Some(on.to_string())));
                }
                Effect::Attach { root, target, .. } => {
                    self.upstream.push_back(Command::Attach(target.to_string(), root.to_string()));
                }
                Effect::KeepOn { .. } => unreachable!("no step of this test asks for it"),
                Effect::Deliver(lease, told) => self.deliver(lease, told),
                Effect::Answer(reply) => {
                    let (root, page, first) = self.withheld.remove(&reply).expect("it is answered once");
                    // What the root asked for after that may come later.
                    let untold = self.untold(&root, &page).into_iter().find(|target| first.contains(target));
                    if let Some(untold) = untold.filter(|_| self.targets[&page].alive) {
                        panic!("{root} is answered {page} before it is told of {untold}");
                    }
                }
            }
        }
    }

    fn deliver(&mut self, lease: LeaseId, told: Told) {
        assert!(self.leases.contains(&lease), "a released lease is told {told:?}");
        match &told {
            Told::Context { .. } => {}
            Told::Created { target, .. }
            | Told::Changed { target, .. }
            | Told::Destroyed { target }
            | Told::Crashed { target, .. }
            | Told::Emulated { target, .. }
            | Told::SetUp { target, .. }
            | Told::Attached { target, .. }
            | Told::Detached { target, .. } => {
                let theirs = &self.targets[target.as_str()];
                assert_eq!(theirs.lease, lease, "{told:?}");
                assert!(theirs.kind != "browser_ui" && theirs.kind != "other", "{told:?}");
            }
        }
        match told {
            Told::Attached { parent, child, target, .. } => {
                let (parent, child) = (parent.to_string(), child.to_string());
                let root = self.roots.iter().find(|(root, _)| *root == parent).map(|(_, lease)| *lease);
                assert!(root == Some(lease) || self.known.get(&parent) == Some(&lease), "{parent} is not of {lease:?}");
                let attached = &self.sessions[&child];
                let watched = attached.parent.as_deref().is_some_and(|on| on == "PW" || on == "TW");
                assert!(watched || attached.parent.as_deref() == Some(&*parent), "{child} is not below {parent}");
                assert_eq!(self.ever.insert(child.clone(), lease), None, "{child} is told of twice");
                if root.is_some() && !self.explicit.contains(&(parent.clone(), target.to_string())) {
                    let twice = self.known.keys().any(|other| {
                        self.mirror.attachments.get(other).is_some_and(|other| {
                            other.auto && other.target == target && other.told_on() == Some(&parent.as_str().into())
                        })
                    });
                    assert!(!twice, "{target} is attached twice on {parent}");
                }
                self.shown_on.insert(child.clone(), parent);
                self.known.insert(child, lease);
            }
            Told::Detached { child, below, .. } => {
                for gone in below.iter().chain([&child]) {
                    assert_eq!(self.ever.get(gone.as_str()), Some(&lease), "{gone} was never told of");
                    self.known.remove(gone.as_str());
                }
            }
            _ => {}
        }
    }

    /// Chrome performs some of the pending commands.
    fn pump(&mut self, commands: usize) {
        for _ in 0..commands {
            let Some(command) = self.upstream.pop_front() else { return };
            match command {
                Command::Resume(session) => {
                    if let Some(attached) = self.sessions.get_mut(&session) {
                        attached.resumed = true;
                    }
                }
                Command::Detach(session, on) => {
                    let Some(attached) = self.sessions.get(&session).filter(|attached| attached.parent == on) else {
                        continue;
                    };
                    let watched = on.as_deref().is_some_and(|on| on == "PW" || on == "TW");
                    assert!(!watched || attached.resumed, "{session} is detached before it is resumed");
                    let context = session.strip_prefix('R').map(|_| self.mirror.lease_of(&session));
                    self.end(&session);
                    // The base of a released lease ends with its contexts.
                    if context == Some(None) {
                        let gone: Vec<_> =
                            self.alive().filter(|id| !self.leases.contains(&self.targets[id].lease)).collect();
                        for target in gone {
                            if self.targets[&target].alive {
                                self.destroy(&target);
                            }
                        }
                    }
                }
                Command::Attach(target, root) => {
                    if !self.sessions.contains_key(&root) {
                        continue;
                    }
                    if self.targets[&target].alive {
                        self.attach(&target, Some(root), false);
                    } else {
                        self.mirror.on_attach_refused(&root.as_str().into(), &target);
                        self.obey();
                    }
                }
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..3 {
            self.pump(usize::MAX);
            self.now += HOLD;
            self.mirror.on_timeout(self.now);
            self.obey();
        }
        self.pump(usize::MAX);
        assert!(self.upstream.is_empty());
        self.mirror.check();
    }

    /// The watchers hold only targets that a client will attach to.
    fn check_holds(&self) {
        for (session, attached) in &self.sessions {
            let watched = attached.parent.as_deref().is_some_and(|on| on == "PW" || on == "TW");
            if !watched || self.known.contains_key(session) {
                continue;
            }
            let has_client = self
                .known
                .keys()
                .any(|known| self.sessions.get(known).is_some_and(|other| other.target == attached.target));
            let popup = self.targets[&attached.target].waits && has_client;
            let others_wait = self.mirror.is_waited_for(&attached.target.as_str().into());
            assert!(popup || others_wait, "{session} on {} is held for nobody", attached.target);
        }
    }
}

fn pick<T: Clone>(from: &[T], at: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[at % from.len()].clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_events_leave_no_leak_and_match_a_model_without_indexes(
        acts in vec((0..25u8, 0..60usize, 0..60usize, any::<u8>()), 0..120),
    ) {
        let mut world = World::new();
        world.act((0, 0, 0, 0));
        for act in acts {
            world.act(act);
        }
        world.settle();
        world.check_holds();
        assert!(world.withheld.is_empty(), "replies that never go: {:?}", world.withheld);
        for lease in world.leases.clone() {
            world.release(lease);
        }
        world.settle();
        is_empty(&world.mirror);
    }
}
