//! The futures that a session's task awaits beside its loop.

use std::{path::PathBuf, time::Instant};

use super::Caller;
use crate::{
    api_types::{Options, Usage},
    browser::CallError,
    cdp::{
        error::CdpError,
        ids::{CdpSessionId, TargetId},
    },
    port::{Extension, Permit, Tag},
    session::{
        client::Client,
        error::ServiceError,
        persistence::{HibernateGuard, PersistenceError},
    },
    virtual_browser::ViewId,
};

/// The result of such a future.
pub(super) enum Done {
    /// An admitted client, with its socket, root and page if it has connected.
    Came(Coming, Option<(Box<Client>, CdpSessionId, Option<CdpSessionId>)>),
    /// The root of the view of RPC calls.
    RpcRoot(Result<CdpSessionId, CallError>),
    /// The CDP session of the calls on a page.
    PageAttached(TargetId, Result<String, CdpError>),
    Moved(Tag, Option<PathBuf>),
    Checked(Tag, bool),
    /// An extension, if a client may load it.
    FoundExtension(Tag, Option<Extension>),
    /// The timer of [`Action::Remind`](crate::virtual_browser::Action::Remind) has ended.
    Late(Tag),
    /// The browser has given a permit for a screenshot.
    Permitted(Tag, Permit),
    /// The result of a client's command on another session.
    Asked(Tag, Result<String, ServiceError>),
    /// The resources that this session uses, for a client.
    Used(Tag, Box<Usage>),
    /// The parked session was saved to be hibernated, in its state since this time.
    Hibernated(Instant, Result<HibernateGuard, PersistenceError>),
    /// The running session was saved, in its state at this time.
    Saved(Instant, Result<(), PersistenceError>),
    /// Nobody answers the dialogs of this page for a caller any more.
    ReleasedDialogs(TargetId),
    /// The task does not use the result.
    Nothing,
}

/// A client that was admitted and is about to connect.
pub(super) struct Coming {
    pub(super) view: ViewId,
    pub(super) caller: Caller,
    pub(super) page: Option<TargetId>,
    pub(super) takeover: bool,
    pub(super) exclusive: bool,
    pub(super) options: Options,
}
