//! Scripts of callers.

use super::{
    commands::{Answer, EvaluateIn},
    driven::{Page, is_replaced},
    injected::SCRIPT_WORLD,
};
use crate::{
    api_types::{AnyValue, Bad, ScriptValue, World, operations::PageEvaluate},
    session::pages::PageError,
};

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

impl Page {
    /// Evaluates a script of the caller, and waits for its promise.
    pub(super) async fn run_script(
        &self,
        what: &'static str,
        expression: &str,
        world: World,
    ) -> Result<Option<ScriptValue>, PageError> {
        self.waits_for("the script to end");
        let frame = self.main();
        let context_id = match world {
            World::Main => None,
            World::Isolated => Some(self.world(&frame, SCRIPT_WORLD, None).await?),
        };
        let evaluate =
            EvaluateIn { expression, context_id, await_promise: true, return_by_value: true, user_gesture: true };
        let impossible = |why: String| PageError::Impossible { what, why };
        let answer = match self.ask_long(self.driver(), &evaluate).await {
            Err(error) if is_replaced(&error) => {
                self.forget_worlds(&frame);
                return Err(impossible("the page navigated before the script ended".to_owned()));
            }
            Err(PageError::Call(crate::browser::CallError::Refused { error, .. })) => {
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
        Ok(result.value.map(ScriptValue))
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
}
