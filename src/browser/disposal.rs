//! Contexts that nobody holds any more, and when Chrome is to dispose of them: that stops the thread that all tenants
//! share for 6 to 160 ms (*measured*), so it happens while no client says anything, and not long after at the latest.
//! PURE: the clock is an argument.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::cdp::ids::CdpSessionId;

/// For so long no client must have said anything; also the pause between two of them.
const QUIET: Duration = Duration::from_millis(10);
/// However busy the clients are, none waits longer.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// The CDP sessions that wait to be detached, with which their contexts go.
#[derive(Debug, Default)]
pub(super) struct Disposals {
    waiting: VecDeque<(CdpSessionId, Instant)>,
    quiet: Option<Instant>,
}

impl Disposals {
    /// A lease is over: this is what holds its contexts.
    pub(super) fn push(&mut self, base: CdpSessionId, now: Instant) {
        self.waiting.push_back((base, now + LONGEST_WAIT));
        self.quiet.get_or_insert(now + QUIET);
    }

    /// Whether there is nothing to do, and thus nothing to be told.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A client said something.
    pub(super) fn on_client(&mut self, now: Instant) {
        self.quiet = Some(now + QUIET);
    }

    /// When [`Disposals::due`] wants to be called.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let (_, latest) = self.waiting.front()?;
        Some(self.quiet.map_or(*latest, |quiet| quiet.min(*latest)))
    }

    /// What is to be detached now.
    pub(super) fn due(&mut self, now: Instant) -> Option<CdpSessionId> {
        if self.next_timeout()? > now {
            return None;
        }
        let (base, _) = self.waiting.pop_front()?;
        self.quiet = (!self.waiting.is_empty()).then_some(now + QUIET);
        Some(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_a_quiet_moment_and_takes_one_at_a_time() {
        let (mut disposals, now) = (Disposals::default(), Instant::now());
        disposals.push("a".into(), now);
        disposals.push("b".into(), now);
        assert_eq!(disposals.due(now), None);
        let busy = now + QUIET / 2;
        disposals.on_client(busy);
        assert_eq!(disposals.next_timeout(), Some(busy + QUIET));
        assert_eq!(disposals.due(busy + QUIET), Some("a".into()));
        assert_eq!(disposals.due(busy + QUIET), None);
        assert_eq!(disposals.due(busy + QUIET * 2), Some("b".into()));
        assert_eq!((disposals.is_empty(), disposals.next_timeout()), (true, None));
    }

    #[test]
    fn clients_that_are_never_quiet_do_not_put_it_off_for_ever() {
        let (mut disposals, mut now) = (Disposals::default(), Instant::now());
        let latest = now + LONGEST_WAIT;
        disposals.push("a".into(), now);
        disposals.push("b".into(), now);
        while now < latest {
            assert_eq!(disposals.due(now), None);
            disposals.on_client(now);
            now += QUIET / 2;
        }
        assert_eq!((disposals.due(latest), disposals.due(latest)), (Some("a".into()), Some("b".into())));
    }
}
