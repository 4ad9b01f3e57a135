//! The beginning and the end of an action: what it expects, and what happened meanwhile.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::{
    DIALOGS,
    commands::ReleaseGroup,
    driven::Page,
    events::{Begun, Events, MOST},
    pattern::matches,
    present::{Acting, Files},
};
use crate::{
    api_types::{
        Aftermath, Bad, Download, DownloadState, Expect, ExpectUrl, Expected, FileChooserInfo, Happened, Millis,
        OpenedPage, cut,
    },
    browser::commands::{Nothing, commands},
    cdp::target::TargetInfo,
    session::pages::PageError,
};

commands! {
    "Network.enable" = EnableNetwork { max_total_buffer_size: u32, max_resource_buffer_size: u32 } -> Nothing;
    "Network.disable" = DisableNetwork {} -> Nothing;
}

/// How long a page that was opened may take to begin its first document.
const BEGINNING: Duration = Duration::from_secs(1);

impl Page {
    /// Begins to listen for what an action expects and causes. `may_act`: whether it can open and close pages.
    pub(super) async fn begin(&self, expect: &Expect, may_act: bool) -> Result<(), PageError> {
        expect.check()?;
        self.end();
        self.acting().has_acted = false;
        if let Some(dialog) = &expect.dialog {
            let hold = self.session().hold_dialogs(self.id().clone()).await;
            if hold.is_none() && !dialog.optional {
                return Err(PageError::ClientOwns { what: DIALOGS });
            }
            self.acting().hold = hold;
        }
        if let Some(chooser) = &expect.file_chooser {
            let files = self.files_for(&chooser.files).await?;
            self.acting().files = Some(files);
        }
        if Events::needs_network(expect) {
            self.acting().has_network = true;
            // Nobody asks for bodies.
            self.driver().ask(&EnableNetwork { max_total_buffer_size: 0, max_resource_buffer_size: 0 }).await?;
        }
        if may_act || expect.popup.is_some() {
            let pages = self.place().pages(None).await.ids;
            self.acting().pages = Some(pages);
        }
        self.reset_events(expect.clone());
        Ok(())
    }

    /// Ends the listening. The dialogs stay with the proxy while one is left open.
    pub(super) fn end(&self) {
        let events = self.state().events;
        let mut acting = self.acting();
        let hold = acting.hold.take().filter(|_| self.state().dialog.is_some());
        let has_acted = acting.has_acted;
        let before = std::mem::replace(&mut *acting, Acting { hold, has_acted, ..Acting::default() });
        drop(acting);
        // Sent, and not waited for.
        if before.has_network && !self.held().network.is_on() {
            let _ = self.driver().ask(&DisableNetwork {}).now_or_never();
        }
        if events.has_console_objects {
            let _ = self.driver().ask(&ReleaseGroup { object_group: "console" }).now_or_never();
        }
        if !events.wanted.is_empty() || events.has_console_objects {
            self.reset_events(Expect::default());
        }
    }

    /// Whether the dialogs of the page are answered here, and nowhere else.
    pub(super) fn holds_dialogs(&self) -> bool {
        self.acting().hold.is_some()
    }

    /// The dialog that was left open is closed.
    pub(super) fn let_dialogs_go(&self) {
        self.acting().hold = None;
    }

    /// Input is being sent.
    pub(super) fn acts(&self) {
        self.acting().has_acted = true;
    }

    /// Whether input was sent, and the page was closed, but has not crashed: what the action did has closed it.
    pub(super) async fn was_closed_by_action(&self) -> bool {
        if !self.acting().has_acted {
            return false;
        }
        for attempt in 0..4 {
            self.pause(attempt).await;
            let pages = self.place().pages(None).await.ids;
            if !pages.contains(self.id()) {
                return true;
            }
        }
        false
    }

    /// Waits for all that the action expects.
    async fn expected(&self) -> Result<Option<Expected>, PageError> {
        let wanted = self.state().events.wanted.clone();
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut came = Expected::default();
        if let Some(dialog) = &wanted.dialog
            && !(dialog.optional && self.state().events.dialogs.is_empty())
        {
            self.waits_for("a dialog");
            let is_done = |open: bool| dialog.leave || !open;
            self.wait_for(|state| !state.events.dialogs.is_empty() && is_done(state.dialog.is_some())).await?;
            came.dialog = self.state().events.dialogs.first().cloned();
        }
        if wanted.file_chooser.is_some() {
            came.file_chooser = Some(self.fill_chooser().await?);
        }
        if let Some(popup) = &wanted.popup {
            came.popup = Some(self.popup(popup).await?);
        }
        if let Some(download) = &wanted.download {
            self.waits_for(format!("a download{}", of_url(download.url.as_deref())));
            self.wait_for(|state| {
                if let Some(other) = state.events.downloads.last() {
                    self.saw(&format!("the download {}", cut(&other.url, 200)));
                }
                state.events.download.is_some()
            })
            .await?;
            if let Some(begun) = &self.state().events.download {
                came.download = Some(self.download(begun).await);
            }
        }
        for (wanted, what) in [(&wanted.request, "a request"), (&wanted.response, "a response")] {
            let Some(wanted) = wanted else { continue };
            let method = wanted.method.as_ref().map(|method| format!(" ({method})")).unwrap_or_default();
            self.waits_for(format!("{what}{}{method}", of_url(wanted.url.as_deref())));
            self.wait_for(|state| {
                if !state.events.last_url.is_empty() {
                    self.saw(&format!("the request {}", cut(&state.events.last_url, 200)));
                }
                if what == "a request" { state.events.request.is_some() } else { state.events.response.is_some() }
            })
            .await?;
        }
        let events = self.state().events;
        (came.request, came.response) = (events.request.clone(), events.response.clone());
        if let Some(navigation) = &wanted.navigation {
            self.waits_for(format!("a navigation{}", of_url(navigation.url.as_deref())));
            self.wait_for(|state| {
                self.saw(&format!("the URL {}", state.url));
                state.events.navigation.is_some()
            })
            .await?;
            self.wait_until_loaded(navigation.wait_until).await?;
            came.navigation.clone_from(&self.state().events.navigation);
        }
        Ok(Some(came))
    }

    /// Waits for the page that this page opens. It has no URL until its first document begins, which it may never do: after a
    /// while it counts without one.
    async fn popup(&self, wanted: &ExpectUrl) -> Result<OpenedPage, PageError> {
        self.waits_for(format!("a popup{}", of_url(wanted.url.as_deref())));
        let since = Instant::now();
        for attempt in 0.. {
            let windows = self.state().events.windows;
            let (opened, _) = self.opened_and_closed().await;
            let is_it = |page: &&OpenedPage| {
                let has_begun = !page.url.is_empty() || since.elapsed() > BEGINNING;
                has_begun && wanted.url.as_deref().is_none_or(|pattern| matches(pattern, &page.url))
            };
            if let Some(popup) = opened.iter().find(is_it) {
                return Ok(popup.clone());
            }
            if let Some(other) = opened.last() {
                self.saw(&format!("the popup {}", cut(&other.url, 200)));
            }
            tokio::select! {
                asked = self.wait_for(|state| state.events.windows > windows) => asked?,
                () = self.pause(attempt.max(1)) => {}
            }
        }
        Err(PageError::Closed)
    }

    /// The pages that were opened by this one, and the ids of those that were closed, since the action began.
    async fn opened_and_closed(&self) -> (Vec<OpenedPage>, Vec<String>) {
        let before = self.acting().pages.clone();
        let Some(before) = before else { return Default::default() };
        let now = self.place().pages(Some(before.clone())).await;
        let is_by_this = |info: &TargetInfo| {
            // The opener may be a frame of this page with a process of its own, which is no page.
            info.opener.as_ref().is_some_and(|opener| opener == self.id() || !before.contains(opener))
        };
        let infos = now.new.iter().filter_map(|info| TargetInfo::read(info)).filter(is_by_this);
        let opened =
            infos.map(|info| OpenedPage { target_id: info.id.to_string(), url: cut(&info.url, 2048).to_owned() });
        (opened.collect(), before.difference(&now.ids).map(ToString::to_string).collect())
    }

    /// What the list of the session's downloads says of a download; it may know it a moment later than the page.
    async fn download(&self, begun: &Begun) -> Download {
        for attempt in 0..4 {
            self.pause(attempt).await;
            let known = self.session().files().map(|files| files.list_downloads().downloads).unwrap_or_default();
            if let Some(download) = known.into_iter().find(|known| known.id == begun.guid) {
                return download;
            }
        }
        let (name, url) =
            (crate::api_types::safe_file_name(&begun.suggested_filename), cut(&begun.url, 2048).to_owned());
        Download {
            id: begun.guid.clone(),
            name,
            url,
            state: DownloadState::InProgress,
            received: 0,
            size: None,
            started_at: 0,
            ended_at: None,
            reason: None,
        }
    }

    /// Waits for what the action expects, and tells what has happened.
    pub(super) async fn happened(&self) -> Result<Happened, PageError> {
        let expected = self.expected().await?;
        let (mut opened, mut closed) = self.opened_and_closed().await;
        let events = self.state().events;
        let mut downloads = Vec::with_capacity(events.downloads.len());
        for begun in &events.downloads {
            downloads.push(self.download(begun).await);
        }
        let beyond = opened.len().saturating_sub(MOST) + closed.len().saturating_sub(MOST);
        opened.truncate(MOST);
        closed.truncate(MOST);
        let omitted = events.omitted.saturating_add(u32::try_from(beyond).unwrap_or(u32::MAX));
        let chooser = events.chooser.as_ref();
        let file_chooser = chooser.map(|one| FileChooserInfo { multiple: one.multiple, files: one.files });
        let (dialogs, errors) = (events.dialogs.clone(), events.errors.clone());
        Ok(Happened { opened, closed, dialogs, downloads, file_chooser, errors, omitted, expected })
    }

    /// The files for the file chooser that the action expects.
    pub(super) fn files_of_chooser(&self) -> Option<Files> {
        self.acting().files.clone()
    }
}

fn of_url(pattern: Option<&str>) -> String {
    pattern.map(|pattern| format!(" of {}", cut(pattern, 200))).unwrap_or_default()
}

/// The page before an action.
#[derive(Clone, Copy)]
pub(super) struct Before {
    navigations: u64,
    since: Instant,
}

impl Before {
    /// The page as it is.
    pub(super) fn of(page: &Page) -> Self {
        Self { navigations: page.state().navigations, since: Instant::now() }
    }

    /// Waits for what the action expects. What has happened since the action began.
    pub(super) async fn and_after(self, page: &Page) -> Result<Aftermath, PageError> {
        let happened = page.happened().await?;
        let state = page.state();
        let navigated = state.navigations > self.navigations;
        Ok(Aftermath { url: state.url, navigated, took: Millis(self.since.elapsed()), happened })
    }
}

impl Before {
    /// What has happened since, without the events that each action of a list has told.
    pub(super) fn without_events(self, page: &Page) -> Aftermath {
        let state = page.state();
        let navigated = state.navigations > self.navigations;
        Aftermath { url: state.url, navigated, took: Millis(self.since.elapsed()), happened: Happened::default() }
    }
}

/// The element of a request that needs one.
pub(super) fn needed(element: Result<Option<String>, Bad>) -> Result<String, Bad> {
    element?.ok_or_else(|| Bad::new("locator", "is missing: name the element by one of locator, selector and ref"))
}
