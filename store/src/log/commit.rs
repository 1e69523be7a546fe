//! A round of commits becomes one record.

use super::index::{Index, Slot};
use super::record::{self, FRAME_BYTES, HEAD_BYTES, PAYLOAD_BYTES_MAX};
use super::{Core, add};
use crate::error::StoreError;
use crate::group::{Outcome, locked};
use crate::store::position;
use crate::writes::{Write, Writes};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The buffer keeps at most so many bytes between rounds.
const BUFFER_BYTES_KEPT: usize = 8 << 20;

/// A change whose bytes are in the buffer.
enum Placed<'a> {
    Put { table: &'a str, key: Cow<'a, [u8]>, value: &'a [u8], at: usize },
    Delete { table: &'a str, key: &'a [u8] },
    Clear { table: &'a str },
}

/// What the round did so far to the keys of a table that it appends to.
#[derive(Default)]
struct Tail<'a> {
    cleared: bool,
    /// True: put; false: deleted.
    keys: BTreeMap<Cow<'a, [u8]>, bool>,
}

struct Encoder<'a, 'b> {
    index: &'b Index,
    tails: BTreeMap<&'a str, Tail<'a>>,
    placed: Vec<Placed<'a>>,
    buffer: &'b mut Vec<u8>,
}

impl<'a> Encoder<'a, '_> {
    /// The position that an append to `table` gets.
    fn next_position(&self, table: &str) -> Result<u64, String> {
        let tail = self.tails.get(table);
        let put = tail.and_then(|tail| tail.keys.iter().rev().find(|(_, put)| **put).map(|(key, _)| &**key));
        let there = match self.index.tables.get(table) {
            Some(entries) if !tail.is_some_and(|tail| tail.cleared) => {
                let is_deleted = |key: &[u8]| tail.is_some_and(|tail| tail.keys.get(key) == Some(&false));
                entries.keys().rev().map(Vec::as_slice).find(|key| !is_deleted(key))
            }
            _ => None,
        };
        match put.max(there) {
            None => Ok(0),
            Some(last) => position(last)
                .and_then(|last| last.checked_add(1))
                .ok_or_else(|| format!("{table:?} is no journal: it has a key of {} bytes", last.len())),
        }
    }

    fn note(&mut self, table: &str, key: Cow<'a, [u8]>, put: bool) {
        if let Some(tail) = self.tails.get_mut(table) {
            tail.keys.insert(key, put);
        }
    }

    fn room(&self, bytes: usize) -> Result<(), String> {
        let used = self.buffer.len() - HEAD_BYTES - FRAME_BYTES;
        match used.checked_add(bytes).and_then(|sum| sum.checked_add(record::PUT_BYTES)) {
            Some(sum) if sum <= PAYLOAD_BYTES_MAX => Ok(()),
            _ => Err(format!("a commit of more than {PAYLOAD_BYTES_MAX} bytes")),
        }
    }

    fn put(&mut self, table: &'a str, key: Cow<'a, [u8]>, value: &'a [u8]) -> Result<(), String> {
        self.room(table.len().saturating_add(key.len()).saturating_add(value.len()))?;
        let at = record::put(self.buffer, table, &key, value) - HEAD_BYTES - FRAME_BYTES;
        self.note(table, key.clone(), true);
        self.placed.push(Placed::Put { table, key, value, at });
        Ok(())
    }

    /// Encodes the changes of one commit; returns the positions of its appends.
    fn commit(&mut self, writes: &'a Writes) -> Result<Vec<u64>, String> {
        let mut positions = Vec::new();
        for write in &writes.list {
            match write {
                Write::Put { table, key, value } => self.put(table, Cow::Borrowed(key), value)?,
                Write::Append { table, value } => {
                    let next = self.next_position(table)?;
                    self.put(table, Cow::Owned(next.to_be_bytes().to_vec()), value)?;
                    positions.push(next);
                }
                Write::Delete { table, key } => {
                    self.room(table.len().saturating_add(key.len()))?;
                    record::delete(self.buffer, table, key);
                    self.note(table, Cow::Borrowed(key), false);
                    self.placed.push(Placed::Delete { table, key });
                }
                Write::Clear { table } => {
                    self.room(table.len())?;
                    record::clear(self.buffer, table);
                    if let Some(tail) = self.tails.get_mut(table.as_str()) {
                        *tail = Tail { cleared: true, keys: BTreeMap::new() };
                    }
                    self.placed.push(Placed::Clear { table });
                }
            }
        }
        Ok(positions)
    }
}

/// Tables of the round that are appended to: for them alone the round's own changes are looked up.
fn appended(round: &[(u64, Writes)]) -> BTreeSet<&str> {
    let writes = round.iter().flat_map(|(_, writes)| &writes.list);
    writes.filter(|write| matches!(write, Write::Append { .. })).map(Write::table).collect()
}

type Encoded<'a> = (Vec<Placed<'a>>, Vec<(u64, Result<Vec<u64>, String>)>);

/// Encodes all commits of the round that can be made; one that can't fails alone.
fn encode<'a>(index: &Index, round: &'a [(u64, Writes)], buffer: &mut Vec<u8>) -> Encoded<'a> {
    let mut refused: BTreeMap<u64, String> = BTreeMap::new();
    let tables = appended(round);
    'again: loop {
        buffer.clear();
        buffer.resize(HEAD_BYTES + FRAME_BYTES, 0);
        let tails = tables.iter().map(|table| (*table, Tail::default())).collect();
        let mut encoder = Encoder { index, tails, placed: Vec::new(), buffer: &mut *buffer };
        let mut outcomes = Vec::with_capacity(round.len());
        for (ticket, writes) in round {
            if let Some(reason) = refused.get(ticket) {
                outcomes.push((*ticket, Err(reason.clone())));
                continue;
            }
            match encoder.commit(writes) {
                Ok(positions) => outcomes.push((*ticket, Ok(positions))),
                Err(reason) => {
                    // Part of it is in the buffer: start again without it.
                    refused.insert(*ticket, reason);
                    continue 'again;
                }
            }
        }
        return (encoder.placed, outcomes);
    }
}

impl Core {
    /// Writes the round as one record, then shows it to readers.
    pub(super) fn write_round(&self, round: &[(u64, Writes)]) -> Vec<(u64, Outcome)> {
        let mut writer = locked(&self.writer);
        let refuse = |error: StoreError| round.iter().map(|(ticket, _)| (*ticket, Err(error.clone()))).collect();
        if let Some(error) = &writer.failed {
            return refuse(error.clone());
        }
        let mut buffer = std::mem::take(&mut writer.buffer);
        let index = self.index();
        let (placed, outcomes) = encode(&index, round, &mut buffer);
        drop(index);
        writer.buffer = buffer;
        if !placed.is_empty() {
            let place = self.append(&mut writer);
            if writer.buffer.capacity() > BUFFER_BYTES_KEPT {
                writer.buffer = Vec::new();
            }
            match place {
                Ok((file, payload_at)) => self.show(placed, |value, at| Slot {
                    file: file.clone(),
                    offset: payload_at + at as u64,
                    length: u32::try_from(value.len()).expect("the payload's limit is below"),
                    checksum: record::checksum(value),
                }),
                Err(error) => return refuse(error),
            }
        }
        add(&self.counters.rounds, 1);
        add(&self.counters.commits, outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count() as u64);
        let damaged = |reason| StoreError::Damaged { path: self.path.clone(), reason };
        outcomes.into_iter().map(|(ticket, outcome)| (ticket, outcome.map_err(damaged))).collect()
    }

    fn show(&self, placed: Vec<Placed<'_>>, slot: impl Fn(&[u8], usize) -> Slot) {
        let mut index = self.index_mut();
        for change in placed {
            match change {
                Placed::Put { table, key, value, at } => index.put(table, &key, slot(value, at)),
                Placed::Delete { table, key } => index.delete(table, key),
                Placed::Clear { table } => index.clear(table),
            }
        }
    }
}
