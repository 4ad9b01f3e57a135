//! Limits the screenshots that are in progress in a browser by their total number of pixels, fairly
//! between sessions. PURE: the clock is an argument.
//!
//! Small and large screenshots have a budget each, so that no small one waits behind a large one.
//! Within a budget the sessions take turns, and one session gets at most half of it. A single
//! screenshot always starts, whatever its size.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::mirror::LeaseId;

/// A screenshot is small if it needs at most this part of the budget.
const SMALL: u64 = 8;
/// A screenshot without reply after this time, plus [`PER_PIXEL`] for each of its pixels, does not
/// count any more: a page that hangs never replies.
const PATIENCE: Duration = Duration::from_secs(2);
/// In nanoseconds. *Measured:* alone Chrome needs 27, on a busy machine 40.
const PER_PIXEL: u64 = 50;

/// The number of a screenshot that waits or is in progress.
pub(super) type Ticket = u64;

/// The screenshots of one browser.
#[derive(Debug)]
pub(super) struct Pixels {
    small: Lane,
    large: Lane,
    last: Ticket,
    tickets: HashMap<Ticket, Screenshot>,
    /// When the screenshots in progress stop counting.
    deadlines: BTreeSet<(Instant, Ticket)>,
}

#[derive(Clone, Copy, Debug)]
struct Screenshot {
    lease: LeaseId,
    pixels: u64,
    /// When it stops counting, if it is in progress.
    until: Option<Instant>,
}

/// Screenshots of a kind that share a budget.
#[derive(Debug)]
struct Lane {
    budget: u64,
    /// The pixels in progress.
    taken: u64,
    /// The same by session, with the number of its screenshots.
    held: HashMap<LeaseId, (u64, usize)>,
    waiting: HashMap<LeaseId, VecDeque<Ticket>>,
    /// The sessions in `waiting` that may continue, in round-robin order.
    turns: VecDeque<LeaseId>,
    /// The sessions in `waiting` that have as many pixels in progress as they may.
    resting: HashSet<LeaseId>,
}

impl Lane {
    fn new(budget: u64) -> Self {
        Self {
            budget,
            taken: 0,
            held: HashMap::new(),
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            resting: HashSet::new(),
        }
    }

    fn push(&mut self, lease: LeaseId, ticket: Ticket) {
        let queue = self.waiting.entry(lease).or_default();
        if queue.is_empty() {
            self.turns.push_back(lease);
        }
        queue.push_back(ticket);
    }

    /// The next screenshot that may start.
    fn pop(&mut self, pixels_of: impl Fn(Ticket) -> Option<u64>) -> Option<Ticket> {
        while let Some(lease) = self.turns.front().copied() {
            let first = self.waiting.get(&lease).and_then(VecDeque::front).copied();
            let Some((ticket, pixels)) = first.and_then(|ticket| Some((ticket, pixels_of(ticket)?))) else {
                // It was cancelled.
                self.drop_first(lease);
                continue;
            };
            let mine = self.held.get(&lease).map_or(0, |(pixels, _)| *pixels);
            if mine > 0 && mine + pixels > self.budget / 2 {
                self.turns.pop_front();
                self.resting.insert(lease);
                continue;
            }
            if self.taken > 0 && self.taken + pixels > self.budget {
                return None;
            }
            self.drop_first(lease);
            self.taken += pixels;
            let held = self.held.entry(lease).or_default();
            held.0 += pixels;
            held.1 += 1;
            return Some(ticket);
        }
        None
    }

    /// The first screenshot of the session whose turn it is leaves the queue; the next session gets
    /// the turn.
    fn drop_first(&mut self, lease: LeaseId) {
        self.turns.pop_front();
        let Some(queue) = self.waiting.get_mut(&lease) else { return };
        queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&lease);
        } else {
            self.turns.push_back(lease);
        }
    }

    /// A screenshot in progress has ended.
    fn give_back(&mut self, lease: LeaseId, pixels: u64) {
        self.taken -= pixels;
        if let Some(held) = self.held.get_mut(&lease) {
            held.0 -= pixels;
            held.1 -= 1;
            if held.1 == 0 {
                self.held.remove(&lease);
            }
        }
        if self.resting.remove(&lease) {
            self.turns.push_back(lease);
        }
    }
}

impl Pixels {
    /// `budget` is the number of pixels that may be in progress, for small and for large
    /// screenshots each.
    pub(super) fn new(budget: u64) -> Self {
        Self {
            small: Lane::new(budget),
            large: Lane::new(budget),
            last: 0,
            tickets: HashMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// A session requests a screenshot of this many pixels. It waits until [`Pixels::poll_next`] returns
    /// it.
    pub(super) fn ask(&mut self, lease: LeaseId, pixels: u64) -> Ticket {
        self.last += 1;
        self.tickets.insert(self.last, Screenshot { lease, pixels, until: None });
        let ticket = self.last;
        self.lane(pixels).push(lease, ticket);
        ticket
    }

    /// The next screenshot that may start now.
    pub(super) fn poll_next(&mut self, now: Instant) -> Option<Ticket> {
        while let Some((_, ticket)) = self.deadlines.first().copied().filter(|(until, _)| *until <= now) {
            self.done(ticket);
        }
        let Self { small, large, tickets, .. } = self;
        let pixels_of = |ticket| tickets.get(&ticket).map(|screenshot: &Screenshot| screenshot.pixels);
        let ticket = small.pop(pixels_of).or_else(|| large.pop(pixels_of))?;
        let screenshot = self.tickets.get_mut(&ticket)?;
        let until = now + PATIENCE + Duration::from_nanos(PER_PIXEL * screenshot.pixels);
        screenshot.until = Some(until);
        self.deadlines.insert((until, ticket));
        Some(ticket)
    }

    /// A screenshot has ended, or was cancelled.
    pub(super) fn done(&mut self, ticket: Ticket) {
        let Some(Screenshot { lease, pixels, until }) = self.tickets.remove(&ticket) else { return };
        // A waiting one is skipped when its turn comes.
        if let Some(until) = until {
            self.deadlines.remove(&(until, ticket));
            self.lane(pixels).give_back(lease, pixels);
        }
    }

    /// When [`Pixels::poll_next`] is to be called again, if nothing happens before.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// The number of waiting screenshots.
    pub(super) fn waiting(&self) -> usize {
        self.tickets.len() - self.deadlines.len()
    }

    fn lane(&mut self, pixels: u64) -> &mut Lane {
        if pixels <= self.small.budget / SMALL { &mut self.small } else { &mut self.large }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: u64 = 800;

    /// Screenshots of one browser, and those in progress in the order of their start, as
    /// `lease:pixels`.
    struct World {
        pixels: Pixels,
        now: Instant,
        asked: HashMap<Ticket, String>,
        gone: Vec<Ticket>,
    }

    impl World {
        fn new() -> Self {
            Self { pixels: Pixels::new(BUDGET), now: Instant::now(), asked: HashMap::new(), gone: Vec::new() }
        }

        fn ask(&mut self, lease: u64, pixels: u64) -> Ticket {
            let ticket = self.pixels.ask(LeaseId(lease), pixels);
            self.asked.insert(ticket, format!("{lease}:{pixels}"));
            ticket
        }

        /// The screenshots that start now.
        fn go(&mut self) -> Vec<&str> {
            let before = self.gone.len();
            while let Some(ticket) = self.pixels.poll_next(self.now) {
                self.gone.push(ticket);
            }
            self.gone[before..].iter().map(|ticket| self.asked[ticket].as_str()).collect()
        }

        /// The one that is in progress for the longest time is answered.
        fn answer(&mut self) {
            let ticket = self.gone.remove(0);
            self.pixels.done(ticket);
        }

        fn is_at_rest(&self) {
            let Pixels { small, large, tickets, deadlines, .. } = &self.pixels;
            assert!(tickets.is_empty() && deadlines.is_empty());
            for lane in [small, large] {
                assert_eq!((lane.taken, lane.held.len(), lane.waiting.len()), (0, 0, 0), "{lane:?}");
                assert!(lane.turns.is_empty() && lane.resting.is_empty(), "{lane:?}");
            }
        }
    }

    #[test]
    fn the_largest_screenshots_go_one_at_a_time_and_sessions_take_turns() {
        let mut world = World::new();
        for lease in [1, 1, 1, 2] {
            world.ask(lease, 5000);
        }
        for next in ["1:5000", "2:5000", "1:5000", "1:5000"] {
            assert_eq!(world.go(), [next]);
            assert_eq!(world.go(), [""; 0]);
            world.answer();
        }
        world.is_at_rest();
    }

    #[test]
    fn small_screenshots_do_not_wait_for_large_ones() {
        let mut world = World::new();
        (0..10).for_each(|_| _ = world.ask(1, 5000));
        assert_eq!(world.go(), ["1:5000"]);
        world.ask(2, BUDGET / SMALL);
        world.ask(1, 1);
        assert_eq!(world.go(), ["2:100", "1:1"]);
    }

    #[test]
    fn a_session_gets_half_of_the_budget_and_others_the_rest() {
        let mut world = World::new();
        (0..6).for_each(|_| _ = world.ask(1, 100));
        assert_eq!(world.go(), ["1:100"; 4]);
        (0..6).for_each(|_| _ = world.ask(2, 100));
        assert_eq!(world.go(), ["2:100"; 4]);
        world.ask(3, 100);
        assert_eq!(world.go(), [""; 0]);
        world.answer();
        assert_eq!(world.go(), ["3:100"]);
        world.answer();
        assert_eq!(world.go(), ["1:100"]);
    }

    #[test]
    fn waiting_large_screenshots_are_not_starved() {
        let mut world = World::new();
        world.ask(1, 300);
        world.ask(2, 300);
        assert_eq!(world.go(), ["1:300", "2:300"]);
        world.ask(3, 700);
        world.ask(4, 101);
        assert_eq!(world.go(), [""; 0]);
        world.answer();
        assert_eq!(world.go(), [""; 0]);
        world.answer();
        assert_eq!(world.go(), ["3:700"]);
        world.answer();
        assert_eq!(world.go(), ["4:101"]);
    }

    #[test]
    fn cancelled_screenshots_leave_the_queue() {
        let mut world = World::new();
        let tickets: Vec<Ticket> = (0..4).map(|_| world.ask(1, 5000)).collect();
        assert_eq!(world.go(), ["1:5000"]);
        assert_eq!(world.pixels.waiting(), 3);
        world.ask(2, 5000);
        for ticket in tickets {
            world.pixels.done(ticket);
        }
        assert_eq!(world.go(), ["2:5000"]);
        assert_eq!(world.pixels.waiting(), 0);
        world.gone.remove(0);
        world.answer();
        world.is_at_rest();
    }

    #[test]
    fn screenshots_without_reply_time_out() {
        let mut world = World::new();
        let hangs = world.ask(1, 20_000_000);
        world.ask(2, 5000);
        assert_eq!(world.go(), ["1:20000000"]);
        let until = world.now + PATIENCE + Duration::from_secs(1);
        assert_eq!(world.pixels.next_timeout(), Some(until));
        world.now = until;
        assert_eq!(world.go(), ["2:5000"]);
        // Its reply comes late, and does not count.
        world.pixels.done(hangs);
        assert_eq!(world.pixels.large.taken, 5000);
    }
}
