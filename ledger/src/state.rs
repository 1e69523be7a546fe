//! How the rules reach state, and how changes come back.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Why state could not be read. Never the fault of a block or a transaction: whoever meets it must
/// stop and not vote, not refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The store failed.
    #[error("reading state: {0}")]
    Read(String),
    /// An entry is there but can't be decoded.
    #[error("state entry {key} is corrupt: {reason}")]
    Corrupt {
        /// The key, in hex.
        key: String,
        /// What the decoder says.
        reason: String,
    },
    /// An entry that every state has is not there: this is no state of a sidechain.
    #[error("state has no entry {0}")]
    Missing(String),
}

/// A state at one height: keys and values. A `None` is an absent key, never an error.
pub trait StateRead: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// The store failed.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;

    /// All entries whose key begins with `prefix`, keys ascending.
    ///
    /// # Errors
    /// The store failed.
    fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, StateError>;

    /// At most `limit` of the entries of [`Self::scan`], from the key `prefix` with `from` behind it on. A store
    /// that need not read the others for it says how.
    ///
    /// # Errors
    /// The store failed.
    fn page(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StateError> {
        let first = [prefix, from].concat();
        Ok(self.scan(prefix)?.into_iter().skip_while(|(key, _)| *key < first).take(limit).collect())
    }
}

impl<T: StateRead + ?Sized> StateRead for Arc<T> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        (**self).get(key)
    }
    fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, StateError> {
        (**self).scan(prefix)
    }
    fn page(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StateError> {
        (**self).page(prefix, from, limit)
    }
}

/// What a block changes: keys to their new value, or to `None` where the entry goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChangeSet(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

impl ChangeSet {
    /// Sets `key` to `value`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, Some(value));
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.0.insert(key, None);
    }

    /// What is known of `key` here: `Some(None)` is "removed", `None` is "unchanged".
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.0.get(key).map(Option::as_deref)
    }

    /// Lays `later` over this one.
    pub fn merge(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// All changes, keys ascending; `None` removes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.0.iter().map(|(k, v)| (k.as_slice(), v.as_deref()))
    }

    /// The changes of keys that begin with `prefix`.
    pub fn with_prefix<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        self.0
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(k, v)| (k.as_slice(), v.as_deref()))
    }

    /// How many keys change.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lays the changes under `prefix` over entries that were scanned from below.
    pub(crate) fn overlay(&self, prefix: &[u8], below: Vec<Entry>) -> Vec<Entry> {
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = below.into_iter().collect();
        for (key, value) in self.with_prefix(prefix) {
            match value {
                Some(value) => merged.insert(key.to_vec(), value.to_vec()),
                None => merged.remove(key),
            };
        }
        merged.into_iter().collect()
    }
}

/// A state with changes laid over it, both shared: the state of a block that is not final yet.
#[derive(Clone)]
pub struct Overlay {
    parent: Arc<dyn StateRead>,
    changes: Arc<ChangeSet>,
}

impl Overlay {
    /// `parent` after `changes`.
    pub fn new(parent: Arc<dyn StateRead>, changes: Arc<ChangeSet>) -> Self {
        Self { parent, changes }
    }
}

impl StateRead for Overlay {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.map(<[u8]>::to_vec)),
            None => self.parent.get(key),
        }
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, StateError> {
        Ok(self.changes.overlay(prefix, self.parent.scan(prefix)?))
    }
}

/// A state in memory: for tests, light clients and recounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryState(BTreeMap<Vec<u8>, Vec<u8>>);

impl MemoryState {
    /// Applies `changes`.
    pub fn commit(&mut self, changes: &ChangeSet) {
        for (key, value) in changes.iter() {
            match value {
                Some(value) => self.0.insert(key.to_vec(), value.to_vec()),
                None => self.0.remove(key),
            };
        }
    }

    /// All entries, keys ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(k, v)| (k.as_slice(), v.as_slice()))
    }
}

impl StateRead for MemoryState {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, StateError> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let within = self.0.range::<[u8], _>(from).take_while(|(key, _)| key.starts_with(prefix));
        Ok(within.map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}

/// Decodes the value of `key`, if it is there.
pub(crate) fn read<T: BorshDeserialize>(view: &dyn StateRead, key: &[u8]) -> Result<Option<T>, StateError> {
    view.get(key)?.map(|bytes| decode(key, &bytes)).transpose()
}

/// Decodes the value of `key`, which every state has.
pub(crate) fn read_required<T: BorshDeserialize>(view: &dyn StateRead, key: &[u8]) -> Result<T, StateError> {
    read(view, key)?.ok_or_else(|| StateError::Missing(hex::encode(key)))
}

/// Decodes a value that was stored under `key`.
pub(crate) fn decode<T: BorshDeserialize>(key: &[u8], bytes: &[u8]) -> Result<T, StateError> {
    borsh::from_slice(bytes).map_err(|error| StateError::Corrupt { key: hex::encode(key), reason: error.to_string() })
}

/// Encodes a value for the state.
pub(crate) fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    append(&mut bytes, value);
    bytes
}

/// Encodes a value behind what is there.
pub(crate) fn append<T: BorshSerialize>(bytes: &mut Vec<u8>, value: &T) {
    value.serialize(bytes).expect("writing to a vector does not fail and no length reaches u32");
}
