//! Deposit claims: the proof that a deposit is in a Bitcoin block that the sidechain anchors to.

use crate::script::{DepositTerms, ScriptError};
use crate::{Anchor, DepositBounds, Genesis};
use bitcoin::block::Header as BitcoinHeader;
use bitcoin::consensus::encode::{deserialize, serialize};
use bitcoin::merkle_tree::PartialMerkleTree;
use bitcoin::{Amount, Block as BitcoinBlock, BlockHash, OutPoint, Transaction as BitcoinTransaction, Txid};
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_types::{BtcHeight, SideHeight};

/// Largest deposit transaction, without its witness: every standard transaction fits.
pub const MAX_CLAIM_TRANSACTION_BYTES: usize = 400_000;
/// Largest Merkle proof of one transaction: a block has fewer than 2^20 transactions.
pub const MAX_CLAIM_PROOF_BYTES: usize = 2_048;

/// Shows that a deposit is on Bitcoin.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DepositClaim {
    /// The Bitcoin transaction, serialised without witness.
    pub transaction: Vec<u8>,
    /// Which of its outputs.
    pub vout: u32,
    /// The height of its block.
    pub block: BtcHeight,
    /// The header of its block.
    pub header: [u8; 80],
    /// The Merkle proof: BIP37's partial Merkle tree with this one transaction matched.
    pub proof: Vec<u8>,
    /// What the output's address says.
    pub terms: DepositTerms,
}

/// Why a deposit can't be claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The transaction doesn't decode, or has a witness, or more follows it.
    #[error("the deposit transaction is malformed: {0}")]
    Transaction(String),
    /// The transaction is too large for a claim.
    #[error("the deposit transaction has {0} bytes, at most {MAX_CLAIM_TRANSACTION_BYTES} can be claimed")]
    TransactionSize(usize),
    /// 64 bytes: it could be an inner node of the Merkle tree.
    #[error("the deposit transaction has exactly 64 bytes, which a Merkle proof can't tell from an inner node")]
    SixtyFourBytes,
    /// A coinbase can be reorganised away with its whole descent; it is never a deposit.
    #[error("the deposit is a coinbase")]
    Coinbase,
    /// The transaction has no such output.
    #[error("the deposit transaction has {outputs} outputs, no output {vout}")]
    NoOutput {
        /// The claim's output.
        vout: u32,
        /// How many there are.
        outputs: usize,
    },
    /// The proof is malformed or proves something else.
    #[error("the Merkle proof does not show the deposit transaction in the block: {0}")]
    Proof(String),
    /// The header doesn't decode.
    #[error("the Bitcoin header is malformed")]
    Header,
    /// The sidechain has not seen this Bitcoin block yet.
    #[error("Bitcoin block {block} is not anchored yet; the sidechain is at {anchor}")]
    NotAnchored {
        /// The claim's block.
        block: BtcHeight,
        /// The newest anchor.
        anchor: BtcHeight,
    },
    /// The block is from before the sidechain or too old.
    #[error("Bitcoin block {0} is older than the blocks that deposits are taken from")]
    TooOld(BtcHeight),
    /// The sidechain has another Bitcoin block at this height.
    #[error("Bitcoin block {height} is {expected}, not {found}")]
    ForeignBlock {
        /// The height.
        height: BtcHeight,
        /// The anchored block.
        expected: BlockHash,
        /// The claim's.
        found: BlockHash,
    },
    /// The account can't own anything.
    #[error("the deposit would credit an account that nobody can spend from")]
    Account,
    /// The terms can't be an address.
    #[error("the deposit's terms: {0}")]
    Terms(#[source] ScriptError),
    /// The output pays another script than the terms make.
    #[error("the output does not pay the address of these terms")]
    ForeignScript,
    /// Too small or too large.
    #[error("a deposit of {amount}; {min} to {max} are minted (it is yours again after the reclaim height)")]
    Amount {
        /// The output's value.
        amount: Amount,
        /// The smallest.
        min: Amount,
        /// The largest.
        max: Amount,
    },
    /// Too close to the reclaim height.
    #[error(
        "the deposit is too late: it is yours again from Bitcoin block {reclaim}, and the sidechain is at {anchor}"
    )]
    TooLate {
        /// The first block that can have the reclaim.
        reclaim: BtcHeight,
        /// The newest anchor.
        anchor: BtcHeight,
    },
    /// The output was claimed before.
    #[error("{outpoint} was claimed in sidechain block {claimed}")]
    Again {
        /// The coin.
        outpoint: OutPoint,
        /// The block with the first claim.
        claimed: SideHeight,
    },
}

impl ClaimError {
    /// Whether the same claim may be good later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NotAnchored { .. })
    }
}

/// A deposit that a claim shows, checked as far as the claim alone goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownDeposit {
    pub(crate) script: bitcoin::ScriptBuf,
    pub(crate) outpoint: OutPoint,
    pub(crate) amount: Amount,
}

impl DepositClaim {
    /// Makes a claim out of a whole Bitcoin block. `None` if the block doesn't have the transaction.
    pub fn new(block: &BitcoinBlock, height: BtcHeight, txid: Txid, vout: u32, terms: DepositTerms) -> Option<Self> {
        let txids: Vec<Txid> = block.txdata.iter().map(BitcoinTransaction::compute_txid).collect();
        let position = txids.iter().position(|id| *id == txid)?;
        let matches: Vec<bool> = (0..txids.len()).map(|index| index == position).collect();
        let proof = serialize(&PartialMerkleTree::from_txids(&txids, &matches));
        let transaction = serialize(&without_witness(block.txdata.get(position)?));
        let header = serialize(&block.header).try_into().expect("a Bitcoin header has 80 bytes");
        Some(Self { transaction, vout, block: height, header, proof, terms })
    }

    /// The output that is claimed, read without checking the proof.
    ///
    /// # Errors
    /// The transaction is malformed.
    pub fn outpoint(&self) -> Result<OutPoint, ClaimError> {
        Ok(OutPoint { txid: self.decode()?.compute_txid(), vout: self.vout })
    }

    /// The hash of the claim's header.
    ///
    /// # Errors
    /// The header is malformed.
    pub fn block_hash(&self) -> Result<BlockHash, ClaimError> {
        Ok(self.bitcoin_header()?.block_hash())
    }

    fn bitcoin_header(&self) -> Result<BitcoinHeader, ClaimError> {
        deserialize(&self.header).map_err(|_| ClaimError::Header)
    }

    fn decode(&self) -> Result<BitcoinTransaction, ClaimError> {
        let bytes = self.transaction.len();
        if bytes > MAX_CLAIM_TRANSACTION_BYTES {
            return Err(ClaimError::TransactionSize(bytes));
        }
        let transaction: BitcoinTransaction =
            deserialize(&self.transaction).map_err(|error| ClaimError::Transaction(error.to_string()))?;
        if transaction.input.iter().any(|input| !input.witness.is_empty()) {
            return Err(ClaimError::Transaction("it carries a witness".into()));
        }
        Ok(transaction)
    }

    /// Checks everything but the ledger's own records: transaction, proof against the anchored
    /// block, terms, amount (L21 to L25).
    pub(crate) fn verify(
        &self,
        genesis: &Genesis,
        bounds: &DepositBounds,
        anchored: &Anchor,
    ) -> Result<ShownDeposit, ClaimError> {
        let header = self.bitcoin_header()?;
        // L23: the header is the anchored block's.
        if header.block_hash() != anchored.block.hash() {
            let (expected, found) = (anchored.block.hash(), header.block_hash());
            return Err(ClaimError::ForeignBlock { height: self.block, expected, found });
        }
        let transaction = self.decode()?;
        // L24: a transaction of 64 bytes could be an inner node.
        if self.transaction.len() == 64 {
            return Err(ClaimError::SixtyFourBytes);
        }
        let txid = transaction.compute_txid();
        self.verify_proof(&header, anchored, txid)?;
        // L22: never a coinbase.
        if transaction.is_coinbase() {
            return Err(ClaimError::Coinbase);
        }
        let outputs = transaction.output.len();
        let missing = ClaimError::NoOutput { vout: self.vout, outputs };
        let index = usize::try_from(self.vout).map_err(|_| missing.clone())?;
        let output = transaction.output.get(index).ok_or(missing)?;
        // L20, L21, L76: the output pays the address of the terms.
        if !self.terms.account.is_payable() {
            return Err(ClaimError::Account);
        }
        let info = self.terms.spend_info(genesis).map_err(ClaimError::Terms)?;
        if output.script_pubkey != info.script {
            return Err(ClaimError::ForeignScript);
        }
        // L25: within bounds.
        let (min, max) = (bounds.min, bounds.max);
        if output.value < min || output.value > max {
            return Err(ClaimError::Amount { amount: output.value, min, max });
        }
        Ok(ShownDeposit { script: info.script, outpoint: OutPoint { txid, vout: self.vout }, amount: output.value })
    }

    /// L24: the proof shows `txid` in the block, in a tree of exactly the block's size.
    fn verify_proof(&self, header: &BitcoinHeader, anchored: &Anchor, txid: Txid) -> Result<(), ClaimError> {
        let wrong = |reason: &str| ClaimError::Proof(reason.into());
        if self.proof.len() > MAX_CLAIM_PROOF_BYTES {
            return Err(wrong("it is too long"));
        }
        let tree: PartialMerkleTree = deserialize(&self.proof).map_err(|e| ClaimError::Proof(e.to_string()))?;
        if tree.num_transactions() != anchored.transactions {
            return Err(wrong("it is of a tree of another size"));
        }
        let (mut matches, mut indexes) = (Vec::new(), Vec::new());
        let root = tree.extract_matches(&mut matches, &mut indexes).map_err(|e| ClaimError::Proof(e.to_string()))?;
        if root != header.merkle_root {
            return Err(wrong("its root is not the block's"));
        }
        if matches != [txid] {
            return Err(wrong("it is of another transaction"));
        }
        Ok(())
    }
}

/// The same transaction with all witnesses dropped: same txid, canonical for a claim.
fn without_witness(transaction: &BitcoinTransaction) -> BitcoinTransaction {
    let mut stripped = transaction.clone();
    for input in &mut stripped.input {
        input.witness.clear();
    }
    stripped
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
