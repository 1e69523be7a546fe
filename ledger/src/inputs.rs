//! What a sidechain block takes from Bitcoin: the blocks between two anchors, and which of the
//! coins that the ledger watches they spend.

use crate::state::{StateError, StateRead};
use crate::{query, wire};
use bitcoin::block::Header as BitcoinHeader;
use bitcoin::consensus::encode::{deserialize, serialize};
use bitcoin::{BlockHash, OutPoint, Txid};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, BTreeSet};
use windlass_types::{BlockRef, BtcHeight};

/// Most Bitcoin blocks that one sidechain block takes: a day. Who is further behind takes several
/// sidechain blocks to catch up.
pub const MAX_INPUT_BLOCKS: usize = 144;

/// The Bitcoin blocks that a sidechain block consumes. Empty if the anchor stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BitcoinInputs {
    /// Consecutive blocks, the first one after the parent's anchor.
    pub blocks: Vec<BitcoinBlockFacts>,
}

/// What the ledger needs of a Bitcoin block.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BitcoinBlockFacts {
    /// Its height.
    pub height: BtcHeight,
    /// Its header.
    pub header: [u8; 80],
    /// How many transactions it has.
    pub transactions: u32,
    /// The watched coins that it spends, ascending by outpoint.
    pub spends: Vec<Spend>,
}

/// A watched coin and what spent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Spend {
    /// The coin.
    #[borsh(serialize_with = "wire::outpoint::write", deserialize_with = "wire::outpoint::read")]
    pub outpoint: OutPoint,
    /// The transaction.
    #[borsh(serialize_with = "wire::txid::write", deserialize_with = "wire::txid::read")]
    pub txid: Txid,
}

/// Why Bitcoin inputs can't follow the parent's anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputsError {
    /// More blocks than one sidechain block takes.
    #[error("{0} Bitcoin blocks, at most {MAX_INPUT_BLOCKS} are taken at once")]
    TooMany(usize),
    /// A height that doesn't follow.
    #[error("Bitcoin block {found} where {expected} should follow")]
    Height {
        /// The height that follows.
        expected: BtcHeight,
        /// The height that is there.
        found: BtcHeight,
    },
    /// A header that doesn't decode.
    #[error("the header of Bitcoin block {0} is malformed")]
    Header(BtcHeight),
    /// A block that builds on another one.
    #[error("Bitcoin block {height} builds on {found}, the anchor before it is {expected}")]
    Parent {
        /// The height.
        height: BtcHeight,
        /// The anchor before.
        expected: BlockHash,
        /// The block's parent.
        found: BlockHash,
    },
    /// A block without transactions.
    #[error("Bitcoin block {0} has no transactions")]
    Empty(BtcHeight),
    /// Spends that are not ascending.
    #[error("the spends of Bitcoin block {0} are not in order")]
    Order(BtcHeight),
    /// A spend of a coin that the ledger doesn't watch, or of a coin spent before.
    #[error("Bitcoin block {height} spends {outpoint}, which the ledger does not watch")]
    Unwatched {
        /// The block.
        height: BtcHeight,
        /// The coin.
        outpoint: OutPoint,
    },
    /// The batch's transaction spends all of its inputs or none.
    #[error("Bitcoin block {height} has the batch's transaction {txid}, but not all of its inputs")]
    Partial {
        /// The block.
        height: BtcHeight,
        /// The batch's transaction.
        txid: Txid,
    },
}

impl BitcoinBlockFacts {
    /// The decoded header.
    pub(crate) fn bitcoin_header(&self) -> Result<BitcoinHeader, InputsError> {
        deserialize(&self.header).map_err(|_| InputsError::Header(self.height))
    }

    /// Height and hash. `None` if the header is malformed.
    pub fn at(&self) -> Option<BlockRef> {
        Some(BlockRef::new(self.height, self.bitcoin_header().ok()?.block_hash()))
    }
}

impl BitcoinInputs {
    /// The anchor after these inputs, if they move it.
    pub fn anchor(&self) -> Option<BlockRef> {
        self.blocks.last().and_then(BitcoinBlockFacts::at)
    }

    /// Whether the anchor stays.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// L5: the blocks follow `anchor` one by one, each on the one before, and their spends are of
    /// watched coins, in order, each once.
    pub(crate) fn verify(&self, anchor: BlockRef, watched: &BTreeSet<OutPoint>) -> Result<(), InputsError> {
        if self.blocks.len() > MAX_INPUT_BLOCKS {
            return Err(InputsError::TooMany(self.blocks.len()));
        }
        let mut last = anchor;
        let mut unspent = watched.clone();
        for block in &self.blocks {
            let (found, height) = (block.height, block.height);
            let expected = last.height.next().ok_or(InputsError::Height { expected: last.height, found })?;
            if found != expected {
                return Err(InputsError::Height { expected, found });
            }
            let header = block.bitcoin_header()?;
            if header.prev_blockhash != last.hash() {
                let (expected, found) = (last.hash(), header.prev_blockhash);
                return Err(InputsError::Parent { height, expected, found });
            }
            if block.transactions == 0 {
                return Err(InputsError::Empty(height));
            }
            if !block.spends.is_sorted_by(|a, b| a.outpoint < b.outpoint) {
                return Err(InputsError::Order(height));
            }
            for spend in &block.spends {
                if !unspent.remove(&spend.outpoint) {
                    return Err(InputsError::Unwatched { height, outpoint: spend.outpoint });
                }
            }
            last = BlockRef::new(height, header.block_hash());
        }
        Ok(())
    }
}

/// The coins whose spends the ledger wants to know: deposits that wait, all inputs of the batch in
/// flight, the treasury, and the treasury coin that the batch in flight would make.
///
/// # Errors
/// State could not be read.
pub fn watched(view: &dyn StateRead) -> Result<BTreeSet<OutPoint>, StateError> {
    let mut coins: BTreeSet<OutPoint> =
        query::pending_deposits(view)?.into_iter().map(|deposit| deposit.outpoint).collect();
    if let Some(treasury) = query::treasury(view)? {
        coins.insert(treasury.outpoint);
    }
    if let Some(batch) = query::batch(view)? {
        coins.extend(batch.inputs.iter().map(|input| input.outpoint));
        coins.extend(batch.change_outpoint());
    }
    Ok(coins)
}

/// Reads Bitcoin blocks as the ledger does. `blocks` are consecutive, the first one after the
/// view's anchor; the caller takes no more than [`MAX_INPUT_BLOCKS`].
///
/// # Errors
/// State could not be read.
pub fn bitcoin_inputs(
    view: &dyn StateRead,
    blocks: &[(BtcHeight, &bitcoin::Block)],
) -> Result<BitcoinInputs, StateError> {
    let watched = watched(view)?;
    let facts = blocks.iter().map(|(height, block)| {
        let mut spends = BTreeMap::new();
        for transaction in &block.txdata {
            for input in &transaction.input {
                if watched.contains(&input.previous_output) {
                    spends.insert(input.previous_output, transaction.compute_txid());
                }
            }
        }
        BitcoinBlockFacts {
            height: *height,
            header: serialize(&block.header).try_into().expect("a Bitcoin header has 80 bytes"),
            transactions: u32::try_from(block.txdata.len()).expect("a Bitcoin block has fewer than 2^32 transactions"),
            spends: spends.into_iter().map(|(outpoint, txid)| Spend { outpoint, txid }).collect(),
        }
    });
    Ok(BitcoinInputs { blocks: facts.collect() })
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
