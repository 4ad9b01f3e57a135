//! What clients ask of the service behind the domain, read strictly: what cannot be read is named. PURE.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{METADATA_MOST, Millis, NAME_MOST, Options, Wanted, given};
use crate::cdp::{error::CdpError, object::Object};

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Bad {
    /// Its name, as it stands in the definition.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl Bad {
    /// A value that cannot be used, by its name.
    pub fn new(field: &str, why: impl Into<String>) -> Self {
        Self { field: field.to_owned(), why: why.into() }
    }
}

impl From<&Bad> for CdpError {
    fn from(bad: &Bad) -> Self {
        Self::params(format!("Invalid parameters: {bad}"))
    }
}

/// An object with one member: the `result` of most commands, the `params` of most events.
pub fn object<T: Serialize + ?Sized>(name: &str, value: &T) -> String {
    // The shapes hold nothing that cannot be written.
    format!(r#"{{"{name}":{}}}"#, serde_json::to_string(value).unwrap_or_default())
}

/// Reads one of the shapes; the error names the member that is to blame.
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, Bad> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = match error.path().to_string() {
            path if path == "." => "params".to_owned(),
            path => path,
        };
        let why = error.inner().to_string();
        // Where in the text it was is of no use to whoever did not write the text.
        Bad { field, why: why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why).to_owned() }
    })
}

impl Options {
    /// What does not depend on the server's settings: the length of the name, the size of the metadata.
    pub fn check(&self) -> Result<(), Bad> {
        if let Some(length) = self.name.as_ref().map(|name| name.chars().count()).filter(|length| *length > NAME_MOST) {
            return Err(Bad::new("name", format!("{length} characters are too many; at most {NAME_MOST}")));
        }
        let size = self.metadata.as_ref().map(|metadata| serde_json::to_string(metadata).map_or(0, |json| json.len()));
        if let Some(size) = size.filter(|size| *size > METADATA_MOST) {
            return Err(Bad::new("metadata", format!("{size} bytes as JSON are too many; at most {METADATA_MOST}")));
        }
        Ok(())
    }
}

/// What a client asks of the service behind the domain: of its own session, or of another of the same owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// `ghost.getSession`.
    Get(Option<String>),
    /// `ghost.listSessions`.
    List(Wanted),
    /// `ghost.createSession`.
    Create(Option<String>, Options),
    /// `ghost.updateSession`.
    Update(Option<String>, Options),
    /// `ghost.closeSession`.
    Close(Option<String>),
    /// `ghost.park`.
    Park(Option<String>, Option<Millis>),
    /// `ghost.getUsage`.
    Usage(Option<String>),
}

impl Ask {
    /// Reads a command by its name behind `ghost.`; `None` if there is none of that name.
    pub fn read(name: &str, params: &str) -> Option<Result<Self, Bad>> {
        /// Takes `id` out of the params; the rest is one of the shapes.
        fn parts<T: DeserializeOwned>(params: &str) -> Result<(Option<String>, T), Bad> {
            let mut object = Object::read(params).ok_or_else(|| Bad::new("params", "is no object"))?;
            let id = object.get("id").map(read).transpose().map_err(|bad: Bad| Bad::new("id", bad.why))?;
            object.remove("id");
            Ok((id, read(&object.to_string())?))
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}

        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", default, deny_unknown_fields)]
        #[derive(Default)]
        struct Park {
            #[serde(deserialize_with = "given")]
            keep_alive: Option<Millis>,
        }

        Some(match name {
            "getSession" => parts::<Nothing>(params).map(|(id, _)| Self::Get(id)),
            "listSessions" => read(params).map(Self::List),
            "createSession" => parts(params).map(|(id, options)| Self::Create(id, options)),
            "updateSession" => parts(params).map(|(id, options)| Self::Update(id, options)),
            "closeSession" => parts::<Nothing>(params).map(|(id, _)| Self::Close(id)),
            "park" => parts::<Park>(params).map(|(id, park)| Self::Park(id, park.keep_alive)),
            "getUsage" => parts::<Nothing>(params).map(|(id, _)| Self::Usage(id)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cdp::ghost::Metadata;

    #[test]
    fn what_cannot_be_read_is_named() {
        let bad = |name: &str, params: &str| match Ask::read(name, params) {
            Some(Err(bad)) => bad.to_string(),
            other => panic!("{name} {params}: {other:?}"),
        };
        let negative = bad("updateSession", r#"{"timeout":-1}"#);
        assert!(negative.starts_with("timeout: -1 is no time"), "{negative}");
        assert!(bad("updateSession", r#"{"keepAlive":1e300}"#).starts_with("keepAlive: "));
        assert_eq!(bad("createSession", r#"{"name":5}"#), "name: invalid type: integer `5`, expected a string");
        assert!(bad("createSession", r#"{"metadata":{"a":1}}"#).starts_with("metadata.a: "));
        assert!(bad("getSession", r#"{"id":5}"#).starts_with("id: "));
        assert!(bad("getSession", r#"{"id":null}"#).starts_with("id: "));
        assert!(bad("updateSession", r#"{"timeout":null}"#).starts_with("timeout: "));
        assert!(bad("listSessions", r#"{"state":"asleep"}"#).starts_with("state: unknown variant `asleep`"));
        for name in ["getSession", "listSessions", "createSession", "updateSession", "closeSession", "park", "getUsage"]
        {
            let bad = bad(name, r#"{"colour":1}"#);
            assert!(bad.contains("unknown field `colour`"), "{bad}");
        }
        assert_eq!(Ask::read("sing", "{}"), None);
        let asked = Ask::read("park", r#"{"id":"a","keepAlive":5}"#);
        assert_eq!(asked, Some(Ok(Ask::Park(Some("a".into()), Some(Millis(Duration::from_millis(5)))))));
    }

    #[test]
    fn a_name_or_metadata_that_is_too_large_is_refused() {
        let named = |length| Options { name: Some("ä".repeat(length)), ..Options::default() };
        assert_eq!(named(200).check(), Ok(()));
        assert_eq!(named(201).check().map_err(|bad| bad.field), Err("name".to_owned()));
        let noted = |length| Options {
            metadata: Some(Metadata::from([("k".to_owned(), "v".repeat(length))])),
            ..Options::default()
        };
        assert_eq!(noted(4000).check(), Ok(()));
        assert_eq!(noted(4096).check().map_err(|bad| bad.field), Err("metadata".to_owned()));
    }
}
