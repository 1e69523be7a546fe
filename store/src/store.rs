//! What users see: one store, in one of two shapes on the disk.

use crate::error::{OpenError, StoreError};
use crate::log::disk::{Directory, Disk};
use crate::log::{Log, LogTable, Stats, Tuning};
use crate::redb_file::{RedbFile, RedbTable};
use crate::writes::Writes;
use std::path::Path;
use std::sync::Arc;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

enum Backend {
    Redb(RedbFile),
    Log(Log),
}

/// A durable store of named tables; see the crate's head. Cheap to share behind its [`Arc`].
pub struct Store {
    backend: Backend,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in the file `path`, or makes it. The directory must be there.
    ///
    /// # Errors
    /// See [`OpenError`]; above all [`OpenError::InUse`].
    pub fn open(path: impl AsRef<Path>) -> Result<Arc<Self>, OpenError> {
        Ok(Arc::new(Self { backend: Backend::Redb(RedbFile::open(path.as_ref())?) }))
    }

    /// Opens the append log in the directory `path`, or makes it; the directory above must be there.
    /// For what is committed often: a commit is one write and one fdatasync.
    ///
    /// After a failed write the log refuses every later commit until it is opened again; what was
    /// committed stays readable.
    ///
    /// # Errors
    /// See [`OpenError`]. A record that was torn by a crash is cut off; damage anywhere else is
    /// [`OpenError::Damaged`], never skipped.
    pub fn open_log(path: impl AsRef<Path>) -> Result<Arc<Self>, OpenError> {
        let path = path.as_ref();
        let disk = Directory::new(path).map_err(|error| crate::error::io_opening(path, error))?;
        Self::open_log_on(Arc::new(disk))
    }

    /// As [`Self::open_log`], on a disk of a test's own.
    #[doc(hidden)]
    pub fn open_log_on(disk: Arc<dyn Disk>) -> Result<Arc<Self>, OpenError> {
        Self::open_log_tuned(disk, Tuning::default())
    }

    /// As [`Self::open_log_on`], with other sizes.
    #[doc(hidden)]
    pub fn open_log_tuned(disk: Arc<dyn Disk>, tuning: Tuning) -> Result<Arc<Self>, OpenError> {
        Ok(Arc::new(Self { backend: Backend::Log(Log::open(disk, tuning)?) }))
    }

    #[cfg(test)]
    pub(crate) fn log(&self) -> Option<&Log> {
        match &self.backend {
            Backend::Redb(_) => None,
            Backend::Log(log) => Some(log),
        }
    }

    /// The file, or the log's directory.
    pub fn path(&self) -> &Path {
        match &self.backend {
            Backend::Redb(file) => file.path(),
            Backend::Log(log) => log.path(),
        }
    }

    /// Figures of a log; `None` for a file.
    pub fn stats(&self) -> Option<Stats> {
        match &self.backend {
            Backend::Redb(_) => None,
            Backend::Log(log) => Some(log.stats()),
        }
    }

    /// Folds a log now, whatever its size; a file has nothing to fold. The log does so by itself.
    ///
    /// # Errors
    /// The disk refused; the log is as it was.
    pub fn fold(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Redb(_) => Ok(()),
            Backend::Log(log) => log.fold(),
        }
    }

    /// The value of `key` in `table`.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.backend {
            Backend::Redb(file) => file.get(table, key),
            Backend::Log(log) => log.get(table, key),
        }
    }

    /// All entries of `table` whose key starts with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn scan(&self, table: &str, prefix: &[u8]) -> Result<Vec<Entry>, StoreError> {
        self.collect(table, prefix, |key| key.starts_with(prefix), usize::MAX)
    }

    /// At most `limit` entries of `table` from the key `from` on, in the order of their keys.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn range(&self, table: &str, from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.collect(table, from, |_| true, limit)
    }

    fn collect(
        &self,
        table: &str,
        from: &[u8],
        until: impl Fn(&[u8]) -> bool,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        match &self.backend {
            Backend::Redb(file) => file.collect(table, from, until, limit),
            Backend::Log(log) => log.collect(table, from, until, limit),
        }
    }

    /// `table` as it stands now: later commits don't change what the snapshot shows.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn snapshot(&self, table: &str) -> Result<Snapshot, StoreError> {
        let view = match &self.backend {
            Backend::Redb(file) => View::Redb(file.table(table)?),
            Backend::Log(log) => View::Log(log.table(table)),
        };
        Ok(Snapshot { view })
    }

    /// The entry of `table` with the greatest key.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn last(&self, table: &str) -> Result<Option<Entry>, StoreError> {
        match &self.backend {
            Backend::Redb(file) => file.last(table),
            Backend::Log(log) => log.last(table),
        }
    }

    /// Makes the changes, all or none; on return they are on the disk. Blocks for the time of an
    /// fsync: from async code, call it where blocking is allowed.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing was changed.
    pub fn commit(&self, writes: Writes) -> Result<(), StoreError> {
        self.commit_positions(writes).map(drop)
    }

    /// As [`Self::commit`]; returns the positions that the appends among the changes were given.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_positions(&self, writes: Writes) -> Result<Vec<u64>, StoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        match &self.backend {
            Backend::Redb(file) => file.commit(writes),
            Backend::Log(log) => log.commit(writes),
        }
    }

    /// Adds `value` at the end of the journal `table` and returns its position: 0, 1, 2… A journal
    /// is a table that is only ever appended to (and cleared as a whole, which starts at 0 again).
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn append(&self, table: &str, value: &[u8]) -> Result<u64, StoreError> {
        let positions = self.commit_positions(Writes::new().append(table, value))?;
        Ok(positions.first().copied().expect("one append, one position"))
    }

    /// The journal `table` from position `from` on.
    ///
    /// # Errors
    /// The disk can't be read, or `table` is no journal.
    pub fn journal(&self, table: &str, from: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let entries = self.range(table, &from.to_be_bytes(), usize::MAX)?;
        entries.into_iter().map(|(key, value)| Ok((self.position(table, &key)?, value))).collect()
    }

    fn position(&self, table: &str, key: &[u8]) -> Result<u64, StoreError> {
        position(key).ok_or_else(|| StoreError::Damaged {
            path: self.path().to_owned(),
            reason: format!("{table:?} is no journal: it has a key of {} bytes", key.len()),
        })
    }
}

/// The position that a journal's key stands for.
pub(crate) fn position(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

enum View {
    Redb(RedbTable),
    Log(LogTable),
}

/// One table at one moment; see [`Store::snapshot`]. It keeps old pages from being reused, and a
/// file from being opened again after a failure: hold it for a while, not for ever.
pub struct Snapshot {
    view: View,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The value of `key`.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.view {
            View::Redb(table) => table.get(key),
            View::Log(table) => table.get(key),
        }
    }

    /// All entries whose key starts with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, StoreError> {
        match &self.view {
            View::Redb(table) => table.scan(prefix),
            View::Log(table) => table.scan(prefix),
        }
    }

    /// At most `limit` of the entries whose key starts with `prefix`, from the key `prefix` with `from` behind it
    /// on, in the order of their keys.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn page(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let first = [prefix, from].concat();
        match &self.view {
            View::Redb(table) => table.page(prefix, &first, limit),
            View::Log(table) => table.page(prefix, &first, limit),
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
