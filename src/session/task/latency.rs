//! A sample of how long commands take, for `/metrics`: one command in [`EVERY`] of each session is timed.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::virtual_browser::{ToClient, ViewId};

/// One command in so many is timed, so that the others cost no more than a count.
const EVERY: u64 = 64;
/// A larger command is not timed: its id may be anywhere in it.
const LARGEST: usize = 64 * 1024;
/// A reply that has not come after this time is not waited for: a command may wait for a promise of the page.
const LONGEST: Duration = Duration::from_secs(60);

/// The command that is being timed.
#[derive(Debug)]
struct Timed {
    view: ViewId,
    /// The beginning of its reply.
    start: String,
    since: Instant,
}

/// Times one command at a time.
#[derive(Debug, Default)]
pub(super) struct LatencySample {
    seen: u64,
    timed: Option<Timed>,
}

impl LatencySample {
    /// Notes a command that came from a client.
    pub(super) fn on_command(&mut self, view: ViewId, frame: &[u8], now: impl FnOnce() -> Instant) {
        #[derive(Deserialize)]
        struct Id {
            id: i64,
        }

        self.seen += 1;
        if self.seen % EVERY != 1 || frame.len() > LARGEST {
            return;
        }
        let now = now();
        if self.timed.as_ref().is_some_and(|timed| now.saturating_duration_since(timed.since) < LONGEST) {
            return;
        }
        let id = serde_json::from_slice(frame).ok().map(|Id { id }| id);
        self.timed = id.map(|id| Timed { view, start: format!(r#"{{"id":{id},"#), since: now });
    }

    /// Notes a frame to a client; the time since its command came, if it is the reply to the command that is timed.
    pub(super) fn on_frame(
        &mut self,
        view: ViewId,
        frame: &ToClient,
        now: impl FnOnce() -> Instant,
    ) -> Option<Duration> {
        let timed = self.timed.as_ref()?;
        if timed.view != view || !frame.starts_with(&timed.start) {
            return None;
        }
        let timed = self.timed.take()?;
        Some(now().saturating_duration_since(timed.since))
    }
}
