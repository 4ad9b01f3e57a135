//! Launch options: what a client wants of the browser of a new session.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Bad;

/// The launch options of a client library, as they are given: they are checked when the session is created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Launch(pub Map<String, Value>);

/// In the `$comment` of a type that the `ghost` domain does not describe further.
pub(super) const ANY: &str = "any value in the ghost domain";

impl JsonSchema for Launch {
    fn schema_name() -> Cow<'static, str> {
        "Launch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Launch options as in `puppeteer.launch()`, or in `chromium.launch()` of Playwright: `args` \
                with flags for Chrome, `defaultViewport`, `acceptInsecureCerts`, `slowMo` and others. What is honoured \
                where, and what is refused: `docs/launch-options.md`.",
            // The protocol's format has no word for members of several types.
            "$comment": ANY,
            "type": "object",
            "properties": {
                "args": { "type": "array", "items": { "type": "string" } },
                "headless": { "anyOf": [
                    { "type": "boolean" },
                    { "type": "string", "enum": ["true", "false", "new", "old", "shell"] },
                ] },
                "defaultViewport": { "anyOf": [
                    {
                        "type": "object",
                        "required": ["width", "height"],
                        "properties": {
                            "width": { "type": "number", "minimum": 1, "maximum": 8192 },
                            "height": { "type": "number", "minimum": 1, "maximum": 8192 },
                            "deviceScaleFactor": { "anyOf": [
                                { "type": "number", "enum": [0] },
                                { "type": "number", "minimum": 0.25, "maximum": 5 },
                            ] },
                            "isMobile": { "type": "boolean" },
                            "hasTouch": { "type": "boolean" },
                            "isLandscape": { "type": "boolean" },
                        },
                        "additionalProperties": false,
                    },
                    { "type": "null" },
                ] },
                "acceptInsecureCerts": { "type": "boolean" },
                "ignoreHTTPSErrors": { "type": "boolean" },
                "proxy": { "anyOf": [
                    {
                        "type": "object",
                        "required": ["server"],
                        "properties": {
                            "server": { "type": "string" },
                            "bypass": { "type": "string" },
                            "username": { "type": "string" },
                            "password": { "type": "string" },
                        },
                        "additionalProperties": false,
                    },
                    { "type": "null" },
                ] },
                "slowMo": { "type": "number", "minimum": 0, "maximum": 4000 },
                "enableExtensions": { "anyOf": [
                    { "type": "boolean" },
                    { "type": "array", "items": { "type": "string", "pattern": "^[^,]+$" } },
                ] },
                "ignoreDefaultArgs": { "anyOf": [
                    { "type": "boolean", "enum": [false] },
                    { "type": "array", "items": { "type": "string", "enum": ["--enable-automation"] } },
                ] },
                "devtools": { "type": "boolean", "enum": [false] },
                "stealth": { "type": "boolean", "enum": [false] },
                "ignoreAllDefaultArgs": { "type": "boolean", "enum": [false] },
                "browser": { "type": "string", "enum": ["chrome"] },
                "product": { "type": "string", "enum": ["chrome"] },
                "dumpio": {},
                "pipe": {},
                "timeout": {},
                "protocolTimeout": {},
                "waitForInitialPage": {},
                "handleSIGINT": {},
                "handleSIGTERM": {},
                "handleSIGHUP": {},
                "chromiumSandbox": {},
            },
        })
    }
}

impl Launch {
    /// Adds a flag for Chrome behind those that are there.
    pub fn add_flag(&mut self, flag: String) -> Result<(), Bad> {
        match self.0.entry("args").or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(args) => args.push(Value::String(flag)),
            _ => return Err(Bad::new("launch.args", "is no list of texts")),
        }
        Ok(())
    }
}

/// What is done with launch options that a shared browser cannot have as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaunchPolicy {
    /// They are emulated where that is possible; what is not possible is refused, unless the session asks for a dedicated
    /// browser.
    Emulate,
    /// They are emulated where that is possible; a session with others gets a dedicated browser.
    #[default]
    Dedicated,
    /// They are refused, unless the session asks for a dedicated browser.
    Refuse,
}

impl LaunchPolicy {
    /// The words in settings.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("emulate", Self::Emulate), ("dedicated", Self::Dedicated), ("refuse", Self::Refuse)];

    /// The word in settings.
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, policy)| *policy == self).map_or("", |(word, _)| word)
    }
}
