//! The check of a client's frame: it is accepted or refused as a whole, with Chrome's own error
//! code and text.
//!
//! Bare Chrome is as strict in most points (`fixtures/frames.json` has its answers); this check is
//! stricter in two: Chrome uses the last of two equal keys in `params`, so that a check of the
//! first can be bypassed, and accepts raw control characters in strings. The check never repairs or
//! rewrites a frame.

mod scan;

use std::{borrow::Cow, ops::Range, str};

use bytes::Bytes;

use super::{
    envelope::error_reply,
    ids::CallId,
    json_text::{int32, unescape},
};

/// A completely checked command of a client: strict JSON, only the four members that Chrome knows,
/// none of them twice, no key twice in `params`.
#[derive(Clone, Debug)]
pub struct Command {
    text: Bytes,
    id: CallId,
    method: Part,
    params: Option<Range<usize>>,
    session: Option<Part>,
}

/// The content of a string: as in the text, or decoded.
#[derive(Clone, Debug)]
enum Part {
    Plain(Range<usize>),
    Decoded(Box<str>),
}

impl Command {
    /// Reads the payload of a text frame, which may have any content.
    pub fn read(text: Bytes) -> Result<Self, Malformed> {
        let utf8 = str::from_utf8(&text);
        let valid = utf8.map_or_else(|error| error.valid_up_to(), str::len);
        let members = scan::scan(&text, valid).map_err(|fault| Malformed::json(fault.what, fault.at))?;
        let Ok(utf8) = utf8 else { return Err(Malformed::json("invalid string", valid)) };
        let Some(members) = members else { return Err(Malformed::new(None, NO_OBJECT)) };
        if let Some(at) = members.control {
            return Err(Malformed::json("invalid string", at));
        }

        // In Chrome's order, up to the first error; the reply has the id if that came before.
        let (mut id, mut method, mut params, mut session) = (None, None, None, None);
        for member in members.iter() {
            let key = unescape(&utf8[member.key.clone()]);
            let value = &member.value;
            let seen = match &*key {
                "id" => id.is_some(),
                "method" => method.is_some(),
                "params" => params.is_some(),
                "sessionId" => session.is_some(),
                _ if !key.is_ascii() => return Err(Malformed::cbor(id, "invalid map key", member.key.start)),
                _ => return Err(Malformed::new(id, UNKNOWN_MEMBER)),
            };
            if seen {
                return Err(Malformed::cbor(id, "duplicate map key", member.key.start));
            }
            match &*key {
                "id" => id = Some(int32(&utf8[value.clone()]).ok_or(Malformed::new(None, NO_ID))?),
                "method" => method = Some(Part::read(utf8, value).ok_or(Malformed::new(id, NO_METHOD))?),
                "sessionId" => session = Some(Part::read(utf8, value).ok_or(Malformed::new(id, BAD_SESSION))?),
                _ => {
                    params = Some(match text[value.start] {
                        b'{' => Some(value.clone()),
                        b'[' | b'n' => None,
                        _ => return Err(Malformed::new(id, BAD_PARAMS)),
                    });
                    if let Some(position) = member.repeated {
                        return Err(Malformed::cbor(id, "duplicate map key", position));
                    }
                }
            }
        }
        let id = id.ok_or(Malformed::new(None, NO_ID))?;
        let method = method.filter(|method| !method.is_empty()).ok_or(Malformed::new(Some(id), NO_METHOD))?;
        let session = session.filter(|session| !session.is_empty());
        Ok(Self { id, method, params: params.flatten(), session, text })
    }

    /// The id for its reply.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// The method, decoded; never empty, always ASCII.
    pub fn method(&self) -> &str {
        self.method.get(&self.text)
    }

    /// The JSON object of the parameters as the client wrote it; `{}` if it is missing, `null` or
    /// an array.
    pub fn params(&self) -> &str {
        self.params.as_ref().map_or("{}", |span| checked(&self.text[span.clone()]))
    }

    /// Its CDP session, decoded; `None` for the root, which can also be written as `""`.
    pub fn session(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.get(&self.text))
    }

    /// The whole text as the client sent it.
    pub fn text(&self) -> &Bytes {
        &self.text
    }
}

impl Part {
    /// The JSON string at `span`, if Chrome accepts it there: pure ASCII.
    fn read(text: &str, span: &Range<usize>) -> Option<Self> {
        let inner = span.start + 1..span.end - 1;
        let raw = text[span.clone()].strip_prefix('"')?.strip_suffix('"')?;
        let content = unescape(raw);
        content.is_ascii().then(|| match content {
            Cow::Borrowed(_) => Self::Plain(inner),
            Cow::Owned(content) => Self::Decoded(content.into_boxed_str()),
        })
    }

    fn get<'a>(&'a self, text: &'a [u8]) -> &'a str {
        match self {
            Self::Plain(span) => checked(&text[span.clone()]),
            Self::Decoded(content) => content,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Plain(span) if span.is_empty())
    }
}

const NO_OBJECT: &str = "Message must be an object";
const NO_ID: &str = "Message must have integer 'id' property";
const NO_METHOD: &str = "Message must have string 'method' property";
const BAD_SESSION: &str = "Message may have string 'sessionId' property";
const BAD_PARAMS: &str = "Message may have object 'params' property";
const UNKNOWN_MEMBER: &str = "Message has property other than 'id', 'method', 'sessionId', 'params'";

/// The error of a frame, with Chrome's code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The frame's id, if Chrome would have read it before the error.
    pub id: Option<CallId>,
    /// `-32700` for text that is not JSON, `-32600` for JSON that is not a command.
    pub code: i32,
    /// Chrome's text. Positions in `JSON:` texts are Chrome's, those in `CBOR:` texts refer to the
    /// JSON instead.
    pub message: Cow<'static, str>,
}

impl Malformed {
    /// Chrome's reply. It never has a `sessionId`.
    pub fn reply(&self) -> String {
        error_reply(self.id, self.code, &self.message, None, None)
    }

    fn new(id: Option<CallId>, message: &'static str) -> Self {
        Self { id, code: -32600, message: message.into() }
    }

    fn json(what: &str, at: usize) -> Self {
        Self { id: None, code: -32700, message: format!("JSON: {what} at position {at}").into() }
    }

    fn cbor(id: Option<CallId>, what: &str, at: usize) -> Self {
        Self { id, code: -32700, message: format!("CBOR: {what} at position {at}").into() }
    }
}

fn checked(text: &[u8]) -> &str {
    str::from_utf8(text).expect("a command's text is valid UTF-8")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde::Deserialize;

    use super::*;
    use crate::fuzzing;

    const SESSION: &str = "0123456789ABCDEF0123456789ABCDEF";

    fn read(text: &str) -> Result<Command, Malformed> {
        Command::read(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// A frame, and the answer of Chrome 156, which is the same over the pipe and a WebSocket.
    #[derive(Deserialize)]
    struct Row {
        case: String,
        frame: Option<String>,
        /// A frame with bytes other than printable ASCII: one byte per character.
        bytes: Option<String>,
        chrome: String,
        /// Why the check refuses what Chrome accepts, or with another text.
        refused: Option<String>,
    }

    #[test]
    fn bad_frames_get_chromes_errors() {
        let rows: Vec<Row> = serde_json::from_str(include_str!("../../fixtures/frames.json")).unwrap();
        assert!(rows.len() > 700);
        for row in rows {
            let own = |text: String| text.replace("@S@", SESSION).replace("@s@", &SESSION.to_lowercase());
            let frame = match (row.frame, row.bytes) {
                (Some(frame), _) => own(frame).into_bytes(),
                (_, Some(bytes)) => own(bytes).chars().map(|byte| u8::try_from(u32::from(byte)).unwrap()).collect(),
                _ => panic!("{}: no frame", row.case),
            };
            let ours = Command::read(frame.into());
            let malformed = ["\"code\":-32700", "\"code\":-32600"].iter().any(|code| row.chrome.contains(code));
            match (ours, row.refused) {
                (ours, Some(why)) => assert!(ours.is_err(), "{}: {why}", row.case),
                (Ok(_), None) => assert!(!malformed, "{}: {}", row.case, row.chrome),
                (Err(ours), None) => {
                    // Chrome's position refers to its CBOR.
                    let words = |text: &str| match text.split_once("CBOR: ") {
                        Some(_) => text.replace(|c: char| c.is_ascii_digit(), ""),
                        None => text.to_owned(),
                    };
                    assert_eq!(words(&ours.reply()), words(&row.chrome), "{}", row.case);
                    assert_eq!(ours.id.is_some(), row.chrome.starts_with("{\"id\""), "{}", row.case);
                }
            }
        }
    }

    #[test]
    fn members_are_decoded_in_any_order() {
        let text =
            r#" {"sess\u0069onId":"AB\u0043","params": {"x":[1, 2]} ,"id":70e-1,"meth\u006fd":"Page.en\u0061ble"}"#;
        let command = read(text).unwrap();
        assert_eq!(command.id(), CallId(7));
        assert_eq!(command.method(), "Page.enable");
        assert_eq!(command.params(), r#"{"x":[1, 2]}"#);
        assert_eq!(command.session(), Some("ABC"));
        assert_eq!(command.text(), text.as_bytes());
        for params in ["null", "[]", "[1]", "{}"] {
            let command = read(&format!(r#"{{"id":-1,"method":"A.b","params":{params},"sessionId":""}}"#)).unwrap();
            assert_eq!((command.params(), command.session()), ("{}", None), "{params}");
        }
    }

    #[test]
    fn duplicate_keys_in_params_are_found_in_any_spelling() {
        let filler = |count: usize| (0..count).map(|n| format!("\"k{n}\":0,")).collect::<Vec<_>>().concat();
        for (count, params, twice) in [
            (0, r#""targetId":1,"targetId":2"#, true),
            (0, r#""targetId":1,"\u0074argetId":2"#, true),
            (0, r#""\u0061\"":1,"a\u0022":2"#, true),
            (40, r#""targetId":1,"\u0074argetId":2"#, true),
            (15, r#""targetId":1,"targetId":2"#, true),
            (16, r#""k0":2"#, true),
            (40, r#""targetId":1,"targetid":2"#, false),
            (0, r#""a":{"b":1,"b":2},"b":{"b":1}"#, false),
            (0, r#""a":"a","b":["a","b","a"]"#, false),
        ] {
            let text = format!(r#"{{"id":1,"method":"A.b","params":{{{}{params}}}}}"#, filler(count));
            assert_eq!(read(&text).is_err(), twice, "{text}");
        }
        assert!(read(r#"{"id":1,"method":"A.b","p\u0061rams":{"a":1,"a":2}}"#).is_err());
    }

    #[test]
    fn check_cost_is_linear_in_the_frame_size() {
        for text in ["[".repeat(1 << 20), "{\"a\":".repeat(1 << 18), format!("{{{}", "\"a\":1,".repeat(1 << 18))] {
            assert!(read(&text).is_err());
        }
        let keys = (0..1 << 16).map(|n| format!("\"{n}\":{n},")).collect::<Vec<_>>().concat();
        assert!(read(&format!(r#"{{"id":1,"method":"A.b","params":{{{keys}"x":1}}}}"#)).is_ok());
        assert!(read(&format!(r#"{{"id":1,"method":"A.b","params":{{{keys}"7":1}}}}"#)).is_err());
    }

    fn frame() -> impl Strategy<Value = String> {
        let keys = vec!["id", "method", "params", "sessionId", r"i\u0064", r"sessi\u006fnId", "result", "é"];
        let values = vec![
            "1",
            "-0",
            "7.0",
            "2147483648",
            "-2147483648",
            "1e999",
            "1.5",
            "\"\"",
            "\"A.b\"",
            r#""\u0041.b\n""#,
            "\"é\"",
            "null",
            "true",
            "[]",
            "[{\"a\":[]}]",
            "{}",
            r#"{"a":1,"b":{"a":1,"a":2}}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":" \\\" "}"#,
            "{\"a\":1e308}",
            "{\"a\":[0.0,-1e400]}",
        ];
        let likely = prop_oneof![
            Just(("id", "1")),
            Just(("method", "\"A.b\"")),
            Just(("params", r#"{"a":1,"b":{"a":1,"a":2}}"#)),
            Just(("sessionId", "\"ABC\"")),
        ];
        let member = prop_oneof![4 => likely, 1 => (select(keys), select(values))
            .prop_map(|(key, value)| (key, value))];
        (vec((member, select(&["", " ", "\n\t"][..])), 0..5)).prop_map(|members| {
            let members: Vec<_> =
                members.iter().map(|((key, value), space)| format!("{space}\"{key}\"{space}:{value}{space}")).collect();
            format!("{{{}}}", members.join(","))
        })
    }

    proptest! {
        #[test]
        fn check_agrees_with_serde_json(text in frame()) {
            fuzzing::run("frame", text.as_bytes());
        }

        #[test]
        fn check_agrees_with_serde_json_on_mutated_frames(
            edits in vec((any::<prop::sample::Index>(), select(&b"{}[]\",:\\0eE.-u \n\0\x1f\x80\xffa"[..]), 0..3u8), 1..4),
        ) {
            let mut text = br#"{"id":7,"method":"A.b","params":{"x":[1,{"y":"\u0041"}],"z":-1.5e3},"sessionId":"AB"}"#.to_vec();
            for (index, byte, kind) in edits {
                let at = index.index(text.len());
                match kind {
                    0 => text[at] = byte,
                    1 => text.insert(at, byte),
                    _ => { text.remove(at); }
                }
            }
            fuzzing::run("frame", &text);
        }

        #[test]
        fn no_bytes_make_the_check_panic(text in vec(any::<u8>(), 0..200)) {
            let _ = Command::read(text.into());
        }
    }
}
