//! The arguments of the tools that are asked for by `caps`.

#![expect(clippy::doc_markdown, reason = "models read the comments, not rustdoc")]

use schemars::JsonSchema;
use serde::Deserialize;

use crate::api_types::{ColorScheme, MediaType, MouseButton, ReducedMotion, SameSite, whole};

/// Answer requests whose URL matches, or let them fail
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Route {
    /// URL, with * and **
    pub(super) pattern: String,
    /// Let them fail
    #[serde(default)]
    pub(super) abort: bool,
    /// Status of the answer. Default 200
    #[serde(default, deserialize_with = "whole")]
    pub(super) status: Option<u32>,
    /// Body of the answer
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) content_type: Option<String>,
}

/// List the rules of browser_route
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteList {}

/// Remove the rules of browser_route
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unroute {
    /// Id of the rule. Default: all
    #[serde(default)]
    pub(super) route: Option<String>,
}

/// List cookies
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CookieList {
    #[serde(default)]
    pub(super) domain: Option<String>,
    #[serde(default)]
    pub(super) path: Option<String>,
}

/// Set a cookie
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CookieSet {
    pub(super) name: String,
    pub(super) value: String,
    /// Default: that of the page
    #[serde(default)]
    pub(super) domain: Option<String>,
    #[serde(default)]
    pub(super) path: Option<String>,
    /// Unix timestamp
    #[serde(default)]
    pub(super) expires: Option<f64>,
    #[serde(default)]
    pub(super) http_only: Option<bool>,
    #[serde(default)]
    pub(super) secure: Option<bool>,
    #[serde(default)]
    pub(super) same_site: Option<SameSite>,
}

/// Delete the cookies of a name
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CookieDelete {
    pub(super) name: String,
}

/// Delete all cookies
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CookieClear {}

/// List what localStorage has for the origin of the page
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LocalStorageList {}

/// Set an item of localStorage
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LocalStorageSet {
    pub(super) key: String,
    pub(super) value: String,
}

/// Delete an item of localStorage
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LocalStorageDelete {
    pub(super) key: String,
}

/// Click at a position of the viewport
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MouseClickXy {
    pub(super) x: f64,
    pub(super) y: f64,
    #[serde(default)]
    pub(super) button: MouseButton,
    #[serde(default, deserialize_with = "whole")]
    pub(super) click_count: Option<u32>,
}

/// Move the mouse to a position of the viewport
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MouseMoveXy {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Scroll with the mouse wheel
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MouseWheel {
    #[serde(default)]
    pub(super) delta_x: f64,
    #[serde(default)]
    pub(super) delta_y: f64,
}

/// Save the page as a PDF
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PdfSave {
    /// Save it as a file of the session instead of answering it
    #[serde(default)]
    pub(super) filename: Option<String>,
}

/// Read the page as Markdown
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Markdown {
    /// Ref or unique selector of the element to read
    #[serde(default, alias = "ref")]
    pub(super) target: Option<String>,
}

/// Emulate media features. What is absent stays
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EmulateMedia {
    #[serde(default)]
    pub(super) color_scheme: Option<ColorScheme>,
    #[serde(default)]
    pub(super) reduced_motion: Option<ReducedMotion>,
    #[serde(default)]
    pub(super) media: Option<MediaType>,
}

/// Send a command of the Chrome DevTools Protocol to the page
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cdp {
    /// Such as DOM.getDocument
    pub(super) method: String,
    #[serde(default)]
    pub(super) params: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Ask a person to do or decide something: a login, a captcha, a payment. They can use the page meanwhile
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskHuman {
    pub(super) question: String,
}

/// List sessions
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionList {}

/// Save the state of the session: cookies, storage, pages. Begin with it by browser_session
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionSave {
    #[serde(default)]
    pub(super) name: Option<String>,
}
