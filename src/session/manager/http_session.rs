//! The session of HTTP calls: commands that come without a connection act in it, or in a session by its name.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{Handle, SessionManager, access, place::Place};
use crate::{
    api_types::{Initial, Isolation, Millis, Options},
    cdp::error::CdpError,
    config::HttpSession,
    session::{
        error::ServiceError,
        id::SessionId,
        task::{Caller, Control},
    },
    tenant::Scope,
};

// Guards the session in which an owner's HTTP calls act; held while it is opened, so that only one is opened. Each owner has
// its own: what one waits for, a place or a browser, others do not wait for.
pub(super) type HttpSessionOf = tokio::sync::Mutex<Option<SessionId>>;

/// The command for which a session of a name is created.
const CREATES: &str = "Target.createTarget";
/// How long the session of HTTP calls stays when it is not used.
const UNUSED: Duration = Duration::from_secs(60);

impl SessionManager {
    /// Sends a browser-level command in the session of this name, or in that of HTTP calls; the first call opens it. Returns
    /// the id of the session with the result.
    ///
    /// A session of a name is created by a command that opens a page in it. Others fail if there is none: anybody's page can
    /// make Chrome send a GET, and cannot read the answer.
    pub async fn call(
        &self,
        caller: &Caller,
        session: Option<&str>,
        method: &'static str,
        params: String,
    ) -> Result<(Arc<str>, Result<String, CdpError>), ServiceError> {
        let handle = match (session, &caller.access.scope) {
            (Some(name), _) if method == CREATES => {
                self.named(caller, name, Options::default(), Initial::default()).await?.handle
            }
            (Some(name), _) => self.existing(caller, name).await?,
            (None, Scope::Session(id)) => self.find(caller, id).await?,
            (None, _) => self.http_session(caller).await?.1,
        };
        let result = self.ask_live(&handle, |reply| Control::Call { method, params, is_use: true, reply }).await?;
        Ok((handle.session_info.id.clone(), result))
    }

    /// The id that `/json/version` gives: that of the shared session, or of a new one.
    pub async fn version_id(&self, caller: &Caller) -> Result<SessionId, ServiceError> {
        if let Scope::Session(id) = &caller.access.scope {
            return Ok(SessionId::new(caller.owner(), id.clone()));
        }
        match self.inner.http_session {
            HttpSession::Own => Ok(self.mint(caller)),
            HttpSession::Shared => Ok(self.http_session(caller).await?.0),
        }
    }

    pub(super) async fn http_session(&self, caller: &Caller) -> Result<(SessionId, Handle), ServiceError> {
        access::whole(caller, "/json")?;
        let of_owner = {
            let mut all = self.inner.http.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(caller.owner().clone()).or_default().clone()
        };
        let mut current = of_owner.lock().await;
        if let Some(id) = &*current
            && let Some(handle) = self.handle(id)
            && !handle.control.is_closed()
        {
            return Ok((id.clone(), handle));
        }
        let id = SessionId::random(caller.owner());
        let keep_alive = UNUSED.min(self.inner.terms().deadlines.keep_alive.most.unwrap_or(UNUSED));
        let options = Options { keep_alive: Some(Millis(keep_alive)), ..Options::default() };
        let is_shared = self.inner.http_session == HttpSession::Shared;
        let (mut live, entry) =
            self.make(caller, id.clone(), options, Place::plain(Isolation::Shared), is_shared).await?;
        live.park();
        entry.run(Box::new(live));
        *current = Some(id.clone());
        let handle = self.handle(&id).ok_or(ServiceError::Closing)?;
        Ok((id, handle))
    }
}
