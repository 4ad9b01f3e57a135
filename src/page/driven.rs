//! A page that is driven: its documents, the steps in them, and what was seen while an action waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    commands::{
        Answer, BringToFront, CreateWorld, DescribeNode, EnableLifecycle, EnablePage, EvaluateIn, GetFrameTree,
        Terminate,
    },
    held::Held,
    injected::{EXPRESSION, WORLD},
    state::PageState,
};
use crate::{
    api_types::{Attributes, FoundElement, Link, locator::ENTER_FRAME},
    browser::{CallError, ContextHandle, InternalRoot, PageDriver, PageEvents, TypedCommand, by_deadline},
    cdp::ids::TargetId,
    config::PageLimits,
    runtime,
    session::pages::PageError,
};

/// How long to wait before a step is tried again, as Playwright does.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(100),
    Duration::from_millis(500),
];
/// How long a page that was interrupted may take to answer, before its script is ended.
const PATIENCE: Duration = Duration::from_millis(500);

/// A page that is driven.
pub(super) struct Page {
    place: ContextHandle,
    driver: PageDriver,
    /// The events of a CDP session come to who drives it only if it is attached through a root of the proxy's own.
    root: InternalRoot,
    state: watch::Receiver<PageState>,
    limits: PageLimits,
    held: Held,
    /// The isolated worlds, by frame and name; never held across an await.
    worlds: Mutex<HashMap<(String, &'static str), i64>>,
    /// The frames that have a process of their own.
    remote: Mutex<HashMap<String, Arc<PageDriver>>>,
    seen: Mutex<Seen>,
}

/// What an action waits for, and what was seen last.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) condition: String,
    pub(super) last: String,
}

/// A frame of the page.
#[derive(Clone)]
pub(super) struct Frame {
    id: String,
    remote: Option<Arc<PageDriver>>,
    parent: Option<Box<Frame>>,
}

impl Frame {
    /// A frame that has no process of its own.
    pub(super) fn of_page(id: String) -> Self {
        Self { id, remote: None, parent: None }
    }
}

/// The answer of a step in a document: see `injected/ghostmux.js`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) status: String,
    pub(super) why: String,
    pub(super) count: u64,
    pub(super) matches: Vec<String>,
    pub(super) is: bool,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) scale: f64,
    pub(super) code: Option<u32>,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) snapshot: String,
    pub(super) values: Vec<String>,
    pub(super) chunks: Vec<String>,
    pub(super) attributes: Attributes,
    pub(super) links: Vec<Link>,
    pub(super) elements: Vec<FoundElement>,
}

impl Page {
    /// Attaches to a page. Its events are to be taken into the state while it is used.
    pub(super) async fn attach(
        place: ContextHandle,
        page: TargetId,
        limits: PageLimits,
    ) -> Result<(Self, tokio::sync::Mutex<PageEvents>, watch::Sender<PageState>), PageError> {
        let root = InternalRoot::idle(place.browser()).await?;
        let driver = root.attach(&page).await?;
        let events = driver.events();
        driver.ask(&EnablePage {}).await?;
        let tree = driver.ask(&GetFrameTree {}).await?;
        // Chrome sends those of the present document again.
        driver.ask(&EnableLifecycle { enabled: true }).await?;
        let (to, state) = watch::channel(PageState::new(tree.frame_tree.frame));
        let (held, worlds, remote, seen) = Default::default();
        Ok((Self { place, driver, root, state, limits, held, worlds, remote, seen }, events.into(), to))
    }

    pub(super) fn limits(&self) -> PageLimits {
        self.limits
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

    /// Waits for a state.
    pub(super) async fn wait_for(&self, is: impl Fn(&PageState) -> bool) -> Result<(), PageError> {
        let mut state = self.state.clone();
        state.wait_for(|state| is(state)).await.map(drop).map_err(|_| PageError::Closed)
    }

    /// Notes what the action waits for from now on.
    pub(super) fn waits_for(&self, condition: impl Into<String>) {
        *self.seen_now() = Seen { condition: condition.into(), last: "nothing".to_owned() };
    }

    /// Notes what was seen.
    pub(super) fn saw(&self, what: &str) {
        what.clone_into(&mut self.seen_now().last);
    }

    /// What was seen last.
    pub(super) fn seen(&self) -> Seen {
        let mut seen = self.seen_now().clone();
        if let Some(dialog) = self.state().dialog {
            seen.last = format!("the dialog {dialog} is open, and the page waits until a client answers it");
        }
        seen
    }

    fn seen_now(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The main frame.
    pub(super) fn main(&self) -> Frame {
        Frame::of_page(self.state().main_frame)
    }

    /// Sends a command that may take as long as the action, and reads its result, if it is not too large.
    pub(super) async fn ask_long<C: TypedCommand>(
        &self,
        driver: &PageDriver,
        command: &C,
    ) -> Result<C::Result, PageError> {
        let result = driver.ask_patiently(command).await?;
        let (size, most) = (result.len(), self.limits.result);
        if size > most {
            return Err(PageError::TooLarge { size, most });
        }
        let read = runtime::aside(size, || serde_json::from_str(&result));
        read.map_err(|error| CallError::Unreadable { method: C::METHOD, why: error.to_string() }.into())
    }

    /// The isolated world of this name in a frame; a new one evaluates the expression first.
    pub(super) async fn world(&self, frame: &Frame, name: &'static str, first: Option<&str>) -> Result<i64, PageError> {
        let key = (frame.id.clone(), name);
        let known = self.worlds.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let driver = self.driver_of(frame);
        let made = driver.ask(&CreateWorld { frame_id: &frame.id, world_name: name }).await?;
        let context = made.execution_context_id;
        if let Some(expression) = first {
            let evaluate = EvaluateIn {
                expression,
                context_id: Some(context),
                await_promise: false,
                return_by_value: true,
                user_gesture: false,
            };
            if let Some(thrown) = driver.ask(&evaluate).await?.exception_details {
                let (message, stack) = thrown.divide();
                return Err(PageError::Script { message, stack });
            }
        }
        self.worlds.lock().unwrap_or_else(PoisonError::into_inner).insert(key, context);
        Ok(context)
    }

    /// Forgets the worlds of a frame, whose document has changed.
    pub(super) fn forget_worlds(&self, frame: &Frame) {
        self.worlds.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| *of != frame.id);
    }

    pub(super) fn driver_of<'a>(&'a self, frame: &'a Frame) -> &'a PageDriver {
        frame.remote.as_deref().unwrap_or(&self.driver)
    }

    /// Calls a function of `ghostmux` in a frame. If the document is replaced meanwhile, `None`.
    pub(super) async fn call(&self, frame: &Frame, function: &str, args: &Value) -> Result<Option<Step>, PageError> {
        let answer = self.evaluate(frame, &format!("ghostmux.{function}({args})"), true).await?;
        let Some(Answer { result, exception_details }) = answer else { return Ok(None) };
        if let Some(thrown) = exception_details {
            let (message, stack) = thrown.divide();
            return Err(PageError::Script { message, stack });
        }
        let value = result.value.as_deref().map_or("{}", |value| value.get());
        let step = runtime::aside(value.len(), || serde_json::from_str(value));
        let unreadable =
            |error: serde_json::Error| CallError::Unreadable { method: "Runtime.evaluate", why: error.to_string() };
        step.map(Some).map_err(|error| unreadable(error).into())
    }

    /// Evaluates in the world of ghostmux; `None` if the document was replaced.
    async fn evaluate(&self, frame: &Frame, expression: &str, by_value: bool) -> Result<Option<Answer>, PageError> {
        let context = match self.world(frame, WORLD, Some(&EXPRESSION)).await {
            Err(error) if is_replaced(&error) => return Ok(None),
            context => context?,
        };
        let evaluate = EvaluateIn {
            expression,
            context_id: Some(context),
            await_promise: true,
            return_by_value: by_value,
            user_gesture: false,
        };
        match self.ask_long(self.driver_of(frame), &evaluate).await {
            Err(error) if is_replaced(&error) => {
                self.forget_worlds(frame);
                Ok(None)
            }
            answer => answer.map(Some),
        }
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
        if let Some(all) = selector.filter(|selector| selector.contains(ENTER_FRAME)) {
            let Some((inner, chunk)) = self.enter(what, all, frame).await? else { return Ok(None) };
            frame = inner;
            last = Some(chunk);
        }
        if let Some(last) = last {
            args["selector"] = last.into();
        }
        args["step"] = name.into();
        let function = if matches!(name, "state" | "query") { name } else { "run" };
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

    /// The frame to which a selector leads, and the rest of the selector there.
    async fn enter(
        &self,
        what: &'static str,
        selector: &str,
        main: Frame,
    ) -> Result<Option<(Frame, String)>, PageError> {
        let Some(step) = self.call(&main, "chunks", &json!({ "selector": selector })).await? else { return Ok(None) };
        let Some(Step { mut chunks, .. }) = self.judge(what, selector, step)? else { return Ok(None) };
        let last = chunks.pop().unwrap_or_default();
        let mut frame = main;
        for chunk in chunks {
            let args = json!({ "step": "frame", "selector": chunk });
            let Some(step) = self.call(&frame, "run", &args).await? else { return Ok(None) };
            if self.judge(what, selector, step)?.is_none() {
                return Ok(None);
            }
            let Some(answer) = self.evaluate(&frame, "ghostmux.frameElement()", false).await? else { return Ok(None) };
            let Some(object_id) = answer.result.object_id else { return Ok(None) };
            let described = self.driver_of(&frame).ask(&DescribeNode { object_id: &object_id }).await?;
            let Some(id) = described.node.frame_id else {
                self.saw("the frame has no document yet");
                return Ok(None);
            };
            frame = self.child(frame, id).await?;
        }
        Ok(Some((frame, last)))
    }

    /// The frame with this id below another one. One that has a process of its own gets a CDP session of its own.
    async fn child(&self, parent: Frame, id: String) -> Result<Frame, PageError> {
        let remote = parent.remote.clone();
        let frame = Frame { id: id.clone(), remote, parent: Some(Box::new(parent)) };
        match self.world(&frame, WORLD, Some(&EXPRESSION)).await {
            Err(PageError::Call(CallError::Refused { error, .. })) if error.message.contains("No frame") => {}
            Err(error) if is_replaced(&error) => return Ok(frame),
            world => return world.map(|_| frame),
        }
        let known = self.remote.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let driver = if let Some(driver) = known {
            driver
        } else {
            let driver = Arc::new(self.root.attach(&TargetId::from(&*id)).await?);
            self.remote.lock().unwrap_or_else(PoisonError::into_inner).insert(id, driver.clone());
            driver
        };
        Ok(Frame { remote: Some(driver), ..frame })
    }

    /// A point of a frame in the viewport of the page; `None` if the frame has gone.
    pub(super) async fn in_viewport(&self, frame: &Frame, (x, y): (f64, f64)) -> Result<Option<(f64, f64)>, PageError> {
        let (mut x, mut y, mut frame) = (x, y, frame);
        while let Some(parent) = &frame.parent {
            let Some(offset) = self.call(parent, "frameOffset", &json!({})).await? else { return Ok(None) };
            if offset.status != "point" {
                self.saw(&offset.why);
                return Ok(None);
            }
            (x, y, frame) = (x + offset.x, y + offset.y, parent);
        }
        Ok(Some((x, y)))
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
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let (main, args) = (self.main(), json!({}));
        let release = self.call(&main, "release", &args);
        if by_deadline(deadline, release).await.is_err() && self.state().dialog.is_none() {
            // The command has no effect if the page answers meanwhile.
            let _ = self.driver.ask(&Terminate {}).await;
        }
    }
}

/// Whether the document was replaced while a script ran in it.
pub(super) fn is_replaced(error: &PageError) -> bool {
    let PageError::Call(CallError::Refused { error, .. }) = error else { return false };
    ["Cannot find context", "context was destroyed", "navigated or closed", "Promise was collected"]
        .iter()
        .any(|words| error.message.contains(words))
}
