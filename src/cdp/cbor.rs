//! The CBOR that Chrome uses on the pipe instead of JSON, and between its own parts
//! (`crdtp/cbor.cc`), and the conversion to JSON and back, as Chrome itself would do it. PURE.
//!
//! Only a part of CBOR is used. Every map and array has indefinite length and is in an *envelope*,
//! a byte string tagged as CBOR, `d8 18 5a <u32 length>`, so that readers can skip it. Integers are
//! int32, all other numbers doubles. Strings are text if Chrome had them as UTF-8 or they are
//! ASCII, otherwise byte strings of UTF-16, little-endian, including lone surrogates. Byte strings
//! tagged 22 are binary data, base64 in JSON.
//!
//! Next: [`Decoder`] for messages from Chrome, [`Encoder`] for messages to Chrome, [`route`] for
//! the receiver of a message.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use super::{ids::CallId, message::Head};

pub use self::{
    decode::{Decoded, Decoder},
    encode::Encoder,
};

/// The first bytes of an envelope, before its length.
const ENVELOPE: [u8; 3] = [0xd8, 0x18, 0x5a];
/// The same without the number of the tag, as older parts of Chrome write it.
const SHORT_ENVELOPE: [u8; 2] = [0xd8, 0x5a];
const MAP: u8 = 0xbf;
const ARRAY: u8 = 0x9f;
const STOP: u8 = 0xff;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const DOUBLE: u8 = 0xfb;
const BINARY: u8 = 0xd6;
/// The largest number of top-level members of a message from Chrome.
const MOST_MEMBERS: usize = 8;

/// Why bytes from Chrome are not a message, or a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at position {at}")]
pub struct MalformedCbor {
    /// The unexpected or missing item.
    pub what: &'static str,
    /// Its position, in bytes from the start of the message.
    pub at: usize,
}

/// The length of the message that begins with `start`, with its envelope; `None` if `start` is too
/// short.
pub fn length(start: &[u8]) -> Result<Option<usize>, MalformedCbor> {
    let mut reader = Reader { bytes: start, at: 0 };
    match start {
        [0xd8, 0x18 | 0x5a, ..] | [0xd8] | [] if start.len() < ENVELOPE.len() + 4 => Ok(None),
        _ => reader.envelope().map(Some),
    }
}

/// Finds the receiver of a message without reading the content of its envelopes: from its head, and
/// from the CDP session at its end. The cost does not depend on the size.
///
/// A message whose CDP session is not at its end is `Other`, as for [`super::message::route`].
pub fn route(message: &[u8]) -> Result<(Head<'_>, Option<&str>), MalformedCbor> {
    let mut reader = Reader::message(message)?;
    let (mut id, mut method, mut session) = (None, None, None);
    for _ in 0..MOST_MEMBERS {
        let key = match reader.item()? {
            Item::Text(key) => key,
            Item::Stop => {
                reader.end()?;
                let head = match (id, method) {
                    (Some(id), None) => Head::Reply(CallId(id)),
                    (None, Some(method)) => Head::Event(method),
                    _ => Head::Other,
                };
                return Ok((head, session));
            }
            _ => return Err(reader.fault("no key of a map")),
        };
        // The CDP session is not at the end.
        if session.is_some() {
            break;
        }
        match (key, reader.item()?) {
            (_, Item::Envelope(end)) => reader.at = end,
            (b"id", Item::Int(value)) => id = Some(value),
            (b"method", Item::Text(value)) => method = str::from_utf8(value).ok(),
            (b"sessionId", Item::Text(value)) => session = str::from_utf8(value).ok(),
            (_, Item::Map | Item::Array | Item::Stop) => return Err(reader.fault("a value without its envelope")),
            _ => {}
        }
    }
    Ok((Head::Other, None))
}

/// One item.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Item<'a> {
    /// An envelope with the following content, which ends there.
    Envelope(usize),
    Map,
    Array,
    Stop,
    False,
    True,
    Null,
    Int(i32),
    Double(f64),
    /// UTF-8, or what Chrome accepts as UTF-8.
    Text(&'a [u8]),
    /// UTF-16, little-endian; an even number of bytes.
    Wide(&'a [u8]),
    Binary(&'a [u8]),
}

/// Reads item by item; never beyond its bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Positioned after the opening of the map that all of `bytes` must be.
    fn message(bytes: &'a [u8]) -> Result<Self, MalformedCbor> {
        let mut reader = Self { bytes, at: 0 };
        if reader.envelope()? != bytes.len() {
            return Err(reader.fault("the end of the envelope is not that of the message"));
        }
        match reader.item()? {
            Item::Map => Ok(reader),
            _ => Err(reader.fault("no map")),
        }
    }

    fn fault(&self, what: &'static str) -> MalformedCbor {
        MalformedCbor { what, at: self.at }
    }

    /// Reads the head of an envelope and returns its end, which may be beyond the bytes.
    fn envelope(&mut self) -> Result<usize, MalformedCbor> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let head = if rest.starts_with(&ENVELOPE) {
            ENVELOPE.len()
        } else if rest.starts_with(&SHORT_ENVELOPE) {
            SHORT_ENVELOPE.len()
        } else {
            return Err(self.fault("no envelope"));
        };
        let length = rest[head..].first_chunk().ok_or(self.fault("no length of an envelope"))?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| self.fault("too long an envelope"))?;
        self.at += head + 4;
        self.at.checked_add(length).ok_or(self.fault("too long an envelope"))
    }

    fn end(&self) -> Result<(), MalformedCbor> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.fault("something behind the end")) }
    }

    #[inline]
    fn item(&mut self) -> Result<Item<'a>, MalformedCbor> {
        let first = *self.bytes.get(self.at).ok_or(self.fault("nothing more"))?;
        let item = match first {
            0xd8 => {
                let end = self.envelope()?;
                if end > self.bytes.len() {
                    return Err(self.fault("an envelope beyond the end"));
                }
                return Ok(Item::Envelope(end));
            }
            MAP => Item::Map,
            ARRAY => Item::Array,
            STOP => Item::Stop,
            FALSE => Item::False,
            TRUE => Item::True,
            NULL => Item::Null,
            DOUBLE => {
                let bits = self.bytes[self.at + 1..].first_chunk().ok_or(self.fault("half a double"))?;
                self.at += 8;
                Item::Double(f64::from_bits(u64::from_be_bytes(*bits)))
            }
            BINARY => {
                self.at += 1;
                match self.bytes.get(self.at) {
                    Some(0x40..=0x5b) => Item::Binary(self.content()?),
                    _ => return Err(self.fault("binary data that is no byte string")),
                }
            }
            0x00..=0x1b => Item::Int(self.int32()?),
            0x20..=0x3b => Item::Int(!self.int32()?),
            0x40..=0x5b => {
                let content = self.content()?;
                if !content.len().is_multiple_of(2) {
                    return Err(self.fault("half a character of UTF-16"));
                }
                Item::Wide(content)
            }
            0x60..=0x7b => Item::Text(self.content()?),
            _ => return Err(self.fault("no item that Chrome writes")),
        };
        if matches!(item, Item::Int(_) | Item::Text(_) | Item::Wide(_) | Item::Binary(_)) {
            return Ok(item);
        }
        self.at += 1;
        Ok(item)
    }

    fn int32(&mut self) -> Result<i32, MalformedCbor> {
        let value = self.argument()?;
        i32::try_from(value).map_err(|_| self.fault("no int32"))
    }

    fn content(&mut self) -> Result<&'a [u8], MalformedCbor> {
        let length = self.argument()?;
        let content = usize::try_from(length).ok().and_then(|length| self.bytes[self.at..].get(..length));
        let content = content.ok_or(self.fault("a string beyond the end"))?;
        self.at += content.len();
        Ok(content)
    }

    /// The number of an initial byte, in it or after it.
    fn argument(&mut self) -> Result<u64, MalformedCbor> {
        let half = self.fault("half a number");
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = match rest.first().ok_or(half)? & 0x1f {
            small @ 0..24 => {
                self.at += 1;
                return Ok(u64::from(small));
            }
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(half),
        };
        let bytes = rest.get(1..=length).ok_or(half)?;
        let value = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        self.at += 1 + length;
        Ok(value)
    }
}
