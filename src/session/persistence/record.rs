//! The record of a session in the store: how it is read, and to whom it is shown.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    kept_proxy::{KeptProxy, LostProxy},
    state::Content,
};
use crate::{
    api_types::{Beginning, Launch, Owner, Session},
    port::egress::UpstreamProxy,
    session::caller::{Caller, url_at},
    store::{SessionEntry, SessionRecord, Store, Timestamp, UnreadableSession, expiry_of},
};

/// The `state` of a session's record in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HibernatedSession {
    /// The session as its owner saw it last.
    #[serde(flatten)]
    pub(super) session: Session,
    /// The process in which the session is live, if it is. No other process may restore it then.
    #[serde(rename = "livesIn", skip_serializing_if = "Option::is_none", default)]
    pub(super) lives_in: Option<Uuid>,
    /// The snapshot that the session began with, if it began with one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) began: Option<Beginning>,
    /// Its launch options, if it has any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) launch: Option<Launch>,
    /// Its proxy, if it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) proxy: Option<KeptProxy>,
}

/// A hibernated session, from its record.
pub(in crate::session) struct Hibernated {
    id: String,
    owner: Owner,
    rested: HibernatedSession,
}

impl Hibernated {
    /// A record that this version cannot read stays until its owner deletes it, or its deadline passes.
    pub(super) fn read(entry: SessionEntry) -> Result<Self, UnreadableSession> {
        let record = entry?;
        match HibernatedSession::deserialize(&record.state) {
            Ok(rested) if record.snapshot.is_some() => Ok(Self { id: record.id, owner: record.owner, rested }),
            Ok(_) => Err(unreadable(record, "it names no snapshot")),
            Err(error) => Err(unreadable(record, &error.to_string())),
        }
    }

    /// The session's id.
    pub(in crate::session) fn id(&self) -> &str {
        &self.id
    }

    /// Whose session it is.
    pub(in crate::session) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The snapshot that the session began with, if it began with one.
    pub(in crate::session) fn began(&self) -> Option<&Beginning> {
        self.rested.began.as_ref()
    }

    /// Its launch options, if it has any.
    pub(in crate::session) fn launch(&self) -> Option<&Launch> {
        self.rested.launch.as_ref()
    }

    /// Its proxy, if it has one of its own.
    pub(super) fn proxy(&self, store: &Store) -> Result<Option<UpstreamProxy>, LostProxy> {
        self.rested.proxy.as_ref().map(|kept| kept.open(store, &self.owner, &self.id)).transpose()
    }

    /// The process in which it is live, if it is.
    pub(super) fn lives_in(&self) -> Option<Uuid> {
        self.rested.lives_in
    }

    /// Whether its deadline passed this long ago.
    pub(super) fn is_over(&self, grace: Duration) -> bool {
        self.rested.session.expires_at.is_some_and(|at| Timestamp(at).after(grace) <= Timestamp::now())
    }

    /// The session as it is shown to its owner.
    pub(in crate::session) fn show(&self, caller: &Caller) -> Session {
        let session = self.rested.session.clone();
        if self.owner == *caller.owner() {
            return Session { web_socket_debugger_url: caller.url_of(&self.id), ..session };
        }
        let web_socket_debugger_url = url_at(&caller.base, &self.id);
        Session { web_socket_debugger_url, owner: Some(self.owner.to_string()), ..session }
    }

    /// The session as it was saved.
    pub(in crate::session) fn session(&self) -> &Session {
        &self.rested.session
    }
}

fn unreadable(record: SessionRecord, why: &str) -> UnreadableSession {
    let SessionRecord { id, owner, snapshot, state } = record;
    let expires = expiry_of(&state);
    UnreadableSession { id, owner: Some(owner), snapshot, expires, why: why.chars().take(200).collect() }
}

/// What a record says, if this version can read it and it names a snapshot.
pub(super) fn content(record: &SessionRecord) -> Option<Content> {
    let rested = HibernatedSession::deserialize(&record.state).ok()?;
    Some(Content { snapshot: record.snapshot?, session: rested.session })
}
