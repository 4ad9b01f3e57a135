//! Evaluates functions of ghostmux in the isolated worlds of documents: scripts of the page neither see nor change them.

use serde_json::Value;

use super::{
    commands::{Answer, Argument, CallFunction, CreateWorld, EvaluateIn, ReleaseGroup},
    driven::Page,
    frame::Frame,
    injected::{SCRIPT_WORLD, Tools, WORLD},
    replaced::is_replaced,
    step::Step,
    worlds::Known,
};
use crate::{
    browser::{CallError, TypedCommand},
    runtime,
    session::pages::PageError,
};

/// The nodes that are looked up for a request, for Chrome.
pub(super) const NODES: &str = "ghostmux-nodes";

impl Page {
    /// The world for scripts of callers in a frame.
    pub(super) async fn script_world(&self, frame: &Frame) -> Result<i64, PageError> {
        self.world(frame, SCRIPT_WORLD, Tools::None).await
    }

    /// The world of ghostmux in a frame, with at least these functions.
    pub(super) async fn our_world(&self, frame: &Frame, tools: Tools) -> Result<i64, PageError> {
        self.world(frame, WORLD, tools).await
    }

    /// The world of this name in a frame. What it lacks of the functions is evaluated first.
    async fn world(&self, frame: &Frame, name: &'static str, wanted: Tools) -> Result<i64, PageError> {
        let driver = self.driver_of(frame);
        let Known { context, tools } = match self.worlds.find(frame, name) {
            Some(known) if known.tools >= wanted => return Ok(known.context),
            Some(known) => known,
            None => {
                let made = driver.ask(&CreateWorld { frame_id: &frame.id, world_name: name }).await?;
                Known { context: made.execution_context_id, tools: Tools::None }
            }
        };
        for expression in wanted.beyond(tools) {
            let answer = driver.ask(&EvaluateIn::value_of(expression, context)).await.map_err(PageError::from);
            if answer.as_ref().is_err_and(is_replaced) {
                self.worlds.forget(frame);
            }
            if let Some(thrown) = answer?.exception_details {
                let (message, stack) = thrown.divide();
                return Err(PageError::Script { message, stack });
            }
        }
        self.worlds.note(frame, name, Known { context, tools: wanted });
        Ok(context)
    }

    /// Calls a function of `ghostmux` in a frame. If the document is replaced meanwhile, `None`.
    pub(super) async fn call(&self, frame: &Frame, function: &str, args: &Value) -> Result<Option<Step>, PageError> {
        // What it is given is an argument: a debugger of the page reads the sources of scripts.
        let arguments = vec![Argument::Value(function.into()), Argument::Value(args.clone())];
        let answer = self.ask_in_our_world(frame, Tools::of(function), |context| CallFunction {
            function_declaration: "(name, args) => ghostmux[name](args)",
            execution_context_id: context,
            arguments,
            await_promise: true,
            return_by_value: true,
            user_gesture: false,
            object_group: WORLD,
        });
        let Some(Answer { result, exception_details }) = answer.await? else { return Ok(None) };
        if let Some(thrown) = exception_details {
            let (message, stack) = thrown.divide();
            return Err(PageError::Script { message, stack });
        }
        let value = result.value.as_deref().map_or("{}", |value| value.get());
        let step = runtime::aside(value.len(), || serde_json::from_str(value));
        let unreadable = |error: serde_json::Error| CallError::Unreadable {
            method: "Runtime.callFunctionOn",
            why: error.to_string(),
        };
        step.map(Some).map_err(|error| unreadable(error).into())
    }

    /// The node that an expression has in the world of ghostmux, until nodes are freed.
    pub(super) async fn node_in(&self, frame: &Frame, expression: &str) -> Result<Option<String>, PageError> {
        let answer = self.ask_in_our_world(frame, Tools::All, |context| EvaluateIn {
            await_promise: true,
            return_by_value: false,
            object_group: Some(NODES),
            ..EvaluateIn::value_of(expression, context)
        });
        Ok(answer.await?.and_then(|answer| answer.result.object_id))
    }

    /// Frees the nodes that were looked up in the process of a frame. A request that was ended half-way leaves its own to the
    /// next one.
    pub(super) async fn free_nodes(&self, frame: &Frame) {
        // Those of a process that has gone are free.
        let _ = self.driver_of(frame).ask(&ReleaseGroup { object_group: NODES }).await;
    }

    /// Sends a command about the world of ghostmux in a frame; `None` if the document was replaced.
    async fn ask_in_our_world<C: TypedCommand>(
        &self,
        frame: &Frame,
        tools: Tools,
        command: impl FnOnce(i64) -> C,
    ) -> Result<Option<C::Result>, PageError> {
        let context = match self.our_world(frame, tools).await {
            Err(error) if is_replaced(&error) => return Ok(None),
            context => context?,
        };
        match self.ask_long(self.driver_of(frame), &command(context)).await {
            Err(error) if is_replaced(&error) => {
                self.worlds.forget(frame);
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }
}
