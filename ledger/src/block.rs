//! Blocks and headers.

use crate::inputs::BitcoinInputs;
use crate::state::encode;
use crate::transaction::Transaction;
use crate::wire;
use bitcoin::Amount;
use bitcoin::hashes::{Hash as _, HashEngine as _, sha256t_hash_newtype};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;
use windlass_types::{BlockRef, ChainId, Digest, SideHeight};

/// Largest encoding of a block.
pub const MAX_BLOCK_BYTES: usize = 4_000_000;

/// Largest encoding of a transaction: a claim of the largest deposit transaction fits.
pub const MAX_TRANSACTION_BYTES: usize = 500_000;
/// More than a block's header and the counts of its lists take.
pub(crate) const MAX_HEADER_BYTES: usize = 512;

/// What a block commits to. Its [`Header::digest`] names the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Header {
    /// The sidechain.
    pub chain: ChainId,
    /// The block's height; the genesis block is 0.
    pub height: SideHeight,
    /// The digest of the header before.
    pub parent: Digest,
    /// The newest Bitcoin block that the sidechain has consumed.
    pub anchor: BlockRef,
    /// What all accounts own, after this block.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub supply: Amount,
    /// Burned for peg-outs and not settled on Bitcoin, after this block.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub owed: Amount,
    /// The root of the state after this block (see [`crate::smt`]).
    pub state_root: Digest,
    /// Commits to inputs and transactions, signatures included.
    pub body_root: Digest,
}

/// A block.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// What is taken from Bitcoin.
    pub inputs: BitcoinInputs,
    /// The transactions, in order.
    pub transactions: Vec<Transaction>,
}

/// Why bytes are no encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than it may be.
    #[error("{found} bytes, at most {max} are read")]
    TooLarge {
        /// How many there are.
        found: usize,
        /// How many may be.
        max: usize,
    },
    /// Not canonical: cut short, unknown, or followed by more.
    #[error("not a canonical encoding: {0}")]
    Malformed(String),
}

impl Header {
    /// The block's name.
    pub fn digest(&self) -> Digest {
        Digest::tagged("Windlass/header", &[&encode(self)])
    }
}

impl Block {
    /// The block's name: its header's digest.
    pub fn digest(&self) -> Digest {
        self.header.digest()
    }

    /// What the header must commit to as [`Header::body_root`] (L4). Whoever stores or passes on a
    /// block under its digest checks this first: the digest alone covers the header only.
    pub fn body_root(&self) -> Digest {
        self.body_root_with(&self.leaves())
    }

    /// As [`Self::body_root`], for who has the [leaves](Self::leaves) at hand.
    pub fn body_root_with(&self, leaves: &[Digest]) -> Digest {
        body_root(&self.inputs, leaves)
    }

    /// Each transaction's [leaf](Transaction::leaf), in order.
    pub fn leaves(&self) -> Vec<Digest> {
        self.transactions.iter().map(Transaction::leaf).collect()
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a canonical encoding; trailing bytes are refused.
    ///
    /// # Errors
    /// It is larger than a block may be, or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_bounded(bytes, MAX_BLOCK_BYTES)
    }
}

// As in `windlass_types::tagged_hash`, with the tag's midstate computed at compile time.
sha256t_hash_newtype! {
    struct PairTag = hash_str("Windlass/pair");
    struct PairHash(_);
}

/// Shows that a block has a transaction at a place (L4).
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Inclusion {
    /// The hash of the block's Bitcoin inputs.
    pub inputs: Digest,
    /// How many transactions the block has.
    pub count: u64,
    /// The transaction's place, from 0.
    pub index: u64,
    /// The hashes beside the way, from the transaction up.
    pub siblings: Vec<Digest>,
}

impl Inclusion {
    /// Proves transaction `index` of `block`; none if it has no such.
    pub fn of(block: &Block, index: usize) -> Option<Self> {
        let mut level = block.leaves();
        level.get(index)?;
        let (mut siblings, mut at) = (Vec::new(), index);
        while level.len() > 1 {
            siblings.extend(level.get(at ^ 1));
            level = above(&level);
            at /= 2;
        }
        Some(Self {
            inputs: inputs_hash(&block.inputs),
            count: u64::try_from(block.transactions.len()).ok()?,
            index: u64::try_from(index).ok()?,
            siblings,
        })
    }

    /// Whether a block with this body root has `transaction`, with this signature, at [`Self::index`].
    pub fn holds(&self, body_root: &Digest, transaction: &Transaction) -> bool {
        if self.index >= self.count {
            return false;
        }
        let (mut at, mut width) = (self.index, self.count);
        let mut node = transaction.leaf();
        let mut siblings = self.siblings.iter();
        while width > 1 {
            // An odd one at the end moves up as it is.
            if at ^ 1 < width {
                let Some(sibling) = siblings.next() else { return false };
                node = if at.is_multiple_of(2) { pair(&node, sibling) } else { pair(sibling, &node) };
            }
            (at, width) = (at / 2, width.div_ceil(2));
        }
        siblings.next().is_none() && body(&self.inputs, self.count, &node) == *body_root
    }
}

/// Commits to inputs and transactions (L4): the hash of the inputs' hash, the count and the root
/// of a binary tree over the transactions' hashes, signatures included.
pub(crate) fn body_root(inputs: &BitcoinInputs, leaves: &[Digest]) -> Digest {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = above(&level);
    }
    let root = level.first().copied().unwrap_or_default();
    body(&inputs_hash(inputs), u64::try_from(leaves.len()).unwrap_or(u64::MAX), &root)
}

fn inputs_hash(inputs: &BitcoinInputs) -> Digest {
    Digest::tagged("Windlass/inputs", &[&encode(inputs)])
}

fn pair(left: &Digest, right: &Digest) -> Digest {
    let mut engine = PairHash::engine();
    engine.input(left.as_bytes());
    engine.input(right.as_bytes());
    Digest(PairHash::from_engine(engine).to_byte_array())
}

/// The level above. An odd one at the end moves up as it is; the count keeps the shape unambiguous.
fn above(level: &[Digest]) -> Vec<Digest> {
    let pairs = level.chunks(2).map(|nodes| match nodes {
        [left, right] => pair(left, right),
        rest => rest.first().copied().unwrap_or_default(),
    });
    pairs.collect()
}

fn body(inputs: &Digest, count: u64, root: &Digest) -> Digest {
    Digest::tagged("Windlass/body", &[inputs.as_bytes(), &count.to_le_bytes(), root.as_bytes()])
}

pub(crate) fn decode_bounded<T: BorshDeserialize>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    let found = bytes.len();
    if found > max {
        return Err(DecodeError::TooLarge { found, max });
    }
    borsh::from_slice(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
}
