//! The session of HTTP calls: commands that come without a connection act in it, or in a session by its name.

use std::time::Duration;

use super::{Handle, SessionManager};
use crate::{
    api_types::{Millis, Options},
    cdp::error::CdpError,
    config::HttpSession,
    session::{
        error::ServiceError,
        id::SessionId,
        task::{Caller, Control},
    },
};

/// How long the session of HTTP calls stays when it is not used.
const UNUSED: Duration = Duration::from_secs(60);

impl SessionManager {
    /// Sends a browser-level command in the session of this name, or in that of HTTP calls; the first call opens it.
    pub async fn call(
        &self,
        caller: &Caller,
        session: Option<&str>,
        method: &'static str,
        params: String,
    ) -> Result<Result<String, CdpError>, ServiceError> {
        let handle = match session {
            Some(name) => self.named(caller, name, Options::default(), None).await?.handle,
            None => self.http_session(caller).await?.1,
        };
        self.ask_live(&handle, |reply| Control::Call { method, params, is_use: true, reply }).await
    }

    /// The id that `/json/version` gives: that of the shared session, or of a new one.
    pub async fn version_id(&self, caller: &Caller) -> Result<SessionId, ServiceError> {
        match self.inner.http_session {
            HttpSession::Own => Ok(self.mint()),
            HttpSession::Shared => Ok(self.http_session(caller).await?.0),
        }
    }

    pub(super) async fn http_session(&self, caller: &Caller) -> Result<(SessionId, Handle), ServiceError> {
        let mut current = self.inner.http.lock().await;
        if let Some(id) = current.get(caller.owner())
            && let Some(handle) = self.handle(id)
            && !handle.control.is_closed()
        {
            return Ok((id.clone(), handle));
        }
        let id = SessionId::random();
        let keep_alive = UNUSED.min(self.inner.terms.deadlines.keep_alive.most.unwrap_or(UNUSED));
        let options = Options { keep_alive: Some(Millis(keep_alive)), ..Options::default() };
        let is_shared = self.inner.http_session == HttpSession::Shared;
        let (mut live, entry) = self.make(&caller.tenant, id.clone(), options, is_shared).await?;
        live.park();
        entry.run(Box::new(live));
        current.insert(caller.owner().clone(), id.clone());
        let handle = self.handle(&id).ok_or(ServiceError::Closing)?;
        Ok((id, handle))
    }
}
