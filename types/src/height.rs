//! Heights, durations in blocks and epochs.

use bitcoin::BlockHash;
use bitcoin::hashes::Hash as _;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
                 BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($int);

        impl $name {
            /// Wraps a raw count.
            pub const fn new(value: $int) -> Self { Self(value) }
            /// The raw count.
            pub const fn get(self) -> $int { self.0 }
            /// The next one, or `None` at the type's end.
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) { Some(v) => Some(Self(v)), None => None }
            }
            /// The one before, or `None` at zero.
            pub const fn previous(self) -> Option<Self> {
                match self.0.checked_sub(1) { Some(v) => Some(Self(v)), None => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    };
}

counter!(
    /// Height of a Bitcoin block; the genesis block is 0.
    BtcHeight, u32
);
counter!(
    /// Height of a sidechain block; the genesis block is 0.
    SideHeight, u64
);
counter!(
    /// A duration, counted in Bitcoin blocks.
    Blocks, u32
);
counter!(
    /// A key epoch of the federation; the first is 0.
    Epoch, u32
);

impl BtcHeight {
    /// The height `blocks` later, or `None` past the type's end.
    pub const fn checked_add(self, blocks: Blocks) -> Option<Self> {
        match self.0.checked_add(blocks.0) {
            Some(v) => Some(Self(v)),
            None => None,
        }
    }

    /// The height `blocks` earlier, or `None` before the genesis block.
    pub const fn checked_sub(self, blocks: Blocks) -> Option<Self> {
        match self.0.checked_sub(blocks.0) {
            Some(v) => Some(Self(v)),
            None => None,
        }
    }

    /// How many blocks lie between `earlier` and this height, or `None` if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Option<Blocks> {
        match self.0.checked_sub(earlier.0) {
            Some(v) => Some(Blocks(v)),
            None => None,
        }
    }
}

/// A Bitcoin block, named by height and hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct BlockRef {
    /// Its height.
    pub height: BtcHeight,
    hash: [u8; 32],
}

impl BlockRef {
    /// Names the block `hash` at `height`.
    pub fn new(height: BtcHeight, hash: BlockHash) -> Self {
        Self { height, hash: hash.to_byte_array() }
    }

    /// Its hash.
    pub fn hash(&self) -> BlockHash {
        BlockHash::from_byte_array(self.hash)
    }
}

impl fmt::Debug for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.hash())
    }
}

impl fmt::Display for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[derive(Serialize, Deserialize)]
struct BlockRefJson {
    height: BtcHeight,
    hash: BlockHash,
}

impl Serialize for BlockRef {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        BlockRefJson { height: self.height, hash: self.hash() }.serialize(s)
    }
}

impl<'de> Deserialize<'de> for BlockRef {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let json = BlockRefJson::deserialize(d)?;
        Ok(Self::new(json.height, json.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_do_not_wrap() {
        assert_eq!(BtcHeight::new(u32::MAX).next(), None);
        assert_eq!(BtcHeight::new(3).checked_sub(Blocks::new(4)), None);
        assert_eq!(BtcHeight::new(9).since(BtcHeight::new(3)), Some(Blocks::new(6)));
        assert_eq!(BtcHeight::new(3).since(BtcHeight::new(9)), None);
    }
}
