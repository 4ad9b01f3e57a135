//! A text that nothing may print.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A secret. Neither `Debug` nor an error shows it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Keeps a secret.
    pub fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret itself: for comparing and hashing, and for the one place that hands it out.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
