//! Folding: the entries that count are written aside, then what came before them is let go.
//!
//! Commits go on meanwhile. A fold starts by sealing the present segment; it then copies, step by
//! step, the entries whose values stand before that border. An entry that changes before its turn
//! stands behind the border by then and is left out: its record is read after the snapshot. So the
//! snapshot together with all records up to the last one of the copying (`until`) is complete, and
//! opening refuses it without them.

use super::index::{LogFile, Slot};
use super::record::{self, FRAME_BYTES, Kind};
use super::segments::snapshot_name;
use super::{Core, add};
use crate::error::StoreError;
use crate::group::locked;
use std::ops::Bound;
use std::sync::Arc;

/// Entries looked at under one lock.
const STEP_ENTRIES: usize = 1024;

/// Bytes between two fdatasyncs of a snapshot: one long one at its end would hold up commits.
const SYNC_BYTES: u64 = 8 << 20;

/// An entry that was copied: its old place, and its new place in the snapshot.
struct Moved {
    table: Arc<str>,
    key: Vec<u8>,
    old: Slot,
    offset: u64,
}

struct Fold<'a> {
    core: &'a Core,
    /// The first segment that stays.
    number: u64,
    file: Arc<LogFile>,
    aside: String,
    buffer: Vec<u8>,
    /// Entries in the buffer; their offsets count from its start.
    pending: Vec<Moved>,
    moved: Vec<Moved>,
    /// Where the buffer goes in the file.
    at: u64,
    synced: u64,
    chunk: u64,
    /// The entry that was looked at last.
    cursor: Option<(Arc<str>, Vec<u8>)>,
}

impl<'a> Fold<'a> {
    /// `None` if there is nothing behind the present snapshot.
    fn begin(core: &'a Core) -> Result<Option<Self>, StoreError> {
        let (number, first) = {
            let mut writer = locked(&core.writer);
            if let Some(error) = &writer.failed {
                return Err(error.clone());
            }
            writer.seal();
            if writer.sealed.is_empty() {
                // A snapshot of this number is there already: it would be replaced, and then removed.
                return Ok(None);
            }
            (writer.next_number, writer.sequence)
        };
        let aside = format!("{}.new", snapshot_name(number));
        let file = core.disk.open(&aside, true).map_err(|error| core.failure(error))?;
        let head = record::head(core.origin(Kind::Snapshot, number), first);
        let fold = Self {
            core,
            number,
            file: Arc::new(LogFile { number, is_snapshot: true, file }),
            aside,
            buffer: vec![0; FRAME_BYTES],
            pending: Vec::new(),
            moved: Vec::new(),
            at: head.len() as u64,
            synced: 0,
            chunk: 0,
            cursor: None,
        };
        fold.file.file.write_at(&head, 0).map_err(|error| core.failure(error))?;
        Ok(Some(fold))
    }

    /// The next entries, whatever their place, and whether there were any.
    fn look(&mut self) -> Vec<Moved> {
        let index = self.core.index();
        let mut found = Vec::new();
        let (mut looked, mut bytes) = (0, 0);
        let start = self.cursor.as_ref().map(|(table, _)| &**table).unwrap_or_default().to_owned();
        'tables: for (name, entries) in index.tables.range(start..) {
            let from = match &self.cursor {
                Some((table, key)) if **table == **name => Bound::Excluded(key.clone()),
                _ => Bound::Unbounded,
            };
            let table: Arc<str> = name.as_str().into();
            for (key, slot) in entries.range((from, Bound::Unbounded)) {
                self.cursor = Some((table.clone(), key.clone()));
                looked += 1;
                if slot.file.is_snapshot || slot.file.number < self.number {
                    bytes += slot.length as usize;
                    found.push(Moved { table: table.clone(), key: key.clone(), old: slot.clone(), offset: 0 });
                }
                if looked >= STEP_ENTRIES || bytes >= self.core.tuning.fold_step_bytes {
                    break 'tables;
                }
            }
        }
        if looked == 0 {
            self.cursor = None;
        }
        found
    }

    /// Copies some entries; false when there are no more.
    fn step(&mut self) -> Result<bool, StoreError> {
        let found = self.look();
        for mut entry in found {
            let value = entry.old.value().map_err(|error| self.core.failure(error))?;
            entry.offset = record::put(&mut self.buffer, &entry.table, &entry.key, &value) as u64;
            self.pending.push(entry);
            if self.buffer.len() >= self.core.tuning.fold_step_bytes {
                self.flush()?;
            }
        }
        if self.cursor.is_none() {
            self.flush()?;
        }
        Ok(self.cursor.is_some())
    }

    /// Writes what is in the buffer as one record.
    fn flush(&mut self) -> Result<(), StoreError> {
        if self.buffer.len() == FRAME_BYTES {
            return Ok(());
        }
        record::seal(self.core.origin(Kind::Snapshot, self.number), self.chunk, &mut self.buffer);
        self.file.file.write_at(&self.buffer, self.at).map_err(|error| self.core.failure(error))?;
        add(&self.core.counters.bytes_written, self.buffer.len() as u64);
        let at = self.at;
        self.moved.extend(self.pending.drain(..).map(|entry| Moved { offset: at + entry.offset, ..entry }));
        self.at += self.buffer.len() as u64;
        self.chunk += 1;
        self.buffer.clear();
        self.buffer.resize(FRAME_BYTES, 0);
        if self.at - self.synced >= SYNC_BYTES {
            self.core.sync_file(&*self.file.file).map_err(|error| self.core.failure(error))?;
            self.synced = self.at;
        }
        Ok(())
    }

    /// Makes the snapshot the log's beginning.
    fn finish(mut self) -> Result<(), StoreError> {
        let core = self.core;
        // Whatever was left out of the copy was acknowledged by now.
        let until = locked(&core.writer).sequence.saturating_sub(1);
        record::end(&mut self.buffer, self.moved.len() as u64, until);
        self.flush()?;
        let name = snapshot_name(self.number);
        let renamed = core
            .sync_file(&*self.file.file)
            .and_then(|()| core.disk.rename(&self.aside, &name))
            .and_then(|()| core.sync_names());
        renamed.map_err(|error| core.failure(error))?;
        for some in self.moved.chunks(STEP_ENTRIES) {
            let mut index = core.index_mut();
            for entry in some {
                let place = Slot { file: self.file.clone(), offset: entry.offset, ..entry.old.clone() };
                index.moved(&entry.table, &entry.key, &entry.old, place);
            }
        }
        // They keep the old files in use.
        self.moved = Vec::new();
        let (old_snapshot, old_segments) = {
            let mut writer = locked(&core.writer);
            let border = writer.sealed.partition_point(|(file, _)| file.number < self.number);
            let stay = writer.sealed.split_off(border);
            let old = std::mem::replace(&mut writer.sealed, stay);
            (std::mem::replace(&mut writer.snapshot, (self.file.clone(), self.at)), old)
        };
        add(&core.counters.folds, 1);
        let removed = core.disk.remove(&snapshot_name(old_snapshot.0.number));
        let retired = core.retire(old_segments.into_iter().map(|(file, _)| file).collect());
        removed.and(retired).map_err(|error| core.failure(error))
    }
}

impl Core {
    /// True when a fold is worth its while.
    pub(super) fn wants_fold(&self) -> bool {
        let used = {
            let writer = locked(&self.writer);
            if writer.failed.is_some() {
                return false;
            }
            writer.used_bytes()
        };
        let live = self.index().live_bytes;
        let dead = used.saturating_sub(live);
        dead >= self.tuning.fold_dead_bytes && dead > live
    }

    /// Folds the log; `go_on` is asked between the steps, and false ends it without an effect.
    pub(super) fn fold(&self, go_on: impl FnMut() -> bool) -> Result<bool, StoreError> {
        let _one = locked(&self.folding);
        let folded = self.fold_alone(go_on);
        *locked(&self.counters.fold_failure) = folded.as_ref().err().map(ToString::to_string);
        folded
    }

    fn fold_alone(&self, mut go_on: impl FnMut() -> bool) -> Result<bool, StoreError> {
        let Some(mut fold) = Fold::begin(self)? else { return Ok(true) };
        let aside = fold.aside.clone();
        let copied = loop {
            if !go_on() {
                break Ok(false);
            }
            match fold.step() {
                Ok(true) => {}
                Ok(false) => break fold.finish().map(|()| true),
                Err(error) => break Err(error),
            }
        };
        if !matches!(copied, Ok(true)) {
            // If this fails too, the next opening removes it.
            let _ = self.disk.remove(&aside);
        }
        copied
    }
}
