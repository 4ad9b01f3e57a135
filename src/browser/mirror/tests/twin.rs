//! The mirror and [`Plain`] side by side: both get the same events, and must have the same answers
//! and effects.

use std::ops::Deref;

use super::{plain::Plain, *};
use crate::port::Interest;

/// Reads go to the mirror; changes only through the methods below.
pub(super) struct Twin {
    mirror: Mirror,
    plain: Plain,
    effects: VecDeque<Effect>,
}

impl Deref for Twin {
    type Target = Mirror;

    fn deref(&self) -> &Mirror {
        &self.mirror
    }
}

/// An event for both, whose results must be equal.
macro_rules! both {
    ($(fn $name:ident($($arg:ident: $type:ty),*) $(-> $answer:ty)?;)*) => {
        $(pub(super) fn $name(&mut self, $($arg: $type),*) $(-> $answer)? {
            let answer = self.mirror.$name($(<$type as Clone>::clone(&$arg)),*);
            let plain = self.plain.$name($($arg),*);
            assert_eq!(answer, plain, "{}", stringify!($name));
            self.compare(stringify!($name));
            answer
        })*
    };
}

impl Twin {
    pub(super) fn new(watchers: &[CdpSessionId; 2], downloads: &CdpSessionId) -> Self {
        let (mirror, plain) = (Mirror::new(watchers.clone(), downloads), Plain::new(watchers.clone(), downloads));
        Self { mirror, plain, effects: VecDeque::new() }
    }

    both! {
        fn bind(context: ContextId, lease: LeaseId);
        fn root(session: CdpSessionId, lease: Option<LeaseId>);
        fn on_created(json: &str, now: Instant);
        fn on_changed(json: &str);
        fn on_destroyed(id: &str);
        fn on_crashed(id: &str, params: &str);
        fn on_attached(on: Option<&CdpSessionId>, child: CdpSessionId, json: &str, waiting: bool, now: Instant);
        fn on_detached(child: &str);
        fn withhold(root: &CdpSessionId, target: &str, reply: CallId) -> bool;
        fn on_attach_refused(root: &CdpSessionId, target: &str);
        fn auto_attach(root: &CdpSessionId, interest: Option<Interest>) -> Vec<TargetId>;
        fn detach(session: &CdpSessionId) -> Way;
        fn on_resume(on: &CdpSessionId, children: bool) -> Resume;
        fn on_timeout(now: Instant);
        fn conceal(context: &ContextId) -> bool;
        fn concealed(context: &ContextId, target: Option<TargetId>, now: Instant);
        fn reveal(page: &TargetId, emulated: Option<(CdpSessionId, Vec<Change>)>);
    }

    pub(super) fn introduce(&mut self, lease: LeaseId) {
        self.mirror.introduce(lease);
        self.plain.introduce(lease);
        self.compare_unordered("introduce");
    }

    pub(super) fn release(&mut self, lease: LeaseId) -> Vec<CdpSessionId> {
        let (mut roots, mut plain) = (self.mirror.release(lease), self.plain.release(lease));
        roots.sort();
        plain.sort();
        assert_eq!(roots, plain, "release");
        self.compare_unordered("release");
        roots
    }

    pub(super) fn attached_by(&self, root: &CdpSessionId) -> Vec<CdpSessionId> {
        let (ours, mut plain) = (self.mirror.attached_by(root), self.plain.attached_by(root));
        plain.sort();
        assert_eq!(ours, plain, "attached_by");
        ours
    }

    pub(super) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// As [`Twin::compare`], but [`Plain`] does not order the targets.
    fn compare_unordered(&mut self, what: &str) {
        let ours: Vec<Effect> = std::iter::from_fn(|| self.mirror.poll_effect()).collect();
        let plain: Vec<Effect> = std::iter::from_fn(|| self.plain.poll_effect()).collect();
        let spelled = |effects: &[Effect]| {
            let mut spelled: Vec<String> = effects.iter().map(|effect| format!("{effect:?}")).collect();
            spelled.sort_unstable();
            spelled
        };
        assert_eq!(spelled(&ours), spelled(&plain), "{what}");
        self.effects.extend(ours);
    }

    /// The effects of both are equal.
    fn compare(&mut self, what: &str) {
        loop {
            let (ours, plain) = (self.mirror.poll_effect(), self.plain.poll_effect());
            assert_eq!(ours, plain, "after {what}");
            match ours {
                Some(effect) => self.effects.push_back(effect),
                None => break,
            }
        }
    }

    /// The state of both is equal, and each index of the mirror equals the result of a scan.
    pub(super) fn check(&self) {
        let Self { mirror, plain, .. } = self;
        mirror.targets.check();
        mirror.attachments.check();
        mirror.expected.check();
        mirror.roots.check();
        assert_eq!(mirror.openers.pairs(), plain.openers());
        assert_eq!(mirror.census(), plain.census());
        assert_eq!(mirror.next_timeout(), plain.next_timeout());
        assert_eq!(mirror.expired_holds, plain.expired_holds);
        for session in plain.sessions() {
            assert_eq!(mirror.lease_of(session.as_str()), plain.lease_of(session.as_str()));
            assert_eq!(mirror.below(session), plain.below(session));
        }
        for target in plain.targets() {
            assert_eq!(mirror.owner(target.as_str()), plain.owner(target.as_str()));
            assert_eq!(mirror.has_client(target), plain.has_client(target));
            assert_eq!(mirror.is_held(target), plain.is_held(target));
            assert_eq!(mirror.is_waited_for(target), plain.is_waited_for(target));
            assert_eq!(mirror.is_shared_worker(target), plain.is_shared_worker(target));
        }
        let leases: Vec<LeaseId> = plain.leases();
        let sorted = |mut pages: Vec<(TargetId, LeaseId)>| {
            pages.sort_unstable();
            pages
        };
        assert_eq!(sorted(mirror.pages_of(&leases)), sorted(plain.pages_of(&leases)));
        for lease in leases {
            let mut contexts = plain.contexts_of(lease);
            contexts.sort_unstable();
            assert_eq!(mirror.contexts_of(lease), contexts);
            assert_eq!(format!("{:?}", mirror.survey(lease)), format!("{:?}", plain.survey(lease)));
        }
    }
}
