//! Sessions for one action of a caller without a client: they end with their owner, which is the action.

use std::{
    fs::File,
    time::{Duration, Instant},
};

use tokio::net::UnixStream;

use super::{Caller, ConnectOptions, SessionManager};
use crate::{
    api_types::{
        BlockList, Download, Millis, Reply, Request,
        operations::{CreateSession, FIRST_PAGE, PageRequest},
    },
    cdp::ids::TargetId,
    close_reason::CloseReason,
    config::PageLimits,
    session::{
        client::Client,
        error::ServiceError,
        pages::{Code, CodeResult},
        task::Control,
    },
};

/// How much longer than its action a session exists, if its owner does not end it.
const REST: Duration = Duration::from_secs(10);

/// A session of an action. It is ended when this is dropped, also half-way.
pub struct BriefSession {
    manager: SessionManager,
    caller: Caller,
    id: String,
    /// Whether it began with one blank page.
    begins_blank: bool,
}

impl SessionManager {
    /// The limits of actions on pages.
    pub fn page_limits(&self) -> PageLimits {
        self.inner.terms().pages
    }

    /// The hosts that actions may block.
    pub fn block_list(&self) -> Option<BlockList> {
        self.inner.terms().block_list.clone()
    }

    /// Creates a session for an action that takes at most this long, under the same rules and limits as any other. If the
    /// future is dropped while it waits for a place, it leaves the queue.
    pub async fn create_briefly(
        &self,
        caller: &Caller,
        wish: ConnectOptions,
        most: Duration,
    ) -> Result<BriefSession, ServiceError> {
        self.permit(caller, None, &CreateSession::default().into())?;
        let ConnectOptions { mut options, initial, .. } = wish;
        let kept = most.saturating_add(REST);
        let kept = kept.min(self.inner.terms().deadlines.keep_alive.most.unwrap_or(kept));
        options.keep_alive = Some(Millis(kept));
        // From here to the end nothing waits: a session that was created has its owner.
        let begins_blank = initial.begins.is_none() && initial.profile.is_none();
        let session = Box::pin(self.create(caller, None, options, initial)).await?;
        Ok(BriefSession { manager: self.clone(), caller: caller.clone(), id: session.id, begins_blank })
    }
}

impl BriefSession {
    /// Runs code with Puppeteer, as a client of the session under the same rules as one that connects.
    pub async fn run(&self, code: Code) -> Result<CodeResult, ServiceError> {
        let Self { manager, caller, id, .. } = self;
        let handle = manager.find(caller, id).await?;
        let pages = manager.inner.pages.get().ok_or(ServiceError::Closing)?;
        let (client, server) = UnixStream::pair().map_err(|_| ServiceError::Closing)?;
        let admitted = manager.connect(caller, id, ConnectOptions::default()).await?;
        let place = manager.ask_live(&handle, Control::Place).await?;
        admitted.seat(Client::new(server, &[], manager.ledger(), Instant::now()));
        Ok(pages.run(place, client, code).await?)
    }

    /// Allows downloads, unless a client decides on them.
    pub async fn allow_downloads(&self) -> Result<(), ServiceError> {
        let handle = self.manager.find(&self.caller, &self.id).await?;
        self.manager.ask_live(&handle, Control::AllowDownloads).await
    }

    /// Waits until there is a download and none is arriving, and opens the first. `None` if there is none by then.
    pub async fn first_download(&self, wait: Duration) -> Result<Option<(Download, File)>, ServiceError> {
        let handle = self.manager.find(&self.caller, &self.id).await?;
        let Some(files) = handle.files.get() else { return Ok(None) };
        files.wait(None, wait).await;
        match files.list_downloads().downloads.into_iter().next() {
            Some(first) => Ok(Some(files.open_download(&first.id).await?)),
            None => Ok(None),
        }
    }

    /// The page of the action: the one that the session began with, or a new one beside those of saved state. To make a
    /// page is most of what a short action costs Chrome, and the first one was made before anybody asked.
    pub async fn page(&self) -> Result<TargetId, ServiceError> {
        let Self { manager, caller, id, begins_blank } = self;
        let handle = manager.find(caller, id).await?;
        if *begins_blank && let Some(first) = manager.driven(&handle, Some(FIRST_PAGE.to_owned())).await?.page {
            return Ok(first);
        }
        Ok(TargetId::from(&*manager.open_page(&handle, "about:blank").await?))
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Performs an action on a page of the session.
    pub async fn perform(&self, request: PageRequest) -> Result<Reply, ServiceError> {
        self.manager.perform(&self.caller, None, Request::Page(request)).await
    }
}

impl Drop for BriefSession {
    fn drop(&mut self) {
        let (manager, caller, id) = (self.manager.clone(), self.caller.clone(), std::mem::take(&mut self.id));
        let tasks = manager.inner.tasks.clone();
        tasks.spawn(async move {
            // One that has ended already needs nothing.
            let _ = manager.close(&caller, &id, CloseReason::Bye("its quick action has ended")).await;
        });
    }
}
