//! The stored form of a chunk: compressed, then encrypted with a key, or without a key protected by a checksum. Pure
//! except for the nonce.
//!
//! The place of a chunk is authenticated with it: snapshot, owner, blob, number and whether it is the last. A chunk
//! that is moved or swapped, or a snapshot without its last chunk, does not open. docs/snapshot-format.md has the
//! layout.

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Generate as _, Payload},
};
use sha2::{Digest as _, Sha256};

use super::{BlobId, KeyName, Meta, Owner, SnapshotId, StoreError};
use crate::config::{StoreKey, StoreKeys};

/// The format of chunks that this version writes. It also reads older ones.
pub const FORMAT: u16 = 1;

/// Bytes of content in each chunk but the last. A little under a power of two, because the embedded store rounds up to
/// one, and content that does not compress grows a little.
pub const CHUNK: usize = (1 << 20) - (1 << 12);

/// Level of zstd: fast, and for the JSON of a storage within a tenth of the ratio of higher levels.
const LEVEL: i32 = 1;
const NONCE: usize = 24;
const CHECKSUM: usize = 16;

/// The place of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) format: u16,
    pub(super) id: SnapshotId,
    pub(super) owner: &'a Owner,
    pub(super) blob: BlobId,
    pub(super) number: u32,
    pub(super) last: bool,
}

impl<'a> Place<'a> {
    pub(super) fn of(meta: &'a Meta, number: u32) -> Self {
        let last = number + 1 == meta.chunks;
        Self { format: meta.format, id: meta.id, owner: &meta.owner, blob: meta.blob, number, last }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"ghostmux chunk".to_vec();
        bytes.extend(self.format.to_be_bytes());
        bytes.extend(self.id.number().to_be_bytes());
        bytes.extend(self.blob.number().to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes.push(u8::from(self.last));
        // The one part without a length is at the end.
        bytes.extend(self.owner.as_str().as_bytes());
        bytes
    }
}

/// The name of a key, and a digest that distinguishes it from another key with that name.
pub(super) fn name(key: &StoreKey) -> KeyName {
    let digest = Sha256::new().chain_update(b"ghostmux key check").chain_update(key.secret).finalize();
    let start = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    KeyName { id: key.id.clone(), check: format!("{start:016x}") }
}

/// The key that encrypted a snapshot; `None` if it is not encrypted.
pub(super) fn key_of<'a>(meta: &Meta, keys: &'a StoreKeys) -> Result<Option<&'a StoreKey>, StoreError> {
    if meta.format > FORMAT {
        let (found, known) = (u64::from(meta.format), u64::from(FORMAT));
        return Err(StoreError::Newer { what: format!("snapshot {}", meta.id), found, known });
    }
    let Some(sealed_with) = &meta.key else { return Ok(None) };
    let (id, key) = (meta.id, sealed_with.id.clone());
    match keys.named(&key) {
        None => Err(StoreError::UnknownKey { id, key }),
        Some(known) if name(known) != *sealed_with => Err(StoreError::WrongKey { id, key }),
        Some(known) => Ok(Some(known)),
    }
}

/// Compresses and encrypts up to [`CHUNK`] bytes.
pub(super) fn seal(key: Option<&StoreKey>, place: Place<'_>, content: &[u8]) -> Result<Vec<u8>, StoreError> {
    let failed = |what: &str| StoreError::Corrupt { id: place.id, what: format!("a chunk could not be {what}") };
    let packed = zstd::bulk::compress(content, LEVEL).map_err(|_| failed("compressed"))?;
    let belongs = place.bytes();
    let Some(key) = key else {
        return Ok([&checksum(&belongs, &packed)[..], &packed].concat());
    };
    encrypt(&key.secret, &belongs, &packed).ok_or_else(|| failed("sealed"))
}

/// The content given to [`seal`], if the chunk is complete and in its place.
pub(super) fn open(key: Option<&StoreKey>, place: Place<'_>, chunk: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = |what: &str| StoreError::Corrupt { id: place.id, what: format!("chunk {} {what}", place.number) };
    let belongs = place.bytes();
    let opened;
    let packed = match key {
        None => match chunk.split_at_checked(CHECKSUM) {
            Some((sum, packed)) if sum == checksum(&belongs, packed) => packed,
            _ => return Err(damaged("does not match its checksum")),
        },
        Some(key) => {
            opened = decrypt(&key.secret, &belongs, chunk).ok_or_else(|| damaged("was changed, moved or cut off"))?;
            &opened[..]
        }
    };
    // The capacity is also the limit of the unpacked size.
    zstd::bulk::decompress(packed, CHUNK).map_err(|_| damaged("does not unpack"))
}

/// Encrypts a text with a key and a nonce of its own, which comes before the cipher text. The text can be read only together
/// with `bound_to`. `None` if the text is too long for the cipher.
pub fn encrypt(key: &[u8; 32], bound_to: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let nonce = XNonce::generate();
    let sealed = XChaCha20Poly1305::new(key.into()).encrypt(&nonce, Payload { msg: text, aad: bound_to }).ok()?;
    Some([&nonce[..], &sealed].concat())
}

/// The text that was given to [`encrypt`] with the same key and `bound_to`; `None` if it is another, was changed or cut off.
pub fn decrypt(key: &[u8; 32], bound_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, msg) = sealed.split_at_checked(NONCE)?;
    XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::try_from(nonce).ok()?, Payload { msg, aad: bound_to }).ok()
}

fn checksum(belongs: &[u8], packed: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::new().chain_update(belongs).chain_update(packed).finalize();
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&digest[..CHECKSUM]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(line: &str) -> StoreKeys {
        line.parse().expect("a key")
    }

    #[test]
    fn chunks_decrypt_only_at_their_position() {
        let keys = key(&format!("k:{}", "07".repeat(32)));
        let (owner, other) = (Owner::local(), "other".parse::<Owner>().expect("a name"));
        let place =
            Place { format: FORMAT, id: SnapshotId::new(), owner: &owner, blob: BlobId::new(), number: 3, last: false };
        let content = vec![7; CHUNK];
        for key in [None, keys.sealing()] {
            let chunk = seal(key, place, &content).expect("sealed");
            assert_eq!(open(key, place, &chunk), Ok(content.clone()));
            for elsewhere in [
                Place { format: FORMAT + 1, ..place },
                Place { id: SnapshotId::new(), ..place },
                Place { owner: &other, ..place },
                Place { blob: BlobId::new(), ..place },
                Place { number: 4, ..place },
                Place { last: true, ..place },
            ] {
                assert!(matches!(open(key, elsewhere, &chunk), Err(StoreError::Corrupt { .. })), "{elsewhere:?}");
            }
        }
    }

    #[test]
    fn changed_or_truncated_chunks_are_refused() {
        let keys = key(&format!("k:{}", "07".repeat(32)));
        let owner = Owner::local();
        let place =
            Place { format: FORMAT, id: SnapshotId::new(), owner: &owner, blob: BlobId::new(), number: 0, last: true };
        for key in [None, keys.sealing()] {
            let chunk = seal(key, place, b"a token").expect("sealed");
            for at in 0..chunk.len() {
                let mut changed = chunk.clone();
                changed[at] ^= 1;
                assert!(open(key, place, &changed).is_err(), "byte {at}");
                assert!(open(key, place, &chunk[..at]).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn sealed_content_is_unreadable() {
        let keys = key(&format!("k:{}", "07".repeat(32)));
        let owner = Owner::local();
        let place =
            Place { format: FORMAT, id: SnapshotId::new(), owner: &owner, blob: BlobId::new(), number: 0, last: true };
        let shows = |chunk: &[u8]| chunk.windows(7).any(|bytes| bytes == b"a token");
        assert!(shows(&seal(None, place, b"a token").expect("stored")), "short texts do not compress");
        assert!(!shows(&seal(keys.sealing(), place, b"a token").expect("sealed")));
        // A nonce is never used twice.
        assert_ne!(seal(keys.sealing(), place, b"x"), seal(keys.sealing(), place, b"x"));
    }
}
