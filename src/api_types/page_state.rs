//! What the actions on the state of a page take and answer: emulation, cookies, storage, routes, scripts, logs. PURE: types
//! only.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Aftermath, Attributes, Millis, ScriptValue, World, capital, given, launch::ANY, page::outcomes, read::to_whole,
};

/// A setting of a page that a request leaves alone (absent), resets (`null`) or sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setting<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is again as if it had never been set.
    Reset,
    /// It has this value.
    Set(T),
}

impl<T> Setting<T> {
    /// Whether the request does not name it.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The value to set, or `None` to reset it; `None` outside if it stays.
    pub fn change(&self) -> Option<Option<&T>> {
        match self {
            Self::Keep => None,
            Self::Reset => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Reset, Self::Set))
    }
}

/// Reads a whole number, in which `5.0` is one too, or `null`.
pub fn whole_setting<'de, T: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<Setting<T>, D::Error> {
    Option::deserialize(deserializer)?.map_or(Ok(Setting::Reset), |given| to_whole(given).map(Setting::Set))
}

impl<T: JsonSchema> JsonSchema for Setting<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrNull", capital(&T::schema_name())).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({
            "description": "A value, or `null` to reset it.",
            // The protocol's format has no word for members of several types.
            "$comment": ANY,
            "anyOf": [value, { "const": null }],
        })
    }
}

/// A position on the earth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Geolocation {
    /// In degrees, north of the equator.
    #[schemars(range(min = -90, max = 90))]
    pub latitude: f64,
    /// In degrees, east of Greenwich.
    #[schemars(range(min = -180, max = 180))]
    pub longitude: f64,
    /// In metres; 0 if absent.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

/// A kind of media, as CSS has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaType {
    /// a screen.
    Screen,
    /// paper.
    Print,
}

/// The colours that a user prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ColorScheme {
    /// dark text on light ground.
    Light,
    /// light text on dark ground.
    Dark,
    /// none.
    NoPreference,
}

/// Whether a user prefers less motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReducedMotion {
    /// less.
    Reduce,
    /// as it is.
    NoPreference,
}

/// To which other sites a cookie is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SameSite {
    /// to none.
    Strict,
    /// when a link leads there.
    Lax,
    /// to all; the cookie must be `secure`.
    None,
}

/// A cookie. One that is set needs `url` or `domain`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// A URL that gives its domain, its path and whether it is secure. Only of cookies that are set.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its domain. With a dot before it, subdomains have the cookie too.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Its path; `/` if absent.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// When it ends, in seconds since 1970; with the session of the browser if absent.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub expires: Option<f64>,
    /// Whether scripts do not see it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub http_only: Option<bool>,
    /// Whether it is sent by HTTPS only.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub secure: Option<bool>,
    /// To which other sites it is sent.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub same_site: Option<SameSite>,
}

/// Which cookies are removed: those to which all members apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CookieFilter {
    /// Their name.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their domain, as `cookies` lists it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Their path.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A storage of an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StorageArea {
    /// `localStorage`, of all pages of the origin in this context.
    #[default]
    Local,
    /// `sessionStorage`, of this page.
    Session,
}

/// What happens to a request of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RouteAction {
    /// it fails.
    #[default]
    Abort,
    /// it is answered with `status`, `headers` and `body`.
    Fulfill,
    /// it is sent, with `headers` changed.
    Continue,
}

/// A rule for requests of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteInfo {
    /// Its id, for `unroute`.
    pub id: String,
    /// The URLs of the requests.
    pub url: String,
    /// What happens to them.
    pub action: RouteAction,
    /// The requests to which it was applied so far.
    pub requests: u32,
}

/// A script that runs in each new document of a page, before the scripts of the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InitScript {
    /// Its id, for `remove`.
    pub id: String,
    /// Where it runs.
    pub world: World,
    /// Its length in bytes.
    pub size: u32,
}

/// A line of a page's console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleEntry {
    /// `log`, `info`, `warning`, `error`, `debug` and the other methods of `console`; `exception` for an exception that
    /// nothing caught; `network`, `security` and others for what Chrome says itself.
    pub kind: String,
    /// The first 10,000 characters of the text.
    pub text: String,
    /// The script that wrote it, or the resource that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The line of the script, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// In milliseconds since 1970.
    pub time: f64,
}

outcomes! {
    /// The cookies of the page's context.
    CookiesOf {
        /// The cookies.
        cookies: Vec<Cookie>,
    }
    /// The storage of an origin.
    StorageOf {
        /// The origin.
        origin: String,
        /// Its values by key.
        items: Attributes,
    }
    /// The rules for the requests of a page.
    RoutesOf {
        /// The rules, the oldest first. Of several that match, the newest is applied.
        routes: Vec<RouteInfo>,
        /// The id of the rule that was added.
        #[serde(skip_serializing_if = "Option::is_none")]
        added: Option<String>,
    }
    /// The init scripts of a page.
    ScriptsOf {
        /// The scripts, in the order in which they run.
        scripts: Vec<InitScript>,
        /// The id of the script that was added.
        #[serde(skip_serializing_if = "Option::is_none")]
        added: Option<String>,
    }
    /// The result of a command of CDP.
    CdpResult {
        /// The result, as Chrome wrote it.
        result: ScriptValue,
    }
    /// A page or an element as Markdown.
    MarkdownOf {
        /// The Markdown.
        markdown: String,
    }
    /// The console of a page.
    ConsoleOf {
        /// The lines, the oldest first.
        entries: Vec<ConsoleEntry>,
        /// Lines that were dropped because there were too many.
        dropped: u32,
    }
    /// The requests of a page.
    NetworkOf {
        /// The requests in the form of HAR 1.2, the oldest first, without bodies.
        har: ScriptValue,
        /// Requests that were dropped because there were too many.
        dropped: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::{operations::PageViewport, read};

    #[test]
    fn sizes_are_whole_numbers_or_null() {
        let viewport = |width: &str| {
            let json = format!(r#"{{"page":"first","width":{width},"height":null}}"#);
            read::<PageViewport>(&json).map(|viewport| viewport.width).map_err(|bad| bad.to_string())
        };
        assert_eq!(viewport("800.0"), Ok(Setting::Set(800)));
        assert_eq!(viewport("null"), Ok(Setting::Reset));
        for wrong in ["-1", "1.5", "4294967296", "\"5\""] {
            let bad = viewport(wrong).expect_err(wrong);
            assert!(bad.starts_with("width: "), "{bad}");
        }
    }
}
