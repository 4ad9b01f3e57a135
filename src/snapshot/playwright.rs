//! Converts Playwright's `storageState` JSON, with its `indexedDB` part, to records and back.
//!
//! A `storageState` holds cookies, localStorage and databases of one context, and nothing else. What one format has and
//! the other lacks is reported, never left out silently. A state is one JSON document, so it is held in memory as a
//! whole.

mod date;
mod export;
mod import;
mod state;
mod value;

use serde_json::value::RawValue;

pub use self::{
    export::export,
    import::{ImportError, import},
};
use super::record::Raw;

fn raw(json: String) -> Result<Raw, String> {
    RawValue::from_string(json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
