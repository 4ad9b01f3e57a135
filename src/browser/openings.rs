//! Limits how fast pages of snapshots are opened in one browser. A new page needs Chrome's UI
//! thread, and its document a renderer process; all other sessions wait for both.
//!
//! A number of pages may open at once. After each one, the next starts after a pause as long as
//! Chrome needed to create the page: the busier Chrome is, the longer the pause. A session that
//! asks for one page at a time gets as many turns as any other.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::Browser;

/// A page that loads longer than this does not count any more: it waits for a site, and must not
/// delay others.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The limits of one browser; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Openings {
    at_once: usize,
    turns: Arc<Semaphore>,
    /// No page starts to open before this time.
    pause: Arc<Mutex<Option<Instant>>>,
}

/// The permission to open one page.
#[derive(Debug)]
#[must_use]
pub struct Opening {
    openings: Openings,
    /// How long Chrome needed to create the page.
    took: Duration,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Openings {
    /// The number of pages that may open at once.
    pub(super) fn new(at_once: usize) -> Self {
        Self { at_once, turns: Arc::new(Semaphore::new(at_once)), pause: Arc::default() }
    }

    async fn turn(self) -> Opening {
        // The semaphore is never closed.
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
    /// Creates the page, and measures how long Chrome needs.
    pub async fn make<T>(&mut self, page: impl Future<Output = T>) -> T {
        let since = Instant::now();
        let made = page.await;
        self.took = since.elapsed();
        made
    }

    /// Loads the page. The permission ends when it is loaded, or after a time limit.
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
    /// Waits until another page of a snapshot may open here.
    pub async fn opening(&self) -> Opening {
        self.shared.openings.clone().turn().await
    }

    /// Sets the number of pages of snapshots that may open here at once.
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

    /// Paused time advances by itself while all tasks wait.
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
        // A cancelled one returns its permission.
        drop(next);
        drop(openings.turn().await);
    }
}
