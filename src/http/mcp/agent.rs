//! An agent in its session: performs actions on its current page, by the same operations as REST, and shows what has
//! changed.

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};

use super::result::{Failure, Shown};
use crate::{
    api_types::{
        Expect, ExpectDialog, LoadState, Millis, Reply, Request, cut,
        operations::{GetPages, NewPage, PageNetwork, PageRequest, PageSnapshot, PageWait},
    },
    runtime,
    session::{
        agent_view::Seen,
        manager::{Caller, ServiceError, SessionManager},
        pages::PageError,
    },
};

/// Most bytes of a snapshot, about 16,000 tokens; a longer one is cut at a line.
const SNAPSHOT_MOST: u32 = 64 * 1024;
/// Most bytes of a URL.
const URL_MOST: usize = 300;
/// How long a page that was navigated may take to load; it is shown as it is then.
const LOADING: Duration = Duration::from_secs(5);

/// An agent, and its session.
pub(super) struct Agent<'a> {
    pub(super) manager: &'a SessionManager,
    pub(super) caller: &'a Caller,
    /// The id of its session.
    pub(super) session: String,
}

/// A page of the session.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tab {
    pub(super) target_id: String,
    #[serde(default)]
    pub(super) url: String,
    #[serde(default)]
    pub(super) title: String,
}

#[derive(Deserialize)]
struct Listed {
    pages: Vec<Tab>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    target_id: String,
}

/// What has become of an action.
pub(super) struct Done {
    /// A dialog is open: the page does nothing until it is answered.
    pub(super) has_dialog: bool,
    pub(super) navigated: bool,
}

/// What an action answers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct After {
    navigated: bool,
    opened: Vec<Tab>,
    dialogs: Vec<Dialog>,
    downloads: Vec<Download>,
    file_chooser: Option<Chooser>,
    errors: Vec<Thrown>,
}

#[derive(Debug, Deserialize)]
struct Dialog {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    answer: String,
}

#[derive(Debug, Deserialize)]
struct Download {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Chooser {
    multiple: bool,
    files: u32,
}

#[derive(Debug, Deserialize)]
struct Thrown {
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Looked {
    url: String,
    snapshot: String,
    version: String,
    since: Option<String>,
    omitted_lines: Option<u32>,
}

/// Reads what an operation answered.
pub(super) fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, Failure> {
    let read = runtime::aside(reply.output.len(), || serde_json::from_str(&reply.output));
    Ok(read.map_err(ServiceError::Unreadable)?)
}

/// What an action on a page expects, so that a dialog stays open until the agent answers it.
pub(super) fn leaves_dialogs() -> Expect {
    let dialog = ExpectDialog { leave: true, optional: true, ..ExpectDialog::default() };
    Expect { dialog: Some(dialog), ..Expect::default() }
}

impl Agent<'_> {
    /// Performs an operation.
    pub(super) async fn perform(&self, request: impl Into<Request> + Send) -> Result<Reply, Failure> {
        Ok(Box::pin(self.manager.perform(self.caller, None, request.into())).await?)
    }

    /// Reads or changes what this agent last saw.
    pub(super) async fn view<T>(&self, with: impl FnOnce(&mut Seen) -> T) -> Result<T, Failure> {
        let view = self.manager.agent_view(self.caller, &self.session).await?;
        let mut seen = view.seen();
        Ok(with(&mut seen))
    }

    /// The pages of the session, in the order in which the agent saw them first.
    pub(super) async fn tabs(&self) -> Result<Vec<Tab>, Failure> {
        let pages = GetPages { id: Some(self.session.clone()), ..GetPages::default() };
        let Listed { pages: mut tabs } = read(&self.perform(pages).await?)?;
        let order = self
            .view(|seen| {
                seen.pages.retain(|page| tabs.iter().any(|tab| tab.target_id == *page));
                for Tab { target_id, .. } in &tabs {
                    if !seen.pages.contains(target_id) {
                        seen.pages.push(target_id.clone());
                    }
                }
                seen.pages.clone()
            })
            .await?;
        tabs.sort_by_key(|tab| order.iter().position(|page| *page == tab.target_id));
        Ok(tabs)
    }

    /// Opens a page, which is the current one from then on.
    pub(super) async fn open(&self) -> Result<String, Failure> {
        let new = NewPage { id: Some(self.session.clone()), url: None };
        let Opened { target_id } = read(&self.perform(new).await?)?;
        self.choose(Some(&target_id)).await?;
        Ok(target_id)
    }

    /// Makes a page the current one.
    pub(super) async fn choose(&self, page: Option<&str>) -> Result<(), Failure> {
        self.view(|seen| {
            seen.page = page.map(str::to_owned);
            seen.has_dialog = false;
            seen.chooser = None;
        })
        .await
    }

    /// The current one of these pages, by its place among them.
    pub(super) async fn current(&self, tabs: &[Tab]) -> Result<Option<usize>, Failure> {
        let chosen = self.view(|seen| seen.page.clone()).await?;
        let place = tabs.iter().position(|tab| Some(&tab.target_id) == chosen.as_ref());
        Ok(place.or((!tabs.is_empty()).then_some(0)))
    }

    /// The current page. A session without a page gets one.
    pub(super) async fn page(&self) -> Result<String, Failure> {
        let tabs = self.tabs().await?;
        let page = match self.current(&tabs).await? {
            Some(place) => tabs[place].target_id.clone(),
            None => self.open().await?,
        };
        let is_new = self
            .view(|seen| {
                if seen.page.as_deref() != Some(&page) {
                    seen.page = Some(page.clone());
                    seen.has_dialog = false;
                }
                seen.recorded.replace(page.clone()).as_deref() != Some(&page)
            })
            .await?;
        if is_new {
            // An agent asks afterwards what was requested. A page with an open dialog does not begin to record.
            let _ = self.on(&page, PageNetwork::default()).await;
        }
        Ok(page)
    }

    /// Performs an action on a page.
    pub(super) async fn on(&self, page: &str, request: impl Into<Request>) -> Result<Reply, Failure> {
        let limit = Millis(self.manager.page_limits().timeout);
        let mut request = request.into();
        if let Request::Page(request) = &mut request {
            let asked = request.on_page().and_then(|on| on.timeout).unwrap_or(limit);
            request.aim(&self.session, page, asked);
        }
        self.perform(request).await
    }

    /// Reads something of the current page.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: impl Into<Request>) -> Result<T, Failure> {
        let page = self.undisturbed().await?;
        read(&self.on(&page, request).await?)
    }

    /// The current page, if no dialog is open in it: with one, nothing else is answered.
    pub(super) async fn undisturbed(&self) -> Result<String, Failure> {
        let page = self.page().await?;
        if self.view(|seen| seen.has_dialog).await? {
            return Err(Failure::Words("A dialog is open. Answer it with browser_handle_dialog.".to_owned()));
        }
        Ok(page)
    }

    /// Performs actions on the current page, one after the other, and shows what has changed.
    pub(super) async fn act(&self, requests: Vec<PageRequest>) -> Result<Shown, Failure> {
        self.act_with(None, requests).await
    }

    /// As [`Agent::act`], by the element that the agent named so.
    pub(super) async fn act_with(&self, target: Option<&str>, requests: Vec<PageRequest>) -> Result<Shown, Failure> {
        let page = self.undisturbed().await?;
        let (mut shown, mut navigated) = (Shown::default(), false);
        for request in requests {
            let done = self.step(&page, target, request, &mut shown).await?;
            if done.has_dialog {
                return Ok(shown);
            }
            navigated |= done.navigated;
        }
        if navigated && self.load(&page, &mut shown).await? {
            return Ok(shown);
        }
        self.look(&page, &mut shown).await?;
        Ok(shown)
    }

    /// Performs one action on a page, and notes what has happened.
    pub(super) async fn step(
        &self,
        page: &str,
        target: Option<&str>,
        request: PageRequest,
        shown: &mut Shown,
    ) -> Result<Done, Failure> {
        let after: After = read(&self.on(page, Request::Page(request)).await?)?;
        let has_dialog = self.note(shown, target, &after).await?;
        Ok(Done { has_dialog, navigated: after.navigated })
    }

    /// Waits a while until a page is loaded. Returns whether a dialog has opened meanwhile.
    pub(super) async fn load(&self, page: &str, shown: &mut Shown) -> Result<bool, Failure> {
        let load = PageWait {
            load_state: Some(LoadState::Load),
            timeout: Some(Millis(LOADING)),
            expect: Some(leaves_dialogs()),
            ..PageWait::default()
        };
        match self.step(page, None, PageRequest::PageWait(load), shown).await {
            Ok(done) => Ok(done.has_dialog),
            Err(Failure::Service(ServiceError::Page(PageError::Timeout { .. }))) => {
                shown.say("The page is still loading.");
                Ok(false)
            }
            // A page that has gone is noticed when it is read.
            Err(Failure::Service(ServiceError::Page(_))) => Ok(false),
            Err(why) => Err(why),
        }
    }

    /// Notes what has happened. Returns whether a dialog is open.
    async fn note(&self, shown: &mut Shown, target: Option<&str>, after: &After) -> Result<bool, Failure> {
        let open = after.dialogs.iter().find(|dialog| dialog.answer == "open");
        for Dialog { kind, message, answer } in &after.dialogs {
            shown.tell(&format!("dialog ({kind}, {answer}): {message}"));
        }
        for tab in &after.opened {
            shown.tell(&format!("opened a tab: {}", tab.url));
        }
        for Download { name } in &after.downloads {
            shown.tell(&format!("download: {name}"));
        }
        for Thrown { message } in &after.errors {
            shown.tell(&format!("uncaught exception: {message}"));
        }
        if open.is_some() {
            shown.say("A dialog is open. Answer it with browser_handle_dialog.");
        }
        if !after.opened.is_empty() {
            shown.say("The page opened a tab. browser_tabs selects it.");
        }
        let chooser = after.file_chooser.as_ref().filter(|chooser| chooser.files == 0);
        if let Some(Chooser { multiple, .. }) = chooser {
            let how_many = if *multiple { "files" } else { "a file" };
            shown.say(&format!("A file chooser waits for {how_many}. Answer it with browser_file_upload."));
        }
        self.view(|seen| {
            seen.has_dialog = open.is_some();
            if chooser.is_some() {
                seen.chooser = target.map(str::to_owned);
            }
        })
        .await?;
        Ok(open.is_some())
    }

    /// Shows a page: what has changed since the agent looked last, or all of it if that is shorter.
    pub(super) async fn look(&self, page: &str, shown: &mut Shown) -> Result<(), Failure> {
        let since = self.view(|seen| seen.snapshot.clone()).await?;
        let since = since.filter(|(of, _)| of == page).map(|(_, version)| version);
        let snapshot = PageSnapshot { since, max_bytes: Some(SNAPSHOT_MOST), ..PageSnapshot::default() };
        match self.on(page, snapshot).await {
            Ok(reply) => self.show_snapshot(page, shown, &reply).await,
            // The page closed itself by what was done.
            Err(Failure::Service(ServiceError::Page(_))) => {
                shown.say("The page cannot be read now; browser_tabs lists the pages.");
                Ok(())
            }
            Err(why) => Err(why),
        }
    }

    /// Shows a part of the current page, or all of it.
    pub(super) async fn look_at(&self, snapshot: PageSnapshot) -> Result<Shown, Failure> {
        let page = self.undisturbed().await?;
        let snapshot = PageSnapshot { max_bytes: Some(SNAPSHOT_MOST), ..snapshot };
        let is_whole = snapshot.element().is_ok_and(|element| element.is_none()) && snapshot.depth.is_none();
        let reply = self.on(&page, snapshot).await?;
        let mut shown = Shown::default();
        let before = self.view(|seen| seen.snapshot.clone()).await?;
        self.show_snapshot(&page, &mut shown, &reply).await?;
        if !is_whole {
            // The differences to a part are of no use.
            self.view(|seen| seen.snapshot = before).await?;
        }
        Ok(shown)
    }

    async fn show_snapshot(&self, page: &str, shown: &mut Shown, reply: &Reply) -> Result<(), Failure> {
        let Looked { url, snapshot, version, since, omitted_lines } = read(reply)?;
        self.view(|seen| seen.snapshot = Some((page.to_owned(), version))).await?;
        shown.tell(&format!("url: {}", cut(&url, URL_MOST)));
        match (&since, snapshot.is_empty()) {
            (Some(_), true) => shown.say("The snapshot of the page is the same as before."),
            (Some(_), false) => shown.tell(&format!("changes of the snapshot:\n{snapshot}")),
            (None, _) => shown.tell(&format!("snapshot:\n{snapshot}")),
        }
        if let Some(lines) = omitted_lines {
            shown.say(&format!("{lines} more lines were cut: use browser_snapshot with depth or target."));
        }
        Ok(())
    }
}

/// The tabs as lines.
pub(super) fn lines_of(tabs: &[Tab], current: Option<usize>) -> String {
    let mut lines = String::new();
    for (index, Tab { url, title, .. }) in tabs.iter().enumerate() {
        let mark = if current == Some(index) { " (current)" } else { "" };
        let _ = writeln!(lines, "- {index}:{mark} [{title}]({url})");
    }
    lines
}
