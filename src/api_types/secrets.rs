//! Secrets that are typed in pages for callers who do not see them. PURE: types only.

use schemars::JsonSchema;
use serde::Serialize;

/// A secret of an owner, without what it keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// The origins in whose documents it may be typed.
    pub origins: Vec<String>,
    /// Whether it has a text.
    pub has_value: bool,
    /// Whether it has a key for one-time passwords.
    pub has_totp: bool,
    /// When it was stored, in milliseconds since 1970-01-01 UTC.
    pub stored_at: u64,
}

/// Secrets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SecretList {
    /// The secrets, by name.
    pub secrets: Vec<SecretInfo>,
    /// The `cursor` of the next page; absent if this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
