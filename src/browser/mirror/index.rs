//! A map with several values per key. PURE.

use std::{borrow::Borrow, collections::BTreeSet, hash::Hash};

use crate::cdp::ids::IdMap;

/// The values under each key, in their own order; a key without values does not exist.
#[derive(Debug)]
pub(super) struct Index<K, V>(IdMap<K, BTreeSet<V>>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self(IdMap::default())
    }
}

impl<K: Eq + Hash, V: Ord> Index<K, V> {
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.0.entry(key).or_default().insert(value);
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, value: &V)
    where
        K: Borrow<Q>,
    {
        let Some(values) = self.0.get_mut(key) else { return };
        values.remove(value);
        if values.is_empty() {
            self.0.remove(key);
        }
    }

    /// Removes a key with all its values.
    pub(super) fn take<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> BTreeSet<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key).unwrap_or_default()
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> impl Iterator<Item = &V> + use<'_, K, V, Q>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).into_iter().flatten()
    }

    pub(super) fn contains<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// All pairs, for tests.
    #[cfg(test)]
    pub(super) fn pairs(&self) -> BTreeSet<(K, V)>
    where
        K: Clone + Ord,
        V: Clone,
    {
        self.0.iter().flat_map(|(key, values)| values.iter().map(|value| (key.clone(), value.clone()))).collect()
    }
}
