//! Where the next record goes, and segments made ready before they are needed.

use super::disk::DiskFile;
use super::index::LogFile;
use super::record::{self, FRAME_BYTES, HEAD_BYTES, Kind, Origin};
use super::{Core, add};
use crate::error::StoreError;
use crate::group::locked;
use std::io;
use std::sync::Arc;

/// Bytes of zeros written at a time.
static ZEROS: [u8; 1 << 18] = [0; 1 << 18];

/// Bytes of zeros between two fdatasyncs.
const FILL_SYNC_BYTES: u64 = 1 << 20;

/// Old segments kept to be used again: it saves writing zeros.
const POOL_FILES_MAX: usize = 4;

pub(super) fn segment_name(number: u64) -> String {
    format!("segment-{number:010}")
}

pub(super) fn snapshot_name(number: u64) -> String {
    format!("snapshot-{number:010}")
}

/// A segment that holds no record yet.
pub(super) struct Fresh {
    pub(super) number: u64,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) size: u64,
}

/// The segment that is written to.
pub(super) struct Active {
    pub(super) file: Arc<LogFile>,
    pub(super) size: u64,
    /// Where the next record goes.
    pub(super) end: u64,
}

/// Who holds it may append.
pub(super) struct Writer {
    /// `None` when the next record starts a segment of its own.
    pub(super) active: Option<Active>,
    /// Full segments since the snapshot, oldest first, each with its used bytes.
    pub(super) sealed: Vec<(Arc<LogFile>, u64)>,
    pub(super) snapshot: (Arc<LogFile>, u64),
    /// Number of the next segment.
    pub(super) next_number: u64,
    /// Sequence number of the next record.
    pub(super) sequence: u64,
    pub(super) buffer: Vec<u8>,
    /// Set by the first failure; nothing is written after it.
    pub(super) failed: Option<StoreError>,
}

/// What is ready for the writer.
#[derive(Default)]
pub(super) struct Spare {
    pub(super) next: Option<Fresh>,
    /// Segments that nobody reads any more, still under their old names.
    pub(super) pool: Vec<(u64, Arc<dyn DiskFile>)>,
}

impl Writer {
    pub(super) fn used_bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(|(_, bytes)| bytes).sum();
        self.snapshot.1 + sealed + self.active.as_ref().map_or(0, |active| active.end)
    }

    pub(super) fn segments(&self) -> u64 {
        self.sealed.len() as u64 + u64::from(self.active.is_some())
    }

    /// The next record starts a new segment.
    pub(super) fn seal(&mut self) {
        if let Some(active) = self.active.take() {
            self.sealed.push((active.file, active.end));
        }
    }
}

impl Core {
    pub(super) fn sync_file(&self, file: &dyn DiskFile) -> io::Result<()> {
        add(&self.counters.syncs, 1);
        file.sync()
    }

    pub(super) fn sync_names(&self) -> io::Result<()> {
        add(&self.counters.syncs, 1);
        self.disk.sync_names()
    }

    pub(super) fn origin(&self, kind: Kind, number: u64) -> Origin {
        Origin { kind, log: self.id, number }
    }

    /// Writes the record whose payload lies in the writer's buffer behind room for head and frame.
    /// Returns the file and where the payload starts in it.
    ///
    /// A failure before the first byte was written (no room for a new segment) leaves the log as
    /// it was; any later one ends it.
    pub(super) fn append(&self, writer: &mut Writer) -> Result<(Arc<LogFile>, u64), StoreError> {
        let record_bytes = (writer.buffer.len() - HEAD_BYTES) as u64;
        if writer.active.as_ref().is_some_and(|active| active.end.saturating_add(record_bytes) > active.size) {
            writer.seal();
        }
        let starts_segment = writer.active.is_none();
        if starts_segment {
            let fresh = self.take_fresh(writer.next_number, writer.buffer.len() as u64);
            let fresh = fresh.map_err(|error| self.failure(error))?;
            writer.next_number += 1;
            let file = Arc::new(LogFile { number: fresh.number, is_snapshot: false, file: fresh.file });
            writer.active = Some(Active { file, size: fresh.size, end: 0 });
        }
        let active = writer.active.as_mut().expect("set above");
        let origin = self.origin(Kind::Segment, active.file.number);
        record::seal(origin, writer.sequence, &mut writer.buffer[HEAD_BYTES..]);
        // A segment's head goes out with its first record, so a new segment costs no fdatasync of its own.
        let from = if starts_segment { 0 } else { HEAD_BYTES };
        if starts_segment {
            writer.buffer[..HEAD_BYTES].copy_from_slice(&record::head(origin, writer.sequence));
        }
        let bytes = &writer.buffer[from..];
        let written = active.file.file.write_at(bytes, active.end).and_then(|()| self.sync_file(&*active.file.file));
        add(&self.counters.bytes_committed, bytes.len() as u64);
        add(&self.counters.bytes_written, bytes.len() as u64);
        if let Err(error) = written {
            let error = self.failure(error);
            writer.failed = Some(stopped(&error));
            return Err(error);
        }
        let payload_at = active.end + (HEAD_BYTES - from + FRAME_BYTES) as u64;
        active.end += bytes.len() as u64;
        writer.sequence += 1;
        let file = active.file.clone();
        if starts_segment {
            self.orders.wake();
        }
        Ok((file, payload_at))
    }

    /// The segment `number`, ready for `need` bytes.
    fn take_fresh(&self, number: u64, need: u64) -> io::Result<Fresh> {
        let mut spare = locked(&self.spare);
        match spare.next.take() {
            Some(fresh) if fresh.number == number && fresh.size >= need => Ok(fresh),
            _ => self.make_fresh(&mut spare, number, need),
        }
    }

    /// Makes the segment after the present one ready, if it isn't.
    pub(super) fn prepare_next(&self) -> io::Result<()> {
        let number = locked(&self.writer).next_number;
        let mut spare = locked(&self.spare);
        if spare.next.as_ref().is_some_and(|fresh| fresh.number >= number) {
            return Ok(());
        }
        let fresh = self.make_fresh(&mut spare, number, 0)?;
        spare.next = Some(fresh);
        Ok(())
    }

    /// Makes a segment of zeros, or of an old one: its records can't pass for new ones, for
    /// the number is part of their checksums. The name is durable before the segment is used.
    fn make_fresh(&self, spare: &mut Spare, number: u64, need: u64) -> io::Result<Fresh> {
        let (name, size) = (segment_name(number), self.tuning.segment_bytes(number).max(need));
        while let Some((old, file)) = spare.pool.pop() {
            if file.size()? < size {
                self.disk.remove(&segment_name(old))?;
                continue;
            }
            self.disk.rename(&segment_name(old), &name)?;
            self.sync_names()?;
            let size = file.size()?;
            return Ok(Fresh { number, file, size });
        }
        let aside = format!("{name}.new");
        let file = self.disk.open(&aside, true)?;
        let made = self.fill_with_zeros(&*file, size).and_then(|()| self.disk.rename(&aside, &name));
        if let Err(error) = made {
            // The room is more use to others; if the file can't be removed, the next opening does it.
            let _ = self.disk.remove(&aside);
            return Err(error);
        }
        self.sync_names()?;
        Ok(Fresh { number, file, size })
    }

    fn fill_with_zeros(&self, file: &dyn DiskFile, size: u64) -> io::Result<()> {
        let mut at = 0;
        while at < size {
            let some = &ZEROS[..usize::try_from(size - at).unwrap_or(usize::MAX).min(ZEROS.len())];
            file.write_at(some, at)?;
            at += some.len() as u64;
            if at >= size || at.is_multiple_of(FILL_SYNC_BYTES) {
                // All at once would fill the disk's queue, and commits would wait behind it.
                self.sync_file(file)?;
            }
        }
        add(&self.counters.bytes_written, size);
        Ok(())
    }

    /// Old segments are used again, or removed if they are of no use or still being read.
    pub(super) fn retire(&self, files: Vec<Arc<LogFile>>) -> io::Result<()> {
        let mut spare = locked(&self.spare);
        for file in files {
            let number = file.number;
            let free = Arc::into_inner(file).map(|file| file.file);
            match free {
                Some(file) if spare.pool.len() < POOL_FILES_MAX && file.size()? == self.tuning.segment_bytes => {
                    spare.pool.push((number, file));
                }
                _ => self.disk.remove(&segment_name(number))?,
            }
        }
        Ok(())
    }
}

/// What later commits are told.
fn stopped(error: &StoreError) -> StoreError {
    match error {
        StoreError::Io { path, reason } => StoreError::Io {
            path: path.clone(),
            reason: format!("an earlier write failed ({reason}); nothing more is written until it is opened again"),
        },
        other => other.clone(),
    }
}
