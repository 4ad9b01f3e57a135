//! What the proxy does in a session's contexts on its own behalf: CDP sessions that no client knows, and pages that no
//! client is shown. Every guard here lets go of what it holds when it is dropped.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::{Browser, CallError, Lease, LeaseId, LinkRequest, Surveyed, member};
use crate::{
    cdp::{
        emulation::{Aspect, Change, Override},
        error::CdpError,
        ids::{CdpSessionId, ContextId, TargetId},
        json_object::quote,
        permission::Ruling,
    },
    port::{Call, Settle},
};

/// An event on a CDP session of the proxy's own.
#[derive(Debug)]
pub struct InternalEvent {
    /// The CDP session it came on.
    pub on: CdpSessionId,
    /// Its method.
    pub method: String,
    /// Its params, as Chrome wrote them.
    pub params: String,
}

/// Where a session is: enough to work in its contexts while somebody else holds its lease.
#[derive(Clone, Debug)]
pub struct ContextHandle {
    browser: Browser,
    lease: LeaseId,
    base: CdpSessionId,
    context: ContextId,
}

impl Lease {
    /// Where it is. Once the lease has been dropped, nothing can be done there any more: every call is an error.
    pub fn place(&self) -> ContextHandle {
        ContextHandle {
            browser: self.browser.clone(),
            lease: self.id,
            base: self.base.clone(),
            context: self.context.clone(),
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

    /// A command on the CDP session that owns the contexts, permissions and download behaviour.
    pub async fn call(&self, method: &'static str, params: String) -> Result<String, CallError> {
        self.browser.call(Some(&self.base), method, params).await
    }

    /// What is and was in the session's contexts, the default one first; empty if the browser has gone.
    pub async fn survey(&self) -> Vec<Surveyed> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.browser.order(LinkRequest::Survey { lease: self.lease, reply });
        let mut contexts = answer.await.unwrap_or_default();
        contexts.sort_by_key(|surveyed| surveyed.context != self.context);
        contexts
    }

    /// Notes an origin, or the storage key of a partition of one, where the session has something.
    pub fn remember(&self, context: &ContextId, origin: &str) {
        self.browser.order(LinkRequest::Remember { context: context.clone(), origin: origin.to_owned() });
    }

    /// Rules on permissions of one of the session's contexts, and notes it.
    pub async fn rule(&self, context: &ContextId, ruling: Ruling) -> Result<(), CallError> {
        let method = ruling.method();
        let Some(params) = ruling.params(context) else {
            return Err(CallError::Refused { method, error: CdpError::INVALID });
        };
        let settle = Some((self.lease, Settle::Rule(context.clone(), ruling)));
        self.browser.call_for(Some(&self.base), method, params, settle).await.map(drop)
    }

    /// Has a page pretend this, with the session's own CDP session behind it, and notes it. What Chrome refuses is
    /// returned, and why.
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
            let set = self.browser.call_for(Some(by.session()), what.method(), params.to_owned(), learn).await;
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

    /// One more context of the session's.
    pub async fn new_context(&self) -> Result<ContextId, CallError> {
        let method = "Target.createBrowserContext";
        let params = r#"{"disposeOnDetach":true}"#.to_owned();
        let result = self.browser.call_for(Some(&self.base), method, params, Some((self.lease, Settle::Bind))).await?;
        member(&result, method, "browserContextId").map(ContextId::from)
    }
}

/// What the proxy has a page pretend. Dropping it ends that, unless the session was told of it.
#[derive(Debug)]
#[must_use]
pub struct Emulated {
    by: InternalSession,
    what: Vec<Change>,
}

/// A browser-level CDP session of the proxy's own. Dropping it detaches it, and with it all that was attached through
/// it; hidden pages made through it go too.
#[derive(Debug)]
pub struct InternalRoot {
    browser: Browser,
    id: CdpSessionId,
}

impl InternalRoot {
    /// Makes one.
    pub async fn new(browser: &Browser) -> Result<Self, CallError> {
        let method = "Target.attachToBrowserTarget";
        let call = Call { on: None, method: method.into(), params: "{}".to_owned(), settle: Settle::Root };
        let result = browser.own_call(method, call, None).await?;
        let id = member(&result, method, "sessionId")?.into();
        browser.shared.own_roots.fetch_add(1, Ordering::Relaxed);
        Ok(Self { browser: browser.clone(), id })
    }

    /// A command on it.
    pub async fn call(&self, method: &'static str, params: String) -> Result<String, CallError> {
        self.browser.call(Some(&self.id), method, params).await
    }

    /// A blank page in a session's context that no client is shown. A `hidden` one takes no focus and lives as long as
    /// this CDP session at most; another is closed by whoever made it, or revealed.
    pub async fn new_page(&self, context: &ContextId, hidden: bool) -> Result<TargetId, CallError> {
        let method = "Target.createTarget";
        let how = if hidden { r#""hidden":true"# } else { r#""background":true"# };
        let params = format!(r#"{{"url":"about:blank","browserContextId":{},{how}}}"#, quote(context.as_str()));
        let settle = Settle::Conceal(context.clone());
        let call = Call { on: Some(self.id.clone()), method: method.into(), params, settle };
        let result = self.browser.own_call(method, call, None).await?;
        member(&result, method, "targetId").map(TargetId::from)
    }

    /// A page that was made by [`InternalRoot::new_page`] becomes one of the session's, if it is none already. It is
    /// the session's from now on to end what the page pretends.
    pub fn reveal(&self, page: &TargetId, emulated: Option<Emulated>) {
        let emulated = emulated.map(|Emulated { by, what }| (by.leave(), what));
        self.browser.order(LinkRequest::Reveal { page: page.clone(), emulated });
    }

    /// Closes a page that was made by [`InternalRoot::new_page`], without waiting. One goes after the other: a restore
    /// that is given up has many.
    pub fn close(&self, page: &TargetId) {
        self.browser.order(LinkRequest::Close { page: page.clone() });
    }

    /// Attaches to a target, unseen by clients.
    pub async fn attach(&self, target: &TargetId) -> Result<InternalSession, CallError> {
        self.browser.attach(&self.id, target).await
    }
}

impl Drop for InternalRoot {
    fn drop(&mut self) {
        self.browser.shared.own_roots.fetch_sub(1, Ordering::Relaxed);
        self.browser.close_root(&self.id);
    }
}

/// A CDP session of the proxy's own on a page. Dropping it detaches it.
#[derive(Debug)]
#[must_use]
pub struct InternalSession {
    browser: Browser,
    root: CdpSessionId,
    session: CdpSessionId,
    detached: bool,
}

impl InternalSession {
    /// One that was made on `root`, which is to be told of its end.
    pub(super) fn new(browser: Browser, root: CdpSessionId, session: CdpSessionId) -> Self {
        Self { browser, root, session, detached: false }
    }

    /// A command on it.
    pub async fn call(&self, method: &'static str, params: impl Into<String>) -> Result<String, CallError> {
        self.browser.call(Some(&self.session), method, params.into()).await
    }

    /// A command on a CDP session below it.
    pub async fn call_below(
        &self,
        session: &CdpSessionId,
        method: &'static str,
        params: impl Into<String>,
    ) -> Result<String, CallError> {
        self.browser.call(Some(session), method, params.into()).await
    }

    /// Ends it, and waits until Chrome has done so: what it did to the target's `TargetInfo` has been told by then.
    pub async fn detach(mut self) -> Result<(), CallError> {
        let params = format!(r#"{{"sessionId":"{}"}}"#, self.session);
        self.browser.call(Some(&self.root), "Target.detachFromTarget", params).await?;
        self.detached = true;
        Ok(())
    }

    /// Leaves it to somebody else to end it.
    fn leave(mut self) -> CdpSessionId {
        self.detached = true;
        self.session.clone()
    }

    /// The CDP session itself.
    pub fn session(&self) -> &CdpSessionId {
        &self.session
    }

    /// Events on it, or on a CDP session below it, go here from now on. Unbounded, because reading from Chrome never
    /// waits: only the domains that the caller enables say anything.
    pub fn listen(&self, session: &CdpSessionId, to: mpsc::UnboundedSender<InternalEvent>) {
        self.browser.order(LinkRequest::Hear { session: session.clone(), to });
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
