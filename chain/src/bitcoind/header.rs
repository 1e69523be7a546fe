//! A block's header, as `getblockheader` tells it.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use serde::Deserialize;
use windlass_types::{BlockRef, BtcHeight};

/// A block's header and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderInfo {
    /// The header.
    pub header: Header,
    /// Its height and hash.
    pub at: BlockRef,
    /// The chain's work up to it, big endian.
    pub chain_work: [u8; 32],
    /// 1 for the tip; `None` if it is not in the best chain.
    pub confirmations: Option<u32>,
    /// The next block of the best chain.
    pub next: Option<BlockHash>,
}

/// `getblockheader` with `verbose`. The header is put together from its fields, which saves the
/// second call for its bytes; its hash is checked.
#[derive(Deserialize)]
pub(super) struct HeaderJson {
    hash: BlockHash,
    confirmations: i64,
    height: u32,
    version: i32,
    merkleroot: bitcoin::TxMerkleNode,
    time: u32,
    nonce: u32,
    bits: String,
    chainwork: String,
    /// Absent for the genesis block.
    previousblockhash: Option<BlockHash>,
    nextblockhash: Option<BlockHash>,
}

impl HeaderJson {
    pub(super) fn read(self) -> Result<HeaderInfo, String> {
        use bitcoin::hashes::Hash as _;
        use bitcoin::hex::FromHex as _;
        let bits = u32::from_str_radix(&self.bits, 16).map_err(|error| error.to_string())?;
        let header = Header {
            version: bitcoin::block::Version::from_consensus(self.version),
            prev_blockhash: self.previousblockhash.unwrap_or_else(BlockHash::all_zeros),
            merkle_root: self.merkleroot,
            time: self.time,
            bits: bitcoin::CompactTarget::from_consensus(bits),
            nonce: self.nonce,
        };
        if header.block_hash() != self.hash {
            return Err(format!("the fields of header {} don't hash to it", self.hash));
        }
        Ok(HeaderInfo {
            header,
            at: BlockRef::new(BtcHeight::new(self.height), self.hash),
            chain_work: <[u8; 32]>::from_hex(&self.chainwork).map_err(|error| error.to_string())?,
            confirmations: u32::try_from(self.confirmations).ok(),
            next: self.nextblockhash,
        })
    }
}
