//! The arguments of the tools. Names and meanings are those of playwright-mcp. The comment of a type is the description of
//! its tool: models read it, so it is short.

#![expect(clippy::doc_markdown, reason = "models read the comments, not rustdoc")]

use schemars::JsonSchema;
use serde::Deserialize;

use crate::api_types::{MouseButton, PictureFormat, whole};

/// Navigate to a URL
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Navigate {
    pub(super) url: String,
}

/// Go back to the previous page in the history
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NavigateBack {}

/// Capture accessibility snapshot of the current page, this is better than screenshot
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    /// Ref or unique selector of the element to capture
    #[serde(default, alias = "ref")]
    pub(super) target: Option<String>,
    /// Limit of the depth
    #[serde(default, deserialize_with = "whole")]
    pub(super) depth: Option<u32>,
    /// Include [box=x,y,width,height]
    #[serde(default)]
    pub(super) boxes: bool,
    /// Save it as a file of the session instead
    #[serde(default)]
    pub(super) filename: Option<String>,
}

/// Click an element
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Click {
    /// Ref from the snapshot, or a unique selector
    #[serde(alias = "ref")]
    pub(super) target: String,
    #[serde(default, rename = "doubleClick")]
    pub(super) is_double: bool,
    #[serde(default)]
    pub(super) button: MouseButton,
    /// Keys to hold
    #[serde(default)]
    pub(super) modifiers: Vec<Key>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum Key {
    Alt,
    Control,
    ControlOrMeta,
    Meta,
    Shift,
}

/// Type text into an editable element
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Type {
    /// Ref from the snapshot, or a unique selector
    #[serde(alias = "ref")]
    pub(super) target: String,
    #[serde(default)]
    pub(super) text: Option<String>,
    /// Press Enter after
    #[serde(default)]
    pub(super) submit: bool,
    /// Type one character at a time. By default the text is filled in at once
    #[serde(default)]
    pub(super) slowly: bool,
    /// In place of text: the name of a stored secret, which you never see
    #[serde(default)]
    pub(super) secret: Option<String>,
    /// Type the one-time password of the secret
    #[serde(default)]
    pub(super) totp: bool,
}

/// Fill multiple form fields
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FillForm {
    pub(super) fields: Vec<Field>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    /// Ref from the snapshot, or a unique selector
    #[serde(alias = "ref")]
    pub(super) target: String,
    /// Human-readable field name
    #[serde(default)]
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: FieldType,
    /// Of a checkbox: true or false. Of a combobox: the text of the option
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FieldType {
    Textbox,
    Checkbox,
    Radio,
    Combobox,
    Slider,
}

/// Take a screenshot. You cannot act on it; use browser_snapshot for actions
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TakeScreenshot {
    /// Ref or unique selector of the element to show
    #[serde(default, alias = "ref")]
    pub(super) target: Option<String>,
    /// Default jpeg
    #[serde(default, rename = "type")]
    pub(super) format: Option<PictureFormat>,
    /// Show the full scrollable page
    #[serde(default)]
    pub(super) full_page: bool,
    /// Save it as a file of the session instead
    #[serde(default)]
    pub(super) filename: Option<String>,
}

/// Press a key
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PressKey {
    /// Such as ArrowLeft, a, or Control+a
    pub(super) key: String,
}

/// Select options in a dropdown
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SelectOption {
    /// Ref from the snapshot, or a unique selector
    #[serde(alias = "ref")]
    pub(super) target: String,
    pub(super) values: Vec<String>,
}

/// Hover over an element
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hover {
    /// Ref from the snapshot, or a unique selector
    #[serde(alias = "ref")]
    pub(super) target: String,
}

/// Drag and drop between two elements
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Drag {
    #[serde(alias = "startRef")]
    pub(super) start_target: String,
    #[serde(alias = "endRef")]
    pub(super) end_target: String,
}

/// Wait for text to appear or disappear or a specified time to pass
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WaitFor {
    /// Seconds, at most 30
    #[serde(default)]
    pub(super) time: Option<f64>,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) text_gone: Option<String>,
}

/// Call a JavaScript function in the page
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Evaluate {
    /// () => { /* code */ }, or (element) => { /* code */ } with target
    pub(super) function: String,
    /// Ref or unique selector of the element
    #[serde(default, alias = "ref")]
    pub(super) target: Option<String>,
    /// Save it as a file of the session instead
    #[serde(default)]
    pub(super) filename: Option<String>,
}

/// List, create, close, or select a browser tab
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tabs {
    pub(super) action: TabAction,
    /// For close and select. Default of close: the current tab
    #[serde(default, deserialize_with = "whole")]
    pub(super) index: Option<u32>,
    /// For new
    #[serde(default)]
    pub(super) url: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TabAction {
    List,
    New,
    Close,
    Select,
}

/// List console messages
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsoleMessages {
    /// Includes the more severe ones. Default info
    #[serde(default)]
    pub(super) level: Level,
    /// Save it as a file of the session instead
    #[serde(default)]
    pub(super) filename: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Error,
    Warning,
    #[default]
    Info,
    Debug,
}

/// List network requests
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkRequests {
    /// Include successful images, fonts, scripts and the like
    #[serde(default, rename = "static")]
    pub(super) is_static: bool,
    /// Regexp of URLs
    #[serde(default)]
    pub(super) filter: Option<String>,
    /// Save it as a file of the session instead
    #[serde(default)]
    pub(super) filename: Option<String>,
}

/// Accept or dismiss the open dialog
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HandleDialog {
    pub(super) accept: bool,
    /// Text for a prompt
    #[serde(default)]
    pub(super) prompt_text: Option<String>,
}

/// Upload files
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileUpload {
    /// Names of files that were uploaded to the session
    #[serde(default)]
    pub(super) paths: Vec<String>,
    /// Ref or selector of the file input or button. Default: what opened the file chooser
    #[serde(default, alias = "ref")]
    pub(super) target: Option<String>,
}

/// Resize the browser window
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resize {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Close the page
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Close {}

/// Open a session of its own, or end one. Only needed without an MCP session, or for several sessions: pass the id as `session` to the other tools
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    pub(super) action: SessionAction,
    /// For new: begin logged in with this saved profile
    #[serde(default)]
    pub(super) profile: Option<String>,
    /// For new: begin with this saved state
    #[serde(default)]
    pub(super) snapshot: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SessionAction {
    New,
    Close,
}
