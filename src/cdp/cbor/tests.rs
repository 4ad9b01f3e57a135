use proptest::{collection::vec, prelude::*};
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::cdp::{command::Command, message};

fn json(message: &[u8]) -> Result<String, MalformedCbor> {
    let Decoded::Text(text) = Decoder::default().text(message)? else { panic!("it nests too deep") };
    Ok(String::from_utf8(text.to_vec()).expect("JSON is UTF-8"))
}

fn cbor(text: &str) -> Vec<u8> {
    Encoder::default().message(text).expect("a text that was checked").to_vec()
}

fn hex(digits: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(digits.replace(' ', "").as_bytes()).expect("hex digits")
}

/// One message of Chrome's, recorded on both pipes.
#[derive(Deserialize)]
struct Row {
    cbor: String,
    json: String,
}

#[test]
fn recorded_cbor_decodes_to_the_recorded_json() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../../fixtures/cbor.json")).expect("the corpus");
    assert!(rows.len() > 50);
    for row in rows {
        let message = data_encoding::BASE64.decode(row.cbor.as_bytes()).expect("base64");
        assert_eq!(length(&message[..7]), Ok(Some(message.len())));
        let text = json(&message).expect("a message of Chrome's");
        assert_eq!(text, row.json);
        let (head, session) = route(&message).expect("a message of Chrome's");
        let same = message::route(text.as_bytes());
        assert_eq!((head, session), (same.head, same.session), "{text}");
    }
}

#[test]
fn commands_encode_as_chrome_encodes_them() {
    for (text, bytes) in [
        (r#"{"id":1}"#, "d8185a 00000006 bf 626964 01 ff"),
        (r#" { "a" : [ ] , "b":{}} "#, "d8185a 00000018 bf 6161 d8185a00000002 9fff 6162 d8185a00000002 bfff ff"),
        (r#"{"a":[true,false,null]}"#, "d8185a 00000010 bf 6161 d8185a00000005 9f f5f4f6 ff ff"),
        (r#"{"a":23,"b":24,"c":-24,"d":-25}"#, "d8185a 00000010 bf 6161 17 6162 1818 6163 37 6164 3818 ff"),
        (r#"{"a":256,"b":65536}"#, "d8185a 0000000e bf 6161 190100 6162 1a00010000 ff"),
        (r#"{"a":2147483647,"b":-2147483648}"#, "d8185a 00000010 bf 6161 1a7fffffff 6162 3a7fffffff ff"),
        (r#"{"a":2147483648}"#, "d8185a 0000000d bf 6161 fb41e0000000000000 ff"),
        (r#"{"a":7.0,"b":70e-1,"c":-0,"d":-0.0}"#, "d8185a 0000000e bf 6161 07 6162 07 6163 00 6164 00 ff"),
        (r#"{"a":0.1}"#, "d8185a 0000000d bf 6161 fb3fb999999999999a ff"),
        (r#"{"a":"\"\\\/\b\f\n\r\t\u0041"}"#, "d8185a 0000000e bf 6161 69 225c2f080c0a0d0941 ff"),
        (r#"{"a":"é"}"#, "d8185a 00000007 bf 6161 42 e900 ff"),
        (r#"{"a":"a\u00e9"}"#, "d8185a 00000009 bf 6161 44 6100e900 ff"),
        (r#"{"a":"\ud800x\n"}"#, "d8185a 0000000b bf 6161 46 00d878000a00 ff"),
        ("{\"a\":\"\u{1f600}\u{ffff}\"}", "d8185a 0000000b bf 6161 46 3dd800deffff ff"),
        (r#"{"\u00e9":""}"#, "d8185a 00000006 bf 42e900 60 ff"),
    ] {
        assert_eq!(cbor(text), hex(bytes), "{text}");
    }
    for text in ["", "1 2", "{", "}", "[1]]", r#"{"a":"#, r#"{"a":"x"#, r#"{"a":"\"#, "nul", "[x]", "[-]"] {
        assert!(Encoder::default().message(text).is_err(), "{text}");
    }
}

#[test]
fn invalid_utf_8_is_dropped_as_chrome_drops_it() {
    let text = |content: &str| {
        let content = hex(content);
        let mut message = hex("d8185a 00000000 bf 6161");
        message.push(0x60 | u8::try_from(content.len()).expect("a short string"));
        message.extend(content);
        message.push(STOP);
        message[6] = u8::try_from(message.len() - 7).expect("a short message");
        json(&message).expect("a message")
    };
    for (content, expected) in [
        ("c3a9 7f", "{\"a\":\"\\u00e9\x7f\"}"),
        ("f09f9880 efbfbf", r#"{"a":"\ud83d\ude00\uffff"}"#),
        // An invalid first byte, half a character, an invalid second byte, an overlong form, and
        // one beyond Unicode.
        ("61 80 ff 62", r#"{"a":"ab"}"#),
        ("61 e4b8", r#"{"a":"a"}"#),
        ("61 c322 62", r#"{"a":"ab"}"#),
        ("61 c0af 62", r#"{"a":"ab"}"#),
        ("61 f7bfbfbf 62", r#"{"a":"ab"}"#),
        ("eda080", r#"{"a":"\ud800"}"#),
    ] {
        assert_eq!(text(content), expected, "{content}");
    }
}

#[test]
fn invalid_messages_are_reported() {
    for bytes in [
        "",
        "7b7d",
        "d8185a 00000002 9fff",
        "d8185a 00000003 bfff",
        "d8185a 00000002 bfff ff",
        "d8185a 00000001 bf",
        // A key without a value, a value instead of a key, UTF-16 of odd length, an invalid int, an
        // unknown tag.
        "d8185a 00000004 bf 6161 ff",
        "d8185a 00000004 bf 01 01 ff",
        "d8185a 00000006 bf 6161 4161 ff",
        "d8185a 00000009 bf 6161 1affffffff ff",
        "d8185a 00000006 bf 6161 c101 ff",
        "d8185a 00000006 bf 6161 7fff ff",
        // A string, an envelope and binary data that extend beyond the end; a scalar in an
        // envelope.
        "d8185a 00000006 bf 6161 7861 ff",
        "d8185a 0000000d bf 6161 d8185a000000ff 9fff ff",
        "d8185a 00000006 bf 6161 d641 ff",
        "d8185a 0000000c bf 6161 d8185a00000001 01 ff",
        // An envelope that does not end with its map.
        "d8185a 0000000e bf 6161 d8185a00000003 9fff ff ff",
    ] {
        assert!(json(&hex(bytes)).is_err(), "{bytes}");
    }
    assert!(length(b"{\"error\":").is_err());
    assert!(length(&hex("d8185b")).is_err() || length(&hex("d8185b")) == Ok(None));
    assert_eq!(length(&hex("d8185a")), Ok(None));
    assert_eq!(length(&hex("d8185a 00000002 bfff d8")), Ok(Some(9)));
}

#[test]
fn messages_with_a_misplaced_session_id_have_no_owner() {
    let of = |text: &str| format!("{:?}", route(&cbor(text)).map(|(head, session)| (head, session.map(str::to_owned))));
    assert_eq!(of(r#"{"id":1,"result":{},"sessionId":"AB"}"#), r#"Ok((Reply(CallId(1)), Some("AB")))"#);
    assert_eq!(of(r#"{"method":"A.b","params":{}}"#), r#"Ok((Event("A.b"), None))"#);
    assert_eq!(of(r#"{"error":{"code":1}}"#), "Ok((Other, None))");
    assert_eq!(of(r#"{"id":1,"sessionId":"AB","result":{}}"#), "Ok((Other, None))");
    assert_eq!(of(r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}"#), "Ok((Other, None))");
}

#[test]
fn too_deep_replies_become_chromes_error() {
    let nested = |levels: usize| {
        let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        json(&cbor(&format!(r#"{{"id":1,"result":{{"result":{{"value":{value}}}}},"sessionId":"AB"}}"#))).expect("JSON")
    };
    assert!(nested(298).contains(&"[".repeat(298)));
    let error = nested(299);
    assert!(
        error.starts_with(r#"{"id":1,"error":{"code":-32000,"message":"Failed to convert response to JSON: CBOR:"#)
    );
    assert!(error.ends_with(r#","sessionId":"AB"}"#), "{error}");
    let event = |levels: usize| {
        let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        Decoder::default().text(&cbor(&format!(r#"{{"method":"A.b","params":{{"nodes":{value}}},"sessionId":"AB"}}"#)))
    };
    assert!(matches!(event(299), Ok(Decoded::Text(text)) if text.starts_with(b"{\"method\":\"A.b\"")));
    assert_eq!(event(300), Ok(Decoded::TooDeep));
}

/// Any JSON that clients may write.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((any::<String>(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Whether two values are equal. Numbers are doubles, and `serde_json` may read one with a
/// different last digit.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().expect("a double"), other.as_f64().expect("a double"));
            (one - other).abs() <= one.abs() * 1e-15
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

proptest! {
    #[test]
    fn cbor_encoding_preserves_commands(params in any_json(), id in any::<i32>(), space in "[ \t\r\n]{0,2}") {
        let params = if params.is_object() { params } else { serde_json::json!({ "x": params }) };
        let text = format!(r#"{{"id":{id},{space}"method":"A.b",{space}"params":{params}{space}}}"#);
        let command = Command::read(text.clone().into()).expect("JSON of a command");
        let message = cbor(str::from_utf8(command.text()).expect("UTF-8"));
        prop_assert_eq!(length(&message), Ok(Some(message.len())));
        prop_assert_eq!(route(&message).map(|(_, session)| session), Ok(None));
        let back = json(&message).expect("what we wrote ourselves");
        let (back, text): (Value, Value) = (serde_json::from_str(&back).unwrap(), serde_json::from_str(&text).unwrap());
        prop_assert!(same(&back, &text), "{back} is not {text}");
    }

    #[test]
    fn every_double_is_read_back_as_itself(value in any::<f64>(), exponent in -30i32..30) {
        for value in [value, value.fract() * 10f64.powi(exponent), value.trunc(), f64::from(exponent) / 8.0] {
            let mut message = hex("d8185a 0000000d bf 6161 fb");
            message.extend(value.to_bits().to_be_bytes());
            message.push(STOP);
            let text = json(&message).expect("a message");
            let read = text.strip_prefix(r#"{"a":"#).and_then(|text| text.strip_suffix('}'));
            let expected = if value.is_finite() { Some(value) } else { None };
            prop_assert_eq!(read.and_then(|text| text.parse::<f64>().ok()), expected, "{}", text);
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in vec(any::<u8>(), 0..200), at in 0..200usize, by in any::<u8>()) {
        let _ = (json(&bytes), route(&bytes), length(&bytes));
        let mut message = cbor(r#"{"id":1,"result":{"a":[1,-2,0.5,"x\u00e9",{"b":"y"},[]]},"sessionId":"0123456789ABCDEF"}"#);
        let at = at % message.len();
        message[at] = by;
        let _ = (json(&message), route(&message));
        let _ = (json(&message[..at]), route(&message[..at]), length(&message[..at]));
        let mut framed = hex("d8185a 00000000 bf");
        framed.extend(&bytes);
        framed[6] = u8::try_from(framed.len() - 7).expect("short");
        let _ = (json(&framed), route(&framed));
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in any::<String>(), json in "[\\[\\]{}:,\"\\\\u0-9e.a -]{0,40}") {
        let _ = (Encoder::default().message(&text), Encoder::default().message(&json));
    }
}
