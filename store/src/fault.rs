//! A disk in memory that fails on purpose, for tests: it loses power, tears what was not synced,
//! refuses a write or an fdatasync, is full. What happens follows from its seed.

use crate::log::disk::{Disk, DiskFile};
use crate::log::record::{self, Kind, Op, Origin};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a disk writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

#[derive(Debug, Default, Clone)]
struct Inode {
    /// What the process sees.
    live: Vec<u8>,
    /// What is on the disk for certain.
    durable: Vec<u8>,
    /// Sectors that differ, or may.
    dirty: BTreeSet<usize>,
    /// As `dirty`, but an fdatasync of them failed: a later one won't write them.
    given_up: BTreeSet<usize>,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Writes, syncs and changes of names so far.
    operations: u64,
    writes: u64,
    syncs: u64,
    off_at: Option<u64>,
    off_at_sync: Option<u64>,
    fail_write: Option<u64>,
    fail_sync: Option<u64>,
    capacity: Option<usize>,
    off: bool,
    locked: bool,
}

/// See the module's head. Counts start at 1 and go on over the disk's life.
#[derive(Debug)]
pub struct FaultDisk {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl State {
    fn begin(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.off_at.is_some_and(|at| self.operations >= at) {
            self.off = true;
        }
        if self.off { Err(off()) } else { Ok(()) }
    }

    fn begin_sync(&mut self) -> io::Result<bool> {
        self.begin()?;
        self.syncs += 1;
        if self.off_at_sync == Some(self.syncs) {
            self.off = true;
            return Err(off());
        }
        Ok(self.fail_sync != Some(self.syncs))
    }

    fn used(&self) -> usize {
        self.names.values().collect::<BTreeSet<_>>().into_iter().map(|inode| self.inodes[*inode].live.len()).sum()
    }

    /// What is left of a file after a power loss.
    fn survivor(&mut self, inode: usize) -> Inode {
        let Inode { live, durable, dirty, given_up } = self.inodes[inode].clone();
        let mut left = durable;
        let unsure: Vec<usize> = dirty.union(&given_up).copied().collect();
        let (mode, cut) = (self.rng.gen_range(0..5), self.rng.gen_range(0..=unsure.len()));
        for (place, sector) in unsure.into_iter().enumerate() {
            let kept = match mode {
                0 => false,
                1 => true,
                2 => place < cut,
                3 => place != cut,
                _ => self.rng.r#gen(),
            };
            let from = sector * SECTOR_BYTES;
            if kept && from < live.len() {
                let to = live.len().min(from + SECTOR_BYTES);
                left.resize(left.len().max(to), 0);
                left[from..to].copy_from_slice(&live[from..to]);
            }
        }
        Inode { durable: left.clone(), live: left, ..Inode::default() }
    }
}

impl FaultDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Arc<Self> {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            operations: 0,
            writes: 0,
            syncs: 0,
            off_at: None,
            off_at_sync: None,
            fail_write: None,
            fail_sync: None,
            capacity: None,
            off: false,
            locked: false,
        };
        Arc::new(Self { path: "fault-disk".into(), state: Arc::new(Mutex::new(state)) })
    }

    /// Power is lost just before operation number `at`.
    pub fn lose_power_at(&self, at: u64) {
        lock(&self.state).off_at = Some(at);
    }

    /// Power is lost in the sync number `at`.
    pub fn lose_power_at_sync(&self, at: u64) {
        lock(&self.state).off_at_sync = Some(at);
    }

    /// The write number `at` fails after a part of it.
    pub fn fail_write(&self, at: u64) {
        lock(&self.state).fail_write = Some(at);
    }

    /// The sync number `at` fails.
    pub fn fail_sync(&self, at: u64) {
        lock(&self.state).fail_sync = Some(at);
    }

    /// All files together have room for so many bytes; `None`: for any.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        lock(&self.state).capacity = bytes;
    }

    /// Writes, syncs and changes of names so far.
    pub fn operations(&self) -> u64 {
        lock(&self.state).operations
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        lock(&self.state).writes
    }

    /// Syncs so far.
    pub fn syncs(&self) -> u64 {
        lock(&self.state).syncs
    }

    /// The power goes, if it hasn't, and comes back: the disk as the next process finds it. Of what
    /// was not synced, content and names, any part may be there.
    pub fn crash(&self) -> Arc<Self> {
        let mut state = lock(&self.state);
        state.off = true;
        let mut names = BTreeMap::new();
        let all: BTreeSet<String> = state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        for name in all {
            let (now, before) = (state.names.get(&name).copied(), state.durable_names.get(&name).copied());
            let kept = if now == before || state.rng.r#gen() { now } else { before };
            names.extend(kept.map(|inode| (name, inode)));
        }
        let inodes = (0..state.inodes.len()).map(|inode| state.survivor(inode)).collect();
        let next = Self::new(state.rng.r#gen());
        {
            let mut fresh = lock(&next.state);
            fresh.inodes = inodes;
            fresh.durable_names.clone_from(&names);
            fresh.names = names;
        }
        next
    }

    /// A copy of the disk as it would be after an orderly end: everything that was written is there.
    pub fn reopened(&self) -> Arc<Self> {
        let mut state = lock(&self.state);
        let next = Self::new(state.rng.r#gen());
        {
            let mut fresh = lock(&next.state);
            let whole =
                |inode: &Inode| Inode { durable: inode.live.clone(), live: inode.live.clone(), ..Inode::default() };
            fresh.inodes = state.inodes.iter().map(whole).collect();
            fresh.names.clone_from(&state.names);
            fresh.durable_names.clone_from(&state.names);
        }
        next
    }

    /// The content of a file.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = lock(&self.state);
        state.names.get(name).map(|inode| state.inodes[*inode].live.clone())
    }

    /// Replaces the content of a file, or makes it: damage, or a fuzzer's input.
    pub fn set_content(&self, name: &str, content: Vec<u8>) {
        let mut state = lock(&self.state);
        let inode = state.inodes.len();
        state.inodes.push(Inode { live: content.clone(), durable: content, ..Inode::default() });
        state.names.insert(name.into(), inode);
        state.durable_names.insert(name.into(), inode);
    }

    /// Takes a file away, durably.
    pub fn take_away(&self, name: &str) {
        let mut state = lock(&self.state);
        state.names.remove(name);
        state.durable_names.remove(name);
    }
}

struct Guard(Arc<Mutex<State>>);

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.0).locked = false;
    }
}

impl Disk for FaultDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.locked, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Guard(self.state.clone())))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let state = lock(&self.state);
        if state.off { Err(off()) } else { Ok(state.names.keys().cloned().collect()) }
    }

    fn open(&self, name: &str, make: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = lock(&self.state);
        if state.off {
            return Err(off());
        }
        let inode = match state.names.get(name) {
            Some(inode) if !make => *inode,
            None if !make => return Err(io::ErrorKind::NotFound.into()),
            _ => {
                state.begin()?;
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.names.insert(name.into(), inode);
                inode
            }
        };
        Ok(Arc::new(FaultFile { state: self.state.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.begin()?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.into(), inode);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.begin()?;
        state.names.remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.begin_sync()? {
            return Err(io::Error::other("this sync fails"));
        }
        state.durable_names = state.names.clone();
        Ok(())
    }
}

#[derive(Debug)]
struct FaultFile {
    state: Arc<Mutex<State>>,
    inode: usize,
}

impl DiskFile for FaultFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.state).inodes[self.inode].live.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let state = lock(&self.state);
        let live = &state.inodes[self.inode].live;
        let from =
            usize::try_from(offset).ok().filter(|from| *from <= live.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let there = live[from..].get(..bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(there);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.begin()?;
        state.writes += 1;
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let fails = state.fail_write == Some(state.writes);
        let written = if fails { state.rng.gen_range(0..=bytes.len()) } else { bytes.len() };
        let grows = (from + written).saturating_sub(state.inodes[self.inode].live.len());
        if state.capacity.is_some_and(|capacity| state.used() + grows > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inode = &mut state.inodes[self.inode];
        if written > 0 {
            inode.live.resize(inode.live.len().max(from + written), 0);
            inode.live[from..from + written].copy_from_slice(&bytes[..written]);
            for sector in from / SECTOR_BYTES..=(from + written - 1) / SECTOR_BYTES {
                inode.dirty.insert(sector);
                inode.given_up.remove(&sector);
            }
        }
        if fails { Err(io::Error::other("this write fails")) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        let succeeds = state.begin_sync()?;
        let inode = &mut state.inodes[self.inode];
        let dirty = std::mem::take(&mut inode.dirty);
        if !succeeds {
            // As Linux does it: the pages count as clean from now on.
            inode.given_up.extend(dirty);
            return Err(io::Error::other("this sync fails"));
        }
        let size = inode.live.len();
        inode.durable.resize(size, 0);
        for sector in dirty {
            let (from, to) = (sector * SECTOR_BYTES, size.min((sector + 1) * SECTOR_BYTES));
            inode.durable[from..to].copy_from_slice(&inode.live[from..to]);
        }
        Ok(())
    }
}

/// The log of [`empty_snapshot`], [`sealed_segment`] and [`sealed_snapshot`].
const LOG: u64 = 7;

fn sealed(kind: Kind, first_record: u64, payloads: &[&[u8]]) -> Vec<u8> {
    let origin = Origin { kind, log: LOG, number: 1 };
    let mut bytes = record::head(origin, 1).to_vec();
    for (number, payload) in (first_record..).zip(payloads) {
        let mut one = vec![0; record::FRAME_BYTES];
        one.extend_from_slice(payload);
        record::seal(origin, number, &mut one);
        bytes.extend(one);
    }
    bytes
}

/// The snapshot that a new log begins with.
pub fn empty_snapshot() -> Vec<u8> {
    sealed_snapshot(&[])
}

/// A snapshot of these payloads, and an end that says how many entries they leave.
pub fn sealed_snapshot(payloads: &[&[u8]]) -> Vec<u8> {
    let mut entries = BTreeSet::new();
    for op in payloads.iter().flat_map(|payload| record::ops(payload)) {
        match op {
            Ok(Op::Put { table, key, .. }) => drop(entries.insert((table, key))),
            Ok(Op::Delete { table, key }) => drop(entries.remove(&(table, key))),
            Ok(Op::Clear { table }) => entries.retain(|(name, _)| *name != table),
            Ok(Op::End { .. }) | Err(_) => {}
        }
    }
    let mut end = Vec::new();
    record::end(&mut end, entries.len() as u64, 0);
    sealed(Kind::Snapshot, 0, &[payloads, &[&end]].concat())
}

/// Segment 1 of these payloads, their checksums in order: what a decoder behind the checksum must bear.
pub fn sealed_segment(payloads: &[&[u8]]) -> Vec<u8> {
    sealed(Kind::Segment, 1, payloads)
}
