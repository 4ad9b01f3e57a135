//! The owner of sessions and snapshots.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The rule for the names of tenants and of their tokens, for error messages.
pub const NAME_RULE: &str = "1 to 64 ASCII letters, digits, -, _ and .";

/// Whether a text obeys [`NAME_RULE`].
pub fn is_name(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// A name that no owner can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("owner {0:?} is none: {NAME_RULE}")]
pub struct BadOwner(pub String);

/// The tenant that owns sessions and snapshots: 1 to 64 ASCII letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Owner(Arc<str>);

impl Owner {
    /// The tenant of every caller, as long as there are no tokens.
    pub fn local() -> Self {
        Self("local".into())
    }

    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It compares as its name does.
impl Borrow<str> for Owner {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Owner {
    type Err = BadOwner;

    fn from_str(name: &str) -> Result<Self, BadOwner> {
        if is_name(name) { Ok(Self(name.into())) } else { Err(BadOwner(name.to_owned())) }
    }
}

impl TryFrom<String> for Owner {
    type Error = BadOwner;

    fn try_from(name: String) -> Result<Self, BadOwner> {
        name.parse()
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.as_str().to_owned()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_plain_names() {
        for name in ["team-1.eu", "_", &"x".repeat(64)] {
            assert!(name.parse::<Owner>().is_ok(), "{name}");
        }
        for name in ["", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(name.parse::<Owner>().is_err(), "{name}");
        }
        assert!(serde_json::from_str::<Owner>("\"a/b\"").is_err());
    }
}
