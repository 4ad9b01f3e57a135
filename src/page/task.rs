//! The task of a page that is driven: it performs one action after the other, and ends when the page is closed or was not
//! used for long.

use tokio::sync::{mpsc, oneshot, watch};

use super::{PageDriving, driven::Page, means::Means, perform, state::PageState};
use crate::{
    api_types::{Reply, capability::Granted, operations::PageRequest},
    browser::{PageEvents, by_deadline},
    cdp::ids::TargetId,
    config::PageLimits,
    session::pages::{DrivenPage, PageError},
};

/// An action that waits for its turn.
pub(super) struct Job {
    pub(super) request: PageRequest,
    pub(super) granted: Granted,
    pub(super) limits: PageLimits,
    pub(super) means: Means,
    /// Closed when nobody waits for the result any more.
    pub(super) reply: oneshot::Sender<Result<Reply, PageError>>,
}

/// Why the task stops.
enum End {
    Closed,
    Idle,
}

/// Performs the actions on a page.
pub(super) async fn run(driving: PageDriving, on: DrivenPage, mut jobs: mpsc::Receiver<Job>) {
    let (target, limits) = (on.page.clone(), on.limits);
    let deadline = tokio::time::Instant::now() + limits.timeout;
    match by_deadline(deadline, Page::attach(on.place, on.page, limits)).await {
        Ok((page, events, state)) => {
            while matches!(serve(&page, &mut jobs, (&page, &events, &state)).await, End::Idle) {
                if driving.forget(&target, &jobs) {
                    return;
                }
            }
        }
        Err(error) => {
            if let Some(Job { reply, .. }) = jobs.recv().await {
                let _ = reply.send(Err(error));
            }
        }
    }
    // Those that still wait are told that the page is closed, because their channels are dropped.
    driving.remove(&target, &mut jobs);
}

type Watched<'a> = (&'a Page, &'a tokio::sync::Mutex<PageEvents>, &'a watch::Sender<PageState>);

async fn serve(page: &Page, jobs: &mut mpsc::Receiver<Job>, watched: Watched<'_>) -> End {
    loop {
        let job = tokio::select! {
            job = jobs.recv() => job,
            () = follow(watched) => return End::Closed,
            () = tokio::time::sleep(page.limits().idle), if page.held().is_empty() => return End::Idle,
        };
        let Some(Job { request, granted, limits, means, mut reply }) = job else { return End::Closed };
        if reply.is_closed() {
            continue;
        }
        let is_closed = tokio::select! {
            // First: what an action sees when it goes on is not older than the answer for which it waited.
            biased;
            () = follow(watched) => {
                let _ = reply.send(Err(PageError::Closed));
                true
            }
            result = perform::perform(page, &means, granted, limits, request) => {
                let is_late = matches!(result, Err(PageError::Timeout { .. }));
                let _ = reply.send(result);
                is_late && is_closed_while(page.recover(), watched).await
            }
            () = reply.closed() => is_closed_while(page.recover(), watched).await,
        };
        if is_closed {
            return End::Closed;
        }
    }
}

async fn is_closed_while(work: impl Future<Output = ()>, watched: Watched<'_>) -> bool {
    tokio::select! {
        () = work => false,
        () = follow(watched) => true,
    }
}

/// Takes the events of the page in, until there are no more.
async fn follow((page, events, state): Watched<'_>) {
    let mut events = events.lock().await;
    while let Some(event) = events.next().await {
        page.held().on_event(page.driver(), &event, page.limits());
        state.send_if_modified(|state| state.on_event(&event));
    }
}

impl PageDriving {
    /// Forgets a page that was idle; not if an action has come meanwhile.
    fn forget(&self, target: &TargetId, jobs: &mpsc::Receiver<Job>) -> bool {
        let mut pages = self.pages();
        let is_idle = jobs.is_empty();
        if is_idle {
            pages.remove(target);
        }
        is_idle
    }

    /// Forgets a page that is closed.
    fn remove(&self, target: &TargetId, jobs: &mut mpsc::Receiver<Job>) {
        let mut pages = self.pages();
        pages.remove(target);
        jobs.close();
    }
}
