//! One value of `IndexedDB`: ours is described in `docs/snapshot-content.md`, Playwright's is what its
//! `utilityScriptSerializers` write: plain JSON where that is enough, tagged objects where not.

use std::{collections::HashMap, fmt::Write as _};

use data_encoding::BASE64;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::date;
use crate::{cdp::object::quote, snapshot::record::Raw};

/// How deep a value may be; a document from outside must not use up the stack.
const DEEPEST: usize = 400;
/// Typed arrays: Playwright's word, the class, bytes of an element.
const VIEWS: [(&str, &str, usize); 11] = [
    ("i8", "Int8Array", 1),
    ("ui8", "Uint8Array", 1),
    ("ui8c", "Uint8ClampedArray", 1),
    ("i16", "Int16Array", 2),
    ("ui16", "Uint16Array", 2),
    ("i32", "Int32Array", 4),
    ("ui32", "Uint32Array", 4),
    ("f32", "Float32Array", 4),
    ("f64", "Float64Array", 8),
    ("bi64", "BigInt64Array", 8),
    ("bui64", "BigUint64Array", 8),
];

/// `Err` says what stood in the way.
type Done = Result<(), String>;

/// JSON in Playwright's format.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It means itself.
    Plain(String),
    /// It is tagged.
    Encoded(String),
}

fn list(raw: &RawValue) -> Result<Vec<&RawValue>, String> {
    serde_json::from_str(raw.get()).map_err(|error| format!("what cannot be read: {error}"))
}

fn read<'a, T: Deserialize<'a>>(raw: Option<&&'a RawValue>) -> Result<T, String> {
    let raw = raw.ok_or("a value that lacks something")?;
    serde_json::from_str(raw.get()).map_err(|error| format!("what cannot be read: {error}"))
}

fn part<'a>(parts: &[&'a RawValue], at: usize) -> Result<&'a RawValue, String> {
    parts.get(at).copied().ok_or_else(|| "a value that lacks something".to_owned())
}

fn put(to: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = to.write_fmt(what);
}

fn is_list(raw: &RawValue) -> bool {
    raw.get().starts_with('[')
}

/// From our encoding; one for the key and the value of a row.
#[derive(Default)]
pub(super) struct ToPlaywright {
    /// For each object so far, its id there; only lists, objects, maps and sets have one.
    ids: Vec<Option<usize>>,
    /// The bytes of buffers, by the number of their object.
    buffers: HashMap<usize, Vec<u8>>,
    last_id: usize,
}

impl ToPlaywright {
    /// Writes a value; `Err` names what Playwright has nothing for.
    pub(super) fn write(&mut self, raw: &RawValue) -> Result<Written, String> {
        let mut plain = String::new();
        let before = self.ids.len();
        // Key and value are two documents there: ids begin anew.
        self.last_id = 0;
        if self.plain(raw, &mut plain, 0).is_ok() {
            return Ok(Written::Plain(plain));
        }
        self.ids.truncate(before);
        let mut encoded = String::new();
        self.encoded(raw, &mut encoded, 0)?;
        Ok(Written::Encoded(encoded))
    }

    /// Writes what is nothing but lists, objects, texts, finite numbers, booleans and nulls, each met once.
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
                // Playwright reads its document as JavaScript, where this key is something else.
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
                let text = date::to_text(milliseconds as i64);
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

    /// A typed array has a buffer of its own there: one that others see too, or that is larger, would be another.
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

/// What a tag of ours stands for, where Playwright has nothing.
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

/// Into our encoding; one for the key and the value of a row.
#[derive(Default)]
pub(super) struct FromPlaywright {
    objects: usize,
    ids: HashMap<u64, usize>,
}

/// The members of an object, in order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    fn read(raw: &'a RawValue) -> Result<Self, String> {
        serde_json::from_str(raw.get()).map_err(|error| format!("it cannot be read: {error}"))
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let raw = self.get(name).ok_or_else(|| format!("it lacks {name:?}"))?;
        serde_json::from_str(raw.get()).map_err(|error| format!("{name}: {error}"))
    }
}

impl FromPlaywright {
    /// Reads what means itself.
    pub(super) fn plain(&mut self, raw: &Raw) -> Result<String, String> {
        let mut to = String::new();
        self.read_plain(raw, &mut to, 0)?;
        Ok(to)
    }

    /// Reads what is tagged.
    pub(super) fn encoded(&mut self, raw: &Raw) -> Result<String, String> {
        let mut to = String::new();
        self.ids.clear();
        self.read_encoded(raw, &mut to, 0)?;
        Ok(to)
    }

    fn open(&mut self, id: Option<&RawValue>) {
        if let Some(id) = id.and_then(|id| id.get().parse().ok()) {
            self.ids.insert(id, self.objects);
        }
        self.objects += 1;
    }

    fn read_plain(&mut self, raw: &RawValue, to: &mut String, depth: usize) -> Done {
        if depth > DEEPEST {
            return Err("it is nested too deep".to_owned());
        }
        match raw.get().as_bytes().first() {
            Some(b'[') => {
                self.objects += 1;
                to.push_str(r#"["a",["#);
                for (at, item) in list(raw)?.into_iter().enumerate() {
                    if at > 0 {
                        to.push(',');
                    }
                    self.read_plain(item, to, depth + 1)?;
                }
            }
            Some(b'{') => {
                self.objects += 1;
                to.push_str(r#"["o",["#);
                for (at, (key, value)) in Members::read(raw)?.0.into_iter().enumerate() {
                    if at > 0 {
                        to.push(',');
                    }
                    *to += &quote(&key);
                    to.push(',');
                    self.read_plain(value, to, depth + 1)?;
                }
            }
            _ => {
                to.push_str(raw.get());
                return Ok(());
            }
        }
        to.push_str("]]");
        Ok(())
    }

    fn read_encoded(&mut self, raw: &RawValue, to: &mut String, depth: usize) -> Done {
        if depth > DEEPEST {
            return Err("it is nested too deep".to_owned());
        }
        if !raw.get().starts_with('{') {
            if is_list(raw) {
                return Err("it is a list without a tag".to_owned());
            }
            to.push_str(raw.get());
            return Ok(());
        }
        let members = Members::read(raw)?;
        let get = |name: &str| members.get(name);
        if let Some(reference) = get("ref") {
            let id: u64 = reference.get().parse().map_err(|_| "a reference that is no number".to_owned())?;
            let number = self.ids.get(&id).ok_or_else(|| format!("a reference to nothing: {id}"))?;
            put(to, format_args!(r#"["r",{number}]"#));
        } else if get("v").is_some() {
            to.push_str(match members.text("v")?.as_str() {
                "null" => "null",
                "NaN" => r#"["n","NaN"]"#,
                "Infinity" => r#"["n","Infinity"]"#,
                "-Infinity" => r#"["n","-Infinity"]"#,
                "-0" => r#"["n","-0"]"#,
                _ => r#"["u"]"#,
            });
        } else if get("d").is_some() {
            let text = members.text("d")?;
            let milliseconds = date::from_text(&text).ok_or_else(|| format!("{text:?} is no date"))?;
            self.objects += 1;
            put(to, format_args!(r#"["d",{milliseconds}]"#));
        } else if let Some(big) = get("bi") {
            put(to, format_args!(r#"["i",{}]"#, big.get()));
        } else if let Some(error) = get("e") {
            let error = Members::read(error)?;
            let text = |name: &str| error.get(name).map_or("null", RawValue::get);
            self.objects += 1;
            put(to, format_args!(r#"["e",{},{},{}]"#, text("n"), text("m"), text("s")));
        } else if let Some(pattern) = get("r") {
            let pattern = Members::read(pattern)?;
            let text = |name: &str| pattern.get(name).map_or(r#""""#, RawValue::get);
            self.objects += 1;
            put(to, format_args!(r#"["x",{},{}]"#, text("p"), text("f")));
        } else if let Some((tag, items)) = get("a").map(|a| ("a", a)).or(get("s").map(|s| ("S", s))) {
            self.open(get("id"));
            put(to, format_args!(r#"["{tag}",["#));
            for (at, item) in list(items)?.into_iter().enumerate() {
                if at > 0 {
                    to.push(',');
                }
                self.read_encoded(item, to, depth + 1)?;
            }
            to.push_str("]]");
        } else if let Some((tag, pairs)) = get("o").map(|o| ("o", o)).or(get("m").map(|m| ("m", m))) {
            self.open(get("id"));
            put(to, format_args!(r#"["{tag}",["#));
            for (at, pair) in list(pairs)?.into_iter().enumerate() {
                let pair = Members::read(pair)?;
                let (Some(key), Some(value)) = (pair.get("k"), pair.get("v")) else {
                    return Err("a pair that is none".to_owned());
                };
                if at > 0 {
                    to.push(',');
                }
                self.read_encoded(key, to, depth + 1)?;
                to.push(',');
                self.read_encoded(value, to, depth + 1)?;
            }
            to.push_str("]]");
        } else if let Some(view) = get("ta") {
            let view = Members::read(view)?;
            let (text, word) = (view.text("b")?, view.text("k")?);
            let (_, class, size) =
                VIEWS.iter().find(|(known, _, _)| *known == word).ok_or_else(|| format!("a view of kind {word:?}"))?;
            let length = BASE64.decode(text.as_bytes()).map_err(|error| error.to_string())?.len();
            if length % size != 0 {
                return Err(format!("a {class} of {length} bytes"));
            }
            self.objects += 2;
            put(to, format_args!(r#"["v","{class}",["b",{}],0,{}]"#, quote(&text), length / size));
        } else if let Some(buffer) = get("ab") {
            let text = Members::read(buffer)?.text("b")?;
            BASE64.decode(text.as_bytes()).map_err(|error| error.to_string())?;
            self.objects += 1;
            put(to, format_args!(r#"["b",{}]"#, quote(&text)));
        } else {
            let names: Vec<&str> = members.0.iter().map(|(name, _)| name.as_str()).collect();
            return Err(format!("an object of kind {names:?}"));
        }
        Ok(())
    }
}
