//! The bodies of `/function` and `/download`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::{AnyValue, given};

/// Runs code with Puppeteer in a session of its own, and answers what it returns. The code is a module:
/// `export default async ({ page, context }) => …`; `module.exports =` is understood too. Bytes are answered as they are, a text
/// as text or HTML, an object as JSON, and `{ data, type }` of another type than JSON as `data` with this content type. The
/// code may also be the body itself, as `application/javascript`. `/chromium/function` and `/chrome/function` are the same.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct QuickFunction {
    /// The code; it may be in base64.
    pub code: String,
    /// What the function is given beside the page.
    #[serde(deserialize_with = "given")]
    pub context: Option<AnyValue>,
}

/// Runs code with Puppeteer in a session of its own, as `/function`, and answers the first file that its pages have
/// downloaded, as soon as all files have arrived. `/chromium/download` and `/chrome/download` are the same.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct QuickDownload {
    /// The code; it may be in base64.
    pub code: String,
    /// What the function is given beside the page.
    #[serde(deserialize_with = "given")]
    pub context: Option<AnyValue>,
}
