//! Scripts of callers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    commands::{Answer, Argument, CallFunction, DescribeNode, EvaluateIn, ReleaseObject, Remote, ResolveNode},
    console::Console,
    driven::Page,
    frame::Frame,
    handles::Handle,
    injected::Tools,
    isolated::NODES,
    replaced::{is_replaced, is_unknown_context},
};
use crate::{
    api_types::{
        AnyValue, Bad, ConsoleLine, ScriptValue, World,
        locator::ENTER_FRAME,
        operations::{ElementName, PageEvaluate},
        read,
    },
    browser::{CallError, PageDriver},
    config::PageLimits,
    session::pages::PageError,
};

/// The objects that callers keep, for Chrome.
const GROUP: &str = "ghostmux";
/// The member of an argument that names a handle.
const HANDLE: &str = "$handle";
/// The member of an argument that names an element.
const ELEMENT: &str = "$element";

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

/// A value of the page that an argument names.
#[derive(Debug, PartialEq)]
enum Named<'a> {
    Handle(&'a str),
    /// By its selector.
    Element(String),
}

impl<'a> Named<'a> {
    /// What an argument names; `None` if it is a value itself.
    fn of(AnyValue(argument): &'a AnyValue) -> Result<Option<Self>, Bad> {
        let one = argument.as_object().filter(|members| members.len() == 1);
        let Some((member, named)) = one.and_then(|members| members.iter().next()) else { return Ok(None) };
        match (member.as_str(), named) {
            (HANDLE, Value::String(handle)) => Ok(Some(Self::Handle(handle))),
            (ELEMENT, element @ Value::Object(_)) => {
                let of_args = |why: String| Bad::new("args", format!("has an {ELEMENT}: {why}"));
                let name: ElementName = read(&element.to_string()).map_err(|bad| of_args(bad.to_string()))?;
                let selector = name.element().map_err(|bad| of_args(bad.to_string()))?;
                selector
                    .map(|selector| Some(Self::Element(selector)))
                    .ok_or_else(|| of_args("it names none".to_owned()))
            }
            _ => Ok(None),
        }
    }
}

/// The arguments of a function, some of which are values of the page.
struct Arguments {
    all: Vec<Argument>,
    /// The first of the values, which says where the function runs, and its frame.
    first: Handle,
    frame: Frame,
    /// Whether elements are among them, which are freed afterwards.
    has_elements: bool,
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
        let arguments = self.arguments_of(what, request).await?;
        let mut place = match &arguments {
            Some(Arguments { first, frame, .. }) => {
                Place { context: Some(first.context), frame: frame.clone(), remote: first.remote.clone() }
            }
            None => self.place_of(what, request).await?,
        };
        let may_be_again = arguments.is_none();
        let mut console = if request.console { Some(self.listen(&place.frame, |_| {}).await?) } else { None };
        self.waits_for("the script to end");
        let answer = self.run_heard(console.as_mut(), &place, request, &expression, arguments).await;
        let answer = if may_be_again && answer.as_ref().is_err_and(is_unknown_context) {
            // The world was that of an earlier document; nothing has run.
            self.worlds.forget(&place.frame);
            place = self.place_of(what, request).await?;
            self.run_heard(console.as_mut(), &place, request, &expression, None).await
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
        arguments: Option<Arguments>,
    ) -> Result<Answer, PageError> {
        let evaluation = self.run(place, request, expression, arguments);
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
        arguments: Option<Arguments>,
    ) -> Result<Answer, PageError> {
        let driver = place.remote.as_deref().unwrap_or_else(|| self.driver());
        let by_value = !request.handle;
        if let (Some(function), Some(Arguments { all, first, has_elements, .. })) = (&request.function, arguments) {
            let call = CallFunction {
                function_declaration: function,
                execution_context_id: first.context,
                arguments: all,
                await_promise: true,
                return_by_value: by_value,
                user_gesture: true,
                object_group: GROUP,
            };
            let answer = self.ask_long(driver, &call).await;
            if has_elements {
                self.free_nodes(&place.frame).await;
            }
            return answer;
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

    /// The arguments of the function, if some of them name values of the page.
    async fn arguments_of(&self, what: &'static str, request: &PageEvaluate) -> Result<Option<Arguments>, PageError> {
        let named = request.args.iter().map(Named::of).collect::<Result<Vec<_>, Bad>>()?;
        if named.iter().all(Option::is_none) {
            return Ok(None);
        }
        if request.frame.is_some() {
            return Err(Bad::new("frame", "is that of the handle or the element; leave it out").into());
        }
        let (mut all, mut has_elements, mut place) = (Vec::new(), false, None);
        for (named, argument) in named.into_iter().zip(&request.args) {
            let (value, frame) = match named {
                None => {
                    all.push(Argument::Value(argument.0.clone()));
                    continue;
                }
                Some(Named::Handle(handle)) => (self.handles().get(handle, self.state().documents)?, self.main()),
                Some(Named::Element(selector)) => {
                    let is_first = !std::mem::replace(&mut has_elements, true);
                    self.element_for(what, &selector, request.world, is_first).await?
                }
            };
            all.push(Argument::ObjectId(value.object.clone()));
            let (first, _) = place.get_or_insert_with(|| (value.clone(), frame));
            if !value.is_beside(first) {
                let why = "has values of different worlds or frames; `world` says where elements are given";
                return Err(Bad::new("args", why).into());
            }
        }
        Ok(place.map(|(first, frame)| Arguments { all, first, frame, has_elements }))
    }

    /// An element for a script in this world, once there is one, and its frame. The first one of a request frees what an
    /// earlier request has left.
    async fn element_for(
        &self,
        what: &'static str,
        selector: &str,
        world: World,
        is_first: bool,
    ) -> Result<(Handle, Frame), PageError> {
        self.waits_for(format!("{selector} to be in the document"));
        for attempt in 0.. {
            let (frame, _) = self.step(what, Some(selector), "choose", json!({})).await?;
            if is_first {
                self.free_nodes(&frame).await;
            }
            match self.chosen_in(&frame, world).await {
                Ok(Some(element)) => return Ok((element, frame)),
                Ok(None) => {}
                Err(error) if is_replaced(&error) => self.worlds.forget(&frame),
                Err(error) => return Err(error),
            }
            self.pause(attempt).await;
        }
        Err(PageError::Closed)
    }

    /// The element that was chosen in a frame, as scripts of this world have it; `None` if the document was replaced.
    async fn chosen_in(&self, frame: &Frame, world: World) -> Result<Option<Handle>, PageError> {
        let document = self.state().documents;
        let Some(chosen) = self.node_in(frame, "ghostmux.take()").await? else { return Ok(None) };
        let world = match world {
            World::Main => None,
            World::Isolated => Some(self.script_world(frame).await?),
        };
        let (object, context) = self.same_node(frame, &chosen, world).await?;
        Ok(Some(Handle { object, context, remote: frame.remote.clone(), document }))
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
        let evaluate = EvaluateIn {
            return_by_value: false,
            object_group: Some(NODES),
            ..EvaluateIn::value_of("document", context)
        };
        let document = self.ask_long(driver, &evaluate).await?.result.object_id.unwrap_or_default();
        let (_, world) = self.same_node(frame, &document, None).await?;
        self.free_nodes(frame).await;
        Ok(world)
    }

    /// A node of one world as an object of another, the main world if none is named; and that world.
    async fn same_node(&self, frame: &Frame, object_id: &str, world: Option<i64>) -> Result<(String, i64), PageError> {
        let driver = self.driver_of(frame);
        let backend_node_id = driver.ask(&DescribeNode { object_id }).await?.node.backend_node_id;
        let resolve = ResolveNode { backend_node_id, execution_context_id: world, object_group: NODES };
        let object = driver.ask(&resolve).await?.object.object_id.unwrap_or_default();
        let context = object.split('.').nth(1).and_then(|context| context.parse().ok());
        let why = || format!("the id {object:?} of an object");
        let context = context.ok_or_else(|| CallError::Unreadable { method: "DOM.resolveNode", why: why() })?;
        Ok((object, context))
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
        let answer = self.run(&place, &PageEvaluate::default(), expression, None).await;
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
    fn only_objects_with_one_member_name_values_of_the_page() {
        let element = |selector: &str| Some(Named::Element(selector.to_owned()));
        for (argument, named) in [
            (json!({ "$handle": "h1" }), Some(Named::Handle("h1"))),
            (json!({ "$handle": "h1", "a": 1 }), None),
            (json!({ "$handle": 1 }), None),
            (json!("h1"), None),
            (json!({ "$element": { "selector": "#a" } }), element("#a")),
            (json!({ "$element": { "ref": "e2" } }), element("aria-ref=e2")),
            (json!({ "$element": { "selector": "#a" }, "a": 1 }), None),
            (json!({ "$element": "#a" }), None),
        ] {
            assert_eq!(Named::of(&AnyValue(argument)), Ok(named));
        }
        for (argument, why) in [
            (json!({ "$element": {} }), "names none"),
            (json!({ "$element": { "selector": "a", "ref": "e2" } }), "ref"),
            (json!({ "$element": { "colour": "red" } }), "colour"),
            (json!({ "$element": { "ref": "12" } }), "ref"),
        ] {
            let bad = Named::of(&AnyValue(argument)).expect_err(why);
            assert!(bad.field == "args" && bad.why.contains(why), "{bad}");
        }
    }
}
