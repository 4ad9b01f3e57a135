//! Sessions of agents, which come by MCP. The id of an agent's MCP session is that of its session here. It is minted when
//! the agent introduces itself, and the session is opened when it is first used: an agent that never uses a page has none.

use std::sync::Arc;

use super::{Handle, SessionManager, access, named::Opened};
use crate::{
    api_types::operations::{CloseSession, NewPage},
    close_reason::CloseReason,
    session::{
        agent_view::AgentView, connect_options::ConnectOptions, error::ServiceError, id::SessionId, task::Caller,
    },
    tenant::Scope,
};

/// How a session ended that its agent ended.
const ENDED: &str = "ended by its agent";

impl SessionManager {
    /// The id of the session of a new agent. Only a session of a name is opened now.
    pub async fn agent_id(&self, caller: &Caller, wish: &ConnectOptions) -> Result<String, ServiceError> {
        match (&caller.access.scope, &wish.session) {
            (Scope::Session(only), _) => Ok(only.to_string()),
            (_, None) => Ok(self.mint(caller).to_string()),
            (_, Some(name)) => {
                let named = self.named(caller, name, wish.options.clone(), wish.initial.clone()).await?;
                Ok(named.handle.session_info.id.to_string())
            }
        }
    }

    /// Whether a session has this id, or may be opened under it. An id of another owner is like one that was never minted.
    pub async fn knows_agent(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        access::may_connect(caller, id)?;
        if self.may_open(&SessionId::new(caller.owner(), id)) {
            return Ok(());
        }
        self.get(caller, id).await.map(drop)
    }

    /// Opens the session of an agent if it is not open: a new one under a minted id, or one that hibernates.
    pub async fn open_for_agent(&self, caller: &Caller, id: &str, wish: ConnectOptions) -> Result<(), ServiceError> {
        self.permit(caller, None, &NewPage { id: Some(id.to_owned()), url: None }.into())?;
        if let Some(handle) = self.meant(caller, id)? {
            return self.begun(&handle).await;
        }
        let id = &SessionId::new(caller.owner(), id);
        let ConnectOptions { mut options, initial, .. } = wish;
        self.will_wait(&mut options)?;
        let wish = &ConnectOptions { initial, ..ConnectOptions::default() };
        let options = &options;
        let join = |handle: Handle| {
            let begun = async move { self.begun(&handle).await };
            Box::pin(begun) as futures_util::future::BoxFuture<'_, _>
        };
        let open = || {
            let open = async move {
                let Opened { mut live, entry, .. } =
                    self.wake_or_open(caller, id, None, wish.clone(), options.clone()).await?;
                live.may_park(None)?;
                entry.wait_for_client(live, caller);
                Ok(())
            };
            Box::pin(open) as futures_util::future::BoxFuture<'_, _>
        };
        self.join_or_open(id, join, open).await
    }

    /// What the agent of a session last chose and saw.
    pub async fn agent_view(&self, caller: &Caller, id: &str) -> Result<Arc<AgentView>, ServiceError> {
        access::may_connect(caller, id)?;
        Ok(self.find(caller, id).await?.agent)
    }

    /// Ends the session of an agent. An id under which none was opened is not valid any more. A session of a name stays, for
    /// as long as its `keep_alive` says: the next agent finds it.
    pub async fn end_agent(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        self.permit(caller, None, &CloseSession { id: Some(id.to_owned()) }.into())?;
        let known = SessionId::new(caller.owner(), id);
        if known.is_named() {
            return Ok(());
        }
        if self.handle(&known).is_none() && self.may_open(&known) {
            self.remember(&known, ENDED.to_owned());
            return Ok(());
        }
        self.close(caller, id, CloseReason::Bye(ENDED)).await
    }
}
