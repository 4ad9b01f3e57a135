//! Decides when Chrome disposes of the contexts of ended sessions. PURE: the clock is an argument.
//!
//! One disposal blocks the thread that all tenants share for 6 to 160 ms (*measured*). So there is
//! one at a time, and the next one starts after Chrome's reply and a pause as long as that disposal
//! took: Chrome spends at most half of its time on disposals, however many sessions end at once.
//! The pause shrinks as the queue grows, but never to zero.
//!
//! Pages are closed sooner when many wait: several at a time. A page of an ended session goes on to run, so that a queue of
//! them makes Chrome slow, and a slow Chrome a longer queue (*measured* with two cores: 800 waiting pages, which had 500
//! renderers and 15 GB, and became no fewer).

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
/// With busy clients, the next disposal waits at most this long for a quiet moment.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// The bounds of the pause between Chrome's reply to one disposal and the start of the next.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// Up to this many waiting disposals, the pause is as long as the last disposal took; twice as many
/// halve it.
const FEW: u32 = 64;
/// A disposal without a reply after this time is not waited for any more.
const DEADLINE: Duration = Duration::from_secs(5);

/// This many pages are disposed of together with their context; a session's other pages are closed
/// one by one before. *Measured:* a context with 100 pages blocks Chrome for 1.4 s.
const PAGES_AT_ONCE: usize = 8;

/// For each so many waiting disposals one page more is closed at a time, up to the second. Chrome needs some 14 ms for a page,
/// and does nothing else meanwhile.
const PAGES_ABREAST: (usize, usize) = (16, 16);

/// One disposal.
#[derive(Debug)]
pub(super) enum Disposal {
    /// A page of an ended session that had many pages, or a page that was not completely opened.
    Page(TargetId),
    /// A context of an ended session that had several contexts.
    Context {
        /// The context.
        context: ContextId,
        /// The CDP session that owns it.
        base: CdpSessionId,
    },
    /// The last context of an ended session, if it has one left: Chrome disposes of it when this CDP
    /// session is detached.
    Base {
        /// The CDP session that owns it.
        base: CdpSessionId,
        /// The context.
        context: Option<ContextId>,
    },
    /// A context that belongs to no session.
    Orphan(ContextId),
    /// A client disposes of a context of its own, and waits for the reply.
    Asked {
        /// Its lease.
        lease: LeaseId,
        /// The lease's number for the command.
        tag: Tag,
        /// The command's id.
        call: Call,
    },
}

impl Disposal {
    fn what(&self) -> What {
        match self {
            Self::Page(_) => What::Page,
            Self::Asked { .. } => What::Asked,
            Self::Context { .. } | Self::Orphan(_) | Self::Base { .. } => What::Left(self.context().cloned()),
        }
    }

    /// The context of an ended session that it disposes of.
    fn context(&self) -> Option<&ContextId> {
        match self {
            Self::Context { context, .. } | Self::Orphan(context) => Some(context),
            Self::Base { context, .. } => context.as_ref(),
            Self::Page(_) | Self::Asked { .. } => None,
        }
    }
}

/// A disposal in progress.
#[derive(Debug)]
struct UnderWay {
    call: CallId,
    since: Instant,
    what: What,
}

/// What is disposed of.
#[derive(Debug)]
enum What {
    Page,
    /// A context of an ended session, which is known unless it goes with its CDP session.
    Left(Option<ContextId>),
    /// A context of a client that waits.
    Asked,
}

/// The disposals of one browser.
#[derive(Debug, Default)]
pub(super) struct ContextReaper {
    /// The clients' disposals, by lease.
    asked: HashMap<LeaseId, VecDeque<(Tag, Call)>>,
    /// The leases in `asked`, in round-robin order.
    turns: VecDeque<LeaseId>,
    /// The disposals of ended sessions, each with the time after which it does not wait for a quiet
    /// moment.
    left: VecDeque<(Disposal, Instant)>,
    waiting: u32,
    /// The disposals in progress, the oldest first: one, or several pages.
    under_way: VecDeque<UnderWay>,
    /// The disposal that was taken last, until [`ContextReaper::started`].
    starting: Option<What>,
    /// The contexts of disposals that are not waited for any more, and that Chrome has not replied to.
    late: HashMap<CallId, ContextId>,
    /// No disposal that had to wait starts before this time.
    pause: Option<Instant>,
    /// A client's disposal arrived while nothing else was queued: it does not wait for the pause.
    at_once: bool,
    /// The last disposal was a client's own.
    was_asked: bool,
    /// Clients are idle if they send nothing before this time.
    quiet: Option<Instant>,
}

impl ContextReaper {
    /// A session that had these pages in these contexts has ended; `base` owns the contexts. If `is_gated`, Chrome must say
    /// of each context that it is gone.
    pub(super) fn leave(
        &mut self,
        base: &CdpSessionId,
        contexts: Vec<ContextId>,
        pages: Vec<TargetId>,
        is_gated: bool,
        now: Instant,
    ) {
        let pages = pages.into_iter().skip(PAGES_AT_ONCE).map(Disposal::Page);
        // The last context is disposed of with the CDP session, whose end Chrome confirms before the context is gone.
        let mut contexts = contexts.into_iter();
        let last = Disposal::Base { base: base.clone(), context: if is_gated { None } else { contexts.next() } };
        let contexts = contexts.map(|context| Disposal::Context { context, base: base.clone() });
        for disposal in pages.chain(contexts).chain([last]) {
            self.push(disposal, now);
        }
    }

    /// A context that belongs to no session is to be disposed of.
    pub(super) fn orphan(&mut self, context: ContextId, now: Instant) {
        if !self.leaving().any(|leaving| *leaving == context) {
            self.push(Disposal::Orphan(context), now);
        }
    }

    /// The contexts without a session that wait for their disposal, and those that are being disposed of.
    pub(super) fn leaving(&self) -> impl Iterator<Item = &ContextId> {
        let waiting = self.left.iter().filter_map(|(disposal, _)| disposal.context());
        let under_way = self.under_way.iter().map(|under_way| &under_way.what).chain(&self.starting);
        let under_way =
            under_way.filter_map(|what| if let What::Left(context) = what { context.as_ref() } else { None });
        waiting.chain(under_way).chain(self.late.values())
    }

    /// A page to be closed whose session may continue.
    pub(super) fn close(&mut self, page: TargetId, now: Instant) {
        self.push(Disposal::Page(page), now);
    }

    fn push(&mut self, disposal: Disposal, now: Instant) {
        self.waiting += 1;
        self.left.push_back((disposal, now + LONGEST_WAIT));
        self.quiet.get_or_insert(now + QUIET);
    }

    /// A client disposes of a context.
    pub(super) fn ask(&mut self, lease: LeaseId, tag: Tag, call: Call) {
        self.at_once |= self.under_way.is_empty() && self.turns.is_empty();
        self.waiting += 1;
        let queue = self.asked.entry(lease).or_default();
        if queue.is_empty() {
            self.turns.push_back(lease);
        }
        queue.push_back((tag, call));
    }

    /// A session has ended: its clients' disposals are dropped, because its contexts are disposed
    /// of with it.
    pub(super) fn forget(&mut self, lease: LeaseId) {
        let asked = self.asked.remove(&lease).unwrap_or_default();
        self.waiting -= u32::try_from(asked.len()).unwrap_or(u32::MAX);
        self.turns.retain(|turn| *turn != lease);
    }

    /// The number of waiting disposals, without the one in progress.
    pub(super) fn waiting(&self) -> usize {
        self.waiting as usize
    }

    /// Whether no disposal of an ended session waits: then [`ContextReaper::on_client`] need not be
    /// called.
    pub(super) fn is_settled(&self) -> bool {
        self.left.is_empty()
    }

    /// A client has sent something.
    pub(super) fn on_client(&mut self, now: Instant) {
        self.quiet = Some(now + QUIET);
    }

    /// When [`ContextReaper::poll_due`] is to be called next.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let Some(oldest) = self.under_way.front() else {
            return self.asked_from().into_iter().chain(self.left_from()).min();
        };
        let given_up = (self.waiting > 0).then_some(oldest.since + DEADLINE);
        given_up.into_iter().chain(self.beside_from()).min()
    }

    /// The earliest start of a page that may be closed while others are being closed.
    fn beside_from(&self) -> Option<Instant> {
        let (each, most) = PAGES_ABREAST;
        let has_place = self.under_way.len() < (1 + self.waiting() / each).min(most)
            && self.under_way.iter().all(|under_way| matches!(under_way.what, What::Page))
            && self.turns.is_empty()
            && matches!(self.left.front(), Some((Disposal::Page(_), _)));
        if has_place { self.left_from() } else { None }
    }

    /// The earliest start of the first disposal in `asked`. Without a pause it is any time.
    fn asked_from(&self) -> Option<Instant> {
        if self.turns.is_empty() { None } else { self.pause.filter(|_| !self.at_once) }
    }

    /// The earliest start of the first disposal in `left`.
    fn left_from(&self) -> Option<Instant> {
        let (_, latest) = self.left.front()?;
        let from = self.quiet.map_or(*latest, |quiet| quiet.min(*latest));
        Some(self.pause.map_or(from, |pause| from.max(pause)))
    }

    /// The disposal to start now; the caller then calls [`ContextReaper::started`].
    pub(super) fn poll_due(&mut self, now: Instant) -> Option<Disposal> {
        while self.under_way.front().is_some_and(|oldest| oldest.since + DEADLINE <= now) {
            let Some(late) = self.under_way.pop_front() else { break };
            self.pause_after(late.since, now);
            if let What::Left(Some(context)) = late.what {
                self.late.insert(late.call, context);
            }
        }
        if !self.under_way.is_empty() {
            let beside = self.beside_from().is_some_and(|from| from <= now);
            return if beside { self.next_left() } else { None };
        }
        let asked = !self.turns.is_empty() && self.asked_from().is_none_or(|from| from <= now);
        let left = self.left_from().is_some_and(|from| from <= now);
        match (asked, left) {
            // They alternate, so that neither waits for ever; a client's disposal that came while
            // nothing was queued is first.
            (true, true) if self.was_asked && !self.at_once => self.next_left(),
            (true, _) => self.next_asked(),
            (false, true) => self.next_left(),
            (false, false) => None,
        }
    }

    fn next_left(&mut self) -> Option<Disposal> {
        self.was_asked = false;
        let (disposal, _) = self.left.pop_front()?;
        self.waiting -= 1;
        self.starting = Some(disposal.what());
        Some(disposal)
    }

    fn next_asked(&mut self) -> Option<Disposal> {
        (self.was_asked, self.at_once) = (true, false);
        let lease = self.turns.pop_front()?;
        let queue = self.asked.get_mut(&lease)?;
        let (tag, call) = queue.pop_front()?;
        self.waiting -= 1;
        if queue.is_empty() {
            self.asked.remove(&lease);
        } else {
            self.turns.push_back(lease);
        }
        self.starting = Some(What::Asked);
        Some(Disposal::Asked { lease, tag, call })
    }

    /// The disposal was sent under this id.
    pub(super) fn started(&mut self, call: CallId, now: Instant) {
        let Some(what) = self.starting.take() else { return };
        let (shortest, _) = PAUSE;
        self.pause = self.pause.max(Some(now + shortest));
        self.under_way.push_back(UnderWay { call, since: now, what });
    }

    /// Chrome has replied to this command, or will not reply. It may be any command.
    pub(super) fn ended(&mut self, call: CallId, now: impl FnOnce() -> Instant) {
        if let Some(at) = self.under_way.iter().position(|under_way| under_way.call == call) {
            if let Some(ended) = self.under_way.remove(at) {
                self.pause_after(ended.since, now());
            }
        } else if !self.late.is_empty() {
            self.late.remove(&call);
        }
    }

    /// Pauses after a disposal that is over, or is not waited for any more.
    fn pause_after(&mut self, since: Instant, now: Instant) {
        let (shortest, longest) = PAUSE;
        let took = now.saturating_duration_since(since).min(longest);
        self.pause = Some(now + (took * FEW / self.waiting.max(FEW)).max(shortest));
    }
}

#[cfg(test)]
mod tests;
