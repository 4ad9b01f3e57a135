//! The proxy's own work in a session's contexts, on CDP sessions and pages that clients do not see.
//! `driver` drives a page, for all parts of the proxy that do so. Every guard here releases what it
//! holds when it is dropped.

pub(crate) mod commands;
mod driver;

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use futures_util::future::join_all;

pub use self::{
    commands::TypedCommand,
    driver::{InternalEvent, PageDriver, PageEvents, by_deadline},
};
use super::{Browser, CallError, Lease, LeaseId, LeasePages, LinkRequest, Surveyed, egress::LeaseEgress, member};
use crate::{
    cdp::{
        emulation::{Aspect, Change, Override},
        error::CdpError,
        ids::{CdpSessionId, ContextId, TargetId},
        json_object::quote,
        permission::Ruling,
    },
    port::{Call, ContextProxy, NewContext, PageSetup, Settle, egress::UpstreamProxy},
};

/// The location of a session: enough to work in its contexts while its task holds the lease.
#[derive(Clone, Debug)]
pub struct ContextHandle {
    browser: Browser,
    lease: LeaseId,
    base: CdpSessionId,
    context: ContextId,
    egress: Arc<LeaseEgress>,
}

impl Lease {
    /// The location. Once the lease was dropped, every call returns an error.
    pub fn place(&self) -> ContextHandle {
        ContextHandle {
            browser: self.browser.clone(),
            lease: self.id,
            base: self.base.clone(),
            context: self.context().clone(),
            egress: self.egress.clone(),
        }
    }
}

impl ContextHandle {
    /// The browser.
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// The session's default context.
    pub fn context(&self) -> &ContextId {
        &self.context
    }

    /// Sends a command on the browser-level CDP session that owns the contexts, permissions and
    /// download behaviour.
    pub async fn ask<C: TypedCommand>(&self, command: &C) -> Result<C::Result, CallError> {
        driver::ask(&self.browser, &self.base, command).await
    }

    /// Attaches to a target of the session, to drive it.
    pub async fn attach(&self, target: &TargetId) -> Result<PageDriver, CallError> {
        self.browser.attach(&self.base, target).await.map(PageDriver::new)
    }

    /// The present and past content of the session's contexts, the default one first; empty if the
    /// browser has ended.
    pub async fn survey(&self) -> Vec<Surveyed> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.browser.order(LinkRequest::Survey { lease: self.lease, reply });
        let mut contexts = self.browser.answered(answer).await.unwrap_or_default();
        contexts.sort_by_key(|surveyed| surveyed.context != self.context);
        contexts
    }

    /// The pages of the session, and more of those that are not among the known ones; none if the browser has ended.
    pub async fn pages(&self, known: Option<HashSet<TargetId>>) -> LeasePages {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.browser.order(LinkRequest::Pages { lease: self.lease, known, reply });
        self.browser.answered(answer).await.unwrap_or_default()
    }

    /// Records an origin, or the storage key of a partition of one, where the session has stored
    /// data.
    pub fn remember(&self, context: &ContextId, origin: &str) {
        self.browser.order(LinkRequest::Remember { context: context.clone(), origin: origin.to_owned() });
    }

    /// Closes a page of the session.
    pub async fn close(&self, page: &TargetId) -> Result<(), CallError> {
        let call = Call::close(Some(self.base.clone()), page.clone());
        self.browser.own_call("Target.closeTarget", call, None).await.map(drop)
    }

    /// Sets permissions of one of the session's contexts, and records them.
    pub async fn rule(&self, context: &ContextId, ruling: Ruling) -> Result<(), CallError> {
        let method = ruling.method();
        let Some(params) = ruling.params(context) else {
            return Err(CallError::Refused { method, error: CdpError::INVALID });
        };
        let settle = Some((self.lease, Settle::Rule(context.clone(), ruling)));
        self.browser.call_for(Some(&self.base), method, params, settle).await.map(drop)
    }

    /// Sends an emulation command to a page on the session's own CDP session, and records it.
    /// Returns Chrome's error if it refused.
    pub async fn emulate(
        &self,
        page: &TargetId,
        overrides: &[Override],
    ) -> Result<(Emulated, Vec<(Aspect, String)>), CallError> {
        let by = self.browser.attach(&self.base, page).await?;
        let set = async |one: &Override| {
            let (what, params) = (one.aspect(), one.params()?);
            if let Some((method, params)) = what.before() {
                by.call(method, params).await.map_err(|error| error.to_string())?;
            }
            let change = Change::from(one.clone());
            let learn = Some((self.lease, Settle::Emulate(page.clone(), change.clone())));
            let set = self.browser.call_for(Some(&by.session), what.method(), params.to_owned(), learn).await;
            set.map(|_| change).map_err(|error| error.to_string())
        };
        let (mut what, mut refused) = (Vec::new(), Vec::new());
        for (one, set) in overrides.iter().zip(join_all(overrides.iter().map(set)).await) {
            match set {
                Ok(change) => what.push(change),
                Err(why) => refused.push((one.aspect(), why)),
            }
        }
        Ok((Emulated { by, what }, refused))
    }

    /// Sets up each page of the session like this from now on, before it runs. Returns when the present ones are; what
    /// Chrome refuses is left out. Called once, before the session has clients.
    pub async fn set_up(&self, setup: PageSetup) {
        let (done, all) = tokio::sync::oneshot::channel();
        self.browser.order(LinkRequest::SetUp { lease: self.lease, setup: setup.into(), done });
        // It is dropped, never sent.
        let _ = all.await;
    }

    /// Makes another context of the session, with this proxy instead of that of the session.
    pub async fn new_context(&self, proxy: Option<UpstreamProxy>) -> Result<ContextId, CallError> {
        let new = NewContext { proxy: proxy.map_or(ContextProxy::None, ContextProxy::UpstreamProxy) };
        self.browser.new_context(self.lease, &self.base, &self.egress, &new).await
    }

    /// The proxy that a client named for a context of the session.
    pub fn proxy_of(&self, context: &ContextId) -> Option<UpstreamProxy> {
        self.egress.proxy_of(context)
    }
}

/// An emulation that the proxy has set. Dropping it clears the emulation, unless the session has
/// taken it over.
#[derive(Debug)]
#[must_use]
pub struct Emulated {
    by: InternalSession,
    what: Vec<Change>,
}

/// A browser-level CDP session of the proxy's own. Dropping it detaches it and all that was
/// attached through it, and closes hidden pages made through it.
#[derive(Debug)]
pub struct InternalRoot {
    browser: Browser,
    id: CdpSessionId,
    /// Whether the browser makes no warm leases meanwhile.
    is_work: bool,
}

impl InternalRoot {
    /// Makes one for work that keeps the browser busy: saving or restoring a session.
    pub async fn new(browser: &Browser) -> Result<Self, CallError> {
        Self::make(browser, true).await
    }

    /// Makes one that may stay for long with nothing to do.
    pub async fn idle(browser: &Browser) -> Result<Self, CallError> {
        Self::make(browser, false).await
    }

    async fn make(browser: &Browser, is_work: bool) -> Result<Self, CallError> {
        let method = "Target.attachToBrowserTarget";
        let call = Call { on: None, method: method.into(), params: "{}".to_owned(), settle: Settle::Root };
        let result = browser.own_call(method, call, None).await?;
        let id = member(&result, method, "sessionId")?.into();
        if is_work {
            browser.shared.own_roots.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Self { browser: browser.clone(), id, is_work })
    }

    /// Opens a blank page in a session's context that clients do not see. A `hidden` one takes no
    /// focus and lives at most as long as this CDP session; another is closed by its creator, or
    /// revealed.
    pub async fn new_page(&self, context: &ContextId, hidden: bool) -> Result<TargetId, CallError> {
        let method = "Target.createTarget";
        let how = if hidden { r#""hidden":true"# } else { r#""background":true"# };
        let params = format!(r#"{{"url":"about:blank","browserContextId":{},{how}}}"#, quote(context.as_str()));
        let settle = Settle::Conceal(context.clone());
        let call = Call { on: Some(self.id.clone()), method: method.into(), params, settle };
        let result = self.browser.own_call(method, call, None).await?;
        member(&result, method, "targetId").map(TargetId::from)
    }

    /// Reveals a page that was made by [`InternalRoot::new_page`], if it is not revealed yet: it
    /// becomes a page of the session, which then owns its emulation.
    pub fn reveal(&self, page: &TargetId, emulated: Option<Emulated>) {
        let emulated = emulated.map(|Emulated { by, what }| (by.leave(), what));
        self.browser.order(LinkRequest::Reveal { page: page.clone(), emulated });
    }

    /// Closes a page that was made by [`InternalRoot::new_page`], without waiting. Pages are closed
    /// one after the other, because a cancelled restore has many.
    pub fn close(&self, page: &TargetId) {
        self.browser.order(LinkRequest::Close { page: page.clone() });
    }

    /// Attaches to a target, to drive it.
    pub async fn attach(&self, target: &TargetId) -> Result<PageDriver, CallError> {
        self.browser.attach(&self.id, target).await.map(PageDriver::new)
    }
}

impl Drop for InternalRoot {
    fn drop(&mut self) {
        if self.is_work {
            self.browser.shared.own_roots.fetch_sub(1, Ordering::Relaxed);
        }
        self.browser.close_root(&self.id);
    }
}

/// A CDP session of the proxy's own on a target. Dropping it detaches it.
#[derive(Debug)]
#[must_use]
pub(super) struct InternalSession {
    browser: Browser,
    root: CdpSessionId,
    session: CdpSessionId,
    detached: bool,
}

impl InternalSession {
    /// The CDP session `session`, which was attached through `root`.
    pub(super) fn new(browser: Browser, root: CdpSessionId, session: CdpSessionId) -> Self {
        Self { browser, root, session, detached: false }
    }

    /// Sends a command on it.
    async fn call(&self, method: &'static str, params: impl Into<String>) -> Result<String, CallError> {
        self.browser.call(Some(&self.session), method, params.into()).await
    }

    /// Detaches it, and waits for Chrome's reply.
    async fn detach(mut self) -> Result<(), CallError> {
        let params = format!(r#"{{"sessionId":"{}"}}"#, self.session);
        self.browser.call(Some(&self.root), "Target.detachFromTarget", params).await?;
        self.detached = true;
        Ok(())
    }

    /// Leaves the end of this session to another owner.
    fn leave(mut self) -> CdpSessionId {
        self.detached = true;
        self.session.clone()
    }
}

impl Drop for InternalSession {
    fn drop(&mut self) {
        if self.detached {
            return;
        }
        let params = format!(r#"{{"sessionId":"{}"}}"#, self.session);
        self.browser.tell(Some(&self.root), "Target.detachFromTarget", params);
    }
}
