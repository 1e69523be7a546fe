//! The append log: every commit round is one record, one write and one fdatasync.
//!
//! Values lie in numbered segment files in the order in which they were committed; memory holds
//! an ordered index of where. When dead bytes outweigh live ones, a thread of the log's own writes
//! the live ones into a snapshot and lets the segments before it go ([`fold`]). Opening reads the
//! newest snapshot and the records after it ([`open`]).
//!
//! Invariants:
//! - A record is acknowledged, and shows to readers, only after its fdatasync; the next is written
//!   only then. So a crash can tear the last record alone: what is bad before a good one is damage.
//! - After a failed write or fdatasync nothing is acknowledged any more: what the disk holds is
//!   not known then, and a second fdatasync would not tell.
//! - Segments are written full of zeros before their first record, so an fdatasync has no size and
//!   no block map to write beside the data.
//! - A file goes only after what replaces it is durable under its name.
//!
//! The format is in docs/spec/log.md.

mod commit;
pub(crate) mod disk;
mod fold;
mod index;
mod open;
pub(crate) mod record;
mod segments;
mod worker;

use crate::error::{OpenError, StoreError};
use crate::group::{Group, Outcome, locked};
use crate::writes::Writes;
use disk::Disk;
use index::{Index, Slot, Table};
use segments::{Spare, Writer};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

type Entry = (Vec<u8>, Vec<u8>);

/// When the log does what; tests take smaller numbers.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Bytes of the first segment; each next one has twice as many, up to `segment_bytes`. So a
    /// log that is hardly used takes little room.
    pub first_segment_bytes: u64,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Fold only when so many bytes are dead, and more than are live.
    pub fold_dead_bytes: u64,
    /// Bytes that a fold copies at a time.
    pub fold_step_bytes: usize,
    /// False: no thread; the log is folded by [`crate::Store::fold`] alone.
    pub background: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            first_segment_bytes: 1 << 20,
            segment_bytes: 16 << 20,
            fold_dead_bytes: 64 << 20,
            fold_step_bytes: 1 << 20,
            background: true,
        }
    }
}

impl Tuning {
    fn segment_bytes(&self, number: u64) -> u64 {
        let doublings = u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX).min(32);
        self.first_segment_bytes.saturating_mul(1 << doublings).min(self.segment_bytes)
    }
}

/// What a log has done since it was opened, and holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Rounds: records written. Commits that came together share one.
    pub rounds: u64,
    /// fdatasyncs and fsyncs, those of folds and new segments included.
    pub syncs: u64,
    /// Bytes written for commits.
    pub bytes_committed: u64,
    /// Bytes written in all: commits, new segments, snapshots.
    pub bytes_written: u64,
    /// Bytes of the values and keys that count.
    pub live_bytes: u64,
    /// Bytes that a fold would let go.
    pub dead_bytes: u64,
    /// Entries of all tables.
    pub entries: u64,
    /// Segments since the last snapshot.
    pub segments: u64,
    /// Snapshots written.
    pub folds: u64,
    /// Why the last fold failed, if it did. The log goes on, and grows.
    pub fold_failure: Option<String>,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    rounds: AtomicU64,
    syncs: AtomicU64,
    bytes_committed: AtomicU64,
    bytes_written: AtomicU64,
    folds: AtomicU64,
    fold_failure: Mutex<Option<String>>,
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// What commits, readers and the worker share.
struct Core {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Random, made with the log: part of every checksum.
    id: u64,
    tuning: Tuning,
    index: RwLock<Index>,
    writer: Mutex<Writer>,
    /// Whoever makes a segment ready holds this, so nobody makes the same one. Locked after `writer`.
    spare: Mutex<Spare>,
    /// Held for the length of a fold.
    folding: Mutex<()>,
    orders: worker::Orders,
    counters: Counters,
    /// Keeps a second process out.
    _lock: Box<dyn Send + Sync>,
}

impl Core {
    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self, error: std::io::Error) -> StoreError {
        crate::error::io_opening(&self.path, error).into()
    }
}

/// The log as a backend of [`crate::Store`].
pub(crate) struct Log {
    core: Arc<Core>,
    group: Group,
    worker: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Log {
    fn drop(&mut self) {
        self.core.orders.stop();
        if let Some(worker) = self.worker.take() {
            // It has nothing to say: a fold's failure is in the stats.
            let _ = worker.join();
        }
    }
}

impl Log {
    pub(crate) fn open(disk: Arc<dyn Disk>, tuning: Tuning) -> Result<Self, OpenError> {
        let core = Arc::new(open::open(disk, tuning)?);
        let worker = match tuning.background {
            false => None,
            true => Some(worker::start(&core).map_err(|error| crate::error::io_opening(&core.path, error))?),
        };
        Ok(Self { core, group: Group::default(), worker })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.core.path
    }

    pub(crate) fn commit(&self, writes: Writes) -> Outcome {
        self.group.commit(writes, |round| self.core.write_round(round))
    }

    pub(crate) fn fold(&self) -> Result<(), StoreError> {
        self.core.fold(|| true).map(drop)
    }

    pub(crate) fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let slot = self.core.index().tables.get(table).and_then(|entries| entries.get(key).cloned());
        slot.map(|slot| slot.value()).transpose().map_err(|error| self.core.failure(error))
    }

    pub(crate) fn last(&self, table: &str) -> Result<Option<Entry>, StoreError> {
        let last = {
            let index = self.core.index();
            index.tables.get(table).and_then(|entries| entries.last_key_value()).map(|(k, s)| (k.clone(), s.clone()))
        };
        let Some((key, slot)) = last else { return Ok(None) };
        Ok(Some((key, slot.value().map_err(|error| self.core.failure(error))?)))
    }

    pub(crate) fn collect(
        &self,
        table: &str,
        from: &[u8],
        until: impl Fn(&[u8]) -> bool,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let found = match self.core.index().tables.get(table) {
            Some(entries) => places(entries, from, until, limit),
            None => return Ok(Vec::new()),
        };
        values(found).map_err(|error| self.core.failure(error))
    }

    pub(crate) fn table(&self, table: &str) -> LogTable {
        let entries = self.core.index().tables.get(table).cloned().unwrap_or_default();
        LogTable { path: self.core.path.clone(), entries }
    }

    pub(crate) fn stats(&self) -> Stats {
        let counters = &self.core.counters;
        let (used, segments) = {
            let writer = locked(&self.core.writer);
            (writer.used_bytes(), writer.segments())
        };
        let index = self.core.index();
        Stats {
            commits: counters.commits.load(Ordering::Relaxed),
            rounds: counters.rounds.load(Ordering::Relaxed),
            syncs: counters.syncs.load(Ordering::Relaxed),
            bytes_committed: counters.bytes_committed.load(Ordering::Relaxed),
            bytes_written: counters.bytes_written.load(Ordering::Relaxed),
            live_bytes: index.live_bytes,
            dead_bytes: used.saturating_sub(index.live_bytes),
            entries: index.entries,
            segments,
            folds: counters.folds.load(Ordering::Relaxed),
            fold_failure: locked(&counters.fold_failure).clone(),
        }
    }
}

/// A table at one moment. It keeps the files of its values from being used again.
pub(crate) struct LogTable {
    path: PathBuf,
    entries: Arc<Table>,
}

impl LogTable {
    fn failure(&self, error: std::io::Error) -> StoreError {
        crate::error::io_opening(&self.path, error).into()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.entries.get(key).map(Slot::value).transpose().map_err(|error| self.failure(error))
    }

    pub(crate) fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, StoreError> {
        self.page(prefix, prefix, usize::MAX)
    }

    pub(crate) fn page(&self, prefix: &[u8], first: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let found = places(&self.entries, first, |key| key.starts_with(prefix), limit);
        values(found).map_err(|error| self.failure(error))
    }
}

fn places(entries: &Table, from: &[u8], until: impl Fn(&[u8]) -> bool, limit: usize) -> Vec<(Vec<u8>, Slot)> {
    let range = entries.range::<[u8], _>((std::ops::Bound::Included(from), std::ops::Bound::Unbounded));
    range.take_while(|(key, _)| until(key)).take(limit).map(|(key, slot)| (key.clone(), slot.clone())).collect()
}

fn values(found: Vec<(Vec<u8>, Slot)>) -> std::io::Result<Vec<Entry>> {
    found.into_iter().map(|(key, slot)| Ok((key, slot.value()?))).collect()
}

#[cfg(test)]
#[path = "damage_tests.rs"]
mod damage;

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
