//! Profiles: state under a name, which sessions begin with and may save again. PURE: types only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bad, Unreadable};

/// The rule for the names of profiles, for error messages.
pub const PROFILE_RULE: &str = "1 to 64 characters of A-Z a-z 0-9 . _ -, the first of them no dot";

/// Reads the name of a profile. The name is that of a directory, too: it names nothing outside of the one it is in.
pub fn profile_name(field: &str, name: &str) -> Result<String, Bad> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_plain) {
        return Ok(name.to_owned());
    }
    let shown: String = name.chars().take(64).collect();
    Err(Bad::new(field, format!("{shown:?} is not the name of a profile; use {PROFILE_RULE}")))
}

/// How a session uses a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileUse {
    /// What the profile is made of.
    pub kind: ProfileKind,
    /// The name, as [`profile_name`] allows it.
    pub name: String,
    /// Whether the state of the session is saved as the profile. User data always are: Chrome works on them.
    pub persist: bool,
}

impl ProfileUse {
    /// A profile in the store.
    pub fn snapshot(name: String, persist: bool) -> Self {
        Self { kind: ProfileKind::Snapshot, name, persist }
    }

    /// A user data directory.
    pub fn user_data(name: String) -> Self {
        Self { kind: ProfileKind::UserData, name, persist: true }
    }

    /// The name, if it is of this kind.
    pub fn named(&self, kind: ProfileKind) -> Option<&str> {
        (self.kind == kind).then_some(&*self.name)
    }
}

/// What a profile is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProfileKind {
    /// cookies, localStorage and `IndexedDB`, in the store: of `profile`.
    #[default]
    Snapshot,
    /// everything that Chrome keeps, extensions too, in a user data directory on the server's disk: of `userData`.
    UserData,
}

/// A profile of the owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Its name, unique among the owner's profiles of its kind.
    pub name: String,
    /// What it is made of.
    pub kind: ProfileKind,
    /// Bytes of its content; of user data, bytes on the disk.
    pub size: u64,
    /// When it was saved, or used last if it is user data, in milliseconds since 1970-01-01 UTC.
    pub saved_at: u64,
    /// When it is deleted automatically if it is not saved again, in milliseconds since 1970-01-01 UTC; absent if it is kept
    /// until a client deletes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<u64>,
    /// The session that will save it, or has it in use; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holder: Option<String>,
}

/// A page of a list of profiles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profiles {
    /// Those in the store, then user data directories, both in the order of their names.
    pub profiles: Vec<Profile>,
    /// Profiles whose record in the store cannot be read, with their names as `id`; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unreadable: Vec<Unreadable>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_profiles_are_plain_words_that_name_no_other_directory() {
        for good in ["a", "shop.de_1-x", "-", &"x".repeat(64)] {
            assert_eq!(profile_name("profile", good).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "a@b", "a\0", "ä", &"x".repeat(65)] {
            assert_eq!(profile_name("profile", bad).map_err(|bad| bad.field), Err("profile".to_owned()), "{bad:?}");
        }
    }
}
