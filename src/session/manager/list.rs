//! The list of a caller's sessions, and the cursors of its pages.

use super::{SessionManager, service::page_of};
use crate::{
    api_types::{Bad, SessionState, Sessions, Unreadable, operations::ListSessions},
    session::{
        error::ServiceError,
        id::{SessionId, is_id},
        task::{Caller, SessionInfo},
    },
    store::UnreadableSession,
};

/// First character of a cursor among the hibernated sessions; one among the live ones starts with a hexadecimal digit.
const ASLEEP: char = 'z';

/// Where a page of sessions starts.
enum After<'a> {
    /// At the first session.
    Nothing,
    /// After the live session with this place. Places say nothing of the sessions of others, as numbers would.
    Awake(Place<'a>),
    /// After the hibernated session with this id.
    Asleep(&'a str),
}

/// The place of a live session in a list: when it was requested, in nanoseconds after the start of the server, and its id.
type Place<'a> = (u64, &'a str);

/// Reads the cursor of a page.
fn after(cursor: Option<&str>) -> Result<After<'_>, Bad> {
    let Some(cursor) = cursor else { return Ok(After::Nothing) };
    // As the pattern of the operation says.
    let after = if let Some(id) = cursor.strip_prefix(ASLEEP) {
        Some(id).filter(|id| is_id(id)).map(After::Asleep)
    } else {
        let is_number =
            |asked: &&str| asked.len() <= 15 && asked.bytes().all(|digit| b"0123456789abcdef".contains(&digit));
        cursor.split_once('.').and_then(|(asked, id)| {
            let asked = Some(asked).filter(is_number).and_then(|asked| u64::from_str_radix(asked, 16).ok())?;
            Some(After::Awake((asked, Some(id).filter(|id| is_id(id))?)))
        })
    };
    after.ok_or_else(|| Bad::new("cursor", "is not a value that this server gave as `next`"))
}

impl SessionManager {
    /// The caller's sessions, one page at a time: the live ones, oldest first, then the hibernated ones.
    pub async fn list(&self, caller: &Caller, wanted: &ListSessions) -> Result<Sessions, ServiceError> {
        let (limit, after) = (page_of(wanted.limit)?, after(wanted.cursor.as_deref())?);
        let (mut sessions, is_admin) = (Vec::new(), caller.is_admin());
        if !matches!(after, After::Asleep(_)) {
            let mut cards: Vec<_> = self
                .inner
                .live
                .iter()
                .map(|handle| handle.session_info.clone())
                .filter(|session_info| {
                    (session_info.owner == *caller.owner() || is_admin)
                        && caller.access.covers(&session_info.id)
                        && is_after(self.place(session_info), &after)
                        && session_info.matches(wanted)
                })
                .collect();
            cards.sort_unstable_by(|one, other| self.place(one).cmp(&self.place(other)));
            let more = cards.len() > limit;
            cards.truncate(limit);
            sessions.extend(cards.iter().map(|session_info| session_info.show(caller)));
            if more {
                let next = cards.last().map(|last| self.place(last)).map(|(asked, id)| format!("{asked:x}.{id}"));
                return Ok(Sessions { sessions, next, ..Sessions::default() });
            }
        }
        if wanted.state.is_some_and(|state| state != SessionState::Hibernated) {
            return Ok(Sessions { sessions, ..Sessions::default() });
        }
        let mut last = if let After::Asleep(id) = after { id.to_owned() } else { String::new() };
        let mut unreadable = Vec::new();
        for entry in self.all_hibernated(caller).await? {
            let shown = entry.map(|hibernated| hibernated.show(caller));
            let (id, takes) = match &shown {
                Ok(session) => {
                    (&session.id, wanted.takes(session.state, session.name.as_ref(), session.metadata.as_ref()))
                }
                // It has neither name nor metadata to compare.
                Err(unreadable) => (&unreadable.id, wanted.takes(SessionState::Hibernated, None, None)),
            };
            // A session that was restored meanwhile is among the live ones.
            if *id <= last
                || !takes
                || !caller.access.covers(id)
                || self.inner.live.contains_key(&SessionId::new(caller.owner(), id.as_str()))
            {
                continue;
            }
            if sessions.len() + unreadable.len() == limit {
                return Ok(Sessions { sessions, unreadable, next: Some(format!("{ASLEEP}{last}")) });
            }
            last.clone_from(id);
            match shown {
                Ok(session) => sessions.push(session),
                Err(UnreadableSession { id, why: reason, .. }) => unreadable.push(Unreadable { id, reason }),
            }
        }
        Ok(Sessions { sessions, unreadable, next: None })
    }

    /// The place of a live session in a list.
    fn place<'a>(&self, session_info: &'a SessionInfo) -> Place<'a> {
        let asked = session_info.asked.saturating_duration_since(self.inner.started).as_nanos();
        (u64::try_from(asked).unwrap_or(u64::MAX), &session_info.id)
    }
}

fn is_after(place: Place<'_>, after: &After<'_>) -> bool {
    match after {
        After::Nothing => true,
        After::Awake(last) => place > *last,
        After::Asleep(_) => false,
    }
}
