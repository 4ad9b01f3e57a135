//! Operations on the server and its browsers. `session/manager/server.rs` performs them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{BrowserInfo, Browsers, ServerStatus},
    Errors, Operation, Rest, RestAnswer, RestInput, Row, Verb, operations,
};

operations! {
    /// A request about the server.
    Server, ServerRequest:
        GetStatus, ListBrowsers, GetBrowser,
}

/// An endpoint that shows something of the server.
pub(super) const OF_SERVER: Rest = Rest {
    verb: Verb::Get,
    path: "/v1/status",
    id: None,
    input: RestInput::Path,
    answer: RestAnswer::Output,
    says: "The status.",
    tag: "server",
    errors: &[],
};

/// Shows the status of the server: its browsers, sessions and queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetStatus {}

impl Operation for GetStatus {
    type Output = ServerStatus;
    // It is for the operator: a client of a session has no use for it.
    const ROW: Row = Row { name: "getStatus", ghost: None, rest: Some(OF_SERVER) };
}

/// Lists the browsers of the pool, with the last ones that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListBrowsers {}

impl Operation for ListBrowsers {
    type Output = Browsers;
    const ROW: Row = Row {
        name: "listBrowsers",
        ghost: None,
        rest: Some(Rest { path: "/v1/browsers", says: "The browsers.", tag: "browsers", ..OF_SERVER }),
    };
}

/// Shows one browser of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetBrowser {
    /// The number of the browser.
    pub id: String,
}

impl Operation for GetBrowser {
    type Output = BrowserInfo;
    const ROW: Row = Row {
        name: "getBrowser",
        ghost: None,
        rest: Some(Rest {
            path: "/v1/browsers/{id}",
            id: Some("id"),
            says: "The browser.",
            tag: "browsers",
            errors: &[Errors::Browser],
            ..OF_SERVER
        }),
    };
}
