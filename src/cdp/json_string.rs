//! A string that stays JSON.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;

/// A JSON string as Chrome or a page wrote it: what it means need not be valid Unicode.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct JsonString(Box<RawValue>);

/// The empty string.
impl Default for JsonString {
    fn default() -> Self {
        Self(RawValue::from_string(r#""""#.to_owned()).expect("it is JSON"))
    }
}

impl Deref for JsonString {
    type Target = RawValue;

    fn deref(&self) -> &RawValue {
        &self.0
    }
}

impl<'de> Deserialize<'de> for JsonString {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        if raw.get().starts_with('"') {
            return Ok(Self(raw));
        }
        let kind = match raw.get().as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'n') => "null",
            Some(b't' | b'f') => "a boolean",
            _ => "a number",
        };
        Err(D::Error::custom(format_args!("it is {kind}, and a string is expected")))
    }
}
