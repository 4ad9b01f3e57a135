//! What the task waits for outside of its loop.

use std::{path::PathBuf, time::Instant};

use super::Caller;
use crate::{
    api_types::{Options, Usage},
    browser::CallError,
    cdp::ids::{CdpSessionId, TargetId},
    port::{Permit, Tag},
    session::{
        client::Client,
        error::ServiceError,
        persistence::{HibernateGuard, PersistenceError},
    },
    virtual_browser::ViewId,
};

/// What was waited for outside the loop.
pub(super) enum Done {
    /// A client that was on its way, if it came.
    Came(Coming, Option<(Box<Client>, CdpSessionId, Option<CdpSessionId>)>),
    Faced(Result<CdpSessionId, CallError>),
    Moved(Tag, Option<PathBuf>),
    Checked(Tag, bool),
    /// What it was to be reminded of.
    Late(Tag),
    /// The browser has room for a screenshot.
    Permitted(Tag, Permit),
    /// What a client asked of another session.
    Asked(Tag, Result<String, ServiceError>),
    /// What a client asked about this session's use.
    Used(Tag, Box<Usage>),
    /// It was saved, to sleep: as it was since then.
    Hibernated(Instant, Result<HibernateGuard, PersistenceError>),
    /// It was saved while it goes on: as it was then.
    Saved(Instant, Result<(), PersistenceError>),
    /// Nobody in here waited.
    Nothing,
}

/// A client that has a seat and is on its way.
pub(super) struct Coming {
    pub(super) view: ViewId,
    pub(super) caller: Caller,
    pub(super) page: Option<TargetId>,
    pub(super) takeover: bool,
    pub(super) exclusive: bool,
    pub(super) options: Options,
}
