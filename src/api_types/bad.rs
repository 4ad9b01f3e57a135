//! The error for a value that cannot be used. PURE.

use crate::cdp::error::CdpError;

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Bad {
    /// The name of the member, as in the definition.
    pub field: String,
    /// The problem.
    pub why: String,
}

impl Bad {
    /// The error for the member of this name.
    pub fn new(field: &str, why: impl Into<String>) -> Self {
        Self { field: field.to_owned(), why: why.into() }
    }
}

impl From<&Bad> for CdpError {
    fn from(bad: &Bad) -> Self {
        Self::params(format!("Invalid parameters: {bad}"))
    }
}
