//! The changes of one commit.

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    Put { table: String, key: Vec<u8>, value: Vec<u8> },
    Delete { table: String, key: Vec<u8> },
    Append { table: String, value: Vec<u8> },
    Clear { table: String },
}

impl Write {
    pub(crate) fn table(&self) -> &str {
        match self {
            Self::Put { table, .. }
            | Self::Delete { table, .. }
            | Self::Append { table, .. }
            | Self::Clear { table } => table,
        }
    }
}

/// Changes that take effect together or not at all, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    pub(crate) list: Vec<Write>,
}

impl Writes {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` of `table` to `value`.
    pub fn put(mut self, table: &str, key: &[u8], value: &[u8]) -> Self {
        self.add_put(table, key, value);
        self
    }

    /// Removes `key` from `table`; no matter if it isn't there.
    pub fn delete(mut self, table: &str, key: &[u8]) -> Self {
        self.add_delete(table, key);
        self
    }

    /// Adds `value` at the end of the journal `table` (see [`Store::append`](crate::Store::append)).
    pub fn append(mut self, table: &str, value: &[u8]) -> Self {
        self.add_append(table, value);
        self
    }

    /// Removes all keys of `table`.
    pub fn clear(mut self, table: &str) -> Self {
        self.list.push(Write::Clear { table: table.into() });
        self
    }

    /// As [`Self::put`], in place.
    pub fn add_put(&mut self, table: &str, key: &[u8], value: &[u8]) {
        self.list.push(Write::Put { table: table.into(), key: key.into(), value: value.into() });
    }

    /// As [`Self::delete`], in place.
    pub fn add_delete(&mut self, table: &str, key: &[u8]) {
        self.list.push(Write::Delete { table: table.into(), key: key.into() });
    }

    /// As [`Self::append`], in place.
    pub fn add_append(&mut self, table: &str, value: &[u8]) {
        self.list.push(Write::Append { table: table.into(), value: value.into() });
    }

    /// As [`Self::add_put`], without copying the value.
    pub fn add_put_owned(&mut self, table: &str, key: Vec<u8>, value: Vec<u8>) {
        self.list.push(Write::Put { table: table.into(), key, value });
    }

    /// Puts `other`'s changes behind these.
    pub fn merge(&mut self, other: Self) {
        self.list.extend(other.list);
    }

    /// True without any change.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
