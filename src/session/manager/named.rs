//! Sessions by a name that their clients chose. The name decides the id, so a named session is found like any other, live
//! or hibernated; whoever asks for one that does not exist creates it.

use super::{Admitted, Handle, SessionManager};
use crate::api_types::{Beginning, Options};
use crate::session::{connect_options::ConnectOptions, error::ServiceError, id::SessionId, task::Caller};

impl SessionManager {
    /// Where clients come to the session of this name. Creates nothing.
    pub fn url_of_named(&self, caller: &Caller, name: &str) -> Result<String, ServiceError> {
        SessionId::named(caller.owner(), name)?;
        Ok(format!("ws://{}/s/{name}", caller.host))
    }

    /// The session of this name: an existing one, a hibernated one, or a new one.
    pub async fn connect_named(
        &self,
        caller: &Caller,
        name: &str,
        mut wish: ConnectOptions,
    ) -> Result<Admitted, ServiceError> {
        let id = SessionId::named(caller.owner(), name)?;
        loop {
            if let Some(handle) = self.handle(&id) {
                match self.join(caller, &handle, None, wish.clone()).await {
                    // It has just ended; it may be hibernated, and its name is free otherwise.
                    Err(ServiceError::NoSession { .. }) => handle.gone.cancelled().await,
                    joined => return joined,
                }
            }
            let opened = async {
                if let Some(woken) = self.wake(caller, &id, wish.clone()).await? {
                    return Ok(woken);
                }
                wish.options.name.get_or_insert_with(|| name.to_owned());
                self.open(caller, id.clone(), wish.clone()).await
            };
            match Box::pin(opened).await {
                // Another client was faster; this one joins its session.
                Err(ServiceError::IdInUse(_)) => {}
                opened => return opened,
            }
        }
    }

    /// The live session of this name, for calls without a connection. If there is none, it is restored or created, and
    /// waits for a client.
    pub(super) async fn named(&self, caller: &Caller, name: &str) -> Result<Handle, ServiceError> {
        let id = SessionId::named(caller.owner(), name)?;
        loop {
            if let Some(handle) = self.handle(&id) {
                self.begun(&handle).await?;
                if !handle.control.is_closed() {
                    return Ok(handle);
                }
                handle.gone.cancelled().await;
            }
            match Box::pin(self.begin_named(caller, &id, name)).await {
                Ok(()) | Err(ServiceError::IdInUse(_)) => {}
                Err(why) => return Err(why),
            }
        }
    }

    async fn begin_named(&self, caller: &Caller, id: &SessionId, name: &str) -> Result<(), ServiceError> {
        let (live, entry) = if let Some(woken) = self.woken(caller, id, ConnectOptions::default()).await? {
            woken
        } else {
            let mut options = Options { name: Some(name.to_owned()), ..Options::default() };
            self.will_wait(&mut options)?;
            self.make(&caller.tenant, id.clone(), options, false).await?
        };
        entry.wait_for_client(live, caller);
        Ok(())
    }
}

/// Whether a client may join a session with what it wants a new one to begin with: it must be what a named session began
/// with.
pub(super) fn began_with(id: &SessionId, began: Option<&Beginning>, asked: &Beginning) -> Result<(), ServiceError> {
    let option = match began {
        Some(began) if began == asked => return Ok(()),
        Some(began) if began.snapshot == asked.snapshot => "pages",
        _ => "snapshot",
    };
    Err(ServiceError::Begun { id: id.to_string(), option })
}
