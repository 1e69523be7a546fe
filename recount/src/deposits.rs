//! Bitcoin's blocks as the sidechain has consumed them, and the deposits that claims show in them.

use crate::dials::Dials;
use crate::fault::TxFault;
use crate::saved::{consensus, inside};
use crate::script;
use bitcoin::block::Header as BitcoinHeader;
use bitcoin::consensus::encode::deserialize;
use bitcoin::merkle_tree::PartialMerkleTree;
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::{BlockHash, OutPoint, ScriptBuf, Transaction as BitcoinTransaction};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;
use windlass_ledger::{BitcoinBlockFacts, DepositClaim, Genesis, Params};
use windlass_types::{AccountId, BlockRef, BtcHeight};

/// The Bitcoin blocks that claims may be of: hash and number of transactions.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub(crate) struct Anchors {
    newest: BlockRef,
    #[borsh(serialize_with = "inside::write_anchors", deserialize_with = "inside::read_anchors")]
    blocks: BTreeMap<BtcHeight, (BlockHash, u32)>,
}

/// A coin that a claim shows.
#[derive(Debug, Clone, BorshSerialize, BorshDeserialize)]
pub(crate) struct Deposit {
    #[borsh(serialize_with = "consensus::write", deserialize_with = "consensus::read")]
    pub(crate) outpoint: OutPoint,
    pub(crate) amount: u64,
    #[borsh(serialize_with = "consensus::write", deserialize_with = "consensus::read")]
    pub(crate) script: ScriptBuf,
    pub(crate) account: AccountId,
    /// From this anchor on the federation leaves it to its user.
    pub(crate) lapses: u64,
    pub(crate) block: BtcHeight,
    /// The highest rate of Bitcoin's fee that it pays.
    pub(crate) rate: u32,
}

impl Anchors {
    pub(crate) const fn after(start: BlockRef) -> Self {
        Self { newest: start, blocks: BTreeMap::new() }
    }

    pub(crate) const fn newest(&self) -> BlockRef {
        self.newest
    }

    /// The oldest that claims may be of.
    pub(crate) fn oldest(&self) -> BtcHeight {
        self.blocks.keys().next().copied().unwrap_or(self.newest.height)
    }

    /// Consumes a Bitcoin block.
    pub(crate) fn push(&mut self, facts: &BitcoinBlockFacts, params: &Params) -> Result<BlockRef, &'static str> {
        let header: BitcoinHeader = deserialize(&facts.header).map_err(|_| "a Bitcoin header is malformed")?;
        if Some(facts.height) != self.newest.height.next() || header.prev_blockhash != self.newest.hash() {
            return Err("a Bitcoin block does not follow the one before it");
        }
        self.newest = BlockRef::new(facts.height, header.block_hash());
        self.blocks.insert(facts.height, (header.block_hash(), facts.transactions));
        if let Some(old) = facts.height.checked_sub(params.reclaim_blocks) {
            self.blocks = self.blocks.split_off(&old.next().unwrap_or(old));
        }
        Ok(self.newest)
    }
}

/// The deposit that a claim shows, if Bitcoin has it.
pub(crate) fn shown(
    claim: &DepositClaim,
    genesis: &Genesis,
    secp: &Secp256k1<VerifyOnly>,
    anchors: &Anchors,
    dials: &Dials,
) -> Result<Deposit, TxFault> {
    let fault = |what| Err(TxFault::Claim(what));
    let Some((hash, count)) = anchors.blocks.get(&claim.block) else { return fault("is of a block that is unknown") };
    let header: BitcoinHeader = match deserialize(&claim.header) {
        Ok(header) => header,
        Err(_) => return fault("has a malformed header"),
    };
    if header.block_hash() != *hash {
        return fault("is of another block");
    }
    let transaction: BitcoinTransaction = match deserialize(&claim.transaction) {
        Ok(transaction) => transaction,
        Err(_) => return fault("has a malformed transaction"),
    };
    // 64 bytes may be two hashes of the tree; with a witness it would have two encodings.
    if claim.transaction.len() == 64 || transaction.input.iter().any(|input| !input.witness.is_empty()) {
        return fault("has an ambiguous transaction");
    }
    if transaction.is_coinbase() {
        return fault("is of a coinbase");
    }
    let txid = transaction.compute_txid();
    if !is_in_block(claim, &header, *count, txid) {
        return fault("does not show its transaction in the block");
    }
    let output = usize::try_from(claim.vout).ok().and_then(|vout| transaction.output.get(vout));
    let Some(output) = output else { return fault("is of an output that is not there") };
    let account = claim.terms.account;
    if !account.is_payable() {
        return fault("credits an account that nobody can spend from");
    }
    if script::deposit(&claim.terms, genesis, secp).as_ref() != Some(&output.script_pubkey) {
        return fault("is of an output that pays another address");
    }
    let params = &genesis.params;
    let Some(bounds) = dials.bounds(claim.block) else { return fault("is of a block that is too old") };
    if output.value.to_sat() < bounds.least || output.value.to_sat() > bounds.most {
        return fault("is of an amount that is not minted");
    }
    let lapses = u64::from(claim.block.get())
        .saturating_add(params.reclaim_blocks.get().into())
        .saturating_sub(params.reclaim_buffer.get().into());
    if u64::from(anchors.newest.height.get()) >= lapses {
        return fault("is too late");
    }
    Ok(Deposit {
        outpoint: OutPoint { txid, vout: claim.vout },
        amount: output.value.to_sat(),
        script: output.script_pubkey.clone(),
        account,
        lapses,
        block: claim.block,
        rate: bounds.rate,
    })
}

fn is_in_block(claim: &DepositClaim, header: &BitcoinHeader, count: u32, txid: bitcoin::Txid) -> bool {
    let Ok(tree) = deserialize::<PartialMerkleTree>(&claim.proof) else { return false };
    let (mut found, mut places) = (Vec::new(), Vec::new());
    tree.num_transactions() == count
        && tree.extract_matches(&mut found, &mut places).is_ok_and(|root| root == header.merkle_root)
        && found == [txid]
}
