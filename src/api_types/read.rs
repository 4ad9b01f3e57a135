//! Reads the input of operations strictly: an error names the member. PURE.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};

use super::{Bad, METADATA_MOST, Metadata, NAME_MOST, Options, snapshot::Label, unknown_member};

/// Reads one of the shapes from a JSON object; the error names the member that is invalid.
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, Bad> {
    // Serde would also take an array, by the order of the members.
    if !json.trim_start().starts_with('{') {
        return Err(Bad::new("params", "is no object"));
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = match error.path().to_string() {
            path if path == "." => "params".to_owned(),
            path => path,
        };
        let why = error.inner().to_string();
        let why = without_position(&why);
        Bad { field, why: unknown_member::explain(why).unwrap_or_else(|| why.to_owned()) }
    })?;
    reader.end().map_err(|error| Bad::new("params", without_position(&error.to_string())))?;
    Ok(value)
}

/// Reads a member that is present. `null` is refused: it does not mean absent.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a whole number that is present. In JSON `5.0` is one too.
pub fn whole<'de, T: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    to_whole(f64::deserialize(deserializer)?).map(Some)
}

/// A number as a whole one, if it is.
pub(super) fn to_whole<T: TryFrom<u64>, E: Error>(given: f64) -> Result<T, E> {
    /// From here on a float does not hold every whole number.
    const MOST: f64 = 9_007_199_254_740_992.0;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole, and between 0 and MOST")]
    let number = ((0.0..=MOST).contains(&given) && given.fract() == 0.0).then_some(given as u64);
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| E::custom(format!("{given} is no whole number, or is too large")))
}

/// The message of an error without the place in the text: the caller did not write the text.
fn without_position(why: &str) -> &str {
    why.rsplit_once(" at line ").map_or(why, |(why, _)| why)
}

/// Whether a session or a snapshot may have this name: [`NAME_MOST`] characters as
/// [`NAME_PATTERN`](super::NAME_PATTERN) says.
pub fn check_name(name: &str) -> Result<(), Bad> {
    let length = name.chars().count();
    if length > NAME_MOST {
        return Err(Bad::new("name", format!("{length} characters are too many; at most {NAME_MOST}")));
    }
    match name.chars().find(|char| char.is_control()) {
        Some(char) => Err(Bad::new("name", format!("has the control character {char:?}, which names may not have"))),
        None => Ok(()),
    }
}

/// Whether this metadata has all wanted members with the wanted values.
pub fn has_all(metadata: Option<&Metadata>, wanted: Option<&Metadata>) -> bool {
    let has = |(key, value): (&String, &String)| metadata.and_then(|metadata| metadata.get(key)) == Some(value);
    wanted.into_iter().flat_map(|wanted| wanted.iter()).all(has)
}

impl Label {
    /// The name, and the size of the metadata.
    pub fn check(&self) -> Result<(), Bad> {
        let Self { name, metadata, .. } = self.clone();
        Options { name, metadata, ..Options::default() }.check()
    }
}

impl Options {
    /// What does not depend on the server's settings: the name, and the size of the metadata.
    pub fn check(&self) -> Result<(), Bad> {
        check_name(self.name.as_deref().unwrap_or_default())?;
        if self.metadata.as_ref().is_some_and(|metadata| metadata.contains_key("")) {
            return Err(Bad::new("metadata", "has an empty key"));
        }
        let size = self.metadata.as_ref().map(|metadata| serde_json::to_string(metadata).map_or(0, |json| json.len()));
        if let Some(size) = size.filter(|size| *size > METADATA_MOST) {
            return Err(Bad::new("metadata", format!("{size} bytes as JSON are too many; at most {METADATA_MOST}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api_types::{
        Millis, Request, TenantLimits,
        operations::{Park, SessionRequest},
    };

    #[test]
    fn errors_name_the_member_that_cannot_be_read() {
        let bad = |name: &str, params: &str| match Request::read(name, params) {
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
        assert!(bad("updateSession", r#"{"name":"a","name":"b"}"#).contains("duplicate field `name`"));
        assert!(bad("listSessions", r#"{"state":"asleep"}"#).starts_with("state: unknown variant `asleep`"));
        assert_eq!(bad("getSession", "[]"), "params: is no object");
        assert!(bad("getSession", "{} {}").starts_with("params: "));
        assert!(bad("cloneSession", r#"{"count":0}"#).starts_with("count: 0 is not between 1 and 100"));
        assert!(bad("cloneSession", r#"{"count":1.5}"#).starts_with("count: 1.5 is not between 1 and 100"));
        assert!(bad("cloneSession", r#"{"parts":["cookies","crumbs"]}"#).starts_with("parts[1]: "));
        let limits = |json: &str| read::<TenantLimits>(json).map_err(|bad| bad.to_string());
        let whole = TenantLimits { max_sessions: Some(5), max_snapshots: Some(1 << 40), ..TenantLimits::default() };
        assert_eq!(limits(r#"{"maxSessions":5.0,"maxSnapshots":1099511627776}"#), Ok(whole));
        for wrong in ["-1", "1.5", "4294967296", "1e300", "null", "\"5\""] {
            let bad = limits(&format!(r#"{{"maxSessions":{wrong}}}"#)).expect_err(wrong);
            assert!(bad.starts_with("maxSessions: "), "{bad}");
        }
        for name in ["getSession", "listSessions", "createSession", "updateSession", "closeSession", "park", "getUsage"]
        {
            let bad = bad(name, r#"{"colour":1}"#);
            assert!(bad.contains("unknown field `colour`"), "{bad}");
        }
        assert_eq!(Request::read("sing", "{}"), None);
        let asked = Request::read("park", r#"{"id":"a","keepAlive":5}"#);
        let park = Park { id: Some("a".into()), keep_alive: Some(Millis(Duration::from_millis(5))) };
        assert_eq!(asked, Some(Ok(Request::Session(SessionRequest::Park(park)))));
    }

    #[test]
    fn bad_names_and_metadata_that_are_too_large_are_refused() {
        let named = |length| Options { name: Some("ä".repeat(length)), ..Options::default() };
        assert_eq!(named(200).check(), Ok(()));
        assert_eq!(named(201).check().map_err(|bad| bad.field), Err("name".to_owned()));
        let with = |char: char| Options { name: Some(format!("a{char}b")), ..Options::default() };
        for char in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}'] {
            assert_eq!(with(char).check().map_err(|bad| bad.field), Err("name".to_owned()), "{char:?}");
        }
        for char in [' ', '~', '\u{a0}', '\u{2028}', '\u{1f980}'] {
            assert_eq!(with(char).check(), Ok(()), "{char:?}");
        }
        let noted = |length| Options {
            metadata: Some(Metadata::from_iter([("k".to_owned(), "v".repeat(length))])),
            ..Options::default()
        };
        assert_eq!(noted(4000).check(), Ok(()));
        assert_eq!(noted(4096).check().map_err(|bad| bad.field), Err("metadata".to_owned()));
        let without_key =
            Options { metadata: Some(Metadata::from_iter([(String::new(), "v".to_owned())])), ..Options::default() };
        assert_eq!(without_key.check().map_err(|bad| bad.field), Err("metadata".to_owned()));
    }
}
