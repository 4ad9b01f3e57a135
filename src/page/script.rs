//! Scripts of callers.

use std::sync::Arc;

use super::{
    commands::{Answer, Argument, CallFunction, DescribeNode, EvaluateIn, ReleaseObject, Remote, ResolveNode},
    console::Console,
    driven::Page,
    frame::Frame,
    handles::Handle,
    injected::Tools,
    replaced::{is_replaced, is_unknown_context},
};
use crate::{
    api_types::{AnyValue, Bad, ConsoleLine, ScriptValue, World, locator::ENTER_FRAME, operations::PageEvaluate},
    browser::{CallError, PageDriver},
    config::PageLimits,
    session::pages::PageError,
};

/// The objects that callers keep, for Chrome.
const GROUP: &str = "ghostmux";
/// The member of an argument that names a handle.
const HANDLE: &str = "$handle";

/// What a script came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) value: Option<ScriptValue>,
    pub(super) handle: Option<String>,
    /// What the value of the handle is.
    pub(super) description: Option<String>,
    pub(super) console: Option<Vec<ConsoleLine>>,
}

/// Where a script runs.
struct Place {
    /// `None` is the main world of the page.
    context: Option<i64>,
    frame: Frame,
    /// The process of the frame, if that is not the page's.
    remote: Option<Arc<PageDriver>>,
}

/// The expression that a request evaluates.
pub(super) fn expression(request: &PageEvaluate) -> Result<String, Bad> {
    match (&request.expression, &request.function) {
        (Some(expression), None) if request.args.is_empty() => Ok(expression.clone()),
        (Some(_), None) => Err(Bad::new("args", "are for a function; give function in place of expression")),
        (None, Some(function)) => Ok(call_of(function, &request.args)),
        _ => Err(Bad::new("expression", "give either expression or function")),
    }
}

/// The expression that calls a function. JSON is a part of JavaScript; the lines end comments of the function.
fn call_of(function: &str, args: &[AnyValue]) -> String {
    let args = serde_json::to_string(args).unwrap_or_default();
    format!("(\n{function}\n)(...{args}\n)")
}

/// The handle that an argument names.
fn handle_of(AnyValue(argument): &AnyValue) -> Option<&str> {
    let members = argument.as_object().filter(|members| members.len() == 1)?;
    members.get(HANDLE)?.as_str()
}

impl Page {
    /// Evaluates what a request of a caller says.
    pub(super) async fn evaluate_script(
        &self,
        what: &'static str,
        request: &PageEvaluate,
        limits: PageLimits,
    ) -> Result<Outcome, PageError> {
        let expression = expression(request)?;
        if request.handle {
            self.handles().check_room(self.state().documents, limits.handles)?;
        }
        let kept = |handle: &str| self.handles().get(handle, self.state().documents);
        let handles = request.args.iter().filter_map(handle_of).map(kept).collect::<Result<Vec<_>, _>>()?;
        let mut place = if let Some(first) = handles.first() {
            if request.frame.is_some() {
                return Err(Bad::new("frame", "is that of the handle; leave it out").into());
            }
            if handles.iter().any(|handle| !handle.is_beside(first)) {
                return Err(Bad::new("args", "has handles of different worlds or frames").into());
            }
            Place { context: Some(first.context), frame: self.main(), remote: first.remote.clone() }
        } else {
            self.place_of(what, request).await?
        };
        let mut console = if request.console { Some(self.listen(&place.frame, |_| {}).await?) } else { None };
        self.waits_for("the script to end");
        let has_no_handles = handles.is_empty();
        let answer = self.run_heard(console.as_mut(), &place, request, &expression, handles).await;
        let answer = if has_no_handles && answer.as_ref().is_err_and(is_unknown_context) {
            // The world was that of an earlier document; nothing has run.
            self.worlds.forget(&place.frame);
            place = self.place_of(what, request).await?;
            self.run_heard(console.as_mut(), &place, request, &expression, Vec::new()).await
        } else {
            answer
        };
        let remote = self.result_of(what, &place.frame, answer)?;
        let mut outcome = Outcome::default();
        if let Some(console) = console {
            outcome.console = Some(console.lines().await);
        }
        match (remote.object_id, place.context) {
            (Some(object), Some(context)) if request.handle => {
                let document = self.state().documents;
                let value = Handle { object, context, remote: place.remote, document };
                outcome.handle = Some(self.handles().keep(value));
                outcome.description = remote.description.map(|text| text.chars().take(200).collect());
            }
            _ => outcome.value = remote.value.map(ScriptValue),
        }
        Ok(outcome)
    }

    /// Runs a script while its console is heard, if it is.
    async fn run_heard(
        &self,
        console: Option<&mut Console>,
        place: &Place,
        request: &PageEvaluate,
        expression: &str,
        handles: Vec<Handle>,
    ) -> Result<Answer, PageError> {
        let evaluation = self.run(place, request, expression, handles);
        match console {
            Some(console) => console.during(evaluation).await,
            None => evaluation.await,
        }
    }

    async fn run(
        &self,
        place: &Place,
        request: &PageEvaluate,
        expression: &str,
        handles: Vec<Handle>,
    ) -> Result<Answer, PageError> {
        let driver = place.remote.as_deref().unwrap_or_else(|| self.driver());
        let by_value = !request.handle;
        if let (Some(function), Some(context), false) = (&request.function, place.context, handles.is_empty()) {
            let mut handles = handles.into_iter();
            let argument = |argument: &AnyValue| match handle_of(argument).and_then(|_| handles.next()) {
                Some(Handle { object, .. }) => Argument::ObjectId(object),
                None => Argument::Value(argument.0.clone()),
            };
            let call = CallFunction {
                function_declaration: function,
                execution_context_id: context,
                arguments: request.args.iter().map(argument).collect(),
                await_promise: true,
                return_by_value: by_value,
                user_gesture: true,
                object_group: GROUP,
            };
            return self.ask_long(driver, &call).await;
        }
        let evaluate = EvaluateIn {
            expression,
            context_id: place.context,
            await_promise: true,
            return_by_value: by_value,
            user_gesture: true,
            object_group: Some(GROUP).filter(|_| !by_value),
        };
        self.ask_long(driver, &evaluate).await
    }

    /// Where a request wants its script to run.
    async fn place_of(&self, what: &'static str, request: &PageEvaluate) -> Result<Place, PageError> {
        for attempt in 0.. {
            let frame = match &request.frame {
                None => self.main(),
                Some(locator) => self.frame_named(what, &locator.selector()?).await?,
            };
            let context = match request.world {
                World::Main if request.frame.is_none() && !request.handle => Ok(None),
                World::Main => self.main_world(&frame).await.map(Some),
                World::Isolated => self.script_world(&frame).await.map(Some),
            };
            match context {
                Ok(context) => return Ok(Place { context, remote: frame.remote.clone(), frame }),
                // The frame has got another document meanwhile, maybe in another process.
                Err(error) if is_replaced(&error) => self.worlds.forget(&frame),
                Err(error) => return Err(error),
            }
            self.pause(attempt).await;
        }
        Err(PageError::Closed)
    }

    /// The frame of this element, once there is one.
    async fn frame_named(&self, what: &'static str, element: &str) -> Result<Frame, PageError> {
        self.waits_for(format!("the frame {element}"));
        // The frame is the way to an element in it.
        let selector = format!("{element} >> {ENTER_FRAME} >> css=:root");
        for attempt in 0.. {
            if let Some((frame, _)) = self.enter(what, &selector, self.main()).await? {
                return Ok(frame);
            }
            self.pause(attempt).await;
        }
        Ok(self.main())
    }

    /// The main world of a frame. Chrome tells contexts to those alone who enable `Runtime`, which pages could notice; the id
    /// of an object in a world has that of the world as its second number.
    async fn main_world(&self, frame: &Frame) -> Result<i64, PageError> {
        let driver = self.driver_of(frame);
        let context = self.our_world(frame, Tools::Plain).await?;
        let evaluate = EvaluateIn { return_by_value: false, ..EvaluateIn::value_of("document", context) };
        let document = self.ask_long(driver, &evaluate).await?.result.object_id.unwrap_or_default();
        let backend_node_id = driver.ask(&DescribeNode { object_id: &document }).await?.node.backend_node_id;
        let object = driver.ask(&ResolveNode { backend_node_id }).await?.object.object_id.unwrap_or_default();
        let context = object.split('.').nth(1).and_then(|context| context.parse().ok());
        let why = || format!("the id {object:?} of an object");
        context.ok_or_else(|| CallError::Unreadable { method: "DOM.resolveNode", why: why() }.into())
    }

    /// The value of a script, or why it has none.
    fn result_of(
        &self,
        what: &'static str,
        frame: &Frame,
        answer: Result<Answer, PageError>,
    ) -> Result<Remote, PageError> {
        let impossible = |why: String| PageError::Impossible { what, why };
        let answer = match answer {
            Err(error) if is_replaced(&error) => {
                self.worlds.forget(frame);
                return Err(impossible("the page navigated before the script ended".to_owned()));
            }
            Err(PageError::Call(CallError::Refused { error, .. })) => {
                return Err(impossible(format!("its value cannot be written as JSON ({})", error.message)));
            }
            answer => answer?,
        };
        let Answer { result, exception_details } = answer;
        if let Some(thrown) = exception_details {
            let (message, stack) = thrown.divide();
            return Err(PageError::Script { message, stack });
        }
        if let Some(value) = result.unserializable_value {
            return Err(impossible(format!("its value is {value}, which JSON does not have")));
        }
        Ok(result)
    }

    /// Frees a value that callers keep, or all.
    pub(super) async fn release_handles(&self, handle: Option<&str>) -> Result<(), PageError> {
        let values = self.handles().take(handle, self.state().documents)?;
        for Handle { object, remote, .. } in values {
            let driver = remote.as_deref().unwrap_or_else(|| self.driver());
            // One whose world has gone is free.
            let _ = driver.ask(&ReleaseObject { object_id: &object }).await;
        }
        Ok(())
    }

    /// Evaluates an expression in the main frame, and waits for its promise.
    pub(super) async fn run_script(
        &self,
        what: &'static str,
        expression: &str,
        world: World,
    ) -> Result<Option<ScriptValue>, PageError> {
        self.waits_for("the script to end");
        let place = self.place_of(what, &PageEvaluate { world, ..PageEvaluate::default() }).await?;
        let answer = self.run(&place, &PageEvaluate::default(), expression, Vec::new()).await;
        Ok(self.result_of(what, &place.frame, answer)?.value.map(ScriptValue))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_have_an_expression_or_a_function() {
        let request = |expression: Option<&str>, function: Option<&str>, args| {
            let (expression, function) = (expression.map(str::to_owned), function.map(str::to_owned));
            super::expression(&PageEvaluate { expression, function, args, ..PageEvaluate::default() })
        };
        let args = vec![AnyValue(json!("</script>\u{2028}")), AnyValue(json!({ "a": 1 }))];
        assert_eq!(request(Some("1"), None, Vec::new()).as_deref(), Ok("1"));
        let call = request(None, Some("a => a // x"), args.clone()).expect("a call");
        assert_eq!(call, "(\na => a // x\n)(...[\"</script>\u{2028}\",{\"a\":1}]\n)");
        assert!(request(Some("1"), None, args).is_err() && request(Some("1"), Some("f"), Vec::new()).is_err());
        assert!(request(None, None, Vec::new()).is_err());
    }

    #[test]
    fn only_objects_with_one_member_name_handles() {
        for (argument, handle) in [
            (json!({ "$handle": "h1" }), Some("h1")),
            (json!({ "$handle": "h1", "a": 1 }), None),
            (json!({ "$handle": 1 }), None),
            (json!("h1"), None),
        ] {
            assert_eq!(handle_of(&AnyValue(argument)), handle);
        }
    }
}
