//! Converts from ghostmux's encoding.

use std::collections::HashMap;

use data_encoding::BASE64;
use serde_json::value::RawValue;

use super::{DEEPEST, Done, VIEWS, date, is_list, list, part, put, read};
use crate::cdp::json_object::quote;

/// JSON in Playwright's format.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::snapshot::playwright) enum Written {
    /// Plain JSON.
    Plain(String),
    /// A tagged object.
    Encoded(String),
}

/// Converts from ghostmux's encoding; one for the key and the value of a row.
#[derive(Default)]
pub(in crate::snapshot::playwright) struct ToPlaywright {
    /// For each object so far, its id in Playwright's format; only lists, objects, maps and sets have one.
    ids: Vec<Option<usize>>,
    /// The bytes of buffers, by the number of their object.
    buffers: HashMap<usize, Vec<u8>>,
    last_id: usize,
}

impl ToPlaywright {
    /// Writes a value; `Err` names what Playwright's format cannot hold.
    pub(in crate::snapshot::playwright) fn write(&mut self, raw: &RawValue) -> Result<Written, String> {
        let mut plain = String::new();
        let before = self.ids.len();
        // Key and value are two documents in Playwright's format: ids start again.
        self.last_id = 0;
        if self.plain(raw, &mut plain, 0).is_ok() {
            return Ok(Written::Plain(plain));
        }
        self.ids.truncate(before);
        let mut encoded = String::new();
        self.encoded(raw, &mut encoded, 0)?;
        Ok(Written::Encoded(encoded))
    }

    /// Writes a value that consists only of lists, objects, texts, finite numbers, booleans and nulls, each used once.
    fn plain(&mut self, raw: &RawValue, to: &mut String, depth: usize) -> Result<(), ()> {
        if depth > DEEPEST {
            return Err(());
        }
        if !is_list(raw) {
            to.push_str(raw.get());
            return Ok(());
        }
        let parts = list(raw).map_err(drop)?;
        let tag: String = read(parts.first()).map_err(drop)?;
        let items: Vec<&RawValue> = match tag.as_str() {
            "a" | "o" => read(parts.get(1)).map_err(drop)?,
            _ => return Err(()),
        };
        self.ids.push(None);
        to.push(if tag == "a" { '[' } else { '{' });
        if tag == "a" {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    to.push(',');
                }
                self.plain(item, to, depth + 1)?;
            }
        } else {
            for (at, pair) in items.chunks_exact(2).enumerate() {
                if at > 0 {
                    to.push(',');
                }
                // Playwright reads its document as JavaScript, where this key has another meaning.
                if pair[0].get() == r#""__proto__""# {
                    return Err(());
                }
                to.push_str(pair[0].get());
                to.push(':');
                self.plain(pair[1], to, depth + 1)?;
            }
        }
        to.push(if tag == "a" { ']' } else { '}' });
        Ok(())
    }

    fn encoded(&mut self, raw: &RawValue, to: &mut String, depth: usize) -> Done {
        if depth > DEEPEST {
            return Err("what is nested so deep".to_owned());
        }
        if !is_list(raw) {
            to.push_str(if raw.get() == "null" { r#"{"v":"null"}"# } else { raw.get() });
            return Ok(());
        }
        let parts = list(raw)?;
        let tag: String = read(parts.first())?;
        match tag.as_str() {
            "u" => to.push_str(r#"{"v":"undefined"}"#),
            "n" => put(to, format_args!(r#"{{"v":{}}}"#, part(&parts, 1)?.get())),
            "i" => put(to, format_args!(r#"{{"bi":{}}}"#, part(&parts, 1)?.get())),
            "r" => {
                let number: usize = read(parts.get(1))?;
                let id = self.ids.get(number).copied().flatten();
                let id = id.ok_or("one object met twice that is no list, object, map or set")?;
                put(to, format_args!(r#"{{"ref":{id}}}"#));
            }
            "a" | "S" => {
                let id = self.open();
                to.push_str(if tag == "a" { r#"{"a":["# } else { r#"{"s":["# });
                for (at, item) in list(part(&parts, 1)?)?.into_iter().enumerate() {
                    if at > 0 {
                        to.push(',');
                    }
                    self.encoded(item, to, depth + 1)?;
                }
                put(to, format_args!(r#"],"id":{id}}}"#));
            }
            "o" | "m" => {
                let id = self.open();
                to.push_str(if tag == "o" { r#"{"o":["# } else { r#"{"m":["# });
                for (at, pair) in list(part(&parts, 1)?)?.chunks_exact(2).enumerate() {
                    if tag == "o" && pair[0].get() == r#""__proto__""# {
                        return Err("a key of the name __proto__".to_owned());
                    }
                    to.push_str(if at > 0 { r#",{"k":"# } else { r#"{"k":"# });
                    self.encoded(pair[0], to, depth + 1)?;
                    to.push_str(r#","v":"#);
                    self.encoded(pair[1], to, depth + 1)?;
                    to.push('}');
                }
                put(to, format_args!(r#"],"id":{id}}}"#));
            }
            "d" => {
                self.ids.push(None);
                let milliseconds: Option<f64> = read(parts.get(1))?;
                let milliseconds = milliseconds.filter(|at| at.abs() <= 8.64e15).ok_or("a date that is none")?;
                #[expect(clippy::cast_possible_truncation, reason = "a date is a whole number of milliseconds")]
                let text = date::to_text(milliseconds as i64).ok_or("a date that is none")?;
                put(to, format_args!(r#"{{"d":{}}}"#, quote(&text)));
            }
            "x" => {
                self.ids.push(None);
                put(to, format_args!(r#"{{"r":{{"p":{},"f":{}}}}}"#, part(&parts, 1)?.get(), part(&parts, 2)?.get()));
            }
            "e" => {
                self.ids.push(None);
                if parts.len() > 4 {
                    return Err("an error with a cause".to_owned());
                }
                let text =
                    |at: usize| part(&parts, at).map(|raw| if raw.get() == "null" { r#""""# } else { raw.get() });
                put(to, format_args!(r#"{{"e":{{"n":{},"m":{},"s":{}}}}}"#, text(1)?, text(2)?, text(3)?));
            }
            "b" => {
                let bytes = self.buffer(&parts)?;
                put(to, format_args!(r#"{{"ab":{{"b":"{}"}}}}"#, BASE64.encode(&bytes)));
            }
            "v" => self.view(&parts, to)?,
            other => return Err(name_of(other).to_owned()),
        }
        Ok(())
    }

    fn open(&mut self) -> usize {
        self.last_id += 1;
        self.ids.push(Some(self.last_id));
        self.last_id
    }

    fn buffer(&mut self, parts: &[&RawValue]) -> Result<Vec<u8>, String> {
        if parts.len() > 2 {
            return Err("a buffer that can grow".to_owned());
        }
        let text: String = read(parts.get(1))?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(|error| format!("what cannot be read: {error}"))?;
        self.buffers.insert(self.ids.len(), bytes.clone());
        self.ids.push(None);
        Ok(bytes)
    }

    /// A typed array has its own buffer in Playwright's format: a shared or larger buffer would change the value.
    fn view(&mut self, parts: &[&RawValue], to: &mut String) -> Done {
        let class: String = read(parts.get(1))?;
        let (word, _, size) = VIEWS.iter().find(|(_, name, _)| *name == class).ok_or_else(|| format!("a {class}"))?;
        self.ids.push(None);
        let inner = list(part(parts, 2)?)?;
        let bytes = match read::<String>(inner.first())?.as_str() {
            "b" => self.buffer(&inner)?,
            _ => return Err("several views of one buffer".to_owned()),
        };
        let (offset, length): (usize, Option<usize>) = (read(parts.get(3))?, read(parts.get(4))?);
        if offset != 0 || length.and_then(|length| length.checked_mul(*size)) != Some(bytes.len()) {
            return Err("a view of a part of a buffer".to_owned());
        }
        put(to, format_args!(r#"{{"ta":{{"b":"{}","k":"{word}"}}}}"#, BASE64.encode(&bytes)));
        Ok(())
    }
}

/// The meaning of a tag for which Playwright's format has nothing.
fn name_of(tag: &str) -> &'static str {
    match tag {
        "s" => "a list with holes or names",
        "O" => "a boxed primitive",
        "B" => "a Blob",
        "F" => "a File",
        "I" => "ImageData",
        "G" => "a point, rectangle or matrix",
        "E" => "a DOMException",
        "K" => "a CryptoKey",
        _ => "a value of that kind",
    }
}
