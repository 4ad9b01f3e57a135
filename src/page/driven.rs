//! A page that is driven: its documents, the steps in them, and what was seen while an action waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    commands::{BringToFront, EnableLifecycle, EnablePage, EnableRuntime, GetFrameTree, InterceptChooser, Terminate},
    events::Events,
    frame::Frame,
    handles::Handles,
    held::Held,
    history::History,
    means::read_long,
    present::{Acting, Mouse},
    refs::{Names, Refs},
    start::Start,
    state::{PageState, describe},
    step::{PATIENCE, PAUSES, Seen, Step},
    worlds::Worlds,
};
use crate::{
    api_types::{
        Expect,
        locator::{ENTER_FRAME, REF_ENGINE, ref_of},
    },
    browser::{ContextHandle, InternalRoot, PageDriver, PageEvents, TypedCommand, by_deadline},
    cdp::ids::TargetId,
    config::PageLimits,
    session::pages::{PageError, PageSession},
};

/// A page that is driven.
pub(super) struct Page {
    place: ContextHandle,
    driver: PageDriver,
    /// The events of a CDP session come to who drives it only if it is attached through a root of the proxy's own.
    pub(super) root: InternalRoot,
    /// Written by the page's task alone, as its events come.
    state: Arc<watch::Sender<PageState>>,
    pub(super) id: TargetId,
    session: Arc<dyn PageSession>,
    acting: Mutex<Acting>,
    mouse: Mutex<Mouse>,
    /// The frames with elements that are covered for a screenshot.
    masks: Mutex<Vec<Frame>>,
    limits: PageLimits,
    held: Held,
    pub(super) worlds: Worlds,
    /// The frames that have a process of their own.
    pub(super) remote: Mutex<HashMap<String, Arc<PageDriver>>>,
    seen: Mutex<Seen>,
    /// The references of its snapshots, the snapshots, and the values that callers keep; never held across an await.
    refs: Mutex<Refs>,
    history: Mutex<History>,
    handles: Mutex<Handles>,
}

impl Page {
    /// Attaches to a page. Its events are to be taken into the state while it is used.
    pub(super) async fn attach(
        on: Start,
        used: Names,
    ) -> Result<(Self, tokio::sync::Mutex<PageEvents>, Arc<watch::Sender<PageState>>), PageError> {
        let Start { place, page: id, limits, session } = on;
        let root = InternalRoot::idle(place.browser()).await?;
        session.allow_downloads().await;
        let driver = root.attach(&id).await?;
        let events = driver.events();
        driver.ask(&EnablePage {}).await?;
        let tree = driver.ask(&GetFrameTree {}).await?;
        // Chrome sends those of the present document again.
        driver.ask(&EnableLifecycle { enabled: true }).await?;
        driver.ask(&InterceptChooser { enabled: true }).await?;
        // Chrome sends the past exceptions before its answer.
        driver.ask(&EnableRuntime {}).await?;
        let state = Arc::new(watch::Sender::new(PageState::new(tree.frame_tree.frame)));
        let (held, worlds, remote, seen, acting, masks, mouse) = Default::default();
        let to = state.clone();
        let refs = Refs::behind(used).into();
        let history = History::behind(used.snapshot).into();
        let handles = Handles::behind(used.handle).into();
        let page = Self {
            place,
            driver,
            root,
            state: to,
            id,
            session,
            acting,
            mouse,
            masks,
            limits,
            held,
            worlds,
            remote,
            seen,
            refs,
            history,
            handles,
        };
        Ok((page, events.into(), state))
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn refs(&self) -> MutexGuard<'_, Refs> {
        self.refs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the names that it has given are used.
    pub(super) fn names(&self) -> Names {
        let (element, frame) = self.refs().used();
        Names { element, frame, snapshot: self.history().last(), handle: self.handles().last() }
    }

    pub(super) fn limits(&self) -> PageLimits {
        self.limits
    }

    pub(super) fn id(&self) -> &TargetId {
        &self.id
    }

    pub(super) fn session(&self) -> &dyn PageSession {
        &*self.session
    }

    pub(super) fn acting(&self) -> MutexGuard<'_, Acting> {
        self.acting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn mouse(&self) -> MutexGuard<'_, Mouse> {
        self.mouse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn masks(&self) -> MutexGuard<'_, Vec<Frame>> {
        self.masks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn place(&self) -> &ContextHandle {
        &self.place
    }

    /// What requests have left on its CDP session.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    pub(super) fn driver(&self) -> &PageDriver {
        &self.driver
    }

    /// The state at this moment.
    pub(super) fn state(&self) -> PageState {
        self.state.borrow().clone()
    }

    /// The states from now on.
    pub(super) fn states(&self) -> watch::Receiver<PageState> {
        self.state.subscribe()
    }

    pub(super) fn states_to(&self) -> &watch::Sender<PageState> {
        &self.state
    }

    /// Forgets what has happened so far.
    pub(super) fn reset_events(&self, wanted: Expect) {
        self.state.send_modify(|state| state.events = Arc::new(Events::expecting(wanted)));
    }

    /// Waits for a state.
    pub(super) async fn wait_for(&self, is: impl Fn(&PageState) -> bool) -> Result<(), PageError> {
        self.states().wait_for(|state| is(state)).await.map(drop).map_err(|_| PageError::Closed)
    }

    /// Notes what the action waits for from now on.
    pub(super) fn waits_for(&self, condition: impl Into<String>) {
        let mut seen = self.seen_now();
        let at = seen.at.take();
        let condition = at.iter().fold(condition.into(), |condition, at| format!("{at}: {condition}"));
        *seen = Seen { condition, last: "nothing".to_owned(), at };
    }

    /// Notes where in its request the action is.
    pub(super) fn is_at(&self, place: Option<String>) {
        self.seen_now().at = place;
    }

    /// Notes what was seen.
    pub(super) fn saw(&self, what: &str) {
        what.clone_into(&mut self.seen_now().last);
    }

    /// What was seen last.
    pub(super) fn seen(&self) -> Seen {
        let mut seen = self.seen_now().clone();
        if let Some(dialog) = self.state().dialog {
            let dialog = describe(&dialog);
            seen.last = format!("the dialog {dialog} is open, and the page waits until it is answered");
        }
        seen
    }

    fn seen_now(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a command that may take as long as the action, and reads its result, if it is not too large.
    pub(super) async fn ask_long<C: TypedCommand>(
        &self,
        driver: &PageDriver,
        command: &C,
    ) -> Result<C::Result, PageError> {
        read_long::<C>(&driver.ask_patiently(command).await?, self.limits.result)
    }

    /// Performs a step on the element of a selector, as often as it must be tried again. Without a selector the element is
    /// the root of the document. Returns the frame of the element too.
    pub(super) async fn step(
        &self,
        what: &'static str,
        selector: Option<&str>,
        name: &str,
        args: Value,
    ) -> Result<(Frame, Step), PageError> {
        let mut attempt = 0;
        loop {
            let mut args = args.clone();
            if name == "pointer" {
                args["attempt"] = attempt.into();
            }
            if let Some(done) = self.try_step(what, selector, name, args).await? {
                return Ok(done);
            }
            self.pause(attempt).await;
            attempt += 1;
        }
    }

    /// Waits before the next attempt.
    pub(super) async fn pause(&self, attempt: usize) {
        // From the sixth attempt on, the longest pause.
        tokio::time::sleep(PAUSES[attempt.min(PAUSES.len() - 1)]).await;
    }

    /// One attempt; `None` if it is to be tried again.
    async fn try_step(
        &self,
        what: &'static str,
        selector: Option<&str>,
        name: &str,
        mut args: Value,
    ) -> Result<Option<(Frame, Step)>, PageError> {
        let mut frame = self.main();
        let mut last = selector.map(str::to_owned);
        let of_ref = selector.and_then(|selector| selector.strip_prefix(REF_ENGINE));
        let of_ref = of_ref.and_then(|text| ref_of(text.split(' ').next().unwrap_or_default()));
        if let (Some(number), Some(selector)) = (of_ref.filter(|number| *number > 0), selector) {
            let Some(inner) = self.frame_of_ref(what, selector, number).await? else { return Ok(None) };
            frame = inner;
        }
        if let Some(all) = selector.filter(|selector| selector.contains(ENTER_FRAME)) {
            let Some((inner, chunk)) = self.enter(what, all, frame).await? else { return Ok(None) };
            frame = inner;
            last = Some(chunk);
        }
        if let Some(last) = last {
            args["selector"] = last.into();
        }
        args["step"] = name.into();
        if name == "snapshot" {
            self.add_numbers(&frame, &mut args);
        }
        let function = if matches!(name, "state" | "query" | "mask") { name } else { "run" };
        let Some(step) = self.call(&frame, function, &args).await? else {
            self.saw("the page navigated");
            return Ok(None);
        };
        let judged = self.judge(what, selector.unwrap_or("the page"), step)?;
        Ok(judged.map(|step| (frame, step)))
    }

    /// What a step's answer means: done, `None` for another attempt, or an error.
    pub(super) fn judge(&self, what: &'static str, selector: &str, step: Step) -> Result<Option<Step>, PageError> {
        let Step { status, why, count, matches, .. } = &step;
        let selector = selector.to_owned();
        match &**status {
            "none" | "retry" => {
                self.saw(why);
                Ok(None)
            }
            "several" => Err(PageError::Several { selector, count: *count, matches: matches.clone() }),
            "selector" => Err(PageError::Selector { selector, why: why.clone() }),
            "stale" => Err(PageError::StaleRef { selector }),
            "fail" => Err(PageError::Impossible { what, why: why.clone() }),
            _ => Ok(Some(step)),
        }
    }

    /// Brings a page to the front that is in the background, as a user must before the page takes input: full Chrome draws
    /// no frames in the background, so no element would become stable.
    pub(super) async fn bring_to_front(&self) -> Result<(), PageError> {
        if self.call(&self.main(), "screen", &json!({})).await?.is_some_and(|screen| screen.is) {
            self.driver.ask(&BringToFront {}).await?;
        }
        Ok(())
    }

    /// Makes the page usable after an action that was left half-way: ends a script that does not end by itself.
    pub(super) async fn recover(&self) {
        self.end();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let open = || self.state().dialog.map(|dialog| dialog.number);
        let (main, args, before) = (self.main(), json!({}), open());
        let release = async {
            self.let_mouse_go().await?;
            self.unmask().await;
            self.call(&main, "release", &args).await
        };
        // A page waits while one dialog is open; one that opens dialog after dialog is a script that does not end.
        let is_waiting = || before.is_some() && open() == before;
        if by_deadline(deadline, release).await.is_err() && !is_waiting() {
            // The command has no effect if the page answers meanwhile.
            let _ = self.driver.ask(&Terminate {}).await;
        }
    }
}
