//! A short secret in the record of a session, encrypted with the key of the store. Without a key none is stored.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{KeyName, Store, seal};
use crate::api_types::{Owner, Secret};

/// An encrypted text, with the name of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedText {
    key: KeyName,
    /// Nonce and cipher text, in Base64.
    text: String,
}

/// Why an encrypted text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSealedText {
    /// The process has no such key.
    #[error("store_key does not have the key {0} any more")]
    UnknownKey(String),
    /// It was changed, or belongs to another session.
    #[error("what the store has of it is damaged")]
    Damaged,
}

impl Store {
    /// Encrypts a text for a session of an owner; `None` if the store has no key.
    pub fn seal_text(&self, owner: &Owner, session: &str, text: &Secret) -> Option<SealedText> {
        let key = self.0.keys.sealing()?;
        let sealed = seal::encrypt(&key.secret, &place(owner, session), text.reveal().as_bytes())?;
        Some(SealedText { key: seal::name(key), text: BASE64.encode(&sealed) })
    }

    /// The text that was encrypted for this session of this owner.
    pub fn open_text(&self, owner: &Owner, session: &str, sealed: &SealedText) -> Result<Secret, BadSealedText> {
        let known = self.0.keys.named(&sealed.key.id).filter(|known| seal::name(known) == sealed.key);
        let key = known.ok_or_else(|| BadSealedText::UnknownKey(sealed.key.id.clone()))?;
        let open = || {
            let bytes = BASE64.decode(sealed.text.as_bytes()).ok()?;
            let opened = seal::decrypt(&key.secret, &place(owner, session), &bytes)?;
            String::from_utf8(opened).ok().map(Secret::new)
        };
        open().ok_or(BadSealedText::Damaged)
    }
}

fn place(owner: &Owner, session: &str) -> Vec<u8> {
    [&b"ghostmux session\0"[..], owner.as_str().as_bytes(), b"\0", session.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{StoreKeys, StoreLimits, StorePlace, StoreSettings};

    fn store(keys: &str) -> Store {
        let keys = if keys.is_empty() { StoreKeys::default() } else { keys.parse::<StoreKeys>().expect("keys") };
        let limits = StoreLimits { snapshot: 1, bytes: 1, count: 1 };
        Store::new(&StoreSettings { place: StorePlace::File("/nowhere".into()), keys, ttl: None, limits })
    }

    #[test]
    fn secrets_open_for_their_session_alone_and_are_not_stored_without_a_key() {
        let (one, two) = (format!("a:{}", "07".repeat(32)), format!("b:{}", "08".repeat(32)));
        let (owner, other) = (Owner::local(), "other".parse::<Owner>().expect("a name"));
        let secret = Secret::new("hidden".to_owned());
        let sealed = store(&one).seal_text(&owner, "s1", &secret).expect("a key");
        assert!(!serde_json::to_string(&sealed).expect("JSON").contains("hidden"));
        let opened = |keys: &str, owner: &Owner, session: &str| store(keys).open_text(owner, session, &sealed);
        assert_eq!(opened(&one, &owner, "s1"), Ok(secret.clone()));
        assert_eq!(opened(&format!("{two}\n{one}"), &owner, "s1"), Ok(secret.clone()), "an older key");
        for (keys, owner, session, why) in [
            (&one, &owner, "s2", BadSealedText::Damaged),
            (&one, &other, "s1", BadSealedText::Damaged),
            (&two, &owner, "s1", BadSealedText::UnknownKey("a".to_owned())),
            (&String::new(), &owner, "s1", BadSealedText::UnknownKey("a".to_owned())),
        ] {
            assert_eq!(opened(keys, owner, session), Err(why));
        }
        assert_eq!(store("").seal_text(&owner, "s1", &secret), None);
    }
}
