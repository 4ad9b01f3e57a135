//! Converts to ghostmux's encoding.

use std::collections::HashMap;

use data_encoding::BASE64;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{DEEPEST, Done, VIEWS, date, is_list, list, put};
use crate::{cdp::json_object::quote, snapshot::record::Raw};

/// Converts to ghostmux's encoding; one for the key and the value of a row.
#[derive(Default)]
pub(in crate::snapshot::playwright) struct FromPlaywright {
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
    /// Reads plain JSON.
    pub(in crate::snapshot::playwright) fn plain(&mut self, raw: &Raw) -> Result<String, String> {
        let mut to = String::new();
        self.read_plain(raw, &mut to, 0)?;
        Ok(to)
    }

    /// Reads a tagged object.
    pub(in crate::snapshot::playwright) fn encoded(&mut self, raw: &Raw) -> Result<String, String> {
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
            let id: u64 = reference.get().parse().map_err(|_| "a reference that is not a number".to_owned())?;
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
            let milliseconds = date::from_text(&text).ok_or_else(|| format!("{text:?} is not a date"))?;
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
                    return Err("a pair without two parts".to_owned());
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
