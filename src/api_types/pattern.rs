//! Regular expressions of callers, in the syntax of JavaScript as far as they can be matched in linear time. PURE.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

/// Most bytes of an expression.
const LONGEST: usize = 1024;
/// Most bytes of its compiled form.
const LARGEST: usize = 1 << 20;

/// A regular expression. The time of a match grows with the text, whatever the expression is.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Reads an expression. The error says what is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("has {} bytes, and a regular expression has at most {LONGEST}", text.len()));
        }
        // The only thing in common use that JavaScript writes in a way of its own.
        let text = text.replace("[^]", r"(?s:.)");
        let compiled = RegexBuilder::new(&text).size_limit(LARGEST).build();
        compiled.map(Self).map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("is no regular expression that can be matched in linear time (look-around and back references cannot): {last}")
        })
    }

    /// Whether some part of the text matches.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The expression.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "RegularExpression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A regular expression in the syntax of JavaScript, without look-around and back references.",
            "type": "string",
            "maxLength": LONGEST,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn expressions_match_as_in_javascript() {
        for (pattern, text, is_in) in [
            (r"\.png$", "https://a/b.png", true),
            (r"\.png$", "https://a/b.png?x", false),
            (r"^https?:\/\/[^\/]+\/ads\/", "http://a.test/ads/1", true),
            (r"(?<name>a|b)\d{2,}", "xb12", true),
            (r"[^]*z", "a\nz", true),
            (r"a\-b\_", "a-b_", true),
            ("scr[i]pt", "/script.js", true),
            ("ADS", "ads", false),
            ("", "anything", true),
        ] {
            assert_eq!(Pattern::new(pattern).expect(pattern).is_in(text), is_in, "{pattern} {text}");
        }
    }

    #[test]
    fn expressions_without_a_bound_are_refused_or_harmless() {
        for wrong in ["(", "(?=a)b", r"(a)\1", "[b-a]", "(?<!a)b", "x{5}{1000}{1000}{1000}", &"a".repeat(2000)] {
            let why = Pattern::new(wrong).expect_err(wrong);
            assert!(why.contains("regular expression") && why.len() < 400, "{why}");
        }
        let since = Instant::now();
        for bomb in ["^(a+)+$", "(a|a)*$", "(.*)*x", "(a*)*b"] {
            let _ = Pattern::new(bomb).expect(bomb).is_in(&format!("{}!", "a".repeat(8000)));
        }
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}
