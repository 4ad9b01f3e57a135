//! Converts one value of `IndexedDB`. ghostmux's format is described in `docs/snapshot-content.md`. Playwright's is
//! that of its `utilityScriptSerializers`: plain JSON where that is enough, otherwise tagged objects.

mod export;
mod import;

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::date;

pub(super) use self::{
    export::{ToPlaywright, Written},
    import::FromPlaywright,
};

/// Deepest nesting of a value: an imported document must not use up the stack.
const DEEPEST: usize = 400;
/// Typed arrays: Playwright's name, the class, bytes of an element.
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

/// `Err` holds the part that cannot be converted.
type Done = Result<(), String>;

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
