//! How quick actions open their page, with the names of Puppeteer's options.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

use super::super::{Attributes, LoadState, Millis, Pattern, SameSite, Secret, VIEWPORT_MOST, given, whole};

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
    /// Its width in CSS pixels, at most 10,000,000.
    #[schemars(range(min = 1, max = VIEWPORT_MOST))]
    pub width: f64,
    /// Its height in CSS pixels, at most 10,000,000.
    #[schemars(range(min = 1, max = VIEWPORT_MOST))]
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

/// A user agent as an object.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "QuickUserAgentMembers")]
struct UserAgentMembers {
    /// The header.
    user_agent: Option<String>,
    /// Client hints, as in `Emulation.setUserAgentOverride`.
    user_agent_metadata: Option<Map<String, Value>>,
    /// `navigator.platform`.
    platform: Option<String>,
}

impl<'de> Deserialize<'de> for UserAgent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(text) => Ok(Self { user_agent: Some(text), ..Self::default() }),
            value => {
                let UserAgentMembers { user_agent, user_agent_metadata, platform } =
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

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let members = generator.subschema_for::<UserAgentMembers>();
        json_schema!({
            "description": "A user agent: a text, or an object.",
            "anyOf": [{ "type": "string" }, members],
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

impl ResourceType {
    /// The name in the protocol, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::CspViolationReport => "cspviolationreport",
            Self::Document => "document",
            Self::EventSource => "eventsource",
            Self::Fedcm => "fedcm",
            Self::Fetch => "fetch",
            Self::Font => "font",
            Self::Image => "image",
            Self::Manifest => "manifest",
            Self::Media => "media",
            Self::Other => "other",
            Self::Ping => "ping",
            Self::Prefetch => "prefetch",
            Self::Preflight => "preflight",
            Self::Script => "script",
            Self::SignedExchange => "signedexchange",
            Self::Stylesheet => "stylesheet",
            Self::TextTrack => "texttrack",
            Self::WebSocket => "websocket",
            Self::Xhr => "xhr",
        }
    }
}

/// A request that is answered from the body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interceptor {
    /// The regular expression that its URL matches.
    pub pattern: Pattern,
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
    pub headers: Option<Attributes>,
    /// Its `Content-Type`.
    #[serde(deserialize_with = "given")]
    pub content_type: Option<String>,
    /// Its body: a text, or base64.
    #[serde(deserialize_with = "given")]
    pub body: Option<String>,
}
