//! The members of the bodies of quick actions, with the names of Puppeteer's options.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

use super::super::{LoadState, Millis, Secret, given, whole};

/// The headers of requests or of a response, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Headers(pub BTreeMap<String, String>);

/// One lifecycle event, or several, all of which must have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecycleEvents(pub Vec<LoadState>);

impl<'de> Deserialize<'de> for LifecycleEvents {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = match Value::deserialize(from)? {
            Value::Array(events) => events.into_iter().map(serde_json::from_value).collect(),
            event => serde_json::from_value(event).map(|event| vec![event]),
        };
        read.map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for LifecycleEvents {
    fn schema_name() -> Cow<'static, str> {
        "LifecycleEvents".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let event = generator.subschema_for::<LoadState>();
        json_schema!({ "anyOf": [event, { "type": "array", "items": event }] })
    }
}

/// An event that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForEvent {
    /// Its name, such as `ready`.
    pub event: String,
    /// How long; 30000 if absent.
    #[serde(default, deserialize_with = "given")]
    pub timeout: Option<Millis>,
}

/// A function that is waited for.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForFunction {
    /// An expression or a function that must return something true. One with `async` or `await` must only end.
    #[serde(rename = "fn")]
    pub function: String,
    /// Accepted without effect: it is called again after 20, 100, 100 and then every 500 ms.
    #[serde(default)]
    pub polling: Option<Polling>,
    /// How long; 30000 if absent.
    #[serde(default, deserialize_with = "given")]
    pub timeout: Option<Millis>,
}

/// `raf`, `mutation`, or an interval in milliseconds.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Polling {
    /// An interval in milliseconds.
    Interval(f64),
    /// `raf` or `mutation`.
    Word(String),
}

/// An element that is waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForSelector {
    /// The element, in CSS; of several the first.
    pub selector: String,
    /// Whether it must be hidden or absent.
    #[serde(default)]
    pub hidden: bool,
    /// Whether it must be visible.
    #[serde(default)]
    pub visible: bool,
    /// How long; 30000 if absent.
    #[serde(default, deserialize_with = "given")]
    pub timeout: Option<Millis>,
}

/// The viewport of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Viewport {
    /// Its width in CSS pixels.
    pub width: f64,
    /// Its height in CSS pixels.
    pub height: f64,
    /// Pixels of the device per CSS pixel; 1 if absent.
    #[serde(default, deserialize_with = "given")]
    pub device_scale_factor: Option<f64>,
    /// Whether `meta viewport` counts.
    #[serde(default)]
    pub is_mobile: bool,
    /// Whether it is in landscape format.
    #[serde(default)]
    pub is_landscape: bool,
    /// Whether it has a touch screen.
    #[serde(default)]
    pub has_touch: bool,
}

/// A user agent: a text, or an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserAgent {
    /// The header.
    pub user_agent: Option<String>,
    /// Client hints, as in `Emulation.setUserAgentOverride`.
    pub user_agent_metadata: Option<Map<String, Value>>,
    /// `navigator.platform`.
    pub platform: Option<String>,
}

impl<'de> Deserialize<'de> for UserAgent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Members {
            user_agent: Option<String>,
            user_agent_metadata: Option<Map<String, Value>>,
            platform: Option<String>,
        }

        match Value::deserialize(from)? {
            Value::String(text) => Ok(Self { user_agent: Some(text), ..Self::default() }),
            value => {
                let Members { user_agent, user_agent_metadata, platform } =
                    serde_json::from_value(value).map_err(D::Error::custom)?;
                Ok(Self { user_agent, user_agent_metadata, platform })
            }
        }
    }
}

impl JsonSchema for UserAgent {
    fn schema_name() -> Cow<'static, str> {
        "QuickUserAgent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A user agent: a text, or an object.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "userAgent": { "type": "string" },
                        "userAgentMetadata": { "type": "object" },
                        "platform": { "type": "string" },
                    },
                    "additionalProperties": false,
                },
            ],
        })
    }
}

/// A cookie that is set before the page is opened.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuickCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// A URL to which it belongs; that of the body if neither `url` nor `domain` is given.
    #[serde(default, deserialize_with = "given")]
    pub url: Option<String>,
    /// Its domain.
    #[serde(default, deserialize_with = "given")]
    pub domain: Option<String>,
    /// Its path.
    #[serde(default, deserialize_with = "given")]
    pub path: Option<String>,
    /// Whether it is only sent over TLS.
    #[serde(default, deserialize_with = "given")]
    pub secure: Option<bool>,
    /// Whether scripts do not see it.
    #[serde(default, deserialize_with = "given")]
    pub http_only: Option<bool>,
    /// Whether it is sent with requests from other sites.
    #[serde(default, deserialize_with = "given")]
    pub same_site: Option<SameSite>,
    /// When it expires, in seconds since the epoch.
    #[serde(default, deserialize_with = "given")]
    pub expires: Option<f64>,
    /// `Low`, `Medium` or `High`.
    #[serde(default, deserialize_with = "given")]
    pub priority: Option<String>,
    /// The site of the partition to which it belongs, or an object with `sourceOrigin`.
    #[serde(default)]
    pub partition_key: Option<Value>,
}

/// Whether a cookie is sent with requests from other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "they are the words of cookies")]
pub enum SameSite {
    Strict,
    Lax,
    None,
    Default,
}

/// User and password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password.
    #[schemars(with = "String", extend("writeOnly" = true))]
    pub password: Secret,
}

/// A script that is added to a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AddedScript {
    /// Its URL. One of `url` and `content` is needed.
    #[serde(deserialize_with = "given")]
    pub url: Option<String>,
    /// Its text.
    #[serde(deserialize_with = "given")]
    pub content: Option<String>,
    /// Refused: a file of the server.
    #[serde(deserialize_with = "given")]
    pub path: Option<String>,
    /// Its type, such as `module`.
    #[serde(rename = "type", deserialize_with = "given")]
    pub kind: Option<String>,
    /// The id of its element.
    #[serde(deserialize_with = "given")]
    pub id: Option<String>,
}

/// A style that is added to a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AddedStyle {
    /// Its URL. One of `url` and `content` is needed.
    #[serde(deserialize_with = "given")]
    pub url: Option<String>,
    /// Its text.
    #[serde(deserialize_with = "given")]
    pub content: Option<String>,
    /// Refused: a file of the server.
    #[serde(deserialize_with = "given")]
    pub path: Option<String>,
}

/// The type of a request, in the words of Puppeteer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are Chrome's types")]
pub enum ResourceType {
    CspViolationReport,
    Document,
    EventSource,
    Fedcm,
    Fetch,
    Font,
    Image,
    Manifest,
    Media,
    Other,
    Ping,
    Prefetch,
    Preflight,
    Script,
    SignedExchange,
    Stylesheet,
    TextTrack,
    WebSocket,
    Xhr,
}

/// A request that is answered from the body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interceptor {
    /// The regular expression that its URL matches.
    pub pattern: String,
    /// The answer.
    pub response: Intercepted,
}

/// The answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Intercepted {
    /// Its status; 200 if absent.
    #[serde(deserialize_with = "whole")]
    pub status: Option<u32>,
    /// Its headers.
    #[serde(deserialize_with = "given")]
    pub headers: Option<Headers>,
    /// Its `Content-Type`.
    #[serde(deserialize_with = "given")]
    pub content_type: Option<String>,
    /// Its body: a text, or base64.
    #[serde(deserialize_with = "given")]
    pub body: Option<String>,
}

/// What a screenshot shows, and how it is encoded.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ScreenshotOptions {
    /// `png`, `jpeg` or `webp`; `png` if absent.
    #[serde(rename = "type")]
    pub kind: super::super::PictureFormat,
    /// The quality of JPEG and WebP, 0 to 100.
    #[serde(deserialize_with = "whole")]
    #[schemars(range(max = 100))]
    pub quality: Option<u32>,
    /// Whether it shows the whole page.
    pub full_page: bool,
    /// The area of the document that it shows.
    #[serde(deserialize_with = "given")]
    pub clip: Option<QuickClip>,
    /// Whether the background is transparent where the page has none.
    pub omit_background: bool,
    /// Whether the answer is a text in base64.
    pub encoding: ScreenshotEncoding,
    /// Whether it is encoded faster, and larger.
    pub optimize_for_speed: bool,
    /// Accepted without effect.
    pub capture_beyond_viewport: Option<bool>,
    /// Accepted without effect.
    pub from_surface: Option<bool>,
    /// Refused: a file of the server.
    #[serde(deserialize_with = "given")]
    pub path: Option<String>,
}

/// How the answer has the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScreenshotEncoding {
    /// As it is.
    #[default]
    Binary,
    /// In base64.
    Base64,
}

/// An area of the document, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "they are the sides of the area")]
pub struct QuickClip {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// 1 if absent, and nothing else: set `deviceScaleFactor` of the viewport.
    #[serde(default, deserialize_with = "given")]
    pub scale: Option<f64>,
}

/// How a page is printed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PdfOptions {
    /// The scale, 0.1 to 2; 1 if absent.
    #[serde(deserialize_with = "given")]
    pub scale: Option<f64>,
    /// Whether `headerTemplate` and `footerTemplate` are printed.
    pub display_header_footer: bool,
    /// The HTML above each page.
    #[serde(deserialize_with = "given")]
    pub header_template: Option<String>,
    /// The HTML below each page.
    #[serde(deserialize_with = "given")]
    pub footer_template: Option<String>,
    /// Whether backgrounds are printed.
    pub print_background: bool,
    /// Whether it is in landscape format.
    pub landscape: bool,
    /// The pages, such as `1-5, 8`; all if absent.
    #[serde(deserialize_with = "given")]
    pub page_ranges: Option<String>,
    /// The paper; `Letter` if absent.
    #[serde(deserialize_with = "given")]
    pub format: Option<PaperFormat>,
    /// The width of the paper.
    #[serde(deserialize_with = "given")]
    pub width: Option<Length>,
    /// The height of the paper.
    #[serde(deserialize_with = "given")]
    pub height: Option<Length>,
    /// Whether the page's own size of the paper (`@page`) counts.
    #[serde(rename = "preferCSSPageSize")]
    pub prefer_css_page_size: bool,
    /// The margins; none if absent.
    #[serde(deserialize_with = "given")]
    pub margin: Option<PdfMargin>,
    /// Whether the background is transparent where the page has none.
    pub omit_background: bool,
    /// Whether the PDF says what is a heading, a paragraph and so on; `true` if absent.
    #[serde(deserialize_with = "given")]
    pub tagged: Option<bool>,
    /// Whether the PDF has an outline, made from the headings.
    pub outline: bool,
    /// How long printing may take; 30000 if absent.
    #[serde(deserialize_with = "given")]
    pub timeout: Option<Millis>,
    /// Whether the fonts of the page are waited for; `true` if absent.
    #[serde(deserialize_with = "given")]
    pub wait_for_fonts: Option<bool>,
    /// Whether the paper is as high as the page. Not together with `height` and `format`.
    pub full_page: bool,
    /// Refused: a file of the server.
    #[serde(deserialize_with = "given")]
    pub path: Option<String>,
}

/// The margins of paper; sides that are absent have none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "they are the sides of the paper")]
pub struct PdfMargin {
    pub top: Option<Length>,
    pub right: Option<Length>,
    pub bottom: Option<Length>,
    pub left: Option<Length>,
}

/// A length: a number of CSS pixels, or a text with the unit `px`, `in`, `cm` or `mm`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Length {
    /// CSS pixels.
    Pixels(f64),
    /// With its unit.
    Text(String),
}

/// A format of paper, in any letter case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperFormat {
    /// In inches.
    pub width: f64,
    /// In inches.
    pub height: f64,
}

impl PaperFormat {
    /// Their names, widths and heights in inches, as Puppeteer has them.
    const ALL: [(&'static str, f64, f64); 11] = [
        ("letter", 8.5, 11.0),
        ("legal", 8.5, 14.0),
        ("tabloid", 11.0, 17.0),
        ("ledger", 17.0, 11.0),
        ("a0", 33.1102, 46.811),
        ("a1", 23.3858, 33.1102),
        ("a2", 16.5354, 23.3858),
        ("a3", 11.6929, 16.5354),
        ("a4", 8.2677, 11.6929),
        ("a5", 5.8268, 8.2677),
        ("a6", 4.1339, 5.8268),
    ];
}

impl<'de> Deserialize<'de> for PaperFormat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = String::deserialize(from)?;
        let known = Self::ALL.iter().find(|(name, ..)| name.eq_ignore_ascii_case(&given));
        let known = known.map(|(_, width, height)| Self { width: *width, height: *height });
        known.ok_or_else(|| D::Error::custom(format!("{given:?} is no format: Letter, Legal, Tabloid, Ledger, A0 to A6 are")))
    }
}

impl JsonSchema for PaperFormat {
    fn schema_name() -> Cow<'static, str> {
        "PaperFormat".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A format of paper, in any letter case: Letter, Legal, Tabloid, Ledger, A0 to A6.",
            "type": "string",
        })
    }
}

/// Elements that are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrapedElement {
    /// Which, in CSS.
    pub selector: String,
    /// How long the first of them is waited for; 30000 if absent.
    #[serde(default, deserialize_with = "given")]
    pub timeout: Option<Millis>,
}

/// What the answer of `/scrape` has beside the elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "they are the members of browserless")]
pub struct DebugOptions {
    /// The messages of the console. Not there yet: refused.
    pub console: bool,
    /// The cookies of the page.
    pub cookies: bool,
    /// The HTML of the page.
    pub html: bool,
    /// Requests and responses. Not there yet: refused.
    pub network: bool,
    /// A screenshot of the whole page, in base64.
    pub screenshot: bool,
}
