//! What the actions on pages answer. PURE: types only.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{Millis, launch::ANY};

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

/// How far a document must be loaded, in the words of Playwright and of Puppeteer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoadState {
    /// the response has arrived, and the document is begun.
    Commit,
    /// the document is parsed.
    DomContentLoaded,
    /// its images, frames and styles are loaded too.
    #[default]
    Load,
    /// there was no connection for 500 ms.
    NetworkIdle,
    /// the same, in the words of Puppeteer.
    NetworkIdle0,
    /// there were at most two connections for 500 ms.
    NetworkIdle2,
}

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// Its URL.
    pub url: String,
    /// Whether another document was loaded, or the URL changed.
    pub navigated: bool,
    /// The time that the action took.
    pub took: Millis,
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
            $($(#[$attribute])* pub $member: $type),*
        }

        impl $name {
            /// What an action answers.
            pub fn new(Aftermath { url, navigated, took }: Aftermath $(, $member: $type)*) -> Self {
                Self { url, navigated, took $(, $member)* }
            }
        }
    )*};
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
    }
    /// The accessibility snapshot of an element or a page.
    AccessibilitySnapshot {
        /// The snapshot in YAML, in Playwright's form.
        snapshot: String,
    }
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
