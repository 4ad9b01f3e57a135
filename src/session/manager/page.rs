//! Clients that connect to one page of a session.

use tokio::sync::oneshot;

use super::{Admitted, Handle, SessionManager, access};
use crate::{
    api_types::Bad,
    cdp::ids::TargetId,
    runtime,
    session::{
        connect_options::ConnectOptions,
        error::ServiceError,
        task::{Caller, Control},
    },
};

impl SessionManager {
    /// A page of a session, as an additional view of the session.
    pub async fn page(&self, caller: &Caller, target: &str, wish: ConnectOptions) -> Result<Admitted, ServiceError> {
        for (option, asked) in [("takeover", wish.takeover), ("exclusive", wish.exclusive)] {
            if asked {
                return Err(Bad::new(option, "is for browser-level clients; a page accepts any number").into());
            }
        }
        let target = TargetId::from(target);
        let handle = self.owner_of(caller, &target).await;
        let handle = handle.ok_or_else(|| ServiceError::NoTarget(target.to_string()))?;
        self.join(caller, &handle, Some(target), wish).await
    }

    /// The session of a page, if this caller may connect to it.
    async fn owner_of(&self, caller: &Caller, target: &TargetId) -> Option<Handle> {
        for browser in self.inner.pool.running() {
            let Some(lease) = browser.owner_of(target).await else { continue };
            let place = (browser.id(), lease);
            let handle = self
                .inner
                .live
                .iter()
                .find(|handle| handle.place.get() == Some(&place))
                .map(|handle| handle.clone())?;
            // As for an unknown one: a page of another owner, or of a session that the caller may not use. That session is
            // not asked: how long its answer takes would tell that it is there, and how busy it is.
            let is_own = handle.session_info.owner == *caller.owner();
            if !is_own || access::may_connect(caller, &handle.session_info.id).is_err() {
                return None;
            }
            // No client can connect to a hidden target.
            let (reply, answer) = oneshot::channel();
            handle.control.send(Box::new(Control::Shows(target.clone(), reply))).await.ok()?;
            let shows = runtime::answered(answer, handle.control.closed()).await;
            return shows.is_some_and(|shows| shows).then_some(handle);
        }
        None
    }
}
