//! Sessions by a name that their clients chose. The name decides the id, so a named session is found like any other, live
//! or hibernated; a request for one that does not exist creates it.

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{Admitted, Handle, SessionManager, access, registration::Registration};
use crate::api_types::{Bad, Beginning, Initial, Isolation, Launch, Options, ProfileKind, ProfileUse};
use crate::port::egress::UpstreamProxy;
use crate::session::{
    connect_options::ConnectOptions,
    error::ServiceError,
    id::SessionId,
    proxy,
    task::{Caller, Scheme, SessionTask},
};

/// A named session that runs.
pub(super) struct Named {
    pub(super) handle: Handle,
    /// Whether it has just been created; otherwise it existed, live or hibernated.
    pub(super) is_new: bool,
}

/// A session that is ready to run.
pub(super) struct Opened {
    pub(super) live: SessionTask,
    pub(super) entry: Registration,
    pub(super) is_new: bool,
}

impl SessionManager {
    /// Where clients come to the session of this name. Creates nothing.
    pub fn url_of_named(&self, caller: &Caller, name: &str) -> Result<String, ServiceError> {
        let id = SessionId::named(caller.owner(), name)?;
        access::may_connect(caller, id.as_str())?;
        Ok(caller.url_for(id.as_str(), Scheme::Ws, &format!("/s/{name}")))
    }

    /// The session of this name: an existing one, a hibernated one, or a new one.
    pub async fn connect_named(
        &self,
        caller: &Caller,
        name: &str,
        wish: ConnectOptions,
    ) -> Result<Admitted, ServiceError> {
        let id = SessionId::named(caller.owner(), name)?;
        self.connect_to(caller, &id, Some(name), wish).await
    }

    pub(super) async fn connect_to(
        &self,
        caller: &Caller,
        id: &SessionId,
        name: Option<&str>,
        wish: ConnectOptions,
    ) -> Result<Admitted, ServiceError> {
        access::may_connect(caller, id.as_str())?;
        let wish = &wish;
        let join = |handle: Handle| async move { self.join(caller, &handle, None, wish.clone()).await }.boxed();
        let open = || {
            async move {
                let opened = self.wake_or_open(caller, id, name, wish.clone(), wish.options.clone()).await?;
                opened.entry.admit(opened.live, caller, wish.exclusive).await
            }
            .boxed()
        };
        self.join_or_open(id, join, open).await
    }

    /// The live session of this name, for a request without a connection. If there is none, it is restored or created, and
    /// waits for a client. The options are for a new one.
    pub(super) async fn named(
        &self,
        caller: &Caller,
        name: &str,
        options: Options,
        initial: Initial,
    ) -> Result<Named, ServiceError> {
        self.named_or_new(caller, name, options, initial, true).await
    }

    /// The live session of this name, for a request without a connection that creates none. A hibernated one is restored.
    pub(super) async fn existing(&self, caller: &Caller, name: &str) -> Result<Handle, ServiceError> {
        Ok(self.named_or_new(caller, name, Options::default(), Initial::default(), false).await?.handle)
    }

    async fn named_or_new(
        &self,
        caller: &Caller,
        name: &str,
        mut options: Options,
        initial: Initial,
        creates: bool,
    ) -> Result<Named, ServiceError> {
        let id = &SessionId::named(caller.owner(), name)?;
        access::may_connect(caller, id.as_str())?;
        self.will_wait(&mut options)?;
        let (options, wish) = (&options, &ConnectOptions { initial, ..ConnectOptions::default() });
        let join = |handle: Handle| {
            async move {
                self.begun(&handle).await?;
                if handle.control.is_closed() {
                    return Err(self.no_session(id));
                }
                is_as_asked(&handle, &wish.initial, "")?;
                Ok(Named { handle, is_new: false })
            }
            .boxed()
        };
        let open = || {
            async move {
                let Opened { mut live, entry, is_new } =
                    self.wake_or_open(caller, id, creates.then_some(name), wish.clone(), options.clone()).await?;
                // One that was restored may have no `keep_alive`: its browser failed while it had a client.
                live.may_park(None)?;
                entry.wait_for_client(live, caller);
                let handle = self.handle(id).ok_or(ServiceError::Closing)?;
                Ok(Named { handle, is_new })
            }
            .boxed()
        };
        self.join_or_open(id, join, open).await
    }

    /// Joins the session of this id or, if there is none, opens it. Of callers that come at once one opens it, and the
    /// others join.
    pub(super) async fn join_or_open<'a, T>(
        &self,
        id: &SessionId,
        join: impl Fn(Handle) -> BoxFuture<'a, Result<T, ServiceError>>,
        open: impl Fn() -> BoxFuture<'a, Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        loop {
            if let Some(handle) = self.handle(id) {
                match join(handle.clone()).await {
                    // It has just ended; it may be hibernated, and a name is free otherwise.
                    Err(ServiceError::NoSession { .. }) => handle.gone.cancelled().await,
                    joined => return joined,
                }
            }
            match open().await {
                // Another caller was faster; this one joins its session.
                Err(ServiceError::IdInUse(_)) => {}
                opened => return opened,
            }
        }
    }

    /// A session of an id that no live one has: a new one, if the id or the name allows it, or one that hibernates.
    pub(super) async fn wake_or_open(
        &self,
        caller: &Caller,
        id: &SessionId,
        name: Option<&str>,
        wish: ConnectOptions,
        mut if_new: Options,
    ) -> Result<Opened, ServiceError> {
        let initial = wish.initial.clone();
        if name.is_some() || !self.may_open(id) {
            if let Some((live, entry)) = self.woken(caller, id, wish).await? {
                return Ok(Opened { live, entry, is_new: false });
            }
            let name = name.ok_or_else(|| self.no_session(id))?;
            if_new.name.get_or_insert_with(|| name.to_owned());
        }
        let (live, entry) = self.open(caller, id.clone(), if_new, initial).await?;
        Ok(Opened { live, entry, is_new: true })
    }
}

/// Whether a live session is what a client wants that asks for one with these properties.
pub(super) fn is_as_asked(handle: &Handle, initial: &Initial, instead: &str) -> Result<(), ServiceError> {
    let id = handle.session_info.session_id();
    began_with(&id, handle.checkpoint.beginning(), initial.begins.as_ref(), instead)?;
    launched_as(&id, handle.checkpoint.launch(), initial)?;
    proxied_as(&id, handle.checkpoint.proxy(), initial)?;
    isolated_as(&id, handle.session_info.isolation, initial)?;
    with_profile(&id, handle.session_info.profile(), initial)
}

/// Whether a session that exists has the profile that a client asks for.
pub(super) fn with_profile(id: &SessionId, has: Option<&ProfileUse>, initial: &Initial) -> Result<(), ServiceError> {
    let Some(asked) = &initial.profile else { return Ok(()) };
    let option = match has {
        Some(has) if has == asked => return Ok(()),
        Some(has) if (has.kind, &has.name) == (asked.kind, &asked.name) => "persist",
        _ if asked.kind == ProfileKind::UserData => "userData",
        _ => "profile",
    };
    Err(ServiceError::Begun { id: id.to_string(), option })
}

/// Whether a session that exists has the proxy that a client asks for.
pub(super) fn proxied_as(id: &SessionId, has: Option<&UpstreamProxy>, initial: &Initial) -> Result<(), ServiceError> {
    let Some(asked) = &initial.proxy else { return Ok(()) };
    if proxy::read(asked)?.as_ref() == has {
        return Ok(());
    }
    Err(ServiceError::Begun { id: id.to_string(), option: asked.option })
}

/// Whether a session that exists has the launch options that a client asks for.
pub(super) fn launched_as(id: &SessionId, launch: Option<&Launch>, initial: &Initial) -> Result<(), ServiceError> {
    match &initial.launch {
        Some(asked) if launch != Some(asked) => Err(ServiceError::Begun { id: id.to_string(), option: "launch" }),
        _ => Ok(()),
    }
}

/// Whether a session that exists has the isolation that a client asks for.
pub(super) fn isolated_as(id: &SessionId, isolation: Isolation, initial: &Initial) -> Result<(), ServiceError> {
    match initial.isolation {
        Some(asked) if asked != isolation => Err(ServiceError::Begun { id: id.to_string(), option: "isolation" }),
        _ => Ok(()),
    }
}

/// Whether a session that exists is what a client wants that asks for one with this beginning: only a named one can be.
pub(super) fn began_with(
    id: &SessionId,
    began: Option<&Beginning>,
    asked: Option<&Beginning>,
    instead: &str,
) -> Result<(), ServiceError> {
    let Some(asked) = asked else { return Ok(()) };
    if !id.is_named() {
        return Err(Bad::new("snapshot", format!("is for a new session; {instead}")).into());
    }
    let option = match began {
        Some(began) if began == asked => return Ok(()),
        Some(began) if began.snapshot == asked.snapshot => "pages",
        _ => "snapshot",
    };
    Err(ServiceError::Begun { id: id.to_string(), option })
}
