//! What is where: the ordered index in memory. Values stay on the disk.

use super::disk::DiskFile;
use super::record;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An open file of the log.
#[derive(Debug)]
pub(super) struct LogFile {
    /// A segment's number; a snapshot has the number of the first segment after it.
    pub(super) number: u64,
    pub(super) is_snapshot: bool,
    pub(super) file: Arc<dyn DiskFile>,
}

/// Where a value stands.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) file: Arc<LogFile>,
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) checksum: u32,
}

impl Slot {
    /// Reads the value, and checks that it is the one that was written.
    pub(super) fn value(&self) -> std::io::Result<Vec<u8>> {
        let mut value = vec![0; self.length as usize];
        self.file.file.read_at(&mut value, self.offset)?;
        if record::checksum(&value) != self.checksum {
            let at = format!("the value at {} of file {} is not what was written", self.offset, self.file.number);
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, at));
        }
        Ok(value)
    }

    /// True if it is the very place that `other` is.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.offset == other.offset
    }
}

/// The entries of one table, by key.
pub(super) type Table = BTreeMap<Vec<u8>, Slot>;

/// All tables. A table is shared with those who hold it as it was: the next change copies it then.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) tables: BTreeMap<String, Arc<Table>>,
    /// What a snapshot of all this would take, about.
    pub(super) live_bytes: u64,
    pub(super) entries: u64,
}

fn weight(table: &str, key: &[u8], length: u32) -> u64 {
    (record::PUT_BYTES + table.len() + key.len()) as u64 + u64::from(length)
}

impl Index {
    pub(super) fn put(&mut self, table: &str, key: &[u8], slot: Slot) {
        self.live_bytes += weight(table, key, slot.length);
        self.entries += 1;
        if !self.tables.contains_key(table) {
            self.tables.insert(table.to_owned(), Arc::default());
        }
        let entries = self.tables.get_mut(table).map(Arc::make_mut).expect("it was inserted");
        let old = match entries.get_mut(key) {
            Some(entry) => Some(std::mem::replace(entry, slot)),
            None => entries.insert(key.to_owned(), slot),
        };
        if let Some(old) = old {
            self.forget(table, key, &old);
        }
    }

    pub(super) fn delete(&mut self, table: &str, key: &[u8]) {
        let Some(entries) = self.tables.get_mut(table).filter(|entries| entries.contains_key(key)) else { return };
        if let Some(old) = Arc::make_mut(entries).remove(key) {
            self.forget(table, key, &old);
        }
    }

    pub(super) fn clear(&mut self, table: &str) {
        let Some(entries) = self.tables.remove(table) else { return };
        for (key, old) in entries.iter() {
            self.forget(table, key, old);
        }
    }

    fn forget(&mut self, table: &str, key: &[u8], old: &Slot) {
        self.live_bytes = self.live_bytes.saturating_sub(weight(table, key, old.length));
        self.entries = self.entries.saturating_sub(1);
    }

    /// If the entry still stands at `old`, it stands at `new` from now on.
    pub(super) fn moved(&mut self, table: &str, key: &[u8], old: &Slot, new: Slot) {
        let Some(entries) = self.tables.get_mut(table) else { return };
        if entries.get(key).is_some_and(|slot| slot.is(old)) {
            Arc::make_mut(entries).insert(key.to_owned(), new);
        }
    }
}
