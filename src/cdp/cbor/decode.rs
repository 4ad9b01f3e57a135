//! Converts Chrome's CBOR to the JSON that Chrome itself would have written, byte for byte
//! (`crdtp/json.cc`).

use std::io::Write as _;

use bytes::{Bytes, BytesMut};

use super::{Item, MalformedCbor, Reader, route};
use crate::cdp::{
    message::{Head, error_reply},
    special_byte::next_special,
};

/// Chrome does not convert a value inside more maps and arrays than this: it answers with an error.
const MAX_DEPTH: usize = 300;
/// Texts up to this size share one allocation.
const SMALL: usize = 1024;
/// The size of that allocation.
const POOL: usize = 2 * 1024;

/// Converts messages to JSON. Keeps some memory between messages.
#[derive(Debug, Default)]
pub struct Decoder {
    text: Vec<u8>,
    open: Vec<Open>,
    small: BytesMut,
}

/// The JSON of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// Its text.
    Text(Bytes),
    /// An event that nests too deep for Chrome's JSON, and so has no text.
    TooDeep,
}

/// A map or array that is not closed yet.
#[derive(Debug)]
struct Open {
    map: bool,
    /// The number of keys and values so far.
    count: usize,
    /// The end of its envelope.
    end: Option<usize>,
}

impl Decoder {
    /// The JSON of a message.
    ///
    /// A reply that nests too deep for Chrome's own conversion becomes Chrome's error for that
    /// case. Such an event has no JSON, and is not delivered. *Measured, 156, without a proxy and
    /// with JSON on the pipe:* `DOM.requestChildNodes {depth:-1}` on 160 nested elements causes
    /// neither event nor reply, and Chrome ends the page's process (`Inspector.targetCrashed`).
    pub fn text(&mut self, message: &[u8]) -> Result<Decoded, MalformedCbor> {
        self.text.clear();
        self.open.clear();
        // A large message consists mostly of strings, which are about as long in JSON.
        self.text.reserve(message.len() + message.len() / 16);
        if let Some(at) = self.convert(message)? {
            self.text.clear();
            let (Head::Reply(id), session) = route(message)? else { return Ok(Decoded::TooDeep) };
            let why = format!("Failed to convert response to JSON: CBOR: stack limit exceeded at position {at}");
            self.text.extend_from_slice(error_reply(Some(id), -32000, &why, None, session).as_bytes());
        }
        if self.text.len() > SMALL {
            return Ok(Decoded::Text(Bytes::from(std::mem::take(&mut self.text))));
        }
        if self.small.capacity() < self.text.len() {
            self.small.reserve(POOL);
        }
        self.small.extend_from_slice(&self.text);
        // An idle session keeps almost no memory.
        self.text.shrink_to(2 * SMALL);
        Ok(Decoded::Text(self.small.split().freeze()))
    }

    /// Writes the JSON of a message. Returns where it became too deep, if it did.
    fn convert(&mut self, message: &[u8]) -> Result<Option<usize>, MalformedCbor> {
        let mut reader = Reader::message(message)?;
        let out = &mut self.text;
        out.push(b'{');
        self.open.push(Open { map: true, count: 0, end: None });
        let mut envelope = None;
        while let Some(depth) = self.open.len().checked_sub(1) {
            let top = &mut self.open[depth];
            let at = reader.at;
            let item = reader.item()?;
            if item == Item::Stop {
                if envelope.is_some() || (top.map && !top.count.is_multiple_of(2)) {
                    return Err(reader.fault("an end where a value should be"));
                }
                if top.end.is_some_and(|end| end != reader.at) {
                    return Err(reader.fault("an envelope that does not end with what it holds"));
                }
                out.push(if top.map { b'}' } else { b']' });
                self.open.pop();
                continue;
            }
            if envelope.is_none() {
                let key = top.map && top.count.is_multiple_of(2);
                if key && !matches!(item, Item::Text(_) | Item::Wide(_)) {
                    return Err(reader.fault("no key of a map"));
                }
                if !key && depth >= MAX_DEPTH {
                    return Ok(Some(at));
                }
                if top.count > 0 {
                    out.push(if top.map && !key { b':' } else { b',' });
                }
                top.count += 1;
            } else if !matches!(item, Item::Map | Item::Array) {
                return Err(reader.fault("neither map nor array in an envelope"));
            }
            match item {
                Item::Envelope(end) => envelope = Some(end),
                Item::Map | Item::Array => {
                    let map = item == Item::Map;
                    out.push(if map { b'{' } else { b'[' });
                    self.open.push(Open { map, count: 0, end: envelope.take() });
                }
                Item::Stop => {}
                Item::False => out.extend_from_slice(b"false"),
                Item::True => out.extend_from_slice(b"true"),
                Item::Null => out.extend_from_slice(b"null"),
                Item::Int(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
                Item::Double(value) => double(out, value),
                Item::Text(content) => text(out, content),
                Item::Wide(content) => wide(out, content),
                Item::Binary(content) => {
                    out.push(b'"');
                    binary(out, content);
                    out.push(b'"');
                }
            }
        }
        reader.end()?;
        Ok(None)
    }
}

fn binary(out: &mut Vec<u8>, content: &[u8]) {
    let from = out.len();
    out.resize(from + data_encoding::BASE64.encode_len(content.len()), 0);
    data_encoding::BASE64.encode_mut(content, &mut out[from..]);
}

/// A character below space, a quote, or a backslash.
fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        _ => out.extend_from_slice(&unit(u16::from(byte))),
    }
}

/// `\u` and four digits.
fn unit(unit: u16) -> [u8; 6] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |shift: u16| DIGITS[usize::from(unit >> shift & 0xf)];
    [b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]
}

/// UTF-8. Chrome drops invalid bytes by its own rules.
fn text(out: &mut Vec<u8>, content: &[u8]) {
    out.push(b'"');
    let mut from = 0;
    while let Some(at) = next_special::<true>(content, from) {
        out.extend_from_slice(&content[from..at]);
        from = at + 1;
        let lead = content[at];
        if lead < 0x80 {
            escape(out, lead);
            continue;
        }
        let (more, bits) = match lead {
            0xc0..=0xdf => (1, lead & 0x1f),
            0xe0..=0xef => (2, lead & 0x0f),
            0xf0..=0xf7 => (3, lead & 0x07),
            _ => continue,
        };
        let Some(tail) = content.get(from..from + more) else { continue };
        from += more;
        let code = tail.iter().fold(u32::from(bits), |code, byte| code << 6 | u32::from(byte & 0x3f));
        if tail.iter().any(|byte| byte & 0xc0 != 0x80) || code <= 0x7f || code > 0x0010_ffff {
            continue;
        }
        let halves = [0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff)];
        let units = if code > 0xffff { &halves[..] } else { &[code] };
        for code in units {
            out.extend_from_slice(&unit(u16::try_from(*code).unwrap_or_default()));
        }
    }
    out.extend_from_slice(&content[from..]);
    out.push(b'"');
}

/// UTF-16, unit by unit.
fn wide(out: &mut Vec<u8>, content: &[u8]) {
    out.push(b'"');
    for units in content.chunks(64) {
        out.reserve(units.len() * 3);
        for pair in units.as_chunks::<2>().0 {
            match *pair {
                [byte @ (0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7f), 0] => out.push(byte),
                [byte @ 0..0x80, 0] => escape(out, byte),
                _ => out.extend_from_slice(&unit(u16::from_le_bytes(*pair))),
            }
        }
    }
    out.push(b'"');
}

/// As Chrome writes a double: whole numbers that fit an int64 in full, others with the fewest
/// digits that give the same number, as a decimal fraction from 1e-6 to 1e12, otherwise with an
/// exponent.
fn double(out: &mut Vec<u8>, value: f64) {
    const WHOLE: f64 = 9_223_372_036_854_775_808.0;
    if !value.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    #[expect(clippy::cast_possible_truncation, reason = "in range and whole")]
    if (-WHOLE..WHOLE).contains(&value) && value.fract() == 0.0 {
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        return;
    }
    // `-d.ddde-xxx`, 24 bytes at most.
    let mut buffer = [0; 32];
    let mut rest = &mut buffer[..];
    let written = write!(rest, "{value:e}").map(|()| rest.len());
    let length = buffer.len() - written.unwrap_or(buffer.len());
    let (digits, exponent) = buffer[..length].split_at(memchr::memchr(b'e', &buffer[..length]).unwrap_or(length));
    let exponent: i32 = str::from_utf8(exponent).ok().and_then(|text| text.get(1..)?.parse().ok()).unwrap_or(0);
    if let (Some(zeros), true) = (usize::try_from(-1 - exponent).ok(), exponent >= -6) {
        let (sign, digits) = digits.split_at(usize::from(value < 0.0));
        out.extend_from_slice(sign);
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', zeros));
        out.extend(digits.iter().filter(|digit| **digit != b'.'));
    } else if let (Ok(before), true) = (usize::try_from(exponent), exponent < 12) {
        // The point is after the first digit; it moves right.
        let first = usize::from(value < 0.0) + 1;
        out.extend_from_slice(&digits[..first]);
        let more = digits.get(first + 1..).unwrap_or_default();
        let (whole, fraction) = more.split_at(before.min(more.len()));
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(digits);
        out.extend_from_slice(if exponent < 0 { b"e" } else { b"e+" });
        out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
    }
}
