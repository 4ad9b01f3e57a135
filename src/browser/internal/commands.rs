//! The commands that several callers of the proxy send on its own CDP sessions. A command that only
//! one module sends is declared there.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{browser::CallError, cdp::json_string::JsonString};

/// A command of CDP with its parameters, which are the members of the type. `commands!` declares
/// commands.
pub trait TypedCommand: Serialize {
    /// The method, for example `Page.navigate`.
    const METHOD: &'static str;
    /// The members of Chrome's result that the caller reads.
    type Result: DeserializeOwned;
}

/// Declares commands, `"Domain.method" = Name { member: Type } -> Result;`. Chrome's names of the
/// members are in camel case.
macro_rules! commands {
    ($(
        $method:literal = $name:ident $(<$life:lifetime>)? {
            $($(#[$attribute:meta])* $member:ident: $type:ty),* $(,)?
        } -> $result:ty;
    )*) => {$(
        #[doc = concat!("`", $method, "`.")]
        #[derive(Clone, Debug, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        #[allow(clippy::struct_field_names, reason = "the names of the members are Chrome's")]
        pub(crate) struct $name $(<$life>)? {
            $($(#[$attribute])* pub(crate) $member: $type),*
        }

        impl $(<$life>)? $crate::browser::TypedCommand for $name $(<$life>)? {
            const METHOD: &'static str = $method;
            type Result = $result;
        }
    )*};
}
pub(crate) use commands;

commands! {
    "Page.navigate" = Navigate<'a> { url: &'a str } -> Navigated;
    "Page.getNavigationHistory" = GetNavigationHistory {} -> NavigationHistory;
    "Page.navigateToHistoryEntry" = NavigateToHistoryEntry { entry_id: i64 } -> Nothing;
    "Page.resetNavigationHistory" = ResetNavigationHistory {} -> Nothing;
    "Runtime.evaluate" = Evaluate<'a> {
        expression: &'a str,
        await_promise: bool,
        return_by_value: bool,
        throw_on_side_effect: bool,
    } -> Evaluated;
    "Storage.getCookies" = GetCookies<'a> { browser_context_id: &'a str } -> Cookies;
}

/// A result of which nothing is read.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// The result of `Page.navigate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Navigated {
    /// Chrome's error, if the page could not be loaded.
    pub(crate) error_text: Option<String>,
}

/// The result of `Page.getNavigationHistory`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NavigationHistory {
    /// The position of the current entry in `entries`.
    pub(crate) current_index: usize,
    /// The entries, the oldest first.
    pub(crate) entries: Vec<NavigationEntry>,
}

/// An entry of a page's history.
#[derive(Debug, Deserialize)]
pub(crate) struct NavigationEntry {
    /// The number of the entry, for [`NavigateToHistoryEntry`].
    pub(crate) id: i64,
    /// The URL, which may be empty for a page that was never navigated.
    pub(crate) url: String,
    /// The title.
    pub(crate) title: JsonString,
}

/// The result of `Storage.getCookies`.
#[derive(Debug, Deserialize)]
pub(crate) struct Cookies {
    /// The cookies, as Chrome wrote them.
    pub(crate) cookies: Vec<Box<RawValue>>,
}

impl<'a> Evaluate<'a> {
    /// Evaluates an expression and returns its value, not waiting for a promise.
    pub(crate) fn new(expression: &'a str) -> Self {
        Self { expression, await_promise: false, return_by_value: true, throw_on_side_effect: false }
    }
}

/// The result of `Runtime.evaluate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evaluated {
    result: RemoteObject,
    exception_details: Option<ExceptionDetails>,
}

#[derive(Debug, Deserialize)]
struct RemoteObject {
    /// Absent for `undefined`.
    value: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct ExceptionDetails {
    exception: Option<Exception>,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Exception {
    description: Option<String>,
}

impl Evaluated {
    /// The value of the expression, or the exception that it threw.
    pub(crate) fn value<T: DeserializeOwned>(self) -> Result<T, CallError> {
        if let Some(ExceptionDetails { exception, text }) = self.exception_details {
            let description = exception.and_then(|exception| exception.description).unwrap_or(text);
            let message = description.lines().next().unwrap_or_default().to_owned();
            return Err(CallError::Exception { message });
        }
        let value = self.result.value.as_deref().map_or("null", RawValue::get);
        serde_json::from_str(value)
            .map_err(|error| CallError::Unreadable { method: Evaluate::METHOD, why: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(result: &str) -> Evaluated {
        serde_json::from_str(result).expect("a result of Runtime.evaluate")
    }

    #[test]
    fn evaluated_values_are_read_as_the_type_asked_for() {
        let text = evaluated(r#"{"result":{"type":"string","value":"a"}}"#);
        assert_eq!(text.value::<String>().expect("a string"), "a");
        evaluated(r#"{"result":{"type":"undefined"}}"#).value::<()>().expect("undefined");
        let error = evaluated(r#"{"result":{"type":"undefined"}}"#).value::<String>().expect_err("no string");
        assert!(matches!(error, CallError::Unreadable { method: "Runtime.evaluate", .. }), "{error}");
    }

    #[test]
    fn exceptions_are_errors_with_the_first_line_of_the_stack() {
        let thrown = r#"{"result":{"type":"string","value":"a"},"exceptionDetails":{"text":"Uncaught",
            "exception":{"description":"TypeError: x\n    at <anonymous>:1:1"}}}"#;
        let error = evaluated(thrown).value::<String>().expect_err("an exception");
        assert!(matches!(&error, CallError::Exception { message } if message == "TypeError: x"), "{error}");
        // Only objects have a description.
        let thrown = r#"{"result":{"type":"number","value":1},"exceptionDetails":{"text":"Uncaught (in promise)"}}"#;
        let error = evaluated(thrown).value::<u8>().expect_err("an exception");
        assert!(matches!(&error, CallError::Exception { message } if message == "Uncaught (in promise)"), "{error}");
    }

    #[test]
    fn parameters_are_written_with_the_names_of_the_protocol() {
        let json = serde_json::to_string(&Evaluate::new("1")).expect("JSON");
        assert_eq!(json, r#"{"expression":"1","awaitPromise":false,"returnByValue":true,"throwOnSideEffect":false}"#);
        assert_eq!(serde_json::to_string(&ResetNavigationHistory {}).expect("JSON"), "{}");
    }
}
