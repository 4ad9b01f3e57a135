//! CBOR and JSON become each other without loss, and nothing makes either larger than its input allows.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{is_beyond_serde, is_same, judged, recorded_frames};
use crate::cdp::{
    cbor::{Decoded, Decoder, Encoder, length, route},
    message::{Command, Head},
};

/// The most bytes that one byte of input becomes: a control character in a string is `\u0001` in JSON, and `[]` an
/// envelope of nine bytes in CBOR.
const MOST_GROWTH: usize = 9;
/// The bytes that are added to that once: Chrome's error for what nests too deep.
const MOST_MORE: usize = 256;

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    #[derive(Deserialize)]
    struct Row {
        cbor: String,
        json: String,
    }
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../fixtures/cbor.json")).expect("rows");
    let mut seeds = recorded_frames();
    for row in rows {
        seeds.push(data_encoding::BASE64.decode(row.cbor.as_bytes()).expect("base64"));
        seeds.push(row.json.into_bytes());
    }
    // The longest messages say nothing new.
    seeds.retain(|seed| seed.len() < 8 * 1024);
    seeds
}

pub(super) fn run(input: &[u8]) {
    decoded(input);
    // The same as the members of a message, whose envelope is right.
    let mut framed = vec![0xd8, 0x18, 0x5a];
    framed.extend(u32::try_from(input.len() + 1).unwrap_or(u32::MAX).to_be_bytes());
    framed.push(0xbf);
    framed.extend(input);
    decoded(&framed);
    if let Ok(text) = str::from_utf8(input) {
        encoded(text);
    }
}

/// Bytes from Chrome.
fn decoded(message: &[u8]) {
    let _ = length(message);
    let routed = route(message);
    let Ok(Decoded::Text(text)) = Decoder::default().text(message) else { return };
    assert!(text.len() <= message.len() * MOST_GROWTH + MOST_MORE, "{} of {} bytes", text.len(), message.len());
    let text = str::from_utf8(&text).expect("JSON is UTF-8");
    serde_json::from_str::<&RawValue>(text).expect("JSON");

    // There and back it is the same text.
    let again = Encoder::default().message(text).expect("what we wrote is JSON");
    match Decoder::default().text(&again).expect("what we wrote is a message") {
        Decoded::Text(again) => assert_eq!(again, text, "CBOR of a text that becomes another one"),
        Decoded::TooDeep => panic!("{text} has become too deep"),
    }

    // Whoever gets the message by its CBOR is named in its JSON.
    let Ok((head, session)) = routed else { return };
    let Some(value) = judged(text).filter(|_| is_unique(text)) else { return };
    if let Some(session) = session {
        assert_eq!(value["sessionId"].as_str(), Some(session), "{text}");
    }
    match head {
        Head::Reply(id) => assert_eq!(value["id"].as_i64(), Some(i64::from(id.0)), "{text}"),
        Head::Event(method) => assert_eq!(value["method"].as_str(), Some(method), "{text}"),
        Head::Other => {}
    }
}

/// Whether no member of the message stands twice.
fn is_unique(text: &str) -> bool {
    crate::cdp::json_object::JsonObject::read(text).is_some()
}

/// A text for Chrome.
fn encoded(text: &str) {
    let message = Encoder::default().message(text);
    if let Ok(message) = &message {
        assert!(message.len() <= text.len() * MOST_GROWTH + MOST_MORE, "{} of {} bytes", message.len(), text.len());
    }
    if Command::read(Bytes::copy_from_slice(text.as_bytes())).is_err() {
        return;
    }
    let message = message.expect("a command that was checked has a CBOR");
    assert_eq!(length(&message), Ok(Some(message.len())));
    let Decoded::Text(back) = Decoder::default().text(&message).expect("what we wrote is a message") else {
        panic!("a command that was checked does not nest too deep")
    };
    if !is_beyond_serde(text.as_bytes()) {
        let (back, text): (Value, Value) =
            (serde_json::from_slice(&back).expect("JSON"), serde_json::from_str(text).expect("JSON"));
        assert!(is_same(&back, &text), "{text} becomes {back}");
    }
}
