//! What the store has of one session, as a state machine: events in, the next state out. No I/O and no clock;
//! `checkpoint` writes each new state to the store.
//!
//! ```text
//!            autosaved                 hibernated
//!   None ──────────────▶ Saved ──────────────────▶ Hibernated
//!    ▲ │                  ▲  │ interrupted            ▲    │ claimed by a process that restores the session
//!    │ └── hibernated ────│──┴────────────────────────┘    ▼
//!    │                    └────── started, autosave ──── Claimed ── not started ──▶ Hibernated
//!    └── ended for good, from every state; started without autosave, from Claimed
//! ```

use crate::{api_types::Session, store::SnapshotId};

/// What the store has of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum State {
    /// Nothing.
    #[default]
    None,
    /// The session runs in this process, and can be restored from here if its browser or the process dies.
    Saved(Content),
    /// No process runs the session. A client that connects gets it restored.
    Hibernated(Content),
    /// This process took the hibernated session and is restoring it.
    Claimed(Content),
}

/// A snapshot of a session, and the session as its owner saw it then.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    pub(super) snapshot: SnapshotId,
    pub(super) session: Session,
}

/// A change of what the store has.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// The session was saved and goes on.
    Autosaved(Content),
    /// The session was saved in order to end.
    Hibernated(Content),
    /// This process took the record of the hibernated session.
    Claimed(Content),
    /// The restored session runs. Its snapshot is kept if it has `autosave`.
    Started { autosaves: bool },
    /// The session hibernated in this snapshot goes on after all: as this, or without a snapshot.
    GoesOn { snapshot: SnapshotId, session: Option<Session> },
    /// The session ended and can be restored: as this, or as it was saved.
    Settled { last: Option<Session> },
    /// The session ended for good.
    Cleared,
}

/// How a session of this process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum End {
    /// It was not started: a restored session stays hibernated.
    NotStarted,
    /// Against its clients' will, or because it hibernated: it is restored if the store has it.
    Interrupted,
    /// As its clients or its deadlines wanted.
    ForGood,
}

/// What happens to the record of a session at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// It stays, and says that the session is hibernated.
    Keep,
    /// As `Keep`, with the session's last state.
    KeepLast,
    /// It is deleted.
    Delete,
}

impl State {
    /// The snapshot and the session, if the store has them.
    pub(super) fn content(&self) -> Option<&Content> {
        match self {
            Self::None => None,
            Self::Saved(content) | Self::Hibernated(content) | Self::Claimed(content) => Some(content),
        }
    }

    /// Whether the record says that the session runs in this process.
    pub(super) fn lives_here(&self) -> bool {
        matches!(self, Self::Saved(_) | Self::Claimed(_))
    }

    /// The state after an event; `None` if the event changes nothing.
    pub(super) fn next(&self, event: Event) -> Option<Self> {
        match (self, event) {
            (_, Event::Autosaved(content)) => Some(Self::Saved(content)),
            (_, Event::Hibernated(content)) => Some(Self::Hibernated(content)),
            (Self::None, Event::Claimed(content)) => Some(Self::Claimed(content)),
            (Self::Claimed(content), Event::Started { autosaves: true }) => Some(Self::Saved(content.clone())),
            (Self::Claimed(_), Event::Started { autosaves: false })
            | (Self::Saved(_) | Self::Hibernated(_) | Self::Claimed(_), Event::Cleared) => Some(Self::None),
            (Self::Hibernated(content), Event::GoesOn { snapshot, session }) if content.snapshot == snapshot => {
                Some(session.map_or(Self::None, |session| Self::Saved(Content { snapshot, session })))
            }
            (Self::Saved(content) | Self::Claimed(content), Event::Settled { last }) => {
                let session = last.unwrap_or_else(|| content.session.clone());
                Some(Self::Hibernated(Content { session, ..*content }))
            }
            // A save that was under way at the end may have come first.
            (Self::Hibernated(content), Event::Settled { last: Some(session) }) => {
                Some(Self::Hibernated(Content { session, ..*content }))
            }
            (_, Event::Claimed(_) | Event::Started { .. } | Event::GoesOn { .. })
            | (Self::None, Event::Settled { .. } | Event::Cleared)
            | (Self::Hibernated(_), Event::Settled { last: None }) => None,
        }
    }

    /// What happens to the record when the session ends. The one place that decides whether a session can be restored.
    pub(super) fn at_end(&self, end: End, autosaves: bool) -> AtEnd {
        match (end, self) {
            (End::NotStarted, _) | (End::Interrupted, Self::Hibernated(_)) => AtEnd::Keep,
            (End::Interrupted, _) if autosaves => AtEnd::KeepLast,
            (End::Interrupted | End::ForGood, _) => AtEnd::Delete,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(name: &str) -> Session {
        let session = json!({
            "id": "a-session", "state": "hibernated", "webSocketDebuggerUrl": "", "name": name, "createdAt": 0,
            "timeout": 0, "idleTimeout": 0, "keepAlive": 0, "clients": 0,
        });
        serde_json::from_value(session).expect("a session")
    }

    #[test]
    fn each_event_leads_from_each_state_to_the_next() {
        let (first, second) = (SnapshotId::from(1), SnapshotId::from(2));
        let content = |snapshot, name: &str| Content { snapshot, session: session(name) };
        let old = || content(first, "old");
        let states = [State::None, State::Saved(old()), State::Hibernated(old()), State::Claimed(old())];
        let new = || content(second, "new");
        let (saved, hibernated) = (|content| Some(State::Saved(content)), |content| Some(State::Hibernated(content)));
        let go_on = |snapshot, session| Event::GoesOn { snapshot, session };
        // By column: from None, Saved, Hibernated, Claimed. `None` is no change.
        let table: Vec<(Event, [Option<State>; 4])> = vec![
            (Event::Autosaved(new()), [saved(new()), saved(new()), saved(new()), saved(new())]),
            (Event::Hibernated(new()), [hibernated(new()), hibernated(new()), hibernated(new()), hibernated(new())]),
            (Event::Claimed(new()), [Some(State::Claimed(new())), None, None, None]),
            (Event::Started { autosaves: true }, [None, None, None, saved(old())]),
            (Event::Started { autosaves: false }, [None, None, None, Some(State::None)]),
            (go_on(first, Some(session("on"))), [None, None, saved(content(first, "on")), None]),
            (go_on(first, None), [None, None, Some(State::None), None]),
            // Another snapshot has taken its place.
            (go_on(second, None), [None, None, None, None]),
            (Event::Settled { last: None }, [None, hibernated(old()), None, hibernated(old())]),
            (
                Event::Settled { last: Some(session("last")) },
                [
                    None,
                    hibernated(content(first, "last")),
                    hibernated(content(first, "last")),
                    hibernated(content(first, "last")),
                ],
            ),
            (Event::Cleared, [None, Some(State::None), Some(State::None), Some(State::None)]),
        ];
        for (event, nexts) in table {
            for (state, next) in states.iter().zip(nexts) {
                assert_eq!(state.next(event.clone()), next, "{state:?} on {event:?}");
            }
        }
    }

    #[test]
    fn a_session_is_kept_at_its_end_if_it_can_be_restored() {
        let content = || Content { snapshot: SnapshotId::from(1), session: session("x") };
        let awake = [State::None, State::Saved(content()), State::Claimed(content())];
        let hibernated = State::Hibernated(content());
        for autosaves in [false, true] {
            let interrupted = if autosaves { AtEnd::KeepLast } else { AtEnd::Delete };
            for state in &awake {
                assert_eq!(state.at_end(End::Interrupted, autosaves), interrupted, "{state:?}");
            }
            assert_eq!(hibernated.at_end(End::Interrupted, autosaves), AtEnd::Keep);
            for state in awake.iter().chain([&hibernated]) {
                assert_eq!(state.at_end(End::NotStarted, autosaves), AtEnd::Keep, "{state:?}");
                assert_eq!(state.at_end(End::ForGood, autosaves), AtEnd::Delete, "{state:?}");
            }
        }
    }
}
