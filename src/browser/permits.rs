//! Waits for permission to take a screenshot: [`Pixels`] with a clock and wakers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::oneshot;

use super::{
    Lease, LeaseId,
    pixels::{Pixels, Ticket},
};
use crate::port::{Guard, Permit};

/// The screenshots of one browser; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Permits(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    pixels: Pixels,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

impl Permits {
    /// `budget` is the number of pixels that may be in progress.
    pub(super) fn new(budget: u64) -> Self {
        Self(Arc::new(Mutex::new(State { pixels: Pixels::new(budget), waiting: HashMap::new() })))
    }

    /// The number of waiting screenshots.
    pub(super) fn waiting(&self) -> usize {
        self.state().pixels.waiting()
    }

    /// Waits until a screenshot of this many pixels may be taken. It counts until the permit is
    /// dropped; if the future is dropped before, the screenshot leaves the queue.
    pub(super) async fn acquire(self, lease: LeaseId, pixels: u64) -> Permit {
        let (wake, mut woken) = oneshot::channel();
        let held = {
            let mut state = self.state();
            let ticket = state.pixels.ask(lease, pixels);
            state.waiting.insert(ticket, wake);
            Held { permits: self.clone(), ticket: Some(ticket) }
        };
        loop {
            let next = self.go_on();
            tokio::select! {
                biased;
                _ = &mut woken => return Permit::new(held),
                // A screenshot in progress stops counting at its deadline, without any event.
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {}
            }
        }
    }

    /// Wakes the screenshots that may be taken, and returns when to check again.
    fn go_on(&self) -> Option<Instant> {
        let mut state = self.state();
        while let Some(ticket) = state.pixels.poll_next(now()) {
            if let Some(wake) = state.waiting.remove(&ticket) {
                let _ = wake.send(());
            }
        }
        state.pixels.next_timeout()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of the runtime's timers.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A screenshot that waits or is in progress.
#[derive(Debug)]
struct Held {
    permits: Permits,
    /// `None` if the screenshot counts until its deadline.
    ticket: Option<Ticket>,
}

impl Guard for Held {
    fn leave(mut self: Box<Self>) {
        self.ticket = None;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        {
            let mut state = self.permits.state();
            state.pixels.done(ticket);
            state.waiting.remove(&ticket);
        }
        self.permits.go_on();
    }
}

impl Lease {
    /// Waits until a screenshot of this many device pixels may be taken in this browser.
    pub fn permit(&self, pixels: u64) -> impl Future<Output = Permit> + Send + use<> {
        self.browser.shared.permits.clone().acquire(self.id, pixels)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Paused time advances by itself while all tasks wait.
    #[tokio::test(start_paused = true)]
    async fn the_next_screenshot_starts_when_the_last_ends_or_times_out() {
        let permits = Permits::new(100);
        let acquire = |lease| permits.clone().acquire(LeaseId(lease), 100);
        let first = acquire(1).await;
        let mut given_up = Box::pin(acquire(2));
        let mut second = Box::pin(acquire(3));
        let soon = Duration::from_millis(1);
        assert!(tokio::time::timeout(soon, &mut given_up).await.is_err());
        assert!(tokio::time::timeout(soon, &mut second).await.is_err());
        assert_eq!(permits.waiting(), 2);
        drop(given_up);
        drop(first);
        let second = tokio::time::timeout(soon, second).await.expect("its turn");
        // The second one is never answered.
        let third = acquire(1).await;
        drop(second);
        assert_eq!(permits.waiting(), 0);
        assert!(tokio::time::timeout(soon, acquire(1)).await.is_err(), "the third is under way");
        drop(third);
        acquire(1).await;
    }

    #[tokio::test(start_paused = true)]
    async fn abandoned_screenshots_count_until_their_deadline() {
        let permits = Permits::new(100);
        let acquire = |lease| permits.clone().acquire(LeaseId(lease), 100);
        acquire(1).await.leave();
        let mut second = Box::pin(acquire(2));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut second).await.is_err(), "Chrome still draws");
        let since = tokio::time::Instant::now();
        second.await.leave();
        assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    }
}
