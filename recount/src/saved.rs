//! What was counted, as bytes for the disk, so that a process that starts again goes on where it stopped.
//!
//! `"wlrecnt1" · what was counted (borsh) · SHA-256, tagged`. The bytes are believed with their checksum, and only if
//! what they say adds up, and against the block that they end with. Whoever can't have that counts from the genesis.

use crate::accounts::Accounts;
use crate::deposits::Anchors;
use crate::dials::Dials;
use crate::treasury::Treasury;
use crate::{Fault, Recount, encoding};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;
use windlass_ledger::{Block, Genesis};
use windlass_types::{AssetId, ChainId, Digest, SideHeight};

const MAGIC: &[u8; 8] = b"wlrecnt1";
const SUM_BYTES: usize = 32;

/// Why saved bytes are not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// They are of no recount of this version, or damaged.
    #[error("it is no saved recount of this version, or damaged: {0}")]
    Damaged(String),
    /// They are of another chain.
    #[error("it is of the chain {0}")]
    OtherChain(ChainId),
    /// The chain has another block there, or none.
    #[error("it ends with another block {0} than the chain's")]
    OtherBlock(SideHeight),
    /// What it says does not add up.
    #[error("what it counted up to block {0} does not add up: {1}")]
    Sums(SideHeight, String),
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Saved {
    chain: ChainId,
    height: SideHeight,
    tip: Digest,
    anchors: Anchors,
    dials: Dials,
    accounts: Accounts,
    treasury: Treasury,
}

fn sum(bytes: &[u8]) -> Digest {
    Digest::tagged("Windlass/recount", &[bytes])
}

impl Recount {
    /// All that was counted; nothing before the first block, and nothing once something was found wrong: whoever goes on
    /// from before that finds it again.
    pub fn save(&self) -> Option<Vec<u8>> {
        let tip = self.tip.filter(|_| self.fault.is_none())?;
        let saved = Saved {
            chain: self.chain,
            height: self.height,
            tip,
            anchors: self.anchors.clone(),
            dials: self.dials.clone(),
            accounts: self.accounts.clone(),
            treasury: self.treasury.clone(),
        };
        let mut bytes = [&MAGIC[..], &encoding(&saved)].concat();
        let sum = sum(&bytes);
        bytes.extend_from_slice(sum.as_bytes());
        Some(bytes)
    }

    /// The recount that [`Self::save`] gave these bytes of; `block` gives the bytes of the chain's block at a height.
    ///
    /// # Errors
    /// They are damaged, of another chain, or do not add up: count from the genesis.
    pub fn resume(
        genesis: Genesis,
        saved: &[u8],
        block: impl FnOnce(SideHeight) -> Option<Vec<u8>>,
    ) -> Result<Self, SavedError> {
        let damaged = |what: &str| SavedError::Damaged(what.to_owned());
        let body = saved.len().checked_sub(SUM_BYTES).and_then(|at| saved.split_at_checked(at));
        let (bytes, check) = body.ok_or_else(|| damaged("it is cut short"))?;
        if sum(bytes).as_bytes() != check {
            return Err(damaged("its checksum is wrong"));
        }
        let body = bytes.strip_prefix(MAGIC.as_slice()).ok_or_else(|| damaged("it begins otherwise"))?;
        let saved: Saved = borsh::from_slice(body).map_err(|error| damaged(&error.to_string()))?;
        let recount = Self {
            height: saved.height,
            tip: Some(saved.tip),
            anchors: saved.anchors,
            dials: saved.dials,
            accounts: saved.accounts,
            treasury: saved.treasury,
            ..Self::new(genesis)
        };
        if saved.chain != recount.chain {
            return Err(SavedError::OtherChain(saved.chain));
        }
        let other = SavedError::OtherBlock(saved.height);
        let block = block(saved.height).and_then(|bytes| Block::decode(&bytes).ok()).ok_or_else(|| other.clone())?;
        if Digest::tagged("Windlass/header", &[&encoding(&block.header)]) != saved.tip {
            return Err(other);
        }
        recount.adds_up().map_err(|what| SavedError::Sums(saved.height, what.to_owned()))?;
        let wrong = |fault: Fault| SavedError::Sums(saved.height, fault.to_string());
        recount.compare(&block.header).map_err(wrong)?;
        Ok(recount)
    }

    /// Whether the sums that are kept are those of what they are the sums of.
    fn adds_up(&self) -> Result<(), &'static str> {
        let mut sums: BTreeMap<AssetId, u64> = BTreeMap::new();
        for (asset, units) in self.accounts.all_units() {
            let sum = sums.entry(asset).or_default();
            *sum = sum.checked_add(units).ok_or("the balances overflow")?;
        }
        if !self.accounts.supplies().eq(sums) {
            return Err("the balances are not the supply");
        }
        if self.treasury.burned_unpaid() != Some(self.treasury.owed()) {
            return Err("the peg-outs that wait are not what is owed");
        }
        Ok(())
    }
}

/// Bitcoin's own encoding of one of its types, as a list of bytes.
pub(crate) mod consensus {
    use bitcoin::consensus::{Decodable, Encodable, encode};
    use borsh::BorshDeserialize as _;
    use borsh::io::{Error, ErrorKind, Read, Result, Write};

    pub(crate) fn write<T: Encodable, W: Write>(value: &T, writer: &mut W) -> Result<()> {
        borsh::to_writer(writer, &encode::serialize(value))
    }

    pub(crate) fn read<T: Decodable, R: Read>(reader: &mut R) -> Result<T> {
        let bytes = Vec::<u8>::deserialize_reader(reader)?;
        encode::deserialize(&bytes).map_err(|error| Error::new(ErrorKind::InvalidData, error.to_string()))
    }
}

/// The same for a value that may be missing, and for maps and sets that have one inside.
pub(crate) mod inside {
    use super::consensus;
    use bitcoin::{BlockHash, OutPoint};
    use borsh::io::{Read, Result, Write};
    use borsh::{BorshDeserialize, BorshSerialize};
    use std::collections::{BTreeMap, BTreeSet};
    use windlass_types::BtcHeight;

    #[derive(BorshSerialize, BorshDeserialize)]
    struct Claim(
        BtcHeight,
        #[borsh(serialize_with = "consensus::write", deserialize_with = "consensus::read")] OutPoint,
    );

    #[derive(BorshSerialize, BorshDeserialize)]
    struct Anchor(
        BtcHeight,
        #[borsh(serialize_with = "consensus::write", deserialize_with = "consensus::read")] BlockHash,
        u32,
    );

    pub(crate) fn write_claims<W: Write>(claims: &BTreeSet<(BtcHeight, OutPoint)>, writer: &mut W) -> Result<()> {
        let list: Vec<Claim> = claims.iter().map(|(height, outpoint)| Claim(*height, *outpoint)).collect();
        borsh::to_writer(writer, &list)
    }

    pub(crate) fn read_claims<R: Read>(reader: &mut R) -> Result<BTreeSet<(BtcHeight, OutPoint)>> {
        let list = Vec::<Claim>::deserialize_reader(reader)?;
        Ok(list.into_iter().map(|Claim(height, outpoint)| (height, outpoint)).collect())
    }

    pub(crate) fn write_anchors<W: Write>(
        anchors: &BTreeMap<BtcHeight, (BlockHash, u32)>,
        writer: &mut W,
    ) -> Result<()> {
        let list: Vec<Anchor> = anchors.iter().map(|(height, (hash, count))| Anchor(*height, *hash, *count)).collect();
        borsh::to_writer(writer, &list)
    }

    pub(crate) fn read_anchors<R: Read>(reader: &mut R) -> Result<BTreeMap<BtcHeight, (BlockHash, u32)>> {
        let list = Vec::<Anchor>::deserialize_reader(reader)?;
        Ok(list.into_iter().map(|Anchor(height, hash, count)| (height, (hash, count))).collect())
    }
}
