//! The store: the same tests for the embedded file and for a real Redis.

mod cli;
mod crash;
mod damage;
mod embedded;
mod memory;
mod redis;
mod suite;
pub(crate) mod test_store;

use ghostmux::{
    api_types::Owner,
    store::{New, SnapshotId, Store, StoreError},
};

/// Content of this many bytes that compresses about as well as browser storage, different for each
/// seed.
fn content(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut line = *b"{\"key\":\"________\",\"value\":\"the same again and again and again\"}\n";
    let mut content = Vec::with_capacity(bytes + line.len());
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        line[8..16].copy_from_slice(&state.to_le_bytes());
        content.extend_from_slice(&line);
    }
    content.truncate(bytes);
    content
}

pub(crate) fn owner(name: &str) -> Owner {
    name.parse().expect("an owner")
}

pub(crate) fn named(owner: &str, name: &str) -> New {
    New { name: Some(name.to_owned()), ..New::of(self::owner(owner)) }
}

/// Stores this content.
pub(crate) async fn save(store: &Store, new: New, content: &[u8]) -> Result<SnapshotId, StoreError> {
    let mut writer = store.put(new).await?;
    // In pieces smaller than a chunk, as they arrive in practice.
    for piece in content.chunks(100_003) {
        writer.write(piece).await?;
    }
    Ok(writer.commit(serde_json::json!({"bytes": content.len()})).await?.id)
}

async fn read(store: &Store, owner: &str, id: SnapshotId) -> Result<Vec<u8>, StoreError> {
    let mut reader = store.get(&self::owner(owner), id).await?;
    let mut content = Vec::new();
    while let Some(bytes) = reader.next().await? {
        content.extend(bytes);
    }
    Ok(content)
}
