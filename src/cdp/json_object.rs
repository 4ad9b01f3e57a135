//! A JSON object whose members are read and replaced without changing the rest. Objects that the
//! policy checks are serialised again, so that Chrome reads exactly what was checked.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::message;

/// The members in their order, with their values as written.
#[derive(Debug, Default)]
pub struct JsonObject<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> JsonObject<'a> {
    /// Reads one object; `None` if `json` is not one, or has a key twice.
    pub fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The raw JSON of a member.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// Whether the member is there, whatever its type.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A member read as `T`; `None` if it is absent or of another type.
    pub fn read_as<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// A string member, with lone surrogates replaced: Chrome accepts such a string, so it must not
    /// count as absent.
    pub fn string(&self, name: &str) -> Option<String> {
        message::string(self.get(name)?).map(Cow::into_owned)
    }

    /// Replaces a member by raw JSON, or adds it.
    pub fn set_raw(&mut self, name: &'a str, json: impl Into<Cow<'a, str>>) {
        let json = json.into();
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, value)) => *value = json,
            None => self.0.push((Cow::Borrowed(name), json)),
        }
    }

    /// Replaces a member by a string, or adds it.
    pub fn set_string(&mut self, name: &'a str, value: &str) {
        self.set_raw(name, quote(value));
    }

    /// Removes a member, if it exists.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| key != name);
    }
}

/// A JSON string literal.
pub fn quote(text: &str) -> String {
    // Serialising a `str` cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

impl fmt::Display for JsonObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (key, value)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            f.write_str(&quote(key))?;
            f.write_str(":")?;
            f.write_str(value)?;
        }
        f.write_str("}")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonObject<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Cow<'de, str>, Cow<'de, str>)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    // Chrome uses the last of several equal keys: a check of the first could be
                    // bypassed.
                    if members.iter().any(|(other, _): &(Cow<'de, str>, _)| *other == key.0) {
                        return Err(serde::de::Error::custom("a key stands twice"));
                    }
                    members.push((key.0, Cow::Borrowed(value.get())));
                }
                Ok(members)
            }
        }

        from.deserialize_map(Members).map(Self)
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

        Borrowed::deserialize(from).map(|key| Self(key.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_members_keep_their_text() {
        let mut object =
            JsonObject::read(r#"{"url":"\ud800","a\u0062":[1.0, 2e0],"targetId":"X"}"#).expect("an object");
        assert_eq!(object.string("targetId").as_deref(), Some("X"));
        assert_eq!(object.get("ab"), Some("[1.0, 2e0]"));
        object.set_string("targetId", "Y\"");
        object.set_raw("new", "true");
        object.remove("ab");
        assert_eq!(object.to_string(), r#"{"url":"\ud800","targetId":"Y\"","new":true}"#);
        assert!(JsonObject::read("[]").is_none() && JsonObject::read("5").is_none());
        assert!(JsonObject::read(r#"{"a":1,"\u0061":2}"#).is_none());
        assert_eq!(
            JsonObject::read(r#"{"url":"file:\ud800"}"#).and_then(|o| o.string("url")).as_deref(),
            Some("file:\u{fffd}")
        );
    }
}
