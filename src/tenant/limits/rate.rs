//! Session starts per minute of one tenant in this process, by GCRA.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

/// The clock of the runtime's timers, which tests can set.
#[derive(Clone, Debug)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A rate per minute. A tenant that was quiet may start as many sessions at once as it may start in a minute; in any
/// time of `t` minutes it starts at most `rate × (1 + t)`.
#[derive(Debug)]
pub(super) struct StartRate {
    per_minute: NonZeroU32,
    clock: RuntimeClock,
    limiter: RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Duration>>,
}

impl StartRate {
    /// A full allowance.
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        let clock = RuntimeClock(Instant::now());
        let limiter = RateLimiter::direct_with_clock(Quota::per_minute(per_minute), clock.clone());
        Self { per_minute, clock, limiter }
    }

    /// The rate.
    pub(super) fn per_minute(&self) -> NonZeroU32 {
        self.per_minute
    }

    /// One start; `Err` is the time after which the next one is allowed.
    pub(super) fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_minute: u32) -> StartRate {
        StartRate::new(NonZeroU32::new(per_minute).expect("not zero"))
    }

    #[tokio::test(start_paused = true)]
    async fn starts_beyond_the_burst_are_told_when_to_come_again() {
        let rate = rate(6);
        assert!((0..6).all(|_| rate.take().is_ok()));
        let wait = rate.take().expect_err("the seventh in this moment");
        assert_eq!(wait, Duration::from_secs(10));
        tokio::time::advance(wait.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(rate.take(), Err(Duration::from_millis(1)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(rate.take(), Ok(()));
        assert_eq!(rate.take(), Err(Duration::from_secs(10)));
    }

    proptest! {
        /// In any window of a minute at most twice the rate starts, and over a long time the rate.
        #[test]
        fn no_order_of_starts_exceeds_the_rate(pauses in prop::collection::vec(0_u64..4000, 1..300)) {
            const RATE: usize = 20;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime").block_on(async {
                let rate = rate(20);
                let begun = Instant::now();
                let mut starts = Vec::new();
                for pause in pauses {
                    tokio::time::advance(Duration::from_millis(pause)).await;
                    if rate.take().is_ok() {
                        starts.push(Instant::now());
                    }
                }
                for from in &starts {
                    let minute = starts.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(60));
                    assert!(minute.count() <= 2 * RATE);
                }
                let minutes = begun.elapsed().as_secs_f64() / 60.0;
                let all = u32::try_from(starts.len()).expect("few");
                assert!(f64::from(all) <= 20.0 * (1.0 + minutes) + 1e-6);
            });
        }
    }
}
