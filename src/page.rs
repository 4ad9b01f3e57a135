//! Drives pages for callers without a CDP client: the actions of `/v1/sessions/ID/pages/PAGE/…` and of `ghost.page…`.
//!
//! A page that is used has a `task`, which performs one action after the other on a CDP session that clients do not see.
//! `perform` leads each request to its action: `navigation`, `pointer`, `keyboard` with `keys`, `reading`, `picture`,
//! `snapshot` with `refs` and `history`, `script` with `handles` and `console`, `waiting`, `touch`, `form`, `upload`, `secrets`;
//! `interaction` leads those of a user, and `list` performs several. `acting` begins and ends each action: `events` collects
//! what happens meanwhile and what the action expects, and `dialogs` answers dialogs. Elements are located and checked by
//! `injected`, which is evaluated in an isolated world of each document; `driven` finds the document, with `frames`, and
//! calls it, and tries again until the element is as the action needs it.
//! `state` is what the events of the page say.
//!
//! `state_actions` leads requests about the state of a page to theirs. What a page pretends to be (`emulation`, `devices`)
//! and the cookies of its context (`storage`) are set by commands that go the way of a client's (`means`). What needs the
//! events of the page stands on its hidden CDP session and is `held` there: `routes`, `init_scripts`, `log`, `network_log`.
//!
//! `runner` runs the code of callers with Puppeteer, as a client of its session.
//!
//! A client that is attached to the page meanwhile gets what it would get if a user sat before the page. It also sees that
//! the isolated worlds exist, if it has enabled the domain `Runtime`.

mod acting;
mod commands;
mod console;
mod devices;
mod dialogs;
mod driven;
mod emulation;
mod events;
mod form;
mod frame;
mod frames;
mod handles;
mod held;
mod history;
mod init_scripts;
mod injected;
mod interaction;
mod isolated;
mod keyboard;
mod keys;
mod list;
mod log;
mod markdown;
mod means;
mod navigation;
mod network_log;
mod pattern;
mod perform;
mod picture;
mod pointer;
mod present;
mod reading;
mod refs;
mod replaced;
mod response;
mod routes;
mod runner;
mod script;
mod secrets;
mod snapshot;
mod start;
mod state;
mod state_actions;
mod step;
mod storage;
mod task;
mod touch;
mod upload;
mod waiting;
mod worlds;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    net::UnixStream,
    sync::{mpsc, oneshot},
};

use self::{means::Means, refs::UsedNames, task::Job};
use crate::{
    api_types::{Reply, capability::Granted, operations::PageRequest},
    browser::ContextHandle,
    cdp::ids::TargetId,
    session::pages::{Code, CodeResult, DrivenPage, PageError, PageService},
    virtual_browser::arguments::url_allowed,
};

/// What a client owns that answers the dialogs of a page.
const DIALOGS: &str = "who answers the dialogs";

/// The pages that are driven; cheap to clone.
#[derive(Clone, Default)]
pub struct PageDriving {
    // Guards the map; held for one look-up. A page's task removes its entry when it ends.
    pages: Arc<Mutex<HashMap<TargetId, Queues>>>,
    /// How far the names of the pages are used that were forgotten.
    used: Arc<Mutex<UsedNames>>,
}

/// The requests for a page.
struct Queues {
    /// Actions, which are performed one after the other.
    actions: mpsc::Sender<Job>,
    /// Answers to dialogs, which do not wait for the actions.
    dialogs: mpsc::Sender<Job>,
}

impl Queues {
    fn of(&self, request: &PageRequest) -> &mpsc::Sender<Job> {
        if matches!(request, PageRequest::PageDialog(_)) { &self.dialogs } else { &self.actions }
    }
}

impl PageDriving {
    fn pages(&self) -> MutexGuard<'_, HashMap<TargetId, Queues>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an action behind those that wait for the page.
    fn queue(&self, on: start::Start, mut job: Job) -> Result<(), PageError> {
        let most = on.limits.queue;
        let mut pages = self.pages();
        if let Some(queues) = pages.get(&on.page) {
            match queues.of(&job.request).try_send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => return Err(PageError::Busy { most }),
                // Its task has just ended.
                Err(mpsc::error::TrySendError::Closed(again)) => job = again,
            }
        }
        let ((actions, jobs), (to_dialogs, dialogs)) = (mpsc::channel(most), mpsc::channel(most));
        let queues = Queues { actions, dialogs: to_dialogs };
        // The channel is empty.
        let _ = queues.of(&job.request).try_send(job);
        pages.insert(on.page.clone(), queues);
        drop(pages);
        // It ends with the page, which its session owns.
        tokio::spawn(task::run(self.clone(), on, jobs, dialogs));
        Ok(())
    }
}

impl PageService for PageDriving {
    fn perform(&self, on: DrivenPage, request: PageRequest) -> BoxFuture<'static, Result<Reply, PageError>> {
        let driving = self.clone();
        async move {
            // A page whose dialog a client answers cannot be attached to meanwhile.
            if matches!(request, PageRequest::PageDialog(_)) && on.session.hold_dialogs(on.page.clone()).await.is_none()
            {
                return Err(PageError::ClientOwns { what: DIALOGS });
            }
            let (reply, answer) = oneshot::channel();
            let DrivenPage { place, page, granted, limits, session, progress, told, commands, claims } = on;
            let (detach, means) = (request.on_page().is_some_and(|on| on.detach), Means { commands, claims });
            let job = Job { request, granted, limits, means, progress, told, detach, reply };
            driving.queue(start::Start { place, page, limits, session }, job)?;
            answer.await.unwrap_or(Err(PageError::Closed))
        }
        .boxed()
    }

    fn run(
        &self,
        place: ContextHandle,
        client: UnixStream,
        code: Code,
    ) -> BoxFuture<'static, Result<CodeResult, PageError>> {
        runner::run(place, client, code).boxed()
    }

    fn check_url(&self, url: &str, granted: Granted) -> Result<(), PageError> {
        check_url(url, granted)
    }
}

/// Why a session may not open this URL, if it may not: the rule is that of `Page.navigate`.
fn check_url(url: &str, granted: Granted) -> Result<(), PageError> {
    url_allowed(url, granted).map_err(|why| PageError::Url { why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::capability::Capabilities;

    #[test]
    fn only_urls_that_clients_may_open_are_opened() {
        let granted = |of: Capabilities| Granted::new(of, Capabilities::of_shared_browser());
        let (strict, local) = (granted(Capabilities::strict()), granted(Capabilities::local()));
        for url in ["https://example.org/", "about:blank", "data:text/html,x"] {
            check_url(url, strict).expect(url);
        }
        for url in ["chrome://version", "file:///etc/passwd", "devtools://devtools/x"] {
            let error = check_url(url, strict).expect_err(url);
            assert!(error.to_string().starts_with("the URL is refused: "), "{error}");
        }
        check_url("file:///etc/hosts", local).expect("with the capability host-files");
    }
}
