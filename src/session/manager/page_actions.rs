//! The operations on the pages of a session, for callers without a CDP client. The room `page` drives the pages.

use std::{fmt, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::{Handle, SessionManager, service::own};
use crate::{
    api_types::{
        NewPageInfo, Nothing, Reply, Request, Secret,
        operations::{ClosePage, NewPage, OnPage, PageRequest},
    },
    cdp::ids::TargetId,
    runtime,
    session::{
        error::ServiceError,
        pages::{
            DialogHold, DrivenPage, PageCommands, PageError, PageService, PageSession, Progress, Told, session_of,
        },
        secret_book::SecretBook,
        session_files::SessionFiles,
        task::{Caller, Control, Drive, Driven, PageCall},
    },
    store::Timestamp,
};

/// Sends commands to a page by the task of its session.
fn commands_to(handle: &Handle, page: TargetId) -> PageCommands {
    let control = handle.control.clone();
    PageCommands::new(move |method, params| {
        let (control, page) = (control.clone(), page.clone());
        async move {
            let (reply, answer) = oneshot::channel();
            let call = PageCall { page, method, params, reply };
            control.send(Box::new(Control::OnPage(call))).await.map_err(|_| PageError::Closed)?;
            runtime::answered(answer, control.closed()).await.unwrap_or(Err(PageError::Closed))
        }
        .boxed()
    })
}

impl SessionManager {
    /// Sets who drives pages; called once, before there are sessions.
    pub fn set_pages(&self, pages: Arc<dyn PageService>) {
        let _ = self.inner.pages.set(pages);
    }

    /// Performs a request, and tells of its steps.
    pub async fn perform_in_steps(
        &self,
        caller: &Caller,
        request: Request,
        progress: Progress,
    ) -> Result<Reply, ServiceError> {
        self.permit(caller, None, &request)?;
        match request {
            Request::Page(request) => self.perform_on_pages(caller, None, request, Some(progress)).await,
            request => self.perform(caller, None, request).await,
        }
    }

    pub(super) async fn perform_on_pages(
        &self,
        caller: &Caller,
        from: Option<&str>,
        request: PageRequest,
        progress: Option<Progress>,
    ) -> Result<Reply, ServiceError> {
        let id = own(session_of(&request).map(str::to_owned), from)?;
        let handle = self.find(caller, &id).await?;
        let pages = self.inner.pages.get().ok_or(ServiceError::Closing)?;
        match request {
            PageRequest::NewPage(NewPage { url, .. }) => {
                let url = url.unwrap_or_else(|| "about:blank".to_owned());
                let Driven { granted, .. } = self.driven(&handle, None).await?;
                pages.check_url(&url, granted)?;
                let target_id = self.open_page(&handle, &url).await?;
                Ok(Reply::of::<NewPage>(&NewPageInfo { session: id, target_id, url }))
            }
            PageRequest::ClosePage(ClosePage { page, .. }) => {
                let Driven { place, page, .. } = self.driven(&handle, Some(page)).await?;
                if let Some(page) = page {
                    place.close(&page).await.map_err(PageError::from)?;
                }
                Ok(Reply::of::<ClosePage>(&Nothing {}))
            }
            request => {
                let page = request.on_page().map(|OnPage { page, .. }| page.to_owned());
                let Driven { place, page, granted, claims } = self.driven(&handle, page).await?;
                let page = page.ok_or_else(|| PageError::NoPage { page: String::new() })?;
                let limits = self.inner.terms().pages;
                let commands = commands_to(&handle, page.clone());
                let session = Arc::new(SessionOfPages { handle, secrets: self.inner.secrets.clone() });
                let explain = self.explain();
                let told: Told = Box::new(move |error| {
                    let error = ServiceError::from(error);
                    let shown = explain(&error);
                    match error {
                        ServiceError::Page(error) => (error, shown),
                        _ => (PageError::Closed, shown),
                    }
                });
                let on = DrivenPage { place, page, granted, limits, session, progress, told, commands, claims };
                pages.perform(on, request).await.map_err(|error| match error {
                    PageError::Step { step, action, error, results } => {
                        ServiceError::Step { step, action, error: Box::new((*error).into()), results }
                    }
                    error => error.into(),
                })
            }
        }
    }

    /// The session's place, and the page of this name.
    pub(super) async fn driven(&self, handle: &Handle, page: Option<String>) -> Result<Driven, ServiceError> {
        let asked = page.clone();
        let driven = self.ask_live(handle, |reply| Control::Drive(Drive { page, reply })).await?;
        match asked {
            Some(page) if driven.page.is_none() => {
                Err(PageError::NoPage { page: page.chars().take(200).collect() }.into())
            }
            _ => Ok(driven),
        }
    }

    /// Opens a page under the policy, as `/json/new` does.
    pub(super) async fn open_page(&self, handle: &Handle, url: &str) -> Result<String, ServiceError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            target_id: String,
        }

        let (method, params) = ("Target.createTarget", json!({ "url": url }).to_string());
        let call = |reply| Control::Call { method, params, is_use: true, reply };
        let result = self.ask_live(handle, call).await?.map_err(ServiceError::Refused)?;
        let Created { target_id } = serde_json::from_str(&result).map_err(ServiceError::Unreadable)?;
        Ok(target_id)
    }
}

/// The session of pages that are driven.
struct SessionOfPages {
    handle: Handle,
    secrets: SecretBook,
}

impl SessionOfPages {
    /// Asks the session's task; `None` if the session has ended.
    async fn ask<T>(&self, control: impl FnOnce(oneshot::Sender<T>) -> Control) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let session = &self.handle.control;
        session.send(Box::new(control(reply))).await.ok()?;
        runtime::answered(answer, session.closed()).await
    }
}

impl PageSession for SessionOfPages {
    fn hold_dialogs(&self, page: TargetId) -> BoxFuture<'_, Option<DialogHold>> {
        self.ask(|reply| Control::HoldDialogs(page, reply)).map(Option::flatten).boxed()
    }

    fn allow_downloads(&self) -> BoxFuture<'_, ()> {
        self.ask(Control::AllowDownloads).map(drop).boxed()
    }

    fn files(&self) -> Option<Arc<SessionFiles>> {
        self.handle.files.get().cloned()
    }

    fn secret(&self, named: (&str, bool), origin: &str) -> Result<Secret, PageError> {
        let typed = self.secrets.typed(&self.handle.session_info.owner, named, origin, Timestamp::now())?;
        self.handle.typed.note(named, &typed);
        Ok(typed)
    }

    fn hide_secrets(&self, text: &mut String) {
        self.handle.typed.hide(text);
    }

    fn hide_secrets_in_json(&self, json: &mut String) {
        runtime::aside(json.len(), || self.handle.typed.hide_in_json(json));
    }
}

impl fmt::Debug for SessionOfPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionOfPages").field(&self.handle.session_info.id).finish()
    }
}
