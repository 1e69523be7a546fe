//! Opening: the newest whole snapshot, then every record after it.
//!
//! Only the last record can be torn, for each is written after the one before is durable. So the
//! log is cut where the first record is not whole, unless a good one follows somewhere: that is
//! damage, and refused.

use super::disk::{Disk, DiskFile};
use super::index::{Index, LogFile, Slot};
use super::record::{self, FRAME_BYTES, HEAD_BYTES, Kind, Op, Origin};
use super::segments::{Active, Fresh, Spare, Writer, segment_name, snapshot_name};
use super::{Core, Tuning};
use crate::error::{OpenError, io_opening};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

/// Bytes read at a time.
const WINDOW_BYTES: usize = 1 << 20;

/// Why opening failed.
enum Fault {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Fault {
    fn told(self, path: &Path) -> OpenError {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::WouldBlock => OpenError::InUse { path: path.to_owned() },
            Self::Io(error) => io_opening(path, error),
            Self::Damaged(reason) => OpenError::Damaged { path: path.to_owned(), reason },
        }
    }
}

/// A file read through a window.
struct Window<'a> {
    file: &'a dyn DiskFile,
    size: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile) -> io::Result<Self> {
        Ok(Self { file, size: file.size()?, start: 0, bytes: Vec::new() })
    }

    /// `length` bytes from `at`; `None` if the file ends before: nothing is allocated for them then.
    fn get(&mut self, at: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let left = self.size.saturating_sub(at);
        if left < length as u64 {
            return Ok(None);
        }
        let end = self.start + self.bytes.len() as u64;
        if at < self.start || at + length as u64 > end {
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(length.max(WINDOW_BYTES));
            self.bytes.clear();
            self.bytes.resize(take, 0);
            self.start = at;
            self.file.read_at(&mut self.bytes, at)?;
        }
        let from = (at - self.start) as usize;
        Ok(self.bytes.get(from..from + length))
    }

    /// The whole record at `at`: its sequence number and payload.
    fn record(&mut self, origin: Origin, at: u64) -> io::Result<Option<(u64, &[u8])>> {
        let Some((length, sequence)) = self.get(at, FRAME_BYTES)?.and_then(record::read_frame) else { return Ok(None) };
        let Some(bytes) = self.get(at, FRAME_BYTES + length)? else { return Ok(None) };
        let (frame, payload) = bytes.split_at(FRAME_BYTES);
        Ok(record::is_whole(origin, frame, payload).then_some((sequence, payload)))
    }

    /// Where, from `at` on, a whole record stands whose number is `sequence` or later.
    fn later_record(&mut self, origin: Origin, mut at: u64, sequence: u64) -> io::Result<Option<u64>> {
        let most = sequence.saturating_add(self.size / FRAME_BYTES as u64);
        while at + FRAME_BYTES as u64 <= self.size {
            const SKIP: usize = 256;
            if let Some(bytes) = self.get(at, SKIP)?
                && bytes == [0; SKIP]
            {
                at += (SKIP - FRAME_BYTES) as u64;
                continue;
            }
            let claim = self.get(at, FRAME_BYTES)?.and_then(record::read_frame);
            if claim.is_some_and(|(_, number)| (sequence..=most).contains(&number))
                && self.record(origin, at)?.is_some()
            {
                return Ok(Some(at));
            }
            at += 1;
        }
        Ok(None)
    }
}

/// Puts a payload's changes into the index. `base` is where the payload stands in the file.
fn apply(index: &mut Index, file: &Arc<LogFile>, base: u64, payload: &[u8]) -> Result<Option<(u64, u64)>, Fault> {
    let mut end = None;
    for op in record::ops(payload) {
        match op.map_err(|_| Fault::Damaged(format!("a record of file {} is malformed", file.number)))? {
            Op::Put { table, key, value, value_at } => {
                let length = u32::try_from(value.len()).expect("a payload has fewer than 2^32 bytes");
                let offset = base + value_at as u64;
                let checksum = record::checksum(value);
                index.put(table, key, Slot { file: file.clone(), offset, length, checksum });
            }
            Op::Delete { table, key } => index.delete(table, key),
            Op::Clear { table } => index.clear(table),
            Op::End { entries, until } => end = Some((entries, until)),
        }
    }
    Ok(end)
}

/// A snapshot that was read whole.
struct Base {
    id: u64,
    file: Arc<LogFile>,
    index: Index,
    /// The first record that it does not hold.
    first: u64,
    /// The record that must follow it at the least: while the snapshot was written, values that
    /// changed up to here were left out of it.
    until: u64,
    bytes: u64,
}

/// Reads a snapshot; `None` if it isn't whole.
fn read_snapshot(disk: &dyn Disk, number: u64) -> Result<Option<Base>, Fault> {
    let file = Arc::new(LogFile { number, is_snapshot: true, file: disk.open(&snapshot_name(number), false)? });
    let mut window = Window::new(&*file.file)?;
    let Some((id, first)) = window.get(0, HEAD_BYTES)?.and_then(|h| record::read_head(h, Kind::Snapshot, number))
    else {
        return Ok(None);
    };
    let origin = Origin { kind: Kind::Snapshot, log: id, number };
    let (mut index, mut at) = (Index::default(), HEAD_BYTES as u64);
    for expected in 0u64.. {
        let payload = match window.record(origin, at)? {
            Some((sequence, payload)) if sequence == expected => payload,
            _ => return Ok(None),
        };
        let bytes = (FRAME_BYTES + payload.len()) as u64;
        let end = apply(&mut index, &file, at + FRAME_BYTES as u64, payload)?;
        at += bytes;
        if let Some((entries, until)) = end {
            let whole = entries == index.entries;
            return Ok(whole.then_some(Base { id, file, index, first, until, bytes: at }));
        }
    }
    Ok(None)
}

/// An empty log: a snapshot of nothing. Segments come after it is durable, so segments without
/// a snapshot are the remains of a log, not the beginnings of one.
fn make(disk: &dyn Disk) -> Result<(), Fault> {
    let origin = Origin { kind: Kind::Snapshot, log: rand::random(), number: 1 };
    let mut end = vec![0; FRAME_BYTES];
    record::end(&mut end, 0, 0);
    record::seal(origin, 0, &mut end);
    let name = snapshot_name(1);
    let aside = format!("{name}.new");
    let file = disk.open(&aside, true)?;
    file.write_at(&[&record::head(origin, 1)[..], &end].concat(), 0)?;
    file.sync()?;
    disk.rename(&aside, &name)?;
    Ok(disk.sync_names()?)
}

/// The numbers of the files in the directory.
#[derive(Default)]
struct Listing {
    segments: Vec<u64>,
    snapshots: Vec<u64>,
    /// Half-made files of a process that ended.
    aside: Vec<String>,
}

fn list(disk: &dyn Disk) -> Result<Listing, Fault> {
    let mut listing = Listing::default();
    for name in disk.names()? {
        // Only names that we would write ourselves.
        let number = name.rsplit_once('-').and_then(|(_, digits)| digits.parse::<u64>().ok());
        match number {
            Some(number) if name == segment_name(number) => listing.segments.push(number),
            Some(number) if name == snapshot_name(number) => listing.snapshots.push(number),
            _ if name.ends_with(".new") => listing.aside.push(name),
            _ => {}
        }
    }
    listing.segments.sort_unstable();
    listing.snapshots.sort_unstable();
    Ok(listing)
}

/// The newest snapshot that is whole; an older one is there if a crash came before it was removed.
fn newest(disk: &dyn Disk, listing: &Listing) -> Result<Base, Fault> {
    for number in listing.snapshots.iter().rev() {
        if let Some(base) = read_snapshot(disk, *number)? {
            return Ok(base);
        }
    }
    Err(Fault::Damaged(match listing.snapshots.last() {
        Some(number) => format!("{} is not whole", snapshot_name(*number)),
        None => "it has segments but no snapshot".into(),
    }))
}

/// Where the log ends.
struct Replay {
    index: Index,
    /// The next record's number.
    sequence: u64,
    /// Segments with records, in order, with their used bytes.
    used: Vec<(Arc<LogFile>, u64)>,
    /// Where the last record starts in the last of them.
    last_at: u64,
    fresh: Vec<Fresh>,
}

impl Replay {
    /// Reads one segment. The first without a whole head ends the log: after it, none may have records.
    fn segment(&mut self, disk: &dyn Disk, id: u64, number: u64) -> Result<(), Fault> {
        let file = disk.open(&segment_name(number), false)?;
        let mut window = Window::new(&*file)?;
        let origin = Origin { kind: Kind::Segment, log: id, number };
        let head = window.get(0, HEAD_BYTES)?.and_then(|head| record::read_head(head, Kind::Segment, number));
        let first = head.filter(|(log, _)| *log == id).map(|(_, first)| first);
        let Some(first) = first else {
            if let Some(at) = window.later_record(origin, 0, self.sequence)? {
                return Err(damaged(number, 0, at));
            }
            let size = window.size;
            if size < HEAD_BYTES as u64 {
                return Err(Fault::Damaged(format!("{} is cut short", segment_name(number))));
            }
            self.fresh.push(Fresh { number, file, size });
            return Ok(());
        };
        if first != self.sequence || !self.fresh.is_empty() {
            let reason = format!("{} starts with record {first}, not {}", segment_name(number), self.sequence);
            return Err(Fault::Damaged(format!("{reason}: records are missing before it")));
        }
        let log_file = Arc::new(LogFile { number, is_snapshot: false, file: file.clone() });
        let mut at = HEAD_BYTES as u64;
        while let Some((_, payload)) = window.record(origin, at)?.filter(|(number, _)| *number == self.sequence) {
            let bytes = (FRAME_BYTES + payload.len()) as u64;
            if apply(&mut self.index, &log_file, at + FRAME_BYTES as u64, payload)?.is_some() {
                return Err(Fault::Damaged(format!("{} has a snapshot's end", segment_name(number))));
            }
            self.last_at = at;
            at += bytes;
            self.sequence += 1;
        }
        if let Some(later) = window.later_record(origin, at, self.sequence)? {
            return Err(damaged(number, at, later));
        }
        self.used.push((log_file, at));
        Ok(())
    }
}

fn damaged(number: u64, at: u64, later: u64) -> Fault {
    Fault::Damaged(format!("{} has a bad record at {at} and a good one at {later}", segment_name(number)))
}

/// Writes the last record again, and waits for it: it may be whole in the operating system's memory
/// alone, if its fdatasync failed or never came. What is acknowledged from now on builds upon it.
fn settle(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let from = if from == HEAD_BYTES as u64 { 0 } else { from };
    let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(usize::MAX)];
    file.read_at(&mut bytes, from)?;
    file.write_at(&bytes, from)?;
    file.sync()
}

fn replay(disk: &dyn Disk, base: &mut Base, listing: &Listing) -> Result<Replay, Fault> {
    let index = std::mem::take(&mut base.index);
    let mut replay = Replay { index, sequence: base.first, used: Vec::new(), last_at: 0, fresh: Vec::new() };
    let after = listing.segments.iter().copied().filter(|number| *number >= base.file.number);
    for (number, expected) in after.zip(base.file.number..) {
        if number != expected {
            return Err(Fault::Damaged(format!("{} is missing", segment_name(expected))));
        }
        replay.segment(disk, base.id, number)?;
    }
    // A newer snapshot that is not whole stood for all segments before it.
    let newest = listing.snapshots.last().copied().unwrap_or(0);
    if base.file.number + (replay.used.len() as u64) < newest {
        return Err(Fault::Damaged(format!("{} is not whole", snapshot_name(newest))));
    }
    if replay.sequence <= base.until {
        let last = replay.sequence.saturating_sub(1);
        return Err(Fault::Damaged(format!("it ends with record {last}, but had {} once", base.until)));
    }
    if let Some((file, end)) = replay.used.last()
        && *end > HEAD_BYTES as u64
    {
        settle(&*file.file, replay.last_at, *end)?;
    }
    Ok(replay)
}

pub(super) fn open(disk: Arc<dyn Disk>, tuning: Tuning) -> Result<Core, OpenError> {
    let path = disk.path().to_owned();
    let told = |fault: Fault| fault.told(&path);
    let lock = disk.lock().map_err(|error| told(error.into()))?;
    let (mut base, replay) = read_all(&*disk).map_err(told)?;
    let mut replay = replay;
    let mut writer = Writer {
        active: None,
        next_number: base.file.number + replay.used.len() as u64,
        sealed: std::mem::take(&mut replay.used),
        snapshot: (base.file.clone(), std::mem::take(&mut base.bytes)),
        sequence: replay.sequence,
        buffer: Vec::new(),
        failed: None,
    };
    if let Some((file, end)) = writer.sealed.pop() {
        let size = file.file.size().map_err(|error| told(error.into()))?;
        writer.active = Some(Active { file, size, end });
    }
    let spare = Spare { next: replay.fresh.into_iter().next(), pool: Vec::new() };
    Ok(Core {
        disk,
        path: path.clone(),
        id: base.id,
        tuning,
        index: RwLock::new(replay.index),
        writer: Mutex::new(writer),
        spare: Mutex::new(spare),
        folding: Mutex::default(),
        orders: super::worker::Orders::default(),
        counters: super::Counters::default(),
        _lock: lock,
    })
}

fn read_all(disk: &dyn Disk) -> Result<(Base, Replay), Fault> {
    let mut listing = list(disk)?;
    if listing.segments.is_empty() && listing.snapshots.is_empty() {
        make(disk)?;
        listing = list(disk)?;
    }
    let mut base = newest(disk, &listing)?;
    let replay = replay(disk, &mut base, &listing)?;
    // What a crash left behind. After all was read: a log that is refused stays as it is.
    let number = base.file.number;
    let old_segments = listing.segments.iter().filter(|old| **old < number).map(|old| segment_name(*old));
    let old_snapshots = listing.snapshots.iter().filter(|old| **old != number).map(|old| snapshot_name(*old));
    for name in old_segments.chain(old_snapshots).chain(listing.aside) {
        disk.remove(&name)?;
    }
    Ok((base, replay))
}
