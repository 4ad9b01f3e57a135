//! The task of a page that is driven: it performs one action after the other, and ends when the page is closed or was not
//! used for long.

use std::sync::PoisonError;

use tokio::sync::{mpsc, oneshot, watch};

use super::{PageDriving, driven::Page, list, means::Means, perform, refs::Names, start::Start, state::PageState};
use crate::{
    api_types::{Reply, capability::Granted, operations::PageRequest},
    browser::{PageEvents, by_deadline},
    cdp::ids::TargetId,
    config::PageLimits,
    session::pages::{PageError, Progress, Told},
};

/// An action that waits for its turn.
pub(super) struct Job {
    pub(super) request: PageRequest,
    pub(super) granted: Granted,
    pub(super) limits: PageLimits,
    pub(super) means: Means,
    /// Whoever is told of each action of a list.
    pub(super) progress: Option<Progress>,
    /// Describes an error as a part of a result.
    pub(super) told: Told,
    /// Whether it is performed also if nobody waits for the result any more.
    pub(super) detach: bool,
    /// Closed when nobody waits for the result any more.
    pub(super) reply: oneshot::Sender<Result<Reply, PageError>>,
}

/// Why the task stops.
enum End {
    Closed,
    Idle,
}

/// Performs the actions on a page.
pub(super) async fn run(
    driving: PageDriving,
    on: Start,
    mut jobs: mpsc::Receiver<Job>,
    mut dialogs: mpsc::Receiver<Job>,
) {
    let (target, limits) = (on.page.clone(), on.limits);
    let deadline = tokio::time::Instant::now() + limits.timeout;
    match by_deadline(deadline, Page::attach(on, driving.used_names(&target))).await {
        Ok((page, events, state)) => {
            while matches!(serve(&page, &mut jobs, &mut dialogs, (&page, &events, &state)).await, End::Idle) {
                if driving.forget(&target, [&jobs, &dialogs], page.names()) {
                    return;
                }
            }
        }
        Err(error) => {
            let job = tokio::select! {
                job = jobs.recv() => job,
                job = dialogs.recv() => job,
            };
            if let Some(Job { reply, .. }) = job {
                let _ = reply.send(Err(error));
            }
        }
    }
    // Those that still wait are told that the page is closed, because their channels are dropped.
    driving.remove(&target, &mut jobs);
}

type Watched<'a> = (&'a Page, &'a tokio::sync::Mutex<PageEvents>, &'a watch::Sender<PageState>);

async fn serve(
    page: &Page,
    jobs: &mut mpsc::Receiver<Job>,
    dialogs: &mut mpsc::Receiver<Job>,
    watched: Watched<'_>,
) -> End {
    // Not dropped between actions: what it has begun is ended.
    let attend = attend(page, dialogs, watched);
    tokio::pin!(attend);
    loop {
        let job = tokio::select! {
            job = jobs.recv() => job,
            () = &mut attend => return End::Closed,
            () = tokio::time::sleep(page.limits().idle), if page.held().is_empty() => return End::Idle,
        };
        let Some(job) = job else { return End::Closed };
        let Job { request, granted, limits, means, progress, told, detach, mut reply } = job;
        if reply.is_closed() && !detach {
            continue;
        }
        let closing = perform::Closing::of(page, &request);
        let work = async {
            match request {
                PageRequest::PageActions(actions) => {
                    list::perform(page, &means, granted, limits, actions, list::Audience { progress, told }).await
                }
                request => perform::perform(page, &means, granted, limits, request).await,
            }
        };
        let is_closed = tokio::select! {
            // First: what an action sees when it goes on is not older than the answer for which it waited.
            biased;
            () = &mut attend => {
                let _ = reply.send(closing.reply(page).await);
                true
            }
            result = work => {
                let result = match result {
                    Err(PageError::Closed) => closing.reply(page).await,
                    result => result,
                };
                let is_late = match &result {
                    Err(PageError::Step { error, .. }) => matches!(**error, PageError::Timeout { .. }),
                    result => matches!(result, Err(PageError::Timeout { .. })),
                };
                let _ = reply.send(result);
                is_late && is_closed_while(page.recover(), attend.as_mut()).await
            }
            () = reply.closed(), if !detach => is_closed_while(page.recover(), attend.as_mut()).await,
        };
        if is_closed {
            return End::Closed;
        }
    }
}

async fn is_closed_while(work: impl Future<Output = ()>, attend: impl Future<Output = ()>) -> bool {
    tokio::select! {
        () = work => false,
        () = attend => true,
    }
}

/// Takes the events of the page in and answers its dialogs, until it is closed.
async fn attend(page: &Page, dialogs: &mut mpsc::Receiver<Job>, watched: Watched<'_>) {
    let requests = async {
        while let Some(job) = dialogs.recv().await {
            page.answer_dialog(job).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = follow(watched) => {}
        () = page.tend_dialogs() => {}
        () = requests => {}
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
    /// How far the names of a page are used.
    fn used_names(&self, target: &TargetId) -> Names {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).of(target)
    }

    /// Forgets a page that was idle; not if an action has come meanwhile.
    fn forget(&self, target: &TargetId, queues: [&mpsc::Receiver<Job>; 2], names: Names) -> bool {
        let mut pages = self.pages();
        let is_idle = queues.iter().all(|jobs| jobs.is_empty());
        if is_idle {
            pages.remove(target);
            self.used.lock().unwrap_or_else(PoisonError::into_inner).keep(target.clone(), names);
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
