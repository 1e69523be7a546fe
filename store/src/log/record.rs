//! The bytes on the disk; docs/spec/log.md. Nothing in here reads or writes a file.
//!
//! What comes from the disk is believed only as far as its checksum and its bounds hold: no length
//! that it names is allocated before that many bytes are known to be there.

use crc_fast::{CrcAlgorithm, Digest};

/// Bytes of a file's head.
pub(crate) const HEAD_BYTES: usize = 36;
/// Bytes before a record's payload: length, checksum, sequence number.
pub(crate) const FRAME_BYTES: usize = 16;
/// A record's payload has at most so many bytes.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    Snapshot,
}

impl Kind {
    /// The first bytes of such a file; the last of them is the version of the format.
    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Segment => *b"WLLOGse\x01",
            Self::Snapshot => *b"WLLOGsn\x01",
        }
    }
}

/// Which file of which log: part of every checksum in it, so that a record is never taken for one
/// of another file, or of the file that had these blocks before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) kind: Kind,
    /// Random, one for each log.
    pub(crate) log: u64,
    /// The file's number.
    pub(crate) number: u64,
}

impl Origin {
    fn checksum(&self, parts: &[&[u8]]) -> u32 {
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        digest.update(&self.kind.magic());
        digest.update(&self.log.to_le_bytes());
        digest.update(&self.number.to_le_bytes());
        for part in parts {
            digest.update(part);
        }
        digest.finalize() as u32
    }
}

/// The checksum of a value, kept in memory beside its place.
pub(crate) fn checksum(value: &[u8]) -> u32 {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, value) as u32
}

/// `magic 8 · log 8 · number 8 · first 8 · checksum 4`: of a segment, `first` is the sequence number
/// of its first record; of a snapshot, of the first record that it does not hold.
pub(crate) fn head(origin: Origin, first: u64) -> [u8; HEAD_BYTES] {
    let mut bytes = [0; HEAD_BYTES];
    bytes[..8].copy_from_slice(&origin.kind.magic());
    bytes[8..16].copy_from_slice(&origin.log.to_le_bytes());
    bytes[16..24].copy_from_slice(&origin.number.to_le_bytes());
    bytes[24..32].copy_from_slice(&first.to_le_bytes());
    bytes[32..].copy_from_slice(&origin.checksum(&[&first.to_le_bytes()]).to_le_bytes());
    bytes
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The log and the first sequence number of a file's head; `None` if it isn't whole, or not of
/// this kind and number.
pub(crate) fn read_head(bytes: &[u8], kind: Kind, number: u64) -> Option<(u64, u64)> {
    let origin = Origin { kind, log: u64_at(bytes, 8)?, number };
    let first = u64_at(bytes, 24)?;
    (bytes.get(..HEAD_BYTES)? == head(origin, first)).then_some((origin.log, first))
}

/// Puts a record's frame into `bytes`, which have [`FRAME_BYTES`] of room before the payload.
pub(crate) fn seal(origin: Origin, sequence: u64, bytes: &mut [u8]) {
    let (frame, payload) = bytes.split_at_mut(FRAME_BYTES);
    let length = u32::try_from(payload.len()).expect("callers keep to PAYLOAD_BYTES_MAX").to_le_bytes();
    let sum = origin.checksum(&[&length, &sequence.to_le_bytes(), payload]);
    frame[..4].copy_from_slice(&length);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
    frame[8..].copy_from_slice(&sequence.to_le_bytes());
}

/// The length and the sequence number that a frame claims; `None` if it can't be a frame's.
pub(crate) fn read_frame(frame: &[u8]) -> Option<(usize, u64)> {
    let length = usize::try_from(u32_at(frame, 0)?).ok().filter(|length| *length <= PAYLOAD_BYTES_MAX)?;
    Some((length, u64_at(frame, 8)?))
}

/// True if the frame's checksum is that of its payload.
pub(crate) fn is_whole(origin: Origin, frame: &[u8], payload: &[u8]) -> bool {
    let (Some(length), Some(sum), Some(sequence)) = (frame.get(..4), u32_at(frame, 4), frame.get(8..16)) else {
        return false;
    };
    origin.checksum(&[length, sequence, payload]) == sum
}

/// One operation of a record, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    /// Sets a key. `value_at` counts from the payload's start.
    Put {
        table: &'a str,
        key: &'a [u8],
        value: &'a [u8],
        value_at: usize,
    },
    Delete {
        table: &'a str,
        key: &'a [u8],
    },
    Clear {
        table: &'a str,
    },
    /// The last of a snapshot: how many entries it holds, and the last record that must follow it.
    End {
        entries: u64,
        until: u64,
    },
}

const PUT: u8 = 1;
const DELETE: u8 = 2;
const CLEAR: u8 = 3;
const END: u8 = 4;

fn put_length(into: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        into.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    into.push(length as u8);
}

fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_length(into, bytes.len());
    into.extend_from_slice(bytes);
}

/// Adds a `Put`; returns where its value stands in `into`.
pub(crate) fn put(into: &mut Vec<u8>, table: &str, key: &[u8], value: &[u8]) -> usize {
    into.push(PUT);
    put_bytes(into, table.as_bytes());
    put_bytes(into, key);
    put_length(into, value.len());
    let at = into.len();
    into.extend_from_slice(value);
    at
}

pub(crate) fn delete(into: &mut Vec<u8>, table: &str, key: &[u8]) {
    into.push(DELETE);
    put_bytes(into, table.as_bytes());
    put_bytes(into, key);
}

pub(crate) fn clear(into: &mut Vec<u8>, table: &str) {
    into.push(CLEAR);
    put_bytes(into, table.as_bytes());
}

pub(crate) fn end(into: &mut Vec<u8>, entries: u64, until: u64) {
    into.push(END);
    into.extend_from_slice(&entries.to_le_bytes());
    into.extend_from_slice(&until.to_le_bytes());
}

/// At most so many bytes does a `Put` take beside table, key and value.
pub(crate) const PUT_BYTES: usize = 1 + 3 * 5;

/// Reads the operations of a payload one by one; ends after the first that is malformed.
pub(crate) struct Ops<'a> {
    payload: &'a [u8],
    at: usize,
}

pub(crate) fn ops(payload: &[u8]) -> Ops<'_> {
    Ops { payload, at: 0 }
}

impl<'a> Ops<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let bytes = self.payload.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    /// A length in LEB128: at most 5 bytes, the shortest that say it.
    fn length(&mut self) -> Option<usize> {
        let mut length = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = *self.take(1)?.first()?;
            length |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return usize::try_from(length).ok().filter(|_| shortest);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn table(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn op(&mut self) -> Option<Op<'a>> {
        match *self.take(1)?.first()? {
            PUT => {
                let (table, key) = (self.table()?, self.bytes()?);
                let length = self.length()?;
                let value_at = self.at;
                Some(Op::Put { table, key, value: self.take(length)?, value_at })
            }
            DELETE => Some(Op::Delete { table: self.table()?, key: self.bytes()? }),
            CLEAR => Some(Op::Clear { table: self.table()? }),
            END => Some(Op::End { entries: u64_at(self.take(8)?, 0)?, until: u64_at(self.take(8)?, 0)? }),
            _ => None,
        }
    }
}

/// The payload is none that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Iterator for Ops<'a> {
    type Item = Result<Op<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.payload.len() {
            return None;
        }
        let op = self.op();
        if op.is_none() {
            self.at = self.payload.len();
        }
        Some(op.ok_or(Malformed))
    }
}
