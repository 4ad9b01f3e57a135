//! How fast the pages of snapshots open again in one browser. A new page takes Chrome's UI thread, and its document a
//! process of its own: all that other sessions wait for.
//!
//! So many open at once. As one is over, the next starts after a pause that is as long as Chrome took to make that page:
//! the busier it is, the longer it is left to others. Who asks for one at a time has as many turns as everybody else.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::Browser;

/// A page that takes longer to load does not count any more: it waits for a site, and holds up nobody.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The turns of one browser; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Openings {
    at_once: usize,
    turns: Arc<Semaphore>,
    /// No page starts to open before this time.
    pause: Arc<Mutex<Option<Instant>>>,
}

/// The turn of one page.
#[derive(Debug)]
#[must_use]
pub struct Opening {
    openings: Openings,
    /// How long Chrome took to make the page.
    took: Duration,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Openings {
    /// So many pages open at once.
    pub(super) fn new(at_once: usize) -> Self {
        Self { at_once, turns: Arc::new(Semaphore::new(at_once)), pause: Arc::default() }
    }

    async fn turn(self) -> Opening {
        // It is never closed.
        let turn = self.turns.clone().acquire_owned().await.ok();
        loop {
            let pause = *self.pause.lock().unwrap_or_else(PoisonError::into_inner);
            match pause.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return Opening { openings: self, took: Duration::ZERO, _turn: turn },
            }
        }
    }
}

impl Opening {
    /// Has Chrome make the page, and measures how long that takes.
    pub async fn make<T>(&mut self, page: impl Future<Output = T>) -> T {
        let since = Instant::now();
        let made = page.await;
        self.took = since.elapsed();
        made
    }

    /// Loads the page. The turn is over when that is done, or takes long.
    pub async fn load<T>(self, page: impl Future<Output = T>) -> T {
        let mut page = std::pin::pin!(page);
        let loaded = tokio::time::timeout(PATIENCE, &mut page).await;
        drop(self);
        match loaded {
            Ok(loaded) => loaded,
            Err(_) => page.await,
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let until = Instant::now() + self.took.min(LONGEST_PAUSE);
        let mut pause = self.openings.pause.lock().unwrap_or_else(PoisonError::into_inner);
        *pause = Some(pause.map_or(until, |before| before.max(until)));
    }
}

impl Browser {
    /// Waits until one more page of a snapshot may open here.
    pub async fn opening(&self) -> Opening {
        self.shared.openings.clone().turn().await
    }

    /// How many pages of snapshots may open here at once.
    pub fn openings_at_once(&self) -> usize {
        self.shared.openings.at_once
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    async fn took<T>(work: impl Future<Output = T>) -> (T, Duration) {
        let since = Instant::now();
        (work.await, since.elapsed())
    }

    const MS: Duration = Duration::from_millis(1);

    /// Paused time passes by itself when everybody waits.
    #[tokio::test(start_paused = true)]
    async fn the_next_page_opens_after_a_pause_as_long_as_the_last_one_took_to_make() {
        for (made, pause) in [(0, 0), (40, 40), (9000, 500)] {
            let openings = Openings::new(1);
            let mut first = openings.clone().turn().await;
            first.make(tokio::time::sleep(made * MS)).await;
            let next = tokio::spawn(took(openings.clone().turn()));
            let ((), loaded) = took(first.load(tokio::time::sleep(100 * MS))).await;
            assert_eq!(loaded, 100 * MS, "whoever has loaded waits for nothing");
            let (_next, waited) = next.await.expect("a turn");
            // The timers count whole milliseconds.
            let more = waited.saturating_sub(loaded + pause * MS);
            assert!(waited >= loaded + pause * MS && more <= 2 * MS, "{made}: {waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn opening_pages_are_limited_and_sessions_take_turns() {
        let openings = Openings::new(2);
        let (order, rest) = (Arc::new(Mutex::new(String::new())), Duration::from_secs(1) / 2);
        for _ in 0..2 {
            tokio::spawn(openings.clone().turn().await.load(tokio::time::sleep(rest)));
        }
        let sessions = ["a", "b"].map(|name| {
            let (openings, order) = (openings.clone(), order.clone());
            async move {
                for _ in 0..4 {
                    let turn = openings.clone().turn().await;
                    order.lock().expect("a list").push_str(name);
                    tokio::spawn(turn.load(tokio::time::sleep(rest)));
                }
            }
        });
        let (_, all) = took(futures_util::future::join_all(sessions)).await;
        assert_eq!(order.lock().expect("a list").as_str(), "abababab");
        assert!(all >= 4 * rest, "{all:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_sites_delay_other_pages_for_a_limited_time() {
        let openings = Openings::new(1);
        let hangs = openings.clone().turn().await;
        tokio::spawn(hangs.load(pending::<()>()));
        let (next, waited) = took(openings.clone().turn()).await;
        assert!(waited <= PATIENCE + 2 * MS, "{waited:?}");
        // One that is given up gives its turn back.
        drop(next);
        drop(openings.turn().await);
    }
}
