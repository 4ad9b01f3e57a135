//! The check of a client's frame agrees with `serde_json`, and what it read can be written and routed.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{is_beyond_serde, recorded_frames};
use crate::cdp::{
    ids::CdpSessionId,
    message::{Command, Head, Outcome, envelope, event, params_of, reply, result_or_error, route},
};

/// A CDP session as Chrome names one.
const SESSION: &str = "0123456789ABCDEF0123456789ABCDEF";

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let mut seeds = recorded_frames();
    seeds.push(event("A.b", r#"{"c":["]}",{"d":null}]}"#, Some(SESSION)).into_bytes());
    seeds.push(reply(crate::cdp::ids::CallId(-7), r#"{"a":{}}"#, Some(SESSION)).into_bytes());
    seeds
}

pub(super) fn run(input: &[u8]) {
    let route = route(input);
    assert!(route.body_end <= input.len(), "it would be cut beyond its end");
    let _ = (result_or_error(input), params_of(input));

    let command = Command::read(Bytes::copy_from_slice(input));
    if !is_beyond_serde(input) {
        let ours = command.as_ref().ok().map(summary);
        assert_eq!(ours, model(input), "{}", String::from_utf8_lossy(input));
    }
    match command {
        Err(malformed) => {
            let reply: Value = serde_json::from_str(&malformed.reply()).expect("an error is JSON");
            assert_eq!(reply["id"].as_i64(), malformed.id.map(|id| i64::from(id.0)));
            assert!(matches!(reply["error"]["code"].as_i64(), Some(-32700 | -32600)), "{reply}");
        }
        Ok(command) => {
            assert_eq!(command.text(), input, "a frame is never changed");
            written_and_read(&command);
        }
    }
}

/// The members of a command: id, method, params, session.
type Summary = (i32, String, String, String);

fn summary(command: &Command) -> Summary {
    let session = command.session().unwrap_or_default();
    (command.id().0, command.method().to_owned(), command.params().to_owned(), session.to_owned())
}

/// What the proxy writes of a command is read as the same, and what answers it is routed to where it came from.
fn written_and_read(command: &Command) {
    let (id, params) = (command.id(), command.params());
    let session = command.session().map(CdpSessionId::from);
    let again = envelope(id, command.method(), params, session.as_ref());
    let again = Command::read(again.into()).expect("what we write is a command");
    assert_eq!(summary(&again), summary(command));

    for text in [reply(id, params, Some(SESSION)), event("Runtime.consoleAPICalled", params, Some(SESSION))] {
        let route = route(text.as_bytes());
        assert_eq!(route.session, Some(SESSION), "{text}");
        assert_eq!(format!("{},\"sessionId\":\"{SESSION}\"}}", &text[..route.body_end]), text);
        match (route.head, result_or_error(text.as_bytes())) {
            (Head::Reply(of), Some(Outcome::Result(result))) => assert_eq!((of, result), (id, params)),
            (Head::Event("Runtime.consoleAPICalled"), None) => assert_eq!(params_of(text.as_bytes()), Some(params)),
            other => panic!("{text} is read as {other:?}"),
        }
    }
}

/// All members of an object, in order, doubled ones too.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        from.deserialize_map(All).map(Self)
    }
}

impl<'a> Members<'a> {
    /// The members, if no key stands twice.
    fn unique(text: &'a str) -> Option<Self> {
        let members: Self = serde_json::from_str(text).ok()?;
        let mut keys: Vec<_> = members.0.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.windows(2).all(|pair| pair[0] != pair[1]).then_some(members)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.get())
    }
}

/// The same check, written simply and without regard to speed.
fn model(text: &[u8]) -> Option<Summary> {
    let text = str::from_utf8(text).ok()?;
    // All of it is JSON with finite numbers.
    let _: Value = serde_json::from_str(text).ok()?;
    let members = Members::unique(text)?;
    if members.0.iter().any(|(key, _)| !["id", "method", "params", "sessionId"].contains(&key.as_str())) {
        return None;
    }
    let ascii = |raw: &str| serde_json::from_str::<String>(raw).ok().filter(|text| text.is_ascii());
    let id = members.get("id").filter(|id| id.starts_with(|c: char| c == '-' || c.is_ascii_digit()))?;
    let id: f64 = id.parse().ok()?;
    let id = (id.fract() == 0.0).then(|| format!("{id:.0}").parse().ok())??;
    let method = ascii(members.get("method")?).filter(|method| !method.is_empty())?;
    let params = match members.get("params") {
        Some(params) if params.starts_with('{') => Members::unique(params).map(|_| params)?,
        Some(other) if !other.starts_with(['[', 'n']) => return None,
        _ => "{}",
    };
    let session = members.get("sessionId").map_or(Some(String::new()), ascii)?;
    Some((id, method, params.to_owned(), session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_refuses_what_the_check_refuses() {
        for (text, is_good) in [
            (r#"{"id":1,"method":"A.b"}"#, true),
            (r#"{"id":1,"method":"A.b","params":{"a":1,"a":2}}"#, false),
            (r#"{"id":1,"method":"A.b","params":{"a":{"b":1,"b":2}}}"#, true),
            (r#"{"id":1,"method":"A.b","other":1}"#, false),
            (r#"{"id":1.5,"method":"A.b"}"#, false),
        ] {
            assert_eq!(model(text.as_bytes()).is_some(), is_good, "{text}");
        }
    }
}
