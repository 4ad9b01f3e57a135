//! What the actions on pages answer. PURE: types only.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{Happened, Millis, launch::ANY};

/// A value of JSON of any type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnyValue(pub Value);

impl JsonSchema for AnyValue {
    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A value of JSON of any type.", "$comment": ANY })
    }
}

/// A value of JSON of any type, as Chrome wrote it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct ScriptValue(pub Box<RawValue>);

impl JsonSchema for ScriptValue {
    fn schema_name() -> Cow<'static, str> {
        AnyValue::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        AnyValue::json_schema(generator)
    }
}

/// Strings under keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attributes(pub BTreeMap<String, String>);

/// What an element is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ElementState {
    /// it has an extent, and is not `visibility: hidden`.
    #[default]
    Visible,
    /// it is not visible, or not in the document.
    Hidden,
    /// it is in the document.
    Attached,
    /// it is not in the document.
    Detached,
}

/// A button of the mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MouseButton {
    /// the first.
    #[default]
    Left,
    /// the second, which opens context menus.
    Right,
    /// the wheel.
    Middle,
}

/// A key that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "they are the names of keys")]
pub enum Modifier {
    Alt,
    Control,
    Meta,
    Shift,
}

/// Where a script runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum World {
    /// with the scripts of the page: it sees their variables, and they can change what it uses.
    #[default]
    Main,
    /// apart: it sees the document, and none of the scripts.
    Isolated,
}

/// The format of a screenshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are the names of formats")]
pub enum PictureFormat {
    #[default]
    Png,
    Jpeg,
    Webp,
}

/// A point in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// A point or an area in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// From the left of the document.
    pub x: f64,
    /// From the top of the document.
    pub y: f64,
    /// Its width.
    #[schemars(range(min = 1, max = 20_000))]
    pub width: f64,
    /// Its height.
    #[schemars(range(min = 1, max = 20_000))]
    pub height: f64,
}

/// What happened to the page meanwhile. Every answer of an action has these members.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aftermath {
    /// Its URL.
    pub url: String,
    /// Whether another document was loaded, or the URL changed.
    pub navigated: bool,
    /// The time that the action took.
    pub took: Millis,
    /// What else happened.
    pub happened: Happened,
}

/// Declares what actions answer: the members of every answer, and their own.
macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $member:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The URL of the page after it.
            pub url: String,
            /// Whether another document was loaded, or the URL changed.
            pub navigated: bool,
            /// The time that it took.
            pub took: Millis,
            /// The pages that the page opened meanwhile. This and the next lists have at most 20 entries.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub opened: Vec<$crate::api_types::OpenedPage>,
            /// The target ids of the session's pages that were closed meanwhile.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub closed: Vec<String>,
            /// The dialogs of the page.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub dialogs: Vec<$crate::api_types::PageDialogInfo>,
            /// The downloads that the page began.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub downloads: Vec<$crate::api_types::Download>,
            /// The file chooser that the page opened.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub file_chooser: Option<$crate::api_types::FileChooserInfo>,
            /// The exceptions of the page that nothing caught.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub errors: Vec<$crate::api_types::PageException>,
            /// How many entries did not fit into these lists.
            #[serde(skip_serializing_if = "crate::api_types::page::is_zero")]
            pub omitted: u32,
            /// What the request expected, and came.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub expected: Option<$crate::api_types::Expected>,
            $($(#[$attribute])* pub $member: $type),*
        }

        impl $name {
            /// What an action answers.
            pub fn new(Aftermath { url, navigated, took, happened }: Aftermath $(, $member: $type)*) -> Self {
                let $crate::api_types::Happened { opened, closed, dialogs, downloads, file_chooser, errors, omitted, expected } = happened;
                Self {
                    url, navigated, took, opened, closed, dialogs, downloads, file_chooser, errors, omitted, expected
                    $(, $member)*
                }
            }
        }
    )*};
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}
pub(super) use outcomes;

outcomes! {
    /// An action was performed.
    Acted {}
    /// The page was opened or navigated.
    Went {
        /// The status of the response; absent if the document was not loaded by HTTP.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u32>,
        /// The response, if the request asks for it and the document was loaded by HTTP.
        #[serde(skip_serializing_if = "Option::is_none")]
        response: Option<DocumentResponse>,
    }
    /// The options of a list that are selected now.
    Selected {
        /// Their values.
        values: Vec<String>,
    }
    /// The text of an element or a page.
    PageTextOf {
        /// The text as it is rendered.
        text: String,
    }
    /// The HTML of an element or a page.
    PageHtmlOf {
        /// The HTML.
        html: String,
    }
    /// The attributes of an element.
    AttributesOf {
        /// Their values by name.
        attributes: Attributes,
    }
    /// The elements that a locator matches.
    FoundElements {
        /// How many there are.
        count: u32,
        /// The first of them, as many as `limit` says.
        elements: Vec<FoundElement>,
    }
    /// The links of an element or a page.
    PageLinksOf {
        /// The first of them in the order of the document, as many as `limit` says.
        links: Vec<Link>,
    }
    /// A screenshot.
    PagePicture {
        /// The content, in base64.
        data: String,
        /// The format.
        format: PictureFormat,
    }
    /// A page as a PDF.
    PagePdfOf {
        /// The content, in base64.
        data: String,
    }
    /// The value of a script.
    ScriptResult {
        /// The value; absent if it is `undefined`.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<ScriptValue>,
        /// The handle of a value that stays in the page.
        #[serde(skip_serializing_if = "Option::is_none")]
        handle: Option<String>,
        /// What that value is, such as `HTMLDivElement` or `Array(3)`.
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// What was written to the console meanwhile, if that was asked for: the first 1000 entries.
        #[serde(skip_serializing_if = "Option::is_none")]
        console: Option<Vec<ConsoleLine>>,
    }
    /// The accessibility snapshot of an element or a page.
    AccessibilitySnapshot {
        /// The snapshot in YAML, in Playwright's form. With `since`, what is different, as a unified diff.
        snapshot: String,
        /// The version of the snapshot, for `since`.
        version: String,
        /// The version from which `snapshot` shows the differences. Absent if it is a whole snapshot: because none was named,
        /// because the named one is not known any more, or because the differences would be longer.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Lines that were cut because of `maxBytes`.
        #[serde(skip_serializing_if = "Option::is_none")]
        omitted_lines: Option<u32>,
    }
    /// Actions were performed one after the other.
    ActionsDone {
        /// What each of them came to.
        results: Vec<StepResult>,
        /// How many failed.
        failed: u32,
    }
}

/// What an action of a list came to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepResult {
    /// Its number in the list, from 0.
    pub step: u32,
    /// The action, such as `click`.
    pub action: String,
    /// What it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ScriptValue>,
    /// Why it failed, as a problem of RFC 9457.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<AnyValue>,
}

/// An entry of a page's console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConsoleLine {
    /// The method, such as `log`, `warning` or `error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its arguments as text, with spaces between them; the first 2000 characters.
    pub text: String,
}

/// The response with a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentResponse {
    /// Its URL, after all redirections.
    pub url: String,
    /// Its status.
    pub status: u32,
    /// The words behind the status; empty in HTTP/2.
    pub status_text: String,
    /// The address of the server, or of the proxy by which the page left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u32>,
}

/// The margins of paper, in inches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "they are the sides of the paper")]
pub struct PaperMargin {
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub left: f64,
}

/// An element of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundElement {
    /// The name of the element in lower case, such as `button`.
    pub tag: String,
    /// The first 200 characters of its text.
    pub text: String,
    /// Whether it is visible.
    pub visible: bool,
    /// Its attributes; values are cut after 1000 characters.
    pub attributes: Attributes,
    /// Its left side in the viewport, in CSS pixels.
    pub x: f64,
    /// Its upper side in the viewport.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

/// A link of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Where it leads.
    pub url: String,
    /// The first 200 characters of its text.
    pub text: String,
}

/// A page that was opened.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewPageInfo {
    /// The session.
    pub session: String,
    /// The id of the page, in paths and for clients.
    pub target_id: String,
    /// Its URL.
    pub url: String,
}
