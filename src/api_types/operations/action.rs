//! How an action on a page is declared: an operation with its endpoint.

use super::{Errors, Rest, RestAnswer, RestInput, Verb};

/// An endpoint of an action on a page.
pub(super) const OF_PAGE: Rest = Rest {
    verb: Verb::Post,
    path: "/v1/sessions/{id}/pages/{page}",
    id: Some("id"),
    second: Some("page"),
    input: RestInput::Path,
    answer: RestAnswer::Output,
    says: "What happened.",
    tag: "pages",
    errors: &[Errors::Session, Errors::Body, Errors::Page],
};

/// Declares operations that drive a page. Those of `element` name an element of it.
macro_rules! action {
    (
        $(#[$doc:meta])*
        page $name:ident = $command:literal, $action:literal -> $output:ty {
            $($(#[$attribute:meta])* $member:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name {
            /// The session; that of this connection if absent.
            #[serde(default, deserialize_with = "given")]
            pub id: Option<String>,
            /// The target id of the page, or `first`, the oldest page.
            pub page: String,
            /// How long it may take. If absent or more than the server allows, as the server is configured.
            #[serde(default, deserialize_with = "given")]
            pub timeout: Option<Millis>,
            /// What it must cause: it is answered when all of that has come.
            #[serde(default, deserialize_with = "given")]
            pub expect: Option<Expect>,
            /// Whether it goes on if its caller hangs up.
            #[serde(default)]
            pub detach: bool,
            $($(#[$attribute])* pub $member: $type),*
        }

        impl Operation for $name {
            type Output = $output;
            const ROW: Row = Row {
                name: $command,
                ghost: Some(Output),
                rest: Some(Rest {
                    path: concat!("/v1/sessions/{id}/pages/{page}/", $action),
                    input: RestInput::Body(stringify!($name)),
                    ..OF_PAGE
                }),
            };
        }
    };
    (
        $(#[$doc:meta])*
        element $name:ident = $command:literal, $action:literal -> $output:ty {
            $($(#[$attribute:meta])* $member:ident: $type:ty),* $(,)?
        }
    ) => {
        action! {
            $(#[$doc])*
            page $name = $command, $action -> $output {
                /// The element. One of `locator`, `selector` and `ref` names it.
                #[serde(default, deserialize_with = "given")]
                locator: Option<Locator>,
                /// The element, in Playwright's selector syntax.
                #[serde(default, deserialize_with = "given")]
                selector: Option<String>,
                /// The element, by a reference of the last `snapshot`, such as `e12`.
                #[serde(rename = "ref", default, deserialize_with = "given")]
                of_ref: Option<String>
                $(, $(#[$attribute])* $member: $type)*
            }
        }

        impl $name {
            /// The selector of the element; `None` if the request names none.
            pub fn element(&self) -> Result<Option<String>, Bad> {
                locator::element(self.selector.as_deref(), self.locator.as_ref(), self.of_ref.as_deref())
            }
        }
    };
    ($(
        $(#[$doc:meta])*
        $on:ident $name:ident = $command:literal, $action:literal -> $output:ty {
            $($(#[$attribute:meta])* $member:ident: $type:ty),* $(,)?
        }
    )*) => {
        $(action! { $(#[$doc])* $on $name = $command, $action -> $output { $($(#[$attribute])* $member: $type),* } })*
    };
}
pub(super) use action;
