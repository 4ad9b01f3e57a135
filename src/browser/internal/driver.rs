//! Drives a page on a CDP session of the proxy's own, which no client sees.
//!
//! Everything that the proxy does in a page for itself goes through a [`PageDriver`]: snapshots,
//! usage figures and the actions of REST. A step with a time limit is wrapped into [`by_deadline`]:
//!
//! ```no_run
//! # use std::time::Duration;
//! # use ghostmux::browser::{CallError, ContextHandle, by_deadline};
//! # use ghostmux::cdp::ids::TargetId;
//! # use tokio::time::Instant;
//! async fn title(context: &ContextHandle, page: &TargetId) -> Result<String, CallError> {
//!     by_deadline(Instant::now() + Duration::from_secs(15), async {
//!         let page = context.attach(page).await?;
//!         page.navigate("https://example.com/").await?;
//!         page.evaluate("document.title").await
//!     })
//!     .await
//! }
//! ```

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, time::Instant};

use super::{
    InternalSession,
    commands::{Evaluate, Navigate, TypedCommand},
};
use crate::{
    browser::{Browser, CallError, LinkRequest},
    cdp::ids::CdpSessionId,
    port::{Call, Settle},
    runtime,
};

/// Time limit of a command whose caller has a deadline: no action may take longer.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

/// Drives a target with a CDP session of the proxy's own: a page, or a frame or worker that has a
/// process of its own. Clients do not see this CDP session. Dropping the driver detaches it.
///
/// Commands are sent in the order in which their futures are first polled, and Chrome handles them
/// in this order. A command whose future is dropped was sent, but its result is discarded.
#[derive(Debug)]
#[must_use]
pub struct PageDriver {
    session: InternalSession,
}

impl PageDriver {
    pub(super) fn new(session: InternalSession) -> Self {
        Self { session }
    }

    /// Sends a command and returns its result.
    pub async fn ask<C: TypedCommand>(&self, command: &C) -> Result<C::Result, CallError> {
        self.ask_on(&self.session.session, command).await
    }

    /// Sends a command and returns its result as Chrome wrote it. It may take as long as the caller waits: the caller has
    /// a deadline.
    pub async fn ask_patiently<C: TypedCommand>(&self, command: &C) -> Result<String, CallError> {
        let InternalSession { browser, session, .. } = &self.session;
        let (on, settle) = (Some(session.clone()), Settle::default());
        let call = Call { on, method: C::METHOD.into(), params: params_of(command), settle };
        Box::pin(browser.own_call_within(C::METHOD, call, None, FOR_EVER)).await
    }

    /// Sends a command without waiting for its result.
    pub fn tell<C: TypedCommand>(&self, command: &C) {
        let InternalSession { browser, session, .. } = &self.session;
        browser.tell(Some(session), C::METHOD, params_of(command));
    }

    /// Sends a command on a CDP session that the page's auto-attach has made: of a frame or worker.
    pub async fn ask_on<C: TypedCommand>(&self, session: &CdpSessionId, command: &C) -> Result<C::Result, CallError> {
        ask(&self.session.browser, session, command).await
    }

    /// Evaluates an expression in the page's main world. If its value is a promise, waits for it.
    /// The value is transferred as JSON and read as `T`; `null` and `undefined` are read as `()`.
    pub async fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> Result<T, CallError> {
        let evaluate = Evaluate { await_promise: true, ..Evaluate::new(expression) };
        self.ask(&evaluate).await?.value()
    }

    /// As [`PageDriver::evaluate`], but if the page navigates before the expression has a value, it
    /// is evaluated again in the next document. Returns also if the expression throws.
    pub async fn evaluate_across_navigations(&self, expression: &str) -> Result<(), CallError> {
        let evaluate = Evaluate { await_promise: true, ..Evaluate::new(expression) };
        loop {
            match self.ask(&evaluate).await {
                // Chrome's text is "Inspected target navigated or closed".
                Err(CallError::Refused { error, .. }) if error.message.contains("navigated") => {}
                evaluated => return evaluated.map(drop),
            }
        }
    }

    /// Navigates to a URL, and waits until the response has arrived; the document may still load.
    pub async fn navigate(&self, url: &str) -> Result<(), CallError> {
        match self.ask(&Navigate { url }).await?.error_text {
            Some(reason) => Err(CallError::NotLoaded { reason }),
            None => Ok(()),
        }
    }

    /// Subscribes to the events on this CDP session; it has one subscriber. Chrome sends only
    /// events of domains that the caller enables afterwards.
    pub fn events(&self) -> PageEvents {
        // Unbounded, because reading from Chrome never waits.
        let (to, from) = mpsc::unbounded_channel();
        let events = PageEvents { browser: self.session.browser.clone(), to: to.downgrade(), from };
        events.subscribe(&self.session.session, to);
        events
    }

    /// Detaches the CDP session and waits until Chrome has done so: the change of the target's
    /// `TargetInfo` was reported by then.
    pub async fn detach(self) -> Result<(), CallError> {
        self.session.detach().await
    }
}

/// An event on a CDP session of the proxy's own.
#[derive(Debug)]
pub struct InternalEvent {
    /// The CDP session on which Chrome sent it.
    pub on: CdpSessionId,
    /// The method, for example `Fetch.requestPaused`.
    pub method: String,
    /// The `params`, as Chrome wrote them.
    pub params: String,
}

/// The events on a driver's CDP session, in the order in which Chrome sent them.
#[derive(Debug)]
pub struct PageEvents {
    browser: Browser,
    // Weak: the channel closes when the CDP sessions have ended, which hold the senders.
    to: mpsc::WeakUnboundedSender<InternalEvent>,
    from: mpsc::UnboundedReceiver<InternalEvent>,
}

impl PageEvents {
    /// Includes the events on a CDP session that the page's auto-attach has made.
    pub fn include(&self, session: &CdpSessionId) {
        if let Some(to) = self.to.upgrade() {
            self.subscribe(session, to);
        }
    }

    /// The next event; `None` once all included CDP sessions have ended.
    pub async fn next(&mut self) -> Option<InternalEvent> {
        self.from.recv().await
    }

    fn subscribe(&self, session: &CdpSessionId, to: mpsc::UnboundedSender<InternalEvent>) {
        self.browser.order(LinkRequest::Hear { session: session.clone(), to });
    }
}

/// Waits for a step of one or several commands until its deadline; then the step is dropped, and
/// the error is [`CallError::Deadline`]. Each command has a time limit of its own besides.
pub async fn by_deadline<T, E: From<CallError>>(
    deadline: Instant,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout_at(deadline, step).await.unwrap_or_else(|_| Err(CallError::Deadline.into()))
}

fn params_of<C: TypedCommand>(command: &C) -> String {
    serde_json::to_string(command).expect("the members of a command can be written as JSON")
}

/// Sends a command on a CDP session and reads its result.
pub(super) async fn ask<C: TypedCommand>(
    browser: &Browser,
    on: &CdpSessionId,
    command: &C,
) -> Result<C::Result, CallError> {
    let params = params_of(command);
    // On the heap, because callers join many commands.
    let result = Box::pin(browser.call(Some(on), C::METHOD, params)).await?;
    runtime::aside(result.len(), || serde_json::from_str(&result))
        .map_err(|error| CallError::Unreadable { method: C::METHOD, why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser::{commands::GetNavigationHistory, fake};

    #[tokio::test]
    async fn unreadable_results_name_the_command() {
        let (lease, _seen) = fake::lease();
        let page = lease.place().attach(&"PAGE".into()).await.expect("a driver");
        // This browser has the same result for every command.
        let error = page.ask(&GetNavigationHistory {}).await.expect_err("no history");
        assert!(matches!(error, CallError::Unreadable { method: "Page.getNavigationHistory", .. }), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn steps_end_at_their_deadline() {
        let deadline = Instant::now() + Duration::from_secs(5);
        let step = std::future::pending::<Result<(), CallError>>();
        let error = by_deadline(deadline, step).await.expect_err("the step never ends");
        assert!(matches!(error, CallError::Deadline), "{error}");
        assert_eq!(Instant::now(), deadline);
        by_deadline(deadline, async { Ok::<_, CallError>(()) }).await.expect("a step that is done");
    }

    /// Code that waits for an event of a page must not wait for ever if the page is closed.
    #[tokio::test]
    async fn events_end_with_the_cdp_session() {
        let (lease, _seen) = fake::lease();
        let page = lease.place().attach(&"PAGE".into()).await.expect("a driver");
        // This browser drops every subscription, as the link does when a CDP session ends.
        assert!(page.events().next().await.is_none());
    }
}
