//! Operations on a page that are more than one action: lists of actions, scripts and what they keep, snapshots.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{
        AccessibilitySnapshot, ActionsDone, AnyValue, Bad, Expect, Locator, Millis, Nothing, ScriptResult, World,
        given, locator, unknown_member::nearest, whole,
    },
    CommandResult::Output,
    Errors, Operation, PageRequest, Request, Rest, RestAnswer, RestInput, Row, Verb,
    action::{OF_PAGE, action},
    all,
};

action! {
    /// Performs actions one after the other. Actions of other callers wait until the last of them is done. With
    /// `Accept: text/event-stream` REST sends each result as an event, as soon as there is one.
    page PageActions = "pageActions", "actions" -> ActionsDone {
        /// The actions. Each is an object with the name of the `action`, such as `click`, and the members that it has by
        /// itself, without `id`, `page` and `detach`. `timeout` of the list is the limit for all of them together.
        actions: Vec<AnyValue>,
        /// Whether the actions behind one that fails are performed too. If not, the list fails with it.
        #[serde(default)]
        continue_on_error: bool
    }
}

action! {
    /// Evaluates an expression, or calls a function, and returns its value as JSON. A promise is awaited.
    page PageEvaluate = "pageEvaluate", "evaluate" -> ScriptResult {
        /// The expression. One of `expression` and `function` is needed.
        #[serde(default, deserialize_with = "given")]
        expression: Option<String>,
        /// The function, such as `(a, b) => a + b`.
        #[serde(default, deserialize_with = "given")]
        function: Option<String>,
        /// The arguments of the function. `{"$handle": "h1"}` is the value of a handle, and `{"$element": {"ref": "e12"}}` is
        /// an element, named by `locator`, `selector` or `ref`, once there is one. With one of them the function runs in its
        /// frame, and with a handle in the world of the handle.
        #[serde(default)]
        args: Vec<AnyValue>,
        /// Where it runs; `main` if absent.
        #[serde(default)]
        world: World,
        /// The frame in which it runs, by its element (`iframe`); the main frame if absent.
        #[serde(default, deserialize_with = "given")]
        frame: Option<Locator>,
        /// Whether the value stays in the page, and the answer has a handle of it. A value that is no object is in the answer.
        #[serde(default)]
        handle: bool,
        /// Whether the answer has what was written to the console meanwhile.
        #[serde(default)]
        console: bool
    }
}

action! {
    /// Reads the accessibility snapshot of a page, or of an element as its root, with references by which the next actions
    /// can name elements.
    element PageSnapshot = "pageSnapshot", "snapshot" -> AccessibilitySnapshot {
        /// How many levels below the first; all if absent.
        #[serde(default, deserialize_with = "whole")]
        depth: Option<u32>,
        /// Whether it has only what takes input: buttons, links, fields, and what has the cursor of a link.
        #[serde(default)]
        interactive_only: bool,
        /// Whether each element has its area in the viewport of its frame, as `[box=x,y,width,height]`.
        #[serde(default)]
        boxes: bool,
        /// Most bytes. A longer one is cut at a line, and `omitted` says how many lines there are more.
        #[serde(default, deserialize_with = "whole")]
        #[schemars(range(min = 1))]
        max_bytes: Option<u32>,
        /// The `version` of an earlier snapshot of the page. The answer has the lines that are different, if that is shorter.
        #[serde(default, deserialize_with = "given")]
        since: Option<String>
    }
}

/// Frees a value that `evaluate` has kept, or all of a page. They are freed as well when the page shows another document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseHandles {
    /// The session; that of this connection if absent.
    #[serde(default, deserialize_with = "given")]
    pub id: Option<String>,
    /// The target id of the page, or `first`, the oldest page.
    pub page: String,
    /// The handle; all of the page if absent.
    #[serde(default, deserialize_with = "given")]
    pub handle: Option<String>,
}

impl Operation for ReleaseHandles {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "releaseHandles",
        ghost: Some(Output),
        rest: Some(Rest {
            verb: Verb::Delete,
            path: "/v1/sessions/{id}/pages/{page}/handles",
            input: RestInput::Query,
            answer: RestAnswer::Nothing,
            says: "They are freed.",
            errors: &[Errors::Session, Errors::Page],
            ..OF_PAGE
        }),
    };
}

/// An action of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionStep {
    /// Its name, such as `click`.
    pub action: String,
    /// What is to be done.
    pub request: PageRequest,
}

impl PageActions {
    /// The actions of the list. An error names the number of the action, from 0.
    pub fn steps(&self) -> Result<Vec<ActionStep>, Bad> {
        self.actions.iter().enumerate().map(|(number, action)| self.step(number, action)).collect()
    }

    fn step(&self, number: usize, AnyValue(action): &AnyValue) -> Result<ActionStep, Bad> {
        let place = format!("actions[{number}]");
        let bad = |member: &str, why: String| Bad { field: format!("{place}{member}"), why };
        let Value::Object(members) = action else { return Err(bad("", "is no object".to_owned())) };
        let mut members = members.clone();
        let Some(Value::String(name)) = members.remove("action") else {
            return Err(bad(".action", "is missing: it names the action, such as click".to_owned()));
        };
        let of_list = ["id", "page", "detach"].into_iter().find(|member| members.contains_key(*member));
        if let Some(member) = of_list {
            return Err(bad(&format!(".{member}"), "belongs to the list, not to one of its actions".to_owned()));
        }
        let Some((_, entry)) = listable().find(|(action, _)| *action == name) else {
            let known: Vec<&str> = listable().map(|(action, _)| action).collect();
            let near = nearest(&name, &known).map(|near| format!("; did you mean {near:?}?"));
            let near = near.unwrap_or_else(|| format!("; actions are {}", known.join(", ")));
            let name: String = name.chars().take(100).collect();
            return Err(bad(".action", format!("{name:?} is no action{near}")));
        };
        members.insert("page".to_owned(), self.page.clone().into());
        match entry.read(&Value::Object(members).to_string()) {
            Ok(Request::Page(request)) => Ok(ActionStep { action: name, request }),
            Ok(_) => Err(bad(".action", format!("{name:?} is no action on a page"))),
            Err(Bad { field, why }) => Err(bad(&format!(".{field}"), why)),
        }
    }
}

/// The actions that a list may have, by their names in paths.
fn listable() -> impl Iterator<Item = (&'static str, &'static super::Entry)> {
    all().filter_map(|entry| {
        let rest = entry.row.rest.filter(|rest| rest.verb == Verb::Post)?;
        let action = rest.path.strip_prefix(OF_PAGE.path)?.strip_prefix('/')?;
        (!action.contains('/') && entry.row.name != PageActions::ROW.name).then_some((action, entry))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps(actions: Value) -> Result<Vec<ActionStep>, String> {
        let Value::Array(actions) = actions else { panic!("no list") };
        let actions = actions.into_iter().map(AnyValue).collect();
        let list = PageActions { page: "P".to_owned(), actions, ..PageActions::default() };
        list.steps().map_err(|bad| bad.to_string())
    }

    #[test]
    fn lists_have_the_actions_of_pages() {
        let read = steps(json!([
            { "action": "goto", "url": "about:blank" },
            { "action": "click", "ref": "f1e2", "timeout": 5 },
            { "action": "snapshot" },
        ]))
        .expect("a list");
        let names: Vec<&str> = read.iter().map(|step| step.request.name()).collect();
        assert_eq!(names, ["pageGoto", "pageClick", "pageSnapshot"]);
        assert!(read.iter().all(|step| step.request.on_page().is_some_and(|on| on.page == "P")));
    }

    #[test]
    fn errors_name_the_action_and_its_member() {
        for (action, why) in [
            (json!(5), "actions[0]: is no object"),
            (json!({ "selector": "a" }), "actions[0].action: is missing"),
            (json!({ "action": "clik" }), "actions[0].action: \"clik\" is no action; did you mean \"click\"?"),
            (json!({ "action": "actions", "actions": [] }), "actions[0].action: \"actions\" is no action"),
            (json!({ "action": "click", "page": "x" }), "actions[0].page: belongs to the list"),
            (json!({ "action": "click", "colour": 1 }), "actions[0].colour: unknown field `colour`"),
            (json!({ "action": "press", "selector": "a" }), "actions[0].params: missing field `key`"),
        ] {
            let said = steps(json!([action])).expect_err(why);
            assert!(said.starts_with(why), "{said}");
        }
    }
}
