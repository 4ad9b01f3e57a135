//! The dialogs of a page. Whoever has the page open with `Page` enabled answers them: a client, if there is one. Otherwise an
//! action that expects a dialog says how it is answered, and all others are dismissed.

use tokio::time::Instant;

use super::{DIALOGS, driven::Page, task::Job};
use crate::{
    api_types::{
        Acted, Aftermath, Bad, DialogAnswer, ExpectDialog, Happened, Millis, PageDialogInfo, Reply,
        operations::{PageDialog, PageRequest},
    },
    browser::commands::{Nothing, commands},
    session::pages::PageError,
};

commands! {
    "Page.handleJavaScriptDialog" = HandleDialog<'a> {
        accept: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_text: Option<&'a str>,
    } -> Nothing;
}

impl Page {
    /// Answers the dialogs that nobody else answers, in an endless loop.
    pub(super) async fn tend_dialogs(&self) {
        let mut handled = 0;
        let mut states = self.states();
        loop {
            let opened = states.wait_for(|state| state.dialog.as_ref().is_some_and(|open| open.number > handled)).await;
            let Ok((Some(dialog), events)) = opened.map(|state| (state.dialog.clone(), state.events.clone())) else {
                return std::future::pending().await;
            };
            handled = dialog.number;
            let expected = events.wanted.dialog.as_ref().filter(|_| events.is_first_dialog());
            match expected {
                Some(ExpectDialog { leave: true, .. }) => {}
                Some(ExpectDialog { accept, prompt_text, .. }) => {
                    // If the page is closed meanwhile, its action learns that by itself.
                    let _ = self.handle_dialog(*accept, prompt_text.as_deref()).await;
                }
                None => self.dismiss().await,
            }
        }
    }

    /// Dismisses a dialog that nobody expects, unless it is a client's.
    async fn dismiss(&self) {
        let hold = if self.holds_dialogs() { None } else { self.session().hold_dialogs(self.id().clone()).await };
        if hold.is_some() || self.holds_dialogs() {
            let _ = self.handle_dialog(false, None).await;
        }
    }

    async fn handle_dialog(&self, accept: bool, prompt_text: Option<&str>) -> Result<(), PageError> {
        self.ask_long(self.driver(), &HandleDialog { accept, prompt_text }).await.map(drop)
    }

    /// Waits until the dialog is open that the action expects to leave open.
    pub(super) async fn left_dialog(&self) -> Result<(), PageError> {
        self.wait_for(|state| {
            state.events.wanted.dialog.as_ref().is_some_and(|dialog| dialog.leave)
                && state.events.dialogs.first().is_some_and(|dialog| dialog.answer == DialogAnswer::Open)
        })
        .await
    }

    /// Performs a request that answers the open dialog.
    pub(super) async fn answer_dialog(&self, Job { request, reply, limits, .. }: Job) {
        let PageRequest::PageDialog(PageDialog { accept, prompt_text, timeout, .. }) = request else { return };
        let limit = timeout.map_or(limits.timeout, |timeout| timeout.0).min(limits.timeout_most);
        let answered = self.answer_open_dialog(accept, prompt_text.as_deref());
        let result = tokio::time::timeout(limit, answered).await.unwrap_or_else(|_| {
            let (condition, seen) = ("the dialog to close".to_owned(), "the dialog is open".to_owned());
            Err(PageError::Timeout { what: "pageDialog", limit: limit.as_millis(), condition, seen })
        });
        let _ = reply.send(result);
    }

    async fn answer_open_dialog(&self, accept: bool, prompt_text: Option<&str>) -> Result<Reply, PageError> {
        if prompt_text.is_some() && !accept {
            return Err(Bad::new("promptText", "is for a dialog that is accepted").into());
        }
        let (since, before) = (Instant::now(), self.state());
        let Some(open) = before.dialog else { return Err(PageError::NoDialog) };
        let hold = if self.holds_dialogs() { None } else { self.session().hold_dialogs(self.id().clone()).await };
        if hold.is_none() && !self.holds_dialogs() {
            return Err(PageError::ClientOwns { what: DIALOGS });
        }
        self.handle_dialog(accept, prompt_text).await?;
        self.wait_for(|state| state.dialog.as_ref().is_none_or(|dialog| dialog.number != open.number)).await?;
        self.let_dialogs_go();
        let state = self.state();
        let answer = if accept { DialogAnswer::Accepted } else { DialogAnswer::Dismissed };
        let text = prompt_text.map(str::to_owned);
        let dialog = PageDialogInfo { kind: open.kind, message: open.message.clone(), answer, text };
        let happened = Happened { dialogs: vec![dialog], ..Happened::default() };
        let (navigated, took) = (state.navigations > before.navigations, Millis(since.elapsed()));
        Ok(Reply::of::<PageDialog>(&Acted::new(Aftermath { url: state.url, navigated, took, happened })))
    }
}
