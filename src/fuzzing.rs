//! Properties that hold for every input, one function each, which panics where its property does not hold.
//!
//! Not part of the program: it is compiled for tests and with the feature `fuzzing`. libFuzzer calls these functions for
//! as long as one likes (`make fuzz`), with the targets of `fuzz/fuzz_targets/`; `cargo test` calls them with the same
//! seeds and a bounded number of mutations of these.
#![allow(clippy::missing_panics_doc, reason = "a panic is how each of them reports a fault")]

mod block_list;
mod cbor;
mod frame;
#[cfg(feature = "server")]
mod guard;
mod policy;
mod proxy;
#[cfg(feature = "server")]
mod snapshot;
#[cfg(feature = "server")]
mod socks;
mod urls;

use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

/// A property, and inputs to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the target of `fuzz/`, and of the directory in `fuzz/seeds/` with inputs that once found a fault.
    pub name: &'static str,
    /// The property.
    pub run: fn(&[u8]),
    /// Inputs from the fixtures, which are close to what clients send.
    fixtures: fn() -> Vec<Vec<u8>>,
}

/// The properties of a build without the server.
pub const PURE: [Target; 6] = [
    Target { name: "frame", run: frame::run, fixtures: frame::fixtures },
    Target { name: "cbor", run: cbor::run, fixtures: cbor::fixtures },
    Target { name: "policy", run: policy::run, fixtures: policy::fixtures },
    Target { name: "urls", run: urls::run, fixtures: urls::fixtures },
    Target { name: "proxy", run: proxy::run, fixtures: proxy::fixtures },
    Target { name: "block_list", run: block_list::run, fixtures: block_list::fixtures },
];

/// Those of the server.
#[cfg(feature = "server")]
pub const SERVER: [Target; 3] = [
    Target { name: "snapshot", run: snapshot::run, fixtures: snapshot::fixtures },
    Target { name: "guard", run: guard::run, fixtures: guard::fixtures },
    Target { name: "socks", run: socks::run, fixtures: socks::fixtures },
];

/// All properties of this build.
pub fn targets() -> Vec<Target> {
    let mut all = PURE.to_vec();
    #[cfg(feature = "server")]
    all.extend(SERVER);
    all
}

/// Checks the property of this name for one input.
pub fn run(name: &str, input: &[u8]) {
    let target = targets().into_iter().find(|target| target.name == name);
    (target.expect("the name of a target").run)(input);
}

impl Target {
    /// Inputs to begin with: from the fixtures, and those that once found a fault.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = (self.fixtures)();
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(self.name);
        for entry in fs::read_dir(kept).into_iter().flatten().flatten() {
            seeds.extend(fs::read(entry.path()));
        }
        seeds
    }
}

/// The frames of `fixtures/frames.json`.
fn recorded_frames() -> Vec<Vec<u8>> {
    /// A frame; `bytes` has one character for each byte.
    #[derive(Deserialize)]
    struct Row {
        frame: Option<String>,
        bytes: Option<String>,
    }
    let rows: Vec<Row> = serde_json::from_str(include_str!("../fixtures/frames.json")).expect("rows");
    let bytes = |text: String| text.chars().filter_map(|byte| u8::try_from(u32::from(byte)).ok()).collect();
    rows.into_iter().filter_map(|row| row.frame.map(String::into_bytes).or(row.bytes.map(bytes))).collect()
}

/// The value of a JSON text, if `serde_json` can judge it: it reads neither lone surrogates nor more than 128 levels,
/// both of which Chrome accepts.
fn judged(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// Whether `serde_json` refuses a text for a reason that is not the text's fault.
fn is_beyond_serde(text: &[u8]) -> bool {
    let surrogate = text.windows(4).any(|four| {
        four.starts_with(b"\\u")
            && four[2].eq_ignore_ascii_case(&b'd')
            && matches!(four[3], b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F')
    });
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    surrogate || deepest > 100
}

/// Whether two values are equal. Numbers are doubles, and `serde_json` may read one with another last digit.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (Some(one), Some(other)) = (one.as_f64(), other.as_f64()) else { return false };
            (one - other).abs() <= one.abs() * 1e-14
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| is_same(one, other)))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
