//! The contexts of sessions that ended, and when Chrome is told to dispose of each. PURE: the clock is an argument.
//!
//! One disposal stops the thread that all tenants share for 6 to 160 ms (*measured*). So there is one at a time, and the
//! next one starts after Chrome's reply and a pause that is as long as that disposal took: Chrome spends at most half of
//! its time on them, however many sessions end at once. The pause shrinks as the queue grows, but never to zero.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::mirror::LeaseId;
use crate::{
    cdp::ids::{CallId, CdpSessionId, ContextId, TargetId},
    port::{Call, Tag},
};

/// A disposal after a session's end starts when no client has sent anything for this time.
const QUIET: Duration = Duration::from_millis(10);
/// However busy the clients are, a disposal whose turn it is waits no longer than this for a quiet moment.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// The bounds of the pause between Chrome's reply to one disposal and the start of the next.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// Up to so many waiting disposals leave the pause as long as the last disposal took; twice as many halve it.
const FEW: u32 = 64;
/// A disposal without a reply for this time is not waited for any more.
const DEADLINE: Duration = Duration::from_secs(5);

/// So many pages go together with their context; what a session has beyond that is closed page by page before. *Measured:*
/// a context with 100 pages stops Chrome for 1.4 s.
const PAGES_AT_ONCE: usize = 8;

/// One disposal.
#[derive(Debug)]
pub(super) enum Disposal {
    /// A session ended that had many pages, or pages were not opened to the end: this is one of them.
    Page(TargetId),
    /// A session ended that had several contexts: this is one of them.
    Context {
        /// The context.
        context: ContextId,
        /// The CDP session that owns it.
        base: CdpSessionId,
    },
    /// A session ended: Chrome disposes of its last context when this CDP session is detached.
    Base(CdpSessionId),
    /// A client disposes of a context of its own, and waits for the reply.
    Asked {
        /// Its lease.
        lease: LeaseId,
        /// The lease's number for the command.
        tag: Tag,
        /// The command.
        call: Call,
    },
}

/// The disposals of one browser.
#[derive(Debug, Default)]
pub(super) struct ContextReaper {
    /// What clients ask for, by lease.
    asked: HashMap<LeaseId, VecDeque<(Tag, Call)>>,
    /// The leases in `asked`, in turn.
    turns: VecDeque<LeaseId>,
    /// What ended sessions leave, each with the time from which a quiet moment is not waited for any more.
    left: VecDeque<(Disposal, Instant)>,
    waiting: u32,
    /// The disposal under way: its command, and when it was sent.
    under_way: Option<(CallId, Instant)>,
    /// No disposal that had to wait starts before this time.
    pause: Option<Instant>,
    /// A client asked while there was nothing else to do: it does not wait for the pause.
    at_once: bool,
    /// The one before was a client's own.
    was_asked: bool,
    /// Clients have sent nothing for a while if they send nothing before this time.
    quiet: Option<Instant>,
}

impl ContextReaper {
    /// A session is over, which had these pages in these contexts; `base` holds the contexts.
    pub(super) fn leave(&mut self, base: &CdpSessionId, contexts: Vec<ContextId>, pages: Vec<TargetId>, now: Instant) {
        let pages = pages.into_iter().skip(PAGES_AT_ONCE).map(Disposal::Page);
        // The last one goes with the CDP session.
        let contexts = contexts.into_iter().skip(1);
        let contexts = contexts.map(|context| Disposal::Context { context, base: base.clone() });
        for disposal in pages.chain(contexts).chain([Disposal::Base(base.clone())]) {
            self.push(disposal, now);
        }
    }

    /// Nobody wants this page any more, whose session may go on.
    pub(super) fn close(&mut self, page: TargetId, now: Instant) {
        self.push(Disposal::Page(page), now);
    }

    fn push(&mut self, disposal: Disposal, now: Instant) {
        self.waiting += 1;
        self.left.push_back((disposal, now + LONGEST_WAIT));
        self.quiet.get_or_insert(now + QUIET);
    }

    /// A client disposes of a context of its own.
    pub(super) fn ask(&mut self, lease: LeaseId, tag: Tag, call: Call) {
        self.at_once |= self.under_way.is_none() && self.turns.is_empty();
        self.waiting += 1;
        let queue = self.asked.entry(lease).or_default();
        if queue.is_empty() {
            self.turns.push_back(lease);
        }
        queue.push_back((tag, call));
    }

    /// A session is over: nobody waits for what its clients asked for. Its contexts go with it.
    pub(super) fn forget(&mut self, lease: LeaseId) {
        let asked = self.asked.remove(&lease).unwrap_or_default();
        self.waiting -= u32::try_from(asked.len()).unwrap_or(u32::MAX);
        self.turns.retain(|turn| *turn != lease);
    }

    /// How many wait, the one under way not included.
    pub(super) fn waiting(&self) -> usize {
        self.waiting as usize
    }

    /// Whether no ended session waits: then [`ContextReaper::on_client`] need not be told.
    pub(super) fn is_settled(&self) -> bool {
        self.left.is_empty()
    }

    /// A client sent something.
    pub(super) fn on_client(&mut self, now: Instant) {
        self.quiet = Some(now + QUIET);
    }

    /// When [`ContextReaper::due`] wants to be called.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.under_way {
            Some((_, since)) => (self.waiting > 0).then_some(since + DEADLINE),
            None => self.asked_from().into_iter().chain(self.left_from()).min(),
        }
    }

    /// When the first of `asked` may start, if there is one. With no pause, or at once, that is any time.
    fn asked_from(&self) -> Option<Instant> {
        if self.turns.is_empty() { None } else { self.pause.filter(|_| !self.at_once) }
    }

    /// When the first of `left` may start, if there is one.
    fn left_from(&self) -> Option<Instant> {
        let (_, latest) = self.left.front()?;
        let from = self.quiet.map_or(*latest, |quiet| quiet.min(*latest));
        Some(self.pause.map_or(from, |pause| from.max(pause)))
    }

    /// The disposal to start now; [`ContextReaper::started`] is to be told.
    pub(super) fn due(&mut self, now: Instant) -> Option<Disposal> {
        if let Some((call, since)) = self.under_way {
            if now < since + DEADLINE {
                return None;
            }
            self.ended(call, now);
        }
        let asked = !self.turns.is_empty() && self.asked_from().is_none_or(|from| from <= now);
        let left = self.left_from().is_some_and(|from| from <= now);
        let due = match (asked, left) {
            // In turn, so that neither waits for ever; a client that asked while there was nothing to do goes first.
            (true, true) if self.was_asked && !self.at_once => self.next_left(),
            (true, _) => self.next_asked(),
            (false, true) => self.next_left(),
            (false, false) => None,
        };
        self.waiting -= u32::from(due.is_some());
        due
    }

    fn next_left(&mut self) -> Option<Disposal> {
        self.was_asked = false;
        self.left.pop_front().map(|(disposal, _)| disposal)
    }

    fn next_asked(&mut self) -> Option<Disposal> {
        (self.was_asked, self.at_once) = (true, false);
        let lease = self.turns.pop_front()?;
        let queue = self.asked.get_mut(&lease)?;
        let (tag, call) = queue.pop_front()?;
        if queue.is_empty() {
            self.asked.remove(&lease);
        } else {
            self.turns.push_back(lease);
        }
        Some(Disposal::Asked { lease, tag, call })
    }

    /// What was due has been sent, under this id.
    pub(super) fn started(&mut self, call: CallId, now: Instant) {
        self.under_way = Some((call, now));
    }

    /// Whether this is the command of the disposal under way.
    pub(super) fn is_under_way(&self, call: CallId) -> bool {
        self.under_way.is_some_and(|(under_way, _)| under_way == call)
    }

    /// Chrome replied to this command, or never will.
    pub(super) fn ended(&mut self, call: CallId, now: Instant) {
        let Some((_, since)) = self.under_way.take_if(|(under_way, _)| *under_way == call) else { return };
        let (shortest, longest) = PAUSE;
        let took = now.saturating_duration_since(since).min(longest);
        self.pause = Some(now + (took * FEW / self.waiting.max(FEW)).max(shortest));
    }
}

#[cfg(test)]
mod tests;
