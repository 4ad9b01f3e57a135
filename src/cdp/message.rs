//! Reading of messages. `envelope` writes them, `json_text` handles the strings and numbers in
//! them.
//!
//! A [`Command`] comes from a client, which may be hostile, and is checked completely. A message
//! from Chrome is trusted to be JSON and is only [routed](route), by its two ends and in constant
//! time. The meaning of methods is unknown here, and `params` is never decoded.

use std::{borrow::Cow, str};

use serde::Deserialize;
use serde_json::value::RawValue;

pub use super::{
    command::{Command, Malformed},
    envelope::{envelope, error_reply, event, reply},
    json_text::{string, unescape},
};
use super::{ids::CallId, json_text::int32};

/// The receiver of a message from Chrome, read from its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// The kind of message.
    pub head: Head<'a>,
    /// Its CDP session.
    pub session: Option<&'a str>,
    /// The length of the text before the `,"sessionId":"…"}` at its end, or before the last brace
    /// if there is none. The text up to here, closed with a brace, is the message without its CDP
    /// session.
    pub body_end: usize,
}

/// The first member of a message from Chrome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head<'a> {
    /// A reply to the command with this id.
    Reply(CallId),
    /// An event of this method.
    Event(&'a str),
    /// Neither: an error without an id, or another message that Chrome does not send.
    Other,
}

/// Finds the receiver of a message from Chrome, without reading the text between its ends.
///
/// Chrome writes `{"id":…,"result":`, `{"id":…,"error":` or `{"method":"…","params":` first and
/// `,"sessionId":"<32 digits>"}` last. In valid JSON these bytes cannot be part of a string, whose
/// quotes would be escaped. A message in another layout is parsed; one whose `sessionId` is not its
/// last member is `Other`, because it could not be cut.
pub fn route(text: &[u8]) -> Route<'_> {
    shaped(text).or_else(|| parsed(text)).unwrap_or(Route {
        head: Head::Other,
        session: None,
        body_end: text.len().saturating_sub(1),
    })
}

const TAIL: &[u8] = b",\"sessionId\":\"";
const SESSION_LENGTH: usize = 32;

fn shaped(text: &[u8]) -> Option<Route<'_>> {
    let (head, _) = head(text)?;
    if text.ends_with(b"}}") {
        return Some(Route { head, session: None, body_end: text.len() - 1 });
    }
    let (before, session) = text.strip_suffix(b"\"}")?.split_last_chunk::<SESSION_LENGTH>()?;
    let before = before.strip_suffix(TAIL)?;
    if !session.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    Some(Route { head, session: str::from_utf8(session).ok(), body_end: before.len() })
}

/// The head of a message in Chrome's layout, and where the value of its second member begins.
fn head(text: &[u8]) -> Option<(Head<'_>, usize)> {
    if let Some(rest) = text.strip_prefix(b"{\"id\":") {
        // An int32 has at most 11 characters.
        let digits = rest.iter().take(12).position(|&byte| byte == b',')?;
        let id = int32(str::from_utf8(&rest[..digits]).ok()?)?;
        let rest = &rest[digits..];
        let rest = rest.strip_prefix(b",\"result\":").or_else(|| rest.strip_prefix(b",\"error\":"))?;
        return Some((Head::Reply(id), text.len() - rest.len()));
    }
    let rest = text.strip_prefix(b"{\"method\":\"")?;
    let name = rest.iter().take(200).position(|byte| matches!(byte, b'"' | b'\\'))?;
    let method = str::from_utf8(&rest[..name]).ok()?;
    let rest = rest[name..].strip_prefix(b"\",\"params\":")?;
    Some((Head::Event(method), text.len() - rest.len()))
}

/// A message in any layout: the members needed for routing.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow, rename = "sessionId")]
    session: Option<&'a RawValue>,
}

fn parsed(text: &[u8]) -> Option<Route<'_>> {
    let text = str::from_utf8(text).ok()?;
    let members: Members<'_> = serde_json::from_str(text).ok()?;
    let head = match (members.id, members.method) {
        (Some(id), None) => Head::Reply(int32(id.get())?),
        (None, Some(method)) => Head::Event(plain(method)?),
        _ => Head::Other,
    };
    let end = text.trim_end().strip_suffix('}')?;
    let Some(session) = members.session else { return Some(Route { head, session: None, body_end: end.len() }) };
    let body = end.trim_end().strip_suffix(session.get())?.trim_end().strip_suffix(':')?.trim_end();
    let body = body.strip_suffix("\"sessionId\"")?.trim_end().strip_suffix(',')?;
    Some(Route { head, session: Some(plain(session)?), body_end: body.len() })
}

/// The content of a string without escapes.
fn plain(raw: &RawValue) -> Option<&str> {
    let content = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    (!content.contains('\\')).then_some(content)
}

/// The outcome of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The JSON of `result`.
    Result(&'a str),
    /// An error.
    Error(Failure<'a>),
}

/// An error from Chrome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The code.
    pub code: i32,
    /// The text, decoded.
    pub message: Cow<'a, str>,
    /// The details, decoded.
    pub data: Option<Cow<'a, str>>,
}

/// The outcome in a reply; `None` if the text is not a reply.
pub fn result_or_error(text: &[u8]) -> Option<Outcome<'_>> {
    if let (Some((Head::Reply(_), value)), Some(route)) = (head(text), shaped(text)) {
        let raw = str::from_utf8(text.get(value..route.body_end)?).ok()?;
        return if text[..value].ends_with(b"\"result\":") { Some(Outcome::Result(raw)) } else { failure(raw) };
    }
    let members: Members<'_> = serde_json::from_slice(text).ok()?;
    members.id?;
    match (members.result, members.error) {
        (Some(result), None) => Some(Outcome::Result(result.get())),
        (None, Some(error)) => failure(error.get()),
        _ => None,
    }
}

fn failure(raw: &str) -> Option<Outcome<'_>> {
    #[derive(Deserialize)]
    struct Error<'a> {
        code: i32,
        #[serde(borrow)]
        message: &'a RawValue,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let error: Error<'_> = serde_json::from_str(raw).ok()?;
    Some(Outcome::Error(Failure { code: error.code, message: text_of(error.message), data: error.data.map(text_of) }))
}

/// The decoded content of a string; for another value, its JSON.
fn text_of(raw: &RawValue) -> Cow<'_, str> {
    string(raw.get()).unwrap_or(Cow::Borrowed(raw.get()))
}

/// The JSON of an event's parameters.
pub fn params_of(text: &[u8]) -> Option<&str> {
    if let (Some((Head::Event(_), value)), Some(route)) = (head(text), shaped(text)) {
        return str::from_utf8(text.get(value..route.body_end)?).ok();
    }
    let members: Members<'_> = serde_json::from_slice(text).ok()?;
    members.method?;
    members.params.map(RawValue::get)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::Value;

    use super::*;

    const SESSION: &str = "0123456789ABCDEF0123456789ABCDEF";

    #[test]
    fn messages_in_chromes_layout_are_routed_by_head_and_tail() {
        let reply = reply(CallId(-7), r#"{"a":{}}"#, Some(SESSION));
        let route_of = |text: &str| {
            let Route { head, session, body_end } = route(text.as_bytes());
            (format!("{head:?}"), session.map(str::to_owned), text[..body_end].to_owned())
        };
        let body = r#"{"id":-7,"result":{"a":{}}"#;
        assert_eq!(route_of(&reply), ("Reply(CallId(-7))".into(), Some(SESSION.into()), body.into()));
        assert_eq!(shaped(reply.as_bytes()), Some(route(reply.as_bytes())));
        let root = event("Target.targetDestroyed", r#"{"targetId":"A"}"#, None);
        let body = r#"{"method":"Target.targetDestroyed","params":{"targetId":"A"}"#;
        assert_eq!(route_of(&root), ("Event(\"Target.targetDestroyed\")".into(), None, body.into()));
        assert!(shaped(root.as_bytes()).is_some());
    }

    #[test]
    fn messages_in_another_layout_are_parsed() {
        for (text, head, session, body) in [
            (
                r#"{"error":{"code":-32700,"message":"x"}}"#,
                Head::Other,
                None,
                r#"{"error":{"code":-32700,"message":"x"}"#,
            ),
            (r#"{"id":1.0,"result":{}} "#, Head::Reply(CallId(1)), None, r#"{"id":1.0,"result":{}"#),
            (r#"{"result":{},"id":1}"#, Head::Reply(CallId(1)), None, r#"{"result":{},"id":1"#),
            (r#"{"method":"A.b"}"#, Head::Event("A.b"), None, r#"{"method":"A.b""#),
            (
                r#"{"id":1, "result":{} , "sessionId" : "S" } "#,
                Head::Reply(CallId(1)),
                Some("S"),
                r#"{"id":1, "result":{} "#,
            ),
            // This could not be cut.
            (r#"{"id":1,"sessionId":"S","result":{}}"#, Head::Other, None, r#"{"id":1,"sessionId":"S","result":{}"#),
            (r#"{"id":1,"id":2,"result":{}} "#, Head::Other, None, r#"{"id":1,"id":2,"result":{}}"#),
            (r#"{"id":4294967296,"result":{}}"#, Head::Other, None, r#"{"id":4294967296,"result":{}"#),
            ("[]", Head::Other, None, "["),
            ("", Head::Other, None, ""),
        ] {
            assert_eq!(route(text.as_bytes()), Route { head, session, body_end: body.len() }, "{text}");
        }
    }

    #[test]
    fn replies_are_split_into_id_and_result() {
        let result = reply(CallId(1), r#"{"a":"\ud800"}"#, Some(SESSION));
        assert_eq!(result_or_error(result.as_bytes()), Some(Outcome::Result(r#"{"a":"\ud800"}"#)));
        let error = error_reply(Some(CallId(1)), -32602, "a \"b\"", Some("d\n"), None);
        assert_eq!(error, r#"{"id":1,"error":{"code":-32602,"message":"a \"b\"","data":"d\n"}}"#);
        let failure = Failure { code: -32602, message: "a \"b\"".into(), data: Some("d\n".into()) };
        assert_eq!(result_or_error(error.as_bytes()), Some(Outcome::Error(failure)));
        assert_eq!(result_or_error(br#" {"result":{"a":1},"id":1}"#), Some(Outcome::Result(r#"{"a":1}"#)));
        for text in [r#"{"error":{"code":1,"message":"x"}}"#, r#"{"method":"A.b","params":{}}"#, "", "{}"] {
            assert_eq!(result_or_error(text.as_bytes()), None, "{text}");
        }
        assert_eq!(params_of(event("A.b", r#"{"c":1}"#, Some(SESSION)).as_bytes()), Some(r#"{"c":1}"#));
        assert_eq!(params_of(br#"{"params":{"c":1},"method":"A.b"}"#), Some(r#"{"c":1}"#));
        assert_eq!(params_of(br#"{"id":1,"result":{"params":{}}}"#), None);
    }

    /// Any JSON, including strings that look like the end of a message.
    fn json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            Just(format!(",\"sessionId\":\"{SESSION}\"}}")),
            Just(format!("\\\",\"sessionId\":\"{SESSION}\"}}\0{{\"id\":1}}")),
            Just("{\"id\":1,\"result\":{}}".to_owned()),
        ];
        let leaf =
            prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), text.clone().prop_map(Value::from)];
        leaf.prop_recursive(3, 20, 4, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                vec((text.clone(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn head_and_tail_agree_with_a_full_parse(
            id in any::<i32>(),
            body in vec((any::<String>(), json()), 0..4),
            session in prop::option::of("[0-9A-F]{32}"),
            kind in 0..3u8,
        ) {
            let body = Value::Object(body.into_iter().collect()).to_string();
            let session = session.as_deref();
            let text = match kind {
                0 => reply(CallId(id), &body, session),
                1 => error_reply(Some(CallId(id)), id, &body, Some(&body), session),
                _ => event("Runtime.consoleAPICalled", &body, session),
            };
            let route = route(text.as_bytes());
            prop_assert_eq!(Some(route), shaped(text.as_bytes()));
            prop_assert_eq!(Some(route), parsed(text.as_bytes()));
            let whole: Value = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(route.session, whole["sessionId"].as_str());
            let mut cut: Value = serde_json::from_str(&format!("{}}}", &text[..route.body_end])).expect("JSON");
            if let Some(session) = session {
                cut["sessionId"] = session.into();
            }
            prop_assert_eq!(&cut, &whole);
            match (kind, result_or_error(text.as_bytes())) {
                (0, outcome) => prop_assert_eq!(outcome, Some(Outcome::Result(&body))),
                (1, outcome) => {
                    let (message, data) = (body.clone().into(), Some(body.into()));
                    prop_assert_eq!(outcome, Some(Outcome::Error(Failure { code: id, message, data })));
                }
                (_, outcome) => {
                    prop_assert_eq!(outcome, None);
                    prop_assert_eq!(params_of(text.as_bytes()), Some(&*body));
                }
            }
        }

        #[test]
        fn no_bytes_make_a_reader_panic(
            head in select(&["", "{\"id\":1,\"result\":", "{\"id\":", "{\"method\":\"A.b\",\"params\":", "{\"id\":1,\"error\":"][..]),
            middle in vec(any::<u8>(), 0..40),
            tail in select(&["", "}}", "\"}", ",\"sessionId\":\"0123456789ABCDEF0123456789ABCDEF\"}"][..]),
        ) {
            let text = [head.as_bytes(), &middle, tail.as_bytes()].concat();
            let route = route(&text);
            prop_assert!(route.body_end <= text.len());
            let _ = (result_or_error(&text), params_of(&text), unescape(&String::from_utf8_lossy(&text)).len());
        }
    }
}
