//! The warm leases of one browser: how many are ready, how many are wanted, and when the next is made. PURE: the clock
//! is an argument.
//!
//! The number wanted starts at the setting. Every client that finds no warm lease raises it by one, so the next burst
//! of the same size finds enough, whatever its rate and however long this machine takes to make a lease. Leases that
//! were unused for a whole [`PERIOD`] lower it again.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Pause after a client came, or got a lease made for it, before the next lease is made in advance: a new page's start
/// takes the processor from a client that has just come (*measured*: without this pause its first evaluate took twice
/// as long), and from a session that is being saved or restored.
const QUIET: Duration = Duration::from_millis(50);
/// Longest delay of a new lease by clients that keep coming.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// Period after which unused leases lower the number wanted.
const PERIOD: Duration = Duration::from_secs(5);
/// The number wanted is at most this multiple of the setting.
const TIMES: usize = 10;
/// Leases that are made at the same time; Chrome's own thread does one step after another.
const MAKERS: usize = 2;

/// The next step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<L> {
    /// Make a lease, and report it with [`WarmPool::put`] or [`WarmPool::failed`].
    Make,
    /// Drop this lease: it is one too many.
    Drop(L),
    /// Do nothing before this time.
    Wait(Option<Instant>),
}

/// The warm leases of one browser, each of type `L`.
#[derive(Debug)]
pub(super) struct WarmPool<L> {
    ready: VecDeque<L>,
    making: usize,
    /// Clients for which a lease is being made.
    waiting: usize,
    least: usize,
    most: usize,
    wanted: usize,
    /// Whether it has once held the number wanted. Before that, a client that finds none does not indicate demand.
    was_full: bool,
    /// The fewest leases that were ready since the period began: these were not needed.
    unused: usize,
    period: Instant,
    /// No lease is made before `quiet`, unless it has been delayed until `overdue`.
    quiet: Instant,
    overdue: Option<Instant>,
}

impl<L> WarmPool<L> {
    /// An empty pool that is to hold `least` leases, and at most `cap` whatever the demand.
    pub(super) fn new(least: usize, cap: usize, now: Instant) -> Self {
        let mut pool = Self {
            ready: VecDeque::new(),
            making: 0,
            waiting: 0,
            least: 0,
            most: 0,
            wanted: 0,
            was_full: false,
            unused: 0,
            period: now,
            quiet: now,
            overdue: None,
        };
        pool.limit(least, cap);
        pool
    }

    /// From now on it is to hold `least` leases, and at most `cap` whatever the demand. With 0 and 0 it drops all that
    /// are ready.
    pub(super) fn limit(&mut self, least: usize, cap: usize) {
        self.least = least;
        self.most = (least * TIMES).min(cap).max(least);
        self.wanted = least;
    }

    /// Number of leases that are ready.
    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    /// A client comes. `None` if no lease is ready; then call [`WarmPool::served`] when the client has got its own.
    pub(super) fn take(&mut self, now: Instant) -> Option<L> {
        self.quiet = now + QUIET;
        self.overdue.get_or_insert(now + LONGEST_WAIT);
        let lease = self.ready.pop_front();
        self.unused = self.unused.min(self.ready.len());
        if lease.is_none() {
            self.wanted = (self.wanted + usize::from(self.was_full)).min(self.most);
            self.waiting += 1;
        }
        lease
    }

    /// A client comes for which no ready lease is of use; then call [`WarmPool::served`] when it has got its own.
    pub(super) fn pass(&mut self, now: Instant) {
        self.quiet = now + QUIET;
        self.overdue.get_or_insert(now + LONGEST_WAIT);
        self.waiting += 1;
    }

    /// Takes out a lease that is of no use any more.
    pub(super) fn discard(&mut self, is_it: impl Fn(&L) -> bool) -> Option<L> {
        let at = self.ready.iter().position(is_it)?;
        self.unused = self.unused.min(self.ready.len() - 1);
        self.ready.remove(at)
    }

    /// A client that found none has a lease now, or gave up.
    pub(super) fn served(&mut self, now: Instant) {
        self.waiting -= 1;
        self.quiet = now + QUIET;
    }

    /// Adds a lease that is ready.
    pub(super) fn put(&mut self, lease: L) {
        self.making -= 1;
        self.ready.push_back(lease);
        self.was_full |= self.ready.len() >= self.wanted;
    }

    /// A lease could not be made; the next attempt is not before `retry`.
    pub(super) fn failed(&mut self, retry: Instant) {
        self.making -= 1;
        self.quiet = retry;
        self.overdue = None;
    }

    /// The next step at this moment. `busy`: a session of this browser is being saved or restored.
    pub(super) fn poll_next(&mut self, now: Instant, busy: bool) -> Next<L> {
        if now >= self.period + PERIOD {
            self.wanted = self.wanted.saturating_sub(self.unused).max(self.least);
            self.unused = self.ready.len();
            self.period = now;
        }
        let there = self.ready.len() + self.making;
        if there > self.wanted
            && let Some(lease) = self.ready.pop_front()
        {
            self.unused = self.unused.min(self.ready.len());
            return Next::Drop(lease);
        }
        // With the least number wanted, no period is running.
        let period = (self.wanted > self.least).then_some(self.period + PERIOD);
        if there >= self.wanted {
            self.overdue = None;
            return Next::Wait(period);
        }
        if self.making == MAKERS {
            return Next::Wait(period);
        }
        if busy {
            self.quiet = self.quiet.max(now + QUIET);
            self.overdue.get_or_insert(now + LONGEST_WAIT);
        }
        let from = match self.overdue {
            // Clients that wait come first; when their number has fallen, the pool is filled.
            Some(overdue) if self.waiting == 0 => self.quiet.min(overdue),
            Some(overdue) => overdue,
            None => self.quiet,
        };
        if now < from {
            return Next::Wait(Some(period.map_or(from, |period| period.min(from))));
        }
        self.making += 1;
        Next::Make
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stock, its clock, and the numbers of the leases made so far.
    struct World {
        stock: WarmPool<u32>,
        now: Instant,
        made: u32,
        dropped: u32,
        busy: bool,
    }

    impl World {
        fn new(least: usize, cap: usize) -> Self {
            let now = Instant::now();
            let mut world = Self { stock: WarmPool::new(least, cap, now), now, made: 0, dropped: 0, busy: false };
            world.settle(Duration::ZERO);
            world
        }

        /// Lets this time pass; each lease takes none.
        fn settle(&mut self, time: Duration) {
            let until = self.now + time;
            loop {
                match self.stock.poll_next(self.now, self.busy) {
                    Next::Make => {
                        self.made += 1;
                        self.stock.put(self.made);
                    }
                    Next::Drop(_) => self.dropped += 1,
                    Next::Wait(Some(at)) if at <= until => self.now = at,
                    Next::Wait(_) => break,
                }
            }
            self.now = until;
        }

        /// So many clients at once; how many of them found a lease.
        fn burst(&mut self, clients: usize) -> usize {
            let found = (0..clients).filter(|_| self.stock.take(self.now).is_some()).count();
            (found..clients).for_each(|_| self.stock.served(self.now));
            found
        }
    }

    #[test]
    fn taken_leases_are_replaced_after_the_clients_start() {
        let mut world = World::new(2, 100);
        assert_eq!((world.burst(1), world.made), (1, 2));
        world.settle(QUIET.saturating_sub(Duration::from_millis(1)));
        assert_eq!(world.made, 2);
        world.settle(Duration::from_millis(1));
        assert_eq!(world.made, 3);
    }

    #[test]
    fn steady_clients_delay_refilling_for_a_limited_time() {
        let mut world = World::new(2, 100);
        for _ in 0..100 {
            world.burst(1);
            world.settle(QUIET / 2);
        }
        assert!(world.made > 80, "{} made for 100 clients", world.made);
    }

    #[test]
    fn saving_and_restoring_delay_refilling_for_a_limited_time() {
        let mut world = World::new(2, 100);
        world.busy = true;
        world.burst(1);
        world.settle(LONGEST_WAIT.saturating_sub(Duration::from_millis(1)));
        assert_eq!(world.made, 2);
        world.settle(Duration::from_millis(1));
        assert_eq!(world.made, 3);
        world.burst(1);
        world.busy = false;
        world.settle(QUIET);
        assert_eq!(world.made, 4);
    }

    #[test]
    fn pool_grows_after_a_burst() {
        let mut world = World::new(2, 100);
        assert_eq!(world.burst(15), 2);
        world.settle(Duration::from_secs(1));
        assert_eq!(world.burst(15), 15);
        // And no more than ten times the setting, or what the browser may hold.
        world.settle(Duration::from_secs(1));
        world.burst(1000);
        world.settle(Duration::from_secs(1));
        assert_eq!(world.burst(1000), 20);
        let mut capped = World::new(2, 3);
        capped.burst(1000);
        capped.settle(Duration::from_secs(1));
        assert_eq!(capped.burst(1000), 3);
    }

    #[test]
    fn unused_warm_leases_are_released() {
        let mut world = World::new(2, 100);
        world.burst(15);
        world.settle(PERIOD);
        assert_eq!((world.made - 2, world.dropped), (15, 0), "kept for another burst");
        world.settle(PERIOD);
        assert_eq!((world.stock.ready.len(), world.dropped), (2, 13));
        assert_eq!(world.stock.poll_next(world.now, false), Next::Wait(None));
    }

    #[test]
    fn clients_faster_than_a_start_are_not_a_burst() {
        let mut stock = WarmPool::<u32>::new(2, 100, Instant::now());
        assert_eq!(stock.take(Instant::now()), None);
        assert_eq!(stock.wanted, 2);
    }

    #[test]
    fn no_warm_leases_are_kept_when_disabled() {
        let mut world = World::new(0, 100);
        assert_eq!(world.burst(5), 0);
        world.settle(PERIOD);
        assert_eq!(world.made, 0);
    }

    #[test]
    fn a_pool_whose_limit_is_lowered_to_nothing_drops_all_and_makes_none() {
        let mut world = World::new(3, 100);
        world.stock.limit(0, 0);
        world.settle(PERIOD);
        assert_eq!((world.made, world.dropped, world.stock.len()), (3, 3, 0));
        world.stock.limit(3, 100);
        world.settle(PERIOD);
        assert_eq!((world.made, world.stock.len()), (6, 3));
    }

    #[test]
    fn waiting_clients_precede_the_warm_pool() {
        let mut world = World::new(1, 100);
        world.burst(1);
        assert_eq!(world.stock.take(world.now), None);
        world.settle(LONGEST_WAIT.saturating_sub(Duration::from_millis(1)));
        assert_eq!(world.made, 1);
        world.stock.served(world.now);
        world.settle(QUIET);
        assert_eq!(world.made, 3);
    }

    #[test]
    fn failed_leases_are_retried_later() {
        let mut stock = WarmPool::<u32>::new(1, 100, Instant::now());
        let now = Instant::now();
        assert_eq!(stock.poll_next(now, false), Next::Make);
        let retry = now + Duration::from_secs(1);
        stock.failed(retry);
        assert_eq!(stock.poll_next(now, false), Next::Wait(Some(retry)));
        assert_eq!(stock.poll_next(retry, false), Next::Make);
    }
}
