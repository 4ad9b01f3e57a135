//! Operations on the server and its browsers. `session/manager/server.rs` performs them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{BrowserInfo, Browsers, ServerStatus, TenantUsages, UsageBy, given},
    Errors, Operation, PAGE_MOST, Rest, RestAnswer, RestInput, Row, Verb, operations,
};

operations! {
    /// A request about the server.
    Server, ServerRequest:
        GetStatus, ListBrowsers, GetBrowser, ListUsage,
}

/// An endpoint that shows something of the server.
pub(super) const OF_SERVER: Rest = Rest {
    verb: Verb::Get,
    path: "/v1/status",
    id: None,
    second: None,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListBrowsers {
    /// Most browsers on the page, 1 to 1000; 1000 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for ListBrowsers {
    type Output = Browsers;
    const ROW: Row = Row {
        name: "listBrowsers",
        ghost: None,
        rest: Some(Rest {
            path: "/v1/browsers",
            input: RestInput::Query,
            says: "The browsers.",
            tag: "browsers",
            errors: &[Errors::Filter],
            ..OF_SERVER
        }),
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

/// Shows what the tenant has used, or with the capability `admin` what all tenants have used. Running sessions count for
/// `starts` and `peak`; their time and bytes are added when they end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListUsage {
    /// The first day in UTC, such as `2026-11-01`; 30 days ago if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("format" = "date"))]
    pub from: Option<String>,
    /// The last day; today if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("format" = "date"))]
    pub to: Option<String>,
    /// How it is summed up.
    pub by: UsageBy,
    /// Most rows on the page, 1 to 1000; 1000 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for ListUsage {
    type Output = TenantUsages;
    const ROW: Row = Row {
        name: "listUsage",
        ghost: None,
        rest: Some(Rest {
            path: "/v1/usage",
            input: RestInput::Query,
            says: "The usage.",
            errors: &[Errors::Filter],
            ..OF_SERVER
        }),
    };
}
