//! Remembers sessions that ended against their clients' will. No client can open another session under the same id, and
//! a client that comes back is told why the session ended.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::session::id::{SessionId, VALID};

/// Most tombstones; with more, the oldest are removed early.
const MOST: usize = 32_768;

/// Why a session ended, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// When the session ended.
    pub at: Instant,
    /// The text of its close reason.
    pub why: String,
}

impl Tombstone {
    /// Time since the end.
    pub fn ago(&self) -> Duration {
        self.at.elapsed()
    }
}

/// The tombstones by id.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    by_id: HashMap<SessionId, (Tombstone, Option<u64>)>,
    since: VecDeque<SessionId>,
    /// Minted ids of this second and earlier are refused, because the tombstone of one of them was removed early.
    floor: u64,
}

impl Tombstones {
    /// Adds a tombstone. `made` is when the id was minted, if it was.
    pub(super) fn remember(&mut self, id: &SessionId, made: Option<u64>, tombstone: Tombstone) {
        let now = tombstone.at;
        while let Some(oldest) = self.since.front() {
            let is_old = self.by_id.get(oldest).is_none_or(|(tombstone, _)| now.duration_since(tombstone.at) > VALID);
            if !is_old && self.since.len() < MOST {
                break;
            }
            if let Some((_, made)) = self.since.pop_front().and_then(|oldest| self.by_id.remove(&oldest)) {
                self.floor = self.floor.max(made.unwrap_or(0));
            }
        }
        if self.by_id.insert(id.clone(), (tombstone, made)).is_none() {
            self.since.push_back(id.clone());
        }
    }

    /// Removes the tombstone of a session that was restored since and has ended as its clients wanted.
    pub(super) fn forget(&mut self, id: &SessionId) {
        // Its place in the order stays, and is skipped later.
        self.by_id.remove(id);
    }

    /// The tombstone of a session.
    pub(super) fn of(&self, id: &SessionId) -> Option<&Tombstone> {
        self.by_id.get(id).map(|(tombstone, _)| tombstone)
    }

    /// Whether an id minted at this time may have been used, and its tombstone removed early.
    pub(super) fn is_doubtful(&self, made: u64) -> bool {
        made <= self.floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::Owner;

    #[test]
    fn forgotten_tombstones_still_block_their_ids() {
        let mut ended = Tombstones::default();
        let now = Instant::now();
        let tombstone = |at| Tombstone { at, why: "bye".into() };
        let id = |number: usize| SessionId::new(&Owner::local(), format!("id-{number}"));
        for number in 0..MOST {
            ended.remember(&id(number), Some(number as u64 + 1), tombstone(now));
        }
        assert!(ended.of(&id(0)).is_some() && !ended.is_doubtful(1));
        ended.remember(&id(MOST), None, tombstone(now));
        assert!(ended.of(&id(0)).is_none() && ended.of(&id(1)).is_some());
        assert!(ended.is_doubtful(1) && !ended.is_doubtful(2));
        ended.remember(&id(MOST + 1), None, tombstone(now + VALID + Duration::from_secs(1)));
        assert_eq!((ended.by_id.len(), ended.since.len()), (1, 1));
    }
}
