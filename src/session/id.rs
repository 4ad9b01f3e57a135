//! Session ids: random ones, those that `/json/version` mints, and those that clients choose.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::api_types::{Bad, Owner};

/// How long a minted id can open a session, and how long an ended session is remembered.
pub(super) const VALID: Duration = Duration::from_secs(24 * 3600);

/// The longest text of an id: that of a named session, a name and an owner of 64 characters each.
const LONGEST: usize = 64 + 1 + 64;

/// Whether it may be the text of an id, be it a random one, a chosen one or that of a named session.
pub(super) fn is_id(text: &str) -> bool {
    text.len() <= LONGEST && text.split('~').all(is_plain)
}

/// Whether all characters are such as a client may choose.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The id of a session of ghostmux. It belongs to its owner: the same text of two owners is two ids.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId {
    owner: Owner,
    text: Arc<str>,
}

impl SessionId {
    /// The id of this text.
    pub(super) fn new(owner: &Owner, text: impl Into<Arc<str>>) -> Self {
        Self { owner: owner.clone(), text: text.into() }
    }

    /// A new random id.
    pub(super) fn random(owner: &Owner) -> Self {
        Self::new(owner, Uuid::new_v4().to_string())
    }

    /// An id that a client chose.
    pub(super) fn chosen(owner: &Owner, id: &str) -> Result<Self, Bad> {
        if !is_plain(id) || !(8..=64).contains(&id.len()) {
            let shown: String = id.chars().take(64).collect();
            return Err(Bad::new("id", format!("{shown:?} is not an id; use 8 to 64 characters of A-Z a-z 0-9 . _ -")));
        }
        Ok(Self::new(owner, id))
    }

    /// The id of the session that an owner calls by this name. No chosen id is like it: those have no `~`.
    pub(super) fn named(owner: &Owner, name: &str) -> Result<Self, Bad> {
        if !is_plain(name) || !(1..=64).contains(&name.len()) {
            let shown: String = name.chars().take(64).collect();
            let why = format!("{shown:?} is not a name of a session; use 1 to 64 characters of A-Z a-z 0-9 . _ -");
            return Err(Bad::new("session", why));
        }
        Ok(Self::new(owner, format!("{name}~{}", owner.as_str())))
    }

    /// Whether it is the id of a named session.
    pub(super) fn is_named(&self) -> bool {
        name_in(&self.text).is_some()
    }

    /// The id as it is written in URLs.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same text, shared.
    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// To whom it belongs.
    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }
}

/// The name by which clients find the session of this id, if it has one.
pub(super) fn name_in(id: &str) -> Option<&str> {
    id.split_once('~').map(|(name, _)| name)
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.owner, self.text)
    }
}

/// Mints ids that need no memory: probes poll `/json/version`, which must create nothing.
pub(super) struct Mint {
    key: [u8; 32],
}

impl Mint {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        let (left, right) = key.split_at_mut(16);
        left.copy_from_slice(Uuid::new_v4().as_bytes());
        right.copy_from_slice(Uuid::new_v4().as_bytes());
        Self { key }
    }

    /// A new id for this owner: a random part, the time, and a MAC over both and the owner.
    pub(super) fn id(&self, owner: &Owner) -> SessionId {
        let random = Uuid::new_v4().simple().to_string();
        let text = format!("{random}-{:x}", seconds_since_epoch());
        SessionId::new(owner, format!("{text}.{}", self.mac(owner, &text)))
    }

    /// When this id was minted, in seconds since the epoch, if this server minted it for its owner and it is still valid.
    pub(super) fn made(&self, id: &SessionId) -> Option<u64> {
        let (text, mac) = id.text.split_once('.')?;
        let (_, since) = text.split_once('-')?;
        let expected = self.mac(&id.owner, text);
        let genuine: bool = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), mac.as_bytes()).into();
        let since = u64::from_str_radix(since, 16).ok().filter(|_| genuine)?;
        (seconds_since_epoch().saturating_sub(since) < VALID.as_secs()).then_some(since)
    }

    fn mac(&self, owner: &Owner, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length will do");
        // No name of an owner has this byte.
        for part in [owner.as_str(), "\0", text] {
            mac.update(part.as_bytes());
        }
        let bytes = mac.finalize().into_bytes();
        let half = bytes.iter().take(16).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        format!("{half:032x}")
    }
}

fn seconds_since_epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_minted_by_this_server_are_valid() {
        let (mint, other) = (Mint::new(), Mint::new());
        let local = Owner::local();
        let id = mint.id(&local);
        assert!(mint.made(&id).is_some());
        assert!(other.made(&id).is_none());
        assert!(
            mint.made(&SessionId::new(&"acme".parse().expect("an owner"), id.as_str())).is_none(),
            "of another owner"
        );
        for forged in ["", ".", "a.b", "a-0.b", &format!("0{id}"), &format!("{id}0")] {
            assert!(mint.made(&SessionId::new(&local, forged)).is_none(), "{forged}");
        }
    }

    #[test]
    fn names_are_plain_words_and_separate_for_each_owner() {
        let acme: Owner = "acme".parse().expect("an owner");
        for good in ["a", "Shop_1.de-DE", &"x".repeat(64)] {
            let id = SessionId::named(&Owner::local(), good).expect(good);
            assert!(id.is_named() && SessionId::chosen(&acme, id.as_str()).is_err(), "{id}");
            assert_ne!(SessionId::named(&acme, good).expect(good), id);
        }
        for bad in ["", "a b", "a/b", "a~b", "ä", &"x".repeat(65)] {
            assert!(SessionId::named(&acme, bad).is_err(), "{bad}");
        }
        assert!(!SessionId::random(&acme).is_named() && !Mint::new().id(&acme).is_named());
    }

    #[test]
    fn chosen_ids_are_plain_words() {
        for good in ["12345678", "crawl.job-7_a", &"x".repeat(64)] {
            assert!(SessionId::chosen(&Owner::local(), good).is_ok(), "{good}");
        }
        for bad in ["", "1234567", "../../etc/passwd", "a b c d e f", "ä".repeat(8).as_str(), &"x".repeat(65)] {
            assert!(SessionId::chosen(&Owner::local(), bad).is_err(), "{bad}");
        }
    }
}
