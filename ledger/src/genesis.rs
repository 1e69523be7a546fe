//! The genesis: who the members are, which Bitcoin key holds the coins, and the dials.

use crate::script;
use crate::treasury;
use crate::wire;
use bitcoin::{Amount, XOnlyPublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use windlass_types::{BlockRef, Blocks, ChainId, ChainNetwork, Digest};

/// The version of the rules that this crate knows.
pub const VERSION: u16 = 2;

/// Everything that a sidechain starts from. Its hash is the chain's id.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Genesis {
    /// The version of the rules: [`VERSION`].
    pub version: u16,
    /// The Bitcoin network that the sidechain is pegged to.
    pub network: ChainNetwork,
    /// The members, in their order: a member's index is its place here.
    pub members: Vec<GenesisMember>,
    /// How many members sign.
    pub threshold: u16,
    /// The federation's x-only FROST group key of epoch 0, not tweaked.
    #[serde(with = "hex::serde")]
    pub treasury_key: [u8; 32],
    /// The Bitcoin block after which anchors count: deposits up to and in it are not seen.
    pub start: BlockRef,
    /// The dials.
    pub params: Params,
}

/// A member of the federation.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct GenesisMember {
    /// A short name, for people.
    pub name: String,
    /// The ed25519 key of its links and votes.
    #[serde(with = "hex::serde")]
    pub identity: [u8; 32],
    /// The x-only key of its part in the emergency leaf.
    #[serde(with = "hex::serde")]
    pub emergency_key: [u8; 32],
}

/// The dials of a sidechain.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Params {
    /// How many blocks deep (itself counted) a Bitcoin block must be before members anchor to it.
    pub anchor_depth: Blocks,
    /// Relative timelock of the user's reclaim leaf.
    pub reclaim_blocks: Blocks,
    /// How long before the reclaim the federation lets go of a deposit.
    pub reclaim_buffer: Blocks,
    /// Relative timelock of the treasury's emergency leaf.
    pub emergency_blocks: Blocks,
    /// How many emergency keys sign.
    pub emergency_threshold: u16,
    /// Smallest deposit that is minted.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub min_deposit: Amount,
    /// Largest deposit that is minted.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub max_deposit: Amount,
    /// Smallest peg-out, before Bitcoin's fee.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub min_peg_out: Amount,
    /// Largest peg-out, before Bitcoin's fee.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub max_peg_out: Amount,
    /// Fee rate of the federation's Bitcoin transactions.
    pub fee_rate_sat_per_kvb: u32,
    /// Smallest fee of a transfer or peg-out request on the sidechain.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub transfer_fee_min: Amount,
    /// Most transactions in a block.
    pub max_block_txs: u32,
    /// Most deposits in a batch.
    pub max_batch_deposits: u16,
    /// Most peg-outs in a batch.
    pub max_batch_peg_outs: u16,
}

/// What is wrong with a genesis (rule L1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Another version of the rules.
    #[error("the genesis is of version {found}, this software knows version {VERSION}")]
    Version {
        /// The genesis's version.
        found: u16,
    },
    /// No members, or more than the ledger allows.
    #[error("{0} members; a federation has 1 to {MAX_MEMBERS}")]
    Members(usize),
    /// A member whose name, identity or key is empty, malformed or another's.
    #[error("member {index}: {field} is {problem}")]
    Member {
        /// The member's index.
        index: usize,
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The threshold is not a majority of the members.
    #[error("{threshold} of {members} sign; it takes more than half and at most all")]
    Threshold {
        /// The threshold.
        threshold: u16,
        /// How many members there are.
        members: usize,
    },
    /// The federation's key is not on the curve.
    #[error("the treasury key {0} is no x-only public key")]
    TreasuryKey(String),
    /// A dial outside its range.
    #[error("{name} is {value}; it must be {range}")]
    Param {
        /// The dial.
        name: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        range: String,
    },
}

/// Most members of a federation.
pub const MAX_MEMBERS: usize = 100;
/// Longest name of a member, in bytes.
pub const MAX_NAME_BYTES: usize = 32;
/// Most deposits, and most peg-outs, in a batch: their counts stay within one byte of a Bitcoin
/// transaction and the whole within a standard transaction's 100,000 vB.
pub const MAX_BATCH_ITEMS: u16 = 100;

impl Default for Params {
    /// The dials of a regtest network.
    fn default() -> Self {
        Self {
            anchor_depth: Blocks::new(6),
            reclaim_blocks: Blocks::new(1008),
            reclaim_buffer: Blocks::new(144),
            emergency_blocks: Blocks::new(4032),
            emergency_threshold: 3,
            min_deposit: Amount::from_sat(10_000),
            max_deposit: Amount::from_sat(100_000_000_000),
            min_peg_out: Amount::from_sat(10_000),
            max_peg_out: Amount::from_sat(100_000_000_000),
            fee_rate_sat_per_kvb: 2_000,
            transfer_fee_min: Amount::ZERO,
            max_block_txs: 20_000,
            max_batch_deposits: 50,
            max_batch_peg_outs: 50,
        }
    }
}

impl Genesis {
    /// The chain's id: the hash of the canonical encoding.
    pub fn chain_id(&self) -> ChainId {
        ChainId(Digest::tagged("Windlass/genesis", &[&crate::state::encode(self)]))
    }

    /// The members' identities, in their order: what certificates are checked against.
    pub fn identities(&self) -> Vec<[u8; 32]> {
        self.members.iter().map(|member| member.identity).collect()
    }

    /// Checks every field (rule L1). All other functions expect a genesis that passed.
    ///
    /// # Errors
    /// The first field that is out of range, with its value.
    pub fn validate(&self) -> Result<(), GenesisError> {
        if self.version != VERSION {
            return Err(GenesisError::Version { found: self.version });
        }
        if self.members.is_empty() || self.members.len() > MAX_MEMBERS {
            return Err(GenesisError::Members(self.members.len()));
        }
        self.validate_members()?;
        let members = self.members.len();
        let doubled = usize::from(self.threshold).saturating_mul(2);
        if doubled <= members || usize::from(self.threshold) > members {
            return Err(GenesisError::Threshold { threshold: self.threshold, members });
        }
        script::x_only(&self.treasury_key).map_err(|_| GenesisError::TreasuryKey(hex::encode(self.treasury_key)))?;
        self.params.validate(members)
    }

    fn validate_members(&self) -> Result<(), GenesisError> {
        let (mut names, mut identities, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (index, member) in self.members.iter().enumerate() {
            let wrong = |field, problem| Err(GenesisError::Member { index, field, problem });
            if member.name.is_empty() || member.name.len() > MAX_NAME_BYTES {
                return wrong("name", "empty or too long");
            }
            if !names.insert(&member.name) {
                return wrong("name", "another member's");
            }
            if !identities.insert(member.identity) {
                return wrong("identity", "another member's");
            }
            if XOnlyPublicKey::from_slice(&member.emergency_key).is_err() {
                return wrong("emergency_key", "no x-only public key");
            }
            if !keys.insert(member.emergency_key) {
                return wrong("emergency_key", "another member's");
            }
        }
        Ok(())
    }
}

impl Params {
    fn validate(&self, members: usize) -> Result<(), GenesisError> {
        let max_csv = u64::from(u16::MAX);
        let members = u64::try_from(members).unwrap_or(u64::MAX);
        let depth_and_buffer = u64::from(self.anchor_depth.get()).saturating_add(self.reclaim_buffer.get().into());
        let items = u64::from(MAX_BATCH_ITEMS);
        let supply = Amount::MAX_MONEY.to_sat();
        // The dial, its value, smallest and largest.
        let fee = |fee: Option<Amount>| fee.map_or(u64::MAX, Amount::to_sat);
        // L1: the smallest deposit pays its fee alone and still mints more than dust; so does the
        // smallest peg-out to the dearest kind of script.
        let deposit_floor = fee(treasury::deposit_fee(self)).saturating_add(treasury::DUST.to_sat());
        let peg_out_floor = fee(treasury::dearest_peg_out_fee(self)).saturating_add(treasury::DEAREST_DUST.to_sat());
        let ranges: [(&'static str, u64, u64, u64); 14] = [
            ("anchor_depth", self.anchor_depth.get().into(), 1, 1_000),
            ("reclaim_blocks", self.reclaim_blocks.get().into(), depth_and_buffer.saturating_add(1), max_csv),
            ("reclaim_buffer", self.reclaim_buffer.get().into(), 1, max_csv),
            ("emergency_blocks", self.emergency_blocks.get().into(), 1, max_csv),
            ("emergency_threshold", self.emergency_threshold.into(), 1, members),
            ("fee_rate_sat_per_kvb", self.fee_rate_sat_per_kvb.into(), 100, 10_000_000),
            ("min_deposit", self.min_deposit.to_sat(), deposit_floor, supply),
            ("max_deposit", self.max_deposit.to_sat(), self.min_deposit.to_sat(), supply),
            ("min_peg_out", self.min_peg_out.to_sat(), peg_out_floor, supply),
            ("max_peg_out", self.max_peg_out.to_sat(), self.min_peg_out.to_sat(), supply),
            ("transfer_fee_min", self.transfer_fee_min.to_sat(), 0, supply),
            ("max_block_txs", self.max_block_txs.into(), 1, 1_000_000),
            ("max_batch_deposits", self.max_batch_deposits.into(), 1, items),
            ("max_batch_peg_outs", self.max_batch_peg_outs.into(), 1, items),
        ];
        for (name, value, low, high) in ranges {
            if value < low || value > high {
                return Err(GenesisError::Param { name, value, range: format!("{low} to {high}") });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "genesis_tests.rs"]
mod tests;
