//! Converts the JSON of a command to the CBOR that Chrome would have made of it (`crdtp/json.cc`).

use bytes::{Bytes, BytesMut};

use super::{ARRAY, DOUBLE, ENVELOPE, FALSE, MAP, MalformedCbor, NULL, STOP, TRUE};
use crate::cdp::special_byte::next_special;

/// Messages up to this size share one allocation.
const SMALL: usize = 1024;
/// The size of that allocation.
const POOL: usize = 2 * 1024;

/// Converts commands to CBOR. Keeps some memory between messages.
#[derive(Debug, Default)]
pub struct Encoder {
    message: Vec<u8>,
    /// The positions of the lengths of open envelopes.
    open: Vec<usize>,
    /// A string that must be decoded.
    string: Vec<u8>,
    small: BytesMut,
}

impl Encoder {
    /// The CBOR of a text that the proxy has checked or made.
    ///
    /// It checks again only what keeps it within the text and closes what is open.
    pub fn message(&mut self, text: &str) -> Result<Bytes, MalformedCbor> {
        self.message.clear();
        self.open.clear();
        self.message.reserve(text.len() + text.len() / 16);
        self.convert(text)?;
        if self.string.capacity() > SMALL {
            self.string = Vec::new();
        }
        if self.message.len() > SMALL {
            return Ok(Bytes::from(std::mem::take(&mut self.message)));
        }
        if self.small.capacity() < self.message.len() {
            self.small.reserve(POOL);
        }
        self.small.extend_from_slice(&self.message);
        // An idle session keeps almost no memory.
        self.message.shrink_to(2 * SMALL);
        Ok(self.small.split().freeze())
    }

    fn convert(&mut self, text: &str) -> Result<(), MalformedCbor> {
        let bytes = text.as_bytes();
        let mut at = 0;
        let mut over = false;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => {
                    at += 1;
                    continue;
                }
                _ if over => return Err(MalformedCbor { what: "more than one value", at }),
                b'"' => at = self.string(text, at + 1)?,
                b'{' | b'[' => {
                    self.message.extend_from_slice(&ENVELOPE);
                    self.open.push(self.message.len());
                    self.message.extend_from_slice(&[0, 0, 0, 0, if byte == b'{' { MAP } else { ARRAY }]);
                    at += 1;
                    continue;
                }
                b'}' | b']' => {
                    self.message.push(STOP);
                    let from = self.open.pop().ok_or(MalformedCbor { what: "an end of nothing", at })?;
                    let length = u32::try_from(self.message.len() - from - 4);
                    let length = length.map_err(|_| MalformedCbor { what: "too long an envelope", at })?;
                    if let Some(slot) = self.message.get_mut(from..from + 4) {
                        slot.copy_from_slice(&length.to_be_bytes());
                    }
                    at += 1;
                }
                b't' => at = self.word(bytes, at, b"true", TRUE)?,
                b'f' => at = self.word(bytes, at, b"false", FALSE)?,
                b'n' => at = self.word(bytes, at, b"null", NULL)?,
                _ => at = self.number(text, at)?,
            }
            over = self.open.is_empty();
        }
        if over { Ok(()) } else { Err(MalformedCbor { what: "no end", at }) }
    }

    fn word(&mut self, bytes: &[u8], at: usize, word: &[u8], byte: u8) -> Result<usize, MalformedCbor> {
        self.message.push(byte);
        if bytes[at..].starts_with(word) { Ok(at + word.len()) } else { Err(MalformedCbor { what: "no value", at }) }
    }

    fn number(&mut self, text: &str, at: usize) -> Result<usize, MalformedCbor> {
        let rest = &text[at..];
        let in_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(in_number).count();
        let number = &rest[..length];
        if let Ok(value) = number.parse::<i32>() {
            self.int(value);
            return Ok(at + length);
        }
        let value: f64 = number.parse().map_err(|_| MalformedCbor { what: "no value", at })?;
        #[expect(clippy::cast_possible_truncation, reason = "in range and whole")]
        if (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value) && value.fract() == 0.0 {
            self.int(value as i32);
        } else {
            self.message.push(DOUBLE);
            self.message.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        Ok(at + length)
    }

    fn int(&mut self, value: i32) {
        // A negative number is written as its distance below -1.
        let argument = if value < 0 { !value } else { value };
        head(&mut self.message, u8::from(value < 0), argument.unsigned_abs());
    }

    /// Writes the string whose content begins at `from`; returns the position after it.
    fn string(&mut self, text: &str, from: usize) -> Result<usize, MalformedCbor> {
        let bytes = text.as_bytes();
        let open = MalformedCbor { what: "a string without end", at: from };
        let (mut at, mut escaped, mut wide) = (from, false, false);
        let end = loop {
            at = next_special::<false>(bytes, at).ok_or(open)?;
            match bytes[at] {
                b'"' => break at,
                b'\\' => {
                    escaped = true;
                    let code = text.get(at + 1..).and_then(|rest| rest.strip_prefix('u'));
                    wide |= code.and_then(hex).is_some_and(|unit| unit > 0x7f);
                    at += 2;
                }
                _ => at += 1,
            }
        };
        let content = text.get(from..end).ok_or(open)?;
        wide |= !content.is_ascii();
        if !escaped && !wide {
            string_head(&mut self.message, 3, content.len(), from)?;
            self.message.extend_from_slice(content.as_bytes());
        } else {
            self.string.clear();
            decode(&mut self.string, content, wide);
            string_head(&mut self.message, if wide { 2 } else { 3 }, self.string.len(), from)?;
            self.message.extend_from_slice(&self.string);
        }
        Ok(end + 1)
    }
}

fn string_head(out: &mut Vec<u8>, kind: u8, length: usize, at: usize) -> Result<(), MalformedCbor> {
    let length = u32::try_from(length).map_err(|_| MalformedCbor { what: "too long a string", at })?;
    head(out, kind, length);
    Ok(())
}

/// An initial byte with its number, in as few bytes as possible.
fn head(out: &mut Vec<u8>, kind: u8, value: u32) {
    let kind = kind << 5;
    match (u8::try_from(value), u16::try_from(value)) {
        (Ok(value @ 0..24), _) => out.push(kind | value),
        (Ok(value), _) => out.extend_from_slice(&[kind | 0x18, value]),
        (_, Ok(value)) => {
            out.push(kind | 0x19);
            out.extend_from_slice(&value.to_be_bytes());
        }
        _ => {
            out.push(kind | 0x1a);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// The decoded content of a string: as UTF-16 if `wide`, otherwise as ASCII.
fn decode(out: &mut Vec<u8>, content: &str, wide: bool) {
    let plain = |out: &mut Vec<u8>, text: &str| {
        if wide {
            text.encode_utf16().for_each(|unit| out.extend_from_slice(&unit.to_le_bytes()));
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    };
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        plain(out, &rest[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else { return };
        rest = &rest[escape.len_utf8()..];
        let unit = match escape {
            'b' => 0x08,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'u' => {
                let unit = hex(rest).unwrap_or(0xfffd);
                rest = rest.get(4..).unwrap_or_default();
                unit
            }
            // A quote, a backslash, a slash.
            other => u16::try_from(u32::from(other)).unwrap_or(0xfffd),
        };
        out.extend_from_slice(&unit.to_le_bytes()[..if wide { 2 } else { 1 }]);
    }
    plain(out, rest);
}

/// The four hex digits at the start of an escape.
fn hex(text: &str) -> Option<u16> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}
